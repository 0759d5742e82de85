import type { Readable, Writable } from 'node:stream';
import type { Duration } from '../../base/index.ts';
import type { DriverInfo, TaskResources } from '../../openapi/index.ts';

/** What a value on disk may be: the driver's own notes on a task, kept by the agent across restarts. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Runs tasks of one kind. The agent owns policy (restarts, health, order); a driver only starts, finds again, watches and ends
 * one run of one task. Every driver passes test/kubelet-like-agent/drivers/contract.ts.
 */
export interface Driver {
  readonly name: string;
  /** How a task sees its directories: `image` as /alloc, /local and /secrets; absent: by their paths on the node. */
  readonly filesystem?: 'image';
  /** Looks at the machine. Never throws: what is wrong is said in the result. */
  fingerprint(): Promise<DriverInfo>;
  /** Resolves when `fingerprint` may answer differently (the engine came or went). Absent where that cannot happen. */
  changed?(signal: AbortSignal): Promise<void>;
  /** Problems with a task's `config`, each one sentence that names the field; empty when it can run. Pure. */
  validate(config: Readonly<Record<string, unknown>>): string[];
  /** Starts one run. Throws DriverError when it cannot. What it had begun by then is undone. */
  start(task: TaskStart): Promise<TaskHandle>;
  /**
   * Finds a run again after the agent was restarted, from `TaskHandle.state`; undefined when nothing of it is left. A state of
   * null asks for a run of this allocation and task that was begun and never noted: the agent died within `start`.
   */
  recover(state: Json, task: TaskStart): Promise<TaskHandle | undefined>;
  /** Ends and removes what the driver finds on the machine that belongs to this node but to none of `known` allocations. */
  removeOrphans(nodeId: string, known: ReadonlySet<string>): Promise<string[]>;
}

/** Everything a run needs; interpolated already. */
export interface TaskStart {
  readonly nodeId: string;
  readonly allocId: string;
  readonly allocName: string;
  readonly jobName: string;
  readonly group: string;
  readonly namespace: string;
  readonly task: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly resources: TaskResources;
  readonly ports: readonly TaskPort[];
  readonly network?: {
    readonly mode: string;
    readonly hostname?: string;
    readonly dns?: { servers?: string[]; searches?: string[]; options?: string[] };
  };
  readonly dirs: TaskDirs;
  readonly mounts: readonly { readonly source: string; readonly destination: string; readonly readOnly: boolean }[];
  readonly logs: LogFiles;
  readonly killSignal?: string;
  /** Told what happens on the way (`Downloading image`); becomes a task event of type Driver. */
  readonly report: (message: string, details?: Record<string, string>) => void;
  readonly signal: AbortSignal;
}

export interface TaskPort {
  readonly label: string;
  /** Port on the node. */
  readonly value: number;
  /** Port inside; equal to value when the job does not say. */
  readonly to: number;
  readonly hostIP: string;
}

export interface TaskDirs {
  /** `<data>/alloc/<alloc id>/alloc`: shared by the tasks of the allocation. */
  readonly alloc: string;
  /** `<data>/alloc/<alloc id>/<task>`: the task's own directory. */
  readonly task: string;
  /** `<task>/local`. */
  readonly local: string;
  /** `<task>/secrets`. */
  readonly secrets: string;
}

export interface LogFiles {
  /** The folder of `<task>.stdout.<n>` and `<task>.stderr.<n>`. */
  readonly dir: string;
  readonly maxFiles: number;
  readonly maxFileSizeMB: number;
  /** False: output is thrown away. */
  readonly enabled: boolean;
}

/** One run of a task. */
export interface TaskHandle {
  /** What `recover` needs. Complete from the moment `start` resolves. */
  readonly state: Json;
  readonly startedAt: number;
  /** Resolves when the run has ended, also if it ended while no agent was there. Never rejects. */
  readonly exited: Promise<ExitResult>;
  /** The address inside its own network namespace, where it has one. */
  readonly address?: string;
  /** The resolved image digest, where there is one. */
  readonly digest?: string;
  /** Sends `signal`, and SIGKILL when the run has not ended after `timeout`. Resolves when it has ended. */
  kill(signal: string | undefined, timeout: Duration): Promise<void>;
  /** Sends a signal. Throws DriverError when the name is unknown or the run has ended. */
  signal(signal: string): Promise<void>;
  /** Runs a command inside the task. Throws DriverError when that cannot be done. */
  exec(
    command: readonly string[],
    options: { timeout: Duration; signal?: AbortSignal },
  ): Promise<{ exitCode: number; output: string }>;
  /** The same, with its input and outputs at hand while it runs. Throws DriverError when that cannot be done. */
  execStream(command: readonly string[], options: { tty: boolean }): Promise<ExecSession>;
  stats(): Promise<TaskStats | undefined>;
  /** Removes what is left of an ended run (the container). Idempotent. */
  destroy(): Promise<void>;
  /** Lets go without ending the run: the agent is going away. */
  detach(): Promise<void>;
}

/** A command that runs in a task, talked to by somebody. */
export interface ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Absent with a terminal, which mixes them. */
  readonly stderr?: Readable;
  /** The exit code. Never rejects. */
  readonly exited: Promise<number>;
  /** Of the terminal, where there is one. */
  resize(rows: number, columns: number): Promise<void>;
  /** Ends it; idempotent. */
  kill(): void;
}

export interface ExitResult {
  readonly exitCode: number;
  /** Signal number, 0 for none. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Why the exit is not known or not the task's own doing. */
  readonly error?: string;
  readonly at: number;
}

export interface TaskStats {
  readonly cpuPercent: number;
  readonly cpuMHz: number;
  readonly memoryBytes: number;
  readonly memoryMaxBytes?: number;
  /** What the kernel counts apart, where it does. */
  readonly memoryCacheBytes?: number;
  readonly memorySwapBytes?: number;
  readonly memoryUsageBytes?: number;
  readonly throttledPeriods?: number;
  readonly throttledTimeNs?: number;
  readonly pids?: number;
}

/** A task could not be started or reached. `recoverable`: trying again may help, so the restart policy applies. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly recoverable: boolean;
  constructor(message: string, options: { recoverable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.recoverable = options.recoverable;
  }
}
