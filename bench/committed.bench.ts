/**
 * Placements from submission to running, everything committed: the API server with its store as a process of its own, job controller
 * and scheduler as another, 5,000 nodes that exist in the API only, and one process (this one) that says of every allocation that
 * it runs, in batches, as their agents would. All share the processors, so what each of them used is told apart. On the embedded store and, where `etcd` is installed, on etcd.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { derivedUuid, silentLogger, systemClock } from '../base/index.ts';
import { Informers, type BatchOperation, type Client } from '../client/index.ts';
import { AllocationKind, JobKind, NodeKind, type Allocation, type Node, type Stored } from '../openapi/index.ts';
import { freePorts, Sandbox, type Process } from '../test/framework/orchctl.ts';
import { cpuSeconds, main, type Row } from './harness.ts';

const NODES = 5000;
const JOBS = 5;
const COUNT = 2000;
const AT_ONCE = 500;

const node = (i: number): Node => ({
  metadata: { name: derivedUuid('hollow', i) },
  spec: { name: `n${i}`, datacenter: `dc${i % 3}`, nodePool: 'default', eligibility: 'eligible' },
  status: {
    phase: 'ready',
    attributes: { 'kernel.name': 'linux' },
    resources: { cpuMHz: 40_000, cores: 16, memoryMB: 64_000, diskMB: 1_000_000, networks: [{ ip: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }] }, // prettier-ignore
    drivers: { raw_exec: { detected: true, healthy: true } },
  },
});

const create = (object: Node): BatchOperation => ({
  operation: 'create',
  object: { ...object, apiVersion: NodeKind.apiVersion, kind: NodeKind.kind },
});

/** Says of what is placed that it runs. Gives how many it has said that of. */
function report(client: Client, informers: Informers): () => number {
  let running = 0;
  let waiting: Stored<Allocation>[] = [];
  let busy = 0;
  const send = async (): Promise<void> => {
    if (busy >= 4) return;
    busy++;
    while (waiting.length > 0) {
      const some = waiting.splice(0, AT_ONCE);
      const operations = some.map(({ metadata }): BatchOperation => ({ operation: 'patch', subresource: 'status', apiVersion: 'orch.dev/v1', kind: 'Allocation', namespace: metadata.namespace!, name: metadata.name, patch: { status: { phase: 'running' } } })); // prettier-ignore
      const { results } = await client.batch(operations, { mode: 'independent' });
      running += results.filter(({ code }) => code < 300).length;
    }
    busy--;
  };
  informers.of(AllocationKind).on({
    added: (allocation) => {
      waiting = waiting.length === 0 ? [allocation] : (waiting.push(allocation), waiting);
      setImmediate(() => void send());
    },
  });
  return () => running;
}

async function measure(store: 'embedded' | 'etcd'): Promise<Row[]> {
  const [port, etcdPort, peerPort] = await freePorts(3);
  const box = new Sandbox(`http://127.0.0.1:${port}`);
  const client = box.client();
  const informers = new Informers({ client, clock: systemClock, log: silentLogger });
  /** Who works for it besides this process, which is the nodes and the user. */
  const parts: Record<string, Process> = {};
  try {
    if (store === 'etcd') {
      const urls = { client: `http://127.0.0.1:${etcdPort}`, peer: `http://127.0.0.1:${peerPort}` };
      const etcd = (parts.etcd = box.spawn('etcd', ['--data-dir', join(box.dir, 'etcd'), '--initial-cluster', `default=${urls.peer}`, '--listen-client-urls', urls.client, '--advertise-client-urls', urls.client, '--listen-peer-urls', urls.peer, '--initial-advertise-peer-urls', urls.peer])); // prettier-ignore
      await etcd.says(/ready to serve client requests/);
    }
    const at = store === 'etcd' ? `-etcd-endpoints=http://127.0.0.1:${etcdPort}` : `-data-dir=${join(box.dir, 'store')}`;
    const server = (parts['API server'] = box.start('apiserver', at, `-listen=127.0.0.1:${port}`));
    await server.says(/serving/i);
    for (let i = 0; i < NODES; i += AT_ONCE) await client.batch(Array.from({ length: AT_ONCE }, (_, k) => create(node(i + k))));
    const controllers = (parts['job controller and scheduler'] = box.start('controller', 'job', 'scheduler', `-server=${box.address}`)); // prettier-ignore
    await controllers.says(/leadership acquired: lease=scheduler/);
    await informers.of(AllocationKind).synced;
    const running = report(client, informers);
    const tasks = [{ name: 'main', driver: 'raw_exec', config: { command: '/bin/true' }, resources: { cpu: 20, memory: 40 } }];
    const processors = (): [string, number][] => [
      ...Object.entries(parts).map(([part, { pid }]): [string, number] => [part, cpuSeconds(pid)]),
      ['nodes and user', cpuSeconds(process.pid)],
    ];
    const before = new Map(processors());
    const started = performance.now();
    for (let j = 0; j < JOBS; j++)
      await client.create(JobKind, { metadata: { name: `bench-${j}`, namespace: 'default' }, spec: { type: 'batch', groups: [{ name: 'app', count: COUNT, tasks }] } }); // prettier-ignore
    const seen = informers.of(AllocationKind);
    await seen.until(() => (seen.size === JOBS * COUNT ? true : undefined), AbortSignal.timeout(300_000));
    const placed = (performance.now() - started) / 1000;
    await box.eventually('all run', () => Promise.resolve(running() === JOBS * COUNT), 300_000);
    const seconds = (performance.now() - started) / 1000;
    const name = `${JOBS} jobs of ${COUNT} on ${NODES} nodes, ${store}`;
    const row = (metric: string, took: number): Row => ({ suite: 'committed', case: name, metric, value: (JOBS * COUNT) / took, unit: '/s' }); // prettier-ignore
    const spent = processors().map(([part, cpu]): Row => ({ suite: 'committed', case: name, metric: `processor time: ${part}`, value: ((cpu - before.get(part)!) / (JOBS * COUNT)) * 1e6, unit: 'us each' })); // prettier-ignore
    return [row('submitted to placed', placed), row('submitted to running', seconds), ...spent];
  } finally {
    await informers.close();
    client.close();
    await box.close();
  }
}

export async function run(): Promise<Row[]> {
  const rows = await measure('embedded');
  if (spawnSync('etcd', ['--version']).status === 0) rows.push(...(await measure('etcd')));
  return rows;
}

await main('committed', run);
