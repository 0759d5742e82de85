import { setMaxListeners } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { parseDuration } from '../../../base/index.ts';
import { LeaseKind, NodeKind, type Node, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { complain, say } from '../../io/streams.ts';
import { findNode, listAll } from '../../lookup.ts';
import type { Server } from '../../debug/collect.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'error'];

export const operatorDebug = defineClusterCommand({
  name: 'operator debug',
  summary: 'Collect what helps to find out what is wrong, as one file',
  usage: '[options]',
  description:
    'A .tar.gz with the version and members of the cluster, its objects, the metrics, state and logs of servers and of agents, over a while. Variables are left out, ' +
    'and so are values that may be secret: environments, templates, payloads, and what is called a password, token or key. Look into it before you hand it on. ' +
    'Ctrl-C ends the collecting early; what there is by then is kept.',
  examples: [
    { text: 'Two minutes of servers and up to ten agents', command: 'operator debug' },
    { text: 'At once, of one agent', command: 'operator debug -duration=0s -node-id=4c1bbcfa' },
  ],
  args: noArguments,
  flags: {
    duration: flag.string('<duration>', 'How long to follow logs and look again. Default 2m.'),
    interval: flag.string('<duration>', 'How often to look at objects, metrics and state. Default 30s.'),
    logLevel: flag.string('<level>', `Of the logs: ${levels.join(', ')}. Default debug.`),
    nodeId: flag.list('<node,…>', 'These agents, or "all". Default all.'),
    nodeClass: flag.string('<class>', 'Only agents of nodes of this class.'),
    maxNodes: flag.integer('<n>', 'So many agents at most; 0 for all. Default 10.'),
    serverId: flag.list('<name,…>', 'These servers, or "all". Default all.'),
    output: flag.string('<folder>', 'Where to put the file. Default: here.'),
    stale: flag.boolean('Accepted; every server answers.', { hidden: true }),
  },
  async run({ flags }, context) {
    const durationMs = duration('duration', flags.duration ?? '2m');
    const intervalMs = duration('interval', flags.interval ?? '30s');
    if (intervalMs < 1000) throw new CommandError('-interval must be at least 1s');
    const logLevel = (flags.logLevel ?? 'debug').toLowerCase();
    if (!levels.includes(logLevel))
      throw new CommandError(`Unknown log level: ${flags.logLevel}; there are ${levels.join(', ')}`);
    if ((flags.maxNodes ?? 10) < 0) throw new CommandError('-max-nodes must not be negative');
    const output = resolve(context.io.cwd, flags.output ?? '.');
    if (!(await stat(output).catch(() => undefined))?.isDirectory()) throw new CommandError(`There is no folder ${output}`);
    const servers = await serversOf(context, words(flags.serverId));
    const nodes = await nodesOf(context, words(flags.nodeId), flags.nodeClass, flags.maxNodes ?? 10);
    const kinds = await inspected();
    const time = new Date(context.clock.now()).toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
    const name = `orch-debug-${time}`;
    say(context, 'Starting debugger...\n');
    say(context, `   Servers: ${servers.map((one) => one.name).join(', ')}`);
    say(
      context,
      `   Clients: ${nodes.length === 0 ? '<none>' : nodes.map(({ metadata }) => metadata.name.slice(0, 8)).join(', ')}`,
    );
    say(context, `  Interval: ${flags.interval ?? '30s'}\n  Duration: ${flags.duration ?? '2m'}\n`);

    const { collect } = await import('../../debug/collect.ts');
    const { writeTar } = await import('../../copy/tar.ts');
    const temporary = await mkdtemp(join(tmpdir(), 'orch-debug-'));
    const file = join(output, `${name}.tar.gz`);
    try {
      const folder = join(temporary, name);
      await mkdir(folder, { mode: 0o700 });
      let early = false;
      const { files, problems } = await context.interruptible(async (signal) => {
        setMaxListeners(0, signal); // as many requests as there are files wait for it
        const collected = await collect(context, { folder, kinds, servers, nodes, durationMs, intervalMs, logLevel }, signal);
        early = signal.aborted;
        return collected;
      });
      const index = { time, program: context.version, duration: flags.duration ?? '2m', interval: flags.interval ?? '30s', endedEarly: early, files, problems }; // prettier-ignore
      await writeFile(join(folder, 'index.json'), `${JSON.stringify(index, undefined, 2)}\n`, { mode: 0o600 });
      const tar = Readable.from(writeTar(folder, name, () => undefined));
      await pipeline(tar, createGzip(), createWriteStream(`${file}.part`, { mode: 0o600 }));
      await rename(`${file}.part`, file);
      for (const problem of problems) complain(context, `Not collected: ${problem}`);
      say(context, `Created debug archive: ${file}`);
      return 0;
    } finally {
      for (const { client } of servers) if (client !== context.client) client.close();
      await rm(temporary, { recursive: true, force: true });
      await rm(`${file}.part`, { force: true });
    }
  },
});

function duration(name: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) throw new CommandError(`-${name} must be a duration such as 30s, not "${text}"`);
  return ms;
}

