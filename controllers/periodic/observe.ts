import { JobKind, type Job, type Stored } from '../../openapi/index.ts';
import { isDeleted, jobsByOwner } from '../objects/index.ts';
import type { Reader } from '../runtime/index.ts';

export interface Observed {
  readonly job: Stored<Job>;
  /** Launched from it, and not on their way out. */
  readonly children: readonly Stored<Job>[];
}

/** Undefined when nothing is launched from the job. */
export function observe(key: string, read: Reader): Observed | undefined {
  const job = read.get(JobKind, key);
  if (job?.spec.periodic === undefined || isDeleted(job)) return undefined;
  return { job, children: read.by(jobsByOwner, job.metadata.uid).filter((child) => !isDeleted(child)) };
}
