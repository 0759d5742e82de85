import { CommandError } from '../errors.ts';

/**
 * The templates of `-t`, which are those of Go's text/template as far as values of JSON go: fields, pipelines, variables, `if`, `else`,
 * `with`, `range` (with `$i, $x :=`, `break`, `continue`), `{{- trimmed -}}`, comments, and the functions that Go brings along.
 *
 * @example goTemplate('{{range .}}{{.ID}} {{end}}', [{ ID: 'a' }, { ID: 'b' }]) === 'a b '
 */
export function goTemplate(template: string, data: unknown): string {
  const parser = new Parser(split(template));
  const body = parser.block([]);
  const out: string[] = [];
  try {
    execute(body, { dot: data, variables: new Map([['$', data]]), out });
  } catch (error) {
    if (error instanceof Signal) throw wrong(`{{${error.message}}} outside of {{range}}`);
    throw error;
  }
  return out.join('');
}

const wrong = (message: string): CommandError => new CommandError(`Error formatting the data: template: ${message}`);

type Piece = { readonly text: string } | { readonly action: string };

function split(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimNext = false;
  while (at <= template.length) {
    const open = template.indexOf('{{', at);
    let text = template.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.trimStart();
    if (open < 0) {
      pieces.push({ text });
      break;
    }
    const close = closing(template, open + 2);
    let action = template.slice(open + 2, close);
    if (/^-\s/.test(action)) {
      text = text.trimEnd();
      action = action.slice(1);
    }
    trimNext = /\s-$/.test(action);
    if (trimNext) action = action.slice(0, -1);
    pieces.push({ text });
    action = action.trim();
    if (!/^\/\*[^]*\*\/$/.test(action)) pieces.push({ action });
    at = close + 2;
  }
  return pieces.filter((piece) => !('text' in piece) || piece.text !== '');
}

function closing(template: string, from: number): number {
  let quote: string | undefined;
  for (let at = from; at < template.length; at++) {
    const letter = template[at]!;
    if (quote !== undefined) {
      if (letter === '\\' && quote !== '`') at++;
      else if (letter === quote) quote = undefined;
    } else if (letter === '"' || letter === '`') quote = letter;
    else if (template.startsWith('}}', at)) return at;
  }
  throw wrong('unclosed action');
}

type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'value'; readonly pipe: Pipe }
  | {
      readonly type: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly type: 'break' | 'continue' };

/** Commands whose value goes on as the last argument of the next, and the variables that take the result. */
interface Pipe {
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly (readonly Operand[])[];
}

type Operand =
  | { readonly type: 'constant'; readonly value: unknown }
  | {
      readonly type: 'path';
      readonly root: 'dot' | 'variable' | 'pipe';
      readonly name: string;
      readonly pipe?: Pipe;
      readonly fields: readonly string[];
    }
  | { readonly type: 'function'; readonly name: string };

class Parser {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** Until one of the words; the word is left to be taken. */
  block(ends: readonly string[]): Node[] {
    const nodes: Node[] = [];
    while (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at]!;
      if ('text' in piece) {
        nodes.push({ type: 'text', text: piece.text });
        this.#at++;
        continue;
      }
      const [word = ''] = /^\w*/.exec(piece.action) ?? [];
      if (ends.includes(word)) return nodes;
      this.#at++;
      if (word === 'end' || word === 'else') throw wrong(`unexpected {{${word}}}`);
      if (word === 'break' || word === 'continue') nodes.push({ type: word });
      else if (word === 'if' || word === 'with' || word === 'range')
        nodes.push(this.#control(word, piece.action.slice(word.length)));
      else if (word === 'define' || word === 'template' || word === 'block') throw wrong(`{{${word}}} is not built`);
      else nodes.push({ type: 'value', pipe: parsePipe(piece.action) });
    }
    if (ends.length > 0) throw wrong('unexpected EOF: {{end}} is missing');
    return nodes;
  }

