import { AllocationKind, EvaluationKind, NodeKind } from '../../../openapi/index.ts';
import { commit, createOperation, patchOperation, statusOperation, type Hands } from '../../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/** Resolves when the marks can be seen, so that whoever decides next counts them. */
export async function apply({ node }: Observed, plan: Plan, hands: Hands): Promise<void> {
  for (const { allocations, evaluation } of plan.migrations) {
    const marks = allocations.map((a) => patchOperation(AllocationKind, a, { spec: { desiredTransition: { migrate: true } } }));
    await commit(hands, [...marks, createOperation(EvaluationKind, evaluation)]);
    const { jobName } = evaluation.spec;
    hands.log.info('allocations migrate', { job: jobName, count: allocations.length, because: plan.because });
  }
  if (plan.status !== undefined) await commit(hands, [statusOperation(NodeKind, node, plan.status)]);
  if (plan.spec === 'ineligible') {
    await commit(hands, [patchOperation(NodeKind, node, { spec: { eligibility: 'ineligible' } }, { unchanged: true })]);
  }
  if (plan.spec === 'done') {
    await commit(hands, [patchOperation(NodeKind, node, { spec: { drain: null } }, { unchanged: true })]);
    hands.events.record(node, 'Normal', 'NodeDrained', 'Node drain complete');
    hands.log.info('node drain complete', { because: plan.because });
  }
}
