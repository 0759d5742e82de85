import type {
  Allocation,
  Deployment,
  Job,
  JobSpec,
  JobVersion,
  Node,
  NodePool,
  NodePoolSpec,
  SchedulerConfiguration,
  SchedulerConfigurationSpec,
  Stored,
} from '../../../openapi/index.ts';
import type { DeploymentView, JobKey, JobType, JobView } from '../model.ts';
import { AllocationTable } from './allocations.ts';
import { Fleet } from './fleet.ts';
import { jobKey, readAllocation, readDeployment, readNode, viewJob } from './read.ts';

export type Algorithm = 'binpack' | 'spread';

/** Everything the scheduler decides from. Objects are put in as they are seen; nothing is ever rebuilt. */
export class Cluster {
  readonly fleet = new Fleet();
  readonly allocations = new AllocationTable(this.fleet);
  readonly #jobs = new Map<JobKey, Stored<Job>>();
  readonly #versions = new Map<JobKey, Map<string, Stored<JobVersion>>>();
  readonly #deployments = new Map<JobKey, Map<string, DeploymentView>>();
  readonly #nodeRevisions = new Map<string, number>();
  readonly #pools = new Map<string, Partial<NodePoolSpec>>();
  #configuration: Partial<SchedulerConfigurationSpec> = {};
  #onOffered: ((node: string) => void) | undefined;

  /** Told of nodes that may take what they could not take before. */
  onOffered(listener: (node: string) => void): void {
    this.#onOffered = listener;
  }

  putNode(node: Stored<Node>): void {
    const revision = Number(node.metadata.resourceVersion);
    if ((this.#nodeRevisions.get(node.metadata.name) ?? 0) > revision) return;
    this.#nodeRevisions.set(node.metadata.name, revision);
    const before = this.fleet.stateOf(node.metadata.name);
    const state = readNode(node);
    this.fleet.put(node.metadata.name, state);
    if (state.schedulable && (before === undefined || !before.schedulable || !sameOffer(before, state)))
      this.#onOffered?.(node.metadata.name);
  }

  removeNode(name: string): void {
    this.#nodeRevisions.delete(name);
    this.fleet.remove(name);
  }

  putAllocation(allocation: Stored<Allocation>): void {
    this.allocations.observe(readAllocation(allocation));
  }

  putJob(job: Stored<Job>): void {
    const key = jobKey(job.metadata.namespace, job.metadata.name);
    const known = this.#jobs.get(key);
    if (known === undefined || Number(known.metadata.resourceVersion) <= Number(job.metadata.resourceVersion))
      this.#jobs.set(key, job);
  }

  removeJob(job: Stored<Job>): void {
    this.#jobs.delete(jobKey(job.metadata.namespace, job.metadata.name));
  }

  putVersion(version: Stored<JobVersion>): void {
    const key = jobKey(version.metadata.namespace, version.spec.jobName);
    let known = this.#versions.get(key);
    if (known === undefined) this.#versions.set(key, (known = new Map()));
    known.set(version.metadata.name, version);
  }

  removeVersion(version: Stored<JobVersion>): void {
    const key = jobKey(version.metadata.namespace, version.spec.jobName);
    const known = this.#versions.get(key);
    known?.delete(version.metadata.name);
    if (known?.size === 0) this.#versions.delete(key);
  }

  putDeployment(deployment: Stored<Deployment>): void {
    const key = jobKey(deployment.metadata.namespace, deployment.spec.jobName);
    let known = this.#deployments.get(key);
    if (known === undefined) this.#deployments.set(key, (known = new Map()));
    const view = readDeployment(deployment);
    const before = known.get(view.id);
    if (before === undefined || before.revision <= view.revision) known.set(view.id, view);
  }

  removeDeployment(deployment: Stored<Deployment>): void {
    const key = jobKey(deployment.metadata.namespace, deployment.spec.jobName);
    const known = this.#deployments.get(key);
    known?.delete(deployment.metadata.name);
    if (known?.size === 0) this.#deployments.delete(key);
  }

  putPool(pool: Stored<NodePool>): void {
    this.#pools.set(pool.metadata.name, pool.spec ?? {});
  }

  removePool(name: string): void {
    this.#pools.delete(name);
  }

  algorithmOf(pool: string | undefined): Algorithm {
    return this.#pools.get(pool ?? 'default')?.schedulerAlgorithm ?? this.#configuration.schedulerAlgorithm ?? 'binpack';
  }

  /** The one called `default` counts. */
  putConfiguration({ metadata, spec }: Stored<SchedulerConfiguration>): void {
    if (metadata.name === 'default') this.#configuration = spec ?? {};
  }

  removeConfiguration(name: string): void {
    if (name === 'default') this.#configuration = {};
  }

  /** Whether jobs of the type may displace others. */
  mayPreempt(type: JobType): boolean {
    return this.#configuration.preemption?.[type] ?? type === 'system';
  }

  /** Whether nothing but dry runs is taken up. */
  get isPaused(): boolean {
    return this.#configuration.pauseEvalBroker ?? false;
  }

  grantsMemoryMax(pool: string | undefined): boolean {
    return this.#pools.get(pool ?? 'default')?.memoryOversubscription ?? this.#configuration.memoryOversubscription ?? true;
  }

  job(key: JobKey): Stored<Job> | undefined {
    return this.#jobs.get(key);
  }

  /** The job at its newest version. */
  view(key: JobKey): JobView | undefined {
    const job = this.#jobs.get(key);
    if (job === undefined) return undefined;
    let newest: Stored<JobVersion> | undefined;
    for (const version of this.#versions.get(key)?.values() ?? [])
      if (version.spec.jobUID === job.metadata.uid && (newest === undefined || version.spec.version > newest.spec.version))
        newest = version;
    return newest === undefined ? undefined : viewJob(job, newest);
  }

  spec(key: JobKey, uid: string, version: number): JobSpec | undefined {
    for (const known of this.#versions.get(key)?.values() ?? [])
      if (known.spec.jobUID === uid && known.spec.version === version) return known.spec.job;
    return undefined;
  }

  deployments(key: JobKey): DeploymentView[] {
    return [...(this.#deployments.get(key)?.values() ?? [])];
  }
}

/** Whether a node offers no more than it did: only then nobody needs to be told. */
function sameOffer(before: ReturnType<typeof readNode>, after: ReturnType<typeof readNode>): boolean {
  return (
    after.cpu <= before.cpu &&
    after.memory <= before.memory &&
    after.disk <= before.disk &&
    after.cores <= before.cores &&
    after.reservedPorts === before.reservedPorts &&
    JSON.stringify(plain(after)) === JSON.stringify(plain(before))
  );
}

const plain = ({ facts }: ReturnType<typeof readNode>): unknown[] => [
  { ...facts, drivers: undefined, volumes: undefined, networks: undefined },
  [...facts.drivers],
  [...facts.volumes],
  [...facts.networks],
];
