import * as big from '../big-float.ts';
import type { HclFunction, Parameter } from '../evaluate.ts';
import { BOOL, DYNAMIC, NUMBER, STRING, type Type, type Value } from '../value.ts';

/** Shorthand for declaring functions: parameter names as messages show them, with their types. */
export const p = {
  string: (name: string): Parameter => ({ name, type: STRING }),
  number: (name: string): Parameter => ({ name, type: NUMBER }),
  bool: (name: string): Parameter => ({ name, type: BOOL }),
  any: (name: string): Parameter => ({ name, type: DYNAMIC }),
  nullable: (name: string): Parameter => ({ name, type: DYNAMIC, nullable: true }),
  list: (name: string, element: Type = DYNAMIC): Parameter => ({ name, type: { kind: 'list', element } }),
  set: (name: string, element: Type = DYNAMIC): Parameter => ({ name, type: { kind: 'set', element } }),
};

export function define(parameters: readonly Parameter[], call: (args: readonly Value[]) => Value, rest?: Parameter): HclFunction {
  return rest === undefined ? { parameters, call } : { parameters, call, rest };
}

/** The argument's text; arguments were converted, so anything else is a mistake in the function's declaration. */
export function text(v: Value | undefined): string {
  if (v?.kind !== 'string') throw new TypeError('a string was declared');
  return v.string;
}

export function decimal(v: Value | undefined): big.BigFloat {
  if (v?.kind !== 'number') throw new TypeError('a number was declared');
  return v.number;
}

export const float = (v: Value | undefined): number => big.toNumber(decimal(v));

/** A whole number small enough to count with. */
export function integer(v: Value | undefined): number {
  const n = decimal(v);
  const value = big.toNumber(n);
  if (!big.isInteger(n) || Math.abs(value) >= 2 ** 63)
    throw new Error('value must be a whole number, between -9223372036854775808 and 9223372036854775807');
  return value;
}

/** The items of a list, set or tuple. */
export function items(v: Value | undefined): readonly Value[] {
  if (v?.kind !== 'list' && v?.kind !== 'set' && v?.kind !== 'tuple') throw new Error('a list, set or tuple is required');
  return v.items;
}
