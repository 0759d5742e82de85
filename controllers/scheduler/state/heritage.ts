import { isClientTerminal, type AllocationRecord } from '../model.ts';
import type { Fleet, Room } from './fleet.ts';

/**
 * Who gets the room of what is told to stop. It is held until its node says that it has ended; only the allocation that replaces it,
 * or that it was displaced for, may be placed into it, on the same node, because the agent starts that one when the other has ended. So the two
 * of them take the larger of what each takes, not the sum. An heir may inherit from several, and may itself be told to stop and have an heir:
 *
 *     room(a) = max(what a takes, the sum of room(b) of all b that leave theirs to a)
 *
 * The fleet's columns add up what each allocation takes; what that counts twice, the overlap of an heir, is given back here.
 */
export class Heritage {
  readonly #fleet: Fleet;
  readonly #get: (id: string) => AllocationRecord | undefined;
  /** By heir: from whom. Only those whose room is not free yet. */
  readonly #from = new Map<string, Set<string>>();
  readonly #overlaps = new Map<string, { readonly node: string; readonly room: Room }>();

  constructor(fleet: Fleet, get: (id: string) => AllocationRecord | undefined) {
    this.#fleet = fleet;
    this.#get = get;
  }

  /** Whether a change of this record may change what is counted twice. */
  concerns(id: string, before: AllocationRecord | undefined, after: AllocationRecord | undefined): boolean {
    return (this.#from.size > 0 && this.#from.has(id)) || heirOf(before) !== undefined || heirOf(after) !== undefined;
  }

  /** The record is another one now (the table knows). Returns whether that gave room back to the node. */
  changed(id: string, before: AllocationRecord | undefined, after: AllocationRecord | undefined): boolean {
    let freed = this.#settle(id);
    const [old, heir] = [heirOf(before), heirOf(after)];
    if (old !== undefined && old !== heir) {
      this.#unlink(id, old);
      freed = this.#settleChain(old) || freed;
    }
    return heir === undefined ? freed : this.#settleFrom(id, heir) || freed;
  }

  /** All whose room comes to this one, on its node. */
  benefactors({ id, node }: AllocationRecord): AllocationRecord[] {
    const records = [...(this.#from.get(id) ?? [])].flatMap((other) => this.#get(other) ?? []);
    return records.filter((record) => record.node === node).flatMap((record) => [record, ...this.benefactors(record)]);
  }

  #settleChain(id: string): boolean {
    const freed = this.#settle(id);
    const heir = heirOf(this.#get(id));
    return heir === undefined ? freed : this.#settleFrom(id, heir) || freed;
  }

  #settleFrom(id: string, heir: string): boolean {
    // What the scheduler writes has an end; what others write may not.
    if (this.#leadsTo(heir, id)) return false;
    if (this.#isFree(id)) this.#unlink(id, heir);
    else {
      const from = this.#from.get(heir);
      if (from === undefined) this.#from.set(heir, new Set([id]));
      else from.add(id);
    }
    return this.#settleChain(heir);
  }

  #leadsTo(from: string, to: string): boolean {
    const seen = new Set<string>();
    for (let at: string | undefined = from; at !== undefined && !seen.has(at); at = heirOf(this.#get(at))) {
      if (at === to) return true;
      seen.add(at);
    }
    return false;
  }

  /** Counts anew what the heir takes that is taken already. Returns whether it is more than before. */
  #settle(id: string): boolean {
    const known = this.#overlaps.get(id);
    const record = this.#get(id);
    const room = record === undefined ? NOTHING : this.#overlapOf(record);
    const before = known?.room ?? NOTHING;
    if (room.cpu === before.cpu && room.memory === before.memory && room.disk === before.disk) return false;
    this.#fleet.adjust(known?.node ?? record!.node, {
      cpu: before.cpu - room.cpu,
      memory: before.memory - room.memory,
      disk: before.disk - room.disk,
    });
    if (room === NOTHING) this.#overlaps.delete(id);
    else this.#overlaps.set(id, { node: record!.node, room });
    return room.cpu > before.cpu || room.memory > before.memory || room.disk > before.disk;
  }

  #overlapOf(record: AllocationRecord): Room {
    if (isClientTerminal(record) || !this.#from.has(record.id)) return NOTHING;
    const inherited = this.#inherited(record);
    const { holding } = record;
    const room = {
      cpu: Math.min(holding.cpu, inherited.cpu),
      memory: Math.min(holding.memory, inherited.memory),
      disk: Math.min(holding.disk, inherited.disk),
    };
    return room.cpu === 0 && room.memory === 0 && room.disk === 0 ? NOTHING : room;
  }

  #inherited({ id, node }: AllocationRecord): Room {
    let [cpu, memory, disk] = [0, 0, 0];
    for (const other of this.#from.get(id) ?? []) {
      const record = this.#get(other);
      if (record === undefined || record.node !== node) continue;
      const room = this.#roomOf(record);
      cpu += room.cpu;
      memory += room.memory;
      disk += room.disk;
    }
    return { cpu, memory, disk };
  }

  #roomOf(record: AllocationRecord): Room {
    const own = isClientTerminal(record) ? NOTHING : record.holding;
    if (!this.#from.has(record.id)) return own;
    const inherited = this.#inherited(record);
    return {
      cpu: Math.max(own.cpu, inherited.cpu),
      memory: Math.max(own.memory, inherited.memory),
      disk: Math.max(own.disk, inherited.disk),
    };
  }

  /** Nothing of it, nor of those that it inherits from, runs any more. */
  #isFree(id: string): boolean {
    const record = this.#get(id);
    return record === undefined || (isClientTerminal(record) && !this.#from.has(id));
  }

  #unlink(id: string, heir: string): void {
    const from = this.#from.get(heir);
    from?.delete(id);
    if (from?.size === 0) this.#from.delete(heir);
  }
}

const NOTHING: Room = { cpu: 0, memory: 0, disk: 0 };

/** Whom an allocation that is told to stop leaves its room to: who displaced it, or who replaces it. */
const heirOf = (record: AllocationRecord | undefined): string | undefined =>
  record === undefined || record.desired === 'run' ? undefined : (record.preemptedBy ?? record.next);
