import { describeError, sleep, type Clock, type Logger } from '../base/index.ts';
import { StoreFullError, type Revision, type Store } from './storage/store.ts';

/** Written once an interval, by one of the servers. */
export const COMPACTION_KEY = '/compaction';

/**
 * Forgets history that is older than one interval, once an interval: what was overwritten stays readable for one to two of them.
 * Of several servers on one store one does it: who finds the key as he saw it an interval ago writes it, and compacts to the revision
 * at which it was written before; the others find it changed and wait on. When that server is gone, another one finds it unchanged.
 */
export async function compactionLoop(
  store: Store,
  intervalMs: number,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let seen: Revision | undefined;
  for (;;) {
    await sleep(clock, intervalMs, signal);
    if (signal.aborted) return;
    try {
      seen ??= (await store.range({ start: COMPACTION_KEY })).items[0]?.modRevision ?? 0;
      const turn = await takeTurn(store, seen);
      if (turn.mine && seen > (await store.compactedRevision())) {
        await store.compact(seen);
        log.debug('compacted the store', { revision: seen });
      }
      seen = turn.written;
    } catch (error) {
      if (!signal.aborted) log.warn('cannot compact the store', { error: describeError(error) });
    }
  }
}

async function takeTurn(store: Store, seen: Revision): Promise<{ mine: boolean; written: Revision }> {
  try {
    const result = await store.txn(
      [{ key: COMPACTION_KEY, modRevision: seen }],
      [{ type: 'put', key: COMPACTION_KEY, value: Buffer.alloc(0) }],
    );
    if (result.succeeded) return { mine: true, written: result.revision };
    return { mine: false, written: result.current[0]?.modRevision ?? 0 };
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    return { mine: true, written: seen }; // to compact is what helps now; that others do so too does no harm
  }
}
