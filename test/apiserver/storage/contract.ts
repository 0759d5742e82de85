/** What every store promises. Each backend's test calls `storeContract`. */
import t from 'tap';
import { systemClock } from '../../../base/index.ts';
import {
  CompactedError,
  FutureRevisionError,
  LeaseNotFoundError,
  TransactionTooLargeError,
  prefixRange,
  type KeyRange,
  type Revision,
  type Store,
  type StoreEvent,
  type WatchBatch,
  type WatchOptions,
  type Write,
} from '../../../apiserver/storage/store.ts';
import { EFFORT } from './effort.ts';
import { compareWithModel } from './model.ts';

type Test = typeof t;

export interface OpenedStore {
  readonly store: Store;
  /** Makes time pass for leases: on the store's clock, or really. */
  passTime(ms: number): Promise<void>;
  /** Closes the store and removes what it left. */
  close(): Promise<void>;
}

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  const check = (title: string, run: (t: Test, store: Store, opened: OpenedStore) => Promise<void>): void => {
    t.test(`${name}: ${title}`, async (t) => {
      const opened = await open();
      t.teardown(() => opened.close());
      await run(t as Test, opened.store, opened);
    });
  };

  check('a transaction writes all in one revision when its compares hold', async (t, store) => {
    const before = await store.revision();
    const created = await store.txn([absent('t/a'), absent('t/b')], [put('t/a', '1'), put('t/b', '2')]);
    t.strictSame(created, { succeeded: true, revision: before + 1 });
    const { items, revision } = await store.range({ start: 't/a' });
    t.strictSame(items, [{ key: 't/a', value: Buffer.from('1'), createRevision: before + 1, modRevision: before + 1 }]);
    t.equal(revision, before + 1);

    const updated = await store.txn([{ key: 't/a', modRevision: before + 1 }], [put('t/a', '3'), del('t/b')]);
    t.strictSame(updated, { succeeded: true, revision: before + 2 });
    t.strictSame(await read(store, prefixRange('t/')), { 't/a': '3' });
    const [a] = (await store.range({ start: 't/a' })).items;
    t.equal(a!.createRevision, before + 1);
    t.equal(a!.modRevision, before + 2);

    await store.txn([], [del('t/a')]);
    const again = await store.txn([absent('t/a')], [put('t/a', '4')]);
    t.equal(
      (await store.range({ start: 't/a' })).items[0]!.createRevision,
      again.revision,
      'creation starts anew after a delete',
    );
  });

  check('a transaction whose compares do not hold writes nothing and tells what is there', async (t, store) => {
    const { revision } = await store.txn([], [put('t/a', '1')]);
    const refused = await store.txn([absent('t/a'), absent('t/b'), { key: 't/c', modRevision: 7 }], [put('t/b', '2')]);
    t.strictSame(refused, {
      succeeded: false,
      revision,
      current: [{ key: 't/a', value: Buffer.from('1'), createRevision: revision, modRevision: revision }, undefined, undefined],
    });
    t.strictSame(await read(store, prefixRange('t/')), { 't/a': '1' });
    t.equal(await store.revision(), revision);
  });

  check('a transaction that changes nothing makes no event', async (t, store) => {
    const { revision } = await store.txn([], [put('t/a', '1')]);
    const watch = watching(t, store, prefixRange('t/'), { startRevision: revision });
    t.equal((await store.txn([], [del('t/none')])).succeeded, true);
    t.equal((await store.txn([{ key: 't/a', modRevision: revision }], [])).succeeded, true);
    t.equal((await store.txn([absent('t/a')], [])).succeeded, false);
    const same = await store.txn([], [put('t/a', '1')]);
    t.strictSame((await watch.until(same.revision)).map(brief), [`put t/a=1 @${revision}`, `put t/a=1 @${same.revision} was 1`], 'writing the same value is a change'); // prettier-ignore
  });

  check('what a store cannot keep is refused', async (t, store) => {
    await t.rejects(store.txn([], [put('t/a', '1'), del('t/a')]), RangeError, 'a key written twice');
    await t.rejects(store.txn([], [put('', '1')]), RangeError, 'an empty key');
    await t.rejects(store.txn([], [put('t/\0', '1')]), RangeError, 'a key with NUL');
    await t.rejects(store.txn([], [put('t/'.padEnd(1025, 'x'), '1')]), RangeError, 'a long key');
    const many = Array.from({ length: store.limits.operations + 1 }, (_, i) => put(`t/${i}`, ''));
    await t.rejects(store.txn([], many), TransactionTooLargeError);
    await t.rejects(
      store.txn([], [{ type: 'put', key: 't/a', value: Buffer.alloc(store.limits.bytes) }]),
      TransactionTooLargeError,
    );
    t.strictSame(await read(store, prefixRange('t/')), {});
    t.equal((await store.txn([], many.slice(1))).succeeded, true, 'the limit itself is allowed');
    const value = Buffer.alloc(Math.min(store.limits.bytes, 8 << 20) - 1024, 'v');
    await store.txn([], [{ type: 'put', key: 't/large', value }]);
    t.ok((await store.range({ start: 't/large' })).items[0]!.value.equals(value), 'a large value comes back');
  });

  check('ranges: order, limit, count, keys only, binary values', async (t, store) => {
    const keys = ['r/', 'r/a', 'r/a/b', 'r/a0', 'r/b', 'r/ä', 'r/\uffee', 'r/😀'];
    await store.txn(
      [],
      [...keys].reverse().map((key) => put(key, key)),
    );
    await store.txn(
      [],
      [put('q', ''), put('r', ''), put('r0', ''), { type: 'put', key: 's', value: Buffer.from([0, 255, 128, 10]) }],
    );
    const all = await store.range(prefixRange('r/'));
    t.strictSame(all.items.map(({ key }) => key), keys, 'by the bytes of the keys'); // prettier-ignore
    t.equal(all.count, keys.length);
    t.equal(all.more, false);
    const page = await store.range(prefixRange('r/'), { limit: 3 });
    t.strictSame(page.items.map(({ key }) => key), keys.slice(0, 3)); // prettier-ignore
    t.equal(page.count, keys.length);
    t.equal(page.more, true);
    const uncounted = await store.range(prefixRange('r/'), { limit: 3, uncounted: true });
    t.strictSame([uncounted.items.length, uncounted.more], [3, true]);
    const rest = await store.range({ ...prefixRange('r/'), start: `${page.items.at(-1)!.key}\0` }, { revision: page.revision });
    t.strictSame(rest.items.map(({ key }) => key), keys.slice(3), 'the next page starts after the last key'); // prettier-ignore
    const names = await store.range(prefixRange('r/'), { keysOnly: true });
    t.ok(names.items.every(({ value, modRevision }) => value.length === 0 && modRevision > 0));
    t.strictSame((await store.range({ start: 's' })).items[0]!.value, Buffer.from([0, 255, 128, 10]));
    t.strictSame((await store.range({ start: 'none' })).items, []);
    t.strictSame((await store.range({ start: 'none' })).count, 0);
  });

  check('ranges at a revision show the past', async (t, store) => {
    const r1 = (await store.txn([], [put('p/a', '1'), put('p/b', '1')])).revision;
    const r2 = (await store.txn([], [put('p/a', '2'), put('p/c', '2')])).revision;
    const r3 = (await store.txn([], [del('p/a'), put('p/b', '3')])).revision;
    const r4 = (await store.txn([], [put('p/a', '4')])).revision;
    const at = (revision: Revision) => read(store, prefixRange('p/'), revision);
    t.strictSame(await at(r1 - 1), {});
    t.strictSame(await at(r1), { 'p/a': '1', 'p/b': '1' });
    t.strictSame(await at(r2), { 'p/a': '2', 'p/b': '1', 'p/c': '2' });
    t.strictSame(await at(r3), { 'p/b': '3', 'p/c': '2' });
    t.strictSame(await at(r4), { 'p/a': '4', 'p/b': '3', 'p/c': '2' });
    const past = await store.range(prefixRange('p/'), { revision: r2, limit: 1 });
    t.strictSame([past.revision, past.count, past.more, past.items[0]!.modRevision], [r4, 3, true, r2]);
    t.strictSame(await read(store, { start: 'p/a' }, r3), {});
    await t.rejects(at(r4 + 1), FutureRevisionError);
  });

  check('concurrent increments by compare-and-set add up', async (t, store) => {
    await store.txn([], [put('n', '0')]);
    const writers = 16;
    const each = 10 * EFFORT;
    await Promise.all(
      Array.from({ length: writers }, async () => {
        for (let done = 0; done < each;) {
          const [item] = (await store.range({ start: 'n' })).items;
          const next = String(Number(item!.value.toString()) + 1);
          if ((await store.txn([{ key: 'n', modRevision: item!.modRevision }], [put('n', next)])).succeeded) done += 1;
        }
      }),
    );
    t.strictSame(await read(store, { start: 'n' }), { n: String(writers * each) });
  });

  check('transactions sent at once are serial: each compare sees what was written before', async (t, store) => {
    const creates = await Promise.all(Array.from({ length: 50 }, (_, i) => store.txn([absent('once')], [put('once', `${i}`)])));
    t.equal(creates.filter(({ succeeded }) => succeeded).length, 1);
    const winner = creates.findIndex(({ succeeded }) => succeeded);
    t.strictSame(await read(store, { start: 'once' }), { once: `${winner}` });
    for (const refused of creates.filter((result) => !result.succeeded)) {
      t.equal(refused.succeeded === false && refused.current[0]?.value.toString(), `${winner}`);
    }
    const puts = await Promise.all(Array.from({ length: 100 }, (_, i) => store.txn([], [put(`many/${i}`, '')])));
    const { items } = await store.range(prefixRange('many/'));
    const at = new Map(items.map(({ key, modRevision }) => [key, modRevision]));
    t.strictSame(puts.map((_, i) => at.get(`many/${i}`)), puts.map(({ revision }) => revision), 'each is where it was told'); // prettier-ignore
    const both = await Promise.all(Array.from({ length: 20 }, (_, i) => store.txn([], [put(`two/${i}/a`, ''), put(`two/${i}/b`, '')]))); // prettier-ignore
    t.equal(new Set(both.map(({ revision }) => revision)).size, 20, 'of several writes each has a revision of its own');
  });

  check('what is sent at once has one order, whatever it reads and writes', async (t, store) => {
    // Each may be written only while the other is absent: of every pair one must be refused.
    const pairs = Array.from({ length: 30 }, (_, i) => [`s/${i}/a`, `s/${i}/b`] as const);
    const sent = pairs.flatMap(([a, b]) => [store.txn([absent(b)], [put(a, '')]), store.txn([absent(a)], [put(b, '')])]);
    const done = await Promise.all(sent);
    const wins = pairs.map((_, i) => [done[2 * i], done[2 * i + 1]].filter((result) => result!.succeeded).length);
    t.strictSame(wins, pairs.map(() => 1)); // prettier-ignore
    t.equal(Object.keys(await read(store, prefixRange('s/'))).length, pairs.length);
    // A delete and a put of one key, many times: what is there in the end is what the last one left.
    const writes = await Promise.all(Array.from({ length: 60 }, (_, i) => store.txn([], [i % 2 === 0 ? put('flip', `${i}`) : del('flip')]))); // prettier-ignore
    const puts = writes.filter((_, i) => i % 2 === 0).map(({ revision }) => revision);
    t.equal(new Set(puts).size, puts.length, 'no key is written twice in a revision');
  });

  check('a watch replays from a revision, then follows, with what was there before', async (t, store) => {
    const r1 = (await store.txn([], [put('w/a', '1'), put('x', '1')])).revision;
    await store.txn([], [put('w/a', '2')]);
    const watch = watching(t, store, prefixRange('w/'), { startRevision: r1 });
    const replayed = await watch.take(2);
    t.strictSame(replayed.map(brief), [`put w/a=1 @${r1}`, `put w/a=2 @${r1 + 1} was 1`]);
    await store.txn([], [put('y', '')]);
    await store.txn([], [del('w/a'), put('w/b', '1')]);
    const live = await watch.take(2);
    t.strictSame(live.map(brief).sort(), [`delete w/a @${r1 + 3} was 2`, `put w/b=1 @${r1 + 3}`]);
    const deleted = live.find((event) => event.type === 'delete');
    t.equal(deleted?.previous?.modRevision, r1 + 1);
    t.equal(deleted?.previous?.createRevision, r1);
    t.equal(watch.batches.at(-1)!.revision, r1 + 3, 'one revision is one batch');

    const single = watching(t, store, { start: 'w/b' }, { startRevision: r1 });
    t.strictSame((await single.take(1)).map(brief), [`put w/b=1 @${r1 + 3}`]);
  });

  check('a watch without a start sees what comes after the call, one from the future waits', async (t, store) => {
    await store.txn([], [put('w/a', '1')]);
    const next = watching(t, store, prefixRange('w/'));
    await next.started();
    const now = await store.revision();
    const later = watching(t, store, prefixRange('w/'), { startRevision: now + 2 });
    await store.txn([], [put('w/b', '2')]);
    await store.txn([], [put('w/c', '3')]);
    t.strictSame((await next.take(2)).map(brief), [`put w/b=2 @${now + 1}`, `put w/c=3 @${now + 2}`]);
    t.strictSame((await later.take(1)).map(brief), [`put w/c=3 @${now + 2}`]);
  });

  check('watches miss and repeat nothing while many write', async (t, store) => {
    const start = (await store.revision()) + 1;
    const total = 600;
    let written = 0;
    const watches: ReturnType<typeof watching>[] = [];
    const write = async (): Promise<void> => {
      while (written < total) {
        const i = written++;
        await store.txn([], i % 5 === 4 ? [put(`c/${i}`, `${i}`), del(`c/${i - 4}`)] : [put(`c/${i}`, `${i}`)]);
        if (i % 100 === 0) watches.push(watching(t, store, prefixRange('c/'), { startRevision: start }));
      }
    };
    await Promise.all(Array.from({ length: 8 }, write));
    const end = await store.revision();
    t.equal(watches.length, 6);
    let first: string[] | undefined;
    for (const watch of watches) {
      const events = await watch.until(end);
      const revisions = events.map(revisionOf);
      t.ok(
        revisions.every((revision, i) => i === 0 || revision >= revisions[i - 1]!),
        'in order',
      );
      const texts = events.map(brief);
      t.equal(new Set(texts).size, texts.length, 'none twice');
      t.equal(events.filter(({ type }) => type === 'put').length, total, 'all of them');
      first ??= texts;
      t.strictSame(texts, first, 'the same for every watch, whenever it began');
    }
  });

  check('progress tells an idle watch the revision', async (t, store) => {
    const watch = watching(t, store, prefixRange('idle/'));
    await watch.started();
    const { revision } = await store.txn([], [put('busy', '1')]);
    await watch.progress(revision, () => store.requestProgress());
    t.pass('a batch without events came, of that revision or later');
    const later = await store.txn([], [put('idle/a', '1')]);
    t.strictSame((await watch.take(1)).map(brief), [`put idle/a=1 @${later.revision}`]);
  });

  check('watches end when they are aborted, left or closed', async (t, store) => {
    const abort = new AbortController();
    const aborted = store.watch(prefixRange('w/'), { signal: abort.signal })[Symbol.asyncIterator]();
    const pending = aborted.next();
    abort.abort();
    t.equal((await pending).done, true);
    t.equal(
      (await store.watch(prefixRange('w/'), { signal: abort.signal })[Symbol.asyncIterator]().next()).done,
      true,
      'aborted before',
    );
    const { revision } = await store.txn([], [put('w/a', '1')]);
    for await (const batch of store.watch(prefixRange('w/'), { startRevision: revision })) {
      t.equal(batch.events.length, 1);
      break;
    }
    const closing = store.watch(prefixRange('w/'))[Symbol.asyncIterator]().next();
    await store.close();
    t.equal((await closing).done, true);
    await t.rejects(store.revision(), { name: 'StoreUnavailableError' });
  });

  check('compaction forgets what was overwritten before, and nothing else', async (t, store) => {
    const r1 = (await store.txn([], [put('k/a', '1'), put('k/b', '1'), put('k/still', '1')])).revision;
    await store.txn([], [put('k/a', '2')]);
    await store.txn([], [put('k/a', '3')]);
    const r4 = (await store.txn([], [del('k/b'), put('k/c', '4')])).revision;
    const r5 = (await store.txn([], [put('k/a', '5')])).revision;
    t.ok((await store.compactedRevision()) < r1);
    await store.compact(r4);
    t.equal(await store.compactedRevision(), r4);
    await store.compact(r4);
    await store.compact(r1); // both are done already
    t.equal(await store.compactedRevision(), r4);
    t.strictSame(await read(store, prefixRange('k/'), r4), { 'k/a': '3', 'k/c': '4', 'k/still': '1' });
    t.strictSame(await read(store, prefixRange('k/')), { 'k/a': '5', 'k/c': '4', 'k/still': '1' });
    await t.rejects(read(store, prefixRange('k/'), r1), CompactedError);
    await t.rejects(store.watch(prefixRange('k/'), { startRevision: r1 })[Symbol.asyncIterator]().next(), CompactedError);
    const watch = watching(t, store, prefixRange('k/'), { startRevision: r4 });
    const events = await watch.until(r5);
    t.strictSame(events.map(brief).map((text) => text.replace(/ was 1/, '')).sort(), [`delete k/b @${r4}`, `put k/a=5 @${r5} was 3`, `put k/c=4 @${r4}`].sort()); // prettier-ignore
    await t.rejects(store.compact(r5 + 1), FutureRevisionError);
    const r6 = (await store.txn([], [del('k/a'), put('k/still', '6')])).revision;
    await store.compact(r6);
    t.strictSame(await read(store, prefixRange('k/'), r6), { 'k/c': '4', 'k/still': '6' });
    const error = await store.range(prefixRange('k/'), { revision: r1 }).catch((error: unknown) => error);
    t.ok(error instanceof CompactedError && error.compacted >= r6 - 1, 'the error names the revision');
  });

  check('a reader that is overtaken by compaction is told', async (t, store) => {
    const { revision } = await store.txn([], [put('k/0', '')]);
    const reader = store.watch(prefixRange('k/'), { startRevision: revision })[Symbol.asyncIterator]();
    t.equal((await reader.next()).value?.events.length, 1);
    for (let i = 1; i < 20; i++) await store.txn([], [put('k/0', `${i}`)]);
    await store.compact(await store.revision());
    await store.txn([], [put('k/0', 'last')]);
    // Either it had the events already, and goes on without a gap, or it must hear of the gap.
    const seen: string[] = ['0'];
    try {
      while (seen.at(-1) !== 'last') {
        const { value } = await reader.next();
        seen.push(...value!.events.map((event: StoreEvent) => (event.type === 'put' ? event.kv.value.toString() : '')));
      }
      t.equal(seen.length, 21);
    } catch (error) {
      t.ok(error instanceof CompactedError);
    }
    await reader.return?.();
  });

  check('a lease ends with its keys unless it is kept alive', async (t, store, { passTime }) => {
    const lease = await store.grantLease(2);
    const other = await store.grantLease(60);
    await store.txn([], [put('l/a', '1', lease), put('l/b', '2', lease), put('l/free', '3'), put('l/other', '4', other)]);
    t.equal((await store.range({ start: 'l/a' })).items[0]!.lease, lease);
    t.equal((await store.range({ start: 'l/free' })).items[0]!.lease, undefined);
    await store.txn([], [put('l/b', '5')]); // written without the lease, it lives on
    const watch = watching(t, store, prefixRange('l/'));
    await watch.started();
    for (let i = 0; i < 3; i++) {
      await passTime(1000);
      await store.keepAlive(lease);
    }
    t.strictSame(Object.keys(await read(store, prefixRange('l/'))), ['l/a', 'l/b', 'l/free', 'l/other']);
    await Promise.all([passTime(2000), watch.take(1)]);
    t.match(brief(watch.events[0]!), /^delete l\/a @\d+ was 1$/);
    t.equal(watch.events[0]!.previous?.lease, lease);
    t.strictSame(Object.keys(await read(store, prefixRange('l/'))), ['l/b', 'l/free', 'l/other']);
    await t.rejects(store.keepAlive(lease), LeaseNotFoundError);
    await t.rejects(store.txn([], [put('l/late', '', lease)]), LeaseNotFoundError);
    await t.rejects(store.revokeLease(lease), LeaseNotFoundError);
  });

  check('revoking a lease deletes its keys in one revision', async (t, store) => {
    const lease = await store.grantLease(600);
    t.equal(await store.leaseTtl(lease), 600);
    const { revision } = await store.txn([], [put('l/a', '1', lease), put('l/b', '2', lease)]);
    await store.revokeLease(lease);
    t.equal(await store.revision(), revision + 1);
    t.strictSame(await read(store, prefixRange('l/')), {});
    await t.rejects(store.leaseTtl(lease), LeaseNotFoundError);
    await t.rejects(store.keepAlive(lease), LeaseNotFoundError);
    await t.rejects(store.txn([], [put('l/late', '', lease)]), LeaseNotFoundError);
  });

  check('random operations agree with the model', async (t, store) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    t.comment(`seed ${seed}`);
    const problem = await compareWithModel(store, seed, 400 * EFFORT);
    t.equal(problem, undefined, `seed ${seed}`);
  });
}

