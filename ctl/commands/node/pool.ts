import { isReason } from '../../../base/index.ts';
import { JobKind, NodeKind, NodePoolKind, type NodePool, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs, table } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { listAll } from '../../lookup.ts';
import { submitting } from '../../submit.ts';
import { jobTable, nodeTable } from '../../views/lists.ts';
import { by, section, view } from '../../views/view.ts';
import { create } from '../../write.ts';
import { verbose } from '../options.ts';

const dataOf = ({ metadata, spec }: Stored<NodePool>): Record<string, unknown> => ({
  Name: metadata.name,
  Description: spec?.description ?? '',
  Meta: spec?.meta ?? null,
  SchedulerConfiguration: spec?.schedulerAlgorithm === undefined ? null : { SchedulerAlgorithm: spec.schedulerAlgorithm },
  CreateIndex: Number(metadata.resourceVersion),
  ModifyIndex: Number(metadata.resourceVersion),
});

export const nodePoolList = defineClusterCommand({
  name: 'node pool list',
  summary: 'List node pools',
  usage: '[options]',
  examples: [{ text: 'All pools', command: 'node pool list' }],
  args: noArguments,
  flags: formatFlags,
  async run({ flags }, context) {
    const pools = (await listAll(context, NodePoolKind)).sort(by(({ metadata }) => metadata.name));
    if (wantsData(flags)) return sayData(context, flags, pools.map(dataOf));
    say(context, table([['Name', 'Description'], ...pools.map(({ metadata, spec }) => [metadata.name, spec?.description])]));
  },
});

export const nodePoolInfo = defineClusterCommand({
  name: 'node pool info',
  summary: 'Show a node pool',
  usage: '[options] <node-pool>',
  examples: [{ text: 'How jobs are placed in it', command: 'node pool info gpu' }],
  args: oneArgument('node-pool'),
  flags: formatFlags,
  async run({ args: [name], flags }, context) {
    const pool = await findPool(context, name!);
    if (wantsData(flags)) return sayData(context, flags, dataOf(pool));
    const how = view(context.clock.now(), false, context.style);
    const meta = Object.entries(pool.spec?.meta ?? {}).sort(by(([key]) => key));
    say(
      context,
      [
        pairs([
          ['Name', pool.metadata.name],
          ['Description', pool.spec?.description],
        ]),
        section(how, 'Metadata', meta.length === 0 ? 'No metadata' : pairs(meta)),
        section(how, 'Scheduler Configuration', pool.spec?.schedulerAlgorithm === undefined ? 'No scheduler configuration' : pairs([['Scheduler Algorithm', pool.spec.schedulerAlgorithm]])), // prettier-ignore
      ].join('\n\n'),
    );
  },
});

export const nodePoolNodes = defineClusterCommand({
  name: 'node pool nodes',
  summary: 'List the nodes of a pool',
  usage: '[options] <node-pool>',
  examples: [{ text: 'Which nodes are in it', command: 'node pool nodes gpu' }],
  args: oneArgument('node-pool'),
  flags: { verbose, ...formatFlags },
  async run({ args: [name], flags }, context) {
    const pool = await findPool(context, name!);
    const isIn = (of: string | undefined): boolean => pool.metadata.name === 'all' || (of ?? 'default') === pool.metadata.name;
    const nodes = (await listAll(context, NodeKind)).filter(({ spec }) => isIn(spec.nodePool));
    if (wantsData(flags)) return sayData(context, flags, nodes.map((await import('../../nomad/node.ts')).nodeStub));
    say(context, nodes.length === 0 ? 'No nodes' : nodeTable(nodes, flags));
  },
});

export const nodePoolJobs = defineClusterCommand({
  name: 'node pool jobs',
  summary: 'List the jobs of a pool',
  usage: '[options] <node-pool>',
  examples: [{ text: 'Which jobs ask for it', command: 'node pool jobs gpu' }],
  args: oneArgument('node-pool'),
  flags: formatFlags,
  async run({ args: [name], flags }, context) {
    const pool = await findPool(context, name!);
    const jobs = (await listAll(context, JobKind)).filter(({ spec }) => (spec.nodePool ?? 'default') === pool.metadata.name);
    if (wantsData(flags)) return sayData(context, flags, jobs.map((await import('../../nomad/fetch.ts')).jobStub));
    say(context, jobs.length === 0 ? 'No jobs' : jobTable(jobs, context.listNamespace === undefined));
  },
});

export const nodePoolApply = defineClusterCommand({
  name: 'node pool apply',
  summary: 'Create or change a node pool',
  usage: '[options] <node-pool>',
  description: 'Manifests say more about a pool: apply -f pool.yaml.',
  examples: [{ text: 'For machines with cards', command: 'node pool apply -description "Has cards" gpu' }],
  args: oneArgument('node-pool'),
  flags: {
    description: flag.string('<text>', 'What it is for.'),
    schedulerAlgorithm: flag.string('<name>', 'binpack or spread.'),
  },
  next: () => ({
    text: 'See which there are; nodes say in their configuration which one they are in',
    command: 'node pool list',
  }),
  async run({ args: [name], flags }, context) {
    const { description, schedulerAlgorithm: algorithm } = flags;
    if (algorithm !== undefined && algorithm !== 'binpack' && algorithm !== 'spread')
      throw new CommandError(`There is no algorithm "${algorithm}"; there are binpack and spread`);
    const spec: NonNullable<NodePool['spec']> = { ...(description !== undefined && { description }), ...(algorithm !== undefined && { schedulerAlgorithm: algorithm }) }; // prettier-ignore
    await submitting(context, 'Error applying node pool', async () => {
      try {
        await create(context, NodePoolKind, { metadata: { name: name! }, spec });
      } catch (error) {
        if (!isReason(error, 'AlreadyExists')) throw error;
        await context.client.patch(NodePoolKind, name!, undefined, { spec });
      }
    });
    say(context, `Successfully applied node pool "${name}"!`);
  },
});

export const nodePoolDelete = defineClusterCommand({
  name: 'node pool delete',
  summary: 'Remove a node pool',
  usage: '[options] <node-pool>',
  examples: [{ text: 'One without nodes', command: 'node pool delete gpu' }],
  args: oneArgument('node-pool'),
  next: () => ({ text: 'See which are left', command: 'node pool list' }),
  async run({ args: [name] }, context) {
    const { metadata } = await findPool(context, name!);
    const used = (await listAll(context, NodeKind)).filter(({ spec }) => (spec.nodePool ?? 'default') === metadata.name).length;
    if (used > 0) throw new CommandError(`Error deleting node pool: node pool "${metadata.name}" has nodes: ${used}`);
    await submitting(context, 'Error deleting node pool', () => context.client.delete(NodePoolKind, metadata.name));
    say(context, `Successfully deleted node pool "${metadata.name}"!`);
  },
});

async function findPool(context: ClusterContext, name: string): Promise<Stored<NodePool>> {
  const pools = await listAll(context, NodePoolKind);
  const exact = pools.find(({ metadata }) => metadata.name === name);
  const matches = exact === undefined ? pools.filter(({ metadata }) => metadata.name.startsWith(name)) : [exact];
  if (matches.length === 1) return matches[0]!;
  if (matches.length === 0) throw new CommandError(`No node pool(s) with prefix or id ${JSON.stringify(name)} found`);
  throw new CommandError(`Prefix matched multiple node pools\n\n${table([['Name', 'Description'], ...matches.map((one) => [one.metadata.name, one.spec?.description])])}`); // prettier-ignore
}
