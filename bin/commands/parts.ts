/** The commands that run one part of orch as its own process. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { describeError, logLevels, uuid, type LogLevel } from '../../base/index.ts';
import { controllerNames, type ControllerName } from '../../controllers/names.ts';
import { complain, defineCommand, flag, noArguments, type Context } from '../../ctl/index.ts';
import { isLoopback } from '../agent/config.ts';
import { makeDataDir } from '../data-dir.ts';
import { openLog } from '../log.ts';
import { etcdFlags, etcdFromFlags, keyringPath, openStore } from '../store.ts';
import { explainPortInUse, type PortSetting } from '../ports.ts';
import { untilSignal } from '../signals.ts';
import { Started } from '../started.ts';

const logFlags = {
  logLevel: flag.string('<level>', 'trace, debug, info, warn or error. Default info.'),
  logJson: flag.boolean('Log lines as JSON.'),
};

const serverFlag = {
  server: flag.list('<url>', 'The address of an API server. Repeatable; others are tried when one cannot be reached. Also ORCH_ADDR. Default http://127.0.0.1:4646.'), // prettier-ignore
};

export const apiserverCommand = defineCommand({
  name: 'apiserver',
  summary: 'Run only the API server',
  usage: '[options]',
  description:
    'Serves the API from etcd (-etcd-endpoints) or from an embedded store (-data-dir). On etcd any number of them may run.',
  examples: [{ text: 'On etcd', command: 'apiserver -etcd-endpoints=http://127.0.0.1:2379' }],
  args: noArguments,
  handlesSignals: true,
  flags: {
    ...etcdFlags,
    dataDir: flag.string('<path>', 'Where the embedded store is, without etcd.'),
    keyringFile: flag.string('<path>', 'The file of root keys, which variables are sealed by; all servers of a store need the same. Default: server/keyring.json below -data-dir.'), // prettier-ignore
    listen: flag.list('<host:port>', 'Where to listen. Repeatable. Default 127.0.0.1:4646.'),
    insecureListen: flag.boolean(
      'Allow to listen beyond loopback without TLS and tokens. Whoever reaches it can run programs on the nodes.',
    ),
    requireDatacenters: flag.boolean('Refuse jobs that do not say in which datacenters they run. Without it they run in all.'),
    ...logFlags,
  },
  run: ({ flags }, context) =>
    runPart(context, flags, async ({ log }) => {
      const etcd = etcdFromFlags(flags, context.io.cwd);
      if ((etcd === undefined) === (flags.dataDir === undefined)) throw new Error('give either -etcd-endpoints or -data-dir');
      const listen = (flags.listen.length === 0 ? ['127.0.0.1:4646'] : flags.listen).map((text) => {
        const match = /^(?:(.*):)?(\d+)$/.exec(text);
        if (match === null) throw new Error(`-listen takes host:port, not "${text}"`);
        return { host: match[1]?.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(match[2]) };
      });
      const open = listen.find(({ host }) => !isLoopback(host));
      if (open !== undefined && !flags.insecureListen) {
        throw new Error(
          `${open.host} is not a loopback address, and TLS and tokens are not built yet: say -insecure-listen if the network is closed to others`,
        );
      }
      const { Client } = await import('../../client/index.ts');
      const { startApiServer } = await import('../../apiserver/index.ts');
      const { joinCluster } = await import('../membership.ts');
      const dataDir = resolve(context.io.cwd, flags.dataDir ?? '.');
      if (etcd === undefined) makeDataDir(dataDir);
      const where = etcd === undefined ? { path: join(dataDir, 'server', 'store') } : { etcd };
      const keyringFile = flags.keyringFile !== undefined ? resolve(context.io.cwd, flags.keyringFile) : etcd === undefined ? keyringPath(dataDir) : undefined; // prettier-ignore
      const { clock } = context;
      return Started.or(async (started) => {
        const store = started.add(await openStore(where, { clock, log }), (store) => store.close());
        const settings = listen.map((one) => ({ flag: 'listen', ...one }));
        const api = await startApiServer({
          store,
          listen,
          clock,
          ...(keyringFile !== undefined && { keyringFile }),
          jobPolicy: { requireDatacenters: flags.requireDatacenters },
          log: log.child('apiserver'),
          logs: log.ring,
        }).catch(inUse(settings));
        started.add(api, () => api.close());
        const client = new Client({ servers: [api.urls[0]!], userAgent: `orch-apiserver/${context.version}` });
        started.add(client, () => client.close());
        const first = listen[0]!;
        const member = await joinCluster({
          client,
          identity: `${hostname()}-${first.port}.global`,
          address: first.host,
          port: first.port,
          httpAddress: new URL(api.urls[0]!).host,
          datacenter: 'dc1',
          region: 'global',
          version: context.version,
          clock,
          log,
        });
        started.add(member, () => member.leave());
        return () => started.close();
      });
    }),
});

export const controllerCommand = defineCommand({
  name: 'controller',
  summary: 'Run one or more controllers',
  usage: '[options] <name> [<name>…]',
  description: `Controllers are ${controllerNames.join(', ')}. Any number of processes may run the same one: one of them leads, the others stand by.`,
  examples: [{ text: 'Two of them in one process', command: 'controller job deployment' }],
  args: { min: 1, rule: `This command takes the names of controllers: ${controllerNames.join(', ')}` },
  handlesSignals: true,
  flags: { ...serverFlag, ...logFlags },
  run: ({ args, flags }, context) => runControllers(context, flags, args),
});

export const schedulerCommand = defineCommand({
  name: 'scheduler',
  summary: 'Run only the scheduler',
  usage: '[options]',
  args: noArguments,
  handlesSignals: true,
  flags: { ...serverFlag, ...logFlags },
  run: ({ flags }, context) => runControllers(context, flags, ['scheduler']),
});

export const nodeAgentCommand = defineCommand({
  name: 'node-agent',
  summary: 'Run only the agent of this machine',
  usage: '[options]',
  description: 'Like "agent" with client { enabled = true }, by flags alone.',
  args: noArguments,
  handlesSignals: true,
  flags: {
    ...serverFlag,
    dataDir: flag.string('<path>', 'Where to keep state and allocations. Required.'),
    name: flag.string('<name>', 'The name of this node. Default: the host name.'),
    dc: flag.string('<name>', 'The datacenter. Default dc1.'),
    nodeClass: flag.string('<name>', 'The class of this node.'),
    nodePool: flag.string('<name>', 'The node pool of this node.'),
    rawExec: flag.boolean('Allow the raw_exec driver: tasks run as this process does, without isolation.'),
    bind: flag.string('<address>', 'The address to listen on. Default 127.0.0.1.'),
    port: flag.integer('<port>', 'The port of its own server. Default: a free one.'),
    ...logFlags,
  },
  run: ({ flags }, context) =>
    runPart(context, flags, async ({ log }) => {
      if (flags.dataDir === undefined) throw new Error('-data-dir is missing: say where to keep state');
      const { Client } = await import('../../client/index.ts');
      const { agentOptions } = await import('../agent/options.ts');
      const { startNodePart } = await import('../parts.ts');
      const { options, problems } = agentOptions([], {
        dev: false,
        insecure: false,
        settings: {
          data_dir: flags.dataDir,
          ...(flags.name !== undefined && { name: flags.name }),
          ...(flags.dc !== undefined && { datacenter: flags.dc }),
          ...(flags.bind !== undefined && { bind_addr: flags.bind }),
          client: {
            enabled: true,
            servers: servers(flags, context),
            ...(flags.nodeClass !== undefined && { node_class: flags.nodeClass }),
            ...(flags.nodePool !== undefined && { node_pool: flags.nodePool }),
          },
          plugin: { raw_exec: { config: { enabled: flags.rawExec } } },
        },
      });
      if (problems.length > 0) throw new Error(problems.join('\n'));
      if (!isLoopback(options.bindAddr))
        throw new Error(`${options.bindAddr} is not a loopback address, and TLS is not built yet`);
      makeDataDir(options.dataDir!);
      const client = new Client({
        servers: servers(flags, context),
        spread: true,
        userAgent: `orch-agent/${context.version}`,
        log,
      });
      const part = await startNodePart({
        options: { ...options, ports: { ...options.ports, http: flags.port ?? 0 } },
        node: options.client!,
        dataDir: options.dataDir!,
        client,
        hasServer: false,
        version: context.version,
        clock: context.clock,
        log,
      }).catch(inUse([{ flag: 'port', host: options.bindAddr, port: flags.port ?? 0 }]));
      log.info('agent started');
      return () => part.close({ stopTasks: false });
    }),
});

function runControllers(context: Context, flags: Server & Log, names: readonly string[]): Promise<number> {
  return runPart(context, flags, async ({ log }) => {
    const unknown = names.find((name) => !(controllerNames as readonly string[]).includes(name));
    if (unknown !== undefined) throw new Error(`there is no controller "${unknown}"; there are ${controllerNames.join(', ')}`);
    const { Client } = await import('../../client/index.ts');
    const { startControllers } = await import('../../controllers/index.ts');
    const client = new Client({
      servers: servers(flags, context),
      spread: true,
      userAgent: `orch-controllers/${context.version}`,
      log,
    });
    const controllers = await startControllers({
      client,
      names: names as ControllerName[],
      identity: `${hostname()}/${uuid()}`,
      clock: context.clock,
      log,
      config: {},
    });
    log.info('controllers started, waiting for leadership', { names: names.join(','), server: client.server });
    return async () => {
      await controllers.close();
      client.close();
    };
  });
}

/** Explains an address in use by the flags that choose another one. */
const inUse =
  (settings: readonly PortSetting[]) =>
  async (error: unknown): Promise<never> => {
    const told = await explainPortInUse(error, settings);
    throw told === undefined ? error : new Error(told);
  };

