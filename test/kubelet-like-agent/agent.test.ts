/** The whole agent against a real API server: registration, heartbeat, sync, restart of either side, and what it answers. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Resolver } from 'node:dns/promises';
import { request } from 'node:http';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import t from 'tap';
import { createLogger, isReason, LogRing, silentLogger, systemClock, uuid, type ApiError } from '../../base/index.ts';
import { startApiServer, type ApiServer } from '../../apiserver/index.ts';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import { Client, Informer } from '../../client/index.ts';
import { AllocationDirs, SecretMounts } from '../../kubelet-like-agent/allocation/dirs.ts';
import { agentDefaults, startAgent, type AgentConfig, type RunningAgent } from '../../kubelet-like-agent/index.ts';
import type { TaskHandle } from '../../kubelet-like-agent/drivers/driver.ts';
import { serveExec } from '../../kubelet-like-agent/http/exec.ts';
import type { WebSocketPeer } from '../../kubelet-like-agent/http/websocket.ts';
import { lockDataDir } from '../../kubelet-like-agent/state/lock.ts';
import {
  AllocationKind,
  JobVersionKind,
  LeaseKind,
  NodeKind,
  ServiceRegistrationKind,
  objectPath,
  type Allocation,
  type JobSpec,
  type Stored,
} from '../../openapi/index.ts';
import { FakeMachine, fakeDriver, until } from './fake-driver.ts';

const dir = await mkdtemp(join(tmpdir(), 'orch-agent-'));
const clock = systemClock;
const log = silentLogger;
const store = await openEmbeddedStore({ path: join(dir, 'store'), log, clock });
let api: ApiServer = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: 0 }], log, clock });
const url = api.urls[0]!;
const client = new Client({ servers: [url] });
const informer = new Informer({ client, kind: AllocationKind, clock, log }).start();
await informer.synced;
const machine = new FakeMachine(clock);
let healthy = true;
let driverChanged: () => void = () => undefined;
const driver = fakeDriver({
  machine,
  info: () => ({ detected: true, healthy, description: healthy ? 'Healthy' : 'the engine is gone' }),
  changed: (signal) => new Promise((resolve) => {
    driverChanged = resolve;
    signal.addEventListener('abort', () => resolve(), { once: true });
  }),
}); // prettier-ignore

const gc = { ...agentDefaults.gc };
const config: AgentConfig = {
  ...agentDefaults,
  dataDir: join(dir, 'node'),
  version: '0.1.0',
  nodeName: 'node1',
  heartbeatTtlSeconds: 3,
  meta: { rack: 'r1' },
  gc,
  networkInterface: 'lo',
  discovery: { address: '127.0.0.1', dnsPort: 0, httpPort: 0, domain: 'orch', ttlSeconds: 1, required: true },
};
const agentClient = new Client({ servers: [url] });
const logs = new LogRing('info');
const agentLog = createLogger({ write: () => undefined, level: 'error', clock, tap: logs });
const start = (): Promise<RunningAgent> =>
  startAgent({ client: agentClient, config, clock, log: agentLog, logs, drivers: [driver], random: () => 0 });
let agent = await start();
await agent.registered;
t.teardown(async () => {
  await agent.close({ stopTasks: true });
  await informer.close();
  await api.close();
  await store.close();
  client.close();
  agentClient.close();
  await rm(dir, { recursive: true, force: true });
});

const versions = new Map<string, Promise<unknown>>();
async function submit(job: JobSpec, more: Partial<Allocation['spec']> = {}): Promise<Stored<Allocation>> {
  const jobUID = '12345678-0000-4000-8000-000000000000';
  const version = more.jobVersion ?? 0;
  const name = `${job.id!}-${jobUID.slice(0, 8)}-v${version}`;
  if (!versions.has(name))
    versions.set(
      name,
      client.create(JobVersionKind, {
        metadata: { name, namespace: 'default' },
        spec: { jobName: job.id!, jobUID, version, job },
      }),
    );
  await versions.get(name);
  return client.create(AllocationKind, {
    metadata: { name: uuid(), namespace: 'default' },
    spec: {
      jobName: job.id!,
      jobUID,
      jobVersion: version,
      jobType: 'service',
      group: 'g',
      name: `${job.id!}.g[0]`,
      index: 0,
      nodeName: agent.nodeId,
      desired: 'run',
      ...more,
    },
  });
}
const job = (id: string, more: object = {}): JobSpec => ({
  id,
  type: 'service',
  groups: [{ name: 'g', tasks: [{ name: 'main', driver: 'fake', ...more }] }],
});
const seen = (alloc: Stored<Allocation>): Stored<Allocation> | undefined => informer.get(`default/${alloc.metadata.name}`);
const reaches = (alloc: Stored<Allocation>, phase: string): Promise<Stored<Allocation>> =>
  until(phase, () => (seen(alloc)?.status?.phase === phase ? seen(alloc) : undefined), 10_000);
const stop = (alloc: Stored<Allocation>): Promise<unknown> =>
  client.patch(AllocationKind, alloc.metadata.name, 'default', {
    spec: { desired: 'stop', desiredDescription: 'alloc not needed' },
  });

await t.test('the node is registered and heard', async (t) => {
  const node = await client.get(NodeKind, agent.nodeId);
  t.match(node.spec, { name: 'node1', datacenter: 'dc1', nodePool: 'default', meta: { rack: 'r1' }, eligibility: 'eligible' });
  t.match(node.status, {
    version: '0.1.0',
    drivers: { fake: { healthy: true } },
    attributes: { 'driver.fake': '1', 'kernel.name': 'linux' },
  });
  t.match(node.status!.addresses, [
    { type: 'Hostname' },
    { type: 'InternalIP', address: '127.0.0.1' },
    { type: 'HTTP', address: `127.0.0.1:${agent.port}` },
  ]);
  t.match(await client.get(LeaseKind, agent.nodeId, 'orch-node-lease'), { spec: { holderIdentity: agent.nodeId } });

  healthy = false;
  driverChanged();
  let health: unknown = true;
  for (; health !== false;) health = (await client.get(NodeKind, agent.nodeId)).status!.drivers!['fake']!.healthy;
  t.equal((await client.get(NodeKind, agent.nodeId)).status!.attributes!['driver.fake'], undefined, 'constraints see it, too');
  healthy = true;
  driverChanged();
  for (; health !== true;) health = (await client.get(NodeKind, agent.nodeId)).status!.drivers!['fake']!.healthy;
});

await t.test('its metadata can be changed and outlives it; its log can be followed', async (t) => {
  const path = `${objectPath(NodeKind, agent.nodeId)}`;
  const before = (await client.get(NodeKind, agent.nodeId)).status!.computedClass;
  const answer = await client.json('POST', `${path}/meta`, { body: { meta: { rack: 'r2', zone: 'a' } } });
  t.match(answer, { meta: { rack: 'r2', zone: 'a' }, dynamic: { rack: 'r2', zone: 'a' }, static: { rack: 'r1' } });
  const node = await client.get(NodeKind, agent.nodeId);
  t.same(node.spec.meta, { rack: 'r2', zone: 'a' }, 'the cluster knows it when it is answered');
  t.not(node.status!.computedClass, before, 'nodes of the class may differ now');
  await agent.close({ stopTasks: false });
  agent = await start();
  await agent.registered;
  t.same((await client.get(NodeKind, agent.nodeId)).spec.meta, { rack: 'r2', zone: 'a' });
  t.match(await client.json('POST', `${path}/meta`, { body: { meta: { rack: null, zone: null } } }), {
    meta: {},
    dynamic: { rack: null },
  });
  await client.json('POST', `${path}/meta`, { body: { meta: { rack: 'r1' } } });
  await t.rejects(client.json('POST', `${path}/meta`, { body: { meta: { 'a b': 'x' } } }), /no key/);
  await t.rejects(client.json('DELETE', `${path}/meta`), /not allow/);

  const stop = new AbortController();
  const stream = await client.stream('GET', `${path}/logs`, {
    query: { level: 'debug', follow: true, tail: 0 },
    signal: stop.signal,
  });
  agentLog.debug('somebody listens');
  for await (const chunk of stream) if (String(chunk).includes('[DEBUG] somebody listens')) break;
  stop.abort();
  await t.rejects(client.stream('GET', `${path}/logs`, { query: { level: 'loud' } }), /level: must be/);
  const stats = await client.json<{ cpu: { cores: unknown[] }; disks: unknown[] }>('GET', `${path}/stats`);
  t.ok(stats.cpu.cores.length > 0);
});

await t.test('an allocation runs, is updated in place, and is stopped', async (t) => {
  const alloc = await submit(job('web', { services: [{ name: 'web' }] }));
  const running = await reaches(alloc, 'running');
  t.match(running.status, { description: 'Tasks are running', tasks: [{ name: 'main', state: 'running' }] });
  await submit(job('web', { killTimeout: '7s', services: [{ name: 'web' }] }), { jobVersion: 1 }).then(stop);
  await client.patch(AllocationKind, alloc.metadata.name, 'default', { spec: { jobVersion: 1 } });
  await until('version 1', () => seen(alloc)?.status?.jobVersion === 1);
  t.equal(machine.live('main').filter((r) => r.alloc === alloc.metadata.name).length, 1);
  const { items } = await client.list(ServiceRegistrationKind, { fieldSelector: `spec.allocation=${alloc.metadata.name}` });
  t.match(items, [{ spec: { serviceName: 'web' }, status: { phase: 'passing' } }]);
  await stop(alloc);
  const ended = await reaches(alloc, 'complete');
  t.ok(ended.status!.tasks![0]!.events!.some((e) => e.message === 'Sent interrupt. Waiting 7s before force killing'));
  await until('nothing runs', () => machine.live().length === 0);
  for (let left = 1; left > 0;) left = (await client.list(ServiceRegistrationKind)).items.length;
});

await t.test('a restarted agent finds its tasks; so does one whose server is away', async (t) => {
  const [one, two] = await Promise.all([
    submit(job('a')),
    submit(job('b', { restart: { attempts: 3, delay: '0s', interval: '1h', mode: 'fail' } })),
  ]);
  await Promise.all([reaches(one, 'running'), reaches(two, 'running')]);
  const before = machine.started.length;
  const { nodeId } = agent;
  await agent.close({ stopTasks: false });
  t.equal(machine.live().length, 2);
  agent = await start();
  await agent.registered;
  t.equal(agent.nodeId, nodeId);
  t.equal(machine.started.length, before, 'nothing was started again');

  // A server that is gone, and an agent that comes up without it.
  await api.close();
  await agent.close({ stopTasks: false });
  agent = await start();
  machine.end(
    machine.live().find((r) => r.alloc === two.metadata.name)!,
    { exitCode: 1, signal: 0, oomKilled: false, at: clock.now() },
  );
  await until('a local restart', () => machine.started.length === before + 1);
  t.equal(machine.live().length, 2);
  const { port } = new URL(url);
  api = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: Number(port) }], log, clock });
  await agent.registered;
  await until('the restart is told', () => seen(two)?.status?.tasks?.[0]?.restarts === 1, 20_000);
  t.equal(machine.started.length, before + 1, 'no storm');
  t.equal(seen(one)!.status!.phase, 'running');
  await Promise.all([stop(one), stop(two)]);
  await Promise.all([reaches(one, 'complete'), reaches(two, 'complete')]);
});

await t.test('what is gone from the server goes from the node', async (t) => {
  const alloc = await submit(job('gone'));
  await reaches(alloc, 'running');
  await client.delete(AllocationKind, alloc.metadata.name, 'default');
  await until('nothing runs', () => machine.live().length === 0 && machine.runs.size === 0);
  // Controllers, of which there are none here, let go of it.
  await client.patch(AllocationKind, alloc.metadata.name, 'default', { metadata: { finalizers: [] } });
  const path = `${objectPath(AllocationKind, alloc.metadata.name, 'default')}/stats`;
  let answers = true;
  while (answers) answers = await client.json('GET', path).then(() => true, () => false); // prettier-ignore
  t.notOk(answers, 'and nobody answers for it');
});

await t.test('a lease that vanished is made again', async (t) => {
  const { metadata } = await client.get(LeaseKind, agent.nodeId, 'orch-node-lease');
  await client.delete(LeaseKind, agent.nodeId, 'orch-node-lease');
  for (let uid = metadata.uid; uid === metadata.uid;)
    uid = (await client.find(LeaseKind, agent.nodeId, 'orch-node-lease'))?.metadata.uid ?? uid;
  t.pass();
});

await t.test('a node that is deleted while its agent runs comes back, and its tasks were never touched', async (t) => {
  const alloc = await submit(job('kept'));
  await reaches(alloc, 'running');
  const starts = machine.started.length;
  const { metadata } = await client.get(NodeKind, agent.nodeId);
  await client.delete(NodeKind, agent.nodeId);
  let again = await client.find(NodeKind, agent.nodeId);
  while (again?.status?.drivers === undefined || again.metadata.uid === metadata.uid)
    again = await client.find(NodeKind, agent.nodeId);
  t.match(again.status.drivers, { fake: { healthy: true } }, 'with all that is known of it');
  t.match(await client.json('GET', `${objectPath(NodeKind, agent.nodeId)}/stats`), { cpu: {} }, 'and can be reached');
  t.equal(machine.started.length, starts);
  await stop(alloc);
  await reaches(alloc, 'complete');
});

await t.test('people reach a task through the API server; files stay inside the allocation', async (t) => {
  const alloc = await submit(job('files', { config: {} }));
  await reaches(alloc, 'running');
  const path = objectPath(AllocationKind, alloc.metadata.name, 'default');
  const root = join(config.dataDir, 'alloc', alloc.metadata.name);
  await writeFile(join(root, 'logs', 'main.stdout.0'), 'one\ntwo\nthree\n');
  await writeFile(join(root, 'main/local/hello.txt'), 'hello');
  await writeFile(join(root, 'main/secrets/key'), 'hidden');
  await symlink('/etc/passwd', join(root, 'main/local/passwd'));
  await symlink('/etc', join(root, 'main/local/etc'));
  await symlink('../secrets', join(root, 'main/local/s'));
  await mkdir(join(root, 'main/local/sub'));
  await symlink('../hello.txt', join(root, 'main/local/sub/inside'));

  const get = async (what: string, query: Record<string, string> = {}): Promise<string> => {
    const response = await client.stream('GET', `${path}/${what}`, { query });
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return Buffer.concat(parts).toString();
  };
  const refused = async (query: Record<string, string>, what = 'fs/cat'): Promise<string> => {
    const error = await get(what, query).then(() => undefined, (e: unknown) => e as ApiError); // prettier-ignore
    return error?.reason ?? 'answered';
  };
  t.equal(await get('log', { task: 'main', type: 'stdout' }), 'one\ntwo\nthree\n');
  t.equal(await get('log', { tailLines: '1' }), 'three\n');
  t.equal(await get('log', { origin: 'end', offset: '6' }), 'three\n');
  t.equal(await get('fs/cat', { path: 'main/local/hello.txt' }), 'hello');
  t.equal(await get('fs/cat', { path: 'main/local/hello.txt', offset: '1', limit: '3' }), 'ell');
  t.equal(await get('fs/cat', { path: 'main/local/sub/inside' }), 'hello', 'a link inside is fine');
  t.equal(await get('fs/cat', { path: '/alloc/logs/main.stdout.0' }), 'one\ntwo\nthree\n');
  t.match(JSON.parse(await get('fs/ls', { path: '/' })), [
    { name: 'alloc', isDir: true, fileMode: 'drwxrwxrwx' },
    { name: 'logs' },
    { name: 'main' },
  ]);
  t.match(JSON.parse(await get('fs/stat', { path: 'main/local/hello.txt' })), { name: 'hello.txt', isDir: false, size: 5 });

  for (const [escape, reason] of [
    ['../../../node-id', 'Forbidden'],
    ['main/local/../../../../node-id', 'Forbidden'],
    ['/../../node-id', 'Forbidden'],
    ['main/local/passwd', 'Forbidden'],
    ['main/local/etc/passwd', 'Forbidden'],
    ['main/secrets/key', 'Forbidden'],
    ['main/local/s/key', 'Forbidden'],
    ['main/local/../secrets/key', 'Forbidden'],
    ['main/local/none', 'NotFound'],
    ['main/local', 'BadRequest'],
    ['a\0b', 'BadRequest'],
  ] as const)
    t.equal(await refused({ path: escape }), reason, escape);
  t.equal(await refused({ path: 'main/secrets' }, 'fs/ls'), 'Forbidden');
  t.equal(await refused({ path: 'main/local/etc' }, 'fs/ls'), 'Forbidden');
  t.equal(await refused({ task: '../x' }, 'log'), 'NotFound');
  t.equal(await refused({ task: 'main', offset: '-1' }, 'log'), 'BadRequest');
  t.equal(await refused({ task: 'main', type: 'x' }, 'log'), 'BadRequest');

  t.match(await client.json('GET', `${path}/stats`), { tasks: [{ name: 'main', cpuMHz: 20, memoryBytes: 1000 }] });
  t.same(await client.json('GET', `${path}/checks`), { checks: [] });
  t.match(await client.json('GET', `${objectPath(NodeKind, agent.nodeId)}/stats`), {
    memory: {},
    cpu: {},
    disk: {},
    allocations: { cpuMHz: 20 },
  });
  t.match(await client.json('POST', `${path}/signal`, { body: { signal: 'SIGHUP' } }), { tasks: ['main'] });
  t.same(machine.live('main')[0]!.signals, ['SIGHUP']);
  t.match(await client.json('POST', `${path}/restart`, { body: { task: 'main' } }), { tasks: ['main'] });
  await until('restarted', () => seen(alloc)?.status?.tasks?.[0]?.restarts === 1);
  await t.rejects(client.json('POST', `${path}/restart`, { body: { task: 'nope' } }), { message: /no task/ });
  await t.rejects(client.json('POST', `${path}/signal`, { body: {} }), { message: /signal: is required/ });

  const direct = `http://127.0.0.1:${agent.port}/v1/allocations/${alloc.metadata.name}/stats`;
  t.equal((await fetch(direct)).status, 401, 'nobody else');
  t.equal((await fetch(direct, { headers: { authorization: 'Bearer guess' } })).status, 401);
  t.match(await (await fetch(direct)).json(), { kind: 'Status', reason: 'Unauthorized', code: 401 });
  await stop(alloc);
  await reaches(alloc, 'complete');
  t.equal(await get('log', { task: 'main', follow: 'true' }), 'one\ntwo\nthree\n', 'following a dead task ends');
});

await t.test('a command in a task is talked to by WebSocket, through the API server', async (t) => {
  const alloc = await submit(job('talk'));
  await reaches(alloc, 'running');
  const path = `${objectPath(AllocationKind, alloc.metadata.name, 'default')}/exec`;
  const words = (command: unknown, more = ''): string =>
    `${url}${path}?command=${encodeURIComponent(JSON.stringify(command))}${more}`;
  const session = await openSocket(words(['echo', 'a b'], '&task=main&tty=true'));
  session.send({});
  session.send({ tty_size: { height: 24, width: 80 } });
  session.send({ stdin: { data: Buffer.from('hello').toString('base64') } });
  session.send({ stdin: { close: true } });
  const messages = await session.messages;
  const text = (name: string): string => messages.map((m) => Buffer.from((m[name] as { data?: string } | undefined)?.data ?? '', 'base64').toString()).join(''); // prettier-ignore
  t.equal(text('stdout'), '24x80hello');
  t.equal(text('stderr'), 'echo a b on a terminal');
  t.same(messages.at(-1), { exited: true, result: { exit_code: 5 } });
  t.ok(messages.some((m) => (m['stdout'] as { close?: boolean } | undefined)?.close));

  for (const [address, status] of [
    [words([]), 400],
    [words([1]), 400],
    [words(['sh'], '&task=none'), 404],
    [words(['sh']).replace(alloc.metadata.name, uuid()), 404],
    [`http://127.0.0.1:${agent.port}/v1/allocations/${alloc.metadata.name}/exec?command=["sh"]`, 401],
  ] as const)
    t.equal(await openSocket(address).then(() => 101, (code: unknown) => code), status, address); // prettier-ignore
  t.equal((await fetch(words(['sh']))).status, 400, 'nothing but a WebSocket');
  await stop(alloc);
  await reaches(alloc, 'complete');
});

await t.test('input for a command waits until the command reads it', async (t) => {
  const stdin = new PassThrough({ highWaterMark: 1000 });
  let end: (code: number) => void = () => undefined;
  const session = { stdin, stdout: Readable.from([]), exited: new Promise<number>((resolve) => (end = resolve)), resize: () => Promise.resolve(), kill: () => undefined }; // prettier-ignore
  let paused = false;
  const peer = {
    onMessage: (_text: string): void => undefined,
    closed: new Promise<void>(() => undefined),
    start: () => undefined,
    send: () => Promise.resolve(),
    close: () => undefined,
    pause: () => void (paused = true),
    resume: () => void (paused = false),
  };
  const handle = { execStream: () => Promise.resolve(session) } as unknown as TaskHandle;
  const served = serveExec(peer as unknown as WebSocketPeer, handle, { command: ['cat'], tty: false }, Buffer.alloc(0));
  await new Promise(setImmediate);
  const send = (bytes: number): void =>
    peer.onMessage(JSON.stringify({ stdin: { data: Buffer.alloc(bytes).toString('base64') } }));
  send(100);
  t.equal(paused, false);
  send(5000);
  t.equal(paused, true, 'nothing more is taken in');
  stdin.resume();
  await until('it was read', () => !paused);
  stdin.pause();
  send(5000);
  stdin.destroy();
  await until('it reads no more, so nothing waits for it', () => !paused);
  end(0);
  await served;
});

await t.test('two agents do not share a data directory', async (t) => {
  await t.rejects(start(), /another agent \(process \d+\) uses/);
});

await t.test('services are found by DNS, also while the server is away', async (t) => {
  const services = [{ name: 'web', address: '10.1.2.3', port: '8080', tags: ['blue'] }];
  const alloc = await submit({ ...job('found'), groups: [{ ...job('found').groups![0]!, services }] });
  await reaches(alloc, 'running');
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${agent.discovery!.dnsPort}`]);
  const found = (): Promise<unknown> => resolver.resolveSrv('blue.web.default.service.orch').then((all) => all[0]?.port, () => undefined); // prettier-ignore
  const until8080 = async (wanted: unknown): Promise<void> => {
    for (let seconds = 0; (await found()) !== wanted; seconds += 0.05) {
      if (seconds > 20) throw new Error(`the service is still answered with ${String(await found())}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await until8080(8080);
  await api.close();
  t.equal(await found(), 8080);
  api = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: Number(new URL(url).port) }], log, clock });
  await stop(alloc);
  await until8080(undefined);
});

await t.test('of many agents that start on one data directory at one instant, one gets it', async (t) => {
  const folder = join(dir, 'contested');
  await mkdir(folder);
  // What a killed agent left behind: everybody would like to take it over.
  await writeFile(join(folder, 'agent.lock'), JSON.stringify({ pid: 2 ** 22 + 1, started: 'long ago' }));
  const tries = await Promise.allSettled(Array.from({ length: 10 }, () => lockDataDir(folder)));
  const won = tries.filter((one) => one.status === 'fulfilled');
  t.equal(won.length, 1);
  await won[0]!.value();
  await (
    await lockDataDir(folder)
  )();
});

await t.test('memory for secrets that a killed agent left mounted goes; what is in use stays', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const mounts = new SecretMounts(log, clock);
  for (const id of ['ended', 'alive']) {
    const dirs = new AllocationDirs(dir, join('mounts', id));
    await mkdir(join(dir, 'alloc', 'mounts'), { recursive: true });
    await dirs.buildShared();
    await dirs.buildTask('t', mounts);
  }
  const mounted = (id: string): boolean => readFileSync('/proc/self/mountinfo', 'utf8').includes(`/mounts/${id}/t/secrets `);
  t.same([mounted('ended'), mounted('alive')], [true, true]);
  await mounts.sweep(join(dir, 'alloc', 'mounts'), (id) => id === 'alive');
  t.same([mounted('ended'), mounted('alive')], [false, true]);
  await mounts.unmountBelow(join(dir, 'alloc', 'mounts'));
}); // prettier-ignore

await t.test('hundreds at once', async (t) => {
  const begun = performance.now();
  await Promise.all(Array.from({ length: 100 }, (_, index) => submit(job('many'), { index, name: `many.g[${index}]` })));
  await until(
    'all running',
    () => informer.list().filter((a) => a.spec.jobName === 'many' && a.status?.phase === 'running').length === 100,
    30_000,
  );
  t.comment(`100 allocations in ${Math.round(performance.now() - begun)} ms`);

  const first = informer.list().find((a) => a.spec.jobName === 'many')!;
  const root = join(config.dataDir, 'alloc', first.metadata.name);
  await writeFile(join(root, 'logs', 'main.stdout.0'), 'all that is left\n');
  await stop(first);
  await until('its folder makes room', () => !existsSync(root), 20_000);
  const path = objectPath(AllocationKind, first.metadata.name, 'default');
  const log = async (): Promise<string> => {
    const parts: Buffer[] = [];
    for await (const part of await client.stream('GET', `${path}/log`, { query: { follow: 'true' } })) parts.push(part as Buffer);
    return Buffer.concat(parts).toString();
  };
  t.equal(await log(), 'all that is left\n', 'its log can be read all the same');
  const kept = join(config.dataDir, 'logs', first.metadata.name);
  t.ok(existsSync(kept));
  await client.delete(AllocationKind, first.metadata.name, 'default');
  await until('it goes with the allocation', () => !existsSync(kept), 20_000);

  const [second, third] = informer.list().filter((a) => a.spec.jobName === 'many' && a.status?.phase === 'running');
  const folderOf = (kind: string, a = second!): string => join(config.dataDir, kind, a.metadata.name);
  await writeFile(join(folderOf('alloc'), 'logs', 'main.stdout.0'), 'kept\n');
  await writeFile(join(folderOf('alloc', third), 'logs', 'main.stdout.0'), 'not kept\n');
  await stop(second!);
  await until('its logs are kept', () => existsSync(folderOf('logs')), 20_000);
  gc.diskUsagePercent = 0;
  await stop(third!);
  await until('both make room', () => !existsSync(folderOf('alloc', third)) && !existsSync(folderOf('logs')), 20_000);
  t.notOk(existsSync(folderOf('logs', third)), 'what goes because the disk is full is not kept on it');
  gc.diskUsagePercent = agentDefaults.gc.diskUsagePercent;
  await agent.close({ stopTasks: true });
  t.equal(machine.live().length, 0, 'close stops tasks when told to');
  t.ok(
    isReason(await client.get(LeaseKind, agent.nodeId, 'orch-node-lease').catch((e: unknown) => e), 'NotFound'),
    'and gives up the heartbeat',
  );
});

/** A WebSocket client in a few lines: resolves when it is open, rejects with the status of the answer when it is refused. */
function openSocket(address: string): Promise<{ send: (message: object) => void; messages: Promise<Record<string, unknown>[]> }> {
  return new Promise((resolve, reject) => {
    const key = randomBytes(16).toString('base64');
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key };
    const asked = request(address, { headers });
    asked.once('response', (answer) => reject(answer.statusCode));
    asked.once('error', reject);
    asked.once('upgrade', (_, socket, head) => {
      const send = (message: object): void => {
        const data = Buffer.from(JSON.stringify(message));
        const mask = randomBytes(4);
        const length =
          data.length < 126 ? Buffer.from([0x80 | data.length]) : Buffer.from([0x80 | 126, data.length >> 8, data.length & 0xff]);
        socket.write(Buffer.concat([Buffer.from([0x81]), length, mask, data.map((byte, i) => byte ^ mask[i % 4]!)]));
      };
      const messages = (async () => {
        const parts: Buffer[] = [head];
        for await (const part of socket) parts.push(part as Buffer);
        const found: Record<string, unknown>[] = [];
        for (let rest: Buffer = Buffer.concat(parts); rest.length >= 2;) {
          const long = (rest[1]! & 0x7f) === 126;
          const at = long ? 4 : 2;
          const size = long ? rest.readUInt16BE(2) : rest[1]! & 0x7f;
          if ((rest[0]! & 0x0f) === 1) found.push(JSON.parse(rest.toString('utf8', at, at + size)) as Record<string, unknown>);
          rest = rest.subarray(at + size);
        }
        return found;
      })();
      resolve({ send, messages });
    });
    asked.end();
  });
}
