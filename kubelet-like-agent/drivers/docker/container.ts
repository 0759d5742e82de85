import type { ContainerCreateOptions, HostConfig, MountSettings } from 'dockerode';
import { DriverError, type TaskPort, type TaskStart } from '../driver.ts';
import type { DockerConfig, DockerPolicy } from './config.ts';
import type { Bind } from './volumes.ts';

export const labels = {
  node: 'orch.dev/node-id',
  alloc: 'orch.dev/alloc-id',
  allocName: 'orch.dev/alloc-name',
  namespace: 'orch.dev/namespace',
  job: 'orch.dev/job',
  group: 'orch.dev/group',
  task: 'orch.dev/task',
  /** What tools for Nomad look for. */
  nomadAlloc: 'com.hashicorp.nomad.alloc_id',
} as const;

export const containerName = (task: Pick<TaskStart, 'task' | 'allocId'>): string => `${task.task}-${task.allocId}`;

const MB = 1024 * 1024;
/** Networks of its own, in which ports have to be published. */
const hasOwnNetwork = (mode: string): boolean => !(mode === 'host' || mode === 'none' || mode.startsWith('container:'));

export interface ContainerInput {
  readonly task: TaskStart;
  readonly config: DockerConfig;
  readonly policy: DockerPolicy;
  readonly binds: readonly Bind[];
  /** MHz of one core, for hard CPU limits. */
  readonly coreMHz: number;
}

/** What the engine is asked to create. Pure. Throws DriverError for what does not fit together. */
export function containerOptions({ task, config, policy, binds, coreMHz }: ContainerInput): ContainerCreateOptions {
  const mode = networkMode(task, config, policy);
  const published = hasOwnNetwork(mode) ? publishedPorts(task, config) : [];
  const command = [...(config.command === undefined ? [] : [config.command]), ...config.args];
  const hostname = config.hostname ?? task.network?.hostname;
  const bindPorts: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { inside, port } of published) {
    for (const protocol of ['tcp', 'udp']) {
      (bindPorts[`${inside}/${protocol}`] ??= []).push({ HostIp: port.hostIP, HostPort: String(port.value) });
    }
  }
  return {
    name: containerName(task),
    Image: config.image,
    Env: Object.entries(task.env).map(([name, value]) => `${name}=${value}`),
    Labels: {
      ...config.labels,
      [labels.node]: task.nodeId,
      [labels.alloc]: task.allocId,
      [labels.allocName]: task.allocName,
      [labels.namespace]: task.namespace,
      [labels.job]: task.jobName,
      [labels.group]: task.group,
      [labels.task]: task.task,
      [labels.nomadAlloc]: task.allocId,
    },
    ExposedPorts: Object.fromEntries(Object.keys(bindPorts).map((port) => [port, {}])),
    ...(command.length > 0 && { Cmd: command }),
    ...(config.entrypoint !== undefined && { Entrypoint: [...config.entrypoint] }),
    ...(config.workDir !== undefined && { WorkingDir: config.workDir }),
    ...(task.user !== undefined && task.user !== '' && { User: task.user }),
    ...(hostname !== undefined && hasOwnNetwork(mode) && { Hostname: hostname }),
    ...(config.macAddress !== undefined && { MacAddress: config.macAddress }),
    ...(config.tty && { Tty: true }),
    ...(config.interactive && { OpenStdin: true }),
    ...(task.killSignal !== undefined && { StopSignal: task.killSignal }),
    ...(config.disableHealthcheck && { Healthcheck: { Test: ['NONE'] } }),
    HostConfig: hostConfig({ task, config, policy, binds, coreMHz }, mode, bindPorts),
    ...(!['default', 'bridge', 'host', 'none'].includes(mode) &&
      hasOwnNetwork(mode) && { NetworkingConfig: endpoint(mode, config) }),
  };
}

