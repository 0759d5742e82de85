import t from 'tap';
import { toTimestamp, uuid } from '../../../base/index.ts';
import type { BatchOperation } from '../../../client/index.ts';
import { startControllers, type ControllerName } from '../../../controllers/index.ts';
import { send } from '../../../controllers/scheduler/plan/write.ts';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  SchedulerConfigurationKind,
  type Allocation,
  type Evaluation,
  type EvaluationStatus,
  type JobSpec,
  type Stored,
} from '../../../openapi/index.ts';
import { startControlPlane, type ControlPlane } from '../../framework/control-plane.ts';
import { FakeAgent, type FakeAgentOptions } from '../../framework/fake-agent.ts';
import { group, job } from './world.ts';

type Test = { teardown(fn: () => Promise<void> | void): void };

async function start(t: Test, agents: number, options: Partial<FakeAgentOptions> = {}) {
  const plane = await startControlPlane(t);
  const { client, clock, log, informers } = plane;
  const run = async (names: readonly ControllerName[] = ['job', 'scheduler', 'deployment', 'node']) => {
    const controllers = await startControllers({
      client,
      names,
      identity: 'test',
      clock,
      log,
      config: { node: { heartbeatGrace: 100, heartbeatTtl: 100 }, leaseTtl: 3000 },
    });
    t.teardown(() => controllers.close());
    if (names.includes('node'))
      await informers.of(NodeKind).until((nodes) => (nodes.list().every((n) => n.status?.phase === 'ready') ? true : undefined));
    return controllers;
  };
  const fleet = await Promise.all(
    Array.from({ length: agents }, () => new FakeAgent({ client, clock, log, ...options }).start()),
  );
  for (const agent of fleet) t.teardown(() => agent.close());
  return { plane, run, fleet };
}

const submit = ({ client }: ControlPlane, spec: JobSpec, name = 'web') =>
  client.create(JobKind, { metadata: { name, namespace: 'default' }, spec: { ...spec, id: name, name } });
const update = ({ client }: ControlPlane, spec: unknown, name = 'web') => client.patch(JobKind, name, 'default', { spec });

/** Resolves when as many allocations of the job run as are asked for, and gives all of them. */
const running = ({ informers }: ControlPlane, count: number, version?: number, name = 'web'): Promise<Stored<Allocation>[]> =>
  informers.of(AllocationKind).until((cache) => {
    const all = cache.list().filter((a) => a.spec.jobName === name);
    const live = all.filter(
      (a) =>
        a.spec.desired === 'run' && a.status?.phase === 'running' && (version === undefined || a.spec.jobVersion === version),
    );
    return live.length === count && all.filter((a) => a.spec.desired === 'run').length === count ? live : undefined;
  });

const evaluationWhere = ({ informers }: ControlPlane, is: (e: Stored<Evaluation>) => boolean): Promise<Stored<Evaluation>> =>
  informers.of(EvaluationKind).until((cache) => cache.list().find(is));
const ended =
  (phase: NonNullable<EvaluationStatus['phase']>, jobName = 'web') =>
  (e: Stored<Evaluation>) =>
    e.spec.jobName === jobName && e.status?.phase === phase;

const web = (options: Parameters<typeof group>[1] = {}): JobSpec =>
  job([group('app', { count: 3, update: { maxParallel: 1, minHealthyTime: '0s', healthCheck: 'task_states' }, ...options })]);

// The first waits for its backoff, the shortest there is, while the others run.
t.jobs = 2;

t.test('a failed allocation is rescheduled after its backoff', async (t) => {
  let failures = 0;
  const { plane, run } = await start(t, 2, {
    behaviour: () => (failures++ === 0 ? { phase: 'failed' } : { phase: 'running', deploymentHealth: { healthy: true } }),
  });
  await run();
  await submit(plane, web({ count: 1, reschedule: { unlimited: true, delay: '5s', delayFunction: 'constant' } }));
  const delayed = await evaluationWhere(plane, (e) => e.spec.waitUntil !== undefined);
  t.match(delayed.spec, { trigger: 'alloc-failure' });
  const [replacement] = await running(plane, 1);
  t.match(replacement!.spec, { previousAllocation: String, rescheduleTracker: [{ delay: '5s' }] });
  const failed = plane.informers.of(AllocationKind).get(`default/${replacement!.spec.previousAllocation}`)!;
  t.match(failed.spec, {
    desired: 'stop',
    nextAllocation: replacement!.metadata.name,
    desiredDescription: 'alloc was rescheduled because it failed',
  });
  t.not(failed.spec.nodeName, replacement!.spec.nodeName);
});

