import * as big from '../big-float.ts';
import { convert } from '../convert.ts';
import { ArgumentError } from '../evaluate.ts';
import { graphemes } from '../source.ts';
import { STRING, NUMBER, BOOL, list, string, type Type, type Value } from '../value.ts';
import { jsonEncode } from './json.ts';

/** One `%…` of a format. */
interface Verb {
  readonly raw: string;
  readonly offset: number;
  readonly flags: string;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  readonly letter: string;
}

const VERB = /%([-+ #0]*)([1-9]\d*)?(?:\.(\d*))?(?:\[([1-9]\d*)\])?/y;

/** printf with Go's verbs: `%s %d %v %#v %q %f %e %g %b %o %x %X %t`, flags, width, precision and argument indexes. */
export function format(template: string, args: readonly Value[]): string {
  let out = '';
  let next = 0;
  let highest = 0;
  for (let at = 0; at < template.length;) {
    const percent = template.indexOf('%', at);
    if (percent === -1) {
      out += template.slice(at);
      break;
    }
    out += template.slice(at, percent);
    if (template[percent + 1] === '%') {
      out += '%';
      at = percent + 2;
      continue;
    }
    VERB.lastIndex = percent;
    const [, flags = '', width, precision, index] = VERB.exec(template)!;
    const end = VERB.lastIndex;
    const letter = template[end];
    if (letter === undefined) throw new Error(`invalid format string starting at offset ${end}`);
    if (!/[a-zA-Z]/.test(letter)) throw new Error(`unrecognized format character '${letter}' at offset ${end}`);
    const verb: Verb = {
      raw: template.slice(percent, end + 1),
      offset: percent,
      flags,
      width: width === undefined ? undefined : Number(width),
      precision: precision === undefined ? undefined : Number(precision),
      letter,
    };
    if (index !== undefined) next = Number(index) - 1;
    const value = args[next++];
    if (value === undefined) {
      const have = `need index ${next} but have ${args.length} total`;
      throw new Error(`not enough arguments for ${JSON.stringify(verb.raw)} at ${percent}: ${have}`);
    }
    highest = Math.max(highest, next);
    out += one(value, verb);
    at = end + 1;
  }
  if (highest < args.length) {
    const used = highest === 0 ? 'no verbs in format string' : `only ${highest} used by format string`;
    throw new ArgumentError(highest + 1, `too many arguments; ${used}`);
  }
  return out;
}

function one(v: Value, verb: Verb): string {
  const unsupported = (why: string): Error =>
    new Error(`unsupported value for ${JSON.stringify(verb.raw)} at ${verb.offset}: ${why}`);
  const { letter, precision } = verb;
  if (letter !== 'v' && v.kind === 'null') throw unsupported('null value cannot be formatted');
  const as = (type: Type): Value => {
    try {
      return convert(v, type);
    } catch (err) {
      throw unsupported(err instanceof Error ? err.message : String(err));
    }
  };
  const text = (): string => {
    const s = as(STRING);
    if (s.kind !== 'string') throw unsupported('string required');
    return precision === undefined || precision === 0 ? s.string : graphemes(s.string).slice(0, precision).join('');
  };
  const decimal = (): big.BigFloat => {
    const n = as(NUMBER);
    if (n.kind !== 'number') throw unsupported('a number is required');
    return n.number;
  };
  switch (letter) {
    case 'v':
      if (v.kind === 'null' || verb.flags.includes('#')) return padText(jsonEncode(v), verb);
      if (v.kind === 'string') return padText(v.string, verb);
      return padText(v.kind === 'number' ? shortest(v.number) : jsonEncode(v), verb);
    case 's':
      return padText(text(), verb);
    case 'q':
      return padText(jsonEncode(string(text())), verb);
    case 't': {
      const b = as(BOOL);
      return b.kind === 'bool' && b.bool ? 'true' : 'false';
    }
    case 'd':
    case 'b':
    case 'o':
    case 'x':
    case 'X': {
      const n = decimal();
      const i = big.isInteger(n) ? big.toBigInt(n) : undefined;
      if (i === undefined) throw unsupported('an integer is required');
      return padNumber(integerText(i, verb), verb);
    }
    case 'f':
      return padNumber(fixed(decimal(), precision ?? 6), verb);
    case 'e':
    case 'E':
      return padNumber(cased(exponent(big.toNumber(decimal()).toExponential(precision ?? 6)), letter), verb);
    case 'g':
    case 'G': {
      const n = decimal();
      const s = precision === undefined ? shortest(n) : trimZeros(exponent(big.toNumber(n).toPrecision(precision || 1)));
      return padNumber(cased(s, letter), verb);
    }
    default:
      throw new Error(`unsupported format verb '${letter}' in ${JSON.stringify(verb.raw)} at offset ${verb.offset}`);
  }
}

const PREFIX: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' };
const RADIX: Readonly<Record<string, number>> = { d: 10, b: 2, o: 8, x: 16, X: 16 };

function integerText(i: bigint, { letter, flags, precision }: Verb): string {
  const digits = (i < 0n ? -i : i).toString(RADIX[letter]);
  const padded = digits.padStart(precision ?? 0, '0');
  const prefix = flags.includes('#') ? (PREFIX[letter] ?? '') : '';
  return `${i < 0n ? '-' : ''}${prefix}${letter === 'X' ? padded.toUpperCase() : padded}`;
}

/** Texts are padded by their characters, with zeros where those are asked for. */
function padText(text: string, { width, flags }: Verb): string {
  const missing = (width ?? 0) - graphemes(text).length;
  if (missing <= 0) return text;
  const padding = (flags.includes('0') ? '0' : ' ').repeat(missing);
  return flags.includes('-') ? text + padding : padding + text;
}

function padNumber(plain: string, { width, flags }: Verb): string {
  const text = plain.startsWith('-') ? plain : flags.includes('+') ? `+${plain}` : flags.includes(' ') ? ` ${plain}` : plain;
  const missing = (width ?? 0) - text.length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0')) return ' '.repeat(missing) + text;
  const sign = /^[-+ ]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

/** As few digits as tell the number, with an exponent when it is below -4 or from 6 on. */
function shortest(n: big.BigFloat): string {
  const plain = big.formatBigFloat(n);
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(plain) ?? [];
  if (whole === undefined) return plain;
  const all = whole + fraction;
  const first = all.search(/[1-9]/);
  if (first === -1) return plain;
  const power = whole.length - 1 - first;
  if (power >= -4 && power < 6) return plain;
  const digits = all.slice(first).replace(/0+$/, '');
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
  return `${sign}${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const exponent = (s: string): string => s.replace(/e([+-])(\d)$/, 'e$10$2');
const cased = (s: string, letter: string): string => (letter === letter.toUpperCase() ? s.toUpperCase() : s);
const trimZeros = (s: string): string => s.replace(/(\.\d*?)0+(?=e|$)/, '$1').replace(/\.(?=e|$)/, '');

function fixed(n: big.BigFloat, digits: number): string {
  const scale = big.fromBigInt(10n ** BigInt(digits));
  const scaled = big.multiply(n, scale);
  const half: big.BigFloat = { mantissa: 1n, exponent: -1 };
  const negative = big.compare(scaled, big.ZERO) < 0;
  const magnitude = negative ? big.negate(scaled) : scaled;
  const floor = big.round(magnitude, 'floor');
  const rest = big.subtract(magnitude, floor);
  const order = big.compare(rest, half);
  let whole = big.toBigInt(floor) ?? 0n;
  if (order > 0 || (order === 0 && whole % 2n === 1n)) whole += 1n;
  const text = whole.toString().padStart(digits + 1, '0');
  const sign = negative && whole !== 0n ? '-' : '';
  return digits === 0 ? sign + text : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** format over lists: one result per element, scalars repeated. */
export function formatList(template: string, args: readonly Value[]): Value {
  let length: number | undefined;
  let chooser = 0;
  for (const [i, arg] of args.entries()) {
    if (arg.kind !== 'list' && arg.kind !== 'set' && arg.kind !== 'tuple') continue;
    if (length !== undefined && arg.items.length !== length) {
      throw new ArgumentError(
        i + 1,
        `argument ${i + 1} has length ${arg.items.length}, which is inconsistent with argument ${chooser + 1} of length ${length}`,
      );
    }
    if (length === undefined) chooser = i;
    length = arg.items.length;
  }
  const out: Value[] = [];
  for (let i = 0; i < (length ?? 1); i++) {
    const row = args.map((arg) => (arg.kind === 'list' || arg.kind === 'set' || arg.kind === 'tuple' ? arg.items[i]! : arg));
    try {
      out.push(string(format(template, row)));
    } catch (err) {
      if (!(err instanceof Error)) throw err;
      throw new Error(`error on format iteration ${i}: ${err.message}`, { cause: err });
    }
  }
  return list(STRING, out);
}
