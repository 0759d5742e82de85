import { nearest } from '../../base/index.ts';
import { startRange, type Expression, type Step } from './ast.ts';
import * as big from './big-float.ts';
import { ConversionError, commonType, convert } from './convert.ts';
import { Diagnostics } from './diagnostic.ts';
import type { Range } from './source.ts';
import {
  BOOL, DYNAMIC, NUMBER, STRING, UNKNOWN, bool, equal, friendlyName, list, number, object, string, tuple, typeOf, type Type, type Value,
} from './value.ts'; // prettier-ignore

/** What an expression can refer to. */
export interface Scope {
  readonly variables: ReadonlyMap<string, Value>;
  readonly functions: ReadonlyMap<string, HclFunction>;
  /**
   * What a reference to an unknown variable means: in job files the text itself, for the node to interpolate (`${attr.cpu.arch}`). Absent: an error.
   */
  readonly unknownReference?: ((text: string, range: Range) => Value) | undefined;
}

export interface Parameter {
  readonly name: string;
  /** What the argument is converted to; `dynamic` takes anything. */
  readonly type: Type;
  readonly nullable?: boolean;
}

/** A function of the language. It throws an Error (ArgumentError to blame one argument) when it cannot answer. */
export interface HclFunction {
  readonly parameters: readonly Parameter[];
  readonly rest?: Parameter;
  readonly call: (args: readonly Value[]) => Value;
  /** For `try` and `can`: gets the expressions instead of their values. */
  readonly lazy?: (args: readonly Expression[], evaluate: (e: Expression) => { value: Value; diagnostics: Diagnostics }) => Value;
  /** Whether the function accepts unknown arguments; otherwise one makes the result unknown. */
  readonly takesUnknown?: boolean;
}

export class ArgumentError extends Error {
  readonly index: number;
  constructor(index: number, message: string) {
    super(message);
    this.index = index;
  }
}

/** A scope with further variables in front of another. */
export function withVariables(scope: Scope, variables: ReadonlyMap<string, Value>): Scope {
  return { ...scope, variables: new Map([...scope.variables, ...variables]) };
}

/** Works an expression out. Problems go to `diagnostics`; the value is then unknown. */
export function evaluate(e: Expression, scope: Scope, diagnostics: Diagnostics): Value {
  return new Evaluator(scope, diagnostics).value(e);
}

/** How many values one expression may make, so that a short text cannot fill the memory. */
const MAX_STRING = 16 * 1024 * 1024;

class Evaluator {
  readonly #scope: Scope;
  readonly #diagnostics: Diagnostics;
  readonly #element: Value | undefined;

  constructor(scope: Scope, diagnostics: Diagnostics, element?: Value) {
    this.#scope = scope;
    this.#diagnostics = diagnostics;
    this.#element = element;
  }

  value(e: Expression): Value {
    switch (e.kind) {
      case 'literal':
        return e.value;
      case 'template':
        return this.#template(e.parts);
      case 'wrap':
      case 'parentheses':
        return this.value(e.inner);
      case 'template-join': {
        const items = this.value(e.items);
        if (items.kind === 'unknown' || items.kind === 'null') return UNKNOWN;
        if (items.kind !== 'tuple') return UNKNOWN;
        let out = '';
        for (const item of items.items) {
          if (item.kind === 'unknown') return UNKNOWN;
          const text = this.#asText(item, e.range);
          if (text === undefined) return UNKNOWN;
          out += text;
        }
        return string(out);
      }
      case 'variable':
        return this.#variable(e);
      case 'traverse':
        return this.#steps(this.value(e.from), e.steps);
      case 'index':
        return this.#index(this.value(e.collection), this.value(e.key), { ...e.range, start: e.openRange.start });
      case 'splat':
        return this.#splat(e);
      case 'element':
        return this.#element ?? UNKNOWN;
      case 'call':
        return this.#call(e);
      case 'conditional':
        return this.#conditional(e);
      case 'binary':
        return this.#binary(e);
      case 'unary':
        return this.#unary(e);
      case 'tuple':
        return tuple(e.items.map((item) => this.value(item)));
      case 'object':
        return this.#object(e);
      case 'for':
        return this.#for(e);
    }
  }

