/** The apiserver on the embedded store, in a process of its own: writes and reads over HTTP, and what a change costs with many watchers. */
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '../apiserver/index.ts';
import { openEmbeddedStore } from '../apiserver/storage/embedded/index.ts';
import { derivedUuid, silentLogger, systemClock } from '../base/index.ts';
import { Client } from '../client/index.ts';
import { AllocationKind, type Allocation } from '../openapi/index.ts';
import { main, type Row } from './harness.ts';

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

const operations = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ operation: 'create' as const, object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...allocation(from + i) } })); // prettier-ignore

/** Calls `work` for `seconds` in `lanes` at a time; how often a second. */
async function rate(lanes: number, seconds: number, work: (n: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let n = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1000) await work(n++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return n / ((performance.now() - start) / 1000);
}

const percentile = (sorted: number[], p: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]!;

/** Reads and drops the answer; resolves with its size. */
function drain(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { agent }, (response) => {
      let size = 0;
      response.on('data', (part: Buffer) => (size += part.length));
      response.on('end', () => resolve(size));
    })
      .on('error', reject)
      .end();
  });
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
  const spread: number[] = [];
  for (let i = 0; i < changes; i++) {
    got = [];
    const done = new Promise<void>((resolve) => (all = resolve));
    const sent = performance.now();
    const patched = client.patch(AllocationKind, allocation(0).metadata.name!, 'default', { spec: { priority: i % 100 } });
    await Promise.all([done, patched]);
    delays.push(...got.map((at) => at - sent));
    spread.push(Math.max(...got) - Math.min(...got));
  }
  for (const response of watching) response.destroy();
  delays.sort((a, b) => a - b);
  spread.sort((a, b) => a - b);
  const name = `one change to ${count} watcher${count === 1 ? '' : 's'}`;
  return [
    row(name, 'write to seen, p50', percentile(delays, 0.5), 'ms'),
    row(name, 'write to seen, p99', percentile(delays, 0.99), 'ms'),
    ...(count > 1 ? [row(name, 'first to last, p50', percentile(spread, 0.5), 'ms')] : []),
  ];
}

export async function run(): Promise<Row[]> {
  const server = fork(process.argv[1]!, ['--server'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const url = await new Promise<string>((resolve, reject) => {
    server.once('message', (message) => resolve(message as string));
    server.once('exit', () => reject(new Error('the server ended')));
  });
  const client = new Client({ servers: [url] });
  const agent = new Agent({ keepAlive: true });
  const rows: Row[] = [];
  try {
    let n = 1_000_000;
    const create = (): Promise<unknown> => client.create(AllocationKind, allocation(n++));
    await rate(16, 1, create); // warm up
    for (const lanes of [1, 64]) rows.push(row(`create, ${lanes} at a time`, 'rate', await rate(lanes, 3, create), '/s'));
    const names = Array.from({ length: 1000 }, (_, i) => allocation(1_000_000 + i).metadata.name!);
    const status = (i: number): Promise<unknown> =>
      client.patch(
        AllocationKind,
        names[i % names.length]!,
        'default',
        { status: { description: `n ${i}` } },
        { subresource: 'status' },
      );
    for (const lanes of [1, 64]) rows.push(row(`status patch, ${lanes} at a time`, 'rate', await rate(lanes, 3, status), '/s'));
    rows.push(row('patch of one object, 64 at a time', 'rate', await rate(64, 3, (i) => client.patch(AllocationKind, names[0]!, 'default', { metadata: { labels: { n: String(i) } } })), '/s')); // prettier-ignore
    for (const lanes of [1, 32]) {
      rows.push(row(`get, ${lanes} at a time`, 'rate', await rate(lanes, 3, (i) => drain(`${url}${ALLOCATIONS}/${names[i % names.length]}`, agent)), '/s')); // prettier-ignore
    }
    await fetch(`${url}${ALLOCATIONS}`, { method: 'DELETE' }).then((response) => response.arrayBuffer());

    let started = performance.now();
    for (let from = 0; from < 10_000; from += 1_000) await client.batch(operations(from, 1_000));
    rows.push(row('batches of 1,000 creates', 'objects', 10_000 / ((performance.now() - started) / 1000), '/s'));
    const size = await drain(`${url}${ALLOCATIONS}`, agent);
    started = performance.now();
    for (let i = 0; i < 10; i++) await drain(`${url}${ALLOCATIONS}`, agent);
    rows.push(row(`list of 10,000 (${(size / 2 ** 20).toFixed(1)} MB)`, 'wall', (performance.now() - started) / 10, 'ms'));
    const mine = `${url}/apis/orch.dev/v1/allocations?fieldSelector=spec.nodeName%3D${derivedUuid('node', 7)}`;
    rows.push(row('list of 10 among 10,000, by node', 'rate', await rate(4, 2, () => drain(mine, agent)), '/s'));
    rows.push(...(await watchers(url, client, 1, 200)), ...(await watchers(url, client, 1_000, 50)));
  } finally {
    client.close();
    agent.destroy();
    server.disconnect();
    await new Promise((resolve) => server.once('exit', resolve));
  }
  return rows;
}

async function serve(): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'orch-bench-'));
  const store = await openEmbeddedStore({ path, log: silentLogger, clock: systemClock });
  const api = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: 0 }], log: silentLogger, clock: systemClock });
  process.send!(api.urls[0]);
  await new Promise((resolve) => process.once('disconnect', resolve));
  await api.close();
  await store.close();
  await rm(path, { recursive: true, force: true });
}

if (process.argv.includes('--server')) await serve();
else await main('api', run);
