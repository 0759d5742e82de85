/**
 * From an evaluation to a plan, in one synchronous step: observe, reconcile, place, and say what to write. Pure but for a trial
 * run on the cluster that is taken back before it returns, so a plan that is never committed leaves no trace.
 */
import { derivedUuid, toTimestamp, type Instant } from '../../../base/index.ts';
import type { DesiredUpdates, Evaluation, EvaluationPlan, EvaluationStatus, Stored } from '../../../openapi/index.ts';
import { nextLaunch } from '../../../openapi/launch/schedule.ts';
import { isSystem } from '../../objects/index.ts';
import { isTerminal, type JobKey, type JobType } from '../model.ts';
import { evaluationDescription } from '../reconcile/descriptions.ts';
import type { Change, Decision } from '../reconcile/change.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import { reconcileSystem } from '../reconcile/system.ts';
import type { Cluster } from '../state/cluster.ts';
import { jobKey } from '../state/read.ts';
import { Draft, type Delayed } from './draft.ts';
import { deploymentObject, evaluationObject, preemptionEvaluation } from './objects.ts';
import { Placing } from './placing.ts';
import type { EvaluateInput, Plan } from './plan.ts';
import { Specs } from './specs.ts';

export type { AllocationPatch, EvaluateInput, MissingGroup, NewPlacement, Plan } from './plan.ts';

export function evaluate(input: EvaluateInput): Plan {
  return new Evaluating(input).run();
}

class Evaluating {
  readonly #input: EvaluateInput;
  readonly #evaluation: Stored<Evaluation>;
  readonly #key: JobKey;
  readonly #specs: Specs;
  readonly #isDryRun: boolean;
  readonly #draft: Draft;
  readonly #placing: Placing;

  constructor(input: EvaluateInput) {
    this.#input = input;
    const { cluster, evaluation } = input;
    this.#evaluation = evaluation;
    this.#key = jobKey(evaluation.metadata.namespace, evaluation.spec.jobName);
    this.#isDryRun = evaluation.spec.dryRun !== undefined;
    this.#specs = new Specs(cluster, this.#key, evaluation);
    this.#draft = new Draft(input, this.#specs.job);
    this.#placing = new Placing(input, this.#draft, this.#key, this.#specs);
  }

  run(): Plan {
    const { job } = this.#specs;
    const draft = this.#draft;
    const placing = this.#placing;
    const decision = this.#decide();
    this.#chooseDeployment(decision);
    try {
      this.#vacate(decision);
      const { mark } = draft.trial;
      placing.replaceAll(decision.groups);
      for (const { group, changes } of decision.groups) placing.place(group, changes);
      placing.finish();
      if (job?.spec.allAtOnce === true && placing.failures.size > 0) placing.placeNothing(mark);
      this.#tellPreempted();
      if (decision.continueAt !== undefined) draft.followUp('rolling-update', decision.continueAt, evaluationDescription.rolling);
      return this.#plan(decision, this.#outcome(decision));
    } finally {
      draft.trial.rollback();
    }
  }

  #decide(): Decision {
    const { cluster, followups, now } = this.#input;
    const { fleet } = cluster;
    const { job } = this.#specs;
    const common = {
      job,
      allocations: cluster.allocations.ofJob(this.#key),
      specOf: (version: number) => this.#specs.of(version),
      isNodeUp: (node: string) => fleet.stateOf(node)?.up ?? false,
      nodeSince: (node: string) => fleet.stateOf(node)?.phaseChangedAt,
      followups,
      now,
    };
    const isFeasible = (node: string, group: string): boolean => {
      const slot = fleet.slotOf(node);
      return slot !== undefined && this.#placing.feasibilityOf(group, job!.version).reasonFor(fleet, slot) === undefined;
    };
    if (job !== undefined && isSystem(job.spec.type))
      return reconcileSystem({ ...common, nodes: job.stopped ? new Map() : fleet.takers(), isFeasible });
    return reconcile({
      ...common,
      deployments: cluster.deployments(this.#key),
      isStillFeasible: ({ node, group }) => isFeasible(node, group),
    });
  }

  #chooseDeployment(decision: Decision): void {
    const draft = this.#draft;
    if (decision.within !== undefined) {
      draft.deployment = decision.within.id;
      draft.deploymentGroups = new Set(decision.within.groups.keys());
    } else if (decision.deployment.length > 0) {
      draft.deployment = derivedUuid(...draft.origin, 'deployment');
      draft.deploymentGroups = new Set(decision.deployment.map(({ group }) => group.name));
    }
  }

