/** Many clients work on a store at random, all at once, while faults happen; what they saw is a history for `check.ts`. */
import { setMaxListeners } from 'node:events';
import {
  CompactedError,
  LeaseNotFoundError,
  prefixRange,
  StoreUnavailableError,
  type Compare,
  type KeyRange,
  type LeaseId,
  type Revision,
  type StoreEvent,
  type TxnResult,
  type WatchBatch,
  type Write,
} from '../../../apiserver/storage/store.ts';
import { shown, type Answer, type Ask, type History, type Operation, type Watched } from './check.ts';
import { randomFrom } from './model.ts';
import type { Tested } from './remote.ts';

export interface Fault {
  readonly name: string;
  /** Does it, and mends it again. */
  run(random: () => number): Promise<void>;
}

export interface Workload {
  readonly seed: number;
  readonly operations: number;
  /** The clients are spread over these. All are of one and the same state. */
  readonly stores: readonly Tested[];
  readonly clients: number;
  readonly watchers: number;
  /** One of them after each so many operations. */
  readonly faults: readonly Fault[];
  readonly faultEvery: number;
  /**
   * Only what an API of single objects has: a write of one key that compares that very key. Its watches may end, so the log is read from
   * the store itself afterwards, from a revision to another.
   */
  readonly single?: (from: Revision, to: Revision) => Promise<StoreEvent[]>;
}

export interface Worked {
  readonly history: History;
  /** How often each fault happened, and how many operations were left without an answer. */
  readonly faults: Readonly<Record<string, number>>;
  readonly unknown: number;
}

const PREFIX = '/h/';
const KEYS = Array.from({ length: 24 }, (_, i) => `${PREFIX}${'abc'[i % 3]}/${i}`);
const RANGES: readonly KeyRange[] = [prefixRange(PREFIX), prefixRange(`${PREFIX}a/`), prefixRange(`${PREFIX}b/`), { start: KEYS[2]! }]; // prettier-ignore

