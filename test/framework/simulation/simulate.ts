import { createLogger, silentLogger, toTimestamp, uuid, type Duration, type Logger } from '../../../base/index.ts';
import { controllerNames, startControllers } from '../../../controllers/index.ts';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type Allocation,
  type AnyObject,
  type Deployment,
  type Evaluation,
  type Job,
  type Node,
  type Stored,
} from '../../../openapi/index.ts';
import { seedProcess } from './chance.ts';
import { Network, SimClient } from './client.ts';
import { Invariants, type Violation } from './invariants.ts';
import { SimNode } from './node.ts';
import type { Action, Scenario } from './scenario.ts';
import { SimServer, type ServerHost } from './server.ts';
import { SimStore } from './store.ts';
import { Process, World } from './world.ts';

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** What has not come to an end after everything was well again for long enough. */
  readonly unsettled: readonly string[];
  /** Revisions that the store went through. */
  readonly revisions: number;
  /** Simulated time. */
  readonly lasted: Duration;
}

export const isGood = ({ violations, unsettled }: Outcome): boolean => violations.length === 0 && unsettled.length === 0;

/** A deliberate bug, to show that what looks for bugs finds it. */
export interface Sabotage {
  /** What controllers read instead of an object. */
  readonly lens?: (object: AnyObject) => AnyObject;
  /** Servers ask no leader for its proof. */
  readonly unfenced?: boolean;
  /** Agents leave running what they are told to stop. */
  readonly disobedient?: boolean;
}

export interface SimulationOptions {
  /** Gets the log of all that take part, in simulated time. */
  readonly write?: ((line: string) => void) | undefined;
  readonly sabotage?: Sabotage;
}

/** How long a cluster may take to settle once nothing breaks any more: longer than every deadline of the jobs that are generated. */
const SETTLE_MS = 30 * 60_000;

/** Runs a history on a whole cluster in this process. The same scenario gives the same outcome, every time. */
export async function simulate(scenario: Scenario, options: SimulationOptions = {}): Promise<Outcome> {
  const release = seedProcess(scenario.seed);
  const cluster = new SimCluster(scenario, options);
  try {
    return await cluster.run();
  } finally {
    cluster.close();
    release();
  }
}

class SimCluster {
  readonly #scenario: Scenario;
  readonly #sabotage: Sabotage;
  readonly #world: World;
  readonly #log: Logger;
  readonly #store: SimStore;
  readonly #network: Network;
  readonly #invariants: Invariants;
  readonly #servers: SimServer[];
  readonly #controllers: Process[] = [];
  readonly #nodes: SimNode[] = [];
  readonly #user: SimClient;
  #revisions = 0;

  constructor(scenario: Scenario, { write, sabotage = {} }: SimulationOptions) {
    this.#sabotage = sabotage;
    this.#scenario = scenario;
    this.#world = new World(`world ${scenario.seed}`);
    const clock = { now: this.#world.now, after: this.#world.after.bind(this.#world) };
    this.#log = write === undefined ? silentLogger : createLogger({ write, level: 'debug', clock });
    this.#store = new SimStore(this.#world);
    this.#network = new Network(this.#world);
    this.#invariants = new Invariants(this.#world.now);
    this.#store.onRevision = (revision, events) => {
      this.#revisions = revision;
      try {
        this.#invariants.observe(revision, events);
      } catch (error) {
        // The write that is looked at must not fail for it, nor may a check that fell over pass for one that found nothing.
        this.#invariants.fellOver(error);
      }
    };
    const host: ServerHost = {
      world: this.#world,
      store: this.#store,
      log: this.#log,
      fenced: (uid, revision) => this.#invariants.fenced(uid, revision),
      checksFences: sabotage.unfenced !== true,
    };
    this.#servers = Array.from({ length: scenario.servers }, (_, i) => new SimServer(host, `server${i}`));
    this.#user = this.#client(new Process(this.#world, 'user'));
    for (const machine of scenario.machines) this.#addNode(machine);
  }

