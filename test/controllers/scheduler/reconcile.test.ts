import t from 'tap';
import { updateImpact } from '../../../controllers/scheduler/reconcile/update-impact.ts';
import { mayReschedule, nextDelay } from '../../../controllers/scheduler/reconcile/reschedule.ts';
import type { AllocationRecord } from '../../../controllers/scheduler/model.ts';
import type { Deployment, JobSpec, RescheduleEvent } from '../../../openapi/index.ts';
import { formatDuration, toTimestamp } from '../../../base/index.ts';
import { group, job, node, START, summary, World, type GroupOptions } from './world.ts';

/** A world in which the job runs at its first version, healthy and with its deployment over. */
function running(before: JobSpec, nodes = [node('a'), node('b'), node('c')]): World {
  const world = new World(nodes).submit(before);
  const plan = world.run();
  world.settle();
  if (plan.deployment !== undefined) world.changeDeployment(plan.deployment.metadata.name!, { phase: 'successful' });
  return world;
}

const v1 = { V: '1' };
const v2 = { V: '2' };

t.test('a new job is placed under the lowest indexes, with a deployment', async (t) => {
  const world = new World([node('a'), node('b'), node('c')]).submit(job({ count: 3 }));
  const plan = world.run();
  t.same(summary(plan), ['deployment', 'place app[0] v0', 'place app[1] v0', 'place app[2] v0']);
  t.same(new Set(world.live().map((a) => a.node)).size, 3, 'they spread over equal, empty nodes');
  t.same(plan.updates.get('app'), {
    ignore: 0,
    place: 3,
    migrate: 0,
    stop: 0,
    inPlaceUpdate: 0,
    destructiveUpdate: 0,
    canary: 0,
    preemptions: 0,
  });
  const [first] = plan.placements;
  t.match(first!.object, {
    metadata: { labels: { 'orch.dev/job': 'job', 'orch.dev/group': 'app' }, ownerReferences: [{ kind: 'Job', name: 'job' }] },
    spec: {
      name: 'job.app[0]',
      desired: 'run',
      jobVersion: 0,
      deployment: plan.deployment!.metadata.name,
      metrics: { nodesEvaluated: 3 },
    },
  });
  t.match(plan.deployment, {
    spec: { groups: [{ name: 'app', desiredTotal: 3, autoRevert: false, progressDeadline: '10m0s' }] },
    status: {
      phase: 'running',
      description: 'Deployment is running',
      groups: [{ name: 'app', placed: 3, requireProgressBy: toTimestamp(START + 600_000) }],
    },
  });
  t.equal(plan.status.phase, 'complete');
  t.equal(plan.status.deployment, plan.deployment!.metadata.name);
  t.same(plan.status.queued, { app: 0 });
  t.same(summary(world.run()), [], 'nothing is left to do');
});

