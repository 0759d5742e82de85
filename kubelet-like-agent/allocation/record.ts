import type { Allocation, AllocationStatus, DeploymentHealth, Stored } from '../../openapi/index.ts';
import type { TaskRecord } from '../task/machine.ts';
import type { HealthClock } from './health.ts';
import type { Instant } from '../../base/index.ts';

/** What is kept on disk of an allocation. */
export interface AllocationRecord {
  readonly format: 1;
  /** As last seen, without its status. */
  readonly allocation: Stored<Allocation>;
  /** The machine's boot ID when this was written: after another boot no run can be left. */
  readonly bootId: string;
  readonly goal: 'run' | 'stop';
  /** When this node began with it; `max_run_duration` counts from then. */
  readonly startedAt?: Instant;
  /** It has used up its `max_run_duration`. */
  readonly expired?: boolean;
  /** While services are withdrawn and the group's shutdown delay runs. */
  readonly stopAt?: Instant;
  readonly tasks: readonly TaskRecord[];
  readonly health: HealthRecord;
  readonly finishedAt?: Instant;
  readonly reconnectedAt?: string;
}

export interface HealthRecord {
  /** The deployment that is being watched for; undefined for a migration. */
  readonly deployment?: string;
  readonly clock: HealthClock;
  readonly verdict?: DeploymentHealth;
}

/** The status that says "this came and went without ever starting here". */
export function neverStarted(now: string, jobVersion: number): AllocationStatus {
  return { phase: 'complete', description: 'Stopped before it was started', modifiedAt: now, jobVersion };
}
