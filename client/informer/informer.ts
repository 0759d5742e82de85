/**
 * A local copy of one kind that follows the server: list once, then watch from the version of that list.
 *
 *     list ──► synced ──► watch ──► (stream ends, connection breaks) ──► watch again from the last version seen
 *       ▲                   │
 *       └──── 410 Expired ──┘    what the new list lacks is deleted, with the object as it was last seen
 *
 * Promises: handlers see for every object `added`, then any number of `modified`, then `deleted`, never an older version after
 * a newer one; intermediate versions may be skipped only by a relist. Objects are frozen: a change is a new value.
 * There is no polling and no resync: a handler is called when something changed.
 */
import { ApiError, backoff, isReason, sleep, type Clock, type Instant, type Logger, type Timer } from '../../base/index.ts';
import type { AnyObject, Kind, Stored } from '../../openapi/index.ts';
import { ConnectionError, type Client } from '../rest/client.ts';
import type { WatchEvent } from '../rest/watch.ts';

export interface InformerOptions<T extends AnyObject> {
  readonly client: Client;
  readonly kind: Kind<T>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Only this namespace; absent: all of them. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly indexes?: Indexes<T>;
  /** A watch on which not even a bookmark came for this long is taken for dead. Default 5 minutes. */
  readonly idleTimeoutMs?: number;
}

/** By index name: the values under which an object is found. */
export type Indexes<T extends AnyObject> = Readonly<Record<string, (object: Stored<T>) => readonly string[]>>;

export interface Handlers<T extends AnyObject> {
  readonly added?: (object: Stored<T>) => void;
  readonly modified?: (object: Stored<T>, previous: Stored<T>) => void;
  /** `object` is the last state known. */
  readonly deleted?: (object: Stored<T>) => void;
}

/** What a reader of the cache may do. */
export interface Cache<T extends AnyObject> {
  get(key: string): Stored<T> | undefined;
  list(): Stored<T>[];
  byIndex(index: string, value: string): Stored<T>[];
}

/** `namespace/name`, or `name` for kinds without a namespace. */
export function keyOf(object: { metadata: { name?: string; namespace?: string } }): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name! : `${namespace}/${name!}`;
}

/** The key of an object by its parts. */
export const objectKey = (name: string, namespace?: string): string => (namespace === undefined ? name : `${namespace}/${name}`);

