import t from 'tap';
import type { JobSpec, Node, Stored } from '../../../openapi/index.ts';
import type { Plan } from '../../../controllers/scheduler/plan/evaluate.ts';
import { group, job, node, World, type GroupOptions, type NodeOptions } from './world.ts';

/** System and sysbatch jobs: one of each group on every node that can take it. */

const system = (options: GroupOptions = {}, more: Partial<JobSpec> = {}): JobSpec => {
  const update = { maxParallel: 0 };
  return job([group('app', { update, ...options }, 'system')], { type: 'system', ...more });
};
const sysbatch = (options: GroupOptions = {}): JobSpec => system(options, { type: 'sysbatch' });

/** What happens where: `place a`, `stop b`. */
function seen(plan: Plan): string[] {
  return [
    ...plan.patches.map(({ after, spec, status }) => {
      if (status !== undefined && status['phase'] === 'lost') return `lose ${after.node}`;
      if (spec['desired'] === 'stop') return `stop ${after.node}`;
      return 'jobVersion' in spec ? `update ${after.node}` : `link ${after.node}`;
    }),
    ...plan.placements.map(({ record }) => `place ${record.node} v${record.version}`),
  ].sort();
}
const counts = (plan: Plan): Record<string, number> =>
  Object.fromEntries(Object.entries(plan.updates.get('app') ?? {}).filter(([, count]) => count > 0));

function running(spec: JobSpec, nodes: Stored<Node>[] = [node('a'), node('b'), node('c')]): World {
  const world = new World(nodes).submit(spec);
  world.run();
  world.settle();
  return world;
}
/** The node as it is from now on. */
function change(world: World, name: string, options: NodeOptions): World {
  world.cluster.putNode(node(name, options));
  return world;
}

t.test('one on every node, all with index 0', async (t) => {
  const world = new World([node('a'), node('b'), node('c')]).submit(system());
  const plan = world.run();
  t.same(seen(plan), ['place a v0', 'place b v0', 'place c v0']);
  t.same(new Set(plan.placements.map(({ object }) => object.spec.name)), new Set(['job.app[0]']));
  t.same(counts(plan), { place: 3 });
  t.equal(plan.deployment, undefined);
  world.settle();
  const again = world.run();
  t.same([seen(again), counts(again)], [[], { ignore: 3 }], 'deciding again changes nothing');
});

const v1 = { V: '1' };
const v2 = { V: '2' };
const only = (value: string): GroupOptions => ({
  constraints: [{ attribute: '${node.unique.name}', operator: 'regexp', value }],
});

/** Title, how things were, what changes, what happens, what a plan counts. */
const cases: [string, () => World, string[], Record<string, number>][] = [
  ['a node that joins gets one', () => change(running(system()), 'd', {}), ['place d v0'], { ignore: 3, place: 1 }],
  ['a node that is full gets none', () => change(running(system()), 'd', { memory: 50 }), [], { ignore: 3, place: 1 }],
  ['a node without the driver is left out', () => change(running(system()), 'd', { drivers: [] }), [], { ignore: 3 }],
  ['a node of another pool is left out', () => change(running(system()), 'd', { pool: 'gpu' }), [], { ignore: 3 }],
  ['an ineligible node gets none', () => change(running(system()), 'd', { eligibility: 'ineligible' }), [], { ignore: 3 }],
  ['an ineligible node keeps its own', () => change(running(system()), 'a', { eligibility: 'ineligible' }), [], { ignore: 3 }],
  ['an ineligible node keeps its version', () => change(running(system({ env: v1 })), 'a', { eligibility: 'ineligible' }).submit(system({ env: v2 })), ['place b v1', 'place c v1', 'stop b', 'stop c'], { destructiveUpdate: 2, ignore: 1 }],
  ['on a node that is down it is lost, and not placed elsewhere', () => change(running(system()), 'a', { phase: 'down' }), ['lose a'], { ignore: 2, stop: 1 }],
  ['a node that moved to another datacenter loses it', () => change(running(system({}, { datacenters: ['dc1'] })), 'a', { datacenter: 'dc2' }), ['stop a'], { ignore: 2, stop: 1 }],
  ['a new command replaces all without max_parallel', () => running(system({ env: v1 })).submit(system({ env: v2 })), ['place a v1', 'place b v1', 'place c v1', 'stop a', 'stop b', 'stop c'], { destructiveUpdate: 3 }],
  ['a new priority is told in place', () => running(system()).submit(system({}, { priority: 80 })), ['update a', 'update b', 'update c'], { inPlaceUpdate: 3 }],
  ['a new constraint stops where it is not met', () => running(system()).submit(system(only('a|b'))), ['stop c', 'update a', 'update b'], { inPlaceUpdate: 2, stop: 1 }],
  ['a constraint that is gone places again', () => running(system(only('a|b'))).submit(system()), ['place c v1', 'update a', 'update b'], { inPlaceUpdate: 2, place: 1 }],
  ['count 0 stops all', () => running(system()).submit(system({ count: 0 })), ['stop a', 'stop b', 'stop c'], { stop: 3 }],
  ['a stopped job stops', () => running(system()).submit(system({}, { stop: true })), ['stop a', 'stop b', 'stop c'], { stop: 3 }],
  ['a removed group stops, a new one is placed', () => running(job([group('old', {}, 'system')], { type: 'system' }), [node('a')]).submit(system()), ['place a v1', 'stop a'], { place: 1 }],
]; // prettier-ignore
for (const [title, prepare, expected, updates] of cases)
  t.test(title, async (t) => {
    const world = prepare();
    const plan = world.run();
    t.same(seen(plan), expected);
    t.same(counts(plan), updates);
    world.settle();
    t.same(seen(world.run()), [], 'deciding again changes nothing');
  });

