import equal from 'fast-deep-equal';
import { derivedUuid, toTimestamp, type Instant } from '../../base/index.ts';
import type { Allocation, Deployment, DeploymentStatus, Evaluation, JobVersion, Stored } from '../../openapi/index.ts';
import { isDeleted, jobRef, newEvaluation, type JobRef } from '../objects/index.ts';
import { withConditions, type Observation } from '../runtime/index.ts';
import {
  awaitsPromotion,
  canariesAreHealthy,
  countGroups,
  deadlineOf,
  hasDeadline,
  isComplete,
  restarted,
  type GroupProgress,
} from './count.ts';
import { description, noStableVersion, rollingBack, sameSpecification } from './descriptions.ts';
import type { Observed } from './observe.ts';

type Phase = NonNullable<DeploymentStatus['phase']>;

export interface Plan {
  readonly status: DeploymentStatus;
  /** The next step that the scheduler shall take. */
  readonly evaluation?: Evaluation;
  /** Allocations that the scheduler may replace though they belong to this deployment. */
  readonly reschedule: readonly Stored<Allocation>[];
  /** The version whose spec the job gets back. */
  readonly revertTo?: Stored<JobVersion>;
  readonly because: string;
  readonly wakeAt?: Instant;
}

/** What is to be done for a deployment. Pure: the same input gives the same plan. */
export function decide(observed: Observed, now: Instant): Plan {
  const { deployment } = observed;
  if (isOver(deployment)) return { status: deployment.status ?? {}, reschedule: [], because: 'it is over' };
  const cancelled = cancellation(observed);
  if (cancelled !== undefined) return end(observed, countGroups(observed, now), 'cancelled', cancelled, now);

  const promoted = promote(observed, countGroups(observed, now), now);
  const groups = resumes(deployment) ? promoted.map((group) => restarted(group, now)) : promoted;
  const failed = failure(observed, groups, now);
  if (failed !== undefined) return fail(observed, groups, failed, now);
  if (deployment.spec.paused === true) return proceed(observed, groups, 'paused', description.paused, now);
  if (groups.every(isComplete)) return end(observed, groups, 'successful', description.successful, now);
  return proceed(observed, groups, 'running', runningDescription(groups), now);
}

/** Successful, failed or cancelled: nothing changes it any more. */
export function isOver({ status }: Stored<Deployment>): boolean {
  return status?.phase === 'successful' || status?.phase === 'failed' || status?.phase === 'cancelled';
}

function cancellation({ deployment, job, versions }: Observed): string | undefined {
  if (job === undefined || isDeleted(job)) return description.stoppedJob;
  // We see the job as it was before this version; whatever it says is old news.
  if ((job.status?.version ?? -1) < deployment.spec.jobVersion) return undefined;
  if (job.spec.stop === true) return description.stoppedJob;
  const newest = Math.max(job.status?.version ?? 0, versions.at(-1)?.spec.version ?? 0);
  return newest > deployment.spec.jobVersion ? description.newerJob : undefined;
}

const resumes = ({ spec, status }: Stored<Deployment>): boolean => status?.phase === 'paused' && spec.paused !== true;

/** Canaries become the real thing when a user says so and they are healthy, or by themselves once those of all groups are. */
function promote({ deployment }: Observed, groups: readonly GroupProgress[], now: Instant): GroupProgress[] {
  const waiting = groups.filter(awaitsPromotion);
  const automatic = waiting.length > 0 && waiting.every((group) => group.spec.autoPromote === true && canariesAreHealthy(group));
  const { all = false, groups: named = [] } = deployment.spec.promote ?? {};
  return groups.map((group) => {
    const wished = (all || named.includes(group.spec.name)) && canariesAreHealthy(group);
    if (!awaitsPromotion(group) || !(automatic || wished)) return group;
    return restarted({ ...group, status: { ...group.status, promoted: true } }, now);
  });
}

interface Failure {
  readonly reason: string;
  /** The groups whose failure it is; those with auto_revert take the job back. */
  readonly groups: readonly GroupProgress[];
}

function failure({ deployment }: Observed, groups: readonly GroupProgress[], now: Instant): Failure | undefined {
  if (deployment.spec.fail === true) return { reason: description.failedByUser, groups };
  // With a progress deadline an unhealthy allocation is replaced, and only the deadline fails the deployment.
  const broken = groups.filter((group) => !hasDeadline(group.spec) && group.status.unhealthy > 0);
  if (broken.length > 0) return { reason: description.unhealthy, groups: broken };
  if (deployment.spec.paused === true || resumes(deployment)) return undefined;
  const late = groups.filter((group) => (deadlineOf(group) ?? Infinity) <= now);
  return late.length > 0 ? { reason: description.progressDeadline, groups: late } : undefined;
}

