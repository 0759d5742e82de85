/** The grammar of templates: text with actions between delimiters, as Go's text/template has it. Pure; errors name the line. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

export type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'action'; readonly line: number; readonly pipeline: Pipeline }
  | { readonly type: 'if' | 'with'; readonly line: number; readonly pipeline: Pipeline; readonly body: Node[]; readonly otherwise: Node[] } // prettier-ignore
  | {
      readonly type: 'range';
      readonly line: number;
      readonly pipeline: Pipeline;
      readonly body: Node[];
      readonly otherwise: Node[];
    }
  | { readonly type: 'template'; readonly line: number; readonly name: string; readonly pipeline?: Pipeline }
  | { readonly type: 'break' | 'continue' };

export interface Pipeline {
  /** `$x :=`, `$i, $x :=`, or with `=` for one that exists. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly (readonly Expression[])[];
}

export type Expression =
  | { readonly type: 'literal'; readonly value: string | number | boolean | null }
  /** `f`, or `f.A`: a part of what it gives. */
  | { readonly type: 'function'; readonly name: string; readonly path: readonly string[] }
  /** `.`, `.A.B` */
  | { readonly type: 'field'; readonly path: readonly string[] }
  /** `$x.A` */
  | { readonly type: 'variable'; readonly name: string; readonly path: readonly string[] }
  /** `(…).A` */
  | { readonly type: 'pipeline'; readonly pipeline: Pipeline; readonly path: readonly string[] };

