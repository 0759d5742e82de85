import type { ClassTable } from '../state/classes.ts';
import type { Fleet } from '../state/fleet.ts';
import { ELSEWHERE, type GroupProgram } from './program.ts';

/** Not asked yet; 0: the class is fine; above: one more than the index of the check that rules it out. */
const UNKNOWN = -1;

/** Answers whether nodes can run a group at all, whatever room they have. Each class is asked once. */
export class Feasibility {
  readonly program: GroupProgram;
  readonly #classes: ClassTable;
  #verdicts: Int16Array;

  constructor(program: GroupProgram, classes: ClassTable) {
    this.program = program;
    this.#classes = classes;
    this.#verdicts = new Int16Array(Math.max(16, classes.size)).fill(UNKNOWN);
  }

  /** 0: every node of the class can, but for what is unique to each; otherwise a number for `reason`. */
  ofClass(index: number): number {
    if (index >= this.#verdicts.length) {
      const grown = new Int16Array(Math.max(index + 1, this.#verdicts.length * 2)).fill(UNKNOWN);
      grown.set(this.#verdicts);
      this.#verdicts = grown;
    }
    const known = this.#verdicts[index]!;
    if (known !== UNKNOWN) return known;
    const { facts } = this.#classes.at(index);
    return (this.#verdicts[index] = this.program.checks.findIndex((check) => !check.test(facts)) + 1);
  }

  /** The text of the check that rules a class out. */
  reason(verdict: number): string {
    return this.program.checks[verdict - 1]!.text;
  }

  /** The text of what rules out this very node; undefined: nothing does. */
  uniqueReason(fleet: Fleet, slot: number): string | undefined {
    if (this.program.uniqueChecks.length === 0) return undefined;
    const facts = fleet.states[slot]!.facts;
    return this.program.uniqueChecks.find((check) => !check.test(facts))?.text;
  }

  /** The text of what rules the node out; undefined: it can run the group. */
  reasonFor(fleet: Fleet, slot: number): string | undefined {
    const verdict = this.ofClass(fleet.classOf[slot]!);
    return verdict > 0 ? this.reason(verdict) : this.uniqueReason(fleet, slot);
  }

  /** By class id: whether its nodes could run the group. Only of classes that stand where the job may run. */
  eligibility(): Map<string, boolean> {
    const eligible = new Map<string, boolean>();
    for (let index = 0; index < this.#classes.size; index++) {
      const verdict = this.ofClass(index);
      if (verdict > 0 && this.reason(verdict) === ELSEWHERE) continue;
      eligible.set(this.#classes.at(index).id, verdict === 0);
    }
    return eligible;
  }
}
