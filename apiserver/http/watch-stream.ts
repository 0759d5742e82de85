import type { ServerResponse } from 'node:http';
import type { Clock, Instant, Timer } from '../../base/index.ts';
import { expired } from '../registry/errors.ts';
import type { Subscriber } from '../registry/feeds.ts';
import type { Revision } from '../storage/store.ts';
import { drained, pieces } from './respond.ts';
import { errorLine } from './representation.ts';

/**
 * What may wait for a reader. A large batch arrives at once, and its bytes are shared by all readers, so somebody who is behind is
 * given a while to read; who is still behind then, or further behind than that, is told to list again.
 */
const WAITING = 4 << 20;
const MAX_WAITING = 64 << 20;
const PATIENCE_MS = 5_000;
/** How long a reader may take for a megabyte of the initial list. */
const STALLED_MS = 30_000;
/** How long a reader that is sent away may take to read that. */
const LINGER_MS = 10_000;

export interface WatchStreamOptions {
  readonly response: ServerResponse;
  readonly clock: Clock;
  readonly bookmark: (revision: Revision) => Buffer;
  /** Called once, when nothing more is to be sent. */
  readonly onEnd: () => void;
  /** Called when the watch ends because its reader does not keep up. */
  readonly onSlow?: () => void;
}

/** Bytes as a chunk of HTTP. Feeds send one buffer to all their readers in a row, so remembering the last is enough. */
function chunkOf(bytes: Buffer): Buffer {
  if (lastChunk.of !== bytes) {
    lastChunk = { of: bytes, chunk: Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]) };
  }
  return lastChunk.chunk;
}
const CRLF = Buffer.from('\r\n');
let lastChunk: { readonly of: Buffer | undefined; readonly chunk: Buffer } = { of: undefined, chunk: CRLF };

/** One watch connection. It starts by replaying what there is, at the reader's pace; what happens meanwhile queues up behind it. */
export class WatchStream implements Subscriber {
  readonly #options: WatchStreamOptions;
  #queue: Buffer[] | undefined = [];
  #queued = 0;
  #ended = false;
  #timeout: Timer | undefined;
  #behindSince: Instant | undefined;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    options.response.on('close', () => this.#end());
  }

  /**
   * Sends the headers at once, then the initial events, then what has come in the meantime, all at the reader's pace. A long list takes a
   * reader that does its best a while, so only one that takes nothing at all is sent away before the end of it.
   */
  async begin(initial: readonly Buffer[]): Promise<void> {
    const { response } = this.#options;
    response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
      'x-content-type-options': 'nosniff',
    });
    response.flushHeaders();
    for (let parts = initial; ;) {
      for (const piece of pieces(parts)) {
        if (this.#ended) return;
        if (!response.write(piece) && !(await this.#taken())) return;
      }
      if (this.#ended || this.#queue === undefined) return;
      if (this.#queue.length === 0) break;
      parts = this.#queue;
      this.#queue = [];
      this.#queued = 0;
    }
    this.#queue = undefined;
  }

  /** Waits until the reader has taken what it was sent. False when it is gone, or took nothing for too long. */
  async #taken(): Promise<boolean> {
    const { response, clock } = this.#options;
    const timer = clock.after(STALLED_MS, () => this.#tooSlow());
    const taken = await drained(response);
    timer.cancel();
    return taken;
  }

  push(lines: Buffer): void {
    if (this.#ended) return;
    const { response, clock } = this.#options;
    if (this.#queue !== undefined) {
      this.#queued += lines.length;
      if (this.#queued > MAX_WAITING) this.#tooSlow();
      else this.#queue.push(lines);
      return;
    }
    const waiting = response.writableLength;
    const now = clock.now();
    this.#behindSince = waiting <= WAITING ? undefined : (this.#behindSince ?? now);
    if (waiting + lines.length > MAX_WAITING || now - (this.#behindSince ?? now) > PATIENCE_MS) {
      this.#tooSlow();
      return;
    }
    const { socket } = response;
    // The same bytes for all readers, framed once: a thousand of them are a thousand writes, and little else.
    if (response.chunkedEncoding && socket !== null && !socket.destroyed) socket.write(chunkOf(lines));
    else response.write(lines);
  }

  #tooSlow(): void {
    if (this.#ended) return;
    this.#options.onSlow?.();
    this.expire('the watcher is too slow');
  }

  bookmark(revision: Revision): void {
    if (!this.#ended && this.#queue === undefined) this.#options.response.write(this.#options.bookmark(revision));
  }

  /** Ends the watch with 410: its reader must list again. */
  expire(message: string): void {
    if (this.#ended) return;
    const { response, clock } = this.#options;
    this.#end();
    response.end(errorLine(expired(message)));
    const timer = clock.after(LINGER_MS, () => response.destroy());
    response.on('close', () => timer.cancel());
  }

  /** Ends the watch cleanly after a while, with a last bookmark where they were asked for: the reader goes on from its last version. */
  endAfter(ms: number, settle: () => Revision | undefined): void {
    this.#timeout = this.#options.clock.after(ms, () => this.finish(settle));
  }

  finish(settle: () => Revision | undefined): void {
    if (this.#ended) return;
    const revision = settle();
    if (revision !== undefined) this.bookmark(revision);
    this.#end();
    this.#options.response.end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue = undefined;
    this.#timeout?.cancel();
    this.#options.onEnd();
  }
}
