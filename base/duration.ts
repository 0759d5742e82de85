/** A length of time in milliseconds; fractions are allowed. */
export type Duration = number;

const UNIT: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

/**
 * Reads a duration as Go writes it (`1h30m`, `1.5s`, `-10ms`, `0`), with `d` for days as job files allow, or a number of
 * nanoseconds. Undefined when it is not one.
 */
export function parseDuration(value: string | number | undefined): Duration | undefined {
  if (typeof value === 'number') return value / 1e6;
  if (value === undefined) return undefined;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d))+|0)$/.exec(value.trim());
  if (match === null) return undefined;
  let total = 0;
  for (const [, amount, unit] of match[2]!.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)/g)) {
    total += Number(amount) * UNIT[unit!]!;
  }
  return match[1] === '-' ? -total : total;
}

/** Like parseDuration, for values that were validated before; absent or unreadable ones give `fallback`. */
export function durationOr(value: string | number | undefined, fallback: Duration): Duration {
  return parseDuration(value) ?? fallback;
}

/** Writes a duration as Go does: `10m0s`, `1h0m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(ms: Duration): string {
  if (ms === 0) return '0s';
  const sign = ms < 0 ? '-' : '';
  const ns = Math.round(Math.abs(ms) * 1e6);
  if (ns < 1e3) return `${sign}${ns}ns`;
  if (ns < 1e6) return `${sign}${trim(ns / 1e3)}µs`;
  if (ns < 1e9) return `${sign}${trim(ns / 1e6)}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = trim((ns % 60e9) / 1e9);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m${seconds}s`;
  return `${sign}${seconds}s`;
}

const trim = (n: number): string => n.toFixed(9).replace(/\.?0+$/, '');
