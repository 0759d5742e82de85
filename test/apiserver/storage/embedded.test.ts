import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ManualClock, silentLogger, systemClock, type Clock } from '../../../base/index.ts';
import { openEmbeddedStore } from '../../../apiserver/storage/embedded/index.ts';
import { Committer } from '../../../apiserver/storage/embedded/committer.ts';
import type { Disk } from '../../../apiserver/storage/embedded/disk.ts';
import { Latency } from '../../../apiserver/storage/latency.ts';
import { Leases } from '../../../apiserver/storage/embedded/leases.ts';
import { CompactedError, prefixRange, type Store, type StoreEvent } from '../../../apiserver/storage/store.ts';
import { absent, brief, put, read, revisionOf, storeContract, watching } from './contract.ts';
import { EFFORT } from './effort.ts';

if (process.argv[2] === '--writer') await writeUntilKilled(process.argv[3]!);
else runTests();

function runTests(): void {
  storeContract('embedded store', async () => {
    const path = folder();
    const clock = new ManualClock();
    const store = await openEmbeddedStore({ path, log: silentLogger, clock });
    return {
      store,
      passTime: async (ms) => clock.advance(ms),
      close: async () => {
        await store.close();
        rmSync(path, { recursive: true });
      },
    };
  });

  t.test('embedded store: what was written is there after closing', async (t) => {
    const path = opened(t);
    const first = await path.open();
    const start = (await first.txn([], [put('a', '1'), put('b', '1')])).revision;
    await first.txn([], [put('a', '2')]);
    const { revision } = await first.txn([], [put('a', '3')]);
    await first.compact(start + 1);
    await first.close();

    const second = await path.open();
    t.equal(await second.revision(), revision);
    t.equal(await second.compactedRevision(), start + 1);
    t.strictSame(await read(second, { start: 'a', end: 'z' }), { a: '3', b: '1' });
    t.strictSame(await read(second, { start: 'a', end: 'z' }, start + 1), { a: '2', b: '1' });
    await t.rejects(read(second, { start: 'a' }, start), CompactedError);
    const watch = watching(t, second, { start: 'a', end: 'z' }, { startRevision: start + 1 });
    t.strictSame((await watch.take(2)).map(brief), [`put a=2 @${start + 1}`, `put a=3 @${revision} was 2`]);
    t.equal((await second.txn([], [put('c', '')])).revision, revision + 1);
  });

  t.test('embedded store: leases start their time anew when the store is opened', async (t) => {
    const path = opened(t);
    const first = await path.open();
    const lease = await first.grantLease(10);
    await first.txn([], [put('l/a', '1', lease), put('l/b', '1', lease), put('l/c', '1', lease)]);
    await first.txn([], [put('l/b', '2')]);
    path.clock.advance(9000);
    await first.close();

    const second = await path.open();
    const watch = watching(t, second, prefixRange('l/'));
    path.clock.advance(9000);
    t.equal(Object.keys(await read(second, prefixRange('l/'))).length, 3, 'the nine seconds before do not count');
    path.clock.advance(1000);
    t.strictSame((await watch.take(2)).map(({ type }) => type), ['delete', 'delete']); // prettier-ignore
    t.strictSame(await read(second, prefixRange('l/')), { 'l/b': '2' });
    await second.close();
    t.strictSame(await read(await path.open(), prefixRange('l/')), { 'l/b': '2' });
  });

  t.test('embedded store: a pause of the process gives leases a last call', (t) => {
    // All timers are due at once after a pause; here they fire by hand.
    const timers: (() => void)[] = [];
    const clock: Clock = {
      now: () => 0,
      after: (_, fn) => (timers.push(fn), { cancel: () => void timers.splice(timers.indexOf(fn), 1) }),
    };
    const expired: string[] = [];
    const leases = new Leases(clock, (lease) => expired.push(lease));
    leases.add('a', 10_000);
    leases.keepAlive('a');
    timers.shift()!();
    t.strictSame(expired, [], 'the first timer is a warning');
    leases.keepAlive('a');
    t.equal(timers.length, 1);
    timers.shift()!();
    timers.shift()!();
    t.strictSame(expired, ['a']);
    t.end();
  });

  t.test('embedded store: writes that wait share a commit, and fail together', async (t) => {
    const commits: number[] = [];
    const failures: Error[] = [];
    let release = (): void => undefined;
    const disk = {
      assertRoom: () => undefined,
      async commit(changes: readonly unknown[]) {
        commits.push(changes.length);
        await new Promise<void>((resolve) => (release = resolve));
        for (const failure of failures) throw failure;
      },
    } as unknown as Disk;
    const failed: string[] = [];
    const committer = new Committer(disk, silentLogger, new Latency(systemClock), () => undefined, ({ cause }) => failed.push(String(cause))); // prettier-ignore
    const add = (): Promise<void> => committer.add({ changes: [{ key: Buffer.from('k') }] });
    const first = add();
    while (commits.length < 1) await new Promise(setImmediate);
    const others = [add(), add(), add()];
    release();
    await first;
    while (commits.length < 2) await new Promise(setImmediate);
    t.strictSame(commits, [1, 3]);
    const late = add();
    failures.push(new Error('disk on fire'));
    release();
    const results = await Promise.allSettled([...others, late]);
    t.ok(results.every(({ status }) => status === 'rejected'), 'also what was decided meanwhile'); // prettier-ignore
    t.strictSame(failed, ['Error: disk on fire']);
  });

  t.test('embedded store: one process at a time', async (t) => {
    const path = opened(t);
    const first = await path.open();
    const error = await path.open().catch((error: unknown) => error);
    t.match(error, { message: /cannot open the store/, cause: { message: `it is in use by process ${process.pid}` } });
    await first.close();
    await (await path.open()).close();
  });

  t.test('embedded store: a file that is not its own, or is cut off, is an error', async (t) => {
    const path = folder();
    t.teardown(() => rmSync(path, { recursive: true }));
    const open = (): Promise<Store> => openEmbeddedStore({ path, log: silentLogger, clock: systemClock });
    const store = await open();
    await Promise.all(Array.from({ length: 200 }, (_, i) => store.txn([], [put(`k/${i}`, 'x'.repeat(2000))])));
    await store.close();
    const file = join(path, 'data.mdb');
    const whole = readFileSync(file);
    for (const [what, bytes, message] of [
      ['another file', Buffer.alloc(100_000, 'hello '), /is not a store of orch, or it is damaged/],
      ['a damaged head', Buffer.concat([Buffer.alloc(4096), whole.subarray(4096)]), /is not a store of orch, or it is damaged/],
      ['half of it', whole.subarray(0, whole.length / 2 - 4096), /is cut off: it has \d+ bytes of \d+/],
      ['its first pages', whole.subarray(0, 8192), /is cut off/],
    ] as const) {
      writeFileSync(file, bytes);
      const error = await open().catch((error: unknown) => error);
      t.match(error, { message: /cannot open the store/, cause: { message } }, what);
    }
    writeFileSync(file, whole);
    const again = await open();
    t.equal((await again.range(prefixRange('k/'))).count, 200, 'and nothing was done to the file');
    await again.close();
  });

  t.test('embedded store: a slow reader gets everything from the log', async (t) => {
    const store = await opened(t).open();
    const { revision } = await store.txn([], [put('s/0', 'x'.repeat(1000))]);
    const reader = store.watch(prefixRange('s/'), { startRevision: revision })[Symbol.asyncIterator]();
    t.equal((await reader.next()).value?.events.length, 1);
    const transactions = 150;
    const each = 100; // more events than the ring holds
    const value = 'x'.repeat(100);
    await Promise.all(
      Array.from({ length: transactions }, (_, i) =>
        store.txn(
          [],
          Array.from({ length: each }, (_, k) => put(`s/${i}/${k}`, value)),
        ),
      ),
    );
    const events: StoreEvent[] = [];
    let largest = 0;
    while (events.length < transactions * each) {
      const { value: batch } = await reader.next();
      largest = Math.max(largest, batch!.events.length);
      events.push(...batch!.events);
    }
    t.ok(largest <= 1024, 'in steps');
    t.ok(events.every((event, i) => i === 0 || revisionOf(event) - revisionOf(events[i - 1]!) <= 1), 'in order, without a gap'); // prettier-ignore
    t.equal(new Set(events.map((event) => event.type === 'put' && event.kv.key)).size, transactions * each);
    await reader.return?.();
  });

  t.test('embedded store: kill -9 loses nothing that was acknowledged', async (t) => {
    const path = folder();
    t.teardown(() => rmSync(path, { recursive: true }));
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    t.comment(`seed ${seed}`);
    for (let round = 0; round < 2 * EFFORT; round++) {
      const acknowledged = await writeAndKill(path, 50 + ((seed * 31 + round * 97) % 400));
      const store = await openEmbeddedStore({ path, log: silentLogger, clock: systemClock });
      const problems = await examine(store, acknowledged);
      t.strictSame(problems, [], `round ${round}, ${acknowledged.size} writes acknowledged`);
      await store.close();
    }
  });
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'orch-store-'));
}

