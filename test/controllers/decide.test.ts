import t from 'tap';
import { derivedUuid } from '../../base/index.ts';
import { countGroups } from '../../controllers/deployment/count.ts';
import { decide as decideDeployment, isOver, type Plan as DeploymentPlan } from '../../controllers/deployment/decide.ts';
import type { Observed as DeploymentObserved } from '../../controllers/deployment/observe.ts';
import { defaultGcConfig } from '../../controllers/gc/index.ts';
import { allocationRule, deploymentRule, evaluationRule, jobRule, jobVersionRule, nodeRule } from '../../controllers/gc/rules.ts';
import { decide as decideJob, registrationName, type Plan as JobPlan } from '../../controllers/job/decide.ts';
import type { Observed as JobObserved } from '../../controllers/job/observe.ts';
import { decide as decideDrain, type Plan as DrainPlan } from '../../controllers/node/drain/decide.ts';
import type { Observed as DrainObserved } from '../../controllers/node/drain/observe.ts';
import { decide as decideHeartbeat } from '../../controllers/node/heartbeat/decide.ts';
import type { Observed as HeartbeatObserved } from '../../controllers/node/heartbeat/observe.ts';
import { isTerminal } from '../../controllers/objects/index.ts';
import { mergePatch, withConditions, type Reader } from '../../controllers/runtime/index.ts';
import type {
  Allocation,
  Deployment,
  DeploymentGroupStatus,
  DeploymentStatus,
  Evaluation,
  Job,
  JobVersion,
  Node,
  Stored,
} from '../../openapi/index.ts';
import {
  allocation,
  at,
  deployment,
  evaluation,
  healthy,
  job,
  node,
  NOW,
  random,
  stored,
  unhealthy,
  version,
} from './builders.ts';

