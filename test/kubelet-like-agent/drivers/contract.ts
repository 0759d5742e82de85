import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { uuid } from '../../../base/index.ts';
import { DriverError, type Driver, type ExitResult, type Json, type TaskHandle, type TaskPort, type TaskStart } from '../../../kubelet-like-agent/drivers/index.ts'; // prettier-ignore
import { readLog, type LogType } from '../../../kubelet-like-agent/logs/index.ts';

/** A driver under test. */
export interface DriverUnderTest {
  /** A new instance each time, as a restarted agent makes one. */
  readonly create: () => Driver;
  /** The config that runs a script with `sh -c`. */
  readonly config: (script: string) => Record<string, unknown>;
  /** Whether a task has a file system of its own, so that its folders are at /alloc, /local and /secrets. */
  readonly contained: boolean;
  /** Whether a task that writes at the very moment of a rotation may lose some of it. */
  readonly mayLoseOutput?: boolean;
  /** How many containers or processes of an allocation are on the machine. */
  readonly count: (allocId: string) => Promise<number>;
}

const AGENT = 'ORCH_TEST_AGENT';

/** Whether this process is an agent that is about to be killed, and no test. */
export const isPlayingAgent = process.env[AGENT] !== undefined;

/**
 * What every driver does, on real things. Nothing here waits for a time to pass: a task says in its log where it is.
 */
