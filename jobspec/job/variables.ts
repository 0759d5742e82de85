import { nearest } from '../../base/index.ts';
import type { Attribute, Block, Body, Expression } from '../hcl/ast.ts';
import { convert, ConversionError } from '../hcl/convert.ts';
import type { Diagnostics } from '../hcl/diagnostic.ts';
import { evaluate, type Scope } from '../hcl/evaluate.ts';
import { parseHclBody, parseHclExpression } from '../hcl/parser.ts';
import { formatRange, Source, type Range } from '../hcl/source.ts';
import { readType } from '../hcl/types.ts';
import { DYNAMIC, UNKNOWN, object, string, typeOf, type Type, type Value } from '../hcl/value.ts';
import { checkLabels, unsupportedArgument, unsupportedBlock } from './decode.ts';
import { jsonBody } from './json-body.ts';

/** Values for the variables that a job file declares. Later entries win over earlier ones, and each kind over those before it. */
export interface VariableInputs {
  /** The environment; `NOMAD_VAR_name` and `ORCH_VAR_name` count. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly varFiles?: readonly { readonly text: string; readonly filename: string }[];
  /** `name=value`, as given to -var. */
  readonly variables?: readonly string[];
  /** Whether a value for a variable that is not declared is an error (as by default) or a warning. */
  readonly strict?: boolean;
}

interface Variable {
  readonly name: string;
  type: Type | undefined;
  readonly validations: readonly Validation[];
  value: Value | undefined;
  from: string;
  range: Range | undefined;
}

interface Validation {
  readonly condition: Attribute;
  readonly message: string;
  readonly range: Range;
}

/** Reads the `variable` and `variables` blocks of a file, fills in the values given, checks them: the object that `var` is. */
export function readVariables(body: Body, inputs: VariableInputs, scope: Scope, diagnostics: Diagnostics): Value {
  const variables = new Map<string, Variable>();
  const add = (v: Variable): void => {
    if (variables.has(v.name)) diagnostics.error('Duplicate variable', `Duplicate ${v.name} variable definition found.`);
    else variables.set(v.name, v);
  };
  for (const block of body.blocks) {
    if (block.type === 'variables') {
      for (const attribute of block.body.attributes.values()) {
        const value = evaluate(attribute.expression, scope, diagnostics);
        add({
          name: attribute.name,
          type: typeOf(value),
          validations: [],
          value,
          from: 'default',
          range: attribute.expression.range,
        });
      }
    }
    if (block.type === 'variable' && checkLabels(block, ['name'], diagnostics)) add(declaration(block, scope, diagnostics));
  }
  assign(variables, inputs, diagnostics);
  for (const v of variables.values()) {
    if (v.value === undefined) {
      diagnostics.error(
        `Unset variable ${JSON.stringify(v.name)}`,
        'A used variable must be set or have a default value; see https://www.nomadproject.io/docs/job-specification/hcl2/variables for details.',
      );
    } else validate(v, scope, diagnostics);
  }
  return object([...variables.values()].map((v) => [v.name, v.value ?? { kind: 'unknown', type: v.type ?? DYNAMIC }] as const));
}

const DECLARATION = ['type', 'default', 'description', 'sensitive', 'nullable'];

function declaration(block: Block, scope: Scope, diagnostics: Diagnostics): Variable {
  const { attributes } = block.body;
  for (const [name, attribute] of attributes) {
    if (!DECLARATION.includes(name))
      unsupportedArgument(name, attribute.nameRange, DECLARATION, new Set(['validation']), diagnostics);
  }
  const name = block.labels[0]!.value;
  const variable: Variable = { name, type: undefined, validations: [], value: undefined, from: 'default', range: undefined };
  const type = attributes.get('type');
  if (type !== undefined) {
    const read = readType(type.expression);
    if ('problem' in read) diagnostics.error(read.problem.summary, read.problem.detail, read.problem.range);
    else variable.type = read.type;
  }
  const fallback = attributes.get('default');
  if (fallback !== undefined) {
    const value = evaluate(fallback.expression, scope, diagnostics);
    variable.range = fallback.expression.range;
    variable.value = value;
    if (variable.type === undefined) {
      if (type === undefined) variable.type = typeOf(value);
    } else {
      try {
        variable.value = convert(value, variable.type);
      } catch (err) {
        if (!(err instanceof ConversionError)) throw err;
        diagnostics.error(
          'Invalid default value for variable',
          `This default value is not compatible with the variable's type constraint: ${err.message}.`,
          fallback.expression.range,
        );
        variable.value = UNKNOWN;
      }
    }
  }
  const validations: Validation[] = [];
  for (const nested of block.body.blocks) {
    if (nested.type === 'validation') {
      const v = validation(name, nested, scope, diagnostics);
      if (v !== undefined) validations.push(v);
    } else unsupportedBlock(nested, new Set(DECLARATION), ['validation'], diagnostics);
  }
  return { ...variable, validations };
}