  /** The jobs whose allocations were displaced are to be looked at. */
  #tellPreempted(): void {
    const { cluster, now } = this.#input;
    const { evaluations, origin } = this.#draft;
    const told = new Set<JobKey>();
    for (const victim of [...this.#placing.preempted.values()].flat()) {
      if (told.has(victim.job)) continue;
      told.add(victim.job);
      const type = cluster.job(victim.job)?.spec.type as JobType | undefined;
      const name = derivedUuid(...origin, 'preemption', victim.job);
      evaluations.push(preemptionEvaluation(name, victim, type, this.#evaluation.metadata.name, now));
    }
  }

  /** What is done by group, what is displaced included. */
  #updates({ groups }: Decision): [string, Required<DesiredUpdates>][] {
    const { preempted } = this.#placing;
    return groups.map(({ group, updates }) => [group, { ...updates, preemptions: preempted.get(group)?.length ?? 0 }]);
  }

  /** Everything that frees or keeps a place, before anything takes one. */
  #vacate({ groups }: Decision): void {
    const delayed: Delayed[] = [];
    const silent = new Set<Instant>();
    for (const { changes } of groups) for (const change of changes) this.#vacateFor(change, delayed, silent);
    this.#draft.delay(delayed);
    for (const until of silent) this.#draft.followUp('max-disconnect-timeout', until, evaluationDescription.disconnected);
  }

