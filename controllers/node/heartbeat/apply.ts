import { EvaluationKind, NodeKind } from '../../../openapi/index.ts';
import { commit, createOperation, statusOperation, TRANSACTION, type Hands } from '../../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/**
 * Evaluations go in transactions of their own when there are many; the note that jobs were told comes last. Each is named after
 * what it is for, so what a crash leaves undone is done again and what is there already is passed over.
 */
export async function apply({ name, node }: Observed, plan: Plan, hands: Hands): Promise<void> {
  if (node !== undefined && plan.status !== undefined) {
    await commit(hands, [statusOperation(NodeKind, node, plan.status)]);
    const { phase, description } = plan.status;
    const isDown = phase !== 'ready' || description?.includes('waited for') === true;
    hands.events.record(node, isDown ? 'Warning' : 'Normal', isDown ? 'NodeNotReady' : 'NodeReady', description ?? '');
    hands.log[isDown ? 'warn' : 'info']('node changed', { phase, description, name: node.spec.name });
  }
  const operations = plan.evaluations.map((evaluation) => createOperation(EvaluationKind, evaluation));
  const notified = node !== undefined && plan.notified !== undefined ? statusOperation(NodeKind, node, plan.notified) : undefined;
  if (operations.length < TRANSACTION) {
    await commit(hands, [...operations, notified]);
  } else {
    const { results } = await hands.write.batch(operations, { mode: 'independent', signal: hands.signal });
    const failed = results.find((result) => result.code >= 300 && result.status?.reason !== 'AlreadyExists');
    if (failed !== undefined) throw new Error(`create evaluation: ${failed.status?.message ?? failed.code}`);
    await commit(hands, [notified]);
  }
  if (operations.length > 0)
    hands.log.info('evaluations created', { node: name, count: operations.length, because: plan.because });
}