function validation(name: string, block: Block, scope: Scope, diagnostics: Diagnostics): Validation | undefined {
  const open: Range = { source: block.body.range.source, start: block.body.range.start, end: block.body.range.start };
  for (const [key, attribute] of block.body.attributes) {
    if (key !== 'condition' && key !== 'error_message') {
      unsupportedArgument(key, attribute.nameRange, ['condition', 'error_message'], new Set(), diagnostics);
    }
  }
  const condition = block.body.attributes.get('condition');
  const messageAttribute = block.body.attributes.get('error_message');
  for (const [key, attribute] of [
    ['condition', condition],
    ['error_message', messageAttribute],
  ] as const) {
    if (attribute === undefined) {
      diagnostics.error(
        'Missing required argument',
        `The argument ${JSON.stringify(key)} is required, but no definition was found.`,
        open,
      );
    }
  }
  let message = '';
  if (messageAttribute !== undefined) {
    const value = evaluate(messageAttribute.expression, { ...scope, unknownReference: undefined }, diagnostics);
    if (value.kind === 'string') message = value.string;
    if (value.kind === 'string' && !/^[\p{Lu}][\s\S]*[.?]$/u.test(message)) {
      diagnostics.error(
        'Invalid validation error message',
        'Validation error message must be at least one full English sentence starting with an uppercase letter and ending with a period or question mark.',
        messageAttribute.expression.range,
      );
    }
  }
  if (condition === undefined) return undefined;
  let refers = false;
  for (const reference of references(condition.expression)) {
    const [first] = reference.steps;
    if (reference.name === 'var' && first?.kind === 'attribute' && first.name === name) {
      refers = true;
      continue;
    }
    diagnostics.error(
      'Invalid reference in variable validation',
      `The condition for variable ${JSON.stringify(name)} can only refer to the variable itself, using var.${name}.`,
      reference.range,
    );
  }
  if (!refers) {
    diagnostics.error(
      'Invalid variable validation condition',
      `The condition for variable ${JSON.stringify(name)} must refer to var.${name} in order to test incoming values.`,
      condition.expression.range,
    );
  }
  return { condition, message, range: block.headRange };
}

function validate(v: Variable, scope: Scope, diagnostics: Diagnostics): void {
  if (v.value === undefined || v.value.kind === 'unknown') return;
  const own = object([[v.name, v.value]]);
  for (const { condition, message, range } of v.validations) {
    const inner: Scope = {
      ...scope,
      unknownReference: undefined,
      variables: new Map([['var', own]]),
    };
    const result = evaluate(condition.expression, inner, diagnostics);
    if (result.kind === 'unknown') continue;
    let holds: Value;
    try {
      holds = convert(result, { kind: 'bool' });
    } catch (err) {
      diagnostics.error(
        'Invalid variable validation result',
        `Invalid validation condition result value: ${err instanceof Error ? err.message : String(err)}.`,
        condition.expression.range,
      );
      continue;
    }
    if (holds.kind === 'bool' && !holds.bool) {
      diagnostics.error(
        `Invalid value for ${v.from} variable`,
        `${message}\n\nThis was checked by the validation rule at ${formatRange(range)}.`,
        v.range ?? range,
      );
    }
  }
}

