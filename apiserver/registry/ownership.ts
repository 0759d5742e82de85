import equal from 'fast-deep-equal';
import { ApiError, toTimestampSeconds, type Instant, type StatusCause } from '../../base/index.ts';
import type { AdmissionChain } from '../admission/chain.ts';
import {
  apply,
  BEFORE_FIRST_APPLY,
  compare,
  fieldsOf,
  formatFieldPath,
  intersect,
  isEmpty,
  metadataShape,
  minus,
  pathsOf,
  readEntries,
  recordUpdate,
  restrictedTo,
  sameEntries,
  shapeOf,
  struct,
  union,
  writeEntries,
  NOTHING,
  type Conflict,
  type Entry,
  type Operation,
  type Shape,
  type Writer,
} from '../apply/index.ts';
import { badRequest } from './errors.ts';
import type { ApiKind } from './kinds.ts';
import { isObject, type ApiObject, type JsonObject } from './object.ts';
import { intake, prepareCreate, prepareStatus, prepareUpdate, type Intake } from './strategy.ts';

/**
 * Who owns which field of an object: `metadata.managedFields`, kept up to date by every write to an object that has it, and begun by
 * the first one that applies or that names its `fieldManager`. Programs that name none cost nothing.
 */

export interface Manager {
  readonly name: string;
  /** The client named it, rather than being known by its program's name. */
  readonly explicit: boolean;
  readonly subresource?: 'status' | 'scale';
}

/** What of an object a write may change, and so own: status on its own path, everything else elsewhere. */
function viewOf(kind: ApiKind, subresource: Manager['subresource'], object: Pick<ApiObject, 'metadata'> | Intake): JsonObject {
  const content: JsonObject = 'content' in object ? object.content : { ...object };
  if (subresource === 'status') return content['status'] === undefined ? {} : { status: content['status'] };
  const { labels, annotations, finalizers, ownerReferences } = object.metadata;
  const owned = Object.entries({ labels, annotations, finalizers, ownerReferences }).filter(([, value]) => value !== undefined);
  const rest = Object.entries(content).filter(([name]) => !ENVELOPE.has(name) && !(name === 'status' && kind.hasStatus));
  return { ...(owned.length > 0 && { metadata: Object.fromEntries(owned) }), ...Object.fromEntries(rest) };
}

const ENVELOPE = new Set(['apiVersion', 'kind', 'metadata']);

const shapes = new WeakMap<ApiKind, Shape>();

function shapeOfKind(kind: ApiKind): Shape {
  let shape = shapes.get(kind);
  if (shape === undefined) {
    const { source, resolve } = kind.schema;
    const body = shapeOf(source, resolve);
    const field = body.type === 'struct' ? body.field : () => undefined;
    shapes.set(
      kind,
      (shape = {
        type: 'struct',
        field: (name) => (name === 'metadata' ? metadataShape : field(name)),
        rest: body.type === 'struct' ? (body.rest ?? struct({})) : { type: 'open' },
      }),
    );
  }
  return shape;
}

const writerOf = (kind: ApiKind, { name, subresource }: Manager, operation: Operation, now: Instant): Writer => ({
  manager: name,
  operation,
  apiVersion: kind.apiVersion,
  ...(subresource !== undefined && { subresource }),
  time: toTimestampSeconds(now),
});

export interface OwnedWrite {
  readonly kind: ApiKind;
  readonly old: ApiObject | undefined;
  readonly next: ApiObject;
  /** What the client sent, or its patch made of what is stored. */
  readonly said: Intake;
  readonly manager: Manager | undefined;
  readonly now: Instant;
}

