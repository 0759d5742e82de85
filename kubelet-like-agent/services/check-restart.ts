import type { CheckStatus } from '../../openapi/index.ts';
import type { Duration, Instant } from '../../base/index.ts';

export interface CheckRestartRule {
  /** Failures in a row. */
  readonly limit: number;
  /** After each start of the task, during which failures do not count. */
  readonly grace: Duration;
  readonly ignoreWarnings: boolean;
}

/**
 * Counts failures of one check in a row and says when the task is to be restarted. `results` are all runs of the check, not
 * only changes. Pure.
 */
export function countFailure(
  rule: CheckRestartRule,
  failures: number,
  phase: CheckStatus['phase'],
  taskStartedAt: Instant,
  now: Instant,
): { readonly failures: number; readonly restart: boolean } {
  const failed = phase === 'critical' || (phase === 'warning' && !rule.ignoreWarnings);
  if (!failed || now < taskStartedAt + rule.grace) return { failures: 0, restart: false };
  const count = failures + 1;
  return count >= rule.limit ? { failures: 0, restart: true } : { failures: count, restart: false };
}