t.test('merge patches', async (t) => {
  t.equal(mergePatch({ a: 1, b: [1] }, { a: 1, b: [1] }), undefined);
  t.same(mergePatch({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { b: { c: 1, d: 3 }, e: [2], f: undefined }), {
    a: null,
    b: { d: 3 },
    e: [2],
  });
  const observation = { type: 'X', status: 'True', reason: 'R', message: 'new' } as const;
  t.same(withConditions([{ ...observation, message: 'old', lastTransitionTime: 'then' }], [observation], NOW), [
    { ...observation, lastTransitionTime: 'then' },
  ]);
});

t.test('job', async (t) => {
  const observed = (part: Partial<JobObserved>): JobObserved => ({
    job: job(),
    versions: [],
    allocations: [],
    evaluations: [],
    deployments: [],
    children: [],
    ...part,
  });
  const registered = { observedGeneration: 1, version: 0 };
  const registration = evaluation({}, { phase: 'complete' }, { name: registrationName('web-uid', 1) });
  const seen = (plan: JobPlan): string[] =>
    plan.changes.flatMap((change) => {
      switch (change.type) {
        case 'createVersion':
          return [`version ${change.version.spec.version} of generation ${change.version.spec.generation}`];
        case 'createEvaluation':
          return [change.evaluation.spec.trigger];
        case 'markStable':
          return [`stable ${change.version.spec.version}`];
        case 'release':
          return ['release'];
        case 'setStatus':
          return [change.status.phase!];
      }
    });
  const leaving = (a: Stored<Allocation>): Stored<Allocation> => ({
    ...a,
    metadata: { ...a.metadata, deletionTimestamp: at(0) },
  });
  const deleted = { deletionTimestamp: at(0), generation: 2 };
  const cases: [string, Partial<JobObserved>, string[]][] = [
    ['new', {}, ['version 0 of generation 1', 'job-register', 'pending']],
    ['its version was made, then we crashed', { versions: [version(0)] }, ['job-register', 'pending']],
    ['its evaluation was made too', { versions: [version(0)], evaluations: [{ ...registration, status: {} }] }, ['pending']],
    ['registered, evaluation collected', { job: job({}, registered), versions: [version(0)] }, ['dead']],
    ['changed', { job: job({}, registered, { generation: 2 }), versions: [version(0)] }, ['version 1 of generation 2', 'job-register', 'pending']],
    ['changed twice before we looked', { job: job({}, registered, { generation: 3 }), versions: [version(0)] }, ['version 1 of generation 3', 'job-register', 'pending']],
    ['older versions collected', { job: job({}, { observedGeneration: 8, version: 7 }, { generation: 9 }), versions: [version(7)] }, ['version 8 of generation 9', 'job-register', 'pending']],
    ['registered, the version is not in sight', { job: job({}, registered) }, ['dead']],
    ['stopped', { job: job({ stop: true }, registered, { generation: 2 }), versions: [version(0)] }, ['version 1 of generation 2', 'job-deregister', 'dead']],
    ['stopped, allocations to be stopped', { job: job({ stop: true }, registered), versions: [version(0)], allocations: [allocation()] }, ['running']],
    ['blocked before anything was placed', { job: job({}, registered), versions: [version(0)], evaluations: [evaluation({}, { phase: 'blocked' })] }, ['pending']],
    ['running', { job: job({}, registered), versions: [version(0)], allocations: [allocation()] }, ['running']],
    ['batch that is through', { job: job({ type: 'batch' }, registered), versions: [version(0)], allocations: [allocation({}, { phase: 'complete' })], evaluations: [registration] }, ['dead']],
    ['batch to be retried later', { job: job({ type: 'batch' }, registered), versions: [version(0)], allocations: [allocation({ followupEvaluation: 'e' }, { phase: 'failed' })], evaluations: [evaluation({ waitUntil: at(9) })] }, ['running']],
    ['failed allocation', { job: job({}, registered), versions: [version(0)], allocations: [allocation({}, { phase: 'failed' })] }, ['alloc-failure', 'running']],
    ['service that ended well', { job: job({}, registered), versions: [version(0)], allocations: [allocation({}, { phase: 'complete' })] }, ['alloc-failure', 'running']],
    ['failed and replaced', { job: job({}, registered), versions: [version(0)], allocations: [allocation({ nextAllocation: 'b' }, { phase: 'failed' }), allocation()] }, ['running']],
    ['failed in a system job', { job: job({ type: 'system' }, registered), versions: [version(0)], allocations: [allocation({}, { phase: 'failed' })] }, ['running']],
    ['an allocation is being deleted', { job: job({}, registered), versions: [version(0)], allocations: [leaving(allocation())] }, ['alloc-stop', 'running']],
    ['its deletion was asked about', { job: job({}, registered), versions: [version(0)], allocations: [leaving(allocation({}, { phase: 'running' }, 'x'))], evaluations: [evaluation({}, { phase: 'complete' }, { name: derivedUuid('web-uid', 'alloc-deleted', 'x') })] }, ['running']],
    ['an allocation vanished', { job: job({}, { ...registered, groups: [{ name: 'web', running: 2 }] }), versions: [version(0)], allocations: [allocation()] }, ['alloc-stop', 'running']],
    ['one ended, its record is still there', { job: job({}, { ...registered, groups: [{ name: 'web', running: 2 }] }), versions: [version(0)], allocations: [allocation(), allocation({ desired: 'stop' }, { phase: 'complete' })] }, ['running']],
    ['the record of one that ended was collected', { job: job({}, { ...registered, groups: [{ name: 'web', running: 1, complete: 1 }] }), versions: [version(0)], allocations: [allocation()] }, ['running']],
    ['allocations of a stopped job vanished', { job: job({ stop: true }, { ...registered, groups: [{ name: 'web', running: 2 }] }), versions: [version(0)], allocations: [] }, ['dead']],
    ['one is back that was replaced', { job: job({}, registered), versions: [version(0)], allocations: [allocation({ nextAllocation: 'b' }, { phase: 'running', reconnectedAt: at(0) }), allocation({}, {}, 'b')] }, ['reconnect', 'running']],
    ['deployment succeeded', { job: job({}, registered), versions: [version(0)], allocations: [allocation()], deployments: [deployment({}, { phase: 'successful' })] }, ['stable 0', 'running']],
    ['deleted', { job: job({}, registered, deleted), versions: [version(0)] }, ['job-deregister', 'dead']],
    ['stopped and deleted at once', { job: job({ stop: true }, registered, { ...deleted, generation: 3 }), versions: [version(0)] }, ['version 1 of generation 2', 'job-deregister', 'dead']],
    ['deleted, the scheduler is at it', { job: job({}, { ...registered, observedGeneration: 2 }, deleted), versions: [version(0)], evaluations: [evaluation({ trigger: 'job-deregister' })] }, ['dead']],
    ['deleted, still running', { job: job({}, { ...registered, observedGeneration: 2 }, deleted), versions: [version(0)], allocations: [allocation({ desired: 'stop' })] }, ['dead']],
    ['deleted and all ended', { job: job({}, { ...registered, observedGeneration: 2 }, deleted), versions: [version(0)], allocations: [allocation({}, { phase: 'lost' })] }, ['release']],
    ['periodic', { job: job({ type: 'batch', periodic: { enabled: true } }) }, ['version 0 of generation 1', 'running']],
  ]; // prettier-ignore
  for (const [title, part, expected] of cases) t.same(seen(decideJob(observed(part), NOW)), expected, title);

  const summary = decideJob(
    observed({
      job: job({}, registered),
      versions: [version(0)],
      allocations: [
        allocation(),
        allocation({ index: 1 }, {}),
        allocation({ group: 'gone', desired: 'stop' }, { phase: 'complete' }),
      ],
      evaluations: [
        evaluation({}, { phase: 'complete', queued: { web: 5 } }, { resourceVersion: '9' }),
        evaluation({}, { phase: 'blocked', queued: { web: 3 } }, { resourceVersion: '10' }),
      ],
      deployments: [deployment(), stored<Deployment>('Deployment', 'newer', { spec: { ...deployment().spec, jobVersion: 1 } })],
    }),
    NOW,
  ).changes.find((change) => change.type === 'setStatus')!.status;
  t.match(summary, { latestDeployment: 'newer', groups: [{ name: 'web', desired: 2, queued: 3, running: 1, starting: 1 }, { name: 'gone', desired: 0, complete: 1 }] }); // prettier-ignore

  const conditions = (part: Partial<JobObserved>): string[] =>
    decideJob(observed(part), NOW)
      .changes.flatMap((change) => (change.type === 'setStatus' ? (change.status.conditions ?? []) : []))
      .map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);
  t.same(
    conditions({ job: job({ type: 'batch' }, registered), versions: [version(0)], allocations: [allocation({}, { phase: 'failed' }, 'abcdefgh-1')], evaluations: [{ ...registration, metadata: { ...registration.metadata, annotations: { 'orch.dev/allocations': 'abcdefgh-1' } }, spec: { ...registration.spec, trigger: 'alloc-failure' } }] }),
    ['Placed=True NothingQueued: No placement waits for capacity.', 'Dead=True Failed: 1 of its allocations failed and will not be tried again. orchctl alloc status abcdefgh tells what happened to web.web[0].'],
    'a job that failed does not read as if it were complete',
  ); // prettier-ignore
  const unplaced = { nodesEvaluated: 3, nodesFiltered: 3, constraintFiltered: { 'missing drivers': 3 }, coalescedFailures: 1 };
  t.same(
    conditions({ job: job({}, registered), versions: [version(0)], evaluations: [evaluation({}, { phase: 'blocked', queued: { web: 2 }, failedPlacements: { web: unplaced } })] })[0],
    'Placed=False NoFeasibleNode: 2 allocations of group "web" cannot be placed: driver raw_exec is missing or unhealthy on 3 of 3 nodes. orchctl node status NODE shows the drivers of a node and what is wrong with them.',
  ); // prettier-ignore

  t.test('what was applied is not decided again', async (t) => {
    for (let seed = 1; seed <= 300; seed++) {
      const pick = random(seed);
      const phases = ['pending', 'running', 'complete', 'failed', 'lost'] as const;
      const known = pick(2) === 0;
      const before = observed({
        job: job({ stop: pick(4) === 0, type: pick(3) === 0 ? 'batch' : 'service' }, pick(2) === 0 ? {} : registered, {
          generation: 1 + pick(2),
          ...(pick(5) === 0 && deleted),
        }),
        versions: known ? [version(0)] : [],
        allocations: Array.from({ length: pick(4) }, (_, index) =>
          allocation({ index, desired: pick(3) === 0 ? 'stop' : 'run' }, { phase: phases[pick(5)]! }),
        ),
        deployments: !known || pick(2) === 0 ? [] : [deployment({}, { phase: pick(2) === 0 ? 'running' : 'successful' })],
      });
      const once = decideJob(before, NOW);
      if (once.changes.some((change) => change.type === 'release')) continue;
      const after = applyJob(before, once);
      const twice = decideJob(after, NOW + 60_000);
      t.same(
        twice.changes.filter((c) => c.type !== 'setStatus' && c.type !== 'release').map((c) => c.type),
        [],
        `seed ${seed}`,
      );
      const again = applyJob(after, twice);
      const third = decideJob(again, NOW + 120_000).changes.find((c) => c.type === 'setStatus');
      if (third !== undefined) t.equal(mergePatch(again.job.status, third.status), undefined, `status, seed ${seed}`);
    }
  });
});

