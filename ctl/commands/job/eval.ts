import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { AllocationKind, type Allocation, type Stored } from '../../../openapi/index.ts';
import { findJob, listAll, namespaceOf } from '../../lookup.ts';
import { createEvaluation, followSubmission, submitting } from '../../submit.ts';
import { clientStatus } from '../../views/lists.ts';
import { shortId } from '../../../base/index.ts';
import { detach, verbose } from '../options.ts';

export const jobEval = defineClusterCommand({
  name: 'job eval',
  summary: 'Have the scheduler look at a job again',
  usage: '[options] <job>',
  examples: [
    { text: 'Place failed allocations again, whatever their policy says', command: 'job eval -force-reschedule example' },
  ],
  args: oneArgument('job'),
  completes: 'job',
  flags: { forceReschedule: flag.boolean('Replace failed allocations now.'), detach, verbose },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    const namespace = namespaceOf(job);
    if (flags.forceReschedule) {
      const all = await listAll(context, AllocationKind, { namespace, fieldSelector: `spec.jobName=${job.metadata.name}` });
      for (const failed of all.filter(isReplaceable))
        await context.client.patch(AllocationKind, failed.metadata.name, namespace, {
          spec: { desiredTransition: { forceReschedule: true } },
        });
    }
    const trigger = flags.forceReschedule ? 'retry-failed-alloc' : 'job-register';
    const evaluation = await submitting(context, 'Error evaluating job', () => createEvaluation(context, job, { trigger }));
    const { name } = evaluation.metadata;
    return followSubmission(
      context,
      { job, evaluation: name },
      flags,
      `Created eval ID: "${flags.verbose ? name : shortId(name)}"`,
    );
  },
});

const isReplaceable = (allocation: Stored<Allocation>): boolean =>
  clientStatus(allocation) === 'failed' && allocation.spec.nextAllocation === undefined;
