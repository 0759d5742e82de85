import { parseTimestamp, type Instant } from '../../base/index.ts';

/** RFC 3339 with whole seconds in the local time zone: `2026-11-21T01:14:14Z`, `2020-07-23T12:22:08+08:00`. */
export function localTime(at: Instant | string | null | undefined): string {
  const instant = typeof at === 'string' || at === null ? parseTimestamp(at) : at;
  if (instant === undefined || instant < 1000) return 'N/A';
  const date = new Date(instant);
  const two = (n: number): string => String(n).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const zone =
    offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return (
    `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}` +
    `T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${zone}`
  );
}

const units = [
  ['y', 12],
  ['mo', 30],
  ['d', 24],
  ['h', 60],
  ['m', 60],
  ['s', 1],
] as const;

/**
 * How long ago, by the two largest units that are not zero: `17s ago`, `1m5s ago`, `22h12m ago`, `3m ago`; `from now` for the
 * future. Months have 30 days, years 12 months. Empty for an absent time.
 *
 * @example age(Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 1, 4)) === '1h4m ago'
 */
export function age(at: Instant | string | null | undefined, now: Instant): string {
  const instant = typeof at === 'string' || at === null ? parseTimestamp(at) : at;
  if (instant === undefined || instant < 1000) return '';
  const difference = Math.round(now / 1000) - Math.round(instant / 1000);
  return `${roughly(Math.abs(difference))} ${difference < 0 ? 'from now' : 'ago'}`;
}

/** A number of seconds by its two largest units that are not zero; `0s` for none. */
export function roughly(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  let scale = units.reduce((product, [, size]) => product * size, 1);
  for (const [unit, size] of units) {
    const amount = Math.floor(rest / scale);
    rest -= amount * scale;
    scale /= size;
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join('');
}
