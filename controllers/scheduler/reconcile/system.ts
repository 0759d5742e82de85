/**
 * What must change so that a system or sysbatch job has one allocation of each group on every node that can take it. Pure, as
 * `reconcile.ts` is for the other types. Each pair of node and group is decided by itself; only updates are counted together.
 *
 * - A node that takes nothing new (ineligible, draining) keeps what it has, at the version that it has.
 * - A node that cannot run the group any more (datacenter, pool, constraints, drivers) loses it.
 * - What failed under the newest version stays failed: restarting is the node's business, and a new version's.
 * - Of a sysbatch job, what ended well is not run again for its version.
 */
import { durationOr, type Duration } from '../../../base/index.ts';
import type { TaskGroup } from '../../../openapi/index.ts';
import { isTerminal, jobTypeOf, type AllocationRecord, type JobView } from '../model.ts';
import { end, noUpdates, stopGroup, type Change, type Decision, type GroupDecision, type PlaceChange } from './change.ts';
import { because } from './descriptions.ts';
import { disconnectPolicy, unknownUntil } from './disconnect.ts';
import { byGroup, type ReconcileInput } from './reconcile.ts';
import { updateImpact } from './update-impact.ts';

export interface SystemInput extends Omit<ReconcileInput, 'deployments' | 'isStillFeasible'> {
  /** All nodes that are known, by name: whether they take new allocations. */
  readonly nodes: ReadonlyMap<string, boolean>;
  /** Whether the node can run the group at all, whatever room it has. */
  readonly isFeasible: (node: string, group: string) => boolean;
}

export function reconcileSystem(input: SystemInput): Decision {
  const { job, followups, now } = input;
  const groups = byGroup(input);
  if (job === undefined || job.stopped)
    return {
      groups: [...groups].map(([group, all]) => stopGroup(group, all, input.isNodeUp)),
      deployment: [],
      within: undefined,
    };
  let stagger: Duration | undefined;
  const decisions = [...groups].map(([group, all]) => {
    const spec = job.spec.groups?.find(({ name }) => name === group);
    if (spec === undefined) return stopGroup(group, all, input.isNodeUp);
    const { decision, isPartial } = reconcileGroup(input, job, spec, all);
    if (isPartial) stagger = Math.max(stagger ?? 0, durationOr(spec.update?.stagger, 30_000));
    return decision;
  });
  return {
    groups: decisions,
    deployment: [],
    within: undefined,
    // An evaluation that goes on with it is there already, or made now.
    ...(stagger !== undefined && followups.size === 0 && { continueAt: now + stagger }),
  };
}

