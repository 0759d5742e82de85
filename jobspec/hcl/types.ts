import type { Expression } from './ast.ts';
import { startRange } from './ast.ts';
import { ConversionError, convert } from './convert.ts';
import { Diagnostics } from './diagnostic.ts';
import { evaluate } from './evaluate.ts';
import { parseHclExpression } from './parser.ts';
import { Source, type Range } from './source.ts';
import { BOOL, DYNAMIC, NUMBER, STRING, type Type, type Value } from './value.ts';

export interface TypeProblem {
  readonly summary: string;
  readonly detail: string;
  readonly range: Range;
}

/**
 * Reads a type as variables declare it: `string`, `list(number)`, `object({ cpu = number })`. With `any` the type stays open where that is
 * allowed.
 */
export function readType(
  e: Expression,
  options: { any?: boolean } = {},
): { readonly type: Type } | { readonly problem: TypeProblem } {
  try {
    return { type: read(e, options.any === true) };
  } catch (err) {
    if (err instanceof Problem) return { problem: err.problem };
    throw err;
  }
}

class Problem extends Error {
  readonly problem: TypeProblem;
  constructor(detail: string, range: Range) {
    super(detail);
    this.problem = { summary: 'Invalid type specification', detail, range };
  }
}

const COLLECTIONS = ['list', 'set', 'map'] as const;

function read(e: Expression, any: boolean): Type {
  // In JSON a type is a text.
  if (e.kind === 'literal' && e.value.kind === 'string') {
    const { expression, diagnostics } = parseHclExpression(new Source(e.value.string, e.range.source.filename));
    if (diagnostics.failed || expression.kind === 'literal') throw new Problem('This is not a type.', e.range);
    return read(expression, any);
  }
  if (e.kind === 'variable' && e.steps.length === 0) return keyword(e.name, e.range, any);
  if (e.kind === 'template' && e.parts.length === 1 && e.parts[0]!.kind === 'literal') {
    throw new Problem('Type keywords are written without quotes.', e.range);
  }
  if (e.kind !== 'call')
    throw new Problem(
      'A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).',
      e.range,
    );
  const argument = e.args[0];
  if (e.args.length !== 1 || argument === undefined) {
    const subject: Range = argument === undefined ? e.closeRange : startRange(e.args[1] ?? argument);
    switch (e.name) {
      case 'bool':
      case 'string':
      case 'number':
      case 'any':
        throw new Problem(`Primitive type keyword ${JSON.stringify(e.name)} does not expect arguments.`, subject);
      case 'list':
      case 'set':
      case 'map':
        throw new Problem(`The ${e.name} type constructor requires one argument specifying the element type.`, subject);
      case 'object':
        throw new Problem(
          'The object type constructor requires one argument specifying the attribute types and values as a map.',
          subject,
        );
      case 'tuple':
        throw new Problem('The tuple type constructor requires one argument specifying the element types as a list.', subject);
    }
  }
  for (const kind of COLLECTIONS) if (e.name === kind) return { kind, element: read(argument!, any) };
  if (e.name === 'object') {
    if (argument!.kind !== 'object') {
      throw new Problem(
        'Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.',
        argument!.range,
      );
    }
    const attributes = new Map<string, Type>();
    const optional = new Set<string>();
    const defaults = new Map<string, Value>();
    for (const item of argument.items) {
      const name = keyName(item.key);
      if (name === undefined) throw new Problem('Object constructor map keys must be attribute names.', item.key.range);
      if (item.value.kind === 'call' && item.value.name === 'optional' && item.value.args[0] !== undefined) {
        const [type, fallback, ...more] = item.value.args;
        if (more.length > 0)
          throw new Problem('Optional attributes take a type, and what they are when they are not given.', item.value.range);
        optional.add(name);
        const typed = read(type, any);
        attributes.set(name, typed);
        if (fallback !== undefined) defaults.set(name, constant(fallback, typed));
      } else attributes.set(name, read(item.value, any));
    }
    return { kind: 'object', attributes, optional, ...(defaults.size > 0 && { defaults }) };
  }
  if (e.name === 'tuple') {
    if (argument!.kind !== 'tuple')
      throw new Problem('Tuple type constructor requires a list of element types.', argument!.range);
    return { kind: 'tuple', elements: argument.items.map((item) => read(item, any)) };
  }
  throw new Problem(`Keyword ${JSON.stringify(e.name)} is not a valid type constructor.`, e.nameRange);
}

/** The default of an optional attribute: it stands in a type, where nothing can be referred to. */
function constant(e: Expression, type: Type): Value {
  const diagnostics = new Diagnostics();
  const value = evaluate(e, { variables: new Map(), functions: new Map() }, diagnostics);
  const first = diagnostics.list[0];
  if (first !== undefined) throw new Problem(`The default of an optional attribute must be a constant: ${first.detail}`, e.range);
  try {
    return convert(value, type);
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw new Problem(`This default is not compatible with the attribute's type: ${error.message}.`, e.range);
  }
}

function keyName(key: Expression): string | undefined {
  if (key.kind === 'variable' && key.steps.length === 0) return key.name;
  if (key.kind === 'template' && key.parts.length === 1) {
    const part = key.parts[0]!;
    if (part.kind === 'literal' && part.value.kind === 'string') return part.value.string;
  }
  return undefined;
}

function keyword(name: string, range: Range, any: boolean): Type {
  switch (name) {
    case 'string':
      return STRING;
    case 'number':
      return NUMBER;
    case 'bool':
      return BOOL;
    case 'any':
      if (any) return DYNAMIC;
      throw new Problem('The keyword "any" cannot be used in this type specification: an exact type is required.', range);
    case 'list':
    case 'set':
    case 'map':
      throw new Problem(`The ${name} type constructor requires one argument specifying the element type.`, range);
    case 'object':
      throw new Problem(
        'The object type constructor requires one argument specifying the attribute types and values as a map.',
        range,
      );
    case 'tuple':
      throw new Problem('The tuple type constructor requires one argument specifying the element types as a list.', range);
    default:
      throw new Problem(`The keyword ${JSON.stringify(name)} is not a valid type specification.`, range);
  }
}
