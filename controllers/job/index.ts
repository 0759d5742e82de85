/**
 * The job controller. For each Job it
 *
 * 1. registers a new generation: a JobVersion (a copy that never changes), an Evaluation for the scheduler and the new
 *    `observedGeneration`, in one transaction, so that a crash leaves all or nothing;
 * 2. asks for an Evaluation when allocations failed and nobody has looked at that yet;
 * 3. marks a version stable when its deployment succeeded;
 * 4. counts: phase, summary by group, latest deployment;
 * 5. when the Job is deleted: stops it, waits until nothing of it runs, and lets it go (its finalizer).
 *
 * Start reading at `decide.ts`.
 */
import { objectKey } from '../../client/index.ts';
import { AllocationKind, DeploymentKind, EvaluationKind, JobKind, JobVersionKind } from '../../openapi/index.ts';
import { allocationsByJob, deploymentsByJob, evaluationsByJob, jobsByOwner, versionsByJob } from '../objects/index.ts';
import { defineController, settled, watch } from '../runtime/index.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { observe } from './observe.ts';

export { summaryOperations } from './operation.ts';

/** A burst of allocation changes is counted once. */
const SUMMARY_DELAY = 50;

export const jobController = defineController({
  name: 'job',
  primary: JobKind,
  reads: [
    watch(JobVersionKind, (version) => [objectKey(version.spec.jobName, version.metadata.namespace)]),
    watch(AllocationKind, (allocation) => [objectKey(allocation.spec.jobName, allocation.metadata.namespace)], {
      delay: SUMMARY_DELAY,
    }),
    watch(EvaluationKind, (evaluation) => [objectKey(evaluation.spec.jobName, evaluation.metadata.namespace)], {
      delay: SUMMARY_DELAY,
    }),
    watch(JobKind, ({ metadata }) => (metadata.ownerReferences ?? []).filter(({ kind }) => kind === 'Job').map(({ name }) => objectKey(name, metadata.namespace)), { delay: SUMMARY_DELAY }), // prettier-ignore
    watch(DeploymentKind, (deployment) => [objectKey(deployment.spec.jobName, deployment.metadata.namespace)]),
  ],
  writes: [JobKind, JobVersionKind, EvaluationKind],
  indexes: [jobsByOwner, versionsByJob, allocationsByJob, evaluationsByJob, deploymentsByJob],

  async reconcile(key, context) {
    const observed = observe(key, context.read);
    if (observed === undefined) return settled; // gone: owner references clean up after it
    await apply(observed, decide(observed, context.clock.now()), context);
    return settled;
  },
});