/** Title, before, after, what happens, and the counts that a plan shows (those that are not 0). */
const updates: [string, JobSpec, JobSpec, string[], Record<string, number>][] = [
  [
    'count up creates and updates in place',
    job({ count: 1 }),
    job({ count: 3 }),
    ['deployment', 'place app[1] v1', 'place app[2] v1', 'update app[0]'],
    { place: 2, inPlaceUpdate: 1 },
  ],
  [
    'count down stops the highest',
    job({ count: 4 }),
    job({ count: 2 }),
    ['deployment', 'stop app[2]', 'stop app[3]', 'update app[0]', 'update app[1]'],
    { stop: 2, inPlaceUpdate: 2 },
  ],
  [
    'a new command replaces max_parallel',
    job({ count: 3, env: v1 }),
    job({ count: 3, env: v2 }),
    ['deployment', 'place app[0] v1', 'stop app[0]'],
    { destructiveUpdate: 1, ignore: 2 },
  ],
  [
    'max_parallel of the new version counts',
    job({ count: 5, env: v1 }),
    job({ count: 5, env: v2, update: { maxParallel: 2 } }),
    ['deployment', 'place app[0] v1', 'place app[1] v1', 'stop app[0]', 'stop app[1]'],
    { destructiveUpdate: 2, ignore: 3 },
  ],
  [
    'max_parallel 0 replaces all at once',
    job({ count: 2, env: v1, update: { maxParallel: 0 } }),
    job({ count: 2, env: v2, update: { maxParallel: 0 } }),
    ['place app[0] v1', 'place app[1] v1', 'stop app[0]', 'stop app[1]'],
    { destructiveUpdate: 2 },
  ],
  [
    'count down and a new command',
    job({ count: 3, env: v1 }),
    job({ count: 1, env: v2 }),
    ['deployment', 'place app[0] v1', 'stop app[0]', 'stop app[1]', 'stop app[2]'],
    { destructiveUpdate: 1, stop: 2 },
  ],
  [
    'placements use up max_parallel first',
    job({ count: 2, env: v1 }),
    job({ count: 3, env: v2, update: { maxParallel: 2 } }),
    ['deployment', 'place app[0] v1', 'place app[2] v1', 'stop app[0]'],
    { place: 1, destructiveUpdate: 1, ignore: 1 },
  ],
  [
    'canaries come before any replacement',
    job({ count: 3, env: v1 }),
    job({ count: 3, env: v2, update: { canary: 2 } }),
    ['deployment', 'place app[0] canary v1', 'place app[1] canary v1'],
    { canary: 2, ignore: 3 },
  ],
  [
    'a renamed group moves',
    job([group('web', { count: 2 })]),
    job([group('front', { count: 2 })]),
    ['deployment', 'place front[0] v1', 'place front[1] v1', 'stop web[0]', 'stop web[1]'],
    {},
  ],
  [
    'a constraint that is still met is in place',
    job({}),
    job({ constraints: [{ attribute: '${attr.kernel.name}', operator: 'regexp', value: '^lin' }] }),
    ['deployment', 'update app[0]'],
    { inPlaceUpdate: 1 },
  ],
  ['a stopped job stops', job({ count: 2 }), job({ count: 2 }, { stop: true }), ['stop app[0]', 'stop app[1]'], { stop: 2 }],
  [
    'a spread replaces',
    job({ count: 2 }),
    job({ count: 2 }, { spreads: [{ attribute: '${node.datacenter}', weight: 100 }] }),
    ['deployment', 'place app[0] v1', 'stop app[0]'],
    { destructiveUpdate: 1, ignore: 1 },
  ],
  [
    'a new static port replaces',
    job({}),
    job({ networks: [{ ports: [{ label: 'http', static: 8080 }] }] }),
    ['deployment', 'place app[0] v1', 'stop app[0]'],
    { destructiveUpdate: 1 },
  ],
  [
    'batch: a changed job runs again',
    job({ count: 1 }, { type: 'batch' }),
    job({ count: 1, env: v2 }, { type: 'batch' }),
    ['place app[0] v1', 'stop app[0]'],
    { destructiveUpdate: 1 },
  ],
];

for (const [title, before, after, expected, counts] of updates) {
  t.test(`update: ${title}`, async (t) => {
    const world = running(before);
    const plan = world.submit(after).run();
    t.same(
      summary(plan).filter((line) => !line.startsWith('link')),
      expected,
    );
    const updates = Object.entries(plan.updates.get('app') ?? {}).filter(([, count]) => count > 0);
    t.same(Object.fromEntries(updates), counts);
    t.same(summary(world.run()), [], 'nothing is left to do before something happens');
  });
}

t.test('a constraint that the node does not meet any more moves the allocation', async (t) => {
  const world = running(job({}), [node('a', { nodeClass: 'old' })]);
  world.cluster.putNode(node('b', { nodeClass: 'new' }));
  const plan = world.submit(job({ constraints: [{ attribute: '${node.class}', operator: '=', value: 'new' }] })).run();
  t.same(summary(plan), ['deployment', 'place app[0] v1', 'stop app[0]']);
  t.equal(world.live()[0]!.node, 'b');
});

t.test('a rolling update waits for health and never has more than max_parallel away', async (t) => {
  const world = running(job({ count: 3, env: v1 }));
  world.submit(job({ count: 3, env: v2 }));
  const steps: string[][] = [];
  for (let round = 0; round < 4; round++) {
    steps.push(summary(world.run()).filter((line) => line !== 'deployment'));
    t.same(summary(world.run()), [], 'not before it is healthy');
    t.ok(world.live().filter((a) => a.version === 0 || a.healthy === true).length >= 2);
    world.settle();
  }
  t.same(steps, [['place app[0] v1', 'stop app[0]'], ['place app[1] v1', 'stop app[1]'], ['place app[2] v1', 'stop app[2]'], []]);
});

t.test('an unhealthy allocation halts the rollout', async (t) => {
  const world = running(job({ count: 3, env: v1 }));
  world.submit(job({ count: 3, env: v2, update: { maxParallel: 2 } })).run();
  for (const a of world.live().filter((a) => a.version === 1)) world.change(a, { phase: 'running', healthy: a.index === 0 });
  world.change(
    world.live().find((a) => a.version === 1 && a.index === 1)!,
    { healthy: false },
  );
  t.same(summary(world.run()), []);
});

