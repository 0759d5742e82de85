/** What the node agent's drivers add to the bare cost of a task: a fork, a container of the engine; and what they cost while it runs. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { silentLogger, systemClock, uuid } from '../base/index.ts';
import { createDrivers, type Driver, type TaskHandle, type TaskStart } from '../kubelet-like-agent/drivers/index.ts';
import { readLog, Rotator } from '../kubelet-like-agent/logs/index.ts';
import { main, type Row } from './harness.ts';

const row = (name: string, metric: string, value: number, unit: string): Row => ({
  suite: 'agent',
  case: name,
  metric,
  value,
  unit,
});
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function timed(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

async function describeTask(root: string, config: Record<string, unknown>): Promise<TaskStart> {
  const allocId = uuid();
  const base = join(root, allocId);
  const dirs = {
    alloc: join(base, 'alloc'),
    task: join(base, 't'),
    local: join(base, 't/local'),
    secrets: join(base, 't/secrets'),
  };
  const logs = { dir: join(dirs.alloc, 'logs'), maxFiles: 10, maxFileSizeMB: 10, enabled: true };
  for (const dir of [logs.dir, dirs.local, dirs.secrets]) await mkdir(dir, { recursive: true });
  return {
    nodeId: 'bench',
    allocId,
    allocName: 'bench.bench[0]',
    jobName: 'bench',
    group: 'bench',
    namespace: 'default',
    task: 't',
    config,
    env: {},
    resources: { name: 't', cpu: 100, memory: 32 },
    ports: [],
    dirs,
    mounts: [],
    logs,
    report: () => undefined,
    signal: new AbortController().signal,
  };
}

const RUNS = 15;

async function rawExec(driver: Driver, root: string): Promise<Row[]> {
  const rows: Row[] = [];
  const command = { command: '/bin/sleep', args: ['1000'] };
  for (const count of [1, 50, 200]) {
    const bare: number[] = [];
    const driven: number[] = [];
    for (let run = 0; run < (count === 1 ? RUNS : 3); run++) {
      const children: ReturnType<typeof spawn>[] = [];
      bare.push(
        await timed(async () => {
          for (let i = 0; i < count; i++) children.push(spawn('/bin/sleep', ['1000'], { stdio: 'ignore', detached: true }));
          await Promise.all(children.map((child) => once(child, 'spawn')));
        }),
      );
      for (const child of children) child.kill('SIGKILL');
      const tasks = await Promise.all(Array.from({ length: count }, () => describeTask(root, command)));
      let handles: TaskHandle[] = [];
      driven.push(await timed(async () => (handles = await Promise.all(tasks.map((task) => driver.start(task))))));
      if (count === 200 && run === 2) {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        const before = process.cpuUsage();
        const idle = 5000;
        await new Promise((resolve) => setTimeout(resolve, idle));
        const used = process.cpuUsage(before);
        rows.push(
          row('raw_exec × 200, running', 'CPU of the agent side', ((used.user + used.system) / 1000 / idle) * 100, '% of a core'),
        );
      }
      await Promise.all(handles.map((handle) => handle.destroy()));
    }
    rows.push(row(`bare fork × ${count}`, 'start, median', median(bare), 'ms'));
    rows.push(row(`raw_exec × ${count}`, 'start, median', median(driven), 'ms'));
    rows.push(row(`raw_exec × ${count}`, 'over bare fork, each', (median(driven) - median(bare)) / count, 'ms'));
  }
  return rows;
}

async function docker(driver: Driver, root: string): Promise<Row[]> {
  if ((await driver.fingerprint()).healthy !== true) return [];
  const engine = new Docker();
  const image = 'busybox:1';
  if (!(await engine.getImage(image).inspect().then(() => true, () => false))) return []; // prettier-ignore
  const [cli, bare, driven]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < 5; run++) {
    const name = `bench-${uuid()}`;
    cli.push(
      await timed(() =>
        Promise.resolve(spawnSync('docker', ['run', '-d', '--name', name, image, 'sleep', '1000'], { stdio: 'ignore' })),
      ),
    );
    await engine.getContainer(name).remove({ force: true });
    const container = await (async () => {
      const started = performance.now();
      const made = await engine.createContainer({ Image: image, Cmd: ['sleep', '1000'] });
      await made.start();
      bare.push(performance.now() - started);
      return made;
    })();
    await container.remove({ force: true });
    const task = await describeTask(root, { image, command: 'sleep', args: ['1000'] });
    let handle: TaskHandle | undefined;
    driven.push(await timed(async () => (handle = await driver.start(task))));
    await handle!.destroy();
  }
  return [
    row('docker run -d', 'start, median', median(cli), 'ms'),
    row('engine API alone', 'start, median', median(bare), 'ms'),
    row('docker × 1', 'start, median', median(driven), 'ms'),
    row('docker × 1', 'over docker run', median(driven) - median(cli), 'ms'),
    row('docker × 1', 'over the engine alone', median(driven) - median(bare), 'ms'),
  ];
}

async function logs(root: string): Promise<Row[]> {
  const dir = join(root, 'logs');
  await mkdir(dir);
  const megabytes = 100;
  const block = Buffer.from(`${'x'.repeat(99)}\n`.repeat(10_000));
  const rotator = new Rotator({
    dir,
    task: 't',
    type: 'stdout',
    maxFiles: 1000,
    maxBytes: 10 * 1024 * 1024,
    clock: systemClock,
    log: silentLogger,
  });
  await appendFile(join(dir, 't.stdout.0'), '');
  await rotator.close();
  for (let i = 0; i < megabytes; i++) await appendFile(join(dir, 't.stdout.0'), block);
  const rotating = new Rotator({
    dir,
    task: 't',
    type: 'stdout',
    maxFiles: 1000,
    maxBytes: 10 * 1024 * 1024,
    clock: systemClock,
    log: silentLogger,
  });
  const rotation = await timed(async () => {
    await rotating.check();
    await rotating.close();
  });
  const reading = await timed(async () => {
    for await (const chunk of readLog({ dir, task: 't', type: 'stdout' })) void chunk.length;
  });
  return [
    row('logs', 'rotation', megabytes / (rotation / 1000), 'MB/s'),
    row('logs', 'reading across files', megabytes / (reading / 1000), 'MB/s'),
  ];
}

export async function run(): Promise<Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'orch-bench-'));
  const drivers = createDrivers({ rawExec: { enabled: true }, clock: systemClock, log: silentLogger });
  const find = (name: string): Driver => drivers.find((driver) => driver.name === name)!;
  try {
    return [...(await rawExec(find('raw_exec'), root)), ...(await docker(find('docker'), root)), ...(await logs(root))];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

await main('agent', run);
