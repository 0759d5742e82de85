import { durationOr, type Duration, type Instant } from '../../../base/index.ts';
import type { TaskGroup } from '../../../openapi/index.ts';
import { isTerminal, type AllocationRecord } from '../model.ts';

/** What a group wants of its allocations on nodes that are not heard. */
export interface DisconnectPolicy {
  /** How long they count as unknown before they are lost; Infinity: until the node is back. */
  readonly grace: Duration;
  /** Whether others are placed in their stead meanwhile. */
  readonly replace: boolean;
}

/** Undefined: what is on a node that is down is lost at once. */
export function disconnectPolicy(group: TaskGroup | undefined): DisconnectPolicy | undefined {
  if (group === undefined) return undefined;
  const { disconnect, maxClientDisconnect, stopAfterClientDisconnect, preventRescheduleOnLost } = group;
  if (preventRescheduleOnLost === true) return { grace: Infinity, replace: false };
  const lostAfter = durationOr(disconnect?.lostAfter ?? maxClientDisconnect, 0);
  if (lostAfter > 0) return { grace: lostAfter, replace: disconnect?.replace ?? true };
  // The node stops its tasks by itself; until then another one must not run.
  const stopsAfter = durationOr(disconnect?.stopOnClientAfter ?? stopAfterClientDisconnect, 0);
  return stopsAfter > 0 ? { grace: stopsAfter, replace: false } : undefined;
}

/** Until when an allocation on a node that is not heard counts as unknown; undefined: it is lost. */
export function unknownUntil(
  allocation: AllocationRecord,
  policy: DisconnectPolicy | undefined,
  silentSince: Instant | undefined,
  now: Instant,
): Instant | undefined {
  if (policy === undefined || silentSince === undefined) return undefined;
  const until = (allocation.unknownSince ?? silentSince) + policy.grace;
  return until > now ? until : undefined;
}

export interface Returned {
  /** They stay, and what was put in their place goes. */
  readonly kept: readonly AllocationRecord[];
  readonly stopped: readonly AllocationRecord[];
  /** Their node is heard again, but has not told of them yet: nothing is decided. */
  readonly untold: readonly AllocationRecord[];
}

/**
 * Allocations that were replaced while nobody heard of them, and are back: one of each pair stays. Which one is up to
 * `disconnect { reconcile }`; one that does not run, or of an earlier version, never wins.
 */
export function settleReturned(
  all: readonly AllocationRecord[],
  version: number,
  strategy: string | undefined,
  isNodeUp: (node: string) => boolean,
): Returned {
  const kept: AllocationRecord[] = [];
  const stopped: AllocationRecord[] = [];
  const untold: AllocationRecord[] = [];
  if (!all.some((a) => a.next !== undefined && !isTerminal(a))) return { kept, stopped, untold };
  const byId = new Map(all.map((allocation) => [allocation.id, allocation]));
  for (const original of all) {
    if (original.next === undefined || isTerminal(original) || !isNodeUp(original.node)) continue;
    const replacement = liveSuccessor(original, byId);
    if (original.phase === 'unknown') {
      if (replacement !== undefined) untold.push(original);
      continue;
    }
    if (replacement !== undefined && prefersReplacement(original, replacement, version, strategy)) stopped.push(original);
    else {
      kept.push(original);
      if (replacement !== undefined) stopped.push(replacement);
    }
  }
  return { kept, stopped, untold };
}

function liveSuccessor(original: AllocationRecord, byId: ReadonlyMap<string, AllocationRecord>): AllocationRecord | undefined {
  let next = original.next === undefined ? undefined : byId.get(original.next);
  for (let steps = 0; next !== undefined && steps < byId.size; steps++) {
    if (!isTerminal(next)) return next;
    next = next.next === undefined ? undefined : byId.get(next.next);
  }
  return undefined;
}

function prefersReplacement(
  original: AllocationRecord,
  replacement: AllocationRecord,
  version: number,
  strategy = 'best-score',
): boolean {
  if (original.version < version && replacement.version === version) return true;
  switch (strategy.replaceAll('_', '-')) {
    case 'keep-original':
      return false;
    case 'keep-replacement':
      return true;
    case 'longest-running':
      return (replacement.runningSince ?? Infinity) < (original.runningSince ?? Infinity);
    default:
      // One that does not run yet has proved nothing.
      return replacement.phase === 'running' && (replacement.score ?? 0) > (original.score ?? 0);
  }
}
