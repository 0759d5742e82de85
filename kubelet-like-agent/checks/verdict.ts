import type { Check, CheckStatus } from '../../openapi/index.ts';

/** What one try of a check says. */
export type Outcome = 'passing' | 'warning' | 'critical';

export interface Thresholds {
  /** Tries in a row. 0 is as good as 1. */
  readonly successBeforePassing: number;
  readonly failuresBeforeCritical: number;
  readonly failuresBeforeWarning: number;
}

/** Where a check stands: what is told about it, and what counts towards a change of that. */
export interface Standing {
  readonly phase: CheckStatus['phase'];
  readonly successes: number;
  readonly failures: number;
}

export function thresholdsOf(check: Check): Thresholds {
  const failuresBeforeCritical = check.failuresBeforeCritical ?? 0;
  return {
    successBeforePassing: check.successBeforePassing ?? 0,
    failuresBeforeCritical,
    failuresBeforeWarning: check.failuresBeforeWarning ?? failuresBeforeCritical,
  };
}

export const initialStanding = (check: Check): Standing => ({
  phase: isPhase(check.initialStatus) ? check.initialStatus : 'pending',
  successes: 0,
  failures: 0,
});

const isPhase = (text: string | undefined): text is Standing['phase'] => text !== undefined && ['passing', 'warning', 'critical', 'pending'].includes(text); // prettier-ignore

/** The standing after one more try. A warning counts as a success: the thing answers. */
export function judge(before: Standing, outcome: Outcome, thresholds: Thresholds): Standing {
  if (outcome === 'critical') {
    const failures = before.failures + 1;
    const phase =
      failures >= thresholds.failuresBeforeCritical
        ? 'critical'
        : failures >= thresholds.failuresBeforeWarning
          ? 'warning'
          : before.phase;
    return { phase, successes: 0, failures };
  }
  const successes = before.successes + 1;
  return { phase: successes >= thresholds.successBeforePassing ? outcome : before.phase, successes, failures: 0 };
}
