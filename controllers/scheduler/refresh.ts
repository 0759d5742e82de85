import { isReason } from '../../base/index.ts';
import type { Client, Informers } from '../../client/index.ts';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  JobVersionKind,
  NodeKind,
  type Evaluation,
  type EvaluationSpec,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
import type { Cluster } from './state/cluster.ts';
import { jobKey } from './state/read.ts';

/**
 * Brings the cluster up to what an evaluation is about. Each kind is followed by a watch of its own, so an evaluation may be seen
 * before that which it was made for; deciding then would find nothing to do, and nobody would ask again.
 */

/** The job's version is not written yet; its controller will see to it. */
export class NotYetError extends Error {
  override readonly name = 'NotYetError';
}

/** The kinds that the reason of an evaluation lies in. Jobs are told apart by their generation. */
const CAUSES: Partial<Record<EvaluationSpec['trigger'], readonly Kind[]>> = {
  'alloc-failure': [AllocationKind],
  'alloc-stop': [AllocationKind],
  'retry-failed-alloc': [AllocationKind],
  reconnect: [AllocationKind, NodeKind],
  'node-update': [NodeKind],
  'node-drain': [AllocationKind, NodeKind],
  'deployment-watcher': [DeploymentKind, AllocationKind],
};

export class Refresher {
  readonly #client: Client;
  readonly #informers: Informers;
  readonly #cluster: Cluster;

  constructor(options: { client: Client; informers: Informers; cluster: Cluster }) {
    this.#client = options.client;
    this.#informers = options.informers;
    this.#cluster = options.cluster;
  }

  /** Whether the cluster is at least as new as the evaluation, as far as that matters. */
  isCurrent(evaluation: Stored<Evaluation>): boolean {
    return this.#knowsJob(evaluation) && this.#lagging(evaluation).length === 0;
  }

  /** Reads what is not known yet. Throws NotYetError where that does not exist yet. */
  async catchUp(evaluation: Stored<Evaluation>, signal: AbortSignal): Promise<void> {
    if (!this.#knowsJob(evaluation)) await this.#readJob(evaluation, signal);
    for (const kind of this.#lagging(evaluation)) {
      if (kind === NodeKind) await this.#readNode(evaluation);
      else if (kind === DeploymentKind) await this.readDeployments(evaluation, signal);
      else await this.readAllocations(evaluation, signal);
    }
  }

  /** All allocations of the job, as they are now. Returns how many of them the evaluation has made. */
  async readAllocations({ metadata, spec }: Stored<Evaluation>, signal: AbortSignal): Promise<number> {
    const { items, metadata: list } = await this.#client.list(AllocationKind, {
      namespace: metadata.namespace ?? 'default',
      fieldSelector: `spec.jobName=${spec.jobName}`,
      signal,
    });
    const found = new Set(items.map((item) => item.metadata.name));
    for (const item of items) this.#cluster.putAllocation(item);
    const { allocations } = this.#cluster;
    for (const { id, revision } of allocations.ofJob(jobKey(metadata.namespace, spec.jobName)))
      if (!found.has(id) && revision > 0) allocations.forget(id, Number(list.resourceVersion));
    return items.filter((item) => item.spec.evaluation === metadata.name).length;
  }

  async readDeployments({ metadata, spec }: Stored<Evaluation>, signal: AbortSignal): Promise<void> {
    const { items } = await this.#client.list(DeploymentKind, {
      namespace: metadata.namespace ?? 'default',
      fieldSelector: `spec.jobName=${spec.jobName}`,
      signal,
    });
    for (const item of items) this.#cluster.putDeployment(item);
  }

  /** The evaluation as it is now; undefined: deleted. */
  readEvaluation({ metadata }: Stored<Evaluation>): Promise<Stored<Evaluation> | undefined> {
    return this.#client.find(EvaluationKind, metadata.name, metadata.namespace ?? 'default');
  }

  /**
   * Everything that schedulers write, as it is now. What a leader before us has written last may not have reached our informers
   * when we take over; once we lead, it cannot write any more.
   */
  async readAll(signal: AbortSignal): Promise<void> {
    let from = '';
    do {
      const { items, metadata } = await this.#client.list(AllocationKind, {
        limit: 2000,
        ...(from !== '' && { continue: from }),
        signal,
      });
      for (const item of items) this.#cluster.putAllocation(item);
      from = metadata.continue ?? '';
    } while (from !== '');
    const { items } = await this.#client.list(DeploymentKind, { signal });
    for (const item of items) this.#cluster.putDeployment(item);
  }

  #knowsJob({ metadata, spec }: Stored<Evaluation>): boolean {
    const key = jobKey(metadata.namespace, spec.jobName);
    const job = this.#cluster.job(key);
    // A dry run may be about a job that does not exist.
    if (job === undefined) return spec.dryRun !== undefined;
    if (spec.jobUID !== undefined && spec.jobUID !== job.metadata.uid) return false;
    const view = this.#cluster.view(key);
    if (view === undefined) return spec.dryRun !== undefined || job.metadata.deletionTimestamp !== undefined;
    const wanted = spec.jobGeneration ?? 0;
    if (job.metadata.generation < wanted) return false;
    // Asking for deletion raises the generation too, but makes no version.
    const newest = job.metadata.deletionTimestamp === undefined ? job.metadata.generation : job.metadata.generation - 1;
    return view.generation >= Math.min(wanted, newest);
  }

  #lagging({ metadata, spec }: Stored<Evaluation>): Kind[] {
    const revision = Number(metadata.resourceVersion);
    return (CAUSES[spec.trigger] ?? []).filter((kind) => this.#informers.of(kind).revision < revision);
  }

  async #readJob(evaluation: Stored<Evaluation>, signal: AbortSignal): Promise<void> {
    const { metadata, spec } = evaluation;
    const namespace = metadata.namespace ?? 'default';
    const job = await this.#client.find(JobKind, spec.jobName, namespace);
    if (job === undefined) {
      const known = this.#cluster.job(jobKey(namespace, spec.jobName));
      if (known !== undefined) this.#cluster.removeJob(known);
      return;
    }
    this.#cluster.putJob(job);
    // The job that the evaluation is about is gone, another one bears its name: that is what there is to look at.
    if (spec.jobUID !== undefined && spec.jobUID !== job.metadata.uid && this.#cluster.view(jobKey(namespace, spec.jobName)) !== undefined) return; // prettier-ignore
    if (this.#knowsJob(evaluation)) return;
    const { items } = await this.#client.list(JobVersionKind, {
      namespace,
      fieldSelector: `spec.jobName=${spec.jobName}`,
      signal,
    });
    for (const item of items) this.#cluster.putVersion(item);
    if (
      this.#cluster.view(jobKey(namespace, spec.jobName)) === undefined ||
      (spec.jobUID === job.metadata.uid && !this.#knowsJob(evaluation))
    )
      throw new NotYetError(
        `generation ${spec.jobGeneration ?? job.metadata.generation} of job ${spec.jobName} has no version yet`,
      );
  }

  async #readNode({ spec }: Stored<Evaluation>): Promise<void> {
    if (spec.nodeName === undefined) return;
    try {
      this.#cluster.putNode(await this.#client.get(NodeKind, spec.nodeName));
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      this.#cluster.removeNode(spec.nodeName);
    }
  }
}
