import {
  DeploymentKind,
  JobKind,
  JobVersionKind,
  type Allocation,
  type EvaluationSpec,
  type Job,
  type OwnerReference,
  type Stored,
} from '../../openapi/index.ts';
import { defineIndex } from '../runtime/index.ts';

/** What an evaluation needs to know of a job; taken from the job, or from one of its allocations when that is all we have. */
export interface JobRef {
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly type?: NonNullable<EvaluationSpec['type']>;
  readonly priority?: number;
  readonly generation?: number;
  readonly modifyIndex?: number;
}

export function jobRef({ metadata, spec, status }: Stored<Job>): JobRef {
  return {
    ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
    name: metadata.name,
    uid: metadata.uid,
    ...(spec.type !== undefined && { type: spec.type as JobRef['type'] & string }),
    ...(spec.priority !== undefined && { priority: spec.priority }),
    generation: metadata.generation,
    ...(status?.modifyIndex !== undefined && { modifyIndex: status.modifyIndex }),
  };
}

export function jobRefOfAllocation({ metadata, spec }: Stored<Allocation>): JobRef {
  return {
    ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
    name: spec.jobName,
    uid: spec.jobUID,
    ...(spec.jobType !== undefined && { type: spec.jobType }),
    ...(spec.priority !== undefined && { priority: spec.priority }),
  };
}

/** It is to be removed as soon as nothing of it runs. */
export const isDeleted = (job: Stored<Job>): boolean => job.metadata.deletionTimestamp !== undefined;

/** Keeps a deleted Job until everything of it has ended. */
export const JOB_FINALIZER = 'orch.dev/job';

export const jobVersionName = (job: Stored<Job>, version: number): string =>
  `${job.metadata.name}-${job.metadata.uid.slice(0, 8)}-v${version}`;

export const ownedBy = (job: Stored<Job>): OwnerReference => ({
  apiVersion: JobKind.apiVersion,
  kind: JobKind.kind,
  name: job.metadata.name,
  uid: job.metadata.uid,
  controller: true,
});

export const isSystem = (type: string | undefined): boolean => type === 'system' || type === 'sysbatch';
export const isBatch = (type: string | undefined): boolean => type === 'batch' || type === 'sysbatch';

/** Jobs by the uid of the job that they were launched from. */
export const jobsByOwner = defineIndex(JobKind, 'owner-job', ({ metadata }) =>
  (metadata.ownerReferences ?? []).filter(({ kind }) => kind === JobKind.kind).map(({ uid }) => uid),
);
export const jobsByUid = defineIndex(JobKind, 'uid', (job) => [job.metadata.uid]);
export const versionsByJob = defineIndex(JobVersionKind, 'jobUID', (version) => [version.spec.jobUID]);
export const deploymentsByJob = defineIndex(DeploymentKind, 'jobUID', (deployment) => [deployment.spec.jobUID]);

export { isTemplate } from '../../openapi/index.ts';
