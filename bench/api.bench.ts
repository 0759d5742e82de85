/**
 * The apiserver in a process of its own, on both stores: writes and reads over HTTP beside what the store does by itself in the same
 * run, lists, and what a change costs with many watchers.
 */
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { startApiServer } from '../apiserver/index.ts';
import { openEmbeddedStore } from '../apiserver/storage/embedded/index.ts';
import { openEtcdStore } from '../apiserver/storage/etcd/index.ts';
import { derivedUuid, silentLogger, systemClock } from '../base/index.ts';
import { Client } from '../client/index.ts';
import { AllocationKind, type Allocation } from '../openapi/index.ts';
import { startEtcd } from '../test/apiserver/storage/etcd-process.ts';
import { main, percentile, type Row } from './harness.ts';
import { Lane } from './lane.ts';

const ALLOCATIONS = '/apis/orch.dev/v1/namespaces/default/allocations';
const row = (name: string, metric: string, value: number, unit: string): Row => ({
  suite: 'api',
  case: name,
  metric,
  value,
  unit,
});

/** An allocation of about 2 KB, as a service with two tasks has it. */
const allocation = (n: number): Allocation => ({
  metadata: { name: derivedUuid('bench', n), namespace: 'default', labels: { 'orch.dev/job': 'web' } },
  spec: {
    jobName: 'web',
    jobUID: derivedUuid('job'),
    jobVersion: 3,
    jobType: 'service',
    priority: 50,
    group: 'web',
    name: `web.web[${n}]`,
    index: n,
    nodeName: derivedUuid('node', n % 1000),
    evaluation: derivedUuid('evaluation'),
    desired: 'run',
    resources: {
      tasks: [
        { name: 'server', cpu: 500, memory: 256 },
        { name: 'sidecar', cpu: 100, memory: 64 },
      ],
      diskMB: 300,
    },
  },
  status: {
    phase: 'running',
    tasks: ['server', 'sidecar'].map((name) => ({
      name,
      state: 'running' as const,
      startedAt: '2026-01-01T00:00:00.000Z',
      events: ['Received', 'Task Setup', 'Driver', 'Started'].map((type) => ({ type, time: '2026-01-01T00:00:00.000Z', message: `${type} by client, as the user reads it` })), // prettier-ignore
    })),
  },
});

type Work = (n: number, lane: number) => Promise<unknown>;