  async run(): Promise<Outcome> {
    const world = this.#world;
    const began = world.now();
    for (const server of this.#servers) void server.start();
    await world.until(() => this.#servers.every((server) => server.listening), 60_000);
    for (let host = 0; host < this.#scenario.controllerHosts; host++) this.#startControllers(host);
    for (const node of this.#nodes) node.startAgent();
    for (const { wait, ...action } of this.#scenario.steps) {
      await world.until(() => this.#invariants.violations.length > 0, wait);
      if (this.#invariants.violations.length > 0) break;
      this.#act(action);
    }
    let unsettled: string[] = [];
    if (this.#invariants.violations.length === 0) {
      // The last faults end by themselves; then nothing breaks any more.
      await world.until(() => this.#invariants.violations.length > 0, 120_000);
      this.#network.heal();
      const end = world.now() + SETTLE_MS;
      for (let pause = 10_000; world.now() < end; pause = Math.min(pause * 2, 300_000)) {
        unsettled = this.#unsettled();
        if (unsettled.length === 0 || this.#invariants.violations.length > 0) break;
        await world.until(() => this.#invariants.violations.length > 0, pause);
      }
    }
    const { violations } = this.#invariants;
    return {
      seed: this.#scenario.seed,
      violations,
      unsettled: violations.length > 0 ? [] : unsettled,
      revisions: this.#revisions,
      lasted: world.now() - began,
    };
  }

  close(): void {
    for (const { process } of [...this.#nodes, ...this.#servers]) process.kill();
    for (const process of this.#controllers) process.kill();
    this.#world.close();
  }

  #client(process: Process): SimClient {
    return new SimClient(this.#world, process, this.#network, this.#servers);
  }

  #addNode(machine: Scenario['machines'][number]): SimNode {
    const node = new SimNode(
      this.#world,
      this.#nodes.length,
      machine,
      (process) => this.#client(process),
      this.#log,
      this.#sabotage.disobedient === true,
      (message) => this.#invariants.crowded(message),
    );
    this.#nodes.push(node);
    return node;
  }

  #startControllers(host: number): void {
    const process = new Process(this.#world, `controllers${host}`);
    this.#controllers[host] = process;
    void startControllers({
      client: new SimClient(this.#world, process, this.#network, this.#servers, { lens: this.#sabotage.lens }),
      names: controllerNames,
      identity: `${process.name}-${uuid()}`,
      clock: process.clock,
      log: this.#log.child(process.name),
    });
  }

  #act(action: Action): void {
    const world = this.#world;
    const { do: what, ...rest } = action;
    this.#log.info(what, { step: JSON.stringify(rest) });
    switch (action.do) {
      case 'submit':
        return this.#insist(async () => {
          const known = await this.#user.find(JobKind, action.job, 'default');
          const object = { metadata: { name: action.job, namespace: 'default' }, spec: action.spec };
          if (known === undefined) await this.#user.create(JobKind, object);
          else await this.#user.update(JobKind, { ...object, metadata: { ...object.metadata, resourceVersion: known.metadata.resourceVersion } }); // prettier-ignore
        });
      case 'stop':
        return this.#insist(() => this.#user.patch(JobKind, action.job, 'default', { spec: { stop: true } }));
      case 'purge':
        return this.#insist(() => this.#user.delete(JobKind, action.job, 'default'));
      case 'promote':
        return this.#insist(async () => {
          const job = await this.#user.find(JobKind, action.job, 'default');
          const deployment = job?.status?.latestDeployment;
          if (deployment !== undefined) await this.#user.patch(DeploymentKind, deployment, 'default', { spec: { promote: { all: true } } }); // prettier-ignore
        });
      case 'drain': {
        const drain = {
          ...(action.deadline !== undefined && { deadline: action.deadline }),
          startedAt: toTimestamp(world.now()),
        };
        const { id } = this.#nodes[action.node]!;
        return this.#insist(() => this.#user.patch(NodeKind, id, undefined, { spec: { drain, eligibility: 'ineligible' } }));
      }
      case 'undrain': {
        const { id } = this.#nodes[action.node]!;
        return this.#insist(() => this.#user.patch(NodeKind, id, undefined, { spec: { drain: null, eligibility: 'eligible' } }));
      }
      case 'stopAllocation':
        return this.#withAllocation(action.pick, async ({ metadata, spec }) => {
          await this.#user.patch(AllocationKind, metadata.name, 'default', { spec: { desiredTransition: { migrate: true } } });
          await this.#user.create(EvaluationKind, {
            metadata: { name: uuid(), namespace: 'default' },
            spec: {
              jobName: spec.jobName,
              jobUID: spec.jobUID,
              type: spec.jobType ?? 'service',
              trigger: 'alloc-stop',
              priority: 50,
            },
          });
        });
      case 'deleteAllocation':
        return this.#withAllocation(action.pick, ({ metadata }) => this.#user.delete(AllocationKind, metadata.name, 'default'));
      case 'addNode':
        return this.#addNode({ cpuMHz: 4000, memoryMB: 4096 }).startAgent();
      case 'powerOff': {
        const node = this.#nodes[action.node]!;
        node.powerOff();
        return void world.after(action.lasts, () => node.startAgent());
      }
      case 'killAgent': {
        const node = this.#nodes[action.node]!;
        node.killAgent();
        return void world.after(action.lasts, () => node.startAgent());
      }
      case 'partition': {
        for (const { name } of this.#servers) {
          if (action.way !== 'in') this.#network.cut(action.who, name);
          if (action.way !== 'out') this.#network.cut(name, action.who);
        }
        return void world.after(action.lasts, () => this.#network.heal());
      }
      case 'killServer': {
        const server = this.#servers[action.server]!;
        if (!server.process.alive) return;
        server.process.kill();
        return void world.after(action.lasts, () => void server.start());
      }
      case 'pauseServer': {
        const { process } = this.#servers[action.server]!;
        process.pause();
        return void world.after(action.lasts, () => process.resume());
      }
      case 'killControllers': {
        const process = this.#controllers[action.host]!;
        if (!process.alive) return;
        process.kill();
        return void world.after(action.lasts, () => this.#startControllers(action.host));
      }
      case 'pauseControllers': {
        const process = this.#controllers[action.host]!;
        process.pause();
        return void world.after(action.lasts, () => process.resume());
      }
      case 'storeAway':
        this.#store.down = true;
        return void world.after(action.lasts, () => (this.#store.down = false));
      case 'loss':
        this.#network.loss = action.share;
        return void world.after(action.lasts, () => (this.#network.loss = 0));
      case 'skew':
        return this.#controllers[action.host]!.skew(action.ms);
      case 'compact': {
        const store = this.#store.connect(new Process(world, 'compactor'));
        return void store.revision().then((revision) => store.compact(revision), ignore);
      }
    }
  }

  /** A user tries again while the cluster is away; what it refuses was not to be. */
  #insist(work: () => Promise<unknown>): void {
    const attempt = (left: number): void => {
      work().catch(() => {
        if (left > 0) this.#world.after(3_000, () => attempt(left - 1));
      });
    };
    attempt(8);
  }

  #withAllocation(pick: number, work: (allocation: Stored<Allocation>) => Promise<unknown>): void {
    const live = [...this.#invariants.allocations.values()].filter(
      ({ spec, status }) => spec.desired === 'run' && !['complete', 'failed', 'lost'].includes(status?.phase ?? 'pending'),
    );
    const chosen = live[pick % Math.max(1, live.length)];
    if (chosen !== undefined) this.#insist(() => work(chosen));
  }

  /** What is not as it should be at rest: unfinished work, and tasks that run unwanted or do not run though wanted. */
  #unsettled(): string[] {
    const found: string[] = [];
    const jobs = this.#all<Job>('jobs');
    const evaluations = this.#all<Evaluation>('evaluations');
    const allocations = this.#all<Allocation>('allocations');
    const waiting = (job: string): boolean =>
      evaluations.some(
        ({ spec, status }) => spec.jobUID === job && (status?.phase === 'blocked' || isLater(spec.waitUntil, this.#world.now())),
      );
    for (const { metadata, spec, status } of evaluations) {
      const open = status?.phase === undefined || status.phase === 'pending';
      if (open && !isLater(spec.waitUntil, this.#world.now())) found.push(`evaluation ${metadata.name.slice(0, 8)} (${spec.trigger}) of ${spec.jobName} is pending`); // prettier-ignore
    }
    for (const { metadata, spec, status } of this.#all<Deployment>('deployments')) {
      const wanted = spec.groups.some(
        (group) => (group.desiredCanaries ?? 0) > 0 && status?.groups?.find(({ name }) => name === group.name)?.promoted !== true,
      );
      const open = status?.phase === undefined || !['successful', 'failed', 'cancelled'].includes(status.phase);
      if (open && !wanted && spec.paused !== true && !waiting(spec.jobUID)) found.push(`deployment ${metadata.name.slice(0, 8)} of ${spec.jobName} is ${status?.phase}`); // prettier-ignore
    }
    for (const { spec, status } of this.#all<Node>('nodes')) {
      if (status?.phase !== 'ready') found.push(`node ${spec.name} is ${status?.phase}`);
      // Without a deadline it waits for replacements, which a rollout that failed or waits for room does not make.
      const held =
        spec.drain?.deadline === undefined && this.#all<Deployment>('deployments').some((d) => d.status?.phase === 'failed');
      const stuck = held || allocations.some((a) => waiting(a.spec.jobUID));
      if (spec.drain !== undefined && !stuck) found.push(`node ${spec.name} is still draining`);
    }
    for (const node of this.#nodes) {
      const running = new Set(node.running());
      for (const { metadata, spec, status } of allocations) {
        if (spec.nodeName !== node.id) continue;
        const live = spec.desired === 'run' && (status?.phase ?? 'pending') !== 'complete' && status?.phase !== 'failed' && status?.phase !== 'lost'; // prettier-ignore
        if (live && !running.has(metadata.name))
          found.push(`${spec.name} (${metadata.name.slice(0, 8)}) is wanted on ${node.name} and does not run`);
        if (!live && running.has(metadata.name))
          found.push(`${spec.name} (${metadata.name.slice(0, 8)}) runs on ${node.name} and is not wanted`);
        running.delete(metadata.name);
      }
      for (const id of running) found.push(`${id.slice(0, 8)} runs on ${node.name} and nobody knows it`);
    }
    for (const job of jobs) found.push(...this.#short(job, allocations, waiting(job.metadata.uid)));
    return found;
  }

  /** A job whose allocations are not what it asks for, though nothing says why. */
  #short({ metadata, spec, status }: Stored<Job>, allocations: readonly Stored<Allocation>[], waits: boolean): string[] {
    const own = allocations.filter((a) => a.spec.jobUID === metadata.uid);
    const live = own.filter(
      (a) => a.spec.desired === 'run' && !['complete', 'failed', 'lost'].includes(a.status?.phase ?? 'pending'),
    );
    if (metadata.deletionTimestamp !== undefined) return [`job ${metadata.name} is being deleted`];
    if (spec.stop === true) return live.length > 0 ? [`job ${metadata.name} is stopped and has ${live.length} allocations`] : [];
    if (status?.observedGeneration !== metadata.generation)
      return [`job ${metadata.name} was not looked at since its last change`];
    if (spec.type !== 'service' || waits) return [];
    const deployment = this.#all<Deployment>('deployments').find((d) => d.metadata.name === status.latestDeployment);
    // A rollout that failed or waits for its promotion is left as it is.
    if (deployment?.status?.phase !== undefined && deployment.status.phase !== 'successful') return [];
    return (spec.groups ?? []).flatMap(({ name, count = 1 }) => {
      const has = live.filter((a) => a.spec.group === name).length;
      // Those that failed for good are not replaced: their attempts are used up.
      const failed = own.filter((a) => a.spec.group === name && a.spec.desired === 'run' && a.status?.phase === 'failed' && a.spec.nextAllocation === undefined).length; // prettier-ignore
      return has + failed < count || has > count ? [`job ${metadata.name} group ${name} has ${has} of ${count} allocations`] : [];
    });
  }

  #all<T extends AnyObject>(plural: string): Stored<T>[] {
    const prefix = `/registry/orch.dev/${plural}/`;
    const values = [...this.#store.items.values()].filter(({ key }) => key.startsWith(prefix));
    return values.map(({ value }) => JSON.parse(value.toString('utf8')) as Stored<T>);
  }
}

const isLater = (instant: string | undefined, now: number): boolean =>
  instant !== undefined && Date.parse(instant) > now - 60_000;
const ignore = (): void => undefined;