function applyJob(observed: JobObserved, plan: JobPlan): JobObserved {
  const versions = [...observed.versions];
  const evaluations = [...observed.evaluations];
  let changed = observed.job;
  for (const change of plan.changes) {
    if (change.type === 'createVersion') versions.push({ ...version(change.version.spec.version), spec: change.version.spec });
    if (change.type === 'createEvaluation') evaluations.push(stored<Evaluation>('Evaluation', change.evaluation.metadata.name!, { spec: change.evaluation.spec }, change.evaluation.metadata as Stored<Evaluation>['metadata'])); // prettier-ignore
    if (change.type === 'markStable')
      versions.splice(versions.indexOf(change.version), 1, { ...change.version, spec: { ...change.version.spec, stable: true } });
    if (change.type === 'setStatus') changed = { ...changed, status: change.status };
  }
  return { ...observed, job: changed, versions, evaluations: evaluations };
}

t.test('deployment', async (t) => {
  const live = job({}, { version: 0, observedGeneration: 1 });
  const observed = (part: Partial<DeploymentObserved>): DeploymentObserved => ({
    deployment: deployment(),
    job: live,
    versions: [version(0)],
    allocations: [],
    ...part,
  });
  const running = (group: Partial<DeploymentGroupStatus> = {}): DeploymentStatus => ({
    phase: 'running',
    description: 'Deployment is running',
    groups: [{ name: 'web', placed: 1, healthy: 0, unhealthy: 0, requireProgressBy: at(600), ...group }],
  });
  const own = (index: number, status: Parameters<typeof allocation>[1], more = {}) =>
    allocation({ index, deployment: 'deploy', ...more }, status, `a${index}`);
  const text = (plan: DeploymentPlan): string =>
    [
      plan.status.description,
      plan.evaluation && 'evaluation',
      plan.reschedule.length > 0 && `reschedule ${plan.reschedule.length}`,
      plan.revertTo && `revert to ${plan.revertTo.spec.version}`,
      plan.wakeAt !== undefined && `wake +${(plan.wakeAt - NOW) / 1000}`,
    ]
      .filter((part) => typeof part === 'string')
      .join(', ');
  const canary = { desiredCanaries: 1 };
  const other = version(0, { stable: true, job: job({ priority: 10 }).spec });
  const second = {
    deployment: deployment({ autoRevert: true, progressDeadline: '0s' }, {}, { jobVersion: 1 }),
    job: job({}, { version: 1 }),
  };
  const cases: [string, Partial<DeploymentObserved> & { isJobGone?: true }, string][] = [
    ['nothing placed yet', {}, 'Deployment is running'],
    ['first placed: the deadline starts', { allocations: [own(0, {})] }, 'Deployment is running, wake +600'],
    ['one healthy', { deployment: deployment({}, running()), allocations: [own(0, healthy), own(1, {})] }, 'Deployment is running, evaluation, wake +600'],
    ['all healthy', { deployment: deployment({}, running({ healthy: 1 })), allocations: [own(0, healthy), own(1, healthy)] }, 'Deployment completed successfully, evaluation'],
    ['healthy but replaced meanwhile', { deployment: deployment({}, running({ healthy: 2 })), allocations: [own(0, healthy), own(1, healthy, { desired: 'stop' })] }, 'Deployment is running, wake +600'],
    ['late', { deployment: deployment({}, running({ requireProgressBy: at(-1) })), allocations: [own(0, {})] }, 'Failed due to progress deadline, evaluation'],
    ['late, but one got healthy while nobody looked', { deployment: deployment({}, running({ requireProgressBy: at(-1) })), allocations: [own(0, healthy)] }, 'Deployment is running, evaluation, wake +600'],
    ['unhealthy with a deadline: replaced', { deployment: deployment({}, running()), allocations: [own(0, unhealthy)] }, 'Deployment is running, evaluation, reschedule 1, wake +600'],
    ['unhealthy and answered', { deployment: deployment({}, running({ unhealthy: 1 })), allocations: [own(0, unhealthy, { desiredTransition: { reschedule: true } })] }, 'Deployment is running, wake +600'],
    ['unhealthy without a deadline', { deployment: deployment({ progressDeadline: '0s' }), allocations: [own(0, unhealthy)] }, 'Failed due to unhealthy allocations, evaluation'],
    ['failed before a verdict', { deployment: deployment({ progressDeadline: '0s' }), allocations: [own(0, { phase: 'failed' })] }, 'Failed due to unhealthy allocations, evaluation'],
    ['auto_revert', { ...second, versions: [other, version(1)], allocations: [own(0, unhealthy)] }, 'Failed due to unhealthy allocations - rolling back to job version 0, evaluation, revert to 0'],
    ['auto_revert to the same', { ...second, versions: [version(0, { stable: true }), version(1)], allocations: [own(0, unhealthy)] }, 'Failed due to unhealthy allocations - not rolling back to stable job version 0 as current job has same specification, evaluation'],
    ['auto_revert without a stable version', { ...second, versions: [version(0), version(1)], allocations: [own(0, unhealthy)] }, 'Failed due to unhealthy allocations - no stable job version to auto revert to, evaluation'],
    ['marked as failed', { deployment: deployment({}, running(), { fail: true }) }, 'Deployment marked as failed, evaluation'],
    ['paused', { deployment: deployment({}, running({ requireProgressBy: at(-9) }), { paused: true }), allocations: [own(0, {})] }, 'Deployment is paused'],
    ['resumed: the deadline starts anew', { deployment: deployment({}, { ...running({ requireProgressBy: at(-9) }), phase: 'paused' }), allocations: [own(0, {})] }, 'Deployment is running, evaluation, wake +600'],
    ['job stopped', { job: job({ stop: true }, { version: 1 }) }, 'Cancelled because job is stopped'],
    ['job gone', { isJobGone: true }, 'Cancelled because job is stopped'],
    ['job seen as it was before', { deployment: deployment({}, {}, { jobVersion: 1 }), job: job({ stop: true }, { version: 0 }) }, 'Deployment is running'],
    ['newer version', { job: job({}, { version: 1 }) }, 'Cancelled due to newer version of job'],
    ['canary', { deployment: deployment(canary), allocations: [own(0, {}, { canary: true })] }, 'Deployment is running but requires manual promotion, wake +600'],
    ['healthy canary: no deadline while people decide', { deployment: deployment(canary, running({ healthy: 1 })), allocations: [own(0, healthy, { canary: true })] }, 'Deployment is running but requires manual promotion'],
    ['promoted by a user', { deployment: deployment(canary, running({ healthy: 1 }), { promote: { all: true } }), allocations: [own(0, healthy, { canary: true })] }, 'Deployment is running, evaluation, wake +600'],
    ['promoted too early', { deployment: deployment(canary, running(), { promote: { groups: ['web'] } }), allocations: [own(0, {}, { canary: true })] }, 'Deployment is running but requires manual promotion, wake +600'],
    ['auto_promote waits', { deployment: deployment({ ...canary, autoPromote: true }, running()), allocations: [own(0, {}, { canary: true })] }, 'Deployment is running pending automatic promotion, wake +600'],
    ['auto_promote', { deployment: deployment({ ...canary, autoPromote: true }, running()), allocations: [own(0, healthy, { canary: true })] }, 'Deployment is running, evaluation, wake +600'],
  ]; // prettier-ignore
  for (const [title, { isJobGone, ...part }, expected] of cases) {
    const { job: owner, ...rest } = observed(part);
    const input: DeploymentObserved = { ...rest, ...(owner && !isJobGone && { job: owner }) };
    t.equal(text(decideDeployment(input, NOW)), expected, title);
  }
  const early = decideDeployment(observed({ deployment: deployment(canary, running(), { promote: { all: true } }), allocations: [own(0, {}, { canary: true })] }), NOW); // prettier-ignore
  t.match(early.status.conditions, [
    { type: 'Promoted', status: 'False', message: 'Task group "web" has 0/1 healthy allocations' },
  ]);

  t.test('any history ends, never completes unpromoted, and what was applied is not decided again', async (t) => {
    for (let seed = 1; seed <= 200; seed++) {
      const pick = random(seed);
      const total = 1 + pick(3);
      const canaries = pick(2);
      let now = NOW;
      let state = observed({ deployment: deployment({ desiredTotal: total, progressDeadline: pick(3) === 0 ? '0s' : '1m', ...(canaries > 0 && { desiredCanaries: canaries, autoPromote: pick(2) === 0 }) }) }); // prettier-ignore
      for (let step = 0; step < 60 && !isOver(state.deployment); step++) {
        const plan = decideDeployment(state, now);
        state = applyDeployment(state, plan);
        const again = decideDeployment(state, now);
        t.equal(mergePatch(state.deployment.status, again.status), undefined, `seed ${seed} step ${step}: status`);
        if (!isOver(state.deployment)) t.equal(again.evaluation, undefined, `seed ${seed} step ${step}: evaluation`);
        if (plan.status.phase === 'successful')
          t.ok(
            plan.status.groups!.every((g) => canaries === 0 || g.promoted === true),
            `seed ${seed}`,
          );
        // The world moves: time passes, allocations are placed and judged, somebody promotes.
        now += pick(20_000);
        const allocations = [...state.allocations];
        const turn = pick(allocations.length + 2);
        if (turn >= allocations.length && allocations.length < total + 2) {
          const canary = allocations.length < canaries;
          allocations.push(
            allocation({ index: allocations.length % total, deployment: 'deploy', canary }, {}, `a${allocations.length}`),
          );
        } else if (turn < allocations.length) {
          allocations[turn] = { ...allocations[turn]!, status: pick(3) === 0 ? unhealthy : healthy };
        }
        const promote = pick(6) === 0 ? { promote: { all: true } } : {};
        state = { ...state, allocations, deployment: { ...state.deployment, spec: { ...state.deployment.spec, ...promote } } };
        if (step > 50) now += 600_000;
      }
      const waits = countGroups(state, now).some((g) => g.spec.desiredCanaries && g.status.promoted !== true);
      const empty = state.allocations.length === 0;
      const noDeadline = state.deployment.spec.groups[0]!.progressDeadline === '0s';
      t.ok(isOver(state.deployment) || waits || empty || noDeadline, `seed ${seed} ends`);
    }
  });
});

