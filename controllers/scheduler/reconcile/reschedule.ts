import {
  durationOr,
  formatDuration,
  parseDuration,
  parseTimestamp,
  toTimestamp,
  type Duration,
  type Instant,
} from '../../../base/index.ts';
import type { RescheduleEvent, ReschedulePolicy } from '../../../openapi/index.ts';
import type { AllocationRecord } from '../model.ts';

type Tracker = readonly RescheduleEvent[];

/** Of a policy without a limit, so many earlier reschedules are remembered. */
const REMEMBERED = 5;

/** Whether the policy still allows another attempt. */
export function mayReschedule(policy: ReschedulePolicy | undefined, tracker: Tracker, now: Instant): boolean {
  if (policy === undefined) return false;
  if (policy.unlimited === true) return true;
  const attempts = policy.attempts ?? 0;
  const interval = durationOr(policy.interval, 0);
  return attempts > 0 && within(tracker, interval, now).length < attempts;
}

/** How long the next attempt waits: constant, doubled each time, or by Fibonacci; back to the start once an attempt lasted. */
export function nextDelay(policy: ReschedulePolicy, tracker: Tracker, now: Instant): Duration {
  const base = durationOr(policy.delay, 0);
  const last = tracker.at(-1);
  if (last === undefined || policy.delayFunction === undefined || policy.delayFunction === 'constant') return base;
  const limit = durationOr(policy.maxDelay, 0);
  const previous = durationOr(last.delay, base);
  const raw = policy.delayFunction === 'fibonacci' ? fibonacci(tracker, base, limit) : previous * 2;
  const delay = limit > 0 ? Math.min(raw, limit) : raw;
  // It ran for longer than it would have to wait now: what it suffered from before is over.
  const since = now - (parseTimestamp(last.time) ?? now);
  return since > delay ? base : delay;
}

function fibonacci(tracker: Tracker, base: Duration, limit: Duration): Duration {
  const [second, last] = tracker.slice(-2).map((event) => durationOr(event.delay, base));
  if (last === undefined) return second ?? base;
  // The series was started anew after it had reached the limit.
  if (second === limit && last === base) return last;
  return second! + last;
}

/** The tracker of the replacement. */
export function nextTracker(policy: ReschedulePolicy | undefined, failed: AllocationRecord, now: Instant): RescheduleEvent[] {
  const tracker = failed.tracker ?? [];
  const kept =
    policy === undefined || policy.unlimited === true
      ? tracker.slice(-REMEMBERED)
      : within(tracker, durationOr(policy.interval, 0), now);
  const delay = policy === undefined ? 0 : nextDelay(policy, tracker, now);
  return [
    ...kept,
    { time: toTimestamp(now), previousAllocation: failed.id, previousNode: failed.node, delay: formatDuration(delay) },
  ];
}

const within = (tracker: Tracker, interval: Duration, now: Instant): RescheduleEvent[] =>
  tracker.filter((event) => interval === 0 || now - (parseTimestamp(event.time) ?? 0) < interval);

/** The delay that a tracker's last reschedule waited; for tests and explanations. */
export const lastDelay = (tracker: Tracker): Duration => parseDuration(tracker.at(-1)?.delay) ?? 0;
