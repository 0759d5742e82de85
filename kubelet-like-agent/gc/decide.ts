import type { Instant } from '../../base/index.ts';

export interface Finished {
  readonly id: string;
  readonly finishedAt: Instant;
  /** The server still has the Allocation. */
  readonly known: boolean;
  /** The server knows how it ended, so nothing is lost with the local state. */
  readonly reported: boolean;
}

export interface GcLimits {
  /** Allocation directories of any state, at most; finished ones make room. */
  readonly maxAllocs: number;
  /** Of the disk that they are on. */
  readonly diskUsagePercent: number;
}

/** Finished allocations whose directories can go, oldest first: no longer known, above the count, or the disk is full. */
export function collectable(
  finished: readonly Finished[],
  live: number,
  diskUsedPercent: number,
  limits: GcLimits,
): { id: string; because: string }[] {
  const gone = finished.filter((f) => !f.known).map((f) => ({ id: f.id, because: 'the allocation no longer exists' }));
  const rest = finished.filter((f) => f.known && f.reported).sort((a, b) => a.finishedAt - b.finishedAt);
  const kept = finished.length - gone.length;
  const surplus = Math.max(0, live + kept - limits.maxAllocs);
  if (diskUsedPercent >= limits.diskUsagePercent) {
    // Sizes are not known without walking them; half at a time until the next look gets there quickly without taking all.
    const some = Math.max(surplus, Math.ceil(rest.length / 2));
    return [
      ...gone,
      ...rest.slice(0, some).map((f) => ({ id: f.id, because: `the disk is ${Math.round(diskUsedPercent)} % full` })),
    ];
  }
  return [...gone, ...rest.slice(0, surplus).map((f) => ({ id: f.id, because: `more than ${limits.maxAllocs} allocations` }))];
}