t.test('what cannot be replaced goes on', async (t) => {
  const world = running(job({ count: 1, memory: 5000 }), [node('a')]);
  const plan = world.submit(job({ count: 1, memory: 50_000 })).run();
  t.same(
    summary(plan).filter((line) => line !== 'deployment'),
    [],
  );
  t.match(plan.updates.get('app'), { destructiveUpdate: 1 });
  t.match(plan.status.failedPlacements, { app: { dimensionExhausted: { memory: 1 }, nodesExhausted: 1 } });
  t.equal(world.live().length, 1);
});

t.test('canaries', async (t) => {
  const before = job({ count: 2, env: v1, update: { canary: 1 } });
  const after = job({ count: 2, env: v2, update: { canary: 1 } });

  t.test('promoted: the canary takes the place of its namesake, then the rest follows', async (t) => {
    const world = running(before);
    const plan = world.submit(after).run();
    t.equal(plan.deployment!.status!.description, 'Deployment is running but requires manual promotion');
    world.settle();
    t.same(summary(world.run()), [], 'nothing happens before the promotion');
    world.promote(plan.deployment!.metadata.name!);
    t.same(summary(world.run()), ['place app[1] v1', 'promote app[0]', 'stop app[0]', 'stop app[1]']);
    world.settle();
    t.same(summary(world.run()), []);
    t.same(
      world.live().map((a) => [a.index, a.version, a.canary]),
      [
        [0, 1, false],
        [1, 1, false],
      ],
    );
  });

  t.test('going back stops the canary and leaves the others', async (t) => {
    const world = running(before);
    world.submit(after).run();
    world.settle();
    const plan = world.submit(before).run();
    t.same(summary(plan), ['deployment', 'stop app[0]', 'update app[0]', 'update app[1]']);
    t.match(plan.updates.get('app'), { stop: 1, inPlaceUpdate: 2 });
  });

  t.test('during the trial a lost allocation comes back at the old version', async (t) => {
    const world = running(before);
    world.submit(after).run();
    world.settle();
    const old = world.live().find((a) => a.version === 0)!;
    world.cluster.putNode(node(old.node, { phase: 'down' }));
    const others = world.live().filter((a) => a.node === old.node && a !== old).length;
    const placed = world.run().placements.map(({ record }) => record);
    t.ok(placed.some((a) => a.version === 0 && a.previous === old.id));
    t.equal(placed.length, 1 + others);
  });

  t.test('a failed deployment stops its canaries and replaces nothing', async (t) => {
    const world = running(before);
    const plan = world.submit(after).run();
    world.settle();
    world.changeDeployment(plan.deployment!.metadata.name!, { phase: 'failed' });
    t.same(summary(world.run()), ['stop app[0]']);
  });
});

t.test('a paused deployment places nothing but what was lost', async (t) => {
  const world = running(job({ count: 3, env: v1 }));
  const plan = world.submit(job({ count: 3, env: v2 })).run();
  world.settle();
  world.changeDeployment(plan.deployment!.metadata.name!, { phase: 'paused' }, { paused: true });
  t.same(summary(world.run()), []);
  const victim = world.live().find((a) => a.version === 0)!;
  world.cluster.putNode(node(victim.node, { phase: 'down' }));
  t.ok(world.run().placements.some(({ record }) => record.previous === victim.id));
});

t.test('nodes', async (t) => {
  t.test('lost: marked so and replaced elsewhere', async (t) => {
    const world = running(job({ count: 2 }), [node('a'), node('b')]);
    const victim = world.live().find((a) => a.node === 'a')!;
    world.cluster.putNode(node('a', { phase: 'down' }));
    const plan = world.run();
    t.match(
      plan.patches.find(({ id }) => id === victim.id),
      {
        spec: {
          desired: 'stop',
          desiredDescription: 'alloc is lost since its node is down',
          nextAllocation: plan.placements[0]!.record.id,
        },
        status: { phase: 'lost' },
      },
    );
    t.match(plan.placements[0]!.object.spec, { previousAllocation: victim.id, nodeName: 'b', name: `job.app[${victim.index}]` });
    t.match(plan.updates.get('app'), { stop: 1, place: 1 });
    t.same(summary(world.run()), []);
  });

  t.test('told to stop but lost before it said so', async (t) => {
    const world = running(job({}), [node('a')]);
    world.submit(job({}, { stop: true })).run();
    world.cluster.putNode(node('a', { phase: 'down' }));
    t.same(summary(world.run()), ['lose app[0]']);
    t.same(summary(world.run()), []);
  });

  t.test('marked to migrate: moved at once', async (t) => {
    const world = running(job({ count: 2 }), [node('a'), node('b'), node('c')]);
    const moved = world.live()[0]!;
    world.cluster.putNode(node(moved.node, { eligibility: 'ineligible' }));
    world.change(moved, { migrate: true });
    const plan = world.run();
    t.same(summary(plan), ['place app[0] v0', 'stop app[0]']);
    t.equal(plan.patches[0]!.spec['desiredDescription'], 'alloc is being migrated');
    t.match(plan.updates.get('app'), { migrate: 1, ignore: 1, stop: 0 });
    t.not(plan.placements[0]!.record.node, moved.node);
    t.notOk(plan.deployment, 'a move is no deployment');
  });
});

