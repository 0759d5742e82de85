/**
 * What must change so that the allocations of a service or batch job are what the job asks for. Pure: it looks at nothing but
 * its input and decides where nothing is placed yet; nodes are the business of `rank/`.
 */
import type { Instant } from '../../../base/index.ts';
import type { JobSpec, TaskGroup } from '../../../openapi/index.ts';
import { isClientTerminal, isTerminal, jobTypeOf, type AllocationRecord, type DeploymentView, type JobView } from '../model.ts';
import {
  byIndex,
  end,
  noUpdates,
  stopGroup,
  type Change,
  type Decision,
  type GroupDecision,
  type NewDeploymentGroup,
  type PlaceChange,
} from './change.ts';
import { classify, type Classified, type ClassifyContext } from './classify.ts';
import { because } from './descriptions.ts';
import { disconnectPolicy, settleReturned, unknownUntil } from './disconnect.ts';
import { Indexes } from './names.ts';
import { sortSurges } from './surge.ts';
import { updateImpact } from './update-impact.ts';

export interface ReconcileInput {
  /** Undefined: the job is gone, and so is everything of it. */
  readonly job: JobView | undefined;
  /** Everything that bears the name of the job, whatever its uid. */
  readonly allocations: readonly AllocationRecord[];
  readonly deployments: readonly DeploymentView[];
  /** The spec of an earlier version; undefined: not known any more. */
  readonly specOf: (version: number) => JobSpec | undefined;
  readonly isNodeUp: (node: string) => boolean;
  /** Since when the node is as it is. */
  readonly nodeSince: (node: string) => Instant | undefined;
  /** Whether the allocation's node still meets what the group asks for now. */
  readonly isStillFeasible: (allocation: AllocationRecord) => boolean;
  readonly followups: ReadonlyMap<string, Instant>;
  readonly now: Instant;
}

export function reconcile(input: ReconcileInput): Decision {
  const { job } = input;
  const groups = byGroup(input);
  if (job === undefined || job.stopped)
    return {
      groups: [...groups].map(([group, all]) => stopGroup(group, all, input.isNodeUp)),
      deployment: [],
      within: undefined,
    };

  const current = newest(input.deployments.filter(({ jobUID, version }) => jobUID === job.uid && version === job.version));
  const decided = [...groups].map(([group, all]) => {
    const spec = job.spec.groups?.find(({ name }) => name === group);
    return spec === undefined
      ? { decision: stopGroup(group, all, input.isNodeUp) }
      : reconcileGroup(input, job, spec, all, current);
  });
  return {
    groups: decided.map(({ decision }) => decision),
    deployment: decided.flatMap((one) => ('deployment' in one && one.deployment !== undefined ? [one.deployment] : [])),
    within: current?.active === true ? current : undefined,
  };
}

/** The groups of the job in its order, then those that only allocations know of. */
export function byGroup({ job, allocations }: Pick<ReconcileInput, 'job' | 'allocations'>): Map<string, AllocationRecord[]> {
  const groups = new Map<string, AllocationRecord[]>((job?.spec.groups ?? []).map(({ name }) => [name, []]));
  for (const allocation of [...allocations].sort(byIndex)) {
    const list = groups.get(allocation.group);
    if (list === undefined) groups.set(allocation.group, [allocation]);
    else list.push(allocation);
  }
  return groups;
}

const newest = (deployments: readonly DeploymentView[]): DeploymentView | undefined =>
  deployments.reduce<DeploymentView | undefined>((a, b) => (a === undefined || b.createdAt >= a.createdAt ? b : a), undefined);

