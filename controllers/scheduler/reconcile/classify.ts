import type { Instant } from '../../../base/index.ts';
import type { ReschedulePolicy } from '../../../openapi/index.ts';
import { isClientTerminal, isTerminal, type AllocationRecord, type DeploymentView, type JobType } from '../model.ts';
import { mayReschedule, nextDelay } from './reschedule.ts';

/** Where the allocations of a group stand. Each is in exactly one list, or in none when nothing follows from it any more. */
export interface Classified {
  /** Wanted, and on a node that is heard. */
  readonly live: readonly AllocationRecord[];
  /** Told to move by a drain or a user. */
  readonly migrating: readonly AllocationRecord[];
  /** On a node that is not heard, and unknown until then (Infinity: as long as that lasts). */
  readonly silent: readonly { readonly allocation: AllocationRecord; readonly until: Instant }[];
  /** On a node that is down or gone. */
  readonly lost: readonly AllocationRecord[];
  /** Failed, and due to be replaced. */
  readonly due: readonly AllocationRecord[];
  /** Failed, to be replaced at that instant; nothing is scheduled for it yet. */
  readonly later: readonly { readonly allocation: AllocationRecord; readonly until: Instant }[];
  /** Failed, and a delayed evaluation will see to it. */
  readonly waiting: readonly AllocationRecord[];
  /** Failed for good: its policy allows no further attempt. */
  readonly exhausted: readonly AllocationRecord[];
  /** Batch: ended well, and is not run again. */
  readonly done: readonly AllocationRecord[];
  /** Told to stop, but its node is gone before it said so. */
  readonly unheard: readonly AllocationRecord[];
  /** Ended in an earlier version: counted, no more. */
  readonly old: readonly AllocationRecord[];
}

export interface ClassifyContext {
  readonly type: JobType;
  readonly version: number;
  readonly policy: ReschedulePolicy | undefined;
  readonly isNodeUp: (node: string) => boolean;
  /** Until when an allocation on a node that is not heard counts as unknown; undefined: it is lost. */
  readonly unknownUntil: (allocation: AllocationRecord) => Instant | undefined;
  /** Delayed evaluations that are still to come, by name: when. */
  readonly followups: ReadonlyMap<string, Instant>;
  /** The active deployment of the job. */
  readonly deployment: DeploymentView | undefined;
  readonly now: Instant;
}

type List = { -readonly [K in keyof Classified]: Classified[K][number][] };

export function classify(allocations: readonly AllocationRecord[], context: ClassifyContext): Classified {
  const lists: List = {
    live: [],
    migrating: [],
    silent: [],
    lost: [],
    due: [],
    later: [],
    waiting: [],
    exhausted: [],
    done: [],
    unheard: [],
    old: [],
  };
  for (const allocation of allocations) place(allocation, context, lists);
  return lists;
}

function place(allocation: AllocationRecord, context: ClassifyContext, lists: List): void {
  if (!isTerminal(allocation)) {
    if (!context.isNodeUp(allocation.node)) {
      const until = context.unknownUntil(allocation);
      if (until === undefined) lists.lost.push(allocation);
      else lists.silent.push({ allocation, until });
    } else if (allocation.migrate) lists.migrating.push(allocation);
    else lists.live.push(allocation);
    return;
  }
  if (!isClientTerminal(allocation) && !context.isNodeUp(allocation.node)) {
    lists.unheard.push(allocation);
    return;
  }
  // What was replaced is history.
  if (allocation.next !== undefined) return;
  if (context.type === 'batch') {
    if (allocation.version < context.version) lists.old.push(allocation);
    else if (allocation.succeeded) lists.done.push(allocation);
    else if (allocation.desired === 'run') classifyFailed(allocation, context, lists);
    return;
  }
  if (allocation.desired === 'run') classifyFailed(allocation, context, lists);
}

function classifyFailed(allocation: AllocationRecord, context: ClassifyContext, lists: List): void {
  if (allocation.phase !== 'failed') {
    // A batch allocation that was cut short has still used its one run; a service is simply missing.
    if (context.type === 'batch' && allocation.phase === 'complete') lists.done.push(allocation);
    return;
  }
  const { policy, followups, now } = context;
  if (allocation.forceReschedule) {
    lists.due.push(allocation);
    return;
  }
  if (isHeldByDeployment(allocation, context.deployment)) {
    lists.exhausted.push(allocation);
    return;
  }
  const planned = allocation.followup === undefined ? undefined : followups.get(allocation.followup);
  if (planned !== undefined && planned > now) lists.waiting.push(allocation);
  else if (!mayReschedule(policy, allocation.tracker ?? [], now)) lists.exhausted.push(allocation);
  else if (allocation.followup !== undefined) lists.due.push(allocation);
  else {
    const delay = nextDelay(policy!, allocation.tracker ?? [], now);
    if (delay <= 0) lists.due.push(allocation);
    else lists.later.push({ allocation, until: now + delay });
  }
}

/** Without a progress deadline a deployment fails with its first failed allocation, so that is not replaced under it. */
function isHeldByDeployment(allocation: AllocationRecord, deployment: DeploymentView | undefined): boolean {
  if (deployment === undefined || !deployment.active || allocation.deployment !== deployment.id) return false;
  return !allocation.reschedule && deployment.groups.get(allocation.group)?.progressDeadline === 0;
}
