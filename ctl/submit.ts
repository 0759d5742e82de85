import { derivedUuid, isReason, uuid } from '../base/index.ts';
import {
  EvaluationKind,
  JobKind,
  JobVersionKind,
  type Evaluation,
  type Job,
  type JobSpec,
  type JobVersion,
  type Stored,
} from '../openapi/index.ts';
import type { ClusterContext } from './command.ts';
import { jobProblems } from './views/problems.ts';
import { CommandError, exitCodes, explain } from './errors.ts';
import { hintNext, say } from './io/streams.ts';
import { namespaceOf } from './lookup.ts';
import { monitorEvaluation } from './monitor/evaluation.ts';
import { sameContent } from './put.ts';
import { jobId } from './views/lists.ts';
import { create, update, type Written } from './write.ts';

/** What came of writing a job. */
export interface Submission {
  readonly job: Stored<Job>;
  readonly outcome: 'created' | 'configured' | 'unchanged';
  /** The evaluation that acts on it. */
  readonly evaluation: string;
  readonly warnings: readonly string[];
}

/** A check-index that does not hold; nothing was written. */
class IndexConflict extends CommandError {
  constructor(index: number, how: string) {
    super(`Enforcing job modify index ${index}: ${how}\nJob not updated`);
  }
}

const attempts = 10;

export interface SubmitOptions {
  readonly checkIndex?: number | undefined;
  /** Whether an evaluation is asked for when the job is as it was. Default true. */
  readonly evaluateUnchanged?: boolean;
}

/**
 * Creates the job or replaces its spec. With `checkIndex` only if the job's modify index is still that one (0: if there is no such
 * job); the write itself is guarded by the resource version, so nothing can come between looking and writing.
 */
export async function submitJob(context: ClusterContext, wanted: Job, options: SubmitOptions = {}): Promise<Submission> {
  const { client } = context;
  const namespace = wanted.metadata.namespace ?? context.namespace;
  const name = wanted.metadata.name!;
  for (let attempt = 1; ; attempt++) {
    const existing = await client.find(JobKind, name, namespace);
    checkIndex(existing, options.checkIndex);
    try {
      if (existing === undefined) {
        const { object: job, warnings } = await create(context, JobKind, {
          ...wanted,
          metadata: { ...wanted.metadata, namespace },
        });
        return { job, outcome: 'created', evaluation: registerEvaluation(job), warnings };
      }
      const written = await update(context, JobKind, { ...wanted, metadata: mergeMetadata(existing, wanted) });
      return await submitted(context, existing, written, options.evaluateUnchanged);
    } catch (error) {
      if (!isReason(error, 'Conflict', 'AlreadyExists') || attempt === attempts) throw error;
    }
  }
}

/** Changes the spec of a job, looking again when somebody else was faster. */
export async function changeJob(
  context: ClusterContext,
  job: Stored<Job>,
  change: (spec: JobSpec) => JobSpec,
  options: Pick<SubmitOptions, 'checkIndex'> = {},
): Promise<Submission> {
  const { client } = context;
  let existing = job;
  for (let attempt = 1; ; attempt++) {
    checkIndex(existing, options.checkIndex);
    try {
      const written = await update(context, JobKind, { metadata: existing.metadata, spec: change(existing.spec) });
      return await submitted(context, existing, written);
    } catch (error) {
      if (!isReason(error, 'Conflict') || attempt === attempts) throw error;
      existing = await client.get(JobKind, existing.metadata.name, namespaceOf(existing));
    }
  }
}

/** A write that changed nothing makes no evaluation by itself; one is asked for so that there is something to follow. */
async function submitted(
  context: ClusterContext,
  before: Stored<Job>,
  { object: job, warnings }: Written<Job>,
  evaluateUnchanged = true,
): Promise<Submission> {
  if (job.metadata.generation !== before.metadata.generation)
    return { job, outcome: 'configured', evaluation: registerEvaluation(job), warnings };
  // Labels may have changed without the spec: there is nothing to evaluate then.
  if (!evaluateUnchanged)
    return { job, outcome: sameContent(before, job) ? 'unchanged' : 'configured', evaluation: '', warnings };
  const trigger = job.spec.stop === true ? 'job-deregister' : 'job-register';
  const { metadata } = await createEvaluation(context, job, { trigger });
  return { job, outcome: 'unchanged', evaluation: metadata.name, warnings };
}

