import { LeaseKind, NodeKind, objectPath, type Lease, type Stored } from '../../openapi/index.ts';
import type { Client } from '../../client/index.ts';
import { defineClusterCommand, flag, noArguments, type ClusterContext } from '../command.ts';
import { CommandError, Interrupted, isBrokenStream } from '../errors.ts';
import { complain, plain } from '../io/streams.ts';
import { findNode, listAll } from '../lookup.ts';
import { leaderAmong } from '../views/server.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'error'];

export const monitor = defineClusterCommand({
  name: 'monitor',
  summary: 'Follow the log of a server or of the agent of a node',
  usage: '[options]',
  description:
    'Without -node-id it is the log of the API server that is asked, with the controllers of its process. The level is that of what is shown, whatever the process ' +
    'itself writes. What was said before is kept in memory, at the level of the process: -tail and -since show it.',
  examples: [
    { text: 'What the server does', command: 'monitor -log-level=debug' },
    { text: 'What the agent of a node does', command: 'monitor -node-id 4c1bbcfa' },
    { text: 'What went wrong lately, and no more', command: 'monitor -log-level=warn -since 1h -follow=false' },
  ],
  args: noArguments,
  flags: {
    logLevel: flag.string('<level>', `${levels.join(', ')}. Default info.`),
    nodeId: flag.string('<node>', 'The agent of this node.'),
    serverId: flag.string('<name>', 'This server of several, by its name in "server members", or "leader".'),
    json: flag.boolean('One JSON object a line.'),
    tail: flag.integer('<lines>', 'Begin with so many of the last lines. Default 0.'),
    since: flag.string('<duration>', 'Begin with what was said since then.'),
    follow: flag.tristate('Go on with what is said from now on; on unless -follow=false.', { short: 'f' }),
    logIncludeLocation: flag.boolean('Accepted; lines name the part that says them.', { hidden: true }),
  },
  async run({ flags }, context) {
    const level = (flags.logLevel ?? 'info').toLowerCase();
    if (!levels.includes(level)) throw new CommandError(`Unknown log level: ${flags.logLevel}; there are ${levels.join(', ')}`);
    if (flags.nodeId !== undefined && flags.serverId !== undefined)
      throw new CommandError('Only one of -node-id and -server-id can be given');
    if ((flags.tail ?? 0) < 0) throw new CommandError('-tail must not be negative');
    const node = flags.nodeId === undefined ? undefined : await findNode(context, flags.nodeId);
    const other = flags.serverId === undefined ? undefined : await serverOf(context, flags.serverId);
    const follow = flags.follow ?? true;
    const whole = flags.since !== undefined || (!follow && flags.tail === undefined);
    const query = {
      level,
      follow,
      ...(flags.json && { format: 'json' }),
      ...(!whole && { tail: flags.tail ?? 0 }),
      ...(whole && flags.tail !== undefined && { tail: flags.tail }),
      ...(flags.since !== undefined && { since: flags.since }),
    };
    const path = node === undefined ? '/logs' : `${objectPath(NodeKind, node.metadata.name)}/logs`;
    return context.interruptible(async (signal) => {
      try {
        await copyLog(other ?? context.client, path, query, context, signal);
        if (follow && !signal.aborted) complain(context, 'The log ended: who wrote it was stopped.');
        return follow && !signal.aborted ? 1 : 0;
      } catch (error) {
        if (signal.aborted) throw new Interrupted();
        if (isBrokenStream(error)) throw new CommandError('The log ended: who wrote it was stopped or killed.');
        throw error;
      } finally {
        other?.close();
      }
    });
  },
});

/** Line by line, since nothing in a line may act on the terminal. */
async function copyLog(
  client: Client,
  path: string,
  query: Record<string, string | number | boolean>,
  { io: { stdout } }: ClusterContext,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of await client.stream('GET', path, { query, signal })) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (!stdout.write(lines.map((line) => `${plain(line)}\n`).join(''))) await new Promise<void>((resolve) => stdout.once('drain', resolve)); // prettier-ignore
  }
}

/** A client of one server among several. */
async function serverOf(context: ClusterContext, id: string): Promise<Client> {
  const leases = await listAll(context, LeaseKind, { namespace: 'orch-system' });
  const isServer = ({ metadata }: Stored<Lease>): boolean => metadata.labels?.['orch.dev/role'] === 'server';
  const servers = leases.filter(isServer);
  const nameOf = ({ metadata, spec }: Stored<Lease>): string => spec?.holderIdentity ?? metadata.name;
  const found =
    id === 'leader'
      ? leaderAmong(
          servers,
          leases.filter((lease) => !isServer(lease)),
        )
      : servers.find((lease) => nameOf(lease) === id || nameOf(lease).split('.')[0] === id);
  if (found === undefined) throw new CommandError(`No server ${JSON.stringify(id)}; there are ${servers.map(nameOf).join(', ') || 'none that made themselves known'}`); // prettier-ignore
  const address = found.metadata.annotations?.['orch.dev/http-address'];
  if (address === undefined) throw new CommandError(`Server ${JSON.stringify(id)} does not say where its API is`);
  return context.clientOf(`${new URL(context.client.server).protocol}//${address}`);
}