  #fail(summary: string, detail: string, range: Range, note?: string): Value {
    this.#diagnostics.error(summary, detail, range, { note });
    return UNKNOWN;
  }

  #template(parts: readonly Expression[]): Value {
    let out = '';
    let known = true;
    for (const part of parts) {
      const v = this.value(part);
      if (v.kind === 'unknown') {
        known = false;
        continue;
      }
      const text = this.#asText(v, part.range);
      if (text === undefined) known = false;
      else out += text;
      if (out.length > MAX_STRING)
        return this.#fail('String too long', 'The result of this template is longer than 16 MB.', part.range);
    }
    return known ? string(out) : { kind: 'unknown', type: STRING };
  }

  #asText(v: Value, range: Range): string | undefined {
    if (v.kind === 'string') return v.string;
    if (v.kind === 'null') {
      this.#fail(
        'Invalid template interpolation value',
        'The expression result is null. Cannot include a null value in a string template.',
        range,
      );
      return undefined;
    }
    try {
      const s = convert(v, STRING);
      return s.kind === 'string' ? s.string : undefined;
    } catch (err) {
      this.#fail(
        'Invalid template interpolation value',
        `Cannot include the given value in a string template: ${message(err)}.`,
        range,
      );
      return undefined;
    }
  }

  #variable(e: Extract<Expression, { kind: 'variable' }>): Value {
    const v = this.#scope.variables.get(e.name);
    if (v === undefined) {
      if (this.#scope.unknownReference !== undefined) {
        return this.#scope.unknownReference(e.range.source.text.slice(e.range.start, e.range.end), e.range);
      }
      const near = nearest(e.name, this.#scope.variables.keys());
      const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
      return this.#fail('Unknown variable', `There is no variable named ${JSON.stringify(e.name)}.${hint}`, e.nameRange);
    }
    return this.#steps(v, e.steps);
  }

  #steps(from: Value, steps: readonly Step[]): Value {
    let v = from;
    for (const step of steps) {
      v = step.kind === 'attribute' ? this.#attribute(v, step.name, step.range) : this.#index(v, step.key, step.range);
      if (v.kind === 'unknown') return v;
    }
    return v;
  }

  #attribute(v: Value, name: string, range: Range): Value {
    switch (v.kind) {
      case 'unknown':
        return UNKNOWN;
      case 'null':
        return this.#fail(
          'Attempt to get attribute from null value',
          'This value is null, so it does not have any attributes.',
          range,
        );
      case 'object': {
        const entry = v.entries.get(name);
        if (entry !== undefined) return entry;
        const near = name.length < 3 ? undefined : nearest(name, v.entries.keys());
        return this.#fail(
          'Unsupported attribute',
          `This object does not have an attribute named ${JSON.stringify(name)}.`,
          range,
          near === undefined ? undefined : `Did you mean ${JSON.stringify(near)}?`,
        );
      }
      case 'map': {
        const entry = v.entries.get(name);
        if (entry !== undefined) return entry;
        return this.#fail(
          'Missing map element',
          `This map does not have an element with the key ${JSON.stringify(name)}.`,
          range,
        );
      }
      case 'list':
      case 'set':
      case 'tuple':
        if (v.kind !== 'tuple' && v.element.kind === 'object') {
          return this.#fail(
            'Unsupported attribute',
            `Can't access attributes on a ${v.kind} of objects. Did you mean to access an attribute for a specific element of the ${v.kind}, or across all elements of the ${v.kind}?`,
            range,
          );
        }
        return this.#fail('Unsupported attribute', 'This value does not have any attributes.', range);
      case 'string':
      case 'number':
      case 'bool':
        return this.#fail('Unsupported attribute', 'This value does not have any attributes.', range);
    }
  }

  #index(v: Value, key: Value, range: Range): Value {
    if (v.kind === 'unknown' || key.kind === 'unknown') return UNKNOWN;
    if (v.kind === 'null') {
      return this.#fail('Attempt to index null value', 'This value is null, so it does not have any indices.', range);
    }
    if (key.kind === 'null') return this.#fail('Invalid index', "Can't use a null value as an indexing key.", range);
    const want = v.kind === 'list' || v.kind === 'tuple' ? NUMBER : STRING;
    const invalid = 'The given key does not identify an element in this collection value.';
    switch (v.kind) {
      case 'list':
      case 'tuple':
      case 'map':
      case 'object': {
        let converted: Value;
        try {
          converted = convert(key, want);
        } catch (err) {
          return this.#fail(
            'Invalid index',
            `The given key does not identify an element in this collection value: ${message(err)}.`,
            range,
          );
        }
        if (converted.kind === 'number' && (v.kind === 'list' || v.kind === 'tuple')) {
          const at = big.isInteger(converted.number) ? big.toNumber(converted.number) : -1;
          const item = v.items[at];
          if (item !== undefined) return item;
          return this.#fail('Invalid index', invalid, range);
        }
        if (converted.kind === 'string' && (v.kind === 'map' || v.kind === 'object')) {
          const entry = v.entries.get(converted.string);
          if (entry !== undefined) return entry;
        }
        return this.#fail('Invalid index', invalid, range);
      }
      case 'set':
        return this.#fail(
          'Invalid index',
          "Elements of a set are identified only by their value and do not have any separate index or key to select with, so it's only possible to perform operations across all elements of the set.",
          range,
        );
      case 'string':
      case 'number':
      case 'bool':
        return this.#fail('Invalid index', 'This value does not have any indices.', range);
    }
  }

  #splat(e: Extract<Expression, { kind: 'splat' }>): Value {
    const from = this.value(e.from);
    if (from.kind === 'unknown') return UNKNOWN;
    if (from.kind === 'null') return tuple([]);
    const items = from.kind === 'list' || from.kind === 'set' || from.kind === 'tuple' ? from.items : [from];
    const out = items.map((item) => new Evaluator(this.#scope, this.#diagnostics, item).value(e.each));
    if (from.kind === 'list' || from.kind === 'set') {
      const element = commonType(out.map(typeOf));
      if (element !== undefined && out.length > 0) return list(element, out);
    }
    return tuple(out);
  }

  #call(e: Extract<Expression, { kind: 'call' }>): Value {
    const f = this.#scope.functions.get(e.name);
    if (f === undefined) {
      const near = nearest(e.name, this.#scope.functions.keys());
      const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
      return this.#fail('Call to unknown function', `There is no function named ${JSON.stringify(e.name)}.${hint}`, e.nameRange);
    }
    const quoted = JSON.stringify(e.name);
    if (f.lazy !== undefined) {
      try {
        return f.lazy(e.args, (arg) => {
          const diagnostics = new Diagnostics();
          return { value: new Evaluator(this.#scope, diagnostics, this.#element).value(arg), diagnostics };
        });
      } catch (err) {
        return this.#fail('Error in function call', `Call to function ${quoted} failed: ${message(err)}.`, startRange(e));
      }
    }
    const args: { value: Value; range: Range }[] = [];
    for (const [i, arg] of e.args.entries()) {
      const value = this.value(arg);
      if (!e.expandLast || i < e.args.length - 1) {
        args.push({ value, range: startRange(arg) });
        continue;
      }
      if (value.kind === 'unknown') return UNKNOWN;
      if (value.kind !== 'list' && value.kind !== 'set' && value.kind !== 'tuple') {
        return this.#fail(
          'Invalid expanding argument value',
          'The expanding argument (indicated by ...) must be of a tuple, list, or set type.',
          startRange(arg),
        );
      }
      for (const item of value.items) args.push({ value: item, range: startRange(arg) });
    }
    const least = f.parameters.length;
    if (args.length < least) {
      const missing = f.parameters[args.length]!;
      const count = f.rest === undefined ? `${least}` : `at least ${least}`;
      return this.#fail(
        'Not enough function arguments',
        `Function ${quoted} expects ${count} argument(s). Missing value for ${JSON.stringify(missing.name)}.`,
        e.closeRange,
      );
    }
    if (f.rest === undefined && args.length > least) {
      return this.#fail(
        'Too many function arguments',
        `Function ${quoted} expects only ${least} argument(s).`,
        args[least]!.range,
      );
    }
    const converted: Value[] = [];
    let known = true;
    for (const [i, { value, range }] of args.entries()) {
      const parameter = f.parameters[i] ?? f.rest!;
      const invalid = (why: string): Value =>
        this.#fail('Invalid function argument', `Invalid value for ${JSON.stringify(parameter.name)} parameter: ${why}.`, range);
      if (value.kind === 'null' && parameter.nullable !== true) {
        invalid('argument must not be null');
        known = false;
        continue;
      }
      try {
        const v = convert(value, parameter.type);
        if (v.kind === 'unknown' && f.takesUnknown !== true) known = false;
        converted.push(v);
      } catch (err) {
        invalid(message(err));
        known = false;
      }
    }
    if (!known) return UNKNOWN;
    try {
      return f.call(converted);
    } catch (err) {
      if (err instanceof ArgumentError) {
        const parameter = f.parameters[err.index] ?? f.rest!;
        const range = args[err.index]?.range ?? startRange(e);
        return this.#fail(
          'Invalid function argument',
          `Invalid value for ${JSON.stringify(parameter.name)} parameter: ${err.message}.`,
          range,
        );
      }
      if (!(err instanceof Error)) throw err;
      return this.#fail('Error in function call', `Call to function ${quoted} failed: ${err.message}.`, startRange(e));
    }
  }

  #conditional(e: Extract<Expression, { kind: 'conditional' }>): Value {
    const yesDiagnostics = new Diagnostics();
    const noDiagnostics = new Diagnostics();
    const yes = new Evaluator(this.#scope, yesDiagnostics, this.#element).value(e.yes);
    const no = new Evaluator(this.#scope, noDiagnostics, this.#element).value(e.no);
    const untypedNull = (v: Value): boolean => v.kind === 'null' && v.type.kind === 'dynamic';
    let type: Type = DYNAMIC;
    if (untypedNull(yes)) type = typeOf(no);
    else if (untypedNull(no)) type = typeOf(yes);
    else {
      const common = commonType([typeOf(yes), typeOf(no)]);
      if (common === undefined) {
        this.#fail(
          'Inconsistent conditional result types',
          `The true and false result expressions must have consistent types. The given expressions are ${friendlyName(typeOf(yes))} and ${friendlyName(typeOf(no))}, respectively.`,
          { ...e.yes.range, end: e.no.range.end },
        );
        return UNKNOWN;
      }
      type = common;
    }
    const condition = this.value(e.condition);
    if (condition.kind === 'null') {
      return this.#fail(
        'Null condition',
        'The condition value is null. Conditions must either be true or false.',
        e.condition.range,
      );
    }
    if (condition.kind === 'unknown') return { kind: 'unknown', type };
    let which: Value;
    try {
      which = convert(condition, BOOL);
    } catch {
      return this.#fail('Incorrect condition type', 'The condition expression must be of type bool.', e.condition.range);
    }
    if (which.kind !== 'bool') return UNKNOWN;
    this.#diagnostics.add((which.bool ? yesDiagnostics : noDiagnostics).list);
    const chosen = which.bool ? yes : no;
    try {
      return convert(chosen, type);
    } catch (err) {
      return this.#fail(
        'Inconsistent conditional result types',
        `The ${which.bool ? 'true' : 'false'} result value has the wrong type: ${message(err)}.`,
        which.bool ? e.yes.range : e.no.range,
      );
    }
  }

  #binary(e: Extract<Expression, { kind: 'binary' }>): Value {
    const left = this.value(e.left);
    const right = this.value(e.right);
    if (e.operator === '==' || e.operator === '!=') {
      if (left.kind === 'unknown' || right.kind === 'unknown') return { kind: 'unknown', type: BOOL };
      return bool(equal(left, right) === (e.operator === '=='));
    }
    const type = e.operator === '&&' || e.operator === '||' ? BOOL : NUMBER;
    const operand = (v: Value, side: 'left' | 'right'): Value => {
      const range = side === 'left' ? e.left.range : e.right.range;
      if (v.kind === 'null') {
        return this.#fail('Invalid operand', `Unsuitable value for ${side} operand: argument must not be null.`, range);
      }
      try {
        return convert(v, type);
      } catch (err) {
        return this.#fail('Invalid operand', `Unsuitable value for ${side} operand: ${message(err)}.`, range);
      }
    };
    const a = operand(left, 'left');
    const b = operand(right, 'right');
    if (a.kind === 'bool' && b.kind === 'bool') return bool(e.operator === '&&' ? a.bool && b.bool : a.bool || b.bool);
    if (a.kind !== 'number' || b.kind !== 'number') return UNKNOWN;
    const x = a.number;
    const y = b.number;
    switch (e.operator) {
      case '<':
        return bool(big.compare(x, y) < 0);
      case '<=':
        return bool(big.compare(x, y) <= 0);
      case '>':
        return bool(big.compare(x, y) > 0);
      case '>=':
        return bool(big.compare(x, y) >= 0);
      case '+':
        return number(big.add(x, y));
      case '-':
        return number(big.subtract(x, y));
      case '*':
        return number(big.multiply(x, y));
      case '/':
        if (big.compare(y, big.ZERO) === 0) {
          if (big.compare(x, big.ZERO) === 0) {
            return this.#fail(
              'Operation failed',
              "Error during operation: can't divide zero by zero or infinity by infinity.",
              e.range,
            );
          }
          // Infinite, as in the reference: whoever needs a whole number of it refuses it.
          return number(big.fromNumber(big.compare(x, big.ZERO) * Infinity));
        }
        return number(big.divide(x, y));
      case '%':
        return number(big.compare(y, big.ZERO) === 0 ? x : big.remainder(x, y));
      default:
        return UNKNOWN;
    }
  }

  #unary(e: Extract<Expression, { kind: 'unary' }>): Value {
    const v = this.value(e.operand);
    if (v.kind === 'unknown') return UNKNOWN;
    try {
      if (v.kind === 'null') throw new ConversionError('argument must not be null');
      const operand = convert(v, e.operator === '-' ? NUMBER : BOOL);
      if (operand.kind === 'number') return number(big.negate(operand.number));
      if (operand.kind === 'bool') return bool(!operand.bool);
      return UNKNOWN;
    } catch (err) {
      return this.#fail('Invalid operand', `Unsuitable value for unary operand: ${message(err)}.`, e.operand.range);
    }
  }

  #object(e: Extract<Expression, { kind: 'object' }>): Value {
    const entries: [string, Value][] = [];
    let known = true;
    for (const item of e.items) {
      let key: string | undefined;
      if (item.bareKey && item.key.kind === 'variable') key = item.key.name;
      else if (item.key.kind === 'variable' && item.key.steps.length > 0) {
        this.#fail(
          'Ambiguous attribute key',
          "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal name containing periods, wrap it in quotes to create a string literal.",
          item.key.range,
        );
      } else {
        const v = item.key.kind === 'literal' && item.key.value.kind !== 'string' ? item.key.value : this.value(item.key);
        if (v.kind === 'null') {
          this.#fail('Null value as key', "Can't use a null value as a key.", item.key.range);
        } else if (v.kind !== 'unknown') {
          try {
            const s = convert(v, STRING);
            if (s.kind === 'string') key = s.string;
          } catch (err) {
            this.#fail('Incorrect key type', `Can't use this value as a key: ${message(err)}.`, item.key.range);
          }
        }
      }
      const value = this.value(item.value);
      if (key === undefined) known = false;
      else entries.push([key, value]);
    }
    return known ? object(entries) : UNKNOWN;
  }

  #for(e: Extract<Expression, { kind: 'for' }>): Value {
    const collection = this.value(e.collection);
    if (collection.kind === 'unknown') return UNKNOWN;
    if (collection.kind === 'null') {
      return this.#fail(
        'Iteration over null value',
        "A null value cannot be used as the collection in a 'for' expression.",
        e.collection.range,
      );
    }
    const pairs = elements(collection);
    if (pairs === undefined) {
      return this.#fail(
        'Iteration over non-iterable value',
        `A value of type ${friendlyName(typeOf(collection))} cannot be used as the collection in a 'for' expression.`,
        e.collection.range,
      );
    }
    const items: Value[] = [];
    const entries = new Map<string, Value>();
    const groups = new Map<string, Value[]>();
    let known = true;
    for (const [key, value] of pairs) {
      const names = new Map<string, Value>([[e.valueName, value]]);
      if (e.keyName !== undefined) names.set(e.keyName, key);
      const inner = new Evaluator(withVariables(this.#scope, names), this.#diagnostics, this.#element);
      if (e.condition !== undefined) {
        const included = inner.#included(e.condition);
        if (included === undefined) known = false;
        if (included !== true) continue;
      }
      if (e.key === undefined) {
        items.push(inner.value(e.value));
        continue;
      }
      const k = inner.#key(e.key);
      const v = inner.value(e.value);
      if (k === undefined) {
        known = false;
      } else if (e.group) {
        const group = groups.get(k);
        if (group === undefined) groups.set(k, [v]);
        else group.push(v);
      } else if (entries.has(k)) {
        this.#fail(
          'Duplicate object key',
          `Two different items produced the key ${JSON.stringify(k)} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.`,
          e.key.range,
        );
        known = false;
      } else entries.set(k, v);
    }
    if (!known) return UNKNOWN;
    if (e.key === undefined) return tuple(items);
    return object(e.group ? [...groups].map(([k, vs]) => [k, tuple(vs)] as const) : entries);
  }

  #included(condition: Expression): boolean | undefined {
    const v = this.value(condition);
    if (v.kind === 'unknown') return undefined;
    if (v.kind === 'null') {
      this.#fail("Invalid 'for' condition", "The value of the 'if' clause must not be null.", condition.range);
      return undefined;
    }
    try {
      const b = convert(v, BOOL);
      return b.kind === 'bool' ? b.bool : undefined;
    } catch (err) {
      this.#fail("Invalid 'for' condition", `The 'if' clause value is invalid: ${message(err)}.`, condition.range);
      return undefined;
    }
  }

  #key(e: Expression): string | undefined {
    const v = this.value(e);
    if (v.kind === 'unknown') return undefined;
    if (v.kind === 'null') {
      this.#fail('Invalid object key', "Key expression in 'for' expression must not produce a null value.", e.range);
      return undefined;
    }
    try {
      const s = convert(v, STRING);
      return s.kind === 'string' ? s.string : undefined;
    } catch (err) {
      this.#fail('Invalid object key', `The key expression produced an invalid result: ${message(err)}.`, e.range);
      return undefined;
    }
  }
}

/** Keys and values of anything that can be iterated over; undefined for what cannot. */
export function elements(v: Value): (readonly [Value, Value])[] | undefined {
  switch (v.kind) {
    case 'list':
    case 'tuple':
      return v.items.map((item, i) => [number(i), item] as const);
    case 'set':
      return v.items.map((item) => [item, item] as const);
    case 'map':
    case 'object':
      return [...v.entries].map(([k, item]) => [string(k), item] as const);
    case 'null':
    case 'unknown':
    case 'string':
    case 'number':
    case 'bool':
      return undefined;
  }
}

function message(err: unknown): string {
  if (err instanceof Error) return err.message;
  throw err;
}
