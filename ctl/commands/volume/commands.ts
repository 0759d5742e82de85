import { NodeKind, type Node, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs, table } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findNode, listAll } from '../../lookup.ts';
import { nodeName, nodePhase } from '../../views/lists.ts';
import { by, id as shown, section, view, type View } from '../../views/view.ts';
import { verbose } from '../options.ts';

/** A folder that the configuration of a node offers to tasks. */
interface HostVolume {
  readonly name: string;
  readonly node: Stored<Node>;
  readonly path: string;
  readonly readOnly: boolean;
}

async function hostVolumes(context: ClusterContext, node: string | undefined, pool: string | undefined): Promise<HostVolume[]> {
  const nodes = node === undefined ? await listAll(context, NodeKind) : [await findNode(context, node)];
  return nodes
    .filter(({ spec }) => pool === undefined || (spec.nodePool ?? 'default') === pool)
    .flatMap((one) =>
      Object.entries(one.status?.hostVolumes ?? {}).map(([name, { path = '', readOnly = false }]) => ({
        name,
        node: one,
        path,
        readOnly,
      })),
    )
    .sort(by(({ name, node: { metadata } }) => `${name} ${metadata.name}`));
}

const dataOf = ({ name, node, path, readOnly }: HostVolume): Record<string, unknown> => ({
  Name: name,
  NodeID: node.metadata.name,
  NodePool: node.spec.nodePool ?? 'default',
  HostPath: path,
  ReadOnly: readOnly,
  State: nodePhase(node) === 'ready' ? 'ready' : 'unavailable',
});

const tableOf = (volumes: readonly HostVolume[], how: View): string =>
  table([
    ['Name', 'Node ID', 'Node Name', 'Node Pool', 'Read Only', 'Host Path', 'State'],
    ...volumes.map((one) => [
      one.name,
      shown(how, one.node.metadata.name),
      nodeName(one.node),
      one.node.spec.nodePool ?? 'default',
      one.readOnly,
      one.path,
      nodePhase(one.node) === 'ready' ? 'ready' : 'unavailable',
    ]),
  ]);

export const volumeStatus = defineClusterCommand({
  name: 'volume status',
  aliases: ['volume list'],
  summary: 'List the volumes of nodes, or show one',
  usage: '[options] [<name>]',
  description:
    'These are the folders that client { host_volume "name" { path = … } } offers in the configuration of nodes. There are no CSI volumes.',
  examples: [
    { text: 'All of them', command: 'volume status' },
    { text: 'Where one is', command: 'volume status data' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one or no arguments: <name>' },
  flags: {
    type: flag.string('<type>', 'host; there is no other.'),
    node: flag.string('<node>', 'Those of this node.', { also: ['node-id'] }),
    nodePool: flag.string('<pool>', 'Those of nodes of this pool.'),
    verbose,
    ...formatFlags,
  },
  async run({ args: [name], flags }, context) {
    if (flags.type === 'csi') throw new CommandError('CSI volumes are not built yet; there are host volumes');
    if (flags.type !== undefined && flags.type !== 'host') throw new CommandError(`-type must be host, not "${flags.type}"`);
    const all = await hostVolumes(context, flags.node, flags.nodePool);
    const how = view(context.clock.now(), flags.verbose, context.style);
    if (name === undefined) {
      if (wantsData(flags)) return sayData(context, flags, all.map(dataOf));
      return say(context, all.length === 0 ? 'No host volumes' : tableOf(all, how));
    }
    const names = [...new Set(all.map((one) => one.name))];
    const matches = names.includes(name) ? [name] : names.filter((one) => one.startsWith(name));
    if (matches.length === 0) throw new CommandError(`No volumes with prefix or name ${JSON.stringify(name)} found`);
    if (matches.length > 1) throw new CommandError(`Prefix matched multiple volumes\n\n${matches.join('\n')}`);
    const found = all.filter((one) => one.name === matches[0]);
    if (wantsData(flags)) return sayData(context, flags, found.map(dataOf));
    say(
      context,
      [
        pairs([
          ['Name', matches[0]],
          ['Type', 'host'],
          ['Nodes', found.length],
        ]),
        section(how, 'Nodes', tableOf(found, how)),
      ].join('\n\n'),
    );
  },
});
