import equal from 'fast-deep-equal';
import { toTimestampSeconds, uuid, type Instant, type StatusCause } from '../../base/index.ts';
import { admissionOf, type AdmissionChain } from '../admission/chain.ts';
import { badRequest, conflict, forbiddenField, invalid } from './errors.ts';
import type { ApiKind } from './kinds.ts';
import { readMetadata, validateMetadata, wrongType, type ClientMetadata } from './metadata.ts';
import { isObject, valueAt, withoutUndefined, type ApiObject, type JsonObject, type Metadata } from './object.ts';

/**
 * What create, update and delete mean for an object, as values: the body and the stored object in, the object to store out. Pure;
 * reading and writing is the registry's.
 */

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** A body that was read: fields that its kind lacks are gone, and named in `unknown`. */
export interface Intake {
  readonly metadata: ClientMetadata;
  /** All top-level fields but apiVersion, kind and metadata. */
  readonly content: JsonObject;
  readonly unknown: readonly string[];
  /** What is wrong with its form. */
  readonly causes: StatusCause[];
}

/** Reads a body as an object of the kind. Throws BadRequest when it is none. */
export function intake(kind: ApiKind, body: unknown): Intake {
  if (!isObject(body)) throw badRequest(`the body must be a ${kind.kind} as a JSON or YAML object`);
  for (const [field, expected] of [
    ['apiVersion', kind.apiVersion],
    ['kind', kind.kind],
  ] as const) {
    const given = body[field];
    if (given !== undefined && given !== '' && given !== expected) {
      throw badRequest(`${field} of the body is ${JSON.stringify(given)}; this path takes ${JSON.stringify(expected)}`);
    }
  }
  const unknown: string[] = [];
  const causes: StatusCause[] = [];
  const metadata = readMetadata(body['metadata'], unknown, causes);
  const { apiVersion: _, kind: __, metadata: ___, ...content } = kind.schema.clean(body, { unknown, causes });
  return { metadata, content, unknown, causes };
}

/** So many are named; the others are counted. */
const MAX_UNKNOWN = 50;

/** Applies `fieldValidation`: refuses what is unknown, or gives it as warnings. */
export function judgeUnknown(kind: ApiKind, problems: readonly string[], mode: FieldValidation): string[] {
  if (problems.length === 0 || mode === 'Ignore') return [];
  const more = problems.length - MAX_UNKNOWN;
  const shown = more > 0 ? [...problems.slice(0, MAX_UNKNOWN), `and ${more} more`] : [...problems];
  if (mode === 'Warn') return shown;
  throw badRequest(
    `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: strict decoding error: ${shown.join(', ')}`,
  );
}

export const unknownFields = (paths: readonly string[]): string[] => paths.map((path) => `unknown field ${JSON.stringify(path)}`);

export interface CreateContext {
  readonly chain: AdmissionChain;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly now: Instant;
  /** Keep the status that is given (batches); otherwise status begins empty, where it is a subresource. */
  readonly keepStatus: boolean;
}

/** The object that a create stores. Throws Invalid with everything that is wrong. */
export function prepareCreate(kind: ApiKind, { metadata, content, causes }: Intake, context: CreateContext): ApiObject {
  const { chain, namespace, name, now } = context;
  const admission = admissionOf(chain, kind);
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
    throw badRequest('resourceVersion must not be set on objects to be created');
  }
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace && kind.namespaced) {
    throw badRequest(
      `the namespace of the object (${metadata.namespace}) does not match the namespace of the request (${namespace})`,
    );
  }
  const finalizers = [
    ...(metadata.finalizers ?? []),
    ...(admission.finalizers ?? []).filter((f) => !metadata.finalizers?.includes(f)),
  ];
  const { status, ...rest } = content;
  const object: ApiObject = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: {
      name,
      ...(metadata.generateName !== undefined && { generateName: metadata.generateName }),
      ...(namespace !== undefined && { namespace }),
      uid: uuid(),
      generation: 1,
      creationTimestamp: toTimestampSeconds(now),
      ...clientPart(metadata, finalizers),
    },
    ...rest,
    ...((context.keepStatus || !kind.hasStatus) && status !== undefined && { status }),
  };
  return admit(kind, chain, object, undefined, causes, now, isJob(kind) ? (o) => withModifyIndex(o, 0) : undefined);
}

