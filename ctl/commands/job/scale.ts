import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { findJob } from '../../lookup.ts';
import { changeJob, followSubmission, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';
import { detach, verbose } from '../options.ts';

export const jobScale = defineClusterCommand({
  name: 'job scale',
  aliases: ['scale'],
  summary: 'Change the count of a task group',
  usage: '[options] <job> [<group>] <count>',
  description: 'The group can be left out where the job has only one.',
  examples: [
    { text: 'Run three of the only group', command: 'job scale example 3' },
    { text: 'Of one of several', command: 'job scale example cache 3' },
  ],
  args: { min: 2, max: 3, rule: 'This command requires at least two arguments and no more than three: <job> [<group>] <count>' },
  completes: 'job',
  flags: {
    checkIndex: flag.integer('<index>', "Only if this is still the job's modify index."),
    detach,
    verbose,
  },
  async run({ args, flags }, context) {
    const [id, ...rest] = args;
    const text = rest.at(-1)!;
    if (/^-\d+$/.test(text)) throw new CommandError(`The count must not be negative: ${text}`);
    if (!/^\d+$/.test(text))
      throw new CommandError(`Failed to convert count string to int: ${JSON.stringify(text)} is not a whole number`);
    const job = await findJob(context, id!);
    const groups = (job.spec.groups ?? []).map(({ name }) => name);
    const group = rest.length === 2 ? rest[0]! : groups.length === 1 ? groups[0]! : undefined;
    if (group === undefined)
      throw new CommandError(`Group name required: job ${JSON.stringify(jobId(job))} has the groups ${groups.join(', ')}`);
    if (!groups.includes(group))
      throw new CommandError(
        `Job ${JSON.stringify(jobId(job))} has no group ${JSON.stringify(group)}; it has ${groups.join(', ')}`,
      );
    const submission = await submitting(context, 'Error submitting scaling request', () =>
      changeJob(
        context,
        job,
        (spec) => ({
          ...spec,
          groups: (spec.groups ?? []).map((one) => (one.name === group ? { ...one, count: Number(text) } : one)),
        }),
        flags,
      ),
    );
    return followSubmission(context, submission, flags, `Evaluation ID: ${submission.evaluation}`);
  },
});
