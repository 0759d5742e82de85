/** A store in a few lines, and random operations that a real one must answer as it does. */
import {
  prefixRange,
  type KeyValue,
  type Revision,
  type Store,
  type StoreEvent,
  type Write,
} from '../../../apiserver/storage/store.ts';

interface Entry {
  value: string;
  created: Revision;
  modified: Revision;
}

/** Every state by revision, and every event. */
class Model {
  revision: Revision;
  readonly states = new Map<Revision, Map<string, Entry>>();
  readonly events: string[] = [];

  constructor(revision: Revision) {
    this.revision = revision;
    this.states.set(revision, new Map());
  }

  get state(): Map<string, Entry> {
    return this.states.get(this.revision)!;
  }

  /** A revision may pass without a change: stores have keys of their own. */
  passTo(revision: Revision): void {
    for (; this.revision < revision; this.revision++) this.states.set(this.revision + 1, this.state);
  }

  apply(writes: readonly Write[]): void {
    const effective = writes.filter((write) => write.type === 'put' || this.state.has(write.key));
    if (effective.length === 0) return;
    const next = new Map(this.state);
    this.revision += 1;
    for (const write of effective) {
      const before = next.get(write.key);
      const was = before === undefined ? '' : ` was ${before.value}@${before.modified}`;
      if (write.type === 'delete') {
        next.delete(write.key);
        this.events.push(`${this.revision} delete ${write.key}${was}`);
      } else {
        next.set(write.key, {
          value: write.value.toString(),
          created: before?.created ?? this.revision,
          modified: this.revision,
        });
        this.events.push(`${this.revision} put ${write.key}=${write.value.toString()}${was}`);
      }
    }
    this.states.set(this.revision, next);
  }
}

/** Undefined when all agrees, otherwise what does not. */
export async function compareWithModel(store: Store, seed: number, steps: number): Promise<string | undefined> {
  const random = randomFrom(seed);
  const pick = (n: number): number => Math.floor(random() * n);
  const key = (): string => `m/${['a', 'a/b', 'b', 'c', 'c0', 'd', 'e', 'é', 'z'][pick(9)]}`;
  const model = new Model(await store.revision());
  const start = model.revision + 1;
  let compacted = 0;
  const abort = new AbortController();
  const watched: string[] = [];
  let last = 0;
  const watcher = (async () => {
    for await (const { events, revision } of store.watch(prefixRange('m/'), { startRevision: start, signal: abort.signal })) {
      watched.push(...events.map(describe));
      last = revision;
    }
  })();
  try {
    for (let step = 0; step < steps; step++) {
      const problem = await one(step);
      if (problem !== undefined) return `step ${step}: ${problem}`;
    }
    while (last < model.revision) {
      await store.requestProgress();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return same(inRevision(watched), inRevision(model.events), 'the watch');
  } finally {
    abort.abort();
    await watcher;
  }

  async function one(step: number): Promise<string | undefined> {
    const dice = pick(100);
    if (dice < 55) {
      const writes = new Map<string, Write>();
      for (let i = pick(4); i >= 0; i--) {
        const k = key();
        writes.set(k, pick(3) === 0 ? { type: 'delete', key: k } : { type: 'put', key: k, value: Buffer.from(`v${step}`) });
      }
      const compares = Array.from({ length: pick(3) }, () => {
        const k = key();
        const right = model.state.get(k)?.modified ?? 0;
        return { key: k, modRevision: pick(4) === 0 ? right + 1 : right };
      });
      const holds = compares.every(({ key: k, modRevision }) => (model.state.get(k)?.modified ?? 0) === modRevision);
      const result = await store.txn(compares, [...writes.values()]);
      if (result.succeeded !== holds) return `txn ${result.succeeded ? 'succeeded' : 'was refused'}`;
      const effective = [...writes.values()].some((write) => write.type === 'put' || model.state.has(write.key));
      if (holds) model.apply([...writes.values()]);
      if (holds && !effective) model.passTo(result.revision);
      if (!result.succeeded) {
        const problem = same(result.current.map(text), compares.map(({ key: k }) => entryText(k, model.state.get(k))), 'current'); // prettier-ignore
        if (problem !== undefined) return problem;
      }
      return same(result.revision, model.revision, 'txn revision');
    }
    if (dice < 90) {
      const revision =
        pick(3) === 0
          ? Math.max(compacted, start - 1) + pick(model.revision - Math.max(compacted, start - 1) + 1)
          : model.revision;
      const [from, to] = [key(), key()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) as [string, string];
      const range = [prefixRange('m/'), { start: from }, { start: from, end: to }][pick(3)]!;
      if (range.end === range.start) return undefined; // an empty range: nobody asks for it
      const limit = pick(3) === 0 ? 1 + pick(4) : 0;
      const result = await store.range(range, { limit, ...(revision === model.revision ? {} : { revision }) });
      const expected = [...model.states.get(revision)!]
        .filter(([k]) =>
          range.end === undefined ? k === range.start : inBytes(k, range.start) >= 0 && inBytes(k, range.end) < 0,
        )
        .sort(([a], [b]) => inBytes(a, b))
        .map(([k, entry]) => entryText(k, entry));
      const shown = limit === 0 ? expected : expected.slice(0, limit);
      return (
        same(result.items.map(text), shown, `range at ${revision}`) ??
        same(
          [result.count, result.more, result.revision],
          [expected.length, expected.length > shown.length, model.revision],
          'range counts',
        )
      );
    }
    if (dice < 96 || last < model.revision) return same(await store.revision(), model.revision, 'revision');
    const target = Math.max(compacted, start) + pick(model.revision - Math.max(compacted, start) + 1);
    if (target <= compacted || target > model.revision) return undefined;
    await store.compact(target);
    compacted = target;
    return undefined;
  }
}

const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The order of events within one revision is the store's business. */
function inRevision(events: readonly string[]): string[] {
  return [...events].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
}

function describe(event: StoreEvent): string {
  const was = event.previous === undefined ? '' : ` was ${event.previous.value.toString()}@${event.previous.modRevision}`;
  if (event.type === 'delete') return `${event.revision} delete ${event.key}${was}`;
  return `${event.kv.modRevision} put ${event.kv.key}=${event.kv.value.toString()}${was}`;
}

const text = (kv: KeyValue | undefined): string =>
  kv === undefined ? 'absent' : `${kv.key}=${kv.value.toString()} ${kv.createRevision} ${kv.modRevision}`;
const entryText = (key: string, entry: Entry | undefined): string =>
  entry === undefined ? 'absent' : `${key}=${entry.value} ${entry.created} ${entry.modified}`;

function same(found: unknown, wanted: unknown, what: string): string | undefined {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  return a === b ? undefined : `${what}: found ${a}, expected ${b}`;
}

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
