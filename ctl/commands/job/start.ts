import { defineClusterCommand, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { findJob } from '../../lookup.ts';
import { changeJob, followSubmission, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';
import { detach, verbose } from '../options.ts';

export const jobStart = defineClusterCommand({
  name: 'job start',
  summary: 'Run a stopped job again',
  usage: '[options] <job>',
  description: 'As it was when it was stopped. To run it as a file has it there is "job run".',
  examples: [{ text: 'Start a job that was stopped', command: 'job start example' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: { detach, verbose },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    if (job.spec.stop !== true) throw new CommandError(`Job ${JSON.stringify(jobId(job))} has not been stopped`);
    const submission = await submitting(context, 'Error starting job', () =>
      changeJob(context, job, ({ stop: _, ...spec }) => ({ ...spec, stop: false })),
    );
    return followSubmission(context, submission, flags, `Evaluation ID: ${submission.evaluation}`);
  },
});
