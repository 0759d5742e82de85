/**
 * Which allocations would be better placed elsewhere. Pure but for a trial on the cluster that is taken back. It proposes moves that pay, and
 * no more than asked for; nothing is better than a cluster that keeps moving.
 *
 * - binpack: empties nodes, the least used first, where all that is on a node can go to others that are in use and fuller. A node of
 *   which something must stay is left alone: half a move frees nothing.
 * - spread: moves from the fullest node to the emptiest as long as that brings the two closer by a tenth of what the larger one has.
 *
 * Neither brings replicas of a group closer together, nor moves what prefers certain nodes: usage alone is weighed here, and the scheduler
 * put those where they are for better reasons.
 */
import { Feasibility } from '../feasible/feasibility.ts';
import { compileGroup } from '../feasible/program.ts';
import { isTerminal, jobTypeOf, type AllocationRecord } from '../model.ts';
import { PlacementSession, type Scratch } from '../rank/session.ts';
import { isHolding, Trial } from '../state/allocations.ts';
import type { Algorithm, Cluster } from '../state/cluster.ts';
import { holdingOf } from '../state/read.ts';

export interface Move {
  readonly allocation: AllocationRecord;
  readonly to: string;
}

export interface Proposal {
  readonly algorithm: Algorithm;
  readonly moves: readonly Move[];
  readonly description: string;
}

export interface ProposeInput {
  readonly cluster: Cluster;
  readonly pool: string;
  readonly maxMoves: number;
  readonly scratch: Scratch;
}

export function propose(input: ProposeInput): Proposal {
  const algorithm = input.cluster.algorithmOf(input.pool);
  const proposing = new Proposing(input, algorithm);
  try {
    return algorithm === 'binpack' ? proposing.pack() : proposing.spread();
  } finally {
    proposing.close();
  }
}

/** A move has to bring the fullest and the emptiest node closer by this share of a node. */
const WORTH = 0.1;

class Proposing {
  readonly #cluster: Cluster;
  readonly #algorithm: Algorithm;
  readonly #scratch: Scratch;
  readonly #maxMoves: number;
  readonly #trial: Trial;
  /** The nodes that take allocations, by name. */
  readonly #nodes: readonly string[];
  readonly #byNode = new Map<string, Map<string, AllocationRecord>>();
  readonly #feasibilities = new Map<string, Feasibility | undefined>();

