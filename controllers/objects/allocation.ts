import { AllocationKind, type Allocation, type AllocationStatus, type Stored } from '../../openapi/index.ts';
import { objectKey } from '../../client/index.ts';
import { defineIndex } from '../runtime/index.ts';

export type ClientPhase = NonNullable<AllocationStatus['phase']>;

export const clientPhase = (allocation: Stored<Allocation>): ClientPhase => allocation.status?.phase ?? 'pending';

/** Keeps an Allocation whose deletion is asked for until its tasks have ended. */
export const ALLOCATION_FINALIZER = 'orch.dev/allocation';

/** Nothing of it runs any more, and nothing will. */
export function isClientTerminal(allocation: Stored<Allocation>): boolean {
  const phase = clientPhase(allocation);
  return phase === 'complete' || phase === 'failed' || phase === 'lost';
}

/** It ended, or it is wanted to end. */
export const isTerminal = (allocation: Stored<Allocation>): boolean =>
  allocation.spec.desired !== 'run' || isClientTerminal(allocation);

/** The verdict of its node; an allocation that failed before there was one is not healthy. */
export function healthOf(allocation: Stored<Allocation>): 'healthy' | 'unhealthy' | 'undecided' {
  const { healthy, deployment } = allocation.status?.deploymentHealth ?? {};
  // A verdict for another deployment is none for this one: the node has not judged it anew yet.
  const isOfThis = deployment === undefined || deployment === allocation.spec.deployment;
  if (healthy !== undefined && isOfThis) return healthy ? 'healthy' : 'unhealthy';
  return clientPhase(allocation) === 'failed' ? 'unhealthy' : 'undecided';
}

export const allocationsByJob = defineIndex(AllocationKind, 'jobUID', (a) => [a.spec.jobUID]);
export const allocationsByNode = defineIndex(AllocationKind, 'node', (a) => [a.spec.nodeName]);
export const allocationsByDeployment = defineIndex(AllocationKind, 'deployment', (a) =>
  a.spec.deployment === undefined ? [] : [objectKey(a.spec.deployment, a.metadata.namespace)],
);
export const allocationsByEvaluation = defineIndex(AllocationKind, 'evaluation', (a) =>
  a.spec.evaluation === undefined ? [] : [objectKey(a.spec.evaluation, a.metadata.namespace)],
);