const words = (given: readonly string[]): string[] => given.flatMap((text) => text.split(',')).map((text) => text.trim()).filter((text) => text !== ''); // prettier-ignore

/** All kinds that there are but those that hold secrets by their nature, and what is asked for otherwise. */
async function inspected() {
  const { builtInKinds } = await import('../../kinds.ts');
  return builtInKinds.filter(({ kind }) => !['Variable', 'Secret', 'Lease'].includes(kind));
}

/** Those that are known by their leases; the one that is asked where they do not say where they are. */
async function serversOf(context: ClusterContext, wanted: readonly string[]): Promise<Server[]> {
  const leases = (await listAll(context, LeaseKind, { namespace: 'orch-system' })).filter(({ metadata }) => metadata.labels?.['orch.dev/role'] === 'server'); // prettier-ignore
  const known = leases.flatMap(({ metadata, spec }) => {
    const address = metadata.annotations?.['orch.dev/http-address'];
    return address === undefined ? [] : [{ name: spec?.holderIdentity ?? metadata.name, address }];
  });
  const isWanted = ({ name }: { readonly name: string }): boolean =>
    wanted.length === 0 || wanted.includes('all') || wanted.includes(name) || wanted.includes(name.split('.')[0]!);
  const unknown = wanted.find((id) => id !== 'all' && !known.some(({ name }) => name === id || name.split('.')[0] === id));
  if (unknown !== undefined) throw new CommandError(`No server ${JSON.stringify(unknown)}; there are ${known.map(({ name }) => name).join(', ') || 'none that say where they are'}`); // prettier-ignore
  const { protocol } = new URL(context.client.server);
  const servers = known.filter(isWanted).map(({ name, address }) => ({ name: name.replace(/[^\w.-]/g, '_'), client: context.clientOf(`${protocol}//${address}`) })); // prettier-ignore
  return servers.length > 0 ? servers : [{ name: 'server', client: context.client }];
}

async function nodesOf(
  context: ClusterContext,
  wanted: readonly string[],
  nodeClass: string | undefined,
  most: number,
): Promise<Stored<Node>[]> {
  const all =
    wanted.length === 0 || wanted.includes('all')
      ? (await listAll(context, NodeKind)).filter(({ status }) => status?.phase === 'ready')
      : await Promise.all(wanted.map((id) => findNode(context, id)));
  const chosen = all.filter(({ spec }) => nodeClass === undefined || spec.nodeClass === nodeClass);
  if (most === 0 || chosen.length <= most) return chosen;
  complain(context, `Of ${chosen.length} agents ${most} are looked at: -max-nodes and -node-id choose others`);
  return chosen.slice(0, most);
}
