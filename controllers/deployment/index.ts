/**
 * The deployment controller. A Deployment is the rollout of one job version; the scheduler makes it and places allocations for it,
 * the nodes say which of them are healthy, and this controller
 *
 * 1. counts placed, healthy and unhealthy allocations by group, and keeps the instant by which each group must progress;
 * 2. asks for the next step, by an Evaluation, whenever there was progress;
 * 3. honours what users wish: pause, promote, fail;
 * 4. declares the end: successful, failed (and goes back to the last stable version), or cancelled because the job moved on.
 *
 * The counts in the status say what was reacted to, and are written together with the reaction, so a crash neither forgets nor
 * repeats a step. Start reading at `decide.ts`.
 */
import { objectKey } from '../../client/index.ts';
import { AllocationKind, DeploymentKind, EvaluationKind, JobKind, JobVersionKind } from '../../openapi/index.ts';
import { allocationsByDeployment, deploymentsByJob, versionsByJob } from '../objects/index.ts';
import { defineController, settled, settledOrWake, watch, type Reader } from '../runtime/index.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { observe } from './observe.ts';

const deploymentsOf = (jobUID: string, read: Reader): string[] =>
  read.by(deploymentsByJob, jobUID).map(({ metadata }) => objectKey(metadata.name, metadata.namespace));

export const deploymentController = defineController({
  name: 'deployment',
  primary: DeploymentKind,
  reads: [
    watch(
      AllocationKind,
      ({ spec, metadata }) => (spec.deployment === undefined ? [] : [objectKey(spec.deployment, metadata.namespace)]),
      {
        delay: 20,
      },
    ),
    watch(JobKind, (job, read) => deploymentsOf(job.metadata.uid, read)),
    watch(JobVersionKind, (version, read) => deploymentsOf(version.spec.jobUID, read)),
  ],
  writes: [DeploymentKind, EvaluationKind, AllocationKind, JobKind],
  indexes: [allocationsByDeployment, deploymentsByJob, versionsByJob],

  async reconcile(key, context) {
    const observed = await observe(key, context.read, context.write);
    if (observed === undefined) return settled;
    const plan = decide(observed, context.clock.now());
    await apply(observed, plan, context);
    return settledOrWake(plan.wakeAt);
  },
});
