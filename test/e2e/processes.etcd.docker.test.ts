/** Each part as its own process on etcd passes the same tour; then leaders and the API server are killed and others take over. */
import t from 'tap';
import { join } from 'node:path';
import { freePorts, Sandbox, type Process } from '../framework/orchctl.ts';
import { settled, tour } from './tour.ts';

// One test around all: between top-level tests that wait for something else, tap would take the file to be over.
await t.test('separate processes on etcd', async (t) => {
  const [etcdClient, etcdPeer, http] = await freePorts(3);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());

  const endpoint = `http://127.0.0.1:${etcdClient}`;
  const etcd = box.spawn('etcd', [
  '--data-dir', join(box.dir, 'etcd'),
  '--listen-client-urls', endpoint, '--advertise-client-urls', endpoint,
  '--listen-peer-urls', `http://127.0.0.1:${etcdPeer}`, '--initial-advertise-peer-urls', `http://127.0.0.1:${etcdPeer}`,
  '--initial-cluster', `default=http://127.0.0.1:${etcdPeer}`,
], { ETCD_UNSUPPORTED_ARCH: 'arm64' }); // prettier-ignore
  await etcd.says(/ready to serve client requests/);

  const startApi = async (): Promise<Process> => {
    const api = box.start('apiserver', `-etcd-endpoints=${endpoint}`, `-listen=127.0.0.1:${http}`);
    await api.says(/serving/i);
    return api;
  };
  let api = await startApi();
  const parts = new Map<string, Process>();
  for (const name of ['job', 'deployment', 'node', 'gc'])
    parts.set(name, box.start('controller', name, `-server=${box.address}`));
  parts.set('scheduler', box.start('scheduler', `-server=${box.address}`));
  const nodeArgs = ['node-agent', `-server=${box.address}`, `-data-dir=${join(box.dir, 'node')}`];
  parts.set('node-agent', box.start(...nodeArgs));
  await box.eventually('the node is ready', async () => / ready$/m.test((await box.orchctl('node', 'status')).stdout));

  await t.test('the tour', (t) => tour(t, box, { minHealthy: '2s' }));

  await t.test('every process is killed, one after the other, and the cluster goes on', async (t) => {
    const client = box.client();
    await box.ok('job', 'run', '-detach', 'example.nomad');
    await settled(box, client, 'example', 3);
    const ids = async () =>
      (await box.run('docker', ['ps', '-q', '--no-trunc', '--filter', 'name=redis-'])).stdout.split('\n').sort().join(' ');
    const before = await ids();

    const standby = box.start('scheduler', `-server=${box.address}`);
    await standby.says(/waiting|standby|leader/i);
    await parts.get('scheduler')!.kill('SIGKILL');
    await box.ok('job', 'scale', 'example', 'cache', '4');
    await settled(box, client, 'example', 4);
    t.pass('the second scheduler took over');
    await box.ok('job', 'scale', 'example', 'cache', '3');
    await settled(box, client, 'example', 3);

    await api.kill('SIGKILL');
    await etcd.kill('SIGTERM');
    t.equal((await ids()).length, before.length, 'tasks run on without any server');
    const again = box.spawn('etcd', ['--data-dir', join(box.dir, 'etcd'), '--listen-client-urls', endpoint, '--advertise-client-urls', endpoint, '--listen-peer-urls', `http://127.0.0.1:${etcdPeer}`], { ETCD_UNSUPPORTED_ARCH: 'arm64' }); // prettier-ignore
    await again.says(/ready to serve client requests/);
    api = await startApi();
    for (const name of ['job', 'deployment', 'node', 'gc']) {
      await parts.get(name)!.kill('SIGKILL');
      parts.set(name, box.start('controller', name, `-server=${box.address}`));
    }
    await parts.get('node-agent')!.kill('SIGKILL');
    parts.set('node-agent', box.start(...nodeArgs));
    await box.ok('job', 'scale', 'example', 'cache', '1');
    await settled(box, client, 'example', 1);
    await box.eventually('one container', async () => (await ids()).split(' ').filter(Boolean).length === 1);
    await box.ok('job', 'stop', '-purge', 'example');
    await box.eventually('no container', async () => (await ids()).trim() === '');
    client.close();
  });
});
