/**
 * One allocation on this node: its directories, its tasks in their order, its services and checks, the verdict on its health,
 * and the status that follows. Decisions are pure and live beside it (`coordinate`, `health`, `status`, `../task/machine`);
 * after any change `#settle` asks them all again and does what differs.
 */
import { join } from 'node:path';
import {
  describeError,
  durationOr,
  formatDuration,
  parseDuration,
  toTimestamp,
  type Clock,
  type Duration,
  type Instant,
  type Logger,
  type Timer,
} from '../../base/index.ts';
import { pathsOfTask } from '../../openapi/index.ts';
import type { Allocation, AllocationStatus, CheckStatus, JobSpec, Stored, Task, TaskGroup } from '../../openapi/index.ts';
import type { AgentConfig } from '../config.ts';
import { validateCheck } from '../checks/index.ts';
import { DriverError, type Driver, type TaskHandle, type TaskStats } from '../drivers/driver.ts';
import { TaskHooks, type TemplateChange } from '../hooks/index.ts';
import type { ServiceBook } from '../services/book.ts';
import type { Catalog } from '../services/catalog.ts';
import type { Variables } from '../services/variables.ts';
import { CheckSet, type StartCheck } from '../services/checks.ts';
import {
  allServices,
  isOffered,
  registration,
  serviceInstances,
  serviceProblems,
  serviceStatus,
  type ServiceInstance,
} from '../services/registrations.ts';
import type { JsonFolder } from '../state/store.ts';
import type { Outbox } from '../status/outbox.ts';
import type { NodeFacts } from '../task/env.ts';
import { interpolateAll } from '../task/interpolate.ts';
import { taskEvents } from '../task/events.ts';
import { isDead, newTask, type TaskRecord } from '../task/machine.ts';
import { restartRules } from '../task/restart.ts';
import { TaskRunner, unseenExit, type TaskHost } from '../task/runner.ts';
import { taskStart, variablesOf } from '../task/start.ts';
import { coordinate, restartsOnSuccess, type Member } from './coordinate.ts';
import { isSafeName, type AllocationDirs, type SecretMounts } from './dirs.ts';
import { decideHealth, healthRules, pause, type HealthClock } from './health.ts';
import { portInUse } from './ports.ts';
import type { AllocationRecord, HealthRecord } from './record.ts';
import { unsupported } from './refuse.ts';
import { allocationKey, allocationStatus, expiredPhase, isTerminalPhase, statusLetter } from './status.ts';

/** What the node gives to each of its allocations. */
export interface AllocationHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly config: AgentConfig;
  readonly bootId: string;
  readonly node: () => NodeFacts;
  readonly driver: (name: string) => Driver | undefined;
  readonly state: JsonFolder<AllocationRecord>;
  readonly outbox: Outbox;
  readonly services: ServiceBook;
  readonly catalog: Pick<Catalog, 'services' | 'on'>;
  readonly variables: Pick<Variables, 'reader'>;
  readonly mounts: SecretMounts;
  readonly startCheck: StartCheck;
  readonly dirs: (id: string) => AllocationDirs;
  /** All of its tasks have ended. */
  readonly finished: (id: string) => void;
}

export class AllocationRunner {
  readonly id: string;
  readonly dirs: AllocationDirs;
  readonly #host: AllocationHost;
  readonly #log: Logger;
  #allocation: Stored<Allocation>;
  #job: JobSpec;
  #group: TaskGroup;
  readonly #tasks: TaskRunner[] = [];
  readonly #checks: CheckSet;
  #goal: 'run' | 'stop' = 'run';
  #stopAt: Instant | undefined;
  #health: HealthRecord;
  #startedAt: Instant;
  #expired: boolean;
  #finishedAt: Instant | undefined;
  #reconnectedAt: string | undefined;
  #instances: readonly ServiceInstance[] = [];
  /** Services that a task on its way to death no longer offers. */
  #settling = false;
  #ready = false;
  #closed = false;
  #saving = false;
  #wiped: Promise<void> = Promise.resolve();
  #waiters: { readonly name: string; readonly resolve: () => void }[] = [];
  #healthTimer: Timer | undefined;
  #stopTimer: Timer | undefined;
  #expiryTimer: Timer | undefined;
  /** The status as last posted, without its time; and as the server acknowledged it. */
  #posted = '';
  #acknowledged = '';
  #acknowledgedAt = 0;
  #serverPhase: string | undefined;

