import t from 'tap';
import { compilePredicate } from '../../../controllers/scheduler/feasible/constraint.ts';
import { datacenterTest } from '../../../controllers/scheduler/feasible/program.ts';
import { explainFailure } from '../../../controllers/objects/index.ts';
import { evenScore, fitScore, targetScore } from '../../../controllers/scheduler/rank/score.ts';
import { propose } from '../../../controllers/scheduler/rebalance/propose.ts';
import { parsePorts, PortMap } from '../../../controllers/scheduler/state/ports.ts';
import { readNode } from '../../../controllers/scheduler/state/read.ts';
import type { AllocMetric } from '../../../openapi/index.ts';
import { group, job, node, summary, World, type GroupOptions, type NodeOptions } from './world.ts';

const place = (nodes: ReturnType<typeof node>[], options: GroupOptions, of: Parameters<typeof job>[1] = {}) =>
  new World(nodes).submit(job(options, of)).run();
const failure = (
  nodes: ReturnType<typeof node>[],
  options: GroupOptions,
  of: Parameters<typeof job>[1] = {},
): AllocMetric | undefined => place(nodes, options, of).status.failedPlacements?.['app'];

t.test('constraints', async (t) => {
  const { facts } = readNode(
    node('n1', {
      datacenter: 'dc1',
      nodeClass: 'large',
      meta: { rack: 'r1', 'unique.tag': 'x' },
      attributes: {
        'os.version': '22.04',
        'driver.docker.version': '20.10.7',
        'os.signals': 'SIGHUP,SIGTERM',
        'cpu.numcores': '8',
        pre: '1.4.0-beta1',
      },
    }),
  );
  const cases: [string, string, string, boolean][] = [
    ['${attr.kernel.name}', '=', 'linux', true],
    ['${attr.kernel.name}', 'is', 'windows', false],
    ['${attr.kernel.name}', '!=', 'windows', true],
    ['${attr.nothing}', '=', '', false],
    ['${attr.nothing}', '!=', 'x', true],
    ['${attr.nothing}', 'is_not_set', '', true],
    ['${attr.kernel.name}', 'is_set', '', true],
    ['${attr.cpu.numcores}', '>=', '8', true],
    ['${attr.cpu.numcores}', '<', '16', true],
    ['${attr.cpu.numcores}', '>', '9', false],
    ['${attr.kernel.name}', '<', 'zzz', true],
    ['${node.class}', 'regexp', '^lar', true],
    ['${node.class}', 'regexp', '(?i)^LAR', true],
    ['${node.class}', 'regexp', '(', false],
    ['${attr.driver.docker.version}', 'version', '>= 20.10, < 21', true],
    ['${attr.driver.docker.version}', 'version', '~> 20.10.2', true],
    ['${attr.driver.docker.version}', 'version', '~> 20.9', true],
    ['${attr.driver.docker.version}', 'version', '~> 19.1', false],
    ['${attr.driver.docker.version}', 'version', 'soon', false],
    ['${attr.pre}', 'version', '>= 1.3.0', false],
    ['${attr.pre}', 'semver', '>= 1.3.0', true],
    ['${attr.pre}', 'semver', '>= 1.4.0', false],
    ['${attr.os.version}', 'version', '> 20', true],
    ['${attr.os.signals}', 'set_contains', 'SIGTERM', true],
    ['${attr.os.signals}', 'set_contains_all', 'SIGTERM, SIGINT', false],
    ['${attr.os.signals}', 'set_contains_any', 'SIGTERM, SIGINT', true],
    ['${meta.rack}', '=', 'r1', true],
    ['${node.datacenter}', '=', 'dc1', true],
    ['${node.unique.name}', '=', 'n1', true],
    ['${node.pool}', '=', 'default', true],
    ['r1', '=', '${meta.rack}', true],
    ['${env.HOME}', 'is_set', '', false],
    ['${meta.rack}', 'nonsense', 'r1', false],
  ];
  for (const [attribute, operator, value, expected] of cases)
    t.equal(compilePredicate({ attribute, operator, value }).test(facts), expected, `${attribute} ${operator} ${value}`);
  t.equal(
    compilePredicate({ attribute: '${attr.kernel.name}', operator: '=', value: 'windows' }).text,
    '${attr.kernel.name} = windows',
  );
  t.ok(compilePredicate({ attribute: '${meta.unique.tag}', operator: 'is_set' }).unique);
  t.notOk(compilePredicate({ attribute: '${meta.rack}', operator: 'is_set' }).unique);
  t.ok(datacenterTest(['eu-*'])('eu-west'));
  t.notOk(datacenterTest(['eu-*', 'us'])('us2'));
});