function reconcileGroup(
  input: ReconcileInput,
  job: JobView,
  spec: TaskGroup,
  all: readonly AllocationRecord[],
  current: DeploymentView | undefined,
): { decision: GroupDecision; deployment: NewDeploymentGroup | undefined } {
  const changes: Change[] = [];
  const updates = noUpdates();
  const count = spec.count ?? 1;
  const type = jobTypeOf(job.spec);
  const strategy = type === 'service' && (spec.update?.maxParallel ?? 0) > 0 ? spec.update : undefined;
  const state = current?.groups.get(spec.name);
  const deployment = current?.active === true ? current : undefined;
  const isFrozen = current !== undefined && (current.failed || (current.active && current.paused));
  const policy = disconnectPolicy(spec);
  const silentUntil = (a: AllocationRecord): Instant | undefined => unknownUntil(a, policy, input.nodeSince(a.node), input.now);

  // 1. What another job of this name has left behind, and canaries that lost their trial.
  const mine = all.filter((allocation) => allocation.jobUID === job.uid);
  const trials = sortCanaries(mine, input.deployments, current);
  const foreign = all.filter((allocation) => allocation.jobUID !== job.uid);
  for (const allocation of [...foreign, ...trials.given]) {
    const ended = end(allocation, because.notNeeded, input.isNodeUp);
    if (ended === undefined) continue;
    changes.push(ended);
    if (!isTerminal(allocation)) updates.stop++;
  }
  for (const allocation of trials.promoted) changes.push({ type: 'promote', allocation, because: 'its deployment was promoted' });
  const surges = sortSurges(
    mine.filter((allocation) => !trials.given.includes(allocation)),
    {
      version: job.version,
      deployments: input.deployments,
      isNodeUp: input.isNodeUp,
      isSilent: (a) => !input.isNodeUp(a.node) && silentUntil(a) !== undefined,
    },
  );
  changes.push(...surges.changes);
  updates.stop += surges.changes.filter(({ type }) => type === 'stop').length;
  const beside = surges.waiting;
  const present = mine.filter((allocation) => !trials.given.includes(allocation) && !surges.gone.has(allocation));

  // Of what was replaced while it was out of sight and is back, one stays.
  const returned = settleReturned(present, job.version, spec.disconnect?.reconcile, input.isNodeUp);
  for (const allocation of returned.stopped) changes.push({ type: 'stop', allocation, because: because.reconnected });
  updates.stop += returned.stopped.length;
  for (const allocation of returned.kept) changes.push({ type: 'reconnect', allocation, because: 'its node is back' });
  updates.ignore += returned.untold.length;
  const ofGroup = present.filter((a) => !returned.stopped.includes(a) && !returned.untold.includes(a));

  // 2. Where the others stand.
  const context: ClassifyContext = {
    type,
    version: job.version,
    policy: spec.reschedule,
    isNodeUp: input.isNodeUp,
    unknownUntil: silentUntil,
    followups: input.followups,
    deployment,
    now: input.now,
  };
  const sets = classify(ofGroup, context);
  const later = sets.later.map(({ allocation }) => allocation);
  const failed = [...sets.due, ...later, ...sets.waiting, ...sets.exhausted];
  const onTrial = state !== undefined && state.desiredCanaries > 0 && !state.promoted && (current!.active || current!.failed);
  // One that is out of sight is on trial still: no other is made in its place.
  const silent = sets.silent.map(({ allocation }) => allocation);
  const canaries = new Set(
    [...sets.live, ...sets.migrating, ...silent, ...failed].filter((a) => onTrial && trials.running.includes(a)),
  );
  updates.ignore += sets.old.length;
  for (const allocation of [...sets.lost, ...sets.unheard]) changes.push({ type: 'lose', allocation, because: because.lost });
  updates.stop += sets.lost.length;
  const unheard = silence(sets.silent, changes);
  updates.ignore += unheard.length;
  // A canary that has to go is not moved: another one is made.
  for (const allocation of sets.migrating.filter((a) => canaries.has(a))) {
    changes.push({ type: 'stop', allocation, because: because.migrating });
    updates.stop++;
    canaries.delete(allocation);
  }
  const isRegular = (a: AllocationRecord): boolean => !(onTrial && trials.running.includes(a)) && !beside.has(a);
  const migrating = sets.migrating.filter(isRegular);
  // What was replaced when it went out of sight is not replaced again, for however long it stays away.
  const ids = new Set(mine.map(({ id }) => id));
  const hasSuccessor = ({ next }: AllocationRecord): boolean => next !== undefined && ids.has(next);
  const gone = [...sets.lost, ...(policy?.replace === true ? unheard : [])];
  const lost = gone.filter((a) => isRegular(a) && !hasSuccessor(a));
  /** Out of sight, and nothing takes their place. */
  const awaited = policy?.replace === true ? [] : unheard;

  // 3. Stop what is too many, the highest index first.
  const aside = new Set([...canaries, ...beside]);
  const surplus = new Set(findSurplus({ live: [...sets.live, ...awaited], failed, done: sets.done, migrating }, aside, count));
  for (const { index } of [...surplus].filter(isRegular)) {
    // Who runs beside one that is too many is so itself.
    for (const other of beside) if (other.index === index) surplus.add(other);
  }
  for (const allocation of surplus) changes.push({ type: 'stop', allocation, because: because.notNeeded });
  updates.stop += surplus.size;
  const kept = (list: readonly AllocationRecord[]): AllocationRecord[] => list.filter((a) => !surplus.has(a));
  const due = kept(sets.due);
  const moving = kept(migrating);
  const held = kept([...sets.live, ...later, ...sets.waiting, ...sets.exhausted, ...sets.done]).sort(byIndex);

  // 4. Sort the rest by what the new version means for it.
  const { inPlace, destructive, same } = computeUpdates(input, job, spec.name, held, new Set([...later, ...sets.waiting]));
  updates.ignore += same;
  updates.inPlaceUpdate += inPlace.length;
  for (const allocation of inPlace) changes.push({ type: 'updateInPlace', allocation, because: 'its tasks need no restart' });

  // 5. Canaries, where something has to be replaced.
  const hasTrial = current === undefined || current.active || current.failed;
  const wantsCanaries =
    hasTrial &&
    strategy !== undefined &&
    state?.promoted !== true &&
    destructive.length > 0 &&
    canaries.size < (strategy.canary ?? 0);
  const indexes = new Indexes([...held, ...moving, ...due, ...lost, ...awaited].map(({ index }) => index));
  if (wantsCanaries && !isFrozen) {
    const missing = (strategy.canary ?? 0) - canaries.size;
    const taken = [...canaries].map(({ index }) => index);
    for (const index of indexes.nextCanaries(
      missing,
      taken,
      destructive.map((a) => a.index),
    ))
      // prettier-ignore
      changes.push(place({ index, canary: true, version: job.version, kind: 'canary', because: 'a canary of the new version' }));
    updates.canary += missing;
  }
  const isOnTrial = onTrial || wantsCanaries;
  /** Of what vanished while the new version is on trial, paused or has failed: the version that worked. */
  const versionAfter = (previous: AllocationRecord): number =>
    (isOnTrial || isFrozen) && !canaries.has(previous) ? previous.version : job.version;

  // 6. Place what is missing.
  const isReady = !isFrozen && !isOnTrial;
  const regular = [...held.filter((a) => !aside.has(a)), ...kept(awaited)];
  const leaving = ofGroup.filter((a) => a.desired === 'stop' && !isClientTerminal(a) && a.next === undefined);
  const missing = computePlacements(job, count, { regular, moving, due, lost, leaving, canaries, beside, indexes, versionAfter });
  const placed = isReady ? missing : missing.filter((one) => isPlacedAnyway(one, current));
  changes.push(...placed);
  updates.place += placed.length;
  updates.stop += placed.filter(({ kind }) => kind === 'reschedule').length;

  // 7. Replace as many as may be away at a time.
  const limit = updateLimit(strategy?.maxParallel, isFrozen || isOnTrial, count, {
    destructive,
    moving,
    fresh: [...held, ...awaited].filter((a) => a.version === job.version),
    deployment,
  });
  const besideIndexes = new Set(kept([...beside]).map(({ index }) => index));
  const replaceable = destructive.filter(({ index }) => !besideIndexes.has(index)).sort(deadFirst);
  const replaced = isReady ? replaceable.slice(0, Math.max(0, limit - placed.length)) : [];
  const hadRun = ofGroup.some((allocation) => allocation.version === job.version);
  const isNews = !hadRun || destructive.length > 0 || inPlace.length > 0;
  const wantsDeployment = strategy !== undefined && count > 0 && current === undefined && isNews;
  // Nobody judges the health of one outside a deployment, so its elder would never make way.
  const maySurge = wantsDeployment || deployment?.groups.has(spec.name) === true;
  let surge = maySurge ? Math.max(0, (strategy?.maxSurge ?? 0) - besideIndexes.size) : 0;
  for (const allocation of replaced) {
    const { index } = allocation;
    if (isTerminal(allocation) || surge-- <= 0) changes.push({ type: 'replace', allocation, because: because.updating });
    else changes.push(place({ index, canary: false, surge: true, version: job.version, kind: 'new', because: because.surging }));
  }
  updates.destructiveUpdate += replaced.length;
  updates.ignore += destructive.length - replaced.length;

  for (const { allocation, until } of sets.later)
    if (!surplus.has(allocation) && !replaced.includes(allocation))
      changes.push({ type: 'delay', allocation, until, because: 'it failed and waits for its turn to be rescheduled' });

  // 8. Move what was asked to move, whatever else is going on.
  for (const previous of moving) {
    const version = versionAfter(previous);
    changes.push(place({ index: previous.index, canary: false, version, previous, kind: 'migrate', because: because.migrating }));
  }
  updates.migrate += moving.length;

  return {
    decision: { group: spec.name, spec, changes, updates },
    deployment: wantsDeployment
      ? { group: spec, desiredTotal: count, desiredCanaries: wantsCanaries ? (strategy.canary ?? 0) : 0 }
      : undefined,
  };
}

