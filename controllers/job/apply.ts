import type { Logger } from '../../base/index.ts';
import type { BatchOperation } from '../../client/index.ts';
import { EvaluationKind, JobKind, JobVersionKind, type Job, type Stored } from '../../openapi/index.ts';
import { JOB_FINALIZER } from '../objects/index.ts';
import { commit, createOperation, patchOperation, statusOperation, type Hands } from '../runtime/index.ts';
import type { Change, Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/** All changes in one transaction, which fails if the job is no longer what was looked at. */
export async function apply({ job }: Observed, plan: Plan, hands: Hands): Promise<void> {
  const changes = plan.changes.map((change) => ({ change, operation: operationFor(change, job) }));
  await commit(
    hands,
    changes.map(({ operation }) => operation),
  );
  for (const { change, operation } of changes) if (operation !== undefined) report(change, hands.log);
  if (plan.waitingFor !== undefined) hands.log.debug('deleted job waits', { for: plan.waitingFor });
}

function operationFor(change: Change, job: Stored<Job>): BatchOperation | undefined {
  switch (change.type) {
    case 'createVersion':
      return createOperation(JobVersionKind, change.version);
    case 'createEvaluation':
      return createOperation(EvaluationKind, change.evaluation);
    case 'markStable':
      return patchOperation(JobVersionKind, change.version, { spec: { stable: true } });
    case 'release': {
      const finalizers = (job.metadata.finalizers ?? []).filter((name) => name !== JOB_FINALIZER);
      return patchOperation(JobKind, job, { metadata: { finalizers } }, { unchanged: true });
    }
    case 'setStatus':
      return statusOperation(JobKind, job, change.status);
  }
}

function report(change: Change, log: Logger): void {
  switch (change.type) {
    case 'createVersion':
      return log.info('job version created', { version: change.version.spec.version, because: change.because });
    case 'createEvaluation':
      return log.info('evaluation created', { evaluation: change.evaluation.metadata.name, because: change.because });
    case 'markStable':
      return log.info('job version is stable', { version: change.version.spec.version, because: change.because });
    case 'release':
      return log.info('job removed', { because: change.because });
    case 'setStatus':
      return log.debug('job status', { phase: change.status.phase });
  }
}
