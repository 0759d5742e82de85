/**
 * Which key to work on next. The queue is
 *
 * - fair: keys of the same priority are handed out in the order in which they were added;
 * - stingy: a key that was added several times before it is handed out is handed out once;
 * - exclusive: a key is never handed out twice at a time. Added while it is worked on, it comes again after `done`;
 * - patient: `addAfter` and `addRateLimited` add later. Handing a key out cancels what was delayed for it, since whoever works
 *   on it now sees all there is and says anew when to look again.
 *
 * @example
 * for (let key; (key = await queue.take()) !== undefined; queue.done(key)) {
 *   try {
 *     await reconcile(key);
 *     queue.forget(key);
 *   } catch {
 *     queue.addRateLimited(key);
 *   }
 * }
 */
import { backoff, type Clock, type Duration, type Instant, type Timer } from '../../base/index.ts';
import { Heap } from './heap.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** The first delay of `addRateLimited`, doubled with each failure. Default 50 ms. */
  readonly baseDelay?: Duration;
  /** Default 1 minute. */
  readonly maxDelay?: Duration;
  readonly random?: () => number;
}

interface Ready {
  readonly key: string;
  readonly priority: number;
  readonly seq: number;
}

interface Delayed {
  readonly key: string;
  readonly at: Instant;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #baseDelay: Duration;
  readonly #maxDelay: Duration;
  readonly #random: () => number;
  /** Entries may be outdated: only the one in `#waiting` counts. */
  readonly #ready = new Heap<Ready>((a, b) => (a.priority === b.priority ? a.seq < b.seq : a.priority > b.priority));
  readonly #waiting = new Map<string, Ready>();
  readonly #working = new Set<string>();
  /** Keys added while worked on, with their priority. */
  readonly #again = new Map<string, number>();
  readonly #later = new Heap<Delayed>((a, b) => a.at < b.at);
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #timer: { readonly at: Instant; readonly timer: Timer } | undefined;
  #seq = 0;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#baseDelay = options.baseDelay ?? 50;
    this.#maxDelay = options.maxDelay ?? 60_000;
    this.#random = options.random ?? Math.random;
  }

  /** Keys that wait to be handed out (delayed ones and those worked on aside). */
  get size(): number {
    return this.#waiting.size;
  }

  /** Keys that are worked on. */
  get working(): number {
    return this.#working.size;
  }

  /** A key that waits already keeps its place, or moves up to the higher priority. */
  add(key: string, priority = 0): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.set(key, Math.max(priority, this.#again.get(key) ?? priority));
      return;
    }
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && waiting.priority >= priority) return;
    const entry: Ready = { key, priority, seq: waiting?.seq ?? this.#seq++ };
    this.#waiting.set(key, entry);
    this.#ready.push(entry);
    this.#serve();
  }

  /** Adds `delay` from now; of several delays for a key the earliest counts. */
  addAfter(key: string, delay: Duration): void {
    if (this.#closed) return;
    if (delay <= 0) return this.add(key);
    const at = this.#clock.now() + delay;
    const known = this.#delayed.get(key);
    if (known !== undefined && known.at <= at) return;
    const entry: Delayed = { key, at };
    this.#delayed.set(key, entry);
    this.#later.push(entry);
    this.#arm();
  }

  /** Adds after a delay that doubles with each call, until `forget`. Returns the delay. */
  addRateLimited(key: string): Duration {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delay = backoff(failures, this.#baseDelay, this.#maxDelay, this.#random);
    this.addAfter(key, delay);
    return delay;
  }

  /** Says that the key's work succeeded: its next failure starts at the first delay. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, once there is one; undefined when the queue is shut down. The taker owes a `done`. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  /** Ends the work on a key that was taken. */
  done(key: string): void {
    this.#working.delete(key);
    const priority = this.#again.get(key);
    if (priority !== undefined) {
      this.#again.delete(key);
      this.add(key, priority);
    }
    if (this.#closed && this.#working.size === 0) for (const drained of this.#drained.splice(0)) drained();
  }

  /** Hands nothing out any more; resolves when everything that was taken is done. */
  async shutdown(): Promise<void> {
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
    this.#delayed.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    if (this.#working.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      if (this.#closed) return this.#takers.shift()!(undefined);
      const entry = this.#next();
      if (entry === undefined) return;
      this.#working.add(entry.key);
      this.#delayed.delete(entry.key);
      this.#takers.shift()!(entry.key);
    }
  }

  #next(): Ready | undefined {
    for (let entry = this.#ready.pop(); entry !== undefined; entry = this.#ready.pop()) {
      if (this.#waiting.get(entry.key) !== entry) continue;
      this.#waiting.delete(entry.key);
      return entry;
    }
    return undefined;
  }

  /** One timer, for the earliest delay. */
  #arm(): void {
    const now = this.#clock.now();
    for (let first = this.#later.peek(); first !== undefined; first = this.#later.peek()) {
      const counts = this.#delayed.get(first.key) === first;
      if (counts && first.at > now) break;
      this.#later.pop();
      if (!counts) continue;
      this.#delayed.delete(first.key);
      this.add(first.key);
    }
    const first = this.#later.peek();
    if (this.#timer?.at === first?.at) return;
    this.#timer?.timer.cancel();
    this.#timer =
      first === undefined
        ? undefined
        : {
            at: first.at,
            timer: this.#clock.after(first.at - now, () => {
              this.#timer = undefined;
              this.#arm();
            }),
          };
  }
}
