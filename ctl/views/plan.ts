import type { EvaluationPlan } from '../../openapi/index.ts';
import { localTime } from '../io/time.ts';
import type { Style } from '../io/style.ts';
import { failedGroup, placementReasons } from './metrics.ts';
import { by } from './view.ts';

export interface PlanView {
  /** The difference as text; absent when it was not asked for. */
  readonly diff?: string | undefined;
  readonly plan: EvaluationPlan;
  readonly warnings?: string | undefined;
  readonly program: string;
  /** The job file, as the user named it. */
  readonly path: string;
  readonly style: Style;
}

/** What `job plan` shows below and above the difference. */
export function planText({ diff, plan, warnings, program, path, style }: PlanView): string {
  const index = plan.jobModifyIndex ?? 0;
  return [
    ...(diff === undefined ? [] : [diff.trimEnd(), '']),
    style.bold('Scheduler dry-run:'),
    ...dryRunLines(plan, style),
    '',
    ...(warnings === undefined ? [] : [style.yellow(style.bold(`Job Warnings:\n${warnings}`)), '']),
    style.green(style.bold(`Job Modify Index: ${index}`)),
    'To submit the job with version verification run:',
    '',
    `${program} job run -check-index ${index} ${path}`,
    '',
    'When running the job with the check-index flag, the job will only be run if the',
    'job modify index given matches the server-side version. If the index has',
    "changed, another user has modified the job and the plan's results are",
    'potentially invalid.',
  ].join('\n');
}

function dryRunLines(plan: EvaluationPlan, style: Style): string[] {
  const failed = Object.entries(plan.failedPlacements ?? {}).sort(by(([group]) => group));
  const lines: string[] = [];
  if (failed.length === 0) lines.push(style.green('- All tasks successfully allocated.'));
  else {
    lines.push(style.yellow('- WARNING: Failed to place all allocations.'));
    for (const [group, metric] of failed)
      lines.push(style.yellow(`  ${failedGroup(group, metric)}`), ...placementReasons(metric, '    '));
  }
  if (plan.nextPeriodicLaunch !== undefined)
    lines.push(style.green(`- If submitted now, next periodic launch would be at ${localTime(plan.nextPeriodicLaunch)}.`));
  return lines;
}

/** Whether some allocation would be created or destroyed; in-place changes are not. */
export function wouldChangeAllocations({ desiredUpdates = {} }: EvaluationPlan): boolean {
  return Object.values(desiredUpdates).some(
    ({ stop = 0, place = 0, migrate = 0, destructiveUpdate = 0, canary = 0 }) =>
      stop + place + migrate + destructiveUpdate + canary > 0,
  );
}
