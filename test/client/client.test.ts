import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { ApiError, createLogger, describeError, ManualClock, silentLogger, systemClock, type Clock } from '../../base/index.ts';
import { acquire, Client, EventRecorder, Informer, keyOf, WorkQueue, type Handlers } from '../../client/index.ts';
import { LeaseKind, NodeKind, NodePoolKind, type Event, type Lease, type Node, type Stored } from '../../openapi/index.ts';

t.test('work queue', async (t) => {
  t.test('hands out in order, once, never twice at a time', async (t) => {
    const queue = new WorkQueue({ clock: new ManualClock() });
    for (const key of ['a', 'b', 'a', 'c']) queue.add(key);
    t.equal(await queue.take(), 'a');
    queue.add('a');
    queue.add('a');
    t.equal(await queue.take(), 'b');
    t.equal(await queue.take(), 'c');
    t.equal(queue.size, 0, 'a waits for its done');
    const next = queue.take();
    queue.done('a');
    t.equal(await next, 'a');
    queue.done('a');
    t.equal(queue.size, 0, 'added twice while worked on, handed out once');
  });

  t.test('priority first, and a raise of it moves a key that waits', async (t) => {
    const queue = new WorkQueue({ clock: new ManualClock() });
    queue.add('low');
    queue.add('mid', 5);
    queue.add('raised');
    queue.add('raised', 9);
    t.same([await queue.take(), await queue.take(), await queue.take()], ['raised', 'mid', 'low']);
  });

  t.test('delays: the earliest counts, handing out cancels', async (t) => {
    const clock = new ManualClock();
    const queue = new WorkQueue({ clock });
    queue.addAfter('a', 1000);
    queue.addAfter('a', 100);
    queue.addAfter('b', 50);
    clock.advance(60);
    t.equal(queue.size, 1);
    t.equal(await queue.take(), 'b');
    clock.advance(50);
    t.equal(await queue.take(), 'a');
    queue.done('a');
    clock.advance(5000);
    t.equal(queue.size, 0, 'the later delay of a is gone');
    queue.addAfter('c', 100);
    queue.add('c');
    t.equal(await queue.take(), 'c');
    queue.done('c');
    clock.advance(200);
    t.equal(queue.size, 0, 'handed out before its delay, so the delay is void');
  });

  t.test('failures back off, success resets', async (t) => {
    const clock = new ManualClock();
    const queue = new WorkQueue({ clock, baseDelay: 100, maxDelay: 400, random: () => 1 });
    t.same(
      [queue.addRateLimited('a'), queue.addRateLimited('a'), queue.addRateLimited('a'), queue.addRateLimited('a')],
      [100, 200, 400, 400],
    );
    queue.forget('a');
    t.equal(queue.failures('a'), 0);
    t.equal(queue.addRateLimited('a'), 100);
  });

  t.test('shutdown waits for what was taken and frees takers', async (t) => {
    const queue = new WorkQueue({ clock: new ManualClock() });
    queue.add('a');
    queue.add('b');
    t.equal(await queue.take(), 'a');
    let down = false;
    const shutdown = queue.shutdown().then(() => (down = true));
    t.equal(await queue.take(), undefined);
    t.equal(down, false);
    queue.done('a');
    await shutdown;
    queue.add('c');
    t.equal(queue.size, 0);
  });
});