t.test('failed allocations', async (t) => {
  t.test('wait for their backoff, then move to another node', async (t) => {
    const world = running(job({}), [node('a'), node('b')]);
    const failed = world.change(world.live()[0]!, { phase: 'failed' });
    const plan = world.run(world.evaluation({ trigger: 'alloc-failure' }));
    t.same(summary(plan), ['delay app[0]']);
    const [followup] = plan.evaluations;
    t.match(followup, {
      spec: { trigger: 'alloc-failure', waitUntil: toTimestamp(START + 30_000) },
      status: { description: 'created for delayed rescheduling' },
    });
    t.same(summary(world.run()), [], 'asked again, it goes on waiting');

    world.now += 30_000;
    const moved = world.run(world.evaluations.get(followup!.metadata.name!));
    t.same(summary(moved), ['place app[0] v0', 'stop app[0]']);
    t.equal(moved.patches[0]!.spec['desiredDescription'], 'alloc was rescheduled because it failed');
    const { record, object } = moved.placements[0]!;
    t.not(record.node, failed.node, 'the node that it failed on is shunned');
    t.match(object.spec, {
      previousAllocation: failed.id,
      rescheduleTracker: [{ previousAllocation: failed.id, previousNode: failed.node, delay: '30s' }],
    });

    world.change(record, { phase: 'failed' });
    const again = world.run();
    t.equal(again.evaluations[0]!.spec.waitUntil, toTimestamp(world.now + 60_000), 'the backoff doubles');
  });

  t.test('stay where nothing has room, with their record', async (t) => {
    const world = running(job({ reschedule: { unlimited: true, delay: '0s', delayFunction: 'constant' } }), [node('a')]);
    world.cluster.putNode(node('a', { eligibility: 'ineligible' }));
    const failed = world.change(world.live()[0]!, { phase: 'failed' });
    const plan = world.run();
    t.same(summary(plan), []);
    t.match(plan.status.failedPlacements, { app: { nodesEvaluated: 0 } });
    world.cluster.putNode(node('b'));
    t.match(world.run().placements[0]!.object.spec, {
      previousAllocation: failed.id,
      rescheduleTracker: [{ previousNode: 'a' }],
    });
  });

  t.test('a policy without attempts leaves them', async (t) => {
    const world = running(job({ reschedule: { attempts: 0, unlimited: false } }));
    world.change(world.live()[0]!, { phase: 'failed' });
    t.same(summary(world.run()), []);
    t.test('until a new version comes', async (t) => {
      t.same(summary(world.submit(job({ count: 1, reschedule: { attempts: 0, unlimited: false } }, { priority: 60 })).run()), [
        'deployment',
        'place app[0] v1',
        'stop app[0]',
      ]);
    });
  });

  t.test('a new version replaces what waits, first of all', async (t) => {
    const world = running(job({ count: 3, env: v1 }));
    world.change(world.live()[2]!, { phase: 'failed' });
    world.run();
    const plan = world.submit(job({ count: 3, env: v2 })).run();
    t.same(summary(plan), ['deployment', 'place app[2] v1', 'stop app[2]']);
  });

  t.test('of a deployment without a progress deadline are not replaced under it', async (t) => {
    const update = { maxParallel: 1, progressDeadline: '0s' };
    const world = new World([node('a')]).submit(job({ update }));
    world.run();
    world.change(world.live()[0]!, { phase: 'failed' });
    t.same(summary(world.run()), []);
  });

  t.test('a user may ask for it now', async (t) => {
    const world = running(job({}));
    world.change(world.live()[0]!, { phase: 'failed', forceReschedule: true });
    t.same(summary(world.run()), ['place app[0] v0', 'stop app[0]']);
  });
});

t.test('batch', async (t) => {
  const batch = (options: GroupOptions = {}): JobSpec => job({ count: 2, ...options }, { type: 'batch' });

  t.test('what ended well is not run again', async (t) => {
    const world = running(batch());
    world.change(world.live()[0]!, { phase: 'complete', succeeded: true });
    t.same(summary(world.run()), []);
    t.match(world.plan().updates.get('app'), { ignore: 2, place: 0 });
  });

  t.test('what failed is tried once more', async (t) => {
    const world = running(batch({ count: 1 }));
    world.change(world.live()[0]!, { phase: 'failed' });
    const [followup] = world.run().evaluations;
    t.equal(followup!.spec.waitUntil, toTimestamp(START + 5000));
    world.now += 5000;
    world.run(world.evaluations.get(followup!.metadata.name!));
    t.equal(world.live().length, 1);
    world.change(world.live()[0]!, { phase: 'failed' });
    t.same(summary(world.run()), []);
  });

  t.test('has no deployment', async (t) => {
    t.notOk(new World([node('a')]).submit(batch()).run().deployment);
  });
});

