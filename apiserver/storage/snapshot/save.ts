import type { Readable } from 'node:stream';
import { toTimestamp, type Clock } from '../../../base/index.ts';
import { LeaseNotFoundError, prefixRange, type KeyRange, type LeaseId, type Revision, type Store } from '../store.ts';
import { writeSnapshot, type SnapshotItem } from './format.ts';

const PAGE = 500;
/** All keys of the API server; what backends keep for themselves is not among them. */
export const EVERYTHING: KeyRange = prefixRange('/');
/** Keys that mean nothing elsewhere. */
const LOCAL = new Set(['/compaction']);

/** A snapshot of the state that the store has now, read a page at a time while others go on to write. */
export async function saveSnapshot(store: Store, clock: Clock): Promise<Readable> {
  const revision = await store.revision();
  const header = { format: 'orch-snapshot', version: 1, revision, created: toTimestamp(clock.now()), store: store.description.split(' ')[0]! } as const; // prettier-ignore
  return writeSnapshot(header, itemsAt(store, revision));
}

export async function* itemsAt(store: Store, revision: Revision): AsyncGenerator<SnapshotItem> {
  const ttls = new Map<LeaseId, Promise<number | undefined>>();
  const ttlOf = (lease: LeaseId): Promise<number | undefined> => {
    let ttl = ttls.get(lease);
    if (ttl === undefined) ttls.set(lease, (ttl = store.leaseTtl(lease).catch(unlessGone)));
    return ttl;
  };
  for (let { start } = EVERYTHING; ;) {
    const page = await store.range({ ...EVERYTHING, start }, { revision, limit: PAGE, uncounted: true });
    for (const item of page.items) if (item.lease !== undefined) void ttlOf(item.lease);
    for (const { lease: id, ...item } of page.items) {
      if (LOCAL.has(item.key)) continue;
      if (id === undefined) yield item;
      else {
        const ttl = await ttlOf(id);
        if (ttl !== undefined) yield { ...item, lease: { id, ttl } }; // else it has expired meanwhile, and is to be forgotten
      }
    }
    const last = page.items.at(-1);
    if (!page.more || last === undefined) return;
    start = `${last.key}\0`;
  }
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof LeaseNotFoundError)) throw error;
}
