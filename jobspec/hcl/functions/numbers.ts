import * as big from '../big-float.ts';
import { ArgumentError, type HclFunction } from '../evaluate.ts';
import { NUMBER, friendlyName, list, number, typeOf, type Value } from '../value.ts';
import { decimal, define, float, integer, items, p, text } from './define.ts';

export const numbers: Record<string, HclFunction> = {
  abs: define([p.number('num')], ([n]) => number(big.compare(decimal(n), big.ZERO) < 0 ? big.negate(decimal(n)) : decimal(n))),
  ceil: define([p.number('num')], ([n]) => number(big.round(decimal(n), 'ceil'))),
  floor: define([p.number('num')], ([n]) => number(big.round(decimal(n), 'floor'))),
  log: define([p.number('num'), p.number('base')], ([n, base]) => number(finite(Math.log(float(n)) / Math.log(float(base))))),
  pow: define([p.number('num'), p.number('power')], ([n, power]) => number(finite(float(n) ** float(power)))),
  signum: define([p.number('num')], ([n]) => number(Math.sign(integer(n)))),
  max: define([], (args) => number(extreme(args, 1)), p.number('numbers')),
  min: define([], (args) => number(extreme(args, -1)), p.number('numbers')),
  sum: define([p.list('list', NUMBER)], ([l]) => {
    if (items(l).length === 0) throw new ArgumentError(0, 'cannot sum an empty list');
    return number(items(l).reduce((sum, item) => big.add(sum, decimal(item)), big.ZERO));
  }),
  parseint: define([p.any('number'), p.number('base')], ([n, base]) => {
    if (n!.kind !== 'string') throw new ArgumentError(0, `first argument must be a string, not ${friendlyName(typeOf(n!))}`);
    const radix = integer(base);
    if (radix < 2 || radix > 62) throw new ArgumentError(1, 'base must be a whole number between 2 and 62 inclusive');
    const parsed = parseInteger(text(n), radix);
    if (parsed === undefined) throw new ArgumentError(0, `cannot parse ${JSON.stringify(text(n))} as a base ${radix} integer`);
    return number(big.fromBigInt(parsed));
  }),
  range: define([], range, p.number('params')),
};

function finite(n: number): number {
  if (Number.isNaN(n)) throw new Error('the result is not a number');
  return n;
}

function extreme(args: readonly Value[], sign: 1 | -1): big.BigFloat {
  if (args.length === 0) throw new Error('must pass at least one number');
  return args.map(decimal).reduce((a, b) => (big.compare(b, a) === sign ? b : a));
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

function parseInteger(s: string, base: number): bigint | undefined {
  const match = /^([+-]?)([0-9a-zA-Z]+)$/.exec(s);
  if (match === null) return undefined;
  let value = 0n;
  for (const c of match[2]!) {
    const digit = DIGITS.indexOf(base <= 36 ? c.toLowerCase() : c);
    if (digit < 0 || digit >= base) return undefined;
    value = value * BigInt(base) + BigInt(digit);
  }
  return match[1] === '-' ? -value : value;
}

function range(args: readonly Value[]): Value {
  if (args.length < 1 || args.length > 3) throw new Error('must have one, two, or three arguments');
  const [first, second, third] = args.map(decimal);
  const start = second === undefined ? big.ZERO : first!;
  const end = second ?? first!;
  const towards = big.compare(end, start);
  const step = third ?? big.fromNumber(towards < 0 ? -1 : 1);
  const direction = big.compare(step, big.ZERO);
  if (direction === 0) throw new ArgumentError(2, 'step must not be zero');
  if (direction < 0 && towards > 0) throw new ArgumentError(1, 'end must be less than start when step is negative');
  if (direction > 0 && towards < 0) throw new ArgumentError(1, 'end must be greater than start when step is positive');
  const out: Value[] = [];
  for (let n = start; big.compare(n, end) === -direction; n = big.add(n, step)) {
    if (out.length >= 1024)
      throw new Error(
        'more than 1024 values were generated; either decrease the difference between start and end or use a smaller step',
      );
    out.push(number(n));
  }
  return list(NUMBER, out);
}
