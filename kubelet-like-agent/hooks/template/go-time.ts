const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']; // prettier-ignore
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const two = (n: number): string => String(n).padStart(2, '0');

/** The parts of Go's reference time (Mon Jan 2 15:04:05 MST 2006), longest first; times are told in UTC. */
const PARTS: readonly [string, (at: Date) => string][] = [
  ['January', (at) => MONTHS[at.getUTCMonth()]!],
  ['Monday', (at) => DAYS[at.getUTCDay()]!],
  ['Z07:00', () => 'Z'],
  ['-07:00', () => '+00:00'],
  ['-0700', () => '+0000'],
  ['2006', (at) => String(at.getUTCFullYear())],
  ['.000', (at) => `.${String(at.getUTCMilliseconds()).padStart(3, '0')}`],
  ['Jan', (at) => MONTHS[at.getUTCMonth()]!.slice(0, 3)],
  ['Mon', (at) => DAYS[at.getUTCDay()]!.slice(0, 3)],
  ['MST', () => 'UTC'],
  ['01', (at) => two(at.getUTCMonth() + 1)],
  ['02', (at) => two(at.getUTCDate())],
  ['03', (at) => two(at.getUTCHours() % 12 || 12)],
  ['04', (at) => two(at.getUTCMinutes())],
  ['05', (at) => two(at.getUTCSeconds())],
  ['06', (at) => two(at.getUTCFullYear() % 100)],
  ['15', (at) => two(at.getUTCHours())],
  ['PM', (at) => (at.getUTCHours() < 12 ? 'AM' : 'PM')],
  ['pm', (at) => (at.getUTCHours() < 12 ? 'am' : 'pm')],
  ['_2', (at) => String(at.getUTCDate()).padStart(2)],
  ['1', (at) => String(at.getUTCMonth() + 1)],
  ['2', (at) => String(at.getUTCDate())],
  ['3', (at) => String(at.getUTCHours() % 12 || 12)],
  ['4', (at) => String(at.getUTCMinutes())],
  ['5', (at) => String(at.getUTCSeconds())],
];

/** A time in the form of a layout as Go writes them. */
export function formatGoTime(at: Date, layout: string): string {
  if (Number.isNaN(at.getTime())) throw new Error('not a time');
  let text = '';
  for (let i = 0; i < layout.length;) {
    const part = PARTS.find(([name]) => layout.startsWith(name, i));
    text += part === undefined ? layout[i] : part[1](at);
    i += part?.[0].length ?? 1;
  }
  return text;
}
