import type { TaskStats } from '../driver.ts';

/** What is used of an answer of the engine. */
export interface RawStats {
  readonly read?: string;
  readonly cpu_stats?: {
    readonly cpu_usage?: { readonly total_usage?: number };
    readonly throttling_data?: { readonly throttled_periods?: number; readonly throttled_time?: number };
  };
  readonly memory_stats?: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly pids_stats?: { readonly current?: number };
}

/** Total CPU time at some moment. */
export interface CpuSample {
  readonly at: number;
  readonly nanoseconds: number;
}

/** Usage since `before`. Undefined for a container that does not run. Pure. */
export function readStats(
  raw: RawStats,
  before: CpuSample,
  now: number,
  coreMHz: number,
): { stats: TaskStats; sample: CpuSample } | undefined {
  const total = raw.cpu_stats?.cpu_usage?.total_usage;
  const memory = raw.memory_stats;
  if (total === undefined || memory?.usage === undefined) return undefined;
  const elapsed = (now - before.at) * 1e6;
  const share = elapsed > 0 ? Math.max(0, total - before.nanoseconds) / elapsed : 0;
  // Pages of files that the kernel can take back at once are nobody's burden; their name differs by cgroup version.
  const cache = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  return {
    stats: {
      cpuPercent: share * 100,
      cpuMHz: share * coreMHz,
      memoryBytes: Math.max(0, memory.usage - cache),
      ...(memory.max_usage === undefined ? {} : { memoryMaxBytes: memory.max_usage }),
      ...details(raw),
      ...(raw.pids_stats?.current === undefined ? {} : { pids: raw.pids_stats.current }),
    },
    sample: { at: now, nanoseconds: total },
  };
}

/** What the first version of cgroups counts apart; the second knows no cache or swap of this kind. */
function details({ memory_stats: memory, cpu_stats: cpu }: RawStats): Partial<TaskStats> {
  const { cache, swap } = memory?.stats ?? {};
  const { throttled_periods: periods, throttled_time: time } = cpu?.throttling_data ?? {};
  return {
    ...(cache !== undefined && { memoryCacheBytes: cache, memorySwapBytes: swap ?? 0 }),
    ...(cache !== undefined && memory?.usage !== undefined && { memoryUsageBytes: memory.usage }),
    ...(periods !== undefined && { throttledPeriods: periods, throttledTimeNs: time ?? 0 }),
  };
}