/** A folder that a test opens stores in; all are closed with it. */
function opened(t: { teardown(fn: () => unknown): void }) {
  const path = folder();
  const clock = new ManualClock();
  const stores: Store[] = [];
  t.teardown(async () => {
    for (const store of stores) await store.close();
    rmSync(path, { recursive: true });
  });
  return {
    clock,
    open: async () => {
      const store = await openEmbeddedStore({ path, log: silentLogger, clock });
      stores.push(store);
      return store;
    },
  };
}

/** The child: eight writers, each with a chain of writes of which one follows the other, telling what was acknowledged. */
async function writeUntilKilled(path: string): Promise<void> {
  const store = await openEmbeddedStore({ path, log: silentLogger, clock: systemClock });
  const base = (await store.range(prefixRange('w/'), { limit: 1 })).count;
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const name = `${String(base).padStart(6, '0')}-${writer}-${String(i).padStart(6, '0')}`;
      const [head] = (await store.range({ start: `head/${writer}` })).items;
      const guard = head === undefined ? absent(`head/${writer}`) : { key: head.key, modRevision: head.modRevision };
      const result = await store.txn([guard], [put(`w/${name}`, name), put(`head/${writer}`, name)]);
      if (!result.succeeded) throw new Error('only this writer writes its head');
      process.stdout.write(`${name} ${result.revision}\n`);
      if (writer === 0 && i % 20 === 19) await store.compact(result.revision - 10);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
}

