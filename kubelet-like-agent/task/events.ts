import { formatDuration, toTimestamp, type Duration, type Instant } from '../../base/index.ts';
import type { TaskEvent } from '../../openapi/index.ts';
import type { ExitResult } from '../drivers/driver.ts';

/** How many events of a task are kept. */
export const EVENTS_KEPT = 10;

/** Appends events and drops the oldest beyond EVENTS_KEPT. */
export function appendEvents(events: readonly TaskEvent[] | undefined, more: readonly TaskEvent[]): TaskEvent[] {
  return [...(events ?? []), ...more].slice(-EVENTS_KEPT);
}

function event(type: string, at: Instant, message: string, details?: Record<string, string>): TaskEvent {
  return { type, time: toTimestamp(at), message, ...(details !== undefined && { details }) };
}

/** Every event of a task's life, in the words that users know from `alloc status`. */
export const taskEvents = {
  received: (at: Instant) => event('Received', at, 'Task received by client'),
  setup: (at: Instant) => event('Task Setup', at, 'Building Task Directory'),
  setupFailure: (at: Instant, message: string) => event('Setup Failure', at, message),
  failedValidation: (at: Instant, message: string) => event('Failed Validation', at, message),
  downloadingArtifacts: (at: Instant) => event('Downloading Artifacts', at, 'Client is downloading artifacts'),
  failedArtifact: (at: Instant, message: string) => event('Failed Artifact Download', at, message, { download_error: message }),
  template: (at: Instant, message: string) => event('Template', at, message),
  driver: (at: Instant, message: string, details?: Record<string, string>) => event('Driver', at, message, details),
  driverFailure: (at: Instant, message: string) => event('Driver Failure', at, message, { driver_error: message }),
  started: (at: Instant) => event('Started', at, 'Task started by client'),
  terminated: (at: Instant, exit: ExitResult) => event('Terminated', at, exitText(exit), exitDetails(exit)),
  restarting: (at: Instant, delay: Duration, reason?: string) => {
    const text = `Task restarting in ${formatDuration(Math.round(delay))}`;
    return event('Restarting', at, reason === undefined ? text : `${reason} - ${text}`, {
      start_delay: String(Math.round(delay * 1e6)),
      ...(reason !== undefined && { restart_reason: reason }),
    });
  },
  notRestarting: (at: Instant, reason: string) =>
    event('Not Restarting', at, reason, { restart_reason: reason, fails_task: 'true' }),
  restartSignaled: (at: Instant, reason: string) => event('Restart Signaled', at, reason),
  signaling: (at: Instant, signal: string, reason?: string) =>
    event('Signaling', at, `Task being sent signal ${signal}${reason === undefined ? '' : `: ${reason}`}`, { signal }),
  killing: (at: Instant, timeout: Duration) =>
    event('Killing', at, `Sent interrupt. Waiting ${formatDuration(timeout)} before force killing`, {
      kill_timeout: formatDuration(timeout),
    }),
  waitingForShutdownDelay: (at: Instant, delay: Duration) =>
    event('Waiting for shutdown delay', at, `Waiting for shutdown_delay of ${formatDuration(delay)} before killing the task.`),
  timeOver: (at: Instant, why: string) => event('Killing', at, why, { kill_reason: why }),
  killed: (at: Instant) => event('Killed', at, 'Task successfully killed'),
  siblingFailed: (at: Instant, sibling: string) =>
    event('Sibling Task Failed', at, `Task's sibling "${sibling}" failed`, { failed_sibling: sibling }),
  leaderDead: (at: Instant) => event('Leader Task Dead', at, 'Leader Task in Group dead'),
  mainDead: (at: Instant) => event('Main Tasks Dead', at, 'Main tasks in the group died'),
  allocUnhealthy: (at: Instant, reason: string) => event('Alloc Unhealthy', at, reason),
  reconnected: (at: Instant) => event('Reconnected', at, 'Client reconnected'),
};

/**
 * `Exit Code: 137, Signal: 9`, or `Exit Code: 137, Exit Message: "OOM Killed"` where there are words for it; a negative exit code is one that
 * nobody saw.
 */
function exitText(exit: ExitResult): string {
  const message = exit.error ?? (exit.oomKilled ? 'OOM Killed' : undefined);
  return [
    ...(exit.exitCode >= 0 ? [`Exit Code: ${exit.exitCode}`] : []),
    ...(exit.signal !== 0 && message === undefined ? [`Signal: ${exit.signal}`] : []),
    ...(message !== undefined ? [`Exit Message: ${JSON.stringify(message)}`] : []),
  ].join(', ');
}

function exitDetails(exit: ExitResult): Record<string, string> {
  return {
    ...(exit.exitCode >= 0 && { exit_code: String(exit.exitCode) }),
    signal: String(exit.signal),
    oom_killed: String(exit.oomKilled),
    ...(exit.error !== undefined && { exit_message: exit.error }),
  };
}
