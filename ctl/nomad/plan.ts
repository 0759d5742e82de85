import type { EvaluationPlan } from '../../openapi/index.ts';
import { nomadMetric } from './evaluation.ts';

/** A plan in the form of Nomad's API; the diff is added by whoever compared. */
export function nomadPlan(plan: EvaluationPlan, diff: unknown, warnings: string): Record<string, unknown> {
  const failed = Object.entries(plan.failedPlacements ?? {});
  return {
    Annotations: {
      DesiredTGUpdates: Object.fromEntries(
        Object.entries(plan.desiredUpdates ?? {}).map(([group, updates]) => [
          group,
          {
            Canary: updates.canary ?? 0,
            DestructiveUpdate: updates.destructiveUpdate ?? 0,
            Ignore: updates.ignore ?? 0,
            InPlaceUpdate: updates.inPlaceUpdate ?? 0,
            Migrate: updates.migrate ?? 0,
            Place: updates.place ?? 0,
            Preemptions: 0,
            Stop: updates.stop ?? 0,
          },
        ]),
      ),
      PreemptedAllocs: null,
    },
    CreatedEvals: null,
    Diff: diff,
    FailedTGAllocs:
      failed.length === 0 ? null : Object.fromEntries(failed.map(([group, metric]) => [group, nomadMetric(metric)])),
    Index: plan.jobModifyIndex ?? 0,
    JobModifyIndex: plan.jobModifyIndex ?? 0,
    NextPeriodicLaunch: plan.nextPeriodicLaunch ?? null,
    Warnings: warnings,
  };
}
