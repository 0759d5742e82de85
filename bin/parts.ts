/**
 * The parts of orch as they are started in a process: the server (API, controllers, membership) and the node agent. This is the
 * only place where they meet; everything between them goes through the API.
 */
import { join } from 'node:path';
import type { Clock } from '../base/index.ts';
import { Client } from '../client/index.ts';
import type { ControllerName } from '../controllers/names.ts';
import { uuid } from '../base/index.ts';
import type { AgentOptions, ClientOptions, ServerOptions } from './agent/config.ts';
import { joinCluster } from './membership.ts';
import type { ProcessLogger } from './log.ts';
import { keyringPath, openStore } from './store.ts';
import { Started } from './started.ts';
import { endTermsOf } from './succession.ts';

const hostPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

export interface Part {
  close(options: { stopTasks: boolean }): Promise<void>;
}

interface ServerPart {
  readonly options: AgentOptions;
  readonly server: ServerOptions;
  readonly dataDir: string;
  readonly controllers: readonly ControllerName[];
  readonly version: string;
  readonly clock: Clock;
  readonly log: ProcessLogger;
}

/** An API server on the store that the configuration names, with all controllers, known to the cluster as a member. */
export function startServerPart({ options, server, dataDir, controllers, clock, log, version }: ServerPart): Promise<Part> {
  return Started.or(async (started) => {
    const { startApiServer } = await import('../apiserver/index.ts');
    const { startControllers } = await import('../controllers/index.ts');
    const where = server.etcd === undefined ? { path: join(dataDir, 'server', 'store') } : { etcd: server.etcd };
    const store = started.add(await openStore(where, { clock, log }), (store) => store.close());
    const listen = [
      { host: options.addresses.http, port: options.ports.http },
      { host: options.addresses.rpc, port: options.ports.rpc },
    ];
    const keyringFile = server.keyringFile ?? keyringPath(dataDir);
    const api = await startApiServer({
      store,
      listen,
      clock,
      keyringFile,
      log: log.child('apiserver'),
      logs: log.ring,
      jobPolicy: { requireDatacenters: server.requireDatacenters },
    });
    started.add(api, () => api.close());
    const identity = `${options.name}.${options.region}`;
    const servers = [`http://${options.addresses.http}:${options.ports.http}`];
    const client = new Client({ servers, userAgent: `orch-controllers/${version}`, log });
    started.add(client, () => client.close());
    const controllerIdentity = `${identity}/server/`;
    if (server.etcd === undefined) await endTermsOf(controllerIdentity, client, log);
    const running = await startControllers({
      client,
      names: controllers,
      identity: `${controllerIdentity}${uuid()}`,
      clock,
      log,
      config: { node: { heartbeatGrace: server.heartbeatGraceSeconds * 1000 }, gc: server.gc },
    });
    started.add(running, () => running.close());
    const member = await joinCluster({
      client,
      identity,
      address: options.advertise.http,
      port: options.ports.serf,
      httpAddress: hostPort(options.advertise.http, options.ports.http),
      datacenter: options.datacenter,
      region: options.region,
      version,
      clock,
      log,
    });
    started.add(member, () => member.leave());
    return { close: () => started.close() };
  });
}

interface NodePart {
  readonly options: AgentOptions;
  readonly node: ClientOptions;
  readonly dataDir: string;
  readonly client: Client;
  /** The HTTP port is the API server's; the agent's own server takes a free one. */
  readonly hasServer: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly log: ProcessLogger;
}

/** The agent of this machine. */
export async function startNodePart({ options, node, dataDir, client, hasServer, version, clock, log }: NodePart): Promise<Part> {
  // In -dev nothing of the machine is offered to the network, the tasks' ports included.
  const networkInterface = node.networkInterface ?? (options.dev ? 'lo' : undefined);
  const { agentDefaults, startAgent } = await import('../kubelet-like-agent/index.ts');
  const agent = await startAgent({
    client,
    clock,
    log: log.child('agent'),
    logs: log.ring,
    config: {
      ...agentDefaults,
      nodeName: options.name,
      version,
      datacenter: options.datacenter,
      nodePool: node.nodePool,
      nodeClass: node.nodeClass ?? '',
      meta: node.meta,
      dataDir: join(dataDir, 'client'),
      bindAddr: options.addresses.http,
      httpPort: hasServer ? 0 : options.ports.http,
      advertiseAddress: options.advertise.http,
      reserved: {
        cpuMHz: node.reserved.cpu,
        memoryMB: node.reserved.memory,
        diskMB: node.reserved.disk,
        ports: node.reserved.ports,
      },
      hostVolumes: node.hostVolumes,
      artifactFolders: namesIn(node.options['artifact.local_folders']),
      ...(networkInterface !== undefined && { networkInterface }),
      ...(node.cpuTotalCompute !== undefined && { cpuTotalCompute: node.cpuTotalCompute }),
      ...(node.memoryTotalMB !== undefined && { memoryTotalMB: node.memoryTotalMB }),
      ...(node.discovery !== undefined && { discovery: node.discovery }),
      keptLogs: node.keptLogs,
      gc: { ...agentDefaults.gc, maxAllocs: node.gcMaxAllocs },
      drivers: {
        rawExec: { enabled: node.rawExec },
        docker: node.docker,
        exec: node.exec,
        allowed: namesIn(node.options['driver.allowlist'] ?? node.options['driver.whitelist']),
        denied: namesIn(node.options['driver.denylist'] ?? node.options['driver.blacklist']),
      },
    },
  }).catch((error: unknown) => {
    client.close();
    throw error;
  });
  return {
    async close({ stopTasks }) {
      await agent.close({ stopTasks });
      client.close();
    },
  };
}

/** What a client option lists, with commas. */
const namesIn = (list = ''): string[] => list.split(',').map((name) => name.trim()).filter((name) => name !== ''); // prettier-ignore
