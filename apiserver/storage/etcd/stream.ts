import type { IEvent, IWatchResponse } from 'etcd3';
import { backoff, describeError, sleep, type Clock, type Logger } from '../../../base/index.ts';
import { CompactedError, StoreUnavailableError, type Revision } from '../store.ts';
import type { Codec } from './codec.ts';
import type { Connection, WatchStream } from './connection.ts';

/** How many responses may wait for the reader before the stream is held (events are read faster than they are used). */
const HIGH_WATER = 64;

export interface StreamOptions {
  readonly connection: Connection;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Every event below the prefix from a revision on, in whole revisions, for as long as the signal lets it: when the connection
 * breaks, it goes on after the last event that it gave (etcd3's own watcher goes on after the newest revision it heard of, which
 * loses events while it catches up). Throws CompactedError when those events are gone.
 */
export async function* streamEvents(from: Revision, options: StreamOptions): AsyncGenerator<readonly IEvent[], undefined> {
  const { connection, codec, clock, log, signal } = options;
  let next = from;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      for await (const events of connectOnce(next, options)) {
        attempt = 0;
        if (events.length === 0) continue;
        next = codec.revisionOf(events.at(-1)!) + 1;
        yield events;
      }
      return undefined; // aborted
    } catch (error) {
      if (error instanceof CompactedError) throw error;
      if (signal.aborted) return undefined;
      if (attempt > 0) connection.failed(error); // a stream may break; that a new one does too is worth a line
      log.debug('etcd watch broke off, going on', { from: next, error: describeError(error) });
      await sleep(clock, backoff(attempt, 50, 1000), signal);
    }
  }
  return undefined;
}

/** One stream, until it breaks (throws) or the signal aborts (ends). */
async function* connectOnce(from: Revision, { connection, codec, signal }: StreamOptions): AsyncGenerator<IEvent[], undefined> {
  const stream = await connection.watch();
  const responses = collect(stream, signal);
  stream.write({
    create_request: {
      ...codec.everything(),
      start_revision: codec.etcds(from),
      prev_kv: true,
      progress_notify: true,
      fragment: true,
    },
  });
  let fragments: IEvent[] = [];
  try {
    for await (const response of responses) {
      connection.answered();
      if (response.canceled) {
        const compacted = Number(response.compact_revision);
        if (compacted > 0) throw new CompactedError(codec.revision(response.compact_revision) + 1);
        connection.renewTokens(); // etcd says "permission denied" to an old token as well
        throw new StoreUnavailableError(`etcd cancelled the watch: ${response.cancel_reason || 'no reason given'}`);
      }
      fragments = fragments.length === 0 ? response.events : [...fragments, ...response.events];
      if (response.fragment) continue;
      yield fragments;
      fragments = [];
    }
    return undefined;
  } finally {
    stream.cancel();
  }
}

/** The responses of a stream, as they come; the stream is paused while the reader is behind. */
async function* collect(stream: WatchStream, signal: AbortSignal): AsyncGenerator<IWatchResponse, undefined> {
  const waiting: IWatchResponse[] = [];
  let failure: Error | undefined;
  let wake = (): void => undefined;
  const flow = stream as unknown as { pause(): void; resume(): void };
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  stream.on('data', (response) => {
    waiting.push(response);
    if (waiting.length >= HIGH_WATER) flow.pause();
    wake();
  });
  stream.on('error', (error) => {
    failure ??= error;
    wake();
  });
  stream.on('end', () => {
    failure ??= new StoreUnavailableError('etcd ended the watch');
    wake();
  });
  try {
    for (;;) {
      if (signal.aborted) return undefined;
      const response = waiting.shift();
      if (response !== undefined) {
        if (waiting.length === 0) flow.resume();
        yield response;
      } else if (failure !== undefined) throw failure;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
