import { createHash } from 'node:crypto';
import { isUnique, type NodeFacts } from '../feasible/targets.ts';

/** A set of nodes that every constraint treats alike, but for those that look at `unique.` values. */
export interface NodeClass {
  readonly index: number;
  /** The same for the same facts, in every process: blocked evaluations remember it. */
  readonly id: string;
  /** Those of one of its nodes. */
  readonly facts: NodeFacts;
}

/** Numbers the classes of nodes. A class is kept when its last node goes: nodes come back. */
export class ClassTable {
  readonly #byText = new Map<string, NodeClass>();
  readonly #list: NodeClass[] = [];

  get size(): number {
    return this.#list.length;
  }

  at(index: number): NodeClass {
    return this.#list[index]!;
  }

  of(facts: NodeFacts): NodeClass {
    const text = classText(facts);
    let found = this.#byText.get(text);
    if (found === undefined) {
      found = { index: this.#list.length, id: createHash('sha256').update(text).digest('hex').slice(0, 16), facts };
      this.#byText.set(text, found);
      this.#list.push(found);
    }
    return found;
  }
}

function classText(facts: NodeFacts): string {
  return JSON.stringify([
    facts.datacenter,
    facts.pool,
    facts.nodeClass,
    common(facts.attributes),
    common(facts.meta),
    [...facts.drivers].sort(),
    [...facts.volumes].sort(byFirst),
    [...facts.networks.keys()].sort(),
  ]);
}

const common = (values: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(values)
    .filter(([key]) => !isUnique(key))
    .sort(byFirst);

const byFirst = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);