function applyDeployment(observed: DeploymentObserved, plan: DeploymentPlan): DeploymentObserved {
  const marked = new Set(plan.reschedule.map((a) => a.metadata.name));
  return {
    ...observed,
    deployment: { ...observed.deployment, status: plan.status },
    allocations: observed.allocations.map((a) =>
      marked.has(a.metadata.name) ? { ...a, spec: { ...a.spec, desiredTransition: { reschedule: true } } } : a,
    ),
  };
}

t.test('heartbeat', async (t) => {
  const observed = (part: Partial<HeartbeatObserved>): HeartbeatObserved => ({
    name: 'n1',
    node: node({ phase: 'ready', phaseChangedAt: at(0) }),
    heartbeat: { state: 'heard' },
    allocations: [],
    answered: new Set(),
    grace: 0,
    systemJobs: [],
    ...part,
  });
  const missed = (seconds: number): HeartbeatObserved['heartbeat'] => ({ state: 'missed', giveUpAt: NOW + seconds * 1000 });
  const told = (reason: string, message: string) => [{ type: 'JobsNotified', status: 'True' as const, reason, message }];
  const ready: Node['status'] = {
    phase: 'ready',
    phaseChangedAt: at(0),
    conditions: told('Ready', `ready since ${at(0)}: dc1 default`),
  };
  const cases: [string, Partial<HeartbeatObserved>, { phase?: string; evaluations: number; notified: boolean; wakeAt?: number }][] = [
    ['registered, not heard yet', { node: node(), heartbeat: missed(30) }, { evaluations: 0, notified: true, wakeAt: NOW + 30_000 }],
    ['registered and heard', { node: node() }, { phase: 'ready', evaluations: 0, notified: false }],
    ['just became ready', { systemJobs: [job({ type: 'system' })] }, { evaluations: 1, notified: true }],
    ['nothing new', { node: node(ready), systemJobs: [job({ type: 'system' })] }, { evaluations: 0, notified: false }],
    ['made ineligible', { node: node(ready, { eligibility: 'ineligible' }), systemJobs: [job({ type: 'system' })] }, { evaluations: 0, notified: true }],
    ['eligible again', { node: node({ ...ready, conditions: told('Ineligible', 'ineligible') }), systemJobs: [job({ type: 'system' })] }, { evaluations: 1, notified: true }],
    ['missed within the grace', { node: node(ready), heartbeat: missed(3) }, { evaluations: 0, notified: false, wakeAt: NOW + 3000 }],
    ['missed for too long', { node: node(ready), heartbeat: missed(0), allocations: [allocation()] }, { phase: 'down', evaluations: 0, notified: false }],
    ['missed for too long, with something that may be out of sight', { node: node(ready), heartbeat: missed(0), grace: 60_000, allocations: [allocation()] }, { phase: 'disconnected', evaluations: 0, notified: false, wakeAt: NOW + 60_000 }],
    ['disconnected: asked once per job', { node: node({ phase: 'disconnected', phaseChangedAt: at(-20), conditions: told('Down', 'down') }), heartbeat: missed(0), grace: 60_000, allocations: [allocation()] }, { evaluations: 1, notified: false, wakeAt: NOW + 40_000 }],
    ['disconnected, its allocations are unknown', { node: node({ phase: 'disconnected', phaseChangedAt: at(-20), conditions: told('Down', 'down') }), heartbeat: missed(0), grace: 60_000, allocations: [allocation({}, { phase: 'unknown' })] }, { evaluations: 0, notified: false, wakeAt: NOW + 40_000 }],
    ['disconnected for too long', { node: node({ phase: 'disconnected', phaseChangedAt: at(-60) }), heartbeat: missed(0), grace: 60_000 }, { phase: 'down', evaluations: 0, notified: false }],
    ['disconnected and back', { node: node({ phase: 'disconnected' }) }, { phase: 'ready', evaluations: 0, notified: false }],
    ['missed for too long, with most of the others', { node: node(ready), heartbeat: { state: 'missed', giveUpAt: NOW + 60_000, brake: { silent: 4, nodes: 5, since: NOW } } }, { phase: 'ready', evaluations: 0, notified: false, wakeAt: NOW + 5000 }],
    ['it says so already', { node: node({ ...ready, description: 'Node heartbeat missed, but waited for: 4 of 5 nodes' }), heartbeat: { state: 'missed', giveUpAt: NOW + 3000, brake: { silent: 4, nodes: 5, since: NOW } } }, { evaluations: 0, notified: false, wakeAt: NOW + 3000 }],
    ['waited for long enough', { node: node({ ...ready, description: 'Node heartbeat missed, but waited for: 4 of 5 nodes' }), heartbeat: { state: 'missed', giveUpAt: NOW, brake: { silent: 4, nodes: 5, since: NOW - 9 } } }, { phase: 'down', evaluations: 0, notified: false }],
    ['heard again after it was waited for', { node: node({ ...ready, description: 'Node heartbeat missed, but waited for: 4 of 5 nodes' }) }, { phase: 'ready', evaluations: 0, notified: false }],
    ['down: asked once per job', { node: node({ phase: 'down' }), heartbeat: missed(0), allocations: [allocation(), allocation({ index: 1 }), allocation({ jobUID: 'other' })] }, { evaluations: 2, notified: true }],
    ['down and asked about', { node: node({ phase: 'down', conditions: told('Down', 'down') }), heartbeat: missed(0), allocations: [allocation({}, {}, 'x')], answered: new Set(['x']) }, { evaluations: 0, notified: false }],
    ['down and back', { node: node({ phase: 'down' }) }, { phase: 'ready', evaluations: 0, notified: false }],
    ['removed with something on it', { node: undefined as never, heartbeat: missed(0), allocations: [allocation()] }, { evaluations: 1, notified: false }],
  ]; // prettier-ignore
  for (const [title, part, expected] of cases) {
    const { node: given, ...rest } = observed(part);
    const plan = decideHeartbeat({ ...rest, ...(given && { node: given }) }, NOW);
    const { status, evaluations, notified, wakeAt } = plan;
    t.same(
      {
        ...(status && { phase: status.phase }),
        evaluations: evaluations.length,
        notified: notified !== undefined,
        ...(wakeAt !== undefined && { wakeAt }),
      },
      expected,
      title,
    );
  }
});

