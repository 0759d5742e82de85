import t from 'tap';
import type { TaskGroup } from '../../../openapi/index.ts';
import { group, job, node, START, summary, World, type GroupOptions } from './world.ts';

/** Allocations on nodes that are not heard, and what becomes of them when they are heard again. */

type Disconnect = NonNullable<TaskGroup['disconnect']>;
const lostAfter = (more: Partial<Disconnect> = {}): GroupOptions => ({ disconnect: { lostAfter: '1m', replace: true, ...more } });

/** `count` allocations run, the first on node `a`, which then falls silent. */
function silent(options: GroupOptions, phase: 'down' | 'disconnected' = 'disconnected', nodes = ['a', 'b', 'c']): World {
  const world = new World(nodes.map((name) => node(name))).submit(job({ count: 2, update: { maxParallel: 0 }, ...options }));
  world.run();
  world.settle();
  const [first] = world.live();
  if (first!.node !== 'a') {
    // Placement breaks ties by a hash: call the node that holds the first one `a`.
    return fall(world, first!.node, phase);
  }
  return fall(world, 'a', phase);
}
const gone = (world: World): string => world.live().find(({ index }) => index === 0)!.node;
function fall(world: World, name: string, phase: 'ready' | 'down' | 'disconnected'): World {
  world.cluster.putNode(node(name, { phase, phaseChangedAt: world.now }));
  return world;
}

const cases: [string, GroupOptions, string[], number | undefined][] = [
  ['without a policy it is lost and replaced at once', {}, ['lose app[0]', 'place app[0] v0'], undefined],
  ['lost_after: unknown, and replaced', lostAfter(), ['place app[0] v0', 'unknown app[0]'], 60],
  ['lost_after without replace: unknown, and awaited', lostAfter({ replace: false }), ['unknown app[0]'], 60],
  ['max_client_disconnect is the older word for it', { maxClientDisconnect: '2m' }, ['place app[0] v0', 'unknown app[0]'], 120],
  ['stop_after_client_disconnect: not replaced before the node has stopped it', { stopAfterClientDisconnect: '30s' }, ['unknown app[0]'], 30],
  ['stop_on_client_after is the newer word for it', { disconnect: { stopOnClientAfter: '30s' } }, ['unknown app[0]'], 30],
  ['prevent_reschedule_on_lost: awaited as long as it takes', { preventRescheduleOnLost: true }, ['unknown app[0]'], undefined],
]; // prettier-ignore
for (const [title, options, expected, wakes] of cases)
  t.test(title, async (t) => {
    for (const phase of ['disconnected', 'down'] as const) {
      const world = silent(options, phase);
      const plan = world.run();
      t.same(summary(plan), expected, phase);
      const followup = plan.evaluations.find(({ spec }) => spec.trigger === 'max-disconnect-timeout');
      t.equal(followup?.spec.waitUntil, wakes === undefined ? undefined : new Date(START + wakes * 1000).toISOString());
      t.same(summary(world.run()), [], 'deciding again changes nothing');
      if (wakes === undefined) continue;
      world.now += wakes * 1000;
      fall(world, gone(world), 'down');
      const late = world.run(world.evaluations.get(followup!.metadata.name!));
      t.same(summary(late), expected.includes('place app[0] v0') ? ['lose app[0]'] : ['lose app[0]', 'place app[0] v0'], 'then it is lost'); // prettier-ignore
      t.equal(world.live().length, 2);
    }
  });

t.test('back before anybody took its place: it simply goes on', async (t) => {
  const world = silent(lostAfter({ replace: false }));
  world.run();
  const original = world.live().find(({ index }) => index === 0)!;
  fall(world, original.node, 'ready');
  world.change(original, { phase: 'running', unknownSince: undefined });
  t.same(summary(world.run()), []);
  t.equal(world.live().length, 2);
});

