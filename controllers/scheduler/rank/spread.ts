import type { SpreadTerm } from '../feasible/program.ts';
import type { Fleet } from '../state/fleet.ts';
import { evenScore, targetScore } from './score.ts';

/**
 * With more values than this, nodes are not bucketed by value but by how full their value is, so that the number of buckets
 * stays small: moving the few nodes of one value is then cheaper than looking at the top of thousands of buckets.
 */
const MANY_VALUES = 64;

/** What a value without a target of its own wants: its part of what the targets leave. */
const PART_OF_REST = -1;

/** One spread while a group is being placed: how many allocations each value has. */
export class SpreadState {
  readonly #term: SpreadTerm;
  readonly #fleet: Fleet;
  readonly #byText = new Map<string, number>();
  readonly #byClass: (number | undefined)[] = [];
  /** By value: allocations of the group, what is wanted, and the candidate nodes (only where there are many values). */
  readonly #used: number[] = [];
  readonly #desired: (number | undefined)[] = [];
  readonly #slots: number[][] = [];
  /** How many values have so many allocations. */
  readonly #histogram: number[] = [];
  #min = 0;
  #max = 0;
  /** Values that share the rest. */
  #sharers = 0;

  constructor(term: SpreadTerm, fleet: Fleet) {
    this.#term = term;
    this.#fleet = fleet;
  }

  /** The number of the node's value; -1 where it has none. */
  valueOf(slot: number): number {
    const { target } = this.#term;
    const facts = this.#fleet.states[slot]?.facts;
    if (facts === undefined) return -1;
    if (target.unique) return this.#intern(target.of(facts));
    const index = this.#fleet.classOf[slot]!;
    return (this.#byClass[index] ??= this.#intern(target.of(facts)));
  }

  /** Counts an allocation in (+1) or out (-1). Returns the slots that are in another bucket now. */
  count(value: number, by: 1 | -1): readonly number[] {
    if (value < 0) return [];
    const before = this.#used[value]!;
    this.#used[value] = before + by;
    this.#histogram[before]!--;
    this.#histogram[before + by] = (this.#histogram[before + by] ?? 0) + 1;
    if (by > 0) {
      this.#max = Math.max(this.#max, before + 1);
      if (before === this.#min && this.#histogram[before] === 0) this.#min = before + 1;
    } else {
      this.#min = Math.min(this.#min, before - 1);
      if (before === this.#max && this.#histogram[before] === 0) this.#max = before - 1;
    }
    return this.#isMany ? this.#slots[value]! : [];
  }

  /** Makes the slot a candidate, to be told of by `count`. */
  addSlot(value: number, slot: number): void {
    if (value >= 0) this.#slots[value]!.push(slot);
  }

  /** Nodes in one bucket have the same score, now and after any placement. */
  bucketOf(value: number): string {
    if (value < 0) return '-';
    return this.#isMany ? `${this.#desired[value] ?? '-'}:${this.#used[value]}` : String(value);
  }

  /** The score that a placement at this value would get. */
  score(value: number): number {
    if (value < 0) return -1;
    const used = this.#used[value]!;
    if (this.#term.desired.size === 0) return evenScore(used, this.#min, this.#max) * this.#term.share;
    const desired = this.#desired[value];
    return targetScore(desired === PART_OF_REST ? this.#term.rest! / this.#sharers : desired, used, this.#term.share);
  }

  get #isMany(): boolean {
    return this.#used.length > MANY_VALUES;
  }

  #intern(text: string | undefined): number {
    if (text === undefined) return -1;
    let value = this.#byText.get(text);
    if (value === undefined) {
      value = this.#used.push(0) - 1;
      this.#byText.set(text, value);
      const desired = this.#term.desired.get(text) ?? (this.#term.rest === undefined ? undefined : PART_OF_REST);
      if (desired === PART_OF_REST) this.#sharers++;
      this.#desired.push(desired);
      this.#slots.push([]);
      this.#histogram[0] = (this.#histogram[0] ?? 0) + 1;
      this.#min = 0;
    }
    return value;
  }
}