export interface Parsed {
  readonly nodes: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

export function parseTemplate(text: string, left = '{{', right = '}}'): Parsed {
  const defined = new Map<string, readonly Node[]>();
  const parser = new Parser(split(text, left, right), defined);
  return { nodes: parser.block([]).nodes, defined };
}

type Piece = { readonly text: string } | { readonly action: string; readonly line: number };

/** Text and actions in turn; `{{-` and `-}}` eat the blanks beside them. */
function split(text: string, left: string, right: string): Piece[] {
  const pieces: Piece[] = [];
  let line = 1;
  let trim = false;
  for (let at = 0; at < text.length;) {
    const open = text.indexOf(left, at);
    let plain = open < 0 ? text.slice(at) : text.slice(at, open);
    line += count(plain);
    if (trim) plain = plain.trimStart();
    if (open < 0) {
      pieces.push({ text: plain });
      break;
    }
    let start = open + left.length;
    if (/^-\s/.test(text.slice(start, start + 2))) {
      plain = plain.trimEnd();
      start += 1;
    }
    pieces.push({ text: plain });
    const end = closing(text, start, right);
    if (end < 0) throw new TemplateError(`line ${line}: "${left}" is never closed`);
    let inner = text.slice(start, end);
    trim = /\s-$/.test(inner);
    if (trim) inner = inner.slice(0, -1);
    const begun = line;
    line += count(inner);
    if (!/^\s*\/\*/.test(inner)) pieces.push({ action: inner.trim(), line: begun });
    at = end + right.length;
  }
  return pieces;
}

const count = (text: string): number => text.split('\n').length - 1;

/** The closing delimiter, past those in strings and comments. */
function closing(text: string, from: number, right: string): number {
  const comment = /^\s*\/\*/.exec(text.slice(from, from + 100));
  if (comment !== null) {
    const end = text.indexOf('*/', from);
    return end < 0 ? -1 : text.indexOf(right, end);
  }
  for (let at = from; at < text.length; at++) {
    if (text.startsWith(right, at)) return at;
    const quote = text[at];
    if (quote !== '"' && quote !== '`' && quote !== "'") continue;
    for (at++; at < text.length && text[at] !== quote; at++) if (text[at] === '\\' && quote !== '`') at++;
  }
  return -1;
}

interface Token {
  readonly type: 'word' | 'field' | 'variable' | 'string' | 'number' | 'sign';
  readonly text: string;
  readonly value?: string | number;
  /** Nothing is between it and the one before. */
  readonly joined: boolean;
}

const TOKEN =
  /(\s+)|("(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+')|(\.[\p{L}_][\p{L}\p{N}_]*)|(\$[\p{L}\p{N}_]*)|([+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?))|([\p{L}_][\p{L}\p{N}_]*)|(:=|[|(),=.])/uy;

function tokenize(text: string, line: number): Token[] {
  const tokens: Token[] = [];
  let joined = false;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new TemplateError(`line ${line}: unexpected ${JSON.stringify(text[at])} in the action`);
    const [whole, blank, string, field, variable, number, word] = match;
    if (blank !== undefined) {
      joined = false;
      continue;
    }
    if (string !== undefined) tokens.push({ type: 'string', text: whole, value: unquote(whole, line), joined });
    else if (field !== undefined) tokens.push({ type: 'field', text: field.slice(1), joined });
    else if (variable !== undefined) tokens.push({ type: 'variable', text: variable, joined });
    else if (number !== undefined) tokens.push({ type: 'number', text: whole, value: Number(whole.replaceAll('_', '')), joined });
    else if (word !== undefined) tokens.push({ type: 'word', text: word, joined });
    else tokens.push({ type: 'sign', text: whole, joined });
    joined = true;
  }
  return tokens;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', '\\': '\\', '"': '"', "'": "'" }; // prettier-ignore

/** A string as Go writes it; a character ('a') is its number. */
function unquote(quoted: string, line: number): string | number {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return inner;
  const text = inner.replaceAll(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/g, (_, code: string) => {
    if (/^[xuU]/.test(code)) return String.fromCodePoint(parseInt(code.slice(1), 16));
    if (/^[0-7]{3}$/.test(code)) return String.fromCharCode(parseInt(code, 8));
    const escape = ESCAPES[code];
    if (escape === undefined) throw new TemplateError(`line ${line}: there is no escape \\${code}`);
    return escape;
  });
  return quoted.startsWith("'") ? text.codePointAt(0)! : text;
}

class Parser {
  readonly #pieces: readonly Piece[];
  readonly #defined: Map<string, readonly Node[]>;
  #at = 0;

  constructor(pieces: readonly Piece[], defined: Map<string, readonly Node[]>) {
    this.#pieces = pieces;
    this.#defined = defined;
  }

  /** Nodes up to one of the words, which is consumed; at the top there is none, and the end ends it. */
  block(until: readonly string[], opened = ''): { nodes: Node[]; word: string; rest: string; line: number } {
    const nodes: Node[] = [];
    for (; this.#at < this.#pieces.length;) {
      const piece = this.#pieces[this.#at++]!;
      if ('text' in piece) {
        if (piece.text !== '') nodes.push({ type: 'text', text: piece.text });
        continue;
      }
      const { action, line } = piece;
      const word = /^(if|with|range|template|define|block|end|else|break|continue)\b/.exec(action)?.[1];
      const rest = word === undefined ? action : action.slice(word.length).trim();
      if (word === 'end' || word === 'else') {
        if (!until.includes(word)) throw new TemplateError(`line ${line}: unexpected {{${word}}}`);
        return { nodes, word, rest, line };
      }
      const node = this.#node(word, rest, line);
      if (node !== undefined) nodes.push(node);
    }
    if (until.length > 0) throw new TemplateError(`${opened} is never closed: expected {{end}}`);
    return { nodes, word: '', rest: '', line: 0 };
  }

  #node(word: string | undefined, rest: string, line: number): Node | undefined {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(word, rest, line);
      case 'break':
      case 'continue':
        return { type: word };
      case 'define': {
        this.#defined.set(nameOf(rest, line), this.block(['end'], `line ${line}: {{define}}`).nodes);
        return undefined;
      }
      case 'template':
      case 'block': {
        const tokens = tokenize(rest, line);
        const name = tokens[0];
        if (name?.type !== 'string') throw new TemplateError(`line ${line}: {{${word}}} needs a name in quotes`);
        if (word === 'block') this.#defined.set(String(name.value), this.block(['end'], `line ${line}: {{block}}`).nodes);
        const more = tokens.length > 1 ? { pipeline: new PipelineParser(tokens.slice(1), line).all() } : {};
        return { type: 'template', line, name: String(name.value), ...more };
      }
      default:
        return { type: 'action', line, pipeline: new PipelineParser(tokenize(rest, line), line).all() };
    }
  }