/** The object that a full update stores: spec from the body, status and the server's metadata from what is stored. */
export function prepareUpdate(kind: ApiKind, body: Intake, old: ApiObject, chain: AdmissionChain, now: Instant): ApiObject {
  const { metadata, content, causes } = body;
  checkIdentity(kind, metadata, old);
  const { status: _, ...rest } = content;
  const status = kind.hasStatus ? old['status'] : content['status'];
  const finalizers = metadata.finalizers ?? [];
  if (old.metadata.deletionTimestamp !== undefined) {
    const added = finalizers.filter((finalizer) => !old.metadata.finalizers?.includes(finalizer));
    if (added.length > 0) causes.push(forbiddenField('metadata.finalizers', `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`)); // prettier-ignore
  }
  const object: ApiObject = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { ...serverPart(old.metadata), ...clientPart(metadata, finalizers) },
    ...rest,
    ...(status !== undefined && { status }),
  };
  return admit(kind, chain, object, old, causes, now, (next) => settle(kind, next, old));
}

/** The object that an update of the status subresource stores: everything but status is as it was. */
export function prepareStatus(kind: ApiKind, body: Intake, old: ApiObject): ApiObject {
  checkIdentity(kind, body.metadata, old);
  const { resourceVersion: _, ...metadata } = old.metadata;
  const { status: __, ...rest } = old;
  let object = {
    ...rest,
    metadata,
    ...(body.content['status'] !== undefined && { status: body.content['status'] }),
  } as ApiObject;
  if (isJob(kind)) object = withModifyIndex(object, modifyIndex(old));
  // What else is in an object of our own kinds was judged when it was stored.
  const causes = [...body.causes, ...(kind.custom ? kind.schema.validate(object) : kind.schema.validateStatus(object))];
  if (causes.length > 0) throw invalid(kind, old.metadata.name, causes);
  return object;
}

/** The object whose deletion was asked for and that must wait for its finalizers. */
export function prepareDeletion(old: ApiObject, finalizers: readonly string[], now: Instant): ApiObject {
  const { resourceVersion: _, ...metadata } = old.metadata;
  return {
    ...old,
    metadata: {
      ...metadata,
      finalizers: [...finalizers],
      generation: metadata.generation + 1,
      deletionTimestamp: toTimestampSeconds(now),
      deletionGracePeriodSeconds: 0,
    },
  };
}

/** Whether the object is stored already as it is to be; resourceVersion aside. */
export function unchanged(next: ApiObject, old: ApiObject): boolean {
  const names = Object.keys(next);
  if (names.length !== Object.keys(old).length) return false;
  for (const name of names) if (name !== 'metadata' && !(name in old && equal(next[name], old[name]))) return false;
  const { resourceVersion: _, ...metadata } = old.metadata;
  return equal(metadata, next.metadata);
}

/** Deletion was asked for and nobody is left who must act first. */
export const mayGo = (object: ApiObject): boolean =>
  object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;

/** Whether only the renewal time of a Lease differs. */
export function onlyRenewed(kind: ApiKind, next: ApiObject, old: ApiObject): boolean {
  const [to, from] = [next['spec'], old['spec']];
  if (kind.kind !== 'Lease' || !isObject(to) || !isObject(from)) return false;
  const metadata = { ...next.metadata, generation: old.metadata.generation };
  const [{ renewTime: _, ...spec }, { renewTime: __, ...before }] = [to, from];
  return unchanged({ ...next, metadata, spec }, { ...old, spec: before });
}

