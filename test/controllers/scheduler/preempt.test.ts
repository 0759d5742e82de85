import t from 'tap';
import { chooseVictims, preemptionScore, type Shortage } from '../../../controllers/scheduler/rank/preempt.ts';
import type { AllocationRecord } from '../../../controllers/scheduler/model.ts';
import { holdingOf } from '../../../controllers/scheduler/state/read.ts';
import { group, job, node, summary, World } from './world.ts';

/** Who makes way for whom. */

const record = (id: string, priority: number, cpu: number, memory: number, port?: number): AllocationRecord =>
  ({ id, priority, holding: holdingOf(cpu, memory, 0), ports: port === undefined ? undefined : [{ ip: 'x', value: port }] }) as unknown as AllocationRecord; // prettier-ignore
const lack = (part: Partial<Shortage>): Shortage => ({ cpu: 0, memory: 0, disk: 0, cores: 0, ports: [], ...part });

t.test('victims: the least important first, the closest in size, no more than it takes', async (t) => {
  const cases: [string, Shortage, AllocationRecord[], string[] | undefined][] = [
    ['one is enough', lack({ cpu: 100 }), [record('a', 10, 100, 0), record('b', 10, 500, 0)], ['a']],
    ['the lower priority before the better size', lack({ cpu: 100 }), [record('a', 20, 100, 0), record('b', 10, 500, 0)], ['b']],
    ['several of them', lack({ cpu: 300 }), [record('a', 10, 100, 0), record('b', 10, 100, 0), record('c', 20, 100, 0), record('d', 30, 100, 0)], ['a', 'b', 'c']],
    ['what a later choice made needless is spared', lack({ cpu: 300 }), [record('a', 10, 200, 0), record('b', 20, 400, 0)], ['b']],
    ['who does not help is left alone', lack({ memory: 100 }), [record('a', 10, 500, 0), record('b', 30, 0, 200)], ['b']],
    ['all together are not enough', lack({ cpu: 300 }), [record('a', 10, 100, 0)], undefined],
    ['who holds the port', lack({ ports: [{ ip: 'x', value: 80 }] }), [record('a', 10, 100, 100), record('b', 30, 100, 100, 80)], ['b']],
    ['a port that nobody may be asked for', lack({ ports: [{ ip: 'x', value: 80 }] }), [record('a', 10, 100, 100)], undefined],
  ]; // prettier-ignore
  for (const [title, shortage, candidates, expected] of cases)
    t.same(
      chooseVictims(shortage, candidates)
        ?.map(({ id }) => id)
        .sort(),
      expected,
      title,
    );
  const few = preemptionScore([record('a', 10, 0, 0)]);
  t.ok(few > preemptionScore([record('a', 30, 0, 0)]), 'low priorities are displaced rather than high ones');
  t.ok(few > preemptionScore([record('a', 10, 0, 0), record('b', 10, 0, 0)]), 'and few rather than many');
});

const full = (priority = 20): World => {
  const world = new World([node('a', { cpu: 1000 }), node('b', { cpu: 1000 })]);
  world.submit(job([group('low', { count: 4, cpu: 500 })], { id: 'low', priority }));
  world.run(world.evaluation({ jobName: 'low' }));
  world.settle('low');
  return world;
};
const high = (priority: number, count = 1) => job([group('high', { count, cpu: 600 })], { id: 'high', priority });
const run = (world: World) => world.run(world.evaluation({ jobName: 'high' }));

t.test('a service displaces what is less important where the operator allows it', async (t) => {
  t.equal(run(full().submit(high(70))).placements.length, 0, 'not by default');
  const world = full()
    .configure({ preemption: { service: true } })
    .submit(high(70));
  const plan = run(world);
  t.same(summary(plan).filter((line) => !line.startsWith('deployment')).map((line) => line.replace(/\[\d\]/, '')), ['evict low low', 'evict low low', 'place high v0']); // prettier-ignore
  const [placed] = plan.placements;
  t.match(plan.patches[0], { namespace: 'default', spec: { desired: 'evict', preemptedByAllocation: placed!.record.id, desiredDescription: `Preempted by alloc ID ${placed!.record.id}` } }); // prettier-ignore
  t.match(plan.evaluations.map(({ spec }) => spec), [{ trigger: 'preemption', jobName: 'low', priority: 20 }]); // prettier-ignore
  t.equal(plan.updates.get('high')!.preemptions, 2);
  t.same(summary(run(world)), [], 'deciding again changes nothing');
  const after = world.run(world.evaluation({ jobName: 'low', trigger: 'preemption' }));
  t.match(after.status.queued, { low: 2 }, 'the displaced wait for room');
});

t.test('only of priority lower by at least 10, and never the job itself', async (t) => {
  for (const [priority, placed] of [[29, 0], [30, 1]] as const) t.equal(run(full().configure({ preemption: { service: true } }).submit(high(priority))).placements.length, placed); // prettier-ignore
  const same = new World([node('a', { cpu: 1000 })]).configure({ preemption: { service: true } });
  same.submit(job([group('app', { count: 3, cpu: 500 })], { priority: 90 }));
  t.equal(same.run().placements.length, 2);
});

t.test('each further one displaces others', async (t) => {
  const plan = run(
    full()
      .configure({ preemption: { service: true } })
      .submit(high(70, 3)),
  );
  t.equal(plan.placements.length, 2);
  t.equal(new Set(plan.patches.map(({ id }) => id)).size, 4);
  t.match(plan.status, { queued: { high: 1 } });
});

t.test('all at once or none: nobody is displaced for nothing', async (t) => {
  const wanted = { ...high(70, 3), allAtOnce: true };
  const plan = run(
    full()
      .configure({ preemption: { service: true } })
      .submit(wanted),
  );
  t.same([plan.placements.length, plan.patches.length], [0, 0]);
});

t.test('system jobs do by default, on their node', async (t) => {
  const world = full().submit(job([group('agent', { cpu: 100 }, 'system')], { id: 'high', type: 'system', priority: 80 }));
  const plan = run(world);
  t.equal(plan.placements.length, 2);
  t.same(plan.patches.map(({ after }) => after.node).sort(), ['a', 'b']); // prettier-ignore
  const off = full().configure({ preemption: { system: false } });
  t.equal(run(off.submit(job([group('agent', { cpu: 100 }, 'system')], { id: 'high', type: 'system', priority: 80 }))).placements.length, 0); // prettier-ignore
});

t.test('algorithm and oversubscription of the configuration', async (t) => {
  const spread = (world: World): number => {
    world.submit(job({ count: 1 })).run();
    world.submit(job([group('other')], { id: 'other' })).run(world.evaluation({ jobName: 'other' }));
    return new Set([...world.live(), ...world.live('other')].map(({ node }) => node)).size;
  };
  const nodes = [node('a'), node('b')];
  t.equal(spread(new World(nodes)), 1, 'binpack fills one node');
  t.equal(spread(new World(nodes).configure({ schedulerAlgorithm: 'spread' })), 2);
  t.equal(spread(new World(nodes).configure({ schedulerAlgorithm: 'spread' }).pool('default', 'binpack')), 1, 'a pool decides for itself'); // prettier-ignore
  const burst = job([{ ...group('app'), tasks: [{ name: 'main', driver: 'raw_exec', resources: { cpu: 100, memory: 100, memoryMax: 200 } }] }]); // prettier-ignore
  const granted = (world: World): unknown => world.submit(burst).run().placements[0]!.object.spec.resources!.tasks![0]!.memoryMax;
  t.equal(granted(new World(nodes)), 200);
  t.equal(granted(new World(nodes).configure({ memoryOversubscription: false })), undefined);
});
