/**
 * Where the events of a store go out: a ring of the newest ones for all watchers together, and watchers that only remember how far
 * they are. Who is behind the ring reads the backend's history at its own pace, until it is within the ring. So a watch has no gap
 * between replay and live tail, and a slow reader costs no memory.
 */
import { CompactedError, type KeyRange, type Revision, type StoreEvent, type WatchBatch } from './store.ts';
import { inRange } from './keys.ts';

/** The size of the ring. */
const RECENT_EVENTS = 8192;
const RECENT_BYTES = 16 << 20;
/** About how much one step of a watcher, and so a batch, may hold; a revision is never divided. */
export const STEP_EVENTS = 512;
export const STEP_BYTES = 4 << 20;

/** The events of a range from a revision on, in batches that cover whole revisions; a batch without events says how far it got. */
export type History = (range: KeyRange, from: Revision, signal: AbortSignal) => AsyncIterable<WatchBatch>;

interface RevisionEvents {
  readonly revision: Revision;
  readonly events: readonly StoreEvent[];
  readonly bytes: number;
}

export class Feed {
  readonly history: History;
  readonly #watchers = new Set<Watcher>();
  #recent: RevisionEvents[] = [];
  #recentEvents = 0;
  #recentBytes = 0;
  #revision: Revision;
  #compacted: Revision;

  constructor(history: History, revision: Revision, compacted: Revision) {
    this.history = history;
    this.#revision = revision;
    this.#compacted = compacted;
  }

  /** The newest revision that is durable and known to watchers. */
  get revision(): Revision {
    return this.#revision;
  }

  get compacted(): Revision {
    return this.#compacted;
  }

