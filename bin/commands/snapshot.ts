/** Backups: of a running cluster through its API, or straight from a store; and back into a new store. */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { silentLogger, describeError } from '../../base/index.ts';
import type { SnapshotSummary } from '../../apiserver/storage/snapshot/format.ts';
import { CommandError, defineClusterCommand, defineCommand, flag, oneArgument, say, table, pairs, type Context } from '../../ctl/index.ts'; // prettier-ignore
import { openLog } from '../log.ts';
import { etcdFlags, etcdFromFlags, openStore, placeOf, type EtcdOptions } from '../store.ts';

/** What a restored store is ahead of its snapshot: more than were written since, whatever that was (a week at 1,500 a second). */
const AHEAD = 1_000_000_000;

const storeFlags = {
  dataDir: flag.string('<path>', 'The embedded store in this data_dir of a server. No server may run on it.'),
  ...etcdFlags,
} as const;

export const snapshotSave = defineClusterCommand({
  name: 'snapshot save',
  aliases: ['operator snapshot save'],
  summary: 'Save the state of the cluster to a file',
  usage: '[options] [<file>]',
  description:
    'Asks a running API server for all objects as they are now; nothing has to be stopped. With -data-dir or -etcd-endpoints the store is ' +
    'read itself, for when no API server runs. The file is complete and checked when the command ends, or there is none. It holds ' +
    'everything in clear text, secrets of jobs too: keep it as you keep the store.',
  examples: [
    { text: 'A backup of the cluster at ORCH_ADDR', command: 'snapshot save backup.snap' },
    { text: 'Of a server that is stopped', command: 'snapshot save -data-dir=/var/lib/orch backup.snap' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one argument: <file>' },
  flags: storeFlags,
  next: ({ args: [path] }) =>
    path === undefined ? undefined : { text: 'See what is in it', command: `snapshot inspect ${path}` },
  async run({ args, flags }, context) {
    const { readSnapshot } = await import('../../apiserver/storage/snapshot/format.ts');
    const where = placeOf(flags, context.io.cwd);
    const now = new Date(context.clock.now()).toISOString().replace(/[:.]/g, '-');
    const file = resolve(context.io.cwd, args[0] ?? `backup-${now}.snap`);
    const part = `${file}.part`;
    let done = async (): Promise<void> => undefined;
    try {
      let source: Readable;
      if (where === undefined) source = await context.client.stream('GET', '/snapshot');
      else {
        const { saveSnapshot } = await import('../../apiserver/storage/snapshot/save.ts');
        const store = await openStore(where, { clock: context.clock, log: logOf(context), mustExist: true });
        done = () => store.close();
        source = await saveSnapshot(store, context.clock);
      }
      await pipeline(source, createWriteStream(part, { mode: 0o600 }));
      const summary = await readSnapshot(createReadStream(part)); // what was written, and not what should have been
      await sync(part);
      await rename(part, file);
      await sync(dirname(file));
      say(context, `Saved ${summary.items} objects of revision ${summary.header.revision} to ${args[0] ?? file}`);
    } catch (error) {
      await rm(part, { force: true });
      throw named(`cannot save a snapshot to ${file}`, error);
    } finally {
      await done();
    }
  },
});

export const snapshotInspect = defineCommand({
  name: 'snapshot inspect',
  aliases: ['operator snapshot inspect'],
  summary: 'Show what a snapshot holds, and whether it is whole',
  usage: '[options] <file>',
  args: oneArgument('<file>'),
  flags: { json: flag.boolean('As JSON.') },
  async run({ args, flags }, context) {
    const file = resolve(context.io.cwd, args[0]!);
    const summary = await inspect(file);
    if (flags.json) return say(context, JSON.stringify(summary, undefined, 2));
    const { size } = await stat(file);
    const { header, items, sha256, kinds } = summary;
    const rows: [string, string | number][] = [
      ['ID', sha256.slice(0, 16)],
      ['Size', size],
      ['Index', header.revision],
      ['Created', header.created],
      ['Store', header.store],
      ['Version', header.version],
    ];
    const bytes = Object.values(kinds).reduce((sum, kind) => sum + kind.bytes, 0);
    const list = Object.entries(kinds).map(([kind, of]) => [kind, of.count, of.bytes]);
    say(context, `${pairs(rows)}\n\n${table([['Kind', 'Count', 'Bytes'], ...list, ['Total', items, bytes]])}`);
  },
});

export const snapshotRestore = defineCommand({
  name: 'snapshot restore',
  aliases: ['operator snapshot restore'],
  summary: 'Make a new store of a snapshot',
  usage: '[options] <file>',
  description:
    'Puts everything into a new embedded store (-data-dir) or below a prefix of etcd (-etcd-endpoints), as a whole or not at all. What exists ' +
    'is never overwritten. Start servers on it afterwards: their resource versions begin beyond all of the old store, so clients that ' +
    'outlived it list again.',
  examples: [
    { text: 'Into a new data_dir', command: 'snapshot restore -data-dir=/var/lib/orch-new backup.snap' },
    { text: 'Into etcd', command: 'snapshot restore -etcd-endpoints=http://127.0.0.1:2379 backup.snap' },
  ],
  args: oneArgument('<file>'),
  flags: storeFlags,
  async run({ args, flags }, context) {
    const { readSnapshot } = await import('../../apiserver/storage/snapshot/format.ts');
    const { loadStore } = await import('../../apiserver/storage/snapshot/load.ts');
    const where = placeOf(flags, context.io.cwd);
    if (where === undefined) throw new CommandError('say where to: -data-dir or -etcd-endpoints');
    const file = resolve(context.io.cwd, args[0]!);
    const { header } = await inspect(file); // a damaged one is found before anything is written
    try {
      const place = await opened(where, context);
      const { items, revision } = await loadStore(place, header.revision + AHEAD, async (take) => {
        await readSnapshot(createReadStream(file), (item) => take(item));
      });
      say(context, `Restored ${items} objects of revision ${header.revision} to ${nameOf(where)}; it goes on at revision ${revision}`); // prettier-ignore
    } catch (error) {
      throw named(`cannot restore ${args[0]!}`, error);
    }
  },
});

export const storeMigrate = defineCommand({
  name: 'store migrate',
  summary: 'Move the state of a server from the embedded store to etcd, or back',
  usage: '[options]',
  description:
    'Copies everything and then sets the old store aside: servers refuse to start on it. Stop all servers first; then start them on the new ' +
    'store. No resource version goes back. Nodes and their tasks need not be stopped.',
  examples: [
    { text: 'From a data_dir to etcd', command: 'store migrate -data-dir=/var/lib/orch -etcd-endpoints=http://127.0.0.1:2379' },
    { text: 'And back', command: 'store migrate -to=embedded -data-dir=/var/lib/orch2 -etcd-endpoints=http://127.0.0.1:2379' },
  ],
  args: { min: 0, max: 0, rule: 'This command takes no arguments' },
  flags: {
    ...storeFlags,
    to: flag.string('<store>', 'etcd (default) or embedded.'),
    force: flag.boolean('Also when servers seem to run on etcd still.'),
  },
  async run({ flags }, context) {
    const { dataDir, to = 'etcd' } = flags;
    const etcd = etcdFromFlags(flags, context.io.cwd);
    if (dataDir === undefined || etcd === undefined) throw new CommandError('say both -data-dir and -etcd-endpoints');
    if (to !== 'etcd' && to !== 'embedded') throw new CommandError(`-to takes etcd or embedded, not "${to}"`);
    const path = join(resolve(context.io.cwd, dataDir), 'server', 'store');
    const [source, target] = to === 'etcd' ? [{ path }, { etcd }] : [{ etcd }, { path }];
    try {
      const { items, revision } = await migrate(source, target, flags.force, context);
      say(context, `Moved ${items} objects from ${nameOf(source)} to ${nameOf(target)}; it goes on at revision ${revision}`);
    } catch (error) {
      throw named('cannot move the store', error);
    }
  },
});

type Where = { readonly etcd: EtcdOptions } | { readonly path: string };

async function migrate(source: Where, target: Where, force: boolean, context: Context) {
  const { loadStore } = await import('../../apiserver/storage/snapshot/load.ts');
  const { itemsAt } = await import('../../apiserver/storage/snapshot/save.ts');
  const { setAside } = await import('../../apiserver/storage/snapshot/set-aside.ts');
  const store = await openStore(source, { clock: context.clock, log: logOf(context), mustExist: true });
  let loaded;
  try {
    if (!force) await assertNoServers(store);
    const revision = await store.revision();
    loaded = await loadStore(await opened(target, context), revision + 1, async (take) => {
      for await (const item of itemsAt(store, revision)) await take(item);
    });
  } finally {
    await store.close();
  }
  await setAside(await opened(source, context), nameOf(target));
  return loaded;
}

/** The embedded store is locked by its server; of those on etcd only their leases tell. */
async function assertNoServers(store: Awaited<ReturnType<typeof openStore>>): Promise<void> {
  const { prefixRange } = await import('../../apiserver/storage/store.ts');
  const { items } = await store.range(prefixRange('/registry/coordination.k8s.io/leases/orch-system/'));
  const servers = items.map(({ key }) => key.split('/').at(-1)!).filter((name) => name.startsWith('server-'));
  if (store.description.startsWith('etcd') && servers.length > 0)
    throw new Error(`servers run on it still, or ran a moment ago: ${servers.join(', ')}. Stop them, or say -force`);
}

async function inspect(file: string): Promise<SnapshotSummary> {
  const { readSnapshot } = await import('../../apiserver/storage/snapshot/format.ts');
  try {
    return await readSnapshot(createReadStream(file));
  } catch (error) {
    throw named(`cannot read ${file}`, error);
  }
}

async function opened(where: Where, context: Context) {
  const tools = { clock: context.clock, log: logOf(context) };
  if ('path' in where) return { ...where, ...tools };
  const { readEtcdFiles } = await import('../store.ts');
  return { ...(await readEtcdFiles(where.etcd)), ...tools };
}

const nameOf = (where: Where): string =>
  'path' in where ? where.path : `etcd at ${where.etcd.endpoints.join(', ')}, prefix ${where.etcd.prefix}`;

const logOf = (context: Context) =>
  context.env['ORCH_LOG'] === undefined ? silentLogger : openLog({ logLevel: 'debug', logJson: false, logFile: undefined }, context.io, context.clock); // prettier-ignore

const named = (what: string, error: unknown): CommandError =>
  error instanceof CommandError ? error : new CommandError(`Error: ${what}: ${describeError(error)}`, 1, { cause: error });

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}