export function driverContract(name: string, subject: DriverUnderTest): void {
  const playing = process.env[AGENT];
  if (playing !== undefined) {
    const { name: wanted, task } = JSON.parse(playing) as { name: string; task: TaskStart };
    if (wanted === name) void playAgent(subject, task);
    return;
  }
  const startInKilledAgent = (task: TaskStart): Promise<Json> => startAndKill(name, task);

  t.test(`${name}: a task that ends by itself`, async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo out; echo err >&2; exit 3');
    const before = Date.now();
    const handle = await world.start(task);
    const exit = await handle.exited;
    t.match(exit, { exitCode: 3, signal: 0, oomKilled: false });
    t.ok(exit.at >= before - 1000 && exit.at <= Date.now() + 1000, 'the time of the end');
    t.equal(await world.log(task, 'stdout'), 'out\n');
    t.equal(await world.log(task, 'stderr'), 'err\n');
    await t.rejects(handle.signal('SIGHUP'), DriverError);
    await t.rejects(handle.exec(['true'], { timeout: 1000 }), DriverError);
    t.equal(await handle.stats(), undefined);
    await handle.kill(undefined, 1000);
    await handle.destroy();
    await handle.destroy();
    t.equal(await subject.count(task.allocId), 0, 'nothing is left');
  });

  t.test(`${name}: how a task ends`, async (t) => {
    const world = await openWorld(t, subject);
    const ends: [string, Partial<ExitResult>][] = [
      ['exit 0', { exitCode: 0, signal: 0 }],
      ['exit 127', { exitCode: 127, signal: 0 }],
      ['kill -KILL $$', { exitCode: 137, signal: 9 }],
      ['exec sh -c "kill -TERM \\$\\$"', { exitCode: 143, signal: 15 }],
    ];
    for (const [script, expected] of ends) {
      // The first process of a container is spared signals that it does not handle: it needs a parent there.
      const wrapped = subject.contained ? `sh -c '${script.replaceAll("'", `'\\''`)}'; exit $?` : script;
      const handle = await world.start(world.task(wrapped));
      t.match(await handle.exited, expected, script);
    }
  });

  t.test(`${name}: killing`, async (t) => {
    const world = await openWorld(t, subject);
    t.test('the signal asked for, and time to act on it', async (t) => {
      const task = world.task('trap "echo got it; exit 7" TERM; echo ready; while :; do sleep 0.02; done');
      const handle = await world.start(task);
      await world.logged(task, 'ready');
      await handle.kill('SIGTERM', 60_000);
      t.match(await handle.exited, { exitCode: 7, signal: 0 });
      t.equal(await world.log(task, 'stdout'), 'ready\ngot it\n');
    });
    t.test('force when it is ignored', async (t) => {
      const task = world.task('trap "" INT TERM; sleep 1000 & echo ready; while :; do sleep 0.02; done');
      const handle = await world.start(task);
      await world.logged(task, 'ready');
      await handle.kill(undefined, 50);
      t.match(await handle.exited, { exitCode: 137, signal: 9 });
      await handle.destroy();
      t.equal(await world.settled(task.allocId), 0, 'its children are gone too');
    });
    t.test('the kill signal of the task', async (t) => {
      const task = world.task('trap "exit 9" USR1; echo ready; while :; do sleep 0.02; done', { killSignal: 'SIGUSR1' });
      const handle = await world.start(task);
      await world.logged(task, 'ready');
      await handle.kill(undefined, 60_000);
      t.match(await handle.exited, { exitCode: 9 });
    });
    t.test('a signal alone', async (t) => {
      const task = world.task('trap "echo hup" HUP; echo ready; while :; do sleep 0.02; done');
      const handle = await world.start(task);
      await world.logged(task, 'ready');
      await handle.signal('HUP');
      await world.logged(task, 'hup');
      await t.rejects(handle.signal('SIGNONSENSE'), /is not a signal/);
      await handle.destroy();
      t.equal(await world.settled(task.allocId), 0, 'destroy ends what still runs');
    });
  });

  t.test(`${name}: what a task sees`, async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo "$GREETING|$NOMAD_META_a_b"; echo x > "$NOMAD_TASK_DIR/file"; echo y > "$NOMAD_ALLOC_DIR/data/file"; ls -d "$NOMAD_SECRETS_DIR"; env', {
      env: { GREETING: 'good "morning"\n$HOME', NOMAD_META_a_b: '1' },
    }); // prettier-ignore
    const handle = await world.start(task);
    t.match(await handle.exited, { exitCode: 0 });
    const output = await world.log(task, 'stdout');
    t.match(output, 'good "morning"\n$HOME|1\n');
    t.notMatch(output, /^(ORCH_|NODE_|npm_|TAP)/m, 'nothing of the agent');
    t.equal(await readFile(join(task.dirs.local, 'file'), 'utf8'), 'x\n');
    t.equal(await readFile(join(task.dirs.alloc, 'data', 'file'), 'utf8'), 'y\n');
  });

  t.test(`${name}: exec and stats`, async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('trap "exit 0" TERM; echo ready; while :; do sleep 0.02; done', { env: { COLOUR: 'blue' } });
    const handle = await world.start(task);
    await world.logged(task, 'ready');
    t.same(await handle.exec(['sh', '-c', 'echo "$COLOUR"; exit 4'], { timeout: 20_000 }), { exitCode: 4, output: 'blue\n' });
    t.same(await handle.exec(['sh', '-c', 'echo oops >&2'], { timeout: 20_000 }), { exitCode: 0, output: 'oops\n' });
    await t.rejects(handle.exec(['sh', '-c', 'sleep 1000'], { timeout: 50 }), DriverError, 'a time limit');
    const cancel = new AbortController();
    const cancelled = handle.exec(['sh', '-c', 'sleep 1000'], { timeout: 60_000, signal: cancel.signal });
    cancel.abort();
    await t.rejects(cancelled, DriverError, 'cancelled');
    const stats = (await handle.stats())!;
    t.ok(stats.memoryBytes > 0, `memory: ${stats.memoryBytes}`);
    t.ok(stats.cpuPercent >= 0 && Number.isFinite(stats.cpuMHz), `cpu: ${stats.cpuPercent} %`);
    await handle.kill('SIGTERM', 10_000);
    await handle.destroy();
    t.equal(await world.settled(task.allocId), 0);
  });

  t.test(`${name}: a command that is talked to`, async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('trap "exit 0" TERM; echo ready; while :; do sleep 0.02; done', { env: { COLOUR: 'blue' } });
    const handle = await world.start(task);
    await world.logged(task, 'ready');
    const read = async (stream: Readable | undefined): Promise<string> => {
      const parts: Buffer[] = [];
      for await (const part of stream ?? []) parts.push(part as Buffer);
      return Buffer.concat(parts).toString();
    };
    const plain = await handle.execStream(['sh', '-c', 'cat; echo "$COLOUR" >&2; [ -t 0 ] || exit 3'], { tty: false });
    plain.stdin.write('one ');
    plain.stdin.end('two');
    t.same(await Promise.all([read(plain.stdout), read(plain.stderr), plain.exited]), ['one two', 'blue\n', 3]);

    const terminal = await handle.execStream(['sh', '-c', 'read -r x; stty size; [ -t 0 ] && exit 4'], { tty: true });
    t.equal(terminal.stderr, undefined);
    await terminal.resize(33, 77).catch(() => undefined);
    let seen = '';
    terminal.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    // Until it has its size, whatever it takes to be there.
    while (!seen.includes('go')) {
      terminal.stdin.write('go');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await terminal.resize(33, 77);
    terminal.stdin.write('\n');
    t.equal(await terminal.exited, 4);
    t.match(seen, /33 77/, 'the size, and what was typed is echoed');

    const endless = await handle.execStream(['sh', '-c', 'echo up; sleep 1000'], { tty: false });
    await once(endless.stdout, 'data');
    endless.kill();
    await endless.exited;
    await t.rejects(handle.execStream([], { tty: false }), DriverError);
    await handle.kill('SIGTERM', 10_000);
    await t.rejects(handle.execStream(['true'], { tty: false }), DriverError);
    await handle.destroy();
    t.equal(await world.settled(task.allocId), 0);
  });

  t.test(`${name}: the agent goes and comes back`, async (t) => {
    const world = await openWorld(t, subject);
    t.test('the task runs on', async (t) => {
      const task = world.task('trap "echo two; exit 5" USR1; echo one; while :; do sleep 0.02; done');
      const first = await world.start(task);
      await world.logged(task, 'one');
      const state = JSON.parse(JSON.stringify(first.state)) as Json;
      await first.detach();
      const second = (await world.recover(state, task))!;
      t.equal(second.startedAt, first.startedAt);
      t.ok((await second.stats())!.memoryBytes > 0);
      await second.signal('SIGUSR1');
      t.match(await second.exited, { exitCode: 5, signal: 0 });
      t.equal(await world.log(task, 'stdout'), 'one\ntwo\n', 'no output lost or doubled');
      await second.destroy();
      t.equal(await world.settled(task.allocId), 0);
    });
    t.test('an end that nobody saw', async (t) => {
      const task = world.task('echo one; while [ ! -e "$NOMAD_TASK_DIR/go" ]; do sleep 0.02; done; echo two; exit 6');
      const first = await world.start(task);
      await world.logged(task, 'one');
      const { state } = first;
      await first.detach();
      await writeFile(join(task.dirs.local, 'go'), '');
      await world.ended(first);
      const second = (await world.recover(state, task))!;
      t.match(await second.exited, { exitCode: 6, signal: 0 });
      t.equal(await world.log(task, 'stdout'), 'one\ntwo\n');
      await second.destroy();
      t.equal(await world.recover(state, task), undefined, 'nothing of it is left');
    });
    t.test('killed -9', async (t) => {
      const task = world.task('trap "exit 8" USR1; echo one; while :; do sleep 0.02; done');
      const state = await startInKilledAgent(task);
      const handle = (await world.recover(state, task))!;
      await world.logged(task, 'one');
      await handle.signal('SIGUSR1');
      t.match(await handle.exited, { exitCode: 8 });
      await handle.destroy();
      t.equal(await world.settled(task.allocId), 0);
    });
    t.test('killed -9 before it could tell: a new start does not double the task', async (t) => {
      const task = world.task('echo one; exec sleep 1000');
      await startInKilledAgent(task);
      const before = await subject.count(task.allocId);
      const handle = await world.start(task);
      await world.logged(task, 'one');
      t.equal(await subject.count(task.allocId), before, 'as many processes as one run has');
      await handle.destroy();
      t.equal(await world.settled(task.allocId), 0);
    });
    t.test('killed -9 before it could tell: what it began is found by name', async (t) => {
      const task = world.task('trap "exit 4" USR1; echo one; while :; do sleep 0.02; done');
      await startInKilledAgent(task);
      const handle = (await world.recover(null, task))!;
      await world.logged(task, 'one');
      await handle.signal('SIGUSR1');
      t.match(await handle.exited, { exitCode: 4 });
      await handle.destroy();
      t.equal(await world.settled(task.allocId), 0);
    });
    t.test('nonsense is not found', async (t) => {
      const task = world.task('true');
      t.equal(await world.recover(null, task), undefined);
      t.equal(await world.recover({ x: 1 }, task), undefined);
    });
  });

  t.test(`${name}: output in files of limited size`, async (t) => {
    const world = await openWorld(t, subject);
    // With a pause in between, so that there is something to rotate while the task still writes.
    const task = world.task('seq 1 250000; sleep 0.3; seq 250001 500000; echo last >&2');
    const handle = await world.start({ ...task, logs: { ...task.logs, maxFiles: 20 } });
    let live = '';
    for await (const chunk of readLog({ dir: task.logs.dir, task: 'web', type: 'stdout', follow: true, done: handle.exited }))
      live += chunk.toString();
    const [files, expected] = [
      (await readdir(task.logs.dir)).filter((file) => file.startsWith('web.stdout.')),
      numbers(1, 500_000),
    ];
    t.ok(files.length >= 3, files.join(' '));
    if (subject.mayLoseOutput !== true) {
      t.ok(live === expected, `followed: ${live.length} of ${expected.length} bytes`);
      const later = await world.log(task, 'stdout');
      t.ok(later === expected, `read later: ${later.length} of ${expected.length} bytes`);
    }
    t.equal(await world.log(task, 'stderr'), 'last\n');
    await handle.destroy();
  });

  t.test(`${name}: no output wanted`, async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo lost');
    const handle = await world.start({ ...task, logs: { ...task.logs, enabled: false } });
    t.match(await handle.exited, { exitCode: 0 });
    t.same(await readdir(task.logs.dir), []);
    await handle.destroy();
  });

  t.test(`${name}: orphans`, async (t) => {
    const world = await openWorld(t, subject);
    const [wanted, unwanted] = [world.task('echo a; sleep 1000'), world.task('echo b; sleep 1000')];
    const [kept, lost] = [await world.start(wanted), await world.start(unwanted)];
    await world.logged(unwanted, 'b');
    await lost.detach();
    const removed = await subject.create().removeOrphans(world.nodeId, new Set([wanted.allocId]));
    t.equal(removed.length, 1);
    t.match(removed[0], unwanted.allocId);
    t.equal(await world.settled(unwanted.allocId), 0);
    t.not(await subject.count(wanted.allocId), 0, 'the wanted one runs');
    t.same(await subject.create().removeOrphans(uuid(), new Set()), [], 'those of another node are not ours');
    await kept.destroy();
  });

  t.test(`${name}: refusals`, async (t) => {
    const world = await openWorld(t, subject);
    const driver = subject.create();
    t.same(driver.validate(subject.config('true')), []);
    t.match(driver.validate({ ...subject.config('true'), comand: 'x' }), [/comand: unknown option, did you mean "command"/]);
    t.match(driver.validate({ ...subject.config('true'), args: 'x' }), [/args: must be a list of strings/]);
    t.not(driver.validate({}).length, 0, 'what is required');
    await t.rejects(world.start(world.task('true', { config: { nothing: 1 } })), DriverError);
    const task = world.task('true', { user: 'nobody-knows-me' });
    await t.rejects(
      world.start(task).then((h) => h.exited),
      /nobody-knows-me/,
    );
    t.equal(await subject.count(task.allocId), 0, 'what was begun is undone');
  });
}

const numbers = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join('');

/** Folders, tasks and runs of one test, cleaned up at its end whatever happens. */
export async function openWorld(t: Test, subject: DriverUnderTest) {
  const root = await mkdtemp(join(tmpdir(), 'orch-driver-'));
  const nodeId = uuid();
  const handles: TaskHandle[] = [];
  const driver = subject.create();
  const made: TaskStart[] = [];
  t.teardown(async () => {
    for (const handle of handles) await handle.detach().catch(() => undefined);
    await subject.create().removeOrphans(nodeId, new Set());
    await rm(root, { recursive: true, force: true });
  });
  const world = {
    nodeId,
    root,
    task(script: string, more: Partial<TaskStart> = {}): TaskStart {
      const task = describeTask(root, nodeId, subject, script, more);
      made.push(task);
      return task;
    },
    async start(task: TaskStart, by: Driver = driver): Promise<TaskHandle> {
      await makeDirs(task);
      const handle = await by.start(task);
      handles.push(handle);
      return handle;
    },
    async recover(state: Json, task: TaskStart, by: Driver = subject.create()): Promise<TaskHandle | undefined> {
      const handle = await by.recover(state, task);
      if (handle !== undefined) handles.push(handle);
      return handle;
    },
    async log(task: TaskStart, type: LogType): Promise<string> {
      const chunks: Buffer[] = [];
      for await (const chunk of readLog({ dir: task.logs.dir, task: task.task, type })) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    },
    /** Resolves when the task has printed `text`. */
    async logged(task: TaskStart, text: string): Promise<void> {
      let seen = '';
      for await (const chunk of readLog({ dir: task.logs.dir, task: task.task, type: 'stdout', follow: true })) {
        seen += chunk.toString();
        if (seen.includes(text)) return;
      }
    },
    /** Resolves when the run has ended, found out by a handle that nobody holds any more. */
    async ended(handle: TaskHandle): Promise<void> {
      const other = await subject.create().recover(handle.state, made.at(-1)!);
      await other?.exited;
      await other?.detach();
    },
    /** What is left of an allocation once the kernel has done its part. */
    async settled(allocId: string): Promise<number> {
      for (let tries = 0; tries < 200; tries++) {
        if ((await subject.count(allocId)) === 0) return 0;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return subject.count(allocId);
    },
  };
  return world;
}

function describeTask(
  root: string,
  nodeId: string,
  subject: DriverUnderTest,
  script: string,
  more: Partial<TaskStart>,
): TaskStart {
  const allocId = uuid();
  const base = join(root, allocId);
  const dirs = {
    alloc: join(base, 'alloc'),
    task: join(base, 'web'),
    local: join(base, 'web', 'local'),
    secrets: join(base, 'web', 'secrets'),
  };
  const paths = subject.contained
    ? { NOMAD_ALLOC_DIR: '/alloc', NOMAD_TASK_DIR: '/local', NOMAD_SECRETS_DIR: '/secrets' }
    : { NOMAD_ALLOC_DIR: dirs.alloc, NOMAD_TASK_DIR: dirs.local, NOMAD_SECRETS_DIR: dirs.secrets };
  const ports: TaskPort[] = [];
  return {
    nodeId,
    allocId,
    allocName: 'job.group[0]',
    jobName: 'job',
    group: 'group',
    namespace: 'default',
    task: 'web',
    config: subject.config(script),
    resources: { name: 'web', cpu: 100, memory: 64 },
    ports,
    dirs,
    mounts: [],
    logs: { dir: join(dirs.alloc, 'logs'), maxFiles: 3, maxFileSizeMB: 1, enabled: true },
    report: () => undefined,
    signal: new AbortController().signal,
    ...more,
    env: { ...paths, ...more.env },
  };
}

async function makeDirs(task: TaskStart): Promise<void> {
  if (existsSync(task.logs.dir)) return;
  await mkdir(task.logs.dir, { recursive: true });
  for (const dir of [join(task.dirs.alloc, 'data'), task.dirs.local, task.dirs.secrets, join(task.dirs.task, 'tmp')]) {
    await mkdir(dir, { recursive: true });
    await chmod(dir, 0o777); // as the agent does: tasks have users of their own
  }
}

/** Runs `start` in a process that is killed -9 right after; gives the state that it had told. */
async function startAndKill(name: string, task: TaskStart): Promise<Json> {
  await makeDirs(task);
  const { report: _report, signal: _signal, ...plain } = task;
  const agent = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, [AGENT]: JSON.stringify({ name, task: plain }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(agent, 'exit');
  for await (const line of createInterface({ input: agent.stdout })) {
    if (!line.startsWith('STATE ')) continue;
    agent.kill('SIGKILL');
    await gone;
    return JSON.parse(line.slice(6)) as Json;
  }
  throw new Error('the agent did not start the task');
}

async function playAgent(subject: DriverUnderTest, plain: TaskStart): Promise<void> {
  const handle = await subject.create().start({ ...plain, report: () => undefined, signal: new AbortController().signal });
  process.stdout.write(`STATE ${JSON.stringify(handle.state)}\n`);
  setInterval(() => undefined, 1000);
}
