import { EvaluationKind, type Evaluation, type EvaluationSpec, type EvaluationStatus, type Stored } from '../../openapi/index.ts';
import { objectKey } from '../../client/index.ts';
import { defineIndex } from '../runtime/index.ts';
import type { JobRef } from './job.ts';

export type EvaluationPhase = NonNullable<EvaluationStatus['phase']>;

export const evaluationPhase = (evaluation: Stored<Evaluation>): EvaluationPhase => evaluation.status?.phase ?? 'pending';

export function isFinished(evaluation: Stored<Evaluation>): boolean {
  const phase = evaluationPhase(evaluation);
  return phase === 'complete' || phase === 'failed' || phase === 'cancelled';
}

/** Lists the allocations that the evaluation was made for, so that what happened to each of them is answered once. */
export const ALLOCATIONS = 'orch.dev/allocations';

export const allocationsOf = (evaluation: Stored<Evaluation>): readonly string[] =>
  evaluation.metadata.annotations?.[ALLOCATIONS]?.split(',') ?? [];

export type Trigger = EvaluationSpec['trigger'];

/** Asks the scheduler to look at a job. The name is derived from the reason, so that asking twice for it is asking once. */
export function newEvaluation(
  name: string,
  job: JobRef,
  trigger: Trigger,
  more: Partial<Pick<EvaluationSpec, 'nodeName' | 'deployment' | 'jobVersion'>> = {},
  allocations: readonly string[] = [],
): Evaluation {
  return {
    metadata: {
      name,
      ...(job.namespace !== undefined && { namespace: job.namespace }),
      ...(allocations.length > 0 && { annotations: { [ALLOCATIONS]: allocations.join(',') } }),
    },
    spec: {
      jobName: job.name,
      jobUID: job.uid,
      ...(job.type !== undefined && { type: job.type }),
      ...(job.priority !== undefined && { priority: job.priority }),
      ...(job.generation !== undefined && { jobGeneration: job.generation }),
      ...(job.modifyIndex !== undefined && { jobModifyIndex: job.modifyIndex }),
      trigger,
      ...more,
    },
  };
}

/** By `namespace/job name`. */
export const evaluationsByJob = defineIndex(EvaluationKind, 'job', (e) => [objectKey(e.spec.jobName, e.metadata.namespace)]);

/** By the node whose change they answer. */
export const evaluationsByNode = defineIndex(EvaluationKind, 'node', (e) =>
  e.spec.nodeName === undefined ? [] : [e.spec.nodeName],
);
