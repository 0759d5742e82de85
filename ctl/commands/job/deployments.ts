import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findJob } from '../../lookup.ts';
import { deploymentStatus } from '../../views/deployment.ts';
import { deploymentTable } from '../../views/lists.ts';
import { view } from '../../views/view.ts';
import { nomadForm } from '../deployment/commands.ts';
import { verbose } from '../options.ts';
import { deploymentsOf } from './status.ts';

export const jobDeployments = defineClusterCommand({
  name: 'job deployments',
  summary: 'List the deployments of a job',
  usage: '[options] <job>',
  examples: [{ text: 'The latest one, whole', command: 'job deployments -latest example' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: {
    latest: flag.boolean('Show only the latest one, whole.'),
    all: flag.boolean('Those of earlier jobs of the same name, too.'),
    ...formatFlags,
    verbose,
  },
  async run({ args: [id], flags }, context) {
    const deployments = await deploymentsOf(context, await findJob(context, id!));
    const how = view(context.clock.now(), flags.verbose, context.style);
    if (wantsData(flags)) {
      const data = await nomadForm(deployments);
      return sayData(context, flags, flags.latest ? (data[0] ?? null) : data);
    }
    if (deployments.length === 0) return say(context, 'No deployments found');
    say(context, flags.latest ? deploymentStatus(deployments[0]!, how) : deploymentTable(deployments, how));
  },
});