t.test('drain', async (t) => {
  const started = { phase: 'draining', startedAt: at(-60), updatedAt: at(-60) } as const;
  const draining = (deadline?: string, more = {}) => node({ phase: 'ready', drain: started }, { eligibility: 'ineligible', drain: { ...(deadline !== undefined && { deadline }), ...more } }); // prettier-ignore
  const observed = (part: {
    node?: Stored<Node>;
    job?: Stored<Job>;
    here: Stored<Allocation>[];
    elsewhere?: Stored<Allocation>[];
  }): DrainObserved => ({
    node: part.node ?? draining('1h'),
    allocations: part.here,
    jobs: new Map([
      ['web-uid', { job: part.job ?? job(), running: [...part.here, ...(part.elsewhere ?? [])].filter((a) => !isTerminal(a)) }],
    ]),
  });
  const text = (plan: DrainPlan): string =>
    [
      plan.spec,
      plan.status?.drain && `${plan.status.drain.phase} ${plan.status.drain.remaining}`,
      plan.status?.drain?.waitingFor && `waits for ${plan.status.drain.waitingFor}`,
      ...plan.migrations.map(({ allocations }) => `move ${allocations.map((a) => a.spec.index).join('+')}`),
      plan.wakeAt !== undefined && `wake +${(plan.wakeAt - NOW) / 1000}`,
    ]
      .filter((part) => typeof part === 'string')
      .join(', ');
  const marked = { desiredTransition: { migrate: true } };
  const [a, b] = [allocation({ index: 0 }, healthy), allocation({ index: 1 }, healthy)];
  const batch = allocation({ jobType: 'batch' });
  const system = allocation({ jobType: 'system', jobUID: 'sys' });
  const cases: [string, Parameters<typeof observed>[0], string][] = [
    ['still eligible', { node: node({}, { drain: {} }), here: [a] }, 'ineligible'],
    ['asked for', { node: node({}, { drain: { deadline: '1h' }, eligibility: 'ineligible' }), here: [a] }, 'draining 1'],
    ['the first of two', { here: [a, b] }, 'draining 2, move 0, wake +3540'],
    ['one is on its way', { here: [{ ...a, spec: { ...a.spec, ...marked } }, b] }, 'draining 2, wake +3540'],
    ['its replacement is not healthy yet', { here: [b], elsewhere: [allocation({ index: 0, nodeName: 'n2' })] }, 'draining 1, wake +3540'],
    ['its replacement is healthy', { here: [b], elsewhere: [allocation({ index: 0, nodeName: 'n2' }, healthy)] }, 'draining 1, move 1, wake +3540'],
    ['one that serves nobody goes first', { here: [a, allocation({ index: 1 }, {})] }, 'draining 2, move 1, wake +3540'],
    ['two at a time', { here: [a, b], job: job({ groups: [{ name: 'web', count: 2, migrate: { maxParallel: 2 }, tasks: [] }] }) }, 'draining 2, move 0+1, wake +3540'],
    ['health is left to people', { here: [allocation()], job: job({ groups: [{ name: 'web', count: 1, migrate: { healthCheck: 'manual' }, tasks: [] }] }) }, 'draining 1, move 0, wake +3540'],
    ['stopped job', { here: [a], job: job({ stop: true }) }, 'draining 1, wake +3540'],
    ['batch may finish', { here: [batch] }, 'draining 1, waits for 1 batch allocations to finish, wake +3540'],
    ['the deadline has passed', { node: draining('30s'), here: [a, b, batch] }, 'draining 3, move 0+1+0'],
    ['forced', { node: draining('-1s'), here: [a, b] }, 'draining 2, move 0+1'],
    ['no deadline', { node: draining(), here: [batch] }, 'draining 1, waits for 1 batch allocations to finish'],
    ['system last', { here: [a, system] }, 'draining 2, wake +3540'],
    ['system alone', { here: [system] }, 'draining 1, move 0, wake +3540'],
    ['system ignored', { node: draining('1h', { ignoreSystemJobs: true }), here: [system] }, 'done'],
    ['all gone', { here: [allocation({ desired: 'stop' }, { phase: 'complete' })] }, 'done'],
    ['all gone, the replacement not healthy', { here: [allocation({ desired: 'stop', ...marked }, { phase: 'complete' })], elsewhere: [allocation({ nodeName: 'n2' })] }, 'draining 0, waits for the replacement of web.web[0] to be healthy (orchctl job status web), wake +3540'],
    ['without a deadline the replacement is waited for', { node: draining(), here: [allocation({ desired: 'stop', ...marked }, { phase: 'complete' })] }, 'draining 0, waits for the replacement of web.web[0] to be healthy (orchctl job status web)'],
    ['its deadline passed while the replacement is not healthy', { node: draining('30s'), here: [allocation({ desired: 'stop', ...marked }, { phase: 'complete' })] }, 'done'],
    ['wish fulfilled', { node: node({ drain: { ...started, remaining: 0 } }, { eligibility: 'ineligible' }), here: [] }, 'complete 0'],
    ['wish taken back', { node: node({ drain: { ...started, remaining: 1 } }), here: [a] }, 'cancelled 1'],
  ]; // prettier-ignore
  for (const [title, part, expected] of cases) t.equal(text(decideDrain(observed(part), NOW)), expected, title);

  t.test('never more than max_parallel on their way, whatever happens in between', async (t) => {
    for (let seed = 1; seed <= 200; seed++) {
      const pick = random(seed);
      const count = 1 + pick(6);
      const parallel = 1 + pick(3);
      const owner = job({ groups: [{ name: 'web', count, migrate: { maxParallel: parallel }, tasks: [] }] });
      let all = Array.from({ length: count }, (_, index) =>
        allocation({ index, nodeName: pick(3) === 0 ? 'n2' : 'n1' }, healthy),
      );
      let done = false;
      for (let step = 0; step < 200 && !done; step++) {
        const here = all.filter((x) => x.spec.nodeName === 'n1');
        const plan = decideDrain(
          observed({ node: draining(), job: owner, here, elsewhere: all.filter((x) => x.spec.nodeName !== 'n1') }),
          NOW,
        );
        done = plan.spec === 'done';
        const moved = new Set(plan.migrations.flatMap((m) => m.allocations.map((x) => x.metadata.name)));
        all = all.map((x) => (moved.has(x.metadata.name) ? { ...x, spec: { ...x.spec, ...marked } } : x));
        const serving = all.filter(
          (x) => !isTerminal(x) && x.spec.desiredTransition?.migrate !== true && x.status?.deploymentHealth?.healthy,
        );
        t.ok(serving.length >= count - parallel, `seed ${seed} step ${step}: ${serving.length} of ${count} serve`);
        // The scheduler moves one of the marked, or a replacement becomes healthy.
        const leaving = all.find((x) => !isTerminal(x) && x.spec.desiredTransition?.migrate === true);
        const coming = all.find((x) => !isTerminal(x) && x.status?.deploymentHealth === undefined);
        if (leaving !== undefined && (coming === undefined || pick(2) === 0)) {
          all = all.map((x) =>
            x === leaving ? { ...x, spec: { ...x.spec, desired: 'stop' as const }, status: { phase: 'complete' as const } } : x,
          );
          all.push(allocation({ index: leaving.spec.index, nodeName: 'n2' }, {}));
        } else if (coming !== undefined) {
          all = all.map((x) => (x === coming ? { ...x, status: healthy } : x));
        }
      }
      t.ok(done, `seed ${seed} ends`);
    }
  });
});

