import { ArgumentError, type HclFunction } from '../evaluate.ts';
import { string } from '../value.ts';
import { parseGoDuration } from '../../go-duration.ts';
import { define, p, text } from './define.ts';

/** `now` is passed in, so that parsing a file twice in a test gives the same. */
export const dates = (now: () => Date): Record<string, HclFunction> => ({
  timestamp: define([], () =>
    string(
      now()
        .toISOString()
        .replace(/\.\d+Z$/, 'Z'),
    ),
  ),
  timeadd: define([p.string('timestamp'), p.string('duration')], ([t, d]) => {
    const time = parseTimestamp(text(t), 0);
    let nanoseconds: bigint;
    try {
      nanoseconds = parseGoDuration(text(d));
    } catch (err) {
      throw new ArgumentError(1, err instanceof Error ? err.message : String(err));
    }
    return string(formatTimestamp(new Date(time.date.getTime() + Number(nanoseconds / 1_000_000n)), time.offset));
  }),
  formatdate: define([p.string('format'), p.string('time')], ([f, t]) => string(formatDate(text(f), parseTimestamp(text(t), 1)))),
});

interface Timestamp {
  readonly date: Date;
  /** Minutes east of UTC. */
  readonly offset: number;
}

function parseTimestamp(s: string, argument: number): Timestamp {
  const match = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/.exec(s);
  const date = match === null ? undefined : new Date(s);
  if (match === null || date === undefined || Number.isNaN(date.getTime())) {
    const hint = /^\d{4}-\d\d-\d\d /.test(s) ? "missing required time introducer 'T'" : 'not a valid RFC3339 timestamp';
    throw new ArgumentError(argument, hint);
  }
  const offset = match[8] === undefined ? 0 : (match[8] === '-' ? -1 : 1) * (Number(match[9]) * 60 + Number(match[10]));
  return { date, offset };
}

const two = (n: number): string => String(n).padStart(2, '0');

function zone(offset: number, colon: boolean): string {
  const sign = offset < 0 ? '-' : '+';
  const minutes = Math.abs(offset);
  return `${sign}${two(Math.floor(minutes / 60))}${colon ? ':' : ''}${two(minutes % 60)}`;
}

function formatTimestamp(date: Date, offset: number): string {
  const local = new Date(date.getTime() + offset * 60_000)
    .toISOString()
    .replace(/(\.\d*?)0*Z$/, '$1')
    .replace(/\.$/, '');
  return local + (offset === 0 ? 'Z' : zone(offset, true));
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

function formatDate(format: string, { date, offset }: Timestamp): string {
  const t = new Date(date.getTime() + offset * 60_000);
  const hour = t.getUTCHours();
  const hour12 = hour % 12 === 0 ? 12 : hour % 12;
  const month = t.getUTCMonth();
  const day = t.getUTCDate();
  const sequences: Record<string, string> = {
    YY: two(t.getUTCFullYear() % 100),
    YYYY: String(t.getUTCFullYear()).padStart(4, '0'),
    M: String(month + 1),
    MM: two(month + 1),
    MMM: MONTHS[month]!.slice(0, 3),
    MMMM: MONTHS[month]!,
    D: String(day),
    DD: two(day),
    EEE: DAYS[t.getUTCDay()]!.slice(0, 3),
    EEEE: DAYS[t.getUTCDay()]!,
    h: String(hour),
    hh: two(hour),
    H: String(hour12),
    HH: two(hour12),
    AA: hour >= 12 ? 'PM' : 'AM',
    aa: hour >= 12 ? 'pm' : 'am',
    m: String(t.getUTCMinutes()),
    mm: two(t.getUTCMinutes()),
    s: String(t.getUTCSeconds()),
    ss: two(t.getUTCSeconds()),
    Z: offset === 0 ? 'Z' : zone(offset, true),
    ZZZ: offset === 0 ? 'UTC' : zone(offset, false),
    ZZZZ: zone(offset, false),
    ZZZZZ: zone(offset, true),
  };
  let out = '';
  for (let i = 0; i < format.length;) {
    const c = format[i]!;
    if (c === "'") {
      let end = i + 1;
      for (;;) {
        end = format.indexOf("'", end);
        if (end === -1) throw new ArgumentError(0, "unterminated literal '");
        if (format[end + 1] !== "'") break;
        end += 2;
      }
      out += format.slice(i + 1, end).replaceAll("''", "'");
      i = end + 1;
      continue;
    }
    if (!/[a-zA-Z]/.test(c)) {
      out += c;
      i++;
      continue;
    }
    let end = i;
    while (format[end] === c) end++;
    const sequence = format.slice(i, end);
    const value = sequences[sequence];
    if (value === undefined) throw new ArgumentError(0, `invalid date format verb ${JSON.stringify(sequence)}: ${verbHint(c)}`);
    out += value;
    i = end;
  }
  return out;
}

function verbHint(c: string): string {
  switch (c) {
    case 'Y':
      return 'year must either be "YY" or "YYYY"';
    case 'M':
      return 'month must be "M", "MM", "MMM", or "MMMM"';
    case 'D':
      return 'day of month must either be "D" or "DD"';
    case 'E':
      return 'day of week must either be "EEE" or "EEEE"';
    case 'h':
      return '24-hour must either be "h" or "hh"';
    case 'H':
      return '12-hour must either be "H" or "HH"';
    case 'A':
    case 'a':
      return `must be "${c}${c}"`;
    case 'm':
      return 'minute must either be "m" or "mm"';
    case 's':
      return 'second must either be "s" or "ss"';
    case 'Z':
      return 'timezone must be Z, ZZZ, ZZZZ, or ZZZZZ';
    default:
      return `unsupported format verb; write '${c}' in quotes to mean the letter`;
  }
}
