import Docker from 'dockerode';
import { connect, createServer, type AddressInfo } from 'node:net';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ManualClock, shortId, silentLogger, systemClock, uuid } from '../../../base/index.ts';
import { createDrivers, DriverError, type Driver, type DockerOptions } from '../../../kubelet-like-agent/drivers/index.ts';
import { driverContract, isPlayingAgent, openWorld, type DriverUnderTest } from './contract.ts';
import { openEngineProxy, type EngineProxy } from './engine-proxy.ts';

const engine = new Docker();
const create = (docker: DockerOptions = {}, clock = systemClock): Driver =>
  createDrivers({ docker, clock, log: silentLogger }).find((d) => d.name === 'docker')!;

const subject: DriverUnderTest = {
  create,
  config: (script) => ({ image: 'busybox:1', command: 'sh', args: ['-c', script] }),
  contained: true,
  async count(allocId) {
    return (await engine.listContainers({ all: true, filters: { label: [`orch.dev/alloc-id=${allocId}`] } })).length;
  },
};

async function openProxy(t: Test, root: string): Promise<EngineProxy> {
  const proxy = await openEngineProxy(join(root, 'engine.sock'));
  t.teardown(() => proxy.close());
  return proxy;
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

driverContract('docker', subject);

if (!isPlayingAgent) {
  t.test('fingerprint', async (t) => {
    const { Version } = await engine.version();
    t.match(await create().fingerprint(), {
      detected: true,
      healthy: true,
      attributes: { 'driver.docker': '1', 'driver.docker.version': Version, 'driver.docker.bridge_ip': /^\d+\./ },
    });
    const none = create({ endpoint: 'unix:///nowhere/docker.sock' });
    t.match(await none.fingerprint(), { detected: false, healthy: false, description: 'Failed to connect to docker daemon' });
    t.same(await none.removeOrphans(uuid(), new Set()), []);
  });

  t.test('a container as people know it, with a port that leads into it', async (t) => {
    const world = await openWorld(t, subject);
    const port = await freePort();
    const task = world.task('', {
      config: {
        image: 'busybox:1',
        command: 'sh',
        args: ['-c', 'while :; do echo PONG | nc -l -p 6379; done'],
        port_map: [{ db: 6379 }],
      },
      ports: [{ label: 'db', value: port, to: 6379, hostIP: '127.0.0.1' }],
      resources: { name: 'web', cpu: 500, memory: 256 },
    });
    const handle = await world.start(task);
    const info = await engine.getContainer(`web-${task.allocId}`).inspect();
    t.match(info, {
      Name: `/web-${task.allocId}`,
      Config: { Image: 'busybox:1', Labels: { 'orch.dev/alloc-id': task.allocId } },
      HostConfig: {
        Binds: [`${task.dirs.alloc}:/alloc`, `${task.dirs.local}:/local`, `${task.dirs.secrets}:/secrets`],
        PortBindings: { '6379/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }], '6379/udp': [{ HostPort: String(port) }] },
        CpuShares: 500,
        Memory: 268435456,
        MemorySwap: 268435456,
      },
    });
    t.equal(handle.address, info.NetworkSettings.Networks['bridge']!.IPAddress);
    t.ok(handle.digest);
    const answer = await new Promise<string>((resolve, reject) => {
      // The port is open before the program listens: ask until somebody answers.
      const ask = (): void => {
        let text = '';
        const socket = connect(port, '127.0.0.1');
        socket.on('data', (chunk) => (text += chunk.toString()));
        socket.on('close', () => (text === '' ? setImmediate(ask) : resolve(text)));
        socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
      };
      ask();
    });
    t.equal(answer, 'PONG\n');
    await handle.destroy();
  });

  t.test('what a node does not permit does not start', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('true');
    for (const config of [{ privileged: true }, { volumes: ['/etc:/etc'] }, { pid_mode: 'host' }, { cap_add: ['sys_admin'] }]) {
      await t.rejects(world.start({ ...task, config: { ...task.config, ...config } }), DriverError, JSON.stringify(config));
    }
    t.equal(await subject.count(task.allocId), 0);
  });

  t.test('memory', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo ready; exec tail /dev/zero', { resources: { name: 'web', cpu: 100, memory: 16 } });
    t.match(await (await world.start(task)).exited, { exitCode: 137, signal: 9, oomKilled: true });
  });

  t.test('a name that is taken by a stranger', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('true');
    const stranger = await engine.createContainer({ name: `web-${task.allocId}`, Image: 'busybox:1' });
    t.teardown(() => stranger.remove({ force: true }));
    await t.rejects(world.start(task), /exists that is not of this task/);
    t.ok(await stranger.inspect(), 'it is left alone');
  });

  t.test('a command that does not exist', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('', { config: { image: 'busybox:1', command: '/no/such/thing' } });
    await t.rejects(world.start(task), /failed to start the container: .*\/no\/such\/thing/);
    t.equal(await subject.count(task.allocId), 0, 'nothing is left');
  });

  t.test('the engine goes and comes back', async (t) => {
    const world = await openWorld(t, subject);
    const proxy = await openProxy(t, world.root);
    const driver = create({ endpoint: proxy.endpoint });
    const [first, second] = [
      world.task('trap "" TERM; echo ready; while :; do sleep 0.02; done'),
      world.task('echo ready; exec sleep 1000'),
    ];
    const handles = [await world.start(first, driver), await world.start(second, driver)] as const;
    await world.logged(first, 'ready');
    await world.logged(second, 'ready');
    t.match(await driver.fingerprint(), { healthy: true });

    const never = new AbortController();
    const lost = driver.changed!(never.signal);
    await proxy.cut();
    await lost;
    t.match(await driver.fingerprint(), { detected: true, healthy: false, description: 'Failed to connect to docker daemon' });
    await t.rejects(world.start(world.task('true'), driver), {
      recoverable: true,
      message: /Failed to connect to docker daemon/,
    });
    await t.rejects(handles[0].signal('SIGHUP'), { name: 'DriverError', recoverable: true });
    const back = driver.changed!(never.signal);
    const other = create({ endpoint: proxy.endpoint });
    const recovered = (await world.recover(handles[1].state, second, other))!;
    t.ok(recovered, 'an engine that is away is no proof that the container is gone');
    // One ends meanwhile, the other is to be killed as soon as that is possible.
    await engine.getContainer(`web-${second.allocId}`).kill();
    const killed = handles[0].kill('SIGTERM', 50);
    await proxy.restore();
    await back;
    t.match(await driver.fingerprint(), { healthy: true });
    t.match(await handles[1].exited, { exitCode: 137 });
    t.match(await recovered.exited, { exitCode: 137 });
    await killed;
    t.match(await handles[0].exited, { exitCode: 137, signal: 9 });
    t.equal(await world.log(first, 'stdout'), 'ready\n');
    t.equal(await world.log(second, 'stdout'), 'ready\n');
  });

  t.test('a container that somebody removes', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo ready; exec sleep 1000');
    const handle = await world.start(task);
    await world.logged(task, 'ready');
    await engine.getContainer(`web-${task.allocId}`).remove({ force: true });
    t.match(await handle.exited, { exitCode: 137 });
    await handle.destroy();
    t.equal(await world.recover(handle.state, task), undefined);
  });

  t.test('images: pulled once, used, removed some time after the last use', async (t) => {
    const world = await openWorld(t, subject);
    const proxy = await openProxy(t, world.root);
    const name = `orch-test-${shortId(uuid())}:1`;
    const exists = async (): Promise<boolean> => (await engine.listImages({ filters: { reference: [name] } })).length > 0;
    t.teardown(async () => ((await exists()) ? engine.getImage(name).remove() : undefined));
    // There is no registry here: the proxy plays it, and has what it is asked for.
    let pulls = 0;
    proxy.intercept = (request, response) => {
      if (!request.url!.startsWith('/images/create')) return false;
      pulls++;
      const asked = new URL(request.url!, 'http://x').searchParams;
      if (asked.get('fromImage') !== name.split(':')[0]) {
        response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"manifest unknown"}');
      } else if (asked.get('tag') === '1') {
        void engine.getImage('busybox:1').tag({ repo: name.split(':')[0]!, tag: '1' }).then(() => response.writeHead(200).end('{"status":"Pulling"}\n{"status":"Done"}\n')); // prettier-ignore
      }
      return true;
    };
    const clock = new ManualClock(Date.now());
    const driver = create({ endpoint: proxy.endpoint, imageDelay: 180_000 }, clock);
    const said: string[] = [];
    const tasks = [1, 2].map(() =>
      world.task('', { config: { image: name, command: 'true' }, report: (message) => said.push(message) }),
    );
    const handles = await Promise.all(tasks.map((task) => world.start(task, driver)));
    t.equal(pulls, 1, 'two tasks, one pull');
    t.same(new Set(said), new Set(['Downloading image']));
    for (const handle of handles) await handle.exited;
    await handles[0]!.destroy();
    clock.advance(1_000_000);
    t.ok(await exists(), 'still used');
    await handles[1]!.destroy();
    clock.advance(179_000);
    t.ok(await exists(), 'used a moment ago');
    const again = await world.start(tasks[0]!, driver);
    clock.advance(180_000);
    t.ok(await exists(), 'used again');
    await again.exited;
    await again.destroy();
    const gone = new Promise<void>((resolve) => {
      const { intercept } = proxy;
      proxy.intercept = (request, response) => {
        if (request.method === 'DELETE' && request.url!.startsWith('/images/')) response.on('close', resolve);
        return intercept(request, response);
      };
    });
    clock.advance(180_000);
    await gone;
    t.notOk(await exists(), 'removed');
    t.ok(await engine.getImage('busybox:1').inspect(), 'what was here before is not ours');
    await t.rejects(world.start(world.task('', { config: { image: 'orch-test-missing:1' } }), driver), { recoverable: false, message: /Failed to pull `orch-test-missing:1`: manifest unknown/ }); // prettier-ignore
  });

  t.test('output is collected once, whatever happens to the collector', async (t) => {
    const world = await openWorld(t, subject);
    const script =
      'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); [ $((i % 100)) = 0 ] && { echo "err $i" >&2; sleep 0.05; }; done; head -c 40000 /dev/zero | tr "\\0" x; echo end';
    const task = world.task(script);
    let handle = await world.start(task);
    const note = join(task.logs.dir, '.web.collected');
    for (let restart = 0; restart < 8; restart++) {
      await world.logged(task, `line ${restart * 300 + 50}\n`);
      // A crash loses the newest note, not the files.
      if (restart % 2 === 0) await copyFile(note, `${note}.old`);
      await handle.detach();
      if (restart % 2 === 1) await copyFile(`${note}.old`, note);
      handle = (await world.recover(handle.state, task))!;
    }
    await handle.exited;
    const expected = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join('') + 'x'.repeat(40000) + 'end\n';
    t.equal(await world.log(task, 'stdout'), expected);
    t.equal(await world.log(task, 'stderr'), Array.from({ length: 30 }, (_, i) => `err ${(i + 1) * 100}\n`).join('')); // prettier-ignore
    await handle.destroy();
  });

  t.test('a terminal', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('', { config: { ...subject.config('tty; echo done'), tty: true } });
    const handle = await world.start(task);
    await handle.exited;
    t.equal(await world.log(task, 'stdout'), '/dev/pts/0\r\ndone\r\n');
  });
}
