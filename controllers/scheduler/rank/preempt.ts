/**
 * Which allocations make way for one of higher priority. Pure. Only those of jobs whose priority is lower by at least 10 can be
 * asked to; of them the least important first, and no more than it takes.
 */
import type { AllocationRecord, HeldPort } from '../model.ts';

export const PRIORITY_DISTANCE = 10;

/** What has to be given up on a node so that one more fits. */
export interface Shortage {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
  readonly cores: number;
  readonly ports: readonly HeldPort[];
}

/** The allocations to displace; undefined: not even all of them are enough. */
export function chooseVictims(shortage: Shortage, candidates: readonly AllocationRecord[]): AllocationRecord[] | undefined {
  const chosen = new Set<AllocationRecord>();
  for (const port of shortage.ports) {
    const holder = candidates.find(({ ports }) => ports?.some(({ ip, value }) => ip === port.ip && value === port.value));
    if (holder === undefined) return undefined;
    chosen.add(holder);
  }
  const rest = candidates.filter((candidate) => !chosen.has(candidate));
  while (!suffices(shortage, chosen)) {
    const left = remaining(shortage, chosen);
    let best: AllocationRecord | undefined;
    for (const candidate of rest) {
      if (chosen.has(candidate) || !helps(candidate, left)) continue;
      if (best === undefined || isBetter(candidate, best, left)) best = candidate;
    }
    if (best === undefined) return undefined;
    chosen.add(best);
  }
  // What was chosen first may be more than needed by now; the most important are spared first.
  for (const victim of [...chosen].sort((a, b) => b.priority - a.priority || size(b) - size(a))) {
    const others = new Set([...chosen].filter((other) => other !== victim));
    if (suffices(shortage, others)) chosen.delete(victim);
  }
  return [...chosen];
}

/** How little it hurts: near 1 for few victims of low priority, towards 0 for many important ones. */
export function preemptionScore(victims: readonly AllocationRecord[]): number {
  const highest = Math.max(...victims.map(({ priority }) => priority));
  const net = highest + victims.reduce((sum, { priority }) => sum + priority, 0) / highest;
  return 1 / (1 + Math.exp(0.0048 * (net - 2048)));
}

function remaining(shortage: Shortage, chosen: ReadonlySet<AllocationRecord>): Shortage {
  let { cpu, memory, disk, cores } = shortage;
  let ports = shortage.ports;
  for (const { holding, cores: held, ports: heldPorts = [] } of chosen) {
    cpu -= holding.cpu;
    memory -= holding.memory;
    disk -= holding.disk;
    cores -= held?.length ?? 0;
    ports = ports.filter((port) => !heldPorts.some(({ ip, value }) => ip === port.ip && value === port.value));
  }
  return { cpu, memory, disk, cores, ports };
}

function suffices(shortage: Shortage, chosen: ReadonlySet<AllocationRecord>): boolean {
  const { cpu, memory, disk, cores, ports } = remaining(shortage, chosen);
  return cpu <= 0 && memory <= 0 && disk <= 0 && cores <= 0 && ports.length === 0;
}

function helps({ holding, cores }: AllocationRecord, left: Shortage): boolean {
  return (
    (left.cpu > 0 && holding.cpu > 0) ||
    (left.memory > 0 && holding.memory > 0) ||
    (left.disk > 0 && holding.disk > 0) ||
    (left.cores > 0 && (cores?.length ?? 0) > 0)
  );
}

/** The lower priority, then the one whose size is closest to what is still missing; by id where all else is equal. */
function isBetter(a: AllocationRecord, b: AllocationRecord, left: Shortage): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  const [first, second] = [distance(a, left), distance(b, left)];
  return first === second ? a.id < b.id : first < second;
}

function distance({ holding }: AllocationRecord, left: Shortage): number {
  const off = (held: number, wanted: number): number => (wanted <= 0 ? 0 : ((wanted - held) / wanted) ** 2);
  return Math.sqrt(off(holding.cpu, left.cpu) + off(holding.memory, left.memory) + off(holding.disk, left.disk));
}

const size = ({ holding }: AllocationRecord): number => holding.cpu + holding.memory;
