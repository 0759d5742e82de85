/** From configuration files and flags to AgentOptions: defaults, precedence, and what must go together. Pure but for reading. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { describeError, logLevels, type LogLevel } from '../../base/index.ts';
import { defaults, machineName, type AgentOptions, type DiscoveryOptions } from './config.ts';
import { merge } from './decode.ts';
import { checkEtcd, type EtcdOptions } from '../store.ts';

/** The shape that the schema gives; every key is optional. */
export interface AgentConfigFile {
  name?: string;
  region?: string;
  datacenter?: string;
  data_dir?: string;
  bind_addr?: string;
  log_level?: string;
  log_json?: boolean;
  log_file?: string;
  leave_on_interrupt?: boolean;
  leave_on_terminate?: boolean;
  addresses?: { http?: string; rpc?: string };
  advertise?: { http?: string; rpc?: string };
  ports?: { http?: number; rpc?: number; serf?: number };
  server?: {
    enabled?: boolean;
    heartbeat_grace?: number;
    min_heartbeat_ttl?: number;
    require_datacenters?: boolean;
    etcd_endpoints?: string[];
    etcd_prefix?: string;
    etcd_ca_file?: string;
    etcd_cert_file?: string;
    etcd_key_file?: string;
    etcd_server_name?: string;
    etcd_username?: string;
    etcd_password_file?: string;
    node_gc_threshold?: number;
    job_gc_threshold?: number;
    eval_gc_threshold?: number;
    deployment_gc_threshold?: number;
  };
  keyring?: { file?: string };
  client?: {
    enabled?: boolean;
    servers?: string[];
    server_join?: { retry_join?: string[]; start_join?: string[] };
    retry_join?: string[];
    node_class?: string;
    node_pool?: string;
    meta?: Record<string, string>;
    options?: Record<string, string>;
    network_interface?: string;
    cpu_total_compute?: number;
    memory_total_mb?: number;
    gc_max_allocs?: number;
    kept_logs?: { time?: number; mb_per_job?: number };
    discovery?: { enabled?: boolean; address?: string; dns_port?: number; http_port?: number; domain?: string; ttl?: number };
    reserved?: { cpu?: number; memory?: number; disk?: number; reserved_ports?: string };
    host_volume?: Record<string, { path?: string; read_only?: boolean }>;
  };
  plugin?: Record<string, { config?: Record<string, unknown> }>;
}

export interface AgentFlags {
  readonly dev: boolean;
  readonly insecure: boolean;
  /** Settings given by flags, in the shape of a file; they win over files. */
  readonly settings: AgentConfigFile;
}

