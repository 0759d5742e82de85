import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { ManualClock, silentLogger, systemClock } from '../../base/index.ts';
import {
  KeptLogs,
  LogDir,
  LogError,
  readLog,
  Rotator,
  SegmentWriter,
  surplusLogs,
  type ReadLogOptions,
} from '../../kubelet-like-agent/logs/index.ts';

const MB = 1024 * 1024;

async function openFolder(t: Test) {
  const dir = await mkdtemp(join(tmpdir(), 'orch-logs-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const read = async (more: Partial<ReadLogOptions> = {}): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of readLog({ dir, task: 'web', type: 'stdout', ...more })) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const write = (index: number, text: string): Promise<void> => writeFile(join(dir, `web.stdout.${index}`), text);
  const rotator = (more: Partial<ConstructorParameters<typeof Rotator>[0]> = {}): Rotator =>
    new Rotator({
      dir,
      task: 'web',
      type: 'stdout',
      maxFiles: 10,
      maxBytes: 1000,
      clock: systemClock,
      log: silentLogger,
      ...more,
    });
  return { dir, read, write, rotator, files: async () => (await readdir(dir)).sort() };
}

/** Lines that tell when one is missing or doubled. */
const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');

t.test('logs of allocations that are gone are kept by age, and by size per job', async (t) => {
  const kept = (id: string, keptAt: number, bytes: number, job = 'default/web') => ({ id, job, tasks: ['t'], keptAt, bytes });
  const limits = { maxAge: 1000, bytesPerJob: 100 };
  t.same(surplusLogs([kept('a', 0, 10), kept('b', 500, 60), kept('c', 600, 60), kept('d', 600, 90, 'default/api')], 1000, limits), ['b', 'a']); // prettier-ignore

  const { dir } = await openFolder(t);
  const clock = new ManualClock();
  const open = () => new KeptLogs({ dir: join(dir, 'kept'), limits, clock, log: silentLogger });
  const logs = open();
  await logs.load();
  for (const id of ['one', 'two']) {
    await mkdir(join(dir, id));
    await writeFile(join(dir, id, 't.stdout.0'), 'x'.repeat(40));
    await logs.keep(id, { job: 'default/web', tasks: ['t'], folder: join(dir, id) });
    clock.advance(400);
  }
  t.match(logs.find('one'), { tasks: ['t'] });
  logs.close();
  await mkdir(join(dir, 'kept/half'));
  const again = open();
  await again.load();
  t.same((await readdir(join(dir, 'kept'))).sort(), ['one', 'two'], 'what was half made when an agent died goes');
  t.equal(await readFile(join(again.find('one')!.folder, 't.stdout.0'), 'utf8'), 'x'.repeat(40));
  clock.advance(200);
  t.equal(again.find('one'), undefined, 'its time is over');
  await again.retain(() => false);
  t.same(await readdir(join(dir, 'kept')).then((names) => names.filter((name) => name === 'two')), []);
  again.close();
});

t.test('kept logs have a limit in all, and make room on a full disk, the oldest first', async (t) => {
  const each = Array.from({ length: 12 }, (_, i) => ({ id: `${i}`, job: `default/${i}`, tasks: ['t'], keptAt: i, bytes: 100 }));
  t.same(surplusLogs(each, 20, { maxAge: 1000, bytesPerJob: 100 }).sort(), ['0', '1']);

  const { dir } = await openFolder(t);
  const clock = new ManualClock();
  const logs = new KeptLogs({ dir: join(dir, 'kept'), limits: { maxAge: 1000, bytesPerJob: 100 }, clock, log: silentLogger });
  t.teardown(() => logs.close());
  for (const id of ['a', 'b', 'c']) {
    await mkdir(join(dir, id));
    await writeFile(join(dir, id, 't.stdout.0'), 'x');
    await logs.keep(id, { job: `default/${id}`, tasks: ['t'], folder: join(dir, id) });
    clock.advance(1);
  }
  t.equal(await logs.shed(), true);
  t.same(await readdir(join(dir, 'kept')), ['c']);
  t.equal(await logs.shed(), true);
  t.equal(await logs.shed(), false, 'nothing is left');
});

t.test('an agent that is killed while it keeps logs loses none', async (t) => {
  const { dir } = await openFolder(t);
  const limits = { maxAge: 1000, bytesPerJob: 100 };
  const logs = new KeptLogs({ dir, limits, clock: new ManualClock(), log: silentLogger });
  t.teardown(() => logs.close());
  const entry = { id: 'described', job: 'default/web', tasks: ['t'], keptAt: 0, bytes: 1 };
  for (const id of ['described', 'moved/logs']) await mkdir(join(dir, id), { recursive: true });
  await writeFile(join(dir, 'described/kept.json'), JSON.stringify(entry));
  for (const type of ['stdout', 'stderr']) await writeFile(join(dir, `moved/logs/t.${type}.0`), 'x');
  await logs.load();
  t.same(await readdir(dir), ['moved'], 'only what has no logs goes');
  t.same(logs.find('moved'), { folder: join(dir, 'moved/logs'), tasks: ['t'] });
});

t.test('reading', async (t) => {
  const { read, write, dir } = await openFolder(t);
  t.equal(await read(), '', 'nothing yet');
  await write(0, 'a\nb\n');
  await write(1, 'c\nd\n');
  await write(2, 'e\nf');
  await writeFile(join(dir, 'web.stderr.0'), 'error');
  await writeFile(join(dir, 'webs.stdout.0'), 'another task');
  const cases: [string, Partial<ReadLogOptions>, string][] = [
    ['all', {}, 'a\nb\nc\nd\ne\nf'],
    ['from an offset', { offset: 3 }, '\nc\nd\ne\nf'],
    ['from an offset in a later file', { offset: 6 }, 'd\ne\nf'],
    ['from the end', { origin: 'end' }, ''],
    ['back from the end', { origin: 'end', offset: 5 }, 'd\ne\nf'],
    ['back from the end, further than there is', { origin: 'end', offset: 500 }, 'a\nb\nc\nd\ne\nf'],
    ['beyond the end', { offset: 500 }, ''],
    ['the last line', { tailLines: 1 }, 'f'],
    ['the last lines across files', { tailLines: 4 }, 'c\nd\ne\nf'],
    ['more lines than there are', { tailLines: 40 }, 'a\nb\nc\nd\ne\nf'],
    ['no lines', { tailLines: 0 }, ''],
    ['stderr', { type: 'stderr' }, 'error'],
  ];
  for (const [name, options, expected] of cases) t.equal(await read(options), expected, name);
  await write(2, 'e\nf\n');
  t.equal(await read({ tailLines: 1 }), 'f\n', 'a line that is ended counts once');
});

t.test('containment', async (t) => {
  const { dir, read } = await openFolder(t);
  await symlink('/etc/passwd', join(dir, 'web.stdout.0'));
  await t.rejects(read(), LogError, 'a link to a file');
  await rm(join(dir, 'web.stdout.0'));
  execFileSync('mkfifo', [join(dir, 'web.stdout.0')]);
  await t.rejects(read(), LogError, 'a FIFO');
  await rm(join(dir, 'web.stdout.0'));
  await mkdir(join(dir, 'web.stdout.0'));
  await t.rejects(read(), LogError, 'a folder');
  await symlink('/etc', join(dir, 'logs'));
  await t.rejects(read({ dir: join(dir, 'logs') }), LogError, 'a link to a folder');
  await t.rejects(read({ dir: join(dir, 'gone') }), /does not exist/);
  for (const task of ['../web', 'a/b', '']) await t.rejects(read({ task }), LogError, `task "${task}"`);
  const folder = await LogDir.open(dir);
  await mkdir(join(dir, '..', 'decoy'), { recursive: true });
  t.teardown(() => rm(join(dir, '..', 'decoy'), { recursive: true, force: true }));
  await rename(dir, `${dir}.moved`);
  await symlink(join(dir, '..', 'decoy'), dir);
  const file = await folder.open('x', 0o101);
  await file!.writeFile('still in the folder that was opened');
  await file!.close();
  await folder.close();
  t.ok((await readdir(`${dir}.moved`)).includes('x'));
  t.same(await readdir(join(dir, '..', 'decoy')), []);
  await rm(dir);
  await rename(`${dir}.moved`, dir);
});

t.test('following', async (t) => {
  const { dir, read } = await openFolder(t);
  const file = await open(join(dir, 'web.stdout.0'), 'a');
  let finish!: () => void;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const seen: string[] = [];
  let got: (() => void) | undefined;
  const until = (text: string): Promise<void> =>
    new Promise((resolve) => ((got = () => seen.join('').includes(text) && resolve()), got()));
  const reading = (async () => {
    for await (const chunk of readLog({ dir, task: 'web', type: 'stdout', follow: true, done })) {
      seen.push(chunk.toString());
      got?.();
    }
  })();
  await file.write('one\n');
  await until('one');
  await file.write('two\n');
  await until('two');
  await file.write('three\n');
  finish();
  await reading;
  t.equal(seen.join(''), 'one\ntwo\nthree\n', 'the last bytes before the end are not lost');
  const abort = new AbortController();
  const aborted = read({ follow: true, origin: 'end', signal: abort.signal });
  abort.abort();
  t.equal(await aborted, '');
  t.equal(await read({ follow: true, done: Promise.resolve() }), 'one\ntwo\nthree\n', 'an ended task is read to its end');
  await file.close();
});

t.test('rotation of a file that its task writes to', async (t) => {
  t.test('readers see every byte once', async (t) => {
    const { dir, read, rotator, files } = await openFolder(t);
    const file = await open(join(dir, 'web.stdout.0'), 'a');
    let finish!: () => void;
    const done = new Promise<void>((resolve) => (finish = resolve));
    const follower = read({ follow: true, done });
    const rotating = rotator();
    let text = '';
    for (let i = 0; i < 400; i++) {
      text += `line ${i}\n`;
      await file.write(`line ${i}\n`);
      if (i % 40 === 39) await rotating.check();
    }
    await rotating.close();
    finish();
    t.equal(await follower, text, 'who follows');
    t.equal(await read(), text, 'who comes later');
    t.ok((await files()).length >= 4, 'in several files');
    t.notOk(
      (await files()).some((name) => name.startsWith('.')),
      'and nothing else',
    );
    await file.close();
  });

  t.test('a follower that falls behind more than a file', async (t) => {
    const { dir, rotator } = await openFolder(t);
    const file = await open(join(dir, 'web.stdout.0'), 'a');
    await file.write(lines(0, 100));
    const following = readLog({ dir, task: 'web', type: 'stdout', follow: true, done: Promise.resolve() });
    const first = await following.next();
    const rotating = rotator({ maxBytes: 300 });
    await rotating.check();
    await file.write(lines(100, 200));
    await rotating.check();
    await rotating.close();
    let text = (first.value as Buffer).toString();
    for await (const chunk of following) text += chunk.toString();
    t.equal(text, lines(0, 200));
    await file.close();
  });

  t.test('only so many files are kept', async (t) => {
    const { dir, read, rotator, files } = await openFolder(t);
    const file = await open(join(dir, 'web.stdout.0'), 'a');
    const rotating = rotator({ maxFiles: 3, maxBytes: 100 });
    for (let i = 0; i < 20; i++) {
      await file.write(lines(i * 20, i * 20 + 20));
      await rotating.check();
    }
    await rotating.close();
    t.equal((await files()).length, 3);
    t.ok(lines(0, 400).endsWith(await read()), 'the newest');
    await file.close();
  });

  t.test('it is noticed without being asked, and a log left alone for long is cut up', async (t) => {
    const { dir, read, rotator } = await openFolder(t);
    const file = await open(join(dir, 'web.stdout.0'), 'a');
    await file.write(lines(0, 1000));
    const follower = readLog({ dir, task: 'web', type: 'stdout', follow: true });
    const rotating = rotator({ maxFiles: 100 });
    await rotating.check();
    const folder = await LogDir.open(dir);
    const before = (await folder.segments({ task: 'web', type: 'stdout' })).length;
    t.ok(before > 5, `${before} files`);
    const noticed = new Promise<void>((resolve) => {
      const watcher = watch(dir, () => {
        void folder.segments({ task: 'web', type: 'stdout' }).then(({ length }) => {
          if (length <= before) return;
          watcher.close();
          resolve();
        });
      });
    });
    await file.write(lines(1000, 1200));
    await noticed;
    await rotating.close();
    t.equal(await read(), lines(0, 1200));
    let text = '';
    for await (const chunk of follower) if ((text += chunk.toString()).length === lines(0, 1200).length) break;
    t.equal(text, lines(0, 1200));
    await folder.close();
    await file.close();
  });

  t.test('a crash at any step is repaired', async (t) => {
    const { createHash } = await import('node:crypto');
    const content = lines(0, 200);
    const note = JSON.stringify({
      index: 0,
      pieces: 1,
      skip: 0,
      headBytes: content.length,
      headHash: createHash('sha1').update(content).digest('hex'),
    });
    const states: [string, Record<string, string>, string][] = [
      ['copied', { 'web.stdout.0': content + 'later\n', '.web.stdout.rotating.0': content }, content + 'later\n'],
      [
        'noted',
        { 'web.stdout.0': content + 'later\n', '.web.stdout.rotating.0': content, '.web.stdout.rotating': note },
        content + 'later\n',
      ],
      [
        'renamed',
        { 'web.stdout.0': content, 'web.stdout.1': content + 'later\n', '.web.stdout.rotating': note },
        content + 'later\n',
      ],
      ['emptied', { 'web.stdout.0': content, 'web.stdout.1': 'later\n', '.web.stdout.rotating': note }, content + 'later\n'],
    ];
    for (const [name, before, expected] of states) {
      const { dir, read, rotator, files } = await openFolder(t);
      for (const [file, text] of Object.entries(before)) await writeFile(join(dir, file), text);
      const rotating = rotator({ maxBytes: MB });
      await rotating.check();
      await rotating.close();
      t.equal(await read(), expected, name);
      t.notOk(
        (await files()).some((file) => file.startsWith('.')),
        `${name}: nothing is left over`,
      );
    }
  });
});

t.test('writing for drivers that collect', async (t) => {
  const { dir, read } = await openFolder(t);
  const folder = await LogDir.open(dir);
  const name = { task: 'web', type: 'stdout' } as const;
  const writer = await SegmentWriter.open(folder, name, { maxFiles: 3, maxBytes: 100 });
  const start = writer.position;
  let finish!: () => void;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const follower = read({ follow: true, done });
  for (let i = 0; i < 20; i++) await writer.write(Buffer.from(`line ${i}\n`));
  t.equal(await writer.since(start), lines(0, 20).length);
  await writer.close();
  finish();
  t.equal(await follower, lines(0, 20));
  const again = await SegmentWriter.open(folder, name, { maxFiles: 3, maxBytes: 100 });
  for (let i = 20; i < 100; i++) await again.write(Buffer.from(`line ${i}\n`));
  t.equal(await again.since(start), undefined, 'what lay in between is gone');
  t.ok(lines(0, 100).endsWith(await read()));
  t.ok((await folder.segments(name)).length <= 3);
  await again.close();
  await folder.close();
  t.equal((await readFile(join(dir, `web.stdout.${again.position.index}`), 'utf8')).length, again.position.offset);
});