/** The object of a create, an update or a patch, with its owners. */
export function withOwners({ kind, old, next, said, manager, now }: OwnedWrite): ApiObject {
  const given = said.metadata.managedFields;
  const stored = old?.metadata.managedFields;
  // A list of one empty entry is how clients clear it.
  if (given?.length === 1 && isObject(given[0]) && Object.keys(given[0]).length === 0) return setOwners(next, undefined);
  const base = given !== undefined && given.length > 0 ? given : stored;
  if (base === undefined && manager?.explicit !== true) return next;
  const known = base === stored || equal(base, stored) ? entriesOf(stored) : readEntries(base);
  if (manager === undefined) return setOwners(next, writeEntries(known));
  const { subresource } = manager;
  const entries = recordUpdate({
    entries: known,
    writer: writerOf(kind, manager, 'Update', now),
    before: old === undefined ? {} : viewOf(kind, subresource, old),
    after: viewOf(kind, subresource, next),
    said: viewOf(kind, subresource, said),
    shape: shapeOfKind(kind),
  });
  return setOwners(next, entries.length === 0 ? undefined : writeEntries(entries));
}

/** What is stored was understood before; should it not be (another version wrote it), it is begun anew. */
function entriesOf(stored: unknown): Entry[] {
  try {
    return readEntries(stored);
  } catch {
    return [];
  }
}

function setOwners(object: ApiObject, managedFields: JsonObject[] | undefined): ApiObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(managedFields && { managedFields }) } };
}

export interface ApplyRequest {
  readonly kind: ApiKind;
  readonly namespace: string | undefined;
  readonly name: string;
  /** The body as it came, and as it was read. */
  readonly body: JsonObject;
  readonly taken: Intake;
  readonly manager: Manager;
  readonly force: boolean;
  readonly chain: AdmissionChain;
}