t.test('informer against a server that misbehaves', async (t) => {
  const script = await Script.listen(t);
  script.lists.push({ revision: 10, items: [node('a', 5), node('b', 6), node('c', 7)] });
  script.watches.push(
    // A stream that tells two changes and breaks in the middle of a line.
    (send, response) => {
      send('MODIFIED', node('a', 11, { pool: 'x' }));
      send('DELETED', node('c', 12));
      response.write('{"type":"MODI', () => setImmediate(() => response.socket!.destroy()));
    },
    // Resumed, then told that it is too late.
    (send, response) => {
      send('ADDED', node('d', 14));
      response.end(
        JSON.stringify({ type: 'ERROR', object: new ApiError('Expired', 'too old resource version').toStatus() }) + '\n',
      );
    },
    // After the relist: stays open.
    (send) => send('BOOKMARK', { metadata: { resourceVersion: '40' } } as Stored<Node>),
  );
  script.lists.push({
    revision: 30,
    items: [
      node('a', 11, { pool: 'x' }),
      { ...node('b', 25), metadata: { ...node('b', 25).metadata, uid: 'b2' } },
      node('e', 28),
    ],
  });

  const client = new Client({ servers: ['http://127.0.0.1:1', script.url] });
  const informer = new Informer({
    client,
    kind: NodeKind,
    clock: systemClock,
    log: silentLogger,
    indexes: { pool: (n) => [n.spec.nodePool] },
  });
  const seen: string[] = [];
  const handlers: Handlers<Node> = {
    added: (n) => seen.push(`+${n.metadata.uid}@${n.metadata.resourceVersion}`),
    modified: (n, before) => seen.push(`~${n.metadata.uid}@${before.metadata.resourceVersion}-${n.metadata.resourceVersion}`),
    deleted: (n) => seen.push(`-${n.metadata.uid}@${n.metadata.resourceVersion}`),
  };
  informer.on(handlers);
  informer.start();
  await informer.synced;
  await informer.waitForRevision(40);
  t.same(
    seen,
    ['+a@5', '+b@6', '+c@7', '~a@5-11', '-c@7', '+d@14', '-d@14', '-b@6', '+b2@25', '+e@28'],
    'every change once, in order',
  );
  t.same(script.resumedAt, ['10', '12', '30']);
  t.same(informer.list().map(keyOf).sort(), ['a', 'b', 'e']);
  t.same(informer.byIndex('pool', 'x').map(keyOf), ['a']);
  t.same(informer.byIndex('pool', 'default').map(keyOf).sort(), ['b', 'e']);
  t.equal(informer.revision, 40);
  t.throws(() => (informer.get('a')!.spec.nodePool = 'y'), TypeError, 'objects are frozen');

  const late: string[] = [];
  informer.on({ added: (n) => late.push(keyOf(n)) });
  t.same(late.sort(), ['a', 'b', 'e'], 'a late handler is told what there is');
  const never = t.rejects(
    informer.until(() => undefined),
    /closed/,
  );
  await informer.close();
  await never;
  await t.rejects(informer.waitForRevision(99), /closed/);
});

t.test('informer leaves a watch on which nothing comes any more', async (t) => {
  const script = await Script.listen(t);
  const clock = new ManualClock();
  let opened: () => void = () => undefined;
  const quiet = new Promise<void>((resolve) => (opened = resolve));
  script.lists.push({ revision: 1, items: [] });
  script.watches.push(
    () => opened(),
    (send) => send('ADDED', node('a', 2)),
  );
  const informer = new Informer({
    client: new Client({ servers: [script.url] }),
    kind: NodeKind,
    clock,
    log: silentLogger,
  }).start();
  await quiet;
  clock.advance(300_000);
  t.equal((await informer.until((nodes) => nodes.get('a'))).metadata.name, 'a');
  t.same(script.resumedAt, ['1', '1']);
  await informer.close();
});

t.test('client asks another server when one is gone or hangs', async (t) => {
  const script = await Script.listen(t);
  script.lists.push({ revision: 1, items: [] });
  const hanging = createServer(() => undefined);
  const url = await listen(t, hanging);
  const client = new Client({ servers: [url, script.url], timeoutMs: 1_000 });
  t.equal((await client.list(NodeKind)).metadata.resourceVersion, '1', 'a read is tried elsewhere');
  t.equal(client.server, script.url);
  const renewing = new Client({ servers: [url, script.url] });
  await t.rejects(renewing.update(NodePoolKind, { metadata: { name: 'n' } }, { signal: AbortSignal.timeout(600) }));
  t.equal(renewing.server, script.url, 'a write is not, but the next one asks another server');
  const away = createServer((_, response) => json(response, 503, new ApiError('ServiceUnavailable', 'store is away').toStatus()));
  const awayUrl = await listen(t, away);
  const other = new Client({ servers: [awayUrl, script.url] });
  script.lists.push({ revision: 1, items: [] });
  t.equal((await other.list(NodeKind)).metadata.resourceVersion, '1', 'nor is one asked whose store is away');
  const seen: string[] = [];
  const ahead = createServer((request, response) => {
    seen.push(new URL(request.url!, 'http://x').search);
    json(response, 200, { kind: 'NodeList', metadata: { resourceVersion: '7' }, items: [] });
  });
  const aheadUrl = await listen(t, ahead);
  const backwards = new Client({ servers: [aheadUrl] });
  await backwards.list(NodeKind);
  await backwards.list(NodeKind, { resourceVersion: '0' });
  t.same(seen, ['', '?resourceVersion=7&resourceVersionMatch=NotOlderThan'], 'what was seen is never unseen');
  const leaving = createServer((_, response) => json(response, 503, new ApiError('ServiceUnavailable', 'bye', { causes: [{ reason: 'ShuttingDown', message: '' }] }).toStatus())); // prettier-ignore
  const writer = new Client({ servers: [await listen(t, leaving), aheadUrl] });
  await writer.create(NodePoolKind, { metadata: { name: 'n' } });
  const stuck = new Client({ servers: [awayUrl, aheadUrl] });
  await t.rejects(stuck.create(NodePoolKind, { metadata: { name: 'n' } }), /store is away/, 'nobody knows whether it was done');
  await t.rejects(new Client({ servers: ['http://127.0.0.1:1'] }).list(NodeKind), /cannot reach http:\/\/127\.0\.0\.1:1/);
});

