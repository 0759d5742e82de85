import t from 'tap';
import { startControllers, controllerNames } from '../../controllers/index.ts';
import { registrationName } from '../../controllers/job/decide.ts';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type Allocation,
  type AnyObject,
  type Job,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
import { startControlPlane } from '../framework/control-plane.ts';
import { FakeAgent } from '../framework/fake-agent.ts';

/** All controllers and the scheduler on the real apiserver, with agents that only say what tasks do. */

const plane = await startControlPlane(t);
const { client, informers } = plane;
const start = (identity: string): ReturnType<typeof startControllers> =>
  startControllers({ ...plane, names: controllerNames, identity, config: { node: { heartbeatGrace: 50, heartbeatTtl: 100 } } });
const first = await start('first');
const second = await start('second');
const agents = await Promise.all(
  [1, 2, 3].map(() => new FakeAgent({ ...plane, behaviour, holdsOn: (a) => holdsOn.has(a.metadata.name) }).start()),
);
const jobName = 'tour';
/** Allocations whose tasks take their time to end. */
const holdsOn = new Set<string>();
/** Images of which no allocation gets healthy. */
const broken = new Set<string>();
/** The most allocations that were not serving at a time, while somebody counts. */
let watching = false;
let mostMissing = 0;

function behaviour(allocation: Stored<Allocation>): NonNullable<Allocation['status']> {
  const version =
    informers.of(AllocationKind).get(`default/${allocation.metadata.name}`)?.spec.jobVersion ?? allocation.spec.jobVersion;
  return { phase: 'running', deploymentHealth: { healthy: !broken.has(String(version)) } };
}

informers.of(AllocationKind).on({ modified: count, added: count });
function count(): void {
  if (!watching) return;
  mostMissing = Math.max(mostMissing, 3 - serving().length);
}

const own = (): Stored<Allocation>[] =>
  informers
    .of(AllocationKind)
    .list()
    .filter((a) => a.spec.jobName === jobName);
const serving = (): Stored<Allocation>[] => own().filter((a) => a.spec.desired === 'run' && a.status?.phase === 'running' && a.status.deploymentHealth?.healthy === true); // prettier-ignore

t.teardown(async () => {
  await first.close();
  await second.close();
  await Promise.all(agents.map((agent) => agent.close()));
  await plane.close();
});

t.test('submitted, spread over the nodes, and deployed', async (t) => {
  const submitted = await client.create(JobKind, job({}));
  const evaluation = await where(
    EvaluationKind,
    (e) => e.metadata.name === registrationName(submitted.metadata.uid, 1) && e.status?.phase === 'complete',
  );
  t.ok(evaluation.status?.deployment);
  const deployment = await where(DeploymentKind, (d) => d.status?.phase === 'successful');
  t.match(deployment.status, {
    description: 'Deployment completed successfully',
    groups: [{ placed: 3, healthy: 3, unhealthy: 0 }],
  });
  t.equal(new Set(own().map((a) => a.spec.nodeName)).size, 3);
  await jobWhere((j) => j.status?.phase === 'running' && j.status.groups?.[0]?.running === 3 && j.status.stable === true);
});

t.test('a new version rolls out, never more than one away, and another process takes over in the middle', async (t) => {
  watching = true;
  await client.patch(JobKind, jobName, 'default', { spec: job({ args: ['1'] }).spec });
  await where(DeploymentKind, (d) => d.spec.jobVersion === 1 && d.status?.groups?.[0]?.healthy === 1);
  await first.close();
  const deployment = await where(DeploymentKind, (d) => d.spec.jobVersion === 1 && d.status?.phase === 'successful');
  watching = false;
  t.equal(mostMissing, 1);
  t.match(deployment.status?.groups, [{ placed: 3, healthy: 3 }]);
  await jobWhere(
    (j) => j.status?.version === 1 && j.status.stable === true && j.status.latestDeployment === deployment.metadata.name,
  );
});

t.test('a version that does not get healthy is taken back', async (t) => {
  broken.add('2');
  await client.patch(JobKind, jobName, 'default', { spec: job({ args: ['2'], progressDeadline: '0s' }).spec });
  const failed = await where(DeploymentKind, (d) => d.spec.jobVersion === 2 && d.status?.phase === 'failed');
  t.equal(failed.status?.description, 'Failed due to unhealthy allocations - rolling back to job version 1');
  await where(DeploymentKind, (d) => d.spec.jobVersion === 3 && d.status?.phase === 'successful');
  await jobWhere((j) => j.status?.version === 3 && j.status.stable === true);
  await until(() => serving().length === 3 && own().filter((a) => a.spec.desired === 'run').length === 3);
  t.same(own().filter((a) => a.spec.desired === 'run').map((a) => a.spec.index).sort(), [0, 1, 2]); // prettier-ignore
});

t.test('a running allocation that is deleted is stopped, replaced at once, and gone when it has ended', async (t) => {
  const victim = serving()[0]!;
  holdsOn.add(victim.metadata.name);
  await client.delete(AllocationKind, victim.metadata.name, 'default');
  await until(() => serving().length === 3 && serving().every((a) => a.metadata.name !== victim.metadata.name));
  const left = own().find((a) => a.metadata.name === victim.metadata.name);
  t.match(left, { spec: { desired: 'stop' }, status: { phase: 'running' } }, 'its record stays while its task runs');
  t.ok(left?.metadata.deletionTimestamp);
  await client.patch(AllocationKind, victim.metadata.name, 'default', { status: { phase: 'complete' } }, { subresource: 'status' }); // prettier-ignore
  await until(() => own().every((a) => a.metadata.name !== victim.metadata.name));
  t.same(serving().map((a) => a.spec.index).sort(), [0, 1, 2]); // prettier-ignore
});

