import { toTimestamp, type Instant } from '../../../base/index.ts';
import type {
  AllocationStatus,
  Deployment,
  Evaluation,
  EvaluationSpec,
  Job,
  JobSpec,
  Node,
  Stored,
  TaskGroup,
} from '../../../openapi/index.ts';
import { evaluate, type Plan } from '../../../controllers/scheduler/plan/evaluate.ts';
import { operationsOf, Reservation } from '../../../controllers/scheduler/plan/write.ts';
import { isTerminal, type AllocationRecord } from '../../../controllers/scheduler/model.ts';
import { Scratch } from '../../../controllers/scheduler/rank/session.ts';
import { Cluster } from '../../../controllers/scheduler/state/cluster.ts';

export const START: Instant = Date.UTC(2026, 0, 1);

export interface NodeOptions {
  readonly datacenter?: string;
  readonly nodeClass?: string;
  readonly pool?: string;
  readonly cpu?: number;
  readonly cores?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly drivers?: readonly string[];
  readonly attributes?: Record<string, string>;
  readonly meta?: Record<string, string>;
  readonly reservedPorts?: string;
  readonly addresses?: readonly { readonly ip: string; readonly hostNetwork?: string }[];
  readonly volumes?: Record<string, { readOnly?: boolean }>;
  readonly eligibility?: 'eligible' | 'ineligible';
  readonly phase?: 'ready' | 'down' | 'initializing' | 'disconnected';
  readonly phaseChangedAt?: number;
}

let revision = 1;
export const nextRevision = (): string => String(++revision);

const meta = (name: string, namespace?: string) => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: nextRevision(),
  creationTimestamp: toTimestamp(START),
  generation: 1,
  ...(namespace !== undefined && { namespace }),
});

export function node(name: string, options: NodeOptions = {}): Stored<Node> {
  const { cpu = 4000, cores = 4, memory = 8192, disk = 100_000, drivers = ['docker', 'raw_exec'] } = options;
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Node',
    metadata: meta(name),
    spec: {
      name,
      datacenter: options.datacenter ?? 'dc1',
      nodePool: options.pool ?? 'default',
      ...(options.nodeClass !== undefined && { nodeClass: options.nodeClass }),
      meta: options.meta ?? {},
      eligibility: options.eligibility ?? 'eligible',
    },
    status: {
      phase: options.phase ?? 'ready',
      ...(options.phaseChangedAt !== undefined && { phaseChangedAt: toTimestamp(options.phaseChangedAt) }),
      attributes: { 'kernel.name': 'linux', 'cpu.arch': 'amd64', 'unique.hostname': name, ...options.attributes },
      resources: {
        cpuMHz: cpu,
        cores,
        memoryMB: memory,
        diskMB: disk,
        networks: (options.addresses ?? [{ ip: '10.0.0.1' }]).map(({ ip, hostNetwork = 'default' }) => ({ ip, hostNetwork })),
      },
      ...(options.reservedPorts !== undefined && { reserved: { ports: options.reservedPorts } }),
      drivers: Object.fromEntries(drivers.map((driver) => [driver, { detected: true, healthy: true }])),
      hostVolumes: Object.fromEntries(
        Object.entries(options.volumes ?? {}).map(([id, volume]) => [id, { path: `/srv/${id}`, ...volume }]),
      ),
    },
  };
}

const defaults: Record<string, Partial<TaskGroup>> = {
  service: {
    reschedule: { unlimited: true, delay: '30s', delayFunction: 'exponential', maxDelay: '1h' },
    update: { maxParallel: 1 },
  },
  batch: { reschedule: { attempts: 1, interval: '24h', delay: '5s', delayFunction: 'constant' } },
};

export type GroupOptions = Partial<Omit<TaskGroup, 'name'>> & {
  readonly cpu?: number;
  readonly memory?: number;
  readonly env?: Record<string, string>;
};

export function group(name: string, options: GroupOptions = {}, type = 'service'): TaskGroup {
  const { cpu = 100, memory = 100, env, ...rest } = options;
  const base = defaults[type] ?? {};
  return {
    name,
    count: 1,
    ...base,
    ephemeralDisk: { size: 300 },
    tasks: [
      {
        name: 'main',
        driver: 'raw_exec',
        config: { command: 'sleep' },
        resources: { cpu, memory },
        ...(env !== undefined && { env }),
      },
    ],
    ...rest,
    ...(rest.update !== undefined && { update: { ...base.update, ...rest.update } }),
  };
}

