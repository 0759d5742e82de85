import { describeError } from '../../base/index.ts';
import { complain, defineCommand, flag, noArguments } from '../../ctl/index.ts';
import type { AgentConfigFile } from '../agent/options.ts';

const list = (text: string | undefined): string[] | undefined => text?.split(',').filter(Boolean);

export const agentCommand = defineCommand({
  name: 'agent',
  summary: 'Run a server, a client, or both',
  usage: '[options]',
  description:
    'Runs the parts of orch that its configuration enables, until a signal ends it. With -dev everything runs in this process with ' +
    'its state in a temporary folder, and tasks end with it; without, tasks run on and are found again.',
  examples: [
    { text: 'A cluster on this machine, to try things', command: 'orchctl agent -dev' },
    {
      text: 'A server, and a client that joins it',
      command: 'orchctl agent -config server.hcl\n  orchctl agent -config client.hcl',
    },
  ],
  args: noArguments,
  handlesSignals: true,
  flags: {
    dev: flag.boolean('Server and client in one process, state in a temporary folder, raw_exec enabled, loopback only.'),
    config: flag.list('<path>', 'A configuration file (HCL or JSON) or a folder of them. Repeatable; later ones win.'),
    server: flag.boolean('Enable the server.'),
    client: flag.boolean('Enable the client.'),
    dataDir: flag.string('<path>', 'Where to keep state.'),
    bind: flag.string('<address>', 'The address to listen on. Default 127.0.0.1.'),
    httpPort: flag.integer('<port>', 'The port of the API. Default 4646.'),
    rpcPort: flag.integer('<port>', 'The port that clients join on. Default 4647.'),
    node: flag.string('<name>', 'The name of this agent. Default: the host name.'),
    dc: flag.string('<name>', 'The datacenter. Default dc1.'),
    region: flag.string('<name>', 'The region. Default global.'),
    servers: flag.string('<host:port,…>', 'Servers to join, for a client.'),
    nodeClass: flag.string('<name>', 'The class of this node.'),
    nodePool: flag.string('<name>', 'The node pool of this node.'),
    meta: flag.list('<key=value>', 'Metadata of this node. Repeatable.'),
    etcdEndpoints: flag.string('<url,…>', 'Keep state in etcd instead of the embedded store.'),
    logLevel: flag.string('<level>', 'trace, debug, info, warn or error. Default info.'),
    logJson: flag.boolean('Log lines as JSON.'),
    insecureListen: flag.boolean(
      'Allow to listen beyond loopback without TLS and tokens. Whoever reaches it can run programs here.',
    ),
    bootstrapExpect: flag.integer('<n>', 'Accepted for compatibility; servers find each other through the store.', {
      hidden: true,
    }),
  },
  async run({ flags }, context) {
    const { loadConfigFiles } = await import('../agent/load.ts');
    const { agentOptions } = await import('../agent/options.ts');
    const loaded = await loadConfigFiles(flags.config, context.io.cwd);
    if (loaded.problems.length > 0) {
      complain(context, loaded.problems.join('\n'));
      return 1;
    }
    const meta = flags.meta.map((pair) => pair.split(/=(.*)/s));
    const badMeta = flags.meta.find((pair) => !pair.includes('='));
    if (badMeta !== undefined) {
      complain(context, `-meta takes key=value, not "${badMeta}"`);
      return 1;
    }
    const settings = clean({
      name: flags.node,
      region: flags.region,
      datacenter: flags.dc,
      data_dir: flags.dataDir,
      bind_addr: flags.bind,
      log_level: flags.logLevel,
      log_json: flags.logJson || undefined,
      ports: clean({ http: flags.httpPort, rpc: flags.rpcPort }),
      server: clean({ enabled: flags.server || undefined, etcd_endpoints: list(flags.etcdEndpoints) }),
      client: clean({
        enabled: flags.client || undefined,
        servers: list(flags.servers),
        node_class: flags.nodeClass,
        node_pool: flags.nodePool,
        meta: meta.length === 0 ? undefined : Object.fromEntries(meta.map(([k, v]) => [k!, v!])),
      }),
    }) as AgentConfigFile | undefined;
    const { options, problems } = agentOptions(loaded.configs, {
      dev: flags.dev,
      insecure: flags.insecureListen,
      settings: settings ?? {},
    });
    if (problems.length > 0) {
      complain(context, problems.map((p) => `Error: ${p}`).join('\n'));
      return 1;
    }
    const { runAgent } = await import('../agent/run.ts');
    try {
      return await runAgent(options, {
        io: context.io,
        clock: context.clock,
        version: context.version,
        files: loaded.files,
        notes: loaded.notes,
      });
    } catch (error) {
      complain(context, `Error: ${describeError(error)}`);
      return 1;
    }
  },
});

/** Leaves out what was not given, so that it does not win over a file. */
function clean(object: Record<string, unknown>): Record<string, unknown> | undefined {
  const entries = Object.entries(object).filter(([, v]) => v !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
