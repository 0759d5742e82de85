import type { Clock, Instant } from '../../base/index.ts';
import type { CheckStatus } from '../../openapi/index.ts';
import type { CheckResult } from '../allocation/health.ts';
import type { ExecInTask, RunningCheck, startCheck } from '../checks/index.ts';
import { countFailure } from './check-restart.ts';
import type { CheckInstance } from './registrations.ts';

/** As ../checks exports it. */
export type StartCheck = typeof startCheck;

export interface CheckHost {
  readonly clock: Clock;
  readonly startCheck: StartCheck;
  /** The way into a running task; undefined when it does not run. */
  exec(task: string): ExecInTask | undefined;
  taskStartedAt(task: string): Instant | undefined;
  /** A verdict changed. */
  changed(): void;
  restartTask(task: string, reason: string): void;
}

interface Running {
  readonly instance: CheckInstance;
  check: RunningCheck | undefined;
  status: CheckStatus;
  since: Instant;
  failures: number;
}

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
      void running.check?.close();
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
    for (const running of this.#running.values()) void running.check?.close();
    this.#running.clear();
  }

  #start(id: string, instance: CheckInstance): void {
    const { clock, startCheck } = this.#host;
    const { check, address, port, task } = instance;
    const running: Running = { instance, check: undefined, status: initialStatus(instance), since: clock.now(), failures: 0 };
    this.#running.set(id, running);
    const exec = task === undefined ? undefined : this.#host.exec(task);
    running.check = startCheck({
      check,
      ...(address !== undefined && port !== undefined && { address, port }),
      ...(exec !== undefined && { exec }),
      clock,
      onResult: (status) => this.#result(id, running, status),
    });
    running.status = running.check.status;
  }

  #result(id: string, running: Running, status: CheckStatus): void {
    if (this.#running.get(id) !== running) return;
    const { clock } = this.#host;
    const { instance, status: before } = running;
    const { phase } = status;
    // A passing check's chatter (response times) is not worth a write; the reason of a failure is.
    const news = before.phase !== phase || (phase !== 'passing' && before.output !== status.output);
    if (before.phase !== phase) running.since = clock.now();
    if (news) {
      running.status = status;
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
