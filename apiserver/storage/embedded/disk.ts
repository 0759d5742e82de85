import { open, type RootDatabase, type Transaction } from 'lmdb';
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { CompactedError, FutureRevisionError, StoreFullError, type KeyRange, type KeyValue, type RangeOptions, type RangeResult, type Revision } from '../store.ts'; // prettier-ignore
import { compareKeys } from '../keys.ts';
import * as records from './records.ts';
import type { Head, LogEntry, MetaName, Place } from './records.ts';

/** One change of the tree; without a value the record is removed. */
export interface Change {
  readonly key: Buffer;
  readonly value?: Buffer;
}

const FORMAT = 1;
const PAGE_BYTES = 4096;
const SPARE_BYTES = 1 << 20;

/** The tree on the disk. Reads see one snapshot each; `commit` is atomic and on the disk when it resolves. */
export class Disk {
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    assertOurs(join(directory, 'data.mdb'));
    // Without overlapping sync a commit becomes visible only once it is synced: what a reader saw is never lost.
    this.#db = open<Buffer, Buffer>({ path: directory, noSubdir: false, encoding: 'binary', keyEncoding: 'binary', overlappingSync: false }); // prettier-ignore
    const fd = openSync(directory, 'r'); // a new file's name must be durable as well
    fsyncSync(fd);
    closeSync(fd);
  }

  /** Checks the format, and writes it into a new store, whose history begins at the given revision. */
  async initialise(firstRevision = 1): Promise<void> {
    const format = this.read((view) => view.meta('format'));
    if (format !== undefined && format !== FORMAT) throw new Error(`the store has format ${format}; this version of orch reads format ${FORMAT}`); // prettier-ignore
    if (format !== undefined) return;
    const nothingBefore = firstRevision > 1 ? [meta('compacted', firstRevision), meta('swept', firstRevision)] : [];
    await this.commit([meta('revision', firstRevision), ...nothingBefore, meta('format', FORMAT)]);
  }

  /** Throws StoreFullError when there might be too little room, before anything is written: lmdb does not survive to find out. */
  assertRoom(changes: readonly Change[]): void {
    const { bavail, bsize } = statfsSync(this.#directory);
    let needed = SPARE_BYTES;
    for (const { key, value } of changes) needed += 2 * PAGE_BYTES + key.length + (value?.length ?? 0);
    if (bavail * bsize < needed) throw new StoreFullError(`no space left on the device of ${this.#directory}`);
  }

  /** After a failure nothing more may be asked of the disk: what it has in memory is not what is on the device. */
  async commit(changes: Iterable<Change>): Promise<void> {
    try {
      await this.#db.batch(() => {
        let last: Promise<boolean> | undefined;
        for (const { key, value } of changes) {
          const written = value === undefined ? this.#db.remove(key) : this.#db.put(key, value);
          if (written !== last) written.catch(() => undefined); // the batch fails with it
          last = written;
        }
      });
    } catch (error) {
      throw await reasonOf(error);
    }
    this.#db.resetReadTxn();
  }

  /** Runs `fn` on the newest committed state. `fn` must not wait. */
  read<T>(fn: (view: View) => T): T {
    this.#db.resetReadTxn();
    const transaction = this.#db.useReadTransaction();
    try {
      return fn(new View(this.#db, transaction));
    } finally {
      transaction.done();
    }
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

export const meta = (name: MetaName, value: number): Change => ({
  key: records.metaKey(name),
  value: records.encodeNumber(value),
});

/** One state of the tree. */
export class View {
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #transaction: Transaction;

  constructor(db: RootDatabase<Buffer, Buffer>, transaction: Transaction) {
    this.#db = db;
    this.#transaction = transaction;
  }

  meta(name: MetaName): number | undefined {
    const bytes = this.#get(records.metaKey(name));
    return bytes && records.decodeNumber(bytes);
  }

  head(key: string): Head | undefined {
    const bytes = this.#get(records.liveKey(key));
    return bytes && records.decodeHead(bytes);
  }

  /** Undefined when it was compacted away. */
  entry(place: Place): LogEntry | undefined {
    const bytes = this.#get(records.logKey(place));
    return bytes && records.decodeLog(place, bytes);
  }

  /** The log from a revision on. */
  *log(from: Revision): Generator<LogEntry> {
    for (const { key, value } of this.#scan(records.logKey({ revision: from, seq: 0 }), records.logEnd)) {
      yield records.decodeLog(records.readLogKey(key), value);
    }
  }

  *leases(): Generator<{ lease: string; ttl: number }> {
    for (const { key, value } of this.#scan(records.leaseStart, records.leaseEnd)) {
      yield { lease: records.readLeaseKey(key), ttl: records.decodeNumber(value) };
    }
  }

  *leased(): Generator<{ lease: string; key: string }> {
    for (const { key } of this.#scan(records.leasedStart, records.leasedEnd)) yield records.readLeasedKey(key);
  }

  range(range: KeyRange, options: RangeOptions): RangeResult {
    const newest = this.meta('revision')!;
    const revision = options.revision ?? newest;
    const compacted = this.meta('compacted') ?? 0;
    if (revision > newest) throw new FutureRevisionError(revision, newest);
    if (revision < compacted) throw new CompactedError(compacted);
    const limit = options.limit === undefined || options.limit <= 0 ? Infinity : options.limit;
    const items: KeyValue[] = [];
    let count = 0;
    for (const [key, head] of revision === newest ? this.#live(range) : this.#past(range, revision)) {
      count += 1;
      if (items.length < limit) items.push(this.#keyValue(key, head, options.keysOnly === true));
      else if (options.uncounted === true) break;
      else if (revision === newest) {
        count = this.#countLive(range);
        break;
      }
    }
    return { revision: newest, items, count, more: count > items.length };
  }

  /** The value behind a head, which must not be compacted. */
  keyValue(key: string, head: Head): KeyValue {
    return this.#keyValue(key, head, false);
  }

  #keyValue(key: string, head: Head, keyOnly: boolean): KeyValue {
    const value = keyOnly ? NOTHING : this.entry(head)?.value;
    if (value === undefined) throw new Error(`the store is damaged: ${key} has no version of revision ${head.revision}`);
    return {
      key,
      value,
      createRevision: head.created,
      modRevision: head.revision,
      ...(head.lease !== '' && { lease: head.lease }),
    };
  }

  *#live(range: KeyRange): Generator<[string, Head]> {
    if (range.end === undefined) {
      const head = this.head(range.start);
      if (head !== undefined) yield [range.start, head];
      return;
    }
    for (const { key, value } of this.#scan(records.liveKey(range.start), records.liveKey(range.end))) {
      yield [records.readLiveKey(key), records.decodeHead(value)];
    }
  }

  /** Merges the versions that are live still with those that ended later; of a key at most one was live at the revision. */
  *#past(range: KeyRange, revision: Revision): Generator<[string, Head]> {
    const live = only(this.#live(range), ([, head]) => head.revision <= revision);
    const ended = only(this.#ended(range), ([, head]) => head.revision <= revision && revision < head.ended);
    let a = live.next();
    let b = ended.next();
    while (a.done !== true || b.done !== true) {
      if (b.done === true || (a.done !== true && compareKeys(a.value[0], b.value[0]) < 0)) {
        yield a.value as [string, Head];
        a = live.next();
      } else {
        yield b.value;
        b = ended.next();
      }
    }
  }

  *#ended(range: KeyRange): Generator<[string, records.PastHead]> {
    for (const { key, value } of this.#scan(records.pastStart(range.start), records.pastEnd)) {
      const name = records.readPastKey(key);
      if (range.end === undefined ? name !== range.start : compareKeys(name, range.end) >= 0) return;
      yield [name, records.decodePast(value)];
    }
  }

  #countLive(range: KeyRange): number {
    if (range.end === undefined) return this.head(range.start) === undefined ? 0 : 1;
    return this.#db.getCount({
      start: records.liveKey(range.start),
      end: records.liveKey(range.end),
      transaction: this.#transaction,
    });
  }

  #get(key: Buffer): Buffer | undefined {
    return this.#db.get(key, { transaction: this.#transaction });
  }

  #scan(start: Buffer, end: Buffer): Iterable<{ key: Buffer; value: Buffer }> {
    return this.#db.getRange({ start, end, transaction: this.#transaction });
  }
}

