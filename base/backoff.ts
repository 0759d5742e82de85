import type { Duration } from './duration.ts';

/** Exponential backoff with full jitter above half: between 50 % and 100 % of `min(max, base · 2^attempt)`. */
export function backoff(attempt: number, base: Duration, max: Duration, random: () => number = Math.random): Duration {
  const ceiling = Math.min(max, base * 2 ** Math.min(attempt, 30));
  return ceiling * (0.5 + random() / 2);
}
