import type { NodeFacts } from '../feasible/targets.ts';
import type { Ask } from '../feasible/program.ts';
import type { AllocationRecord, HeldPort, Holding } from '../model.ts';
import type { Shortage } from '../rank/preempt.ts';
import { ClassTable } from './classes.ts';
import { firstFree, parsePorts, PortMap } from './ports.ts';

export type Room = Holding;

/** What the fleet takes from a Node. */
export interface NodeState {
  readonly facts: NodeFacts;
  /** Its agent is heard; where it is not, what it ran is lost. */
  readonly up: boolean;
  /** Since when it is as it is. */
  readonly phaseChangedAt: number | undefined;
  /** Up, eligible and not draining: may take new allocations. */
  readonly schedulable: boolean;
  /** What the machine has for allocations, without what it keeps for itself. */
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
  readonly cores: number;
  readonly mhzPerCore: number;
  readonly reservedPorts: string | undefined;
}

/**
 * All nodes as columns: one number per node and dimension, indexed by slot, so that a scan over the fleet touches nothing but
 * flat memory. Allocations may be known before their node is; their node then has a slot without facts that holds what they take.
 */
export class Fleet {
  readonly classes = new ClassTable();
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  /** Nodes by address. */
  readonly #byAddress = new Map<string, number[]>();
  #size = 0;
  #schedulable = 0;

  names: (string | undefined)[] = [];
  states: (NodeState | undefined)[] = [];
  ports: (Map<string, PortMap> | undefined)[] = [];
  reserved: (PortMap | undefined)[] = [];
  /** By core: how many allocations hold it. */
  cores: (Uint8Array | undefined)[] = [];
  /** Allocations that hold something here. */
  held = new Uint32Array(0);
  schedulable = new Uint8Array(0);
  classOf = new Int32Array(0);
  /** Breaks ties, together with the evaluation. */
  hash = new Uint32Array(0);
  cpu = new Float64Array(0);
  memory = new Float64Array(0);
  disk = new Float64Array(0);
  mhzPerCore = new Float64Array(0);
  freeCores = new Int32Array(0);
  usedCpu = new Float64Array(0);
  usedMemory = new Float64Array(0);
  usedDisk = new Float64Array(0);

  /** Slots run from 0 to this, with gaps where nodes left. */
  get size(): number {
    return this.#size;
  }

  get schedulableCount(): number {
    return this.#schedulable;
  }

  slotOf(node: string): number | undefined {
    return this.#slots.get(node);
  }

  stateOf(node: string): NodeState | undefined {
    const slot = this.#slots.get(node);
    return slot === undefined ? undefined : this.states[slot];
  }

