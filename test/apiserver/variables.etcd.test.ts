import t from 'tap';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import { openEtcdStore } from '../../apiserver/storage/etcd/index.ts';
import { SealedStore } from '../../apiserver/storage/sealed/index.ts';
import { prefixRange, type Store } from '../../apiserver/storage/store.ts';
import { ManualClock, systemClock, type Logger } from '../../base/index.ts';
import { startServer, type Server } from './harness.ts';
import { startEtcd } from './storage/etcd-process.ts';

type Test = Pick<typeof t, 'test' | 'teardown' | 'same' | 'equal' | 'match' | 'not' | 'notOk' | 'notMatch'>;

const PATH = '/apis/orch.dev/v1/namespaces/default/variables';
const KEYRING = '/apis/orch.dev/v1/keyring';
/** Looked for in everything that is not an answer to who asks for secrets. */
const CANARY = 'correct-horse-battery-staple';
const show = { 'orch-sensitive': 'show' };

const variable = (path: string, items: Record<string, string>, metadata: object = {}) => ({
  apiVersion: 'orch.dev/v1',
  kind: 'Variable',
  metadata: { name: path.replaceAll('/', ':'), ...metadata },
  spec: { items },
});

/** What the backend holds, as text. */
async function plainText(store: Store): Promise<string> {
  const { items } = await store.range(prefixRange('/'));
  return items.map(({ key, value }) => `${key} ${value.toString('latin1')}`).join('\n');
}

/** A log that is kept. */
function recorder(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (message: string, fields?: object): void =>
    void lines.push(message + JSON.stringify(fields ?? {}, (_, v: unknown) => (v instanceof Error ? v.message : v)));
  const log = { trace: write, debug: write, info: write, warn: write, error: write, child: () => log } as unknown as Logger;
  return { log, lines };
}

async function holdsNothingPlain(t: Test, name: string, open: () => Promise<Store>): Promise<void> {
  await t.test(`${name}: values are sealed`, async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'orch-vars-'));
    const store = await open();
    const clock = new ManualClock();
    const { log, lines } = recorder();
    const keyringFile = join(dir, 'keyring.json');
    const server = await startServer({ store, clock, keyringFile }, log);
    t.teardown(async () => {
      await server.close();
      await store.close();
      await rm(dir, { recursive: true, force: true });
    });

    const watching = await server.watch(`${PATH}?watch=true`);
    t.equal((await server.send('GET', '/readyz')).text, 'ok', 'without variables no key is needed');
    t.same(await readdir(dir), [], 'and none is made');
    const applied = JSON.stringify({ spec: { items: { password: CANARY } } });
    const metadata = { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': applied } };
    const made = await server.send('POST', PATH, variable('nomad/jobs/web', { password: CANARY, user: 'me' }, metadata));
    t.equal(made.status, 201, made.text);
    t.equal(made.json.spec.path, 'nomad/jobs/web', 'the path follows from the name');
    t.same(made.json.spec.items, { password: '(sensitive)', user: '(sensitive)' });
    t.equal((await stat(keyringFile)).mode & 0o777, 0o600);

    const one = `${PATH}/nomad:jobs:web`;
    t.equal((await server.send('GET', one, undefined, show)).json.spec.items.password, CANARY, 'who asks for it is told');
    t.equal((await server.send('GET', PATH, undefined, show)).json.items[0].spec.items.password, CANARY);
    await watching.take(1);
    const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
    const answers = [
      made.text,
      ...(await Promise.all(
        [one, PATH, `${PATH}?limit=1`, '/metrics', '/readyz?verbose', KEYRING, '/apis/orch.dev/v1/variables'].map((path) => server.send('GET', path).then(({ text }) => text)), // prettier-ignore
      )),
      (await server.send('GET', `${PATH}?includeObject=Object`, undefined, table)).text,
      JSON.stringify(watching),
      await plainText(store),
      lines.join('\n'),
    ];
    for (const [i, text] of answers.entries()) t.notMatch(text, CANARY, `answer ${i} holds nothing secret`);
    const snapshot = await fetch(`${server.url}/snapshot`).then((response) => response.arrayBuffer());
    t.notOk(Buffer.from(snapshot).includes(CANARY));
    t.notOk(gunzipSync(Buffer.from(snapshot)).includes(CANARY), 'a snapshot holds what the store holds');
    t.notMatch(await readFile(keyringFile, 'utf8'), CANARY);

    // What was shown can be sent back, and only what is stored is meant by it.
    const { metadata: stored } = (await server.send('GET', one)).json;
    clock.advance(60_000);
    const back = await server.send('PUT', one, { ...variable('nomad/jobs/web', { password: '(sensitive)', user: 'you' }), metadata: { ...stored } }); // prettier-ignore
    t.equal(back.status, 200, back.text);
    t.not(back.json.metadata.resourceVersion, stored.resourceVersion);
    t.same((await server.send('GET', one, undefined, show)).json.spec.items, { password: CANARY, user: 'you' });
    t.not(back.json.status.modifiedAt, made.json.status.modifiedAt, 'the time of the change is kept');
    t.equal((await server.send('PUT', one, { ...variable('nomad/jobs/web', { a: 'b' }), metadata: stored })).status, 409, 'a write against an old version is refused'); // prettier-ignore

    for (const [path, items, text] of [
      ['nomad/other', { a: 'b' }, /and below are valid paths under the top-level directory/],
      ['nomad', { a: 'b' }, /is a reserved top-level directory path/],
      ['a b', { a: 'b' }, /metadata.name/],
      ['a.b', { a: 'b' }, /a path has at most 128/],
      ['a'.repeat(129), { a: 'b' }, /a path has at most 128/],
      ['empty', {}, /empty variables are invalid/],
      ['large', { a: 'x'.repeat(65 * 1024) }, /variables are limited to 64KiB in total size/],
      ['mark', { a: '(sensitive)' }, /there is no stored value that it could stand for/],
    ] as const) {
      const refused = await server.send('POST', PATH, variable(path, items));
      t.equal(refused.status, 422, path);
      t.match(refused.text, text);
    }
    const wrong = await server.send('POST', PATH, { ...variable('wrong', {}), spec: { items: { a: 271828, b: [CANARY] } } });
    t.equal(wrong.status, 422);
    t.notMatch(wrong.text, /271828|battery/, 'a value of a wrong type is not repeated');

    // A second server on the same store, without the root key, and then with it.
    const other = join(dir, 'other.json');
    const second = await startServer({ store, clock, keyringFile: other }, log);
    t.teardown(() => second.close());
    const ready = await second.send('GET', '/readyz');
    t.equal(ready.status, 503);
    t.match(
      ready.text,
      /\[-\]keyring failed: the root key \w+, which variables are sealed by, is not in .*other\.json: copy the file/,
    );
    t.equal((await second.send('GET', one)).status, 503);
    t.match((await second.send('GET', PATH)).text, /copy the file of root keys/);
    t.match((await second.send('POST', PATH, variable('x', { a: 'b' }))).text, /copy the file of root keys/);
    t.equal((await second.send('GET', '/apis/orch.dev/v1/jobs')).status, 200, 'the rest works');
    await writeFile(other, await readFile(keyringFile));
    t.match((await second.send('GET', '/readyz')).text, /chmod 600/);
    await chmod(other, 0o600);
    t.equal(
      (await second.send('GET', one, undefined, show)).json.spec.items.password,
      CANARY,
      'the file is read when it is there',
    );

    await rotates(t, server, second, store);
  });
}

