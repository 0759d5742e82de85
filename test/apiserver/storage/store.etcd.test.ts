import t from 'tap';
import { createLogger, ManualClock, silentLogger, sleep, systemClock, type Clock } from '../../../base/index.ts';
import { Groups, takeGroup } from '../../../apiserver/storage/etcd/groups.ts';
import { openEtcdStore } from '../../../apiserver/storage/etcd/index.ts';
import { StoreUnavailableError, prefixRange, type Store, type TxnResult } from '../../../apiserver/storage/store.ts';
import { startEtcd, type EtcdProcess } from './etcd-process.ts';
import { absent, brief, del, put, read, revisionOf, storeContract, watching } from './contract.ts';
import { startProxy } from './proxy.ts';

t.setTimeout(300_000);

const log =
  process.env['LOG'] === undefined
    ? silentLogger
    : createLogger({ write: (line) => process.stderr.write(line), level: 'debug', clock: systemClock });

const open = (etcd: { endpoint: string }, prefix = '/orch/'): Promise<Store> =>
  openEtcdStore({ endpoints: [etcd.endpoint], prefix, log, clock: systemClock });

const shared = await startEtcd();
t.teardown(() => shared.close());
let stores = 0;

storeContract('etcd store', async () => {
  const store = await open(shared, `/test-${stores++}/`);
  return { store, passTime: (ms) => sleep(systemClock, ms), close: () => store.close() };
});

t.test('etcd store: stores below different prefixes do not see each other', async (t) => {
  const etcd = await started(t);
  const [one, two] = [await open(etcd, '/one/'), await open(etcd, '/two/')];
  const watch = watching(t, two, prefixRange('k/'));
  await watch.started();
  await one.txn([], [put('k/a', '1')]);
  await two.txn([absent('k/a')], [put('k/a', '2')]);
  t.strictSame((await watch.take(1)).map((event) => brief(event).replace(/@\d+/, '')), ['put k/a=2 ']); // prettier-ignore
  t.strictSame(await read(one, { start: 'a', end: 'z' }), { 'k/a': '1' });
  t.strictSame(await read(two, { start: 'a', end: 'z' }), { 'k/a': '2' });
  await one.close();
  await two.close();
});

t.test('etcd store: no cluster is an error that names the endpoint', async (t) => {
  let now = 0;
  const hurried: Clock = {
    now: () => now,
    after(ms, fn) {
      now += ms;
      const timer = setImmediate(fn);
      return { cancel: () => clearImmediate(timer) };
    },
  };
  const error = await openEtcdStore({ endpoints: ['127.0.0.1:1'], prefix: '/', log, clock: hurried }).catch(
    (error: unknown) => error,
  );
  t.ok(now > 5_000, 'it tried for a while');
  t.ok(error instanceof StoreUnavailableError);
  t.match(error, { message: 'cannot reach etcd at 127.0.0.1:1' });
});

t.test('etcd store: a large range comes in pages of one revision', async (t) => {
  const store = await open(await started(t));
  t.teardown(() => store.close());
  const value = 'v'.repeat(2000);
  const keys = Array.from({ length: 2600 }, (_, i) => `p/${String(i).padStart(4, '0')}`);
  for (let i = 0; i < keys.length; i += 100) await store.txn([], keys.slice(i, i + 100).map((key) => put(key, value))); // prettier-ignore
  const reading = store.range(prefixRange('p/'));
  const writing = Promise.all(keys.slice(-100).map((key) => store.txn([], [put(key, 'new')])));
  const { items, count, more, revision } = await reading;
  t.strictSame(items.map(({ key }) => key), keys); // prettier-ignore
  t.strictSame([count, more], [keys.length, false]);
  t.ok(items.every(({ modRevision }) => modRevision <= revision));
  await writing;
  const some = await store.range(prefixRange('p/'), { limit: 1500, keysOnly: true });
  t.strictSame([some.items.length, some.count, some.more], [1500, keys.length, true]);
});

t.test('etcd store: a watch that is cut off while it catches up goes on where it was', async (t) => {
  const etcd = await started(t);
  const direct = await open(etcd);
  const start = (await direct.revision()) + 1;
  const value = 'x'.repeat(1000);
  const total = 4000;
  for (let i = 0; i < total; i += 20) {
    await direct.txn([], Array.from({ length: 20 }, (_, k) => put(`c/${i + k}`, value))); // prettier-ignore
  }
  const proxy = await startProxy(etcd.endpoint);
  const store = await open(proxy);
  const before = proxy.received;
  proxy.cutAfter(1_500_000);
  const watch = watching(t, store, prefixRange('c/'), { startRevision: start });
  await watch.take(1000);
  proxy.cutAfter(1_000_000);
  const events = await watch.take(total - 1000).then(() => watch.events);
  t.equal(new Set(events.map((event) => event.type === 'put' && event.kv.key)).size, total);
  t.equal(events.length, total, 'none twice');
  t.ok(proxy.received - before > total * 1000, 'it was the network');
  const { revision } = await direct.txn([], [put('c/last', '')]);
  t.equal(revisionOf((await watch.take(1))[0]!), revision);
  await store.close();
  await direct.close();
  await proxy.close();
});