interface Log {
  readonly logLevel: string | undefined;
  readonly logJson: boolean;
}

interface Server {
  readonly server: readonly string[];
}

function servers(flags: Server, context: Context): string[] {
  const given = flags.server.length > 0 ? flags.server.join(',') : (context.env['ORCH_ADDR'] ?? 'http://127.0.0.1:4646');
  return given.split(',').map((text) => {
    const url = text.includes('://') ? text : `http://${text}`;
    if (!/^https?:/.test(url) || !URL.canParse(url))
      throw new Error(`an address of an API server is like http://127.0.0.1:4646, not "${text}"`);
    return url;
  });
}

/** Runs one part until a signal comes, which may be while it starts. What it throws at its start is one sentence on stderr and exit code 1. */
async function runPart(
  context: Context,
  flags: Log,
  start: (tools: { log: ReturnType<typeof openLog> }) => Promise<() => Promise<void>>,
): Promise<number> {
  const logLevel = (flags.logLevel ?? 'info').toLowerCase() as LogLevel;
  if (!logLevels.includes(logLevel)) {
    complain(context, `Error: -log-level takes one of ${logLevels.join(', ')}, not "${flags.logLevel}"`);
    return 1;
  }
  const log = openLog({ logLevel, logJson: flags.logJson, logFile: undefined }, context.io, context.clock);
  const failed = new AbortController();
  try {
    const signalled = untilSignal({ giveUp: failed.signal });
    const starting = start({ log });
    const stop = await Promise.race([starting, signalled]);
    log.info('stopping', { signal: await signalled });
    if (typeof stop === 'string') process.exit(0); // it waits for something, and has nothing yet that would need an end
    await stop();
    return 0;
  } catch (error) {
    failed.abort();
    complain(context, `Error: ${describeError(error)}`);
    return 1;
  }
}