/** The names and revisions that were acknowledged before the kill. */
async function writeAndKill(path: string, after: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--writer', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged = new Map<string, number>();
  const exit = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const [name, revision] = line.split(' ') as [string, string];
    acknowledged.set(name, Number(revision));
    if (acknowledged.size === after) child.kill('SIGKILL');
  }
  const [, signal] = (await exit) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${signal}`);
  return acknowledged;
}

async function examine(store: Store, acknowledged: ReadonlyMap<string, number>): Promise<string[]> {
  const problems: string[] = [];
  const { items, revision } = await store.range(prefixRange('w/'));
  const found = new Map(items.map((item) => [item.value.toString(), item]));
  for (const [name, at] of acknowledged) {
    if (found.get(name)?.modRevision !== at) problems.push(`${name} of revision ${at} is lost`);
  }
  // Of each writer the writes are a chain without a gap, and its head is the last.
  for (const { key, value } of (await store.range(prefixRange('head/'))).items) {
    const [base, writer, last] = value.toString().split('-') as [string, string, string];
    if (key !== `head/${writer}`) problems.push(`${key} holds ${value.toString()}`);
    for (let i = 0; i <= Number(last); i++) {
      const name = `${base}-${writer}-${String(i).padStart(6, '0')}`;
      if (!found.has(name)) problems.push(`${name} is missing before ${value.toString()}`);
    }
    if (found.has(`${base}-${writer}-${String(Number(last) + 1).padStart(6, '0')}`)) problems.push(`${key} is behind`);
  }
  // The log tells the same story: it leads from the oldest readable state to the newest.
  const from = Math.max(1, await store.compactedRevision());
  const state = new Map(
    (await store.range(prefixRange('w/'), { revision: from })).items.map(({ key, modRevision }) => [key, modRevision]),
  );
  let seen = from;
  const watch = store.watch({ start: 'a', end: 'z' }, { startRevision: from + 1 })[Symbol.asyncIterator]();
  while (seen < revision) {
    const { value } = await watch.next();
    for (const event of value!.events) {
      if (revisionOf(event) - seen > 1) problems.push(`the log leaps from ${seen} to ${revisionOf(event)}`);
      seen = revisionOf(event);
      if (event.type === 'put' && event.kv.key.startsWith('w/')) state.set(event.kv.key, event.kv.modRevision);
    }
  }
  await watch.return?.();
  if (state.size !== found.size) problems.push(`the log leads to ${state.size} writes, the state has ${found.size}`);
  return problems;
}