async function rotates(t: Test, server: Server, second: Server, store: Store): Promise<void> {
  const first = (await server.send('GET', KEYRING)).json.keys[0];
  t.match(first, { state: 'active' });
  const { keys } = (await server.send('POST', `${KEYRING}/rotate`)).json;
  t.match(keys, [{ state: 'active' }, { id: first.id, state: 'inactive' }]);
  t.match((await plainText(store)).match(new RegExp(`sealed:1:${first.id}`, 'g')), [/./], 'what is sealed stays so');
  await second.client.json('POST', PATH, { body: variable('late', { a: CANARY }) });
  t.match(await plainText(store), new RegExp(`variables/default/late orch:sealed:1:${keys[0].id}:`), 'other servers seal by the new key at once'); // prettier-ignore
  t.match((await server.send('DELETE', `${KEYRING}/${first.id}`)).text, /variables are sealed by the key/);
  t.match((await server.send('DELETE', `${KEYRING}/${keys[0].id}`)).text, /is active/);
  t.equal((await server.send('DELETE', `${KEYRING}/none`)).status, 404);

  await server.send('POST', `${KEYRING}/rotate?full=true`);
  for (;;) {
    const { keys } = (await second.send('GET', KEYRING)).json as { keys: { state: string }[] };
    if (keys.every(({ state }) => state !== 'rekeying')) break;
    server.clock.advance(1000);
    await new Promise(setImmediate);
  }
  const after = (await server.send('GET', KEYRING)).json.keys as { id: string; state: string }[];
  t.same(after.map(({ state }) => state), ['active', 'inactive', 'inactive']); // prettier-ignore
  const sealed = (await plainText(store)).match(/sealed:1:[\w-]+/g)!;
  t.same(new Set(sealed), new Set([`sealed:1:${after[0]!.id}`]), 'all are sealed by the newest key');
  for (const { id } of after.slice(1)) t.equal((await server.send('DELETE', `${KEYRING}/${id}`)).status, 200);
  t.equal((await second.send('GET', `${PATH}/late`, undefined, show)).json.spec.items.a, CANARY);
  t.match((await second.send('GET', '/readyz?verbose')).text, /\[\+\]keyring ok/);
}