t.test('a plan never counts nodes that cannot run it', async (t) => {
  const world = new World([node('a'), node('b')]);
  const plan = world.plan(world.evaluation({ dryRun: { job: system(only('nowhere')) } }));
  t.same(plan.status.plan?.desiredUpdates, { app: { ignore: 0, place: 0, migrate: 0, stop: 0, inPlaceUpdate: 0, destructiveUpdate: 0, canary: 0, preemptions: 0 } }); // prettier-ignore
  t.equal(plan.status.failedPlacements, undefined);
});

t.test('where a node is full, its own room is waited for', async (t) => {
  const world = new World([node('a'), node('b', { memory: 50 }), node('c', { memory: 60 })]).submit(system());
  const plan = world.run();
  t.same(seen(plan), ['place a v0']);
  t.match(plan.status, { queued: { app: 2 }, failedPlacements: { app: { nodesEvaluated: 2, nodesExhausted: 2, dimensionExhausted: { memory: 2 }, coalescedFailures: 1 } } }); // prettier-ignore
  t.same(plan.missing.map(({ nodes }) => [...nodes!].sort()), [['b', 'c']]); // prettier-ignore
});

t.test('max_parallel at a time, the next after stagger', async (t) => {
  const update = { maxParallel: 2, stagger: '45s' };
  const world = running(
    system({ env: v1, update }),
    ['a', 'b', 'c', 'd', 'e'].map((name) => node(name)),
  );
  world.submit(system({ env: v2, update }));
  const first = world.run();
  t.same(counts(first), { destructiveUpdate: 2, ignore: 3 });
  const [followup] = first.evaluations;
  t.match(followup?.spec, { trigger: 'rolling-update', waitUntil: new Date(world.now + 45_000).toISOString() });
  t.equal(first.status.nextEvaluation, followup?.metadata.name);
  world.settle();
  t.same(counts(world.run()), { ignore: 5 }, 'another evaluation does not hurry it');
  world.now += 45_000;
  t.same(counts(world.run(world.evaluations.get(followup!.metadata.name!))), { destructiveUpdate: 2, ignore: 3 });
  world.now += 45_000;
  t.same(counts(world.run()), { ignore: 5 }, 'those that do not run yet count');
  world.settle();
  world.now += 45_000;
  const last = world.run();
  t.same(counts(last), { destructiveUpdate: 1, ignore: 4 });
  t.same(last.evaluations, [], 'that was all');
});

t.test('what failed is left to its node, until it is forced or the job changes', async (t) => {
  const world = running(system(), [node('a')]);
  const [failed] = world.live();
  world.change(failed!, { phase: 'failed' });
  t.same(seen(world.run()), []);
  world.change(failed!, { phase: 'failed', forceReschedule: true });
  t.same(seen(world.run()), ['link a', 'place a v0']);
  world.change(world.live()[0]!, { phase: 'failed' });
  world.submit(system({ env: v2 }));
  t.same(seen(world.run()), ['link a', 'place a v1']);
});

t.test('a node that comes back gets a new one', async (t) => {
  const world = running(system(), [node('a')]);
  t.same(seen(change(world, 'a', { phase: 'down' }).run()), ['lose a']);
  t.same(seen(world.run()), []);
  const plan = change(world, 'a', {}).run();
  t.same(seen(plan), ['link a', 'place a v0']);
  t.ok(plan.placements[0]!.record.previous);
});

t.test('a drained node loses it, a user who stops one gets another', async (t) => {
  const world = running(system());
  const on = (name: string) => world.live().find((a) => a.node === name)!;
  world.change(on('a'), { migrate: true });
  change(world, 'a', { eligibility: 'ineligible' });
  world.change(on('b'), { migrate: true });
  const plan = world.run();
  t.same(seen(plan), ['place b v0', 'stop a', 'stop b']);
  t.same(counts(plan), { ignore: 1, migrate: 1, stop: 1 });
});

t.test('sysbatch: once to success on each node, and again for a new version', async (t) => {
  const world = running(sysbatch());
  const [first, second] = world.live();
  world.change(first!, { phase: 'complete', succeeded: true });
  world.change(second!, { phase: 'failed' });
  t.same(seen(world.run()), [], 'neither success nor failure is run again');
  change(world, 'd', {});
  t.same(seen(world.run()), ['place d v0']);
  for (const a of world.live()) world.change(a, { phase: 'complete', succeeded: true });
  t.same(seen(world.run()), []);
  world.submit(sysbatch({ env: v2 }));
  t.equal(world.run().placements.length, 4);
});
