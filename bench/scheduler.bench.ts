/**
 * The scheduler's core: from an evaluation to a plan, with the API objects that it writes, and without the apiserver. The fleet is in
 * its columns already, as it is in a running scheduler; nodes are in three datacenters and twenty racks.
 */
import { readAllocation } from '../controllers/scheduler/state/read.ts';
import { AllocationTable } from '../controllers/scheduler/state/allocations.ts';
import { Fleet } from '../controllers/scheduler/state/fleet.ts';
import type { Allocation, JobSpec, Stored } from '../openapi/index.ts';
import { job, node, World, type GroupOptions } from '../test/controllers/scheduler/world.ts';
import { main, median, percentile, type Row } from './harness.ts';

const COUNT = 1000;
const small = { cpu: 20, memory: 40 };
const rack = '${meta.rack}';

const cases: readonly (readonly [string, GroupOptions])[] = [
  ['plain', {}],
  ['constraint', { constraints: [{ attribute: '${attr.kernel.name}', operator: '=', value: 'linux' }] }],
  ['unique constraint', { constraints: [{ attribute: '${attr.unique.hostname}', operator: 'regexp', value: '^n' }] }],
  ['affinity', { affinities: [{ attribute: rack, operator: '=', value: 'r3', weight: 50 }] }],
  ['spread', { spreads: [{ attribute: rack, weight: 100 }] }],
  [
    'spread and affinity',
    {
      spreads: [{ attribute: rack, weight: 100 }],
      affinities: [{ attribute: '${node.datacenter}', operator: '=', value: 'dc1', weight: 50 }],
    },
  ],
  ['spread over every node', { spreads: [{ attribute: '${node.unique.id}', weight: 100 }] }],
  ['two dynamic ports', { networks: [{ ports: [{ label: 'http' }, { label: 'admin' }] }] }],
];

function fleet(size: number): World {
  const nodes = Array.from({ length: size }, (_, i) =>
    node(`n${i}-${((i * 2654435761) >>> 0).toString(16)}`, {
      cpu: 40_000,
      memory: 80_000,
      disk: 1_000_000,
      datacenter: `dc${(i % 3) + 1}`,
      meta: { rack: `r${i % 20}` },
    }),
  );
  return new World(nodes);
}

/**
 * Milliseconds of processor time that each of `rounds` evaluations took, garbage collection included, the warm-up left out. Not by the
 * clock on the wall: what else the machine does is no property of the scheduler.
 */
function times(world: World, spec: JobSpec, rounds: number): number[] {
  world.submit(spec);
  const taken: number[] = [];
  const warmUp = Math.ceil(rounds / 3);
  for (let round = -warmUp; round < rounds; round++) {
    const evaluation = world.evaluation();
    const started = process.cpuUsage();
    const plan = world.plan(evaluation);
    const { user, system } = process.cpuUsage(started);
    if (round >= 0) taken.push((user + system) / 1000);
    const wanted = spec.groups![0]!.count!;
    if (plan.placements.length !== wanted) throw new Error(`placed ${plan.placements.length} of ${wanted}`);
  }
  return taken;
}

/** What the scheduler keeps of an allocation, as it comes from the wire. */
function bytesPerAllocation(count: number): number {
  const allocation = (i: number): Stored<Allocation> =>
    JSON.parse(
      JSON.stringify({
        apiVersion: 'orch.dev/v1',
        kind: 'Allocation',
        metadata: {
          name: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
          namespace: 'default',
          uid: 'u',
          resourceVersion: String(i + 1),
        },
        spec: {
          jobName: `job${i % 500}`,
          jobUID: `uid-${i % 500}`,
          jobVersion: 0,
          group: 'web',
          name: `job.web[${i}]`,
          index: i,
          nodeName: `node-${i % 5000}`,
          desired: 'run',
          resources: {
            tasks: [{ name: 'main', cpu: 100, memory: 128 }],
            diskMB: 300,
            ports: [{ label: 'http', value: 20_000 + (i % 12_000), hostIP: '10.0.0.1' }],
          },
        },
        status: { phase: 'running' },
      }),
    ) as Stored<Allocation>;
  const table = new AllocationTable(new Fleet());
  global.gc?.();
  const before = process.memoryUsage();
  for (let i = 0; i < count; i++) table.observe(readAllocation(allocation(i)));
  global.gc?.();
  const after = process.memoryUsage();
  if (table.size !== count) throw new Error('allocations were lost');
  return (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / count;
}

export function run(): Promise<Row[]> {
  const rows: Row[] = [];
  const row = (name: string, metric: string, value: number, unit: string): unknown =>
    rows.push({ suite: 'scheduler', case: name, metric, value, unit });
  for (const size of [100, 1000, 5000, 10_000]) {
    for (const [title, options] of cases) {
      const taken = times(fleet(size), job({ count: COUNT, ...small, ...options }), 30);
      const name = `${title}, ${COUNT} on ${size} nodes`;
      row(name, 'placements', (COUNT / median(taken)) * 1000, '/s');
      row(name, 'evaluation, p99', percentile(taken, 0.99), 'ms');
    }
    const single = times(fleet(size), job({ count: 1, ...small }), 200);
    row(`plain, 1 on ${size} nodes`, 'evaluations', 1000 / median(single), '/s');
    row(`plain, 1 on ${size} nodes`, 'evaluation, p99', percentile(single, 0.99), 'ms');
  }
  if (global.gc !== undefined) row('100,000 allocations with a port', 'memory', bytesPerAllocation(100_000), 'bytes each');
  return Promise.resolve(rows);
}

await main('scheduler', run);
