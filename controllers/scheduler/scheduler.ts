import {
  backoff,
  describeError,
  derivedUuid,
  isReason,
  toTimestamp,
  type Clock,
  type Duration,
  type Logger,
  type Timer,
} from '../../base/index.ts';
import { ConnectionError, type BatchOperation, type Client, type EventRecorder, type Informers } from '../../client/index.ts';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  JobVersionKind,
  NodeKind,
  NodePoolKind,
  RebalanceKind,
  SchedulerConfigurationKind,
  type Evaluation,
  type EvaluationStatus,
  type Kind,
  type Rebalance,
  type SchedulerConfiguration,
  type Stored,
} from '../../openapi/index.ts';
import { driversOf, explainFailure } from '../objects/index.ts';
import { evaluate, type Plan } from './plan/evaluate.ts';
import { isNothingNew, operationsOf, Reservation, send } from './plan/write.ts';
import { BlockedEvaluations } from './queue/blocked.ts';
import { Broker, type Entry } from './queue/broker.ts';
import { Scratch } from './rank/session.ts';
import { evaluationDescription } from './reconcile/descriptions.ts';
import { answer } from './rebalance/answer.ts';
import { NotYetError, Refresher } from './refresh.ts';
import { Cluster } from './state/cluster.ts';
import { jobKey } from './state/read.ts';

export interface SchedulerConfig {
  /** Plans that are being committed while further evaluations are worked on. */
  readonly commitsInFlight: number;
  /** How often an evaluation is tried that fails for reasons of its own. */
  readonly deliveryLimit: number;
  /** How long the follow-up of an evaluation that failed waits. */
  readonly followupDelay: Duration;
}

export const defaultConfig: SchedulerConfig = { commitsInFlight: 16, deliveryLimit: 3, followupDelay: 60_000 };

export interface SchedulerOptions {
  /** Its writes carry the leader's fence. */
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the work; what is being committed is awaited. */
  readonly signal: AbortSignal;
  readonly config?: Partial<SchedulerConfig>;
  /** Tells users what could not be placed. */
  readonly events?: EventRecorder;
}

/** The kinds that it follows. */
export const followed: readonly Kind[] = [RebalanceKind, SchedulerConfigurationKind, NodePoolKind, NodeKind, JobKind, JobVersionKind, DeploymentKind, AllocationKind, EvaluationKind]; // prettier-ignore

const RETRY = { base: 50, max: 10_000 };

/** One term of scheduling. */
export class Scheduler {
  readonly #client: Client;
  readonly #informers: Informers;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #config: SchedulerConfig;
  readonly #events: EventRecorder | undefined;
  readonly #cluster = new Cluster();
  readonly #broker = new Broker();
  readonly #blocked = new BlockedEvaluations(this.#cluster);
  readonly #scratch = new Scratch();
  readonly #refresher: Refresher;
  readonly #working = new Set<Promise<void>>();
  /** Evaluations that a plan under way creates: they are taken in when it is committed, not when they are seen. */
  readonly #expected = new Set<string>();
  /** By evaluation: allocations that a plan that was cut short has made. */
  readonly #made = new Map<string, number>();
  /** Nodes with new room that nobody was told of yet. */
  readonly #roomy = new Set<string>();
  /** Whether everything was read; until then questions wait. */
  #isWhole = false;
  readonly #asked: Stored<Rebalance>[] = [];
  /** Rises whenever a node gets room. */
  #roomChanges = 0;
  #alarm: Timer | undefined;
  #wakeUp: () => void = () => undefined;
  #failure: unknown;

  constructor(options: SchedulerOptions) {
    const { client, informers, clock, log, signal, config, events } = options;
    this.#client = client;
    this.#informers = informers;
    this.#clock = clock;
    this.#log = log;
    this.#signal = signal;
    this.#config = { ...defaultConfig, ...config };
    this.#events = events;
    this.#refresher = new Refresher({ client, informers, cluster: this.#cluster });
  }

