import { describeError, sleep, type Clock, type Logger } from '../base/index.ts';
import type { Revision, Store } from './storage/store.ts';

/**
 * Forgets history that is older than one interval, once an interval: what was overwritten stays readable for one to two of them.
 * Several servers may do so on one store; compacting to a revision twice does nothing.
 */
export async function compactionLoop(
  store: Store,
  intervalMs: number,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let before: Revision | undefined;
  for (;;) {
    await sleep(clock, intervalMs, signal);
    if (signal.aborted) return;
    try {
      const now = await store.revision();
      if (before !== undefined && before > 0 && before > (await store.compactedRevision())) {
        await store.compact(before);
        log.debug('compacted the store', { revision: before });
      }
      before = now;
    } catch (error) {
      log.warn('cannot compact the store', { error: describeError(error) });
    }
  }
}