/** Marks what is out of sight; returns all of it. */
function silence(silent: Classified['silent'], changes: Change[]): AllocationRecord[] {
  for (const { allocation, until } of silent)
    if (allocation.phase !== 'unknown')
      changes.push({ type: 'disconnect', allocation, until: until === Infinity ? undefined : until, because: because.unknown });
  return silent.map(({ allocation }) => allocation);
}

/** Canaries of this deployment, those of a deployment that was promoted, and those that nobody waits for any more. */
function sortCanaries(
  all: readonly AllocationRecord[],
  deployments: readonly DeploymentView[],
  current: DeploymentView | undefined,
): { running: AllocationRecord[]; promoted: AllocationRecord[]; given: AllocationRecord[] } {
  const running: AllocationRecord[] = [];
  const promoted: AllocationRecord[] = [];
  const given: AllocationRecord[] = [];
  for (const allocation of all) {
    if (!allocation.canary) continue;
    const deployment = deployments.find(({ id }) => id === allocation.deployment);
    if (deployment?.groups.get(allocation.group)?.promoted === true) {
      if (!isTerminal(allocation)) promoted.push(allocation);
    } else if (deployment !== undefined && deployment === current && deployment.active && !deployment.failed)
      running.push(allocation);
    else given.push(allocation);
  }
  return { running, promoted, given };
}

