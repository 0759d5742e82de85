import { derivedUuid, toTimestamp, type Instant } from '../../base/index.ts';
import type { Allocation, Evaluation, Job, JobStatus, JobVersion, Stored } from '../../openapi/index.ts';
import {
  allocationsOf,
  clientPhase,
  isClientTerminal,
  isDeleted,
  isFinished,
  isSystem,
  isTemplate,
  isTerminal,
  JOB_FINALIZER,
  jobRef,
  jobVersionName,
  newEvaluation,
  ownedBy,
} from '../objects/index.ts';
import type { Observed } from './observe.ts';
import { summarise } from './summarise.ts';

export type Change =
  | { readonly type: 'createVersion'; readonly version: JobVersion; readonly because: string }
  | { readonly type: 'markStable'; readonly version: Stored<JobVersion>; readonly because: string }
  | { readonly type: 'createEvaluation'; readonly evaluation: Evaluation; readonly because: string }
  | { readonly type: 'release'; readonly because: string }
  | { readonly type: 'setStatus'; readonly status: JobStatus };

export interface Plan {
  readonly changes: readonly Change[];
  /** Why a deleted job is still there. */
  readonly waitingFor?: string;
}

/** What is to be done for a job. Pure: the same input gives the same plan. */
export function decide(observed: Observed, now: Instant): Plan {
  const { job } = observed;
  const version = versionOfSpec(observed, now);
  const evaluations = [
    ...register(observed, version.number),
    ...answerFailures(observed),
    ...answerDeletions(observed),
    ...answerReturns(observed),
  ];
  const status = summarise(observed, version.number, evaluations.length > 0, now);
  const stable = markStable(observed);
  const isStable = version.status.stable === true || stable.some((change) => change.version.spec.version === version.number);
  const changes: Change[] = [
    ...version.changes,
    ...evaluations,
    ...stable,
    { type: 'setStatus', status: { ...status, ...version.status, stable: isStable } },
  ];
  if (!isDeleted(job)) return { changes };

  const waitingFor = unfinished(observed);
  if (waitingFor !== undefined) return { changes, waitingFor };
  if (!(job.metadata.finalizers ?? []).includes(JOB_FINALIZER)) return { changes: [] };
  return { changes: [{ type: 'release', because: 'the job is deleted and nothing of it runs' }] };
}

/** The number of this spec's version, and the version itself where it does not exist yet. Numbers have no gaps. */
function versionOfSpec(
  { job, versions }: Observed,
  now: Instant,
): { number: number; status: Pick<JobStatus, 'submittedAt' | 'stable'>; changes: Change[] } {
  const generation = specGeneration(job);
  const known = versions.find((v) => v.spec.generation === generation);
  if (known !== undefined) {
    const { version, submittedAt, stable = false } = known.spec;
    return { number: version, status: { ...(submittedAt && { submittedAt }), stable }, changes: [] };
  }
  // Registered, but its version is not in sight: removed by hand, or our cache is behind. Never make it twice.
  if (isRegistered(job, generation) && job.status?.version !== undefined) {
    const { submittedAt, stable } = job.status;
    return {
      number: job.status.version,
      status: { ...(submittedAt && { submittedAt }), ...(stable !== undefined && { stable }) },
      changes: [],
    };
  }
  const number = Math.max(-1, job.status?.version ?? -1, ...versions.map((v) => v.spec.version)) + 1;
  const submittedAt = toTimestamp(now);
  const version: JobVersion = {
    metadata: {
      name: jobVersionName(job, number),
      ...(job.metadata.namespace !== undefined && { namespace: job.metadata.namespace }),
      ownerReferences: [ownedBy(job)],
    },
    spec: {
      jobName: job.metadata.name,
      jobUID: job.metadata.uid,
      version: number,
      generation,
      ...(job.status?.modifyIndex !== undefined && { jobModifyIndex: job.status.modifyIndex }),
      submittedAt,
      stable: false,
      job: job.spec,
    },
  };
  return {
    number,
    status: { submittedAt, stable: false },
    changes: [{ type: 'createVersion', version, because: `generation ${generation} is new` }],
  };
}

/** The generation that last changed the spec; asking for deletion raises the generation once more. */
const specGeneration = (job: Stored<Job>): number => job.metadata.generation - (isDeleted(job) ? 1 : 0);

const isRegistered = (job: Stored<Job>, generation: number): boolean => (job.status?.observedGeneration ?? 0) >= generation;

/** The name that whoever changed the job can know beforehand and wait for. */
export const registrationName = (uid: string, generation: number): string => derivedUuid(uid, 'job-register', generation);

/**
 * One Evaluation for each new spec, and one for the deletion of a job that was not stopped before. Whether it was made is
 * remembered by `observedGeneration`, which is written with it, since the Evaluation itself is collected some day.
 */
function register({ job, evaluations }: Observed, version: number): Change[] {
  const { uid, generation } = job.metadata;
  const asked = isRegistered(job, specGeneration(job)) ? (isStopped(job) ? undefined : generation) : specGeneration(job);
  if (asked === undefined || isRegistered(job, asked)) return [];
  const name = registrationName(uid, asked);
  if (evaluations.some((e) => e.metadata.name === name)) return [];
  // A template has nothing to place; its children are registered in its stead.
  if (isTemplate(job.spec)) return [];
  const launch = job.spec.parentID !== undefined && job.spec.dispatched !== true ? 'periodic-job' : 'job-register';
  const trigger = isStopped(job) || isDeleted(job) ? 'job-deregister' : launch;
  return [
    {
      type: 'createEvaluation',
      evaluation: newEvaluation(name, jobRef(job), trigger, { jobVersion: version }),
      because: trigger,
    },
  ];
}

