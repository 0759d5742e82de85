/**
 * From an evaluation to a plan, in one synchronous step: observe, reconcile, place, and say what to write. Pure but for a trial
 * run on the cluster that is taken back before it returns, so a plan that is never committed leaves no trace.
 */
import equal from 'fast-deep-equal';
import { derivedUuid, toTimestamp, type Instant } from '../../../base/index.ts';
import type {
  Allocation,
  AllocMetric,
  Deployment,
  DesiredUpdates,
  Evaluation,
  EvaluationPlan,
  EvaluationStatus,
  JobSpec,
  Stored,
} from '../../../openapi/index.ts';
import { isTemplate } from '../../objects/index.ts';
import { Feasibility } from '../feasible/feasibility.ts';
import { compileGroup, type GroupProgram } from '../feasible/program.ts';
import { isTerminal, jobTypeOf, type AllocationRecord, type JobKey, type JobView } from '../model.ts';
import { PlacementSession, type Placement, type Scratch, type Wish } from '../rank/session.ts';
import { because, evaluationDescription } from '../reconcile/descriptions.ts';
import { reconcile, type Change, type Decision, type GroupDecision, type PlaceChange } from '../reconcile/reconcile.ts';
import { nextTracker } from '../reconcile/reschedule.ts';
import { isHolding, Trial } from '../state/allocations.ts';
import type { Cluster } from '../state/cluster.ts';
import { holdingOf, jobKey } from '../state/read.ts';
import { seedNumber, uuidSource } from './ids.ts';
import { allocationObject, deploymentObject, evaluationObject, groupParts, type GroupParts } from './objects.ts';

export interface EvaluateInput {
  readonly cluster: Cluster;
  readonly evaluation: Stored<Evaluation>;
  /** The delayed evaluations of the job that are still to come: when. */
  readonly followups: ReadonlyMap<string, Instant>;
  /** Other evaluations of the job that wait for capacity: this one makes them pointless. */
  readonly blocked: readonly string[];
  /**
   * Allocations that this evaluation has made already, by a plan that was cut short: the names of the next plan must not be
   * theirs. 0 after an answer that was lost, so that the names are the same and a second creation is refused.
   */
  readonly made: number;
  /** The store revision that the cluster was seen at. */
  readonly revision: number;
  readonly now: Instant;
  readonly scratch: Scratch;
  /** Milliseconds for measuring how long a search took; says nothing about the date. */
  readonly timer: () => number;
}

/** A change of an allocation that exists. */
export interface AllocationPatch {
  readonly id: string;
  /** Merge patches. */
  readonly spec: Record<string, unknown>;
  readonly status: Record<string, unknown> | undefined;
  /** As it is once the patch is written. */
  readonly after: AllocationRecord;
  readonly because: string;
}

export interface NewPlacement {
  readonly object: Allocation;
  readonly record: AllocationRecord;
  readonly because: string;
}

/** Everything that one evaluation comes to, ready to be written in one batch. */
export interface Plan {
  readonly job: JobKey;
  readonly namespace: string;
  readonly deployment: Deployment | undefined;
  readonly patches: readonly AllocationPatch[];
  readonly placements: readonly NewPlacement[];
  /** Follow-ups and what waits for capacity. */
  readonly evaluations: readonly Evaluation[];
  /** Evaluations that this one makes pointless, and why. */
  readonly cancelled: ReadonlyMap<string, string>;
  readonly status: EvaluationStatus;
  /** What could not be placed, to be woken by exactly that. */
  readonly missing: readonly MissingGroup[];
  readonly updates: ReadonlyMap<string, Required<DesiredUpdates>>;
}

export interface MissingGroup {
  readonly job: JobKey;
  readonly feasibility: Feasibility;
}

export function evaluate(input: EvaluateInput): Plan {
  return new Evaluating(input).run();
}

const NO_WISH: Wish = {};

/** Delayed reschedules of one job that fall within this window share an evaluation. */
const DELAY_WINDOW = 5000;

