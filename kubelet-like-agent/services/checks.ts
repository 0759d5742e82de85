import { toTimestamp, type Clock, type Duration, type Instant } from '../../base/index.ts';
import type { Check, CheckStatus } from '../../openapi/index.ts';
import type { CheckResult } from '../allocation/health.ts';
import { countFailure } from './check-restart.ts';
import type { CheckInstance } from './registrations.ts';

/** Runs one check until the signal aborts. Implemented in ../checks/. */
export type StartCheck = (options: CheckOptions) => void;

export interface CheckOptions {
  readonly check: Check;
  readonly address?: string;
  readonly port?: number;
  /** For script checks. */
  readonly exec?: Exec;
  /** Every run's verdict, thresholds applied. */
  readonly onResult: (result: { readonly phase: CheckStatus['phase']; readonly output: string }) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export type Exec = (
  command: readonly string[],
  options: { timeout: Duration; signal?: AbortSignal },
) => Promise<{ exitCode: number; output: string }>;

export interface CheckHost {
  readonly clock: Clock;
  readonly startCheck: StartCheck;
  /** The way into a running task; undefined when it does not run. */
  exec(task: string): Exec | undefined;
  taskStartedAt(task: string): Instant | undefined;
  /** A verdict changed. */
  changed(): void;
  restartTask(task: string, reason: string): void;
}

interface Running {
  readonly instance: CheckInstance;
  readonly stop: AbortController;
  status: CheckStatus;
  since: Instant;
  failures: number;
}

const OUTPUT_KEPT = 4096;

/** The checks of one allocation that run at present. */
export class CheckSet {
  readonly #host: CheckHost;
  readonly #running = new Map<string, Running>();
  #wanted: readonly CheckInstance[] = [];

  constructor(host: CheckHost) {
    this.#host = host;
  }

  /** Starts what is wanted and does not run, stops what runs and is not wanted. `ready`: its task runs. */
  sync(wanted: readonly CheckInstance[], ready: (instance: CheckInstance) => boolean): void {
    this.#wanted = wanted;
    const wantedNow = new Map(wanted.filter(ready).map((instance) => [instance.id, instance]));
    for (const [id, running] of this.#running) {
      if (wantedNow.has(id)) continue;
      running.stop.abort();
      this.#running.delete(id);
    }
    for (const [id, instance] of wantedNow) if (!this.#running.has(id)) this.#start(id, instance);
  }

  /** The last result of a check; pending before the first. */
  status(instance: CheckInstance): CheckStatus {
    return this.#running.get(instance.id)?.status ?? initialStatus(instance);
  }

  /** Everything that `alloc checks` shows. */
  list(): (CheckStatus & { service: string; task?: string })[] {
    return this.#wanted.map((instance) => ({
      ...this.status(instance),
      service: instance.service,
      ...(instance.task !== undefined && { task: instance.task }),
    }));
  }

  /** What health depends on: `on_update` may excuse warnings, or a check altogether. */
  results(): CheckResult[] {
    return this.#wanted
      .filter(({ check }) => check.onUpdate !== 'ignore')
      .map((instance) => {
        const running = this.#running.get(instance.id);
        const phase = running?.status.phase;
        const passing = phase === 'passing' || (phase === 'warning' && instance.check.onUpdate === 'ignore_warnings');
        return { passing, since: running?.since ?? 0 };
      });
  }

  close(): void {
    for (const running of this.#running.values()) running.stop.abort();
    this.#running.clear();
  }

  #start(id: string, instance: CheckInstance): void {
    const { clock, startCheck } = this.#host;
    const running: Running = {
      instance,
      stop: new AbortController(),
      status: initialStatus(instance),
      since: clock.now(),
      failures: 0,
    };
    this.#running.set(id, running);
    const exec = instance.task === undefined ? undefined : this.#host.exec(instance.task);
    startCheck({
      check: instance.check,
      ...(instance.address !== undefined && { address: instance.address }),
      ...(instance.port !== undefined && { port: instance.port }),
      ...(exec !== undefined && { exec }),
      clock,
      signal: running.stop.signal,
      onResult: (result) => this.#result(id, running, result),
    });
  }

  #result(id: string, running: Running, { phase, output }: { phase: CheckStatus['phase']; output: string }): void {
    if (this.#running.get(id) !== running) return;
    const { clock } = this.#host;
    const { instance, status } = running;
    const text = output.slice(0, OUTPUT_KEPT);
    if (status.phase !== phase) {
      running.since = clock.now();
      running.status = { ...status, phase, output: text, time: toTimestamp(clock.now()) };
      this.#host.changed();
    } else if (phase !== 'passing' && status.output !== text) {
      // A passing check's chatter (response times) is not worth a write; the reason of a failure is.
      running.status = { ...status, output: text };
      this.#host.changed();
    }
    if (instance.restart === undefined || instance.task === undefined) return;
    const startedAt = this.#host.taskStartedAt(instance.task) ?? clock.now();
    const { failures, restart } = countFailure(instance.restart, running.failures, phase, startedAt, clock.now());
    running.failures = failures;
    if (restart) this.#host.restartTask(instance.task, `healthcheck: check "${instance.check.name}" unhealthy`);
  }
}

function initialStatus({ check }: CheckInstance): CheckStatus {
  const given = check.initialStatus;
  const phase = given === 'passing' || given === 'warning' || given === 'critical' ? given : 'pending';
  return { name: check.name, phase, ...(check.type !== undefined && { type: check.type }) };
}
