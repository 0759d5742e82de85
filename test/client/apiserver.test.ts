import t from 'tap';
import { ManualClock } from '../../base/index.ts';
import { acquire, electionLoop, EventRecorder, Informer, keyOf, type ElectionOptions, type Term } from '../../client/index.ts';
import { EventKind, JobKind, LeaseKind, NodePoolKind } from '../../openapi/index.ts';
import { startControlPlane } from '../framework/control-plane.ts';

/** The client against the real apiserver. */
t.test('an informer follows the server', async (t) => {
  const { client, clock, log } = await startControlPlane(t);
  const pools = new Informer({
    client,
    kind: NodePoolKind,
    clock,
    log,
    indexes: { algorithm: (p) => [p.spec?.schedulerAlgorithm ?? 'binpack'] },
  }).start();
  await pools.synced;
  t.same(pools.list().map(keyOf).sort(), ['all', 'default'], 'bootstrapped');
  const created = await client.create(NodePoolKind, { metadata: { name: 'gpu' }, spec: { schedulerAlgorithm: 'spread' } });
  await pools.waitForRevision(created.metadata.resourceVersion);
  t.same(pools.byIndex('algorithm', 'spread').map(keyOf), ['gpu']);
  const selected = new Informer({ client, kind: NodePoolKind, clock, log, fieldSelector: 'metadata.name=gpu' }).start();
  await selected.synced;
  t.equal(selected.size, 1);
  await client.delete(NodePoolKind, 'gpu');
  await selected.until((cache) => (cache.list().length === 0 ? true : undefined));
  await pools.until((cache) => (cache.get('gpu') === undefined ? true : undefined));
  await Promise.all([pools.close(), selected.close()]);
});

t.test('an informer that is closed the moment it has synced leaves no watch behind', async (t) => {
  const { client, clock, log } = await startControlPlane(t);
  const pools = new Informer({ client, kind: NodePoolKind, clock, log }).start();
  t.equal(await pools.until((cache) => cache.list().length), 2);
  await pools.close();
});

t.test('one leader at a time, and a deposed one cannot write', async (t) => {
  const { client, log } = await startControlPlane(t);
  // The candidates' time is the test's, so that no pause of the machine costs one its term.
  const clock = new ManualClock();
  const options: ElectionOptions = { client, clock, log, name: 'test', identity: 'a', ttl: 15_000 };
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const first = await acquire(options, stop.signal);
  const job = (name: string) => ({ metadata: { name, namespace: 'default' }, spec: { groups: [{ name: 'g', tasks: [{ name: 't', driver: 'raw_exec', config: { command: '/bin/true' } }] }] } }); // prettier-ignore
  await first.client.create(JobKind, job('one'));

  const terms: Term[] = [];
  let started: () => void = () => undefined;
  const leading = new Promise<void>((resolve) => (started = resolve));
  const loop = electionLoop({ ...options, identity: 'b' }, stop.signal, async (term) => {
    terms.push(term);
    started();
    await aborted(AbortSignal.any([stop.signal, term.signal]));
  });
  // Somebody takes the Lease away from the first: it notices at its next renewal, and the fence refuses it before that.
  await client.delete(LeaseKind, 'test', 'orch-system');
  await leading;
  await t.rejects(first.client.create(JobKind, job('two')), /fence/i);
  await t.rejects(
    first.client.batch([{ operation: 'create', object: { ...job('three'), apiVersion: 'orch.dev/v1', kind: 'Job' } }]),
    /fence/i,
  );
  t.notOk(await client.find(JobKind, 'two', 'default'));
  await terms[0]!.client.create(JobKind, job('two'));
  clock.advance(5_000);
  await aborted(first.signal);
  await first.release();
  t.equal(terms[0]!.signal.aborted, false, 'the release of the deposed leader does not end the term of the new one');
  stop.abort();
  await loop;
  t.notOk(await client.find(LeaseKind, 'test', 'orch-system'), 'released');
});

t.test('a lease that nobody renews vanishes, and the next leader gets in', async (t) => {
  const { client, clock, log } = await startControlPlane(t);
  await client.create(LeaseKind, { metadata: { name: 'test', namespace: 'orch-system', annotations: { 'orch.dev/ttl': '1s' } }, spec: { holderIdentity: 'dead' } }); // prettier-ignore
  const term = await acquire({ client, clock, log, name: 'test', identity: 'b' }, new AbortController().signal);
  t.match((await client.get(LeaseKind, 'test', 'orch-system')).spec?.holderIdentity, /^b_/);
  await term.release();
});

t.test('events are written and counted', async (t) => {
  const { client, clock, log } = await startControlPlane(t);
  const pool = await client.get(NodePoolKind, 'default');
  for (const expected of [2, 4]) {
    const recorder = new EventRecorder({ client, clock, log, component: 'test' });
    recorder.record(pool, 'Warning', 'Full', 'no room');
    recorder.record(pool, 'Warning', 'Full', 'no room');
    await recorder.close();
    const { items } = await client.list(EventKind, { namespace: 'default' });
    t.same(items.map((event) => [event.reason, event.count]), [['Full', expected]]); // prettier-ignore
  }
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