t.test('garbage', async (t) => {
  const facts = (objects: { allocations?: Stored<Allocation>[]; evaluations?: Stored<Evaluation>[]; jobs?: Stored<Job>[]; versions?: Stored<JobVersion>[]; deployments?: Stored<Deployment>[] }): Reader =>
    ({
      get: (kind: { kind: string }, key: string) => [...(objects.allocations ?? []), ...(objects.evaluations ?? [])].find((o) => o.kind === kind.kind && key.endsWith(`/${o.metadata.name}`)),
      by: (index: { kind: { kind: string }; valuesOf: (o: never) => string[] }, value: string) =>
        Object.values(objects).flat().filter((o) => o.kind === index.kind.kind && index.valuesOf(o as never).includes(value)),
    }) as unknown as Reader; // prettier-ignore
  const config = defaultGcConfig;
  const hour = 3600_000;
  const none = facts({});
  const done = { phase: 'complete', modifiedAt: at(0) } as const;
  const e = evaluation({}, done, { name: 'e' });
  t.match(evaluationRule(e, none, config), { type: 'collect', at: NOW + hour });
  t.match(evaluationRule(evaluation({}, { phase: 'blocked' }), none, config), { type: 'keep' });
  t.match(evaluationRule(evaluation({ dryRun: { job: job().spec } }, {}), none, config), { type: 'collect', at: NOW + 300_000 });
  t.match(
    evaluationRule(e, facts({ allocations: [allocation({ evaluation: 'e' })] }), config),
    { type: 'keep' },
    'something that lives refers to it',
  );
  const record = evaluation({ trigger: 'alloc-failure' }, done, { annotations: { 'orch.dev/allocations': 'x,y' } });
  t.match(
    evaluationRule(record, facts({ allocations: [allocation({}, { phase: 'failed' }, 'x')] }), config),
    { type: 'lookAgain' },
    'the failure would be asked about again',
  );
  t.match(
    evaluationRule(record, facts({ allocations: [allocation({ nextAllocation: 'z' }, { phase: 'failed' }, 'x')] }), config),
    { type: 'collect' },
  );

  const ended = { phase: 'complete', modifiedAt: at(10) } as const;
  const of = (spec = {}, status: Parameters<typeof allocation>[1] = ended, objects: Parameters<typeof facts>[0] = {}) => allocationRule(allocation({ evaluation: 'e', ...spec }, status), facts({ jobs: [job()], evaluations: [e], ...objects }), config); // prettier-ignore
  t.match(of({ desired: 'stop' }), { type: 'collect', at: NOW + 10_000 + 24 * hour });
  t.match(of({ desired: 'stop' }, { phase: 'running' }), { type: 'keep' });
  t.match(
    of({ desired: 'stop' }, ended, { evaluations: [evaluation({}, {}, { name: 'e' })] }),
    { type: 'keep' },
    'its evaluation is not finished',
  );
  t.match(of({ jobType: 'batch' }), { type: 'keep' }, 'the job knows by it what ran');
  t.match(of({}, { phase: 'failed' }), { type: 'keep' }, 'still to be replaced');
  t.match(of({ jobType: 'batch' }, ended, { jobs: [] }), { type: 'collect', at: NOW + 70_000 });

  const dead = (spec = {}) =>
    job(spec, { phase: 'dead', conditions: [{ type: 'Dead', status: 'True', lastTransitionTime: at(0) }] });
  t.match(jobRule(dead({ type: 'batch' }), none, config), { type: 'collect', at: NOW + 4 * hour });
  t.match(jobRule(dead({ stop: true }), none, config), { type: 'collect' });
  t.match(jobRule(dead(), none, config), { type: 'keep' }, 'a service of count 0');

  const over = deployment({}, { phase: 'failed', modifiedAt: at(0) });
  const newer = stored<Deployment>('Deployment', 'newer', { spec: { ...over.spec, jobVersion: 1 } });
  t.match(deploymentRule(over, facts({ deployments: [over] }), config), { type: 'keep' }, 'the newest of its job');
  t.match(deploymentRule(over, facts({ deployments: [over, newer] }), config), { type: 'collect', at: NOW + hour });

  const versions = Array.from({ length: 10 }, (_, n) => version(n, { stable: n === 1 || n === 2, ...(n === 3 && { tag: 'v' }) }));
  const world = facts({ versions, allocations: [allocation({ jobVersion: 0 })] });
  t.same(
    versions.filter((v) => jobVersionRule(v, world, config).type === 'keep').map((v) => v.spec.version),
    [0, 2, 3, 4, 5, 6, 7, 8, 9],
  );

  const down = node({ phase: 'down', phaseChangedAt: at(0) });
  t.match(nodeRule(down, none, config), { type: 'collect', at: NOW + 24 * hour });
  t.match(nodeRule(down, facts({ allocations: [allocation()] }), config), { type: 'lookAgain' });
});
