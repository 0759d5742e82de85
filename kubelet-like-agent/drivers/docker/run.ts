import type Docker from 'dockerode';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describeError, sleep, type Clock, type Duration, type Logger } from '../../../base/index.ts';
import {
  DriverError,
  type ExecSession,
  type ExitResult,
  type Json,
  type TaskHandle,
  type TaskStart,
  type TaskStats,
} from '../driver.ts';
import { coreMHz } from '../process/processes.ts';
import { signalName, signalOfExitCode } from '../signals.ts';
import { FramedOutput } from './frames.ts';
import { LogCollector } from './collect.ts';
import { EngineUnreachable, reasonOf, statusOf, type Engine } from './engine.ts';
import type { Images } from './images.ts';
import { readStats, type CpuSample } from './stats.ts';

/** What finds a container again. */
export interface ContainerState {
  readonly container: string;
  readonly image: string;
  readonly imageId: string;
  readonly pulled: boolean;
  readonly digest?: string;
  readonly startedAt: number;
  readonly tty: boolean;
}

export interface ContainerContext {
  readonly task: TaskStart;
  readonly engine: Engine;
  readonly images: Images;
  readonly clock: Clock;
  readonly log: Logger;
  readonly collectLogs: boolean;
  /** False: ended containers stay for somebody to look at. */
  readonly removeContainers: boolean;
}

const DEFAULT_SIGNAL = 'SIGTERM';
const OUTPUT_LIMIT = 1 << 20;

/** One container. Whether it runs is asked of the engine whenever the engine says that something happened, or is back. */
export class ContainerRun implements TaskHandle {
  readonly #state: ContainerState;
  readonly #context: ContainerContext;
  readonly #collector: LogCollector | undefined;
  readonly #unwatch: () => void;
  readonly address?: string;
  readonly exited: Promise<ExitResult>;
  #settle!: (result: ExitResult) => void;
  #ended = false;
  #released = false;
  #removed = false;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #sample: CpuSample;

  constructor(state: ContainerState, context: ContainerContext, address: string | undefined) {
    this.#state = state;
    this.#context = context;
    if (address !== undefined && address !== '') this.address = address;
    this.#sample = { at: state.startedAt, nanoseconds: 0 };
    this.exited = new Promise((resolve) => (this.#settle = resolve));
    const { task, engine, clock, log } = context;
    if (context.collectLogs && task.logs.enabled) {
      this.#collector = new LogCollector({
        engine,
        container: state.container,
        tty: state.tty,
        task: task.task,
        logs: task.logs,
        clock,
        log,
      });
    }
    this.#unwatch = engine.watch(state.container, () => void this.#look());
    void this.#look();
  }