t.test('reasons', async (t) => {
  const cases: [string, NodeOptions, GroupOptions, Partial<AllocMetric>][] = [
    [
      'driver',
      { drivers: ['docker'] },
      {},
      { nodesEvaluated: 1, nodesFiltered: 1, constraintFiltered: { 'missing drivers': 1 } },
    ],
    [
      'constraint',
      { nodeClass: 'large' },
      { constraints: [{ attribute: '${attr.kernel.name}', operator: '=', value: 'windows' }] },
      { constraintFiltered: { '${attr.kernel.name} = windows': 1 }, classFiltered: { large: 1 } },
    ],
    [
      'unique constraint',
      {},
      { constraints: [{ attribute: '${attr.unique.hostname}', operator: '=', value: 'z' }] },
      { constraintFiltered: { '${attr.unique.hostname} = z': 1 } },
    ],
    [
      'host volume',
      {},
      { volumes: [{ name: 'v', type: 'host', source: 'nowhere' }] },
      { constraintFiltered: { 'missing compatible host volumes': 1 } },
    ],
    [
      'read-only host volume',
      { volumes: { data: { readOnly: true } } },
      { volumes: [{ name: 'v', type: 'host', source: 'data' }] },
      { constraintFiltered: { 'missing compatible host volumes': 1 } },
    ],
    [
      'device',
      {},
      { tasks: [{ name: 'main', driver: 'raw_exec', resources: { devices: [{ name: 'gpu', count: 1 }] } }] },
      { constraintFiltered: { 'missing devices': 1 } },
    ],
    [
      'network mode',
      { drivers: ['raw_exec'] },
      { networks: [{ mode: 'bridge' }] },
      { constraintFiltered: { 'missing network': 1 } },
    ],
    [
      'host network',
      {},
      { networks: [{ ports: [{ label: 'p', hostNetwork: 'public' }] }] },
      { constraintFiltered: { 'missing host network "public"': 1 } },
    ],
    ['memory', {}, { memory: 9000 }, { nodesEvaluated: 1, nodesExhausted: 1, dimensionExhausted: { memory: 1 } }],
    ['cpu', {}, { cpu: 5000 }, { dimensionExhausted: { cpu: 1 } }],
    ['disk', {}, { ephemeralDisk: { size: 200_000 } }, { dimensionExhausted: { disk: 1 } }],
    ['cores', {}, { tasks: [{ name: 'main', driver: 'raw_exec', resources: { cores: 5 } }] }, { dimensionExhausted: { cpu: 1 } }],
    [
      'reserved port',
      { reservedPorts: '80,443' },
      { networks: [{ ports: [{ label: 'db', static: 443 }] }] },
      { dimensionExhausted: { 'network: reserved port collision db=443': 1 } },
    ],
  ];
  for (const [title, options, wanted, expected] of cases) t.match(failure([node('a', options)], wanted), expected, title);

  t.match(
    failure([node('a'), node('b', { datacenter: 'dc2' })], { count: 1, memory: 9000 }, { datacenters: ['dc1'] }),
    { nodesEvaluated: 1, nodesAvailable: { dc1: 1 } },
    'nodes elsewhere do not count',
  );
  t.match(failure([node('a', { pool: 'gpu' })], {}), { nodesEvaluated: 0 }, 'nor do other pools');
  t.equal(place([node('a', { pool: 'gpu' })], {}, { nodePool: 'all' }).placements.length, 1);
  t.match(
    failure([node('a', { phase: 'down' }), node('b', { eligibility: 'ineligible' })], {}),
    { nodesEvaluated: 0 },
    'nor what takes nothing',
  );
  t.match(failure([node('a')], { count: 3, constraints: [{ operator: 'distinct_hosts' }] }), {
    constraintFiltered: { distinct_hosts: 1 },
    coalescedFailures: 1,
  });
  t.match(
    failure([node('a'), node('b')], {
      count: 3,
      constraints: [{ operator: 'distinct_property', attribute: '${node.datacenter}', value: '2' }],
    }),
    {
      constraintFiltered: { 'distinct_property: ${node.datacenter}=dc1 used by 2 allocs': 2 },
    },
  );
  t.match(failure([node('a')], { count: 2, networks: [{ ports: [{ label: 'db', static: 5678 }] }] }), {
    dimensionExhausted: { 'network: reserved port collision db=5678': 1 },
  });
  t.equal(
    explainFailure(
      'app',
      failure([node('a'), node('b', { drivers: [] })], { count: 2, networks: [{ ports: [{ label: 'db', static: 5678 }] }] })!,
    ),
    '1 allocation of group "app" cannot be placed: drivers missing on 1 of 2 nodes, reserved port collision db=5678 on 1 of 2 nodes',
  );
});

