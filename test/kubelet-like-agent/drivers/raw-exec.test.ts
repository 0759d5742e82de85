import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { createDrivers, DriverError } from '../../../kubelet-like-agent/drivers/index.ts';
import { rawExecDriver } from '../../../kubelet-like-agent/drivers/raw-exec/index.ts';
import { driverContract, isPlayingAgent, openWorld, type DriverUnderTest } from './contract.ts';

const subject: DriverUnderTest = {
  create: () =>
    createDrivers({ rawExec: { enabled: true }, clock: systemClock, log: silentLogger }).find((d) => d.name === 'raw_exec')!,
  config: (script) => ({ command: 'sh', args: ['-c', script] }),
  contained: false,
  count: (allocId) => Promise.resolve(processesOf(allocId).length),
};

/** Processes whose environment or command line names the allocation: whatever they did, they did not change that. */
function processesOf(allocId: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const names = (pid: string): boolean => {
    try {
      if (readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) return false;
      return ['environ', 'cmdline'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(allocId));
    } catch {
      return false;
    }
  };
  return pids.filter(names).map(Number);
}

driverContract('raw_exec', subject);
driverContract('raw_exec without cgroups', {
  ...subject,
  mayLoseOutput: true,
  create: () => rawExecDriver({ enabled: true, cgroups: false, clock: systemClock, log: silentLogger }),
});

if (!isPlayingAgent) {
  const isRoot = process.getuid?.() === 0;

  t.test('the environment is what was given and PATH', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('', {
      config: { command: 'env' },
      env: { 'odd-name': 'kept', PATH: '/nowhere:/usr/bin:/bin', PWD: '/x' },
    });
    const handle = await world.start(task);
    t.match(await handle.exited, { exitCode: 0 });
    const lines = (await world.log(task, 'stdout')).trim().split('\n').sort(); // prettier-ignore
    t.same(lines, Object.entries(task.env).map(([name, value]) => `${name}=${value}`).sort()); // prettier-ignore
  });

  t.test('the working directory is the task directory, and commands are found there', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('', { config: { command: 'hello.sh', args: ['a b'] } });
    await mkdir(task.dirs.local, { recursive: true });
    await mkdir(task.logs.dir, { recursive: true });
    await writeFile(join(task.dirs.local, 'hello.sh'), '#!/bin/sh\npwd; echo "$1"\n');
    await t.rejects(world.start(task), /hello.sh is not executable/);
    await chmod(join(task.dirs.local, 'hello.sh'), 0o755);
    const handle = await world.start(task);
    await handle.exited;
    t.equal(await world.log(task, 'stdout'), `${task.dirs.task}\na b\n`);
    await t.rejects(world.start({ ...task, config: { command: 'no-such-command' } }), /"no-such-command" was found neither/);
  });

  t.test('an exit code above 128 is no signal', async (t) => {
    const world = await openWorld(t, subject);
    t.match(await (await world.start(world.task('exit 143'))).exited, { exitCode: 143, signal: 0 });
    t.match(await (await world.start(world.task('kill -INT $$'))).exited, { exitCode: 130, signal: 2 });
  });

  t.test('what a task leaves behind ends with it', { skip: !isRoot && 'needs root for cgroups' }, async (t) => {
    const world = await openWorld(t, subject);
    // Out of the process group, and out of the session.
    const task = world.task(
      'setsid sh -c "trap \\"\\" TERM HUP; echo away; while :; do sleep 0.02; done" & sleep 0.1; wait; exit 0',
    );
    const handle = await world.start(task);
    await world.logged(task, 'away');
    await handle.kill('SIGKILL', 10_000);
    t.equal(await world.settled(task.allocId), 0);
  });

  t.test('a supervisor that is killed takes the task with it', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo ready; exec sleep 1000');
    const handle = await world.start(task);
    await world.logged(task, 'ready');
    const supervisor = processesOf(task.allocId).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`\0orch-task:`),
    )!;
    process.kill(supervisor, 'SIGKILL');
    t.match(await handle.exited, { exitCode: 137, error: /supervisor of the task was killed/ });
    t.equal(await world.settled(task.allocId), 0);
  });

  t.test('a pid that was given to another process is left alone', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('exit 0');
    const handle = await world.start(task);
    await handle.exited;
    const other = await world.start(world.task('echo ready; exec sleep 1000'));
    // The state of a run long gone, with a pid that is somebody else's now.
    const state = { ...(handle.state as object), pid: (other.state as { pid: number }).pid, run: join(world.root, 'gone') };
    t.equal(await world.recover(state, task), undefined);
    const exit = await Promise.race([other.exited, new Promise((resolve) => setImmediate(() => resolve('runs')))]);
    t.equal(exit, 'runs');
    await other.destroy();
  });

  t.test('another user', { skip: !isRoot && 'needs root' }, async (t) => {
    const world = await openWorld(t, subject);
    await chmod(world.root, 0o755);
    const task = world.task('id -u; id -G', { user: 'nobody' });
    const handle = await world.start(task);
    t.match(await handle.exited, { exitCode: 0 });
    t.match(await world.log(task, 'stdout'), /^65534\n65534\n$/);
    await handle.destroy();
    t.equal(await world.settled(task.allocId), 0);
  });

  t.test('a log folder that became a link is not written through', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('echo secret');
    await mkdir(join(world.root, 'elsewhere'));
    await mkdir(task.dirs.local, { recursive: true });
    await mkdir(task.dirs.alloc, { recursive: true });
    const { symlink } = await import('node:fs/promises');
    await symlink(join(world.root, 'elsewhere'), task.logs.dir);
    await t.rejects(subject.create().start(task), /is not a folder/);
    t.same(readdirSync(join(world.root, 'elsewhere')), []);
    await symlink('/etc/passwd', join(world.root, 'elsewhere', 'web.stdout.0'));
    await t.rejects(
      subject.create().start({ ...task, logs: { ...task.logs, dir: join(world.root, 'elsewhere') } }),
      /is not a plain file/,
    );
    t.match(await readFile('/etc/passwd', 'utf8'), /^root:/);
  });

  t.test('disabled', async (t) => {
    const world = await openWorld(t, subject);
    const driver = createDrivers({ clock: systemClock, log: silentLogger }).find((d) => d.name === 'raw_exec')!;
    t.match(await driver.fingerprint(), { detected: false, healthy: false, description: 'disabled' });
    await t.rejects(world.start(world.task('true'), driver), DriverError);
    t.match(await subject.create().fingerprint(), { detected: true, healthy: true, attributes: { 'driver.raw_exec': '1' } });
    t.match(driver.validate({ command: 'x', oom_score_adj: 1 }), [/oom_score_adj: is not built/]);
  });
}
