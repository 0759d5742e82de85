/**
 * Binary floating point with 512 bits, as configuration arithmetic is done: 0.1 + 0.2 is 0.3, integers are exact far beyond
 * what a job can ask for, and 1/3 prints 154 digits.
 *
 * A finite value is `mantissa × 2^exponent` with an odd mantissa (or zero).
 */
export interface BigFloat {
  readonly mantissa: bigint;
  readonly exponent: number;
  /** +1 or -1 for an infinity, which only functions such as log give. */
  readonly infinite?: 1 | -1;
}

const PRECISION = 512;
export const ZERO: BigFloat = { mantissa: 0n, exponent: 0 };

const bitLength = (n: bigint): number => (n < 0n ? -n : n).toString(2).length;

function normal(mantissa: bigint, exponent: number, sticky = false): BigFloat {
  if (mantissa === 0n) return ZERO;
  let m = mantissa < 0n ? -mantissa : mantissa;
  let e = exponent;
  const excess = bitLength(m) - PRECISION;
  if (excess > 0) {
    const shift = BigInt(excess);
    const rest = m & ((1n << shift) - 1n);
    const half = 1n << (shift - 1n);
    m >>= shift;
    e += excess;
    if (rest > half || (rest === half && (sticky || (m & 1n) === 1n))) m += 1n;
  }
  // Trailing zeros carry no information; without them equal values look equal.
  while ((m & 0xffffffffn) === 0n) {
    m >>= 32n;
    e += 32;
  }
  while ((m & 1n) === 0n) {
    m >>= 1n;
    e += 1;
  }
  return { mantissa: mantissa < 0n ? -m : m, exponent: e };
}

/** The value that a double is written as: 0.1 is a tenth, not the double next to it. */
export function fromNumber(n: number): BigFloat {
  if (n === Infinity || n === -Infinity) return { mantissa: 0n, exponent: 0, infinite: n > 0 ? 1 : -1 };
  if (Number.isInteger(n)) return normal(BigInt(n), 0);
  return parseBigFloat(String(n)) ?? ZERO;
}

export const fromBigInt = (n: bigint): BigFloat => normal(n, 0);

/** Reads a decimal number; undefined when it is not one. */
export function parseBigFloat(text: string): BigFloat | undefined {
  const match = /^([+-]?)([0-9]+)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction = '', power = '0'] = match;
  const scale = Number(power) - fraction.length;
  if (Math.abs(scale) > 5000) return undefined;
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n);
  return scale >= 0 ? normal(digits * 10n ** BigInt(scale), 0) : quotient(digits, 10n ** BigInt(-scale), 0);
}

function quotient(a: bigint, b: bigint, exponent: number): BigFloat {
  if (a === 0n) return ZERO;
  const shift = Math.max(0, PRECISION + 2 + bitLength(b) - bitLength(a));
  const scaled = a << BigInt(shift);
  const q = scaled / b;
  const exact = q * b === scaled;
  // One more bit says whether something was cut off, so that rounding is right.
  return normal(exact ? q : q * 2n + (a < 0n !== b < 0n ? -1n : 1n), exact ? exponent - shift : exponent - shift - 1, !exact);
}

export function toNumber(f: BigFloat): number {
  if (f.infinite !== undefined) return f.infinite * Infinity;
  const bits = bitLength(f.mantissa);
  if (f.exponent >= 0 && f.exponent + bits <= 1100) return Number(f.mantissa << BigInt(f.exponent));
  if (bits <= 53) return Number(f.mantissa) * 2 ** f.exponent;
  return Number(formatBigFloat(f));
}

/** The value as an integer, when it is one. */
export function toBigInt(f: BigFloat): bigint | undefined {
  return f.infinite === undefined && f.exponent >= 0 ? f.mantissa << BigInt(f.exponent) : undefined;
}

export const isInteger = (f: BigFloat): boolean => f.infinite === undefined && f.exponent >= 0;

