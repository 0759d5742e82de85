/** Facts of the machine. `read…` look, everything else turns texts into values and can be tested without a machine. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, constants, cpus, hostname, networkInterfaces, release, totalmem, type NetworkInterfaceInfo } from 'node:os';
import type { NodeNetwork, NodeResources } from '../../openapi/index.ts';
import type { AgentConfig } from '../config.ts';

export interface Fingerprint {
  readonly attributes: Readonly<Record<string, string>>;
  readonly resources: NodeResources;
  readonly bootId: string;
  readonly hostname: string;
  /** The address that services of this node are reached at. */
  readonly address: string;
}

/** What was read of the machine. */
export interface Machine {
  readonly arch: string;
  readonly hostname: string;
  readonly release: string;
  readonly cpuInfo: string;
  /** kHz from cpufreq, where it exists. */
  readonly maxFrequency: string | undefined;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly osRelease: string;
  readonly route: string;
  readonly mounts: string;
  readonly bootId: string;
  readonly interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>;
  readonly disk: { readonly path: string; readonly totalBytes: number; readonly freeBytes: number };
  readonly speedOf: (device: string) => number | undefined;
}

/** Nomad's release whose job files and attribute names are followed; jobs constrain on it. */
const COMPATIBLE = '1.1.2';

export async function readMachine(dataDir: string): Promise<Machine> {
  const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const disk = await statfs(dataDir);
  const interfaces = networkInterfaces();
  const speeds = new Map<string, number>();
  for (const device of Object.keys(interfaces)) {
    const speed = Number((await text(`/sys/class/net/${device}/speed`)).trim());
    if (speed > 0) speeds.set(device, speed);
  }
  return {
    arch: arch(),
    hostname: hostname(),
    release: release(),
    cpuInfo: await text('/proc/cpuinfo'),
    maxFrequency: (await text('/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq')) || undefined,
    cores: cpus().length,
    memoryBytes: totalmem(),
    osRelease: await text('/etc/os-release'),
    route: await text('/proc/net/route'),
    mounts: await text('/proc/self/mountinfo'),
    bootId: (await text('/proc/sys/kernel/random/boot_id')).trim(),
    interfaces,
    disk: { path: dataDir, totalBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize },
    speedOf: (device) => speeds.get(device),
  };
}

export function fingerprint(machine: Machine, config: AgentConfig): Fingerprint {
  const cpu = parseCpu(machine);
  const os = parseOsRelease(machine.osRelease);
  const totalCompute = config.cpuTotalCompute ?? cpu.frequency * machine.cores;
  const memoryMB = config.memoryTotalMB ?? Math.floor(machine.memoryBytes / 2 ** 20);
  const networks = nodeNetworks(machine, config);
  const address = networks[0]?.ip ?? '127.0.0.1';
  const cgroup = cgroupVersion(machine.mounts);
  const attributes: Record<string, string | undefined> = {
    'cpu.arch': machine.arch === 'x64' ? 'amd64' : machine.arch === 'ia32' ? '386' : machine.arch,
    'cpu.numcores': String(machine.cores),
    'cpu.frequency': String(cpu.frequency),
    'cpu.totalcompute': String(totalCompute),
    'cpu.modelname': cpu.model,
    'memory.totalbytes': String(config.memoryTotalMB === undefined ? machine.memoryBytes : memoryMB * 2 ** 20),
    'kernel.name': 'linux',
    'kernel.version': machine.release,
    'os.name': os.name,
    'os.version': os.version,
    'os.signals': Object.keys(constants.signals).join(','),
    'nomad.version': COMPATIBLE,
    'orch.version': config.version,
    'unique.hostname': machine.hostname,
    'unique.network.ip-address': address,
    'unique.storage.volume': volumeOf(machine.mounts, machine.disk.path),
    'unique.storage.bytestotal': String(machine.disk.totalBytes),
    'unique.storage.bytesfree': String(machine.disk.freeBytes),
    'unique.cgroup.version': cgroup,
    'unique.cgroup.mountpoint': cgroup === undefined ? undefined : '/sys/fs/cgroup',
  };
  return {
    attributes: Object.fromEntries(Object.entries(attributes).filter((e): e is [string, string] => e[1] !== undefined)),
    resources: {
      cpuMHz: totalCompute,
      cores: machine.cores,
      memoryMB,
      diskMB: Math.floor(machine.disk.freeBytes / 2 ** 20),
      networks,
    },
    bootId: machine.bootId,
    hostname: machine.hostname,
    address,
  };
}

