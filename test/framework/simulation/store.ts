import { checkTransaction, inRange } from '../../../apiserver/storage/keys.ts';
import {
  CompactedError,
  FutureRevisionError,
  LeaseNotFoundError,
  StoreUnavailableError,
  type Compare,
  type KeyRange,
  type KeyValue,
  type LeaseId,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  type StoreEvent,
  type TxnResult,
  type WatchBatch,
  type WatchOptions,
  type Write,
} from '../../../apiserver/storage/store.ts';
import type { Timer } from '../../../base/index.ts';
import type { Process, World } from './world.ts';

/** Those of etcd. */
const LIMITS: Store['limits'] = { operations: 128, bytes: 1_500_000 };

/** A store as far away as etcd is: every call takes its time, there and back, and may find nobody there. */
export class SimStore {
  /** Called with each revision as it comes to be. */
  onRevision: (revision: Revision, events: readonly StoreEvent[]) => void = () => undefined;
  readonly #world: World;
  readonly #items = new Map<string, KeyValue>();
  /** The events of each revision from `#first` on. */
  #log: (readonly StoreEvent[])[] = [];
  #first: Revision = 1;
  #revision: Revision = 0;
  #compacted: Revision = 0;
  readonly #leases = new Map<LeaseId, { ttlMs: number; keys: Set<string>; timer: Timer }>();
  #leaseSeq = 0;
  #down = false;
  readonly #watchers = new Set<{ readonly range: KeyRange; readonly wake: () => void }>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Away: calls fail, watches hear nothing. Leases go on, as long as it was away, from when it is back. */
  set down(down: boolean) {
    this.#down = down;
    if (down) for (const lease of this.#leases.values()) lease.timer.cancel();
    else {
      for (const id of this.#leases.keys()) this.#arm(id);
      for (const { wake } of this.#watchers) wake();
    }
  }

  /** What it is at this moment, without any delay: for who judges from outside. */
  get items(): ReadonlyMap<string, KeyValue> {
    return this.#items;
  }

  /** The store as a process sees it. */
  connect(process: Process): Store {
    const call = <T>(work: () => T): Promise<T> => this.#call(process, work);
    return {
      range: (range, options) => call(() => this.#range(range, options)),
      txn: (compares, writes) => call(() => this.#txn(compares, writes)),
      watch: (range, options) => this.#watch(process, range, options),
      requestProgress: () => call(() => this.#progress()),
      revision: () => call(() => this.#revision),
      grantLease: (ttlSeconds) => call(() => this.#grant(ttlSeconds)),
      keepAlive: (lease) => call(() => this.#keepAlive(lease)),
      revokeLease: (lease) => call(() => this.#expire(lease)),
      leaseTtl: (lease) => call(() => this.#ttl(lease)),
      compact: (revision) => call(() => this.#compact(revision)),
      compactedRevision: () => call(() => this.#compacted),
      limits: LIMITS,
      description: 'simulated',
      problems: () => call(() => []),
      close: () => Promise.resolve(),
    };
  }

  #delay(): number {
    return this.#world.chance.between(0.1, 3);
  }

  #call<T>(process: Process, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void): void => void this.#world.after(this.#delay(), () => process.deliver(settle));
      this.#world.after(this.#delay(), () => {
        // What was sent before the sender died arrives all the same.
        if (this.#down) return answer(() => reject(new StoreUnavailableError('the store is away')));
        try {
          const result = work();
          answer(() => resolve(result));
        } catch (error) {
          answer(() => reject(error));
        }
      });
    });
  }

  #ttl(lease: LeaseId): number {
    const found = this.#leases.get(lease);
    if (found === undefined) throw new LeaseNotFoundError(lease);
    return found.ttlMs / 1000;
  }

  #range({ start, end }: KeyRange, { limit = 0, revision, keysOnly = false }: RangeOptions = {}): RangeResult {
    if (revision !== undefined && revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision !== undefined && revision < this.#compacted) throw new CompactedError(this.#compacted);
    const items = revision === undefined || revision === this.#revision ? this.#items : this.#at(revision);
    const found =
      end === undefined
        ? [items.get(start)].filter((item) => item !== undefined)
        : [...items.values()].filter(({ key }) => key >= start && key < end).sort((a, b) => (a.key < b.key ? -1 : 1));
    const page = limit > 0 ? found.slice(0, limit) : found;
    return {
      revision: this.#revision,
      items: keysOnly ? page.map((item) => ({ ...item, value: Buffer.alloc(0) })) : page,
      count: found.length,
      more: page.length < found.length,
    };
  }

  /** The items of the past, by undoing what came after. */
  #at(revision: Revision): Map<string, KeyValue> {
    const items = new Map(this.#items);
    for (let r = this.#revision; r > revision; r--) {
      for (const event of this.#log[r - this.#first]!) {
        const key = event.type === 'put' ? event.kv.key : event.key;
        if (event.previous === undefined) items.delete(key);
        else items.set(key, event.previous);
      }
    }
    return items;
  }

  #txn(compares: readonly Compare[], writes: readonly Write[]): TxnResult {
    checkTransaction(compares, writes, LIMITS);
    if (compares.some(({ key, modRevision }) => (this.#items.get(key)?.modRevision ?? 0) !== modRevision)) {
      return { succeeded: false, revision: this.#revision, current: compares.map(({ key }) => this.#items.get(key)) };
    }
    for (const write of writes) {
      if (write.type === 'put' && write.lease !== undefined && !this.#leases.has(write.lease))
        throw new LeaseNotFoundError(write.lease);
    }
    this.#write(writes);
    return { succeeded: true, revision: this.#revision };
  }

  #write(writes: readonly Write[]): void {
    const revision = this.#revision + 1;
    const events: StoreEvent[] = [];
    for (const write of writes) {
      const previous = this.#items.get(write.key);
      if (write.type === 'delete') {
        if (previous === undefined) continue;
        this.#items.delete(write.key);
        this.#leases.get(previous.lease ?? '')?.keys.delete(write.key);
        events.push({ type: 'delete', key: write.key, revision, previous });
        continue;
      }
      const kv: KeyValue = {
        key: write.key,
        value: write.value,
        createRevision: previous?.createRevision ?? revision,
        modRevision: revision,
        ...(write.lease !== undefined && { lease: write.lease }),
      };
      this.#leases.get(previous?.lease ?? '')?.keys.delete(write.key);
      this.#leases.get(write.lease ?? '')?.keys.add(write.key);
      this.#items.set(write.key, kv);
      events.push({ type: 'put', kv, ...(previous && { previous }) });
    }
    if (events.length === 0) return;
    this.#revision = revision;
    this.#log.push(events);
    this.onRevision(revision, events);
    for (const { range, wake } of this.#watchers)
      if (events.some((event) => inRange(range, event.type === 'put' ? event.kv.key : event.key))) wake();
  }

  #grant(ttlSeconds: number): LeaseId {
    const id = String(++this.#leaseSeq);
    this.#leases.set(id, { ttlMs: ttlSeconds * 1000, keys: new Set(), timer: { cancel: () => undefined } });
    this.#arm(id);
    return id;
  }

  #keepAlive(id: LeaseId): void {
    if (!this.#leases.has(id)) throw new LeaseNotFoundError(id);
    this.#arm(id);
  }

  #arm(id: LeaseId): void {
    const lease = this.#leases.get(id)!;
    lease.timer.cancel();
    lease.timer = this.#world.after(lease.ttlMs, () => this.#expire(id));
  }

  #expire(id: LeaseId): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.timer.cancel();
    this.#leases.delete(id);
    this.#write([...lease.keys].map((key) => ({ type: 'delete', key })));
  }

  #compact(revision: Revision): void {
    if (revision <= this.#compacted) return;
    this.#compacted = Math.min(revision, this.#revision);
    // One more revision is kept, so that what was there at the compacted one can still be told.
    this.#log = this.#log.slice(Math.max(0, this.#compacted - this.#first));
    this.#first = Math.max(this.#first, this.#compacted);
  }

  #progress(): void {
    for (const { wake } of this.#watchers) wake();
  }

  #watch(process: Process, range: KeyRange, { startRevision, signal }: WatchOptions = {}): AsyncIterable<WatchBatch> {
    let next = Math.max(startRevision ?? this.#revision + 1, 1);
    let asked = false;
    let closed = signal?.aborted === true;
    let waiting: (() => void) | undefined;
    let ready: WatchBatch[] = [];
    let failure: Error | undefined;
    const settle = (): void => {
      waiting?.();
      waiting = undefined;
    };
    // A batch is read when it arrives, so it may carry what happened on its way; batches of one watch never overtake each other.
    const pump = (): void => {
      if (asked || closed) return;
      asked = true;
      this.#world.after(this.#delay(), () =>
        process.deliver(() => {
          asked = false;
          if (closed || this.#down) return;
          if (next < this.#compacted && next <= this.#revision) failure = new CompactedError(this.#compacted);
          else {
            const events: StoreEvent[] = [];
            for (; next <= this.#revision; next++) {
              for (const event of this.#log[next - this.#first]!)
                if (inRange(range, event.type === 'put' ? event.kv.key : event.key)) events.push(event);
            }
            ready.push({ revision: Math.max(this.#revision, next - 1), events });
          }
          settle();
        }),
      );
    };
    const watcher = { range, wake: pump };
    const leave = (): void => void this.#watchers.delete(watcher);
    const close = (): void => {
      closed = true;
      leave();
      settle();
    };
    this.#watchers.add(watcher);
    process.onDeath(leave);
    signal?.addEventListener('abort', close, { once: true });
    if (next <= this.#revision) pump();
    const iterator: AsyncIterableIterator<WatchBatch> = {
      [Symbol.asyncIterator]: () => iterator,
      next: async () => {
        for (;;) {
          if (closed) return { done: true, value: undefined };
          if (failure !== undefined) {
            close();
            throw failure;
          }
          const batch = ready.shift();
          if (batch !== undefined) return { done: false, value: batch };
          await new Promise<void>((resolve) => (waiting = resolve));
        }
      },
      return: () => {
        close();
        ready = [];
        return Promise.resolve({ done: true, value: undefined });
      },
    };
    return iterator;
  }
}