/** The name of the evaluation that the job controller makes for this generation of the job. */
export const registerEvaluation = ({ metadata }: Stored<Job>): string =>
  derivedUuid(metadata.uid, 'job-register', metadata.generation);

/** Asks the scheduler to look at a job. */
export function createEvaluation(
  { client }: ClusterContext,
  job: Stored<Job>,
  spec: Pick<Evaluation['spec'], 'trigger'> & Partial<Evaluation['spec']>,
): Promise<Stored<Evaluation>> {
  return client.create(EvaluationKind, {
    metadata: { name: uuid(), namespace: namespaceOf(job) },
    spec: {
      jobName: job.metadata.name,
      jobUID: job.metadata.uid,
      jobGeneration: job.metadata.generation,
      type: (job.spec.type ?? 'service') as NonNullable<Evaluation['spec']['type']>,
      priority: job.spec.priority ?? 50,
      ...(job.status?.modifyIndex !== undefined && { jobModifyIndex: job.status.modifyIndex }),
      ...spec,
    },
  });
}

function checkIndex(existing: Stored<Job> | undefined, index: number | undefined): void {
  if (index === undefined) return;
  const current = existing?.status?.modifyIndex ?? 0;
  if (index === 0 && existing !== undefined) throw new IndexConflict(index, 'job already exists');
  if (index !== 0 && existing === undefined) throw new IndexConflict(index, 'job does not exist');
  if (index !== current) throw new IndexConflict(index, `job exists with conflicting job modify index: ${current}`);
}

/** The metadata of the stored job with the labels and annotations that the file adds. */
function mergeMetadata(existing: Stored<Job>, wanted: Job): Stored<Job>['metadata'] {
  const { labels, annotations } = wanted.metadata;
  return {
    ...existing.metadata,
    ...(labels !== undefined && { labels: { ...existing.metadata.labels, ...labels } }),
    ...(annotations !== undefined && { annotations: { ...existing.metadata.annotations, ...annotations } }),
  };
}

/** What users see after a write: the evaluation's ID with -detach, else its progress to the end. */
export async function followSubmission(
  context: ClusterContext,
  { job, evaluation }: Pick<Submission, 'job' | 'evaluation'>,
  flags: { readonly detach: boolean; readonly verbose: boolean; readonly stopping?: boolean },
  detached: string,
): Promise<number> {
  const { verbose, detach, stopping = false } = flags;
  const id = jobId(job);
  if (detach) {
    say(context, detached);
    hintNext(context, { text: 'See what comes of it', command: `job status ${id}` });
    return exitCodes.ok;
  }
  const code = await monitorEvaluation(context, evaluation, { namespace: namespaceOf(job), verbose, stopping });
  if (code === exitCodes.ok && !stopping) hintNext(context, { text: 'See what its tasks write', command: `logs job/${id}` });
  return code;
}

/** Puts what was tried before what the server says against it: `Error submitting job: …`. */
export async function submitting<R>(context: ClusterContext, what: string, work: () => Promise<R>, job?: Job): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (job !== undefined && isReason(error, 'Invalid') && (error.details.causes ?? []).length > 0) {
      // The words that those who come from Nomad (and their scripts) look for; the problems are what the server said.
      const problems = `Unexpected response code: 500 (${jobProblems(job, error.details.causes ?? [])})`;
      throw new CommandError(`${what}: ${problems}`, exitCodes.failed, { cause: error });
    }
    if (isReason(error, 'Invalid', 'BadRequest', 'NotFound', 'Forbidden', 'Conflict', 'RequestEntityTooLarge'))
      throw new CommandError(`${what}: ${explain(error, context.program)}`, exitCodes.failed, { cause: error });
    throw error;
  }
}

/** The versions of a job that are kept, newest first. */
export async function jobVersions(context: ClusterContext, job: Stored<Job>): Promise<Stored<JobVersion>[]> {
  const { items } = await context.client.list(JobVersionKind, {
    namespace: namespaceOf(job),
    fieldSelector: `spec.jobName=${job.metadata.name}`,
  });
  return items.filter(({ spec }) => spec.jobUID === job.metadata.uid).sort((a, b) => b.spec.version - a.spec.version);
}

/** The name of the JobVersion object of a version. */
export const jobVersionName = (jobName: string, jobUID: string, version: number): string =>
  `${jobName}-${jobUID.slice(0, 8)}-v${version}`;