export const put = (key: string, value: string, lease?: string): Write => ({
  type: 'put',
  key,
  value: Buffer.from(value),
  ...(lease !== undefined && { lease }),
});
export const del = (key: string): Write => ({ type: 'delete', key });
export const absent = (key: string): { key: string; modRevision: 0 } => ({ key, modRevision: 0 });

/** Keys and values of a range, as text. */
export async function read(store: Store, range: KeyRange, revision?: Revision): Promise<Record<string, string>> {
  const { items } = await store.range(range, revision === undefined ? {} : { revision });
  return Object.fromEntries(items.map(({ key, value }) => [key, value.toString()]));
}

export const revisionOf = (event: StoreEvent): Revision => (event.type === 'put' ? event.kv.modRevision : event.revision);

/** `put a=2 @7 was 1`, `delete a @8 was 2`. */
export function brief(event: StoreEvent): string {
  const was = event.previous === undefined ? '' : ` was ${event.previous.value.toString()}`;
  if (event.type === 'delete') return `delete ${event.key} @${event.revision}${was}`;
  return `put ${event.kv.key}=${event.kv.value.toString()} @${event.kv.modRevision}${was}`;
}

/** A watch whose batches a test can wait for. It ends with the test. */
export function watching(t: { teardown(fn: () => void): void }, store: Store, range: KeyRange, options: WatchOptions = {}) {
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const batches: WatchBatch[] = [];
  const events: StoreEvent[] = [];
  let taken = 0;
  let changed: () => void = () => undefined;
  let failure: unknown;
  const iterable = store.watch(range, { ...options, signal: abort.signal });
  void (async () => {
    try {
      for await (const batch of iterable) {
        batches.push(batch);
        events.push(...batch.events);
        changed();
      }
    } catch (error) {
      failure = error;
      changed();
    }
  })();
  const awaiting = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => (changed = resolve));
    }
  };
  return {
    batches,
    events,
    /** The next so many events. */
    async take(count: number): Promise<StoreEvent[]> {
      await awaiting(() => events.length >= taken + count);
      taken += count;
      return events.slice(taken - count, taken);
    },
    /** All events up to a revision. */
    async until(revision: Revision): Promise<StoreEvent[]> {
      await this.progress(revision, () => store.requestProgress());
      return events.filter((event) => revisionOf(event) <= revision);
    },
    /** Resolves when the watch has said that it is at the revision or past it, asking it to until it does. */
    async progress(revision: Revision, ask: () => Promise<void>): Promise<void> {
      const there = (): boolean => (batches.at(-1)?.revision ?? 0) >= revision;
      let timer = systemClock.after(0, () => undefined);
      const askAgain = (): void => {
        if (there() || failure !== undefined) return;
        ask().catch(() => undefined);
        timer = systemClock.after(100, askAgain);
      };
      askAgain();
      const keepAlive = setInterval(() => undefined, 1000); // the clock's timers do not hold the process
      try {
        await awaiting(there);
      } finally {
        clearInterval(keepAlive);
        timer.cancel();
      }
    },
    /** Resolves when the watch is established. */
    async started(): Promise<void> {
      await this.progress(await store.revision(), () => store.requestProgress());
    },
  };
}
