/**
 * A store that keeps the values below one prefix sealed: whoever writes and reads through it sees them plain, and nothing else ever does
 * (the backend, its snapshots, its files). The rest of the API server need not know.
 *
 * Promised: once `rotate` has returned, no server seals by the former key. Each transaction that seals compares the record of its key,
 * which a rotation changes.
 *
 * Its one loop: `rekeyLoop`, which seals anew what a full rotation left behind.
 */
import { backoff, describeError, sleep, type Clock, type Logger } from '../../../base/index.ts';
import {
  prefixRange,
  type Compare,
  type KeyRange,
  type KeyValue,
  type LeaseId,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  type StoreEvent,
  type StoreProblem,
  type TxnResult,
  type WatchBatch,
  type WatchOptions,
  type Write,
} from '../store.ts';
import { seal, sealedBy, unseal } from './envelope.ts';
import { Keyring, type KeyringOptions, type KeyInfo } from './keyring.ts';

export { SealedError, type KeyInfo, type KeyState } from './keyring.ts';

/** What is sealed. */
const SEALED = prefixRange('/registry/orch.dev/variables/');
const isSealed = (key: string): boolean => key.startsWith(SEALED.start);

/** Whether a range can hold something sealed. */
const touches = ({ start, end }: KeyRange): boolean =>
  end === undefined ? isSealed(start) : start < SEALED.end! && end > SEALED.start;

const PAGE = 100;

export class SealedStore implements Store {
  readonly #inner: Store;
  readonly #keyring: Keyring;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #rekeying: Promise<void> | undefined;

