/**
 * Empties nodes that have `spec.drain`. Allocations are marked `desiredTransition.migrate` and an Evaluation asks the scheduler to
 * move what is marked:
 *
 * - service: within `migrate.max_parallel` of their group, counted over the whole cluster;
 * - batch: may finish until the deadline; system: last; at the deadline, or when it is forced: everything at once.
 *
 * A drain is complete when nothing is left on the node and every replacement is healthy; the node then stays ineligible. The
 * instant of the deadline is counted from `status.drain.startedAt`, which this controller writes by its own clock when it first
 * sees the wish, so a restart forgets nothing.
 *
 * Nodes are looked at one after the other, each with the marks of the one before in sight: two nodes that drain the same group
 * must not take from it at once.
 */
import { AllocationKind, EvaluationKind, JobKind, NodeKind } from '../../../openapi/index.ts';
import { allocationsByJob, allocationsByNode, jobsByUid } from '../../objects/index.ts';
import { defineController, defineIndex, settled, settledOrWake, lookUp, watch, type Reader } from '../../runtime/index.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { observe } from './observe.ts';

/** Nodes that drain, or whose drain has ended and is not yet noted. */
const drainingNodes = defineIndex(NodeKind, 'draining', ({ spec, status }) =>
  spec.drain !== undefined || status?.drain?.phase === 'draining' ? ['true'] : [],
);

const drainingNow = (read: Reader): string[] => read.by(drainingNodes, 'true').map((node) => node.metadata.name);

export const drainController = defineController({
  name: 'drain',
  primary: NodeKind,
  reads: [
    // Replacements run elsewhere, so any allocation may be what a drain waits for.
    watch(AllocationKind, (_, read) => drainingNow(read), { delay: 50 }),
    lookUp(JobKind),
  ],
  writes: [NodeKind, AllocationKind, EvaluationKind],
  indexes: [drainingNodes, allocationsByNode, allocationsByJob, jobsByUid],
  concurrency: 1,

  async reconcile(key, context) {
    const observed = observe(key, context.read);
    if (observed === undefined) return settled;
    const plan = decide(observed, context.clock.now());
    await apply(observed, plan, context);
    return settledOrWake(plan.wakeAt);
  },
});
