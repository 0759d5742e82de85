import type { Logger } from '../../../base/index.ts';
import type { Client } from '../../../client/index.ts';
import { EvaluationKind, NodeKind } from '../../../openapi/index.ts';
import { commit, createOperation, statusOperation, TRANSACTION } from '../../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

/**
 * Evaluations go in transactions of their own when there are many; the note that jobs were told comes last. Each is named after
 * what it is for, so what a crash leaves undone is done again and what is there already is passed over.
 */
export async function apply(
  { name, node }: Observed,
  plan: Plan,
  write: Client,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  if (node !== undefined && plan.status !== undefined) {
    await commit(write, [statusOperation(NodeKind, node, plan.status)], signal);
    const { phase, description } = plan.status;
    log[phase === 'down' ? 'warn' : 'info']('node changed', { phase, description, name: node.spec.name });
  }
  const operations = plan.evaluations.map((evaluation) => createOperation(EvaluationKind, evaluation));
  const notified = node !== undefined && plan.notified !== undefined ? statusOperation(NodeKind, node, plan.notified) : undefined;
  if (operations.length < TRANSACTION) {
    await commit(write, [...operations, notified], signal);
  } else {
    const { results } = await write.batch(operations, { mode: 'independent', signal });
    const failed = results.find((result) => result.code >= 300 && result.status?.reason !== 'AlreadyExists');
    if (failed !== undefined) throw new Error(`create evaluation: ${failed.status?.message ?? failed.code}`);
    await commit(write, [notified], signal);
  }
  if (operations.length > 0) log.info('evaluations created', { node: name, count: operations.length, because: plan.because });
}
