/**
 * Which evaluation to work on next.
 *
 *     offer ──► (waitUntil?) ──► ready, by priority then age ──► take ──► done | retry
 *                                     one of each job at a time
 *
 * Promises: of one job at most one evaluation is in work; nothing offered is lost until it is done, cancelled or withdrawn;
 * what became pointless while another one of its job was worked on is cancelled, and the newest of each kind is kept. Dry runs change nothing,
 * so they wait for nobody.
 */
import { parseTimestamp, type Instant } from '../../../base/index.ts';
import { Heap } from '../../../client/index.ts';
import type { Evaluation, Stored } from '../../../openapi/index.ts';
import type { JobKey } from '../model.ts';
import { jobKey } from '../state/read.ts';

export interface Entry {
  readonly name: string;
  readonly key: JobKey;
  readonly evaluation: Stored<Evaluation>;
  /** How often it was taken and given back. */
  readonly attempts: number;
}

interface Item {
  evaluation: Stored<Evaluation>;
  readonly key: JobKey;
  /** One evaluation of a lane is in work at a time. */
  readonly lane: string;
  readonly order: number;
  attempts: number;
  notBefore: Instant;
  /** parked: ready, but another one of its lane is in work. */
  state: 'delayed' | 'ready' | 'parked' | 'working';
}

export class Broker {
  readonly #items = new Map<string, Item>();
  readonly #lanes = new Map<string, Set<Item>>();
  readonly #ready = new Heap<Item>(isBefore);
  readonly #delayed = new Heap<Item>((a, b) => a.notBefore < b.notBefore);
  /** Dry runs among the ready ones: they are taken also while all else waits. */
  readonly #dryRuns = new Set<Item>();
  #order = 0;

  get size(): number {
    return this.#items.size;
  }