function findSurplus(
  {
    live,
    failed,
    done,
    migrating,
  }: Pick<Classified, 'live' | 'done' | 'migrating'> & { readonly failed: readonly AllocationRecord[] },
  canaries: ReadonlySet<AllocationRecord>,
  count: number,
): AllocationRecord[] {
  const present = [...live, ...failed].filter((a) => !canaries.has(a));
  // Two of one index: a promoted canary and what it was the canary for.
  const chosen = new Set(doubles(present));
  let excess = present.length + done.length + migrating.length - chosen.size - count;
  const choose = (from: readonly AllocationRecord[]): void => {
    for (const allocation of from) {
      if (excess <= 0) return;
      if (chosen.has(allocation)) continue;
      chosen.add(allocation);
      excess--;
    }
  };
  // What leaves its node anyway goes before what could stay, as far as it is beyond the count.
  choose(migrating.filter((a) => a.index >= count).sort(highestFirst));
  choose([...present, ...migrating].sort(highestFirst));
  return [...chosen];
}

const highestFirst = (a: AllocationRecord, b: AllocationRecord): number => -byIndex(a, b);

/** Of allocations that share an index, all but one: what runs comes before what failed, the newer version before the older. */
function doubles(allocations: readonly AllocationRecord[]): AllocationRecord[] {
  const best = new Map<number, AllocationRecord>();
  const rest: AllocationRecord[] = [];
  for (const allocation of allocations) {
    const other = best.get(allocation.index);
    if (other === undefined || isBetter(allocation, other)) {
      best.set(allocation.index, allocation);
      if (other !== undefined) rest.push(other);
    } else rest.push(allocation);
  }
  return rest;
}

const isBetter = (a: AllocationRecord, b: AllocationRecord): boolean =>
  isTerminal(a) === isTerminal(b) ? a.version > b.version : isTerminal(b);

