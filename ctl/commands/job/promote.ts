import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { findJob } from '../../lookup.ts';
import { jobId } from '../../views/lists.ts';
import { promote } from '../deployment/promote.ts';
import { detach, verbose } from '../options.ts';
import { latestDeployment } from './status.ts';

export const jobPromote = defineClusterCommand({
  name: 'job promote',
  summary: 'Promote the canaries of a job',
  usage: '[options] <job>',
  description: 'Goes on with the latest deployment of a job once its canaries are found to be good.',
  examples: [{ text: 'Only one group', command: 'job promote -group=cache example' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: { group: flag.list('<group>', 'Promote this group; all when absent. Repeatable.'), detach, verbose },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    const deployment = await latestDeployment(context, job);
    if (deployment === undefined) throw new CommandError(`Job ${JSON.stringify(jobId(job))} has no deployment to promote`);
    return promote(context, deployment, flags);
  },
});
