import { randomBytes } from 'node:crypto';
import { describeError, toTimestampSeconds, uuid, type Clock, type Logger } from '../../../base/index.ts';
import { prefixRange, StoreUnavailableError, type KeyValue, type Revision, type Store } from '../store.ts';
import { decrypt, encrypt, SECRET_BYTES, type SealingKey } from './envelope.ts';
import { makeRootKeys, readRootKeys, RootKeyError } from './root-keys.ts';

/** Active: seals what is written. Rekeying: what it has sealed is being sealed anew. Inactive: opens what it has sealed. */
export type KeyState = 'active' | 'rekeying' | 'inactive';

export interface KeyInfo {
  readonly id: string;
  readonly state: KeyState;
  readonly created: string;
  /** The root key that it is wrapped by. */
  readonly root: string;
}

/** What the store holds of a key. */
interface KeyRecord extends KeyInfo {
  readonly wrapped: string;
}

export interface Entry {
  readonly record: KeyRecord;
  readonly revision: Revision;
}

export interface ActiveKey {
  readonly key: SealingKey;
  /** Its record and the revision of that: a write compares it, so that nothing is sealed by a key that is not active any more. */
  readonly place: string;
  readonly revision: Revision;
}

/** What is sealed cannot be opened, or nothing sealed, on this server. */
export class SealedError extends StoreUnavailableError {
  override readonly name = 'SealedError';
}

const KEYS = prefixRange('/keyring/');
const placeOf = (id: string): string => `${KEYS.start}${id}`;

export interface KeyringOptions {
  readonly store: Store;
  /** The file of root keys; without one nothing can be sealed. */
  readonly file?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The keys that values in the store are sealed by. They lie in the store themselves, each wrapped by a root key, so that all API servers
 * know a new one at once; the root keys lie in a file of each server. The first key is made when the first value is to be sealed.
 */
export class Keyring {
  readonly #options: KeyringOptions;
  readonly #opened = new Map<string, SealingKey>();
  #active: ActiveKey | undefined;

  constructor(options: KeyringOptions) {
    this.#options = options;
  }

  /** The key that seals now. */
  async active(): Promise<ActiveKey> {
    return (this.#active ??= await this.#findActive());
  }

  /** The active key may be another one by now. */
  forgetActive(): void {
    this.#active = undefined;
  }

  /** A key by its id, to open what it has sealed. */
  async key(id: string): Promise<SealingKey> {
    const known = this.#opened.get(id);
    if (known !== undefined) return known;
    const { items } = await this.#options.store.range({ start: placeOf(id) });
    if (items[0] === undefined) throw new SealedError(`the store has no key ${id}, by which something in it is sealed`);
    return await this.#open(readEntry(items[0]).record);
  }

  async list(): Promise<readonly KeyInfo[]> {
    const infos = (await this.#entries()).map(({ record: { wrapped: _, ...info } }) => info);
    return infos.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.created < b.created ? 1 : -1));
  }

  /** Makes a new key and has it seal from now on. `full`: what others have sealed is to be sealed anew. */
  async rotate(full: boolean): Promise<KeyInfo> {
    for (;;) {
      const made = await this.#make(await this.#entries(), full ? 'rekeying' : 'inactive');
      if (made !== undefined) return made;
    }
  }

  /** The keys that are rekeying now. */
  async rekeying(): Promise<readonly Entry[]> {
    return (await this.#entries()).filter(({ record }) => record.state === 'rekeying');
  }

  /** Ends the state of rekeying of these, where nobody changed it since. */
  async settle(entries: readonly Entry[]): Promise<void> {
    for (const { record, revision } of entries) {
      await this.#options.store.txn(
        [{ key: placeOf(record.id), modRevision: revision }],
        [put({ ...record, state: 'inactive' })],
      );
    }
  }

