import { keyOf, objectKey, type Client } from '../../client/index.ts';
import type { AnyObject, Kind, OwnerReference, Stored } from '../../openapi/index.ts';
import { defineIndex, type Index, type Reader } from '../runtime/index.ts';

/** Objects of a kind by the uids of their owners. */
export const ownerIndex = (kind: Kind): Index =>
  defineIndex(kind, 'owner', ({ metadata }) => (metadata.ownerReferences ?? []).map((owner) => owner.uid));

/** Objects of a kind by their uid. */
export const uidIndex = (kind: Kind): Index => defineIndex(kind, 'uid', ({ metadata }) => [metadata.uid]);

/** The keys of the objects in `index` that `owner` owns. */
export const dependentsOf = (owner: Stored<AnyObject>, index: Index, read: Reader): string[] =>
  read.by(index, owner.metadata.uid).map(keyOf);

/** The keys of the owners of an object that are of a kind. */
export const ownersOf = ({ metadata }: Stored<AnyObject>, kind: Kind): string[] =>
  (metadata.ownerReferences ?? [])
    .filter((owner) => owner.apiVersion === kind.apiVersion && owner.kind === kind.kind)
    .map((owner) => objectKey(owner.name, kind.namespaced ? metadata.namespace : undefined));

/**
 * Whether an object has owners and none of them exists. The cache may not have an owner yet, so whom it lacks the server is asked
 * about. An owner of a kind that we do not know is taken to exist.
 */
export async function ownersAreGone(
  object: Stored<AnyObject>,
  kinds: readonly Kind[],
  read: Reader,
  client: Client,
): Promise<boolean> {
  const owners = object.metadata.ownerReferences ?? [];
  if (owners.length === 0) return false;
  const named = owners.map((owner) => ({ owner, kind: kindOf(owner, kinds) }));
  if (named.some(({ owner, kind }) => kind === undefined || read.by(uidIndex(kind), owner.uid).length > 0)) return false;
  for (const { owner, kind } of named) {
    const found = await client.find(kind!, owner.name, kind!.namespaced ? object.metadata.namespace : undefined);
    if (found?.metadata.uid === owner.uid) return false;
  }
  return true;
}

const kindOf = ({ apiVersion, kind }: OwnerReference, kinds: readonly Kind[]): Kind | undefined =>
  kinds.find((known) => known.apiVersion === apiVersion && known.kind === kind);
