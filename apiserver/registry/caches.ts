import type { Clock, Logger, Timer } from '../../base/index.ts';
import type { KeyValue, Revision, Store } from '../storage/store.ts';
import type { ApiKind, KindRegistry } from './kinds.ts';
import { decode, type Version } from './version.ts';
import { WatchCache } from './watch-cache.ts';

/** The cache of a kind, with the way back from a stored value to the version that is known already. */
export class KindCache extends WatchCache {
  /** The version of a stored value; the cached one when it is the same, so that nothing is decoded or serialised twice. */
  versionOf(kv: KeyValue): Version {
    const known = this.latest(kv.key);
    return known?.revision === kv.modRevision ? known : decode(this.kind, kv);
  }
}

export interface CachesOptions {
  readonly kinds: KindRegistry;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly delivered?: (kind: ApiKind, events: number) => void;
}

/** How long requests that began with a kind may go on after it was retired. */
const GRACE_MS = 10_000;

/** One watch cache per kind. */
export class Caches {
  readonly kinds: KindRegistry;
  readonly #options: CachesOptions;
  readonly #byKind = new Map<ApiKind, KindCache>();
  /** Kinds that are served no more, for requests that still run. */
  readonly #retired = new Map<ApiKind, { readonly cache: KindCache; readonly timer: Timer }>();
  readonly #byPrefix = new Map<string, ApiKind>();
  #asking: Promise<Revision> | undefined;
  #askNext: Promise<Revision> | undefined;

  constructor(options: CachesOptions) {
    this.kinds = options.kinds;
    this.#options = options;
  }

  async start(): Promise<void> {
    await Promise.all(this.kinds.all().map((kind) => this.serve(kind)));
  }

  /** Loads a kind and follows it. */
  async serve(kind: ApiKind): Promise<void> {
    const { store, clock, log, delivered } = this.#options;
    const cache = new KindCache({
      kind,
      store,
      clock,
      log,
      ...(delivered && { delivered: (events) => delivered(kind, events) }),
    });
    this.#byKind.set(kind, cache);
    if (!kind.custom) this.#byPrefix.set(kind.prefix, kind);
    await cache.start();
  }

  /** Stops following a kind. Its watches end, so that their clients come again; what runs may still use the cache for a while. */
  retire(kind: ApiKind): void {
    const cache = this.#byKind.get(kind);
    if (cache === undefined) return;
    this.#byKind.delete(kind);
    cache.endWatches();
    const timer = this.#options.clock.after(GRACE_MS, () => {
      this.#retired.delete(kind);
      void cache.close();
    });
    this.#retired.set(kind, { cache, timer });
  }

  of(kind: ApiKind): KindCache {
    const cache = this.#byKind.get(kind) ?? this.#retired.get(kind)?.cache;
    if (cache === undefined) throw new Error(`${kind.resource} is not served`);
    return cache;
  }

  /** The built-in kind whose objects lie under a key. */
  kindOf(key: string): ApiKind {
    const end = key.indexOf('/', key.indexOf('/', '/registry/'.length) + 1);
    const kind = this.#byPrefix.get(key.slice(0, end + 1));
    if (kind === undefined) throw new Error(`no kind for ${key}`);
    return kind;
  }

  all(): Iterable<KindCache> {
    return this.#byKind.values();
  }

  /**
   * The store's revision, read after the call. Callers that come while one is being read share the next, so that a thousand lists
   * cost two round trips.
   */
  revision(): Promise<Revision> {
    if (this.#asking === undefined) {
      this.#asking = this.#options.store.revision().finally(() => (this.#asking = undefined));
      return this.#asking;
    }
    const after = this.#asking.then(ignore, ignore);
    this.#askNext ??= after.then(() => {
      this.#askNext = undefined;
      return this.revision();
    });
    return this.#askNext;
  }

  async close(): Promise<void> {
    const retired = [...this.#retired.values()];
    this.#retired.clear();
    for (const { timer } of retired) timer.cancel();
    await Promise.all([...this.#byKind.values(), ...retired.map(({ cache }) => cache)].map((cache) => cache.close()));
  }
}

const ignore = (): void => undefined;