/** Title, strategy, what the two are like, who stays. */
const returns: [string, string | undefined, { original?: object; replacement?: object }, 'original' | 'replacement'][] = [
  ['best-score is the default', undefined, { original: { score: 0.5 }, replacement: { score: 0.7, phase: 'running' } }, 'replacement'],
  ['best-score: the original is as good', 'best_score', { original: { score: 0.7 }, replacement: { score: 0.7, phase: 'running' } }, 'original'],
  ['best-score: a replacement that does not run yet has proved nothing', 'best-score', { original: { score: 0.1 }, replacement: { score: 0.7, phase: 'pending' } }, 'original'],
  ['keep-original', 'keep-original', { original: { score: 0 }, replacement: { score: 1, phase: 'running' } }, 'original'],
  ['keep-replacement', 'keep_replacement', { original: { score: 1 }, replacement: { score: 0, phase: 'running' } }, 'replacement'],
  ['longest-running', 'longest-running', { original: { runningSince: 5 }, replacement: { runningSince: 9, phase: 'running' } }, 'original'],
  ['longest-running: the original was restarted', 'longest_running', { original: { runningSince: 9 }, replacement: { runningSince: 5, phase: 'running' } }, 'replacement'],
  ['the replacement has failed', 'keep-replacement', { replacement: { phase: 'failed' } }, 'original'],
  ['the original has failed', 'keep-original', { original: { phase: 'failed' }, replacement: { phase: 'running' } }, 'replacement'],
]; // prettier-ignore
for (const [title, reconcile, { original = {}, replacement = {} }, stays] of returns)
  t.test(`back after it was replaced, ${title}`, async (t) => {
    const world = silent(lostAfter({ ...(reconcile !== undefined && { reconcile }) }));
    world.run();
    const [first, second] = world.allocations().filter(({ index }) => index === 0);
    const [before, after] = first!.next === second!.id ? [first!, second!] : [second!, first!];
    fall(world, before.node, 'ready');
    t.same(summary(world.run()), [], 'while its node has not told of it, nothing is decided');
    world.change(before, { phase: 'running', unknownSince: undefined, ...original });
    world.change(after, replacement);
    world.run();
    world.settle();
    t.same(world.live().filter(({ index }) => index === 0).map(({ id }) => id), [stays === 'original' ? before.id : after.id]); // prettier-ignore
    t.same(summary(world.run()), [], 'deciding again changes nothing');
  });

t.test('of an earlier version it does not come back', async (t) => {
  const world = silent(lostAfter({ reconcile: 'keep-original' }));
  const original = world.live().find(({ index }) => index === 0)!;
  world.run();
  world.submit(job({ count: 2, update: { maxParallel: 0 }, env: { V: '2' }, ...lostAfter({ reconcile: 'keep-original' }) }));
  world.run();
  world.settle();
  fall(world, original.node, 'ready');
  world.change(original, { phase: 'running', unknownSince: undefined });
  world.run();
  t.same(world.live().map(({ index, version }) => [index, version]), [[0, 1], [1, 1]]); // prettier-ignore
});

t.test('a stopped job loses what is out of sight', async (t) => {
  const world = silent(lostAfter());
  world.run();
  world.submit(job({ count: 2, update: { maxParallel: 0 }, ...lostAfter() }, { stop: true }));
  world.run();
  t.same(world.live(), []);
});

t.test('system jobs are unknown too, and replaced nowhere', async (t) => {
  const system = job([group('app', { disconnect: { lostAfter: '1m' } }, 'system')], { type: 'system' });
  const world = new World([node('a'), node('b')]).submit(system);
  world.run();
  world.settle();
  fall(world, 'a', 'disconnected');
  t.same(summary(world.run()), ['unknown app[0]']);
  t.same(summary(world.run()), []);
  fall(world, 'a', 'ready');
  world.change(
    world.live().find((a) => a.node === 'a')!,
    { phase: 'running', unknownSince: undefined },
  );
  t.same(summary(world.run()), []);
  t.equal(world.live().length, 2);
});
