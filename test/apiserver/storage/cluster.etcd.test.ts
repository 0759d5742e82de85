/** What only a real cluster can show: several members, TLS, users, quotas. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createLogger, describeError, silentLogger, systemClock } from '../../../base/index.ts';
import { openEtcdStore, type EtcdStoreOptions } from '../../../apiserver/storage/etcd/index.ts';
import { prefixRange, StoreFullError, StoreUnavailableError, type Store } from '../../../apiserver/storage/store.ts';
import { absent, brief, put, read, revisionOf, watching } from './contract.ts';
import { startCluster, startEtcd, type EtcdCluster } from './etcd-process.ts';

t.setTimeout(200_000);

const log =
  process.env['LOG'] === undefined
    ? silentLogger
    : createLogger({ write: (line) => process.stderr.write(line), level: 'debug', clock: systemClock });

type Teardown = { teardown(fn: () => unknown): void };

async function opened(t: Teardown, options: Omit<EtcdStoreOptions, 'log' | 'clock' | 'prefix'>): Promise<Store> {
  const store = await openEtcdStore({ prefix: '/orch', log, clock: systemClock, ...options });
  t.teardown(() => store.close());
  return store;
}

t.test('three members', async (t) => {
  const cluster = await startCluster(3);
  t.teardown(() => cluster.close());

  await t.test('writers and watchers do not notice that the leader is killed, or a member hangs', async (t) => {
    const store = await opened(t, cluster);
    const start = (await store.revision()) + 1;
    const watch = watching(t, store, prefixRange('/w/'), { startRevision: start });
    const lease = await store.grantLease(60);
    const acknowledged = new Map<string, number>();
    let stop = false;
    let longest = 0;
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; !stop; i++) {
        const key = `/w/${writer}/${i}`;
        const started = performance.now();
        const result = await store.txn([absent(key)], [put(key, `${i}`)]);
        longest = Math.max(longest, performance.now() - started);
        if (!result.succeeded) throw new Error(`${key} was there already`);
        acknowledged.set(key, result.revision);
        await store.range({ start: key });
      }
    };
    const writers = Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    const during = async (count: number): Promise<void> => {
      const goal = acknowledged.size + count;
      while (acknowledged.size < goal) await Promise.race([writers, new Promise((resolve) => setTimeout(resolve, 5))]);
    };
    await during(100);
    const leader = await leaderOf(cluster);
    await leader.kill();
    await during(100);
    await leader.start();
    await cluster.healthy();
    // One that hangs keeps its connections: only time tells.
    for (const member of cluster.members) {
      member.pause();
      await during(50);
      await store.keepAlive(lease);
      member.resume();
      await cluster.healthy();
    }
    stop = true;
    await writers;
    const events = await watch.until(await store.revision());
    t.equal(events.length, acknowledged.size, `all of ${acknowledged.size} writes, and no other`);
    t.ok(events.every((event, i) => event.type === 'put' && acknowledged.get(event.kv.key) === event.kv.modRevision && (i === 0 || revisionOf(event) >= revisionOf(events[i - 1]!))), 'in order'); // prettier-ignore
    t.comment(`the longest write took ${Math.round(longest)} ms`);
    t.ok(longest < 10_000, `the longest write took ${Math.round(longest)} ms`);
  });

  await t.test('without a quorum calls fail by and by, and work again with it', async (t) => {
    const store = await opened(t, cluster);
    const [one, two] = cluster.members;
    await Promise.all([one!.kill(), two!.kill()]);
    const failed = await store.txn([], [put('/q', '1')]).catch((error: unknown) => error);
    t.ok(failed instanceof StoreUnavailableError, describeError(failed));
    await one!.start();
    await store.txn([], [put('/q', '2')]);
    t.strictSame(await read(store, { start: '/q' }), { '/q': '2' });
    await two!.start();
    await cluster.healthy();
  });
});

t.test('a quota that is used up is named, and stops nothing but writes', async (t) => {
  const etcd = await startEtcd({ args: ['--quota-backend-bytes', String(4 << 20)] });
  t.teardown(() => etcd.close());
  const store = await opened(t, { endpoints: [etcd.endpoint] });
  const watch = watching(t, store, prefixRange('/'));
  t.strictSame(await store.problems(), []);
  const before = await store.revision();
  let acknowledged = 0;
  const fill = async (): Promise<never> => {
    for (;;) {
      await store.txn([], [put('/fill', 'x'.repeat(200_000))]);
      acknowledged += 1;
    }
  };
  await t.rejects(fill(), StoreFullError);
  // etcd may have carried out the write that it ran out of room with.
  const written = (await store.revision()) - before;
  t.ok(written === acknowledged || written === acknowledged + 1, `${written} writes, ${acknowledged} acknowledged`);
  while (!(await store.problems())[0]?.message.includes('alarm NOSPACE')) await new Promise((resolve) => setTimeout(resolve, 10));
  t.match(await store.problems(), [{ name: 'space', message: /^etcd has no space left.* \(alarm NOSPACE of member [0-9a-f]+\): writes are refused$/, bearable: false }]); // prettier-ignore
  await t.rejects(store.grantLease(10), StoreFullError);
  t.equal((await watch.take(written)).length, written, 'what was written is watched');
  t.equal((await store.range({ start: '/fill' })).items.length, 1, 'and read');
  // Another server can start.
  const other = await opened(t, { endpoints: [etcd.endpoint] });
  t.equal((await other.range({ start: '/fill' })).items.length, 1);

  await store.compact(await store.revision());
  const { Etcd3 } = await import('etcd3');
  const admin = new Etcd3({ hosts: etcd.endpoint });
  await admin.maintenance.defragment();
  const { header } = await admin.maintenance.status();
  await admin.maintenance.alarm({ action: 'Deactivate', memberID: header.member_id, alarm: 'Nospace' } as never);
  admin.close();
  await store.txn([], [put('/more', '1')]);
  t.strictSame(await store.problems(), []);
  t.strictSame((await watch.take(1)).map(brief), [`put /more=1 @${await store.revision()}`]);
});

t.test('TLS and users', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orch-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const files = certificates(folder);
  // Tokens that last for a second: those of the default kind last for five minutes.
  const token = `jwt,pub-key=${files.jwtPublic},priv-key=${files.jwtPrivate},sign-method=RS256,ttl=1s`;
  const etcd = await startEtcd({ tls: files.server, args: ['--auth-token', token] });
  t.teardown(() => etcd.close());
  const [ca, cert, key] = [files.server.ca, files.client.cert, files.client.key].map((file) => readFileSync(file));
  const tls = { ca: ca!, cert: cert!, key: key!, serverName: 'etcd.example' };
  const endpoints = [etcd.endpoint];
  const failure = async (options: Omit<EtcdStoreOptions, 'log' | 'clock' | 'prefix'>): Promise<string> =>
    describeError(await opened(t, options).catch((error: unknown) => error));

  await (await opened(t, { endpoints, tls })).txn([], [put('/a', '1')]);
  t.match(await failure({ endpoints: [etcd.endpoint.replace('https', 'http')], tls }), /without TLS, although certificates are given/); // prettier-ignore

  const { Etcd3, Range } = await import('etcd3');
  const admin = new Etcd3({ hosts: endpoints, credentials: { rootCertificate: ca!, privateKey: key!, certChain: cert! }, grpcOptions: { 'grpc.ssl_target_name_override': tls.serverName } }); // prettier-ignore
  t.teardown(() => admin.close());
  await admin.role('root').create();
  await admin.user('root').create('r00t');
  await admin.user('root').addRole('root');
  await admin.role('orch').create();
  await admin.role('orch').grant({ permission: 'Readwrite', range: Range.prefix('/orch') });
  await admin.user('orch').create('s3cret');
  await admin.user('orch').addRole('orch');
  await admin.auth.authEnable();

  t.match(await failure({ endpoints, tls, auth: { username: 'orch', password: 'wrong' } }), /cannot use etcd at .*authentication failed, invalid user ID or password/); // prettier-ignore
  const auth = { username: 'orch', password: 's3cret' };
  const elsewhere = await openEtcdStore({ endpoints, tls, auth, prefix: '/other', log, clock: systemClock }).catch((error: unknown) => error); // prettier-ignore
  t.match(describeError(elsewhere), /permission denied/);
  const store = await opened(t, { endpoints, tls, auth });
  t.strictSame(await read(store, prefixRange('/')), { '/a': '1' });
  const watch = watching(t, store, prefixRange('/'));
  await watch.started();
  const lease = await store.grantLease(60);
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 1100)); // what is tested here is time: the token's
    await store.txn([], [put('/a', `${round}`, lease)]);
    await store.keepAlive(lease);
  }
  await etcd.kill(); // the watch needs a new token, too
  await etcd.start();
  await store.txn([], [put('/a', 'last')]);
  t.equal((await watch.take(4)).length, 4);

  // What cannot be trusted, or is not trusted, fails with the reason.
  for (const [what, options, reason] of [
    ['another authority', { ...tls, ca: readFileSync(files.other.ca) }, /unable to verify|self.signed|signature failure/i],
    ['another name', { ...tls, serverName: 'else.example' }, /does not match certificate/i],
    ['no certificate', { ca: ca!, serverName: tls.serverName }, /certificate required|bad certificate|ECONNRESET|connection/i],
  ] as const) {
    const text = await failure({ endpoints, tls: options, auth });
    t.match(text, /cannot reach etcd at https:/, what);
    t.match(text, reason, what);
  }
});

/** The member that the others follow. */
async function leaderOf(cluster: EtcdCluster): Promise<EtcdCluster['members'][number]> {
  const { Etcd3 } = await import('etcd3');
  for (const member of cluster.members) {
    const client = new Etcd3({ hosts: member.endpoint });
    const { header, leader } = await client.maintenance.status();
    client.close();
    if (header.member_id === leader) return member;
  }
  throw new Error('the cluster has no leader');
}

function certificates(folder: string) {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  for (const name of ['ca', 'other']) {
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`); // prettier-ignore
  }
  writeFileSync(at('server.ext'), 'subjectAltName=DNS:etcd.example\n');
  writeFileSync(at('client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const name of ['server', 'client']) {
    // Without a common name, which etcd would take for a user's.
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/O=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    openssl('x509', '-req', '-days', '2', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`, '-out', `${name}.pem`); // prettier-ignore
  }
  openssl('genrsa', '-out', 'jwt.key', '2048');
  openssl('rsa', '-in', 'jwt.key', '-pubout', '-out', 'jwt.pub');
  return {
    server: { ca: at('ca.pem'), cert: at('server.pem'), key: at('server.key') },
    client: { cert: at('client.pem'), key: at('client.key') },
    other: { ca: at('other.pem') },
    jwtPrivate: at('jwt.key'),
    jwtPublic: at('jwt.pub'),
  };
}
