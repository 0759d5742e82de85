/**
 * Places the allocations of one group, one after the other.
 *
 *     scan ──► heaps ──► take the best ──► update what that changes ──► take the best ──► …
 *
 * The scan looks at every schedulable node once and scores it. After that a placement costs a handful of heap moves: it changes
 * the score of its own node, and through spreads that of whole buckets of nodes, whose order among themselves stays. So each
 * node is in the heap of its bucket and its number of score terms; within one heap the order by own terms is the order by score,
 * and the best node of all is the best of the heaps' tops.
 */
import type { AllocatedPort, AllocMetric, NodeScore } from '../../../openapi/index.ts';
import type { Feasibility } from '../feasible/feasibility.ts';
import { ELSEWHERE, type DistinctProperty, type GroupProgram } from '../feasible/program.ts';
import type { AllocationRecord, HeldPort } from '../model.ts';
import type { Algorithm } from '../state/cluster.ts';
import { DYNAMIC_MAX, DYNAMIC_MIN } from '../state/ports.ts';
import type { Fleet } from '../state/fleet.ts';
import { SlotHeap, type Keys } from './heap.ts';
import { chooseVictims, preemptionScore } from './preempt.ts';
import { antiAffinityScore, fitScore, PENALTY, type Term } from './score.ts';
import { SpreadState } from './spread.ts';

export interface SessionOptions {
  readonly fleet: Fleet;
  readonly feasibility: Feasibility;
  readonly algorithm: Algorithm;
  /** Of the evaluation: breaks ties and starts the search for dynamic ports. */
  readonly seed: number;
  /** The allocations of the job that hold their place, of all its groups. */
  readonly allocations: readonly AllocationRecord[];
  readonly scratch: Scratch;
}

export interface Wish {
  /** Nodes that this instance failed on before. */
  readonly penalties?: ReadonlySet<number>;
  /** Taken if it fits at all. */
  readonly preferred?: number;
}

export interface Placement {
  readonly slot: number;
  readonly ports: readonly AllocatedPort[];
  /** By task with whole cores: which. */
  readonly cores: ReadonlyMap<string, readonly number[]>;
  readonly cpu: number;
  /** How the nodes were looked at, the same for all placements of a session. */
  readonly metrics: AllocMetric;
  readonly scores: NodeScore[];
}

/** How many placements of a session remember the nodes that came next. */
const EXPLAINED = 16;
const EXPLAINED_NODES = 5;

/** Columns that sessions use one after the other. */
export class Scratch {
  key = new Float64Array(0);
  tie = new Uint32Array(0);
  position = new Int32Array(0);
  /** Score terms that apply to the node, besides penalty and spread. */
  terms = new Uint8Array(0);
  heapOf = new Int32Array(0);
  /** Allocations of the same group on the node. */
  others = new Int32Array(0);

  reset(size: number): void {
    if (this.key.length < size) {
      const capacity = Math.max(64, size * 2);
      this.key = new Float64Array(capacity);
      this.tie = new Uint32Array(capacity);
      this.position = new Int32Array(capacity);
      this.terms = new Uint8Array(capacity);
      this.heapOf = new Int32Array(capacity);
      this.others = new Int32Array(capacity);
    }
    this.position.fill(-1, 0, size);
    this.others.fill(0, 0, size);
  }
}

interface Bucket {
  readonly heap: SlotHeap;
  readonly terms: number;
}

interface PropertyState {
  readonly property: DistinctProperty;
  readonly used: Map<string, number>;
  /** By value: nodes that were set aside because it is used up. */
  readonly parked: Map<string, number[]>;
}

export class PlacementSession {
  readonly #fleet: Fleet;
  readonly #feasibility: Feasibility;
  readonly #program: GroupProgram;
  readonly #algorithm: Algorithm;
  readonly #scratch: Scratch;
  readonly #keys: Keys;
  readonly #spreads: readonly SpreadState[];
  readonly #properties: readonly PropertyState[];
  /** Nodes that distinct_hosts rules out, with how many allocations do so. */
  readonly #occupied = new Map<number, number>();
  readonly #buckets: Bucket[] = [];
  readonly #bucketIds = new Map<string, number>();
  readonly #plainIds: number[] = [];
  /** By class: the affinity that its nodes share. */
  readonly #affinities: (number | undefined)[] = [];
  readonly #seed: number;
  /** Spreads or distinct properties keep books of their own. */
  readonly #isCounted: boolean;
  #random: number;
  #placed = 0;
  #summary: AllocMetric;