t.test('a job that is gone, or another one of its name', async (t) => {
  const world = running(job({ count: 2 }));
  world.cluster.removeJob(world.cluster.job('default/job')!);
  t.same(summary(world.run()), ['stop app[0]', 'stop app[1]']);
});

t.test('stop, then run again', async (t) => {
  const world = running(job({ count: 3 }));
  world.submit(job({ count: 3 }, { stop: true })).run();
  world.settle();
  const plan = world.submit(job({ count: 3 })).run();
  t.same(summary(plan), ['deployment', 'place app[0] v2', 'place app[1] v2', 'place app[2] v2']);
});

t.test('max_surge starts the new before it stops the old', async (t) => {
  const surging = (env: Record<string, string>, more: GroupOptions = {}) =>
    job({ count: 2, env, update: { maxParallel: 1, maxSurge: 1 }, ...more });
  const begun = (more: GroupOptions = {}): World => {
    const world = running(surging(v1, more));
    world.submit(surging(v2, more));
    return world;
  };
  const deployment = (world: World): string => [...world.deployments.keys()].at(-1)!;

  t.test('one after the other, under the same names', async (t) => {
    const world = begun();
    t.same(summary(world.run()), ['deployment', 'place app[0] surge v1']);
    t.same(summary(world.run()), [], 'it waits until that is healthy');
    for (const steps of [
      ['place app[1] surge v1', 'settle app[0]', 'stop app[0]'],
      ['settle app[1]', 'stop app[1]'],
    ]) {
      world.settle();
      t.same(summary(world.run()), steps);
    }
    t.same(world.live().map((a) => [a.index, a.version, a.surge]), [[0, 1, false], [1, 1, false]]); // prettier-ignore
  });

  t.test('it is shown as an update', async (t) => {
    t.match(begun().run().updates.get('app'), { destructiveUpdate: 1, ignore: 1, stop: 0, place: 0 });
  });

  t.test('of those that are replaced at once only so many', async (t) => {
    const world = begun({ count: 3, update: { maxParallel: 3, maxSurge: 1 } });
    t.same(summary(world.run()), ['deployment', 'place app[0] surge v1', 'place app[1] v1', 'place app[2] v1', 'stop app[1]', 'stop app[2]']); // prettier-ignore
  });

  t.test('a rollout that fails leaves the old as they are', async (t) => {
    const world = begun();
    world.run();
    world.change(
      world.live().find((a) => a.surge)!,
      { phase: 'running', healthy: false },
    );
    world.changeDeployment(deployment(world), { phase: 'failed' });
    t.same(summary(world.run()), ['stop app[0]']);
    t.same(world.live().map((a) => a.version), [0, 0]); // prettier-ignore
  });

  t.test('so does a version that overtakes it', async (t) => {
    const world = begun();
    world.run();
    t.same(summary(world.submit(surging({ V: '3' })).run()), ['deployment', 'place app[0] surge v2', 'stop app[0]']);
    t.same(world.live().map((a) => a.version), [0, 2, 0]); // prettier-ignore
  });

  t.test('one whose elder is gone takes its place', async (t) => {
    const world = begun();
    world.run();
    const elder = world.live().find((a) => a.index === 0 && !a.surge)!;
    world.change(elder, { migrate: true });
    t.same(summary(world.run()), ['settle app[0]', 'stop app[0]']);
  });

  t.test('one that has to leave its node is made again elsewhere', async (t) => {
    const world = begun();
    world.run();
    world.change(
      world.live().find((a) => a.surge)!,
      { migrate: true },
    );
    t.same(summary(world.run()), ['place app[0] surge v1', 'stop app[0]']);
  });

  t.test('one that failed is tried again beside its elder', async (t) => {
    const world = begun({ reschedule: { unlimited: true, delay: '0s', delayFunction: 'constant' } });
    world.run();
    world.change(
      world.live().find((a) => a.surge)!,
      { phase: 'failed', healthy: false, reschedule: true },
    );
    t.same(summary(world.run()), ['place app[0] surge v1', 'stop app[0]']);
    t.same(world.live().filter((a) => !a.surge).length, 2); // prettier-ignore
  });

  t.test('while the deployment is paused both stay', async (t) => {
    const world = begun();
    world.run();
    world.settle();
    world.changeDeployment(deployment(world), {}, { paused: true });
    t.same(summary(world.run()), []);
  });

  /** What happens to the two of app[0] of a job of one, and what follows. */
  interface Pair {
    readonly surge?: Partial<AllocationRecord>;
    readonly elder?: Partial<AllocationRecord>;
    readonly phase?: NonNullable<Deployment['status']>['phase'];
    /** The elder's node is not heard. */
    readonly silent?: boolean;
    readonly more?: GroupOptions;
  }
  const pair = ({ surge, elder, phase, silent, more }: Pair): World => {
    const world = begun({ count: 1, ...more });
    world.run();
    const [old, made] = [world.live().find((a) => !a.surge)!, world.live().find((a) => a.surge)!];
    if (surge !== undefined) world.change(made, surge);
    if (elder !== undefined) world.change(old, elder);
    if (phase !== undefined) world.changeDeployment(deployment(world), { phase });
    if (silent === true) world.cluster.putNode(node(old.node, { phase: 'disconnected', phaseChangedAt: world.now }));
    return world;
  };
  const atOnce: GroupOptions = { reschedule: { unlimited: true, delay: '0s', delayFunction: 'constant' } };
  const awaited: GroupOptions = { disconnect: { lostAfter: '1h', replace: false } };
  const healthy = { phase: 'running', healthy: true } as const;
  const crashed = { phase: 'failed', healthy: false } as const;
  const takesOver = ['settle app[0]', 'stop app[0]'];

  /** Title, what happens, what the plan says, the versions that live then. */
  const takeovers: [string, Pair, string[], number[]][] = [
    ['elder moves', { elder: { migrate: true } }, takesOver, [1]],
    ['elder failed', { elder: { phase: 'failed' }, more: atOnce }, takesOver, [1]],
    ['elder lost', { silent: true }, ['lose app[0]', 'settle app[0]'], [1]],
    ['elder silent: it is awaited', { silent: true, more: awaited }, ['unknown app[0]'], [0, 1]],
    ['surge crashed, elder moves', { surge: crashed, elder: { migrate: true } }, ['place app[0] v1', 'stop app[0]'], [1]],
    ['surge crashed, elder failed', { surge: crashed, elder: { phase: 'failed' }, more: atOnce }, ['place app[0] v1', 'stop app[0]'], [1]],
    ['surge crashed, elder silent', { surge: crashed, silent: true, more: { ...atOnce, ...awaited } }, ['place app[0] surge v1', 'stop app[0]', 'unknown app[0]'], [0, 1]],
    ['both move', { surge: { migrate: true }, elder: { migrate: true } }, ['place app[0] v1', 'stop app[0]', 'stop app[0]'], [1]],
    ['rollout failed, elder moves', { surge: { healthy: false }, phase: 'failed', elder: { migrate: true } }, ['place app[0] v0', 'stop app[0]', 'stop app[0]'], [0]],
    ['rollout failed, elder failed', { surge: crashed, phase: 'failed', elder: { phase: 'failed' }, more: atOnce }, ['place app[0] v0', 'stop app[0]'], [0]],
    ['rollout failed, elder lost', { surge: crashed, phase: 'failed', silent: true }, ['lose app[0]', 'place app[0] v0'], [0]],
    ['rollout failed, elder silent', { surge: crashed, phase: 'failed', silent: true, more: awaited }, ['unknown app[0]'], [0]],
    ['rollout failed, nothing else is there', { surge: healthy, phase: 'failed', elder: { phase: 'complete' } }, ['settle app[0]'], [1]],
  ]; // prettier-ignore
  for (const [title, what, expected, versions] of takeovers)
    t.test(`taking over: ${title}`, async (t) => {
      const world = pair(what);
      t.same(summary(world.run()), expected);
      t.same(world.live().map((a) => a.version), versions); // prettier-ignore
      t.same(summary(world.run()), [], 'deciding again changes nothing');
    });

  /** What became of the deployment, what follows for one that is healthy, which version lives then. */
  const verdicts: [Pair['phase'], string[], number[]][] = [
    ['running', takesOver, [1]],
    ['successful', takesOver, [1]],
    ['paused', [], [0, 1]],
    ['failed', ['stop app[0]'], [0]],
  ];
  for (const [phase, expected, versions] of verdicts)
    t.test(`a healthy one of a deployment that is ${phase}`, async (t) => {
      const world = pair({ surge: healthy, phase });
      t.same(summary(world.run()), expected);
      t.same(world.live().map((a) => a.version), versions); // prettier-ignore
      t.same(summary(world.run()), [], 'deciding again changes nothing');
    });

  t.test('a healthy one of a deployment that was cancelled goes', async (t) => {
    const world = pair({ surge: healthy, phase: 'cancelled' });
    world.submit(surging({ V: '3' }, { count: 1 }));
    t.same(summary(world.run()), ['deployment', 'place app[0] surge v2', 'stop app[0]']);
    t.same(world.live().map((a) => a.version), [0, 2]); // prettier-ignore
  });

  /** What befalls a healthy one once its deployment is over, and what follows. */
  const afterwards: [string, (world: World, made: AllocationRecord) => void, string[]][] = [
    ['it has to move', (world, made) => void world.change(made, { migrate: true }), ['place app[0] v1', 'stop app[0]', 'stop app[0]']],
    ['its node goes down', (world, made) => void world.cluster.putNode(node(made.node, { phase: 'down' })), ['lose app[0]', 'place app[0] v1', 'stop app[0]']],
  ]; // prettier-ignore
  for (const [title, befalls, expected] of afterwards)
    t.test(`outside a deployment nothing runs beside another: ${title}`, async (t) => {
      const world = pair({ surge: healthy, phase: 'successful' });
      befalls(
        world,
        world.live().find((a) => a.surge)!,
      );
      t.same(summary(world.run()), expected);
      t.same(world.live().map((a) => [a.version, a.surge]), [[1, false]]); // prettier-ignore
      t.same(summary(world.run()), [], 'deciding again changes nothing');
    });

  t.test('nothing is stopped for what finds no room', async (t) => {
    const world = running(surging(v1, { cpu: 2000 }), [node('a')]);
    const plan = world.submit(surging(v2, { cpu: 2000 })).run();
    t.same([plan.placements.length, plan.patches.length, plan.status.queued], [0, 0, { app: 1 }]);
  });
});