t.test('variables', { timeout: 120_000 }, async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.close());
  const path = await mkdtemp(join(tmpdir(), 'orch-vars-store-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  const { log } = recorder();
  await holdsNothingPlain(t, 'embedded', () => openEmbeddedStore({ path, log, clock: systemClock }));
  t.notOk((await readFile(join(path, 'data.mdb'))).includes(CANARY), 'nor do its files');
  await holdsNothingPlain(t, 'etcd', () => openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/orch/', log, clock: systemClock })); // prettier-ignore
});

const at = (name: string): string => `/registry/orch.dev/variables/default/${name}`;
const putting = (name: string, value: string | Buffer) => ({ type: 'put' as const, key: at(name), value: Buffer.from(value) });

/** Servers on one store and one file of root keys, and the id of the key that a value is sealed by. */
async function sealedStores(t: Pick<Test, 'teardown'>) {
  const dir = await mkdtemp(join(tmpdir(), 'orch-sealed-'));
  const { log } = recorder();
  const store = await openEmbeddedStore({ path: join(dir, 'store'), log, clock: systemClock });
  const opened: SealedStore[] = [];
  t.teardown(async () => {
    for (const one of opened) await one.close();
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  const server = (inner: Store = store): SealedStore => {
    const one = new SealedStore({ store: inner, file: join(dir, 'keyring.json'), clock: systemClock, log });
    opened.push(one);
    return one;
  };
  const raw = async (name: string): Promise<Buffer> => (await store.range({ start: at(name) })).items[0]!.value;
  const sealedBy = async (name: string): Promise<string> => (await raw(name)).toString('latin1').split(':')[3]!;
  return { store, server, raw, sealedBy };
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 10));
}

t.test('a full rotation does not end that of another server', { timeout: 30_000 }, async (t) => {
  const { store, server, sealedBy } = await sealedStores(t);
  const dead = server();
  await dead.close(); // it seals nothing anew
  let meanwhile: (() => Promise<unknown>) | undefined;
  const slow = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (name !== 'txn') return member.bind(target) as unknown;
      return async (...[compares, writes]: Parameters<Store['txn']>) => {
        const result = await target.txn(compares, writes);
        if (!writes.some(({ key }) => key === at('a'))) return result;
        const happens = meanwhile;
        meanwhile = undefined;
        await happens?.();
        return result;
      };
    },
  });
  const one = server(slow);
  await one.txn([], [putting('a', 'plain')]);
  const first = await sealedBy('a');
  meanwhile = () => dead.rotate(true);
  const second = await one.rotate(true);
  await until(async () => (await store.range(prefixRange('/keyring/'))).items.length === 3);
  await until(async () => (await one.keys()).find(({ id }) => id === first)?.state === 'inactive');
  await one.close(); // what it does is done
  t.equal(await sealedBy('a'), second.id);
  t.equal(
    (await one.keys()).find(({ id }) => id === second.id)?.state,
    'rekeying',
    'what is sealed by it is still to be sealed anew',
  );

  const next = server();
  await next.start();
  await until(async () => (await next.keys()).every(({ state }) => state !== 'rekeying'));
  t.equal(await sealedBy('a'), (await next.keys())[0]!.id, 'a server that starts goes on with it');
});

t.test('a full rotation leaves what is damaged as it is', { timeout: 30_000 }, async (t) => {
  const { store, server, raw, sealedBy } = await sealedStores(t);
  const one = server();
  await one.txn([], [putting('a', 'plain'), putting('b', 'plain')]);
  const damaged = await raw('a');
  damaged[damaged.length - 1]! ^= 1;
  await store.txn([], [putting('a', damaged)]);
  const { id } = await one.rotate(true);
  await until(async () => (await sealedBy('b')) === id);
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.same(await raw('a'), damaged);
  t.same((await one.keys()).map(({ state }) => state), ['active', 'rekeying'], 'it is not done'); // prettier-ignore
  await store.txn([], [{ type: 'delete', key: at('a') }]);
  await until(async () => (await one.keys()).every(({ state }) => state !== 'rekeying'));
});

t.test('a watch that is behind reads what was sealed by a removed key', { timeout: 30_000 }, async (t) => {
  const { server, sealedBy } = await sealedStores(t);
  const one = server();
  const { revision } = await one.txn([], [putting('a', 'old')]);
  const first = await sealedBy('a');
  await one.rotate(false);
  await one.txn([], [putting('a', 'new')]);
  t.equal(await one.removeKey(first), 'removed');
  const seen: string[] = [];
  for await (const { events } of one.watch(prefixRange(at('')), { startRevision: revision })) {
    for (const event of events) {
      if (event.type === 'put') seen.push(`${event.previous?.value.toString() ?? 'nothing'} > ${event.kv.value.toString()}`);
    }
    if (seen.length === 2) break;
  }
  t.same(seen, ['nothing > old', 'old > new']);
});