  constructor(options: KeyringOptions) {
    this.#inner = options.store;
    this.#keyring = new Keyring(options);
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Goes on with a full rotation that a server left unfinished. */
  async start(): Promise<void> {
    if ((await this.#keyring.list()).some(({ state }) => state === 'rekeying')) this.#rekey();
  }

  async range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    const result = await this.#inner.range(range, options);
    if (options?.keysOnly === true || !touches(range)) return result;
    return { ...result, items: await Promise.all(result.items.map((item) => this.#open(item))) };
  }

  async txn(compares: readonly Compare[], writes: readonly Write[]): Promise<TxnResult> {
    const seals = writes.some(({ type, key }) => type === 'put' && isSealed(key));
    if (!seals) return await this.#readable(await this.#inner.txn(compares, writes));
    for (;;) {
      const { key, place, revision } = await this.#keyring.active();
      const sealed = writes.map((write) =>
        write.type === 'put' && isSealed(write.key) ? { ...write, value: seal(key, write.key, write.value) } : write,
      );
      const result = await this.#inner.txn([...compares, { key: place, modRevision: revision }], sealed);
      if (result.succeeded) return result;
      const current = result.current.slice(0, -1);
      if (result.current.at(-1)?.modRevision === revision) return await this.#readable({ ...result, current });
      this.#keyring.forgetActive();
    }
  }

  /** The start is fixed by the call, so the inner watch begins with it. */
  watch(range: KeyRange, options?: WatchOptions): AsyncIterable<WatchBatch> {
    const batches = this.#inner.watch(range, options);
    return touches(range) ? this.#opened(batches) : batches;
  }

  async *#opened(batches: AsyncIterable<WatchBatch>): AsyncGenerator<WatchBatch> {
    for await (const { revision, events } of batches) {
      yield { revision, events: await Promise.all(events.map((event) => this.#openEvent(event))) };
    }
  }

  async #openEvent(event: StoreEvent): Promise<StoreEvent> {
    const previous = event.previous === undefined ? {} : { previous: await this.#open(event.previous) };
    return event.type === 'put' ? { type: 'put', kv: await this.#open(event.kv), ...previous } : { ...event, ...previous };
  }

  async #readable(result: TxnResult): Promise<TxnResult> {
    if (result.succeeded) return result;
    return { ...result, current: await Promise.all(result.current.map(async (kv) => kv && this.#open(kv))) };
  }

  /** With its plain value. Throws SealedError when its key is not at hand; what is damaged stays as it is, and is no object then. */
  async #open(kv: KeyValue): Promise<KeyValue> {
    if (!isSealed(kv.key)) return kv;
    const id = sealedBy(kv.value);
    if (id === undefined) return kv;
    const key = await this.#keyring.key(id);
    try {
      return { ...kv, value: unseal(key, kv.key, kv.value) };
    } catch {
      this.#log.error('a sealed value in the store is damaged', { key: kv.key });
      return kv;
    }
  }

  keys(): Promise<readonly KeyInfo[]> {
    return this.#keyring.list();
  }

  async rotate(full: boolean): Promise<KeyInfo> {
    const made = await this.#keyring.rotate(full);
    if (full) this.#rekey();
    return made;
  }

  removeKey(id: string): Promise<'removed' | 'missing' | 'active' | 'used'> {
    return this.#keyring.remove(id, async () => {
      for await (const item of this.#raw()) if (sealedBy(item.value) === id) return true;
      return false;
    });
  }

  /** Why something sealed cannot be read by this server. */
  keyProblem(): Promise<string | undefined> {
    return this.#keyring.problem();
  }

  #rekey(): void {
    this.#rekeying = (this.#rekeying ?? Promise.resolve()).then(() => this.#rekeyLoop());
  }

  async #rekeyLoop(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        // Only these: another server may rotate meanwhile, and what its rotation left behind is not looked for here.
        const former = await this.#keyring.rekeying();
        this.#keyring.forgetActive();
        if (await this.#sealAllAnew(new Set(former.map(({ record }) => record.id)))) {
          await this.#keyring.settle(former);
          this.#log.info('all variables are sealed by the new key');
          return;
        }
      } catch (error) {
        this.#log.warn('cannot seal variables anew, retrying', { error: describeError(error) });
      }
      await sleep(this.#clock, backoff(failures, 50, 10_000), signal);
    }
  }

  /** False when somebody else wrote meanwhile, so that it must be looked once more, or something cannot be opened. */
  async #sealAllAnew(former: ReadonlySet<string>): Promise<boolean> {
    let all = true;
    for await (const item of this.#raw()) {
      if (this.#stop.signal.aborted) return false;
      const { key } = await this.#keyring.active();
      const by = sealedBy(item.value);
      if (by === key.id && !former.has(by)) continue;
      const { value } = await this.#open(item);
      if (by !== undefined && value === item.value) {
        all = false; // damaged: to seal it once more would only hide that
        continue;
      }
      const lease = item.lease === undefined ? {} : { lease: item.lease };
      const result = await this.txn([{ key: item.key, modRevision: item.modRevision }], [{ type: 'put', key: item.key, value, ...lease }]); // prettier-ignore
      all &&= result.succeeded;
    }
    return all;
  }

  /** What is stored below the prefix, as it is stored. */
  async *#raw(): AsyncGenerator<KeyValue> {
    for (let { start } = SEALED; ;) {
      const page = await this.#inner.range({ ...SEALED, start }, { limit: PAGE, uncounted: true });
      yield* page.items;
      const last = page.items.at(-1);
      if (!page.more || last === undefined) return;
      start = `${last.key}\0`;
    }
  }

  requestProgress(): Promise<void> {
    return this.#inner.requestProgress();
  }

  revision(): Promise<Revision> {
    return this.#inner.revision();
  }

  grantLease(ttlSeconds: number): Promise<LeaseId> {
    return this.#inner.grantLease(ttlSeconds);
  }

  keepAlive(lease: LeaseId): Promise<void> {
    return this.#inner.keepAlive(lease);
  }

  revokeLease(lease: LeaseId): Promise<void> {
    return this.#inner.revokeLease(lease);
  }

  leaseTtl(lease: LeaseId): Promise<number> {
    return this.#inner.leaseTtl(lease);
  }

  compact(revision: Revision): Promise<void> {
    return this.#inner.compact(revision);
  }

  compactedRevision(): Promise<Revision> {
    return this.#inner.compactedRevision();
  }

  problems(): Promise<readonly StoreProblem[]> {
    return this.#inner.problems();
  }

  /** What sealing adds to a transaction is little; where it is too much the backend says so, and the transaction is cut. */
  get limits(): Store['limits'] {
    return this.#inner.limits;
  }

  get description(): string {
    return this.#inner.description;
  }

  /** Ends its loop; the backend is the caller's. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#rekeying;
  }
}
