import { parseDuration, type Clock } from '../../base/index.ts';
import type { LeaseId, Store } from '../storage/store.ts';
import type { ApiKind } from './kinds.ts';
import { TTL_ANNOTATION } from './metadata.ts';
import type { ApiObject } from './object.ts';
import type { Version } from './version.ts';

/** Objects of about the same end share a store lease, so that a thousand Events cost one. */
const BUCKET_MS = 60_000;

/** How long the object lives without being renewed, in milliseconds; undefined: for ever. */
export function ttlOf(object: ApiObject): number | undefined {
  const text = object.metadata.annotations?.[TTL_ANNOTATION];
  return text === undefined ? undefined : parseDuration(text);
}

/**
 * Binds objects with a TTL to store leases. A Lease object has a store lease of its own, which its holder keeps alive; other kinds
 * share one per TTL and minute, which nobody keeps alive: a write moves the object to a later one.
 */
export class StoreLeases {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #shared = new Map<number, { until: number; lease: Promise<LeaseId> }>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The lease to store the object with. `fresh` says that it was granted for this write, so that it goes when the write fails. */
  async bind(kind: ApiKind, object: ApiObject, current: Version | undefined): Promise<{ lease?: LeaseId; fresh?: boolean }> {
    const ttl = ttlOf(object);
    if (ttl === undefined) return {};
    if (kind.kind !== 'Lease') return { lease: await this.#bucket(ttl) };
    if (current?.lease !== undefined && ttlOf(current.object) === ttl) return { lease: current.lease };
    return { lease: await this.#store.grantLease(ttl / 1000), fresh: true };
  }

  /** Whether the lease serves this object alone. */
  owns(kind: ApiKind): boolean {
    return kind.kind === 'Lease';
  }

  /** One of them turned out to be gone: grant new ones. */
  forget(): void {
    this.#shared.clear();
  }

  #bucket(ttl: number): Promise<LeaseId> {
    const now = this.#clock.now();
    const known = this.#shared.get(ttl);
    if (known !== undefined && known.until > now) return known.lease;
    // It outlives the last object that joins it by no more than the bucket.
    const lease = this.#store.grantLease((ttl + BUCKET_MS) / 1000);
    this.#shared.set(ttl, { until: now + Math.min(BUCKET_MS, ttl), lease });
    lease.catch(() => this.#shared.delete(ttl));
    if (this.#shared.size > 100) for (const [key, { until }] of this.#shared) if (until <= now) this.#shared.delete(key);
    return lease;
  }
}
