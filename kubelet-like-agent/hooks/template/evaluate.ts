/** Runs a parsed template: values in, text out. */
import { describeError } from '../../../base/index.ts';
import { TemplateError, type Expression, type Node, type Parsed, type Pipeline } from './parse.ts';

/** Anything that a template can hold: JSON, and objects whose functions are methods. */
export type Value = unknown;
export type TemplateFunction = (...args: Value[]) => Value;
export type Functions = Readonly<Record<string, TemplateFunction>>;

/** Something that the template reads is not known yet: it is rendered once it is. */
export class Missing extends Error {
  override readonly name = 'Missing';
}

export interface EvaluateOptions {
  readonly functions: Functions;
  readonly data?: Value;
  /** A key that a map lacks is an error instead of `<no value>`. */
  readonly strict?: boolean;
}

/** As much text, and as many steps, as a template may make: a loop without end is its author's, the agent is everybody's. */
const LARGEST = 16 * 1024 * 1024;
const MOST_STEPS = 2_000_000;

export function evaluate(parsed: Parsed, options: EvaluateOptions): string {
  const run = new Evaluation(parsed, options);
  const scope = new Scope(undefined);
  scope.declare('$', options.data);
  run.nodes(parsed.nodes, options.data, scope);
  return run.text;
}

class Scope {
  readonly #outer: Scope | undefined;
  readonly #values = new Map<string, Value>();

  constructor(outer: Scope | undefined) {
    this.#outer = outer;
  }

  declare(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  assign(name: string, value: Value): boolean {
    if (this.#values.has(name)) {
      this.#values.set(name, value);
      return true;
    }
    return this.#outer?.assign(name, value) ?? false;
  }

  has(name: string): boolean {
    return this.#values.has(name) || (this.#outer?.has(name) ?? false);
  }

  get(name: string): Value {
    return this.#values.has(name) ? this.#values.get(name) : this.#outer?.get(name);
  }
}

type Jump = 'break' | 'continue' | undefined;

class Evaluation {
  readonly #parsed: Parsed;
  readonly #options: EvaluateOptions;
  readonly #parts: string[] = [];
  #length = 0;
  #steps = 0;
  #depth = 0;

  constructor(parsed: Parsed, options: EvaluateOptions) {
    this.#parsed = parsed;
    this.#options = options;
  }

  get text(): string {
    return this.#parts.join('');
  }

