/** Several API servers on one etcd, as real processes: killed, stopped and ended under load. And leaders that come back from the dead. */
import t from 'tap';
import { ApiError, silentLogger, systemClock as clock } from '../../base/index.ts';
import { Client, ConnectionError, Informer } from '../../client/index.ts';
import { defineKind, LeaseKind, NodeKind, NodePoolKind, type AnyObject, type Node, type NodePool } from '../../openapi/index.ts';
import { startEtcd } from '../apiserver/storage/etcd-process.ts';
import { freePorts, Sandbox, root, type Process } from '../framework/orchctl.ts';

const signal = (process: Process, name: NodeJS.Signals): boolean => globalThis.process.kill(process.pid, name);

await t.test('three API servers and those that use them', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.close());
  const ports = await freePorts(3);
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const box = new Sandbox(urls.join(','));
  t.teardown(() => box.close());
  const start = async (at: number): Promise<Process> => {
    const api = box.start('apiserver', `-etcd-endpoints=${etcd.endpoint}`, `-listen=127.0.0.1:${ports[at]}`);
    await api.says(/serving the API/);
    return api;
  };
  const servers = await Promise.all([0, 1, 2].map(start));
  const clients: Client[] = [];
  const client = (first = 0): Client => {
    const made = new Client({ servers: [...urls.slice(first), ...urls.slice(0, first)], timeoutMs: 4_000 });
    clients.push(made);
    return made;
  };
  t.teardown(() => clients.forEach((one) => one.close()));

  await t.test('orchctl asks the next one', async (t) => {
    const { code, stdout } = await box.orchctl('get', 'nodepools', `-address=http://127.0.0.1:1,${urls[1]}`);
    t.equal(code, 0);
    t.match(stdout, /default/);
    t.equal((await box.orchctl('get', 'nodepools', '-address=http://127.0.0.1:1', `-address=${urls[2]}`)).code, 0);
  });

  await t.test('under load, what was answered is kept, and nobody reads backwards', async (t) => {
    const done = new AbortController();
    const kept = new Set<string>();
    const failures: unknown[] = [];
    let wake: () => void = () => undefined;
    const until = async (question: () => boolean): Promise<void> => {
      const deadline = Date.now() + 60_000;
      while (!question()) {
        if (Date.now() > deadline) throw new Error(`it did not come true: ${kept.size} kept, ${failures.length} failed`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    const more = (count: number): Promise<void> => {
      const wanted = kept.size + count;
      return until(() => kept.size >= wanted);
    };
    const informers = [0, 1, 2].map((at) => {
      const added = new Map<string, number>();
      const informer = new Informer<NodePool>({ client: client(at), kind: NodePoolKind, clock, log: silentLogger, labelSelector: 'load' }); // prettier-ignore
      informer.on({ added: ({ metadata }) => void added.set(metadata.name, (added.get(metadata.name) ?? 0) + 1) });
      t.teardown(() => informer.close());
      return { informer: informer.start(), added };
    });
    const writers = [0, 1, 2, 0, 1, 2].map(async (first, lane) => {
      const mine = client(first);
      for (let n = 0; !done.signal.aborted; n++) {
        const name = `load-${lane}-${n}`;
        try {
          await mine.create(NodePoolKind, { metadata: { name, labels: { load: 'x' } } });
          kept.add(name);
        } catch (error) {
          failures.push(error);
        }
        wake();
      }
    });
    let backwards = 0;
    let newest = 0;
    const reader = (async () => {
      const mine = client();
      let before = 0;
      while (!done.signal.aborted) {
        try {
          // Whatever the server has at hand, and a server that is another one each time.
          const { metadata } = await mine.list(NodePoolKind, { resourceVersion: '0', limit: 1 });
          newest = Number(metadata.resourceVersion);
          if (newest < before) backwards++;
          before = newest;
        } catch (error) {
          failures.push(error);
        }
      }
    })();
    await more(30);

    signal(servers[0]!, 'SIGKILL');
    await servers[0]!.ended;
    await more(60);
    servers[0] = await start(0);
    t.pass('one was killed');

    signal(servers[1]!, 'SIGSTOP');
    await more(60);
    const lost = failures.length;
    signal(servers[1]!, 'SIGCONT');
    t.ok(
      failures.every((error) => error instanceof ConnectionError || (error instanceof ApiError && error.reason === 'Timeout')),
      `what failed (${failures.length}) was in the hands of a server that was killed or stopped: ${String(failures[0])}`,
    );
    await until(() => failures.length - lost <= 6 && kept.size > 150);

    const before = failures.length;
    signal(servers[2]!, 'SIGTERM');
    t.same(await servers[2]!.ended, { code: 0, signal: null }, 'one ends in order');
    await more(30);
    t.same(failures.slice(before), [], 'and nobody notices');
    servers[2] = await start(2);
    done.abort();
    await Promise.all([...writers, reader]);
    t.equal(backwards, 0, `revisions of ${newest} were read in order`);

    for (const url of urls) {
      const { items, metadata } = await new Client({ servers: [url] }).list(NodePoolKind, { labelSelector: 'load' });
      const names = new Set(items.map((item) => item.metadata.name));
      t.same([...kept].filter((name) => !names.has(name)), [], 'every server has all that was answered'); // prettier-ignore
      for (const { informer, added } of informers) {
        await informer.until((cache) => (cache.list().length === items.length ? true : undefined), AbortSignal.timeout(20_000));
        t.ok(informer.revision <= Number(metadata.resourceVersion) + 1_000);
        t.same([...added.values()].filter((count) => count !== 1), [], 'informers tell of each object once'); // prettier-ignore
      }
    }
  });

  await t.test('a kind that is defined at one is served by all, also after they were killed', async (t) => {
    const kind = defineKind<AnyObject>({ group: 'example.com', version: 'v1', kind: 'Thing', listKind: 'ThingList', plural: 'things', singular: 'thing', shortNames: [], namespaced: false }); // prettier-ignore
    const definition = {
      metadata: { name: 'things.example.com' },
      spec: { group: 'example.com', scope: 'Cluster', names: { kind: 'Thing', plural: 'things' }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }] }, // prettier-ignore
    };
    const only = urls.map((url) => new Client({ servers: [url] }));
    t.teardown(() => only.forEach((one) => one.close()));
    await only[0]!.json('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: definition });
    await only[0]!.create(kind, { metadata: { name: 'one' } });
    for (const server of servers.splice(0)) {
      signal(server, 'SIGKILL');
      await server.ended;
    }
    servers.push(...(await Promise.all([0, 1, 2].map(start))));
    for (const one of only) t.equal((await one.get(kind, 'one')).metadata.name, 'one');
  });

  await t.test('a leader that was stopped and goes on cannot write', async (t) => {
    const writer = (name: string): Process => box.spawn(process.execPath, [`${root}/test/framework/fenced-writer.mjs`, urls.join(','), name]); // prettier-ignore
    const history: string[] = [];
    const informer = new Informer<NodePool>({ client: client(), kind: NodePoolKind, clock, log: silentLogger, fieldSelector: 'metadata.name=default' }); // prettier-ignore
    const note = ({ metadata }: { metadata: { annotations?: Record<string, string> } }): void => {
      const who = metadata.annotations?.['writer']?.split(' ')[0];
      if (who !== undefined && history.at(-1) !== who) history.push(who);
    };
    informer.on({ added: note, modified: note });
    t.teardown(() => informer.close());
    informer.start();
    const first = writer('first');
    await first.says(/wrote 50$/m);
    const second = writer('second');
    signal(first, 'SIGSTOP');
    const stopped = Date.now();
    await second.says(/leads/);
    t.ok(Date.now() - stopped < 15_000, `another one leads after ${Date.now() - stopped} ms`);
    await second.says(/wrote 50$/m);
    signal(first, 'SIGCONT');
    const [, why] = await first.says(/^refused (.*)$/m);
    t.match(why, /the lease orch-system\/fenced-writer of this leader has ended; it is held by "second/);
    await second.says(/wrote 150$/m);
    t.same(history, ['first', 'second'], 'nothing of the first was written after the second began');
    signal(second, 'SIGKILL');
    await second.ended;
  });

  await t.test('a controller takes over in seconds, and takes no node for lost that is not', async (t) => {
    const mine = client();
    const name = '0a000000-0000-4000-8000-000000000001';
    const ttl = { 'orch.dev/ttl': '60s' };
    await mine.create(LeaseKind, {
      metadata: { name, namespace: 'orch-node-lease', annotations: ttl },
      spec: { holderIdentity: name },
    });
    await mine.create(NodeKind, { metadata: { name }, spec: { name, datacenter: 'dc1', nodePool: 'default' } } as Node);
    await mine.patch(NodeKind, name, undefined, { status: { phase: 'ready' } }, { subresource: 'status' });
    const controller = (): Process => box.start('controller', 'node', '-log-level=debug');
    const leader = controller();
    await leader.says(/leadership acquired/);
    const standby = controller();
    await standby.says(/waiting for leadership/);
    signal(leader, 'SIGSTOP');
    const stopped = Date.now();
    await standby.says(/leadership acquired/);
    t.ok(Date.now() - stopped < 15_000, `after ${Date.now() - stopped} ms`);
    // It has looked at the node, and at its Lease, once it has done what is asked of it.
    await mine.patch(NodeKind, name, undefined, { spec: { eligibility: 'ineligible', drain: { deadline: '1m' } } });
    const informer = new Informer({ client: mine, kind: NodeKind, clock, log: silentLogger }).start();
    t.teardown(() => informer.close());
    const phase = await informer.until(
      (nodes) => (nodes.get(name)?.status?.drain?.phase === 'complete' ? nodes.get(name)?.status?.phase : undefined),
      AbortSignal.timeout(30_000),
    );
    t.equal(phase, 'ready');
    signal(leader, 'SIGCONT');
    await leader.says(/leadership lost/);
  });
});