interface Rate {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

/** Calls `work` for `seconds` in `lanes` at a time. */
async function rate(lanes: number, seconds: number, work: Work): Promise<Rate> {
  const start = performance.now();
  const times: number[] = [];
  let n = 0;
  const lane = async (_: unknown, index: number): Promise<void> => {
    for (let at = performance.now(); at - start < seconds * 1000;) {
      await work(n++, index);
      const now = performance.now();
      times.push(now - at);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const perSecond = n / ((performance.now() - start) / 1000);
  return { perSecond, p50: percentile(times, 0.5), p99: percentile(times, 0.99), count: n };
}

/** A server in a process of its own. */
interface Server {
  readonly url: string;
  usage(): Promise<{ readonly cpu: number; readonly rss: number }>;
  close(): Promise<void>;
}

async function startServer(kind: 'embedded' | 'etcd', where: string): Promise<Server> {
  const child: ChildProcess = fork(process.argv[1]!, ['--server', kind, where], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let ended: () => void = () => undefined;
  child.once('exit', () => ended());
  const message = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      child.once('message', (value) => resolve(value as T));
      ended = () => reject(new Error('the server ended'));
    });
  return {
    url: await message<string>(),
    usage() {
      const answer = message<{ cpu: number; rss: number }>();
      child.send('usage');
      return answer;
    },
    async close() {
      const end = new Promise<void>((resolve) => (ended = resolve));
      child.disconnect();
      await end;
    },
  };
}

const SECONDS = 3;
const LANES = [1, 64];

/** Creates, reads and updates over HTTP; `raw` is what the store itself creates and reads. */
async function requests(
  store: string,
  server: Server,
  raw: (work: 'create' | 'get', lanes: number) => Promise<Rate>,
): Promise<Row[]> {
  // prettier-ignore
  const rows: Row[] = [];
  const lanes = await Promise.all(Array.from({ length: 64 }, () => Lane.open(server.url)));
  let made = 0;
  const create: Work = (_, lane) => lanes[lane]!.send('POST', ALLOCATIONS, JSON.stringify(allocation(made++)));
  const name = (n: number): string => allocation(n % made).metadata.name!;
  const get: Work = (n, lane) => lanes[lane]!.send('GET', `${ALLOCATIONS}/${name(n * 7)}`);
  const patch: Work = (n, lane) => lanes[lane]!.send('PATCH', `${ALLOCATIONS}/${name(n * 7)}/status`, JSON.stringify({ status: { description: `n ${n}` } }), 'application/merge-patch+json'); // prettier-ignore
  const measure = async (title: string, count: number, work: Work, beside?: 'create' | 'get'): Promise<void> => {
    const before = beside === undefined ? undefined : await raw(beside, count);
    const from = await server.usage();
    const { perSecond, p50, p99, count: done } = await rate(count, SECONDS, work);
    const { cpu } = await server.usage();
    const label = `${store}: ${title}, ${count} at a time`;
    rows.push(row(label, 'rate', perSecond, '/s'), row(label, 'p50', p50, 'ms'), row(label, 'p99', p99, 'ms'));
    rows.push(row(label, 'CPU of the server', ((cpu - from.cpu) / done) * 1000, 'us each'));
    if (before === undefined) return;
    const after = (await raw(beside!, count)).perSecond;
    const alone = (before.perSecond + after) / 2;
    rows.push(row(label, `the store alone`, alone, '/s'), row(label, 'of the store alone', perSecond / alone, 'x'));
  };
  await rate(16, 2, create); // warm up
  for (const count of LANES) await measure('create', count, create, 'create');
  for (const count of LANES) await measure('get', count, get, 'get');
  for (const count of LANES) await measure('status patch', count, patch);
  rows.push(...(await batches(store, lanes[0]!)));
  for (const lane of lanes) lane.close();
  return rows;
}

async function batches(store: string, lane: Lane): Promise<Row[]> {
  const started = performance.now();
  for (let from = 1_000_000; from < 1_010_000; from += 1_000) {
    const operations = Array.from({ length: 1_000 }, (_, i) => ({ operation: 'create' as const, object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...allocation(from + i) } })); // prettier-ignore
    await lane.send('POST', '/apis/orch.dev/v1/batches', JSON.stringify({ operations }));
  }
  return [row(`${store}: batches of 1,000 creates`, 'objects', 10_000 / ((performance.now() - started) / 1000), '/s')];
}

/** What the store does with the same bytes, without us. */
async function rawEmbedded(
  path: string,
): Promise<{ raw: (work: 'create' | 'get', lanes: number) => Promise<Rate>; close: () => Promise<void> }> {
  // prettier-ignore
  const store = await openEmbeddedStore({ path, log: silentLogger, clock: systemClock });
  let made = 0;
  const work: Record<'create' | 'get', Work> = {
    create: () => {
      const key = `/raw/${made++}`;
      return store.txn([{ key, modRevision: 0 }], [{ type: 'put', key, value: Buffer.from(JSON.stringify(allocation(made))) }]);
    },
    get: (n) => store.range({ start: `/raw/${(n * 7) % made}` }),
  };
  return { raw: (what, lanes) => rate(lanes, SECONDS / 2, work[what]), close: () => store.close() };
}

function rawEtcd(endpoint: string): {
  raw: (work: 'create' | 'get', lanes: number) => Promise<Rate>;
  close: () => Promise<void>;
} {
  const client = new Etcd3({ hosts: [endpoint] });
  let made = 0;
  const work: Record<'create' | 'get', Work> = {
    create: () => {
      const key = `/raw/${made++}`;
      return client
        .if(key, 'Create', '==', 0)
        .then(client.put(key).value(JSON.stringify(allocation(made))))
        .commit();
    },
    get: (n) => client.get(`/raw/${(n * 7) % made}`).buffer(),
  };
  return { raw: (what, lanes) => rate(lanes, SECONDS / 2, work[what]), close: async () => client.close() };
}

function openWatch(url: string, onData: (at: number) => void): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false }, (response) => {
      response.on('data', () => onData(performance.now()));
      resolve(response);
    })
      .on('error', reject)
      .end();
  });
}

