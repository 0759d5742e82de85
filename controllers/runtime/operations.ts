/** Makes the operations of a batch, so that what belongs together is written together. */
import equal from 'fast-deep-equal';
import type { BatchOperation, Client, EventRecorder } from '../../client/index.ts';
import { builtinKinds, type AnyObject, type Kind, type Stored } from '../../openapi/index.ts';
import type { Logger } from '../../base/index.ts';
import type { Reader } from './reader.ts';

/** Operations that surely fit one transaction of every store. */
export const TRANSACTION = 64;

export function createOperation<T extends AnyObject>(kind: Kind<T>, object: T): BatchOperation {
  return { operation: 'create', object: { ...object, apiVersion: kind.apiVersion, kind: kind.kind } };
}

/** A merge patch of this very object; with `unchanged`, only if it is still as we saw it. */
export function patchOperation<T extends AnyObject>(
  kind: Kind<T>,
  object: Stored<T>,
  patch: unknown,
  options: { unchanged?: boolean; subresource?: 'status' } = {},
): BatchOperation {
  const { unchanged = false, subresource } = options;
  return {
    operation: 'patch',
    ...target(kind, object),
    ...(unchanged && { resourceVersion: object.metadata.resourceVersion }),
    ...(subresource && { subresource }),
    patch,
  };
}

export function deleteOperation<T extends AnyObject>(kind: Kind<T>, object: Stored<T>): BatchOperation {
  return { operation: 'delete', ...target(kind, object) };
}

/** Changes the status from what we saw to `next`, if the object is still as we saw it; undefined when they are the same. */
export function statusOperation<S extends object, T extends AnyObject & { status?: S }>(
  kind: Kind<T>,
  object: Stored<T>,
  next: S,
): BatchOperation | undefined {
  const patch = mergePatch((object as unknown as { status?: S }).status ?? {}, next);
  return patch === undefined
    ? undefined
    : patchOperation(kind, object, { status: patch }, { unchanged: true, subresource: 'status' });
}

/** What writing takes: a reconcile's context. */
export interface Hands {
  readonly write: Client;
  readonly read: Pick<Reader, 'reached'>;
  readonly log: Logger;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly signal: AbortSignal;
}

/**
 * Everything or nothing (within a transaction); resolves when the cache has it, so that the next look sees what was done. Throws
 * `Conflict`, `AlreadyExists` or `NotFound` when the world is not as we saw it. Answers whether there was anything to do.
 */
export async function commit(
  { write, read, signal }: Hands,
  operations: readonly (BatchOperation | undefined)[],
): Promise<boolean> {
  const wanted = operations.filter((operation) => operation !== undefined);
  if (wanted.length === 0) return false;
  const { results } = await write.batch(wanted, { signal });
  const newest = new Map<Kind, number>();
  wanted.forEach((operation, at) => {
    const kind =
      operation.operation === 'delete' ? undefined : kindOf(operation.operation === 'create' ? operation.object : operation);
    const revision = Number(results[at]?.resourceVersion ?? 0);
    if (kind !== undefined) newest.set(kind, Math.max(revision, newest.get(kind) ?? 0));
  });
  await Promise.all([...newest].map(([kind, revision]) => read.reached(kind, String(revision), signal)));
  return true;
}

const kindOf = ({ apiVersion, kind }: { apiVersion?: string; kind?: string }): Kind | undefined =>
  builtinKinds.find((known) => known.apiVersion === apiVersion && known.kind === kind);

/** The merge patch (RFC 7386) that turns `from` into `to`; undefined when they are equal. Undefined members count as absent. */
export function mergePatch(from: unknown, to: unknown): unknown {
  if (!isRecord(from) || !isRecord(to)) return equal(from, to) ? undefined : to;
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(from)) if (from[key] !== undefined && to[key] === undefined) patch[key] = null;
  for (const key of Object.keys(to)) {
    if (to[key] === undefined) continue;
    const change = from[key] === undefined ? to[key] : mergePatch(from[key], to[key]);
    if (change !== undefined) patch[key] = change;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function target<T extends AnyObject>(
  kind: Kind<T>,
  { metadata }: Stored<T>,
): { apiVersion: string; kind: string; namespace?: string; name: string; uid: string } {
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
    name: metadata.name,
    uid: metadata.uid,
  };
}
