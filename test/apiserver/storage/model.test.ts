/** Random histories of the embedded store, in a process that is killed; and of the judge himself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ManualClock, silentLogger } from '../../../base/index.ts';
import { openEmbeddedStore } from '../../../apiserver/storage/embedded/index.ts';
import type { StoreEvent } from '../../../apiserver/storage/store.ts';
import { check, type History, type Operation } from './check.ts';
import { judge } from './faults.ts';
import { work } from './history.ts';
import { RemoteStore, serveStore, type Where } from './remote.ts';

t.setTimeout(200_000);

if (process.argv[2] === '--store') await serveStore(JSON.parse(process.argv[3]!) as Where);
else runTests();

function runTests(): void {
  t.test('embedded store: a history under kill -9', async (t) => {
    const path = folder(t);
    const store = new RemoteStore(fileURLToPath(import.meta.url), { path });
    await store.start();
    t.teardown(() => store.kill());
    await judge(t, 'embedded', {
      stores: [store],
      clients: 16,
      watchers: 4,
      faultEvery: 700,
      faults: [
        {
          name: 'kill -9',
          async run() {
            await store.kill();
            await store.start();
          },
        },
        {
          name: 'kill -9 while it starts',
          async run(random) {
            await store.kill();
            const starting = store.start().catch(() => undefined);
            await new Promise((resolve) => setTimeout(resolve, random() * 200));
            await store.kill();
            await starting;
            await store.start();
          },
        },
      ],
    });
  });

  t.test('the judge finds what is wrong', async (t) => {
    const store = await openEmbeddedStore({ path: folder(t), log: silentLogger, clock: new ManualClock() });
    t.teardown(() => store.close());
    const { history } = await work({ seed: 1, operations: 400, stores: [store], clients: 8, watchers: 2, faults: [], faultEvery: 1000 }); // prettier-ignore
    t.strictSame(check(history), []);
    const { log, operations, watches } = history;
    const middle = Math.floor(log.length / 2);
    const answered = (type: string): number => operations.findLastIndex(({ answer }) => answer?.type === type);
    const change = (at: number, how: (operation: Operation) => Operation): History => ({
      ...history,
      operations: operations.map((one, i) => (i === at ? how(one) : one)),
    });
    const changedWatch = (how: (events: readonly StoreEvent[]) => readonly StoreEvent[]): History => {
      const at = watches.findIndex(({ batches }) => batches.some(({ events }) => events.length > 0));
      return {
        ...history,
        watches: watches.map((watch, i) => (i !== at ? watch : { ...watch, batches: watch.batches.map((batch) => ({ ...batch, events: how(batch.events) })) })), // prettier-ignore
      };
    };
    const wrong: [string, History, RegExp][] = [
      ['an event is missing from the log', { ...history, log: log.filter((_, i) => i !== middle) }, /./],
      ['an event is in the log twice', { ...history, log: [...log.slice(0, middle), log[middle]!, ...log.slice(middle)] }, /./],
      ['a write was told another revision', change(answered('written'), (one) => ({ ...one, answer: { type: 'written', revision: one.floor + 999 } })), /was told|nobody did/], // prettier-ignore
      ['a refused write was done', change(answered('written'), (one) => ({ ...one, answer: { type: 'refused', revision: one.floor, found: [] } })), /was refused/], // prettier-ignore
      ['an answer from the past', change(answered('revision'), (one) => ({ ...one, answer: { type: 'revision', revision: one.floor - 1 } })), /known already/], // prettier-ignore
      ['a read that misses an item', change(operations.findLastIndex(({ answer }) => answer?.type === 'items' && answer.items.length > 0), (one) => ({ ...one, answer: { ...(one.answer as never as { items: string[] }), items: (one.answer as never as { items: string[] }).items.slice(1) } as never })), /read at/], // prettier-ignore
      ['a watch that misses an event', changedWatch((events) => events.slice(1)), /watch/],
      ['a watch that repeats an event', changedWatch((events) => [...events, ...events]), /watch/],
      [
        'an end that is not that of the log',
        { ...history, end: { ...history.end, items: history.end.items.slice(1) } },
        /the end/,
      ],
    ];
    for (const [title, bad, expected] of wrong) t.match(check(bad).join('\n'), expected, title);
  });
}

function folder(t: { teardown(fn: () => unknown): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'orch-model-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}
