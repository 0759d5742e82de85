import { readFile, stat, statfs } from 'node:fs/promises';
import { uptime } from 'node:os';

export interface NodeStats {
  readonly uptimeSeconds: number;
  readonly cpu: {
    readonly percent: number;
    readonly usedMHz: number;
    readonly totalMHz: number;
    readonly cores: readonly CoreStats[];
  };
  readonly memory: {
    readonly totalBytes: number;
    readonly usedBytes: number;
    readonly availableBytes: number;
    readonly freeBytes: number;
  };
  /** The file system of the agent's data. */
  readonly disk: { readonly totalBytes: number; readonly usedBytes: number; readonly usedPercent: number };
  readonly disks: readonly DiskStats[];
  /** What the tasks of this node use. */
  readonly allocations: { readonly cpuMHz: number; readonly memoryBytes: number };
}

export interface CoreStats {
  readonly name: string;
  readonly userPercent: number;
  readonly systemPercent: number;
  readonly idlePercent: number;
}

export interface DiskStats {
  readonly device: string;
  readonly mountPoint: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly availableBytes: number;
  readonly usedPercent: number;
  readonly inodesPercent: number;
}

/** Ticks of /proc/stat: of one line, the machine's (`cpu`) or a core's (`cpu0`). */
interface CpuTimes {
  readonly user: number;
  readonly system: number;
  readonly idle: number;
  readonly total: number;
  /** Neither idle nor waiting for disks. */
  readonly busy: number;
}

/** The lines of /proc/stat that are about processors, by name. */
export function parseCpuTimes(stat: string): Map<string, CpuTimes> {
  const lines = [...stat.matchAll(/^(cpu\d*)\s+(.+)$/gm)];
  return new Map(
    lines.map(([, name, rest]) => {
      const ticks = rest!.split(/\s+/).slice(0, 8).map(Number);
      const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0] = ticks;
      const total = ticks.reduce((sum, n) => sum + n, 0);
      return [name!, { user: user + nice, system, idle, total, busy: total - idle - waiting }];
    }),
  );
}

/** What each core did between two looks. */
export function coreStats(before: ReadonlyMap<string, CpuTimes>, after: ReadonlyMap<string, CpuTimes>): CoreStats[] {
  return [...after].flatMap(([name, now]) => {
    const then = before.get(name);
    if (name === 'cpu' || then === undefined) return [];
    const elapsed = now.total - then.total;
    const share = (ticks: number): number => (elapsed > 0 ? round((ticks / elapsed) * 100) : 0);
    return [
      {
        name,
        userPercent: share(now.user - then.user),
        systemPercent: share(now.system - then.system),
        idlePercent: share(now.idle - then.idle),
      },
    ];
  });
}

export function parseMemory(meminfo: string): { totalBytes: number; availableBytes: number; freeBytes: number } {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return { totalBytes: field('MemTotal'), availableBytes: field('MemAvailable'), freeBytes: field('MemFree') };
}

/** The mounts of devices, in the order of /proc/self/mountinfo; what is mounted over is left out. */
export function deviceMounts(mountinfo: string): { device: string; mountPoint: string }[] {
  const unescaped = (text: string): string =>
    text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  const byPoint = new Map<string, string>();
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const mountPoint = left.split(' ')[4];
    const device = right.split(' ')[1];
    if (mountPoint === undefined || device === undefined) continue;
    byPoint.delete(unescaped(mountPoint));
    byPoint.set(unescaped(mountPoint), unescaped(device));
  }
  return [...byPoint].filter(([, device]) => device.startsWith('/dev/')).map(([mountPoint, device]) => ({ device, mountPoint }));
}

/** Measured when somebody asks; an idle agent measures nothing. CPU is the mean since the last question, or of a moment. */
export class StatsReader {
  #last: { readonly times: ReadonlyMap<string, CpuTimes>; readonly at: number } | undefined;

  async read(dataDir: string, totalMHz: number, tasks: readonly { cpuMHz: number; memoryBytes: number }[]): Promise<NodeStats> {
    const recent = this.#last !== undefined && performance.now() - this.#last.at < 10_000 ? this.#last.times : undefined;
    const before = recent ?? (await this.#times());
    if (recent === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    const after = await this.#times();
    this.#last = { times: after, at: performance.now() };
    const [then, now] = [before.get('cpu'), after.get('cpu')];
    const elapsed = (now?.total ?? 0) - (then?.total ?? 0);
    const share = elapsed > 0 ? (now!.busy - then!.busy) / elapsed : 0;
    const memory = parseMemory(await readFile('/proc/meminfo', 'utf8'));
    const { totalBytes, usedBytes, usedPercent } = await diskUse(dataDir);
    return {
      uptimeSeconds: Math.floor(uptime()),
      cpu: {
        percent: round(share * 100),
        usedMHz: Math.round(share * totalMHz),
        totalMHz,
        cores: coreStats(before, after),
      },
      memory: { ...memory, usedBytes: memory.totalBytes - memory.availableBytes },
      disk: { totalBytes, usedBytes, usedPercent },
      disks: await this.#disks(),
      allocations: {
        cpuMHz: Math.round(tasks.reduce((sum, t) => sum + t.cpuMHz, 0)),
        memoryBytes: tasks.reduce((sum, t) => sum + t.memoryBytes, 0),
      },
    };
  }

  async #times(): Promise<Map<string, CpuTimes>> {
    return parseCpuTimes(await readFile('/proc/stat', 'utf8'));
  }

  /** Of folders that devices are mounted on; files that are (as in containers) and what cannot be looked at are left out. */
  async #disks(): Promise<DiskStats[]> {
    const mounts = deviceMounts(await readFile('/proc/self/mountinfo', 'utf8'));
    const looked = mounts.map(async (mount): Promise<DiskStats[]> => {
      try {
        return (await stat(mount.mountPoint)).isDirectory() ? [{ ...mount, ...(await diskUse(mount.mountPoint)) }] : [];
      } catch {
        return [];
      }
    });
    return (await Promise.all(looked)).flat();
  }
}

async function diskUse(path: string): Promise<Omit<DiskStats, 'device' | 'mountPoint'>> {
  const { blocks, bfree, bavail, bsize, files, ffree } = await statfs(path);
  const used = blocks - bfree;
  return {
    totalBytes: blocks * bsize,
    usedBytes: used * bsize,
    availableBytes: bavail * bsize,
    // As df has it: what is kept for root counts neither as used nor as free.
    usedPercent: used + bavail > 0 ? round((used / (used + bavail)) * 100) : 0,
    inodesPercent: files > 0 ? round(((files - ffree) / files) * 100) : 0,
  };
}

const round = (n: number): number => Math.round(n * 100) / 100;
