import { objectKey, type Client } from '../../client/index.ts';
import {
  DeploymentKind,
  JobKind,
  type Allocation,
  type Deployment,
  type Job,
  type JobVersion,
  type Stored,
} from '../../openapi/index.ts';
import { allocationsByDeployment, versionsByJob } from '../objects/index.ts';
import type { Reader } from '../runtime/index.ts';

export interface Observed {
  readonly deployment: Stored<Deployment>;
  /** Absent when the job is gone, or is another one of the same name. */
  readonly job?: Stored<Job>;
  /** In the order of their numbers. */
  readonly versions: readonly Stored<JobVersion>[];
  readonly allocations: readonly Stored<Allocation>[];
}

export async function observe(key: string, read: Reader, client: Client): Promise<Observed | undefined> {
  const deployment = read.get(DeploymentKind, key);
  if (deployment === undefined) return undefined;
  const { jobName, jobUID } = deployment.spec;
  // That a job is gone ends its deployment for good, and our view of jobs may be behind that of deployments: ask.
  const known = read.get(JobKind, objectKey(jobName, deployment.metadata.namespace));
  const job = known?.metadata.uid === jobUID ? known : await client.find(JobKind, jobName, deployment.metadata.namespace);
  return {
    deployment,
    ...(job?.metadata.uid === jobUID && { job }),
    versions: read.by(versionsByJob, jobUID).sort((a, b) => a.spec.version - b.spec.version),
    allocations: read.by(allocationsByDeployment, key).filter((a) => a.spec.jobUID === jobUID),
  };
}
