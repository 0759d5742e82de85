import { ApiError, backoff, describeError, sleep, type Clock, type Logger, type Timer } from '../../base/index.ts';
import { SealedError } from '../storage/sealed/index.ts';
import { CompactedError, prefixRange, type Revision, type Store, type StoreEvent } from '../storage/store.ts';
import { expired } from './errors.ts';
import { FeedIndex, visible, type Change, type Feed, type Format, type Subscriber } from './feeds.ts';
import type { ApiKind } from './kinds.ts';
import type { ApiObject } from './object.ts';
import { Objects } from './objects.ts';
import { fits, type Selection } from './selectors.ts';
import { decode, deletedVersion, present, type Version } from './version.ts';

/** How much history a kind keeps in memory for watches that resume: so many changes, of so many bytes of JSON. */
const RECENT_CHANGES = 10_000;
const RECENT_BYTES = 16 << 20;
/** How long a read waits for the cache to reach a revision. */
const WAIT_MS = 3_000;
const BOOKMARK_MS = 60_000;

export interface WatchCacheOptions {
  readonly kind: ApiKind;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told after each delivery: how many events went to how many subscribers. */
  readonly delivered?: (events: number) => void;
}

export interface WatchStart {
  readonly selection: Selection;
  readonly format: Format;
  /** Changes after this revision; `all`: every current object first. */
  readonly from: Revision | 'all';
  /** Follow the initial objects with a bookmark that says so. */
  readonly initialEventsEnd?: (revision: Revision) => Buffer;
  readonly bookmarks: boolean;
}

/** What a watcher is sent first. */
interface Initial {
  readonly parts: readonly Buffer[];
  readonly events: number;
}

/** A subscription that began: what to send first, and how to end it. */
export interface Subscription {
  readonly initial: readonly Buffer[];
  close(): void;
}

/**
 * The objects of one kind in memory, kept current by one watch on the store: list at a revision, then follow. Readers get shared
 * bytes. History of the last changes lets watches resume; older ones are told to list again (410).
 *
 * Several objects of a kind can change in one revision (a batch). A watch that broke between two events of a revision resumes at that
 * revision, and nobody knows how many it saw: then all of them are sent again. Seeing a version twice is harmless, missing one is not.
 */
export class WatchCache {
  readonly kind: ApiKind;
  readonly #options: WatchCacheOptions;
  readonly #objects = new Objects();
  readonly #feeds = new FeedIndex();
  readonly #stop = new AbortController();
  /** What this process wrote and the watch has not brought yet; undefined stands for a deleted key. */
  readonly #ahead = new Map<string, { revision: Revision; version: Version | undefined }>();
  readonly #own = new WeakMap<Buffer, ApiObject>();
  #recent: Change[] = [];
  #recentStart = 0;
  #recentBytes = 0;
  /** Watches can resume from here on. */
  #floor: Revision = 0;
  #revision: Revision = 0;
  #lastChange: Revision = 0;
  #ready = false;
  /** An event is being applied; an error then means that the state is in doubt. */
  #taking = false;
  #problem: string | undefined = 'not loaded yet';
  readonly #waiters = new Set<{ readonly revision: Revision; reached: () => void }>();
  #asking = false;
  #askAgain: (() => void) | undefined;
  #dirty = new Set<Feed>();
  #flushing = false;
  #bookmarkTimer: Timer | undefined;
  readonly #bookmarked = new Map<Subscriber, Feed>();
  #loop: Promise<void> | undefined;
  /** Told when the kind cannot be read for want of a key, which may take for ever. */
  #helpless: () => void = () => undefined;
  #sealed = false;

  constructor(options: WatchCacheOptions) {
    this.kind = options.kind;
    this.#options = options;
  }

