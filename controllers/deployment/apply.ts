import { AllocationKind, DeploymentKind, EvaluationKind, JobKind } from '../../openapi/index.ts';
import {
  commit,
  createOperation,
  mergePatch,
  patchOperation,
  statusOperation,
  TRANSACTION,
  type Hands,
} from '../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/** What Events call a change. */
const reasons: Readonly<Partial<Record<NonNullable<Plan['status']['phase']>, string>>> = {
  running: 'DeploymentRunning',
  paused: 'DeploymentPaused',
  successful: 'DeploymentSuccessful',
  failed: 'DeploymentFailed',
  cancelled: 'DeploymentCancelled',
};

/** Status, next step and revert in one transaction, which fails if the deployment (or the job to revert) changed meanwhile. */
export async function apply({ deployment, job }: Observed, plan: Plan, hands: Hands): Promise<void> {
  const { log, events } = hands;
  const status = statusOperation(DeploymentKind, deployment, plan.status);
  if (status === undefined && plan.evaluation === undefined) return;
  const revert = plan.revertTo !== undefined && job !== undefined ? mergePatch(job.spec, plan.revertTo.spec.job) : undefined;
  const marks = plan.reschedule.map((a) =>
    patchOperation(AllocationKind, a, { spec: { desiredTransition: { reschedule: true } } }),
  );
  // Marks that do not fit come first: they do nothing before the Evaluation, and are made again if that is not reached.
  while (marks.length > TRANSACTION - 3) await commit(hands, marks.splice(0, TRANSACTION));
  await commit(hands, [
    ...marks,
    ...(revert !== undefined && job !== undefined ? [patchOperation(JobKind, job, { spec: revert }, { unchanged: true })] : []),
    ...(plan.evaluation !== undefined ? [createOperation(EvaluationKind, plan.evaluation)] : []),
    status,
  ]);
  const { phase, description } = plan.status;
  if (phase !== deployment.status?.phase || description !== deployment.status?.description) {
    log.info('deployment changed', { phase, description, job: deployment.spec.jobName, version: deployment.spec.jobVersion });
    events.record(
      deployment,
      phase === 'failed' ? 'Warning' : 'Normal',
      reasons[phase ?? 'running'] ?? 'DeploymentChanged',
      description ?? '',
    );
  }
  if (plan.evaluation !== undefined)
    log.info('evaluation created', { evaluation: plan.evaluation.metadata.name, because: plan.because });
  if (revert !== undefined && job !== undefined) {
    events.record(job, 'Warning', 'JobReverted', description ?? '');
    log.info('job reverted', { job: deployment.spec.jobName, toVersion: plan.revertTo?.spec.version });
  }
}
