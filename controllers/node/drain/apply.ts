import type { Logger } from '../../../base/index.ts';
import type { Client } from '../../../client/index.ts';
import { AllocationKind, EvaluationKind, NodeKind } from '../../../openapi/index.ts';
import { commit, createOperation, patchOperation, statusOperation, type Reader } from '../../runtime/index.ts';
import type { Plan } from './decide.ts';
import type { Observed } from './observe.ts';

export interface Hands {
  readonly write: Client;
  readonly read: Reader;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Resolves when the marks can be seen, so that whoever decides next counts them. */
export async function apply({ node }: Observed, plan: Plan, { write, read, log, signal }: Hands): Promise<void> {
  for (const { allocations, evaluation } of plan.migrations) {
    const marks = allocations.map((a) => patchOperation(AllocationKind, a, { spec: { desiredTransition: { migrate: true } } }));
    const result = await commit(write, [...marks, createOperation(EvaluationKind, evaluation)], signal);
    if (result !== undefined) await read.reached(AllocationKind, result.revision, signal);
    const { jobName } = evaluation.spec;
    log.info('allocations migrate', { job: jobName, count: allocations.length, because: plan.because });
  }
  if (plan.status !== undefined) await commit(write, [statusOperation(NodeKind, node, plan.status)], signal);
  if (plan.spec === 'ineligible') {
    await commit(write, [patchOperation(NodeKind, node, { spec: { eligibility: 'ineligible' } }, { unchanged: true })], signal);
  }
  if (plan.spec === 'done') {
    await commit(write, [patchOperation(NodeKind, node, { spec: { drain: null } }, { unchanged: true })], signal);
    log.info('node drain complete', { because: plan.because });
  }
}