t.test('a watch on a server that is gone without a word goes on elsewhere', async (t) => {
  let stopped = false;
  const frozen = createServer((request, response) => {
    if (stopped) return;
    if (!request.url!.includes('watch=true')) return json(response, 200, { kind: 'NodeList', metadata: { resourceVersion: '5' }, items: [] }); // prettier-ignore
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    stopped = true;
  });
  const asked: string[] = [];
  const alive = createServer((request, response) => {
    asked.push(new URL(request.url!, 'http://x').searchParams.get('resourceVersion') ?? '');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })}\n`);
  });
  const client = new Client({ servers: [await listen(t, frozen), await listen(t, alive)], pulseMs: 50 });
  const informer = new Informer({ client, kind: NodeKind, clock: systemClock, log: silentLogger }).start();
  t.teardown(() => informer.close());
  await informer.waitForRevision(9, AbortSignal.timeout(10_000));
  t.same(asked, ['5'], 'from where it was');
});

t.test('what is no API server is never believed, and an outage is one line', async (t) => {
  let broken = true;
  const server = createServer((request, response) => {
    if (!broken) return json(response, 200, { kind: 'NodeList', metadata: { resourceVersion: '1' }, items: [] });
    response.writeHead(request.method === 'GET' ? 404 : 200, { 'content-type': 'text/html' }).end('<html>hello</html>');
  });
  let text = '';
  const log = createLogger({ write: (line) => (text += line), level: 'info', clock: systemClock });
  const client = new Client({ servers: [await listen(t, server)], log });
  await t.rejects(
    client.find(NodeKind, 'n'),
    /what answers there \(404 Not Found\) is no API server/,
    'not: there is no such node',
  );
  const fenced = client.withFence({ namespace: 'a', name: 'b', uid: 'c' });
  await t.rejects(fenced.create(LeaseKind, { metadata: { name: 'n', namespace: 'a' } }), { name: 'ConnectionError' });
  broken = false;
  await client.list(NodeKind);
  await client.list(NodeKind);
  t.match(text, /^[^\n]+no API server answers, trying on: error="cannot reach [^\n]+\n[^\n]+the API server answers: [^\n]+\n$/);
  const refused = await new Client({ servers: ['http://127.0.0.1:1'] }).list(NodeKind).catch(describeError);
  t.equal(refused, 'cannot reach http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1', 'each thing once');
});

t.test('a leader whose renewals fail gives up after the ttl, by its own timers', async (t) => {
  const manual = new ManualClock();
  let armed = 0;
  const clock: Clock = { now: () => manual.now(), after: (ms, fn) => (armed++, manual.after(ms, fn)) };
  let renewals = 0;
  const server = createServer((request, response) => {
    void body(request).then((text) => {
      if (request.method === 'POST') {
        const lease = JSON.parse(text) as Lease;
        return json(response, 201, { ...lease, metadata: { ...lease.metadata, uid: 'u1', resourceVersion: '7' } });
      }
      if (request.method === 'PUT' && ++renewals === 1) return json(response, 200, JSON.parse(text));
      return json(response, 503, new ApiError('ServiceUnavailable', 'store is away').toStatus());
    });
  });
  const client = new Client({ servers: [await listen(t, server)] });
  const term = await acquire(
    { client, clock, log: silentLogger, name: 'x', identity: 'me', ttl: 9000 },
    new AbortController().signal,
  );
  t.same(term.fence, { namespace: 'orch-system', name: 'x', uid: 'u1' });
  await until(() => armed === 3); // its end, the deadline of the request, the next renewal
  manual.advance(3000);
  await until(() => armed === 6); // a later end, the request's deadline, the next renewal
  manual.advance(3000);
  await until(() => armed === 9); // the same again, but it failed
  t.equal(renewals, 2);
  manual.advance(5900);
  t.equal(term.signal.aborted, false, '8.9 s after the renewal that succeeded');
  manual.advance(200);
  t.equal(term.signal.aborted, true);
  t.match(String(term.signal.reason), /not renewed in time/);
  await term.release();
});

t.test('who gives up standing for election leaves no lease that was made unnoticed', async (t) => {
  const giveUp = new AbortController();
  let stored: Lease | undefined;
  let deleted = 0;
  const server = createServer((request, response) => {
    void body(request).then((text) => {
      if (request.method === 'POST') {
        stored = JSON.parse(text) as Lease;
        stored.metadata.uid = 'u1';
        giveUp.abort();
        return response.socket!.destroy(); // it was written, and nobody hears of it
      }
      if (request.method === 'DELETE') {
        deleted++;
        t.match(JSON.parse(text), { preconditions: { uid: 'u1' } });
        stored = undefined;
        return json(response, 200, {});
      }
      return json(response, 200, stored);
    });
  });
  const client = new Client({ servers: [await listen(t, server)] });
  await t.rejects(acquire({ client, clock: systemClock, log: silentLogger, name: 'x', identity: 'me' }, giveUp.signal));
  t.equal(deleted, 1);
});

t.test('events: repeats are counted, failures are nobody’s business', async (t) => {
  const stored = new Map<string, Event>();
  let broken = true;
  const server = createServer((request, response) => {
    void body(request).then((text) => {
      if (broken) return response.socket!.destroy();
      const object = JSON.parse(text) as Event;
      const name = request.method === 'POST' ? object.metadata.name! : decodeURIComponent(request.url!.split('/').at(-1)!);
      stored.set(name, { ...stored.get(name), ...object });
      return json(response, 200, stored.get(name));
    });
  });
  const client = new Client({ servers: [await listen(t, server)] });
  const lost = new EventRecorder({ client, clock: systemClock, log: silentLogger, component: 'test' });
  lost.record(node('a', 1), 'Normal', 'Lost', 'nobody hears this');
  await lost.close();
  t.equal(stored.size, 0);
  broken = false;
  const recorder = new EventRecorder({ client, clock: systemClock, log: silentLogger, component: 'test' });
  for (let i = 0; i < 3; i++) recorder.record(node('a', 1), 'Warning', 'Flaky', 'it flaps');
  recorder.record(node('a', 1), 'Normal', 'Other', 'something else');
  await recorder.close();
  t.same([...stored.values()].map((e) => [e.reason, e.count]).sort(), [
    ['Flaky', 3],
    ['Other', 1],
  ]);
  t.equal([...stored.values()][0]!.involvedObject?.name, 'a');
});

function node(name: string, revision: number, { pool }: { pool?: string } = {}): Stored<Node> {
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Node',
    metadata: { name, uid: name, resourceVersion: String(revision), creationTimestamp: '2026-01-01T00:00:00Z', generation: 1 },
    spec: { datacenter: 'dc1', eligibility: 'eligible', nodePool: pool ?? 'default' },
  };
}

type WatchScript = (send: (type: string, object: Stored<Node>) => void, response: ServerResponse) => void;

/** Answers lists and watches with what was written down for them, in order. */
class Script {
  readonly lists: { revision: number; items: Stored<Node>[] }[] = [];
  readonly watches: WatchScript[] = [];
  readonly resumedAt: (string | null)[] = [];
  url = '';

  static async listen(t: Tap): Promise<Script> {
    const script = new Script();
    const server = createServer((request, response) => {
      const url = new URL(request.url!, 'http://x');
      if (url.searchParams.get('watch') !== 'true') {
        const { revision, items } = script.lists.shift()!;
        return json(response, 200, { kind: 'NodeList', metadata: { resourceVersion: String(revision) }, items });
      }
      script.resumedAt.push(url.searchParams.get('resourceVersion'));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      return script.watches.shift()?.((type, object) => response.write(JSON.stringify({ type, object }) + '\n'), response);
    });
    script.url = await listen(t, server);
    return script;
  }
}

type Tap = { teardown(fn: () => void): void };

async function listen(t: Tap, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function json(response: ServerResponse, code: number, value: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

async function until(claim: () => boolean): Promise<void> {
  while (!claim()) await new Promise((resolve) => setImmediate(resolve));
}
