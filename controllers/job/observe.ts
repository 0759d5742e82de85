import {
  JobKind,
  type Allocation,
  type Deployment,
  type Evaluation,
  type Job,
  type JobVersion,
  type Stored,
} from '../../openapi/index.ts';
import { allocationsByJob, deploymentsByJob, evaluationsByJob, jobsByOwner, versionsByJob } from '../objects/index.ts';
import type { Reader } from '../runtime/index.ts';

/** A job and everything that belongs to it, not to an earlier job of its name. */
export interface Observed {
  readonly job: Stored<Job>;
  /** In the order of their numbers. */
  readonly versions: readonly Stored<JobVersion>[];
  readonly allocations: readonly Stored<Allocation>[];
  /** Without dry runs. */
  readonly evaluations: readonly Stored<Evaluation>[];
  readonly deployments: readonly Stored<Deployment>[];
  /** Launched from it. */
  readonly children: readonly Stored<Job>[];
}

export function observe(key: string, read: Reader): Observed | undefined {
  const job = read.get(JobKind, key);
  if (job === undefined) return undefined;
  const { uid } = job.metadata;
  return {
    job,
    versions: read.by(versionsByJob, uid).sort((a, b) => a.spec.version - b.spec.version),
    allocations: read.by(allocationsByJob, uid),
    evaluations: read.by(evaluationsByJob, key).filter((e) => e.spec.dryRun === undefined && (e.spec.jobUID ?? uid) === uid),
    deployments: read.by(deploymentsByJob, uid),
    children: read.by(jobsByOwner, uid),
  };
}
