import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a task may use of the machine. */
export interface Limits {
  /** Its weight when cores are short: MHz. */
  readonly cpuShares: number;
  /** Above this the kernel ends it. */
  readonly memoryMB: number;
  readonly pids: number;
  /** Cores that are its own. */
  readonly cores?: readonly number[];
}

type Controller = 'cpu' | 'memory' | 'pids' | 'cpuset';
const CONTROLLERS: readonly Controller[] = ['cpu', 'memory', 'pids', 'cpuset'];

/** What the kernel lets this agent limit, and how. */
export interface Limiter {
  readonly version: 'v1' | 'v2' | undefined;
  readonly controllers: readonly Controller[];
  readonly missing: readonly Controller[];
  /** Folders that hold the limits of one run; the processes of the run are to be added to each. `tracking` is its version 2 group. */
  groups(nodeId: string, name: string, tracking: string | undefined): string[];
  apply(groups: readonly string[], limits: Limits): void;
}

const ROOT = '/sys/fs/cgroup';

/**
 * Version 2 keeps all limits in one tree and hands each controller down level by level; version 1 has a tree for each. Machines with
 * both (a "hybrid" hierarchy) have their controllers in version 1.
 */
export function openLimiter(): Limiter {
  const unified = join(ROOT, 'cgroup.controllers');
  const version = existsSync(unified) ? 'v2' : CONTROLLERS.some((c) => existsSync(join(ROOT, c, 'tasks'))) ? 'v1' : undefined;
  const controllers = version === 'v2' ? delegated() : version === 'v1' ? CONTROLLERS.filter(writable) : [];
  return {
    version,
    controllers,
    missing: CONTROLLERS.filter((c) => !controllers.includes(c)),
    groups(nodeId, name, tracking) {
      if (version === 'v2') {
        if (tracking === undefined) return [];
        handDown(join(ROOT, 'orch'), controllers);
        handDown(join(tracking, '..'), controllers);
        return [tracking];
      }
      return controllers.map((c) => {
        const path = join(ROOT, c, 'orch', safe(nodeId), safe(name));
        mkdirSync(path, { recursive: true });
        return path;
      });
    },
    apply(groups, limits) {
      for (const group of groups) if (version === 'v2') limitV2(group, limits);
      else limitV1(group, limits);
    },
  }; // prettier-ignore
}

const safe = (name: string): string => name.replaceAll(/[^\w.-]/g, '_');

function writable(controller: Controller): boolean {
  try {
    mkdirSync(join(ROOT, controller, 'orch'), { recursive: true });
    return true;
  } catch {
    return false;
  }
}

function delegated(): Controller[] {
  try {
    mkdirSync(join(ROOT, 'orch'), { recursive: true });
    handDown(ROOT, CONTROLLERS);
    const have = readFileSync(join(ROOT, 'orch', 'cgroup.controllers'), 'utf8')
      .trim()
      .split(' ');
    return CONTROLLERS.filter((c) => have.includes(c));
  } catch {
    return [];
  }
}

function handDown(folder: string, controllers: readonly Controller[]): void {
  for (const controller of controllers) write(join(folder, 'cgroup.subtree_control'), `+${controller}`);
}

function limitV2(group: string, { cpuShares, memoryMB, pids, cores }: Limits): void {
  // The range of shares (2 to 262144) onto that of weights (1 to 10000), as container engines do it.
  write(join(group, 'cpu.weight'), String(Math.round(1 + ((Math.max(2, cpuShares) - 2) * 9999) / 262_142)));
  if (memoryMB > 0) {
    write(join(group, 'memory.max'), String(memoryMB * 2 ** 20));
    write(join(group, 'memory.swap.max'), '0');
    // All of the task or nothing: what lives on without the process that was ended is of no use.
    write(join(group, 'memory.oom.group'), '1');
  }
  if (pids > 0) write(join(group, 'pids.max'), String(pids));
  if (cores !== undefined && cores.length > 0) write(join(group, 'cpuset.cpus'), cores.join(','));
}

function limitV1(group: string, { cpuShares, memoryMB, pids, cores }: Limits): void {
  switch (group.split('/')[4] as Controller) {
    case 'cpu':
      write(join(group, 'cpu.shares'), String(Math.max(2, cpuShares)));
      return;
    case 'memory':
      if (memoryMB > 0) {
        write(join(group, 'memory.limit_in_bytes'), String(memoryMB * 2 ** 20));
        write(join(group, 'memory.memsw.limit_in_bytes'), String(memoryMB * 2 ** 20));
      }
      return;
    case 'pids':
      if (pids > 0) write(join(group, 'pids.max'), String(pids));
      return;
    case 'cpuset': {
      // A new group of this tree is empty and can hold nobody: what is above it is copied down, level by level.
      const levels = group.slice(ROOT.length + 1).split('/'); // cpuset, orch, node, run
      for (let depth = 2; depth <= levels.length; depth++) {
        const here = join(ROOT, ...levels.slice(0, depth));
        for (const file of ['cpuset.cpus', 'cpuset.mems']) {
          if ((read(join(here, file)) ?? '').trim() === '') write(join(here, file), read(join(here, '..', file)) ?? '');
        }
      }
      if (cores !== undefined && cores.length > 0) write(join(group, 'cpuset.cpus'), cores.join(','));
    }
  }
}

/** Adds a process that was not born in the groups. */
export function joinGroups(groups: readonly string[], pid: number): void {
  for (const group of groups) write(join(group, 'cgroup.procs'), String(pid));
}

export interface GroupUsage {
  readonly memoryBytes?: number;
  readonly oomKills: number;
}

/** Memory as the kernel counts it for the limit, without what it could drop at once. */
export function groupUsage(groups: readonly string[]): GroupUsage {
  let memoryBytes: number | undefined;
  let oomKills = 0;
  for (const group of groups) {
    const used = read(join(group, 'memory.current')) ?? read(join(group, 'memory.usage_in_bytes'));
    if (used === undefined) continue;
    const droppable = Number(/^(?:total_)?inactive_file (\d+)/m.exec(read(join(group, 'memory.stat')) ?? '')?.[1] ?? 0);
    memoryBytes = Math.max(0, Number(used) - droppable);
    const events = read(join(group, 'memory.events')) ?? read(join(group, 'memory.oom_control')) ?? '';
    oomKills += Number(/^oom_kill (\d+)/m.exec(events)?.[1] ?? 0);
  }
  return { oomKills, ...(memoryBytes !== undefined && { memoryBytes }) };
}

export function removeGroups(groups: readonly string[]): void {
  for (const group of groups) {
    try {
      rmdirSync(group);
      rmdirSync(join(group, '..'));
    } catch {
      // Not empty, or gone.
    }
  }
}

/** Version 1 groups of runs that are over, which an agent did not live to remove. */
export function sweepGroups(nodeId: string, known: ReadonlySet<string>): void {
  for (const controller of CONTROLLERS) {
    const folder = join(ROOT, controller, 'orch', safe(nodeId));
    let names: string[];
    try {
      names = readdirSync(folder, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name); // prettier-ignore
    } catch {
      continue;
    }
    removeGroups(names.filter((name) => !known.has(name.slice(0, 36))).map((name) => join(folder, name)));
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function write(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch {
    // The kernel has no such knob, or the group is gone: what cannot be limited is told in the fingerprint.
  }
}