function assign(variables: Map<string, Variable>, inputs: VariableInputs, diagnostics: Diagnostics): void {
  const incompatible = "is not compatible with the variable's type constraint";
  const set = (v: Variable, e: Expression, from: string, summary: string, what: string): void => {
    let value = evaluateAlone(e, diagnostics);
    if (value.kind === 'unknown') {
      v.value = UNKNOWN;
      return;
    }
    if (v.type !== undefined) {
      try {
        value = convert(value, v.type);
      } catch (err) {
        if (!(err instanceof ConversionError)) throw err;
        diagnostics.error(summary, `${what} ${incompatible}: ${err.message}.`, e.range);
        value = UNKNOWN;
      }
    }
    v.value = value;
    v.from = from;
    v.range = e.range.start < 0 ? undefined : e.range;
  };

  for (const prefix of ['NOMAD_VAR_', 'ORCH_VAR_']) {
    for (const [key, text] of Object.entries(inputs.env ?? {})) {
      const v = key.startsWith(prefix) ? variables.get(key.slice(prefix.length)) : undefined;
      if (v === undefined || text === undefined) continue;
      const e = argument(v, text, `<value for var.${v.name} from env>`, diagnostics);
      set(v, e, 'env', 'Invalid value for variable', `The value for ${v.name}`);
    }
  }

  for (const file of inputs.varFiles ?? []) {
    const source = new Source(file.text, file.filename);
    const parsed = /^\s*\{/.test(file.text) ? jsonBody(source) : parseHclBody(source);
    diagnostics.add(parsed.diagnostics.list);
    for (const block of parsed.body.blocks) {
      diagnostics.error(
        'Unexpected block',
        `Blocks are not allowed here: a file of variable values holds only arguments.`,
        block.typeRange,
      );
    }
    for (const attribute of parsed.body.attributes.values()) {
      const v = variables.get(attribute.name);
      if (v === undefined) {
        undeclared(
          'Undefined variable',
          `A ${JSON.stringify(attribute.name)} variable was set but was not found in known variables. To declare variable ${JSON.stringify(attribute.name)}, place this block in your job file`,
          inputs,
          diagnostics,
          { range: attribute.nameRange, note: meant(attribute.name, variables) },
        );
        continue;
      }
      set(v, attribute.expression, 'varfile', 'Invalid value for variable', `The value for ${v.name}`);
    }
  }

  for (const raw of inputs.variables ?? []) {
    const at = raw.indexOf('=');
    if (at <= 0) {
      diagnostics.error(
        'Invalid -var option',
        `The given -var option ${JSON.stringify(raw)} is not correctly specified. Must be a variable name and value separated by an equals sign, like -var="key=value".`,
      );
      continue;
    }
    const name = raw.slice(0, at);
    const v = variables.get(name);
    if (v === undefined) {
      undeclared(
        'Undefined -var variable',
        `A ${JSON.stringify(name)} variable was passed in the command line but was not found in known variables. To declare variable ${JSON.stringify(name)}, place this block in your job file`,
        inputs,
        diagnostics,
        { origin: `-var ${name}`, note: meant(name, variables) },
      );
      continue;
    }
    const e = argument(v, raw.slice(at + 1), `<value for var.${name} from arguments>`, diagnostics);
    set(v, e, 'cmd', 'Invalid argument value for -var variable', `The received arg value for ${name}`);
  }
}

interface Where {
  readonly range?: Range;
  readonly origin?: string;
  readonly note: string | undefined;
}

function undeclared(summary: string, detail: string, inputs: VariableInputs, diagnostics: Diagnostics, where: Where): void {
  const { range, ...more } = where;
  if (inputs.strict === false) diagnostics.warning(summary, detail, range, more);
  else diagnostics.error(summary, detail, range, more);
}

/** Which of the declared variables was probably meant, or what there are. */
function meant(name: string, variables: ReadonlyMap<string, unknown>): string {
  const near = nearest(name, variables.keys(), Math.max(1, Math.floor(name.length / 3)));
  if (near !== undefined) return `Did you mean ${JSON.stringify(near)}?`;
  return variables.size === 0
    ? 'The job file declares no variables.'
    : `The job file declares: ${[...variables.keys()].join(', ')}`;
}

/** A value from the command line: text for what is text or a number, otherwise an expression. */
function argument(v: Variable, text: string, filename: string, diagnostics: Diagnostics): Expression {
  const kind = v.type?.kind;
  if (kind === undefined || kind === 'string' || kind === 'number' || kind === 'dynamic') {
    // Such a value has no place in any file.
    return { kind: 'literal', value: string(text), range: { source: new Source('', ''), start: -1, end: -1 } };
  }
  const parsed = parseHclExpression(new Source(text, filename));
  diagnostics.add(parsed.diagnostics.list);
  return parsed.expression;
}

const NOTHING: Scope = { variables: new Map(), functions: new Map() };

function evaluateAlone(e: Expression, diagnostics: Diagnostics): Value {
  return evaluate(e, NOTHING, diagnostics);
}

/** Reads the `locals` blocks. They may refer to variables and to each other, in any order, but not in a circle. */
export function readLocals(body: Body, scope: Scope, variables: Value, diagnostics: Diagnostics): Value {
  const locals = new Map<string, Attribute>();
  for (const block of body.blocks) {
    if (block.type !== 'locals') continue;
    checkLabels(block, [], diagnostics);
    for (const nested of block.body.blocks) unsupportedBlock(nested, new Set(), [], diagnostics);
    for (const attribute of block.body.attributes.values()) {
      if (locals.has(attribute.name)) {
        diagnostics.error('Duplicate value in locals', `Duplicate ${attribute.name} definition found.`, attribute.nameRange);
      } else locals.set(attribute.name, attribute);
    }
  }
  const done = new Map<string, Value>();
  const under: string[] = [];
  const resolve = (name: string): void => {
    const attribute = locals.get(name);
    if (attribute === undefined || done.has(name)) return;
    if (under.includes(name)) {
      diagnostics.error(
        'Circular reference',
        `The locals ${[...under.slice(under.indexOf(name)), name].map((n) => `local.${n}`).join(' → ')} refer to each other in a circle.`,
        attribute.nameRange,
      );
      done.set(name, UNKNOWN);
      return;
    }
    under.push(name);
    for (const reference of references(attribute.expression)) {
      const [first] = reference.steps;
      if (reference.name !== 'local') continue;
      if (first?.kind === 'attribute') resolve(first.name);
      else if (first?.kind === 'index' && first.key.kind === 'string') resolve(first.key.string);
      else for (const other of locals.keys()) if (!under.includes(other)) resolve(other);
    }
    under.pop();
    if (done.has(name)) return;
    const inner: Scope = {
      ...scope,
      variables: new Map([
        ['var', variables],
        ['local', object(done)],
      ]),
    };
    done.set(name, evaluate(attribute.expression, inner, diagnostics));
  };
  for (const name of locals.keys()) resolve(name);
  return object(done);
}

type Reference = Extract<Expression, { kind: 'variable' }>;

/** Every variable that an expression mentions, except the names that a `for` inside it declares. */
export function references(e: Expression, bound: readonly string[] = []): Reference[] {
  const all = (...es: (Expression | undefined)[]): Reference[] =>
    es.flatMap((x) => (x === undefined ? [] : references(x, bound)));
  switch (e.kind) {
    case 'literal':
    case 'element':
      return [];
    case 'template':
      return all(...e.parts);
    case 'wrap':
    case 'parentheses':
      return all(e.inner);
    case 'template-join':
      return all(e.items);
    case 'variable':
      return bound.includes(e.name) ? [] : [e];
    case 'traverse':
      return all(e.from);
    case 'index':
      return all(e.collection, e.key);
    case 'splat':
      return all(e.from, e.each);
    case 'call':
      return all(...e.args);
    case 'conditional':
      return all(e.condition, e.yes, e.no);
    case 'binary':
      return all(e.left, e.right);
    case 'unary':
      return all(e.operand);
    case 'tuple':
      return all(...e.items);
    case 'object':
      return e.items.flatMap((item) => [...(item.bareKey ? [] : references(item.key, bound)), ...references(item.value, bound)]);
    case 'for': {
      const inner = [...bound, e.valueName, ...(e.keyName === undefined ? [] : [e.keyName])];
      const under = [e.key, e.value, e.condition].flatMap((x) => (x === undefined ? [] : references(x, inner)));
      return [...references(e.collection, bound), ...under];
    }
  }
}