/** The nominal frequency, not the one of this moment: it must not change from start to start. */
export function parseCpu(machine: Pick<Machine, 'cpuInfo' | 'maxFrequency'>): { model: string | undefined; frequency: number } {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}\\s*:\\s*(.+)$`, 'mi').exec(machine.cpuInfo)?.[1]?.trim();
  const nominal = Math.floor(Number(machine.maxFrequency ?? 0) / 1000);
  const current = Math.floor(Number(field('cpu MHz') ?? 0));
  return {
    model: field('model name') ?? field('Model'),
    // Machines that do not say (some ARM boards) count 1 GHz a core; cpu_total_compute corrects it.
    frequency: nominal || current || 1000,
  };
}

export function parseOsRelease(text: string): { name: string | undefined; version: string | undefined } {
  const field = (name: string): string | undefined => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1];
  return { name: field('ID'), version: field('VERSION_ID') };
}

/** The device of the default route. */
export function defaultDevice(route: string): string | undefined {
  const rows = route.trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/)); // prettier-ignore
  const defaults = rows.filter((r) => r[1] === '00000000' && r[7] === '00000000');
  return defaults.sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}

/** The file system that a path is on, by its longest mount point. */
export function volumeOf(mountinfo: string, path: string): string | undefined {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4]?.replace(/\\040/g, ' ');
    const source = right?.split(' ')[1];
    return point !== undefined && source !== undefined ? [{ point, source }] : [];
  });
  return mounts
    .filter(({ point }) => path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`))
    .sort((a, b) => a.point.length - b.point.length)
    .pop()?.source;
}

/** `v2` when the unified hierarchy is the only one. */
export function cgroupVersion(mountinfo: string): string | undefined {
  if (/ \/sys\/fs\/cgroup [^\n]* - cgroup2 /.test(mountinfo)) return 'v2';
  return / - cgroup /.test(mountinfo) ? 'v1' : undefined;
}

/** The addresses that ports can be bound to: those of the chosen interface, and those of each host network. */
export function nodeNetworks(machine: Pick<Machine, 'interfaces' | 'route' | 'speedOf'>, config: AgentConfig): NodeNetwork[] {
  const device = config.networkInterface ?? defaultDevice(machine.route) ?? 'lo';
  const addresses = machine.interfaces[device];
  if (addresses === undefined) throw new Error(`network interface ${device} does not exist`);
  const entry = (dev: string, ip: string, hostNetwork: string): NodeNetwork => ({
    device: dev,
    ip,
    hostNetwork,
    speedMbits: machine.speedOf(dev) ?? 1000,
  });
  const usable = usableAddresses(addresses);
  if (usable.length === 0) throw new Error(`network interface ${device} has no address`);
  const named = Object.entries(config.hostNetworks).flatMap(([name, wanted]) =>
    Object.entries(machine.interfaces).flatMap(([dev, list]) =>
      usableAddresses(list ?? [])
        .filter(() => wanted.interface === undefined || wanted.interface === dev)
        .filter((ip) => wanted.cidr === undefined || inCidr(ip, wanted.cidr))
        .map((ip) => entry(dev, ip, name)),
    ),
  );
  return [...usable.map((ip) => entry(device, ip, 'default')), ...named];
}

/** IPv4, or IPv6 that is not link-local where there is no IPv4: a port is reserved on one address of each kind at most. */
function usableAddresses(addresses: readonly NetworkInterfaceInfo[]): string[] {
  const v4 = addresses.filter((a) => a.family === 'IPv4').map((a) => a.address);
  return v4.length > 0 ? v4 : addresses.filter((a) => !a.address.startsWith('fe80:')).map((a) => a.address);
}

export function inCidr(ip: string, cidr: string): boolean {
  const [base, bits] = cidr.split('/');
  const number = (text: string): number | undefined => {
    const parts = text.split('.').map(Number);
    return parts.length === 4 && parts.every((p) => p >= 0 && p <= 255) ? parts.reduce((n, p) => n * 256 + p, 0) : undefined;
  };
  const a = number(ip);
  const b = number(base ?? '');
  const length = Number(bits ?? 32);
  if (a === undefined || b === undefined) return ip === base;
  const size = 2 ** (32 - length);
  return Math.floor(a / size) === Math.floor(b / size);
}