  /** Queues the evaluation, or takes note of its newer version. */
  offer(evaluation: Stored<Evaluation>, now: Instant): void {
    const { name } = evaluation.metadata;
    const known = this.#items.get(name);
    if (known !== undefined) {
      if (Number(known.evaluation.metadata.resourceVersion) < Number(evaluation.metadata.resourceVersion))
        known.evaluation = evaluation;
      return;
    }
    const key = jobKey(evaluation.metadata.namespace, evaluation.spec.jobName);
    const lane = evaluation.spec.dryRun === undefined ? key : `dry-run/${name}`;
    const notBefore = parseTimestamp(evaluation.spec.waitUntil) ?? 0;
    const item: Item = { evaluation, key, lane, order: this.#order++, attempts: 0, notBefore, state: 'delayed' };
    this.#items.set(name, item);
    let members = this.#lanes.get(lane);
    if (members === undefined) this.#lanes.set(lane, (members = new Set()));
    members.add(item);
    this.#schedule(item, now);
  }

  /** Somebody else ended or deleted it. What is in work is left to its worker. */
  withdraw(name: string): void {
    const item = this.#items.get(name);
    if (item !== undefined && item.state !== 'working') this.#forget(item);
  }

  /** The next evaluation to work on; it stays in work until `done` or `retry`. */
  take(now: Instant): Entry | undefined {
    this.#wake(now);
    for (let item = this.#ready.pop(); item !== undefined; item = this.#ready.pop()) {
      if (!this.#is(item, 'ready')) continue;
      if (this.#isBusy(item.lane)) {
        item.state = 'parked';
        continue;
      }
      return this.#taken(item);
    }
    return undefined;
  }

  /** The same, of dry runs only. */
  takeDryRun(now: Instant): Entry | undefined {
    this.#wake(now);
    const [item] = this.#dryRuns;
    return item === undefined ? undefined : this.#taken(item);
  }

  #taken(item: Item): Entry {
    item.state = 'working';
    this.#dryRuns.delete(item);
    return { name: item.evaluation.metadata.name, key: item.key, evaluation: item.evaluation, attempts: item.attempts };
  }

  /** It is dealt with. Returns the evaluations that became pointless through it: to be cancelled. */
  done(name: string): Stored<Evaluation>[] {
    const item = this.#items.get(name);
    if (item === undefined) return [];
    this.#forget(item);
    const superseded = this.#supersede(item.lane);
    this.#unpark(item.lane);
    return superseded;
  }

  /** It could not be dealt with: again, not before that instant. */
  retry(name: string, at: Instant, now: Instant, counts = true): void {
    const item = this.#items.get(name);
    if (item === undefined) return;
    if (counts) item.attempts++;
    item.notBefore = at;
    this.#schedule(item, now);
    this.#unpark(item.lane);
  }

  /** When the next delayed one falls due. */
  nextWake(): Instant | undefined {
    for (let item = this.#delayed.peek(); item !== undefined; item = this.#delayed.peek()) {
      if (this.#is(item, 'delayed')) return item.notBefore;
      this.#delayed.pop();
    }
    return undefined;
  }

  /** The delayed evaluations of a job that are still to come, by name. */
  followups(key: JobKey, now: Instant): Map<string, Instant> {
    const found = new Map<string, Instant>();
    for (const { evaluation } of this.#lanes.get(key) ?? []) {
      const waitUntil = parseTimestamp(evaluation.spec.waitUntil);
      if (waitUntil !== undefined && waitUntil > now) found.set(evaluation.metadata.name, waitUntil);
    }
    return found;
  }

  /** Evaluations of a job that waited for capacity and are to be tried again. */
  unblocked(key: JobKey): string[] {
    return [...(this.#lanes.get(key) ?? [])].filter(wasBlocked).map(({ evaluation }) => evaluation.metadata.name);
  }

  /** What is known of an evaluation that is queued or in work. */
  get(name: string): Stored<Evaluation> | undefined {
    return this.#items.get(name)?.evaluation;
  }

  #schedule(item: Item, now: Instant): void {
    if (item.notBefore > now) {
      item.state = 'delayed';
      this.#delayed.push(item);
    } else {
      item.state = 'ready';
      this.#ready.push(item);
      if (item.evaluation.spec.dryRun !== undefined) this.#dryRuns.add(item);
    }
  }

  #wake(now: Instant): void {
    for (let item = this.#delayed.peek(); item !== undefined && item.notBefore <= now; item = this.#delayed.peek()) {
      this.#delayed.pop();
      if (this.#is(item, 'delayed')) this.#schedule(item, now);
    }
  }

  #unpark(lane: string): void {
    for (const item of this.#lanes.get(lane) ?? []) {
      if (item.state !== 'parked') continue;
      item.state = 'ready';
      this.#ready.push(item);
    }
  }

  /**
   * Of those that wait for the same reason the newest will do; of different reasons each is kept, since each has its own idea of what
   * must have been seen. One that waited for capacity is made pointless by any other.
   */
  #supersede(lane: string): Stored<Evaluation>[] {
    const waiting = [...(this.#lanes.get(lane) ?? [])].filter(({ state }) => state === 'ready' || state === 'parked');
    const newest = new Map<string, Item>();
    for (const item of waiting) {
      const known = newest.get(reasonOf(item));
      if (known === undefined || known.order < item.order) newest.set(reasonOf(item), item);
    }
    const others = [...newest.values()].some((item) => !wasBlocked(item));
    const superseded = waiting.filter((item) => newest.get(reasonOf(item)) !== item || (others && wasBlocked(item)));
    for (const item of superseded) this.#forget(item);
    return superseded.map(({ evaluation }) => evaluation);
  }

  #isBusy(lane: string): boolean {
    for (const item of this.#lanes.get(lane) ?? []) if (item.state === 'working') return true;
    return false;
  }

  /** Heaps keep what was forgotten until it comes to their top. */
  #is(item: Item, state: Item['state']): boolean {
    return item.state === state && this.#items.get(item.evaluation.metadata.name) === item;
  }

  #forget(item: Item): void {
    this.#items.delete(item.evaluation.metadata.name);
    this.#dryRuns.delete(item);
    const members = this.#lanes.get(item.lane);
    members?.delete(item);
    if (members?.size === 0) this.#lanes.delete(item.lane);
  }
}

const wasBlocked = ({ evaluation }: Item): boolean => evaluation.status?.phase === 'blocked';

const reasonOf = ({ evaluation: { spec } }: Item): string => `${spec.trigger}/${spec.nodeName ?? ''}`;

const priority = (item: Item): number => item.evaluation.spec.priority ?? 50;

function isBefore(a: Item, b: Item): boolean {
  return priority(a) !== priority(b) ? priority(a) > priority(b) : a.order < b.order;
}