export function splitKey(key: string): { name: string; namespace?: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

const PAGE = 5000;
const RETRY = { base: 200, max: 10_000 };
/** A watch that ends sooner than this counts as a failure, so that a server that ends them all at once is not hammered. */
const SHORT_WATCH = 1000;

interface Index<T extends AnyObject> {
  readonly valuesOf: (object: Stored<T>) => readonly string[];
  readonly byValue: Map<string, Map<string, Stored<T>>>;
}

/**
 * @example
 * const jobs = new Informer({ client, kind: JobKind, clock, log }).start();
 * await jobs.synced;
 * jobs.on({ added: (job) => queue.add(keyOf(job)) });
 */
export class Informer<T extends AnyObject> implements Cache<T> {
  /** Resolves when the first list is in the cache; rejects when the informer is closed before. */
  readonly synced: Promise<void>;
  readonly kind: Kind<T>;
  readonly #options: InformerOptions<T>;
  readonly #objects = new Map<string, Stored<T>>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers = new Set<Handlers<T>>();
  readonly #closing = new AbortController();
  #settleSynced: { resolve: () => void; reject: (error: unknown) => void };
  #isSynced = false;
  #loop: Promise<void> | undefined;
  /** Where the next watch starts; undefined: list first. */
  #resumeAt: string | undefined;
  #revision = 0;
  #followedSince: Instant | undefined;
  #waiters: Waiter[] = [];

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.kind = options.kind;
    let settle: { resolve: () => void; reject: (error: unknown) => void };
    this.synced = new Promise((resolve, reject) => (settle = { resolve, reject }));
    this.#settleSynced = settle!;
    this.synced.catch(() => undefined);
    for (const [name, valuesOf] of Object.entries(options.indexes ?? {})) this.addIndex(name, valuesOf);
  }

  /** Begins to follow the server. Failures are retried until `close`. */
  start(): this {
    this.#loop ??= this.#informerLoop();
    return this;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const closed = new Error(`informer of ${this.kind.plural} is closed`);
    this.#settleSynced.reject(closed);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closed);
    await this.#loop;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** The store revision up to which this cache is complete; 0 before the first list. */
  get revision(): number {
    return this.#revision;
  }

  /** Since when the server is followed without a break; undefined while it is not, so what the cache has may be old news. */
  get followedSince(): Instant | undefined {
    return this.#followedSince;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): Stored<T> | undefined {
    return this.#objects.get(key);
  }

  list(): Stored<T>[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): Stored<T>[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`informer of ${this.kind.plural} has no index ${index}`);
    return [...(found.byValue.get(value)?.values() ?? [])];
  }

  /** Adds an index, over what is cached already too. Asking for the same name again keeps the first. */
  addIndex(name: string, valuesOf: (object: Stored<T>) => readonly string[]): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { valuesOf, byValue: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) insert(index, key, object);
  }

  /** Calls the handlers for what is cached already (as added), then for each change. Returns how to stop that. */
  on(handlers: Handlers<T>): () => void {
    this.#handlers.add(handlers);
    for (const object of this.#objects.values()) this.#call(() => handlers.added?.(object));
    return () => void this.#handlers.delete(handlers);
  }

  /**
   * Resolves once the cache is complete up to `resourceVersion`. Meant for a version at which an object of this kind was
   * written (a reader of its own writes); for any other it may take until the server's next bookmark.
   */
  async waitForRevision(resourceVersion: string | number, signal?: AbortSignal): Promise<void> {
    const revision = Number(resourceVersion);
    await this.#wait(() => (this.#revision >= revision && this.#isSynced ? true : undefined), signal);
    // Several objects may have been written at that revision; what came with the first of them is applied by then.
    if (this.#revision === revision) await new Promise(setImmediate);
  }

  /** Resolves with the first answer that is not undefined, asked now and after each change of the cache. */
  until<R>(question: (cache: Cache<T>) => R | undefined, signal?: AbortSignal): Promise<R> {
    return this.#wait(() => (this.#isSynced ? question(this) : undefined), signal) as Promise<R>;
  }

  #wait(question: () => unknown, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(new Error(`informer of ${this.kind.plural} is closed`));
      if (signal?.aborted) return reject(abortReason(signal));
      const answer = question();
      if (answer !== undefined) return resolve(answer);
      const stop = (): void => {
        this.#waiters = this.#waiters.filter((w) => w !== waiter);
        reject(abortReason(signal!));
      };
      const done = (): void => signal?.removeEventListener('abort', stop);
      const waiter: Waiter = {
        question,
        resolve: (value) => (done(), resolve(value)),
        reject: (error) => (done(), reject(error)),
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.#waiters.push(waiter);
    });
  }

  #answerWaiters(): void {
    if (this.#waiters.length === 0) return;
    const open: Waiter[] = [];
    for (const waiter of this.#waiters.splice(0)) {
      try {
        const answer = waiter.question();
        if (answer === undefined) open.push(waiter);
        else waiter.resolve(answer);
      } catch (error) {
        waiter.reject(error);
      }
    }
    this.#waiters.push(...open);
  }

  async #informerLoop(): Promise<void> {
    const { clock, log, kind } = this.#options;
    const signal = this.#closing.signal;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = clock.now();
      let failure: unknown;
      try {
        if (this.#resumeAt === undefined) await this.#relist(signal);
        await this.#follow(this.#resumeAt!, signal, () => (failures = 0));
        if (clock.now() - startedAt >= SHORT_WATCH) failures = 0;
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      if (isReason(failure, 'Expired') || isFromTheFuture(failure)) {
        log.debug('cannot resume watch, listing again', { kind: kind.kind, resourceVersion: this.#resumeAt, error: failure });
        this.#resumeAt = undefined;
      } else if (failure !== undefined) {
        // The first failure is usual (a server restarts); what lasts is worth a line, unless the client says it for all.
        const level = failures === 2 && !(failure instanceof ConnectionError) ? 'warn' : 'debug';
        log[level]('cannot follow the apiserver, retrying', { kind: kind.kind, error: failure });
      }
      if (failures > 0 || failure !== undefined) await sleep(clock, backoff(failures, RETRY.base, RETRY.max), signal);
      failures++;
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { client, kind } = this.#options;
    const found = new Map<string, Stored<T>>();
    let from: string | undefined;
    let resourceVersion: string;
    do {
      const page = await client.list(kind, { ...this.#selection(), limit: PAGE, ...(from && { continue: from }), signal });
      for (const item of page.items) found.set(keyOf(item), freeze(item));
      resourceVersion = page.metadata.resourceVersion;
      from = page.metadata.continue;
    } while (from !== undefined && from !== '');

    // A store that was replaced by another may be at a lower revision; then the list is the truth, not our memory.
    this.#revision = Number(resourceVersion);
    this.#resumeAt = resourceVersion;
    for (const [key, object] of this.#objects) if (!found.has(key)) this.#remove(key, object);
    for (const [key, object] of found) this.#put(key, object);
    if (!this.#isSynced) {
      this.#isSynced = true;
      this.#settleSynced.resolve();
    }
    this.#answerWaiters();
  }

  /** Applies events until the stream ends or breaks, or nothing came for too long. */
  async #follow(resourceVersion: string, signal: AbortSignal, progressed: () => void): Promise<void> {
    const { client, kind, clock, idleTimeoutMs = 5 * 60_000 } = this.#options;
    const stream = new AbortController();
    const stop = (): void => stream.abort();
    signal.addEventListener('abort', stop, { once: true });
    // Closed by who waited for the list: nobody would end this watch but the server.
    if (signal.aborted) stop();
    let heardAt = clock.now();
    let timer: Timer | undefined;
    const guard = (): void => {
      const left = heardAt + idleTimeoutMs - clock.now();
      if (left <= 0) stream.abort();
      else timer = clock.after(left, guard);
    };
    guard();
    const opened = (): void => void (this.#followedSince = clock.now());
    try {
      for await (const event of client.watch(kind, { ...this.#selection(), resourceVersion, opened, signal: stream.signal })) {
        heardAt = clock.now();
        progressed();
        this.#apply(event);
      }
    } catch (error) {
      if (!stream.signal.aborted) throw error;
    } finally {
      this.#followedSince = undefined;
      timer?.cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  #apply(event: WatchEvent<T>): void {
    const { object } = event;
    const resourceVersion = object.metadata.resourceVersion;
    if (event.type !== 'BOOKMARK') {
      const key = keyOf(object);
      // The final object of a deletion carries the revision of the deletion; the last state known is more use to a handler.
      if (event.type === 'DELETED') this.#remove(key, this.#objects.get(key));
      else this.#put(key, freeze(object));
    }
    this.#resumeAt = resourceVersion;
    this.#revision = Math.max(this.#revision, Number(resourceVersion));
    this.#answerWaiters();
  }

  #put(key: string, object: Stored<T>): void {
    const previous = this.#objects.get(key);
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.#remove(key, previous);
      return this.#put(key, object);
    }
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      if (previous !== undefined) remove(index, key, previous);
      insert(index, key, object);
    }
    for (const handlers of this.#handlers) {
      if (previous === undefined) this.#call(() => handlers.added?.(object));
      else this.#call(() => handlers.modified?.(object, previous));
    }
  }

  #remove(key: string, object: Stored<T> | undefined): void {
    if (object === undefined) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) remove(index, key, object);
    for (const handlers of this.#handlers) this.#call(() => handlers.deleted?.(object));
  }

  /** A handler that throws is a bug of its owner and must not cost the others their events. */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#options.log.error('informer handler failed', { kind: this.kind.kind, error });
    }
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace !== undefined && { namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    };
  }
}

interface Waiter {
  readonly question: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

function insert<T extends AnyObject>(index: Index<T>, key: string, object: Stored<T>): void {
  for (const value of index.valuesOf(object)) {
    const found = index.byValue.get(value);
    if (found === undefined) index.byValue.set(value, new Map([[key, object]]));
    else found.set(key, object);
  }
}

function remove<T extends AnyObject>(index: Index<T>, key: string, object: Stored<T>): void {
  for (const value of index.valuesOf(object)) {
    const found = index.byValue.get(value);
    found?.delete(key);
    if (found?.size === 0) index.byValue.delete(value);
  }
}

/** The server does not know our version yet, and did not learn it in time: its store may be another one than before. */
function isFromTheFuture(error: unknown): boolean {
  return error instanceof ApiError && (error.details.causes ?? []).some((cause) => cause.reason === 'ResourceVersionTooLarge');
}

const abortReason = (signal: AbortSignal): unknown => signal.reason ?? new Error('aborted');

/** Freezes a value made of JSON, all the way down. */
export function freeze<V>(value: V): V {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) freeze(value[key]);
  return value;
}