  /** Every node: whether it takes new allocations. */
  takers(): Map<string, boolean> {
    const found = new Map<string, boolean>();
    for (const [node, slot] of this.#slots) if (this.states[slot] !== undefined) found.set(node, this.schedulable[slot] === 1);
    return found;
  }

  put(node: string, state: NodeState): number {
    const slot = this.#claim(node);
    this.#schedulable += Number(state.schedulable) - this.schedulable[slot]!;
    this.#setAddresses(slot, addressesOf(state));
    this.states[slot] = state;
    this.schedulable[slot] = Number(state.schedulable);
    this.classOf[slot] = this.classes.of(state.facts).index;
    this.cpu[slot] = state.cpu;
    this.memory[slot] = state.memory;
    this.disk[slot] = state.disk;
    this.mhzPerCore[slot] = state.mhzPerCore;
    this.reserved[slot] = undefined;
    for (const port of parsePorts(state.reservedPorts)) (this.reserved[slot] ??= new PortMap()).take(port);
    this.#resizeCores(slot, state.cores);
    return slot;
  }

  remove(node: string): void {
    const slot = this.#slots.get(node);
    if (slot === undefined) return;
    this.#schedulable -= this.schedulable[slot]!;
    this.#setAddresses(slot, []);
    this.states[slot] = undefined;
    this.schedulable[slot] = 0;
    this.#vacate(slot);
  }

  take(record: AllocationRecord): void {
    const slot = this.#claim(record.node);
    const { holding, ports, cores } = record;
    this.held[slot]!++;
    this.usedCpu[slot]! += holding.cpu;
    this.usedMemory[slot]! += holding.memory;
    this.usedDisk[slot]! += holding.disk;
    if (ports !== undefined) for (const port of ports) this.#portsOf(slot, port.ip).take(port.value);
    if (cores !== undefined) this.#takeCores(slot, cores);
  }

  give(record: AllocationRecord): void {
    const slot = this.#slots.get(record.node);
    if (slot === undefined) throw new Error(`allocation ${record.id} gives back what node ${record.node} does not know of`);
    const { holding, ports, cores } = record;
    this.held[slot]!--;
    this.usedCpu[slot]! -= holding.cpu;
    this.usedMemory[slot]! -= holding.memory;
    this.usedDisk[slot]! -= holding.disk;
    if (ports !== undefined) for (const port of ports) this.#portsOf(slot, port.ip).give(port.value);
    if (cores !== undefined) this.#giveCores(slot, cores);
    if (this.states[slot] === undefined) this.#vacate(slot);
  }

  /** Corrects what is counted, where allocations share room. */
  adjust(node: string, by: Room): void {
    const slot = this.#slots.get(node);
    if (slot === undefined) throw new Error(`nothing is known of node ${node}, so nothing is shared there`);
    this.usedCpu[slot]! += by.cpu;
    this.usedMemory[slot]! += by.memory;
    this.usedDisk[slot]! += by.disk;
  }

  /** MHz that the allocation takes on this node: what it asks for, and its whole cores. */
  cpuFor(slot: number, ask: Ask): number {
    return ask.cores === 0 ? ask.cpu : ask.cpu + ask.cores * this.mhzPerCore[slot]!;
  }

  /** What the node lacks for one more of these, in the words that users read; undefined: it fits. */
  lacks(slot: number, ask: Ask): string | undefined {
    if (this.usedCpu[slot]! + this.cpuFor(slot, ask) > this.cpu[slot]!) return 'cpu';
    if (this.usedMemory[slot]! + ask.memory > this.memory[slot]!) return 'memory';
    if (this.usedDisk[slot]! + ask.disk > this.disk[slot]!) return 'disk';
    if (ask.cores > this.freeCores[slot]!) return 'cores';
    return ask.ports.length === 0 ? undefined : this.#lacksPorts(slot, ask);
  }

  /** What must be given up on the node so that one more fits; undefined: that would not help. */
  shortage(slot: number, ask: Ask): Shortage | undefined {
    const ports: HeldPort[] = [];
    for (const { static: wanted, hostNetwork, ignoreCollision } of ask.ports) {
      const [ip] = this.addresses(slot, hostNetwork);
      if (ip === undefined) return undefined;
      if (wanted === undefined || ignoreCollision || this.addressFor(slot, hostNetwork, wanted) !== undefined) continue;
      if (this.reserved[slot]?.has(wanted) === true) return undefined;
      ports.push({ ip, value: wanted });
    }
    return {
      cpu: this.usedCpu[slot]! + this.cpuFor(slot, ask) - this.cpu[slot]!,
      memory: this.usedMemory[slot]! + ask.memory - this.memory[slot]!,
      disk: this.usedDisk[slot]! + ask.disk - this.disk[slot]!,
      cores: ask.cores - this.freeCores[slot]!,
      ports,
    };
  }

  /** Where the static port would be bound: the first address of its host network that has it free. */
  addressFor(slot: number, hostNetwork: string, port: number): string | undefined {
    for (const ip of this.addresses(slot, hostNetwork)) if (!this.isPortTaken(slot, ip, port)) return ip;
    return undefined;
  }

  addresses(slot: number, hostNetwork: string): readonly string[] {
    return this.states[slot]?.facts.networks.get(hostNetwork) ?? [];
  }

  isPortTaken(slot: number, ip: string, port: number): boolean {
    return this.reserved[slot]?.has(port) === true || this.ports[slot]?.get(ip)?.has(port) === true;
  }

  /**
   * A port of the dynamic range that is free at that address, besides `taken`. Nodes that have the address in common may be agents
   * of one machine, where only one of them can bind a port; so what they hold is taken only when nothing else is left.
   */
  dynamicPort(slot: number, ip: string, start: number, taken: readonly HeldPort[]): number | undefined {
    const values = taken.filter((port) => port.ip === ip).map((port) => port.value);
    const reserved = this.reserved[slot];
    const own = [this.ports[slot]?.get(ip) ?? NONE, ...(reserved === undefined ? [] : [reserved])];
    const others = this.#portsOfNeighbours(slot, ip);
    const apart = others.length === 0 ? undefined : firstFree(start, [...own, ...others], values);
    return apart ?? firstFree(start, own, values);
  }

  /** The lowest free cores. */
  pickCores(slot: number, count: number): number[] {
    const held = this.cores[slot];
    const picked: number[] = [];
    for (let core = 0; picked.length < count && held !== undefined && core < held.length; core++)
      if (held[core] === 0) picked.push(core);
    return picked;
  }

  #lacksPorts(slot: number, ask: Ask): string | undefined {
    for (const port of ask.ports) {
      if (this.addresses(slot, port.hostNetwork).length === 0)
        return `network: no addresses available for "${port.hostNetwork}" network`;
      if (port.static === undefined || port.ignoreCollision) continue;
      if (this.addressFor(slot, port.hostNetwork, port.static) === undefined)
        return `network: reserved port collision ${port.label}=${port.static}`;
    }
    return undefined;
  }

