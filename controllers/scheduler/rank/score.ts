import type { Algorithm } from '../state/cluster.ts';

/** The terms of a node's score, as users see them. The score is the mean of those that apply. */
export type Term = 'binpack' | 'job-anti-affinity' | 'node-reschedule-penalty' | 'node-affinity' | 'allocation-spread';

/**
 * How well a node is filled: 1 when nothing is left, 0 when it is empty; with the spread algorithm the other way round.
 * `freeCpu` and `freeMemory` are the shares that are free once the allocation is there.
 */
export function fitScore(algorithm: Algorithm, freeCpu: number, freeMemory: number): number {
  const total = 10 ** freeCpu + 10 ** freeMemory;
  const score = algorithm === 'binpack' ? (20 - total) / 18 : (total - 2) / 18;
  return score < 0 ? 0 : score > 1 ? 1 : score;
}

/** Keeps allocations of one group apart: `others` of it are on the node already. 0 where there is none. */
export const antiAffinityScore = (others: number, count: number): number => (others === 0 ? 0 : -(others + 1) / count);

/** What a node gets that this instance failed on before. */
export const PENALTY = -1;

/** A value with `used` allocations of `desired` wanted ones. */
export const targetScore = (desired: number | undefined, used: number, share: number): number =>
  desired === undefined || desired === 0 ? -1 : ((desired - (used + 1)) / desired) * share;

/**
 * A value with `used` allocations where the least used one has `min` and the most used one `max`: up to +1 for the least used
 * value, below 0 for all others and, once all are level, −1 for all of them.
 */
export function evenScore(used: number, min: number, max: number): number {
  if (max === 0) return 0;
  if (min === max) return -1;
  if (used === min) return min === 0 ? 1 : (max - min) / min;
  return min === 0 ? -used / max : (min - used) / min;
}