t.test('distinct_property over racks', async (t) => {
  const nodes = ['a', 'b', 'c', 'd'].map((name, i) => node(name, { meta: { rack: `r${i % 2}` } }));
  const world = new World(nodes).submit(
    job({ count: 4, constraints: [{ operator: 'distinct_property', attribute: '${meta.rack}' }] }),
  );
  t.equal(world.run().placements.length, 2);
  t.same(
    new Set(world.live().map((a) => nodes.find((n) => n.metadata.name === a.node)!.spec.meta!['rack'])),
    new Set(['r0', 'r1']),
  );
});

t.test('ports', async (t) => {
  const world = new World([
    node('a', { reservedPorts: '20000-31990', addresses: [{ ip: '10.0.0.1' }, { ip: '192.168.0.1', hostNetwork: 'public' }] }),
  ]).submit(
    job({
      count: 3,
      networks: [{ ports: [{ label: 'http', to: 80 }, { label: 'admin' }, { label: 'web', hostNetwork: 'public' }] }],
    }),
  );
  const plan = world.run();
  t.equal(plan.placements.length, 3);
  const ports = plan.placements.flatMap(({ object }) => object.spec.resources!.ports!);
  t.equal(new Set(ports.map((p) => `${p.hostIP}:${p.value}`)).size, 9, 'no port twice on one address');
  t.ok(ports.every((p) => p.value >= 31_991 && p.value <= 32_000));
  t.match(ports[0], { label: 'http', to: 80, hostIP: '10.0.0.1', hostNetwork: 'default' });
  t.match(ports[2], { label: 'web', hostIP: '192.168.0.1' });
  t.match(
    world
      .submit(
        job({
          count: 6,
          networks: [{ ports: [{ label: 'http', to: 80 }, { label: 'admin' }, { label: 'web', hostNetwork: 'public' }] }],
        }),
      )
      .run().status.failedPlacements,
    {
      app: { dimensionExhausted: { 'network: dynamic port selection failed': 1 } },
    },
  );

  const legacy = place([node('a')], {
    tasks: [{ name: 'main', driver: 'raw_exec', resources: { networks: [{ ports: [{ label: 'db', static: 6379 }] }] } }],
  });
  t.match(legacy.placements[0]!.object.spec.resources!.ports, [{ label: 'db', task: 'main', value: 6379, hostIP: '10.0.0.1' }]);

  const map = new PortMap();
  map.take(20_000);
  map.take(20_000);
  map.give(20_000);
  t.ok(map.has(20_000), 'taken twice, given back once');
  map.give(20_000);
  t.notOk(map.has(20_000));
  t.same(parsePorts('22, 80,8500-8502,x'), [22, 80, 8500, 8501, 8502]);
});

t.test('agents of one machine do not get the same dynamic port while there are others', (t) => {
  const shared = { reservedPorts: '20000-31996' };
  const ports = { networks: [{ ports: [{ label: 'http' }] }] };
  const world = new World([node('a', shared), node('b', shared)]).submit(job({ count: 4, ...ports }));
  const portsOf = (): number[] => world.run().placements.map(({ object }) => object.spec.resources!.ports![0]!.value);
  t.same(portsOf().sort(), [31_997, 31_998, 31_999, 32_000]);
  const again = world.submit(job({ count: 6, ...ports }));
  t.equal(again.run().placements.length, 2, 'they may be two machines: a port that only the other one holds is better than none');
  t.end();
});

t.test('a static port moves to the next address of its network when the first has it taken', async (t) => {
  const world = new World([node('a', { addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] })]).submit(
    job({ count: 2, networks: [{ ports: [{ label: 'db', static: 5432 }] }] }),
  );
  t.same(
    world
      .run()
      .placements.map(({ record }) => record.ports![0]!.ip)
      .sort(),
    ['10.0.0.1', '10.0.0.2'],
  );
});