  /** Works until the signal aborts; throws when it finds that it leads no more. */
  async run(): Promise<void> {
    const unsubscribe = this.#follow();
    try {
      await this.#refresher.readAll(this.#signal);
      this.#isWhole = true;
      for (const asked of this.#asked.splice(0)) this.#answer(asked);
      this.#log.info('scheduling', { nodes: this.#cluster.fleet.schedulableCount, allocations: this.#cluster.allocations.size, evaluations: this.#broker.size }); // prettier-ignore
      await this.#schedulerLoop();
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      for (const stop of unsubscribe) stop();
      this.#alarm?.cancel();
      await Promise.all(this.#working);
    }
  }

  /** Takes one evaluation after the other; a plan is committed while the next one is made. */
  async #schedulerLoop(): Promise<void> {
    const stop = (): void => this.#wakeUp();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      while (!this.#signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure;
        const entry = this.#working.size < this.#config.commitsInFlight ? this.#next() : undefined;
        if (entry === undefined) {
          await this.#idle();
          continue;
        }
        const work = this.#work(entry).finally(() => {
          this.#working.delete(work);
          this.#wakeUp();
        });
        this.#working.add(work);
        // Let informers and answers in between.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#signal.removeEventListener('abort', stop);
    }
  }

  #next(): Entry | undefined {
    return this.#cluster.isPaused ? this.#broker.takeDryRun(this.#clock.now()) : this.#broker.take(this.#clock.now());
  }

  /** Resolves when there may be something to do. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeUp = resolve;
      const at = this.#broker.nextWake();
      this.#alarm?.cancel();
      if (at !== undefined) this.#alarm = this.#clock.after(Math.max(0, at - this.#clock.now()), resolve);
      if (this.#signal.aborted) resolve();
    });
  }

  #follow(): (() => void)[] {
    const cluster = this.#cluster;
    const informers = this.#informers;
    cluster.onOffered((node) => this.#gotRoom(node));
    cluster.allocations.onFreed((node) => this.#gotRoom(node));
    const put = <T>(take: (object: T) => void) => ({ added: take, modified: take });
    return [
      informers.of(SchedulerConfigurationKind).on({
        ...put((configuration: Stored<SchedulerConfiguration>) => {
          const wasPaused = cluster.isPaused;
          cluster.putConfiguration(configuration);
          if (wasPaused !== cluster.isPaused)
            this.#log.info(wasPaused ? 'evaluations are taken up again' : 'paused: evaluations wait');
          this.#wakeUp();
          // What was out of the question may be allowed now.
          for (const evaluation of this.#blocked.all()) this.#unblock(evaluation);
        }),
        deleted: ({ metadata }) => {
          cluster.removeConfiguration(metadata.name);
          this.#wakeUp();
        },
      }),
      informers.of(RebalanceKind).on(put((asked: Stored<Rebalance>) => this.#answer(asked))),
      informers.of(NodePoolKind).on({ ...put(cluster.putPool.bind(cluster)), deleted: (pool) => cluster.removePool(pool.metadata.name) }), // prettier-ignore
      informers.of(NodeKind).on({ ...put(cluster.putNode.bind(cluster)), deleted: (node) => cluster.removeNode(node.metadata.name) }), // prettier-ignore
      informers.of(JobVersionKind).on({ ...put(cluster.putVersion.bind(cluster)), deleted: cluster.removeVersion.bind(cluster) }),
      informers.of(JobKind).on({ ...put(cluster.putJob.bind(cluster)), deleted: cluster.removeJob.bind(cluster) }),
      informers.of(DeploymentKind).on({ ...put(cluster.putDeployment.bind(cluster)), deleted: cluster.removeDeployment.bind(cluster) }), // prettier-ignore
      informers.of(AllocationKind).on({
        ...put(cluster.putAllocation.bind(cluster)),
        deleted: (allocation) => cluster.allocations.forget(allocation.metadata.name),
      }),
      informers.of(EvaluationKind).on({
        ...put((evaluation: Stored<Evaluation>) => this.#see(evaluation)),
        deleted: (evaluation) => this.#drop(evaluation),
      }),
    ];
  }

  /** Once the state is whole: what was asked before this term began is answered then. */
  #answer(asked: Stored<Rebalance>): void {
    if (asked.status?.answeredAt !== undefined) return;
    if (!this.#isWhole) return void this.#asked.push(asked);
    const context = { client: this.#client, cluster: this.#cluster, scratch: this.#scratch, now: this.#clock.now() };
    const work = answer(asked, context)
      .catch((error: unknown) => this.#log.warn('cannot say how to rebalance', { rebalance: asked.metadata.name, error }))
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  #see(evaluation: Stored<Evaluation>): void {
    const { name } = evaluation.metadata;
    if (this.#expected.has(name)) return;
    switch (evaluation.status?.phase ?? 'pending') {
      case 'pending':
        this.#offer(evaluation);
        return;
      case 'blocked':
        // One that we did not block ourselves is tried once: room may have come while nobody watched.
        if (!this.#blocked.has(name)) this.#offer(evaluation);
        return;
      case 'complete':
      case 'failed':
      case 'cancelled':
        this.#drop(evaluation);
    }
  }

  #offer(evaluation: Stored<Evaluation>): void {
    this.#broker.offer(evaluation, this.#clock.now());
    this.#wakeUp();
  }

  #drop({ metadata, spec }: Stored<Evaluation>): void {
    this.#broker.withdraw(metadata.name);
    this.#blocked.remove(jobKey(metadata.namespace, spec.jobName), metadata.name);
  }

  /** Wakes who waits for what this node now offers, once for all changes of a moment. */
  #gotRoom(node: string): void {
    this.#roomChanges++;
    this.#roomy.add(node);
    if (this.#roomy.size === 1) setImmediate(() => this.#wakeBlocked());
  }

  #wakeBlocked(): void {
    const nodes = [...this.#roomy];
    this.#roomy.clear();
    for (const evaluation of this.#blocked.helpedBy(nodes)) this.#unblock(evaluation);
  }

  #unblock(evaluation: Stored<Evaluation>): void {
    this.#blocked.remove(jobKey(evaluation.metadata.namespace, evaluation.spec.jobName), evaluation.metadata.name);
    this.#offer(evaluation);
  }

  async #work(entry: Entry): Promise<void> {
    try {
      if (!this.#refresher.isCurrent(entry.evaluation)) await this.#refresher.catchUp(entry.evaluation, this.#signal);
      const superseded = await this.#process(entry);
      await this.#cancel(superseded);
    } catch (error) {
      await this.#failed(entry, error);
    }
  }

  /** From here to the batch nothing waits, so what the plan was made from is what is reserved. */
  async #process({ name, key }: Entry): Promise<Stored<Evaluation>[]> {
    const evaluation = this.#broker.get(name)!;
    const roomChanges = this.#roomChanges;
    const plan = evaluate({
      cluster: this.#cluster,
      evaluation,
      followups: this.#broker.followups(key, this.#clock.now()),
      blocked: [...this.#blocked.ofJob(key), ...this.#broker.unblocked(key)].filter((other) => other !== name),
      made: this.#made.get(name) ?? 0,
      revision: this.#informers.of(AllocationKind).revision,
      now: this.#clock.now(),
      scratch: this.#scratch,
      timer: () => performance.now(),
    });
    if (isNothingNew(plan, evaluation)) {
      this.#block(evaluation, plan, roomChanges);
      return this.#done(name);
    }
    for (const made of plan.evaluations) this.#expected.add(made.metadata.name!);
    const reservation = new Reservation(this.#cluster, plan);
    try {
      const result = await send(this.#client, operationsOf(plan, evaluation));
      const written = reservation.commit(result);
      this.#committed(plan, evaluation, written.evaluations, written.evaluationVersion ?? result.revision, roomChanges);
    } catch (error) {
      reservation.rollback();
      throw error;
    } finally {
      for (const made of plan.evaluations) this.#expected.delete(made.metadata.name!);
    }
    return this.#done(name);
  }

  #committed(plan: Plan, evaluation: Stored<Evaluation>, made: Stored<Evaluation>[], version: string, roomChanges: number): void {
    this.#report(plan, evaluation);
    for (const name of plan.cancelled.keys()) {
      this.#broker.withdraw(name);
      this.#blocked.remove(plan.job, name);
    }
    const known: Stored<Evaluation> = {
      ...evaluation,
      metadata: { ...evaluation.metadata, resourceVersion: version },
      status: plan.status,
    };
    if (plan.status.phase === 'blocked') this.#block(known, plan, roomChanges);
    for (const one of made) {
      if (one.status?.phase === 'blocked') this.#block(one, plan, roomChanges);
      else this.#offer(one);
    }
  }

  /** Lets it wait; room that came since the plan was made may be what it waits for. */
  #block(evaluation: Stored<Evaluation>, plan: Plan, roomChanges: number): void {
    this.#blocked.add(plan.job, evaluation, plan.missing);
    if (roomChanges === this.#roomChanges) return;
    const nodes = this.#cluster.fleet.names.filter((node) => node !== undefined);
    setImmediate(() => {
      if (this.#blocked.helpedBy(nodes).some(({ metadata }) => metadata.name === evaluation.metadata.name))
        this.#unblock(evaluation);
    });
  }

  #done(name: string): Stored<Evaluation>[] {
    this.#made.delete(name);
    const superseded = this.#broker.done(name);
    this.#wakeUp();
    return superseded;
  }

  /** Ends evaluations that another one has made pointless. Where that fails they are worked on after all. */
  async #cancel(superseded: readonly Stored<Evaluation>[]): Promise<void> {
    if (superseded.length === 0) return;
    const status: EvaluationStatus = {
      phase: 'cancelled',
      description: evaluationDescription.superseded,
      modifiedAt: toTimestamp(this.#clock.now()),
    };
    try {
      const { results } = await this.#client.batch(
        superseded.map((evaluation) => statusPatch(evaluation, status)),
        { mode: 'independent', signal: this.#signal },
      );
      results.forEach(({ code }, at) => {
        if (code >= 300 && code !== 404) this.#offer(superseded[at]!);
      });
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#log.debug('cannot cancel evaluations, working on them', { error });
      for (const evaluation of superseded) this.#offer(evaluation);
    }
  }

  /** Decides what becomes of an evaluation that could not be dealt with. */
  async #failed(entry: Entry, error: unknown): Promise<void> {
    const { name, attempts } = entry;
    const retry = (counts: boolean): void => {
      const now = this.#clock.now();
      this.#broker.retry(name, now + backoff(attempts, RETRY.base, RETRY.max), now, counts);
      this.#wakeUp();
    };
    if (this.#signal.aborted) return retry(false);
    if (isFenced(error)) {
      this.#failure = error;
      return retry(false);
    }
    if (error instanceof NotYetError) {
      this.#log.debug('evaluation waits for the version of its job', { evaluation: name, error });
      return retry(true);
    }
    try {
      // Whatever the answer was, part of the plan may have been written.
      if (!(await this.#resync(entry))) return;
    } catch (failure) {
      if (!this.#signal.aborted) this.#log.debug('cannot reach the apiserver, retrying', { evaluation: name, error: failure });
      return retry(true);
    }
    if (isUnreachable(error) || isReason(error, 'Conflict', 'AlreadyExists', 'NotFound')) {
      this.#log.debug('plan refused, deciding again', { evaluation: name, error });
      return retry(true);
    }
    this.#log.warn('evaluation failed', { evaluation: name, job: entry.key, attempt: attempts + 1, error });
    if (attempts + 1 < this.#config.deliveryLimit) return retry(true);
    await this.#giveUp(entry, error).catch((failure: unknown) => {
      this.#log.debug('cannot give up an evaluation, retrying', { evaluation: name, error: failure });
      retry(true);
    });
  }

  /** Reads how things stand with the evaluation and its job. False: it needs no more work. */
  async #resync({ name, key, evaluation }: Entry): Promise<boolean> {
    const now = await this.#refresher.readEvaluation(evaluation);
    const phase = now?.status?.phase ?? 'pending';
    const made = await this.#refresher.readAllocations(evaluation, this.#signal);
    await this.#refresher.readDeployments(evaluation, this.#signal);
    if (now === undefined || now.metadata.uid !== evaluation.metadata.uid || (phase !== 'pending' && phase !== 'blocked')) {
      this.#blocked.remove(key, name);
      await this.#cancel(this.#done(name));
      return false;
    }
    this.#made.set(name, made);
    this.#broker.offer(now, this.#clock.now());
    return true;
  }

  /** It fails every time: said so, and tried once more a good while later. */
  async #giveUp({ name, key }: Entry, error: unknown): Promise<void> {
    const evaluation = this.#broker.get(name)!;
    const { metadata, spec } = evaluation;
    const now = this.#clock.now();
    const next = derivedUuid(metadata.uid, 'failed-follow-up');
    const { waitUntil: _, dryRun, ...asked } = spec;
    const followup: Evaluation = {
      apiVersion: EvaluationKind.apiVersion,
      kind: EvaluationKind.kind,
      metadata: { name: next, ...(metadata.namespace !== undefined && { namespace: metadata.namespace }) },
      spec: {
        ...asked,
        trigger: 'failed-follow-up',
        previousEvaluation: name,
        waitUntil: toTimestamp(now + this.#config.followupDelay),
      },
    };
    const status: EvaluationStatus = {
      phase: 'failed',
      description: `evaluation reached delivery limit (${this.#config.deliveryLimit}): ${describeError(error)}`,
      modifiedAt: toTimestamp(now),
      ...(dryRun === undefined && { nextEvaluation: next }),
    };
    const operations: BatchOperation[] = dryRun === undefined ? [{ operation: 'create', object: followup }] : [];
    await this.#client.batch([...operations, statusPatch(evaluation, status)], { signal: this.#signal });
    this.#blocked.remove(key, name);
    await this.#cancel(this.#done(name));
  }

  #report(plan: Plan, evaluation: Stored<Evaluation>): void {
    const { name } = evaluation.metadata;
    if (evaluation.spec.dryRun !== undefined) return this.#log.debug('dry run answered', { evaluation: name, job: plan.job });
    const missing = Object.entries(plan.status.failedPlacements ?? {});
    if (plan.placements.length + plan.patches.length + missing.length === 0) {
      this.#log.debug('nothing to do', { evaluation: name, job: plan.job, trigger: evaluation.spec.trigger });
      return;
    }
    this.#log.info('plan committed', {
      evaluation: name,
      job: plan.job,
      trigger: evaluation.spec.trigger,
      placed: plan.placements.length,
      stopped: plan.patches.filter(({ after }) => after.desired !== 'run').length,
      updated: plan.patches.filter(({ after }) => after.desired === 'run').length,
      ...(missing.length > 0 && { missing: missing.reduce((sum, [, metric]) => sum + 1 + (metric.coalescedFailures ?? 0), 0) }),
    });
    if (this.#log.isEnabled('debug')) {
      for (const { id, because } of plan.patches) this.#log.debug('allocation changed', { allocation: id, because });
      for (const { record, because } of plan.placements) this.#log.debug('allocation placed', { allocation: record.id, node: record.node, because }); // prettier-ignore
    }
    const job = this.#cluster.job(plan.job);
    if (job !== undefined)
      for (const [group, metric] of missing)
        this.#events?.record(job, 'Warning', 'PlacementFailed', explainFailure(group, metric, driversOf(job.spec, group)));
  }
}

const statusPatch = ({ metadata }: Stored<Evaluation>, status: EvaluationStatus): BatchOperation => ({
  operation: 'patch',
  subresource: 'status',
  apiVersion: EvaluationKind.apiVersion,
  kind: EvaluationKind.kind,
  ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
  name: metadata.name,
  uid: metadata.uid,
  patch: { status },
});

/** Our term is over: nothing that we write is taken any more. */
const isFenced = (error: unknown): boolean => isReason(error, 'Conflict') && /\bfence\b/i.test(error.message);

/** It may or may not have arrived. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof ConnectionError ||
  isReason(error, 'Timeout', 'ServiceUnavailable', 'TooManyRequests', 'InternalError') ||
  (error instanceof Error && 'code' in error && !isReason(error, 'BadRequest', 'Invalid'));
