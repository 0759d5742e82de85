import type { Evaluation, Stored } from '../../../openapi/index.ts';
import { isTerminal, type AllocationRecord, type JobKey } from '../model.ts';
import type { MissingGroup } from '../plan/evaluate.ts';
import { isHolding, Trial } from '../state/allocations.ts';
import type { Cluster } from '../state/cluster.ts';

/**
 * Evaluations that wait for room. Woken by nothing but a node that would now take one of the allocations they miss: one that
 * joined, became eligible, changed its attributes, or got room.
 */
export class BlockedEvaluations {
  readonly #cluster: Cluster;
  readonly #waiting = new Map<string, { readonly evaluation: Stored<Evaluation>; readonly missing: readonly MissingGroup[] }>();
  readonly #byJob = new Map<JobKey, Set<string>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The blocked evaluations of a job. */
  ofJob(key: JobKey): string[] {
    return [...(this.#byJob.get(key) ?? [])];
  }

  all(): Stored<Evaluation>[] {
    return [...this.#waiting.values()].map(({ evaluation }) => evaluation);
  }

  has(name: string): boolean {
    return this.#waiting.has(name);
  }

  add(key: JobKey, evaluation: Stored<Evaluation>, missing: readonly MissingGroup[]): void {
    const { name } = evaluation.metadata;
    this.#waiting.set(name, { evaluation, missing });
    let names = this.#byJob.get(key);
    if (names === undefined) this.#byJob.set(key, (names = new Set()));
    names.add(name);
  }

  remove(key: JobKey, name: string): void {
    this.#waiting.delete(name);
    const names = this.#byJob.get(key);
    names?.delete(name);
    if (names?.size === 0) this.#byJob.delete(key);
  }

  /** The evaluations that one of these nodes would help. They go on waiting until they are removed. */
  helpedBy(nodes: Iterable<string>): Stored<Evaluation>[] {
    if (this.#waiting.size === 0) return [];
    const slots = [...nodes].map((node) => this.#cluster.fleet.slotOf(node)).filter((slot) => slot !== undefined);
    const found: Stored<Evaluation>[] = [];
    for (const { evaluation, missing } of this.#waiting.values())
      if (missing.some((one) => slots.some((slot) => this.#wouldTake(slot, one)))) found.push(evaluation);
    return found;
  }

  #wouldTake(slot: number, { job, feasibility, nodes, replaced }: MissingGroup): boolean {
    const { fleet, allocations } = this.#cluster;
    if (nodes !== undefined && !nodes.has(fleet.names[slot] ?? '')) return false;
    if (fleet.schedulable[slot] === 0 || feasibility.reasonFor(fleet, slot) !== undefined) return false;
    const lacks = (): boolean => fleet.lacks(slot, feasibility.program.ask) !== undefined;
    if (lacks() && !replaced.some((id) => this.#fitsInPlaceOf(id, slot, lacks))) return false;
    const { distinctHosts, distinctProperties, group } = feasibility.program;
    if (distinctHosts === undefined && distinctProperties.length === 0) return true;
    const others = allocations.ofJob(job).filter((a) => !isTerminal(a));
    const inScope = (scope: 'job' | 'group', a: AllocationRecord): boolean => scope === 'job' || a.group === group;
    const node = fleet.names[slot];
    if (distinctHosts !== undefined && others.some((a) => a.node === node && inScope(distinctHosts, a))) return false;
    return distinctProperties.every(({ target, limit, scope }) => {
      const valueOn = (name: string | undefined): string | undefined => {
        const facts = name === undefined ? undefined : fleet.stateOf(name)?.facts;
        return facts === undefined ? undefined : target.of(facts);
      };
      const value = valueOn(node);
      return value !== undefined && others.filter((a) => inScope(scope, a) && valueOn(a.node) === value).length < limit;
    });
  }

  /** Whether what replaces the allocation has room once that has ended. */
  #fitsInPlaceOf(id: string, slot: number, lacks: () => boolean): boolean {
    const { fleet, allocations } = this.#cluster;
    const record = allocations.get(id);
    if (record === undefined || record.node !== fleet.names[slot] || !isHolding(record)) return false;
    const trial = new Trial(allocations);
    for (const one of allocations.estateOf(record)) trial.put({ ...one, phase: 'complete' });
    const fits = !lacks();
    trial.rollback();
    return fits;
  }
}