  get state(): Json {
    return { ...this.#state };
  }

  get startedAt(): number {
    return this.#state.startedAt;
  }

  get digest(): string {
    return this.#state.digest ?? this.#state.imageId;
  }

  /** Asks whether the container still runs. Calls that overlap are one, and one more after it. */
  #look(): Promise<void> {
    this.#lookAgain = true;
    this.#looking ??= (async () => {
      while (this.#lookAgain && !this.#ended && !this.#released) {
        this.#lookAgain = false;
        await this.#lookOnce();
      }
      this.#looking = undefined;
    })();
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { engine, log, clock } = this.#context;
    try {
      const info = await engine.call((docker, abortSignal) =>
        docker.getContainer(this.#state.container).inspect({ abortSignal }),
      );
      if (info.State.Running) return;
      await this.#end(readExit(info.State, clock.now()));
    } catch (error) {
      if (statusOf(error) === 404) {
        await this.#end({ exitCode: 137, signal: 9, oomKilled: false, error: 'the container was removed', at: clock.now() });
        return;
      }
      // The engine's return wakes us; an answer that makes no sense is asked for again with the next event.
      if (!(error instanceof EngineUnreachable)) log.warn('inspecting a container failed', { container: this.#state.container, error: describeError(error) }); // prettier-ignore
    }
  }

  async #end(result: ExitResult): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#unwatch();
    await this.#collector?.finish();
    this.#settle(result);
  }

  async kill(signal: string | undefined, timeout: Duration): Promise<void> {
    const { task, clock, engine } = this.#context;
    const name = signalName(signal ?? task.killSignal ?? DEFAULT_SIGNAL);
    const over = new AbortController();
    void this.exited.then(() => over.abort());
    const deadline = clock.now() + timeout;
    const send = async (what: string): Promise<void> => {
      // An engine that is away is waited for: nothing else can end the container.
      while (!this.#ended && !over.signal.aborted) {
        try {
          await engine.call((docker, abortSignal) =>
            docker.getContainer(this.#state.container).kill({ signal: what, abortSignal }),
          );
          return;
        } catch (error) {
          if (!(error instanceof EngineUnreachable)) break; // it does not run (any more): look
          await engine.connected(over.signal);
          await sleep(clock, 100, over.signal);
        }
      }
      await this.#look();
    };
    if (!this.#ended && timeout > 0) {
      await send(name);
      await sleep(clock, Math.max(0, deadline - clock.now()), over.signal);
    }
    if (!this.#ended) await send('SIGKILL');
    await this.exited;
  }

  async signal(signal: string): Promise<void> {
    const name = signalName(signal);
    if (this.#ended) throw new DriverError('the task is not running', { recoverable: false });
    await this.#ask('signal the task', (docker, abortSignal) =>
      docker.getContainer(this.#state.container).kill({ signal: name, abortSignal }),
    );
  }

  async exec(
    command: readonly string[],
    options: { timeout: Duration; signal?: AbortSignal },
  ): Promise<{ exitCode: number; output: string }> {
    if (this.#ended) throw new DriverError('the task is not running', { recoverable: false });
    if (command.length === 0) throw new DriverError('no command given', { recoverable: false });
    const create = { Cmd: [...command], AttachStdout: true, AttachStderr: true };
    const exec = await this.#ask('run a command in the task', (docker, abortSignal) =>
      docker.getContainer(this.#state.container).exec({ ...create, abortSignal }),
    );
    const limit = AbortSignal.timeout(options.timeout);
    const cut = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
    const stream = await this.#ask('run a command in the task', (_, abortSignal) =>
      exec.start({ hijack: true, stdin: false, abortSignal }),
    );
    const output = new FramedOutput(OUTPUT_LIMIT);
    const abort = (): void => void stream.destroy();
    cut.addEventListener('abort', abort, { once: true });
    if (cut.aborted) abort();
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) output.push(chunk);
    } catch (cause) {
      if (!cut.aborted) throw new DriverError('the command was cut off', { recoverable: true, cause });
    } finally {
      cut.removeEventListener('abort', abort);
      stream.destroy();
    }
    const info = await this.#ask('run a command in the task', (_, abortSignal) => exec.inspect({ abortSignal }));
    if (cut.aborted) {
      // The engine has no way to end a command; on its own machine the process is at hand.
      if (info.Running && info.Pid > 1) killQuietly(info.Pid);
      throw new DriverError(limit.aborted ? `the command did not end within ${options.timeout / 1000}s` : 'the command was cancelled', { recoverable: true }); // prettier-ignore
    }
    return { exitCode: info.ExitCode ?? 0, output: output.text() };
  }

  async execStream(command: readonly string[], { tty }: { tty: boolean }): Promise<ExecSession> {
    if (this.#ended) throw new DriverError('the task is not running', { recoverable: false });
    if (command.length === 0) throw new DriverError('no command given', { recoverable: false });
    const what = 'run a command in the task';
    const create = { Cmd: [...command], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty };
    const exec = await this.#ask(what, (docker, abortSignal) => docker.getContainer(this.#state.container).exec({ ...create, abortSignal })); // prettier-ignore
    const stream = await this.#ask(what, () => exec.start({ hijack: true, stdin: true, Tty: tty }));
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    if (tty) stream.pipe(stdout);
    else exec.modem.demuxStream(stream, stdout, stderr);
    const inspect = (): Promise<Docker.ExecInspectInfo> => this.#ask(what, (_, abortSignal) => exec.inspect({ abortSignal }));
    const exited = once(stream, 'close')
      .catch(() => undefined)
      .then(async () => {
        stdout.end();
        stderr.end();
        return (await inspect()).ExitCode ?? 0;
      })
      .catch(() => 1);
    // The engine closes its end; what is half open here would wait for ours.
    stream.once('end', () => stream.destroy());
    return {
      stdin: stream,
      stdout,
      ...(!tty && { stderr }),
      exited,
      resize: (rows, columns) => this.#ask('resize the terminal', () => exec.resize({ h: rows, w: columns }) as Promise<void>),
      kill: () => {
        stream.destroy();
        // The engine has no way to end a command; on its own machine the process is at hand.
        void inspect().then(({ Running, Pid }) => void (Running && Pid > 1 && killQuietly(Pid)), () => undefined); // prettier-ignore
      },
    };
  }

  async stats(): Promise<TaskStats | undefined> {
    if (this.#ended) return undefined;
    try {
      // One-shot: without it the engine takes a second for two samples.
      const query = { stream: false as const, 'one-shot': true };
      const raw = await this.#context.engine.call((docker) => docker.getContainer(this.#state.container).stats(query), {
        timeout: 5000,
      });
      const read = readStats(raw, this.#sample, this.#context.clock.now(), coreMHz());
      if (read === undefined) return undefined;
      this.#sample = read.sample;
      return read.stats;
    } catch {
      return undefined; // ended this moment, or the engine is away
    }
  }

  async destroy(): Promise<void> {
    if (!this.#ended) await this.kill('SIGKILL', 0);
    await this.exited;
    if (this.#removed) return;
    const { engine, images, log, removeContainers } = this.#context;
    try {
      if (removeContainers) await removeContainer(engine, this.#state.container);
    } catch (error) {
      // Not lost: the next start of the task removes it, and so does the search for orphans.
      log.warn('a container was left behind', { container: this.#state.container, error: describeError(error) });
    }
    this.#removed = true;
    if (!this.#released) images.release(this.#state.imageId);
    this.#released = true;
  }

  async detach(): Promise<void> {
    this.#unwatch();
    await this.#collector?.detach();
    if (!this.#released) this.#context.images.release(this.#state.imageId);
    this.#released = true;
    await this.#looking;
  }

  async #ask<T>(what: string, ask: (docker: Docker, signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await this.#context.engine.call(ask);
    } catch (cause) {
      throw toDriverError(`failed to ${what}`, cause);
    }
  }
}

function readExit(state: Docker.ContainerInspectInfo['State'], now: number): ExitResult {
  const at = Date.parse(state.FinishedAt);
  return {
    exitCode: state.ExitCode,
    signal: signalOfExitCode(state.ExitCode),
    oomKilled: state.OOMKilled,
    ...exitError(state),
    at: at > 0 ? at : now,
  };
}

function exitError({ Error: error, ExitCode, OOMKilled }: Docker.ContainerInspectInfo['State']): { readonly error?: string } {
  if (error !== '') return { error };
  return ExitCode === 0 || OOMKilled ? {} : { error: `Docker container exited with non-zero exit code: ${ExitCode}` };
}

/** Removes a container and its anonymous volumes, running or not; fine when there is none. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  try {
    await engine.call((docker, abortSignal) => docker.getContainer(id).remove({ force: true, v: true, abortSignal }));
  } catch (cause) {
    if (statusOf(cause) === 404) return;
    // Somebody is removing it already.
    if (statusOf(cause) === 409 && /already in progress/.test(reasonOf(cause))) {
      await engine
        .call((docker, abortSignal) => docker.getContainer(id).wait({ condition: 'removed', abortSignal }))
        .catch(() => undefined);
      return;
    }
    throw toDriverError('failed to remove the container', cause);
  }
}

export function toDriverError(what: string, cause: unknown): DriverError {
  if (cause instanceof DriverError) return cause;
  if (cause instanceof EngineUnreachable)
    return new DriverError(`${what}: ${cause.message}`, { recoverable: true, cause: cause.cause });
  return new DriverError(`${what}: ${reasonOf(cause)}`, { recoverable: (statusOf(cause) ?? 500) >= 500 });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone, or not ours to end.
  }
}