  constructor({ cluster, pool, maxMoves, scratch }: ProposeInput, algorithm: Algorithm) {
    this.#cluster = cluster;
    this.#algorithm = algorithm;
    this.#scratch = scratch;
    this.#maxMoves = maxMoves;
    this.#trial = new Trial(cluster.allocations);
    const { fleet } = cluster;
    this.#nodes = [...fleet.takers()]
      .filter(([node, takes]) => takes && fleet.stateOf(node)?.facts.pool === pool)
      .map(([node]) => node)
      .sort();
    for (const node of this.#nodes) this.#byNode.set(node, new Map());
    for (const record of cluster.allocations.all()) if (isHolding(record)) this.#byNode.get(record.node)?.set(record.id, record);
  }

  close(): void {
    this.#trial.rollback();
  }

  pack(): Proposal {
    const moves: Move[] = [];
    const used = this.#inUse();
    let freed = 0;
    const order = [...used].sort((a, b) => this.#usage(a) - this.#usage(b) || (a < b ? -1 : 1));
    const emptied = new Set<string>();
    const filled = new Set<string>();
    for (const node of order) {
      // What was moved here just now is not moved on.
      if (filled.has(node)) continue;
      const found = this.#evacuate(node, this.#maxMoves - moves.length, (other) => !emptied.has(other) && used.includes(other));
      if (found === undefined) continue;
      moves.push(...found);
      for (const { to } of found) filled.add(to);
      emptied.add(node);
      freed++;
    }
    const left = used.length - freed;
    const description =
      freed === 0
        ? `Nothing to gain: none of the ${used.length} nodes in use can be emptied within ${this.#maxMoves} moves`
        : `${moves.length} ${moves.length === 1 ? 'move' : 'moves'} would leave ${left} of ${used.length} nodes in use`;
    return { algorithm: this.#algorithm, moves, description };
  }

  spread(): Proposal {
    const moves: Move[] = [];
    const before = this.#gap();
    const moved = new Set<string>();
    while (moves.length < this.#maxMoves) {
      const move = this.#nextSpread(moved);
      if (move === undefined) break;
      moved.add(move.allocation.id);
      moves.push(move);
    }
    const [was, is] = [percent(before), percent(this.#gap())];
    const description =
      moves.length === 0
        ? `Nothing to gain: the fullest and the emptiest node are ${was} apart`
        : `${moves.length} ${moves.length === 1 ? 'move' : 'moves'} would bring the fullest and the emptiest node from ${was} to ${is} apart`;
    return { algorithm: this.#algorithm, moves, description };
  }

  /** Moves for all that is on the node, the largest first; undefined: something has to stay. */
  #evacuate(node: string, most: number, isTarget: (node: string) => boolean): Move[] | undefined {
    const own = [...this.#byNode.get(node)!.values()].filter((record) => !this.#isEverywhere(record));
    if (own.length === 0 || own.length > most || !own.every((record) => this.#isMovable(record))) return undefined;
    const { mark } = this.#trial;
    const usage = this.#usage(node);
    const siblings = new Map(own.map((record) => [record.id, this.#siblings(record, node)]));
    const targets = this.#nodes
      .filter((other) => other !== node && isTarget(other) && this.#usage(other) >= usage)
      .sort((a, b) => this.#usage(b) - this.#usage(a) || (a < b ? -1 : 1));
    const moves: Move[] = [];
    for (const allocation of own.sort((a, b) => size(b) - size(a) || (a.id < b.id ? -1 : 1))) {
      const to = targets.find((other) => this.#tryMove(allocation, other, siblings.get(allocation.id)!));
      if (to !== undefined) moves.push({ allocation, to });
      else {
        this.#trial.rollback(mark);
        for (const undone of moves) this.#moved(undone.allocation, undone.to, node, undone.allocation);
        return undefined;
      }
    }
    return moves;
  }

  #nextSpread(moved: ReadonlySet<string>): Move | undefined {
    const order = [...this.#nodes].sort((a, b) => this.#usage(b) - this.#usage(a) || (a < b ? -1 : 1));
    for (const from of order) {
      const to = order.at(-1)!;
      const gap = this.#usage(from) - this.#usage(to);
      if (gap < WORTH) return undefined;
      const candidates = [...this.#byNode.get(from)!.values()]
        .filter((record) => !moved.has(record.id) && this.#isMovable(record))
        .sort((a, b) => size(b) - size(a) || (a.id < b.id ? -1 : 1));
      for (const allocation of candidates) {
        const { mark } = this.#trial;
        if (!this.#tryMove(allocation, to, this.#siblings(allocation, from))) continue;
        const closer = gap - Math.abs(this.#usage(from) - this.#usage(to));
        if (closer >= WORTH) return { allocation, to };
        this.#trial.rollback(mark);
        this.#moved(allocation, to, from, allocation);
      }
    }
    return undefined;
  }

  /** Puts it there if it fits, as the scheduler itself would judge that, and no more than so many of its group are there. */
  #tryMove(allocation: AllocationRecord, to: string, siblings: number): boolean {
    if (this.#siblings(allocation, to) > siblings) return false;
    const feasibility = this.#feasibilityOf(allocation);
    const slot = this.#cluster.fleet.slotOf(to);
    if (feasibility === undefined || slot === undefined || feasibility.reasonFor(this.#cluster.fleet, slot) !== undefined)
      return false;
    const { mark } = this.#trial;
    this.#trial.put({ ...allocation, phase: 'complete' });
    const { fleet, allocations } = this.#cluster;
    const session = new PlacementSession({
      fleet,
      feasibility,
      algorithm: this.#algorithm,
      seed: 1,
      allocations: allocations.ofJob(allocation.job).filter((record) => !isTerminal(record)),
      scratch: this.#scratch,
    });
    const placement = session.placeOn(slot);
    if (placement === undefined) {
      this.#trial.rollback(mark);
      return false;
    }
    const { memory, disk } = allocation.holding;
    const cores = [...placement.cores.values()].flat();
    const there: AllocationRecord = {
      ...allocation,
      node: to,
      holding: holdingOf(placement.cpu, memory, disk),
      ports: placement.ports.length === 0 ? undefined : placement.ports.map(({ hostIP = '', value }) => ({ ip: hostIP, value })),
      cores: cores.length === 0 ? undefined : cores,
    };
    this.#trial.put(there);
    this.#moved(allocation, allocation.node, to, there);
    return true;
  }

  #moved({ id }: AllocationRecord, from: string, to: string, record: AllocationRecord): void {
    this.#byNode.get(from)!.delete(id);
    this.#byNode.get(to)!.set(id, record);
  }

  /** How many others of its group live on the node. */
  #siblings({ id, job, group }: AllocationRecord, node: string): number {
    const isSibling = (other: AllocationRecord): boolean =>
      other.id !== id && other.group === group && other.node === node && !isTerminal(other);
    return this.#cluster.allocations.ofJob(job).filter(isSibling).length;
  }

  /** A service that runs undisturbed, loses no data by moving, and does not prefer some nodes to others. */
  #isMovable(record: AllocationRecord): boolean {
    if (record.desired !== 'run' || record.phase !== 'running' || record.migrate || record.canary || record.surge) return false;
    const view = this.#cluster.view(record.job);
    if (view === undefined || view.stopped || jobTypeOf(view.spec) !== 'service' || view.version !== record.version) return false;
    if (this.#cluster.deployments(record.job).some((deployment) => deployment.active)) return false;
    const group = view.spec.groups?.find(({ name }) => name === record.group);
    if (group === undefined || group.ephemeralDisk?.sticky === true || (group.volumes ?? []).length > 0) return false;
    return ![view.spec, group, ...(group.tasks ?? [])].some(hasPreferences);
  }

  /** System jobs follow the nodes: they keep none in use. */
  #isEverywhere({ job }: AllocationRecord): boolean {
    const type = this.#cluster.job(job)?.spec.type;
    return type === 'system' || type === 'sysbatch';
  }

  #feasibilityOf({ job, version, group }: AllocationRecord): Feasibility | undefined {
    const key = `${job} ${version} ${group}`;
    if (!this.#feasibilities.has(key)) {
      const spec = this.#cluster.view(job)?.spec;
      const of = spec?.groups?.find(({ name }) => name === group);
      const made = spec === undefined || of === undefined ? undefined : compileGroup(spec, of);
      this.#feasibilities.set(key, made === undefined ? undefined : new Feasibility(made, this.#cluster.fleet.classes));
    }
    return this.#feasibilities.get(key);
  }

  #inUse(): string[] {
    return this.#nodes.filter((node) => [...this.#byNode.get(node)!.values()].some((record) => !this.#isEverywhere(record)));
  }

  /** The larger of the shares of its CPU and memory that are taken. */
  #usage(node: string): number {
    const { fleet } = this.#cluster;
    const slot = fleet.slotOf(node)!;
    const share = (used: number, total: number): number => (total <= 0 ? 1 : used / total);
    return Math.max(share(fleet.usedCpu[slot]!, fleet.cpu[slot]!), share(fleet.usedMemory[slot]!, fleet.memory[slot]!));
  }

  #gap(): number {
    const usages = this.#nodes.map((node) => this.#usage(node));
    return usages.length === 0 ? 0 : Math.max(...usages) - Math.min(...usages);
  }
}

const hasPreferences = ({ spreads = [], affinities = [] }: { spreads?: readonly unknown[]; affinities?: readonly unknown[] }) =>
  spreads.length + affinities.length > 0;
const size = ({ holding }: AllocationRecord): number => holding.cpu + holding.memory;
const percent = (share: number): string => `${Math.round(share * 100)} %`;
