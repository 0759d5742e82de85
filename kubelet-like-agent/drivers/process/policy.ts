import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describeError } from '../../../base/index.ts';
import {
  checkConfig,
  toNumber,
  toText,
  toTexts,
  type DriverConfig,
  type DriverInfo,
  type Fields,
} from '../../../openapi/index.ts';
import { DriverError, type TaskStart } from '../driver.ts';
import { findUser } from './command.ts';
import type { Settled } from './driver.ts';
import { findTools, type Walls } from './isolate.ts';
import { openLimiter } from './limits.ts';

/** What the node's operator permits to tasks behind walls: `plugin "exec" { config { … } }`. */
export interface WallPolicy {
  /** Capabilities that a task may ask for, in lower case; `all` permits every one. */
  readonly allowCaps: readonly string[];
  /** Namespaces of the host that a task may share: pid, ipc. */
  readonly allowHostNamespaces: readonly string[];
  readonly pidsLimit: number;
}

export const defaultWallPolicy: WallPolicy = {
  // Those of container engines, without net_raw. A task has none of them unless it asks.
  allowCaps: ['audit_write', 'chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'mknod', 'net_bind_service', 'setfcap', 'setgid', 'setpcap', 'setuid', 'sys_chroot'], // prettier-ignore
  allowHostNamespaces: [],
  pidsLimit: 4096,
};

const later = 'is not built in orch yet';

const pluginFields: Fields = {
  enabled: { type: 'flag' },
  allow_caps: { type: 'texts' },
  allow_host_namespaces: { type: 'texts' },
  pids_limit: { type: 'number' },
  default_pid_mode: { type: 'text', oneOf: ['private'] },
  default_ipc_mode: { type: 'text', oneOf: ['private'] },
  no_pivot_root: { type: 'refused', because: later },
  denied_host_uids: { type: 'refused', because: later },
  denied_host_gids: { type: 'refused', because: later },
  denied_envvars: { type: 'refused', because: later },
};

/** Reads `plugin "exec" { config { … } }`. Throws an Error that names every problem. */
export function readWallPlugin(config: DriverConfig): Partial<WallPolicy> {
  const problems = checkConfig(pluginFields, config);
  const namespaces = toTexts(config['allow_host_namespaces']);
  const unknown = namespaces?.filter((name) => !['pid', 'ipc'].includes(name)) ?? [];
  if (unknown.length > 0) problems.push(`allow_host_namespaces: there is no "${unknown[0]}", only pid, ipc`);
  if (problems.length > 0) throw new Error(problems.map((problem) => `plugin "exec": ${problem}`).join('\n'));
  const caps = toTexts(config['allow_caps'])?.map(capability);
  const pidsLimit = toNumber(config['pids_limit']);
  return {
    ...(caps !== undefined && { allowCaps: caps }),
    ...(namespaces !== undefined && { allowHostNamespaces: namespaces }),
    ...(pidsLimit !== undefined && { pidsLimit }),
  };
}

/** Who a task is when it does not say. */
const DEFAULT_USER = 'nobody';
/** Behind walls, too, the user 0 owns what the machine's administrator owns. */
const REFUSED_USERS = ['root', '0'];

const capability = (name: string): string => name.toLowerCase().replace(/^cap_/, '');

/** What this node does not permit. */
export function refusedWalls(config: DriverConfig, policy: WallPolicy): string[] {
  const problems: string[] = [];
  const caps = (toTexts(config['cap_add']) ?? []).map(capability).filter((cap) => !policy.allowCaps.includes('all') && !policy.allowCaps.includes(cap)); // prettier-ignore
  if (caps.length > 0) problems.push(`cap_add: ${caps.join(', ')} not permitted on this node (plugin "exec": allow_caps)`);
  for (const kind of ['pid', 'ipc'] as const) {
    if (toText(config[`${kind}_mode`]) === 'host' && !policy.allowHostNamespaces.includes(kind))
      problems.push(`${kind}_mode: the host's own is not permitted on this node (plugin "exec": allow_host_namespaces)`);
  }
  const workDir = toText(config['work_dir']);
  if (workDir !== undefined && workDir !== '' && !workDir.startsWith('/')) problems.push('work_dir: must be an absolute path');
  return problems;
}

export const workDirOf = (task: TaskStart): string => toText(task.config['work_dir']) || '/';

/** The walls of a task and what it may use. Throws DriverError for what cannot be. */
export function settleWalls(task: TaskStart, policy: WallPolicy): Omit<Settled, 'command'> {
  const tools = findTools();
  if (Array.isArray(tools)) throw new DriverError(`the node lacks ${tools.join(', ')}`, { recoverable: false });
  const { config, resources, network } = task;
  const user = task.user || DEFAULT_USER;
  if (REFUSED_USERS.includes(user)) throw new DriverError(`tasks behind walls do not run as "${user}"`, { recoverable: false });
  const owner = findUser(user);
  if (owner === undefined) throw new DriverError('the agent must run as root', { recoverable: false });
  const dropped = (toTexts(config['cap_drop']) ?? []).map(capability);
  const wanted = (toTexts(config['cap_add']) ?? []).map(capability);
  const capabilities = dropped.includes('all') ? [] : wanted.filter((cap) => !dropped.includes(cap));
  const walls: Walls = {
    tools,
    owner,
    capabilities,
    hostPid: toText(config['pid_mode']) === 'host',
    hostIpc: toText(config['ipc_mode']) === 'host',
    workDir: workDirOf(task),
    ...(network?.mode === 'none' && { network: 'none' }),
    ...(network?.hostname !== undefined && { hostname: network.hostname }),
  };
  return {
    owner,
    walls,
    limits: {
      cpuShares: resources.cpu ?? 100,
      memoryMB: Math.max(resources.memory ?? 0, resources.memoryMax ?? 0),
      pids: toNumber(config['pids_limit']) ?? policy.pidsLimit,
      ...(resources.cores !== undefined && resources.cores.length > 0 && { cores: resources.cores }),
    },
  };
}

const run = promisify(execFile);

/** Whether this machine lets walls be built, and what it lets be limited. */
export async function fingerprintWalls(driver: string, more: Readonly<Record<string, string>> = {}): Promise<DriverInfo> {
  const lacking = (description: string): DriverInfo => ({ detected: false, healthy: false, description });
  if (process.platform !== 'linux') return lacking('needs Linux');
  if (process.getuid?.() !== 0) return lacking('needs an agent that runs as root');
  const tools = findTools();
  if (Array.isArray(tools)) return lacking(`the machine lacks ${tools.join(', ')} (util-linux)`);
  try {
    await run(tools.unshare, ['--mount', '--pid', '--ipc', '--fork', '--', 'true'], { timeout: 10_000 });
  } catch (error) {
    return lacking(`namespaces cannot be made: ${describeError(error).split('\n').pop()}`);
  }
  const { version, controllers, missing } = openLimiter();
  const needed = missing.filter((c) => c !== 'cpuset');
  return {
    detected: true,
    healthy: true,
    description: needed.length === 0 ? 'Healthy' : `Healthy, but nothing here limits ${needed.join(', ')}: the controllers are not delegated to the agent`, // prettier-ignore
    attributes: {
      [`driver.${driver}`]: '1',
      [`driver.${driver}.limits`]: controllers.length === 0 ? 'none' : `${controllers.join(',')} (cgroup ${version})`,
      ...more,
    },
  };
}