  #control(type: 'if' | 'with' | 'range', head: string): Node {
    const pipe = parsePipe(head);
    const body = this.block(['else', 'end']);
    const next = this.#take();
    if (next === 'end') return { type, pipe, body, otherwise: [] };
    const chained = /^else\s+(if|with)\b(.*)$/s.exec(next);
    if (chained !== null) return { type, pipe, body, otherwise: [this.#control(chained[1] as 'if' | 'with', chained[2]!)] };
    const otherwise = this.block(['end']);
    this.#take();
    return { type, pipe, body, otherwise };
  }

  #take(): string {
    const piece = this.#pieces[this.#at++];
    return piece !== undefined && 'action' in piece ? piece.action : '';
  }
}

const token =
  /\s*(?:(?<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?<char>'(?:[^'\\]|\\.)')|(?<number>[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))|(?<variable>\$\w*)|(?<field>(?:\.\w+)+)|(?<dot>\.)|(?<name>[A-Za-z_]\w*)|(?<sign>:=|=|\||\(|\)|,))/y;

type Token = { readonly kind: string; readonly text: string; readonly spaced: boolean };

function tokens(source: string): Token[] {
  const found: Token[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < source.trimEnd().length) {
    const from = token.lastIndex;
    const match = token.exec(source);
    if (match === null) throw wrong(`unexpected "${source.slice(from).trim()}" in operand`);
    const [kind, text] = Object.entries(match.groups!).find(([, value]) => value !== undefined)!;
    found.push({ kind, text: text, spaced: /^\s/.test(match[0]) || from === 0 });
  }
  return found;
}

function parsePipe(source: string): Pipe {
  const list = tokens(source);
  const reader = { list, at: 0 };
  const pipe = readPipe(reader);
  if (reader.at < list.length) throw wrong(`unexpected "${list[reader.at]!.text}"`);
  return pipe;
}

interface Reader {
  readonly list: readonly Token[];
  at: number;
}

function readPipe(reader: Reader): Pipe {
  const { list } = reader;
  const variables: string[] = [];
  let assigns = false;
  const declaration = (end: number): boolean => list[end]?.text === ':=' || list[end]?.text === '=';
  if (list[reader.at]?.kind === 'variable') {
    const two = list[reader.at + 1]?.text === ',' && list[reader.at + 2]?.kind === 'variable' && declaration(reader.at + 3);
    const one = declaration(reader.at + 1);
    if (two || one) {
      variables.push(list[reader.at]!.text, ...(two ? [list[reader.at + 2]!.text] : []));
      const sign = reader.at + (two ? 3 : 1);
      assigns = list[sign]!.text === '=';
      reader.at = sign + 1;
    }
  }
  const commands: Operand[][] = [[]];
  for (;;) {
    const next = list[reader.at];
    if (next === undefined || next.text === ')') break;
    if (next.text === '|') {
      reader.at++;
      commands.push([]);
    } else commands.at(-1)!.push(readOperand(reader));
  }
  if (commands.some((command) => command.length === 0)) throw wrong('missing value for command');
  return { variables, assigns, commands };
}

function readOperand(reader: Reader): Operand {
  const { kind, text } = reader.list[reader.at++]!;
  /** Fields that follow without a space: `$x.a.b`, `(f).a`. */
  const fields = (): string[] => {
    const next = reader.list[reader.at];
    if (next?.kind !== 'field' || next.spaced) return [];
    reader.at++;
    return next.text.slice(1).split('.');
  };
  switch (kind) {
    case 'string':
      return { type: 'constant', value: text.startsWith('`') ? text.slice(1, -1) : unquote(text) };
    case 'char':
      return { type: 'constant', value: unquote(`"${text.slice(1, -1)}"`).codePointAt(0) };
    case 'number':
      return { type: 'constant', value: Number(text) };
    case 'dot':
      return { type: 'path', root: 'dot', name: '.', fields: [] };
    case 'field':
      return { type: 'path', root: 'dot', name: '.', fields: text.slice(1).split('.') };
    case 'variable':
      return { type: 'path', root: 'variable', name: text, fields: fields() };
    case 'name':
      if (text === 'true' || text === 'false') return { type: 'constant', value: text === 'true' };
      if (text === 'nil') return { type: 'constant', value: null };
      return { type: 'function', name: text };
    default: {
      if (text !== '(') throw wrong(`unexpected "${text}" in operand`);
      const pipe = readPipe(reader);
      if (reader.list[reader.at++]?.text !== ')') throw wrong('unclosed left paren');
      return { type: 'path', root: 'pipe', name: '()', pipe, fields: fields() };
    }
  }
}