function admit(
  kind: ApiKind,
  chain: AdmissionChain,
  object: ApiObject,
  old: ApiObject | undefined,
  causes: readonly StatusCause[],
  now: Instant,
  finish: ((object: ApiObject) => ApiObject) | undefined,
): ApiObject {
  const admission = admissionOf(chain, kind);
  const request = { kind, object, now, ...(old && { old }) };
  const metadataCauses = validateMetadata(kind, object.metadata, admission.names ?? 'subdomain');
  // Rules of a kind may rely on the schema, so they are asked only about what has the right form.
  const formal = [...causes, ...metadataCauses, ...kind.schema.validate(object)];
  if (formal.length > 0) throw invalid(kind, object.metadata.name, formal);
  // What is stored is read back as JSON; a field that is undefined must not make the two differ.
  const defaulted = admission.default === undefined ? object : withoutUndefined(admission.default(request));
  const found = admission.validate?.({ ...request, object: defaulted }) ?? [];
  if (found.length > 0) throw invalid(kind, object.metadata.name, found);
  return finish === undefined ? defaulted : finish(defaulted);
}

/** Keeps what follows from the change: generation, and the modify index of a Job. */
function settle(kind: ApiKind, next: ApiObject, old: ApiObject): ApiObject {
  const changed = !equal(contentOf(kind, next), contentOf(kind, old));
  const object = changed ? { ...next, metadata: { ...next.metadata, generation: old.metadata.generation + 1 } } : next;
  if (!isJob(kind)) return object;
  return withModifyIndex(object, equal(next['spec'], old['spec']) ? modifyIndex(old) : 0);
}

function contentOf(kind: ApiKind, object: ApiObject): JsonObject {
  const { apiVersion: _, kind: __, metadata: ___, status, ...rest } = object;
  return kind.hasStatus || status === undefined ? rest : { ...rest, status };
}

function checkIdentity(kind: ApiKind, metadata: ClientMetadata, old: ApiObject): void {
  const { name } = old.metadata;
  if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== (old.metadata.namespace ?? '')) {
    throw badRequest(
      `the namespace of the object (${metadata.namespace}) does not match the namespace on the URL (${old.metadata.namespace ?? ''})`,
    );
  }
  checkPreconditions(kind, metadata, old);
}

/** uid and resourceVersion, where given, must be those of the stored object. */
export function checkPreconditions(
  kind: ApiKind,
  given: { readonly uid?: string; readonly resourceVersion?: string },
  old: ApiObject,
): void {
  const { name, uid, resourceVersion } = old.metadata;
  if (given.uid !== undefined && given.uid !== '' && given.uid !== uid) {
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${given.uid}, UID in object meta: ${uid}`);
  }
  if (given.resourceVersion !== undefined && given.resourceVersion !== '' && given.resourceVersion !== resourceVersion) {
    throw conflict(kind, name);
  }
}

/** What the server owns of metadata. */
function serverPart(metadata: Metadata): Metadata {
  const { name, generateName, namespace, uid, generation, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } =
    metadata;
  return {
    name,
    ...(generateName !== undefined && { generateName }),
    ...(namespace !== undefined && { namespace }),
    uid,
    generation,
    creationTimestamp,
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
  };
}

/** What clients own of metadata; what is empty is left out, so that adding nothing changes nothing. */
function clientPart({ labels, annotations, ownerReferences }: ClientMetadata, finalizers: string[]): Partial<Metadata> {
  return {
    ...(labels && Object.keys(labels).length > 0 && { labels }),
    ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
    ...(finalizers.length > 0 && { finalizers }),
    ...(ownerReferences && ownerReferences.length > 0 && { ownerReferences }),
  };
}

const isJob = (kind: ApiKind): boolean => kind.kind === 'Job' && kind.group === 'orch.dev';

function modifyIndex(job: ApiObject): number {
  const index = valueAt(job, ['status', 'modifyIndex']);
  return typeof index === 'number' ? index : 0;
}

/** 0 stands for the revision of the write that stores it. */
function withModifyIndex(job: ApiObject, index: number): ApiObject {
  const status = isObject(job['status']) ? job['status'] : {};
  return { ...job, status: { ...status, modifyIndex: index } };
}

/** The causes for a status that is no object; kept apart because a merge patch may make it anything. */
export const statusForm = (status: unknown): StatusCause[] => (status === undefined || isObject(status) ? [] : [wrongType('status', status, 'object')]); // prettier-ignore
