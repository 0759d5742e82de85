import type { Instant } from '../../../base/index.ts';
import type { DesiredUpdates, TaskGroup } from '../../../openapi/index.ts';
import { isTerminal, type AllocationRecord, type DeploymentView } from '../model.ts';
import { because } from './descriptions.ts';

/** What a reconciler asks for. */
export type Change =
  | { readonly type: 'stop'; readonly allocation: AllocationRecord; readonly because: string }
  /** Its node is gone: stopped, and not waited for. */
  | { readonly type: 'lose'; readonly allocation: AllocationRecord; readonly because: string }
  /** Its node is not heard: unknown until then (undefined: until it is heard again). */
  | {
      readonly type: 'disconnect';
      readonly allocation: AllocationRecord;
      readonly until: Instant | undefined;
      readonly because: string;
    }
  /** It is heard again, and is itself once more. */
  | { readonly type: 'reconnect'; readonly allocation: AllocationRecord; readonly because: string }
  | { readonly type: 'updateInPlace'; readonly allocation: AllocationRecord; readonly because: string }
  /** A promoted canary becomes one of the rest. */
  | { readonly type: 'promote'; readonly allocation: AllocationRecord; readonly because: string }
  /** What was started beside the one of its name takes its place. */
  | { readonly type: 'settle'; readonly allocation: AllocationRecord; readonly because: string }
  /** Reschedule it at that instant. */
  | { readonly type: 'delay'; readonly allocation: AllocationRecord; readonly until: Instant; readonly because: string }
  /** Stop it and place its successor, or neither. */
  | { readonly type: 'replace'; readonly allocation: AllocationRecord; readonly because: string; readonly node?: string }
  | PlaceChange;

export interface PlaceChange {
  readonly type: 'place';
  readonly index: number;
  readonly canary: boolean;
  /** Beside the one of its name, until it is healthy. */
  readonly surge?: boolean;
  /** Not the newest while canaries of that are on trial. */
  readonly version: number;
  /** What it takes the place of. */
  readonly previous: AllocationRecord | undefined;
  readonly kind: 'new' | 'canary' | 'lost' | 'migrate' | 'reschedule';
  /** Where it has to go; undefined: wherever it fits best. */
  readonly node?: string;
  readonly because: string;
}

export interface GroupDecision {
  readonly group: string;
  /** Undefined: the group was removed. */
  readonly spec: TaskGroup | undefined;
  readonly changes: readonly Change[];
  readonly updates: Required<DesiredUpdates>;
}

export interface NewDeploymentGroup {
  readonly group: TaskGroup;
  readonly desiredTotal: number;
  readonly desiredCanaries: number;
}

export interface Decision {
  readonly groups: readonly GroupDecision[];
  /** The deployment to create; empty: none. */
  readonly deployment: readonly NewDeploymentGroup[];
  /** The deployment that placements belong to, where it exists already. */
  readonly within: DeploymentView | undefined;
  /** When the job is to be looked at again, to go on with an update that proceeds in steps. */
  readonly continueAt?: Instant;
}

export const noUpdates = (): Required<DesiredUpdates> => ({
  ignore: 0,
  place: 0,
  migrate: 0,
  stop: 0,
  inPlaceUpdate: 0,
  destructiveUpdate: 0,
  canary: 0,
  preemptions: 0,
});

/** By index, and among equals by id, so that the outcome does not hang on the order of the input. */
export const byIndex = (a: AllocationRecord, b: AllocationRecord): number => a.index - b.index || (a.id < b.id ? -1 : 1);

/** Nothing of it is wanted any more. */
export function stopGroup(group: string, all: readonly AllocationRecord[], isNodeUp: (node: string) => boolean): GroupDecision {
  const changes: Change[] = [];
  const updates = noUpdates();
  for (const allocation of all) {
    const ended = end(allocation, because.notNeeded, isNodeUp);
    if (ended === undefined) continue;
    changes.push(ended);
    if (!isTerminal(allocation)) updates.stop++;
  }
  return { group, spec: undefined, changes, updates };
}

/** Stops what is not stopped; what is on a node that is gone is lost. Undefined: it has ended already. */
export function end(allocation: AllocationRecord, why: string, isNodeUp: (node: string) => boolean): Change | undefined {
  const silent = allocation.phase === 'pending' || allocation.phase === 'running' || allocation.phase === 'unknown';
  if (silent && !isNodeUp(allocation.node)) return { type: 'lose', allocation, because: because.lost };
  return isTerminal(allocation) ? undefined : { type: 'stop', allocation, because: why };
}
