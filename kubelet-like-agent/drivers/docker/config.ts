import { checkConfig, dockerFields, toBlocks, toFlag, toNumber, toText, toTextMap, toTexts, type DriverConfig } from '../../../openapi/index.ts'; // prettier-ignore

/** What the node's operator permits and prefers: `plugin "docker" { config { … } }`. */
export interface DockerPolicy {
  /** Host paths and named volumes. Off: only folders of the allocation can be mounted. */
  readonly volumesEnabled: boolean;
  /** Label that lets containers of this node's SELinux read what is mounted: `z` or `Z`. */
  readonly selinuxLabel?: string;
  readonly allowPrivileged: boolean;
  /** Capabilities that a task may add, in lower case; `all` permits every one. */
  readonly allowCaps: readonly string[];
  /** Namespaces of the host that a task may share: network, pid, ipc, uts. */
  readonly allowHostNamespaces: readonly string[];
  /** Host devices that a task may get: paths, or `all`. */
  readonly allowDevices: readonly string[];
  readonly allowRuntimes: readonly string[];
  /** For tasks that ask for none; 0 is no limit. */
  readonly pidsLimit: number;
  /** The engine's log driver, for tasks that choose none. */
  readonly logging?: { readonly type: string; readonly config: Readonly<Record<string, string>> };
}