t.test('a replacement takes over the static port of what it replaces', async (t) => {
  const ports = { networks: [{ ports: [{ label: 'db', static: 5432 }] }] };
  const world = new World([node('a')]).submit(job({ ...ports, env: { V: '1' } }));
  world.run();
  world.settle();
  t.equal(world.submit(job({ ...ports, env: { V: '2' } })).run().placements.length, 1);
  t.ok(world.cluster.fleet.isPortTaken(0, '10.0.0.1', 5432));
  world.submit(job({ ...ports }, { stop: true })).run();
  t.ok(world.cluster.fleet.isPortTaken(0, '10.0.0.1', 5432), 'it keeps the port until it has ended');
  world.settle();
  t.notOk(world.cluster.fleet.isPortTaken(0, '10.0.0.1', 5432));
});

t.test('what is told to stop keeps its room until its node says that it has ended', async (t) => {
  const wants = (cpu: number, id: string, env = '1') => job({ cpu, env: { V: env }, update: { maxParallel: 2 } }, { id });
  const run = (world: World, jobName: string) => world.run(world.evaluation({ jobName }));
  const used = ({ cluster }: World): number => cluster.fleet.usedCpu[0]!;
  const started = (...jobs: ReturnType<typeof job>[]): World => {
    const world = new World([node('a', { cpu: 1000 })]);
    for (const spec of jobs) {
      world.submit(spec);
      run(world, spec.id!);
      world.settle(spec.id);
    }
    return world;
  };

  t.test('nobody else gets it before', async (t) => {
    const world = started(wants(600, 'old'));
    world.submit(job({ cpu: 600, env: { V: '1' } }, { id: 'old', stop: true }));
    run(world, 'old');
    t.equal(used(world), 600);
    t.equal(run(world.submit(wants(600, 'other')), 'other').placements.length, 0);
    t.equal(run(world.submit(wants(400, 'small')), 'small').placements.length, 1, 'what fits beside it is placed');
    world.settle('old');
    t.equal(run(world, 'other').placements.length, 1);
  });

  t.test('its replacement gets it at once, since it starts after it', async (t) => {
    const world = started(wants(600, 'web'), wants(400, 'rest'));
    const plan = run(world.submit(wants(500, 'web', '2')), 'web');
    t.equal(plan.placements.length, 1);
    t.equal(used(world), 1000, 'the larger of the two counts, until the old one has ended');
    t.equal(run(world.submit(wants(100, 'other')), 'other').placements.length, 0, 'nobody else gets a share');
    world.settle('web');
    t.equal(used(world), 900);
  });

  t.test('so does the replacement of a replacement that never began', async (t) => {
    const world = started(wants(600, 'web'), wants(400, 'rest'));
    for (const version of ['2', '3']) {
      t.equal(run(world.submit(wants(600, 'web', version)), 'web').placements.length, 1);
      t.equal(used(world), 1000);
    }
    const [first, second, third] = world.allocations('web');
    world.change(second!, { phase: 'complete' });
    t.equal(used(world), 1000, 'the first one runs still');
    world.change(first!, { phase: 'complete' });
    t.equal(used(world), 1000, 'now the third does');
    world.change(third!, { phase: 'failed' });
    t.equal(used(world), 400);
  });

  t.test('and so does the one of its name when a stopped job is run again', async (t) => {
    const ports = { cpu: 600, networks: [{ ports: [{ label: 'db', static: 5432 }] }] };
    const world = started(job(ports, { id: 'db' }));
    run(world.submit(job(ports, { id: 'db', stop: true })), 'db');
    const plan = run(world.submit(job(ports, { id: 'db' })), 'db');
    t.match(plan.placements, [{ record: { previous: world.allocations('db')[0]!.id } }]);
    t.equal(used(world), 600);
  });

  t.test('what displaces it gets it, and the displaced wait for other room', async (t) => {
    const world = started(wants(600, 'low')).configure({ preemption: { service: true } });
    t.equal(run(world.submit({ ...wants(800, 'high'), priority: 90 }), 'high').placements.length, 1);
    t.equal(used(world), 800);
    t.equal(run(world, 'low').placements.length, 0);
    world.settle('low');
    t.equal(used(world), 800);
  });

  t.test('on another node it leaves nothing to its replacement', async (t) => {
    const world = started(wants(600, 'web'), wants(400, 'rest'));
    world.cluster.putNode(node('b', { cpu: 2000 }));
    const plan = run(world.submit(wants(700, 'web', '2')), 'web');
    t.match(plan.placements, [{ record: { node: 'b' } }]);
    t.equal(used(world), 1000);
  });

  t.test('it is lost with its node', async (t) => {
    const world = started(wants(600, 'web'));
    run(world.submit({ ...wants(600, 'web'), stop: true }), 'web');
    world.cluster.putNode(node('a', { cpu: 1000, phase: 'down' }));
    t.same(summary(run(world, 'web')), ['lose app[0]']);
    t.equal(used(world), 0);
  });
});

