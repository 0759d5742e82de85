/**
 * Puts a state into a new store, as a whole or not at all: a folder gets its name when all is in it, and a prefix of etcd cannot be opened
 * before. What exists is never overwritten. Every key is written anew, at a revision beyond all that anybody can have seen of the old
 * store, so no client that outlived it sees a version go back, and each is told to list again.
 */
import { existsSync, closeSync, fsyncSync, openSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock, Logger } from '../../../base/index.ts';
import { openEmbeddedStore } from '../embedded/index.ts';
import { openEtcdStore } from '../etcd/index.ts';
import { beginRestore, type EtcdPlace } from '../etcd/origin.ts';
import { StoreSetAsideError, type LeaseId, type Revision, type Store, type Write } from '../store.ts';
import type { SnapshotItem } from './format.ts';

export type Place = { readonly path: string; readonly clock: Clock; readonly log: Logger } | EtcdPlace;

/** Calls `take` for every item, and resolves when it had the last one. */
export type Source = (take: (item: SnapshotItem) => Promise<void>) => Promise<void>;

export interface Loaded {
  readonly items: number;
  /** Of the new store. */
  readonly revision: Revision;
}

/** Makes a store of the items whose revisions begin at `first`, or beyond. */
export async function loadStore(place: Place, first: Revision, source: Source): Promise<Loaded> {
  return 'path' in place ? loadEmbedded(place, first, source) : loadEtcd(place, first, source);
}

async function loadEmbedded(
  { path, ...tools }: Extract<Place, { path: string }>,
  first: Revision,
  source: Source,
): Promise<Loaded> {
  if (existsSync(path) && readdirSync(path).length > 0)
    throw new StoreSetAsideError(`there is a store in ${path} already; move it away first`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.restoring`;
  rmSync(unfinished, { recursive: true, force: true }); // of a restore that was not finished
  try {
    const store = await openEmbeddedStore({ path: unfinished, firstRevision: first, ...tools });
    let loaded: Loaded;
    try {
      loaded = await fill(store, source);
    } finally {
      await store.close();
    }
    sync(unfinished);
    renameSync(unfinished, path); // onto an empty folder at most
    sync(dirname(path));
    return loaded;
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function loadEtcd(place: EtcdPlace, first: Revision, source: Source): Promise<Loaded> {
  const restore = await beginRestore(place, first);
  try {
    const store = await openEtcdStore({ ...place, origin: restore.origin });
    let loaded: Loaded;
    try {
      loaded = await fill(store, source);
    } finally {
      await store.close();
    }
    await restore.finish();
    return loaded;
  } finally {
    restore.close();
  }
}

/** As few transactions as the store's limits allow. */
async function fill(store: Store, source: Source): Promise<Loaded> {
  const leases = new Map<LeaseId, LeaseId>();
  let items = 0;
  let writes: Write[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (writes.length > 0) await store.txn([], writes);
    writes = [];
    bytes = 0;
  };
  await source(async ({ key, value, lease }) => {
    const size = Buffer.byteLength(key) + value.length;
    if (writes.length >= Math.min(store.limits.operations, 1000) || bytes + size > Math.min(store.limits.bytes, 4 << 20)) await flush(); // prettier-ignore
    let granted: LeaseId | undefined;
    if (lease !== undefined) {
      granted = leases.get(lease.id) ?? (await store.grantLease(lease.ttl));
      leases.set(lease.id, granted);
    }
    writes.push({ type: 'put', key, value, ...(granted !== undefined && { lease: granted }) });
    bytes += size;
    items += 1;
  });
  await flush();
  // Whose lease was granted first has waited longest.
  for (const lease of leases.values()) await store.keepAlive(lease);
  return { items, revision: await store.revision() };
}

function sync(folder: string): void {
  for (const name of ['.', ...readdirSync(folder)]) {
    const fd = openSync(join(folder, name), 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}
