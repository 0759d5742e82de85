import { NodeKind } from '../../../openapi/index.ts';
import { allocationStats } from '../../agent-api.ts';
import { defineClusterCommand, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findAllocation } from '../../lookup.ts';
import { taskStats } from '../../views/allocation.ts';
import { clientStatus } from '../../views/lists.ts';

export const allocStats = defineClusterCommand({
  name: 'alloc stats',
  summary: 'Show what the tasks of an allocation use',
  usage: '[options] <allocation>',
  examples: [{ text: 'All tasks of an allocation', command: 'alloc stats 4fef9fed' }],
  args: oneArgument('allocation'),
  completes: 'allocation',
  flags: formatFlags,
  async run({ args: [id], flags }, context) {
    const allocation = await findAllocation(context, id!);
    const node = await context.client.find(NodeKind, allocation.spec.nodeName);
    const { stats, statsProblem } = await allocationStats(context, allocation, node);
    if (stats === undefined) throw new CommandError(statsProblem ?? `Allocation "${allocation.metadata.name.slice(0, 8)}" does not run any more (${clientStatus(allocation)})`); // prettier-ignore
    if (wantsData(flags)) return sayData(context, flags, stats);
    const parts = stats.tasks.map((task) => [context.style.bold(`Task "${task.name}"`), ...taskStats(task)].join('\n\n'));
    say(context, parts.length === 0 ? 'No task runs' : parts.join('\n\n'));
  },
});