t.test("cores are whole and nobody else's", async (t) => {
  const world = new World([node('a', { cores: 4, cpu: 4000 })]).submit(
    job({ count: 2, tasks: [{ name: 'main', driver: 'raw_exec', resources: { cores: 2, memory: 10 } }] }),
  );
  const plan = world.run();
  t.same(
    plan.placements.map(({ record }) => record.cores),
    [
      [0, 1],
      [2, 3],
    ],
  );
  t.match(plan.placements[0]!.object.spec.resources, { cpu: 2000, tasks: [{ name: 'main', cpu: 2000, cores: [0, 1] }] });
});

t.test('tasks that never run together share', async (t) => {
  const task = (name: string, memory: number, lifecycle?: { hook: string; sidecar?: boolean }) => ({
    name,
    driver: 'raw_exec',
    resources: { cpu: 10, memory },
    ...(lifecycle && { lifecycle }),
  });
  const tasks = [
    task('init', 6000, { hook: 'prestart' }),
    task('main', 6000),
    task('proxy', 1000, { hook: 'prestart', sidecar: true }),
    task('bye', 100, { hook: 'poststop' }),
  ];
  t.equal(place([node('a')], { tasks }).placements[0]!.object.spec.resources!.memory, 7000);
});

t.test('scores', async (t) => {
  t.equal(fitScore('binpack', 1, 1), 0);
  t.equal(fitScore('binpack', 0, 0), 1);
  t.equal(fitScore('spread', 1, 1), 1);
  t.equal(fitScore('spread', 0, 0), 0);
  t.equal(targetScore(5, 0, 1), 0.8);
  t.equal(targetScore(5, 5, 0.5), -0.1);
  t.equal(targetScore(undefined, 0, 1), -1);
  t.equal(evenScore(0, 0, 0), 0);
  t.equal(evenScore(0, 0, 1), 1);
  t.equal(evenScore(2, 2, 2), -1);
  t.ok(evenScore(1, 1, 3) > 0);
  t.ok(evenScore(3, 1, 3) < evenScore(2, 1, 3));

  const full = new World([node('a'), node('b', { cpu: 2000, memory: 4096 })]).submit(job({}));
  t.equal(full.run().placements[0]!.record.node, 'b', 'the fuller node is better');
  const spread = new World([node('a'), node('b', { cpu: 2000, memory: 4096 })]).pool('default', 'spread').submit(job({}));
  t.equal(spread.run().placements[0]!.record.node, 'a', 'with the spread algorithm the emptier one');

  const { scores } = place([node('a'), node('b')], { count: 2 }).placements[1]!.object.spec.metrics!;
  t.equal(scores!.length, 2);
  t.equal(scores![0]!.terms!['job-anti-affinity'], 0);
  t.equal(scores![1]!.terms!['job-anti-affinity'], -1);
  t.match(scores![0]!.terms, { binpack: Number, 'node-affinity': 0, 'node-reschedule-penalty': 0 });
});

