import type { Deployment, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { findDeployment } from '../../lookup.ts';
import { detach, verbose } from '../options.ts';
import { wish } from './wish.ts';

export const deploymentPromote = defineClusterCommand({
  name: 'deployment promote',
  summary: 'Promote the canaries of a deployment',
  usage: '[options] <deployment>',
  examples: [
    { text: 'All groups', command: 'deployment promote 9fa81f27' },
    { text: 'Only one', command: 'deployment promote -group=cache 9fa81f27' },
  ],
  args: oneArgument('deployment id'),
  completes: 'deployment',
  flags: { group: flag.list('<group>', 'Promote this group; all when absent. Repeatable.'), detach, verbose },
  next: ({ args: [id] }) => ({ text: 'See how far it is', command: `deployment status ${id}` }),
  run: async ({ args: [id], flags }, context) => promote(context, await findDeployment(context, id!), flags),
});

interface PromoteFlags {
  readonly group: readonly string[];
  readonly detach: boolean;
  readonly verbose: boolean;
}

export function promote(context: ClusterContext, deployment: Stored<Deployment>, flags: PromoteFlags): Promise<number> {
  const canaries = deployment.spec.groups.filter(({ desiredCanaries = 0 }) => desiredCanaries > 0).map(({ name }) => name);
  if (canaries.length === 0) throw new CommandError('Error promoting deployment: no canaries to promote');
  const unknown = flags.group.find((name) => !canaries.includes(name));
  if (unknown !== undefined)
    throw new CommandError(
      `Error promoting deployment: no canaries of group "${unknown}"; there are some of ${canaries.join(', ')}`,
    );
  const groups = [...new Set([...(deployment.spec.promote?.groups ?? []), ...flags.group])];
  return wish(context, deployment, flags, {
    what: 'promoting',
    patch: { promote: flags.group.length === 0 ? { all: true } : { groups } },
  });
}
