import { backoff, describeError, sleep, type Clock, type Duration, type Logger, type Timer } from '../../base/index.ts';
import type { TaskEvent } from '../../openapi/index.ts';
import { DriverError, type Driver, type ExitResult, type TaskHandle, type TaskStart } from '../drivers/driver.ts';
import { HookError, type TaskHooks } from '../hooks/index.ts';
import { taskEvents } from './events.ts';
import { resume, step, type Step, type TaskContext, type TaskEffect, type TaskInput, type TaskRecord } from './machine.ts';

/** What an allocation gives to each of its tasks. */
export interface TaskHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly driver: Driver | undefined;
  /** What the job says now; it may change with an in-place update. */
  rules(): Omit<TaskContext, 'now' | 'random'>;
  killSignal(): string | undefined;
  /** Makes directories. Throws what users shall read when it cannot. */
  prepare(): Promise<void>;
  taskStart(): Omit<TaskStart, 'report' | 'signal'>;
  /** What is done around a run, as the job has it now. */
  readonly hooks: TaskHooks;
  /** Resolves when every record as it is now is on disk. */
  durable(): Promise<void>;
  /** The record is another one. */
  changed(): void;
  /** The task is about to be killed: nobody shall be sent to it any more. */
  deregister(): void;
}

const RECOVER_RETRY = { base: 500, max: 30_000 };
const KILL_RETRY = 5000;