/**
 * lmdb maps the file into memory and would take the process with it where the file is not its own or is shorter than it says. So its two
 * first pages are looked at before; what is missing at the end, where it may be of no use any more, is filled with zeros, which lmdb
 * finds out about when it comes there.
 */
function assertOurs(file: string): void {
  if (!existsSync(file)) return;
  const fd = openSync(file, 'r+');
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return; // made, and not written yet
    const first = Buffer.alloc(2 * 64 * 1024);
    readSync(fd, first, 0, first.length, 0);
    const page = first.readUInt32LE(0x30);
    const heads = [0, page].filter((at) => page <= 64 * 1024 && first.readUInt32LE(at + 0x18) === LMDB_MAGIC);
    if (heads.length < 2) throw new Error(`${file} is not a store of orch, or it is damaged`);
    const newest = heads.reduce((a, b) => (first.readBigUInt64LE(a + 0x98) > first.readBigUInt64LE(b + 0x98) ? a : b));
    const needed = (Number(first.readBigUInt64LE(newest + 0x90)) + 1) * page;
    const root = first.readBigInt64LE(newest + 0x88);
    if (size < (Number(root) + 1) * page || size < needed / 2)
      throw new Error(`${file} is cut off: it has ${size} bytes of ${needed}`);
    if (size < needed) ftruncateSync(fd, needed);
  } finally {
    closeSync(fd);
  }
}

const LMDB_MAGIC = 0xbeefc0de;

/** lmdb rejects with an error that has the reason as a promise, which is rejected by then. */
async function reasonOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : Promise.race([commitError, error]).catch((reason: unknown) => reason);
}

const NOTHING = Buffer.alloc(0);

function* only<T>(items: Iterable<T>, holds: (item: T) => boolean): Generator<T> {
  for (const item of items) if (holds(item)) yield item;
}