t.test('all_at_once places all or nothing', async (t) => {
  const world = new World([node('a')]).submit(job({ count: 5, memory: 3000 }, { allAtOnce: true }));
  const plan = world.run();
  t.equal(plan.placements.length, 0);
  t.same(plan.status.queued, { app: 5 });
  t.equal(world.cluster.fleet.usedMemory[0], 0);
});

t.test('a dry run answers and leaves no trace', async (t) => {
  const world = running(job({ count: 1 }));
  const ask = (spec: JobSpec) => world.plan(world.evaluation({ dryRun: { job: spec } }));
  const used = [...world.cluster.fleet.usedMemory];
  const changed = ask(job({ count: 3 }));
  t.match(changed.status.plan, {
    baseVersion: 0,
    createdDeployment: true,
    desiredUpdates: { app: { place: 2, inPlaceUpdate: 1 } },
  });
  t.type(changed.status.plan!.jobModifyIndex, 'number');
  t.same([changed.placements, changed.patches, changed.evaluations, changed.deployment], [[], [], [], undefined]);
  t.same([...world.cluster.fleet.usedMemory], used);
  t.match(ask(job({ count: 1 })).status.plan, {
    createdDeployment: false,
    desiredUpdates: { app: { ignore: 1, inPlaceUpdate: 0 } },
  });
  t.match(ask(job({ count: 9, memory: 5000 })).status.plan!.failedPlacements, { app: { dimensionExhausted: { memory: 3 } } });
  const unknown = world.plan(world.evaluation({ jobName: 'new', dryRun: { job: job({ count: 1 }) } }));
  t.match(unknown.status.plan, { jobModifyIndex: 0, createdDeployment: true, desiredUpdates: { app: { place: 1 } } });
  t.notOk('baseVersion' in unknown.status.plan!);
});