function reconcileGroup(
  input: SystemInput,
  job: JobView,
  spec: TaskGroup,
  all: readonly AllocationRecord[],
): { decision: GroupDecision; isPartial: boolean } {
  const changes: Change[] = [];
  const updates = noUpdates();
  const destructive: AllocationRecord[] = [];
  const needsRestart = restarts(input, job, spec.name);
  /** Nodes that have what they shall have, or for which it is decided already. */
  const served = new Set<string>();
  let starting = 0;

  const stop = (allocation: AllocationRecord, why: string): void => {
    const ended = end(allocation, why, input.isNodeUp);
    if (ended === undefined) return;
    changes.push(ended);
    if (!isTerminal(allocation)) updates.stop++;
  };
  const isWanted = (node: string): boolean => (spec.count ?? 1) > 0 && input.isFeasible(node, spec.name);

  for (const [node, own] of byNode(all)) {
    const takesNew = input.nodes.get(node) === true;
    const live = own.filter((a) => !isTerminal(a) && a.jobUID === job.uid).sort(newestFirst);
    for (const a of own) if (!live.includes(a)) stop(a, because.notNeeded);
    const [current, ...doubles] = live;
    for (const a of doubles) stop(a, because.notNeeded);
    if (current === undefined) {
      const last = own.filter((a) => a.jobUID === job.uid && a.next === undefined).sort(newestFirst)[0];
      if (last !== undefined && isSettled(last, job)) {
        served.add(node);
        updates.ignore++;
      }
      continue;
    }
    served.add(node);
    const until = input.isNodeUp(node)
      ? undefined
      : unknownUntil(current, disconnectPolicy(spec), input.nodeSince(node), input.now);
    if (until !== undefined) {
      updates.ignore++;
      const at = until === Infinity ? undefined : until;
      if (current.phase !== 'unknown')
        changes.push({ type: 'disconnect', allocation: current, until: at, because: because.unknown });
    } else if (!input.isNodeUp(node)) stop(current, because.lost);
    else if (current.migrate) {
      if (takesNew && isWanted(node)) {
        changes.push(place(current, job, node, 'migrate', because.migrating));
        updates.migrate++;
      } else stop(current, because.migrating);
    } else if (!takesNew) updates.ignore++;
    else if (!isWanted(node)) stop(current, because.notNeeded);
    else if (current.version === job.version) {
      updates.ignore++;
      if (current.phase === 'pending') starting++;
    } else if (needsRestart(current.version)) destructive.push(current);
    else {
      updates.inPlaceUpdate++;
      changes.push({ type: 'updateInPlace', allocation: current, because: 'its tasks need no restart' });
    }
  }

  for (const [node, takesNew] of input.nodes) {
    if (!takesNew || served.has(node) || !isWanted(node)) continue;
    updates.place++;
    const previous = all.filter((a) => a.node === node && a.jobUID === job.uid && a.next === undefined).sort(newestFirst)[0];
    changes.push(place(previous, job, node, previous?.phase === 'lost' ? 'lost' : 'new', 'the node has none'));
  }

  const replaced = destructive.slice(0, updateLimit(input, job, spec, starting));
  for (const allocation of replaced)
    changes.push({ type: 'replace', allocation, because: because.updating, node: allocation.node });
  updates.destructiveUpdate += replaced.length;
  updates.ignore += destructive.length - replaced.length;
  return { decision: { group: spec.name, spec, changes, updates }, isPartial: replaced.length < destructive.length };
}

/** How many may be replaced now: max_parallel at a time, the next ones after `stagger`. */
function updateLimit({ followups }: SystemInput, job: JobView, spec: TaskGroup, starting: number): number {
  const parallel = jobTypeOf(job.spec) === 'system' ? (spec.update?.maxParallel ?? 0) : 0;
  if (parallel <= 0) return Infinity;
  return followups.size > 0 ? 0 : Math.max(0, parallel - starting);
}

/** Nothing more is done on its node for this version of the job. */
function isSettled(last: AllocationRecord, job: JobView): boolean {
  if (last.desired !== 'run' || last.version !== job.version || last.forceReschedule) return false;
  return last.phase === 'failed' || (last.phase === 'complete' && jobTypeOf(job.spec) === 'sysbatch');
}

function restarts(input: SystemInput, job: JobView, group: string): (version: number) => boolean {
  const known = new Map<number, boolean>();
  return (version) => {
    let answer = known.get(version);
    if (answer === undefined) {
      const before = input.specOf(version);
      answer = before === undefined || updateImpact(before, job.spec, group).type === 'destructive';
      known.set(version, answer);
    }
    return answer;
  };
}

function place(
  previous: AllocationRecord | undefined,
  job: JobView,
  node: string,
  kind: PlaceChange['kind'],
  why: string,
): PlaceChange {
  return { type: 'place', index: 0, canary: false, version: job.version, previous, kind, node, because: why };
}

function byNode(all: readonly AllocationRecord[]): Map<string, AllocationRecord[]> {
  const found = new Map<string, AllocationRecord[]>();
  for (const allocation of [...all].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const own = found.get(allocation.node);
    if (own === undefined) found.set(allocation.node, [allocation]);
    else own.push(allocation);
  }
  return found;
}

const newestFirst = (a: AllocationRecord, b: AllocationRecord): number => b.version - a.version || b.revision - a.revision;
