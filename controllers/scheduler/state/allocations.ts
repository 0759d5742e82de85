import { isClientTerminal, type AllocationRecord, type JobKey } from '../model.ts';
import type { Fleet } from './fleet.ts';
import { Heritage } from './heritage.ts';

/** Holds its share of the node. What is told to stop does so until its node says that it has ended, or is lost with it. */
export const isHolding = (record: AllocationRecord): boolean => !isClientTerminal(record);

/**
 * Every allocation, by id and by job, with the fleet's use kept in step. Records come from the informer and from the scheduler's
 * own writes, whichever is first; an older version never replaces a newer one.
 */
export class AllocationTable {
  readonly #fleet: Fleet;
  readonly #heritage: Heritage;
  readonly #byId = new Map<string, AllocationRecord>();
  readonly #byJob = new Map<JobKey, Map<string, AllocationRecord>>();
  /** Told which node got room, and from whose allocation. */
  #onFreed: ((node: string, record: AllocationRecord) => void) | undefined;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#heritage = new Heritage(fleet, (id) => this.#byId.get(id));
  }

  get size(): number {
    return this.#byId.size;
  }

  onFreed(listener: (node: string, record: AllocationRecord) => void): void {
    this.#onFreed = listener;
  }

  get(id: string): AllocationRecord | undefined {
    return this.#byId.get(id);
  }

  ofJob(job: JobKey): AllocationRecord[] {
    return [...(this.#byJob.get(job)?.values() ?? [])];
  }

  /** The allocation, and all that run yet and leave it their room: what is free for its successor once they have ended. */
  estateOf(record: AllocationRecord): AllocationRecord[] {
    return [record, ...this.#heritage.benefactors(record)];
  }

  all(): IterableIterator<AllocationRecord> {
    return this.#byId.values();
  }

  /** Takes the record unless a newer one is known. */
  observe(record: AllocationRecord): void {
    const known = this.#byId.get(record.id);
    if (known !== undefined && known.revision > record.revision) return;
    const shared = this.put(record);
    if (shared || (known !== undefined && isHolding(known) && !isHolding(record))) this.#onFreed?.(record.node, record);
  }

  forget(id: string, revision = Number.MAX_SAFE_INTEGER): void {
    const known = this.#byId.get(id);
    if (known === undefined || known.revision > revision) return;
    this.remove(id);
    if (isHolding(known)) this.#onFreed?.(known.node, known);
  }

  /** Replaces whatever is known, and wakes nobody: what a plan tries out. Returns whether it now shares room that counted twice. */
  put(record: AllocationRecord): boolean {
    const known = this.#byId.get(record.id);
    if (known !== undefined) {
      if (isHolding(known)) this.#fleet.give(known);
      if (known.job !== record.job) this.#unlink(known);
    }
    if (isHolding(record)) this.#fleet.take(record);
    this.#byId.set(record.id, record);
    let ofJob = this.#byJob.get(record.job);
    if (ofJob === undefined) this.#byJob.set(record.job, (ofJob = new Map()));
    ofJob.set(record.id, record);
    return this.#heritage.concerns(record.id, known, record) && this.#heritage.changed(record.id, known, record);
  }

  remove(id: string): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    if (isHolding(known)) this.#fleet.give(known);
    this.#byId.delete(id);
    this.#unlink(known);
    if (this.#heritage.concerns(id, known, undefined)) this.#heritage.changed(id, known, undefined);
  }

  #unlink(record: AllocationRecord): void {
    const ofJob = this.#byJob.get(record.job);
    ofJob?.delete(record.id);
    if (ofJob?.size === 0) this.#byJob.delete(record.job);
  }
}

/** A trial: what it puts into the table can be taken back, last first. */
export class Trial {
  readonly #table: AllocationTable;
  readonly #undo: { readonly id: string; readonly before: AllocationRecord | undefined }[] = [];

  constructor(table: AllocationTable) {
    this.#table = table;
  }

  /** How much was done; `rollback` to it takes back what came later. */
  get mark(): number {
    return this.#undo.length;
  }

  put(record: AllocationRecord): void {
    this.#undo.push({ id: record.id, before: this.#table.get(record.id) });
    this.#table.put(record);
  }

  rollback(mark = 0): void {
    while (this.#undo.length > mark) {
      const { id, before } = this.#undo.pop()!;
      if (before === undefined) this.#table.remove(id);
      else this.#table.put(before);
    }
  }
}
