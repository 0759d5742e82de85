import { hostname } from 'node:os';
import { AllocationKind, NodeKind, type Allocation, type Node, type Stored } from '../../../openapi/index.ts';
import { nodeStats } from '../../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { formatFlags, sayData, wantsData, type FormatFlags } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findNode, listAll } from '../../lookup.ts';
import { nodeMatches, nodeTable } from '../../views/lists.ts';
import { nodeStatus as nodeStatusView } from '../../views/node.ts';
import { view } from '../../views/view.ts';
import { filter, filtered, verbose } from '../options.ts';

export const nodeStatus = defineClusterCommand({
  name: 'node status',
  formerNames: ['node-status'],
  summary: 'List nodes, or show one of them',
  usage: '[options] [<node>]',
  examples: [
    { text: 'All nodes, with how much runs on each', command: 'node status -allocs' },
    { text: 'One of them, with what its machine uses', command: 'node status -stats 4c1bbcfa' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes either one or no arguments: <node>' },
  completes: 'node',
  flags: {
    self: flag.boolean('The node of this machine.'),
    short: flag.boolean('Only the head and the allocations.'),
    stats: flag.boolean('Show in detail what the machine uses.'),
    allocs: flag.boolean('In the list: how many allocations run on each node.'),
    quiet: flag.boolean('Print only IDs.', { short: 'q' }),
    filter,
    verbose,
    ...formatFlags,
  },
  async run({ args: [id], flags }, context) {
    if (id === undefined && !flags.self) return list(context, flags);
    return showNode(context, flags.self ? await thisNode(context) : await findNode(context, id!), flags);
  },
});

async function list(
  context: ClusterContext,
  flags: FormatFlags & {
    readonly allocs: boolean;
    readonly quiet: boolean;
    readonly verbose: boolean;
    readonly filter: string | undefined;
  },
): Promise<void> {
  const stub = async (node: Stored<Node>): Promise<unknown> => (await import('../../nomad/node.ts')).nodeStub(node);
  const nodes = await filtered(await listAll(context, NodeKind), flags.filter, stub);
  if (wantsData(flags)) return sayData(context, flags, await Promise.all(nodes.map(stub)));
  if (nodes.length === 0) return say(context, flags.filter === undefined ? 'No nodes registered' : 'No nodes match');
  if (flags.quiet)
    return say(context, nodes.map(({ metadata }) => (flags.verbose ? metadata.name : metadata.name.slice(0, 8))).join('\n'));
  say(context, nodeTable(nodes, flags, flags.allocs ? await runningByNode(context) : undefined));
}

async function runningByNode(context: ClusterContext): Promise<Map<string, number>> {
  const all = await listAll({ ...context, listNamespace: undefined }, AllocationKind, { fieldSelector: 'status.phase=running' });
  const counts = new Map<string, number>();
  for (const { spec } of all) counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1);
  return counts;
}

/** The node whose agent runs on this machine. */
export async function thisNode(context: ClusterContext): Promise<Stored<Node>> {
  const here = (await listAll(context, NodeKind)).filter(({ status }) => status?.attributes?.['unique.hostname'] === hostname());
  if (here.length === 1) return here[0]!;
  if (here.length === 0) throw new CommandError(`No node of this machine (${hostname()}) is registered`);
  throw new CommandError(`This machine (${hostname()}) runs several nodes; name one of them\n\n${nodeMatches(here)}`);
}

interface Flags extends FormatFlags {
  readonly short?: boolean;
  readonly stats?: boolean;
  readonly verbose?: boolean;
}

export async function showNode(context: ClusterContext, node: Stored<Node>, flags: Flags): Promise<void> {
  if (wantsData(flags)) return sayData(context, flags, (await import('../../nomad/node.ts')).nomadNode(node));
  const short = flags.short === true;
  const allocations = await allocationsOn(context, node);
  const measured = short ? {} : await nodeStats(context, node);
  say(
    context,
    nodeStatusView({ node, allocations, ...measured }, view(context.clock.now(), flags.verbose === true, context.style), {
      short,
      stats: flags.stats === true,
    }),
  );
}

/** Of all namespaces. */
export const allocationsOn = (context: ClusterContext, node: Stored<Node>): Promise<Stored<Allocation>[]> =>
  listAll({ ...context, listNamespace: undefined }, AllocationKind, { fieldSelector: `spec.nodeName=${node.metadata.name}` });
