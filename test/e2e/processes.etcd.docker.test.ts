/** Each part as its own process on etcd passes the same tour; then leaders and the API server are killed and others take over. */
import t from 'tap';
import { join } from 'node:path';
import { freePorts, Sandbox, type Process } from '../framework/orchctl.ts';
import type { Allocation, Stored } from '../../openapi/index.ts';
import { containers, containersOf, deployed, settled, tour } from './tour.ts';

// One test around all: between top-level tests that wait for something else, tap would take the file to be over.
await t.test('separate processes on etcd', async (t) => {
  const [etcdClient, etcdPeer, http] = await freePorts(3);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());

  const endpoint = `http://127.0.0.1:${etcdClient}`;
  const startEtcd = async (): Promise<Process> => {
    const peer = `http://127.0.0.1:${etcdPeer}`;
    const etcd = box.spawn('etcd', [
      ...['--data-dir', join(box.dir, 'etcd'), '--initial-cluster', `default=${peer}`],
      ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ], { ETCD_UNSUPPORTED_ARCH: 'arm64' }); // prettier-ignore
    await etcd.says(/ready to serve client requests/);
    return etcd;
  };
  const etcd = await startEtcd();

  const startApi = async (): Promise<Process> => {
    const api = box.start('apiserver', `-etcd-endpoints=${endpoint}`, `-listen=127.0.0.1:${http}`);
    await api.says(/serving/i);
    return api;
  };
  let api = await startApi();
  const startController = (name: string): Process => box.start('controller', name, `-server=${box.address}`);
  const startScheduler = (): Process => box.start('scheduler', `-server=${box.address}`);
  const startNodeAgent = (): Process => box.start('node-agent', `-server=${box.address}`, `-data-dir=${join(box.dir, 'node')}`);
  const controllers = new Map(['job', 'deployment', 'node', 'gc'].map((name) => [name, startController(name)]));
  let scheduler = startScheduler();
  let nodeAgent = startNodeAgent();
  await box.eventually('the node is ready', async () => / ready$/m.test((await box.orchctl('node', 'status')).stdout));

  await t.test('the tour', (t) => tour(t, box, { minHealthy: '2s' }));

  await t.test('every process is killed, one after the other, and the cluster goes on', async (t) => {
    const client = box.client();
    t.teardown(() => client.close());
    await box.ok('job', 'run', '-detach', 'example.nomad');
    await settled(box, client, 'example', 3);

    const standby = startScheduler();
    await standby.says(/waiting for leadership/);
    await scheduler.kill('SIGKILL');
    scheduler = standby;
    await box.ok('job', 'scale', '-detach', 'example', 'cache', '4');
    await settled(box, client, 'example', 4);
    t.match(standby.output, /leadership acquired: lease=scheduler/, 'the second scheduler took over');
    await box.ok('job', 'scale', 'example', 'cache', '3');
    const allocs = await settled(box, client, 'example', 3);
    await box.eventually('three containers', async () => (await containers(box, client, 'example')).length === 3);
    const before = await startTimes(box, allocs);

    await api.kill('SIGKILL');
    await etcd.kill('SIGKILL');
    t.same(await startTimes(box, allocs), before, 'tasks run on without any server');
    await startEtcd();
    api = await startApi();
    for (const [name, process] of controllers) {
      await process.kill('SIGKILL');
      controllers.set(name, startController(name));
    }
    await nodeAgent.kill('SIGKILL');
    nodeAgent = startNodeAgent();
    await nodeAgent.says(/agent started/);
    for (const [name, process] of controllers) await process.says(new RegExp(`leadership acquired: lease=controller-${name}`));
    await deployed(box, 'example', 'successful');
    const after = await settled(box, client, 'example', 3);
    t.same(names(after), names(allocs), 'the same allocations');
    t.same(await startTimes(box, after), before, 'no task was restarted');
    t.ok(
      after.every((a) => a.status?.tasks?.every((task) => (task.restarts ?? 0) === 0)),
      'nor says the agent that one was',
    );

    await box.ok('job', 'scale', 'example', 'cache', '1');
    const last = await settled(box, client, 'example', 1);
    await box.eventually('one container', async () => (await containers(box, client, 'example')).length === 1);
    t.match(before, await startTimes(box, last), 'the one that stayed was not restarted');
    await box.ok('job', 'stop', '-purge', 'example');
    await box.eventually('no container', async () => (await containersOf(box, allocs)).length === 0);
  });

  await t.test('an interrupt ends every process, also when those that it needs are gone', async (t) => {
    const quits = async (what: string, process: Process): Promise<void> => {
      const began = Date.now();
      await process.kill('SIGINT');
      t.same(await process.ended, { code: 0, signal: null }, what, { output: process.output.slice(-500) });
      t.ok(Date.now() - began < 15_000, `${what} took ${Date.now() - began} ms`);
    };
    await quits('gc', controllers.get('gc')!);
    await quits('scheduler', scheduler);
    await quits('apiserver', api);
    await quits('node-agent', nodeAgent);
    for (const name of ['job', 'deployment', 'node']) await quits(name, controllers.get(name)!);
  });
});

function names(allocs: readonly Stored<Allocation>[]): string[] {
  return allocs.map(({ metadata }) => metadata.name).sort();
}

/** By container: since when it runs, as the engine says. */
async function startTimes(box: Sandbox, allocs: readonly Stored<Allocation>[]): Promise<Record<string, string>> {
  const ids = (await containersOf(box, allocs)).map((line) => line.split(' ')[0]!);
  const { stdout } = await box.run('docker', ['inspect', '--format', '{{.Id}} {{.State.StartedAt}}', ...ids]);
  return Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(' ') as [string, string])); // prettier-ignore
}
