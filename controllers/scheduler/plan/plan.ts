import type { Instant } from '../../../base/index.ts';
import type { Allocation, Deployment, DesiredUpdates, Evaluation, EvaluationStatus, Stored } from '../../../openapi/index.ts';
import type { Feasibility } from '../feasible/feasibility.ts';
import type { AllocationRecord, JobKey } from '../model.ts';
import type { Scratch } from '../rank/session.ts';
import type { Cluster } from '../state/cluster.ts';

/** What an evaluation is decided from. */
export interface EvaluateInput {
  readonly cluster: Cluster;
  readonly evaluation: Stored<Evaluation>;
  /** The delayed evaluations of the job that are still to come: when. */
  readonly followups: ReadonlyMap<string, Instant>;
  /** Other evaluations of the job that wait for capacity: this one makes them pointless. */
  readonly blocked: readonly string[];
  /**
   * Allocations that this evaluation has made already, by a plan that was cut short: the names of the next plan must not be
   * theirs. 0 after an answer that was lost, so that the names are the same and a second creation is refused.
   */
  readonly made: number;
  /** The store revision that the cluster was seen at. */
  readonly revision: number;
  readonly now: Instant;
  readonly scratch: Scratch;
  /** Milliseconds for measuring how long a search took; says nothing about the date. */
  readonly timer: () => number;
}

/** A change of an allocation that exists. */
export interface AllocationPatch {
  readonly id: string;
  readonly namespace: string;
  /** Merge patches. */
  readonly spec: Record<string, unknown>;
  readonly status: Record<string, unknown> | undefined;
  /** As it is once the patch is written. */
  readonly after: AllocationRecord;
  readonly because: string;
}

export interface NewPlacement {
  readonly object: Allocation;
  readonly record: AllocationRecord;
  readonly because: string;
}

/** Everything that one evaluation comes to, ready to be written in one batch. */
export interface Plan {
  readonly job: JobKey;
  readonly namespace: string;
  readonly deployment: Deployment | undefined;
  readonly patches: readonly AllocationPatch[];
  readonly placements: readonly NewPlacement[];
  /** Follow-ups and what waits for capacity. */
  readonly evaluations: readonly Evaluation[];
  /** Evaluations that this one makes pointless, and why. */
  readonly cancelled: ReadonlyMap<string, string>;
  readonly status: EvaluationStatus;
  /** What could not be placed, to be woken by exactly that. */
  readonly missing: readonly MissingGroup[];
  readonly updates: ReadonlyMap<string, Required<DesiredUpdates>>;
}

export interface MissingGroup {
  readonly job: JobKey;
  readonly feasibility: Feasibility;
  /** What it is to take the place of and still runs: the room of each is there for its successor. */
  readonly replaced: readonly string[];
  /** Only these nodes can help; undefined: any. */
  readonly nodes?: ReadonlySet<string>;
}
