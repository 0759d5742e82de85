import t from 'tap';
import { derivedUuid, toTimestamp, uuid, type Instant } from '../../base/index.ts';
import { gcControllers, defaultGcConfig, type GcConfig } from '../../controllers/gc/index.ts';
import { gcPart } from '../../controllers/gc/part.ts';
import { deploymentController } from '../../controllers/deployment/index.ts';
import { jobController, summaryOperations } from '../../controllers/job/index.ts';
import { defaultHeartbeatConfig, drainController, heartbeatController } from '../../controllers/node/index.ts';
import { Manager, noMetrics, partOf, type Controller, type Part } from '../../controllers/runtime/index.ts';
import { registrationName } from '../../controllers/job/decide.ts';
import {
  AllocationKind,
  CustomResourceDefinitionKind,
  defineKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  JobVersionKind,
  LeaseKind,
  NodeKind,
  NodePoolKind,
  OperationKind,
  type Allocation,
  type AllocationSpec,
  type AllocationStatus,
  type AnyObject,
  type Evaluation,
  type Job,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
import { startControlPlane, type ControlPlane } from '../framework/control-plane.ts';

/** Controllers against the real apiserver; scheduler and agents are played by hand. */

const plane = await startControlPlane(t);
const { client, informers } = plane;

t.test('a job from its registration to its removal', async (t) => {
  await withControllers([jobController, ...gcControllers()], async () => {
    const job = await client.create(JobKind, jobObject('life'));
    const { uid } = job.metadata;
    const first = await seen(EvaluationKind, registrationName(uid, 1));
    t.match(first.spec, {
      trigger: 'job-register',
      jobName: 'life',
      jobUID: uid,
      jobVersion: 0,
      jobGeneration: 1,
      type: 'service',
      priority: 50,
    });
    const v0 = await seen(JobVersionKind, `life-${uid.slice(0, 8)}-v0`);
    t.same(v0.spec.job, job.spec);
    let now = await jobWhere('life', (j) => j.status?.observedGeneration === 1);
    t.match(now.status, { phase: 'pending', version: 0, groups: [{ name: 'web', desired: 2, queued: 0, running: 0 }] });
    t.equal(v0.spec.jobModifyIndex, now.status!.modifyIndex);

    // The scheduler places one and has no room for the other.
    const alloc = await place(now, { index: 0, evaluation: first.metadata.name });
    await answer(first, { phase: 'complete', queued: { web: 1 } });
    now = await jobWhere('life', (j) => j.status?.groups?.[0]?.queued === 1 && j.status.groups[0].starting === 1);
    t.equal(now.status!.phase, 'running');
    t.match(now.status!.conditions, [{ type: 'Placed', status: 'False', message: '1 of group web wait for capacity.' }]);

    // It fails: asked about once, however often it is looked at.
    await report(alloc, { phase: 'failed' });
    const failure = await evaluationWhere('life', (e) => e.spec.trigger === 'alloc-failure');
    t.match(failure.metadata.annotations, { 'orch.dev/allocations': alloc.metadata.name });
    await answer(failure, { phase: 'complete', queued: { web: 2 } });
    now = await jobWhere('life', (j) => j.status?.groups?.[0]?.queued === 2);
    t.match(now.status, { phase: 'dead', groups: [{ failed: 1 }] });

    // A change makes version 1, a stop version 2.
    await client.patch(JobKind, 'life', 'default', { spec: { groups: [{ ...jobObject('life').spec.groups![0], count: 3 }] } });
    await client.patch(JobKind, 'life', 'default', { spec: { priority: 70 } });
    now = await jobWhere('life', (j) => j.status?.observedGeneration === j.metadata.generation && j.status.version! > 0);
    const changed = await client.get(JobKind, 'life', 'default');
    now = await jobWhere('life', (j) => j.status?.observedGeneration === changed.metadata.generation);
    await client.patch(JobKind, 'life', 'default', { spec: { stop: true } });
    now = await jobWhere('life', (j) => j.spec.stop === true && j.status?.observedGeneration === j.metadata.generation);
    const stop = await seen(EvaluationKind, registrationName(uid, now.metadata.generation));
    t.equal(stop.spec.trigger, 'job-deregister');
    const versions = (await client.list(JobVersionKind, { namespace: 'default', fieldSelector: 'spec.jobName=life' })).items;
    t.same(
      versions.map((v) => v.spec.version).sort(),
      versions.map((_, i) => i),
      'no gaps',
    );
    t.match(now.status, { phase: 'dead', version: versions.length - 1 });

    // Deleted: waits for the scheduler, then for what still runs, then goes with all that it owns.
    const late = await place(now, { index: 1, phase: 'running', desired: 'stop' });
    await client.delete(JobKind, 'life', 'default');
    await answer(stop, { phase: 'complete', queued: {} });
    await jobWhere('life', (j) => j.metadata.deletionTimestamp !== undefined && j.status?.groups?.[0]?.running === 1);
    await report(late, { phase: 'complete' });
    await gone(JobKind, 'default/life');
    await gone(JobVersionKind, `default/${v0.metadata.name}`);
    await gone(AllocationKind, `default/${late.metadata.name}`);
    t.ok(await client.find(EvaluationKind, stop.metadata.name, 'default'), 'the evaluation can still be looked at');
  });
});

t.test('a running job that is deleted is deregistered by the generation of its deletion', async (t) => {
  await withControllers([jobController], async () => {
    const job = await client.create(JobKind, jobObject('purged'));
    const first = await seen(EvaluationKind, registrationName(job.metadata.uid, 1));
    await answer(first, { phase: 'complete', queued: {} });
    await client.delete(JobKind, 'purged', 'default');
    const evaluation = await seen(EvaluationKind, registrationName(job.metadata.uid, 2));
    t.equal(evaluation.spec.trigger, 'job-deregister');
    t.equal(
      (await client.list(JobVersionKind, { namespace: 'default', fieldSelector: 'spec.jobName=purged' })).items.length,
      1,
      'not a new version',
    );
    await answer(evaluation, { phase: 'complete', queued: {} });
    await gone(JobKind, 'default/purged');
  });
});

t.test('a deployment goes on as its allocations get healthy, and takes a failed version back', async (t) => {
  await withControllers([jobController, deploymentController], async () => {
    await client.create(JobKind, jobObject('roll'));
    let job = await jobWhere('roll', (j) => j.status?.version === 0);
    let deployment = await deploy(job, { autoRevert: true });
    const [a, b] = [await place(job, { index: 0, deployment }), await place(job, { index: 1, deployment })];
    await report(a, { phase: 'running', deploymentHealth: { healthy: true } });
    const step = await evaluationWhere('roll', (e) => e.spec.trigger === 'deployment-watcher');
    t.equal(step.spec.deployment, deployment);
    const half = await deploymentWhere(deployment, (d) => d.status?.groups?.[0]?.healthy === 1);
    t.match(half.status, {
      phase: 'running',
      description: 'Deployment is running',
      groups: [{ placed: 2, healthy: 1, unhealthy: 0 }],
    });
    await report(b, { phase: 'running', deploymentHealth: { healthy: true } });
    const done = await deploymentWhere(deployment, (d) => d.status?.phase === 'successful');
    t.equal(done.status?.description, 'Deployment completed successfully');
    job = await jobWhere('roll', (j) => j.status?.stable === true && j.status.latestDeployment === deployment);
    const spec = job.spec;

    // The next version does not get healthy. It has no deadline, so the first unhealthy allocation ends it.
    await client.patch(JobKind, 'roll', 'default', { spec: { priority: 60 } });
    job = await jobWhere('roll', (j) => j.status?.version === 1);
    deployment = await deploy(job, { autoRevert: true, progressDeadline: '0s' });
    const bad = await place(job, { index: 0, deployment });
    await report(bad, { phase: 'failed' });
    const failed = await deploymentWhere(deployment, (d) => d.status?.phase === 'failed');
    t.equal(failed.status?.description, 'Failed due to unhealthy allocations - rolling back to job version 0');
    job = await jobWhere('roll', (j) => j.status?.version === 2);
    t.same(job.spec, spec, 'the spec of version 0 again');

    // Stopping the job cancels what runs.
    deployment = await deploy(job, {});
    await client.patch(JobKind, 'roll', 'default', { spec: { stop: true } });
    const cancelled = await deploymentWhere(deployment, (d) => d.status?.phase === 'cancelled');
    t.equal(cancelled.status?.description, 'Cancelled because job is stopped');
  });
});

t.test('a node is heard, missed and heard again', async (t) => {
  const config = { ...defaultHeartbeatConfig, heartbeatGrace: 50, heartbeatTtl: 100 };
  await withControllers([jobController, heartbeatController(() => Date.now(), config)], async () => {
    await client.create(JobKind, jobObject('on-node'));
    const job = await jobWhere('on-node', (j) => j.status?.version === 0);
    const name = uuid();
    await client.create(LeaseKind, leaseObject(name));
    await client.create(NodeKind, nodeObject(name));
    const ready = await nodeWhere(name, (n) => n.status?.phase === 'ready');
    t.match(ready.status?.events, [{ subsystem: 'Cluster', message: 'Node registered' }]);
    const alloc = await place(job, { index: 0, node: name, phase: 'running' });
    await client.delete(LeaseKind, name, 'orch-node-lease');
    const down = await nodeWhere(name, (n) => n.status?.phase === 'down');
    t.equal(down.status?.description, 'Node heartbeat missed');
    const lost = await evaluationWhere('on-node', (e) => e.spec.trigger === 'node-update');
    t.match(lost.metadata.annotations, { 'orch.dev/allocations': alloc.metadata.name });
    // Placed by a scheduler that did not know yet: asked about as well.
    const late = await place(job, { index: 1, node: name });
    await evaluationWhere('on-node', (e) => e.metadata.annotations?.['orch.dev/allocations'] === late.metadata.name);

    await client.create(LeaseKind, leaseObject(name));
    const back = await nodeWhere(name, (n) => n.status?.phase === 'ready');
    t.match(back.status?.events?.at(-1), { message: 'Node reregistered by heartbeat' });
  });
  const name = uuid();
  await client.create(NodeKind, nodeObject(name));
  await client.patch(NodeKind, name, undefined, { status: { phase: 'ready' } }, { subresource: 'status' });
  const startedAt = Date.now();
  await withControllers(
    [heartbeatController(() => Date.now(), { ...defaultHeartbeatConfig, heartbeatGrace: 50, heartbeatTtl: 300 })],
    async () => {
      await nodeWhere(name, (n) => n.status?.phase === 'down');
      t.ok(Date.now() - startedAt >= 350, 'a new controller gives a node without a lease the time to come back');
    },
  );
});

t.test('a drain moves group by group and ends when the replacements are healthy', async (t) => {
  await withControllers([jobController, heartbeatController(() => Date.now()), drainController], async () => {
    await client.create(JobKind, jobObject('moved'));
    const job = await jobWhere('moved', (j) => j.status?.version === 0);
    const [from, to] = [uuid(), uuid()];
    for (const name of [from, to]) {
      await client.create(LeaseKind, leaseObject(name));
      await client.create(NodeKind, nodeObject(name));
    }
    await nodeWhere(from, (n) => n.status?.phase === 'ready');
    const healthy: AllocationStatus = { phase: 'running', deploymentHealth: { healthy: true } };
    const old = [await place(job, { index: 0, node: from, ...healthy }), await place(job, { index: 1, node: from, ...healthy })];
    await client.patch(NodeKind, from, undefined, { spec: { drain: { deadline: '1h', message: 'new disk' } } });

    for (const index of [0, 1]) {
      const evaluation = await evaluationWhere('moved', (e) => e.spec.trigger === 'node-drain' && phaseOf(e) === 'pending');
      const marked = (await allocationsOn(from)).filter(
        (a) => a.spec.desiredTransition?.migrate === true && a.spec.desired === 'run',
      );
      t.same(marked.map((a) => a.spec.index), [index], 'one at a time: migrate.max_parallel is 1'); // prettier-ignore
      await answer(evaluation, { phase: 'complete', queued: {} });
      await client.patch(AllocationKind, old[index]!.metadata.name, 'default', { spec: { desired: 'stop' } });
      const replacement = await place(job, { index, node: to, phase: 'running' });
      await report(old[index]!, { phase: 'complete' });
      if (index === 1) {
        const waiting = await nodeWhere(from, (n) => n.status?.drain?.remaining === 0);
        t.equal(waiting.status?.drain?.phase, 'draining', 'not before the replacement is healthy');
      }
      await report(replacement, healthy);
    }
    const done = await nodeWhere(from, (n) => n.status?.drain?.phase === 'complete');
    t.match(done, { spec: { eligibility: 'ineligible' }, status: { drain: { message: 'new disk', remaining: 0 } } });
    t.notOk(done.spec.drain);
    t.match(done.status?.events?.map((e) => e.message), ['Node registered', 'Node drain strategy set', 'Node drain complete']); // prettier-ignore
  });
});

t.test('garbage goes when its time has come', async (t) => {
  const config: GcConfig = { ...defaultGcConfig, evaluation: 60_000, dryRun: 0, jobVersions: 2 };
  const job = await client.create(JobKind, jobObject('litter'));
  const old = toTimestamp(Date.now() - 120_000);
  const evaluation = async (name: string, modifiedAt: string, spec: Partial<Evaluation['spec']> = {}): Promise<void> => {
    const made = await client.create(EvaluationKind, {
      metadata: { name, namespace: 'default' },
      spec: { jobName: 'litter', trigger: 'job-register', ...spec },
    });
    await client.updateStatus(EvaluationKind, { ...made, status: { phase: 'complete', modifiedAt } });
  };
  const [aged, fresh, dry, used] = [uuid(), uuid(), uuid(), uuid()];
  await evaluation(aged, old);
  await evaluation(fresh, toTimestamp(Date.now()));
  await evaluation(dry, toTimestamp(Date.now()), { dryRun: { job: job.spec } });
  await evaluation(used, old);
  await place(job, { index: 0, evaluation: used, phase: 'running' });
  for (let version = 0; version < 5; version++) {
    await client.create(JobVersionKind, {
      metadata: { name: `litter-v${version}`, namespace: 'default' },
      spec: {
        jobName: 'litter',
        jobUID: job.metadata.uid,
        version,
        stable: version === 1,
        job: job.spec,
        ...(version === 2 && { tag: 'keep' }),
      },
    });
  }
  const orphan = await client.create(EvaluationKind, {
    metadata: {
      name: uuid(),
      namespace: 'default',
      ownerReferences: [{ apiVersion: 'orch.dev/v1', kind: 'Job', name: 'litter', uid: 'another' }],
    },
    spec: { jobName: 'litter', trigger: 'job-register' },
  });
  await withControllers(gcControllers(config), async () => {
    for (const name of [aged, dry, orphan.metadata.name]) await gone(EvaluationKind, `default/${name}`);
    // Version 0 is referred to by the allocation, 1 is the last stable one, 2 is tagged.
    const left = (await client.list(JobVersionKind, { namespace: 'default', fieldSelector: 'spec.jobName=litter' })).items;
    t.same(left.map((v) => v.spec.version).sort(), [0, 1, 2, 3, 4]);
    t.ok(await client.find(EvaluationKind, fresh, 'default'));
    t.ok(await client.find(EvaluationKind, used, 'default'));
    await client.patch(JobVersionKind, 'litter-v3', 'default', { spec: { stable: true } });
    await gone(JobVersionKind, 'default/litter-v1');
  });
});

t.test('operators ask for garbage to be collected, and for jobs to be counted', async (t) => {
  const done = async (type: 'gc' | 'reconcile-summaries') => {
    const { metadata } = await client.create(OperationKind, { metadata: { name: uuid() }, spec: { type } });
    return informers.of(OperationKind).until((all) => {
      const one = all.get(metadata.name);
      return one?.status?.phase === 'complete' ? one.status : undefined;
    });
  };
  const counted = await client.create(JobKind, jobObject('counted'));
  await place(counted, { index: 0, phase: 'running' });
  const wrong = { phase: 'running', version: 0, groups: [{ name: 'web', desired: 2, running: 7 }] };
  await client.patch(JobKind, 'counted', 'default', { status: wrong }, { subresource: 'status' });
  await withControllers([summaryOperations], async () => {
    t.match(await done('reconcile-summaries'), { description: /^Counted \d+ jobs, corrected [1-9]/ });
    t.match((await client.get(JobKind, 'counted', 'default')).status!.groups, [{ name: 'web', running: 1 }]);
    t.match(await done('reconcile-summaries'), { counts: { corrected: 0 } });
  });

  const evaluation = async (phase: 'complete' | 'pending'): Promise<string> => {
    const made = await client.create(EvaluationKind, {
      metadata: { name: uuid(), namespace: 'default' },
      spec: { jobName: 'counted', trigger: 'job-register' },
    });
    await client.updateStatus(EvaluationKind, { ...made, status: { phase, modifiedAt: toTimestamp(Date.now()) } });
    return made.metadata.name;
  };
  const [over, open] = [await evaluation('complete'), await evaluation('pending')];
  await withControllers(gcControllers(), async () => {
    t.match(await done('gc'), { counts: { Evaluation: Number }, description: /^Collected .*Evaluation/ });
    await gone(EvaluationKind, `default/${over}`);
    t.ok(await client.find(EvaluationKind, open, 'default'));
    t.equal((await client.list(OperationKind)).items.length, 3, 'what was asked for is on record');
  });
});

t.test('what becomes of dependents, of kinds of our own, too', async (t) => {
  const gadgetKind = defineKind({ group: 'test.dev', version: 'v1', kind: 'Gadget', listKind: 'GadgetList', plural: 'gadgets', singular: 'gadget', shortNames: [], namespaced: false }); // prettier-ignore
  const pool = (name: string, owner?: Stored<AnyObject>) =>
    client.create(NodePoolKind, {
      metadata: {
        name,
        ...(owner && {
          ownerReferences: [
            { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid },
          ],
        }),
      },
    });
  await withParts([gcPart(defaultGcConfig)], async () => {
    const owner = await pool('owner');
    const child = await pool('child', owner);
    await pool('grandchild', child);
    await client.patch(NodePoolKind, 'grandchild', undefined, { metadata: { finalizers: ['test.dev/hold'] } });
    await client.delete(NodePoolKind, 'owner', undefined, { propagationPolicy: 'Foreground' });
    await where(NodePoolKind, (p) => p.metadata.name === 'grandchild' && p.metadata.deletionTimestamp !== undefined);
    t.ok(await client.find(NodePoolKind, 'child'), 'waits for its own');
    t.match((await client.find(NodePoolKind, 'owner'))?.metadata.finalizers, ['foregroundDeletion']);
    await client.patch(NodePoolKind, 'grandchild', undefined, { metadata: { finalizers: [] } });
    for (const name of ['grandchild', 'child', 'owner']) await gone(NodePoolKind, name);

    const leaver = await pool('leaver');
    await pool('left', leaver);
    await client.delete(NodePoolKind, 'leaver', undefined, { propagationPolicy: 'Orphan' });
    await gone(NodePoolKind, 'leaver');
    t.equal((await client.find(NodePoolKind, 'left'))?.metadata.ownerReferences, undefined, 'it stays, and is nobody’s');

    await client.create(CustomResourceDefinitionKind, {
      metadata: { name: 'gadgets.test.dev' },
      spec: {
        group: 'test.dev',
        scope: 'Cluster',
        names: { kind: 'Gadget', plural: 'gadgets' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    });
    const gadget = await client.create(gadgetKind, { metadata: { name: 'g' } });
    await pool('of-gadget', gadget);
    await client.create(gadgetKind, { metadata: { name: 'of-pool', ownerReferences: [{ apiVersion: 'orch.dev/v1', kind: 'NodePool', name: 'left', uid: 'another' }] } }); // prettier-ignore
    await gone(gadgetKind, 'of-pool');
    await client.delete(gadgetKind, 'g', undefined, { propagationPolicy: 'Foreground' });
    for (const [kind, name] of [[NodePoolKind, 'of-gadget'], [gadgetKind, 'g']] as const) await gone(kind, name); // prettier-ignore
    await client.delete(CustomResourceDefinitionKind, 'gadgets.test.dev');
    await gone(CustomResourceDefinitionKind, 'gadgets.test.dev');
  });
  await plane.informers.forget(gadgetKind);
});

function withControllers(controllers: readonly Controller[], body: () => Promise<void>): Promise<void> {
  return withParts([partOf('test', controllers)], body);
}

async function withParts(parts: readonly Part[], body: () => Promise<void>): Promise<void> {
  const host = { ...plane, metrics: noMetrics, identity: 'test', leaseTtl: 5000 };
  const manager = new Manager(host, parts);
  try {
    await body();
  } finally {
    await manager.close();
  }
}

async function where<T extends AnyObject>(kind: Kind<T>, claim: (object: Stored<T>) => boolean): Promise<Stored<T>> {
  try {
    return await informers.of(kind).until((cache) => cache.list().find(claim), AbortSignal.timeout(30_000));
  } catch (error) {
    throw new Error(`not seen: ${claim.toString()}; there is ${JSON.stringify(informers.of(kind).list(), null, 1)}`, {
      cause: error,
    });
  }
}

const seen = <T extends AnyObject>(kind: Kind<T>, name: string): Promise<Stored<T>> =>
  where(kind, (object) => object.metadata.name === name);
const jobWhere = (name: string, claim: (job: Stored<Job>) => boolean): Promise<Stored<Job>> =>
  where(JobKind, (job) => job.metadata.name === name && claim(job));
const evaluationWhere = (jobName: string, claim: (evaluation: Stored<Evaluation>) => boolean): Promise<Stored<Evaluation>> =>
  where(EvaluationKind, (evaluation) => evaluation.spec.jobName === jobName && claim(evaluation));
const deploymentWhere = (name: string, claim: Parameters<typeof where<NonNullable<typeof DeploymentKind.type>>>[1]) =>
  where(DeploymentKind, (deployment) => deployment.metadata.name === name && claim(deployment));
const nodeWhere = (name: string, claim: Parameters<typeof where<NonNullable<typeof NodeKind.type>>>[1]) =>
  where(NodeKind, (node) => node.metadata.name === name && claim(node));
const allocationsOn = async (node: string): Promise<Stored<Allocation>[]> =>
  (await client.list(AllocationKind, { fieldSelector: `spec.nodeName=${node}` })).items;
const phaseOf = (evaluation: Stored<Evaluation>): string => evaluation.status?.phase ?? 'pending';

async function gone(kind: Kind, key: string): Promise<void> {
  await informers.of(kind).until((cache) => (cache.get(key) === undefined ? true : undefined), AbortSignal.timeout(30_000));
}

function jobObject(name: string): Job {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      type: 'service',
      priority: 50,
      groups: [
        {
          name: 'web',
          count: 2,
          migrate: { maxParallel: 1 },
          tasks: [{ name: 'web', driver: 'raw_exec', config: { command: '/bin/true' } }],
        },
      ],
    },
  };
}

const nodeObject = (name: string) => ({
  metadata: { name },
  spec: { datacenter: 'dc1', nodePool: 'default', eligibility: 'eligible' as const },
});
const leaseObject = (name: string) => ({
  metadata: { name, namespace: 'orch-node-lease', annotations: { 'orch.dev/ttl': '60s' } },
  spec: { holderIdentity: name },
});

async function answer(evaluation: Stored<Evaluation>, status: NonNullable<Evaluation['status']>): Promise<void> {
  await client.patch(EvaluationKind, evaluation.metadata.name, 'default', { status }, { subresource: 'status' });
}

async function report(allocation: Stored<Allocation>, status: AllocationStatus): Promise<void> {
  await client.patch(AllocationKind, allocation.metadata.name, 'default', { status }, { subresource: 'status' });
}

async function deploy(job: Stored<Job>, group: { autoRevert?: boolean; progressDeadline?: string }): Promise<string> {
  const name = derivedUuid(job.metadata.uid, job.metadata.generation);
  await client.create(DeploymentKind, {
    metadata: { name, namespace: 'default' },
    spec: {
      jobName: job.metadata.name,
      jobUID: job.metadata.uid,
      jobVersion: job.status!.version!,
      groups: [{ name: 'web', desiredTotal: 2, progressDeadline: '10m', ...group }],
    },
  });
  return name;
}

type Placed = Partial<Pick<AllocationSpec, 'evaluation' | 'deployment' | 'desired'>> &
  AllocationStatus & { index: number; node?: string };

async function place(
  job: Stored<Job>,
  { index, node = 'elsewhere', evaluation, deployment, desired = 'run', ...status }: Placed,
): Promise<Stored<Allocation>> {
  const name = uuid();
  const object: Allocation = {
    apiVersion: AllocationKind.apiVersion,
    kind: AllocationKind.kind,
    metadata: {
      name,
      namespace: 'default',
      ownerReferences: [{ apiVersion: JobKind.apiVersion, kind: JobKind.kind, name: job.metadata.name, uid: job.metadata.uid }],
    },
    spec: {
      jobName: job.metadata.name,
      jobUID: job.metadata.uid,
      jobVersion: job.status?.version ?? 0,
      jobType: 'service',
      priority: 50,
      group: 'web',
      name: `${job.metadata.name}.web[${index}]`,
      index,
      nodeName: node,
      desired,
      ...(evaluation !== undefined && { evaluation }),
      ...(deployment !== undefined && { deployment }),
    },
    status: { phase: 'pending', ...status },
  };
  await client.batch([{ operation: 'create', object }]);
  return client.get(AllocationKind, name, 'default');
}

export type { ControlPlane, Instant };
