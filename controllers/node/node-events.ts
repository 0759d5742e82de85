import { toTimestamp, type Instant } from '../../base/index.ts';
import type { NodeEvent } from '../../openapi/index.ts';

const KEPT = 10;

/** The events of a node's life with one more; the oldest make room. */
export function appendEvent(
  events: readonly NodeEvent[] | undefined,
  subsystem: 'Cluster' | 'Drain',
  message: string,
  now: Instant,
): NodeEvent[] {
  return [...(events ?? []), { time: toTimestamp(now), subsystem, message }].slice(-KEPT);
}