function fail(observed: Observed, groups: readonly GroupProgress[], { reason, groups: guilty }: Failure, now: Instant): Plan {
  if (!guilty.some((group) => group.spec.autoRevert === true)) return end(observed, groups, 'failed', reason, now);
  const current = observed.versions.find((v) => v.spec.version === observed.deployment.spec.jobVersion);
  const stable = observed.versions.filter((v) => v.spec.stable === true && v !== current).at(-1);
  if (stable === undefined) return end(observed, groups, 'failed', noStableVersion(reason), now);
  const { version } = stable.spec;
  if (current !== undefined && equal(current.spec.job, stable.spec.job))
    return end(observed, groups, 'failed', sameSpecification(reason, version), now);
  return { ...end(observed, groups, 'failed', rollingBack(reason, version), now), revertTo: stable };
}

/** The last status. The scheduler is told of it, but for a cancellation: what cancelled it has told it already. */
function end(observed: Observed, groups: readonly GroupProgress[], phase: Phase, because: string, now: Instant): Plan {
  const status = statusOf(observed, groups, phase, because, now);
  if (phase === 'cancelled') return { status, reschedule: [], because };
  return { status, ...evaluate(observed, []), reschedule: [], because };
}

function proceed(observed: Observed, groups: readonly GroupProgress[], phase: Phase, text: string, now: Instant): Plan {
  const { deployment } = observed;
  const status = statusOf(observed, groups, phase, text, now);
  const reschedule = groups.flatMap((group) => group.unanswered);
  const promoted = status.groups?.filter((group) => group.promoted === true).length ?? 0;
  const promotedBefore = deployment.status?.groups?.filter((group) => group.promoted === true).length ?? 0;
  const reasons = [
    groups.some((group) => group.newlyHealthy > 0) && 'allocations became healthy',
    promoted > promotedBefore && 'canaries were promoted',
    resumes(deployment) && 'it was resumed',
    reschedule.length > 0 && 'unhealthy allocations are to be replaced',
  ].filter((reason) => reason !== false);
  const deadlines = phase === 'paused' ? [] : groups.map(deadlineOf).filter((at) => at !== undefined);
  return {
    status,
    ...(reasons.length > 0 && phase !== 'paused' && evaluate(observed, reschedule)),
    reschedule,
    because: reasons.join(', ') || text,
    ...(deadlines.length > 0 && { wakeAt: Math.min(...deadlines) }),
  };
}

function runningDescription(groups: readonly GroupProgress[]): string {
  const waiting = groups.filter(awaitsPromotion);
  if (waiting.length === 0) return description.running;
  return waiting.every((group) => group.spec.autoPromote === true) ? description.autoPromotion : description.needsPromotion;
}

function statusOf(
  { deployment }: Observed,
  groups: readonly GroupProgress[],
  phase: Phase,
  text: string,
  now: Instant,
): DeploymentStatus {
  const { status: before = {} } = deployment;
  const same = before.phase === phase && before.description === text;
  const observations = wishes(deployment, groups);
  return {
    ...before,
    phase,
    description: text,
    modifiedAt: same && before.modifiedAt !== undefined ? before.modifiedAt : toTimestamp(now),
    groups: groups.map((group) => group.status),
    ...(observations.length > 0 && { conditions: withConditions(before.conditions, observations, now) }),
  };
}

/** Says why a promotion that was asked for does not happen (yet). */
function wishes({ spec }: Stored<Deployment>, groups: readonly GroupProgress[]): Observation[] {
  if (spec.promote === undefined) return [];
  const { all = false, groups: named = [] } = spec.promote;
  const unready = groups.filter((group) => (all || named.includes(group.spec.name)) && awaitsPromotion(group));
  const message = unready
    .map((g) => `Task group "${g.spec.name}" has ${g.healthyCanaries}/${g.spec.desiredCanaries ?? 0} healthy allocations`)
    .join('; ');
  return [
    unready.length > 0
      ? { type: 'Promoted', status: 'False', reason: 'CanariesNotHealthy', message }
      : { type: 'Promoted', status: 'True', reason: 'Promoted', message: 'The canaries were promoted.' },
  ];
}

/**
 * Named after the version of the deployment that was looked at and what is marked with it: only one such reaction can be written.
 * A second one to the same version marks others, when their health came to be known without the counts being any different.
 */
function evaluate({ deployment, job }: Observed, reschedule: readonly Stored<Allocation>[]): { evaluation: Evaluation } {
  const { metadata, spec } = deployment;
  const of: JobRef =
    job !== undefined
      ? jobRef(job)
      : { ...(metadata.namespace && { namespace: metadata.namespace }), name: spec.jobName, uid: spec.jobUID };
  const name = derivedUuid(
    metadata.uid,
    'deployment-watcher',
    metadata.resourceVersion,
    ...reschedule.map((a) => a.metadata.name),
  );
  return {
    evaluation: newEvaluation(name, of, 'deployment-watcher', { deployment: metadata.name, jobVersion: spec.jobVersion }),
  };
}