function hostConfig(
  { task, config, policy, binds, coreMHz }: ContainerInput,
  mode: string,
  ports: NonNullable<HostConfig['PortBindings']> & object,
): HostConfig {
  const dns = task.network?.dns;
  const pids = config.pidsLimit ?? policy.pidsLimit;
  const cores = task.resources.cores ?? [];
  const cpu = task.resources.cpu ?? 0;
  const otherMounts = config.mounts.filter((mount) => mount.type !== 'bind').map(mountSettings);
  const devices = config.devices.map((d) => ({
    PathOnHost: d.hostPath,
    PathInContainer: d.containerPath,
    CgroupPermissions: d.permissions,
  }));
  return {
    Binds: binds.map(({ source, target, options }) =>
      [source, target, ...(options.length > 0 ? [options.join(',')] : [])].join(':'),
    ),
    NetworkMode: mode,
    PortBindings: ports,
    // The agent restarts tasks, by their policy.
    RestartPolicy: { Name: '' },
    LogConfig: logConfig(task, config, policy),
    CpuShares: Math.max(2, cpu),
    ...(cores.length > 0 && { CpusetCpus: cores.join(',') }),
    ...(config.cpuHardLimit && {
      CpuPeriod: config.cpuPeriod,
      CpuQuota: Math.max(1000, Math.round((cpu / coreMHz) * config.cpuPeriod)),
    }),
    ...memory(task, config),
    ...(pids > 0 && { PidsLimit: pids }),
    CapAdd: config.capAdd.map((cap) => cap.toUpperCase()),
    CapDrop: [
      ...(config.capAdd.includes('net_raw') || config.capAdd.includes('all') ? [] : ['NET_RAW']),
      ...config.capDrop.map((cap) => cap.toUpperCase()),
    ],
    Privileged: config.privileged,
    ReadonlyRootfs: config.readonlyRootfs,
    ...(config.securityOpt.length > 0 && { SecurityOpt: [...config.securityOpt] }),
    ...(config.groupAdd.length > 0 && { GroupAdd: [...config.groupAdd] }),
    ...(config.runtime !== undefined && { Runtime: config.runtime }),
    ...(config.init && { Init: true }),
    ...(config.ulimits.length > 0 && { Ulimits: [...config.ulimits] }),
    ...(Object.keys(config.sysctls).length > 0 && { Sysctls: { ...config.sysctls } }),
    ...(config.shmSize !== undefined && { ShmSize: config.shmSize }),
    ...(config.storageOpt !== undefined && { StorageOpt: { ...config.storageOpt } }),
    ...(config.oomScoreAdj !== undefined && { OomScoreAdj: config.oomScoreAdj }),
    ...(devices.length > 0 && { Devices: devices }),
    ...(otherMounts.length > 0 && { Mounts: otherMounts }),
    ...(config.volumeDriver !== undefined && { VolumeDriver: config.volumeDriver }),
    ...present('Dns', config.dnsServers ?? dns?.servers),
    ...present('DnsSearch', config.dnsSearch ?? dns?.searches),
    ...present('DnsOptions', config.dnsOptions ?? dns?.options),
    ...present('ExtraHosts', config.extraHosts),
    ...(config.ipcMode !== undefined && { IpcMode: config.ipcMode }),
    ...(config.pidMode !== undefined && { PidMode: config.pidMode }),
    ...(config.utsMode !== undefined && { UTSMode: config.utsMode }),
    ...(config.usernsMode !== undefined && { UsernsMode: config.usernsMode }),
    ...(config.cgroupns !== undefined && { CgroupnsMode: config.cgroupns as 'host' | 'private' }),
  };
}

const present = <K extends string>(key: K, list: readonly string[] | undefined): { [P in K]?: string[] } =>
  (list === undefined || list.length === 0 ? {} : { [key]: [...list] }) as { [P in K]?: string[] };

/** `memory` is what the scheduler counts; above it `memory_max` (or the hard limit of the config) is where the kernel steps in. */
function memory(task: TaskStart, config: DockerConfig): Pick<HostConfig, 'Memory' | 'MemorySwap' | 'MemoryReservation'> {
  const reserved = task.resources.memory ?? 0;
  const hard = config.memoryHardLimitMB ?? task.resources.memoryMax ?? 0;
  const limit = Math.max(reserved, hard) * MB;
  if (limit === 0) return {};
  // As much swap as memory means none.
  return { Memory: limit, MemorySwap: limit, ...(hard > reserved && reserved > 0 && { MemoryReservation: reserved * MB }) };
}

