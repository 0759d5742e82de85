import type { Logger } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { AllocationKind, DeploymentKind, EvaluationKind, JobKind } from '../../openapi/index.ts';
import { commit, createOperation, mergePatch, patchOperation, statusOperation, TRANSACTION } from '../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/** Status, next step and revert in one transaction, which fails if the deployment (or the job to revert) changed meanwhile. */
export async function apply(
  { deployment, job }: Observed,
  plan: Plan,
  write: Client,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const status = statusOperation(DeploymentKind, deployment, plan.status);
  if (status === undefined && plan.evaluation === undefined) return;
  const revert =
    plan.revertTo !== undefined && job !== undefined
      ? mergePatch(job.spec, { ...plan.revertTo.spec.job, stop: false })
      : undefined;
  const marks = plan.reschedule.map((a) =>
    patchOperation(AllocationKind, a, { spec: { desiredTransition: { reschedule: true } } }),
  );
  // Marks that do not fit come first: they do nothing before the Evaluation, and are made again if that is not reached.
  while (marks.length > TRANSACTION - 3) await commit(write, marks.splice(0, TRANSACTION), signal);
  await commit(
    write,
    [
      ...marks,
      ...(revert !== undefined && job !== undefined ? [patchOperation(JobKind, job, { spec: revert }, { unchanged: true })] : []),
      ...(plan.evaluation !== undefined ? [createOperation(EvaluationKind, plan.evaluation)] : []),
      status,
    ],
    signal,
  );
  const { phase, description } = plan.status;
  if (phase !== deployment.status?.phase || description !== deployment.status?.description) {
    log.info('deployment changed', { phase, description, job: deployment.spec.jobName, version: deployment.spec.jobVersion });
  }
  if (plan.evaluation !== undefined)
    log.info('evaluation created', { evaluation: plan.evaluation.metadata.name, because: plan.because });
  if (revert !== undefined) log.info('job reverted', { job: deployment.spec.jobName, toVersion: plan.revertTo?.spec.version });
}
