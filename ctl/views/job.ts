import { parseTimestamp } from '../../base/index.ts';
import type { Allocation, Deployment, Evaluation, GroupSummary, Job, Stored } from '../../openapi/index.ts';
import { pairs, table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';
import { latestDeployment } from './deployment.ts';
import { allocationTable, evaluationTable, jobPhase, submittedAt } from './lists.ts';
import { placementReasons } from './metrics.ts';
import { blocks, by, section, type View } from './view.ts';

export interface JobState {
  readonly job: Stored<Job>;
  readonly allocations: readonly Stored<Allocation>[];
  readonly evaluations: readonly Stored<Evaluation>[];
  readonly deployment?: Stored<Deployment> | undefined;
  /** Jobs that were launched from this one. */
  readonly children?: readonly Stored<Job>[];
  /** When a periodic job is launched next, in words. */
  readonly launch?: string | undefined;
  /** Names of nodes by ID, for the verbose view. */
  readonly nodeNames?: ReadonlyMap<string, string>;
}

/** The head of `job status`; all of it with -short. */
export function jobBasics({ metadata, spec, ...job }: Stored<Job>, launch?: string): string {
  const whole = { metadata, spec, ...job } as Stored<Job>;
  return pairs([
    ['ID', spec.id ?? metadata.name],
    ['Name', spec.name ?? spec.id ?? metadata.name],
    ['Submit Date', localTime(submittedAt(whole))],
    ['Type', spec.type ?? 'service'],
    ['Priority', spec.priority ?? 50],
    ['Datacenters', (spec.datacenters ?? ['*']).join(',')],
    ['Namespace', metadata.namespace],
    ...(spec.nodePool === undefined || spec.nodePool === 'default' ? [] : [['Node Pool', spec.nodePool] as const]),
    ['Status', jobPhase(whole)],
    ['Periodic', spec.periodic !== undefined],
    ['Parameterized', spec.parameterized !== undefined],
    ...(launch === undefined ? [] : [['Next Periodic Launch', launch] as const]),
  ]);
}

/** What `job status` shows. */
export function jobStatus(state: JobState, view: View, show: { readonly evaluations: boolean }): string {
  const { job, evaluations, deployment } = state;
  if (job.spec.periodic !== undefined || job.spec.parameterized !== undefined) return templateStatus(state, view);
  const shownEvaluations = evaluations.filter(({ spec }) => spec.dryRun === undefined);
  return blocks(
    jobBasics(job),
    conditions(job, view),
    section(view, 'Summary', summaryTable(groupSummaries(state))),
    show.evaluations && section(view, 'Evaluations', evaluationTable(shownEvaluations, view)),
    waitingEvaluations(shownEvaluations, view),
    placementFailure(job, shownEvaluations, view),
    deployment !== undefined && latestDeployment(deployment, view),
    section(view, 'Allocations', allocations(state, view)),
  );
}

/** A job that is only there to launch others: what it takes, and what became of them. */
function templateStatus({ job, children = [], launch }: JobState, view: View): string {
  const { parameterized } = job.spec;
  const inPhase = (phase: string): number => children.filter(({ status }) => (status?.phase ?? 'pending') === phase).length;
  const summary = table([
    ['Pending', 'Running', 'Dead'],
    [inPhase('pending'), inPhase('running'), inPhase('dead')],
  ]);
  const list = table([
    ['ID', 'Status'],
    ...[...children]
      .sort(by(({ spec, metadata }) => spec.id ?? metadata.name))
      .map((child) => [child.spec.id ?? child.metadata.name, child.status?.phase ?? 'pending']),
  ]);
  if (parameterized === undefined)
    return blocks(
      jobBasics(job, launch),
      conditions(job, view),
      section(view, 'Children Job Summary', summary),
      children.length === 0 ? 'No instances of periodic job found' : section(view, 'Previously Launched Jobs', list),
    );
  const takes = pairs([
    ['Payload', parameterized.payload ?? 'optional'],
    ['Required Metadata', (parameterized.metaRequired ?? []).join(', ')],
    ['Optional Metadata', (parameterized.metaOptional ?? []).join(', ')],
  ]);
  return blocks(
    jobBasics(job, launch),
    conditions(job, view),
    section(view, 'Parameterized Job', takes),
    section(view, 'Parameterized Job Summary', summary),
    children.length === 0 ? 'No dispatched instances of parameterized job found' : section(view, 'Dispatched Jobs', list),
  );
}

/** Conditions that other parts of the view tell better: the status, and what failed to be placed. */
const toldElsewhere = new Set(['Placed', 'Dead']);

/** What the control plane has to say about the job that is not well. */
function conditions(job: Stored<Job>, view: View): string | undefined {
  const bad = (job.status?.conditions ?? []).filter(({ type, status }) => status === 'False' && !toldElsewhere.has(type));
  const lines = bad.map(({ type, reason, message }) => `${type}: ${message ?? reason ?? 'no'}`);
  return lines.length === 0 ? undefined : section(view, 'Conditions', lines.join('\n'));
}

function allocations({ allocations, nodeNames }: JobState, view: View): string {
  if (allocations.length === 0) return 'No allocations placed';
  return allocationTable(allocations, view, view.verbose ? nodeNames : undefined);
}

const counted = { pending: 'starting', running: 'running', failed: 'failed', complete: 'complete', lost: 'lost', unknown: 'unknown' } as const; // prettier-ignore

/**
 * How many allocations of each group are in which state: counted here, of the allocations that are shown below, so that the two agree; the counts that
 * the job controller keeps come a moment later. Those that wait for a place are known to it alone.
 */
export function groupSummaries({ job, allocations }: Pick<JobState, 'job' | 'allocations'>): GroupSummary[] {
  const own = allocations.filter(({ spec }) => spec.jobUID === undefined || spec.jobUID === job.metadata.uid);
  const kept = new Map((job.status?.groups ?? []).map((group) => [group.name, group]));
  const names = new Set([
    ...(job.spec.groups ?? []).map(({ name }) => name),
    ...kept.keys(),
    ...own.map(({ spec }) => spec.group),
  ]);
  return [...names].sort().map((name) => {
    const counts = { starting: 0, running: 0, failed: 0, complete: 0, lost: 0, unknown: 0 };
    for (const { spec, status } of own) if (spec.group === name) counts[counted[status?.phase ?? 'pending']]++;
    return { name, queued: kept.get(name)?.queued ?? 0, ...counts };
  });
}

/** How many allocations of each group are in which state. */
export function summaryTable(groups: readonly GroupSummary[]): string {
  const unknown = groups.some((group) => (group.unknown ?? 0) > 0);
  return table([
    ['Task Group', 'Queued', 'Starting', 'Running', 'Failed', 'Complete', 'Lost', ...(unknown ? ['Unknown'] : [])],
    ...groups.map((group) => [
      group.name,
      group.queued ?? 0,
      group.starting ?? 0,
      group.running ?? 0,
      group.failed ?? 0,
      group.complete ?? 0,
      group.lost ?? 0,
      ...(unknown ? [group.unknown ?? 0] : []),
    ]),
  ]);
}

/** Delayed evaluations that will reschedule failed allocations. */
function waitingEvaluations(evaluations: readonly Stored<Evaluation>[], view: View): string | undefined {
  const waiting = evaluations.filter(
    ({ spec, status }) =>
      spec.waitUntil !== undefined &&
      (status?.phase ?? 'pending') === 'pending' &&
      (parseTimestamp(spec.waitUntil) ?? 0) > view.now,
  );
  if (waiting.length === 0) return undefined;
  const soonest = [...waiting].sort(by(({ spec }) => spec.waitUntil!))[0]!;
  const seconds = Math.round((parseTimestamp(soonest.spec.waitUntil)! - view.now) / 1000);
  return section(
    view,
    'Future Rescheduling Attempts',
    table([
      ['Evaluation ID', 'Triggered By', 'Eval Time'],
      [soonest.metadata.name.slice(0, 8), soonest.spec.trigger, `${localTime(soonest.spec.waitUntil)} (in ${seconds}s)`],
    ]),
  );
}

/** The evaluation that found that some of the job cannot be placed, while a blocked one waits for capacity. */
export function unplaced(job: Stored<Job>, evaluations: readonly Stored<Evaluation>[]): Stored<Evaluation> | undefined {
  const blocked = evaluations.find(({ status }) => status?.phase === 'blocked');
  if (blocked === undefined || job.spec.stop === true) return undefined;
  return (
    evaluations.find(({ status }) => status?.blockedEvaluation === blocked.metadata.name) ??
    (Object.keys(blocked.status?.failedPlacements ?? {}).length > 0 ? blocked : undefined)
  );
}

/** Why some of the job is not placed, as the blocked evaluation's predecessor found it. */
function placementFailure(job: Stored<Job>, evaluations: readonly Stored<Evaluation>[], view: View): string | undefined {
  const cause = unplaced(job, evaluations);
  const failed = Object.entries(cause?.status?.failedPlacements ?? {}).sort(by(([group]) => group));
  if (failed.length === 0) return undefined;
  const lines = failed.map(([group, metric]) => [`Task Group "${group}":`, ...placementReasons(metric)].join('\n'));
  return section(view, 'Placement Failure', lines.join('\n\n'));
}
