/**
 * The embedded store: one folder on one machine, nothing to install.
 *
 * A transaction is decided at once, in memory, against the newest state (`txn.ts`, pure): what is on the disk (`disk.ts`, laid out in
 * `records.ts`) with what is on its way there laid over it. JavaScript runs one thing at a time, so transactions are serial without
 * a lock. The decision goes to the committer (`committer.ts`), whose loop writes all that has gathered in one commit with one sync;
 * then readers see it, watchers get its events (`../feed.ts`), and the writers are told, in this order.
 *
 * Promised: what was acknowledged survives kill -9 at any instant and power loss; nobody ever sees what could still be lost; a watch
 * has no gap between the log and the live tail, and a slow watcher costs no memory.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describeError, type Clock, type Logger } from '../../../base/index.ts';
import {
  FutureRevisionError,
  LeaseNotFoundError,
  StoreFullError,
  StoreSetAsideError,
  StoreUnavailableError,
  type Compare,
  type KeyRange,
  type LeaseId,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  type StoreEvent,
  type StoreProblem,
  type TxnResult,
  type WatchBatch,
  type WatchOptions,
  type Write,
} from '../store.ts';
import { Feed } from '../feed.ts';
import { checkTransaction } from '../keys.ts';
import { Latency } from '../latency.ts';
import { Committer, type Unit } from './committer.ts';
import { Disk, meta, type Change } from './disk.ts';
import { logHistory } from './history.ts';
import { Leases } from './leases.ts';
import { lockDirectory } from './lock.ts';
import * as records from './records.ts';
import { changes, decide, toEvent, type Decision, type Version, type Written } from './txn.ts';

export interface EmbeddedStoreOptions {
  /** The folder; it is made when it is missing. */
  readonly path: string;
  /** At which revision a new store begins, as nothing before it can be read. Default 1, as in etcd. */
  readonly firstRevision?: number;
  readonly log: Logger;
  readonly clock: Clock;
}

/** In the folder of a store that was moved elsewhere: where to. */
export const MOVED_FILE = 'MOVED';

/** Opens the store in a folder, or makes one there. Fails when another process has it open. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  let unlock: (() => void) | undefined;
  let disk: Disk | undefined;
  try {
    unlock = lockDirectory(options.path);
    refuseMoved(options.path);
    disk = new Disk(options.path);
    await disk.initialise(options.firstRevision);
    const store = new EmbeddedStore(disk, unlock, options);
    await store.resume();
    return store;
  } catch (error) {
    await disk?.close();
    unlock?.();
    throw new Error(`cannot open the store in ${options.path}`, { cause: error });
  }
}

function refuseMoved(path: string): void {
  const file = join(path, MOVED_FILE);
  if (!existsSync(file)) return;
  throw new StoreSetAsideError(`it was moved ${readFileSync(file, 'utf8').trim()} (to work on it all the same, delete ${file})`);
}

/** A revision on its way to the disk. */
interface Revised extends Unit {
  readonly revision: Revision;
  readonly written: readonly Written[];
}

class EmbeddedStore implements Store {
  readonly limits = { operations: 16_384, bytes: 64 << 20 };
  readonly description: string;
  readonly #disk: Disk;
  readonly #unlock: () => void;
  readonly #log: Logger;
  readonly #committer: Committer;
  readonly #feed: Feed;
  readonly #leases: Leases;
  readonly #latency: Latency;
  /** What is decided but not on the disk yet; undefined stands for a deleted key. */
  readonly #ahead = new Map<string, { revision: Revision; version: Version | undefined }>();
  /** The newest revision that is decided. */
  #revision: Revision;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;
  /** Set when the disk failed; the process must open the store anew. */
  #broken: StoreUnavailableError | undefined;

  constructor(disk: Disk, unlock: () => void, { path, log, clock }: EmbeddedStoreOptions) {
    this.description = `embedded store in ${path}`;
    this.#disk = disk;
    this.#unlock = unlock;
    this.#log = log;
    const { revision, compacted } = disk.read((view) => ({
      revision: view.meta('revision')!,
      compacted: view.meta('compacted') ?? 0,
    }));
    this.#revision = revision;
    this.#feed = new Feed(
      logHistory(disk, () => this.#feed.revision),
      revision,
      compacted,
    );
    this.#leases = new Leases(clock, (lease) => this.#expire(lease));
    this.#latency = new Latency(clock);
    this.#committer = new Committer(disk, log, this.#latency, (units) => this.#committed(units), (error) => this.#failed(error)); // prettier-ignore
  }

