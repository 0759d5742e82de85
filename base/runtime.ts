import { getHeapStatistics } from 'node:v8';

/** How a process fares, for who looks for what is wrong with it: nothing in it tells what it works on. */
export interface RuntimeReport {
  readonly pid: number;
  readonly node: string;
  readonly uptimeSeconds: number;
  /** Since it started. */
  readonly cpuSeconds: { readonly user: number; readonly system: number };
  readonly memoryBytes: Readonly<Record<string, number>>;
  readonly heapBytes: { readonly used: number; readonly limit: number };
  /** How long a timer of no time takes: what waits for the event loop waits that long. */
  readonly loopDelayMs: number;
  /** What keeps it alive, counted: connections, timers, requests to the file system. */
  readonly active: Readonly<Record<string, number>>;
}

export async function runtimeReport(): Promise<RuntimeReport> {
  const asked = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const loopDelayMs = Math.max(0, performance.now() - asked - 1);
  const active: Record<string, number> = {};
  for (const what of process.getActiveResourcesInfo()) active[what] = (active[what] ?? 0) + 1;
  const { user, system } = process.cpuUsage();
  const heap = getHeapStatistics();
  return {
    pid: process.pid,
    node: process.version,
    uptimeSeconds: Math.floor(process.uptime()),
    cpuSeconds: { user: user / 1e6, system: system / 1e6 },
    memoryBytes: { ...process.memoryUsage() },
    heapBytes: { used: heap.used_heap_size, limit: heap.heap_size_limit },
    loopDelayMs: Math.round(loopDelayMs * 10) / 10,
    active,
  };
}
