import { EvaluationKind, NodeKind, type Allocation, type Stored } from '../../../openapi/index.ts';
import { allocationStats, jobOf } from '../../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { formatFlags, sayData, wantsData, type FormatFlags } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findAllocation, listAll, namespaceOf } from '../../lookup.ts';
import { allocationShort, allocationStatus } from '../../views/allocation.ts';
import { view } from '../../views/view.ts';
import { AllocationKind } from '../../../openapi/index.ts';
import { verbose } from '../options.ts';

export const allocStatus = defineClusterCommand({
  name: 'alloc status',
  formerNames: ['alloc-status'],
  summary: 'Show an allocation: its tasks, what they use, what happened to them',
  usage: '[options] <allocation>',
  examples: [
    { text: 'By the first characters of its ID', command: 'alloc status 4fef9fed' },
    { text: 'With what its tasks use', command: 'alloc status -stats 4fef9fed' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one of the following argument conditions:\n * A single <allocation>\n * No arguments, with output format specified' }, // prettier-ignore
  completes: 'allocation',
  flags: {
    short: flag.boolean('Only the last event of each task.'),
    stats: flag.boolean('Show in detail what the tasks use.'),
    verbose,
    ...formatFlags,
  },
  async run({ args: [id], flags }, context) {
    if (id === undefined) {
      if (wantsData(flags)) {
        const { allocationList } = await import('../../nomad/fetch.ts');
        return sayData(context, flags, await allocationList(context, await listAll(context, AllocationKind)));
      }
      throw new CommandError(
        `This command takes one argument: <allocation>\nFor additional help try '${context.program} alloc status -h'`,
      );
    }
    return showAllocation(context, await findAllocation(context, id), flags);
  },
});

interface Flags extends FormatFlags {
  readonly short?: boolean;
  readonly stats?: boolean;
  readonly verbose?: boolean;
}

export async function showAllocation(context: ClusterContext, allocation: Stored<Allocation>, flags: Flags): Promise<void> {
  if (wantsData(flags)) {
    const { allocationData } = await import('../../nomad/fetch.ts');
    return sayData(context, flags, await allocationData(context, allocation));
  }
  const how = view(context.clock.now(), flags.verbose === true, context.style);
  const job = await jobOf(context, allocation);
  if (flags.short === true) return say(context, allocationShort({ allocation, job }, how));
  const { followupEvaluation } = allocation.spec;
  const [node, followup] = await Promise.all([
    context.client.find(NodeKind, allocation.spec.nodeName),
    followupEvaluation === undefined
      ? undefined
      : context.client.find(EvaluationKind, followupEvaluation, namespaceOf(allocation)),
  ]);
  const measured = await allocationStats(context, allocation, node);
  say(context, allocationStatus({ allocation, node, job, followup, ...measured }, how, { stats: flags.stats === true }));
}