t.test('affinities and spreads', async (t) => {
  const nodes = Array.from({ length: 9 }, (_, i) => node(`n${i}`, { datacenter: `dc${(i % 3) + 1}`, meta: { rack: `r${i}` } }));
  const affinity = place(nodes, { affinities: [{ attribute: '${meta.rack}', operator: '=', value: 'r4', weight: 100 }] });
  t.equal(affinity.placements[0]!.record.node, 'n4');
  const aversion = place(nodes.slice(0, 2), {
    affinities: [{ attribute: '${node.unique.name}', operator: '=', value: 'n0', weight: -100 }],
  });
  t.equal(aversion.placements[0]!.record.node, 'n1');

  const datacenters = (options: GroupOptions): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { record } of place(nodes, options).placements) {
      const { datacenter } = nodes.find((n) => n.metadata.name === record.node)!.spec;
      counts[datacenter] = (counts[datacenter] ?? 0) + 1;
    }
    return counts;
  };
  const attribute = '${node.datacenter}';
  t.same(datacenters({ count: 9, spreads: [{ attribute, weight: 100 }] }), { dc1: 3, dc2: 3, dc3: 3 });
  t.same(
    datacenters({
      count: 10,
      spreads: [
        {
          attribute,
          weight: 100,
          targets: [
            { value: 'dc1', percent: 70 },
            { value: 'dc2', percent: 30 },
          ],
        },
      ],
    }),
    { dc1: 7, dc2: 3 },
  );
  t.same(
    datacenters({ count: 10, spreads: [{ attribute, weight: 100, targets: [{ value: 'dc1', percent: 60 }] }] })['dc1'],
    6,
    'the rest goes to the others',
  );

  const many = Array.from({ length: 100 }, (_, i) => node(`m${i}`));
  const each = place(many, { count: 100, spreads: [{ attribute: '${node.unique.id}', weight: 100 }] });
  t.equal(new Set(each.placements.map(({ record }) => record.node)).size, 100, 'spread over more values than buckets');
});

t.test('sticky disks keep to their node', async (t) => {
  const options = { ephemeralDisk: { size: 100, sticky: true } };
  const world = new World([node('a'), node('b'), node('c')]).submit(job({ ...options, env: { V: '1' } }));
  const before = world.run().placements[0]!.record.node;
  world.settle();
  t.equal(world.submit(job({ ...options, env: { V: '2' } })).run().placements[0]!.record.node, before);
});

t.test('the same evaluation gives the same plan', async (t) => {
  const nodes = Array.from({ length: 20 }, (_, i) => node(`n${i}`));
  const world = new World(nodes).submit(
    job([group('a', { count: 7, networks: [{ ports: [{ label: 'x' }] }] }), group('b', { count: 5 })]),
  );
  const evaluation = world.evaluation();
  const strip = (plan: ReturnType<World['plan']>) =>
    plan.placements.map(({ object }) => ({ ...object, spec: { ...object.spec, metrics: undefined } }));
  t.same(strip(world.plan(evaluation)), strip(world.plan(evaluation)));
  t.not(world.plan(evaluation).placements[0]!.record.id, world.plan(world.evaluation()).placements[0]!.record.id);
});