t.test('placed, spread, updated one by one, stopped', async (t) => {
  const { plane, run } = await start(t, 3);
  await run();
  await submit(plane, web());
  const first = await running(plane, 3);
  t.equal(new Set(first.map((a) => a.spec.nodeName)).size, 3);
  const registered = await evaluationWhere(plane, (e) => e.spec.trigger === 'job-register' && ended('complete')(e));
  t.match(registered, { spec: { trigger: 'job-register' }, status: { deployment: String, queued: { app: Number } } });
  await plane.informers.of(DeploymentKind).until((cache) => cache.list().find((d) => d.status?.phase === 'successful'));

  let most = 0;
  const unsubscribe = plane.informers.of(AllocationKind).on({
    modified: () => {
      const up = plane.informers
        .of(AllocationKind)
        .list()
        .filter((a) => a.spec.desired === 'run' && a.status?.phase === 'running').length;
      most = Math.max(most, 3 - up);
    },
  });
  await update(plane, { groups: [{ ...web().groups![0], tasks: [{ name: 'main', driver: 'raw_exec', config: { command: 'other' }, resources: { cpu: 100, memory: 100 } }] }] }); // prettier-ignore
  const second = await running(plane, 3, 1);
  unsubscribe();
  t.equal(most, 1, 'never more than one away');
  t.ok(second.every((a) => first.some((b) => b.metadata.name === a.spec.previousAllocation)));

  await update(plane, { stop: true });
  await plane.informers
    .of(AllocationKind)
    .until((cache) => (cache.list().every((a) => a.status?.phase === 'complete') ? true : undefined));
});

t.test('a node dies: lost, replaced; what has no place waits and is woken by a node', async (t) => {
  const { plane, run, fleet } = await start(t, 2);
  await run();
  await submit(plane, web({ count: 2, memory: 5000 }));
  const before = await running(plane, 2);
  await fleet[0]!.die();
  const waiting = await evaluationWhere(plane, ended('blocked'));
  t.match(waiting, {
    spec: { trigger: 'queued-allocs' },
    status: { queued: { app: 1 }, failedPlacements: { app: { dimensionExhausted: { memory: 1 } } } },
  });
  const lost = plane.informers
    .of(AllocationKind)
    .get(`default/${before.find((a) => a.spec.nodeName === fleet[0]!.name)!.metadata.name}`)!;
  t.match(lost, {
    spec: { desired: 'stop', desiredDescription: 'alloc is lost since its node is down' },
    status: { phase: 'lost' },
  });

  const { client, clock, log } = plane;
  const another = await new FakeAgent({ client, clock, log }).start();
  t.teardown(() => another.close());
  const joined = performance.now();
  const after = await running(plane, 2);
  t.ok(after.some((a) => a.spec.nodeName === another.name && a.spec.evaluation === waiting.metadata.name));
  t.comment(`placed ${Math.round(performance.now() - joined)} ms after the node had joined`);
  await evaluationWhere(plane, (e) => e.metadata.name === waiting.metadata.name && e.status?.phase === 'complete');
});

t.test('a dry run is answered and nothing is written', async (t) => {
  const { plane, run } = await start(t, 1);
  await run();
  await submit(plane, web({ count: 1 }));
  await running(plane, 1);
  const stored = (await plane.client.get(JobKind, 'web', 'default')).spec;
  const ask = async (spec: JobSpec, jobName = 'web'): Promise<EvaluationStatus> => {
    const made = await plane.client.create(EvaluationKind, {
      metadata: { name: uuid(), namespace: 'default' },
      spec: { jobName, trigger: 'job-register', dryRun: { job: spec } },
    });
    return (await evaluationWhere(plane, (e) => e.metadata.name === made.metadata.name && e.status?.plan !== undefined)).status!;
  };
  t.match((await ask(stored)).plan, {
    baseVersion: 0,
    desiredUpdates: { app: { ignore: 1, place: 0 } },
    createdDeployment: false,
  });
  t.match((await ask({ ...stored, groups: [{ ...stored.groups![0]!, count: 3 }] })).plan, {
    desiredUpdates: { app: { place: 2, inPlaceUpdate: 1 } },
    createdDeployment: true,
  });
  t.match((await ask({ ...web({ count: 1 }), id: 'unknown', name: 'unknown' }, 'unknown')).plan, {
    jobModifyIndex: 0,
    desiredUpdates: { app: { place: 1 } },
  });
  t.equal((await plane.client.list(AllocationKind)).items.length, 1);

  // An operator holds everything back: dry runs are answered all the same, and nobody but who stops may change a job.
  const configure = (spec: object) => plane.client.patch(SchedulerConfigurationKind, 'default', undefined, { spec });
  await plane.client.create(SchedulerConfigurationKind, { metadata: { name: 'default' }, spec: { schedulerAlgorithm: 'binpack', memoryOversubscription: true, pauseEvalBroker: true } }); // prettier-ignore
  await plane.informers.of(SchedulerConfigurationKind).until((all) => (all.list().length > 0 ? true : undefined));
  t.match((await ask(stored)).plan, { desiredUpdates: { app: { ignore: 1 } } });
  await update(plane, { groups: [{ ...stored.groups![0]!, count: 2 }] });
  const waiting = await evaluationWhere(plane, (e) => e.spec.jobGeneration === 2);
  t.equal(waiting.status?.phase ?? 'pending', 'pending');
  await ask(stored);
  t.equal((await plane.client.get(EvaluationKind, waiting.metadata.name, 'default')).status?.phase ?? 'pending', 'pending');
  await configure({ pauseEvalBroker: false, rejectJobRegistration: true });
  await running(plane, 2);
  await t.rejects(submit(plane, web({ count: 1 }), 'other'), /job registration, dispatch, and scale are disabled/);
  await t.rejects(update(plane, { priority: 70 }), /are disabled/);
  await update(plane, { stop: true });
  await configure({ rejectJobRegistration: false });
  await submit(plane, web({ count: 1 }), 'other');
});