/** Does what the state machine of one task asks for, and tells it what came of it. */
export class TaskRunner {
  readonly name: string;
  readonly #host: TaskHost;
  #record: TaskRecord;
  #handle: TaskHandle | undefined;
  #starting: AbortController | undefined;
  #timer: Timer | undefined;
  /** The directories are there. Not remembered over a restart: after a reboot what was in memory is gone. */
  #prepared = false;
  /** Effects that talk to the driver, one after the other. */
  #work: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(host: TaskHost, record: TaskRecord) {
    this.name = record.status.name;
    this.#host = host;
    this.#record = record;
  }

  get record(): TaskRecord {
    return this.#record;
  }

  /** The run, while there is one. */
  get handle(): TaskHandle | undefined {
    return this.#handle;
  }

  /** Goes on where the record was left. */
  resume(sameBoot: boolean): void {
    this.#take(resume(this.#record, sameBoot));
  }

  send(input: TaskInput): void {
    if (this.#closing.signal.aborted) return;
    const { clock, random } = this.#host;
    this.#take(step(this.#record, input, { ...this.#host.rules(), now: clock.now(), random: random() }));
  }

  note(event: TaskEvent): void {
    this.send({ type: 'note', event });
  }

  /** Sends a signal to the run. Throws DriverError when there is none. */
  async signal(signal: string, why = 'User requested task to be signaled'): Promise<void> {
    if (this.#handle === undefined || this.#record.phase.at !== 'running')
      throw new DriverError(`task "${this.name}" is not running`, { recoverable: true });
    await this.#handle.signal(signal);
    this.note(taskEvents.signaling(this.#host.clock.now(), signal, why));
  }

  /** Lets go of the run; it goes on. A start under way is undone or noted. */
  async detach(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    this.#starting?.abort();
    await this.#work;
    await this.#host.hooks.close();
    await this.#handle?.detach();
  }

  #take({ record, effects }: Step): void {
    const changed = record !== this.#record;
    this.#record = record;
    if (changed) this.#host.changed();
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: TaskEffect): void {
    const { clock } = this.#host;
    switch (effect.do) {
      case 'prepare':
        return this.#queue(() => this.#prepare());
      case 'start':
        return this.#queue(() => this.#start());
      case 'recover':
        return this.#queue(() => this.#recover(effect.handle));
      case 'destroy':
        return this.#queue(() => this.#destroy());
      case 'abortStart':
        this.#starting?.abort();
        return;
      case 'deregister':
        return this.#host.deregister();
      case 'kill':
        // Not in the queue: it lasts until the run has ended.
        void this.#kill(this.#host.rules().killTimeout);
        return;
      case 'wake':
        this.#timer?.cancel();
        this.#timer = clock.after(effect.at - clock.now(), () => this.send({ type: 'due' }));
    }
  }

  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      try {
        if (!this.#closing.signal.aborted) await work();
      } catch (error) {
        this.#host.log.error('task work failed', { task: this.name, error });
      }
    });
  }

  async #prepare(): Promise<void> {
    try {
      await this.#host.prepare();
      this.#prepared = true;
      this.send({ type: 'prepared' });
    } catch (error) {
      this.send({ type: 'unfit', event: taskEvents.setupFailure(this.#host.clock.now(), describeError(error)) });
    }
  }

  async #start(): Promise<void> {
    const { driver } = this.#host;
    // Asked for on disk before it is asked of the driver: a run that was never noted is then looked for, not doubled.
    try {
      await this.#host.durable();
    } catch (error) {
      this.send({
        type: 'startFailed',
        message: `cannot save the state of the task: ${describeError(error)}`,
        recoverable: true,
      });
      return;
    }
    if (this.#record.phase.at !== 'starting') {
      this.send({ type: 'startFailed', message: 'stopped before it was started', recoverable: true });
      return;
    }
    const controller = (this.#starting = new AbortController());
    try {
      if (!this.#prepared) await this.#host.prepare();
      this.#prepared = true;
      if (driver === undefined) throw new DriverError('the driver is not available on this node', { recoverable: false });
      await this.#host.hooks.prepare(controller.signal);
      const task = { ...this.#host.taskStart(), report: this.#report(), signal: controller.signal };
      const problems = driver.validate(task.config);
      if (problems.length > 0) throw new DriverError(problems.join('; '), { recoverable: false });
      this.#adopt(await driver.start(task));
    } catch (error) {
      const recoverable = !(error instanceof DriverError || error instanceof HookError) || error.recoverable;
      const event = error instanceof HookError ? { event: error.event } : {};
      this.send({ type: 'startFailed', message: describeError(error), recoverable, ...event });
    } finally {
      this.#starting = undefined;
    }
  }

  #report(): TaskStart['report'] {
    return (message, details) => this.send({ type: 'report', message, ...(details !== undefined && { details }) });
  }

  #adopt(handle: TaskHandle): void {
    this.#handle = handle;
    const started: TaskInput = {
      type: 'started',
      handle: handle.state,
      at: handle.startedAt,
      ...(handle.digest !== undefined && { digest: handle.digest }),
      ...(handle.address !== undefined && { address: handle.address }),
    };
    if (this.#closing.signal.aborted) {
      // The agent is leaving, yet the run exists: note it, so that the next agent finds it.
      this.#record = step(this.#record, started, { ...this.#host.rules(), now: this.#host.clock.now(), random: 0 }).record;
      this.#host.changed();
    } else {
      this.send(started);
      this.#host.hooks.follow();
    }
    void handle.exited.then((exit) => {
      if (this.#handle !== handle) return;
      this.#host.hooks.rest();
      this.send({ type: 'exited', exit });
    });
  }

  /** Until it is known: an engine that cannot be asked is no reason to believe that a task has ended. */
  async #recover(state: Parameters<Driver['recover']>[0] | undefined): Promise<void> {
    const { driver, clock, log } = this.#host;
    for (let attempt = 0; !this.#closing.signal.aborted; attempt++) {
      try {
        const task = { ...this.#host.taskStart(), report: this.#report(), signal: this.#closing.signal };
        const handle = await driver?.recover(state ?? null, task);
        if (handle !== undefined) this.#adopt(handle);
        else this.#notFound();
        return;
      } catch (error) {
        const level = attempt === 0 ? 'warn' : 'debug';
        log[level]('cannot look for the task yet', { task: this.name, error: describeError(error) });
        const wait = backoff(attempt, RECOVER_RETRY.base, RECOVER_RETRY.max, this.#host.random);
        await sleep(clock, wait, this.#closing.signal);
      }
    }
  }

  #notFound(): void {
    const { phase } = this.#record;
    if (phase.at === 'starting') return this.#perform({ do: 'start' });
    if (phase.at === 'stopping' && phase.step === 'aborting')
      return this.send({ type: 'startFailed', message: 'the start was given up', recoverable: true });
    this.send({ type: 'exited', exit: unseenExit('the task was gone when the agent came back', this.#host.clock.now()) });
  }

  async #kill(timeout: Duration): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    try {
      await handle.kill(this.#host.killSignal(), timeout);
    } catch (error) {
      const { log, clock } = this.#host;
      log.warn('cannot end the task, trying again', { task: this.name, error: describeError(error) });
      this.#timer?.cancel();
      this.#timer = clock.after(KILL_RETRY, () => {
        if (this.#handle === handle && !this.#closing.signal.aborted) void this.#kill(timeout);
      });
    }
  }

  async #destroy(): Promise<void> {
    const { driver } = this.#host;
    const { remains } = this.#record;
    // The exit is on disk first: after this it could not be asked for again.
    await this.#host.durable();
    const task = { ...this.#host.taskStart(), report: () => undefined, signal: this.#closing.signal };
    const handle = this.#handle ?? (remains === undefined ? undefined : await driver?.recover(remains, task));
    this.#handle = undefined;
    await handle?.destroy();
    this.send({ type: 'destroyed' });
  }
}

/** An exit that nobody saw, so without a code. */
export const unseenExit = (why: string, at: number): ExitResult => ({
  exitCode: -1,
  signal: 0,
  oomKilled: false,
  error: why,
  at,
});
