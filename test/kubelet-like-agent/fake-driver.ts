/** A machine that runs nothing: tasks are entries in a map that outlives any agent, as containers would. */
import { PassThrough } from 'node:stream';
import { ManualClock, type Clock, type Duration } from '../../base/index.ts';
import type { DriverInfo } from '../../openapi/index.ts';
import {
  DriverError,
  type Driver,
  type ExitResult,
  type Json,
  type TaskHandle,
  type TaskStart,
} from '../../kubelet-like-agent/drivers/driver.ts';

export interface FakeRun {
  readonly id: string;
  readonly alloc: string;
  readonly task: string;
  readonly start: TaskStart;
  readonly startedAt: number;
  exit?: ExitResult;
  readonly waiters: ((exit: ExitResult) => void)[];
  readonly signals: string[];
}

export class FakeMachine {
  readonly runs = new Map<string, FakeRun>();
  /** `<alloc>/<task>` of every start, in order. */
  readonly started: string[] = [];
  readonly clock: Clock;
  #next = 1;

  constructor(clock: Clock = new ManualClock()) {
    this.clock = clock;
  }

  live(task?: string): FakeRun[] {
    return [...this.runs.values()].filter((run) => run.exit === undefined && (task === undefined || run.task === task));
  }

  startsOf(task: string): number {
    return this.started.filter((name) => name.endsWith(`/${task}`)).length;
  }

  begin(start: TaskStart): FakeRun {
    const twin = this.live().find((run) => run.alloc === start.allocId && run.task === start.task);
    if (twin !== undefined) throw new Error(`two runs of ${start.task} at once`);
    const run: FakeRun = {
      id: `run-${this.#next++}`,
      alloc: start.allocId,
      task: start.task,
      start,
      startedAt: this.clock.now(),
      waiters: [],
      signals: [],
    };
    this.runs.set(run.id, run);
    this.started.push(`${start.allocId}/${start.task}`);
    return run;
  }

  /** Ends the run of a task, as if by itself. */
  exit(task: string, exitCode: number, signal = 0): void {
    for (const run of this.live(task)) this.end(run, { exitCode, signal, oomKilled: false, at: this.clock.now() });
  }

  end(run: FakeRun, exit: ExitResult): void {
    if (run.exit !== undefined) return;
    run.exit = exit;
    for (const waiter of run.waiters.splice(0)) waiter(exit);
  }
}

export interface FakeOptions {
  readonly machine: FakeMachine;
  /** Asked before each call on the driver; may throw, wait, or never come back. */
  readonly on?: (what: 'start' | 'started' | 'recover' | 'kill' | 'destroy', task: string) => Promise<void>;
  /** A task that ignores signals ends by SIGKILL after the timeout. */
  readonly stubborn?: boolean;
  readonly info?: () => DriverInfo;
  readonly changed?: (signal: AbortSignal) => Promise<void>;
}

export function fakeDriver(options: FakeOptions): Driver {
  const { machine, on = () => Promise.resolve(), stubborn = false } = options;
  const handle = (run: FakeRun): TaskHandle => ({
    state: run.id,
    startedAt: run.startedAt,
    exited: new Promise((resolve) => (run.exit === undefined ? run.waiters.push(resolve) : resolve(run.exit))),
    async kill(signal: string | undefined, timeout: Duration) {
      await on('kill', run.task);
      run.signals.push(signal ?? 'default');
      const end = (number: number): void =>
        machine.end(run, { exitCode: number === 9 ? 137 : 0, signal: number, oomKilled: false, at: machine.clock.now() });
      if (!stubborn) end(2);
      else
        await new Promise<void>((resolve) =>
          machine.clock.after(timeout, () => (run.signals.push('SIGKILL'), end(9), resolve())),
        );
    },
    signal(signal) {
      run.signals.push(signal);
      return Promise.resolve();
    },
    exec: (command) => Promise.resolve({ exitCode: command[0] === 'true' ? 0 : 2, output: command.join(' ') }),
    // Gives back what it is told, and its words.
    execStream(command, { tty }) {
      const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
      stdin.pipe(stdout);
      stderr.end(`${command.join(' ')}${tty ? ' on a terminal' : ''}`);
      const exited = new Promise<number>((resolve) => stdin.once('close', () => resolve(5)));
      return Promise.resolve({ stdin, stdout, stderr, exited, resize: (h, w) => Promise.resolve(void stdout.write(`${h}x${w}`)), kill: () => void stdin.destroy() }); // prettier-ignore
    },
    stats: () => Promise.resolve({ cpuPercent: 1, cpuMHz: 20, memoryBytes: 1000 }),
    async destroy() {
      await on('destroy', run.task);
      machine.runs.delete(run.id);
    },
    detach: () => Promise.resolve(),
  });
  return {
    name: 'fake',
    fingerprint: () => Promise.resolve(options.info?.() ?? { detected: true, healthy: true, description: 'Healthy' }),
    ...(options.changed !== undefined && { changed: options.changed }),
    validate: (config) => (config['bad'] === undefined ? [] : ['bad: unknown option']),
    async start(task) {
      if (task.config['download'] !== undefined) task.report('Downloading image', { image: String(task.config['download']) });
      await on('start', task.task);
      if (task.signal.aborted) throw new DriverError('aborted', { recoverable: true });
      if (task.config['fail'] !== undefined)
        throw new DriverError(String(task.config['fail']), { recoverable: task.config['recoverable'] === true });
      const run = machine.begin(task);
      await on('started', task.task);
      return handle(run);
    },
    async recover(state: Json, task) {
      await on('recover', task.task);
      const run =
        state === null
          ? [...machine.runs.values()].find((r) => r.alloc === task.allocId && r.task === task.task)
          : machine.runs.get(String(state));
      return run === undefined ? undefined : handle(run);
    },
    removeOrphans(_node, known) {
      const gone = [...machine.runs.values()].filter((run) => !known.has(run.alloc));
      for (const run of gone) {
        machine.end(run, { exitCode: 137, signal: 9, oomKilled: false, at: machine.clock.now() });
        machine.runs.delete(run.id);
      }
      return Promise.resolve(gone.map((run) => run.task));
    },
  };
}

/** Resolves when the question is answered with something true; asks again whenever the event loop has turned. */
export async function until<T>(what: string, question: () => T | undefined | false, ms = 5000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const answer = question();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
