import type { Clock, Instant, Timer } from '../../../base/index.ts';
import {
  StoreUnavailableError,
  TransactionTooLargeError,
  type Compare,
  type KeyValue,
  type Revision,
  type TxnResult,
  type Write,
} from '../store.ts';

/** A transaction as the store is asked for it. */
export interface Transaction {
  readonly compares: readonly Compare[];
  readonly writes: readonly Write[];
}

/** How transactions get to etcd: one by itself, or several that have nothing to do with each other in one. */
export interface Carrier {
  alone(transaction: Transaction, end: Instant): Promise<TxnResult>;
  /** The outcomes in the order of the transactions. */
  together(transactions: readonly Transaction[], end: Instant): Promise<readonly TxnResult[]>;
  /** Until when a transaction that comes now is tried. */
  deadline(): Instant;
}

interface Waiting extends Transaction {
  readonly end: Instant;
  readonly timer: Timer;
  readonly resolve: (result: TxnResult) => void;
  readonly reject: (error: unknown) => void;
}

/** So many calls of transactions of one write are under way at a time; what comes meanwhile waits for the next. */
const UNDER_WAY = 2;
/** Half of the operations of a transaction, so that those inside of it may have the other half. */
const MEMBERS = 60;
const COMPARES = 8;
const BYTES = 1_000_000;
/** What is larger than this gains nothing from company. */
const MEMBER_BYTES = 64_000;

/**
 * A call of gRPC costs more processor time than the write that it asks for, on both sides. So while calls are under way,
 * transactions of one write (most are: somebody changes an object) gather, and the next call carries them all: a transaction of
 * transactions, each with its own compares and its own outcome. They share a revision.
 *
 * etcd evaluates all compares before it applies the first write, so those that go together must not touch what another one writes: then
 * any order of them gives the same. Who finds nobody under way does not wait.
 *
 * The time of a transaction begins when it comes: what is not sent by its end never is, and a group is tried until the first end in it.
 */
export class Groups {
  readonly #carrier: Carrier;
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(carrier: Carrier, clock: Clock) {
    this.#carrier = carrier;
    this.#clock = clock;
  }

  add(transaction: Transaction): Promise<TxnResult> {
    const end = this.#carrier.deadline();
    if (!isSmall(transaction)) return this.#carrier.alone(transaction, end);
    if (this.#underWay < UNDER_WAY) return this.#counted(() => this.#carrier.alone(transaction, end));
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(end - this.#clock.now(), () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(new StoreUnavailableError('etcd does not answer: the transaction waited for others and was not sent'));
      });
      const waiting: Waiting = { ...transaction, end, timer, resolve, reject };
      this.#waiting.push(waiting);
    });
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
      this.#next();
    }
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#underWay >= UNDER_WAY) return;
    const { group, left } = takeGroup(this.#waiting);
    this.#waiting = left;
    for (const { timer } of group) timer.cancel();
    void this.#counted(() => this.#carry(group));
  }

  /** Never fails: who waits is told. */
  async #carry(group: readonly Waiting[]): Promise<void> {
    try {
      const end = Math.min(...group.map((one) => one.end));
      const results = group.length === 1 ? [await this.#carrier.alone(group[0]!, end)] : await this.#carrier.together(group, end);
      group.forEach(({ resolve }, i) => resolve(results[i]!));
    } catch (error) {
      if (group.length === 1 || !(error instanceof TransactionTooLargeError)) {
        for (const { reject } of group) reject(error);
        return;
      }
      // This etcd takes less than others do; it has looked at nothing.
      await Promise.all(group.map((one) => this.#carrier.alone(one, one.end).then(one.resolve, one.reject)));
    }
  }
}

function isSmall({ compares, writes }: Transaction): boolean {
  const [write] = writes;
  if (writes.length !== 1 || compares.length > COMPARES || write === undefined) return false;
  return write.type === 'delete' || (write.lease === undefined && write.value.length <= MEMBER_BYTES);
}

/** Those who came first, without such as touch what another of them writes; these are the first of the next group. */
export function takeGroup<T extends Transaction>(waiting: readonly T[]): { group: T[]; left: T[] } {
  const group: T[] = [];
  const left: T[] = [];
  const written = new Set<string>();
  const compared = new Set<string>();
  let bytes = 0;
  for (const one of waiting) {
    const write = one.writes[0]!;
    const size = write.type === 'put' ? write.value.length : 0;
    const apart = written.has(write.key) || compared.has(write.key) || one.compares.some(({ key }) => written.has(key));
    if (apart || group.length === MEMBERS || bytes + size > BYTES) {
      left.push(one);
      continue;
    }
    group.push(one);
    bytes += size;
    written.add(write.key);
    for (const { key } of one.compares) compared.add(key);
  }
  return { group, left };
}

/**
 * What came of transactions that went together at a revision, when the answer was lost: their compares were judged by the state right
 * before it.
 */
export async function outcomes(
  transactions: readonly Transaction[],
  revision: Revision,
  before: (key: string) => Promise<KeyValue | undefined>,
): Promise<TxnResult[]> {
  return await Promise.all(
    transactions.map(async ({ compares }): Promise<TxnResult> => {
      const current = await Promise.all(compares.map(({ key }) => before(key)));
      const held = compares.every(({ modRevision }, i) => (current[i]?.modRevision ?? 0) === modRevision);
      return held ? { succeeded: true, revision } : { succeeded: false, revision, current };
    }),
  );
}