/** What Docker gives by default, without net_raw, with which a container can pretend to be its neighbours. */
const DEFAULT_CAPS = ['audit_write', 'chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'mknod', 'net_bind_service', 'setfcap', 'setgid', 'setpcap', 'setuid', 'sys_chroot']; // prettier-ignore

export const defaultPolicy: DockerPolicy = {
  volumesEnabled: false,
  allowPrivileged: false,
  allowCaps: DEFAULT_CAPS,
  allowHostNamespaces: ['network'],
  allowDevices: [],
  allowRuntimes: ['runc'],
  pidsLimit: 0,
};

/** A task's config, read. Absent means that the image or the engine decides. */
export interface DockerConfig {
  readonly image: string;
  readonly command?: string;
  readonly args: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly workDir?: string;
  readonly ports: readonly string[];
  readonly portMap: Readonly<Record<string, number>>;
  readonly auth?: {
    readonly username: string;
    readonly password: string;
    readonly email: string;
    readonly serveraddress: string;
  };
  readonly forcePull: boolean;
  readonly imagePullTimeout: string;
  readonly volumes: readonly string[];
  readonly volumeDriver?: string;
  readonly mounts: readonly MountConfig[];
  readonly devices: readonly { readonly hostPath: string; readonly containerPath: string; readonly permissions: string }[];
  readonly networkMode?: string;
  readonly networkAliases: readonly string[];
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly macAddress?: string;
  readonly hostname?: string;
  readonly dnsServers?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly extraHosts?: readonly string[];
  readonly ipcMode?: string;
  readonly pidMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly cgroupns?: string;
  readonly cpuHardLimit: boolean;
  readonly cpuPeriod: number;
  readonly memoryHardLimitMB?: number;
  readonly oomScoreAdj?: number;
  readonly pidsLimit?: number;
  readonly ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly shmSize?: number;
  readonly storageOpt?: Readonly<Record<string, string>>;
  readonly readonlyRootfs: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly securityOpt: readonly string[];
  readonly groupAdd: readonly string[];
  readonly runtime?: string;
  readonly init: boolean;
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly logging?: { readonly type: string; readonly config: Readonly<Record<string, string>> };
  readonly disableHealthcheck: boolean;
}

export interface MountConfig {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  readonly target: string;
  readonly source: string;
  readonly readOnly: boolean;
  readonly propagation?: string;
  readonly volume?: { readonly noCopy: boolean; readonly labels: Readonly<Record<string, string>>; readonly driver?: { readonly name: string; readonly options: Readonly<Record<string, string>> } }; // prettier-ignore
  readonly tmpfs?: { readonly size?: number; readonly mode?: number };
}

/** Problems with a config, by its form and by what the node permits. */
export function validateConfig(config: DriverConfig, policy: DockerPolicy): string[] {
  const problems = checkConfig(dockerFields, config);
  return problems.length > 0 ? problems : refusals(readConfig(config), policy);
}

/** Reads a config that has passed checkConfig. */
export function readConfig(config: DriverConfig): DockerConfig {
  const text = (key: string): string | undefined => toText(config[key]) || undefined;
  const texts = (key: string): string[] => toTexts(config[key]) ?? [];
  const flag = (key: string): boolean => toFlag(config[key]) ?? false;
  const auth = config['auth'] === undefined ? undefined : toBlocks(config['auth'])?.[0];
  const logging = config['logging'] === undefined ? undefined : toBlocks(config['logging'])?.[0];
  const healthchecks = config['healthchecks'] === undefined ? undefined : toBlocks(config['healthchecks'])?.[0];
  const portMap = Object.entries(toTextMap(config['port_map'] ?? {}) ?? {});
  return defined({
    image: text('image') ?? '',
    command: text('command'),
    args: texts('args'),
    entrypoint: toTexts(config['entrypoint']),
    workDir: text('work_dir'),
    ports: texts('ports'),
    portMap: Object.fromEntries(portMap.map(([label, port]) => [label, Number(port)])),
    auth:
      auth === undefined
        ? undefined
        : {
            username: toText(auth['username']) ?? '',
            password: toText(auth['password']) ?? '',
            email: toText(auth['email']) ?? '',
            serveraddress: toText(auth['server_address']) ?? '',
          },
    forcePull: flag('force_pull'),
    imagePullTimeout: text('image_pull_timeout') ?? '5m',
    volumes: texts('volumes'),
    volumeDriver: text('volume_driver'),
    mounts: [...readMounts(config['mount']), ...readMounts(config['mounts'])],
    devices: (toBlocks(config['devices'] ?? []) ?? []).map((device) => {
      const hostPath = toText(device['host_path']) ?? '';
      return {
        hostPath,
        containerPath: toText(device['container_path']) || hostPath,
        permissions: toText(device['cgroup_permissions']) || 'rwm',
      };
    }),
    networkMode: text('network_mode'),
    networkAliases: texts('network_aliases'),
    ipv4Address: text('ipv4_address'),
    ipv6Address: text('ipv6_address'),
    macAddress: text('mac_address'),
    hostname: text('hostname'),
    dnsServers: toTexts(config['dns_servers']),
    dnsSearch: toTexts(config['dns_search_domains']),
    dnsOptions: toTexts(config['dns_options']),
    extraHosts: toTexts(config['extra_hosts']),
    ipcMode: text('ipc_mode'),
    pidMode: text('pid_mode'),
    utsMode: text('uts_mode'),
    usernsMode: text('userns_mode'),
    cgroupns: text('cgroupns'),
    cpuHardLimit: flag('cpu_hard_limit'),
    cpuPeriod: toNumber(config['cpu_cfs_period']) || 100_000,
    memoryHardLimitMB: toNumber(config['memory_hard_limit']) || undefined,
    oomScoreAdj: toNumber(config['oom_score_adj']),
    pidsLimit: toNumber(config['pids_limit']) || undefined,
    ulimits: Object.entries(toTextMap(config['ulimit'] ?? {}) ?? {}).map(([Name, value]) => {
      const [soft, hard] = value.split(':').map(Number);
      return { Name, Soft: soft!, Hard: hard ?? soft! };
    }),
    sysctls: toTextMap(config['sysctl'] ?? {}) ?? {},
    shmSize: toNumber(config['shm_size']) || undefined,
    storageOpt: config['storage_opt'] === undefined ? undefined : toTextMap(config['storage_opt']),
    readonlyRootfs: flag('readonly_rootfs'),
    capAdd: texts('cap_add').map(capability),
    capDrop: texts('cap_drop').map(capability),
    privileged: flag('privileged'),
    securityOpt: texts('security_opt'),
    groupAdd: texts('group_add'),
    runtime: text('runtime'),
    init: flag('init'),
    interactive: flag('interactive'),
    tty: flag('tty'),
    labels: toTextMap(config['labels'] ?? {}) ?? {},
    logging:
      logging === undefined
        ? undefined
        : {
            type: toText(logging['type']) || toText(logging['driver']) || 'json-file',
            config: toTextMap(logging['config'] ?? {}) ?? {},
          },
    disableHealthcheck: toFlag(healthchecks?.['disable']) ?? false,
  });
}

function readMounts(value: unknown): MountConfig[] {
  return (toBlocks(value ?? []) ?? []).map((block) => {
    const type = toText(block['type']) || 'volume';
    const volume = toBlocks(block['volume_options'] ?? [])?.[0];
    const driver = toBlocks(volume?.['driver_config'] ?? [])?.[0];
    const tmpfs = toBlocks(block['tmpfs_options'] ?? [])?.[0];
    return defined<MountConfig>({
      type: type as MountConfig['type'],
      target: toText(block['target']) ?? '',
      source: toText(block['source']) ?? '',
      readOnly: toFlag(block['readonly']) ?? false,
      propagation: toText(toBlocks(block['bind_options'] ?? [])?.[0]?.['propagation']) || undefined,
      volume:
        volume === undefined
          ? undefined
          : defined<NonNullable<MountConfig['volume']>>({
              noCopy: toFlag(volume['no_copy']) ?? false,
              labels: toTextMap(volume['labels'] ?? {}) ?? {},
              driver:
                driver === undefined
                  ? undefined
                  : { name: toText(driver['name']) ?? '', options: toTextMap(driver['options'] ?? {}) ?? {} },
            }),
      tmpfs:
        tmpfs === undefined
          ? undefined
          : defined<NonNullable<MountConfig['tmpfs']>>({ size: toNumber(tmpfs['size']), mode: toNumber(tmpfs['mode']) }),
    });
  });
}

/** Leaves out what is undefined. */
function defined<T>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

/** `CAP_NET_ADMIN`, `NET_ADMIN` and `net_admin` are one. */
const capability = (name: string): string => name.toLowerCase().replace(/^cap_/, '');

/** Options by which a container gets at more than its own: refused unless the operator permits them. */
export function refusals(config: DockerConfig, policy: DockerPolicy): string[] {
  const problems: string[] = [];
  if (config.privileged && !policy.allowPrivileged)
    problems.push('privileged: is not permitted on this node (plugin "docker": allow_privileged)');
  const caps = config.capAdd.filter((cap) => !policy.allowCaps.includes('all') && !policy.allowCaps.includes(cap));
  if (caps.length > 0) problems.push(`cap_add: ${caps.join(', ')} not permitted on this node (plugin "docker": allow_caps)`);

  const modes = [
    ['network', 'network_mode', config.networkMode],
    ['pid', 'pid_mode', config.pidMode],
    ['ipc', 'ipc_mode', config.ipcMode],
    ['uts', 'uts_mode', config.utsMode],
  ] as const;
  for (const [kind, key, mode] of modes) {
    const permitted = policy.allowPrivileged || policy.allowHostNamespaces.includes(kind);
    if (mode === 'host' && !permitted)
      problems.push(`${key}: the host's own is not permitted on this node (plugin "docker": allow_host_namespaces)`);
    if (key !== 'network_mode' && mode !== undefined && !['host', 'private', 'shareable', 'none'].includes(mode)) {
      if (!mode.startsWith('container:')) problems.push(`${key}: must be host, private or container:<name>`);
    }
  }
  if (config.usernsMode === 'host' && !policy.allowPrivileged)
    problems.push('userns_mode: the host\'s own is not permitted on this node (plugin "docker": allow_privileged)');
  if (config.cgroupns === 'host' && !policy.allowPrivileged)
    problems.push('cgroupns: the host\'s own is not permitted on this node (plugin "docker": allow_privileged)');
  for (const device of config.devices) {
    if (policy.allowPrivileged || policy.allowDevices.includes('all') || policy.allowDevices.includes(device.hostPath)) continue;
    problems.push(`devices: ${device.hostPath} is not permitted on this node (plugin "docker": allow_devices)`);
  }
  for (const option of config.securityOpt) {
    if (!/^no-new-privileges(?:[:=]true)?$/.test(option) && !policy.allowPrivileged) {
      problems.push(`security_opt: "${option}" is not permitted on this node (plugin "docker": allow_privileged)`);
    }
  }
  if (config.runtime !== undefined && !policy.allowRuntimes.includes(config.runtime)) {
    problems.push(`runtime: "${config.runtime}" is not permitted on this node (plugin "docker": allow_runtimes)`);
  }
  if (config.volumeDriver !== undefined && !policy.volumesEnabled)
    problems.push('volume_driver: volumes are not enabled on this node');
  for (const mount of config.mounts) {
    if (mount.type === 'volume' && !policy.volumesEnabled)
      problems.push(`mount: volumes are not enabled on this node; cannot mount volume "${mount.source}"`);
    if (mount.type === 'bind' && mount.source === '') problems.push('mount: a bind mount needs a source');
  }
  for (const [label, port] of Object.entries(config.portMap)) {
    if (!(Number.isInteger(port) && port > 0 && port < 65536)) problems.push(`port_map.${label}: must be a port`);
  }
  for (const { Name, Soft, Hard } of config.ulimits) {
    if (!Number.isInteger(Soft) || !Number.isInteger(Hard)) problems.push(`ulimit.${Name}: must be "soft:hard" or one number`);
  }
  return problems;
}
