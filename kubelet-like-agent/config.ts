import type { NodeReserved } from '../openapi/index.ts';
import type { DiscoveryConfig } from './discovery/index.ts';
import type { KeepLimits } from './logs/index.ts';

/** How one agent is set up: the `client` part of an agent's configuration, read and with its defaults (`agentDefaults`). */
export interface AgentConfig {
  /** What people call the node; default the host name. */
  readonly nodeName?: string;
  readonly datacenter: string;
  readonly nodePool: string;
  readonly nodeClass: string;
  readonly meta: Readonly<Record<string, string>>;
  /** Everything that the agent keeps: its ID, state, allocations. */
  readonly dataDir: string;
  /** Where the agent's own HTTP server listens. */
  readonly bindAddr: string;
  /** 0: any free port. */
  readonly httpPort: number;
  /** The host that the API server reaches the agent at, when it is not bindAddr. */
  readonly advertiseAddress?: string;
  /** What is kept for the machine itself. */
  readonly reserved: NodeReserved;
  readonly hostVolumes: Readonly<Record<string, { readonly path: string; readonly readOnly: boolean }>>;
  /** Folders of the node that artifacts may be copied from. Default: none. */
  readonly artifactFolders?: readonly string[];
  /** Named sets of addresses that ports can ask for (`host_network`). */
  readonly hostNetworks: Readonly<Record<string, { readonly cidr?: string; readonly interface?: string }>>;
  /** The interface whose addresses ports are bound to; default: that of the default route. */
  readonly networkInterface?: string;
  readonly drivers: {
    readonly rawExec: { readonly enabled: boolean };
    /** The `config` block of `plugin "docker"`, as it was written. */
    readonly docker: Readonly<Record<string, unknown>>;
    /** That of `plugin "exec"`, which java tasks follow as well. */
    readonly exec?: Readonly<Record<string, unknown>>;
    /** Names of drivers that the node is to have, when they are not all, and not to have. */
    readonly allowed?: readonly string[];
    readonly denied?: readonly string[];
  };
  /** MHz, when the machine does not say it right. */
  readonly cpuTotalCompute?: number;
  readonly memoryTotalMB?: number;
  readonly heartbeatTtlSeconds: number;
  /** Where services can be asked for; absent: nowhere. */
  readonly discovery?: DiscoveryConfig & {
    /** The ports were asked for, so an agent that cannot have them does not start. */
    readonly required: boolean;
  };
  /** Logs of allocations whose folders are gone. */
  readonly keptLogs: KeepLimits;
  readonly gc: { readonly maxAllocs: number; readonly diskUsagePercent: number };
  /** Said in Node.status.version. */
  readonly version: string;
}

/** What an agent does when nothing is said; dataDir and version always are. */
export const agentDefaults: Omit<AgentConfig, 'dataDir' | 'version'> = {
  datacenter: 'dc1',
  nodePool: 'default',
  nodeClass: '',
  meta: {},
  bindAddr: '127.0.0.1',
  httpPort: 0,
  reserved: {},
  hostVolumes: {},
  hostNetworks: {},
  drivers: { rawExec: { enabled: false }, docker: {} },
  heartbeatTtlSeconds: 20,
  keptLogs: { maxAge: 24 * 3600_000, bytesPerJob: 100 << 20 },
  gc: { maxAllocs: 50, diskUsagePercent: 80 },
};
