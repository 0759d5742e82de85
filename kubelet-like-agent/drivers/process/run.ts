import { spawn, type ChildProcess } from 'node:child_process';
import { platform } from 'node:os';
import { once } from 'node:events';
import { sleep, type Clock, type Duration, type Logger } from '../../../base/index.ts';
import { Rotator } from '../../logs/index.ts';
import {
  DriverError,
  type ExecSession,
  type ExitResult,
  type Json,
  type TaskHandle,
  type TaskStart,
  type TaskStats,
} from '../driver.ts';
import { signalName, signalNumber, signalOfExitCode } from '../signals.ts';
import type { Cgroup } from './cgroup.ts';
import { enter, type Walls } from './isolate.ts';
import { groupUsage, joinGroups, removeGroups } from './limits.ts';
import { childrenOf, coreMHz, cpuSeconds, processTree, readProcess } from './processes.ts';
import { onTerminal, sessionOf } from './session.ts';
import { readExit, removeRun, watchSupervisor } from './supervisor.ts';

/** What finds a run again. */
export interface RunState {
  readonly run: string;
  readonly pid: number;
  /** Start time of the pid, see Process.started; empty when it was over before one could look. */
  readonly started: string;
  readonly startedAt: number;
  readonly cgroup?: string;
  /** Folders of the groups that limit it, see limits.ts. */
  readonly groups?: readonly string[];
}

export interface RunContext {
  readonly task: TaskStart;
  readonly env: Readonly<Record<string, string>>;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Absent: the task runs on the machine itself. */
  readonly walls?: Walls;
  /** Asks the task to end, where it takes more than a signal. */
  readonly quit?: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const DEFAULT_SIGNAL = 'SIGINT';
/** What a script may print; the rest is thrown away. */
const OUTPUT_LIMIT = 1 << 20;

/** One run of a task that is a process of this machine. Started and recovered runs are the same: both hold on to the supervisor's FIFO. */
export class Run implements TaskHandle {
  readonly #state: RunState;
  readonly #context: RunContext;
  readonly #cgroup: Cgroup | undefined;
  readonly #rotators: Rotator[];
  readonly #letGo: () => void;
  readonly exited: Promise<ExitResult>;
  #ended = false;
  #detached = false;
  #sample: { at: number; cpuSeconds: number };

