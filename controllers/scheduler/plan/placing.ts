import type { AllocMetric } from '../../../openapi/index.ts';
import { Feasibility } from '../feasible/feasibility.ts';
import { compileGroup, type GroupProgram } from '../feasible/program.ts';
import { isTerminal, jobTypeOf, type AllocationRecord, type JobKey } from '../model.ts';
import { PRIORITY_DISTANCE } from '../rank/preempt.ts';
import { PlacementSession, type Placement, type Wish } from '../rank/session.ts';
import type { Change, PlaceChange } from '../reconcile/change.ts';
import { nextTracker } from '../reconcile/reschedule.ts';
import type { Cluster } from '../state/cluster.ts';
import { isHolding } from '../state/allocations.ts';
import { holdingOf } from '../state/read.ts';
import type { Specs } from './specs.ts';
import type { Draft } from './draft.ts';
import { seedNumber } from './ids.ts';
import { allocationObject, groupParts, type GroupParts } from './objects.ts';
import type { EvaluateInput, MissingGroup } from './plan.ts';

type ReplaceChange = Extract<Change, { type: 'replace' }>;

const NO_WISH: Wish = {};

/** Finds places for what a decision asks for and puts them into the draft; remembers what found none. */
export class Placing {
  readonly failures = new Map<string, AllocMetric>();
  readonly missing = new Map<string, MissingGroup>();
  /** By group: what was displaced for it. */
  readonly preempted = new Map<string, AllocationRecord[]>();
  readonly #input: EvaluateInput;
  readonly #draft: Draft;
  readonly #key: JobKey;
  readonly #specs: Specs;
  readonly #seed: number;
  readonly #feasibilities = new Map<string, Feasibility>();
  readonly #parts = new Map<GroupProgram, GroupParts>();
  /** By group: nodes that wanted an allocation of their own and have no room for it. */
  readonly #fullNodes = new Map<string, Set<string>>();
  #displaceable: Map<string, readonly AllocationRecord[]> | undefined;
  #session: { readonly feasibility: Feasibility; readonly session: PlacementSession } | undefined;

  constructor(input: EvaluateInput, draft: Draft, key: JobKey, specs: Specs) {
    this.#input = input;
    this.#draft = draft;
    this.#key = key;
    this.#specs = specs;
    this.#seed = seedNumber(input.evaluation.metadata.uid);
  }

  feasibilityOf(group: string, version: number): Feasibility {
    const key = `${version}/${group}`;
    let found = this.#feasibilities.get(key);
    if (found === undefined) {
      const spec = this.#specs.of(version)!;
      const program = compileGroup(
        spec,
        spec.groups!.find(({ name }) => name === group)!,
      );
      this.#feasibilities.set(key, (found = new Feasibility(program, this.#input.cluster.fleet.classes)));
    }
    return found;
  }