  constructor(host: AllocationHost, allocation: Stored<Allocation>, job: JobSpec, restored?: AllocationRecord) {
    this.id = allocation.metadata.name;
    this.#host = host;
    this.#log = host.log.child('alloc', { alloc: this.id });
    this.dirs = host.dirs(this.id);
    this.#allocation = withoutStatus(allocation);
    this.#job = job;
    this.#group = groupOf(job, allocation.spec.group);
    const now = host.clock.now();
    this.#goal = restored?.goal ?? 'run';
    this.#stopAt = restored?.stopAt;
    this.#startedAt = restored?.startedAt ?? now;
    this.#expired = restored?.expired ?? false;
    this.#finishedAt = restored?.finishedAt;
    this.#reconnectedAt = restored?.reconnectedAt;
    this.#health = restored?.health ?? newHealth(allocation, now);
    for (const task of this.#group.tasks ?? []) {
      const record = restored?.tasks.find((t) => t.status.name === task.name) ?? newTask(task.name, now);
      this.#tasks.push(new TaskRunner(this.#taskHost(task.name), record));
    }
    this.#checks = new CheckSet({
      clock: host.clock,
      startCheck: host.startCheck,
      exec: (name) => {
        const handle = this.#task(name)?.handle;
        return handle === undefined ? undefined : (command, options) => handle.exec(command, options);
      },
      taskStartedAt: (name) => {
        const at = this.#task(name)?.record.status.startedAt;
        return at === undefined ? undefined : Date.parse(at);
      },
      changed: () => this.#settle(),
      restartTask: (name, reason) => this.#task(name)?.send({ type: 'restart', reason, unhealthy: true }),
    });
  }

  /** Its job, or the job that this one is a child of. */
  get family(): string {
    return this.#job.parentID ?? this.#allocation.spec.jobName;
  }

  get allocation(): Stored<Allocation> {
    return this.#allocation;
  }

  get #key(): string {
    return allocationKey(this.id);
  }

  get goal(): 'run' | 'stop' {
    return this.#goal;
  }

  get finishedAt(): Instant | undefined {
    return this.#finishedAt;
  }

  get isTerminal(): boolean {
    return this.#tasks.every((t) => isDead(t.record));
  }

  /** The server knows the status as it is. */
  get isReported(): boolean {
    return this.#acknowledged !== '' && this.#acknowledged === this.#posted;
  }

  /** Whether the driver may hold a run of it: what removeOrphans must spare. */
  get mayHaveRuns(): boolean {
    return this.#tasks.some((t) => ['starting', 'running', 'stopping'].includes(t.record.phase.at));
  }

  /** `disconnect { stop_on_client_after }`: for how long it may go on without a server. */
  get stopsAloneAfter(): Duration | undefined {
    const { disconnect, stopAfterClientDisconnect } = this.#group;
    return parseDuration(disconnect?.stopOnClientAfter ?? stopAfterClientDisconnect);
  }

  /** Begins a new allocation. */
  start(previous: AllocationDirs | undefined): void {
    void this.#setUp(previous).catch((error: unknown) => {
      const text = describeError(error);
      for (const task of this.#tasks) task.send({ type: 'unfit', event: taskEvents.setupFailure(this.#host.clock.now(), text) });
    });
    this.#settle();
  }

  /** Goes on with one from disk. `sameBoot` false: whatever ran is gone with the machine's uptime. */
  resume(sameBoot: boolean, previous: AllocationDirs | undefined): void {
    // Nothing had been started: the beginning is idempotent, so begin again.
    if (this.#tasks.every((t) => t.record.phase.at === 'waiting') && this.#goal === 'run') return this.start(previous);
    this.#ready = true;
    // What is on disk was told, or will be found out not to have been once the server's view is known.
    this.#posted = canonical(this.#status());
    for (const task of this.#tasks) {
      if (sameBoot) task.resume(true);
      else this.#rebooted(task);
    }
    if (this.#stopAt !== undefined)
      this.#stopTimer = this.#host.clock.after(this.#stopAt - this.#host.clock.now(), () => this.#stopTasks());
    this.#settle();
  }

  /** The spec changed, with the job that it now runs: counts, services, checks, timeouts; nothing restarts. */
  update(allocation: Stored<Allocation>, job: JobSpec): void {
    const before = this.#allocation.spec;
    this.#allocation = withoutStatus(allocation);
    this.#job = job;
    this.#group = groupOf(job, allocation.spec.group);
    if (allocation.spec.deployment !== before.deployment) this.#health = newHealth(allocation, this.#host.clock.now());
    this.#save();
    this.#settle();
  }

  /** Ends it: services first, then the delay, then the tasks in their order. */
  stop(skipDelay: boolean): void {
    if (this.#goal === 'stop' || this.isTerminal) return;
    const { clock } = this.#host;
    this.#goal = 'stop';
    const because = this.#expired ? 'its max_run_duration is over' : this.#allocation.spec.desiredDescription;
    this.#log.info('stopping allocation', { because: because ?? 'it is not wanted any more' });
    const delay = skipDelay || !this.#ready ? 0 : durationOr(this.#group.shutdownDelay, 0);
    if (delay > 0) {
      this.#stopAt = clock.now() + delay;
      this.#stopTimer = clock.after(delay, () => this.#stopTasks());
    }
    this.#save();
    this.#settle();
  }

  #stopTasks(): void {
    this.#stopAt = undefined;
    this.#settle();
  }

  /** What the server has, whenever it changes. Repairs a status that is not ours. */
  serverStatus(object: Stored<Allocation>): void {
    const { status, metadata } = object;
    if (Number(metadata.resourceVersion) < this.#acknowledgedAt) return;
    const reconnected = status?.phase === 'unknown' && this.#serverPhase !== 'unknown';
    this.#serverPhase = status?.phase;
    if (reconnected && !this.isTerminal) {
      const now = this.#host.clock.now();
      this.#reconnectedAt = toTimestamp(now);
      for (const task of this.#tasks) if (!isDead(task.record)) task.note(taskEvents.reconnected(now));
    }
    // What is on its way will be the answer.
    if (this.#host.outbox.has(this.#key)) return;
    const current = this.#status();
    if (status?.phase !== current.phase || status?.jobVersion !== current.jobVersion) this.#posted = '';
    else if (this.#acknowledged === '') {
      // After a restart of the agent: what the server has already need not be sent again.
      const { modifiedAt: _at, ...known }: AllocationStatus = status ?? {};
      const text = canonical(current);
      if (text === canonical(known)) this.#posted = this.#acknowledged = text;
      else this.#posted = '';
    }
    this.#post();
  }

  /** Restarts one task, or all that run. */
  restart(name: string | undefined): string[] {
    const chosen = this.#tasks.filter((t) => t.record.phase.at === 'running' && (name === undefined || t.name === name));
    const reason = name === undefined ? 'User requested running tasks to restart' : 'User requested task to restart';
    for (const task of chosen) task.send({ type: 'restart', reason });
    return chosen.map((t) => t.name);
  }

  async signal(name: string | undefined, signal: string): Promise<string[]> {
    const chosen = this.#tasks.filter((t) => (name === undefined ? t.record.phase.at === 'running' : t.name === name));
    for (const task of chosen) await task.signal(signal);
    return chosen.map((t) => t.name);
  }

  /** The run of a task. Throws DriverError when there is none. */
  runningTask(name: string): TaskHandle {
    const task = this.#task(name);
    if (task?.handle === undefined || task.record.phase.at !== 'running')
      throw new DriverError(`task "${name}" is not running`, { recoverable: true });
    return task.handle;
  }

  /** The command line of an action of a task, as the node sees it; undefined when the task has none of that name. */
  action(task: string, name: string): string[] | undefined {
    const action = this.#group.tasks?.find((one) => one.name === task)?.actions?.find((one) => one.name === name);
    if (action?.command === undefined) return undefined;
    return interpolateAll([action.command, ...(action.args ?? [])], this.#variables(task));
  }

  hasTask(name: string): boolean {
    return this.#tasks.some((t) => t.name === name);
  }

  taskNames(): string[] {
    return this.#tasks.map((t) => t.name);
  }

  taskRecord(name: string): TaskRecord | undefined {
    return this.#task(name)?.record;
  }

  async stats(): Promise<({ name: string } & TaskStats)[]> {
    const all = await Promise.all(
      this.#tasks.map(async (task) => {
        const stats = await task.handle?.stats().catch(() => undefined);
        return stats === undefined ? [] : [{ name: task.name, ...stats }];
      }),
    );
    return all.flat();
  }

  checks(): (CheckStatus & { service: string; task?: string })[] {
    return this.#checks.list();
  }

  logFiles(task: string): { maxFiles: number } {
    return { maxFiles: this.#definition(task)?.logs?.maxFiles ?? 10 };
  }

  /** Resolves when the task is dead, or nobody here watches it any more. */
  ended(name: string): Promise<void> {
    const record = this.#task(name)?.record;
    if (record === undefined || isDead(record) || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ name, resolve }));
  }

  /** Lets go: tasks go on, the next agent finds them. */
  async detach(): Promise<void> {
    this.#closed = true;
    this.#healthTimer?.cancel();
    this.#stopTimer?.cancel();
    this.#expiryTimer?.cancel();
    this.#checks.close();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    await Promise.all(this.#tasks.map((task) => task.detach()));
    await this.#wiped;
    await this.#writeNow();
  }

  async #setUp(previous: AllocationDirs | undefined): Promise<void> {
    const { clock } = this.#host;
    const problems = this.#problems();
    if (problems.length > 0) {
      for (const task of this.#tasks)
        task.send({ type: 'unfit', event: taskEvents.failedValidation(clock.now(), problems.join('; ')) });
      return;
    }
    await this.dirs.buildShared();
    if (previous !== undefined && this.#group.ephemeralDisk?.sticky) await this.dirs.inherit(previous, this.#tasks.map((t) => t.name)); // prettier-ignore
    const taken = await portInUse(this.#allocation.spec.resources?.ports ?? []);
    if (taken !== undefined) {
      for (const task of this.#tasks) task.send({ type: 'unfit', event: taskEvents.driverFailure(clock.now(), taken) });
      return;
    }
    if (this.#closed) return;
    this.#ready = true;
    this.#settle();
  }

  #problems(): string[] {
    const ports = this.#allocation.spec.resources?.ports ?? [];
    const all = [
      ...serviceProblems(this.#group, ports),
      ...allServices(this.#group).flatMap(({ service }) =>
        (service.checks ?? []).flatMap((check) =>
          validateCheck(check).map((p) => `check "${check.name ?? ''}" of service "${service.name ?? ''}": ${p}`),
        ),
      ),
      ...(this.#group.tasks ?? []).flatMap((task) => unsupported(this.#group, task, task.driver ?? '')),
    ];
    return [...new Set(all)];
  }

  /** After a reboot: a service's place is decided anew, a system job belongs to this node. */
  #rebooted(task: TaskRunner): void {
    const exit = unseenExit('the machine was restarted', this.#host.clock.now());
    const { at } = task.record.phase;
    const here = this.#allocation.spec.jobType === 'system' || this.#allocation.spec.jobType === 'sysbatch';
    if (at === 'stopping') {
      if (task.record.phase.step === 'aborting')
        task.send({ type: 'startFailed', message: exit.error ?? '', recoverable: false });
      else task.send({ type: 'exited', exit });
    } else if (at === 'running' && here) task.send({ type: 'exited', exit });
    else if (at === 'running' || at === 'starting') task.send({ type: 'unfit', event: taskEvents.terminated(exit.at, exit) });
    else task.resume(false);
  }

  /** Asks every decision again, until nothing changes. Cheap and idempotent; called after each change. */
  #settle(): void {
    if (this.#closed || this.#settling) return;
    this.#settling = true;
    try {
      this.#settleExpiry();
      // Orders change records, which may lead to other orders; a task's life is short enough for this to end.
      for (let changed = true; changed;) {
        const before = this.#tasks.map((t) => t.record);
        this.#coordinate();
        changed = this.#tasks.some((t, i) => t.record !== before[i]);
      }
      this.#settleServices();
      this.#settleHealth();
      this.#settleEnd();
    } finally {
      this.#settling = false;
    }
    this.#post();
  }

  /** `max_run_duration` counts from the beginning, whatever the tasks do; delays of the stop come on top. */
  #settleExpiry(): void {
    this.#expiryTimer?.cancel();
    const limit = this.#maxRunDuration;
    if (limit <= 0 || this.#goal === 'stop' || this.isTerminal) return;
    const { clock } = this.#host;
    const left = this.#startedAt + limit - clock.now();
    if (left > 0) {
      this.#expiryTimer = clock.after(left, () => this.#settle());
      return;
    }
    this.#expired = true;
    this.stop(false);
  }

  get #maxRunDuration(): Duration {
    return durationOr(this.#group.maxRunDuration, 0);
  }

  #coordinate(): void {
    if (this.#stopAt !== undefined || (!this.#ready && this.#goal === 'run')) return;
    const expired = this.#expired ? `Allocation exceeded max_run_duration of ${formatDuration(this.#maxRunDuration)}` : undefined;
    const skipDelay = this.#allocation.spec.desiredTransition?.noShutdownDelay === true;
    for (const order of coordinate(this.#members(), this.#goal, this.#host.clock.now(), expired)) {
      const task = this.#task(order.task);
      if (order.order === 'go') task?.send({ type: 'go' });
      else task?.send({ type: 'stop', skipDelay, ...(order.because !== undefined && { because: order.because }) });
    }
  }

  #settleServices(): void {
    const members = this.#members();
    const instances = serviceInstances({
      allocation: this.#allocation,
      group: this.#group,
      node: this.#host.node(),
      variables: (name) => this.#variables(name),
      addresses: Object.fromEntries(
        this.#tasks.flatMap((t) => (t.record.address === undefined ? [] : [[t.name, t.record.address]])),
      ),
    });
    const offered = this.#goal === 'run' ? instances.filter((i) => isOffered(i, members)) : [];
    this.#checks.sync(
      offered.flatMap((i) => i.checks),
      (check) => {
        const needed = check.task === undefined ? offered.find((i) => i.checks.includes(check))!.tasks : [check.task];
        return needed.every((name) => this.#task(name)?.record.phase.at === 'running');
      },
    );
    this.#instances = instances;
    this.#host.services.set(
      this.id,
      offered.map((i) => registration(i, this.#allocation, serviceStatus(i, members, i.checks.map((c) => this.#checks.status(c))))), // prettier-ignore
    );
  }

  #settleHealth(): void {
    const { clock } = this.#host;
    this.#healthTimer?.cancel();
    if (this.#health.verdict !== undefined || this.#goal === 'stop') return;
    const rules = healthRules(this.#allocation.spec, this.#group);
    if (rules === undefined) return;
    const now = clock.now();
    const watch = pause(this.#health.clock, this.#tasks.some(isDownloading), now);
    if (watch !== this.#health.clock) this.#health = { ...this.#health, clock: watch };
    // Checks that do not run yet have not passed yet.
    const expected = this.#instances.reduce((sum, i) => sum + i.checks.filter((c) => c.check.onUpdate !== 'ignore').length, 0);
    const results = this.#checks.results();
    const missing = Array.from({ length: Math.max(0, expected - results.length) }, () => ({ passing: false, since: now }));
    const verdict = decideHealth(rules, watch, this.#members(), [...results, ...missing], now);
    switch (verdict.state) {
      case 'healthy':
        this.#health = { ...this.#health, verdict: { healthy: true, time: toTimestamp(now), ...this.#judgedFor() } };
        this.#save();
        break;
      case 'unhealthy':
        this.#health = {
          ...this.#health,
          verdict: { healthy: false, time: toTimestamp(now), reason: verdict.reason, ...this.#judgedFor() },
        };
        this.#log.warn('allocation is unhealthy', { because: verdict.reason });
        for (const task of this.#tasks) task.note(taskEvents.allocUnhealthy(now, verdict.reason));
        this.#save();
        break;
      case 'undecided':
        if (verdict.wakeAt !== undefined) this.#healthTimer = clock.after(verdict.wakeAt - now, () => this.#settle());
    }
  }

  /** A verdict says which deployment it is for: a later one must not take it for its own. */
  #judgedFor(): { deployment?: string } {
    const { deployment } = this.#allocation.spec;
    return deployment === undefined ? {} : { deployment };
  }

  #settleEnd(): void {
    const over = this.#waiters.filter(({ name }) => isDead(this.#task(name)!.record));
    this.#waiters = this.#waiters.filter((w) => !over.includes(w));
    for (const { resolve } of over) resolve();
    if (!this.isTerminal || this.#finishedAt !== undefined) return;
    this.#finishedAt = this.#host.clock.now();
    this.#stopTimer?.cancel();
    this.#checks.close();
    this.#save();
    this.#log.info('allocation ended', { phase: this.#status().phase });
    this.#wiped = this.dirs
      .wipeSecrets(this.taskNames().filter(isSafeName), this.#host.mounts)
      .catch((error: unknown) => this.#log.warn('cannot remove secrets', { error }));
    this.#host.finished(this.id);
  }

  /** Owes the server the status when it is another than the one it was told. */
  #post(): void {
    if (this.#closed) return;
    const { outbox, clock } = this.#host;
    const status = this.#status();
    const text = canonical(status);
    if (text === this.#posted) return;
    // Given up as lost and replaced while we were away: it must not count as alive again; it is told when it has ended.
    if (this.#serverPhase === 'lost' && !isTerminalPhase(status.phase)) return;
    this.#posted = text;
    const { deploymentHealth = null, networks = null, digests = null, reconnectedAt = null, ...rest } = status;
    outbox.post({
      ...statusLetter(this.#allocation, { ...rest, deploymentHealth, networks, digests, reconnectedAt }, clock.now()),
      settled: ({ resourceVersion }) => {
        // Refused or gone, too: there is nobody left to tell.
        this.#acknowledged = text;
        this.#acknowledgedAt = Math.max(this.#acknowledgedAt, Number(resourceVersion ?? 0));
        if (this.isTerminal) this.#host.finished(this.id);
      },
    });
  }

  #status(): AllocationStatus {
    const tasks = this.#tasks.map((t) => t.record);
    const status = allocationStatus(tasks, this.#allocation.spec.jobVersion, this.#health.verdict);
    return {
      ...status,
      ...(this.#expired && expiredPhase(tasks)),
      ...(this.#reconnectedAt !== undefined && { reconnectedAt: this.#reconnectedAt }),
    };
  }

  #members(): Member[] {
    return (this.#group.tasks ?? []).flatMap((task) => {
      const runner = this.#task(task.name);
      return runner === undefined ? [] : [{ task, record: runner.record }];
    });
  }

  #task(name: string): TaskRunner | undefined {
    return this.#tasks.find((t) => t.name === name);
  }

  #definition(name: string): Task | undefined {
    return this.#group.tasks?.find((t) => t.name === name);
  }

  #variables(name: string | undefined): ReturnType<typeof variablesOf>['variables'] {
    const task = name === undefined ? undefined : this.#definition(name);
    return variablesOf({
      allocation: this.#allocation,
      job: this.#job,
      group: this.#group,
      node: this.#host.node(),
      dirs: this.dirs,
      filesystem: this.#host.driver(task?.driver ?? '')?.filesystem,
      ...(task !== undefined && { task }),
    }).variables;
  }

  #taskHost(name: string): TaskHost {
    const host = this.#host;
    const definition = (): Task => this.#definition(name) ?? { name };
    // Made when it is first needed: what it is made of does not change while the task lives.
    let made: TaskHooks | undefined;
    const hooks = (): TaskHooks => (made ??= this.#hooks(name, definition()));
    return {
      clock: host.clock,
      log: this.#log,
      random: host.random,
      get driver() {
        return host.driver(definition().driver ?? '');
      },
      rules: () => {
        const task = definition();
        return {
          rules: restartRules(task.restart ?? this.#group.restart, this.#allocation.spec.jobType),
          restartsOnSuccess: restartsOnSuccess(task, this.#allocation.spec.jobType),
          killTimeout: durationOr(task.killTimeout, 5000),
          shutdownDelay: durationOr(task.shutdownDelay, 0),
        };
      },
      killSignal: () => definition().killSignal || undefined,
      prepare: async () => {
        await this.dirs.buildTask(name, host.mounts);
        const { file } = definition().dispatchPayload ?? {};
        if (file !== undefined && file !== '') await this.dirs.writePayload(name, file, this.#job.payload ?? '');
      },
      taskStart: () =>
        taskStart({
          allocation: this.#allocation,
          job: this.#job,
          group: this.#group,
          task: definition(),
          node: host.node(),
          dirs: this.dirs,
          filesystem: host.driver(definition().driver ?? '')?.filesystem,
          hostVolumes: host.config.hostVolumes,
          rendered: hooks().env,
        }),
      get hooks() {
        return hooks();
      },
      durable: () => this.#writeNow(),
      changed: () => {
        this.#save();
        this.#settle();
      },
      deregister: () => this.#settle(),
    };
  }

  #hooks(name: string, task: Task): TaskHooks {
    const { clock, random, config, catalog } = this.#host;
    const { namespace = 'default' } = this.#allocation.metadata;
    const reader = this.#host.variables.reader(namespace);
    // The children of a job read what it reads.
    const job = this.#job.parentID ?? this.#job.id ?? this.#allocation.spec.jobName;
    const variables = this.#variables(name);
    // Of templates only the places: the text is in a language of its own.
    const templates = (task.templates ?? []).map(({ data, ...rest }) => ({
      ...interpolateAll(rest, variables),
      ...(data !== undefined && { data }),
    }));
    return new TaskHooks({
      clock,
      random,
      log: this.#log,
      dirs: this.dirs.task(name),
      work: join(this.dirs.root, '.run', name),
      localFolders: config.artifactFolders ?? [],
      artifacts: interpolateAll(task.artifacts ?? [], variables),
      templates,
      env: () => {
        const { env, node } = this.#variables(name);
        return { ...node, ...env };
      },
      sources: {
        services: () => catalog.services(namespace),
        variables: {
          namespace,
          paths: pathsOfTask({ job, group: this.#group.name, task: name }),
          read: (path) => reader.read(path),
        },
      },
      onChange: (listener) => {
        const ends = [catalog.on(listener), reader.on(listener)];
        return () => ends.forEach((end) => end());
      },
      release: () => reader.close(),
      note: (event) => this.#task(name)?.note(event),
      changed: (change) => this.#templateChanged(name, change),
    });
  }

  #templateChanged(name: string, change: TemplateChange): void {
    const task = this.#task(name);
    if (task === undefined) return;
    const now = this.#host.clock.now();
    switch (change.mode) {
      case 'restart':
        return task.send({ type: 'restart', reason: 'Template with change_mode restart re-rendered' });
      case 'signal':
        void task.signal(change.signal, 'Template re-rendered').catch((error: unknown) => task.note(taskEvents.template(now, `Template could not signal the task: ${describeError(error)}`))); // prettier-ignore
        return;
      case 'script': {
        const words = change.command.join(' ');
        const tell = (what: string, failed: boolean): void => {
          task.note(taskEvents.template(this.#host.clock.now(), `Template ran a script from ${words} ${what}`));
          if (failed && change.failOnError) task.send({ type: 'restart', reason: 'Template script failed', unhealthy: true });
        };
        const { handle } = task;
        if (handle === undefined) return;
        void handle.exec(change.command, { timeout: change.timeout }).then(
          ({ exitCode }) => tell(exitCode === 0 ? 'after change' : `but it exited with code: ${exitCode}`, exitCode !== 0),
          (error: unknown) => tell(`but it could not be run: ${describeError(error)}`, true),
        );
      }
    }
  }

  /** Soon; whoever must not go on before it is on disk awaits `#writeNow`. */
  #save(): void {
    if (this.#saving || this.#closed || this.#hasBegunNothing()) return;
    this.#saving = true;
    queueMicrotask(() => {
      this.#saving = false;
      void this.#writeNow().catch((error: unknown) => this.#log.error('cannot save state', { error }));
    });
  }

  /** Before a driver was asked for anything, the server's own record is enough to begin again. */
  #hasBegunNothing(): boolean {
    return this.#goal === 'run' && this.#tasks.every((t) => t.record.phase.at === 'waiting' || t.record.phase.at === 'preparing');
  }

  #writeNow(): Promise<void> {
    return this.#host.state.save(this.id, {
      format: 1,
      allocation: this.#allocation,
      bootId: this.#host.bootId,
      goal: this.#goal,
      startedAt: this.#startedAt,
      ...(this.#expired && { expired: true }),
      tasks: this.#tasks.map((t) => t.record),
      health: this.#health,
      ...(this.#stopAt !== undefined && { stopAt: this.#stopAt }),
      ...(this.#finishedAt !== undefined && { finishedAt: this.#finishedAt }),
      ...(this.#reconnectedAt !== undefined && { reconnectedAt: this.#reconnectedAt }),
    });
  }
}

/** The last thing that was said of it is that it downloads. */
function isDownloading(task: TaskRunner): boolean {
  const last = task.record.status.events?.at(-1);
  if (task.record.phase.at !== 'starting') return false;
  return last?.type === 'Downloading Artifacts' || (last?.type === 'Driver' && /^Downloading/.test(last.message ?? ''));
}

function newHealth(allocation: Stored<Allocation>, now: Instant): HealthRecord {
  const clock: HealthClock = { startedAt: now, pausedFor: 0 };
  return { clock, ...(allocation.spec.deployment !== undefined && { deployment: allocation.spec.deployment }) };
}

function groupOf(job: JobSpec, name: string): TaskGroup {
  const group = job.groups?.find((g) => g.name === name);
  if (group === undefined) throw new Error(`the job has no group "${name}"`);
  return group;
}

function withoutStatus(allocation: Stored<Allocation>): Stored<Allocation> {
  const { status: _status, ...rest } = allocation;
  return rest;
}

/** JSON with sorted keys: what two processes wrote can be compared. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
