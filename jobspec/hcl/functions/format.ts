import * as big from '../big-float.ts';
import { convert } from '../convert.ts';
import { STRING, NUMBER, BOOL, list, string, type Value } from '../value.ts';
import { jsonEncode } from './json.ts';

/** printf with Go's verbs: `%s %d %v %#v %q %f %e %g %b %o %x %X %t`, flags, width, precision and argument indexes. */
export function format(template: string, args: readonly Value[]): string {
  let next = 0;
  let highest = 0;
  const out = template.replace(
    /%(?:%|([-+ #0]*)(?:(\d+)|(\*))?(?:\.(\d+|\*)?)?(?:\[(\d+)\])?([\s\S]?))/g,
    (whole, flags = '', width?: string, _star?: string, precision?: string, index?: string, verb = '') => {
      if (whole === '%%') return '%';
      if (verb === '') throw new Error('unterminated format sequence');
      if (index !== undefined) next = Number(index) - 1;
      if (next >= args.length) {
        throw new Error(
          `not enough arguments for ${JSON.stringify(whole)} at ${template.indexOf(whole)}: need index ${next + 1} but have ${args.length} total`,
        );
      }
      const value = args[next++]!;
      highest = Math.max(highest, next);
      const hasPrecision = /\.\d*/.test(whole);
      return pad(
        one(value, verb, flags, hasPrecision ? Number(precision ?? 0) : undefined, whole),
        flags,
        Number(width ?? 0),
        verb,
      );
    },
  );
  if (highest < args.length && args.length > 0) {
    throw new Error(`too many arguments; only ${highest} used by format string`);
  }
  return out;
}

function pad(text: string, flags: string, width: number, verb: string): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (flags.includes('0') && 'dfeEgGbox'.includes(verb)) {
    const sign = /^[+-]/.test(text) ? text[0]! : '';
    return sign + '0'.repeat(missing) + text.slice(sign.length);
  }
  return ' '.repeat(missing) + text;
}

function one(v: Value, verb: string, flags: string, precision: number | undefined, whole: string): string {
  if (v.kind === 'unknown') throw new Error('value must be known');
  const signed = (s: string): string =>
    s.startsWith('-') ? s : flags.includes('+') ? `+${s}` : flags.includes(' ') ? ` ${s}` : s;
  const need = (): big.BigFloat => {
    if (v.kind === 'null') throw new Error(`unsupported value for ${JSON.stringify(whole)}: null value cannot be formatted`);
    const n = convert(v, NUMBER);
    if (n.kind !== 'number') throw new Error('number required');
    return n.number;
  };
  const whole_ = (): bigint => {
    const n = need();
    const i = big.toBigInt(n) ?? big.toBigInt(big.round(n, 'trunc'));
    if (i === undefined) throw new Error('an integer is required');
    return i;
  };
  const text = (): string => {
    if (v.kind === 'null') throw new Error(`unsupported value for ${JSON.stringify(whole)}: null value cannot be formatted`);
    const s = convert(v, STRING);
    if (s.kind !== 'string') throw new Error('string required');
    return precision === undefined ? s.string : [...s.string].slice(0, precision).join('');
  };
  switch (verb) {
    case 'v':
      if (flags.includes('#')) return jsonEncode(v);
      if (v.kind === 'null') return 'null';
      if (v.kind === 'string' || v.kind === 'number' || v.kind === 'bool') return v.kind === 'number' ? signed(text()) : text();
      return jsonEncode(v);
    case 's':
      return text();
    case 'q':
      return JSON.stringify(text());
    case 't': {
      if (v.kind === 'null') throw new Error(`unsupported value for ${JSON.stringify(whole)}: null value cannot be formatted`);
      const b = convert(v, BOOL);
      return b.kind === 'bool' && b.bool ? 'true' : 'false';
    }
    case 'd':
      return signed(whole_().toString());
    case 'b':
      return signed(whole_().toString(2));
    case 'o':
      return signed(whole_().toString(8));
    case 'x':
    case 'X': {
      const hex = v.kind === 'string' ? Buffer.from(v.string).toString('hex') : whole_().toString(16);
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'f':
    case 'F':
      return signed(fixed(need(), precision ?? 6));
    case 'e':
    case 'E': {
      const s = big
        .toNumber(need())
        .toExponential(precision ?? 6)
        .replace(/e([+-])(\d)$/, 'e$10$2');
      return signed(verb === 'E' ? s.toUpperCase() : s);
    }
    case 'g':
    case 'G': {
      const n = big.toNumber(need());
      const s =
        precision === undefined ? shortest(n) : trimZeros(n.toPrecision(precision || 1)).replace(/e([+-])(\d)$/, 'e$10$2');
      return signed(verb === 'G' ? s.toUpperCase() : s);
    }
    default:
      throw new Error(
        `unsupported format verb ${JSON.stringify(verb).replaceAll('"', "'")} in ${JSON.stringify(whole)} at offset 0`,
      );
  }
}

function shortest(n: number): string {
  const exponent = n === 0 ? 0 : Math.floor(Math.log10(Math.abs(n)));
  if (exponent < -4 || exponent >= 21) return n.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return String(n);
}

const trimZeros = (s: string): string => (s.includes('.') && !s.includes('e') ? s.replace(/\.?0+$/, '') : s);

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
  for (const [i, arg] of args.entries()) {
    if (arg.kind !== 'list' && arg.kind !== 'set' && arg.kind !== 'tuple') continue;
    if (length !== undefined && arg.items.length !== length) {
      throw new Error(
        `argument ${i + 1} has length ${arg.items.length}, which is inconsistent with argument 1 of length ${length}`,
      );
    }
    length = arg.items.length;
  }
  const out: Value[] = [];
  for (let i = 0; i < (length ?? 1); i++) {
    const row = args.map((arg) => (arg.kind === 'list' || arg.kind === 'set' || arg.kind === 'tuple' ? arg.items[i]! : arg));
    out.push(string(format(template, row)));
  }
  return list(STRING, out);
}