  /** Each replacement frees a place that may be what another one needs, so those that fail are tried until nothing moves. */
  replaceAll(groups: readonly { readonly group: string; readonly changes: readonly Change[] }[]): void {
    let waiting = groups.flatMap(({ group, changes }) =>
      changes.flatMap((change) => (change.type === 'replace' ? [{ group, change }] : [])),
    );
    for (let before = Infinity; waiting.length < before && waiting.length > 0;) {
      before = waiting.length;
      waiting = waiting.filter(({ group, change }) => !this.#replace(group, change));
    }
    for (const { group, change } of waiting) this.#fail(group, this.feasibilityOf(group, this.#draft.job!.version), change.node, change.allocation); // prettier-ignore
  }

  place(group: string, changes: readonly Change[]): void {
    /** Programs of which there is no room for one more. */
    const full = new Set<Feasibility>();
    for (const change of changes) {
      if (change.type !== 'place') continue;
      const { previous } = change;
      const version = this.#specs.hasGroup(change.version, group) ? change.version : this.#draft.job!.version;
      const feasibility = this.feasibilityOf(group, version);
      const wanted = version === change.version ? change : { ...change, version };
      const mayFit = !full.has(feasibility) || this.#lenderOf(previous) !== undefined;
      if (mayFit && this.#tryPlace(wanted, feasibility)) {
        if (change.kind === 'reschedule') this.#draft.stop(previous!, change.because);
        continue;
      }
      // One that may take over the room of what it replaces may still fit.
      if (change.node === undefined && this.#lenderOf(previous) === undefined) full.add(feasibility);
      this.#fail(group, feasibility, change.node, previous);
    }
  }

  /** All or nothing: what was placed since `mark` is taken back, so that everything is missing. */
  placeNothing(mark: number): void {
    const { trial, placements, patches } = this.#draft;
    trial.rollback(mark);
    for (const victim of [...this.preempted.values()].flat()) patches.delete(victim.id);
    this.preempted.clear();
    for (const { record } of placements.splice(0)) {
      const { group, previous } = record;
      const known = this.failures.get(group);
      this.failures.set(group, known === undefined ? {} : { ...known, coalescedFailures: (known.coalescedFailures ?? 0) + 1 });
      if (!this.missing.has(group)) this.missing.set(group, { job: this.#key, feasibility: this.feasibilityOf(group, record.version), replaced: [] }); // prettier-ignore
      if (previous === undefined) continue;
      // A predecessor that leaves in any case still does; the others stay.
      const patch = patches.get(previous)!;
      const { nextAllocation: _, ...spec } = patch.spec;
      const staysStopped = this.#input.cluster.allocations.get(previous)?.desired === 'stop';
      if (staysStopped && Object.keys(spec).length > 0)
        patches.set(previous, { ...patch, spec, after: { ...patch.after, next: undefined } });
      else patches.delete(previous);
    }
    this.#session = undefined;
  }

  /** Says of nodes that were full what they lack. Called once everything is placed. */
  finish(): void {
    for (const [group, nodes] of this.#fullNodes) {
      const { fleet } = this.#input.cluster;
      const { feasibility } = this.missing.get(group)!;
      const slots = [...nodes].flatMap((node) => fleet.slotOf(node) ?? []);
      this.failures.set(group, { ...this.#sessionFor(feasibility).failure(slots), coalescedFailures: slots.length - 1 });
      this.missing.set(group, { ...this.missing.get(group)!, nodes });
    }
  }

  /** Stops the old and places the new, or leaves the old alone. */
  #replace(group: string, { allocation, because: why, node }: ReplaceChange): boolean {
    const draft = this.#draft;
    const { version } = draft.job!;
    const feasibility = this.feasibilityOf(group, version);
    const session = this.#sessionFor(feasibility);
    const mark = draft.trial.mark;
    const held = !isTerminal(allocation);
    const before = draft.patches.get(allocation.id);
    draft.stop(allocation, why);
    if (held) session.released(allocation);
    const place: PlaceChange = {
      type: 'place',
      index: allocation.index,
      canary: false,
      version,
      previous: allocation,
      kind: 'new',
      because: why,
      ...(node !== undefined && { node }),
    };
    if (this.#tryPlace(place, feasibility)) return true;
    draft.trial.rollback(mark);
    if (held) session.taken(allocation);
    if (before === undefined) draft.patches.delete(allocation.id);
    else draft.patches.set(allocation.id, before);
    return false;
  }

  #sessionFor(feasibility: Feasibility): PlacementSession {
    if (this.#session?.feasibility === feasibility) return this.#session.session;
    const { cluster, scratch } = this.#input;
    const session = new PlacementSession({
      fleet: cluster.fleet,
      feasibility,
      algorithm: cluster.algorithmOf(this.#draft.job!.spec.nodePool),
      seed: this.#seed,
      allocations: cluster.allocations.ofJob(this.#key).filter((record) => !isTerminal(record)),
      scratch,
    });
    this.#session = { feasibility, session };
    return session;
  }

  #tryPlace(change: PlaceChange, feasibility: Feasibility): boolean {
    const { previous, node } = change;
    const session = this.#sessionFor(feasibility);
    const startedAt = this.#input.timer();
    const lender = this.#lenderOf(previous);
    const takeBack = this.#lend(lender === undefined ? [] : [lender], session);
    const placement =
      node !== undefined
        ? session.placeOn(this.#input.cluster.fleet.slotOf(node)!)
        : session.place(previous === undefined ? NO_WISH : this.#wishes(previous, feasibility));
    if (placement === undefined) return this.#tryPreempt(change, feasibility, session, takeBack);
    takeBack();
    this.#create(change, feasibility, placement, this.#input.timer() - startedAt, session);
    return true;
  }

  /** What the allocation replaces, where that still runs, is told to stop and leaves its room to nobody else. */
  #lenderOf(previous: AllocationRecord | undefined): AllocationRecord | undefined {
    if (previous === undefined) return undefined;
    const { allocations, fleet } = this.#input.cluster;
    const now = allocations.get(previous.id);
    if (now === undefined || now.desired === 'run' || now.preemptedBy !== undefined || now.next !== undefined || !isHolding(now))
      return undefined;
    return fleet.stateOf(now.node)?.schedulable === true ? now : undefined;
  }

  /** Shows the room of these as free, to their heir alone, until that has been placed. */
  #lend(lenders: readonly AllocationRecord[], session: PlacementSession): () => void {
    const { trial } = this.#draft;
    const all = lenders.flatMap((lender) => this.#input.cluster.allocations.estateOf(lender));
    const show = (phase?: 'complete'): void => {
      for (const one of all) trial.put(phase === undefined ? one : { ...one, phase });
      for (const { node } of lenders) session.roomChanged(node);
    };
    show('complete');
    return show;
  }

  /** Displaces what is less important, where the operator allows that. `takeBack` ends what was lent. */
  #tryPreempt(change: PlaceChange, feasibility: Feasibility, session: PlacementSession, takeBack: () => void): boolean {
    const found = this.#findPreemption(change, session);
    if (found === undefined) {
      takeBack();
      return false;
    }
    const draft = this.#draft;
    const { mark } = draft.trial;
    const id = draft.nextId();
    for (const victim of found.victims) draft.evict(victim, id);
    const leaving = found.victims.map((victim) => this.#input.cluster.allocations.get(victim.id)!);
    const takeBackVictims = this.#lend(leaving, session);
    const placement = session.placeOn(found.slot);
    if (placement === undefined) {
      draft.trial.rollback(mark);
      for (const victim of found.victims) draft.patches.delete(victim.id);
      takeBack();
      return false;
    }
    takeBackVictims();
    takeBack();
    this.#create(change, feasibility, placement, 0, session, id);
    const node = this.#input.cluster.fleet.names[found.slot]!;
    const candidates = this.#displaceable!;
    candidates.set(node, candidates.get(node)!.filter((record) => !found.victims.includes(record))); // prettier-ignore
    const { group } = feasibility.program;
    this.preempted.set(group, [...(this.preempted.get(group) ?? []), ...found.victims]);
    return true;
  }

  #findPreemption(change: PlaceChange, session: PlacementSession): ReturnType<PlacementSession['findPreemption']> {
    const { cluster } = this.#input;
    const draft = this.#draft;
    if (!cluster.mayPreempt(jobTypeOf(draft.job!.spec))) return undefined;
    this.#displaceable ??= displaceable(cluster, this.#key, draft.job!.spec.priority ?? 50);
    const only = change.node === undefined ? undefined : cluster.fleet.slotOf(change.node);
    return session.findPreemption(this.#displaceable, only);
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
    const wanted = (previous.migrate ? previous.moveTo : undefined) ?? (program.sticky ? previous.node : undefined);
    const preferred = wanted === undefined ? undefined : fleet.slotOf(wanted);
    return preferred === undefined ? NO_WISH : { preferred };
  }

  #create(
    change: PlaceChange,
    { program }: Feasibility,
    placement: Placement,
    allocationTimeMs: number,
    session: PlacementSession,
    id = this.#draft.nextId(),
  ): void {
    const { cluster, now } = this.#input;
    const draft = this.#draft;
    const job = draft.job!;
    const { previous } = change;
    const node = cluster.fleet.names[placement.slot]!;
    const deployment = change.version === job.version ? draft.deploymentOf(program.group) : undefined;
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
      priority: job.spec.priority ?? 50,
      group: program.group,
      index: change.index,
      node,
      desired: 'run',
      phase: 'pending',
      succeeded: false,
      deployment,
      canary: change.canary,
      surge: change.surge ?? false,
      healthy: undefined,
      migrate: false,
      moveTo: undefined,
      reschedule: false,
      forceReschedule: false,
      previous: previous?.id,
      next: undefined,
      preemptedBy: undefined,
      followup: undefined,
      tracker,
      unknownSince: undefined,
      score: placement.scores[0]?.score,
      runningSince: undefined,
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
      surge: change.surge ?? false,
      previous: previous?.id,
      tracker,
    });
    draft.trial.put(record);
    draft.placements.push({ object, record, because: change.because });
    if (previous !== undefined) draft.patch(previous, { nextAllocation: id }, { next: id }, change.because);
    session.taken(record);
  }

  #partsOf(program: GroupProgram): GroupParts {
    let found = this.#parts.get(program);
    if (found === undefined) {
      found = groupParts(
        this.#draft.job!,
        program,
        this.#input.evaluation.metadata.name,
        this.#input.now,
        this.#input.cluster.grantsMemoryMax(this.#draft.job!.spec.nodePool),
      );
      this.#parts.set(program, found);
    }
    return found;
  }

  #fail(group: string, feasibility: Feasibility, node: string | undefined, previous: AllocationRecord | undefined): void {
    const replaced = this.missing.get(group)?.replaced ?? [];
    const lends = previous !== undefined && isHolding(previous);
    this.missing.set(group, { job: this.#key, feasibility, replaced: lends ? [...replaced, previous.id] : replaced });
    if (node !== undefined) {
      const nodes = this.#fullNodes.get(group);
      if (nodes === undefined) this.#fullNodes.set(group, new Set([node]));
      else nodes.add(node);
    }
    const known = this.failures.get(group);
    this.failures.set(
      group,
      known === undefined
        ? { ...this.#sessionFor(feasibility).failure(), coalescedFailures: 0 }
        : { ...known, coalescedFailures: (known.coalescedFailures ?? 0) + 1 },
    );
  }
}

/** By node, the allocations of other jobs whose priority is low enough for them to be displaced. */
function displaceable(cluster: Cluster, key: JobKey, priority: number): Map<string, readonly AllocationRecord[]> {
  const found = new Map<string, AllocationRecord[]>();
  for (const record of cluster.allocations.all()) {
    if (record.job === key || isTerminal(record) || record.priority > priority - PRIORITY_DISTANCE) continue;
    const own = found.get(record.node);
    if (own === undefined) found.set(record.node, [record]);
    else own.push(record);
  }
  return found;
}