const isStopped = (job: Stored<Job>): boolean => job.spec.stop === true;

/** Evaluations list at most this many allocations; further ones are for the next. */
const FAILURES_AT_ONCE = 500;

/** One Evaluation for all failures that no Evaluation was made for yet. What to do about them is the scheduler's business. */
function answerFailures({ job, allocations, evaluations }: Observed): Change[] {
  if (isStopped(job) || isDeleted(job) || isSystem(job.spec.type)) return [];
  const failed = allocations.filter((a) => needsAnswer(a, job)).map((a) => a.metadata.name);
  if (failed.length === 0) return [];
  const failures = evaluations.filter((e) => e.spec.trigger === 'alloc-failure');
  const answered = new Set(failures.flatMap(allocationsOf));
  const open = failed.filter((name) => !answered.has(name)).sort().slice(0, FAILURES_AT_ONCE); // prettier-ignore
  if (open.length === 0) return [];
  const evaluation = newEvaluation(
    derivedUuid(job.metadata.uid, 'alloc-failure', ...open),
    jobRef(job),
    'alloc-failure',
    {},
    open,
  );
  return [{ type: 'createEvaluation', evaluation, because: `${open.length} allocations failed` }];
}

/**
 * One Evaluation for the allocations that somebody deletes while they are wanted, and one for those that vanished without a word.
 * The latter are known by the counts of the status, which are written with the Evaluation: so it is asked once.
 */
function answerDeletions({ job, allocations, evaluations }: Observed): Change[] {
  if (isStopped(job) || isDeleted(job) || isTemplate(job.spec)) return [];
  const { uid, resourceVersion } = job.metadata;
  const ask = (name: string, names: readonly string[], because: string): Change[] => {
    if (evaluations.some((e) => e.metadata.name === name)) return [];
    return [{ type: 'createEvaluation', evaluation: newEvaluation(name, jobRef(job), 'alloc-stop', {}, names), because }];
  };
  const deleted = allocations.filter((a) => a.metadata.deletionTimestamp !== undefined && !isTerminal(a)).map((a) => a.metadata.name); // prettier-ignore
  if (deleted.length > 0) {
    const some = deleted.sort().slice(0, FAILURES_AT_ONCE);
    return ask(derivedUuid(uid, 'alloc-deleted', ...some), some, `${deleted.length} allocations are being deleted`);
  }
  const vanished = vanishedSince(job.status, allocations);
  return vanished === 0 ? [] : ask(derivedUuid(uid, 'alloc-vanished', resourceVersion), [], `${vanished} allocations vanished`);
}

/** One Evaluation for the allocations that were replaced while they were out of sight, and are heard of again. */
function answerReturns({ job, allocations, evaluations }: Observed): Change[] {
  if (isStopped(job) || isDeleted(job)) return [];
  // Whether its node says that it was away is not asked: a report that was late may have come before it knew.
  const back = allocations.filter((a) => a.spec.nextAllocation !== undefined && !isTerminal(a) && clientPhase(a) !== 'unknown');
  if (back.length === 0) return [];
  const pairs = back.map((a) => `${a.metadata.name}/${a.spec.nextAllocation}/${a.status?.reconnectedAt ?? ''}`).sort();
  const name = derivedUuid(job.metadata.uid, 'reconnect', ...pairs.slice(0, FAILURES_AT_ONCE));
  if (evaluations.some((e) => e.metadata.name === name)) return [];
  const evaluation = newEvaluation(name, jobRef(job), 'reconnect');
  return [{ type: 'createEvaluation', evaluation, because: `${back.length} allocations are back` }];
}

/** How many of the allocations that had not ended when they were last counted are not there any more. */
function vanishedSince(before: JobStatus | undefined, allocations: readonly Stored<Allocation>[]): number {
  let live = 0;
  let ended = 0;
  for (const { starting = 0, running = 0, unknown = 0, complete = 0, failed = 0, lost = 0 } of before?.groups ?? []) {
    live += starting + running + unknown;
    ended += complete + failed + lost;
  }
  const endedNow = allocations.filter(isClientTerminal).length;
  return Math.max(0, live - (allocations.length - endedNow) - Math.max(0, endedNow - ended));
}

/** It ended though it was to run, and neither a replacement nor a delayed evaluation was made for it. A batch task may end well. */
function needsAnswer({ spec, status }: Stored<Allocation>, job: Stored<Job>): boolean {
  if (spec.desired !== 'run' || spec.nextAllocation !== undefined || spec.followupEvaluation !== undefined) return false;
  return status?.phase === 'failed' || (status?.phase === 'complete' && job.spec.type === 'service');
}

function markStable({ versions, deployments }: Observed): Extract<Change, { type: 'markStable' }>[] {
  const succeeded = new Set(deployments.filter((d) => d.status?.phase === 'successful').map((d) => d.spec.jobVersion));
  return versions
    .filter((version) => version.spec.stable !== true && succeeded.has(version.spec.version))
    .map((version) => ({ type: 'markStable', version, because: 'its deployment succeeded' }));
}

/** What a deleted job waits for: first that the scheduler has stopped it, then that the nodes have. */
function unfinished({ job, allocations, evaluations }: Observed): string | undefined {
  if (!isRegistered(job, job.metadata.generation)) return 'its deregistration';
  if (evaluations.some((e) => e.spec.trigger === 'job-deregister' && !isFinished(e)))
    return 'the scheduler to stop its allocations';
  const running = allocations.filter((a) => !isClientTerminal(a)).length;
  return running > 0 ? `${running} allocations to end` : undefined;
}
