import type { JobSpec, RescheduleEvent } from '../../openapi/index.ts';

/** `namespace/name` of a job. */
export type JobKey = string;
export type JobType = 'service' | 'batch' | 'system' | 'sysbatch';
export type Phase = 'pending' | 'running' | 'complete' | 'failed' | 'lost' | 'unknown';
export type Desired = 'run' | 'stop' | 'evict';

/** What an allocation takes of its node's capacity. One object is shared by all allocations that take the same. */
export interface Holding {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
}

export interface HeldPort {
  readonly ip: string;
  readonly value: number;
}

/**
 * What the scheduler remembers of an Allocation. Task states, events and metrics stay out, so that a fleet's worth of them
 * fits in memory.
 */
export interface AllocationRecord {
  readonly id: string;
  /** The resourceVersion this was read or written at; 0 while the write is under way. */
  readonly revision: number;
  readonly job: JobKey;
  readonly jobUID: string;
  readonly version: number;
  /** Of its job. */
  readonly priority: number;
  readonly group: string;
  readonly index: number;
  readonly node: string;
  readonly desired: Desired;
  readonly phase: Phase;
  /** Every task ended by itself, and well. */
  readonly succeeded: boolean;
  readonly deployment: string | undefined;
  readonly canary: boolean;
  /** Started beside the one of its name, which stays until this one is healthy. */
  readonly surge: boolean;
  /** The verdict for the deployment, once there is one. */
  readonly healthy: boolean | undefined;
  /** A drain or a user asks for another place. */
  readonly migrate: boolean;
  /** Where to, if it fits there. */
  readonly moveTo: string | undefined;
  readonly reschedule: boolean;
  readonly forceReschedule: boolean;
  readonly previous: string | undefined;
  readonly next: string | undefined;
  /** What it made way for. */
  readonly preemptedBy: string | undefined;
  readonly followup: string | undefined;
  readonly tracker: readonly RescheduleEvent[] | undefined;
  /** Since when nobody hears of it; only while its phase is unknown. */
  readonly unknownSince: number | undefined;
  /** What its node scored when it was placed, and since when its tasks run: decide between it and its replacement. */
  readonly score: number | undefined;
  readonly runningSince: number | undefined;
  readonly holding: Holding;
  readonly ports: readonly HeldPort[] | undefined;
  readonly cores: readonly number[] | undefined;
}

/** The node has reported the end, or was lost with it. */
export const isClientTerminal = (a: AllocationRecord): boolean =>
  a.phase === 'complete' || a.phase === 'failed' || a.phase === 'lost';

/** Ended, or told to end. */
export const isTerminal = (a: AllocationRecord): boolean => a.desired !== 'run' || isClientTerminal(a);

/** A version of a job, as the scheduler needs it. */
export interface JobView {
  readonly key: JobKey;
  readonly namespace: string;
  /** metadata.name of the Job. */
  readonly name: string;
  readonly uid: string;
  readonly version: number;
  readonly generation: number;
  readonly modifyIndex: number;
  readonly spec: JobSpec;
  /** Stopped by its user, or being deleted. */
  readonly stopped: boolean;
}

export interface DeploymentView {
  readonly id: string;
  readonly revision: number;
  readonly createdAt: number;
  readonly jobUID: string;
  readonly version: number;
  readonly active: boolean;
  readonly failed: boolean;
  readonly successful: boolean;
  readonly paused: boolean;
  readonly groups: ReadonlyMap<string, DeploymentGroupView>;
}

export interface DeploymentGroupView {
  readonly desiredCanaries: number;
  readonly promoted: boolean;
  /** 0: the deployment fails with its first unhealthy allocation. */
  readonly progressDeadline: number;
}

export const jobTypeOf = (spec: JobSpec): JobType => (spec.type as JobType | undefined) ?? 'service';

/** The name of an allocation, as users see it. */
export const allocationName = (job: string, group: string, index: number): string => `${job}.${group}[${index}]`;
