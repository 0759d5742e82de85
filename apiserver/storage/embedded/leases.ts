import type { Clock, Timer } from '../../../base/index.ts';
import type { LeaseId } from '../store.ts';

interface Lease {
  readonly ttl: number;
  readonly keys: Set<string>;
  timer: Timer | undefined;
}

/**
 * The leases and their time, which lives in memory only: to keep one alive costs no write, and after a restart each has its full
 * TTL again. Time is that of timers, not of the wall clock, so a jump of the clock expires nothing. A lease runs out in two steps: when the process was paused,
 * all timers are due at once, and the second step gives holders the time to come through before they are declared dead.
 */
export class Leases {
  readonly #clock: Clock;
  readonly #onExpired: (lease: LeaseId) => void;
  readonly #leases = new Map<LeaseId, Lease>();

  constructor(clock: Clock, onExpired: (lease: LeaseId) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  has(lease: LeaseId): boolean {
    return this.#leases.has(lease);
  }

  ttl(lease: LeaseId): number | undefined {
    return this.#leases.get(lease)?.ttl;
  }

  keys(lease: LeaseId): string[] {
    return [...(this.#leases.get(lease)?.keys ?? [])];
  }

  /** Starts the lease's time, anew when it is there already; false when it is not. */
  keepAlive(lease: LeaseId): boolean {
    const entry = this.#leases.get(lease);
    if (entry === undefined) return false;
    this.#arm(lease, entry);
    return true;
  }

  add(lease: LeaseId, ttl: number): void {
    if (!this.#leases.has(lease)) this.#leases.set(lease, { ttl, keys: new Set(), timer: undefined });
  }

  remove(lease: LeaseId): void {
    this.#leases.get(lease)?.timer?.cancel();
    this.#leases.delete(lease);
  }

  attach(lease: LeaseId, key: string): void {
    this.#leases.get(lease)?.keys.add(key);
  }

  detach(lease: LeaseId, key: string): void {
    this.#leases.get(lease)?.keys.delete(key);
  }

  clear(): void {
    for (const lease of [...this.#leases.keys()]) this.remove(lease);
  }

  #arm(lease: LeaseId, entry: Lease): void {
    entry.timer?.cancel();
    entry.timer = this.#clock.after(entry.ttl * (1 - LAST_CALL), () => {
      entry.timer = this.#clock.after(entry.ttl * LAST_CALL, () => this.#onExpired(lease));
    });
  }
}

const LAST_CALL = 0.25;