class Evaluating {
  readonly #input: EvaluateInput;
  readonly #evaluation: Stored<Evaluation>;
  readonly #key: JobKey;
  /** As the cluster has it. */
  readonly #live: JobView | undefined;
  /** As it is to be: the live one, or that of a dry run. */
  readonly #job: JobView | undefined;
  readonly #isDryRun: boolean;
  readonly #trial: Trial;
  /** What names are derived from. */
  readonly #origin: readonly (string | number)[];
  readonly #nextId: () => string;
  readonly #seed: number;
  readonly #patches = new Map<string, AllocationPatch>();
  readonly #placements: NewPlacement[] = [];
  readonly #evaluations: Evaluation[] = [];
  readonly #failures = new Map<string, AllocMetric>();
  readonly #missing = new Map<string, MissingGroup>();
  readonly #feasibilities = new Map<string, Feasibility>();
  readonly #parts = new Map<GroupProgram, GroupParts>();
  #session: { readonly feasibility: Feasibility; readonly session: PlacementSession } | undefined;
  #deployment: string | undefined;
  #deploymentGroups: ReadonlySet<string> = new Set();

  constructor(input: EvaluateInput) {
    this.#input = input;
    const { cluster, evaluation } = input;
    this.#evaluation = evaluation;
    this.#key = jobKey(evaluation.metadata.namespace, evaluation.spec.jobName);
    this.#live = cluster.view(this.#key);
    this.#isDryRun = evaluation.spec.dryRun !== undefined;
    this.#job = this.#isDryRun ? this.#dryRunJob(evaluation.spec.dryRun!.job) : withoutTemplates(this.#live);
    this.#trial = new Trial(cluster.allocations);
    this.#origin = [evaluation.metadata.uid, evaluation.metadata.resourceVersion, input.made];
    this.#nextId = uuidSource(...this.#origin);
    this.#seed = seedNumber(evaluation.metadata.uid);
  }

  run(): Plan {
    const type = this.#job === undefined ? 'service' : jobTypeOf(this.#job.spec);
    if (type !== 'service' && type !== 'batch')
      return this.#plan({ groups: [], deployment: [], within: undefined }, this.#refusal(type));
    const decision = this.#decide();
    this.#chooseDeployment(decision);
    try {
      this.#vacate(decision);
      const mark = this.#trial.mark;
      this.#replaceAll(decision);
      for (const group of decision.groups) this.#place(group);
      if (this.#job?.spec.allAtOnce === true && this.#failures.size > 0) this.#placeNothing(mark);
      return this.#plan(decision, this.#outcome(decision));
    } finally {
      this.#trial.rollback();
    }
  }

  /** The job of a dry run at the version that it would get: that of the live one if nothing differs. */
  #dryRunJob(spec: JobSpec): JobView {
    const live = this.#live;
    const { metadata, spec: asked } = this.#evaluation;
    if (live !== undefined)
      return equal(live.spec, spec) ? live : { ...live, spec, version: live.version + 1, stopped: spec.stop === true };
    return {
      key: this.#key,
      namespace: metadata.namespace ?? 'default',
      name: asked.jobName,
      uid: '',
      version: 0,
      generation: 1,
      modifyIndex: 0,
      spec,
      stopped: spec.stop === true,
    };
  }

  #decide(): Decision {
    const { cluster, followups, now } = this.#input;
    const job = this.#job;
    return reconcile({
      job,
      allocations: cluster.allocations.ofJob(this.#key),
      deployments: cluster.deployments(this.#key),
      specOf: (version) => this.#specOf(version),
      isNodeUp: (node) => cluster.fleet.stateOf(node)?.up ?? false,
      isStillFeasible: (allocation) => {
        const slot = cluster.fleet.slotOf(allocation.node);
        return (
          slot !== undefined && this.#feasibility(allocation.group, job!.version).reasonFor(cluster.fleet, slot) === undefined
        );
      },
      followups,
      now,
    });
  }

  #specOf(version: number): JobSpec | undefined {
    const job = this.#job;
    if (job === undefined) return undefined;
    if (version === job.version) return job.spec;
    return this.#input.cluster.spec(this.#key, job.uid, version);
  }