t.test('the scheduler is replaced in the middle: nothing is lost, nothing is doubled', async (t) => {
  const { plane, run } = await start(t, 3);
  await run(['job', 'deployment', 'node']);
  let scheduler = await run(['scheduler']);
  const jobs = Array.from({ length: 12 }, (_, i) => `job${i}`);
  for (const [i, name] of jobs.entries()) {
    await submit(plane, web({ count: 5, cpu: 10, memory: 10 }), name);
    if (i % 4 !== 3) continue;
    await scheduler.close();
    scheduler = await run(['scheduler']);
  }
  for (const name of jobs) await running(plane, 5, undefined, name);
  const { items } = await plane.client.list(AllocationKind);
  t.equal(items.filter((a) => a.spec.desired === 'run').length, 60);
  t.equal(new Set(items.map((a) => `${a.spec.jobName}/${a.spec.index}`)).size, items.length, 'each index once');
});

t.test('many evaluations of one job at once end, most of them cancelled', async (t) => {
  const { plane, run } = await start(t, 1);
  await submit(plane, web({ count: 1 }));
  const controllers = await run(['job', 'scheduler', 'node']);
  await running(plane, 1);
  await controllers.close();
  const names = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const made = await plane.client.create(EvaluationKind, {
        metadata: { name: uuid(), namespace: 'default' },
        spec: { jobName: 'web', trigger: 'job-register', waitUntil: toTimestamp(0) },
      });
      return made.metadata.name;
    }),
  );
  await run(['scheduler']);
  const phases = await plane.informers.of(EvaluationKind).until((cache) => {
    const found = names.map((name) => cache.get(`default/${name}`)?.status?.phase);
    return found.every((phase) => phase === 'complete' || phase === 'cancelled') ? found : undefined;
  });
  t.ok(phases.filter((phase) => phase === 'complete').length <= 3);
  t.equal((await plane.client.list(AllocationKind)).items.length, 1);
});

t.test('a plan that is too large for one request goes in several, in its order', async (t) => {
  const sent: string[][] = [];
  const batch = (operations: readonly BatchOperation[]) => {
    sent.push(operations.map((operation) => (operation.operation === 'create' ? operation.object.metadata.name! : '')));
    const resourceVersion = String(sent.length);
    return Promise.resolve({ revision: resourceVersion, results: operations.map(() => ({ code: 201, resourceVersion })) });
  };
  const filler = 'x'.repeat(6_000);
  const operations = Array.from({ length: 3_000 }, (_, i) => ({
    operation: 'create' as const,
    object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', metadata: { name: `a${i}`, annotations: { filler } } },
  }));
  const { revision, results } = await send({ batch }, operations);
  t.same(sent.flat(), operations.map(({ object }) => object.metadata.name)); // prettier-ignore
  t.equal(sent.length, 3, 'eighteen megabytes');
  t.equal(revision, '3');
  t.same([results.length, results[0]!.resourceVersion, results.at(-1)!.resourceVersion], [3_000, '1', '3']);
  sent.length = 0;
  await send({ batch }, operations.slice(0, 900));
  t.equal(sent.length, 1, 'what fits is one transaction');
});