/** Reads the body of an apply. Throws BadRequest for one that cannot be applied. */
export function readApply(kind: ApiKind, value: unknown): { body: JsonObject; taken: Intake } {
  if (!isObject(value)) throw badRequest(`the body must be a ${kind.kind} as a JSON or YAML object`);
  const taken = intake(kind, value);
  if (taken.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  return { body: value, taken };
}

/** What the manager says, without what the schema adds to it. */
function appliedView({ kind, body, taken, manager: { subresource } }: ApplyRequest): JsonObject {
  const { metadata, ...content } = body;
  const raw = viewOf(kind, subresource, { metadata: isObject(metadata) ? metadata : {}, content } as unknown as Intake);
  const shape = shapeOfKind(kind);
  return restrictedTo(viewOf(kind, subresource, taken), fieldsOf(raw, shape), shape) as JsonObject;
}

/** The object that an apply creates. */
export function applyToNothing(request: ApplyRequest, now: Instant): ApiObject {
  const { kind, namespace, name, taken, manager, chain } = request;
  const object = prepareCreate(kind, { ...taken, causes: [...taken.causes] }, { chain, namespace, name, now, keepStatus: false });
  const entry: Entry = { ...writerOf(kind, manager, 'Apply', now), fields: fieldsOf(appliedView(request), shapeOfKind(kind)) };
  return isEmpty(entry.fields) ? object : setOwners(object, writeEntries([entry]));
}

/** The object that an apply makes of a stored one. Throws Conflict where it would change what others own. */
export function applyTo(request: ApplyRequest, old: ApiObject, now: Instant): ApiObject {
  const { kind, taken, manager, force, chain } = request;
  const { subresource } = manager;
  const shape = shapeOfKind(kind);
  const whole = viewOf(kind, subresource, old);
  const stored = entriesOf(old.metadata.managedFields);
  const writer = writerOf(kind, manager, 'Apply', now);
  const entries =
    stored.length > 0 || isEmpty(fieldsOf(whole, shape))
      ? stored
      : [{ ...writer, manager: BEFORE_FIRST_APPLY, operation: 'Update' as const, fields: fieldsOf(whole, shape) }];
  const live = subresource === 'status' ? whole : withoutDefaults(request, old, whole, entries, now);
  const applied = appliedView(request);
  const result = apply({ entries, writer, live, applied, shape });
  if (result.conflicts.length > 0 && !force && !isOwnLastApplied(request, old, result.conflicts)) {
    throw conflictError(result.conflicts);
  }
  const view = result.value as JsonObject;
  const { resourceVersion, uid } = taken.metadata;
  const { name, namespace } = old.metadata;
  const merged = intake(kind, {
    ...view,
    metadata: {
      ...(isObject(view['metadata']) && view['metadata']),
      name,
      ...(namespace !== undefined && { namespace: taken.metadata.namespace || namespace }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(uid !== undefined && { uid }),
    },
  });
  const causes = [...taken.causes, ...merged.causes];
  const next = subresource === 'status' ? prepareStatus(kind, { ...merged, causes }, old) : prepareUpdate(kind, { ...merged, causes }, old, chain, now); // prettier-ignore
  // Who applies the same again changes nothing, not even the time.
  const same = sameEntries(result.entries, stored) && equal(viewOf(kind, subresource, next), whole);
  return setOwners(next, same ? old.metadata.managedFields : writeEntries(result.entries));
}

/**
 * The stored object without what nobody owns, where all of that are defaults: they are made again from what results. Otherwise a default
 * that followed from a field would outlive the field's change (a job's update block is the default of its groups').
 */
function withoutDefaults(
  { kind, chain }: ApplyRequest,
  old: ApiObject,
  whole: JsonObject,
  entries: readonly Entry[],
  now: Instant,
): JsonObject {
  const shape = shapeOfKind(kind);
  const owned = entries.reduce((all, { fields }) => union(all, fields), NOTHING);
  if (isEmpty(minus(fieldsOf(whole, shape), owned))) return whole;
  const { metadata } = whole;
  const bare = { ...(restrictedTo(whole, owned, shape) as JsonObject), ...(metadata !== undefined && { metadata }) };
  try {
    const again = prepareUpdate(kind, intake(kind, bare), old, chain, now);
    return equal(viewOf(kind, undefined, again), whole) ? bare : whole;
  } catch (error) {
    if (error instanceof ApiError) return whole;
    throw error;
  }
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Whether kubectl conflicts only with what it applied itself, by the older way that keeps the configuration in an annotation: who goes
 * over to --server-side must not be told to be in conflict with himself.
 */
function isOwnLastApplied({ kind, manager }: ApplyRequest, old: ApiObject, conflicts: readonly Conflict[]): boolean {
  const text = old.metadata.annotations?.[LAST_APPLIED];
  if (manager.name !== 'kubectl' || text === undefined) return false;
  let last: Intake;
  try {
    last = intake(kind, JSON.parse(text));
  } catch {
    return false;
  }
  const shape = shapeOfKind(kind);
  const before = viewOf(kind, undefined, last);
  const differing = compare(before, viewOf(kind, undefined, old), shape);
  const all = conflicts.reduce((sum, { fields }) => union(sum, fields), NOTHING);
  return isEmpty(minus(all, fieldsOf(before, shape))) && isEmpty(intersect(all, union(differing.changed, differing.removed)));
}

function conflictError(conflicts: readonly Conflict[]): ApiError {
  const found = conflicts.map(({ entry, fields }) => ({
    who: describe(entry),
    paths: [...pathsOf(fields)].map(formatFieldPath),
  }));
  const count = found.reduce((sum, { paths }) => sum + paths.length, 0);
  const text =
    count === 1
      ? `conflict with ${found[0]!.who}: ${found[0]!.paths[0]!}`
      : found
          .map(
            ({ who, paths }) =>
              `${paths.length === 1 ? 'conflict' : 'conflicts'} with ${who}:\n${paths.map((path) => `- ${path}`).join('\n')}`,
          )
          .join('\n');
  const causes = found.flatMap(({ who, paths }) =>
    paths.map((field): StatusCause => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  );
  const noun = count === 1 ? 'conflict' : 'conflicts';
  return new ApiError('Conflict', `Apply failed with ${count} ${noun}: ${text}`, { causes });
}

function describe({ manager, operation, subresource, apiVersion, time }: Entry): string {
  const name = `${JSON.stringify(manager)}${subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`}`;
  return operation === 'Apply' ? name : `${name} using ${apiVersion}${time === undefined ? '' : ` at ${time}`}`;
}
