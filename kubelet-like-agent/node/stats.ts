import { readFile, statfs } from 'node:fs/promises';
import { uptime } from 'node:os';

export interface NodeStats {
  readonly uptimeSeconds: number;
  readonly cpu: { readonly percent: number; readonly usedMHz: number; readonly totalMHz: number };
  readonly memory: { readonly totalBytes: number; readonly usedBytes: number; readonly availableBytes: number };
  readonly disk: { readonly totalBytes: number; readonly usedBytes: number; readonly usedPercent: number };
  /** What the tasks of this node use. */
  readonly allocations: { readonly cpuMHz: number; readonly memoryBytes: number };
}

interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/** The first line of /proc/stat: time spent idle or waiting for disks is not use. */
export function parseCpuTimes(stat: string): CpuTimes {
  const ticks = (/^cpu\s+(.+)$/m.exec(stat)?.[1] ?? '').split(/\s+/).slice(0, 8).map(Number);
  const total = ticks.reduce((sum, n) => sum + n, 0);
  return { busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0), total };
}

export function parseMemory(meminfo: string): { totalBytes: number; availableBytes: number } {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return { totalBytes: field('MemTotal'), availableBytes: field('MemAvailable') };
}

/** Measured when somebody asks; an idle agent measures nothing. CPU is the mean since the last question, or of a moment. */
export class StatsReader {
  #last: { readonly times: CpuTimes; readonly at: number } | undefined;

  async read(dataDir: string, totalMHz: number, tasks: readonly { cpuMHz: number; memoryBytes: number }[]): Promise<NodeStats> {
    const recent = this.#last !== undefined && performance.now() - this.#last.at < 10_000 ? this.#last.times : undefined;
    const before = recent ?? (await this.#times());
    if (recent === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    const after = await this.#times();
    this.#last = { times: after, at: performance.now() };
    const elapsed = after.total - before.total;
    const share = elapsed > 0 ? (after.busy - before.busy) / elapsed : 0;
    const memory = parseMemory(await readFile('/proc/meminfo', 'utf8'));
    const disk = await statfs(dataDir);
    const totalBytes = disk.blocks * disk.bsize;
    const usedBytes = (disk.blocks - disk.bfree) * disk.bsize;
    return {
      uptimeSeconds: Math.floor(uptime()),
      cpu: { percent: round(share * 100), usedMHz: Math.round(share * totalMHz), totalMHz },
      memory: { ...memory, usedBytes: memory.totalBytes - memory.availableBytes },
      disk: { totalBytes, usedBytes, usedPercent: round((usedBytes / (usedBytes + disk.bavail * disk.bsize)) * 100) },
      allocations: {
        cpuMHz: Math.round(tasks.reduce((sum, t) => sum + t.cpuMHz, 0)),
        memoryBytes: tasks.reduce((sum, t) => sum + t.memoryBytes, 0),
      },
    };
  }

  async #times(): Promise<CpuTimes> {
    return parseCpuTimes(await readFile('/proc/stat', 'utf8'));
  }
}

const round = (n: number): number => Math.round(n * 100) / 100;