export async function work({
  seed,
  operations,
  stores,
  clients,
  watchers,
  faults,
  faultEvery,
  single: readLog,
}: Workload): Promise<Worked> {
  const single = readLog !== undefined;
  const start = await stores[0]!.revision();
  let known = start;
  const learn = (revision: Revision): void => void (known = Math.max(known, revision));
  const done: Operation[] = [];
  const watched: Watched[] = [];
  let finished = 0;
  let unknown = 0;
  let compacted = 0;
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);

  // The log, from the watch that the others are compared with.
  const log: StoreEvent[] = [];
  const latest = new Map<string, Revision>();
  let reached = start;
  const logging = (async () => {
    while (!stop.signal.aborted) {
      if (single) {
        await stores[0]!.range(RANGES[0]!).then(({ items }) => {
          latest.clear();
          for (const { key, modRevision } of items) latest.set(key, modRevision);
        }, ignoreUnavailable); // prettier-ignore
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      try {
        for await (const batch of stores[0]!.watch(RANGES[0]!, { startRevision: reached + 1, signal: stop.signal })) {
          for (const event of batch.events) {
            log.push(event);
            if (event.type === 'put') latest.set(event.kv.key, event.kv.modRevision);
            else latest.delete(event.key);
          }
          reached = batch.revision;
          learn(reached);
        }
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
      }
    }
  })();

  const client = async (number: number): Promise<void> => {
    const random = randomFrom(seed * 1009 + number);
    const pick = (n: number): number => Math.floor(random() * n);
    const store = stores[number % stores.length]!;
    const leases: LeaseId[] = [];
    while (finished < operations) {
      const ask = choose(pick, finished, leases);
      if (ask === undefined) {
        await housekeeping(store, pick, leases);
        finished += 1;
        continue;
      }
      const operation: Operation = { id: done.length, floor: known, ask };
      done.push(operation);
      try {
        const answer = await put(store, ask);
        if ('revision' in answer) learn(answer.revision);
        operation.answer = answer;
        operation.ceiling = known;
      } catch (error) {
        if (error instanceof CompactedError && ask.type === 'range' && ask.at !== undefined && ask.at < compacted) continue;
        if (!(error instanceof StoreUnavailableError) && !(error instanceof LeaseNotFoundError)) throw error;
        unknown += 1;
      }
      finished += 1;
    }
  };

  const choose = (pick: (n: number) => number, count: number, leases: LeaseId[]): Ask | undefined => {
    const dice = pick(100);
    const key = (): string => KEYS[pick(KEYS.length)]!;
    if (dice < 64) {
      const writes = new Map<string, Write>();
      const id = `${count}-${pick(1e9)}`;
      const lease = leases[pick(8)];
      for (let i = single ? 0 : pick(4); i >= 0; i--) {
        const k = key();
        const value = Buffer.from(`${id}-${i}`);
        // An API deletes what is there.
        const gone = pick(4) === 0 && (!single || latest.has(k));
        writes.set(k, gone ? { type: 'delete', key: k } : { type: 'put', key: k, value, ...(lease !== undefined && { lease }) });
      }
      const guarded = (k: string): Compare => ({ key: k, modRevision: pick(8) === 0 && !single ? 0 : (latest.get(k) ?? 0) });
      const compares = new Map((single ? [...writes.keys()] : Array.from({ length: pick(3) }, key)).map((k) => [k, guarded(k)]));
      return { type: 'txn', compares: [...compares.values()], writes: [...writes.values()] };
    }
    if (dice < 88) {
      const at = !single && pick(4) === 0 ? Math.max(compacted, start) + pick(known - Math.max(compacted, start) + 1) : undefined;
      return { type: 'range', range: RANGES[pick(single ? 1 : RANGES.length)]!, limit: single ? 0 : pick(3) * pick(6), at };
    }
    if (dice < 94) return { type: 'revision' };
    const lease = dice < 96 ? leases.pop() : undefined;
    return lease === undefined ? undefined : { type: 'revoke', lease };
  };

  /** What is done between operations: leases are made, history is forgotten as far as the log has been read. */
  const housekeeping = async (store: Tested, pick: (n: number) => number, leases: LeaseId[]): Promise<void> => {
    try {
      if (store.grantLease === undefined || store.compact === undefined) await store.requestProgress();
      else if (pick(2) === 0) leases.push(await store.grantLease(3600));
      else if (pick(4) === 0 && reached - 200 > Math.max(start, compacted))
        await store.compact((compacted = reached - pick(200)));
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  };

  const watcher = async (number: number): Promise<void> => {
    const random = randomFrom(seed * 2003 + number);
    const pick = (n: number): number => Math.floor(random() * n);
    let resume: Revision | undefined;
    while (!stop.signal.aborted) {
      const store = stores[pick(stores.length)]!;
      const range = RANGES[pick(single ? 1 : RANGES.length)]!;
      const past = Math.max(start, compacted, known - pick(pick(8) === 0 ? 5000 : 300)) + 1;
      const from = resume ?? (single || pick(3) > 0 ? Math.min(past, known + 1) : undefined);
      const leave = new AbortController();
      const abort = (): void => leave.abort();
      stop.signal.addEventListener('abort', abort);
      const batches: WatchBatch[] = [];
      // A process begins after what it has heard of itself, which may be less than others have.
      const after = from !== undefined ? from - 1 : stores.length === 1 ? known : start;
      const enough = 1 + pick(60);
      let begun: Revision | undefined = from;
      try {
        const iterable = store.watch(range, { signal: leave.signal, ...(from !== undefined && { startRevision: from }) });
        const iterator = iterable[Symbol.asyncIterator]();
        for (;;) {
          const next = iterator.next();
          next.catch(() => undefined); // it may fail before it is waited for
          begun ??= (await store.revision()) + 1; // what comes after the call of watch, it must see
          const { value, done } = (await next) as IteratorResult<WatchBatch, undefined>;
          if (done === true) break;
          batches.push(value);
          learn(value.revision);
          if (batches.length === enough) leave.abort();
        }
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) && !(error instanceof CompactedError)) throw error;
        if (error instanceof CompactedError && from !== undefined && from > compacted && !single) throw error;
      } finally {
        stop.signal.removeEventListener('abort', abort);
      }
      if (begun !== undefined) watched.push({ range, from: begun, after, batches, ...(single && { single }) });
      const last = batches.at(-1)?.revision;
      // A server that was started anew knows no past.
      if (single && last === undefined) resume = known + 1;
      else resume = last !== undefined && pick(3) > 0 ? last + 1 : undefined;
    }
  };

  const counts: Record<string, number> = {};
  const trouble = async (): Promise<void> => {
    const random = randomFrom(seed * 3001);
    for (let next = faultEvery; next < operations && faults.length > 0; next += faultEvery) {
      while (finished < next) await Promise.race([clientele, new Promise((resolve) => setTimeout(resolve, 5))]);
      if (next >= operations - faultEvery / 2) break;
      const fault = faults[Math.floor(random() * faults.length)]!;
      counts[fault.name] = (counts[fault.name] ?? 0) + 1;
      await fault.run(random);
    }
  };

  const clientele = Promise.all(Array.from({ length: clients }, (_, i) => client(i)));
  const watching = Promise.all(Array.from({ length: watchers }, (_, i) => watcher(i)));
  await Promise.all([Promise.race([Promise.all([clientele, trouble()]), watching, logging])]);
  // All is quiet and mended: how it ended, and the log up to there.
  const end = await stores[0]!.range(RANGES[0]!);
  while (!single && reached < end.revision) {
    await stores[0]!.requestProgress();
    await Promise.race([logging, new Promise((resolve) => setTimeout(resolve, 10))]);
  }
  stop.abort();
  await Promise.all([logging, watching]);
  const all = readLog === undefined ? log : await readLog(start, end.revision);
  const complete = all.filter((event) => (event.type === 'put' ? event.kv.modRevision : event.revision) <= end.revision);
  const cut = ({ batches, ...rest }: Watched): Watched => ({ ...rest, batches: batches.filter(({ revision }) => revision <= end.revision) }); // prettier-ignore
  return { history: { start, log: complete, operations: done, watches: watched.map(cut), end }, faults: counts, unknown };
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}

async function put(store: Tested, ask: Ask): Promise<Answer> {
  switch (ask.type) {
    case 'txn': {
      const result = await store.txn(ask.compares, ask.writes);
      return result.succeeded ? { type: 'written', revision: result.revision } : refused(result);
    }
    case 'range': {
      const { revision, items, count, more } = await store.range(ask.range, {
        limit: ask.limit,
        ...(ask.at !== undefined && { revision: ask.at }),
      });
      return { type: 'items', revision, items: items.map(shown), count, more };
    }
    case 'revision':
      return { type: 'revision', revision: await store.revision() };
    case 'revoke':
      await store.revokeLease!(ask.lease);
      return { type: 'revoked' };
  }
}

/** An API may say no more than that it was refused; then it gives no list. */
function refused({ revision, current }: TxnResult & { succeeded: false }): Answer {
  return {
    type: 'refused',
    revision,
    ...((current as unknown) !== undefined && { found: current.map((kv) => kv && shown(kv)) }),
  };
}
