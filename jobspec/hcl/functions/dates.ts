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
    const time = readTimestamp(text(t), (stuck) => new Error(goParseError(text(t), stuck)));
    const nanoseconds = parseGoDuration(text(d));
    return string(formatTimestamp(new Date(time.date.getTime() + Number(nanoseconds / 1_000_000n)), time.offset));
  }),
  formatdate: define([p.string('format'), p.string('time')], ([f, t]) =>
    string(
      formatDate(
        text(f),
        readTimestamp(text(t), (stuck) => new ArgumentError(1, timestampError(stuck))),
      ),
    ),
  ),
});

interface Timestamp {
  readonly date: Date;
  /** Minutes east of UTC. */
  readonly offset: number;
}

/** Where reading a timestamp got stuck: at which element of the layout, with which rest of the text. */
interface Stuck {
  readonly element: string;
  readonly rest: string;
  /** The element is there, but its value is none. */
  readonly outOfRange?: string;
  readonly extra?: true;
}

const LAYOUT = ['2006', '-', '01', '-', '02', 'T', '15', ':', '04', ':', '05', 'Z07:00'] as const;
const NAMES: Readonly<Record<string, string>> = {
  2006: 'year', '01': 'month', '02': 'day of month', 15: 'hour', '04': 'minute', '05': 'second', 'Z07:00': 'UTC offset',
}; // prettier-ignore
const RANGES: Readonly<Record<string, readonly [name: string, least: number, most: number]>> = {
  '01': ['month', 1, 12], '02': ['day', 1, 31], 15: ['hour', 0, 23], '04': ['minute', 0, 59], '05': ['second', 0, 59],
}; // prettier-ignore

/** Reads an RFC 3339 timestamp element by element, as Go does, so that what is wrong can be told in the same words. */
function readTimestamp(s: string, fail: (stuck: Stuck) => Error): Timestamp {
  let rest = s;
  for (const element of LAYOUT) {
    const pattern =
      element === '2006'
        ? /^\d{4}/
        : element === 'Z07:00'
          ? /^(?:Z|[+-]\d\d:\d\d)/
          : element === '15'
            ? /^\d\d?/
            : /^\d/.test(element)
              ? /^\d\d/
              : undefined;
    const found = pattern === undefined ? (rest.startsWith(element) ? element : undefined) : pattern.exec(rest)?.[0];
    if (found === undefined) throw fail({ element, rest });
    const range = RANGES[element];
    if (range !== undefined && (Number(found) < range[1] || Number(found) > range[2]))
      throw fail({ element, rest, outOfRange: range[0] });
    rest = rest.slice(found.length);
    // A fraction of seconds may stand behind them though the layout has none.
    if (element === '05') rest = rest.replace(/^[.,]\d+/, '');
  }
  if (rest !== '') throw fail({ element: '', rest, extra: true });
  const date = new Date(s.replace(',', '.').replace(/T(\d):/, 'T0$1:'));
  const day = Number(s.slice(8, 10));
  if (Number.isNaN(date.getTime()) || new Date(`${s.slice(0, 10)}T00:00:00Z`).getUTCDate() !== day)
    throw fail({ element: '02', rest: '', outOfRange: 'day' });
  const zone = /([+-])(\d\d):(\d\d)$/.exec(s);
  const offset = zone === null ? 0 : (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3]));
  return { date, offset };
}

function timestampError({ element, rest, outOfRange, extra }: Stuck): string {
  const start = 'not a valid RFC3339 timestamp';
  if (outOfRange !== undefined) return `${start}: ${outOfRange} out of range`;
  if (extra === true) return `${start}: extra text: ${JSON.stringify(rest)}`;
  if (element === 'T') return `${start}: missing required time introducer 'T'`;
  const name = NAMES[element];
  if (name === undefined) {
    return rest === ''
      ? `${start}: end of string where ${JSON.stringify(element)} is expected`
      : `${start}: found ${JSON.stringify(rest)} where ${JSON.stringify(element)} is expected`;
  }
  return rest === '' ? `${start}: end of string before ${name}` : `${start}: cannot use ${JSON.stringify(rest)} as ${name}`;
}

function goParseError(s: string, { element, rest, outOfRange, extra }: Stuck): string {
  const text = JSON.stringify(s);
  if (outOfRange !== undefined) return `parsing time ${text}: ${outOfRange} out of range`;
  if (extra === true) return `parsing time ${text}: extra text: ${JSON.stringify(rest)}`;
  return `parsing time ${text} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element)}`;
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
    if (value === undefined) throw new ArgumentError(0, `invalid date format verb ${JSON.stringify(sequence)}${verbHint(c)}`);
    out += value;
    i = end;
  }
  return out;
}

function verbHint(c: string): string {
  switch (c) {
    case 'Y':
      return ': year must either be "YY" or "YYYY"';
    case 'M':
      return ': month must be "M", "MM", "MMM", or "MMMM"';
    case 'D':
      return ': day of month must either be "D" or "DD"';
    case 'E':
      return ': day of week must either be "EEE" or "EEEE"';
    case 'h':
      return ': 24-hour must either be "h" or "hh"';
    case 'H':
      return ': 12-hour must either be "H" or "HH"';
    case 'A':
    case 'a':
      return `: must be "${c}${c}"`;
    case 'm':
      return ': minute must either be "m" or "mm"';
    case 's':
      return ': second must either be "s" or "ss"';
    case 'Z':
      return ': timezone must be Z, ZZZZ, or ZZZZZ';
    default:
      return '';
  }
}