  /** Loads the kind and starts to follow it; resolves when the first load is done, or cannot be done without somebody's help. */
  async start(): Promise<void> {
    const helpless = new Promise<void>((resolve) => (this.#helpless = resolve));
    this.#loop = this.#followLoop();
    await Promise.race([this.#await(0, Infinity), helpless]);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#bookmarkTimer?.cancel();
    await this.#loop;
  }

  /** The store revision that the cache has reached. */
  get revision(): Revision {
    return this.#revision;
  }

  /** The revision of the last change of an object of this kind. */
  get lastChange(): Revision {
    return this.#lastChange;
  }

  get size(): number {
    return this.#objects.size;
  }

  get recentChanges(): number {
    return this.#recent.length - this.#recentStart;
  }

  get watchers(): number {
    let count = 0;
    for (const feed of this.#feeds.all()) count += feed.subscribers.size;
    return count;
  }

  /** Why the cache cannot be used; undefined when it can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get(key: string): Version | undefined {
    return this.#objects.get(key);
  }

  /** The newest state that this process knows: what it wrote itself, even before the watch brings it. May still be old. */
  latest(key: string): Version | undefined {
    const ahead = this.#ahead.get(key);
    return ahead === undefined ? this.#objects.get(key) : ahead.version;
  }

  /**
   * Tells of a write that is about to be made. A store in this process gives the very buffer back with the event, and the object need
   * not be decoded again. The object is taken over.
   */
  willWrite(value: Buffer, object: ApiObject): void {
    this.#own.set(value, object);
  }

  /** Notes a write of this process, so that the next write to the object starts from it, and the watch need not decode it again. */
  wrote(key: string, revision: Revision, version: Version | undefined): void {
    if (revision > this.#revision && revision > (this.#ahead.get(key)?.revision ?? 0))
      this.#ahead.set(key, { revision, version });
  }

  /** The objects at `revision` in the order of their keys: all, or those that can fit a selection by one of its fields. */
  among({ fields }: Selection): readonly Version[] {
    for (const { equal, path, value } of fields) {
      const found = equal ? this.#objects.where(path, value) : undefined;
      if (found !== undefined) return found;
    }
    return this.#objects.snapshot();
  }

  /** Resolves when the cache has reached the revision; 504 when it does not in time. */
  async waitFor(revision: Revision): Promise<void> {
    if (this.#ready && this.#revision >= revision) return;
    if (this.#problem !== undefined && (this.#revision > 0 || this.#sealed)) {
      throw new ApiError('ServiceUnavailable', `${this.kind.plural} cannot be read: ${this.#problem}`, { retryAfterSeconds: 1 });
    }
    if (!(await this.#await(revision, this.#options.clock.now() + WAIT_MS))) {
      throw new ApiError('Timeout', `Too large resource version: ${revision}, current: ${this.#revision}`, {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      });
    }
  }

  /** False when the instant came before the revision. */
  #await(revision: Revision, until: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer =
        until === Infinity ? undefined : this.#options.clock.after(until - this.#options.clock.now(), () => settle(false));
      const settle = (reached: boolean): void => {
        timer?.cancel();
        this.#waiters.delete(waiter);
        resolve(reached);
      };
      const waiter = { revision, reached: () => settle(true) };
      this.#waiters.add(waiter);
      if (this.#asking) this.#askAgain?.();
      else {
        this.#asking = true;
        void this.#askLoop().finally(() => (this.#asking = false));
      }
    });
  }

  /**
   * A watch that is idle, because only other kinds change, learns the revision by asking. The answer may be earlier than what is
   * waited for, so it is asked again: at once a few times, then with pauses.
   */
  async #askLoop(): Promise<void> {
    const { store, clock, log } = this.#options;
    for (let round = 0; this.#waiters.size > 0 && !this.#stop.signal.aborted; round++) {
      await store.requestProgress().catch((error: unknown) => {
        log.debug('no progress from the store', { kind: this.kind.resource, error: describeError(error) });
      });
      if (round < 8) await new Promise(setImmediate);
      else {
        const pause = new AbortController();
        this.#askAgain = () => {
          round = 0;
          pause.abort();
        };
        await sleep(clock, Math.min(2 ** (round - 8), 100), pause.signal);
        this.#askAgain = undefined;
      }
    }
  }

  /** Begins a watch at the revision the cache has now. Throws Expired when `from` is older than the history. */
  subscribe(start: WatchStart, subscriber: Subscriber): Subscription {
    const feed = this.#feeds.feed(start.selection, start.format);
    let initial: Initial;
    try {
      initial = start.from === 'all' ? this.#everything(start) : this.#since(start, start.from);
    } catch (error) {
      if (feed.subscribers.size === 0) this.#feeds.remove(feed);
      throw error;
    }
    // What waits to be flushed is part of `initial` already.
    this.#options.delivered?.(feed.flush() * feed.subscribers.size + initial.events);
    feed.subscribers.add(subscriber);
    if (start.bookmarks) {
      this.#bookmarked.set(subscriber, feed);
      this.#armBookmarks();
    }
    return {
      initial: initial.parts,
      close: () => {
        this.#bookmarked.delete(subscriber);
        feed.subscribers.delete(subscriber);
        if (feed.subscribers.size === 0) {
          this.#feeds.remove(feed);
          this.#dirty.delete(feed);
        }
      },
    };
  }

  #everything({ selection, format, initialEventsEnd }: WatchStart): Initial {
    const { namespace } = selection;
    const parts: Buffer[] = [];
    let events = 0;
    for (const version of this.among(selection)) {
      if (namespace !== undefined && version.namespace !== namespace) continue;
      if (!fits(selection, version.object)) continue;
      parts.push(...format.initial(version));
      events++;
    }
    if (initialEventsEnd !== undefined) parts.push(initialEventsEnd(this.#revision));
    return { parts, events };
  }

  #since({ selection, format }: WatchStart, from: Revision): Initial {
    if (from < this.#floor) throw expired(`too old resource version: ${from} (${this.#floor})`);
    const parts: Buffer[] = [];
    let atFrom = 0;
    let first = this.#recent.length;
    while (first > this.#recentStart && this.#recent[first - 1]!.revision >= from) first--;
    for (let i = first; i < this.#recent.length; i++) {
      const change = this.#recent[i]!;
      if (selection.namespace !== undefined && change.version.namespace !== selection.namespace) continue;
      const type = visible(selection, change);
      if (type === undefined) continue;
      if (change.revision === from) atFrom++;
      parts.push(format.line(type, type === 'DELETED' && !change.deleted ? leftSelection(this.kind, change) : change.version));
    }
    // A single event at `from` is the one the watcher has seen.
    if (atFrom === 1) parts.shift();
    return { parts, events: parts.length };
  }

  /** Loads the kind, then follows it; where the store was away for a while, it goes on behind what it has. */
  async #followLoop(): Promise<void> {
    const { signal } = this.#stop;
    const { log, clock } = this.#options;
    let listed: Revision | undefined;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const before = this.#revision;
      try {
        listed ??= await this.#load();
        await this.#follow(listed);
      } catch (error) {
        if (signal.aborted) break;
        // History is gone, or it was not understood: begin anew.
        if (error instanceof CompactedError || this.#taking) listed = undefined;
        this.#taking = false;
        this.#problem = describeError(error);
        this.#ready = false;
        this.#sealed = error instanceof SealedError;
        if (this.#sealed) this.#helpless();
        log.warn(this.#sealed ? 'watch cache cannot open what is sealed' : 'watch cache lost the store', {
          kind: this.kind.resource,
          error: this.#problem,
        });
      }
      if (this.#revision > before) attempt = 0;
      await sleep(clock, backoff(attempt, 50, 5_000), signal);
    }
    this.#expireAll('the server is shutting down');
  }

  async #load(): Promise<Revision> {
    const { store, log } = this.#options;
    const { revision, items } = await store.range(prefixRange(this.kind.prefix));
    // Watchers have seen a past that may not lead here.
    if (this.#revision > 0) this.#expireAll(`too old resource version: ${this.#revision} (${revision})`);
    this.#objects.clear();
    for (const item of items) {
      try {
        this.#objects.set(decode(this.kind, item));
      } catch (error) {
        log.error('unreadable object in the store', { key: item.key, error: describeError(error) });
      }
    }
    this.#recent = [];
    this.#recentStart = 0;
    this.#recentBytes = 0;
    this.#ahead.clear();
    this.#floor = revision;
    // An object may have been deleted as late as this.
    this.#lastChange = revision;
    return revision;
  }

  /** Follows the store. It begins at the revision that was listed, so that a watch may resume within that revision, too. */
  async #follow(listed: Revision): Promise<void> {
    const range = prefixRange(this.kind.prefix);
    const { signal } = this.#stop;
    let startRevision = this.#revision > listed ? this.#revision + 1 : listed;
    for (;;) {
      try {
        for await (const batch of this.#options.store.watch(range, { startRevision, signal })) {
          this.#taking = true;
          for (const event of batch.events) this.#take(event, listed);
          this.#taking = false;
          this.#reached(Math.max(batch.revision, listed));
        }
        if (signal.aborted) return;
        throw new Error('the watch on the store ended');
      } catch (error) {
        if (!(error instanceof CompactedError) || startRevision !== listed) throw error;
        startRevision = listed + 1;
      }
    }
  }

  #take(event: StoreEvent, listed: Revision): void {
    const key = event.type === 'put' ? event.kv.key : event.key;
    const revision = event.type === 'put' ? event.kv.modRevision : event.revision;
    if (revision <= listed) {
      this.#remember(event, revision);
      return;
    }
    const previous = this.#objects.get(key);
    const ahead = this.#ahead.get(key);
    if (ahead !== undefined && ahead.revision <= revision) this.#ahead.delete(key);
    let change: Change | undefined;
    if (event.type === 'put') {
      const version = ahead?.revision === revision && ahead.version !== undefined ? ahead.version : this.#decode(event);
      if (version !== undefined) {
        this.#objects.set(version);
        change = { revision, version, deleted: false, previous };
      }
    }
    if (change === undefined) {
      if (previous === undefined) return;
      this.#objects.delete(key);
      change = { revision, version: deletedVersion(this.kind, previous, revision), deleted: true, previous };
    }
    this.#lastChange = revision;
    this.#record(change);
    this.#feeds.concerned(change, (feed) => {
      if (feed.offer(change, (c) => leftSelection(this.kind, c))) this.#dirty.add(feed);
    });
    if (this.#dirty.size > 0 && !this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
  }

  /** An event of the listed revision: it is part of the state, and only of interest to who resumes there. */
  #remember(event: StoreEvent, revision: Revision): void {
    const previous = event.previous === undefined ? undefined : this.#tryDecode(() => decode(this.kind, event.previous!));
    if (event.type === 'put') {
      const version = this.#objects.get(event.kv.key);
      if (version?.revision === revision) this.#record({ revision, version, deleted: false, previous });
    } else if (previous !== undefined) {
      this.#record({ revision, version: deletedVersion(this.kind, previous, revision), deleted: true, previous });
    }
  }

  #decode({ kv }: StoreEvent & { type: 'put' }): Version | undefined {
    const own = this.#own.get(kv.value);
    if (own !== undefined) return present(this.kind, kv.key, kv.modRevision, own, kv.value, kv.lease);
    return this.#tryDecode(() => decode(this.kind, kv));
  }

  #tryDecode(read: () => Version): Version | undefined {
    try {
      return read();
    } catch (error) {
      this.#options.log.error('unreadable object in the store', { kind: this.kind.resource, error: describeError(error) });
      return undefined;
    }
  }

