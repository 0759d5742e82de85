import { durationOr, formatDuration, type Duration, type Instant } from '../../base/index.ts';
import type { RestartPolicy } from '../../openapi/index.ts';

/** A restart policy with its durations read. */
export interface RestartRules {
  readonly attempts: number;
  readonly interval: Duration;
  readonly delay: Duration;
  /** When the attempts of an interval are used up: `fail` gives up, `delay` waits for the next interval. */
  readonly mode: 'fail' | 'delay';
}

/** The interval that attempts are counted in. Absent until the first attempt. */
export interface RestartWindow {
  readonly startedAt: Instant;
  readonly count: number;
}

export type RestartCause =
  /** The run ended. `restartsOnSuccess`: services and sidecars are meant to run for good. */
  | { readonly type: 'exit'; readonly successful: boolean; readonly restartsOnSuccess: boolean }
  | { readonly type: 'startFailed'; readonly recoverable: boolean }
  /** Something judged the running task to be broken (a check); it was ended for that. */
  | { readonly type: 'unhealthy' };

export type RestartVerdict =
  | { readonly action: 'restart'; readonly delay: Duration; readonly reason?: string; readonly window: RestartWindow }
  /** Done; not a failure. */
  | { readonly action: 'complete' }
  | { readonly action: 'fail'; readonly reason: string };

/** Defaults by job type, for jobs that were stored before the server filled them in. */
export function restartRules(policy: RestartPolicy | undefined, jobType: string | undefined): RestartRules {
  const batch = jobType === 'batch' || jobType === 'sysbatch';
  return {
    attempts: policy?.attempts ?? (batch ? 3 : 2),
    interval: durationOr(policy?.interval, batch ? 24 * 3600e3 : 30 * 60e3),
    delay: durationOr(policy?.delay, 15e3),
    mode: policy?.mode === 'delay' ? 'delay' : 'fail',
  };
}

/** Whether and when a task that ended runs again. `random` (0 to 1) spreads the delay by up to 25 %. */
export function decideRestart(
  rules: RestartRules,
  window: RestartWindow | undefined,
  cause: RestartCause,
  now: Instant,
  random: number,
): RestartVerdict {
  if (cause.type === 'exit' && cause.successful && !cause.restartsOnSuccess) return { action: 'complete' };
  if (rules.attempts === 0) return { action: 'fail', reason: 'Policy allows no restarts' };
  if (cause.type === 'startFailed' && !cause.recoverable) return { action: 'fail', reason: 'Error was unrecoverable' };

  const fresh = window === undefined || now > window.startedAt + rules.interval;
  const counted: RestartWindow = fresh ? { startedAt: now, count: 1 } : { ...window, count: window.count + 1 };
  if (counted.count <= rules.attempts) {
    return { action: 'restart', delay: rules.delay * (1 + 0.25 * random), window: counted };
  }
  if (rules.mode === 'fail') {
    const interval = formatDuration(rules.interval);
    return { action: 'fail', reason: `Exceeded allowed attempts ${rules.attempts} in interval ${interval} and mode is "fail"` };
  }
  const delay = counted.startedAt + rules.interval - now + rules.delay * 0.25 * random;
  return { action: 'restart', delay, reason: 'Exceeded allowed attempts, applying a delay', window: counted };
}
