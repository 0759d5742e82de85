import type { Allocation, Stored } from '../../openapi/index.ts';
import { isTerminalPhase } from '../allocation/status.ts';

/** What this node does about an allocation at present. */
export interface LocalAllocation {
  readonly id: string;
  readonly uid: string;
  readonly goal: 'run' | 'stop';
  readonly terminal: boolean;
  /** The spec that it acts on. */
  readonly allocation: Stored<Allocation>;
}

export type SyncStep =
  | { readonly do: 'run'; readonly allocation: Stored<Allocation> }
  /** The spec is another one; the job version may be. */
  | { readonly do: 'update'; readonly allocation: Stored<Allocation> }
  | { readonly do: 'stop'; readonly id: string; readonly skipDelay: boolean; readonly because: string }
  /** It ended and nobody knows it any more: its directories and state may go. */
  | { readonly do: 'forget'; readonly id: string }
  /** Stopped before this node had begun with it. */
  | { readonly do: 'reportNeverStarted'; readonly allocation: Stored<Allocation> }
  | { readonly do: 'wait'; readonly allocation: Stored<Allocation>; readonly because: string };

/** What a machine has for allocations. */
export interface MachineRoom {
  readonly cpuMHz: number;
  readonly memoryMB: number;
}

/**
 * Compares what is wanted of this node with what it does. Pure and level-triggered: asked after any change of either side.
 * `desired` must be complete (a synced cache): what it lacks is taken to be deleted.
 */
export function decide(desired: readonly Stored<Allocation>[], local: readonly LocalAllocation[], room: MachineRoom): SyncStep[] {
  const byId = new Map(local.map((l) => [l.id, l]));
  const wanted = new Map(desired.map((a) => [a.metadata.name, a]));
  const steps: SyncStep[] = [];
  for (const own of local) {
    const allocation = wanted.get(own.id);
    if (allocation === undefined || allocation.metadata.uid !== own.uid) {
      if (own.terminal) steps.push({ do: 'forget', id: own.id });
      else if (own.goal === 'run')
        steps.push({ do: 'stop', id: own.id, skipDelay: false, because: 'the allocation was deleted' });
      continue;
    }
    if (own.terminal) continue;
    if (!isWanted(allocation)) {
      const skipDelay = allocation.spec.desiredTransition?.noShutdownDelay === true;
      if (own.goal === 'run')
        steps.push({ do: 'stop', id: own.id, skipDelay, because: allocation.spec.desiredDescription ?? 'it shall stop' });
      continue;
    }
    if (own.goal === 'run' && actsDifferently(allocation, own.allocation)) steps.push({ do: 'update', allocation });
  }
  const starting: Stored<Allocation>[] = [];
  for (const allocation of desired) {
    if (byId.has(allocation.metadata.name)) continue;
    if (isTerminalPhase(allocation.status?.phase)) continue;
    if (!isWanted(allocation)) {
      steps.push({ do: 'reportNeverStarted', allocation });
      continue;
    }
    const because = obstacle(allocation, wanted, local) ?? crowd(allocation, starting, wanted, local, room);
    if (because === undefined) starting.push(allocation);
    steps.push(because === undefined ? { do: 'run', allocation } : { do: 'wait', allocation, because });
  }
  return steps;
}

/** It shall run, and nobody has asked for its deletion. */
const isWanted = ({ spec, metadata }: Stored<Allocation>): boolean =>
  spec.desired === 'run' && metadata.deletionTimestamp === undefined;

/** What must end here first: what its room was promised by, or who still holds a port it was given. */
function obstacle(
  allocation: Stored<Allocation>,
  wanted: ReadonlyMap<string, Stored<Allocation>>,
  local: readonly LocalAllocation[],
): string | undefined {
  const living = local.filter((l) => !l.terminal);
  const predecessor = livingPredecessor(allocation, wanted, living);
  if (predecessor !== undefined) return predecessor;
  const ports = new Map((allocation.spec.resources?.ports ?? []).map((p) => [`${p.hostIP ?? ''}:${p.value}`, p]));
  for (const other of living) {
    for (const port of other.allocation.spec.resources?.ports ?? [])
      if (ports.has(`${port.hostIP ?? ''}:${port.value}`))
        return `Waiting for allocation ${other.id.slice(0, 8)} to end, which holds port ${port.value}`;
  }
  return undefined;
}

/**
 * The scheduler gives an allocation the room of the one that it replaces or displaces. That one may never have begun, being itself the
 * successor of one that runs; so predecessors of predecessors count too.
 */
function livingPredecessor(
  allocation: Stored<Allocation>,
  wanted: ReadonlyMap<string, Stored<Allocation>>,
  living: readonly LocalAllocation[],
): string | undefined {
  if (living.length === 0) return undefined;
  const seen = new Set([allocation.metadata.name]);
  const next = [allocation];
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    const { name } = one.metadata;
    for (const { id } of living) {
      if (id === one.spec.previousAllocation) return `Waiting for allocation ${id.slice(0, 8)} to end, which it replaces`;
      if (wanted.get(id)?.spec.preemptedByAllocation === name)
        return `Waiting for allocation ${id.slice(0, 8)} to end, which it displaces`;
    }
    const previous = wanted.get(one.spec.previousAllocation ?? '');
    const before = [...(previous === undefined ? [] : [previous]), ...displacedBy(name, wanted)];
    for (const other of before) {
      if (seen.has(other.metadata.name)) continue;
      seen.add(other.metadata.name);
      next.push(other);
    }
  }
  return undefined;
}

const displacedBy = (name: string, wanted: ReadonlyMap<string, Stored<Allocation>>): Stored<Allocation>[] =>
  [...wanted.values()].filter(({ spec }) => spec.preemptedByAllocation === name);

/**
 * While something here has yet to end that the server counts no more (its node was away and it was given up, or somebody deleted it), the
 * machine may be fuller than the server knows: then nothing starts that does not fit beside all that runs.
 */
function crowd(
  allocation: Stored<Allocation>,
  starting: readonly Stored<Allocation>[],
  wanted: ReadonlyMap<string, Stored<Allocation>>,
  local: readonly LocalAllocation[],
  room: MachineRoom,
): string | undefined {
  const living = local.filter((l) => !l.terminal);
  const ending = living.find((l) => l.goal === 'stop' || !isWantedHere(wanted.get(l.id)));
  if (ending === undefined) return undefined;
  const all = [...living.map((l) => l.allocation), ...starting, allocation].map(({ spec }) => spec.resources ?? {});
  const sum = (of: 'cpu' | 'memory'): number => all.reduce((total, resources) => total + (resources[of] ?? 0), 0);
  if (sum('cpu') <= room.cpuMHz && sum('memory') <= room.memoryMB) return undefined;
  return `Waiting for allocation ${ending.id.slice(0, 8)} to end, whose room it needs`;
}

const isWantedHere = (allocation: Stored<Allocation> | undefined): boolean => allocation !== undefined && isWanted(allocation);

/** Whether the parts of the spec that an agent acts on differ. */
function actsDifferently(a: Stored<Allocation>, b: Stored<Allocation>): boolean {
  return (
    a.spec.jobVersion !== b.spec.jobVersion ||
    a.spec.deployment !== b.spec.deployment ||
    a.spec.canary !== b.spec.canary ||
    a.spec.desiredTransition?.noShutdownDelay !== b.spec.desiredTransition?.noShutdownDelay
  );
}
