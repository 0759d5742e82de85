import type { Change } from './change.ts';
import { isTerminal, type AllocationRecord, type DeploymentView } from '../model.ts';
import { end } from './change.ts';
import { because } from './descriptions.ts';

/**
 * Allocations that `update { max_surge }` starts before it stops those that they replace. Such a one bears the name of its elder and runs beside it
 * until it is healthy; then the elder is stopped, and it is one like any other. Should its rollout fail or be overtaken before that, it goes, and
 * the elder stays.
 */
export interface Surges {
  /** Beside their elders. */
  readonly waiting: ReadonlySet<AllocationRecord>;
  /** Neither these nor their like count any more: they go, or have made way. */
  readonly gone: ReadonlySet<AllocationRecord>;
  readonly changes: readonly Change[];
}

export interface SurgeContext {
  readonly version: number;
  readonly deployments: readonly DeploymentView[];
  readonly isNodeUp: (node: string) => boolean;
  /** Whether its node is not heard, but it may be back in time. */
  readonly isSilent: (allocation: AllocationRecord) => boolean;
}

export function sortSurges(all: readonly AllocationRecord[], context: SurgeContext): Surges {
  const waiting = new Set<AllocationRecord>();
  const gone = new Set<AllocationRecord>();
  const changes: Change[] = [];
  const drop = (allocation: AllocationRecord, why: string): void => {
    gone.add(allocation);
    const ended = end(allocation, why, context.isNodeUp);
    if (ended !== undefined) changes.push(ended);
  };
  for (const allocation of all) {
    if (!allocation.surge || allocation.desired !== 'run' || allocation.phase === 'lost' || allocation.next !== undefined)
      continue;
    const elder = findElder(
      all.filter((other) => !gone.has(other)),
      allocation,
    );
    const isLeaving = elder !== undefined && leaves(elder, context);
    const isOver = isPointless(allocation, context);
    // What leaves anyway needs no successor but the one that is there, if that may stay. Without an elder it is one like any other, however it fares.
    const takesOver = elder === undefined || (isLeaving && !isOver && !isTerminal(allocation)) || isProven(allocation, context);
    if (takesOver) {
      changes.push({ type: 'settle', allocation, because: 'it takes the place of the one that it ran beside' });
      if (elder === undefined) continue;
      const why = elder.migrate ? because.migrating : because.updating;
      drop(elder, why);
      // A failed one would be rescheduled beside its successor.
      if (isFailed(elder)) changes.push({ type: 'stop', allocation: elder, because: why });
    } else if (isOver || isLeaving || allocation.phase === 'complete' || elder.version === allocation.version)
      drop(allocation, because.notNeeded);
    else waiting.add(allocation);
  }
  return { waiting, gone, changes };
}

/** What runs comes before what failed, and what was not replaced before what was. */
function findElder(all: readonly AllocationRecord[], { id, index }: AllocationRecord): AllocationRecord | undefined {
  const candidates = all.filter((a) => a.id !== id && a.index === index && !a.surge && !a.canary);
  const live = candidates.filter((a) => !isTerminal(a));
  return live.find(({ next }) => next === undefined) ?? live[0] ?? candidates.find(isFailed);
}

/** Failed, and yet to be seen to. */
const isFailed = ({ desired, phase, next }: AllocationRecord): boolean =>
  desired === 'run' && phase === 'failed' && next === undefined;

/** It moves, failed or is lost; one that is merely silent may be back. */
const leaves = (elder: AllocationRecord, { isNodeUp, isSilent }: SurgeContext): boolean =>
  isTerminal(elder) || (isNodeUp(elder.node) ? elder.migrate : !isSilent(elder));

const deploymentOf = (allocation: AllocationRecord, { deployments }: SurgeContext): DeploymentView | undefined =>
  deployments.find(({ id }) => id === allocation.deployment);

/** Healthy, in a rollout that succeeded or is under way. */
function isProven(allocation: AllocationRecord, context: SurgeContext): boolean {
  if (allocation.healthy !== true || isTerminal(allocation) || allocation.migrate || !context.isNodeUp(allocation.node))
    return false;
  const deployment = deploymentOf(allocation, context);
  if (deployment === undefined || deployment.failed) return false;
  return deployment.successful || (deployment.active && !deployment.paused && allocation.version === context.version);
}

/** Its rollout is over, or it has to leave its node: then another one is made, if any. */
function isPointless(allocation: AllocationRecord, context: SurgeContext): boolean {
  const { version, isNodeUp } = context;
  if (allocation.version !== version || allocation.migrate || (!isTerminal(allocation) && !isNodeUp(allocation.node)))
    return true;
  const deployment = deploymentOf(allocation, context);
  return deployment === undefined || !deployment.active || deployment.failed;
}