export function job(groups: readonly TaskGroup[] | GroupOptions, options: Partial<JobSpec> = {}): JobSpec {
  const type = options.type ?? 'service';
  const list = Array.isArray(groups) ? (groups as TaskGroup[]) : [group('app', groups as GroupOptions, type)];
  return { id: 'job', name: 'job', type, priority: 50, datacenters: ['*'], nodePool: 'default', groups: list, ...options };
}

/** A cluster without servers: nodes and jobs are put in, plans are applied as if they had been committed. */
export class World {
  readonly cluster = new Cluster();
  readonly scratch = new Scratch();
  now: Instant = START;
  /** Delayed and blocked evaluations that plans have made. */
  readonly evaluations = new Map<string, Stored<Evaluation>>();
  readonly deployments = new Map<string, Stored<Deployment>>();
  readonly #jobs = new Map<string, { job: Stored<Job>; version: number }>();
  #count = 0;

  constructor(nodes: readonly Stored<Node>[] = []) {
    for (const one of nodes) this.cluster.putNode(one);
  }

  pool(name: string, schedulerAlgorithm: 'binpack' | 'spread'): this {
    this.cluster.putPool({
      apiVersion: 'orch.dev/v1',
      kind: 'NodePool',
      metadata: meta(name),
      spec: { schedulerAlgorithm },
    });
    return this;
  }

  configure(spec: { schedulerAlgorithm?: 'binpack' | 'spread'; memoryOversubscription?: boolean; preemption?: object }): this {
    const { schedulerAlgorithm = 'binpack', memoryOversubscription = true, preemption = {} } = spec;
    const types = { system: true, sysbatch: false, batch: false, service: false, ...preemption };
    this.cluster.putConfiguration({
      apiVersion: 'orch.dev/v1',
      kind: 'SchedulerConfiguration',
      metadata: meta('default'),
      spec: { schedulerAlgorithm, memoryOversubscription, preemption: types },
    });
    return this;
  }

  /** Registers the next version of the job. */
  submit(spec: JobSpec, name = spec.id ?? 'job'): this {
    const known = this.#jobs.get(name);
    const version = known === undefined ? 0 : known.version + 1;
    const metadata = {
      ...meta(name, 'default'),
      generation: version + 1,
      ...(known !== undefined && { uid: known.job.metadata.uid }),
    };
    const object: Stored<Job> = {
      apiVersion: 'orch.dev/v1',
      kind: 'Job',
      metadata,
      spec,
      status: { modifyIndex: Number(metadata.resourceVersion), version },
    };
    this.#jobs.set(name, { job: object, version });
    this.cluster.putJob(object);
    this.cluster.putVersion({
      apiVersion: 'orch.dev/v1',
      kind: 'JobVersion',
      metadata: meta(`${name}-v${version}`, 'default'),
      spec: {
        jobName: name,
        jobUID: metadata.uid,
        version,
        generation: version + 1,
        jobModifyIndex: Number(metadata.resourceVersion),
        job: spec,
      },
    });
    return this;
  }

  evaluation(spec: Partial<EvaluationSpec> = {}, name = `evaluation-${++this.#count}`): Stored<Evaluation> {
    const priority = this.#jobs.get(spec.jobName ?? 'job')?.job.spec.priority ?? 50;
    return {
      apiVersion: 'orch.dev/v1',
      kind: 'Evaluation',
      metadata: meta(name, 'default'),
      spec: { jobName: 'job', trigger: 'job-register', priority, ...spec },
    };
  }

  plan(evaluation = this.evaluation()): Plan {
    const key = `default/${evaluation.spec.jobName}`;
    const pending = [...this.evaluations.values()].filter((e) => e.spec.jobName === evaluation.spec.jobName);
    return evaluate({
      cluster: this.cluster,
      evaluation,
      followups: new Map(
        pending
          .filter((e) => e.spec.waitUntil !== undefined && Date.parse(e.spec.waitUntil) > this.now)
          .map((e) => [e.metadata.name, Date.parse(e.spec.waitUntil!)]),
      ),
      blocked: pending
        .filter((e) => e.status?.phase === 'blocked' && e.metadata.name !== evaluation.metadata.name && key !== '')
        .map((e) => e.metadata.name),
      made: 0,
      revision: revision,
      now: this.now,
      scratch: this.scratch,
      timer: () => 0,
    });
  }