  private constructor(
    state: RunState,
    context: RunContext,
    cgroup: Cgroup | undefined,
    supervisor: ReturnType<typeof watchSupervisor>,
  ) {
    this.#state = state;
    this.#context = context;
    this.#cgroup = cgroup;
    this.#sample = { at: state.startedAt, cpuSeconds: 0 };
    this.#letGo = () => supervisor?.close();
    this.#rotators = this.#startRotators();
    this.exited = (supervisor?.gone ?? Promise.resolve()).then(() => this.#end());
  }

  /** Takes hold of a run; undefined when it is over and nobody knows how. */
  static attach(state: RunState, context: RunContext, cgroup: Cgroup | undefined): Run | undefined {
    const supervisor = watchSupervisor(state.run);
    if (supervisor === undefined && readExit(state.run) === undefined && !isAlive(state) && !cgroup?.populated())
      return undefined;
    return new Run(state, context, cgroup, supervisor);
  }

  get state(): Json {
    const { groups, ...state } = this.#state;
    return { ...state, ...(groups !== undefined && { groups: [...groups] }) };
  }

  get startedAt(): number {
    return this.#state.startedAt;
  }

  async #end(): Promise<ExitResult> {
    this.#ended = true;
    this.#letGo();
    const written = readExit(this.#state.run);
    const oomKilled = (this.#cgroup?.usage()?.oomKills ?? 0) > 0 || groupUsage(this.#groups).oomKills > 0;
    // Nothing of the task outlives it, be it a child it left behind or itself when its supervisor was killed.
    await this.#killAll();
    await Promise.all(this.#rotators.map((rotator) => rotator.close()));
    removeGroups(this.#groups);
    if (written !== undefined) {
      // The first process of a namespace is spared signals that it does not handle, so it is usually a parent that tells of one.
      const signal = this.#context.walls === undefined ? written.signal : written.signal || signalOfExitCode(written.exitCode);
      return { ...written, signal, oomKilled };
    }
    const error = 'the supervisor of the task was killed; how the task ended is not known';
    return { exitCode: 137, signal: 9, oomKilled, error, at: this.#context.clock.now() };
  }

  async kill(signal: string | undefined, timeout: Duration): Promise<void> {
    const name = signalName(signal ?? this.#context.task.killSignal ?? DEFAULT_SIGNAL);
    if (!this.#ended) {
      await this.#ask(name);
      const over = new AbortController();
      await Promise.race([this.exited.then(() => over.abort()), sleep(this.#context.clock, timeout, over.signal)]);
      if (!over.signal.aborted) await this.#killAll();
    }
    await this.exited;
  }

  /** Asks the task to end in its own way, or by a signal. */
  async #ask(signal: NodeJS.Signals): Promise<void> {
    const { quit, task, log } = this.#context;
    try {
      if (quit !== undefined) return await quit();
    } catch (error) {
      log.warn('the task cannot be asked to end, so it is sent a signal', { alloc: task.allocId, task: task.task, error });
    }
    this.#send(this.#main, signal);
  }

  async signal(signal: string): Promise<void> {
    const name = signalName(signal);
    if (this.#ended || !this.#send(this.#main, name)) throw new DriverError('the task is not running', { recoverable: false });
  }

  /** The groups that limit the run, but for the one that all of its processes are found by. */
  get #groups(): readonly string[] {
    return (this.#state.groups ?? []).filter((group) => group !== this.#state.cgroup);
  }

  /** The task itself: within walls that is the only child of the process that holds them up. */
  get #main(): number {
    const { pid } = this.#state;
    return this.#context.walls === undefined ? pid : (childrenOf(pid)[0] ?? pid);
  }

  /** To the task, or with a negative pid to its process group. False when it is gone. */
  #send(pid: number, signal: NodeJS.Signals): boolean {
    if (pid > 0 && !isAlive(this.#state)) return false;
    try {
      process.kill(pid, signal);
      return true;
    } catch {
      return false;
    }
  }

  async #killAll(): Promise<void> {
    // A process group keeps its number from being given out again for as long as it has members, so the only doubt is a run
    // that left none behind: then there may be a newer group of that number, with a leader that started at another time.
    const leader = readProcess(this.#state.pid);
    if (leader === undefined || leader.started === this.#state.started) this.#send(-this.#state.pid, 'SIGKILL');
    this.#send(this.#state.pid, 'SIGKILL'); // it may not have become the leader of its group yet
    if ((await this.#cgroup?.kill()) === false) {
      this.#context.log.warn('processes of the task could not be killed', {
        task: this.#context.task.task,
        cgroup: this.#cgroup!.path,
      });
    }
  }

  exec(
    command: readonly string[],
    options: { timeout: Duration; signal?: AbortSignal },
  ): Promise<{ exitCode: number; output: string }> {
    if (this.#ended) return Promise.reject(new DriverError('the task is not running', { recoverable: false }));
    if (command.length === 0) return Promise.reject(new DriverError('no command given', { recoverable: false }));
    const { clock } = this.#context;
    return new Promise((resolve, reject) => {
      const child = this.#spawnInside(command, 'ignore');
      const chunks: Buffer[] = [];
      let size = 0;
      const collect = (chunk: Buffer): void => {
        if (size < OUTPUT_LIMIT) chunks.push(chunk.subarray(0, OUTPUT_LIMIT - size));
        size += chunk.length;
      };
      child.stdout!.on('data', collect);
      child.stderr!.on('data', collect);
      let refused: DriverError | undefined;
      const stop = (why: string): void => {
        refused ??= new DriverError(why, { recoverable: true });
        if (child.pid !== undefined) this.#send(-child.pid, 'SIGKILL');
      };
      const timer = clock.after(options.timeout, () => stop(`the command did not end within ${options.timeout / 1000}s`));
      const abort = (): void => stop('the command was cancelled');
      options.signal?.addEventListener('abort', abort, { once: true });
      if (options.signal?.aborted) abort();
      const settle = (): void => {
        timer.cancel();
        options.signal?.removeEventListener('abort', abort);
      };
      child.once('error', (cause) => {
        settle();
        reject(new DriverError(`${command[0]} could not be run in the task`, { recoverable: false, cause }));
      });
      // Not 'close': a grandchild that keeps the pipe open must not hold up the answer.
      child.once('exit', (code, signal) => {
        settle();
        setImmediate(() => {
          child.stdout!.destroy();
          child.stderr!.destroy();
          if (refused !== undefined) reject(refused);
          else
            resolve({
              exitCode: code ?? 128 + (signal === null ? 0 : signalNumber(signal)),
              output: Buffer.concat(chunks).toString('utf8'),
            });
        });
      });
    });
  }

  async execStream(command: readonly string[], { tty }: { tty: boolean }): Promise<ExecSession> {
    if (this.#ended) throw new DriverError('the task is not running', { recoverable: false });
    if (command.length === 0) throw new DriverError('no command given', { recoverable: false });
    const child = this.#spawnInside(command, 'pipe', tty);
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw new DriverError(`${command[0]} could not be run in the task`, { recoverable: false, cause });
    }
    return sessionOf(child, tty);
  }

  /** A process beside the task: as the same user, behind the same walls, counted among what is its own. */
  #spawnInside(command: readonly string[], stdin: 'ignore' | 'pipe', tty = false): ChildProcess {
    const { task, env, owner, walls } = this.#context;
    const inside = walls === undefined ? command : enter(walls, this.#main, command);
    const [file, ...args] = tty ? onTerminal(inside) : inside;
    const user = walls === undefined ? owner : undefined;
    const child = spawn(file!, args, { cwd: task.dirs.task, env, detached: true, stdio: [stdin, 'pipe', 'pipe'], ...user });
    if (child.pid !== undefined) {
      this.#cgroup?.add(child.pid);
      joinGroups(this.#groups, child.pid);
    }
    return child;
  }

  stats(): Promise<TaskStats | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    const now = this.#context.clock.now();
    const group = this.#cgroup?.usage();
    const pids = this.#cgroup?.pids() ?? [];
    const processes = pids.length > 0 ? pids.flatMap((pid) => readProcess(pid) ?? []) : processTree(this.#state.pid);
    const used = group?.cpuSeconds ?? processes.reduce((sum, p) => sum + cpuSeconds(p), 0);
    const memoryBytes =
      group?.memoryBytes ?? groupUsage(this.#groups).memoryBytes ?? processes.reduce((sum, p) => sum + p.residentBytes, 0);
    const elapsed = (now - this.#sample.at) / 1000;
    const share = elapsed > 0 ? Math.max(0, used - this.#sample.cpuSeconds) / elapsed : 0;
    this.#sample = { at: now, cpuSeconds: used };
    return Promise.resolve({ cpuPercent: share * 100, cpuMHz: share * coreMHz(), memoryBytes, pids: processes.length });
  }

  async destroy(): Promise<void> {
    if (!this.#ended) await this.kill('SIGKILL', 0);
    await this.exited;
    this.#cgroup?.remove();
    removeGroups(this.#groups);
    await removeRun(this.#state.run);
  }

  async detach(): Promise<void> {
    if (this.#detached) return;
    this.#detached = true;
    this.#letGo();
    await Promise.all(this.#rotators.map((rotator) => rotator.close()));
  }

  #startRotators(): Rotator[] {
    const { task, clock, log } = this.#context;
    if (!task.logs.enabled) return [];
    const { dir, maxFiles, maxFileSizeMB } = task.logs;
    const cgroup = this.#cgroup;
    const common = { dir, task: task.task, maxFiles, maxBytes: maxFileSizeMB * 1024 * 1024, clock, log };
    const freeze = cgroup === undefined ? {} : { freeze: () => cgroup.freeze() };
    return (['stdout', 'stderr'] as const).map((type) => new Rotator({ ...common, type, ...freeze }));
  }
}

/** The same process still, not one that was given its pid later; a zombie counts as ended. */
export function isAlive(state: RunState): boolean {
  // Without a process table, what has a supervisor is taken to be alive.
  if (platform() !== 'linux') return true;
  const process = readProcess(state.pid);
  return process !== undefined && process.started === state.started && process.state !== 'Z';
}
