import { hostname } from 'node:os';
import type { LogLevel } from '../../base/index.ts';
import type { EtcdOptions } from '../store.ts';

/**
 * An agent's configuration with every default filled in. The names of the file are in schema.ts; docs/configuration.md
 * describes them for users.
 */
export interface AgentOptions {
  readonly name: string;
  readonly region: string;
  readonly datacenter: string;
  /** Absent in dev mode until a temporary folder is made. */
  readonly dataDir: string | undefined;
  readonly bindAddr: string;
  readonly addresses: { readonly http: string; readonly rpc: string };
  readonly advertise: { readonly http: string; readonly rpc: string };
  readonly ports: { readonly http: number; readonly rpc: number; readonly serf: number };
  readonly logLevel: LogLevel;
  readonly logJson: boolean;
  readonly logFile: string | undefined;
  readonly leaveOnInterrupt: boolean;
  readonly leaveOnTerminate: boolean;
  readonly dev: boolean;
  readonly server: ServerOptions | undefined;
  readonly client: ClientOptions | undefined;
  /** Listen beyond loopback without TLS and tokens. */
  readonly insecure: boolean;
}

export interface ServerOptions {
  /** Absent means the embedded store in data_dir. */
  readonly etcd?: EtcdOptions;
  /** The file of root keys; absent means one in data_dir. */
  readonly keyringFile: string | undefined;
  /** Jobs must name their datacenters. */
  readonly requireDatacenters: boolean;
  /** How long after its Lease has expired a node counts as down, in seconds. */
  readonly heartbeatGraceSeconds: number;
  /** How long finished objects are kept, in milliseconds; absent means the default of the collector. */
  readonly gc: { readonly node?: number; readonly job?: number; readonly evaluation?: number; readonly deployment?: number };
}

export interface ClientOptions {
  /** host:port of servers; empty means the server in this process. */
  readonly servers: readonly string[];
  readonly nodeClass: string | undefined;
  readonly nodePool: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly reserved: { readonly cpu: number; readonly memory: number; readonly disk: number; readonly ports: string };
  readonly hostVolumes: Readonly<Record<string, { readonly path: string; readonly readOnly: boolean }>>;
  readonly networkInterface: string | undefined;
  readonly cpuTotalCompute: number | undefined;
  readonly memoryTotalMB: number | undefined;
  readonly gcMaxAllocs: number;
  readonly keptLogs: { readonly maxAge: number; readonly bytesPerJob: number };
  /** Where services can be asked for; undefined: nowhere. */
  readonly discovery: DiscoveryOptions | undefined;
  readonly rawExec: boolean;
  readonly docker: Readonly<Record<string, unknown>>;
  readonly exec: Readonly<Record<string, unknown>>;
}

export interface DiscoveryOptions {
  readonly address: string;
  readonly dnsPort: number;
  readonly httpPort: number;
  readonly domain: string;
  readonly ttlSeconds: number;
  /** The file has the block: without the ports the agent does not start. */
  readonly required: boolean;
}

export const defaults = {
  region: 'global',
  datacenter: 'dc1',
  bindAddr: '127.0.0.1',
  ports: { http: 4646, rpc: 4647, serf: 4648 },
  logLevel: 'info' as LogLevel,
  nodePool: 'default',
  heartbeatGraceSeconds: 10,
  gcMaxAllocs: 50,
  keptLogs: { maxAge: 24 * 3600_000, bytesPerJob: 100 * 1024 * 1024 },
  discovery: { address: '127.0.0.1', dnsPort: 4653, httpPort: 4654, domain: 'orch', ttlSeconds: 5 },
};

/** The name of this machine, as people know it. */
export const machineName = (): string => hostname();

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.');
}