t.test('etcd store: a transaction whose answer is lost is applied once', async (t) => {
  const etcd = await started(t);
  const direct = await open(etcd);
  const proxy = await startProxy(etcd.endpoint);
  const store = await open(proxy);
  await Promise.all(['warm', 'up'].map((key) => store.txn([], [put(key, '')]))); // there are two lanes now
  const watch = watching(t, direct, prefixRange('once/'));
  await watch.started();

  proxy.loseAnswers();
  const blind = store.txn([], [put('once/blind', '1')]);
  const guarded = store.txn([absent('once/guarded')], [put('once/guarded', '1')]);
  await watch.take(2); // both have arrived
  await direct.txn([], [put('once/blind', 'of somebody else')]);
  proxy.cut();
  const revisions = [await blind, await guarded].map((result) => result.succeeded && result.revision);
  const events = await watch.until(await direct.revision());
  t.equal(events.length, 3, events.map(brief).join(', '));
  t.strictSame(revisions.slice().sort((a, b) => Number(a) - Number(b)), events.slice(0, 2).map(revisionOf), 'and the revision is that of the lost answer'); // prettier-ignore
  t.strictSame(await read(direct, prefixRange('once/')), { 'once/blind': 'of somebody else', 'once/guarded': '1' });

  // The same for one that had to be refused, and was.
  proxy.loseAnswers();
  const refused = store.txn([absent('once/guarded')], [put('once/guarded', '2')]);
  const seen = proxy.received;
  while (proxy.received === seen) await new Promise((resolve) => setTimeout(resolve, 5));
  proxy.cut();
  t.match(await refused, { succeeded: false, current: [{ key: 'once/guarded' }] });

  // What would tell is compacted away meanwhile: then nobody knows, and nothing is done again.
  proxy.loseAnswers();
  const forgotten = store.txn([], [put('once/forgotten', '1')]);
  await watch.until(await direct.revision());
  while (!watch.events.some((event) => brief(event).includes('forgotten')))
    await new Promise((resolve) => setTimeout(resolve, 5));
  await direct.txn([], [put('other', '')]);
  await direct.compact(await direct.revision());
  proxy.cut();
  await t.rejects(forgotten, StoreUnavailableError);
  const all = await watch.until(await direct.revision());
  t.equal(all.filter((event) => brief(event).includes('forgotten')).length, 1);
  await store.close();
  await direct.close();
  await proxy.close();
});

t.test('etcd store: transactions that go together, and the answer is lost', async (t) => {
  const etcd = await started(t);
  const direct = await open(etcd);
  const proxy = await startProxy(etcd.endpoint);
  const store = await open(proxy);
  const there = await store.txn([], [put('g/there', '1')]);
  // The first two go alone at once, the others wait for them, and then go together.
  const ahead = ['g/x', 'g/y'].map((key) => store.txn([], [put(key, '')]));
  const names = Array.from({ length: 40 }, (_, i) => `g/${i}`);
  const sent = names.map((key) => store.txn([absent(key)], [put(key, 'mine')]));
  const refused = store.txn([{ key: 'g/there', modRevision: there.revision + 1000 }], [del('g/there')]);
  const watch = watching(t, direct, prefixRange('g/'), { startRevision: there.revision + 1 });
  await Promise.all(ahead);
  proxy.loseAnswers();
  await watch.take(2 + names.length); // they have arrived
  await direct.txn([], [put(names[0]!, 'of somebody else'), put('g/there', '2')]);
  proxy.cut();
  const results = await Promise.all(sent);
  const [first] = results;
  t.strictSame(new Set(results.map(({ succeeded }) => succeeded)), new Set([true]));
  t.strictSame(new Set(results.map(({ revision }) => revision)).size, 1, 'they share a revision');
  const events = await watch.until(await direct.revision());
  t.equal(events.length, 2 + names.length + 2, 'each once');
  const ours = events.filter((event) => event.type === 'put' && event.kv.value.toString() === 'mine');
  t.equal(ours.length, names.length);
  t.strictSame(new Set(ours.map(revisionOf)), new Set([first!.revision]), 'that of the events', { events: events.map(brief) });
  t.match(await refused, { succeeded: false, current: [{ key: 'g/there', value: Buffer.from('1') }] }, 'what refused it then');
  await store.close();
  await direct.close();
  await proxy.close();
});

t.test('etcd store: what goes together has nothing to do with each other', (t) => {
  const all = [
    { compares: [absent('a'), absent('ns')], writes: [put('a', '1')] },
    { compares: [absent('b'), absent('ns')], writes: [put('b', '1')] },
    { compares: [absent('a')], writes: [put('c', '1')] },
    { compares: [], writes: [put('ns', '1')] },
    { compares: [], writes: [del('a')] },
    { compares: [], writes: [put('d', '1')] },
  ];
  const { group, left } = takeGroup(all);
  t.strictSame(group, [all[0], all[1], all[5]]);
  t.strictSame(takeGroup(left).group, [all[2], all[3]], 'those that had to wait come next, in their order');
  const many = Array.from({ length: 500 }, (_, i) => ({ compares: [], writes: [put(`${i}`, 'x'.repeat(40_000))] }));
  t.equal(takeGroup(many).group.length, 25, 'as many as fit');
  t.end();
});