  #feasibility(group: string, version: number): Feasibility {
    const key = `${version}/${group}`;
    let found = this.#feasibilities.get(key);
    if (found === undefined) {
      const spec = this.#specOf(version)!;
      const program = compileGroup(
        spec,
        spec.groups!.find(({ name }) => name === group)!,
      );
      this.#feasibilities.set(key, (found = new Feasibility(program, this.#input.cluster.fleet.classes)));
    }
    return found;
  }

  #chooseDeployment(decision: Decision): void {
    if (decision.within !== undefined) {
      this.#deployment = decision.within.id;
      this.#deploymentGroups = new Set(decision.within.groups.keys());
    } else if (decision.deployment.length > 0) {
      this.#deployment = derivedUuid(...this.#origin, 'deployment');
      this.#deploymentGroups = new Set(decision.deployment.map(({ group }) => group.name));
    }
  }

  /** Everything that frees or keeps a place, before anything takes one. */
  #vacate({ groups }: Decision): void {
    const delayed: Extract<Change, { type: 'delay' }>[] = [];
    for (const { changes } of groups) {
      for (const change of changes) {
        switch (change.type) {
          case 'stop':
          case 'lose':
            this.#stop(change.allocation, change.because, change.type === 'lose');
            break;
          case 'updateInPlace':
            this.#update(change.allocation, change.because);
            break;
          case 'promote':
            this.#patch(change.allocation, { canary: null }, { canary: false }, change.because);
            break;
          case 'delay':
            delayed.push(change);
            break;
          case 'place':
            // What a drain moves leaves in any case.
            if (change.kind === 'migrate') this.#stop(change.previous!, change.because, false);
            break;
          case 'replace':
            break;
        }
      }
    }
    this.#delay(delayed);
  }

  #stop(allocation: AllocationRecord, why: string, isLost: boolean): void {
    const isNews = allocation.desired === 'run';
    const patch = isNews
      ? {
          desired: 'stop',
          desiredDescription: why,
          desiredChangedAt: toTimestamp(this.#input.now),
          ...(allocation.followup !== undefined && { followupEvaluation: null }),
        }
      : {};
    const after = {
      ...(isNews && { desired: 'stop' as const, followup: undefined }),
      ...(isLost && { phase: 'lost' as const }),
    };
    const status = isLost ? { phase: 'lost', description: because.lost } : undefined;
    this.#patch(allocation, patch, after, why, status);
  }

  #update(allocation: AllocationRecord, why: string): void {
    const job = this.#job!;
    const deployment = this.#deploymentGroups.has(allocation.group) ? this.#deployment : undefined;
    this.#patch(
      allocation,
      {
        jobVersion: job.version,
        jobType: jobTypeOf(job.spec),
        priority: job.spec.priority ?? 50,
        evaluation: this.#evaluation.metadata.name,
        deployment: deployment ?? null,
        canary: null,
      },
      { version: job.version, deployment, canary: false, healthy: undefined },
      why,
      // A verdict about another deployment is none about this one.
      allocation.healthy === undefined ? undefined : { deploymentHealth: null },
    );
  }

  #patch(
    allocation: AllocationRecord,
    spec: Record<string, unknown>,
    after: Partial<AllocationRecord>,
    why: string,
    status?: Record<string, unknown>,
  ): void {
    const known = this.#patches.get(allocation.id);
    const patched = { ...(known?.after ?? allocation), ...after };
    this.#patches.set(allocation.id, {
      id: allocation.id,
      spec: { ...known?.spec, ...spec },
      status: status === undefined ? known?.status : { ...known?.status, ...status },
      after: patched,
      because: known?.because ?? why,
    });
    this.#trial.put(patched);
  }

  /** Delayed evaluations for what failed and has to wait; what falls due at nearly the same time shares one. */
  #delay(changes: readonly Extract<Change, { type: 'delay' }>[]): void {
    const { name } = this.#evaluation.metadata;
    let last: { readonly from: Instant; readonly id: string } | undefined;
    for (const { allocation, until, because: why } of [...changes].sort((a, b) => a.until - b.until)) {
      if (last === undefined || until - last.from > DELAY_WINDOW) {
        const id = derivedUuid(...this.#origin, 'delayed', this.#evaluations.length);
        last = { from: until, id };
        this.#evaluations.push(
          evaluationObject(
            this.#job!,
            id,
            { trigger: 'alloc-failure', previousEvaluation: name, waitUntil: toTimestamp(until) },
            { phase: 'pending', description: evaluationDescription.delayed, modifiedAt: toTimestamp(this.#input.now) },
          ),
        );
      }
      this.#patch(allocation, { followupEvaluation: last.id }, { followup: last.id }, why);
    }
  }

  /** Each replacement frees a place that may be what another one needs, so those that fail are tried until nothing moves. */
  #replaceAll({ groups }: Decision): void {
    let waiting = groups.flatMap(({ group, changes }) =>
      changes.flatMap((change) => (change.type === 'replace' ? [{ group, change }] : [])),
    );
    for (let before = Infinity; waiting.length < before && waiting.length > 0;) {
      before = waiting.length;
      waiting = waiting.filter(({ group, change }) => !this.#replace(group, change));
    }
    for (const { group } of waiting) {
      const feasibility = this.#feasibility(group, this.#job!.version);
      this.#fail(group, feasibility, this.#sessionFor(feasibility));
    }
  }

  /** Stops the old and places the new, or leaves the old alone. */
  #replace(group: string, { allocation, because: why }: Extract<Change, { type: 'replace' }>): boolean {
    const feasibility = this.#feasibility(group, this.#job!.version);
    const session = this.#sessionFor(feasibility);
    const mark = this.#trial.mark;
    const held = isHolding(allocation);
    const before = this.#patches.get(allocation.id);
    this.#stop(allocation, why, false);
    if (held) session.released(allocation);
    const place: PlaceChange = {
      type: 'place',
      index: allocation.index,
      canary: false,
      version: this.#job!.version,
      previous: allocation,
      kind: 'new',
      because: why,
    };
    if (this.#tryPlace(place, feasibility, session)) return true;
    this.#trial.rollback(mark);
    if (held) session.taken(allocation);
    if (before === undefined) this.#patches.delete(allocation.id);
    else this.#patches.set(allocation.id, before);
    return false;
  }

  #place({ group, changes }: GroupDecision): void {
    /** Programs of which there is no room for one more. */
    const full = new Set<Feasibility>();
    for (const change of changes) {
      if (change.type !== 'place') continue;
      const { previous } = change;
      const version = this.#hasGroup(change.version, group) ? change.version : this.#job!.version;
      const feasibility = this.#feasibility(group, version);
      const session = this.#sessionFor(feasibility);
      const wanted = version === change.version ? change : { ...change, version };
      if (!full.has(feasibility) && this.#tryPlace(wanted, feasibility, session)) {
        if (change.kind === 'reschedule') this.#stop(previous!, change.because, false);
        continue;
      }
      full.add(feasibility);
      this.#fail(group, feasibility, session);
    }
  }

  #hasGroup(version: number, group: string): boolean {
    return this.#specOf(version)?.groups?.some(({ name }) => name === group) ?? false;
  }

  #sessionFor(feasibility: Feasibility): PlacementSession {
    if (this.#session?.feasibility === feasibility) return this.#session.session;
    const { cluster, scratch } = this.#input;
    const session = new PlacementSession({
      fleet: cluster.fleet,
      feasibility,
      algorithm: cluster.algorithmOf(this.#job!.spec.nodePool),
      seed: this.#seed,
      allocations: cluster.allocations.ofJob(this.#key).filter(isHolding),
      scratch,
    });
    this.#session = { feasibility, session };
    return session;
  }

  #tryPlace(change: PlaceChange, feasibility: Feasibility, session: PlacementSession): boolean {
    const { previous } = change;
    const startedAt = this.#input.timer();
    const placement = session.place(previous === undefined ? NO_WISH : this.#wishes(previous, feasibility));
    if (placement === undefined) return false;
    this.#create(change, feasibility, placement, this.#input.timer() - startedAt, session);
    return true;
  }

  #wishes(previous: AllocationRecord, { program }: Feasibility): Wish {
    const { fleet } = this.#input.cluster;
    const slotOf = (node: string | undefined): number[] => {
      const slot = node === undefined ? undefined : fleet.slotOf(node);
      return slot === undefined ? [] : [slot];
    };
    if (previous.phase === 'failed')
      return {
        penalties: new Set([previous.node, ...(previous.tracker ?? []).map((event) => event.previousNode)].flatMap(slotOf)),
      };
    const preferred = program.sticky ? fleet.slotOf(previous.node) : undefined;
    return preferred === undefined ? NO_WISH : { preferred };
  }

  #create(
    change: PlaceChange,
    { program }: Feasibility,
    placement: Placement,
    allocationTimeMs: number,
    session: PlacementSession,
  ): void {
    const { cluster, now } = this.#input;
    const job = this.#job!;
    const { previous } = change;
    const id = this.#nextId();
    const node = cluster.fleet.names[placement.slot]!;
    const isNewest = change.version === job.version;
    const deployment = isNewest && this.#deploymentGroups.has(program.group) ? this.#deployment : undefined;
    const policy = job.spec.groups?.find(({ name }) => name === program.group)?.reschedule;
    // A new version starts with a clean record; a move does not.
    const tracker =
      previous === undefined || change.kind === 'new'
        ? undefined
        : change.kind === 'reschedule'
          ? nextTracker(policy, previous, now)
          : previous.tracker;
    const cores = placement.cores.size === 0 ? [] : [...placement.cores.values()].flat();
    const record: AllocationRecord = {
      id,
      revision: 0,
      job: this.#key,
      jobUID: job.uid,
      version: change.version,
      group: program.group,
      index: change.index,
      node,
      desired: 'run',
      phase: 'pending',
      succeeded: false,
      deployment,
      canary: change.canary,
      healthy: undefined,
      migrate: false,
      reschedule: false,
      forceReschedule: false,
      previous: previous?.id,
      next: undefined,
      followup: undefined,
      tracker,
      holding: holdingOf(placement.cpu, program.ask.memory, program.ask.disk),
      ports: placement.ports.length === 0 ? undefined : placement.ports.map(({ hostIP = '', value }) => ({ ip: hostIP, value })),
      cores: cores.length === 0 ? undefined : cores,
    };
    const object = allocationObject({
      id,
      parts: this.#partsOf(program),
      version: change.version,
      index: change.index,
      node,
      placement,
      allocationTimeMs,
      deployment,
      canary: change.canary,
      previous: previous?.id,
      tracker,
    });
    this.#trial.put(record);
    session.taken(record);
    this.#placements.push({ object, record, because: change.because });
    if (previous !== undefined) this.#patch(previous, { nextAllocation: id }, { next: id }, change.because);
  }

  #partsOf(program: GroupProgram): GroupParts {
    let found = this.#parts.get(program);
    if (found === undefined) {
      found = groupParts(this.#job!, program, this.#evaluation.metadata.name, this.#input.now);
      this.#parts.set(program, found);
    }
    return found;
  }

  #fail(group: string, feasibility: Feasibility, session: PlacementSession): void {
    const known = this.#failures.get(group);
    this.#failures.set(
      group,
      known === undefined
        ? { ...session.failure(), coalescedFailures: 0 }
        : { ...known, coalescedFailures: (known.coalescedFailures ?? 0) + 1 },
    );
    this.#missing.set(group, { job: this.#key, feasibility });
  }

  /** All or nothing: what was placed is taken back, so that everything is missing. */
  #placeNothing(mark: number): void {
    this.#trial.rollback(mark);
    for (const { record } of this.#placements.splice(0)) {
      const { group, previous } = record;
      const known = this.#failures.get(group);
      this.#failures.set(group, known === undefined ? {} : { ...known, coalescedFailures: (known.coalescedFailures ?? 0) + 1 });
      if (!this.#missing.has(group)) this.#missing.set(group, { job: this.#key, feasibility: this.#feasibility(group, record.version) }); // prettier-ignore
      if (previous === undefined) continue;
      // A predecessor that leaves in any case still does; the others stay.
      const patch = this.#patches.get(previous)!;
      const { nextAllocation: _, ...spec } = patch.spec;
      const staysStopped = this.#input.cluster.allocations.get(previous)?.desired === 'stop';
      if (staysStopped && Object.keys(spec).length > 0)
        this.#patches.set(previous, { ...patch, spec, after: { ...patch.after, next: undefined } });
      else this.#patches.delete(previous);
    }
    this.#session = undefined;
  }

  /** What is told of the evaluation, and who waits for what is missing. */
  #outcome(decision: Decision): { status: EvaluationStatus; cancelled: Map<string, string> } {
    const { now, revision, cluster, blocked } = this.#input;
    const { name } = this.#evaluation.metadata;
    const cancelled = new Map<string, string>();
    const deployment = this.#deployment ?? newestDeployment(cluster, this.#key);
    const status: EvaluationStatus = {
      phase: 'complete',
      ...(deployment !== undefined && { deployment }),
      queued: this.#queued(),
      snapshotRevision: revision,
      modifiedAt: toTimestamp(now),
    };
    if (this.#failures.size > 0) status.failedPlacements = Object.fromEntries(this.#failures);
    if (this.#isDryRun) return { status: { ...status, plan: this.#answer(decision) }, cancelled };
    if (this.#failures.size === 0) {
      for (const other of blocked) cancelled.set(other, `evaluation "${name}" successful`);
      return { status, cancelled };
    }
    for (const other of blocked) cancelled.set(other, `evaluation "${name}" waits for capacity in its place`);
    const waiting: EvaluationStatus = {
      phase: 'blocked',
      description: evaluationDescription.blocked,
      failedPlacements: Object.fromEntries(this.#failures),
      queued: this.#queued(),
      classEligibility: this.#eligibility(),
      escapedClass: [...this.#missing.values()].some(({ feasibility }) => feasibility.program.uniqueChecks.length > 0),
      snapshotRevision: revision,
      modifiedAt: toTimestamp(now),
    };
    if (this.#evaluation.status?.phase === 'blocked') return { status: waiting, cancelled };
    const id = derivedUuid(...this.#origin, 'blocked');
    this.#evaluations.push(evaluationObject(this.#job!, id, { trigger: 'queued-allocs', previousEvaluation: name }, waiting));
    return { status: { ...status, blockedEvaluation: id }, cancelled };
  }

  #queued(): Record<string, number> {
    const groups = this.#job?.spec.groups ?? [];
    return Object.fromEntries(
      groups.map(({ name }) => {
        const failure = this.#failures.get(name);
        return [name, failure === undefined ? 0 : 1 + (failure.coalescedFailures ?? 0)];
      }),
    );
  }

  #eligibility(): Record<string, boolean> {
    const eligible = new Map<string, boolean>();
    for (const { feasibility } of this.#missing.values())
      for (const [id, fits] of feasibility.eligibility()) eligible.set(id, (eligible.get(id) ?? false) || fits);
    return Object.fromEntries(eligible);
  }

  /** The answer to a dry run. */
  #answer(decision: Decision): EvaluationPlan {
    const job = this.#input.cluster.job(this.#key);
    return {
      jobModifyIndex: job?.status?.modifyIndex ?? 0,
      ...(this.#live !== undefined && { baseVersion: this.#live.version }),
      desiredUpdates: Object.fromEntries(decision.groups.map(({ group, updates }) => [group, updates])),
      ...(this.#failures.size > 0 && { failedPlacements: Object.fromEntries(this.#failures) }),
      createdDeployment: decision.deployment.length > 0,
    };
  }

  #refusal(type: string): { status: EvaluationStatus; cancelled: Map<string, string> } {
    return {
      status: {
        phase: 'failed',
        description: `jobs of type "${type}" cannot be scheduled by this version`,
        modifiedAt: toTimestamp(this.#input.now),
      },
      cancelled: new Map(),
    };
  }

  #plan(decision: Decision, { status, cancelled }: { status: EvaluationStatus; cancelled: Map<string, string> }): Plan {
    const isNew = !this.#isDryRun && decision.within === undefined && decision.deployment.length > 0;
    return {
      job: this.#key,
      namespace: this.#evaluation.metadata.namespace ?? 'default',
      deployment: isNew
        ? deploymentObject(this.#job!, this.#deployment!, decision.deployment, this.#placedByGroup(), this.#input.now)
        : undefined,
      patches: this.#isDryRun ? [] : [...this.#patches.values()],
      placements: this.#isDryRun ? [] : this.#placements,
      evaluations: this.#isDryRun ? [] : this.#evaluations,
      cancelled,
      status,
      missing: this.#isDryRun ? [] : [...this.#missing.values()],
      updates: new Map(decision.groups.map(({ group, updates }) => [group, updates])),
    };
  }

  #placedByGroup(): Map<string, { placed: number; canaries: string[] }> {
    const groups = new Map<string, { placed: number; canaries: string[] }>();
    const all = [...this.#placements.map(({ record }) => record), ...[...this.#patches.values()].map(({ after }) => after)];
    for (const record of all) {
      if (record.deployment !== this.#deployment || isTerminal(record)) continue;
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

/** A periodic or parameterised job runs nothing itself; its children do. */
const withoutTemplates = (job: JobView | undefined): JobView | undefined =>
  job !== undefined && isTemplate(job.spec) ? { ...job, stopped: true } : job;
