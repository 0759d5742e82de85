import equal from 'fast-deep-equal';
import { badRequest } from '../registry/errors.ts';
import { isObject, type JsonObject } from '../registry/object.ts';
import { fromFieldsV1, intersect, isEmpty, minus, NOTHING, toFieldsV1, union, type FieldSet } from './field-set.ts';
import { compare, fieldsOf, merge, without } from './fields.ts';
import type { Shape } from './shape.ts';

export type Operation = 'Apply' | 'Update';

/** Who owns which fields: one entry of `metadata.managedFields`. */
export interface Entry {
  readonly manager: string;
  readonly operation: Operation;
  readonly apiVersion: string;
  readonly subresource?: string;
  /** When the manager last changed something. */
  readonly time?: string;
  readonly fields: FieldSet;
}

/** Who writes, and how. */
export type Writer = Omit<Entry, 'fields' | 'time'> & { readonly time: string };

/** So many managers of updates are told apart; the older ones are taken together. */
const MAX_UPDATERS = 10;
const ANCIENT = 'ancient-changes';
/** Owns what was there before anybody kept count. */
export const BEFORE_FIRST_APPLY = 'before-first-apply';

/** Reads managedFields. Throws BadRequest for what cannot be understood. */
export function readEntries(value: unknown): Entry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw badRequest('metadata.managedFields must be a list');
  return value.map((item: unknown) => {
    const text = (name: string): string => {
      const found = isObject(item) ? item[name] : undefined;
      if (found !== undefined && found !== null && typeof found !== 'string') throw badRequest(`metadata.managedFields: ${name} must be a string`); // prettier-ignore
      return found ?? '';
    };
    const [operation, fieldsType, subresource, time] = [text('operation'), text('fieldsType'), text('subresource'), text('time')];
    if (operation !== 'Apply' && operation !== 'Update') throw badRequest('metadata.managedFields: operation must be Apply or Update'); // prettier-ignore
    if (fieldsType !== 'FieldsV1') throw badRequest('metadata.managedFields: fieldsType must be FieldsV1');
    return {
      manager: text('manager'),
      operation,
      apiVersion: text('apiVersion'),
      ...(subresource !== '' && { subresource }),
      ...(time !== '' && { time }),
      fields: fromFieldsV1((item as JsonObject)['fieldsV1'] ?? {}),
    };
  });
}

export function writeEntries(entries: readonly Entry[]): JsonObject[] {
  return entries.map(({ manager, operation, apiVersion, subresource, time, fields }) => ({
    manager,
    operation,
    apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(fields),
    ...(subresource !== undefined && { subresource }),
  }));
}

/** Whether two lists say the same, times aside. */
export function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
  const bare = (entries: readonly Entry[]): unknown =>
    writeEntries(entries).map(({ time: _, ...rest }) => JSON.stringify(rest)).sort(); // prettier-ignore
  return equal(bare(a), bare(b));
}

const isOf = (writer: Writer, entry: Entry): boolean =>
  entry.manager === writer.manager &&
  entry.operation === writer.operation &&
  entry.subresource === writer.subresource &&
  (entry.operation === 'Apply' || entry.apiVersion === writer.apiVersion);

export interface UpdateRecord {
  readonly entries: readonly Entry[];
  readonly writer: Writer;
  readonly before: unknown;
  readonly after: unknown;
  /** What the writer said itself; what followed from it (defaults) belongs to nobody. */
  readonly said: unknown;
  readonly shape: Shape;
}

/** The owners after any write but an apply: who changes a field has it, and what is removed is nobody's. */
export function recordUpdate({ entries, writer, before, after, said, shape }: UpdateRecord): Entry[] {
  const { changed, removed } = compare(before, after, shape);
  if (isEmpty(changed) && isEmpty(removed)) return [...entries];
  const gained = intersect(changed, fieldsOf(said, shape));
  const own = entries.find((entry) => isOf(writer, entry))?.fields ?? NOTHING;
  const others = entries
    .filter((entry) => !isOf(writer, entry))
    .map((entry) => {
      // What one writes under a subresource is not touched by writes elsewhere, and the comparison knows only its own part.
      const fields = minus(minus(entry.fields, changed), removed);
      return equalSets(fields, entry.fields) ? entry : { ...entry, fields };
    });
  return tidy([...others, { ...writer, fields: union(minus(own, removed), gained) }]);
}

export interface Conflict {
  readonly entry: Entry;
  readonly fields: FieldSet;
}

export interface Application {
  readonly entries: readonly Entry[];
  readonly writer: Writer;
  /** What is stored. */
  readonly live: unknown;
  readonly applied: unknown;
  readonly shape: Shape;
}

export interface Applied {
  /** The value that results. */
  readonly value: unknown;
  readonly entries: Entry[];
  /** What others own and this changes; with force it is taken from them. */
  readonly conflicts: readonly Conflict[];
}

/**
 * An apply: the live value, with the fields that are applied set, and those gone that this manager applied before, applies no more, and
 * nobody else owns. The result is what happens when conflicts are overridden; it is the caller's to refuse them.
 */
export function apply({ entries, writer, live, applied, shape }: Application): Applied {
  const claimed = fieldsOf(applied, shape);
  const merged = merge(live, applied, shape);
  const { changed, removed } = compare(live, merged, shape);
  const touched = union(changed, removed);
  const own = entries.find((entry) => isOf(writer, entry));
  const others = entries.filter((entry) => entry !== own);
  const conflicts = others
    .map((entry) => ({ entry, fields: intersect(entry.fields, touched) }))
    .filter(({ fields }) => !isEmpty(fields));
  const left = others.map((entry) => {
    const fields = minus(entry.fields, touched);
    return equalSets(fields, entry.fields) ? entry : { ...entry, fields };
  });
  const theirs = left.reduce((all, { fields }) => union(all, fields), NOTHING);
  const gone = minus(minus(own?.fields ?? NOTHING, claimed), theirs);
  const value = without(merged, gone, union(claimed, theirs), shape);
  return { value, entries: tidy([{ ...writer, fields: claimed }, ...left]), conflicts };
}

const equalSets = (a: FieldSet, b: FieldSet): boolean => equal(toFieldsV1(a), toFieldsV1(b));

/** Without entries that own nothing; appliers first; updates of the distant past in one entry. */
function tidy(entries: readonly Entry[]): Entry[] {
  const some = entries.filter(({ fields }) => !isEmpty(fields));
  const appliers = some.filter(({ operation }) => operation === 'Apply');
  const updaters = some.filter(({ operation }) => operation === 'Update');
  if (updaters.length <= MAX_UPDATERS) return [...appliers, ...updaters];
  const oldestFirst = [...updaters].sort((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  const old = oldestFirst.slice(0, updaters.length - MAX_UPDATERS + 1);
  const [first] = old;
  const ancient: Entry = {
    manager: ANCIENT,
    operation: 'Update',
    apiVersion: first!.apiVersion,
    ...(first!.time !== undefined && { time: first!.time }),
    fields: old.reduce((all, { fields }) => union(all, fields), NOTHING),
  };
  return [...appliers, ancient, ...updaters.filter((entry) => !old.includes(entry))];
}
