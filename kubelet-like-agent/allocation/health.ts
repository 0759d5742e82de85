import { durationOr, formatDuration, parseTimestamp, type Duration, type Instant } from '../../base/index.ts';
import type { AllocationSpec, TaskGroup } from '../../openapi/index.ts';
import { roleOf, type Member } from './coordinate.ts';

/** How the health of an allocation is judged, read from its group's update or migrate block. */
export interface HealthRules {
  readonly by: 'checks' | 'taskStates';
  readonly minHealthyTime: Duration;
  readonly healthyDeadline: Duration;
}

/**
 * The clock of the deadline. It stands still while an image is downloaded, so that a slow registry does not make an
 * allocation unhealthy. Kept on disk: a restart of the agent grants no extra time.
 */
export interface HealthClock {
  readonly startedAt: Instant;
  readonly pausedFor: Duration;
  readonly pausedAt?: Instant;
}

export interface CheckResult {
  readonly passing: boolean;
  /** Since when without a break. */
  readonly since: Instant;
}

export type HealthVerdict =
  | { readonly state: 'healthy' }
  | { readonly state: 'unhealthy'; readonly reason: string }
  /** Look again then; undefined: only a change can help. */
  | { readonly state: 'undecided'; readonly wakeAt?: Instant };

/** Undefined: nobody asked (batch), or people decide (`manual`). */
export function healthRules(spec: AllocationSpec, group: TaskGroup): HealthRules | undefined {
  if (spec.jobType === 'batch' || spec.jobType === 'sysbatch') return undefined;
  const forDeployment = spec.deployment !== undefined && spec.deployment !== '';
  if (!forDeployment && spec.jobType !== 'service') return undefined;
  const block = forDeployment ? group.update : group.migrate;
  if (block?.healthCheck === 'manual') return undefined;
  return {
    by: block?.healthCheck === 'task_states' ? 'taskStates' : 'checks',
    minHealthyTime: durationOr(block?.minHealthyTime, 10e3),
    healthyDeadline: durationOr(block?.healthyDeadline, 5 * 60e3),
  };
}

export function pause(clock: HealthClock, downloading: boolean, now: Instant): HealthClock {
  if (downloading === (clock.pausedAt !== undefined)) return clock;
  if (downloading) return { ...clock, pausedAt: now };
  return { startedAt: clock.startedAt, pausedFor: clock.pausedFor + (now - clock.pausedAt!) };
}

/**
 * Healthy: every task that should run has run, and every check has passed, for min_healthy_time without a break, before the
 * deadline. Otherwise unhealthy. Pure: asked again at each change and at `wakeAt`.
 */
export function decideHealth(
  rules: HealthRules,
  clock: HealthClock,
  members: readonly Member[],
  checks: readonly CheckResult[],
  now: Instant,
): HealthVerdict {
  const watched = members.filter((m) => roleOf(m.task) !== 'poststop');
  if (watched.some((m) => m.record.phase.at === 'dead' && (m.record.status.failed || mustRun(m))))
    return { state: 'unhealthy', reason: 'Unhealthy because of failed task' };

  const deadline = clock.startedAt + clock.pausedFor + rules.healthyDeadline;
  const since = goodSince(rules, watched, checks);
  if (since !== undefined && now >= since + rules.minHealthyTime && since + rules.minHealthyTime <= deadline)
    return { state: 'healthy' };
  if (clock.pausedAt !== undefined) return { state: 'undecided' };
  if (now >= deadline) return { state: 'unhealthy', reason: whyUnhealthy(rules, watched, since) };
  return { state: 'undecided', wakeAt: since === undefined ? deadline : Math.min(deadline, since + rules.minHealthyTime) };
}

/** Since when everything has been as it should be; undefined: something is not. */
function goodSince(rules: HealthRules, watched: readonly Member[], checks: readonly CheckResult[]): Instant | undefined {
  let since = 0;
  for (const member of watched) {
    const { phase, status } = member.record;
    if (!mustRun(member) && phase.at === 'dead') continue;
    const startedAt = parseTimestamp(status.startedAt);
    if (phase.at !== 'running' || startedAt === undefined) return undefined;
    since = Math.max(since, startedAt);
  }
  if (rules.by === 'checks') {
    for (const check of checks) {
      if (!check.passing) return undefined;
      since = Math.max(since, check.since);
    }
  }
  return since;
}

/** Tasks that run once may be over; main tasks and sidecars of a service may not. */
const mustRun = ({ task }: Member): boolean => ['main', 'prestartSidecar', 'poststartSidecar'].includes(roleOf(task));

function whyUnhealthy(rules: HealthRules, watched: readonly Member[], since: Instant | undefined): string {
  const deadline = formatDuration(rules.healthyDeadline);
  const pending = watched.find((m) => m.record.phase.at !== 'running' && (mustRun(m) || m.record.phase.at !== 'dead'));
  if (pending !== undefined) return `Task "${pending.task.name}" not running by healthy_deadline of ${deadline}`;
  if (since === undefined) return `Services not healthy by healthy_deadline of ${deadline}`;
  return `Task not running for min_healthy_time of ${formatDuration(rules.minHealthyTime)} by healthy_deadline of ${deadline}`;
}