  watch(range: KeyRange, start: Revision, signal: AbortSignal | undefined): Watcher {
    const watcher = new Watcher(this, range, start, signal, (done) => this.#watchers.delete(done));
    this.#watchers.add(watcher);
    return watcher;
  }

  /** Takes the events of the revisions that follow the last one. */
  publish(revisions: readonly { revision: Revision; events: readonly StoreEvent[] }[]): void {
    const last = revisions.at(-1);
    if (last === undefined) return;
    for (const { revision, events } of revisions) {
      const bytes = events.reduce((sum, event) => sum + sizeOf(event), 0);
      this.#recent.push({ revision, events, bytes });
      this.#recentEvents += events.length;
      this.#recentBytes += bytes;
    }
    this.#trim();
    const from = this.#revision + 1;
    this.#revision = last.revision;
    for (const watcher of this.#watchers) watcher.published(from, last.revision, revisions);
  }

  /** The revision is known only by number (after a failed commit): its events, if there are any, are in the log. */
  skipTo(revision: Revision): void {
    this.#recent = [];
    this.#recentEvents = 0;
    this.#recentBytes = 0;
    this.#revision = revision;
    for (const watcher of this.#watchers) watcher.wake();
  }

  compactedTo(revision: Revision): void {
    this.#compacted = revision;
    for (const watcher of this.#watchers) watcher.wake();
  }

  /** Whether a watcher is behind the ring. */
  get replaying(): boolean {
    return [...this.#watchers].some((watcher) => watcher.replaying);
  }

  requestProgress(): void {
    for (const watcher of this.#watchers) watcher.requestProgress();
  }

  /** The events of a range from a revision on, some of them, as far as the ring has them; undefined when it begins later. */
  recent(range: KeyRange, from: Revision): WatchBatch | undefined {
    const first = this.#recent[0];
    if (first === undefined || from < first.revision) return undefined;
    const events: StoreEvent[] = [];
    let bytes = 0;
    let revision = from - 1;
    for (let i = this.#indexOf(from); i < this.#recent.length && events.length < STEP_EVENTS && bytes < STEP_BYTES; i++) {
      const item = this.#recent[i]!;
      for (const event of item.events) if (inRange(range, keyOf(event))) events.push(event);
      bytes += item.bytes;
      revision = item.revision;
    }
    return { revision, events };
  }

  /** The first index whose revision is at least the given one. */
  #indexOf(revision: Revision): number {
    let low = 0;
    let high = this.#recent.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#recent[middle]!.revision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #trim(): void {
    let drop = 0;
    while (this.#recentEvents > RECENT_EVENTS || this.#recentBytes > RECENT_BYTES) {
      const { events, bytes } = this.#recent[drop++]!;
      this.#recentEvents -= events.length;
      this.#recentBytes -= bytes;
    }
    if (drop > 0) this.#recent = this.#recent.slice(drop);
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}

/** One reader of the feed, at its own pace. */
export class Watcher implements AsyncIterableIterator<WatchBatch> {
  readonly #feed: Feed;
  readonly #range: KeyRange;
  readonly #onClosed: (watcher: Watcher) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.close();
  #next: Revision;
  #history: { readonly batches: AsyncIterator<WatchBatch, undefined>; readonly abort: AbortController } | undefined;
  #began = false;
  #closed = false;
  #progress = false;
  #wake: (() => void) | undefined;

  constructor(
    feed: Feed,
    range: KeyRange,
    start: Revision,
    signal: AbortSignal | undefined,
    onClosed: (watcher: Watcher) => void,
  ) {
    this.#feed = feed;
    this.#range = range;
    this.#next = start;
    this.#signal = signal;
    this.#onClosed = onClosed;
    if (signal?.aborted) this.#closed = true;
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<WatchBatch, undefined>> {
    for (;;) {
      if (this.#closed) return { done: true, value: undefined };
      if (this.#next <= this.#feed.revision) {
        // Who is on his way may go on as long as the ring has what he needs; nobody begins below the compacted revision.
        const recent = this.#began || this.#next >= this.#feed.compacted ? this.#feed.recent(this.#range, this.#next) : undefined;
        if (recent !== undefined) this.#leaveHistory();
        else if (this.#next < this.#feed.compacted) {
          this.close();
          throw new CompactedError(this.#feed.compacted);
        }
        this.#began = true;
        const batch = recent ?? (await this.#fromHistory());
        if (batch === undefined) continue;
        this.#next = Math.max(this.#next, batch.revision + 1);
        if (batch.events.length > 0) return { done: false, value: batch };
        await new Promise(setImmediate); // a long stretch of other keys' events must not hold up the process
        continue;
      }
      this.#leaveHistory();
      if (this.#progress) {
        this.#progress = false;
        return { done: false, value: { revision: this.#feed.revision, events: [] } };
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The next batch of the backend's history; undefined when the watcher was closed meanwhile. */
  async #fromHistory(): Promise<WatchBatch | undefined> {
    if (this.#history === undefined) {
      const abort = new AbortController();
      this.#history = { batches: this.#feed.history(this.#range, this.#next, abort.signal)[Symbol.asyncIterator](), abort };
    }
    try {
      const { value, done } = await this.#history.batches.next();
      if (done === true && !this.#closed) throw new Error('the history of the store ended before its newest revision');
      return done === true ? undefined : value;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #leaveHistory(): void {
    this.#history?.abort.abort();
    this.#history = undefined;
  }

  get replaying(): boolean {
    return this.#history !== undefined;
  }

  return(): Promise<IteratorResult<WatchBatch, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** A watcher that waits and is not concerned moves on without looking. */
  published(from: Revision, to: Revision, revisions: readonly { events: readonly StoreEvent[] }[]): void {
    if (this.#wake === undefined) return;
    const concerned = revisions.some(({ events }) => events.some((event) => inRange(this.#range, keyOf(event))));
    if (!concerned && this.#next >= from) this.#next = Math.max(this.#next, to + 1);
    else this.wake();
  }

  requestProgress(): void {
    this.#progress = true;
    this.wake();
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#leaveHistory();
    this.#onClosed(this);
    this.wake();
  }
}

const keyOf = (event: StoreEvent): string => (event.type === 'put' ? event.kv.key : event.key);

const sizeOf = (event: StoreEvent): number =>
  128 + (event.type === 'put' ? event.kv.value.length : 0) + (event.previous?.value.length ?? 0);
