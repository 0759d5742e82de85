import { derivedUuid, toTimestamp, type Instant } from '../../../base/index.ts';
import type { Evaluation, EvaluationSpec, Stored } from '../../../openapi/index.ts';
import { jobTypeOf, type AllocationRecord, type JobView } from '../model.ts';
import { because, evaluationDescription } from '../reconcile/descriptions.ts';
import { Trial } from '../state/allocations.ts';
import { uuidSource } from './ids.ts';
import { evaluationObject } from './objects.ts';
import type { AllocationPatch, EvaluateInput, NewPlacement } from './plan.ts';

/** Delayed reschedules of one job that fall within this window share an evaluation. */
const DELAY_WINDOW = 5000;

export interface Delayed {
  readonly allocation: AllocationRecord;
  readonly until: Instant;
  readonly because: string;
}

/** What a plan has come to so far, tried out on the cluster's state. Every change of an allocation is made here. */
export class Draft {
  readonly job: JobView | undefined;
  readonly trial: Trial;
  readonly patches = new Map<string, AllocationPatch>();
  readonly placements: NewPlacement[] = [];
  readonly evaluations: Evaluation[] = [];
  /** What names are derived from. */
  readonly origin: readonly (string | number)[];
  readonly nextId: () => string;
  /** The deployment that this plan works within or makes, and its groups. */
  deployment: string | undefined;
  deploymentGroups: ReadonlySet<string> = new Set();
  readonly #now: Instant;
  readonly #evaluation: Stored<Evaluation>;

  constructor({ cluster, evaluation, made, now }: EvaluateInput, job: JobView | undefined) {
    this.job = job;
    this.#now = now;
    this.#evaluation = evaluation;
    this.trial = new Trial(cluster.allocations);
    this.origin = [evaluation.metadata.uid, evaluation.metadata.resourceVersion, made];
    this.nextId = uuidSource(...this.origin);
  }

  deploymentOf(group: string): string | undefined {
    return this.deploymentGroups.has(group) ? this.deployment : undefined;
  }

  stop(allocation: AllocationRecord, why: string, isLost = false): void {
    const isNews = allocation.desired === 'run';
    const patch = isNews
      ? {
          desired: 'stop',
          desiredDescription: why,
          desiredChangedAt: toTimestamp(this.#now),
          ...(allocation.followup !== undefined && { followupEvaluation: null }),
        }
      : {};
    const after = {
      ...(isNews && { desired: 'stop' as const, followup: undefined }),
      ...(isLost && { phase: 'lost' as const }),
    };
    const status = isLost ? { phase: 'lost', description: because.lost } : undefined;
    this.patch(allocation, patch, after, why, status);
  }

  /** Nobody hears of it for the time being. */
  disconnect(allocation: AllocationRecord, why: string): void {
    const status = { phase: 'unknown', description: why, disconnectedAt: toTimestamp(this.#now) };
    this.patch(allocation, {}, { phase: 'unknown', unknownSince: this.#now }, why, status);
  }

  /** Makes way for an allocation of higher priority. */
  evict(allocation: AllocationRecord, by: string): void {
    const why = `Preempted by alloc ID ${by}`;
    const patch = {
      desired: 'evict',
      desiredDescription: why,
      desiredChangedAt: toTimestamp(this.#now),
      preemptedByAllocation: by,
      ...(allocation.followup !== undefined && { followupEvaluation: null }),
    };
    this.patch(allocation, patch, { desired: 'evict', followup: undefined, preemptedBy: by }, why);
  }

  update(allocation: AllocationRecord, why: string): void {
    const job = this.job!;
    const deployment = this.deploymentOf(allocation.group);
    this.patch(
      allocation,
      {
        jobVersion: job.version,
        jobType: jobTypeOf(job.spec),
        priority: job.spec.priority ?? 50,
        evaluation: this.#evaluation.metadata.name,
        deployment: deployment ?? null,
        canary: null,
      },
      { version: job.version, priority: job.spec.priority ?? 50, deployment, canary: false, healthy: undefined },
      why,
      // A verdict about another deployment is none about this one.
      allocation.healthy === undefined ? undefined : { deploymentHealth: null },
    );
  }

  patch(
    allocation: AllocationRecord,
    spec: Record<string, unknown>,
    after: Partial<AllocationRecord>,
    why: string,
    status?: Record<string, unknown>,
  ): void {
    const known = this.patches.get(allocation.id);
    const patched = { ...(known?.after ?? allocation), ...after };
    this.patches.set(allocation.id, {
      id: allocation.id,
      namespace: allocation.job.slice(0, allocation.job.indexOf('/')),
      spec: { ...known?.spec, ...spec },
      status: status === undefined ? known?.status : { ...known?.status, ...status },
      after: patched,
      because: known?.because ?? why,
    });
    this.trial.put(patched);
  }

  /** Delayed evaluations for what failed and has to wait; what falls due at nearly the same time shares one. */
  delay(changes: readonly Delayed[]): void {
    let last: { readonly from: Instant; readonly id: string } | undefined;
    for (const { allocation, until, because: why } of [...changes].sort((a, b) => a.until - b.until)) {
      if (last === undefined || until - last.from > DELAY_WINDOW)
        last = { from: until, id: this.followUp('alloc-failure', until, evaluationDescription.delayed) };
      this.patch(allocation, { followupEvaluation: last.id }, { followup: last.id }, why);
    }
  }

  /** Asks that the job be looked at again then. */
  followUp(trigger: EvaluationSpec['trigger'], until: Instant, description: string): string {
    const id = derivedUuid(...this.origin, 'delayed', this.evaluations.length);
    this.evaluations.push(
      evaluationObject(
        this.job!,
        id,
        { trigger, previousEvaluation: this.#evaluation.metadata.name, waitUntil: toTimestamp(until) },
        { phase: 'pending', description, modifiedAt: toTimestamp(this.#now) },
      ),
    );
    return id;
  }
}
