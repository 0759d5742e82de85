/**
 * The store in an etcd cluster, below a key prefix.
 *
 * Reads and transactions are one call each, where many small transactions come at once one for several of them (`groups.ts`), to one
 * member until it fails (`members.ts`; `connection.ts` repeats what may be repeated); a transaction whose answer is lost is sent again
 * and still applied at most once (`lanes.ts`). One watch on everything below the prefix (`stream.ts`) feeds all watchers of this
 * process (`../feed.ts`); who starts in the past replays with a stream of his own until he is within the ring.
 *
 * A progress notice of etcd is not used: before 3.4.25 and 3.5.8 one may overtake events. To know that a watch is complete up to now
 * we write a key of our own and wait until the watch brings it.
 *
 * Promised: what etcd promises, to the members that have a quorum. A member that lost its leader ends its streams, and the next is
 * asked. What was done when a call fails with StoreUnavailableError is not known.
 */
import type { IAlarmRequest, IKeyValue, IRangeResponse, IRequestOp, ITxnResponse } from 'etcd3';
import { describeError, sleep, backoff, type Clock, type Instant, type Logger } from '../../../base/index.ts';
import {
  CompactedError,
  FutureRevisionError,
  LeaseNotFoundError,
  StoreFullError,
  StoreUnavailableError,
  TransactionTooLargeError,
  type Compare,
  type KeyRange,
  type KeyValue,
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
import { checkTransaction, inRange } from '../keys.ts';
import { Latency } from '../latency.ts';
import { Codec } from './codec.ts';
import { Connection, isTransient, messageOf, type EtcdConnectionOptions } from './connection.ts';
import { Groups, outcomes, type Transaction } from './groups.ts';
import { KeepAlives } from './keepalive.ts';
import { Lanes, type Lane } from './lanes.ts';
import { readOrigin, type Origin } from './origin.ts';
import { streamEvents } from './stream.ts';

export interface EtcdStoreOptions extends EtcdConnectionOptions {
  /** In front of every key, for example `/orch/`. Stores with different prefixes do not see each other. */
  readonly prefix: string;
  /** For a restore, which knows it before etcd does. */
  readonly origin?: Origin;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Connects to a cluster. Fails with StoreUnavailableError when none of the endpoints answers for a while. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const connection = await Connection.load(options, options);
  try {
    const store = new EtcdStore(connection, options);
    await store.start(options.origin);
    return store;
  } catch (error) {
    connection.close();
    const what = error instanceof StoreUnavailableError ? 'cannot reach etcd' : 'cannot use etcd';
    throw new StoreUnavailableError(`${what} at ${options.endpoints.join(', ')}`, { cause: error });
  }
}

/** Items that one call of a range returns; the rest comes with further calls at the same revision. */
const PAGE = 1000;
const MARK = '\0mark';

class EtcdStore implements Store {
  /** etcd takes 128 operations and 1.5 MiB (--max-txn-ops, --max-request-bytes); a lane, and the keys of a refusal, need their part. */
  readonly limits = { operations: 126, bytes: 1_400_000 };
  readonly description: string;
  readonly #connection: Connection;
  readonly #codec: Codec;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #lanes = new Lanes();
  readonly #groups: Groups;
  readonly #keepAlives: KeepAlives;
  readonly #abort = new AbortController();
  readonly #feed: Feed;
  readonly #latency: Latency;
  /** Nothing before this revision can be read: there the store was restored. */
  #floor: Revision = 0;
  /** The last write was refused for lack of space. */
  #full = false;
  #tail: Promise<void> = Promise.resolve();
  /** The newest revision that any answer told. */
  #known: Revision = 0;
  /** When the feed is there, watches get their progress; 0: nobody asked. */
  #progressAt: Revision = 0;

  constructor(connection: Connection, { prefix, endpoints, log, clock }: EtcdStoreOptions) {
    this.description = `etcd at ${endpoints.join(', ')}, prefix ${prefix}`;
    this.#connection = connection;
    this.#codec = new Codec(prefix);
    this.#log = log;
    this.#clock = clock;
    this.#keepAlives = new KeepAlives(connection, clock);
    this.#latency = new Latency(clock);
    this.#groups = new Groups(
      {
        alone: (transaction, end) => this.#commit(transaction, end),
        together: (transactions, end) => this.#commitGroup(transactions, end),
        deadline: () => connection.deadline(),
      },
      clock,
    );
    this.#feed = new Feed((range, from, signal) => this.#history(range, from, signal), 0, 0);
  }

  async start(origin?: Origin): Promise<void> {
    const { base, floor } = origin ?? (await readOrigin(this.#connection, this.#codec));
    this.#codec.base = base;
    this.#floor = floor;
    this.#feed.compactedTo(floor);
    this.#feed.skipTo(await this.#newest());
    this.#tail = this.#tailLoop();
    try {
      const lane = this.#lanes.take(); // the first write need not wait for it
      [lane.revision] = await Promise.all([this.#touch(lane.key), this.#mark()]);
      this.#lanes.giveBack(lane);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      this.#log.error('etcd takes no writes', { error: describeError(error) }); // there is still much to read
    }
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    this.#assertOpen();
    const limit = options.limit === undefined || options.limit <= 0 ? Infinity : options.limit;
    if (options.revision !== undefined && options.revision < this.#floor)
      throw new CompactedError(await this.compactedRevision());
    const keys = this.#codec.range(range);
    const items: KeyValue[] = [];
    const call = async (key: Buffer, revision: Revision | undefined): Promise<IRangeResponse> => {
      const size = Math.min(PAGE, limit - items.length);
      const request = {
        ...keys,
        key,
        limit: size,
        keys_only: options.keysOnly === true,
        ...(revision !== undefined && { revision: this.#codec.etcds(revision) }),
      };
      try {
        return await this.#connection.repeat('range', () => this.#connection.kv.range(request));
      } catch (error) {
        throw await this.#rangeError(error, revision);
      }
    };
    let page = await call(keys.key, options.revision);
    const revision = this.#learn(page);
    const count = Number(page.count);
    for (;;) {
      items.push(...page.kvs.map((kv) => this.#codec.keyValue(kv)));
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined || items.length >= limit) break;
      page = await call(Buffer.concat([last.key, Buffer.from([0])]), options.revision ?? revision);
    }
    return { revision, items, count, more: count > items.length };
  }

  async txn(compares: readonly Compare[], writes: readonly Write[]): Promise<TxnResult> {
    this.#assertOpen();
    checkTransaction(compares, writes, this.limits);
    if (writes.length === 0) return this.#check(compares);
    return this.#latency.measure(() => this.#groups.add({ compares, writes }));
  }

  async #commit({ compares, writes }: Transaction, end: Instant): Promise<TxnResult> {
    const operations = writes.map((write) => this.#write(write));
    const { responses: _, ...result } = await this.#send(compares, operations, writes, end);
    return result;
  }

  /** Several transactions in one; a compare of each is its own matter. */
  async #commitGroup(transactions: readonly Transaction[], end: Instant): Promise<TxnResult[]> {
    const members = transactions.map(({ compares, writes }): IRequestOp => ({
      request_txn: {
        compare: compares.map((compare) => this.#compare(compare)),
        success: writes.map((write) => this.#write(write)),
        failure: this.#reads(compares),
      },
    }));
    const { revision, responses } = await this.#send([], members, [], end);
    if (responses !== undefined) {
      return responses.slice(0, members.length).map(({ response_txn: { succeeded, responses: found } }): TxnResult => {
        if (succeeded) return { succeeded, revision };
        return {
          succeeded,
          revision,
          current: found.map(({ response_range: { kvs } }) => kvs[0] && this.#codec.keyValue(kvs[0])),
        };
      });
    }
    const before = async (key: string): Promise<KeyValue | undefined> =>
      (await this.range({ start: key }, { revision: revision - 1 })).items[0];
    return await outcomes(transactions, revision, before).catch((error: unknown) => {
      throw error instanceof CompactedError ? unanswered(error) : error;
    });
  }

  /** Sends operations until it is known what came of them, or `end` has come. Where that is found out later, there are no responses. */
  async #send(
    compares: readonly Compare[],
    operations: readonly IRequestOp[],
    writes: readonly Write[],
    end: Instant,
  ): Promise<Sent> {
    const lane = this.#lanes.take();
    const token = this.#lanes.token();
    let uncertain: unknown; // an attempt whose answer was lost may have been applied, or still be
    for (let attempt = 0; ; attempt++) {
      let answer: ITxnResponse;
      // A lane must be there before it is used: to find it gone then means that nothing is known, not that nothing has happened.
      if (lane.revision === 0) lane.revision = await this.#touch(lane.key, end);
      try {
        answer = await this.#connection.kv.txn(this.#transaction(compares, operations, lane, token, attempt > 0));
        this.#connection.answered();
        this.#full = false;
      } catch (error) {
        if (!isTransient(error)) {
          if (uncertain === undefined) this.#lanes.giveBack(lane);
          throw this.#txnError(error, writes);
        }
        uncertain = error;
        await this.#connection.pause(attempt, end, 'transaction', error);
        continue;
      }
      const revision = this.#learn(answer);
      if (answer.succeeded) {
        lane.revision = revision;
        this.#lanes.giveBack(lane);
        return { succeeded: true, revision, responses: answer.responses };
      }
      const found = answer.responses.slice(0, compares.length + 1).map(({ response_range }) => response_range.kvs[0]);
      const moved = found.pop();
      const movedAt = moved === undefined ? 0 : this.#codec.revision(moved.mod_revision);
      const wasThere = movedAt === lane.revision;
      lane.revision = attempt > 0 && wasThere ? revision : movedAt; // a repeated attempt moves the lane when it is refused: nothing sent before can apply
      if (moved?.value.equals(token) === true) {
        this.#lanes.giveBack(lane);
        return { succeeded: true, revision: movedAt }; // an attempt before this one
      }
      if (!wasThere) {
        // A refusal of ours whose answer was lost moved it: what was sent before is void, and this attempt does not count. Otherwise
        // somebody cleaned up, and the lane says nothing about the attempts before.
        const byUs = moved?.value.equals(refusal(token)) === true;
        if (uncertain !== undefined && !byUs) throw unanswered(uncertain);
        continue;
      }
      this.#lanes.giveBack(lane);
      return { succeeded: false, revision, current: found.map((kv) => kv && this.#codec.keyValue(kv)) };
    }
  }

  watch(range: KeyRange, options: WatchOptions = {}): AsyncIterable<WatchBatch> {
    this.#assertOpen();
    return this.#feed.watch(range, options.startRevision ?? Math.max(this.#known, this.#feed.revision) + 1, options.signal);
  }

  async requestProgress(): Promise<void> {
    this.#assertOpen();
    const newest = await this.#newest();
    if (this.#feed.revision >= newest && !this.#feed.replaying) this.#feed.requestProgress();
    else {
      // Where there is no room for a mark we can but wait for the events themselves.
      const mark = await this.#mark().catch((error: unknown) => {
        if (error instanceof StoreFullError) return newest;
        throw error;
      });
      this.#progressAt = Math.max(this.#progressAt, mark);
      this.#tellProgress();
    }
  }

  async revision(): Promise<Revision> {
    this.#assertOpen();
    return this.#newest();
  }

  async grantLease(ttlSeconds: number): Promise<LeaseId> {
    this.#assertOpen();
    if (!(ttlSeconds > 0)) throw new RangeError(`a lease needs a positive TTL, not ${ttlSeconds}`);
    try {
      const request = { TTL: Math.ceil(ttlSeconds) };
      return (await this.#connection.repeat('lease grant', () => this.#connection.lease.leaseGrant(request))).ID;
    } catch (error) {
      throw this.#writeError(error);
    }
  }

  async keepAlive(lease: LeaseId): Promise<void> {
    this.#assertOpen();
    await this.#connection.repeat('keep-alive', () => this.#keepAlives.send(lease, this.#connection.callTimeout));
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    this.#assertOpen();
    let sent = 0;
    try {
      this.#learn(
        await this.#connection.repeat('lease revoke', () => (sent++, this.#connection.lease.leaseRevoke({ ID: lease }))),
      );
    } catch (error) {
      if (!isLeaseNotFound(error)) throw error;
      if (sent === 1) throw new LeaseNotFoundError(lease); // otherwise it was us
    }
  }

  async leaseTtl(lease: LeaseId): Promise<number> {
    this.#assertOpen();
    const request = { ID: lease, keys: false };
    const { TTL, grantedTTL } = await this.#connection.repeat('lease', () => this.#connection.lease.leaseTimeToLive(request));
    if (Number(TTL) < 0) throw new LeaseNotFoundError(lease);
    return Number(grantedTTL);
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    const newest = await this.#newest();
    if (revision > newest) throw new FutureRevisionError(revision, newest);
    if (revision <= Math.max(1, this.#floor)) return;
    await this.#sweepLanes(revision);
    try {
      // One less: etcd forgets the deletes of the very revision that it is compacted at.
      await this.#connection.repeat('compact', () => this.#connection.kv.compact({ revision: this.#codec.etcds(revision - 1) }));
    } catch (error) {
      if (!/has been compacted/.test(messageOf(error))) throw error;
    }
    this.#feed.compactedTo(Math.max(this.#feed.compacted, revision));
  }

  /** etcd tells it only to a watch that begins too early; one on our own mark always gets an answer. */
  async compactedRevision(): Promise<Revision> {
    this.#assertOpen();
    return this.#connection.repeat('watch', async () => {
      const stream = await this.#connection.watch();
      try {
        return await new Promise<Revision>((resolve, reject) => {
          const timer = this.#clock.after(this.#connection.callTimeout, () => reject(new Error('etcdserver: request timed out')));
          stream.on('data', (response) => {
            if (response.created && !response.canceled) return;
            timer.cancel();
            const compacted = response.canceled && Number(response.compact_revision) > 0;
            resolve(Math.max(this.#floor, compacted ? this.#codec.revision(response.compact_revision) + 1 : 0));
          });
          stream.on('error', (error) => (timer.cancel(), reject(error)));
          stream.write({ create_request: { key: this.#codec.key(MARK), start_revision: 1 } });
        });
      } finally {
        stream.cancel();
      }
    });
  }

  async problems(): Promise<StoreProblem[]> {
    this.#assertOpen();
    const problems: StoreProblem[] = [];
    const alarms = await this.#alarms();
    const raised = (alarm: string): string[] =>
      alarms.filter((one) => one.alarm === alarm).map(({ memberID }) => BigInt(memberID).toString(16));
    const full = raised('Nospace');
    if (full.length > 0 || this.#full) {
      const where = full.length === 0 ? '' : ` (alarm NOSPACE of member ${full.join(', ')})`;
      problems.push({ name: 'space', message: `${FULL}${where}: writes are refused`, bearable: false });
    }
    const corrupt = raised('Corrupt');
    if (corrupt.length > 0)
      problems.push({ name: 'damage', message: `etcd has alarm CORRUPT of member ${corrupt.join(', ')}`, bearable: false });
    const slow = this.#latency.problem;
    if (slow !== undefined) problems.push({ name: 'latency', message: `${slow}: the disks of etcd, or its network, are slow`, bearable: true }); // prettier-ignore
    return problems;
  }

  /** Newer versions show them to root only. */
  async #alarms(): Promise<readonly { memberID: string; alarm: string }[]> {
    try {
      const request = { action: 'Get', memberID: '0', alarm: 'None' } as unknown as IAlarmRequest;
      const { alarms } = await this.#connection.repeat('alarms', () => this.#connection.maintenance.alarm(request));
      return alarms;
    } catch (error) {
      if (/permission denied/.test(messageOf(error))) return [];
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#feed.close();
    await this.#tail;
    await this.#keepAlives.close();
    this.#connection.close();
  }

  /** A transaction that writes nothing may be asked as often as one likes. */
  async #check(compares: readonly Compare[]): Promise<TxnResult> {
    const request = { compare: compares.map((compare) => this.#compare(compare)), success: [], failure: this.#reads(compares) };
    const answer = await this.#connection.repeat('transaction', () => this.#connection.kv.txn(request));
    const revision = this.#learn(answer);
    if (answer.succeeded) return { succeeded: true, revision };
    const current = answer.responses.map(({ response_range }) => response_range.kvs[0]);
    return { succeeded: false, revision, current: current.map((kv) => kv && this.#codec.keyValue(kv)) };
  }

  #transaction(compares: readonly Compare[], operations: readonly IRequestOp[], lane: Lane, token: Buffer, again: boolean) {
    const laneKey = this.#codec.key(lane.key);
    const unmoved = this.#compare({ key: lane.key, modRevision: lane.revision });
    // Only where no attempt before it has moved the lane: that one's token must stay.
    const moveLane: IRequestOp = {
      request_txn: { compare: [unmoved], success: [{ request_put: { key: laneKey, value: refusal(token) } }], failure: [] },
    };
    return {
      compare: [...compares.map((compare) => this.#compare(compare)), unmoved],
      success: [...operations, { request_put: { key: laneKey, value: token } }],
      failure: [...this.#reads(compares), { request_range: { key: laneKey } }, ...(again ? [moveLane] : [])],
    };
  }

  #compare({ key, modRevision }: Compare) {
    // A revision from before etcd held the store is that of nothing here; 0 would mean that the key is absent.
    const mod_revision = modRevision === 0 ? 0 : this.#codec.etcds(modRevision) || -1;
    return { key: this.#codec.key(key), target: 'Mod' as const, result: 'Equal' as const, mod_revision };
  }

  #reads(compares: readonly Compare[]): IRequestOp[] {
    return compares.map(({ key }) => ({ request_range: { key: this.#codec.key(key) } }));
  }

  #write(write: Write): IRequestOp {
    const key = this.#codec.key(write.key);
    if (write.type === 'delete') return { request_delete_range: { key } };
    return { request_put: { key, value: write.value, ...(write.lease !== undefined && { lease: write.lease }) } };
  }

  /** Follows everything below the prefix for as long as the store is open. */
  async #tailLoop(): Promise<void> {
    const { signal } = this.#abort;
    for (let attempt = 0; !signal.aborted;) {
      try {
        for await (const events of streamEvents(this.#feed.revision + 1, this.#streamOptions(signal))) this.#publish(events);
      } catch (error) {
        if (signal.aborted) return;
        // Cut off for so long that what was missed is compacted. Each watcher finds out for itself when it reads its history.
        this.#log.warn('etcd compacted what the watch had not seen, starting anew', { error: describeError(error) });
        try {
          this.#feed.skipTo(await this.#newest());
          await this.#mark();
          attempt = 0;
        } catch {
          await sleep(this.#clock, backoff(attempt++, 100, 5000), signal);
        }
      }
    }
  }

  #publish(events: readonly RawEvent[]): void {
    const revisions: { revision: Revision; events: StoreEvent[] }[] = [];
    for (const event of events) {
      const revision = this.#codec.revisionOf(event);
      let last = revisions.at(-1);
      if (last?.revision !== revision) revisions.push((last = { revision, events: [] }));
      if (!this.#codec.isOwn(event.kv)) last.events.push(this.#codec.event(event));
    }
    this.#feed.publish(revisions);
    this.#tellProgress();
  }

  #tellProgress(): void {
    if (this.#progressAt === 0 || this.#feed.revision < this.#progressAt) return;
    this.#progressAt = 0;
    this.#feed.requestProgress();
  }

  async *#history(range: KeyRange, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch, undefined> {
    for await (const raw of streamEvents(from, this.#streamOptions(signal))) {
      const events = raw.filter((event) => !this.#codec.isOwn(event.kv)).map((event) => this.#codec.event(event));
      const concerned = events.filter((event) => inRange(range, event.type === 'put' ? event.kv.key : event.key));
      yield { revision: this.#codec.revisionOf(raw.at(-1)!), events: concerned };
    }
    return undefined;
  }

  #streamOptions(signal: AbortSignal) {
    return { connection: this.#connection, codec: this.#codec, clock: this.#clock, log: this.#log, signal };
  }

  /** Writes our mark; a watch that brings it has brought everything before. */
  #mark(): Promise<Revision> {
    return this.#touch(MARK);
  }

  /** Writes a key of our own, once or more often. */
  async #touch(key: string, end?: Instant): Promise<Revision> {
    const request = { key: this.#codec.key(key), value: Buffer.alloc(0) };
    try {
      const answer = await this.#connection.repeat('put', () => this.#connection.kv.put(request), end);
      this.#full = false;
      return this.#learn(answer);
    } catch (error) {
      throw this.#writeError(error);
    }
  }

  async #newest(): Promise<Revision> {
    const request = { key: this.#codec.key(MARK), keys_only: true };
    return this.#learn(await this.#connection.repeat('range', () => this.#connection.kv.range(request)));
  }

  /** Lanes that were not used since the revision: their process is gone, or will make new ones. */
  async #sweepLanes(revision: Revision): Promise<void> {
    const lanes = { key: this.#codec.key('\0lane/'), range_end: this.#codec.key('\0lane0') };
    const { kvs } = await this.#connection.repeat('range', () =>
      this.#connection.kv.range({ ...lanes, max_mod_revision: this.#codec.etcds(revision - 1), keys_only: true, limit: PAGE }),
    );
    for (const { key, mod_revision } of kvs) {
      const compare = [{ key, target: 'Mod' as const, result: 'Equal' as const, mod_revision }];
      await this.#connection.repeat('transaction', () =>
        this.#connection.kv.txn({ compare, success: [{ request_delete_range: { key } }], failure: [] }),
      );
    }
  }

  #learn(answer: { header: { revision: string } }): Revision {
    const revision = this.#codec.revision(answer.header.revision);
    this.#known = Math.max(this.#known, revision);
    return revision;
  }

  async #rangeError(error: unknown, revision: Revision | undefined): Promise<unknown> {
    const message = messageOf(error);
    if (/has been compacted/.test(message)) return new CompactedError(await this.compactedRevision());
    if (/is a future revision/.test(message)) return new FutureRevisionError(revision ?? 0, await this.#newest());
    return error;
  }

  #txnError(error: unknown, writes: readonly Write[]): unknown {
    const message = messageOf(error);
    if (isLeaseNotFound(error)) {
      const lease = writes.find((write) => write.type === 'put' && write.lease !== undefined);
      return new LeaseNotFoundError(lease?.type === 'put' ? (lease.lease ?? '') : '');
    }
    if (/request is too large|too many operations/.test(message)) {
      return new TransactionTooLargeError(`etcd refuses the transaction: ${message}; see its --max-txn-ops and --max-request-bytes`, { cause: error }); // prettier-ignore
    }
    return this.#writeError(error);
  }

  #writeError(error: unknown): unknown {
    if (!/database space exceeded/.test(messageOf(error))) return error;
    this.#full = true;
    return new StoreFullError(FULL, { cause: error });
  }

  #assertOpen(): void {
    if (this.#abort.signal.aborted) throw new StoreUnavailableError('the store is closed');
  }
}

/** What came of operations that were sent, and what etcd answered to each. */
type Sent = TxnResult & { readonly responses?: ITxnResponse['responses'] };

const unanswered = (cause: unknown): StoreUnavailableError =>
  new StoreUnavailableError('etcd did not answer the transaction', { cause });

type RawEvent = Parameters<Codec['event']>[0] & { kv: IKeyValue };

const FULL = 'etcd has no space left; compact and defragment it, or raise its quota, then disarm the alarm';

/** What a refused attempt leaves in its lane. */
const refusal = (token: Buffer): Buffer => Buffer.concat([token, Buffer.from(' refused')]);

const isLeaseNotFound = (error: unknown): boolean => /requested lease not found/.test(messageOf(error));