function computeUpdates(
  input: ReconcileInput,
  job: JobView,
  group: string,
  held: readonly AllocationRecord[],
  waiting: ReadonlySet<AllocationRecord>,
): { inPlace: AllocationRecord[]; destructive: AllocationRecord[]; same: number } {
  const inPlace: AllocationRecord[] = [];
  const destructive: AllocationRecord[] = [];
  let same = 0;
  const impacts = new Map<number, boolean>();
  const needsRestart = (version: number): boolean => {
    let known = impacts.get(version);
    if (known === undefined) {
      const before = input.specOf(version);
      known = before === undefined || updateImpact(before, job.spec, group).type === 'destructive';
      impacts.set(version, known);
    }
    return known;
  };
  for (const allocation of held) {
    if (allocation.version === job.version) same++;
    else if (isTerminal(allocation)) {
      // A failed one: a version that restarts its like replaces it at once, any other leaves it to its backoff, if it has one.
      if (needsRestart(allocation.version) || !waiting.has(allocation)) destructive.push(allocation);
      else same++;
    } else if (needsRestart(allocation.version) || !input.isStillFeasible(allocation)) destructive.push(allocation);
    else inPlace.push(allocation);
  }
  return { inPlace, destructive, same };
}

const place = (change: Omit<PlaceChange, 'type' | 'previous'> & { readonly previous?: AllocationRecord }): PlaceChange => ({
  type: 'place',
  previous: undefined,
  ...change,
});

function computePlacements(
  job: JobView,
  count: number,
  sets: {
    readonly regular: readonly AllocationRecord[];
    readonly moving: readonly AllocationRecord[];
    readonly due: readonly AllocationRecord[];
    readonly lost: readonly AllocationRecord[];
    /** Told to stop, and not at their end yet. */
    readonly leaving: readonly AllocationRecord[];
    readonly canaries: ReadonlySet<AllocationRecord>;
    readonly beside: ReadonlySet<AllocationRecord>;
    readonly indexes: Indexes;
    readonly versionAfter: (previous: AllocationRecord) => number;
  },
): PlaceChange[] {
  const { regular, moving, due, lost, leaving, canaries, beside, indexes, versionAfter } = sets;
  const successor = (previous: AllocationRecord, kind: 'reschedule' | 'lost', why: string): PlaceChange =>
    place({
      index: previous.index,
      canary: canaries.has(previous),
      ...(beside.has(previous) && { surge: true }),
      version: versionAfter(previous),
      previous,
      kind,
      because: why,
    });
  /** The one of its name that is about to end: it waits for that, and may have its room. */
  const beforeIt = (index: number): { readonly previous?: AllocationRecord } => {
    const previous = leaving.find((a) => a.index === index);
    return previous === undefined ? {} : { previous };
  };
  const changes = due.map((previous) => successor(previous, 'reschedule', because.rescheduled));
  let existing = regular.length + moving.length + due.filter((a) => !canaries.has(a) && !beside.has(a)).length;
  for (const previous of lost) {
    if (existing >= count) break;
    existing++;
    changes.push(successor(previous, 'lost', because.lost));
  }
  if (existing < count)
    for (const index of indexes.next(count - existing))
      changes.push(
        place({ index, canary: false, version: job.version, kind: 'new', because: 'below count', ...beforeIt(index) }),
      );
  return changes;
}

/** What was there and vanished is replaced even while a deployment is paused, failed or on trial; but not its own failures. */
function isPlacedAnyway({ kind, previous }: PlaceChange, current: DeploymentView | undefined): boolean {
  if (kind === 'lost') return true;
  if (kind !== 'reschedule') return false;
  return !(current?.failed === true && previous?.deployment === current.id);
}

/** What is down already is replaced first: it costs no availability. */
const deadFirst = (a: AllocationRecord, b: AllocationRecord): number =>
  Number(isTerminal(b)) - Number(isTerminal(a)) || byIndex(a, b);

function updateLimit(
  maxParallel: number | undefined,
  isHeld: boolean,
  count: number,
  sets: {
    readonly destructive: readonly AllocationRecord[];
    readonly moving: readonly AllocationRecord[];
    /** Of the new version. */
    readonly fresh: readonly AllocationRecord[];
    readonly deployment: DeploymentView | undefined;
  },
): number {
  if (isHeld) return 0;
  const { destructive, moving, fresh, deployment } = sets;
  if (maxParallel === undefined || destructive.length + moving.length === 0) return Math.max(count, destructive.length) + count;
  let limit = maxParallel;
  for (const allocation of fresh) {
    const isJudged = deployment !== undefined && allocation.deployment === deployment.id;
    // Nothing more is risked until somebody has looked at it.
    if (isJudged && allocation.healthy === false) return 0;
    // Without a deployment nobody judges its health; that it runs must do.
    if (isJudged ? allocation.healthy !== true : allocation.phase !== 'running') limit--;
  }
  return limit;
}
