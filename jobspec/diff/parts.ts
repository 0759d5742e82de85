import { isDeepStrictEqual } from 'node:util';
import type { DiffType, FieldDiff, ObjectDiff } from './model.ts';

/** The simple fields of an object as text, by name; `Meta[team]` for the entries of a map. Empty text counts as absent. */
export type Flat = Readonly<Record<string, string>>;

/** Compares field by field; with `context` unchanged fields are kept as well. Sorted by name. */
export function fieldDiffs(before: Flat, after: Flat, context: boolean): FieldDiff[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(byCodeUnit);
  return names.flatMap((name) => fieldDiff(name, before[name] ?? '', after[name] ?? '', context));
}

function fieldDiff(name: string, before: string, after: string, context: boolean): FieldDiff[] {
  if (before === after) return context ? [{ type: 'None', name, old: before, new: after, annotations: [] }] : [];
  const type: DiffType = before === '' ? 'Added' : after === '' ? 'Deleted' : 'Edited';
  return [{ type, name, old: before, new: after, annotations: [] }];
}

/** An object of simple fields; what became of it follows from its fields. Absent when nothing changed. */
export function plainObject(name: string, before: Flat | undefined, after: Flat | undefined): ObjectDiff[] {
  const fields = fieldDiffs(before ?? {}, after ?? {}, true);
  const types = new Set(fields.map((f) => f.type));
  const type = combined(types);
  return type === 'None' ? [] : [{ type, name, fields, objects: [] }];
}

function combined(types: ReadonlySet<DiffType>): DiffType {
  if (types.has('Edited') || (types.has('Added') && types.has('Deleted'))) return 'Edited';
  if (types.has('Added')) return 'Added';
  return types.has('Deleted') ? 'Deleted' : 'None';
}

/** A list in which order and repetition do not count: what is only in one of the two is wholly added or deleted. */
export function setOfObjects<T>(
  before: readonly T[] | undefined,
  after: readonly T[] | undefined,
  diff: (before: T | undefined, after: T | undefined) => ObjectDiff[],
): ObjectDiff[] {
  const missing = (from: readonly T[], other: readonly T[]): T[] => {
    const unique = from.filter((item, i) => from.findIndex((o) => isDeepStrictEqual(o, item)) === i);
    return unique.filter((item) => !other.some((o) => isDeepStrictEqual(o, item)));
  };
  const gone = missing(before ?? [], after ?? []).flatMap((item) => diff(item, undefined));
  const made = missing(after ?? [], before ?? []).flatMap((item) => diff(undefined, item));
  return [...gone, ...made].sort(compareObjects);
}

/** A list whose items have names: those of one name are compared with each other. */
export function namedObjects<T>(
  before: readonly T[] | undefined,
  after: readonly T[] | undefined,
  name: (item: T) => string,
  diff: (before: T | undefined, after: T | undefined) => ObjectDiff[],
): ObjectDiff[] {
  const old = new Map((before ?? []).map((item) => [name(item), item]));
  const now = new Map((after ?? []).map((item) => [name(item), item]));
  const names = [...new Set([...old.keys(), ...now.keys()])];
  return names
    .flatMap((n) => (isDeepStrictEqual(old.get(n), now.get(n)) ? [] : diff(old.get(n), now.get(n))))
    .sort(compareObjects);
}

/** A set of texts, each shown as a field with the name of the set. */
export function setOfTexts(
  name: string,
  before: readonly string[] = [],
  after: readonly string[] = [],
  context = true,
): ObjectDiff[] {
  const old = new Set(before);
  const now = new Set(after);
  const gone = [...old].filter((s) => !now.has(s));
  const made = [...now].filter((s) => !old.has(s));
  if (gone.length === 0 && made.length === 0) return [];
  const kept = context ? [...old].filter((s) => now.has(s)) : [];
  const fields = [
    ...gone.flatMap((s) => fieldDiff(name, s, '', context)),
    ...made.flatMap((s) => fieldDiff(name, '', s, context)),
    ...kept.flatMap((s) => fieldDiff(name, s, s, context)),
  ].sort(compareFields);
  return [{ type: combined(new Set(fields.map((f) => f.type))), name, fields, objects: [] }];
}

export const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const compareFields = (a: FieldDiff, b: FieldDiff): number =>
  byCodeUnit(a.name, b.name) || byCodeUnit(a.old, b.old) || byCodeUnit(a.new, b.new);

const RANK: Record<DiffType, number> = { Edited: 0, Added: 1, Deleted: 2, None: 3 };

function compareObjects(a: ObjectDiff, b: ObjectDiff): number {
  return (
    byCodeUnit(a.name, b.name) ||
    RANK[a.type] - RANK[b.type] ||
    a.fields.length - b.fields.length ||
    a.objects.length - b.objects.length ||
    firstDifference(a.fields, b.fields, compareFields) ||
    firstDifference(a.objects, b.objects, compareObjects)
  );
}

function firstDifference<T>(a: readonly T[], b: readonly T[], compare: (x: T, y: T) => number): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const c = compare(a[i]!, b[i]!);
    if (c !== 0) return c;
  }
  return 0;
}
