import type { Instant } from '../../base/index.ts';
import type { ChildrenSummary, Evaluation, GroupSummary, JobStatus, Stored } from '../../openapi/index.ts';
import {
  adviseOnFailure,
  clientPhase,
  driversOf,
  evaluationPhase,
  explainFailure,
  isDeleted,
  isFinished,
  isSystem,
  isTemplate,
  isTerminal,
  type ClientPhase,
} from '../objects/index.ts';
import { withConditions, type Observation } from '../runtime/index.ts';
import type { Observed } from './observe.ts';

/** The status of a job: what its allocations, evaluations and deployments say, counted. `asking`: an evaluation is being made. */
export function summarise(observed: Observed, version: number, asking: boolean, now: Instant): JobStatus {
  const { job, deployments } = observed;
  const phase = phaseOf(observed, asking);
  const queued = queuedByGroup(observed);
  const latest = [...deployments].sort(byAge).at(-1);
  const { latestDeployment: _, description: __, children: ___, ...kept } = job.status ?? {};
  return {
    ...kept,
    observedGeneration: job.metadata.generation,
    phase,
    version,
    ...(latest !== undefined && { latestDeployment: latest.metadata.name }),
    groups: groupsOf(observed, queued),
    ...(isTemplate(job.spec) && { children: childrenOf(observed) }),
    conditions: withConditions(job.status?.conditions, observations(observed, phase, queued), now),
  };
}

type Phase = NonNullable<JobStatus['phase']>;

/** pending: nothing was placed yet. running: an allocation or evaluation goes on. dead: neither, and nothing will come. */
function phaseOf({ job, allocations, evaluations }: Observed, asking: boolean): Phase {
  const stopped = job.spec.stop === true || isDeleted(job);
  // These are there for what may come: nodes, launches, dispatches.
  if (job.spec.type === 'system' || isTemplate(job.spec)) return stopped ? 'dead' : 'running';
  if (allocations.some((a) => !isTerminal(a))) return 'running';
  if (stopped) return 'dead';
  const open = asking || evaluations.some((e) => !isFinished(e));
  if (open) return allocations.length === 0 ? 'pending' : 'running';
  return 'dead';
}

function childrenOf({ children }: Observed): Required<ChildrenSummary> {
  const counts = { pending: 0, running: 0, dead: 0 };
  for (const child of children) counts[child.status?.phase ?? 'pending']++;
  return counts;
}

type Counts = Required<Omit<GroupSummary, 'name' | 'desired' | 'queued'>>;

const countOf: Record<ClientPhase, keyof Counts> = {
  pending: 'starting',
  running: 'running',
  complete: 'complete',
  failed: 'failed',
  lost: 'lost',
  unknown: 'unknown',
};

/** The groups of the job in their order, then those that are gone from it but still have allocations. */
function groupsOf({ job, allocations }: Observed, queued: Readonly<Record<string, number>>): GroupSummary[] {
  const counts = new Map<string, Counts>();
  const of = (group: string): Counts => {
    const known = counts.get(group) ?? { starting: 0, running: 0, failed: 0, complete: 0, lost: 0, unknown: 0 };
    counts.set(group, known);
    return known;
  };
  const wanted = new Map((job.spec.groups ?? []).map((group) => [group.name, group.count ?? 1]));
  for (const name of wanted.keys()) of(name);
  for (const allocation of allocations) of(allocation.spec.group)[countOf[clientPhase(allocation)]]++;
  const gone = [...counts.keys()].filter((name) => !wanted.has(name)).sort();
  const live = (name: string): number => allocations.filter((a) => a.spec.group === name && !isTerminal(a)).length;
  return [...wanted.keys(), ...gone].map((name) => {
    // Of a system job as many are wanted as there are nodes that can take one.
    const desired = isSystem(job.spec.type) && wanted.has(name) ? live(name) + (queued[name] ?? 0) : (wanted.get(name) ?? 0);
    return { name, desired: job.spec.stop === true ? 0 : desired, queued: queued[name] ?? 0, ...of(name) };
  });
}

/** The summary by group, of whatever allocations are given. */
export const countGroups = (observed: Observed): GroupSummary[] => groupsOf(observed, queuedByGroup(observed));

/** What the evaluation that was worked on last could not place. */
function queuedByGroup({ job, evaluations }: Observed): Readonly<Record<string, number>> {
  if (job.spec.stop === true || isDeleted(job)) return {};
  return lastWorked({ evaluations })?.status?.queued ?? {};
}

/** The evaluation that the scheduler spoke on last. */
function lastWorked({ evaluations }: Pick<Observed, 'evaluations'>): Stored<Evaluation> | undefined {
  return evaluations
    .filter((e) => e.status?.queued !== undefined && evaluationPhase(e) !== 'cancelled')
    .reduce<Stored<Evaluation> | undefined>((a, b) => (a === undefined || revision(b) > revision(a) ? b : a), undefined);
}

function observations(observed: Observed, phase: Phase, queued: Readonly<Record<string, number>>): Observation[] {
  return [placement(observed, queued), ending(observed, phase)];
}

/** Whether anything waits for a place, why, and what shows more. */
function placement(observed: Observed, queued: Readonly<Record<string, number>>): Observation {
  const waiting = Object.entries(queued).filter(([, count]) => count > 0);
  if (waiting.length === 0)
    return { type: 'Placed', status: 'True', reason: 'NothingQueued', message: 'No placement waits for capacity.' };
  const failures = lastWorked(observed)?.status?.failedPlacements ?? {};
  const reasons = waiting.map(([group, count]) => {
    const metric = failures[group];
    if (metric === undefined) return `${count} of group ${group} wait for capacity`;
    return explainFailure(group, metric, driversOf(observed.job.spec, group));
  });
  const metrics = Object.values(failures);
  const unfit = metrics.some((metric) => (metric.nodesFiltered ?? 0) === (metric.nodesEvaluated ?? 0));
  const advice = metrics[0] === undefined ? '' : ` ${adviseOnFailure(metrics[0])}.`;
  const reason = unfit ? 'NoFeasibleNode' : 'WaitingForCapacity';
  return { type: 'Placed', status: 'False', reason, message: `${reasons.join('; ')}.${advice}` };
}

function ending({ job, allocations }: Observed, phase: Phase): Observation {
  const dead = (reason: string, message: string): Observation => ({ type: 'Dead', status: 'True', reason, message });
  if (phase !== 'dead') return { type: 'Dead', status: 'False', reason: 'Active', message: 'The job is not finished.' };
  if (job.spec.stop === true) return dead('Stopped', 'The job was stopped.');
  const failed = allocations.filter((a) => clientPhase(a) === 'failed' && a.spec.nextAllocation === undefined);
  if (failed.length === 0) return dead('Complete', 'Nothing of the job runs and nothing will.');
  const first = failed[0]!;
  const advice = `orchctl alloc status ${first.metadata.name.slice(0, 8)} tells what happened to ${first.spec.name}`;
  return dead('Failed', `${failed.length} of its allocations failed and will not be tried again. ${advice}.`);
}

const revision = (object: { metadata: { resourceVersion: string } }): number => Number(object.metadata.resourceVersion);

function byAge(a: Observed['deployments'][number], b: Observed['deployments'][number]): number {
  return (
    a.spec.jobVersion - b.spec.jobVersion ||
    Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
    (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}
