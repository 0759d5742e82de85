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
  readonly isPaused: boolean;
  readonly isNodeUp: (node: string) => boolean;
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
    const elder = all.find((other) => isElder(other, allocation) && !gone.has(other));
    // What leaves anyway needs no successor but the one that is there.
    const leaves = elder === undefined || elder.migrate || !context.isNodeUp(elder.node);
    if (leaves || (isHealthy(allocation, context) && !context.isPaused)) {
      changes.push({ type: 'settle', allocation, because: 'it takes the place of the one that it ran beside' });
      if (elder !== undefined) drop(elder, elder.migrate ? because.migrating : because.updating);
    } else if (isPointless(allocation, context)) drop(allocation, because.notNeeded);
    else waiting.add(allocation);
  }
  return { waiting, gone, changes };
}

const isElder = (other: AllocationRecord, { id, index }: AllocationRecord): boolean =>
  other.id !== id && other.index === index && !other.surge && !other.canary && !isTerminal(other);

const isHealthy = (allocation: AllocationRecord, { isNodeUp }: SurgeContext): boolean =>
  allocation.healthy === true && !isTerminal(allocation) && !allocation.migrate && isNodeUp(allocation.node);

/** Its rollout is over, or it has to leave its node: then another one is made, if any. */
function isPointless(allocation: AllocationRecord, { version, deployments, isNodeUp }: SurgeContext): boolean {
  if (allocation.version !== version || allocation.migrate || (!isTerminal(allocation) && !isNodeUp(allocation.node)))
    return true;
  const deployment = deployments.find(({ id }) => id === allocation.deployment);
  return deployment === undefined || !deployment.active || deployment.failed;
}
