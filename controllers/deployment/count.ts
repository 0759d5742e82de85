import { parseDuration, parseTimestamp, toTimestamp, type Instant } from '../../base/index.ts';
import type { Allocation, DeploymentGroupSpec, DeploymentGroupStatus, Stored } from '../../openapi/index.ts';
import { healthOf, isTerminal } from '../objects/index.ts';
import type { Observed } from './observe.ts';

/** How far one group is. */
export interface GroupProgress {
  readonly spec: DeploymentGroupSpec;
  readonly status: DeploymentGroupStatus & { healthy: number; unhealthy: number; placed: number };
  /** Became healthy since it was last counted. */
  readonly newlyHealthy: number;
  /** Healthy allocations that still run; replaced ones do not complete a deployment. */
  readonly healthyNow: number;
  readonly healthyCanaries: number;
  /** Unhealthy allocations that nothing was done about yet. */
  readonly unanswered: readonly Stored<Allocation>[];
}

/** Canaries are wanted and nobody has promoted them. */
export const awaitsPromotion = ({ spec, status }: GroupProgress): boolean =>
  (spec.desiredCanaries ?? 0) > 0 && status.promoted !== true;

export const canariesAreHealthy = ({ spec, healthyCanaries }: GroupProgress): boolean =>
  healthyCanaries >= (spec.desiredCanaries ?? 0);

/** Nothing is left to become healthy, for the time being: all of the group, or all of its canaries before promotion. */
export const isSatisfied = (group: GroupProgress): boolean =>
  awaitsPromotion(group) ? canariesAreHealthy(group) : group.healthyNow >= group.spec.desiredTotal;

export const isComplete = (group: GroupProgress): boolean => !awaitsPromotion(group) && isSatisfied(group);

/**
 * Counts each group and keeps its deadline: `progressDeadline` after its first placement, moved on with each allocation that turns
 * healthy. The instant is kept in the status, so that a restart forgets nothing.
 */
export function countGroups({ deployment, allocations }: Observed, now: Instant): GroupProgress[] {
  const before = new Map((deployment.status?.groups ?? []).map((group) => [group.name, group]));
  return deployment.spec.groups.map((spec) => {
    const known = before.get(spec.name);
    const own = allocations.filter((a) => a.spec.group === spec.name);
    const healthy = own.filter((a) => healthOf(a) === 'healthy');
    const unhealthy = own.filter((a) => healthOf(a) === 'unhealthy');
    const canaries = own.filter((a) => a.spec.canary === true || known?.placedCanaries?.includes(a.metadata.name));
    // Allocations may be collected while the deployment goes on; what was counted stays counted.
    const newlyHealthy = Math.max(0, healthy.length - (known?.healthy ?? 0));
    const starts = own.length > 0 && (known?.requireProgressBy === undefined || newlyHealthy > 0);
    const requireProgressBy = starts ? deadlineFrom(spec, now) : known?.requireProgressBy;
    return {
      spec,
      status: {
        name: spec.name,
        placed: own.length,
        healthy: healthy.length,
        unhealthy: unhealthy.length,
        ...(canaries.length > 0 && { placedCanaries: canaries.map((a) => a.metadata.name).sort() }),
        ...((spec.desiredCanaries ?? 0) > 0 && { promoted: known?.promoted ?? false }),
        ...(requireProgressBy !== undefined && { requireProgressBy }),
      },
      newlyHealthy,
      healthyNow: healthy.filter((a) => !isTerminal(a)).length,
      healthyCanaries: canaries.filter((a) => healthOf(a) === 'healthy' && !isTerminal(a)).length,
      unanswered: unhealthy.filter(
        (a) => a.spec.desired === 'run' && a.spec.nextAllocation === undefined && !a.spec.desiredTransition?.reschedule,
      ),
    };
  });
}

/** The group with its deadline started anew, as after a promotion or a pause. */
export function restarted(group: GroupProgress, now: Instant): GroupProgress {
  if (group.status.requireProgressBy === undefined) return group;
  return {
    ...group,
    status: { ...group.status, requireProgressBy: deadlineFrom(group.spec, now) ?? group.status.requireProgressBy },
  };
}

/** Whether an unhealthy allocation is replaced until the deadline; otherwise the first one fails the deployment. */
export const hasDeadline = (spec: DeploymentGroupSpec): boolean => (parseDuration(spec.progressDeadline) ?? 0) > 0;

const deadlineFrom = (spec: DeploymentGroupSpec, now: Instant): string | undefined =>
  hasDeadline(spec) ? toTimestamp(now + parseDuration(spec.progressDeadline)!) : undefined;

/** When the group fails unless it progresses; undefined while nothing is expected of it. */
export const deadlineOf = (group: GroupProgress): Instant | undefined =>
  isSatisfied(group) ? undefined : parseTimestamp(group.status.requireProgressBy);