/** One change at a time: how long until every watcher has it, from the moment it is sent. */
async function watchers(url: string, client: Client, count: number, changes: number): Promise<Row[]> {
  const { metadata } = await client.list(AllocationKind, { limit: 1 });
  let got: number[] = [];
  let all: () => void = () => undefined;
  const note = (at: number): void => {
    got.push(at);
    if (got.length === count) all();
  };
  const watching = await Promise.all(Array.from({ length: count }, () => openWatch(`${url}${ALLOCATIONS}?watch=true&resourceVersion=${metadata.resourceVersion}`, note))); // prettier-ignore
  const delays: number[] = [];
  const last: number[] = [];
  for (let i = 0; i < changes; i++) {
    got = [];
    const done = new Promise<void>((resolve) => (all = resolve));
    const sent = performance.now();
    const patched = client.patch(AllocationKind, allocation(1_000_000).metadata.name!, 'default', {
      spec: { priority: i % 100 },
    });
    await Promise.all([done, patched]);
    delays.push(...got.map((at) => at - sent));
    last.push(Math.max(...got) - sent);
  }
  for (const response of watching) response.destroy();
  const name = `one change to ${count} watcher${count === 1 ? '' : 's'}`;
  return [
    row(name, 'write to seen, p50', percentile(delays, 0.5), 'ms'),
    row(name, 'write to seen, p99', percentile(delays, 0.99), 'ms'),
    ...(count > 1 ? [row(name, 'write to the last, p50', percentile(last, 0.5), 'ms'), row(name, 'write to the last, p99', percentile(last, 0.99), 'ms')] : []), // prettier-ignore
  ];
}

/** Agents that each follow their own allocations: what they cost when nothing happens, and when something does to one of them. */
async function filtered(server: Server, client: Client, count: number): Promise<Row[]> {
  const before = await server.usage();
  const at = (node: number): string => `${server.url}/apis/orch.dev/v1/allocations?watch=true&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3D${derivedUuid('node', node)}`; // prettier-ignore
  const { metadata } = await client.list(AllocationKind, { limit: 1 });
  let seen: () => void = () => undefined;
  const watching = await Promise.all(Array.from({ length: count }, (_, i) => openWatch(`${at(i)}&resourceVersion=${metadata.resourceVersion}`, () => seen()))); // prettier-ignore
  const after = await server.usage();
  const delays: number[] = [];
  for (let i = 0; i < 100; i++) {
    const done = new Promise<void>((resolve) => (seen = resolve));
    const sent = performance.now();
    await Promise.all([done, client.patch(AllocationKind, allocation(1_000_000).metadata.name!, 'default', { spec: { priority: i % 100 } })]); // prettier-ignore
    delays.push(performance.now() - sent);
  }
  for (const response of watching) response.destroy();
  const name = `${count} filtered watchers`;
  return [
    row(name, 'memory', (after.rss - before.rss) / 2 ** 20, 'MB'),
    row(name, 'memory each', (after.rss - before.rss) / 1024 / count, 'KB'),
    row(name, 'change of one, p50', percentile(delays, 0.5), 'ms'),
    row(name, 'change of one, p99', percentile(delays, 0.99), 'ms'),
  ];
}