t.test('updateImpact', async (t) => {
  const task = { name: 'main', driver: 'docker', config: { image: 'redis:3' }, resources: { cpu: 100, memory: 100 } };
  const spec = (change: object = {}, taskChange: object = {}, jobChange: object = {}): JobSpec => ({
    groups: [{ name: 'app', count: 1, tasks: [{ ...task, ...taskChange }], ...change }],
    ...jobChange,
  });
  const cases: [string, JobSpec, 'in-place' | 'destructive'][] = [
    ['nothing', spec(), 'in-place'],
    ['count', spec({ count: 5 }), 'in-place'],
    ['priority', spec({}, {}, { priority: 80 }), 'in-place'],
    ['datacenters', spec({}, {}, { datacenters: ['dc2'] }), 'in-place'],
    ['type', spec({}, {}, { type: 'batch' }), 'in-place'],
    ['update', spec({ update: { maxParallel: 3 } }), 'in-place'],
    ['restart', spec({ restart: { attempts: 1 } }), 'in-place'],
    ['reschedule', spec({ reschedule: { attempts: 1 } }), 'in-place'],
    ['scaling', spec({ scaling: { min: 1, max: 5 } }), 'in-place'],
    ['services of the group', spec({ services: [{ name: 'web', port: 'http' }] }), 'in-place'],
    ['services of the task', spec({}, { services: [{ name: 'web' }] }), 'in-place'],
    ['a sidecar', spec({ services: [{ name: 'web', connect: { sidecarService: {} } }] }), 'destructive'],
    ['kill timeout', spec({}, { killTimeout: '9s' }), 'in-place'],
    ['kill signal', spec({}, { killSignal: 'SIGTERM' }), 'in-place'],
    ['log limits', spec({}, { logs: { maxFiles: 3, maxFileSize: 5 } }), 'in-place'],
    ['logs switched off', spec({}, { logs: { disabled: true } }), 'destructive'],
    ['constraints', spec({ constraints: [{ attribute: '${attr.a}', value: 'b' }] }), 'in-place'],
    ['empty env', spec({}, { env: {} }), 'in-place'],
    ['env', spec({}, { env: { A: '' } }), 'destructive'],
    ['driver', spec({}, { driver: 'raw_exec' }), 'destructive'],
    ['image', spec({}, { config: { image: 'redis:4' } }), 'destructive'],
    ['user', spec({}, { user: 'nobody' }), 'destructive'],
    ['artifact', spec({}, { artifacts: [{ source: 'http://x' }] }), 'destructive'],
    ['template', spec({}, { templates: [{ data: 'x' }] }), 'destructive'],
    ['cpu', spec({}, { resources: { cpu: 200, memory: 100 } }), 'destructive'],
    ['memory max', spec({}, { resources: { cpu: 100, memory: 100, memoryMax: 200 } }), 'destructive'],
    ['networks', spec({ networks: [{ ports: [{ label: 'a' }] }] }), 'destructive'],
    ['disk', spec({ ephemeralDisk: { size: 1000 } }), 'destructive'],
    ['lifecycle', spec({}, { lifecycle: { hook: 'prestart' } }), 'destructive'],
    ['affinities', spec({ affinities: [{ attribute: '${node.class}', value: 'a', weight: 50 }] }), 'destructive'],
    ['spreads of the job', spec({}, {}, { spreads: [{ attribute: '${node.datacenter}', weight: 50 }] }), 'destructive'],
    ['meta of the job', spec({}, {}, { meta: { a: '1' } }), 'destructive'],
    ['volumes', spec({ volumes: [{ name: 'data', type: 'host', source: 'data' }] }), 'destructive'],
    ['another task', spec({ tasks: [task, { ...task, name: 'side' }] }), 'destructive'],
  ];
  for (const [title, after, impact] of cases) t.equal(updateImpact(spec(), after, 'app').type, impact, title);
  t.same(updateImpact(spec(), spec({}, { env: { A: 'b' } }), 'app'), { type: 'destructive', because: 'tasks.main.env' });
  t.equal(
    updateImpact(spec({ meta: { a: '1' } }), spec({}, {}, { meta: { a: '1' } }), 'app').type,
    'in-place',
    'meta that is inherited instead',
  );
});