function networkMode(task: TaskStart, config: DockerConfig, policy: DockerPolicy): string {
  const wanted =
    config.networkMode ?? (task.network?.mode === 'none' ? 'none' : task.network?.mode === 'bridge' ? 'bridge' : 'default');
  for (const mode of [wanted, config.ipcMode, config.pidMode]) {
    const other = mode?.startsWith('container:') ? mode.slice('container:'.length) : undefined;
    if (other !== undefined && !other.endsWith(`-${task.allocId}`) && !policy.allowPrivileged) {
      throw refuse(`container "${other}" is not one of this allocation`);
    }
  }
  return wanted === 'default' ? 'bridge' : wanted;
}

/** Which ports of the node lead to which in the container. */
function publishedPorts(task: TaskStart, config: DockerConfig): { inside: number; port: TaskPort }[] {
  const find = (label: string, field: string): TaskPort => {
    const port = task.ports.find((p) => p.label === label);
    if (port === undefined) throw refuse(`${field}: port "${label}" is not asked for in a network block`);
    return port;
  };
  const mapped = new Map<string, { inside: number; port: TaskPort }>();
  for (const [label, inside] of Object.entries(config.portMap)) mapped.set(label, { inside, port: find(label, 'port_map') });
  for (const label of config.ports) {
    const port = find(label, 'ports');
    if (!mapped.has(label)) mapped.set(label, { inside: port.to, port });
  }
  // Without a network of the group the ports are the task's own, and all of them are meant; in a bridge they all lead inside.
  if (task.network === undefined || (task.network.mode === 'bridge' && config.ports.length === 0)) {
    for (const port of task.ports) if (!mapped.has(port.label)) mapped.set(port.label, { inside: port.to, port });
  }
  return [...mapped.values()];
}

function logConfig(
  task: TaskStart,
  config: DockerConfig,
  policy: DockerPolicy,
): { Type: string; Config: Record<string, string> } {
  const chosen = config.logging ?? policy.logging;
  if (chosen !== undefined) return { Type: chosen.type, Config: { ...chosen.config } };
  if (!task.logs.enabled) return { Type: 'none', Config: {} };
  // The engine's own copy is a buffer for times without an agent, and for tasks that print faster than it can be read: what
  // outruns two of these files is lost.
  return { Type: 'json-file', Config: { 'max-file': '2', 'max-size': '100m' } };
}

function mountSettings(mount: DockerConfig['mounts'][number]): MountSettings {
  return {
    Type: mount.type,
    Target: mount.target,
    Source: mount.source,
    ReadOnly: mount.readOnly,
    ...(mount.volume !== undefined && {
      VolumeOptions: {
        NoCopy: mount.volume.noCopy,
        Labels: { ...mount.volume.labels },
        DriverConfig: { Name: mount.volume.driver?.name ?? '', Options: { ...mount.volume.driver?.options } },
      },
    }),
    ...(mount.tmpfs !== undefined && { TmpfsOptions: { SizeBytes: mount.tmpfs.size ?? 0, Mode: mount.tmpfs.mode ?? 0o1777 } }),
  };
}

function endpoint(network: string, config: DockerConfig): NonNullable<ContainerCreateOptions['NetworkingConfig']> {
  const addresses = {
    ...(config.ipv4Address !== undefined && { IPv4Address: config.ipv4Address }),
    ...(config.ipv6Address !== undefined && { IPv6Address: config.ipv6Address }),
  };
  return {
    EndpointsConfig: {
      [network]: { Aliases: [...config.networkAliases], ...(Object.keys(addresses).length > 0 && { IPAMConfig: addresses }) },
    },
  };
}

const refuse = (message: string): DriverError => new DriverError(message, { recoverable: false });