t.test('an allocation that vanishes is replaced', async (t) => {
  const victim = serving()[0]!;
  holdsOn.add(victim.metadata.name);
  await client.delete(AllocationKind, victim.metadata.name, 'default');
  await client.patch(AllocationKind, victim.metadata.name, 'default', { metadata: { finalizers: [] } });
  await until(() => serving().length === 3 && own().every((a) => a.metadata.name !== victim.metadata.name));
  t.pass();
});

t.test('a node that dies is down, what ran there is lost and replaced', async (t) => {
  const [dead] = agents;
  await dead!.die();
  await where(NodeKind, (n) => n.metadata.name === dead!.name && n.status?.phase === 'down');
  await until(() => own().some((a) => a.spec.nodeName === dead!.name && a.status?.phase === 'lost'));
  await until(() => serving().length === 3 && serving().every((a) => a.spec.nodeName !== dead!.name));
  await jobWhere((j) => j.status?.groups?.[0]?.lost === 1 && j.status.groups[0].running === 3);
  t.pass();
});

t.test('a node is drained', async (t) => {
  const busy = agents[1]!;
  t.ok(serving().some((a) => a.spec.nodeName === busy.name));
  watching = true;
  mostMissing = 0;
  await client.patch(NodeKind, busy.name, undefined, { spec: { drain: { deadline: '1h' } } });
  await where(NodeKind, (n) => n.metadata.name === busy.name && n.status?.drain?.phase === 'complete');
  watching = false;
  t.ok(mostMissing <= 1, `at most one away: ${mostMissing}`);
  t.ok(serving().every((a) => a.spec.nodeName === agents[2]!.name));
  t.equal(serving().length, 3);
});

t.test('a failed allocation is rescheduled', async (t) => {
  const victim = serving()[0]!;
  await client.patch(AllocationKind, victim.metadata.name, 'default', { status: { phase: 'failed' } }, { subresource: 'status' });
  const waiting = await where(
    AllocationKind,
    (a) => a.metadata.name === victim.metadata.name && a.spec.followupEvaluation !== undefined,
  );
  const followup = await where(EvaluationKind, (e) => e.metadata.name === waiting.spec.followupEvaluation);
  t.match(followup.spec, { waitUntil: /^20/ }, 'after the delay of its policy');
  await jobWhere((j) => j.status?.phase === 'running' && j.status.groups?.[0]?.failed === 1);
});

t.test('stopped, started again, and purged', async (t) => {
  await client.patch(JobKind, jobName, 'default', { spec: { stop: true } });
  const dead = await jobWhere((j) => j.status?.phase === 'dead' && j.status.groups?.[0]?.running === 0);
  t.match(dead.status?.groups, [{ desired: 0, queued: 0, starting: 0, running: 0 }]);
  await client.patch(JobKind, jobName, 'default', { spec: { stop: false } });
  // The third waits for the delay of the one that failed.
  await jobWhere((j) => j.status?.phase === 'running' && j.status.groups?.[0]?.running === 2);
  await client.delete(JobKind, jobName, 'default');
  await until(() => informers.of(JobKind).size === 0);
  await until(() => own().length === 0);
  await informers
    .of(DeploymentKind)
    .until((cache) => (cache.list().length === 0 ? true : undefined), AbortSignal.timeout(10_000));
  t.pass('what it owned went with it');
});

function job({ args = [], progressDeadline = '10m' }: { args?: string[]; progressDeadline?: string }): Job {
  const update = { maxParallel: 1, minHealthyTime: '0s', healthyDeadline: '5m', progressDeadline, autoRevert: true };
  const reschedule = { delay: '5s', delayFunction: 'constant', unlimited: true };
  const tasks = [
    { name: 'web', driver: 'raw_exec', config: { command: '/bin/true', args }, resources: { cpu: 100, memory: 100 } },
  ];
  return {
    metadata: { name: jobName, namespace: 'default' },
    spec: {
      type: 'service',
      datacenters: ['*'],
      priority: 50,
      groups: [{ name: 'web', count: 3, update, reschedule, migrate: { maxParallel: 1 }, tasks }],
    },
  };
}

async function where<T extends AnyObject>(kind: Kind<T>, claim: (object: Stored<T>) => boolean): Promise<Stored<T>> {
  try {
    return await informers.of(kind).until((cache) => cache.list().find(claim), AbortSignal.timeout(10_000));
  } catch (error) {
    throw new Error(`not seen: ${claim.toString()}; there is ${JSON.stringify(informers.of(kind).list(), null, 1)}`, {
      cause: error,
    });
  }
}

const jobWhere = (claim: (job: Stored<Job>) => boolean): Promise<Stored<Job>> =>
  where(JobKind, (j) => j.metadata.name === jobName && claim(j));

/** Awaits a claim about allocations and jobs. */
async function until(claim: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const ask = (): true | undefined => (claim() ? true : undefined);
  try {
    await Promise.any([informers.of(AllocationKind).until(ask, signal), informers.of(JobKind).until(ask, signal)]);
  } catch (error) {
    throw new Error(`not seen: ${claim.toString()}; there is ${JSON.stringify(informers.of(AllocationKind).list().map((a) => [a.metadata.name, a.spec, a.status]), null, 1)}`, { cause: error }); // prettier-ignore
  }
}