/** Lists and watches do not depend on the store, so one will do. */
async function reads(path: string): Promise<Row[]> {
  const rows: Row[] = [];
  let server = await startServer('embedded', path);
  rows.push(row('idle server', 'resident', (await server.usage()).rss / 2 ** 20, 'MB'));
  let lane = await Lane.open(server.url);
  await batches('', lane);
  lane.close();
  await server.close();
  server = await startServer('embedded', path);
  lane = await Lane.open(server.url);
  const client = new Client({ servers: [server.url] });
  try {
    const list = async (): Promise<{ size: number; ms: number }> => {
      const started = performance.now();
      return { size: await lane.send('GET', ALLOCATIONS), ms: performance.now() - started };
    };
    const cold = await list();
    const name = `list of 10,000 (${(cold.size / 2 ** 20).toFixed(1)} MB)`;
    rows.push(row(name, 'first after a start', cold.ms, 'ms'));
    const cached: number[] = [];
    for (let i = 0; i < 10; i++) cached.push((await list()).ms);
    rows.push(
      row(name, 'cached, p50', percentile(cached, 0.5), 'ms'),
      row(name, 'cached, slowest of 10', Math.max(...cached), 'ms'),
    );
    const mine = `/apis/orch.dev/v1/allocations?fieldSelector=spec.nodeName%3D${derivedUuid('node', 7)}`;
    const { perSecond, p50, p99 } = await rate(1, 2, () => lane.send('GET', mine));
    rows.push(row('list of 10 among 10,000, by node', 'rate', perSecond, '/s'), row('list of 10 among 10,000, by node', 'p50', p50, 'ms'), row('list of 10 among 10,000, by node', 'p99', p99, 'ms')); // prettier-ignore
    rows.push(row('server with 10,000 allocations', 'resident', (await server.usage()).rss / 2 ** 20, 'MB'));
    rows.push(...(await watchers(server.url, client, 1, 200)), ...(await watchers(server.url, client, 1_000, 50)));
    rows.push(...(await filtered(server, client, 5_000)));
  } finally {
    client.close();
    lane.close();
    await server.close();
  }
  return rows;
}

export async function run(): Promise<Row[]> {
  const path = await mkdtemp(join(tmpdir(), 'orch-bench-'));
  const rows: Row[] = [];
  try {
    const server = await startServer('embedded', join(path, 'served'));
    const raw = await rawEmbedded(join(path, 'raw'));
    rows.push(...(await requests('embedded', server, raw.raw)));
    await raw.close();
    await server.close();
    if (spawnSync('etcd', ['--version']).error === undefined) {
      const etcd = await startEtcd({ onDisk: true });
      const beside = rawEtcd(etcd.endpoint);
      const onEtcd = await startServer('etcd', etcd.endpoint);
      rows.push(...(await requests('etcd', onEtcd, beside.raw)));
      await onEtcd.close();
      await beside.close();
      await etcd.close();
    }
    rows.push(...(await reads(join(path, 'reads'))));
  } finally {
    await rm(path, { recursive: true, force: true });
  }
  return rows;
}

async function serve(kind: string, where: string): Promise<void> {
  const tools = { log: silentLogger, clock: systemClock };
  const store = kind === 'etcd' ? await openEtcdStore({ endpoints: [where], prefix: '/orch/', ...tools }) : await openEmbeddedStore({ path: where, ...tools }); // prettier-ignore
  const api = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: 0 }], ...tools });
  process.on('message', () => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    process.send!({ cpu: (user + system) / 1000, rss: process.memoryUsage.rss() });
  });
  process.send!(api.urls[0]);
  await new Promise((resolve) => process.once('disconnect', resolve));
  await api.close();
  await store.close();
}

const [, , flag, kind, where] = process.argv;
if (flag === '--server') await serve(kind!, where!);
else await main('api', run);