  /** Decides and commits. */
  run(evaluation = this.evaluation()): Plan {
    const plan = this.plan(evaluation);
    this.apply(plan, evaluation);
    return plan;
  }

  apply(plan: Plan, evaluation: Stored<Evaluation>): void {
    const reservation = new Reservation(this.cluster, plan);
    const results = operationsOf(plan, evaluation).map((operation) => ({
      code: 200,
      name: operation.operation === 'create' ? operation.object.metadata.name! : operation.name,
      uid: 'uid',
      resourceVersion: nextRevision(),
    }));
    const written = reservation.commit({ revision: String(revision), results });
    for (const one of written.evaluations) this.evaluations.set(one.metadata.name, one);
    for (const name of plan.cancelled.keys()) this.evaluations.delete(name);
    this.evaluations.delete(evaluation.metadata.name);
    if (plan.status.phase === 'blocked') this.evaluations.set(evaluation.metadata.name, { ...evaluation, status: plan.status });
    if (plan.deployment !== undefined) {
      const stored = {
        ...plan.deployment,
        metadata: { ...meta(plan.deployment.metadata.name!, 'default'), creationTimestamp: toTimestamp(this.now) },
      } as Stored<Deployment>;
      this.#putDeployment(stored);
    }
  }

  #putDeployment(deployment: Stored<Deployment>): void {
    const next = { ...deployment, metadata: { ...deployment.metadata, resourceVersion: nextRevision() } };
    this.deployments.set(next.metadata.name, next);
    this.cluster.putDeployment(next);
  }

  changeDeployment(id: string, status: Partial<NonNullable<Deployment['status']>>, spec: Partial<Deployment['spec']> = {}): void {
    const known = this.deployments.get(id)!;
    this.#putDeployment({ ...known, spec: { ...known.spec, ...spec }, status: { ...known.status, ...status } });
  }

  promote(id: string): void {
    const groups = (this.deployments.get(id)!.status?.groups ?? []).map((one) => ({ ...one, promoted: true }));
    this.changeDeployment(id, { groups });
  }

  allocations(name = 'job'): AllocationRecord[] {
    return this.cluster.allocations.ofJob(`default/${name}`).sort((a, b) => a.index - b.index || a.version - b.version);
  }

  /** Those that are wanted and not over. */
  live(name = 'job'): AllocationRecord[] {
    return this.allocations(name).filter((a) => !isTerminal(a));
  }

  /** What a node, a drain or a user does to an allocation. */
  change(record: AllocationRecord, change: Partial<AllocationRecord>): AllocationRecord {
    const next = { ...this.cluster.allocations.get(record.id)!, ...change, revision: Number(nextRevision()) };
    this.cluster.allocations.observe(next);
    return next;
  }

  /** All live allocations run, and are healthy unless told otherwise. */
  settle(name = 'job', phase: AllocationStatus['phase'] = 'running'): void {
    for (const record of this.live(name)) this.change(record, { phase: phase, healthy: true });
    for (const record of this.allocations(name)) {
      if (record.desired !== 'run' && (record.phase === 'running' || record.phase === 'pending'))
        this.change(record, { phase: 'complete' });
    }
  }
}

/** A plan in short, for tables: what happens by group index. */
export function summary(plan: Plan): string[] {
  const lines = [
    ...plan.patches.map(({ after, spec, status }) => {
      const name = `${after.group}[${after.index}]`;
      if (status !== undefined && status['phase'] === 'lost') return `lose ${name}`;
      if (status !== undefined && status['phase'] === 'unknown') return `unknown ${name}`;
      if (spec['desired'] === 'stop') return `stop ${name}`;
      if (spec['desired'] === 'evict') return `evict ${after.job.split('/')[1]} ${name}`;
      if ('jobVersion' in spec) return `update ${name}`;
      if ('followupEvaluation' in spec) return `delay ${name}`;
      if ('canary' in spec) return `promote ${name}`;
      if ('surge' in spec) return `settle ${name}`;
      return `link ${name}`;
    }),
    ...plan.placements.map(
      ({ record }) =>
        `place ${record.group}[${record.index}]${record.canary ? ' canary' : ''}${record.surge ? ' surge' : ''} v${record.version}`,
    ),
    ...(plan.deployment === undefined ? [] : ['deployment']),
  ];
  return lines.sort();
}
