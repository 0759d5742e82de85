import { defineClusterCommand } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { findJob } from '../../lookup.ts';
import { changeJob, followSubmission, jobVersions, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';
import { detach, verbose } from '../options.ts';

export const jobRevert = defineClusterCommand({
  name: 'job revert',
  summary: 'Go back to an earlier version of a job',
  usage: '[options] <job> <version>',
  description: 'Submits an earlier version again, which makes it a new one. Allocations that it does not change go on.',
  examples: [{ text: 'Back to the first version', command: 'job revert example 0' }],
  args: { min: 2, max: 2, rule: 'This command takes two arguments: <job> <version>' },
  completes: 'job',
  flags: { detach, verbose },
  async run({ args: [id, wanted], flags }, context) {
    const job = await findJob(context, id!);
    const versions = await jobVersions(context, job);
    const target = versions.find(({ spec }) => String(spec.version) === wanted || spec.tag === wanted);
    if (target === undefined) {
      const kept = versions.map(({ spec }) => spec.version).join(', ');
      throw new CommandError(`Job ${JSON.stringify(jobId(job))} has no version ${wanted}; kept are ${kept}`);
    }
    if (target.spec.version === job.status?.version)
      throw new CommandError(`Job ${JSON.stringify(jobId(job))} is at version ${wanted} already`);
    const submission = await submitting(context, 'Error reverting job', () => changeJob(context, job, () => target.spec.job));
    return followSubmission(context, submission, flags, `Evaluation ID: ${submission.evaluation}`);
  },
});
