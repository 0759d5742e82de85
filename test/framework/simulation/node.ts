import { toTimestamp, type Duration, type Instant, type Logger } from '../../../base/index.ts';
import { Informer, type Client } from '../../../client/index.ts';
import { healthRules } from '../../../kubelet-like-agent/allocation/health.ts';
import { neverStarted } from '../../../kubelet-like-agent/allocation/record.ts';
import { isTerminalPhase, statusLetter } from '../../../kubelet-like-agent/allocation/status.ts';
import { agentDefaults, type AgentConfig } from '../../../kubelet-like-agent/config.ts';
import { Registrar } from '../../../kubelet-like-agent/node/registrar.ts';
import { Outbox } from '../../../kubelet-like-agent/status/outbox.ts';
import { decide } from '../../../kubelet-like-agent/sync/decide.ts';
import { jobVersionName } from '../../../kubelet-like-agent/sync/job-versions.ts';
import {
  AllocationKind,
  JobVersionKind,
  type Allocation,
  type AllocationStatus,
  type JobSpec,
  type NodeStatus,
  type Stored,
} from '../../../openapi/index.ts';
import { Chance } from './chance.ts';
import { Process, type World } from './world.ts';

/** What the tasks of a job do; its `meta.behaviour` says it. */
export type Behaviour = 'steady' | 'crashes' | 'flaky' | 'never-healthy' | 'ends-well' | 'ends-badly';

export interface Machine {
  readonly cpuMHz: number;
  readonly memoryMB: number;
}

/** A task group that was started on a machine: it goes on whatever becomes of the agent, until the machine itself stops. */
interface Run {
  allocation: Stored<Allocation>;
  goal: 'run' | 'stop';
  phase: 'pending' | 'running' | 'complete' | 'failed';
  healthy: boolean | undefined;
  /** The JobVersion that it acts on. */
  jobVersion: number;
  /** The behaviour ends with the machine or with the run. */
  epoch: number;
  startedAt: Instant | undefined;
  /** When its node was last back after nobody knew how it was. */
  reconnectedAt?: Instant;
}

/**
 * A machine with an agent. The agent's talk with the cluster (registration, heartbeat, what to start and stop, the outbox) is the real
 * one; the tasks are only states that change with time.
 */
export class SimNode {
  readonly id: string;
  readonly name: string;
  readonly #world: World;
  readonly #chance: Chance;
  readonly #log: Logger;
  readonly #disobedient: boolean;
  /** Told when more runs on the machine than fits. */
  readonly #crowded: (message: string) => void;
  readonly #machine: Machine;
  readonly #connect: (process: Process) => Client;
  readonly #runs = new Map<string, Run>();
  #epoch = 0;
  #process: Process;
  #agent: { registrar: Registrar; outbox: Outbox; informer: Informer<Allocation> } | undefined;
  #generation = 0;
  #syncing = false;

  constructor(
    world: World,
    index: number,
    machine: Machine,
    connect: (process: Process) => Client,
    log: Logger,
    disobedient: boolean,
    crowded: (message: string) => void,
  ) {
    this.#disobedient = disobedient;
    this.#crowded = crowded;
    this.#log = log;
    const digits = String(index).padStart(8, '0');
    this.id = `${digits}-0000-4000-a000-000000000000`;
    this.name = `node${index}`;
    this.#world = world;
    this.#chance = new Chance(`${this.name} ${world.chance.whole(0, 1e9)}`);
    this.#machine = machine;
    this.#connect = connect;
    this.#process = new Process(world, `${this.name}-off`);
    this.#process.kill();
  }

  get process(): Process {
    return this.#process;
  }