  #branch(type: 'if' | 'with' | 'range', rest: string, line: number): Node {
    const pipeline = new PipelineParser(tokenize(rest, line), line).all();
    const body = this.block(['end', 'else'], `line ${line}: {{${type}}}`);
    let otherwise: Node[] = [];
    if (body.word === 'else') {
      const chained = /^(if|with)\b\s*(.*)$/s.exec(body.rest);
      // {{else if}} is closed by the one {{end}} of the whole.
      if (chained !== null) otherwise = [this.#branch(chained[1] as 'if' | 'with', chained[2]!, body.line)];
      else otherwise = this.block(['end'], `line ${body.line}: {{else}}`).nodes;
    }
    return { type, line, pipeline, body: body.nodes, otherwise };
  }
}

function nameOf(text: string, line: number): string {
  const [name] = tokenize(text, line);
  if (name?.type !== 'string') throw new TemplateError(`line ${line}: {{define}} needs a name in quotes`);
  return String(name.value);
}

class PipelineParser {
  readonly #tokens: readonly Token[];
  readonly #line: number;
  #at = 0;

  constructor(tokens: readonly Token[], line: number) {
    this.#tokens = tokens;
    this.#line = line;
  }

  all(): Pipeline {
    const pipeline = this.#pipeline();
    const rest = this.#tokens[this.#at];
    if (rest !== undefined) throw this.#error(`unexpected "${rest.text}"`);
    return pipeline;
  }

  #pipeline(): Pipeline {
    const variables: string[] = [];
    let assigns = false;
    const start = this.#at;
    for (; this.#tokens[this.#at]?.type === 'variable';) {
      variables.push(this.#tokens[this.#at++]!.text);
      if (!this.#takes(',')) break;
    }
    if (variables.length > 0 && (this.#takes(':=') || (assigns = this.#takes('=')))) {
      if (variables.length > 2) throw this.#error('too many variables');
    } else {
      variables.length = 0;
      this.#at = start;
    }
    const commands = [this.#command()];
    while (this.#takes('|')) commands.push(this.#command());
    return { variables, assigns, commands };
  }

  #command(): Expression[] {
    const list: Expression[] = [];
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      if (token.type === 'sign' && ['|', ')', ','].includes(token.text)) break;
      list.push(this.#expression(token));
    }
    if (list.length === 0) throw this.#error('a value is missing');
    return list;
  }

  #expression(token: Token): Expression {
    this.#at++;
    switch (token.type) {
      case 'string':
      case 'number':
        return { type: 'literal', value: token.value! };
      case 'field':
        return { type: 'field', path: [token.text, ...this.#path()] };
      case 'variable':
        return { type: 'variable', name: token.text, path: this.#path() };
      case 'word':
        if (token.text === 'true' || token.text === 'false') return { type: 'literal', value: token.text === 'true' };
        return token.text === 'nil'
          ? { type: 'literal', value: null }
          : { type: 'function', name: token.text, path: this.#path() };
      case 'sign': {
        if (token.text === '.') return { type: 'field', path: [] };
        if (token.text !== '(') throw this.#error(`unexpected "${token.text}"`);
        const pipeline = this.#pipeline();
        if (!this.#takes(')')) throw this.#error('")" is missing');
        return { type: 'pipeline', pipeline, path: this.#path() };
      }
    }
  }

  #path(): string[] {
    const path: string[] = [];
    for (let next = this.#tokens[this.#at]; next?.type === 'field' && next.joined; next = this.#tokens[this.#at]) {
      path.push(next.text);
      this.#at++;
    }
    return path;
  }

  #takes(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.type !== 'sign' || token.text !== sign) return false;
    this.#at++;
    return true;
  }

  #error(message: string): TemplateError {
    return new TemplateError(`line ${this.#line}: ${message}`);
  }
}