function align(a: BigFloat, b: BigFloat): [bigint, bigint, number] {
  const e = Math.min(a.exponent, b.exponent);
  return [a.mantissa << BigInt(a.exponent - e), b.mantissa << BigInt(b.exponent - e), e];
}

export function add(a: BigFloat, b: BigFloat): BigFloat {
  if (a.infinite !== undefined || b.infinite !== undefined) return fromNumber(toNumber(a) + toNumber(b));
  const [x, y, e] = align(a, b);
  return normal(x + y, e);
}

export const negate = (a: BigFloat): BigFloat =>
  a.infinite !== undefined ? { ...a, infinite: a.infinite === 1 ? -1 : 1 } : { mantissa: -a.mantissa, exponent: a.exponent };

export const subtract = (a: BigFloat, b: BigFloat): BigFloat => add(a, negate(b));

export function multiply(a: BigFloat, b: BigFloat): BigFloat {
  if (a.infinite !== undefined || b.infinite !== undefined) return fromNumber(toNumber(a) * toNumber(b));
  return normal(a.mantissa * b.mantissa, a.exponent + b.exponent);
}

/** b must not be zero. */
export function divide(a: BigFloat, b: BigFloat): BigFloat {
  if (a.infinite !== undefined || b.infinite !== undefined) return fromNumber(toNumber(a) / toNumber(b));
  return quotient(a.mantissa, b.mantissa, a.exponent - b.exponent);
}

/** The remainder has the sign of a; b must not be zero. */
export function remainder(a: BigFloat, b: BigFloat): BigFloat {
  if (a.infinite !== undefined || b.infinite !== undefined) return a;
  const [x, y, e] = align(a, b);
  return normal(x % y, e);
}

export function compare(a: BigFloat, b: BigFloat): number {
  if (a.infinite !== undefined || b.infinite !== undefined) return Math.sign((a.infinite ?? 0) - (b.infinite ?? 0));
  const [x, y] = align(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Rounds towards negative infinity (floor), positive infinity (ceil) or zero (trunc). */
export function round(f: BigFloat, mode: 'floor' | 'ceil' | 'trunc'): BigFloat {
  if (isInteger(f) || f.infinite !== undefined) return f;
  const shift = BigInt(-f.exponent);
  const floor = f.mantissa >> shift;
  if (mode === 'floor' || (mode === 'trunc' && f.mantissa > 0n)) return normal(floor, 0);
  return normal(floor + 1n, 0);
}

/** The shortest decimal that reads back as the same value, never in exponent form. */
export function formatBigFloat(f: BigFloat): string {
  if (f.infinite !== undefined) return f.infinite === 1 ? '+Inf' : '-Inf';
  if (f.exponent >= 0) return (f.mantissa << BigInt(f.exponent)).toString();
  const sign = f.mantissa < 0n ? '-' : '';
  const m = f.mantissa < 0n ? -f.mantissa : f.mantissa;
  const one = 1n << BigInt(-f.exponent);
  // Short decimals first (0.1, 2.5): try few digits, then as many as the precision can tell apart.
  const wholeDigits = (m / one).toString().length;
  let low = 1;
  let high = 156 + Math.max(0, Math.ceil((-f.exponent - bitLength(m)) * 0.302));
  const rounded = (digits: number): bigint => {
    const scale = 10n ** BigInt(digits);
    return (m * scale * 2n + one) / (one * 2n);
  };
  const same = (digits: number): boolean => {
    const back = quotient(rounded(digits), 10n ** BigInt(digits), 0);
    return back.mantissa === m && back.exponent === f.exponent;
  };
  high = Math.max(1, high - (wholeDigits > 1 ? wholeDigits : 0));
  while (low < high) {
    const middle = (low + high) >> 1;
    if (same(middle)) high = middle;
    else low = middle + 1;
  }
  const digits = rounded(low)
    .toString()
    .padStart(low + 1, '0');
  return `${sign}${digits.slice(0, -low)}.${digits.slice(-low)}`;
}
