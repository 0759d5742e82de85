import type { AllocationStatus, DeploymentHealth } from '../../openapi/index.ts';
import { isDead, type TaskRecord } from '../task/machine.ts';

export type ClientPhase = NonNullable<AllocationStatus['phase']>;

export const isTerminalPhase = (phase: string | undefined): boolean =>
  phase === 'complete' || phase === 'failed' || phase === 'lost';

/**
 * The client status that follows from the tasks. `failed` only when nothing of the allocation runs any more: until then it
 * still holds its resources, and calling it terminal would let others be placed onto them.
 */
export function clientPhase(tasks: readonly TaskRecord[]): { phase: ClientPhase; description: string } {
  const failed = tasks.some((t) => t.status.state === 'dead' && t.status.failed);
  if (tasks.every(isDead)) {
    return failed
      ? { phase: 'failed', description: 'Failed tasks' }
      : { phase: 'complete', description: 'All tasks have completed' };
  }
  if (tasks.some((t) => t.status.state === 'running'))
    return { phase: 'running', description: failed ? 'Failed tasks' : 'Tasks are running' };
  return { phase: 'pending', description: failed ? 'Failed tasks' : 'No tasks have started' };
}

/** The whole status, without `modifiedAt`: what is equal need not be sent. */
export function allocationStatus(
  tasks: readonly TaskRecord[],
  jobVersion: number,
  health: DeploymentHealth | undefined,
): AllocationStatus {
  const digests = Object.fromEntries(tasks.flatMap((t) => (t.digest === undefined ? [] : [[t.status.name, t.digest]])));
  const address = tasks.find((t) => t.address !== undefined)?.address;
  return {
    ...clientPhase(tasks),
    jobVersion,
    tasks: tasks.map((t) => t.status),
    ...(health !== undefined && { deploymentHealth: health }),
    ...(address !== undefined && { networks: { address } }),
    ...(Object.keys(digests).length > 0 && { digests }),
  };
}
