import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { describeError, type Clock, type Logger } from '../../base/index.ts';
import { saveSnapshot } from '../storage/snapshot/save.ts';
import type { Store } from '../storage/store.ts';

/** The whole store as it is now, as a file. A client that does not get its end finds out: the checksum comes last. */
export async function sendSnapshot(
  store: Store,
  clock: Clock,
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const snapshot = await saveSnapshot(store, clock);
  response.writeHead(200, { 'content-type': 'application/gzip', 'cache-control': 'no-store' });
  if (request.method === 'HEAD') return void response.end();
  try {
    await pipeline(snapshot, response);
  } catch (error) {
    log.warn('a snapshot was not finished', { error: describeError(error) });
  }
}
