import { ApiError, backoff, describeError, type Clock, type Logger, type Timer } from '../../base/index.ts';
import { ConnectionError, type BatchOperation, type BatchResult } from '../../client/index.ts';

/** One write that the agent owes the server. A later letter of the same key replaces an earlier one that was not sent. */
export interface Letter {
  readonly key: string;
  readonly operation: BatchOperation;
  /** The server's answer, unless it was one that asks to try again. */
  readonly settled?: (result: BatchResult['results'][number]) => void;
}

export interface OutboxOptions {
  readonly send: (operations: readonly BatchOperation[], signal: AbortSignal) => Promise<BatchResult>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** How long letters are gathered before they are sent. Default 10 ms. */
  readonly windowMs?: number;
}

const LARGEST = 500;
const RETRY = { base: 250, max: 15_000 };

/**
 * Sends what the agent has to report, many writes in one request, and keeps it while the server cannot be reached. It holds
 * at most one letter per key, so a long absence costs no memory and the return no storm: only the newest of each is sent.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #letters = new Map<string, Letter>();
  readonly #closing = new AbortController();
  #inFlight: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  /** Letters per request; one at a time while a refused one is looked for. */
  #most = LARGEST;
  #idle: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  post(letter: Letter): void {
    this.#letters.delete(letter.key);
    this.#letters.set(letter.key, letter);
    this.#schedule();
  }

  /** Withdraws what was not sent yet. */
  drop(key: string): void {
    this.#letters.delete(key);
  }

  has(key: string): boolean {
    return this.#letters.has(key);
  }

  get size(): number {
    return this.#letters.size;
  }

  /** Resolves when nothing is left to send, or after `ms`. */
  flushed(ms: number): Promise<void> {
    if (this.#letters.size === 0 && this.#inFlight === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(ms, done);
      function done(): void {
        timer.cancel();
        resolve();
      }
      this.#idle.push(done);
    });
  }

  /** The server was heard again: do not sit out the rest of a backoff. */
  wake(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    await this.#inFlight;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#inFlight !== undefined || this.#closing.signal.aborted) return;
    if (this.#letters.size === 0) {
      for (const done of this.#idle.splice(0)) done();
      return;
    }
    const wait =
      this.#failures === 0
        ? (this.#options.windowMs ?? 10)
        : backoff(this.#failures - 1, RETRY.base, RETRY.max, this.#options.random);
    this.#timer = this.#options.clock.after(wait, () => {
      this.#timer = undefined;
      this.#inFlight = this.#flush().finally(() => {
        this.#inFlight = undefined;
        this.#schedule();
      });
    });
  }

  async #flush(): Promise<void> {
    const { log } = this.#options;
    const sent = [...this.#letters.values()].slice(0, this.#most);
    try {
      const { results } = await this.#options.send(
        sent.map((letter) => letter.operation),
        this.#closing.signal,
      );
      let again = false;
      for (const [i, letter] of sent.entries()) {
        const result = results[i];
        if (result === undefined || result.code >= 500 || result.code === 429) {
          again = true;
          continue;
        }
        if (this.#letters.get(letter.key) === letter) this.#letters.delete(letter.key);
        if (result.code >= 400)
          log.debug('write refused', { key: letter.key, code: result.code, message: result.status?.message });
        letter.settled?.(result);
      }
      this.#failures = again ? this.#failures + 1 : 0;
      this.#most = Math.min(LARGEST, this.#most * 2);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      if (refused(error)) {
        // The request itself was refused: one letter at a time finds the bad one.
        this.#most = 1;
        if (sent.length > 1) return;
        log.error('write refused', { key: sent[0]!.key, error: describeError(error) });
        if (this.#letters.get(sent[0]!.key) === sent[0]) this.#letters.delete(sent[0]!.key);
        return;
      }
      this.#failures++;
      const level = this.#failures === 3 && !(error instanceof ConnectionError) ? 'warn' : 'debug';
      log[level]('cannot report to the server, retrying', { waiting: this.#letters.size, error: describeError(error) });
    }
  }
}

/** The server understood the request and will never accept it. */
const refused = (error: unknown): boolean =>
  error instanceof ApiError && ['BadRequest', 'Invalid', 'RequestEntityTooLarge'].includes(error.reason);