  /** Forgets a key for ever. `used` says whether anything is sealed by it. */
  async remove(id: string, used: () => Promise<boolean>): Promise<'removed' | 'missing' | 'active' | 'used'> {
    const found = (await this.#entries()).find(({ record }) => record.id === id);
    if (found === undefined) return 'missing';
    if (found.record.state === 'active') return 'active';
    // Whatever is sealed by it was sealed while it was active, so nothing is added after this look.
    if (await used()) return 'used';
    const compare = { key: placeOf(id), modRevision: found.revision };
    const { succeeded } = await this.#options.store.txn([compare], [{ type: 'delete', key: placeOf(id) }]);
    if (!succeeded) return this.remove(id, used);
    // It stays opened here: a watch that is behind may still bring values from before that are sealed by it.
    return 'removed';
  }

  /** Why something in the store cannot be opened here; undefined when all can be. */
  async problem(): Promise<string | undefined> {
    try {
      for (const { record } of await this.#entries()) await this.key(record.id);
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  async #findActive(): Promise<ActiveKey> {
    for (;;) {
      const entries = await this.#entries();
      const found = entries.find(({ record }) => record.state === 'active');
      if (found !== undefined) {
        const key = await this.#open(found.record);
        return { key, place: placeOf(key.id), revision: found.revision };
      }
      await this.#make(entries, 'inactive');
    }
  }

  /** Undefined when others changed the ring meanwhile. */
  async #make(entries: readonly Entry[], former: KeyState): Promise<KeyInfo | undefined> {
    const { store, clock, log } = this.#options;
    // Who cannot open what is there must not seal what others could not open.
    for (const { record } of entries) await this.#open(record);
    const [root] = await this.#rootKeys({ make: entries.length === 0 });
    if (root === undefined) throw new SealedError(this.#withoutFile());
    const id = uuid();
    const created = toTimestampSeconds(clock.now());
    const secret = randomBytes(SECRET_BYTES);
    const wrapped = encrypt(root.secret, placeOf(id), secret).toString('base64');
    const record: KeyRecord = { id, state: 'active', created, root: root.id, wrapped };
    const demoted = entries.filter(({ record: { state } }) => state === 'active');
    // One record that all changes of the ring write: two servers that make the first key at the same time must not both succeed.
    const { items } = await store.range({ start: RING });
    const { succeeded } = await store.txn(
      [
        { key: RING, modRevision: items[0]?.modRevision ?? 0 },
        ...demoted.map(({ record, revision }) => ({ key: placeOf(record.id), modRevision: revision })),
      ],
      [
        put(record),
        ...demoted.map(({ record }) => put({ ...record, state: former })),
        { type: 'put', key: RING, value: Buffer.from(JSON.stringify({ active: id })) },
      ],
    );
    if (!succeeded) return undefined;
    this.forgetActive();
    this.#opened.set(id, { id, secret });
    log.info('a new key seals variables', { key: id, root: root.id });
    const { wrapped: _, ...info } = record;
    return info;
  }

  async #entries(): Promise<Entry[]> {
    return (await this.#options.store.range(KEYS)).items.map(readEntry);
  }

  async #open(record: KeyRecord): Promise<SealingKey> {
    const known = this.#opened.get(record.id);
    if (known !== undefined) return known;
    const root = (await this.#rootKeys({ make: false })).find(({ id }) => id === record.root);
    const { file } = this.#options;
    if (root === undefined) {
      throw new SealedError(
        file === undefined
          ? this.#withoutFile()
          : `the root key ${record.root}, which variables are sealed by, is not in ${file}: copy the file of root keys from a server that has it`,
      );
    }
    let secret: Buffer;
    try {
      secret = decrypt(root.secret, placeOf(record.id), Buffer.from(record.wrapped, 'base64'));
    } catch {
      throw new SealedError(`the root key ${record.root} in ${file} does not open the key ${record.id}: it is another one of the same name, or the store is damaged`); // prettier-ignore
    }
    const key = { id: record.id, secret };
    this.#opened.set(record.id, key);
    return key;
  }

  async #rootKeys({ make }: { make: boolean }): Promise<readonly SealingKey[]> {
    const { file } = this.#options;
    if (file === undefined) return [];
    try {
      const keys = await readRootKeys(file);
      return keys.length === 0 && make ? await makeRootKeys(file) : keys;
    } catch (error) {
      if (error instanceof RootKeyError) throw new SealedError(error.message, { cause: error });
      throw error;
    }
  }

  #withoutFile(): string {
    return 'this API server has no file of root keys, which variables need: name one by keyring { file = "…" } or -keyring-file';
  }
}

const order: readonly KeyState[] = ['active', 'rekeying', 'inactive'];
const RING = '/keyring-active';

function readEntry({ key, value, modRevision }: KeyValue): Entry {
  try {
    return { record: JSON.parse(value.toString('utf8')) as KeyRecord, revision: modRevision };
  } catch {
    throw new SealedError(`${key} in the store is damaged`);
  }
}

const put = (record: KeyRecord): { type: 'put'; key: string; value: Buffer } => ({
  type: 'put',
  key: placeOf(record.id),
  value: Buffer.from(JSON.stringify(record)),
});