  #record(change: Change): void {
    this.#recent.push(change);
    this.#recentBytes += change.version.size;
    while (this.recentChanges > RECENT_CHANGES || (this.#recentBytes > RECENT_BYTES && this.recentChanges > 1)) {
      // Whole revisions go, so that who resumes at the floor has missed nothing of it.
      const gone = this.#recent[this.#recentStart]!.revision;
      while (this.#recent[this.#recentStart]?.revision === gone) {
        this.#recentBytes -= this.#recent[this.#recentStart]!.version.size;
        this.#recentStart++;
      }
      this.#floor = gone + 1;
    }
    if (this.#recentStart > 1_000 && this.#recentStart * 2 > this.#recent.length) {
      this.#recent = this.#recent.slice(this.#recentStart);
      this.#recentStart = 0;
    }
  }

  #flush(): void {
    this.#flushing = false;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    let events = 0;
    for (const feed of dirty) {
      const readers = feed.subscribers.size;
      events += feed.flush() * readers;
    }
    if (events > 0) this.#options.delivered?.(events);
  }

  #reached(revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision;
    this.#ready = true;
    this.#problem = undefined;
    for (const waiter of this.#waiters) if (waiter.revision <= this.#revision) waiter.reached();
  }

  /** One timer for all watchers that asked for bookmarks, and none when nobody did. */
  #armBookmarks(): void {
    if (this.#bookmarkTimer !== undefined) return;
    this.#bookmarkTimer = this.#options.clock.after(BOOKMARK_MS, () => {
      this.#bookmarkTimer = undefined;
      if (this.#bookmarked.size === 0 || this.#stop.signal.aborted) return;
      this.#armBookmarks();
      this.#bookmarkAll().catch((error: unknown) => {
        this.#options.log.debug('no bookmarks this time', { kind: this.kind.resource, error: describeError(error) });
      });
    });
  }

  async #bookmarkAll(): Promise<void> {
    await this.waitFor(await this.#options.store.revision());
    this.#flush();
    for (const subscriber of this.#bookmarked.keys()) subscriber.bookmark(this.#revision);
  }

  /** Sends what is pending, then gives the revision that a subscriber has seen by now. */
  settle(): Revision {
    this.#flush();
    return this.#revision;
  }

  /** Ends all watches; who comes again finds what is served then. */
  endWatches(): void {
    this.#flush();
    this.#expireAll(`${this.kind.resource} are served anew`);
  }

  #expireAll(message: string): void {
    for (const feed of [...this.#feeds.all()]) for (const subscriber of [...feed.subscribers]) subscriber.expire(message);
    this.#dirty.clear();
  }
}

/** The last state that fitted a selection, at the revision at which it ceased to. */
function leftSelection(kind: ApiKind, { previous, revision }: Change): Version {
  return deletedVersion(kind, previous!, revision);
}