function unquote(text: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };
  return text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/g, (_, hex?: string, point?: string, letter?: string) =>
      letter !== undefined ? (letters[letter] ?? letter) : String.fromCodePoint(parseInt((hex ?? point)!, 16)),
    );
}

interface Scope {
  readonly dot: unknown;
  readonly variables: Map<string, unknown>;
  readonly out: string[];
}

/** How `break` and `continue` reach their range. */
class Signal extends Error {}

function execute(nodes: readonly Node[], scope: Scope): void {
  for (const node of nodes) {
    switch (node.type) {
      case 'text':
        scope.out.push(node.text);
        break;
      case 'break':
      case 'continue':
        throw new Signal(node.type);
      case 'value': {
        const value = run(node.pipe, scope);
        if (node.pipe.variables.length === 0) scope.out.push(display(value));
        break;
      }
      case 'if': {
        const inner = below(scope);
        execute(isTrue(run(node.pipe, inner)) ? node.body : node.otherwise, inner);
        break;
      }
      case 'with': {
        const inner = below(scope);
        const value = run(node.pipe, inner);
        if (isTrue(value)) execute(node.body, { ...inner, dot: value });
        else execute(node.otherwise, inner);
        break;
      }
      case 'range':
        range(node, scope);
        break;
    }
  }
}

const below = (scope: Scope): Scope => ({ ...scope, variables: new Map(scope.variables) });

function range(node: Extract<Node, { type: 'if' | 'with' | 'range' }>, scope: Scope): void {
  const items = entries(run({ ...node.pipe, variables: [] }, scope));
  if (items.length === 0) return execute(node.otherwise, below(scope));
  for (const [key, item] of items) {
    const inner = { ...below(scope), dot: item };
    const [first, second] = node.pipe.variables;
    if (second !== undefined) inner.variables.set(first!, key).set(second, item);
    else if (first !== undefined) inner.variables.set(first, item);
    try {
      execute(node.body, inner);
    } catch (error) {
      if (!(error instanceof Signal)) throw error;
      if (error.message === 'break') return;
    }
  }
}

function entries(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((item, i) => [i, item]);
  if (isMap(value)) return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  if (value === null || value === undefined) return [];
  if (typeof value === 'number') return Array.from({ length: value }, (_, i) => [i, i]);
  throw wrong(`range can't iterate over ${display(value)}`);
}

function run(pipe: Pipe, scope: Scope): unknown {
  let value: unknown;
  pipe.commands.forEach((command, i) => (value = call(command, scope, i === 0 ? [] : [value])));
  for (const variable of pipe.variables) {
    if (pipe.assigns && !scope.variables.has(variable)) throw wrong(`undefined variable "${variable}"`);
    scope.variables.set(variable, value);
  }
  return value;
}

function call([first, ...rest]: readonly Operand[], scope: Scope, piped: readonly unknown[]): unknown {
  const head = first!;
  if (head.type === 'function') {
    // These two stop at the first operand that decides.
    if (head.name === 'and' || head.name === 'or') {
      let last: unknown;
      for (const operand of [...rest.map((one) => () => evaluate(one, scope)), ...piped.map((one) => () => one)]) {
        last = operand();
        if (isTrue(last) === (head.name === 'or')) return last;
      }
      return last;
    }
    const known = Object.hasOwn(functions, head.name) ? functions[head.name] : undefined;
    if (known === undefined) throw wrong(`function "${head.name}" not defined`);
    return known(...rest.map((operand) => evaluate(operand, scope)), ...piped);
  }
  if (rest.length > 0 || piped.length > 0)
    throw wrong(`can't give argument to non-function ${head.type === 'path' ? head.name : display(head.value)}`);
  return evaluate(head, scope);
}

