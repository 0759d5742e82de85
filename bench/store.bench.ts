/** Commits per second and watch delivery of both stores, beside what their libraries do by themselves in the same run. */
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { spawnSync } from 'node:child_process';
import { silentLogger, systemClock } from '../base/index.ts';
import { openEmbeddedStore } from '../apiserver/storage/embedded/index.ts';
import { openEtcdStore } from '../apiserver/storage/etcd/index.ts';
import { prefixRange, type Store } from '../apiserver/storage/store.ts';
import { startEtcd } from '../test/apiserver/storage/etcd-process.ts';
import { main, median, percentile, type Row } from './harness.ts';

const VALUE = Buffer.alloc(2048, 'v');
const KEYS = 5000;
const SECONDS = 3;
const options = { log: silentLogger, clock: systemClock };

export async function run(): Promise<Row[]> {
  const rows: Row[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'orch-bench-'));
  try {
    const raw = await rawLmdb(join(folder, 'raw'));
    const store = await openEmbeddedStore({ path: join(folder, 'store'), ...options });
    rows.push(...(await measure('embedded', store, raw, 'raw lmdb')));
    await store.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
  if (spawnSync('etcd', ['--version']).error === undefined) {
    const etcd = await startEtcd({ onDisk: true });
    const raw = await rawEtcd(etcd.endpoint);
    const store = await openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/orch/', ...options });
    rows.push(...(await measure('etcd', store, raw, 'raw etcd3')));
    await store.close();
    await etcd.close();
  }
  return rows;
}

type Rates = ReadonlyMap<number, number>;
const WRITERS = [1, 64];

async function measure(name: string, store: Store, raw: Rates, rawName: string): Promise<Row[]> {
  const rows: Row[] = [];
  const add = (title: string, metric: string, value: number, unit: string): void =>
    void rows.push({ suite: 'store', case: `${name}: ${title}`, metric, value, unit });
  let next = 0;
  const put = async (): Promise<void> => {
    await store.txn([], [{ type: 'put', key: `k/${next++ % KEYS}`, value: VALUE }]);
  };
  for (const writers of WRITERS) {
    const rate = await perSecond(writers, put);
    const title = `${writers} writer${writers === 1 ? '' : 's'}`;
    add(title, 'commits', rate, '/s');
    add(title, `of ${rawName}`, rate / raw.get(writers)!, 'x');
  }
  const batch = Array.from({ length: 64 }, (_, i) => ({ type: 'put' as const, key: `batch/${i}`, value: VALUE }));
  add('64 puts in a commit', 'puts', 64 * (await perSecond(1, async () => void (await store.txn([], batch)))), '/s');

  const started = performance.now();
  const { items } = await store.range(prefixRange('k/'));
  add(`range of ${items.length} x 2 KB`, 'time', performance.now() - started, 'ms');
  add('get', 'reads', await perSecond(1, async () => void (await store.range({ start: `k/${next++ % KEYS}` }))), '/s');

  for (const watchers of [1, 1000]) {
    const { delivery, late, rate } = await delivered(store, watchers);
    const title = `${watchers} watcher${watchers === 1 ? '' : 's'}`;
    add(title, 'write to delivery, median', delivery, 'ms');
    add(title, 'write to delivery, 99 %', late, 'ms');
    add(title, 'deliveries', rate, '/s');
  }
  const compacting = performance.now();
  await store.compact(await store.revision());
  add('compaction of all that', 'time', performance.now() - compacting, 'ms');
  return rows;
}

/** From the call of a write to its event at each watcher; and deliveries per second while eight write. */
async function delivered(store: Store, watchers: number): Promise<{ delivery: number; late: number; rate: number }> {
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  const times: number[] = [];
  let count = 0;
  let sent = 0;
  let notify = (): void => undefined;
  const reading = Array.from({ length: watchers }, async () => {
    for await (const { events } of store.watch(prefixRange('d/'), { signal: abort.signal })) {
      count += events.length;
      times.push(performance.now() - sent);
      notify();
    }
  });
  const until = async (target: number): Promise<void> => {
    while (count < target) await new Promise<void>((resolve) => (notify = resolve));
  };
  const rounds = 50;
  for (let i = 0; i < rounds; i++) {
    const target = count + watchers;
    sent = performance.now();
    const written = store.txn([], [{ type: 'put', key: 'd/one', value: VALUE }]);
    await until(target);
    await written;
  }
  const single = [...times];
  const before = count;
  const writes = watchers === 1 ? 2000 : 200;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: 8 }, async (_, writer) => {
      for (let i = writer; i < writes; i += 8) await store.txn([], [{ type: 'put', key: `d/${writer}`, value: VALUE }]);
    }),
  );
  await until(before + writes * watchers);
  const rate = (writes * watchers) / ((performance.now() - start) / 1000);
  abort.abort();
  await Promise.all(reading);
  return { delivery: median(single), late: percentile(single, 0.99), rate };
}

async function perSecond(writers: number, once: () => Promise<void>): Promise<number> {
  let done = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async () => {
      for (; performance.now() - start < SECONDS * 1000; done++) await once();
    }),
  );
  return done / ((performance.now() - start) / 1000);
}

/** Puts of lmdb, each durable before it counts: no history, no events, no transactions. */
async function rawLmdb(path: string): Promise<Rates> {
  const { open } = await import('lmdb');
  const db = open<Buffer, string>({ path, encoding: 'binary' });
  let next = 0;
  const rates = new Map<number, number>();
  for (const writers of WRITERS) {
    rates.set(
      writers,
      await perSecond(writers, async () => {
        await db.put(`k/${next++ % KEYS}`, VALUE);
        await db.flushed;
      }),
    );
  }
  await db.close();
  return rates;
}

async function rawEtcd(endpoint: string): Promise<Rates> {
  const { Etcd3 } = await import('etcd3');
  const client = new Etcd3({ hosts: endpoint });
  let next = 0;
  const rates = new Map<number, number>();
  for (const writers of WRITERS) {
    rates.set(writers, await perSecond(writers, async () => void (await client.put(`raw/${next++ % KEYS}`).value(VALUE))));
  }
  client.close();
  return rates;
}

await main('store', run);