  nodes(nodes: readonly Node[], dot: Value, scope: Scope): Jump {
    for (const node of nodes) {
      if (++this.#steps > MOST_STEPS) throw new TemplateError('the template does not come to an end');
      const jump = this.#node(node, dot, scope);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #node(node: Node, dot: Value, scope: Scope): Jump {
    switch (node.type) {
      case 'text':
        this.#print(node.text);
        return undefined;
      case 'action': {
        const value = this.#located(node.line, () => this.#pipeline(node.pipeline, dot, scope));
        if (node.pipeline.variables.length === 0) this.#print(toText(value));
        return undefined;
      }
      case 'if':
      case 'with': {
        const inner = new Scope(scope);
        const value = this.#located(node.line, () => this.#pipeline(node.pipeline, dot, inner));
        if (isTrue(value)) return this.nodes(node.body, node.type === 'with' ? value : dot, inner);
        return this.nodes(node.otherwise, dot, inner);
      }
      case 'range':
        return this.#range(node, dot, scope);
      case 'template': {
        const body = this.#parsed.defined.get(node.name);
        if (body === undefined) throw new TemplateError(`line ${node.line}: template "${node.name}" is not defined`);
        const data =
          node.pipeline === undefined ? undefined : this.#located(node.line, () => this.#pipeline(node.pipeline!, dot, scope));
        if (++this.#depth > 100) throw new TemplateError(`line ${node.line}: templates are nested too deeply`);
        const inner = new Scope(undefined);
        inner.declare('$', data);
        this.nodes(body, data, inner);
        this.#depth--;
        return undefined;
      }
      case 'break':
      case 'continue':
        return node.type;
    }
  }

  #range(node: Node & { type: 'range' }, dot: Value, scope: Scope): Jump {
    const outer = new Scope(scope);
    const { variables, ...pipeline } = node.pipeline;
    const value = this.#located(node.line, () => this.#pipeline({ ...pipeline, variables: [] }, dot, scope));
    let any = false;
    for (const [key, item] of this.#located(node.line, () => entriesOf(value))) {
      any = true;
      const inner = new Scope(outer);
      const [first, second] = variables;
      if (second !== undefined) inner.declare(second, item);
      if (first !== undefined) inner.declare(first, second === undefined ? item : key);
      if (this.nodes(node.body, item, inner) === 'break') break;
    }
    return any ? undefined : this.nodes(node.otherwise, dot, outer);
  }

  #pipeline(pipeline: Pipeline, dot: Value, scope: Scope): Value {
    let value: Value;
    let piped: Value[] = [];
    for (const command of pipeline.commands) {
      value = this.#command(command, piped, dot, scope);
      piped = [value];
    }
    for (const name of pipeline.variables) {
      if (!pipeline.assigns) scope.declare(name, value);
      else if (!scope.assign(name, value)) throw new TemplateError(`undefined variable "${name}"`);
    }
    return value;
  }

  #command([head, ...rest]: readonly Expression[], piped: Value[], dot: Value, scope: Scope): Value {
    if (++this.#steps > MOST_STEPS) throw new TemplateError('the template does not come to an end');
    const first = head!;
    const args = (): Value[] => [...rest.map((e) => this.#value(e, dot, scope)), ...piped];
    if (first.type === 'function') {
      // These two look no further than they must.
      if (first.name === 'and' || first.name === 'or') {
        let value: Value;
        for (const lazy of [...rest.map((e) => () => this.#value(e, dot, scope)), ...piped.map((p) => () => p)]) {
          value = lazy();
          if (isTrue(value) === (first.name === 'or')) return value;
        }
        return value;
      }
      const known = this.#options.functions;
      if (!Object.hasOwn(known, first.name)) throw new TemplateError(`function "${first.name}" not defined`);
      try {
        if (first.path.length > 0) return this.#walk(known[first.name]!(), first.path, args);
        return known[first.name]!(...args());
      } catch (error) {
        if (error instanceof TemplateError || error instanceof Missing) throw error;
        throw new TemplateError(`error calling ${first.name}: ${describeError(error)}`);
      }
    }
    const value = this.#value(first, dot, scope, args);
    if (rest.length + piped.length > 0 && !(first.type !== 'literal' && 'path' in first && first.path.length > 0))
      throw new TemplateError("can't give argument to non-function");
    return value;
  }

  #value(expression: Expression, dot: Value, scope: Scope, args: () => Value[] = () => []): Value {
    switch (expression.type) {
      case 'literal':
        return expression.value;
      case 'function':
        return this.#command([expression], [], dot, scope);
      case 'field':
        return this.#walk(dot, expression.path, args);
      case 'variable':
        if (!scope.has(expression.name)) throw new TemplateError(`undefined variable "${expression.name}"`);
        return this.#walk(scope.get(expression.name), expression.path, args);
      case 'pipeline':
        return this.#walk(this.#pipeline(expression.pipeline, dot, scope), expression.path, args);
    }
  }

  #walk(start: Value, path: readonly string[], args: () => Value[]): Value {
    let value = start;
    for (const [i, name] of path.entries()) {
      if (value === undefined || value === null) {
        if (this.#options.strict) throw new TemplateError(`map has no entry for key "${name}"`);
        return undefined;
      }
      if (typeof value !== 'object') throw new TemplateError(`can't evaluate field ${name} in ${kindOf(value)}`);
      const has = Object.hasOwn(value, name);
      if (!has && this.#options.strict) throw new TemplateError(`map has no entry for key "${name}"`);
      const found: Value = has ? (value as Record<string, unknown>)[name] : undefined;
      value = typeof found === 'function' ? (found as TemplateFunction)(...(i === path.length - 1 ? args() : [])) : found;
    }
    return value;
  }

  #print(text: string): void {
    this.#length += text.length;
    if (this.#length > LARGEST) throw new TemplateError('the rendered text is too large');
    this.#parts.push(text);
  }

  #located<T>(line: number, act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof TemplateError && !error.message.startsWith('line '))
        throw new TemplateError(`line ${line}: ${error.message}`, { cause: error.cause });
      throw error;
    }
  }
}

export function isTrue(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object') return Object.keys(value).length > 0;
  return true;
}

export function kindOf(value: Value): string {
  if (value === undefined || value === null) return 'nil';
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return typeof value === 'object' ? 'map' : typeof value === 'boolean' ? 'bool' : typeof value;
}

function entriesOf(value: Value): [Value, Value][] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((item: Value, i): [Value, Value] => [i, item]);
  if (typeof value === 'number') return Array.from({ length: Math.min(value, MOST_STEPS) }, (_, i): [Value, Value] => [i, i]);
  if (typeof value === 'object') return Object.entries(value).filter(([, v]) => typeof v !== 'function').sort(([a], [b]) => (a < b ? -1 : 1)); // prettier-ignore
  throw new TemplateError(`range can't iterate over ${toText(value)}`);
}

/** As Go prints with %v. */
export function toText(value: Value): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(inner).join(' ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).filter(([, v]) => typeof v !== 'function').sort(([a], [b]) => (a < b ? -1 : 1)); // prettier-ignore
    return `map[${entries.map(([k, v]) => `${k}:${inner(v)}`).join(' ')}]`;
  }
  return typeof value === 'number' ? numberText(value) : String(value);
}

const inner = (value: Value): string => (value === undefined || value === null ? '<nil>' : toText(value));

/** Whole numbers as they are; others with an exponent from 21 digits on, which Go writes with two digits at least. */
const numberText = (value: number): string => String(value).replace(/e([+-])(\d)$/, 'e$10$2');