function evaluate(operand: Operand, scope: Scope): unknown {
  switch (operand.type) {
    case 'constant':
      return operand.value;
    case 'function':
      return call([operand], scope, []);
    case 'path': {
      const { root, name, pipe, fields } = operand;
      let value: unknown = root === 'dot' ? scope.dot : root === 'pipe' ? run(pipe!, scope) : scope.variables.get(name);
      if (root === 'variable' && !scope.variables.has(name)) throw wrong(`undefined variable "${name}"`);
      for (const field of fields) value = fieldOf(value, field);
      return value;
    }
  }
}

function fieldOf(value: unknown, field: string): unknown {
  if (value === null || value === undefined) throw wrong(`nil pointer evaluating field ${field}`);
  if (!isMap(value))
    throw wrong(`can't evaluate field ${field} in ${Array.isArray(value) ? 'a list; use range or index' : display(value)}`);
  if (!Object.hasOwn(value, field)) throw wrong(`can't evaluate field ${field}; there are ${Object.keys(value).join(', ')}`);
  return value[field];
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Go prints it. */
function display(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(display).join(' ')}]`;
  if (isMap(value)) return `map[${entries(value).map(([key, item]) => `${String(key)}:${display(item)}`).join(' ')}]`; // prettier-ignore
  return String(value);
}

type Fn = (...args: unknown[]) => unknown;

const compare = (a: unknown, b: unknown): number => {
  if (typeof a !== typeof b) throw wrong('incompatible types for comparison');
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
};

const functions: Readonly<Record<string, Fn>> = {
  not: (value) => !isTrue(value),
  len: (value) => {
    if (typeof value === 'string') return Buffer.byteLength(value);
    if (Array.isArray(value) || isMap(value)) return entries(value).length;
    if (value === null) return 0;
    throw wrong(`len of ${display(value)}`);
  },
  index: (value, ...keys) =>
    keys.reduce((from, key) => {
      if (Array.isArray(from)) {
        if (typeof key !== 'number' || key < 0 || key >= from.length) throw wrong(`index out of range: ${display(key)}`);
        return from[key] as unknown;
      }
      if (isMap(from)) return Object.hasOwn(from, String(key)) ? from[String(key)] : undefined;
      throw wrong(`can't index ${display(from)}`);
    }, value),
  slice: (value, from = 0, to) => (value as string | unknown[]).slice(from as number, to as number | undefined),
  eq: (a, ...others) => others.some((b) => a === b),
  ne: (a, b) => a !== b,
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  print: (...values) => values.map(display).join(''),
  println: (...values) => `${values.map(display).join(' ')}\n`,
  printf: (format, ...values) => printf(String(format), values),
  html: (value) => display(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`),
  js: (value) => JSON.stringify(display(value)).slice(1, -1).replaceAll("'", "\\'"),
  urlquery: (value) => encodeURIComponent(display(value)),
};

function printf(format: string, values: readonly unknown[]): string {
  let next = 0;
  return format.replace(
    /%([-+0 #]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, size: string, digits: string, verb: string) => {
      if (verb === '%') return '%';
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const text = formatted(verb, values[next++], digits === undefined ? undefined : Number(digits), flags);
      const width = Number(size ?? 0);
      if (flags.includes('-')) return text.padEnd(width);
      return text.padStart(width, flags.includes('0') && /^[dfxXeg]$/.test(verb) ? '0' : ' ');
    },
  );
}

function formatted(verb: string, value: unknown, digits: number | undefined, flags: string): string {
  switch (verb) {
    case 'd':
      return `${flags.includes('+') && Number(value) >= 0 ? '+' : ''}${display(value)}`;
    case 'f':
      return Number(value).toFixed(digits ?? 6);
    case 'e':
      return Number(value).toExponential(digits ?? 6);
    case 'x':
      return typeof value === 'string' ? Buffer.from(value).toString('hex') : Number(value).toString(16);
    case 'X':
      return Number(value).toString(16).toUpperCase();
    case 'q':
      return JSON.stringify(display(value));
    case 'T':
      return value === null ? '<nil>' : Array.isArray(value) ? '[]interface {}' : isMap(value) ? 'map' : typeof value;
    case 's':
    case 'v':
    case 't':
    case 'g':
      return digits !== undefined && verb === 's' ? display(value).slice(0, digits) : display(value);
    default:
      return `%!${verb}(${display(value)})`;
  }
}
