import { toTimestamp, type Instant } from '../../base/index.ts';
import type { Allocation, AllocationStatus, DeploymentHealth, Stored } from '../../openapi/index.ts';
import type { Letter } from '../status/outbox.ts';
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

/** What is said of an allocation that was stopped because its `max_run_duration` is over: a success, as what it did until then stays done. */
export function expiredPhase(tasks: readonly TaskRecord[]): { phase: ClientPhase; description: string } {
  const { phase } = clientPhase(tasks);
  return { phase: isTerminalPhase(phase) ? 'complete' : phase, description: 'allocation exceeded max_run_duration' };
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

/** The letter that tells the server of an allocation's status: a merge patch, so what is to go must be null in it. */
export function statusLetter(
  { metadata: { name, namespace, uid } }: Pick<Stored<Allocation>, 'metadata'>,
  status: Readonly<Record<string, unknown>>,
  now: Instant,
): Pick<Letter, 'key' | 'operation'> {
  return {
    key: allocationKey(name),
    operation: {
      operation: 'patch',
      subresource: 'status',
      apiVersion: 'orch.dev/v1',
      kind: 'Allocation',
      name,
      uid,
      ...(namespace !== undefined && { namespace }),
      patch: { status: { ...status, modifiedAt: toTimestamp(now) } },
    },
  };
}

export const allocationKey = (id: string): string => `allocation/${id}`;
