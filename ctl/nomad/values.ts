import { parseDuration, parseTimestamp } from '../../base/index.ts';

/** Values as Nomad's API writes them: durations and instants in nanoseconds, absent lists and maps as null. */
export const nanoseconds = (duration: string | undefined): number => Math.round((parseDuration(duration) ?? 0) * 1e6);

export const instant = (time: string | null | undefined): number => (parseTimestamp(time) ?? 0) * 1e6;

/** A time as text; null where there is none. */
export const time = (value: string | null | undefined): string | null => value ?? null;

export const orNull = <T>(list: readonly T[] | undefined): readonly T[] | null =>
  list === undefined || list.length === 0 ? null : list;

export const mapOrNull = <V>(map: Readonly<Record<string, V>> | undefined): Readonly<Record<string, V>> | null =>
  map === undefined || Object.keys(map).length === 0 ? null : map;

/** The fields of objects in the order of their names, as Nomad's commands print them. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