  /** Takes up what the last process left: leases start their time anew, an unfinished compaction goes on. */
  async resume(): Promise<void> {
    this.#loadLeases();
    const compacted = this.#feed.compacted;
    if (this.#disk.read((view) => view.meta('swept') ?? 0) < compacted) await this.#sweep(compacted);
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    this.#assertOpen();
    return this.#disk.read((view) => view.range(range, options));
  }

  async txn(compares: readonly Compare[], writes: readonly Write[]): Promise<TxnResult> {
    this.#assertOpen();
    checkTransaction(compares, writes, this.limits);
    for (const write of writes) {
      if (write.type === 'put' && write.lease !== undefined && !this.#leases.has(write.lease))
        throw new LeaseNotFoundError(write.lease);
    }
    const decision = this.#decide(compares, writes);
    if (decision.type === 'refused' || decision.written.length === 0) {
      const revision = this.#revision;
      await this.#committer.barrier(); // what it was decided on must not get lost any more
      return decision.type === 'refused'
        ? { succeeded: false, revision, current: decision.current }
        : { succeeded: true, revision };
    }
    const revised = this.#revise(decision.written);
    await this.#committer.add(revised);
    return { succeeded: true, revision: revised.revision };
  }

  watch(range: KeyRange, options: WatchOptions = {}): AsyncIterable<WatchBatch> {
    this.#assertOpen();
    return this.#feed.watch(range, options.startRevision ?? this.#newest() + 1, options.signal);
  }

  async requestProgress(): Promise<void> {
    this.#assertOpen();
    this.#feed.requestProgress();
  }

  async revision(): Promise<Revision> {
    this.#assertOpen();
    return this.#newest();
  }

  async grantLease(ttlSeconds: number): Promise<LeaseId> {
    this.#assertOpen();
    if (!(ttlSeconds > 0)) throw new RangeError(`a lease needs a positive TTL, not ${ttlSeconds}`);
    const lease = randomBytes(records.LEASE_ID_LENGTH / 2).toString('hex');
    const ttl = Math.ceil(ttlSeconds * 1000);
    await this.#committer.add({ changes: [{ key: records.leaseKey(lease), value: records.encodeNumber(ttl) }] });
    this.#leases.add(lease, ttl);
    this.#leases.keepAlive(lease);
    return lease;
  }

  async keepAlive(lease: LeaseId): Promise<void> {
    this.#assertOpen();
    if (!this.#leases.keepAlive(lease)) throw new LeaseNotFoundError(lease);
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    this.#assertOpen();
    if (!this.#leases.has(lease)) throw new LeaseNotFoundError(lease);
    const deletes = this.#leases.keys(lease).map((key): Write => ({ type: 'delete', key }));
    this.#leases.remove(lease);
    const decision = this.#decide([], deletes);
    const gone: Change = { key: records.leaseKey(lease) };
    if (decision.type === 'write' && decision.written.length > 0)
      await this.#committer.add(this.#revise(decision.written, [gone]));
    else await this.#committer.add({ changes: [gone] });
  }

  async leaseTtl(lease: LeaseId): Promise<number> {
    this.#assertOpen();
    const ttl = this.#leases.ttl(lease);
    if (ttl === undefined) throw new LeaseNotFoundError(lease);
    return ttl / 1000;
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    if (revision > this.#feed.revision) throw new FutureRevisionError(revision, this.#feed.revision);
    const sweep = this.#sweeping.then(async () => {
      if (revision <= this.#feed.compacted) return;
      await this.#committer.add({ changes: [meta('compacted', revision)] }); // first refuse reads, then take the records away
      this.#feed.compactedTo(revision);
      await this.#sweep(revision);
    });
    this.#sweeping = sweep.catch(() => undefined);
    await sweep;
  }

  async compactedRevision(): Promise<Revision> {
    this.#assertOpen();
    return this.#feed.compacted;
  }

  async problems(): Promise<StoreProblem[]> {
    this.#assertOpen();
    const problems: StoreProblem[] = [];
    try {
      this.#disk.assertRoom([]);
    } catch (error) {
      problems.push({ name: 'space', message: `${describeError(error)}: writes are refused`, bearable: false });
    }
    const slow = this.#latency.problem;
    if (slow !== undefined) problems.push({ name: 'latency', message: `${slow}: the disk is slow`, bearable: true });
    return problems;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leases.clear();
    this.#feed.close();
    await this.#sweeping;
    await this.#committer.close();
    if (this.#broken === undefined) await this.#disk.close();
    this.#unlock();
  }

  /** Decides on the newest versions of the keys, on the disk or on their way there. */
  #decide(compares: readonly Compare[], writes: readonly Write[]): Decision {
    return this.#disk.read((view) => {
      const seen = new Map<string, Version | undefined>();
      const version = (key: string): Version | undefined => {
        const ahead = this.#ahead.get(key);
        if (ahead !== undefined) return ahead.version;
        if (!seen.has(key)) {
          const head = view.head(key);
          seen.set(key, head && { ...view.keyValue(key, head), seq: head.seq });
        }
        return seen.get(key);
      };
      return decide(compares, writes, { version }, this.#revision + 1);
    });
  }

  /** Makes a decision the newest state. From here to the committer nothing waits, so revisions reach the disk in order. */
  #revise(written: readonly Written[], more: readonly Change[] = []): Revised {
    const revision = ++this.#revision;
    for (const { key, version, previous } of written) {
      this.#ahead.set(key, { revision, version });
      if (previous?.lease !== undefined) this.#leases.detach(previous.lease, key);
      if (version?.lease !== undefined) this.#leases.attach(version.lease, key);
    }
    return { revision, written, changes: [...changes(written, revision), ...more] };
  }

  #committed(units: readonly Unit[]): void {
    const revised = units.filter((unit): unit is Revised => unit.revision !== undefined);
    const published: { revision: Revision; events: StoreEvent[] }[] = [];
    for (const { revision, written } of revised) {
      for (const { key } of written) if (this.#ahead.get(key)?.revision === revision) this.#ahead.delete(key);
      published.push({ revision, events: written.map((one) => toEvent(one, revision)) });
    }
    this.#feed.publish(published);
  }

  /** What was decided and not written is void. Without space all goes on from what is on the disk; any other failure is final. */
  #failed(error: StoreUnavailableError): void {
    if (!(error instanceof StoreFullError)) {
      this.#broken = error;
      this.#leases.clear();
      this.#feed.close();
      return;
    }
    this.#ahead.clear();
    this.#revision = this.#feed.revision;
    this.#loadLeases();
  }

  #loadLeases(): void {
    this.#leases.clear();
    this.#disk.read((view) => {
      for (const { lease, ttl } of view.leases()) this.#leases.add(lease, ttl);
      for (const { lease, key } of view.leased()) this.#leases.attach(lease, key);
      for (const { lease } of view.leases()) this.#leases.keepAlive(lease);
    });
  }

  #expire(lease: LeaseId): void {
    if (this.#closed || this.#broken !== undefined) return;
    this.revokeLease(lease).catch((error: unknown) => {
      // There is no space, so the lease is back with its full time, and will be tried again.
      this.#log.warn('could not expire a lease', { lease, error: describeError(error) });
    });
  }

  /** Removes what ended at or before the revision: the log since the last compaction names it. */
  async #sweep(compacted: Revision): Promise<void> {
    let place: records.Place = { revision: this.#disk.read((view) => view.meta('swept') ?? 0), seq: 0 };
    for (;;) {
      const chunk = this.#disk.read((view) => sweepChunk(view.log(place.revision), place, compacted));
      await this.#committer.add({
        changes: chunk.next === undefined ? [...chunk.changes, meta('swept', compacted)] : chunk.changes,
      });
      if (chunk.next === undefined) return;
      place = chunk.next;
      if (this.#closed) return;
      await nextTurn();
    }
  }

  /** The newest revision on the disk. */
  #newest(): Revision {
    return this.#disk.read((view) => view.meta('revision')!);
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreUnavailableError('the store is closed');
    if (this.#broken !== undefined)
      throw new StoreUnavailableError('the embedded store failed, restart the server', { cause: this.#broken });
  }
}

const SWEEP_ENTRIES = 1024;

function sweepChunk(
  log: Iterable<records.LogEntry>,
  from: records.Place,
  compacted: Revision,
): { changes: Change[]; next?: records.Place } {
  const result: Change[] = [];
  let read = 0;
  for (const entry of log) {
    if (entry.revision > compacted) break;
    if (entry.revision === from.revision && entry.seq < from.seq) continue;
    if (read++ === SWEEP_ENTRIES) return { changes: result, next: { revision: entry.revision, seq: entry.seq } };
    if (entry.before !== undefined) {
      result.push({ key: records.pastKey(entry.key, entry.before.revision) }, { key: records.logKey(entry.before) });
    }
    if (entry.type === 'delete' && entry.revision < compacted) result.push({ key: records.logKey(entry) });
  }
  return { changes: result };
}
