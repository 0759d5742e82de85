/** Random histories through the API: servers, and the stores below them, are killed under clients that fail over. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ApiError, isReason, silentLogger, systemClock } from '../../base/index.ts';
import { startApiServer } from '../../apiserver/index.ts';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import { openEtcdStore } from '../../apiserver/storage/etcd/index.ts';
import { CompactedError, prefixRange, StoreUnavailableError, type KeyRange, type KeyValue, type Store, type StoreEvent, type WatchBatch, type WatchOptions } from '../../apiserver/storage/store.ts'; // prettier-ignore
import { Client } from '../../client/index.ts';
import { NodePoolKind, type NodePool, type Stored } from '../../openapi/index.ts';
import { startCluster } from './storage/etcd-process.ts';
import { judge } from './storage/faults.ts';
import type { Fault } from './storage/history.ts';
import type { Tested, Where } from './storage/remote.ts';

t.setTimeout(230_000);

if (process.argv[2] === '--serve') await serve(JSON.parse(process.argv[3]!) as Where, Number(process.argv[4]));
else runTests();

async function serve(where: Where, port: number): Promise<void> {
  const options = { log: silentLogger, clock: systemClock };
  const store =
    'path' in where ? await openEmbeddedStore({ ...where, ...options }) : await openEtcdStore({ ...where, ...options });
  await startApiServer({ store, listen: [{ host: '127.0.0.1', port }], ...options });
  process.stdout.write('ready\n');
}

function runTests(): void {
  t.test('one server on an embedded store that is killed', async (t) => {
    const path = mkdtempSync(join(tmpdir(), 'orch-api-'));
    const server = await startServer({ path });
    t.teardown(async () => {
      await server.kill();
      rmSync(path, { recursive: true, maxRetries: 3 });
    });
    await judge(t, 'API on embedded', {
      operations: 1600,
      single: async (from, to) => {
        await server.kill();
        return logOf(await openEmbeddedStore({ path, log: silentLogger, clock: systemClock }), from, to);
      },
      stores: [new ApiStore([server.url])],
      clients: 12,
      watchers: 4,
      faultEvery: 400,
      faults: [killed('kill -9 of the server', server)],
    });
  });

  t.test('two servers on three members of etcd that are killed', async (t) => {
    const cluster = await startCluster(3);
    t.teardown(() => cluster.close());
    const where = { endpoints: cluster.endpoints, prefix: '/orch' };
    const servers = await Promise.all([startServer(where), startServer(where)]);
    t.teardown(() => Promise.all(servers.map((server) => server.kill())));
    const urls = servers.map(({ url }) => url);
    await judge(t, 'API ×2 on etcd ×3', {
      operations: 2400,
      single: async (from, to) => logOf(await openEtcdStore({ ...where, log: silentLogger, clock: systemClock }), from, to),
      stores: [new ApiStore(urls), new ApiStore([...urls].reverse())],
      clients: 16,
      watchers: 4,
      faultEvery: 600,
      faults: [
        ...servers.map((server, i) => killed(`kill -9 of server ${i}`, server)),
        {
          name: 'kill -9 of a member',
          async run(random) {
            const member = cluster.members[Math.floor(random() * 3)]!;
            await member.kill();
            await member.start();
            await cluster.healthy();
          },
        },
      ],
    });
  });
}

const POOLS = prefixRange('/registry/orch.dev/nodepools/');

/** What the store has of our pools from one revision to another. */
async function logOf(store: Store, from: number, to: number): Promise<StoreEvent[]> {
  const log: StoreEvent[] = [];
  const stop = new AbortController();
  await store.txn([], [{ type: 'put', key: `${POOLS.start}last`, value: Buffer.alloc(0) }]); // the watch tells of something beyond
  for await (const { revision, events } of store.watch(POOLS, { startRevision: from + 1, signal: stop.signal })) {
    for (const event of events) {
      const name = (event.type === 'put' ? event.kv.key : event.key).slice(POOLS.start.length);
      if (!name.startsWith('h-')) continue;
      const key = `/${name.replaceAll('-', '/')}`;
      if (event.type === 'delete') log.push({ type: 'delete', key, revision: event.revision });
      else {
        const { spec } = JSON.parse(event.kv.value.toString()) as NodePool;
        log.push({ type: 'put', kv: { key, value: Buffer.from(spec?.description ?? ''), createRevision: 0, modRevision: event.kv.modRevision } }); // prettier-ignore
      }
    }
    if (revision > to) stop.abort();
  }
  await store.close();
  return log;
}