  #portsOfNeighbours(slot: number, ip: string): PortMap[] {
    const slots = this.#byAddress.get(ip) ?? [];
    if (slots.length < 2 || slots.length > ONE_MACHINE) return [];
    return slots.flatMap((other) => (other === slot ? [] : (this.ports[other]?.get(ip) ?? [])));
  }

  #setAddresses(slot: number, next: readonly string[]): void {
    const before = addressesOf(this.states[slot]);
    if (before.length === next.length && before.every((ip, i) => ip === next[i])) return;
    for (const ip of before) {
      const left = this.#byAddress.get(ip)!.filter((other) => other !== slot);
      if (left.length === 0) this.#byAddress.delete(ip);
      else this.#byAddress.set(ip, left);
    }
    for (const ip of next) {
      const slots = this.#byAddress.get(ip);
      if (slots === undefined) this.#byAddress.set(ip, [slot]);
      else slots.push(slot);
    }
  }

  #portsOf(slot: number, ip: string): PortMap {
    const maps = (this.ports[slot] ??= new Map());
    let found = maps.get(ip);
    if (found === undefined) maps.set(ip, (found = new PortMap()));
    return found;
  }

  #takeCores(slot: number, cores: readonly number[]): void {
    for (const core of cores) {
      this.#growCores(slot, core + 1);
      const held = this.cores[slot]!;
      if (held[core]!++ === 0) this.freeCores[slot]!--;
    }
  }

  #giveCores(slot: number, cores: readonly number[]): void {
    const held = this.cores[slot];
    for (const core of cores) if (held !== undefined && --held[core]! === 0) this.freeCores[slot]!++;
  }

  #resizeCores(slot: number, count: number): void {
    if (count > 0) this.#growCores(slot, count);
    const held = this.cores[slot];
    let free = count;
    // Cores beyond what the machine has now may still be held; they are no loss to those it has.
    if (held !== undefined) for (let core = 0; core < count; core++) if (held[core]! > 0) free--;
    this.freeCores[slot] = free;
  }

  #growCores(slot: number, count: number): void {
    const held = this.cores[slot];
    if (held !== undefined && held.length >= count) return;
    const grown = new Uint8Array(count);
    if (held !== undefined) grown.set(held);
    this.cores[slot] = grown;
  }

  #claim(node: string): number {
    const known = this.#slots.get(node);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.#size++;
    if (slot >= this.held.length) this.#grow(Math.max(64, slot * 2));
    this.#slots.set(node, slot);
    this.names[slot] = node;
    this.hash[slot] = hashText(node);
    this.classOf[slot] = -1;
    return slot;
  }

  /** Frees the slot of a node that is gone once nothing is held there any more. */
  #vacate(slot: number): void {
    if (this.held[slot] !== 0) return;
    this.#slots.delete(this.names[slot]!);
    this.names[slot] = undefined;
    this.ports[slot] = undefined;
    this.cores[slot] = undefined;
    this.reserved[slot] = undefined;
    this.usedCpu[slot] = this.usedMemory[slot] = this.usedDisk[slot] = 0;
    this.#free.push(slot);
  }

  #grow(capacity: number): void {
    const copy = <T extends { set(from: T): void }>(from: T, to: T): T => (to.set(from), to);
    this.held = copy(this.held, new Uint32Array(capacity));
    this.schedulable = copy(this.schedulable, new Uint8Array(capacity));
    this.classOf = copy(this.classOf, new Int32Array(capacity));
    this.hash = copy(this.hash, new Uint32Array(capacity));
    this.freeCores = copy(this.freeCores, new Int32Array(capacity));
    for (const column of ['cpu', 'memory', 'disk', 'mhzPerCore', 'usedCpu', 'usedMemory', 'usedDisk'] as const)
      this[column] = copy(this[column], new Float64Array(capacity));
  }
}

const NONE = new PortMap();

/** More nodes than this with one address are not agents of one machine, but machines of networks that use the same addresses. */
const ONE_MACHINE = 32;

const addressesOf = (state: NodeState | undefined): string[] =>
  state === undefined ? [] : [...new Set([...state.facts.networks.values()].flat())];

/** FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