  #vacateFor(change: Change, delayed: Delayed[], silent: Set<Instant>): void {
    const draft = this.#draft;
    switch (change.type) {
      case 'stop':
      case 'lose':
        draft.stop(change.allocation, change.because, change.type === 'lose');
        break;
      case 'disconnect':
        draft.disconnect(change.allocation, change.because);
        if (change.until !== undefined) silent.add(change.until);
        break;
      case 'reconnect':
        draft.patch(change.allocation, { nextAllocation: null }, { next: undefined }, change.because);
        break;
      case 'updateInPlace':
        draft.update(change.allocation, change.because);
        break;
      case 'promote':
        draft.patch(change.allocation, { canary: null }, { canary: false }, change.because);
        break;
      case 'settle':
        draft.patch(change.allocation, { surge: null }, { surge: false }, change.because);
        break;
      case 'delay':
        delayed.push(change);
        break;
      case 'place':
        // What a drain moves leaves in any case.
        if (change.kind === 'migrate') draft.stop(change.previous!, change.because);
        break;
      case 'replace':
        break;
    }
  }

  /** What is told of the evaluation, and who waits for what is missing. */
  #outcome(decision: Decision): { status: EvaluationStatus; cancelled: Map<string, string> } {
    const { now, revision, cluster, blocked } = this.#input;
    const { evaluations, deployment: made, origin, job } = this.#draft;
    const { failures, missing } = this.#placing;
    const { name } = this.#evaluation.metadata;
    const cancelled = new Map<string, string>();
    const deployment = made ?? newestDeployment(cluster, this.#key);
    const status: EvaluationStatus = {
      phase: 'complete',
      ...(deployment !== undefined && { deployment }),
      queued: this.#queued(),
      snapshotRevision: revision,
      modifiedAt: toTimestamp(now),
    };
    if (failures.size > 0) status.failedPlacements = Object.fromEntries(failures);
    if (this.#isDryRun) return { status: { ...status, plan: this.#answer(decision) }, cancelled };
    const next = evaluations.find(({ spec }) => spec.trigger === 'rolling-update')?.metadata.name;
    if (next !== undefined) status.nextEvaluation = next;
    if (failures.size === 0) {
      for (const other of blocked) cancelled.set(other, `evaluation "${name}" successful`);
      return { status, cancelled };
    }
    for (const other of blocked) cancelled.set(other, `evaluation "${name}" waits for capacity in its place`);
    const waiting: EvaluationStatus = {
      phase: 'blocked',
      description: evaluationDescription.blocked,
      failedPlacements: Object.fromEntries(failures),
      queued: this.#queued(),
      classEligibility: this.#eligibility(),
      escapedClass: [...missing.values()].some(({ feasibility }) => feasibility.program.uniqueChecks.length > 0),
      snapshotRevision: revision,
      modifiedAt: toTimestamp(now),
    };
    if (this.#evaluation.status?.phase === 'blocked') return { status: waiting, cancelled };
    const id = derivedUuid(...origin, 'blocked');
    evaluations.push(evaluationObject(job!, id, { trigger: 'queued-allocs', previousEvaluation: name }, waiting));
    return { status: { ...status, blockedEvaluation: id }, cancelled };
  }

  #queued(): Record<string, number> {
    const groups = this.#specs.job?.spec.groups ?? [];
    return Object.fromEntries(
      groups.map(({ name }) => {
        const failure = this.#placing.failures.get(name);
        return [name, failure === undefined ? 0 : 1 + (failure.coalescedFailures ?? 0)];
      }),
    );
  }

  #eligibility(): Record<string, boolean> {
    const eligible = new Map<string, boolean>();
    for (const { feasibility } of this.#placing.missing.values())
      for (const [id, fits] of feasibility.eligibility()) eligible.set(id, (eligible.get(id) ?? false) || fits);
    return Object.fromEntries(eligible);
  }

  /** The answer to a dry run. */
  #answer(decision: Decision): EvaluationPlan {
    const job = this.#input.cluster.job(this.#key);
    const { live } = this.#specs;
    const { failures } = this.#placing;
    return {
      jobModifyIndex: job?.status?.modifyIndex ?? 0,
      ...(live !== undefined && { baseVersion: live.version }),
      desiredUpdates: Object.fromEntries(this.#updates(decision)),
      ...(failures.size > 0 && { failedPlacements: Object.fromEntries(failures) }),
      createdDeployment: decision.deployment.length > 0,
      ...this.#nextLaunch(),
    };
  }

  #nextLaunch(): Pick<EvaluationPlan, 'nextPeriodicLaunch'> {
    const periodic = this.#evaluation.spec.dryRun?.job.periodic;
    if (periodic === undefined || periodic.enabled === false) return {};
    const next = nextLaunch(periodic, this.#input.now);
    return next === undefined ? {} : { nextPeriodicLaunch: toTimestamp(next) };
  }

  #plan(decision: Decision, { status, cancelled }: { status: EvaluationStatus; cancelled: Map<string, string> }): Plan {
    const { job, deployment, patches, placements, evaluations } = this.#draft;
    const isReal = !this.#isDryRun;
    const isNew = isReal && decision.within === undefined && decision.deployment.length > 0;
    return {
      job: this.#key,
      namespace: this.#evaluation.metadata.namespace ?? 'default',
      deployment: isNew
        ? deploymentObject(job!, deployment!, decision.deployment, this.#placedByGroup(), this.#input.now)
        : undefined,
      patches: isReal ? [...patches.values()] : [],
      placements: isReal ? placements : [],
      evaluations: isReal ? evaluations : [],
      cancelled,
      status,
      missing: isReal ? [...this.#placing.missing.values()] : [],
      updates: new Map(this.#updates(decision)),
    };
  }

  #placedByGroup(): Map<string, { placed: number; canaries: string[] }> {
    const { deployment, patches, placements } = this.#draft;
    const groups = new Map<string, { placed: number; canaries: string[] }>();
    const all = [...placements.map(({ record }) => record), ...[...patches.values()].map(({ after }) => after)];
    for (const record of all) {
      if (record.deployment !== deployment || isTerminal(record)) continue;
      let group = groups.get(record.group);
      if (group === undefined) groups.set(record.group, (group = { placed: 0, canaries: [] }));
      group.placed++;
      if (record.canary) group.canaries.push(record.id);
    }
    return groups;
  }
}

function newestDeployment(cluster: Cluster, key: JobKey): string | undefined {
  return cluster.deployments(key).sort((a, b) => b.createdAt - a.createdAt || b.version - a.version)[0]?.id;
}