  constructor({ fleet, feasibility, algorithm, seed, allocations, scratch }: SessionOptions) {
    this.#fleet = fleet;
    this.#feasibility = feasibility;
    this.#program = feasibility.program;
    this.#algorithm = algorithm;
    this.#seed = seed;
    this.#random = seed | 1;
    this.#scratch = scratch;
    scratch.reset(fleet.size);
    this.#keys = scratch;
    this.#spreads = this.#program.spreads.map((term) => new SpreadState(term, fleet));
    this.#properties = this.#program.distinctProperties.map((property) => ({ property, used: new Map(), parked: new Map() }));
    this.#isCounted = this.#spreads.length + this.#properties.length > 0;
    for (const record of allocations) this.#count(record, 1);
    this.#summary = this.#scan();
  }

  /** The best node for one more allocation; undefined: there is none, see `failure`. Nothing is taken yet: see `taken`. */
  place({ penalties, preferred }: Wish = {}): Placement | undefined {
    if (preferred !== undefined && this.#unfit(preferred) === undefined) {
      const placement = this.#offer(preferred, false);
      if (placement !== undefined) return placement;
    }
    const shunned = penalties === undefined ? NOBODY : [...penalties].filter((slot) => this.#keys.position[slot] !== -1);
    for (const slot of shunned) this.#leave(slot);
    const placement = this.#choose(shunned);
    for (const slot of shunned) this.#refresh(slot);
    return placement;
  }

  /** That node or none. */
  placeOn(slot: number): Placement | undefined {
    return this.#unfit(slot) === undefined ? this.#offer(slot, false) : undefined;
  }

  /**
   * The node where displacing allocations hurts least and places best; undefined: nowhere does it help. `displaceable` are the
   * allocations by node that may be asked to leave. Only `only`, where that is given.
   */
  findPreemption(
    displaceable: ReadonlyMap<string, readonly AllocationRecord[]>,
    only?: number,
  ): { readonly slot: number; readonly victims: AllocationRecord[] } | undefined {
    let best: { slot: number; victims: AllocationRecord[]; score: number } | undefined;
    for (const [node, candidates] of displaceable) {
      const slot = this.#fleet.slotOf(node);
      if (slot === undefined || (only !== undefined && slot !== only) || candidates.length === 0) continue;
      if (this.#fleet.schedulable[slot] === 0 || this.#feasibility.ofClass(this.#fleet.classOf[slot]!) !== 0) continue;
      if (this.#uniqueReason(slot) !== undefined) continue;
      const shortage = this.#fleet.shortage(slot, this.#program.ask);
      const victims = shortage === undefined ? undefined : chooseVictims(shortage, candidates);
      if (victims === undefined || victims.length === 0) continue;
      const own = this.#ownScore(slot);
      const score = combine(own.sum + preemptionScore(victims), own.terms + 1, this.#spreadScore(slot));
      if (best === undefined || score > best.score) best = { slot, victims, score };
    }
    return best;
  }

  /** The best of the heaps and of those that are shunned, which pay for it. */
  #choose(shunned: readonly number[]): Placement | undefined {
    /** Their dynamic ports are used up: nothing else can tell that beforehand at no cost. */
    const full = new Set<number>();
    for (;;) {
      const best = this.#best();
      let chosen = best?.slot;
      let score = best?.score ?? Number.NEGATIVE_INFINITY;
      for (const slot of shunned) {
        if (full.has(slot) || this.#unfit(slot) !== undefined) continue;
        const own = this.#score(slot, true);
        if (own > score) [chosen, score] = [slot, own];
      }
      if (chosen === undefined) return undefined;
      const penalised = shunned.includes(chosen);
      const placement = this.#offer(chosen, penalised);
      if (placement !== undefined) return placement;
      if (penalised) full.add(chosen);
      else this.#leave(chosen);
    }
  }

  /** An allocation of the job was put on its node (and the fleet knows). */
  taken(record: AllocationRecord): void {
    this.#changed(record, 1);
  }

  /** An allocation of the job gave up its place (and the fleet knows). */
  released(record: AllocationRecord): void {
    this.#changed(record, -1);
  }

  /** The node has more or less room than before. */
  roomChanged(node: string): void {
    const slot = this.#fleet.slotOf(node);
    if (slot !== undefined && slot < this.#scratch.position.length) this.#refresh(slot);
  }

  /** Why there is no place: every node (or each of these), and what rules it out now. */
  failure(slots?: readonly number[]): AllocMetric {
    return this.#scanReasons(slots);
  }

  #changed(record: AllocationRecord, by: 1 | -1): void {
    const moved = this.#count(record, by);
    const slot = this.#fleet.slotOf(record.node);
    if (slot !== undefined && slot < this.#scratch.position.length) this.#refresh(slot);
    for (const other of moved) if (other !== slot) this.#refresh(other);
  }

  /** Keeps the books that scores and distinct constraints are made of. Returns nodes whose score changed besides its own. */
  #count(record: AllocationRecord, by: 1 | -1): readonly number[] {
    const slot = this.#fleet.slotOf(record.node);
    if (slot === undefined) return NOBODY;
    const same = record.group === this.#program.group;
    const { distinctHosts } = this.#program;
    if (distinctHosts === 'job' || (distinctHosts === 'group' && same))
      this.#occupied.set(slot, (this.#occupied.get(slot) ?? 0) + by);
    if (!this.#isCounted) {
      if (same) this.#scratch.others[slot]! += by;
      return NOBODY;
    }
    const moved: number[] = [];
    for (const state of this.#properties) {
      if (state.property.scope === 'group' && !same) continue;
      const value = this.#valueOf(state.property, slot);
      if (value === undefined) continue;
      state.used.set(value, (state.used.get(value) ?? 0) + by);
      if (by < 0) {
        moved.push(...(state.parked.get(value) ?? []));
        state.parked.delete(value);
      }
    }
    if (!same) return moved;
    this.#scratch.others[slot]! += by;
    for (const spread of this.#spreads) moved.push(...spread.count(spread.valueOf(slot), by));
    return moved;
  }

  #valueOf(property: DistinctProperty, slot: number): string | undefined {
    const facts = this.#fleet.states[slot]?.facts;
    return facts === undefined ? undefined : property.target.of(facts);
  }

  /** Scores every node that fits and puts it into its heap. */
  #scan(): AllocMetric {
    const fleet = this.#fleet;
    const { schedulable, classOf, hash } = fleet;
    const { ask } = this.#program;
    const { tie } = this.#keys;
    const perClass = new Int32Array(fleet.classes.size);
    const simple =
      this.#program.uniqueChecks.length === 0 && this.#program.distinctHosts === undefined && this.#properties.length === 0;
    const tally = new Tally(fleet);
    for (let slot = 0, size = fleet.size; slot < size; slot++) {
      if (schedulable[slot] === 0) continue;
      const index = classOf[slot]!;
      perClass[index]!++;
      if (this.#feasibility.ofClass(index) !== 0) continue;
      if (!simple) {
        const reason = this.#uniqueReason(slot);
        if (reason !== undefined) {
          tally.filtered(slot, reason);
          this.#park(slot);
          continue;
        }
      }
      const lack = fleet.lacks(slot, ask);
      if (lack !== undefined) {
        tally.exhausted(slot, lack);
        continue;
      }
      tie[slot] = mix(hash[slot]! ^ this.#seed);
      this.#enter(slot, true);
    }
    for (const { heap } of this.#buckets) heap.heapify();
    tally.classes(perClass, this.#feasibility);
    return tally.metric();
  }

  #scanReasons(slots?: readonly number[]): AllocMetric {
    const fleet = this.#fleet;
    const perClass = new Int32Array(fleet.classes.size);
    const tally = new Tally(fleet);
    for (let at = 0, size = slots?.length ?? fleet.size; at < size; at++) {
      const slot = slots?.[at] ?? at;
      if (fleet.schedulable[slot] === 0) continue;
      const index = fleet.classOf[slot]!;
      perClass[index]!++;
      if (this.#feasibility.ofClass(index) !== 0) continue;
      const reason = this.#uniqueReason(slot);
      if (reason !== undefined) tally.filtered(slot, reason);
      else tally.exhausted(slot, fleet.lacks(slot, this.#program.ask) ?? 'network: dynamic port selection failed');
    }
    tally.classes(perClass, this.#feasibility);
    return tally.metric();
  }

  /** What rules out a node of a feasible class, whatever its room. */
  #uniqueReason(slot: number): string | undefined {
    const reason = this.#feasibility.uniqueReason(this.#fleet, slot);
    if (reason !== undefined) return reason;
    if ((this.#occupied.get(slot) ?? 0) > 0) return 'distinct_hosts';
    for (const { property, used } of this.#properties) {
      const value = this.#valueOf(property, slot);
      if (value === undefined) return `missing property ${property.target.text}`;
      const count = used.get(value) ?? 0;
      if (count >= property.limit) return `distinct_property: ${property.target.text}=${value} used by ${count} allocs`;
    }
    return undefined;
  }

  /** What keeps the node from taking one more; undefined: nothing. */
  #unfit(slot: number): string | undefined {
    if (this.#fleet.schedulable[slot] === 0) return 'not schedulable';
    const verdict = this.#feasibility.ofClass(this.#fleet.classOf[slot]!);
    if (verdict !== 0) return this.#feasibility.reason(verdict);
    return this.#uniqueReason(slot) ?? this.#fleet.lacks(slot, this.#program.ask);
  }

  /** Puts the node where it belongs now, or nowhere. */
  #refresh(slot: number): void {
    if (this.#keys.position[slot] !== -1) this.#leave(slot);
    if (this.#park(slot) || this.#unfit(slot) !== undefined) return;
    this.#keys.tie[slot] = mix(this.#fleet.hash[slot]! ^ this.#seed);
    this.#enter(slot, false);
  }

  #leave(slot: number): void {
    this.#buckets[this.#scratch.heapOf[slot]!]!.heap.remove(slot);
  }

  #enter(slot: number, first: boolean): void {
    const own = this.#ownScore(slot);
    const { key, heapOf, terms } = this.#scratch;
    key[slot] = own.sum;
    terms[slot] = own.terms;
    const values = this.#spreads.map((spread) => spread.valueOf(slot));
    if (first) for (let i = 0; i < values.length; i++) this.#spreads[i]!.addSlot(values[i]!, slot);
    const id = this.#bucketFor(values, own.terms);
    heapOf[slot] = id;
    const { heap } = this.#buckets[id]!;
    if (first) heap.append(slot);
    else heap.add(slot);
  }

  /** Nodes of one bucket have as many terms and, now and after any placement, the same spread score. */
  #bucketFor(values: readonly number[], terms: number): number {
    if (values.length === 0) return (this.#plainIds[terms] ??= this.#addBucket(terms));
    let name = String(terms);
    for (let i = 0; i < values.length; i++) name += `/${this.#spreads[i]!.bucketOf(values[i]!)}`;
    let id = this.#bucketIds.get(name);
    if (id === undefined) this.#bucketIds.set(name, (id = this.#addBucket(terms)));
    return id;
  }

  #addBucket(terms: number): number {
    return this.#buckets.push({ heap: new SlotHeap(this.#keys), terms }) - 1;
  }

  /** The best node of all heaps, setting aside those whose distinct property is used up. */
  #best(): { slot: number; score: number } | undefined {
    let found: number | undefined;
    let best = Number.NEGATIVE_INFINITY;
    for (const bucket of this.#buckets) {
      const slot = this.#topOf(bucket);
      if (slot === undefined) continue;
      const score = combine(this.#scratch.key[slot]!, bucket.terms, this.#spreadScore(slot));
      if (score > best || (score === best && this.#keys.tie[slot]! < this.#keys.tie[found!]!)) {
        best = score;
        found = slot;
      }
    }
    return found === undefined ? undefined : { slot: found, score: best };
  }

  #topOf({ heap }: Bucket): number | undefined {
    while (heap.size > 0) {
      const slot = heap.top();
      if (!this.#park(slot)) return slot;
    }
    return undefined;
  }

  /** Sets a node aside whose value of a distinct property is used up; it is back when one of them is given up. */
  #park(slot: number): boolean {
    for (const { property, used, parked } of this.#properties) {
      const value = this.#valueOf(property, slot);
      if (value === undefined || (used.get(value) ?? 0) < property.limit) continue;
      if (this.#keys.position[slot] !== -1) this.#leave(slot);
      const others = parked.get(value);
      if (others === undefined) parked.set(value, [slot]);
      else others.push(slot);
      return true;
    }
    return false;
  }

  #spreadScore(slot: number): number {
    let sum = 0;
    for (const spread of this.#spreads) sum += spread.score(spread.valueOf(slot));
    return sum;
  }

  #score(slot: number, penalised: boolean): number {
    const own = this.#ownScore(slot);
    const spread = this.#spreadScore(slot);
    return penalised ? combine(own.sum + PENALTY, own.terms + 1, spread) : combine(own.sum, own.terms, spread);
  }

  #ownScore(slot: number): { sum: number; terms: number } {
    let sum = this.#fit(slot);
    let terms = 1;
    const others = this.#scratch.others[slot]!;
    if (others > 0) {
      sum += antiAffinityScore(others, this.#program.count);
      terms++;
    }
    if (this.#program.affinities.length > 0) {
      const affinity = this.#affinity(slot);
      if (affinity !== 0) {
        sum += affinity;
        terms++;
      }
    }
    return { sum, terms };
  }

  #fit(slot: number): number {
    const { cpu, memory, usedCpu, usedMemory } = this.#fleet;
    const { ask } = this.#program;
    return fitScore(
      this.#algorithm,
      freeShare(usedCpu[slot]! + this.#fleet.cpuFor(slot, ask), cpu[slot]!),
      freeShare(usedMemory[slot]! + ask.memory, memory[slot]!),
    );
  }

  #affinity(slot: number): number {
    const { affinities } = this.#program;
    const facts = this.#fleet.states[slot]!.facts;
    const index = this.#fleet.classOf[slot]!;
    let shared = this.#affinities[index];
    if (shared === undefined) {
      shared = 0;
      for (const { predicate, share } of affinities) if (!predicate.unique && predicate.test(facts)) shared += share;
      this.#affinities[index] = shared;
    }
    let sum = shared;
    for (const { predicate, share } of affinities) if (predicate.unique && predicate.test(facts)) sum += share;
    return sum;
  }

  /** Finds ports and cores on the node; undefined: it has no dynamic port left. */
  #offer(slot: number, penalised: boolean): Placement | undefined {
    const ports = this.#assignPorts(slot);
    if (ports === undefined) return undefined;
    const { ask } = this.#program;
    const cores = ask.cores === 0 ? NO_CORES : this.#assignCores(slot);
    const scores = this.#explain(slot, penalised);
    this.#placed++;
    return { slot, ports, cores, cpu: this.#fleet.cpuFor(slot, ask), metrics: this.#summary, scores };
  }

  #assignCores(slot: number): Map<string, readonly number[]> {
    const { ask } = this.#program;
    const picked = this.#fleet.pickCores(slot, ask.cores);
    return new Map(ask.tasks.filter(({ cores }) => cores > 0).map(({ name, cores }) => [name, picked.splice(0, cores)]));
  }

  #assignPorts(slot: number): readonly AllocatedPort[] | undefined {
    const { ports } = this.#program.ask;
    if (ports.length === 0) return NO_PORTS;
    const fleet = this.#fleet;
    const taken: HeldPort[] = [];
    const values: { ip: string; value: number }[] = new Array(ports.length) as { ip: string; value: number }[];
    // Static ones first: a dynamic one must not land on them.
    for (const dynamic of [false, true]) {
      for (let i = 0; i < ports.length; i++) {
        const port = ports[i]!;
        if ((port.static === undefined) !== dynamic) continue;
        const ip =
          port.static === undefined || port.ignoreCollision
            ? fleet.addresses(slot, port.hostNetwork)[0]
            : fleet.addressFor(slot, port.hostNetwork, port.static);
        if (ip === undefined) return undefined;
        const value = port.static ?? fleet.dynamicPort(slot, ip, this.#nextRandom() % (DYNAMIC_MAX - DYNAMIC_MIN + 1), taken);
        if (value === undefined) return undefined;
        values[i] = { ip, value };
        taken.push(values[i]!);
      }
    }
    return ports.map((port, i) => ({
      label: port.label,
      value: values[i]!.value,
      hostIP: values[i]!.ip,
      hostNetwork: port.hostNetwork,
      ...(port.to !== undefined && { to: port.to }),
      ...(port.task !== undefined && { task: port.task }),
    }));
  }

  /** xorshift32: only where a port search begins depends on it. */
  #nextRandom(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }

  /** The chosen node and, for the first placements, the ones that came next. */
  #explain(chosen: number, penalised: boolean): NodeScore[] {
    if (this.#placed >= EXPLAINED || this.#buckets.length > EXPLAINED * 4) return [this.#explainNode(chosen, penalised)];
    const slots = [chosen];
    for (const { heap } of this.#buckets) for (const slot of heap.best(EXPLAINED_NODES)) if (slot !== chosen) slots.push(slot);
    const scores = slots.map((slot) => this.#explainNode(slot, slot === chosen && penalised));
    const others = scores.slice(1).sort((a, b) => b.score! - a.score!);
    return [scores[0]!, ...others.slice(0, EXPLAINED_NODES - 1)];
  }

  #explainNode(slot: number, penalised: boolean): NodeScore {
    const others = this.#scratch.others[slot]!;
    const terms: Partial<Record<Term, number>> = {
      binpack: rounded(this.#fit(slot)),
      'job-anti-affinity': rounded(antiAffinityScore(others, this.#program.count)),
      'node-affinity': this.#program.affinities.length > 0 ? rounded(this.#affinity(slot)) : 0,
      'node-reschedule-penalty': penalised ? PENALTY : 0,
    };
    if (this.#spreads.length > 0) terms['allocation-spread'] = rounded(this.#spreadScore(slot));
    return { nodeName: this.#fleet.names[slot]!, score: rounded(this.#score(slot, penalised)), terms };
  }
}

const NO_CORES: ReadonlyMap<string, readonly number[]> = new Map();
const NO_PORTS: readonly AllocatedPort[] = [];
const NOBODY: readonly number[] = [];

/** Adds up what happened to nodes, in the words of AllocMetric. */
class Tally {
  readonly #fleet: Fleet;
  readonly #constraints = new Map<string, number>();
  readonly #dimensions = new Map<string, number>();
  readonly #classFiltered = new Map<string, number>();
  readonly #classExhausted = new Map<string, number>();
  readonly #available = new Map<string, number>();
  #evaluated = 0;
  #filtered = 0;
  #exhausted = 0;
  #inPool = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  filtered(slot: number, reason: string): void {
    this.#addFiltered(this.#fleet.states[slot]!.facts.nodeClass, reason, 1);
  }

  exhausted(slot: number, dimension: string): void {
    this.#exhausted++;
    add(this.#dimensions, dimension, 1);
    const { nodeClass } = this.#fleet.states[slot]!.facts;
    if (nodeClass !== '') add(this.#classExhausted, nodeClass, 1);
  }

  /** Takes in how many schedulable nodes of each class there are, and what became of whole classes. */
  classes(perClass: Int32Array, feasibility: Feasibility): void {
    for (let index = 0; index < perClass.length; index++) {
      const nodes = perClass[index]!;
      if (nodes === 0) continue;
      const verdict = feasibility.ofClass(index);
      const reason = verdict === 0 ? undefined : feasibility.reason(verdict);
      if (reason === ELSEWHERE) continue;
      const { facts } = this.#fleet.classes.at(index);
      this.#evaluated += nodes;
      this.#inPool += nodes;
      add(this.#available, facts.datacenter, nodes);
      if (reason !== undefined) this.#addFiltered(facts.nodeClass, reason, nodes);
    }
  }

  metric(): AllocMetric {
    return {
      nodesEvaluated: this.#evaluated,
      nodesFiltered: this.#filtered,
      nodesExhausted: this.#exhausted,
      nodesInPool: this.#inPool,
      ...record('nodesAvailable', this.#available),
      ...record('classFiltered', this.#classFiltered),
      ...record('constraintFiltered', this.#constraints),
      ...record('classExhausted', this.#classExhausted),
      ...record('dimensionExhausted', this.#dimensions),
    };
  }

  #addFiltered(nodeClass: string, reason: string, nodes: number): void {
    this.#filtered += nodes;
    add(this.#constraints, reason, nodes);
    if (nodeClass !== '') add(this.#classFiltered, nodeClass, nodes);
  }
}

const add = (counts: Map<string, number>, key: string, by: number): unknown => counts.set(key, (counts.get(key) ?? 0) + by);

const record = <K extends string>(name: K, counts: Map<string, number>): { [P in K]?: Record<string, number> } =>
  (counts.size === 0 ? {} : { [name]: Object.fromEntries(counts) }) as { [P in K]?: Record<string, number> };

/** The mean of the terms; spread is one more where it says anything. */
const combine = (sum: number, terms: number, spread: number): number =>
  spread === 0 ? sum / terms : (sum + spread) / (terms + 1);

const freeShare = (used: number, total: number): number => (total <= 0 ? 0 : 1 - used / total);

const rounded = (score: number): number => Math.round(score * 1e6) / 1e6;

/** Spreads the bits of a 32-bit number (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
