import t from 'tap';
import { startApiServer } from '../../apiserver/index.ts';
import { openEtcdStore } from '../../apiserver/storage/etcd/index.ts';
import { derivedUuid, silentLogger, systemClock } from '../../base/index.ts';
import { Client } from '../../client/index.ts';
import { AllocationKind, LeaseKind, NodePoolKind } from '../../openapi/index.ts';
import { Watching } from './harness.ts';
import { startEtcd } from './storage/etcd-process.ts';

const POOLS = '/apis/orch.dev/v1/nodepools';

t.test('two servers on one etcd are one API', { timeout: 60_000 }, async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.close());
  const start = async () => {
    const store = await openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/orch/', log: silentLogger, clock: systemClock });
    const api = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: 0 }], log: silentLogger, clock: systemClock });
    const client = new Client({ servers: api.urls });
    const close = async (): Promise<void> => {
      client.close();
      await api.close();
      await store.close();
    };
    return { url: api.urls[0]!, client, close };
  };
  const [one, two] = await Promise.all([start(), start()]);

  const { metadata } = await one.client.list(NodePoolKind);
  t.equal((await two.client.list(NodePoolKind)).items.length, 2, 'what both bootstrap is there once');
  const watching = await Watching.open(two.url, `${POOLS}?watch=true&resourceVersion=${metadata.resourceVersion}`);
  for (let i = 0; i < 10; i++) {
    await one.client.create(NodePoolKind, { metadata: { name: `p${i}` }, spec: {} });
    const there = await two.client.list(NodePoolKind);
    t.equal(there.items.length, 3 + i, 'a list sees what another server has answered');
    await two.client.patch(NodePoolKind, `p${i}`, undefined, { spec: { description: 'seen' } });
  }
  const events = await watching.take(20);
  t.same(events, Array.from({ length: 10 }, (_, i) => [`ADDED p${i}`, `MODIFIED p${i}`]).flat());

  await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).client.patch(NodePoolKind, 'p0', undefined, { metadata: { labels: { [`l${i}`]: 'x' } } }))); // prettier-ignore
  t.equal(
    Object.keys((await one.client.get(NodePoolKind, 'p0')).metadata.labels!).length,
    40,
    'no patch is lost between servers',
  );

  const operations = Array.from({ length: 300 }, (_, n) => ({
    operation: 'create' as const,
    object: {
      apiVersion: 'orch.dev/v1',
      kind: 'Allocation',
      metadata: { name: derivedUuid(n), namespace: 'default' },
      spec: {
        jobName: 'j',
        jobUID: 'u',
        jobVersion: 0,
        group: 'g',
        name: `j.g[${n}]`,
        index: n,
        nodeName: `n${n % 3}`,
        desired: 'run',
      },
    },
  }));
  const { results } = await one.client.batch(operations);
  t.ok(results.every((result) => result.code === 201));
  t.ok(new Set(results.map((result) => result.resourceVersion)).size > 1, 'more than one transaction of etcd holds');
  t.equal((await two.client.list(AllocationKind, { fieldSelector: 'spec.nodeName=n1' })).items.length, 100);

  const lease = await one.client.create(LeaseKind, {
    metadata: { name: 'leader', namespace: 'orch-system', annotations: { 'orch.dev/ttl': '2s' } },
    spec: { holderIdentity: 'one' },
  });
  const leases = await Watching.open(
    two.url,
    `/apis/coordination.k8s.io/v1/leases?watch=true&resourceVersion=${lease.metadata.resourceVersion}`,
  );
  const renewed = await two.client.update(LeaseKind, { ...lease, spec: { ...lease.spec, renewTime: new Date().toISOString() } });
  t.equal(
    renewed.metadata.resourceVersion,
    lease.metadata.resourceVersion,
    'kept alive through the other server, without a write',
  );
  const fenced = two.client.withFence({ namespace: 'orch-system', name: 'leader', uid: lease.metadata.uid });
  await fenced.patch(NodePoolKind, 'p1', undefined, { spec: { description: 'led' } });
  t.same(await leases.take(1), ['DELETED leader']);
  await t.rejects(fenced.patch(NodePoolKind, 'p1', undefined, { spec: { description: 'late' } }), { name: 'ApiError', reason: 'Conflict', message: /fence/ }); // prettier-ignore
  t.ok((await fetch(`${two.url}/readyz`)).ok);

  watching.close();
  leases.close();
  await one.close();
  t.equal((await two.client.list(NodePoolKind)).items.length, 12);
  await two.close();
});
