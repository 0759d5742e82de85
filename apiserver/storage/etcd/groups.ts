import { TransactionTooLargeError, type Compare, type KeyValue, type Revision, type TxnResult, type Write } from '../store.ts';

/** A transaction as the store is asked for it. */
export interface Transaction {
  readonly compares: readonly Compare[];
  readonly writes: readonly Write[];
}

/** How transactions get to etcd: one by itself, or several that have nothing to do with each other in one. */
export interface Carrier {
  alone(transaction: Transaction): Promise<TxnResult>;
  /** The outcomes in the order of the transactions. */
  together(transactions: readonly Transaction[]): Promise<readonly TxnResult[]>;
}

interface Waiting extends Transaction {
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
 */
export class Groups {
  readonly #carrier: Carrier;
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  add(transaction: Transaction): Promise<TxnResult> {
    if (!isSmall(transaction)) return this.#carrier.alone(transaction);
    if (this.#underWay < UNDER_WAY) return this.#counted(() => this.#carrier.alone(transaction));
    return new Promise((resolve, reject) => this.#waiting.push({ ...transaction, resolve, reject }));
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
    void this.#counted(() => this.#carry(group));
  }

  /** Never fails: who waits is told. */
  async #carry(group: readonly Waiting[]): Promise<void> {
    try {
      const results = group.length === 1 ? [await this.#carrier.alone(group[0]!)] : await this.#carrier.together(group);
      group.forEach(({ resolve }, i) => resolve(results[i]!));
    } catch (error) {
      if (group.length === 1 || !(error instanceof TransactionTooLargeError)) {
        for (const { reject } of group) reject(error);
        return;
      }
      // This etcd takes less than others do; it has looked at nothing.
      await Promise.all(group.map((one) => this.#carrier.alone(one).then(one.resolve, one.reject)));
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