t.test('etcd store: a transaction that waits for others has its time from when it came', async (t) => {
  const clock = new ManualClock();
  const start = clock.now();
  const calls: { keys: string[]; end: number; done: (result: TxnResult) => void }[] = [];
  const groups = new Groups(
    {
      alone: ({ writes }, end) =>
        new Promise((done) => calls.push({ keys: writes.map(({ key }) => key), end: end - start, done })),
      together: (all, end) =>
        new Promise((resolve) => {
          const keys = all.flatMap(({ writes }) => writes.map(({ key }) => key));
          calls.push({ keys, end: end - start, done: (result) => resolve(all.map(() => result)) });
        }),
      deadline: () => clock.now() + 15_000,
    },
    clock,
  );
  const told: string[] = [];
  const add = (key: string): void =>
    void groups.add({ compares: [], writes: [put(key, '')] }).then(
      () => told.push(`${key} done`),
      (error: unknown) => told.push(`${key} ${error instanceof StoreUnavailableError ? 'unavailable' : String(error)}`),
    );
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise(setImmediate);
  };
  for (const key of ['x', 'y', 'late']) add(key);
  await pass(10_000);
  for (const key of ['a', 'b']) add(key);
  await pass(4_999);
  t.strictSame(told, []);
  await pass(1);
  t.strictSame(told, ['late unavailable'], 'nobody waits for longer than his time');
  await pass(1_000);
  calls[0]!.done({ succeeded: true, revision: 1 });
  await pass(0);
  t.strictSame(
    calls.map(({ keys, end }) => ({ keys, end })),
    [
      { keys: ['x'], end: 15_000 },
      { keys: ['y'], end: 15_000 },
      { keys: ['a', 'b'], end: 25_000 },
    ],
    'what was given up is not sent, and the time that was spent waiting counts',
  );
  await pass(60_000);
  calls[2]!.done({ succeeded: true, revision: 2 });
  await pass(0);
  t.strictSame(told, ['late unavailable', 'x done', 'a done', 'b done'], 'what is sent is up to the carrier');
});

t.test('etcd store: etcd is killed and comes back under writers', async (t) => {
  const etcd = await started(t);
  const store = await open(etcd);
  t.teardown(() => store.close());
  const start = (await store.revision()) + 1;
  await store.txn([], [0, 1, 2, 3].map((i) => put(`n/${i}`, '0'))); // prettier-ignore
  const watch = watching(t, store, { start: 'a', end: 'z' }, { startRevision: start });
  const lease = await store.grantLease(60);
  await store.txn([], [put('leased', '', lease)]);

  let stop = false;
  let unknown = 0;
  const acknowledged = new Map<string, number>();
  const increments = [0, 0, 0, 0];
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; !stop; i++) {
      const counter = writer % 4;
      try {
        const [item] = (await store.range({ start: `n/${counter}` })).items;
        const next = String(Number(item!.value.toString()) + 1);
        const name = `w/${writer}/${i}`;
        const result = await store.txn(
          [{ key: item!.key, modRevision: item!.modRevision }],
          [put(item!.key, next), put(name, next)],
        );
        if (!result.succeeded) continue;
        acknowledged.set(name, result.revision);
        increments[counter]! += 1;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        unknown += 1;
      }
    }
  };
  const writers = Promise.all(Array.from({ length: 12 }, (_, writer) => write(writer)));
  const during = async (count: number): Promise<void> => {
    const goal = acknowledged.size + count;
    while (acknowledged.size < goal) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  for (let round = 0; round < 2; round++) {
    await during(150);
    await etcd.kill();
    await etcd.start();
    await store.keepAlive(lease);
  }
  await during(150);
  stop = true;
  await writers;

  t.equal(unknown, 0, 'the writers did not notice');
  t.strictSame(Object.values(await read(store, prefixRange('n/'))).map(Number), increments, 'every increment counts once'); // prettier-ignore
  const events = await watch.until(await store.revision());
  const watched = new Map(events.filter((event) => event.type === 'put').map((event) => [event.kv.key, event.kv.modRevision]));
  const missed = [...acknowledged].filter(([name, revision]) => watched.get(name) !== revision);
  t.strictSame(missed, [], `all of ${acknowledged.size} acknowledged writes were watched`);
  t.equal(
    events.filter((event) => event.type === 'put' && event.kv.key.startsWith('w/')).length,
    acknowledged.size,
    'and no other',
  );
  t.ok(events.every((event, i) => i === 0 || revisionOf(event) >= revisionOf(events[i - 1]!)), 'in order'); // prettier-ignore
});

async function started(t: { teardown(fn: () => unknown): void }): Promise<EtcdProcess> {
  const etcd = await startEtcd();
  t.teardown(() => etcd.close());
  return etcd;
}