t.test('backoff', async (t) => {
  const now = START + 1e9;
  const tracker = (...delays: number[]): RescheduleEvent[] =>
    delays.map((delay, i) => ({ time: toTimestamp(now - (delays.length - i)), delay: formatDuration(delay) }));
  const exponential = { unlimited: true, delay: '30s', delayFunction: 'exponential', maxDelay: '1h' };
  const fibonacci = { unlimited: true, delay: '10s', delayFunction: 'fibonacci', maxDelay: '50s' };
  t.equal(nextDelay(exponential, [], now), 30_000);
  t.equal(nextDelay(exponential, tracker(30_000), now), 60_000);
  t.equal(nextDelay(exponential, tracker(3_600_000), now), 3_600_000, 'capped');
  t.equal(nextDelay({ delay: '5s', delayFunction: 'constant' }, tracker(5000), now), 5000);
  t.equal(nextDelay(fibonacci, tracker(10_000), now), 10_000);
  t.equal(nextDelay(fibonacci, tracker(10_000, 10_000), now), 20_000);
  t.equal(nextDelay(fibonacci, tracker(20_000, 40_000), now), 50_000, 'capped');
  const longAgo: RescheduleEvent[] = [{ time: toTimestamp(now - 3_000_000), delay: '1m0s' }];
  t.equal(nextDelay(exponential, longAgo, now), 30_000, 'it ran long enough to start anew');
  t.ok(mayReschedule({ attempts: 2, interval: '1h' }, tracker(1), now));
  t.notOk(mayReschedule({ attempts: 2, interval: '1h' }, tracker(1, 1), now));
  t.ok(mayReschedule({ attempts: 1, interval: '10m' }, longAgo, now), 'attempts before the interval do not count');
  t.notOk(mayReschedule(undefined, [], now));
});
