import { JobKind, type JobStatus } from '../../openapi/index.ts';
import { commit, createOperation, deleteOperation, statusOperation, type Hands } from '../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/** The child and the note that it was launched are one transaction, refused if the parent is no longer what was looked at. */
export async function apply({ job }: Observed, plan: Plan, hands: Hands): Promise<void> {
  const { periodic = {}, ...status } = job.status ?? {};
  const launch = plan.launch === undefined ? undefined : createOperation(JobKind, plan.launch);
  const next: JobStatus = { ...status, periodic: plan.status };
  await commit(hands, [launch, statusOperation(JobKind, job, next)]);
  if (plan.launch !== undefined) {
    const child = plan.launch.spec.id;
    hands.log.info('job launched', { child, because: plan.because });
    hands.events.record(job, 'Normal', 'Launched', `Launched ${child}`);
  } else if (plan.status.lastSkipped !== undefined && plan.status.lastSkipped !== periodic.lastSkipped) {
    hands.log.info('launch passed over', { at: plan.status.lastSkipped, because: plan.because });
    hands.events.record(job, 'Normal', 'LaunchSkipped', `Passed over the launch at ${plan.status.lastSkipped}: ${plan.because}`);
  }
  if (plan.remove.length > 0) await commit(hands, plan.remove.map((child) => deleteOperation(JobKind, child))); // prettier-ignore
}
