import { isReason } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import type { AnyObject, Kind, Stored } from '../../openapi/index.ts';

/** Put on by the API server when an object is deleted with the policy Foreground or Orphan. */
export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

interface Dependent {
  readonly kind: Kind;
  readonly object: Stored<AnyObject>;
}

/**
 * What the deletion of an object means for those that it owns: `orphan` makes them independent, `foregroundDeletion` deletes them, and
 * waits until they are gone. Others who hold the object up come first: what they still do may need the dependents (a job ends by its
 * evaluations). Dependents are asked of the server, because one that the cache has not seen yet would be forgotten.
 */
export async function propagate(
  kind: Kind,
  object: Stored<AnyObject>,
  kinds: readonly Kind[],
  write: Client,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace, uid, resourceVersion, finalizers = [] } = object.metadata;
  const policy = [ORPHAN, FOREGROUND].find((finalizer) => finalizers.includes(finalizer));
  if (policy === undefined || finalizers.some((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND)) return;
  const dependents = await dependentsOnServer(object, kinds, write, signal);
  if (policy === ORPHAN) for (const dependent of dependents) await makeIndependent(dependent, uid, write);
  else if (dependents.length > 0) {
    for (const dependent of dependents) await remove(dependent, write, signal);
    // Each that goes wakes us.
    return;
  }
  const left = finalizers.filter((finalizer) => finalizer !== policy);
  await write.patch(kind, name, namespace, { metadata: { resourceVersion, finalizers: left } });
}

async function dependentsOnServer(
  owner: Stored<AnyObject>,
  kinds: readonly Kind[],
  client: Client,
  signal: AbortSignal,
): Promise<Dependent[]> {
  const { namespace, uid } = owner.metadata;
  const found: Dependent[] = [];
  for (const kind of kinds) {
    // What lies in a namespace owns only what lies there, too.
    if (namespace !== undefined && !kind.namespaced) continue;
    const { items } = await client.list(kind, { signal, ...(namespace !== undefined && { namespace }) });
    for (const object of items) {
      if (object.metadata.ownerReferences?.some((reference) => reference.uid === uid)) found.push({ kind, object });
    }
  }
  return found;
}

async function makeIndependent({ kind, object }: Dependent, owner: string, write: Client): Promise<void> {
  const { name, namespace, resourceVersion, ownerReferences = [] } = object.metadata;
  const left = ownerReferences.filter((reference) => reference.uid !== owner);
  await ignoring(['NotFound'], write.patch(kind, name, namespace, { metadata: { resourceVersion, ownerReferences: left } }));
}

async function remove({ kind, object }: Dependent, write: Client, signal: AbortSignal): Promise<void> {
  const { name, namespace, uid, deletionTimestamp } = object.metadata;
  if (deletionTimestamp !== undefined) return;
  const deletion = write.delete(kind, name, namespace, { propagationPolicy: 'Foreground', preconditions: { uid }, signal });
  await ignoring(['NotFound', 'Conflict'], deletion);
}

async function ignoring(reasons: Parameters<typeof isReason>[1][], work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isReason(error, ...reasons)) throw error;
  }
}