  /** The allocations whose tasks run on the machine at this moment. */
  running(): string[] {
    return [...this.#runs].filter(([, run]) => run.phase === 'running').map(([id]) => id);
  }

  startAgent(): void {
    if (this.#process.alive) return;
    const process = (this.#process = new Process(this.#world, this.name));
    this.#generation++;
    const client = this.#connect(process);
    const { clock } = process;
    const random = this.#chance.next;
    const log = this.#log.child(this.name);
    const outbox = new Outbox({
      clock,
      log,
      random,
      send: (operations, signal) => client.batch(operations, { mode: 'independent', signal }),
    });
    const config: AgentConfig = { ...agentDefaults, nodeName: this.name, dataDir: '/none', version: 'simulated' };
    const registrar = new Registrar({
      client,
      clock,
      log,
      random,
      nodeId: this.id,
      hostname: this.name,
      config: () => config,
      status: () => this.#status(),
      endpoint: { address: '127.0.0.1:1', token: 'simulated' },
      onContact: () => outbox.wake(),
      onSilence: () => undefined,
    }).start();
    const informer = new Informer({ client, kind: AllocationKind, clock, log, fieldSelector: `spec.nodeName=${this.id}` });
    const changed = (object: Stored<Allocation>): void => {
      this.#compare(object);
      this.#sync();
    };
    informer.on({ added: changed, modified: changed, deleted: () => this.#sync() });
    informer.start();
    this.#agent = { registrar, outbox, informer };
    informer.synced.then(
      () => this.#sync(),
      () => undefined,
    );
  }

  killAgent(): void {
    this.#process.kill();
  }

  /** The power fails: tasks die with the machine. The agent starts when it is back. */
  powerOff(): void {
    this.killAgent();
    this.#epoch++;
    for (const run of this.#runs.values()) {
      if (run.phase === 'complete' || run.phase === 'failed') continue;
      run.phase = run.goal === 'stop' ? 'complete' : 'failed';
    }
  }

  /** After any change of either side: what is wanted of the node against what it does. */
  #sync(): void {
    if (this.#syncing) return;
    this.#syncing = true;
    const { informer } = this.#agent!;
    const generation = this.#generation;
    setImmediate(() => {
      this.#syncing = false;
      if (generation !== this.#generation || !this.#process.alive || !informer.isSynced) return;
      const local = [...this.#runs].map(([id, { allocation, goal, phase }]) => ({
        id,
        uid: allocation.metadata.uid,
        goal,
        terminal: isTerminalPhase(phase),
        allocation,
      }));
      for (const step of decide(informer.list(), local, this.#machine)) {
        switch (step.do) {
          case 'run':
          case 'update':
            void this.#runOrUpdate(step.allocation);
            break;
          case 'stop':
            this.#stop(step.id);
            break;
          case 'forget':
            this.#runs.delete(step.id);
            break;
          case 'reportNeverStarted': {
            const status = neverStarted(toTimestamp(this.#process.clock.now()), step.allocation.spec.jobVersion);
            this.#agent!.outbox.post(statusLetter(step.allocation, { ...status }, this.#process.clock.now()));
            break;
          }
          case 'wait':
            break;
        }
      }
    });
  }

  async #runOrUpdate(allocation: Stored<Allocation>): Promise<void> {
    const id = allocation.metadata.name;
    const { informer } = this.#agent!;
    const generation = this.#generation;
    const job = await this.#job(allocation);
    if (job === undefined || generation !== this.#generation || !this.#process.alive) return;
    const now = informer.get(`${allocation.metadata.namespace!}/${id}`);
    if (now === undefined || now.spec.jobVersion !== allocation.spec.jobVersion || now.spec.desired !== 'run')
      return this.#sync();
    const known = this.#runs.get(id);
    if (known !== undefined) {
      const otherDeployment = known.allocation.spec.deployment !== now.spec.deployment;
      known.allocation = now;
      known.jobVersion = now.spec.jobVersion;
      if (otherDeployment) this.#judgeHealth(id, known, job);
      return this.#report(id, known);
    }
    const run: Run = {
      allocation: now,
      goal: 'run',
      phase: 'pending',
      healthy: undefined,
      jobVersion: now.spec.jobVersion,
      epoch: this.#epoch,
      startedAt: undefined,
    };
    this.#runs.set(id, run);
    this.#report(id, run);
    this.#begin(id, run, job);
  }

  /** The version that it runs; asked for until there is an answer. Undefined: the agent died. */
  async #job(allocation: Stored<Allocation>): Promise<JobSpec | undefined> {
    const process = this.#process;
    const client = this.#connect(process);
    for (;;) {
      try {
        return (await client.get(JobVersionKind, jobVersionName(allocation), allocation.metadata.namespace)).spec.job;
      } catch {
        await new Promise<void>((done) => process.clock.after(500, done));
        if (this.#agent!.informer.get(`${allocation.metadata.namespace!}/${allocation.metadata.name}`) === undefined)
          return undefined;
      }
    }
  }

  /** The life of the tasks, on the machine's time: nobody needs to be there to see it. */
  #begin(id: string, run: Run, job: JobSpec): void {
    const behaviour = (job.meta?.['behaviour'] ?? 'steady') as Behaviour;
    const crashes = behaviour === 'crashes' || (behaviour === 'flaky' && this.#chance.chance(0.4));
    this.#weigh();
    this.#later(run, this.#chance.between(20, 1500), () => {
      if (run.goal === 'stop') return;
      run.phase = 'running';
      run.startedAt = this.#world.now();
      this.#report(id, run);
      if (behaviour === 'ends-well') this.#later(run, this.#chance.between(100, 60_000), () => this.#end(id, run, 'complete'));
      else if (behaviour === 'ends-badly') this.#later(run, this.#chance.between(100, 5_000), () => this.#end(id, run, 'failed'));
      else if (crashes) this.#later(run, this.#chance.between(100, 8_000), () => this.#end(id, run, 'failed'));
      this.#judgeHealth(id, run, job, behaviour === 'never-healthy');
    });
  }

  /** Whether all that has begun and not ended fits into the machine, whatever anybody's books say. */
  #weigh(): void {
    const living = [...this.#runs.values()].filter(({ phase }) => !isTerminalPhase(phase)).map(({ allocation }) => allocation);
    for (const [what, has] of [
      ['cpu', this.#machine.cpuMHz],
      ['memory', this.#machine.memoryMB],
    ] as const) {
      // prettier-ignore
      const sum = living.reduce((total, { spec }) => total + (spec.resources?.[what] ?? 0), 0);
      if (sum > has)
        this.#crowded(`${what} of ${living.map(({ spec }) => spec.name).join(', ')} on ${this.name} is ${sum} of ${has}`);
    }
  }

  #judgeHealth(id: string, run: Run, job: JobSpec, never = false): void {
    const group = job.groups?.find(({ name }) => name === run.allocation.spec.group);
    const rules = group === undefined ? undefined : healthRules(run.allocation.spec, group);
    if (rules === undefined) return;
    const { deployment } = run.allocation.spec;
    run.healthy = undefined;
    this.#later(run, never ? rules.healthyDeadline : rules.minHealthyTime, () => {
      if (run.phase !== 'running' || run.goal === 'stop' || run.allocation.spec.deployment !== deployment) return;
      run.healthy = !never;
      this.#report(id, run);
    });
  }

  #stop(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined || run.goal === 'stop' || this.#disobedient) return;
    run.goal = 'stop';
    this.#later(run, this.#chance.between(10, 3_000), () => this.#end(id, run, 'complete'));
  }

  #end(id: string, run: Run, phase: 'complete' | 'failed'): void {
    if (run.phase === 'complete' || run.phase === 'failed') return;
    if (phase === 'failed' && run.phase === 'running' && run.healthy === undefined) run.healthy = false;
    run.phase = phase;
    this.#report(id, run);
    // A port may be free now, a predecessor gone.
    if (this.#process.alive) this.#sync();
  }

  #later(run: Run, ms: Duration, fn: () => void): void {
    this.#world.after(ms, () => {
      if (run.epoch === this.#epoch) fn();
    });
  }

  #report(id: string, run: Run): void {
    if (!this.#process.alive || this.#runs.get(id) !== run) return;
    const { now } = this.#process.clock;
    this.#process.deliver(() => this.#agent!.outbox.post(statusLetter(run.allocation, { ...statusOf(run) }, now())));
  }

  /** What the server says against what is: an agent that was away, or a server that gave it up, is told again. */
  #compare(object: Stored<Allocation>): void {
    const run = this.#runs.get(object.metadata.name);
    if (run === undefined || run.allocation.metadata.uid !== object.metadata.uid) return;
    if (object.status?.phase === 'unknown' && (run.phase === 'pending' || run.phase === 'running')) {
      run.reconnectedAt = this.#process.clock.now();
      return this.#report(object.metadata.name, run);
    }
    if (this.#agent!.outbox.has(`allocation/${object.metadata.name}`)) return;
    // Given up and replaced while we were away: it is told when it has ended.
    if (object.status?.phase === 'lost' && !isTerminalPhase(run.phase)) return;
    const told = object.status ?? {};
    const is = statusOf(run);
    const differs = told.phase !== is.phase || told.jobVersion !== is.jobVersion || told.deploymentHealth?.healthy !== is.deploymentHealth?.healthy; // prettier-ignore
    if (differs) this.#report(object.metadata.name, run);
  }

  #status(): NodeStatus {
    return {
      version: 'simulated',
      bootID: `boot ${this.#epoch}`,
      attributes: { 'cpu.arch': 'amd64', 'kernel.name': 'linux', 'driver.raw_exec': '1' },
      computedClass: `v1:${this.#machine.cpuMHz}`,
      resources: {
        cpuMHz: this.#machine.cpuMHz,
        cores: 4,
        memoryMB: this.#machine.memoryMB,
        diskMB: 100_000,
        networks: [{ device: 'lo', ip: '127.0.0.1', hostNetwork: 'default' }],
      },
      drivers: { raw_exec: { detected: true, healthy: true } },
    };
  }
}

function statusOf(run: Run): AllocationStatus {
  const { phase, healthy, jobVersion, startedAt } = run;
  const { deployment } = run.allocation.spec;
  const ended = phase === 'complete' || phase === 'failed';
  return {
    phase,
    jobVersion,
    tasks: [
      {
        name: 'main',
        state: ended ? 'dead' : phase,
        failed: phase === 'failed',
        ...(startedAt !== undefined && { startedAt: toTimestamp(startedAt) }),
      },
    ],
    ...(run.reconnectedAt !== undefined && { reconnectedAt: toTimestamp(run.reconnectedAt) }),
    ...(healthy !== undefined && { deploymentHealth: { healthy, ...(deployment !== undefined && { deployment }) } }),
  };
}