t.test('what would be better placed elsewhere', async (t) => {
  const proposed = (world: World, maxMoves = 10) =>
    propose({ cluster: world.cluster, pool: 'default', maxMoves, scratch: world.scratch });
  const moves = (world: World, maxMoves?: number): string[] =>
    proposed(world, maxMoves).moves.map(({ allocation, to }) => `${allocation.job.split('/')[1]} ${allocation.node} → ${to}`);
  /** Each job is one allocation of so many MHz on its node. */
  const placed = (
    nodes: readonly string[],
    jobs: Readonly<Record<string, readonly [string, number]>>,
    more: GroupOptions = {},
  ): World => {
    const world = new World(nodes.map((name) => node(name, { cpu: 1000 })));
    for (const [id, [where, cpu]] of Object.entries(jobs)) {
      const there = { attribute: '${node.unique.name}', operator: '=', value: where };
      const run = () => world.run(world.evaluation({ jobName: id }));
      world.submit(job({ cpu, constraints: [there], ...more }, { id }));
      const { deployment } = run();
      world.settle(id);
      world.changeDeployment(deployment!.metadata.name!, { phase: 'successful' });
      // From here on it may go anywhere.
      const free = world.submit(job({ cpu, ...more }, { id })) && run();
      if (free.deployment !== undefined) world.changeDeployment(free.deployment.metadata.name!, { phase: 'successful' });
    }
    return world;
  };

  t.test('binpack empties the nodes that are used least', async (t) => {
    const world = placed(['a', 'b', 'c'], { one: ['a', 700], two: ['b', 600], three: ['c', 300] });
    t.same(moves(world), ['three c → a']);
    t.equal(proposed(world).description, '1 move would leave 2 of 3 nodes in use');
    t.equal(world.cluster.fleet.usedCpu[world.cluster.fleet.slotOf('c')!], 300, 'nothing was moved');
  });

  t.test('a node that cannot be emptied is left alone', async (t) => {
    t.same(moves(placed(['a', 'b'], { one: ['a', 700], two: ['b', 200], three: ['b', 200] })), []);
    t.same(moves(placed(['a', 'b'], { one: ['a', 500], two: ['b', 200], three: ['b', 200] }), 1), [], 'within so few moves');
    t.equal(moves(placed(['a', 'b'], { one: ['a', 500], two: ['b', 200], three: ['b', 200] })).length, 2);
  });

  t.test('what keeps data on its node, or is being rolled out, stays', async (t) => {
    const jobs = { one: ['a', 500], two: ['b', 200] } as const;
    t.equal(moves(placed(['a', 'b'], jobs)).length, 1);
    t.same(moves(placed(['a', 'b'], jobs, { ephemeralDisk: { sticky: true, size: 300 } })), []);
    const world = placed(['a', 'b'], jobs);
    for (const id of world.deployments.keys()) world.changeDeployment(id, { phase: 'running' });
    t.same(moves(world), []);
  });

  t.test('constraints and ports hold where it would go', async (t) => {
    const port = { networks: [{ ports: [{ label: 'db', static: 5432 }] }] };
    t.same(moves(placed(['a', 'b'], { one: ['a', 500], two: ['b', 200] }, port)), []);
  });

  t.test('spread moves from the fullest to the emptiest while that pays', async (t) => {
    const jobs = { one: ['a', 300], two: ['a', 300], three: ['a', 300] } as const;
    const world = placed(['a', 'b'], jobs).configure({ schedulerAlgorithm: 'spread' });
    t.equal(moves(world).length, 1);
    t.equal(proposed(world).description, '1 move would bring the fullest and the emptiest node from 90 % to 30 % apart');
    t.same(moves(placed(['a', 'b'], { one: ['a', 300] }).configure({ schedulerAlgorithm: 'spread' })), [], 'not to and fro');
  });

  /** One service of two allocations of 200 MHz, on these nodes. */
  const replicas = (where: readonly [string, string], more: GroupOptions = {}): World => {
    const world = placed(['a', 'b', 'c'], {});
    const id = 'web';
    const { deployment } = world.submit(job({ cpu: 200, count: 2, ...more }, { id })).run(world.evaluation({ jobName: id }));
    world.settle(id);
    world.changeDeployment(deployment!.metadata.name!, { phase: 'successful' });
    world.live(id).forEach((record, i) => world.change(record, { node: where[i]! }));
    return world;
  };

  t.test('replicas are not brought together', async (t) => {
    t.same(moves(replicas(['a', 'b'])), []);
    t.same(moves(replicas(['a', 'a'])), [], 'one node in use');
    const other = (world: World): World => {
      const { deployment } = world.submit(job({ cpu: 700 }, { id: 'big' })).run(world.evaluation({ jobName: 'big' }));
      world.settle('big');
      world.changeDeployment(deployment!.metadata.name!, { phase: 'successful' });
      world.change(world.live('big')[0]!, { node: 'c' });
      return world;
    };
    t.same(moves(other(replicas(['a', 'b']))), ['web a → c'], 'to a node without one of them');
    t.equal(moves(replicas(['a', 'a']).configure({ schedulerAlgorithm: 'spread' })).length, 1, 'apart they may go');
  });

  t.test('what has spreads or affinities stays', async (t) => {
    const jobs = { one: ['a', 500], two: ['b', 200] } as const;
    const affinities = [{ attribute: '${node.unique.name}', operator: '=', value: 'b', weight: 50 }];
    t.same(moves(placed(['a', 'b'], jobs, { affinities })), []);
    t.same(moves(placed(['a', 'b'], jobs, { spreads: [{ attribute: '${node.unique.id}', weight: 50 }] })), []);
  });

  t.test('a move goes where it was meant to, if it fits there', async (t) => {
    const world = placed(['a', 'b', 'c'], { one: ['a', 700], three: ['c', 300] });
    world.change(world.live('three')[0]!, { migrate: true, moveTo: 'b' });
    t.match(world.run(world.evaluation({ jobName: 'three' })).placements, [{ record: { node: 'b' } }]);
    world.change(world.live('one')[0]!, { migrate: true, moveTo: 'gone' });
    t.equal(world.run(world.evaluation({ jobName: 'one' })).placements.length, 1);
  });
});
