import { JobKind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { confirm } from '../../io/ask.ts';
import { say } from '../../io/streams.ts';
import { findJob, jobName, namespaceOf } from '../../lookup.ts';
import { jobId } from '../../views/lists.ts';
import { changeJob, followSubmission, submitting } from '../../submit.ts';
import { detach, verbose, yes } from '../options.ts';

export const jobStop = defineClusterCommand({
  name: 'job stop',
  aliases: ['stop'],
  summary: 'Stop a job',
  usage: '[options] <job>',
  description:
    'Stops all allocations of a job. Its versions and history stay, and running it again starts it; -purge removes it altogether ' +
    'once its allocations have ended. A prefix of the ID is enough where it is unique, after a question.',
  examples: [
    { text: 'Stop a job', command: 'job stop example' },
    { text: 'Stop it and forget it', command: 'job stop -purge example' },
  ],
  args: oneArgument('job'),
  completes: 'job',
  flags: { purge: flag.boolean('Remove the job too.'), detach, verbose, yes },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    if (job.metadata.name !== jobName(id!) && !flags.yes) {
      const question = `Are you sure you want to stop job ${JSON.stringify(jobId(job))}?`;
      if (!(await confirm(context, question))) return 0;
    }
    const submission = await submitting(context, 'Error deregistering job', () =>
      changeJob(context, job, (spec) => ({ ...spec, stop: true })),
    );
    // Removing waits, on the server, until nothing of the job runs any more.
    if (flags.purge) await context.client.delete(JobKind, job.metadata.name, namespaceOf(job), { preconditions: { uid: job.metadata.uid } }); // prettier-ignore
    if (flags.purge && !flags.detach && job.spec.stop === true) {
      say(context, submission.evaluation);
      return 0;
    }
    return followSubmission(context, submission, { ...flags, stopping: true }, submission.evaluation);
  },
});
