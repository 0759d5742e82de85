/** Snapshots of both stores, and the way from one to the other. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { ManualClock, silentLogger, systemClock } from '../../../base/index.ts';
import { startApiServer } from '../../../apiserver/index.ts';
import { openEmbeddedStore } from '../../../apiserver/storage/embedded/index.ts';
import { openEtcdStore } from '../../../apiserver/storage/etcd/index.ts';
import { readSnapshot, SnapshotError, writeSnapshot, type SnapshotItem } from '../../../apiserver/storage/snapshot/format.ts';
import { loadStore, type Place } from '../../../apiserver/storage/snapshot/load.ts';
import { EVERYTHING, itemsAt, saveSnapshot } from '../../../apiserver/storage/snapshot/save.ts';
import { setAside } from '../../../apiserver/storage/snapshot/set-aside.ts';
import { CompactedError, StoreSetAsideError, type Store } from '../../../apiserver/storage/store.ts';
import { del, put, read, watching } from './contract.ts';
import { startEtcd } from './etcd-process.ts';

t.setTimeout(120_000);

const tools = { log: silentLogger, clock: systemClock };
const etcd = await startEtcd();
const folder = mkdtempSync(join(tmpdir(), 'orch-snapshot-'));
t.teardown(async () => {
  await etcd.close();
  rmSync(folder, { recursive: true });
});
let places = 0;
const newPlace = {
  embedded: (): Place => ({ path: join(folder, String(places++)), ...tools }),
  etcd: (): Place => ({ endpoints: [etcd.endpoint], prefix: `/p${places++}`, ...tools }),
};
const open = (place: Place): Promise<Store> => ('path' in place ? openEmbeddedStore(place) : openEtcdStore(place));

/** Something of everything: deleted, overwritten, bound to leases, binary, more than a page. */
async function fill(store: Store): Promise<void> {
  const lease = await store.grantLease(3600);
  for (let i = 0; i < 1200; i += 100) {
    await store.txn(
      [],
      Array.from({ length: 100 }, (_, k) => put(`/registry/orch.dev/jobs/default/${i + k}`, `v${i + k} ä`)),
    );
  }
  await store.txn([], [put('/registry/core/events/default/a', 'e', lease), put('/registry/core/events/default/b', 'e', lease)]);
  await store.txn([], [del('/registry/orch.dev/jobs/default/7'), put('/registry/orch.dev/jobs/default/8', 'new')]);
  await store.txn([], [{ type: 'put', key: '/endpoints/x', value: Buffer.from([0, 255, 254, 10, 13]) }, put('/compaction', '')]);
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* chunked(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

for (const from of ['embedded', 'etcd'] as const) {
  for (const to of ['embedded', 'etcd'] as const) {
    t.test(`a snapshot of ${from} is restored to ${to}`, async (t) => {
      const source = await open(newPlace[from]());
      await fill(source);
      const expected = await read(source, EVERYTHING);
      delete expected['/compaction'];
      const saving = await saveSnapshot(source, systemClock);
      const writing = Promise.all(Array.from({ length: 50 }, (_, i) => source.txn([], [put(`/registry/late/x/${i}`, 'late')])));
      const bytes = await bytesOf(saving);
      await writing;
      const seen = (await source.range(EVERYTHING)).items;
      const newest = await source.revision();
      await source.close();

      const { header, items, kinds } = await readSnapshot(chunked(bytes));
      t.equal(items, 1202);
      t.match(kinds, { 'jobs.orch.dev': { count: 1199 }, events: { count: 2 }, endpoints: { count: 1, bytes: 5 } });

      const place = newPlace[to]();
      const feed = (take: (item: SnapshotItem) => Promise<void>) => readSnapshot(chunked(bytes), (item) => take(item)).then(() => undefined); // prettier-ignore
      // One that fails in the middle leaves nothing that could be taken for a store.
      const broken = loadStore(place, header.revision + 1000, async (take) => {
        let count = 0;
        await feed(async (item) => {
          if (count++ === 1000) throw new Error('killed');
          await take(item);
        });
      });
      await t.rejects(broken, { message: 'killed' });
      if (to === 'etcd') await t.rejects(open(place), { cause: StoreSetAsideError });
      else t.notOk(readdirSync(folder).some((name) => name.includes('restoring')));

      const loaded = await loadStore(place, header.revision + 1000, feed);
      t.equal(loaded.items, items);
      await t.rejects(loadStore(place, 1, feed), StoreSetAsideError, 'what exists is not overwritten');
      const store = await open(place);
      t.strictSame(await read(store, EVERYTHING), expected, 'the state at the revision of the snapshot');
      const restored = (await store.range(EVERYTHING)).items;
      t.ok(restored.every(({ modRevision }) => modRevision > newest), 'no version goes back'); // prettier-ignore
      const leases = new Set(restored.map(({ lease }) => lease).filter((lease) => lease !== undefined));
      t.equal(leases.size, 1);
      t.equal(await store.leaseTtl([...leases][0]!), 3600);
      // Who knows the old store learns that it is gone.
      await t.rejects(store.range(EVERYTHING, { revision: newest }), CompactedError);
      await t.rejects(
        store
          .watch(EVERYTHING, { startRevision: newest + 1 })
          [Symbol.asyncIterator]()
          .next(),
        CompactedError,
      );
      const old = seen[0]!;
      t.equal((await store.txn([{ key: old.key, modRevision: old.modRevision }], [put(old.key, 'x')])).succeeded, false);
      // And it works as any other, also after it was opened again.
      const watch = watching(t, store, EVERYTHING);
      await watch.started();
      const { revision } = await store.txn([{ key: restored[0]!.key, modRevision: restored[0]!.modRevision }], [put('/n', '1')]);
      t.equal((await watch.take(1)).length, 1);
      await store.compact(revision);
      t.equal(await store.compactedRevision(), revision);
      await store.close();
      const again = await open(place);
      t.equal((await again.txn([], [put('/n', '2')])).revision > revision, true);
      t.equal((await read(again, { start: '/n' }))['/n'], '2');
      await again.close();

      await setAside(place, 'to somewhere else');
      const refused = await open(place).catch((error: unknown) => error);
      t.match((refused as Error).cause, { name: 'StoreSetAsideError', message: /moved.*to somewhere else/ });
    });
  }
}

t.test('what is no whole snapshot is told apart', async (t) => {
  const header = { format: 'orch-snapshot', version: 1, revision: 5, created: '', store: 'x' } as const;
  const items = Array.from({ length: 100 }, (_, i): SnapshotItem => ({ key: `/k/${i}`, value: Buffer.from(`value ${i}`), modRevision: i, createRevision: i })); // prettier-ignore
  const whole = await bytesOf(writeSnapshot(header, (async function* () { yield* items; })())); // prettier-ignore
  const found: SnapshotItem[] = [];
  t.equal((await readSnapshot(chunked(whole), (item) => void found.push(item))).items, 100);
  t.strictSame(found, items);
  const text = gunzipSync(whole).toString();
  const refused = async (what: string, bytes: Buffer, message: RegExp): Promise<void> => {
    const error = await readSnapshot(chunked(bytes)).catch((error: unknown) => error);
    t.ok(error instanceof SnapshotError, what);
    t.match((error as Error).message, message, what);
  };
  await refused('nothing', Buffer.alloc(0), /cut off|not a snapshot/);
  await refused('another file', Buffer.from('hello, I am no snapshot'), /not a snapshot of orch/);
  await refused('another gzip file', gzipSync('{"a":1}\n'), /not a snapshot of orch/);
  for (const at of [20, Math.floor(whole.length / 2), whole.length - 3]) await refused(`cut at ${at}`, whole.subarray(0, at), /cut off/); // prettier-ignore
  await refused('cut and packed again', gzipSync(text.slice(0, text.lastIndexOf('{'))), /cut off/);
  await refused('a changed value', gzipSync(text.replace('value 42', 'value 43')), /checksum/);
  await refused('a missing line', gzipSync(text.replace(/.*"\/k\/42".*\n/, '')), /checksum/);
  await refused('a newer version', gzipSync(text.replace('"version":1', '"version":2')), /version 2/);
  for (let i = 0; i < 50; i++) {
    const bytes = Buffer.from(whole);
    const at = 10 + Math.floor(((bytes.length - 10) * i) / 50);
    bytes[at] = bytes[at]! ^ 0x10;
    await t.rejects(readSnapshot(chunked(bytes)), `a bit at ${at}`);
  }
});

t.test('the API server gives a snapshot of what it serves', async (t) => {
  const store = await openEmbeddedStore({ path: join(folder, 'api'), log: silentLogger, clock: new ManualClock() });
  const api = await startApiServer({
    store,
    listen: [{ host: '127.0.0.1', port: 0 }],
    log: silentLogger,
    clock: new ManualClock(),
  });
  const response = await fetch(`${api.urls[0]}/snapshot`);
  t.equal(response.headers.get('content-type'), 'application/gzip');
  const { kinds, header } = await readSnapshot(chunked(Buffer.from(await response.arrayBuffer())));
  t.match(kinds, { namespaces: { count: 3 }, 'nodepools.orch.dev': { count: 2 } });
  t.equal(header.revision, await store.revision());
  await api.close();
  await store.close();
});

t.test('a live store is read a page at a time', async (t) => {
  const store = await open(newPlace.embedded());
  await fill(store);
  const items: SnapshotItem[] = [];
  const revision = await store.revision();
  for await (const item of itemsAt(store, revision)) {
    if (items.length % 100 === 0) await store.txn([], [put(item.key, 'overwritten')]);
    items.push(item);
  }
  t.equal(items.length, 1202);
  t.notOk(items.some(({ value }) => value.toString() === 'overwritten'));
  await store.close();
});