interface Server {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
}

const killed = (name: string, server: Server): Fault => ({
  name,
  async run() {
    await server.kill();
    await server.start();
  },
});

async function startServer(where: Where): Promise<Server> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--serve', JSON.stringify(where), String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])) as [unknown];
    if (!String(line).includes('ready')) throw new Error(`the server ended: ${String(line)}`);
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** Node pools as the items of a store, so that the same histories can be made of them, and judged. */
class ApiStore implements Tested {
  readonly #client: Client;

  constructor(servers: string[]) {
    this.#client = new Client({ servers, timeoutMs: 20_000 });
  }

  async revision(): Promise<number> {
    return (await this.range(prefixRange('/h/'))).revision;
  }

  range = (_: KeyRange): ReturnType<Store['range']> =>
    lost(async () => {
      const { items, metadata } = await this.#client.list(NodePoolKind);
      const ours = items.filter(({ metadata: { name } }) => name.startsWith('h-')).map(toKeyValue);
      // By the order of their names the API gives them; by that of the keys they are compared.
      ours.sort((a, b) => (a.key < b.key ? -1 : 1));
      return { revision: Number(metadata.resourceVersion), items: ours, count: ours.length, more: false };
    });

  txn: Store['txn'] = ([compare], [write]) =>
    lost(async () => {
      const revision = compare!.modRevision;
      const name = write!.key.slice(1).replaceAll('/', '-');
      try {
        if (write!.type === 'delete') {
          await this.#client.delete(NodePoolKind, name, undefined, { preconditions: { resourceVersion: String(revision) } });
          return { succeeded: true, revision: 0 };
        }
        const object = { metadata: { name }, spec: { description: write!.value.toString() } };
        const { metadata } = await (revision === 0
          ? this.#client.create(NodePoolKind, object)
          : this.#client.update(NodePoolKind, { ...object, metadata: { name, resourceVersion: String(revision) } }));
        return { succeeded: true, revision: Number(metadata.resourceVersion) };
      } catch (error) {
        if (!isReason(error, 'Conflict', 'AlreadyExists', 'NotFound')) throw error;
        return { succeeded: false, revision: await this.revision(), current: undefined as never };
      }
    });

  async *watch(_: KeyRange, { startRevision, signal }: WatchOptions = {}): AsyncGenerator<WatchBatch> {
    const after = startRevision === undefined ? await this.revision() : startRevision - 1;
    try {
      for await (const { type, object } of this.#client.watch(NodePoolKind, {
        resourceVersion: String(after),
        ...(signal && { signal }),
      })) {
        const revision = Number(object.metadata.resourceVersion);
        // Of a revision that several share nobody knows how much a watch had seen, so it is sent again.
        if (type !== 'BOOKMARK' && revision <= after) continue;
        if (type === 'BOOKMARK') yield { revision, events: [] };
        else if (object.metadata.name.startsWith('h-')) {
          const kv = toKeyValue(object);
          const event: StoreEvent = type === 'DELETED' ? { type: 'delete', key: kv.key, revision } : { type: 'put', kv };
          yield { revision, events: [event] };
        }
      }
      if (!signal?.aborted) throw new StoreUnavailableError('the watch ended');
    } catch (error) {
      if (isReason(error, 'Expired')) throw new CompactedError(0);
      if (!signal?.aborted) throw error instanceof StoreUnavailableError ? error : unavailable(error);
    }
  }

  requestProgress(): Promise<void> {
    return Promise.resolve();
  }
}

const toKeyValue = ({ metadata, spec }: Stored<NodePool>): KeyValue => ({
  key: `/${metadata.name.replaceAll('-', '/')}`,
  value: Buffer.from(spec?.description ?? ''),
  createRevision: 0,
  modRevision: Number(metadata.resourceVersion),
});

/** Nobody knows what came of a call whose server is gone; one that was not sent is sent again when there is a server. */
async function lost<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { neverSent?: boolean }).neverSent !== true) throw unavailable(error);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function unavailable(error: unknown): unknown {
  if (error instanceof ApiError && !isReason(error, 'ServiceUnavailable', 'Timeout', 'TooManyRequests')) return error;
  return new StoreUnavailableError('the API server is gone', { cause: error });
}