/** Puts files (earlier first) and flags together. `problems` is empty when the options can be used. */
export function agentOptions(
  files: readonly AgentConfigFile[],
  flags: AgentFlags,
): { options: AgentOptions; problems: string[] } {
  const problems: string[] = [];
  const dev: AgentConfigFile = {
    server: { enabled: true },
    client: { enabled: true },
    plugin: { raw_exec: { config: { enabled: true } } },
  };
  const all = [...(flags.dev ? [dev] : []), ...files, flags.settings];
  const c = all.reduce<AgentConfigFile>((sum, file) => merge(sum, file) as AgentConfigFile, {});

  const server = c.server?.enabled === true;
  const client = c.client?.enabled === true;
  if (!server && !client) {
    problems.push(
      'Neither server nor client is enabled: say server { enabled = true } or client { enabled = true } in a file, or -dev',
    );
  }
  if (!flags.dev && c.data_dir === undefined)
    problems.push('data_dir is missing: say where to keep state, for example -data-dir=/var/lib/orch');
  const logLevel = (c.log_level ?? defaults.logLevel).toLowerCase().replace(/^err$/, 'error') as LogLevel;
  if (!logLevels.includes(logLevel)) problems.push(`log_level must be one of ${logLevels.join(', ')}, not "${c.log_level}"`);

  const bindAddr = c.bind_addr ?? defaults.bindAddr;
  const servers = [
    ...(c.client?.servers ?? []),
    ...(c.client?.retry_join ?? []),
    ...(c.client?.server_join?.retry_join ?? []),
    ...(c.client?.server_join?.start_join ?? []),
  ];
  if (client && !server && servers.length === 0) {
    problems.push('client.servers is missing: name at least one server, for example servers = ["127.0.0.1:4647"]');
  }
  const ports = { ...defaults.ports, ...c.ports };
  for (const [name, port] of Object.entries(ports)) {
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      problems.push(`ports.${name} must be a port from 1 to 65535, not ${port}`);
  }
  const addresses = { http: c.addresses?.http ?? bindAddr, rpc: c.addresses?.rpc ?? bindAddr };
  if (server && ports.http === ports.rpc && addresses.http === addresses.rpc)
    problems.push(`ports.http and ports.rpc are both ${ports.http}: a server needs two`);
  for (const name of Object.keys(c.plugin ?? {})) {
    if (!['docker', 'exec', 'raw_exec'].includes(name))
      problems.push(`plugin "${name}": there is no such driver; there are docker, exec and raw_exec`);
  }
  for (const [name, volume] of Object.entries(c.client?.host_volume ?? {})) {
    if (volume.path === undefined) problems.push(`client.host_volume "${name}": path is missing`);
  }
  const reachable = (address: string): string => (address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address);
  const hostOnly = (address: string): string => address.replace(/:\d+$/, '');
  const rawExec = c.plugin?.['raw_exec']?.config?.['enabled'] ?? c.client?.options?.['driver.raw_exec.enable'];

  if (c.keyring?.file !== undefined && !server) problems.push('keyring.file says nothing without server { enabled = true }');
  const etcd = server ? etcdOf(c.server, problems) : undefined;

  const options: AgentOptions = {
    name: c.name ?? machineName(),
    region: c.region ?? defaults.region,
    datacenter: c.datacenter ?? defaults.datacenter,
    dataDir: c.data_dir === undefined ? undefined : resolve(c.data_dir),
    bindAddr,
    addresses,
    advertise: {
      http: hostOnly(c.advertise?.http ?? reachable(addresses.http)),
      rpc: hostOnly(c.advertise?.rpc ?? reachable(addresses.rpc)),
    },
    ports,
    logLevel,
    logJson: c.log_json ?? false,
    logFile: c.log_file,
    leaveOnInterrupt: c.leave_on_interrupt ?? false,
    leaveOnTerminate: c.leave_on_terminate ?? false,
    dev: flags.dev,
    insecure: flags.insecure,
    server: server
      ? {
          ...(etcd !== undefined && { etcd }),
          keyringFile: c.keyring?.file === undefined ? undefined : resolve(c.keyring.file),
          requireDatacenters: c.server?.require_datacenters ?? false,
          heartbeatGraceSeconds: (c.server?.heartbeat_grace ?? defaults.heartbeatGraceSeconds * 1000) / 1000,
          gc: {
            ...(c.server?.node_gc_threshold !== undefined && { node: c.server.node_gc_threshold }),
            ...(c.server?.job_gc_threshold !== undefined && { job: c.server.job_gc_threshold }),
            ...(c.server?.eval_gc_threshold !== undefined && { evaluation: c.server.eval_gc_threshold }),
            ...(c.server?.deployment_gc_threshold !== undefined && { deployment: c.server.deployment_gc_threshold }),
          },
        }
      : undefined,
    client: client
      ? {
          servers,
          nodeClass: c.client?.node_class,
          nodePool: c.client?.node_pool ?? defaults.nodePool,
          meta: c.client?.meta ?? {},
          options: c.client?.options ?? {},
          reserved: {
            cpu: c.client?.reserved?.cpu ?? 0,
            memory: c.client?.reserved?.memory ?? 0,
            disk: c.client?.reserved?.disk ?? 0,
            ports: c.client?.reserved?.reserved_ports ?? '',
          },
          hostVolumes: Object.fromEntries(
            Object.entries(c.client?.host_volume ?? {}).map(([name, v]) => [
              name,
              { path: v.path ?? '', readOnly: v.read_only ?? false },
            ]),
          ),
          networkInterface: c.client?.network_interface,
          cpuTotalCompute: c.client?.cpu_total_compute,
          memoryTotalMB: c.client?.memory_total_mb,
          gcMaxAllocs: c.client?.gc_max_allocs ?? defaults.gcMaxAllocs,
          keptLogs: {
            maxAge: c.client?.kept_logs?.time ?? defaults.keptLogs.maxAge,
            bytesPerJob: (c.client?.kept_logs?.mb_per_job ?? defaults.keptLogs.bytesPerJob / 1048576) * 1048576,
          },
          discovery: discoveryOf(c.client?.discovery, problems),
          rawExec: rawExec === true || rawExec === 'true' || rawExec === '1',
          docker: c.plugin?.['docker']?.config ?? {},
          exec: c.plugin?.['exec']?.config ?? {},
        }
      : undefined,
  };
  return { options, problems };
}

function discoveryOf(
  block: NonNullable<AgentConfigFile['client']>['discovery'],
  problems: string[],
): DiscoveryOptions | undefined {
  const { enabled, address, dns_port, http_port, domain, ttl } = block ?? {};
  if (enabled === false) return undefined;
  const { discovery } = defaults;
  const options = {
    address: address ?? discovery.address,
    dnsPort: dns_port ?? discovery.dnsPort,
    httpPort: http_port ?? discovery.httpPort,
    domain: (domain ?? discovery.domain).toLowerCase().replace(/\.$/, ''),
    ttlSeconds: ttl === undefined ? discovery.ttlSeconds : Math.floor(ttl / 1000),
    required: block !== undefined,
  };
  if (isIP(options.address) === 0) problems.push(`client.discovery.address: "${options.address}" is not an IP address`);
  for (const port of [options.dnsPort, options.httpPort])
    if (!Number.isInteger(port) || port < 0 || port > 65535) problems.push(`client.discovery: there is no port ${port}`);
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(options.domain))
    problems.push(`client.discovery.domain: "${options.domain}" is not a domain`);
  return options;
}

function etcdOf(server: AgentConfigFile['server'], problems: string[]): EtcdOptions | undefined {
  if (server?.etcd_endpoints === undefined || server.etcd_endpoints.length === 0) {
    const without = Object.keys(server ?? {}).find((key) => key.startsWith('etcd_') && key !== 'etcd_endpoints');
    if (without !== undefined) problems.push(`server.${without} says nothing without server.etcd_endpoints`);
    return undefined;
  }
  try {
    return checkEtcd({
      endpoints: server.etcd_endpoints,
      prefix: server.etcd_prefix,
      caFile: server.etcd_ca_file,
      certFile: server.etcd_cert_file,
      keyFile: server.etcd_key_file,
      serverName: server.etcd_server_name,
      username: server.etcd_username,
      passwordFile: server.etcd_password_file,
    });
  } catch (error) {
    problems.push(`server: ${describeError(error)}`);
    return undefined;
  }
}
