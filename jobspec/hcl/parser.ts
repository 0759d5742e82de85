import type { Attribute, BinaryOperator, Block, Body, Expression, Label, ObjectItem, Step } from './ast.ts';
import { parseBigFloat } from './big-float.ts';
import { Diagnostics } from './diagnostic.ts';
import { tokenize, tokenRange, type Token, type TokenType } from './lexer.ts';
import type { Source } from './source.ts';
import { formatRange, type Range } from './source.ts';
import { FALSE, NULL, TRUE, UNKNOWN, number, string } from './value.ts';

export interface Parsed {
  readonly source: Source;
  readonly body: Body;
  readonly diagnostics: Diagnostics;
}

/**
 * Parses a file of HCL's native syntax. Always gives a body: where the text is broken the parser says so once, skips to the end of that line or
 * block and goes on, so that one run finds all mistakes.
 */
export function parseHclBody(source: Source, options: { literalTemplates?: boolean } = {}): Parsed {
  const parser = new Parser(source, tokenize(source, options), options.literalTemplates === true);
  const body = parser.file();
  return { source, body, diagnostics: parser.diagnostics };
}

/** Parses one expression, as the value of `-var name=…`. */
export function parseHclExpression(source: Source): { expression: Expression; diagnostics: Diagnostics } {
  const parser = new Parser(source, tokenize(source), false);
  return { expression: parser.soleExpression(), diagnostics: parser.diagnostics };
}

/** Parses a text in which `${…}` and `%{…}` count, without quotes around it, as templatefile's argument. */
export function parseHclTemplate(source: Source): { expression: Expression; diagnostics: Diagnostics } {
  const parser = new Parser(source, tokenize(source, { template: true }), false);
  return { expression: parser.soleTemplate(), diagnostics: parser.diagnostics };
}

/** How deep brackets, blocks and operators may nest; deeper texts are refused rather than overflowing the stack. */
const MAX_DEPTH = 200;

const CLOSER: Partial<Record<TokenType, TokenType>> = {
  '{': '}', '[': ']', '(': ')', 'quote-open': 'quote-close', 'heredoc-open': 'heredoc-close', '${': 'template-end', '%{': 'template-end',
}; // prettier-ignore

const PRECEDENCE: readonly (readonly BinaryOperator[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['>', '>=', '<', '<='],
  ['+', '-'],
  ['*', '/', '%'],
];

class Parser {
  readonly diagnostics = new Diagnostics();
  readonly #source: Source;
  readonly #tokens: readonly Token[];
  readonly #literalTemplates: boolean;
  #at = 0;
  #depth = 0;
  /** Whether line breaks count where we are; inside parentheses, lists and interpolations they do not. */
  readonly #newlines: boolean[] = [true];
  /** Set while skipping over something broken: what follows from it is not reported. */
  #recovering = false;

  constructor(source: Source, tokens: readonly Token[], literalTemplates: boolean) {
    this.#source = source;
    this.#tokens = tokens;
    this.#literalTemplates = literalTemplates;
    this.#checkTokens();
  }

  file(): Body {
    const body = this.#body('eof', this.#peek());
    return body;
  }

  soleExpression(): Expression {
    this.#newlines.push(false);
    const e = this.#expression();
    const next = this.#peek();
    if (next.type !== 'eof') {
      this.#error(
        'Extra characters after expression',
        'An expression was successfully parsed, but extra characters were found after it.',
        this.#range(next),
      );
    }
    return e;
  }

  soleTemplate(): Expression {
    const start = this.#peek();
    return this.#templateUntil('eof', start, false).expression;
  }

  // --- bodies

  #body(end: '}' | 'eof', open: Token): Body {
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    let last = open;
    for (;;) {
      const next = this.#peek();
      if (next.type === 'newline') {
        this.#read();
        continue;
      }
      if (next.type === end) {
        last = this.#read();
        break;
      }
      if (next.type === 'identifier') {
        this.#item(attributes, blocks);
        continue;
      }
      this.#read();
      if (next.type === 'eof') {
        if (!this.#recovering) {
          const { line, column } = this.#source.position(open.start);
          this.#error(
            'Argument or block definition required',
            `An argument or block definition is required here. There is no closing brace for the block that opens in line ${line}, column ${column}.`,
            { source: this.#source, start: next.start, end: next.end },
          );
        }
        this.#recovering = true;
        last = next;
        break;
      }
      if (next.type === 'quote-open') {
        this.#error('Invalid argument name', 'Argument names must not be quoted.', this.#range(next));
      } else {
        this.#error(
          'Argument or block definition required',
          'An argument or block definition is required here.',
          this.#range(next),
        );
      }
      // Behind the token that is not understood, which may be a brace that closes nothing.
      this.#recoverLine();
    }
    return { attributes, blocks, range: { source: this.#source, start: open.start, end: last.end } };
  }

  #item(attributes: Map<string, Attribute>, blocks: Block[]): void {
    const name = this.#read();
    const next = this.#peek();
    switch (next.type) {
      case '=':
        this.#attribute(name, attributes, false);
        return;
      case 'quote-open':
      case '{':
      case 'identifier': {
        const block = this.#block(name);
        if (block !== undefined) blocks.push(block);
        return;
      }
      default:
        this.#error(
          'Argument or block definition required',
          'An argument or block definition is required here. To set an argument, use the equals sign "=" to introduce the argument value.',
          this.#range(name),
        );
        this.#recoverLine();
    }
  }

  #attribute(name: Token, attributes: Map<string, Attribute>, oneLine: boolean): void {
    const equals = this.#read();
    const expression = this.#expression();
    const text = this.#text(name);
    const attribute: Attribute = {
      name: text,
      nameRange: this.#range(name),
      expression,
      range: { source: this.#source, start: name.start, end: Math.max(expression.range.end, equals.end) },
    };
    const earlier = attributes.get(text);
    if (earlier !== undefined) {
      const place = this.#source.position(earlier.nameRange.start);
      const where = `${this.#source.filename}:${place.line},${place.column}-${place.column + text.length}`;
      this.diagnostics.error(
        'Attribute redefined',
        `The argument ${JSON.stringify(text)} was already set at ${where}. Each argument may be set only once.`,
        attribute.nameRange,
      );
    } else attributes.set(text, attribute);

    if (this.#recovering) {
      this.#recoverLine(oneLine);
      return;
    }
    const next = this.#peek();
    if (oneLine) {
      if (next.type === '}') return;
      if (next.type === ',') {
        this.#error(
          'Invalid single-argument block definition',
          'Single-line block syntax can include only one argument definition. To define multiple arguments, use the multi-line block syntax with one argument definition per line.',
          this.#range(next),
        );
      } else if (next.type === 'newline' || next.type === 'eof') {
        this.#error(
          'Invalid single-argument block definition',
          "An argument definition on the same line as its containing block creates a single-line block definition, which must also be closed on the same line. Place the block's closing brace immediately after the argument definition.",
          this.#range(next),
        );
      } else {
        this.#error(
          'Invalid single-argument block definition',
          'A single-line block definition must end with a closing brace immediately after its single argument definition.',
          this.#range(next),
        );
      }
      this.#recoverLine(true);
      return;
    }
    if (next.type === 'newline' || next.type === 'eof') {
      if (next.type === 'newline') this.#read();
      return;
    }
    if (next.type === ',') {
      this.#error(
        'Unexpected comma after argument',
        'Argument definitions must be separated by newlines, not commas. An argument definition must end with a newline.',
        this.#range(next),
      );
    } else {
      this.#error('Missing newline after argument', 'An argument definition must end with a newline.', this.#range(next));
    }
    this.#recoverLine();
  }

  #block(type: Token): Block | undefined {
    const labels: Label[] = [];
    let last = type;
    for (;;) {
      const next = this.#peek();
      if (next.type === 'quote-open') {
        const label = this.#quotedLabel();
        last = this.#tokens[this.#at - 1]!;
        labels.push(label);
        continue;
      }
      if (next.type === 'identifier') {
        this.#read();
        last = next;
        labels.push({ value: this.#text(next), range: this.#range(next) });
        continue;
      }
      if (next.type === '{') break;
      if (next.type === '=') {
        this.#error(
          'Invalid block definition',
          'The equals sign "=" indicates an argument definition, and must not be used when defining a block.',
          this.#range(next),
        );
      } else if (next.type === 'newline') {
        this.#error(
          'Invalid block definition',
          'A block definition must have block content delimited by "{" and "}", starting on the same line as the block header.',
          this.#range(next),
        );
      } else {
        this.#error(
          'Invalid block definition',
          'Either a quoted string block label or an opening brace ("{") is expected here.',
          this.#range(next),
        );
      }
      this.#recoverLine();
      return undefined;
    }
    const headRange: Range = { source: this.#source, start: type.start, end: last.end };
    const open = this.#read();
    const block = (body: Body): Block => ({ type: this.#text(type), typeRange: this.#range(type), labels, body, headRange });

    if (this.#depth >= MAX_DEPTH) {
      this.#error('Blocks nested too deeply', `Blocks may be nested ${MAX_DEPTH} deep.`, this.#range(type));
      this.#at = this.#tokens.length - 1;
      return undefined;
    }
    this.#depth++;
    this.#newlines.push(true);
    const first = this.#peek();
    const body =
      first.type === 'newline' || first.type === 'eof' || first.type === '}' ? this.#body('}', open) : this.#oneLineBody(open);
    this.#newlines.pop();
    this.#depth--;

    const next = this.#peek();
    if (next.type === 'newline') this.#read();
    else if (next.type !== 'eof') {
      if (!this.#recovering) {
        this.#error('Missing newline after block definition', 'A block definition must end with a newline.', this.#range(next));
      }
      // An enclosing one-line body closes on this line; leave its brace alone.
      if (next.type !== '}') this.#recoverLine();
    }
    return block(body);
  }

  #oneLineBody(open: Token): Body {
    const attributes = new Map<string, Attribute>();
    const name = this.#read();
    const next = this.#peek();
    const close = (): Body => {
      const end = this.#peek();
      if (end.type === '}') this.#read();
      return { attributes, blocks: [], range: { source: this.#source, start: open.start, end: end.end } };
    };
    if (name.type === 'identifier' && next.type === '=') {
      this.#attribute(name, attributes, true);
      return close();
    }
    if (name.type === 'identifier' && (next.type === 'quote-open' || next.type === '{' || next.type === 'identifier')) {
      this.#error(
        'Argument definition required',
        `A single-line block definition can contain only a single argument. If you meant to define argument ${JSON.stringify(this.#text(name))}, use an equals sign to assign it a value. To define a nested block, place it on a line of its own within its parent block.`,
        { source: this.#source, start: name.start, end: next.end },
      );
    } else if (name.type === 'identifier') {
      this.#error(
        'Argument or block definition required',
        'An argument or block definition is required here. To set an argument, use the equals sign "=" to introduce the argument value.',
        this.#range(name),
      );
    } else {
      this.#at--;
      this.#error(
        'Argument or block definition required',
        'An argument or block definition is required here.',
        this.#range(name),
      );
    }
    this.#recoverLine(true);
    return close();
  }

  #quotedLabel(): Label {
    const open = this.#read();
    let value = '';
    for (;;) {
      const token = this.#read();
      if (token.type === 'quote-close') return { value, range: { source: this.#source, start: open.start, end: token.end } };
      if (token.type === 'literal') {
        value += this.#unescape(token, true);
        continue;
      }
      if (token.type === '${' || token.type === '%{') {
        this.#error(
          `Invalid string literal`,
          `Template sequences are not allowed in this string. To include a literal "${token.type === '${' ? '$' : '%'}", double it (as "${token.type === '${' ? '$$' : '%%'}") to escape it.`,
          this.#range(token),
        );
        this.#skipPast('quote-close');
        return { value, range: { source: this.#source, start: open.start, end: this.#tokens[this.#at - 1]!.end } };
      }
      if (token.type === 'quoted-newline') {
        this.#recovering = true; // reported with the other bad tokens
        continue;
      }
      this.#error(
        'Unterminated string literal',
        'Unable to find the closing quote mark before the end of the file.',
        this.#range(token),
      );
      this.#at--;
      return { value, range: { source: this.#source, start: open.start, end: token.end } };
    }
  }

  // --- expressions

  #expression(): Expression {
    if (this.#depth >= MAX_DEPTH) return this.#tooDeep();
    this.#depth++;
    const e = this.#conditional();
    this.#depth--;
    return e;
  }

  #tooDeep(): Expression {
    const token = this.#peek();
    this.#error('Expression nested too deeply', `Expressions may be nested ${MAX_DEPTH} deep.`, this.#range(token));
    this.#recovering = true;
    this.#at = this.#tokens.length - 1;
    return { kind: 'literal', value: UNKNOWN, range: this.#range(token) };
  }

  #conditional(): Expression {
    const condition = this.#binary(0);
    if (this.#peek().type !== '?') return condition;
    this.#read();
    const yes = this.#expression();
    const colon = this.#peek();
    if (colon.type !== ':') {
      if (!this.#recovering) {
        this.#error(
          'Missing false expression in conditional',
          'The conditional operator (...?...:...) requires a false expression, delimited by a colon.',
          this.#range(colon),
        );
        this.#recovering = true;
      }
      return { kind: 'conditional', condition, yes, no: yes, range: this.#span(condition.range, yes.range) };
    }
    this.#read();
    const no = this.#expression();
    return { kind: 'conditional', condition, yes, no, range: this.#span(condition.range, no.range) };
  }

  #binary(level: number): Expression {
    if (level >= PRECEDENCE.length) return this.#term();
    let left = this.#binary(level + 1);
    for (let n = 0; ; n++) {
      const token = this.#peek();
      if (!(PRECEDENCE[level] as readonly TokenType[]).includes(token.type) || this.#recovering) return left;
      if (n > 2000) return this.#tooDeep();
      this.#read();
      const right = this.#binary(level + 1);
      left = { kind: 'binary', operator: token.type as BinaryOperator, left, right, range: this.#span(left.range, right.range) };
    }
  }

  #term(): Expression {
    const base = this.#primary();
    return this.#traversals(base);
  }

  #traversals(base: Expression): Expression {
    let e = base;
    for (let n = 0; ; n++) {
      const next = this.#peek();
      if ((next.type === '.' || next.type === '[') && n > 1000) return this.#tooDeep();
      if (next.type === '.') e = this.#dot(e);
      else if (next.type === '[') e = this.#bracket(e);
      else return e;
      if (this.#recovering) return e;
    }
  }

  #dot(from: Expression): Expression {
    const dot = this.#read();
    const next = this.#peek();
    if (next.type === 'identifier') {
      this.#read();
      return this.#step(from, { kind: 'attribute', name: this.#text(next), range: this.#tokensRange(dot, next) });
    }
    if (next.type === 'number') {
      // Old style index `a.0`; `a.0.1` lexes as one number.
      this.#read();
      let e = from;
      let at = next.start;
      for (const part of this.#text(next).split('.')) {
        const range: Range = { source: this.#source, start: at - 1, end: at + part.length };
        at += part.length + 1;
        e = this.#step(e, { kind: 'index', key: number(parseBigFloat(part) ?? { mantissa: 0n, exponent: 0 }), range });
      }
      return e;
    }
    if (next.type === '*') {
      const star = this.#read();
      const markRange = this.#tokensRange(dot, star);
      let each: Expression = { kind: 'element', range: markRange };
      while (this.#peek().type === '.') {
        const innerDot = this.#read();
        const name = this.#peek();
        if (name.type === 'identifier') {
          this.#read();
          each = this.#step(each, { kind: 'attribute', name: this.#text(name), range: this.#tokensRange(innerDot, name) });
        } else if (name.type === 'number') {
          this.#read();
          each = this.#step(each, {
            kind: 'index',
            key: number(parseBigFloat(this.#text(name)) ?? { mantissa: 0n, exponent: 0 }),
            range: this.#tokensRange(innerDot, name),
          });
        } else {
          if (name.type === '*') {
            this.#error(
              'Nested splat expression not allowed',
              'A splat expression (*) cannot be used inside another attribute-only splat expression.',
              this.#range(name),
            );
          } else {
            this.#error('Invalid attribute name', 'An attribute name is required after a dot.', this.#range(name));
          }
          this.#recovering = true;
          break;
        }
      }
      return { kind: 'splat', from, each, markRange, range: this.#span(from.range, each.range) };
    }
    this.#error('Invalid attribute name', 'An attribute name is required after a dot.', this.#range(next));
    this.#recovering = true;
    return from;
  }

  #bracket(from: Expression): Expression {
    const open = this.#read();
    this.#newlines.push(false);
    try {
      const first = this.#peek();
      if (first.type === '*' && this.#peek(1).type === ']') {
        this.#read();
        const close = this.#read();
        this.#newlines.pop();
        this.#newlines.push(this.#newlines.at(-1) ?? true);
        const markRange = this.#tokensRange(open, close);
        if (this.#depth >= MAX_DEPTH) return this.#tooDeep();
        this.#depth++;
        const each = this.#traversals({ kind: 'element', range: markRange });
        this.#depth--;
        return { kind: 'splat', from, each, markRange, range: this.#span(from.range, each.range) };
      }
      const key = this.#expression();
      const close = this.#peek();
      if (close.type !== ']') {
        if (!this.#recovering) {
          this.#error(
            'Missing close bracket on index',
            'The index operator must end with a closing bracket ("]").',
            this.#range(close),
          );
        }
        this.#recovering = true;
        return from;
      }
      this.#read();
      const range = this.#tokensRange(open, close);
      const literal = this.#literalKey(key);
      if (literal !== undefined) return this.#step(from, { kind: 'index', key: literal, range });
      return { kind: 'index', collection: from, key, openRange: this.#range(open), range: this.#span(from.range, range) };
    } finally {
      this.#newlines.pop();
    }
  }

  #literalKey(key: Expression): Extract<Step, { kind: 'index' }>['key'] | undefined {
    if (key.kind === 'literal' && (key.value.kind === 'number' || key.value.kind === 'string')) return key.value;
    if (key.kind === 'template' && key.parts.length === 1) {
      const part = key.parts[0]!;
      if (part.kind === 'literal' && part.value.kind === 'string') return part.value;
    }
    return undefined;
  }

  #step(from: Expression, step: Step): Expression {
    const range = this.#span(from.range, step.range);
    if (from.kind === 'variable' || from.kind === 'traverse') return { ...from, steps: [...from.steps, step], range };
    return { kind: 'traverse', from, steps: [step], range };
  }

  #primary(): Expression {
    const token = this.#peek();
    switch (token.type) {
      case '(': {
        this.#read();
        this.#newlines.push(false);
        const inner = this.#expression();
        const close = this.#peek();
        if (close.type !== ')') {
          if (!this.#recovering) {
            this.#error(
              'Unbalanced parentheses',
              'Expected a closing parenthesis to terminate the expression.',
              this.#range(close),
            );
          }
          this.#recovering = true;
          this.#newlines.pop();
          return { kind: 'parentheses', inner, range: this.#span(this.#range(token), inner.range) };
        }
        this.#read();
        this.#newlines.pop();
        return { kind: 'parentheses', inner, range: this.#tokensRange(token, close) };
      }
      case 'number': {
        this.#read();
        const value = parseBigFloat(this.#text(token));
        if (value === undefined) {
          this.#error('Invalid number literal', 'Failed to recognize the value of this number literal.', this.#range(token));
          return { kind: 'literal', value: UNKNOWN, range: this.#range(token) };
        }
        return { kind: 'literal', value: number(value), range: this.#range(token) };
      }
      case 'identifier': {
        this.#read();
        const name = this.#text(token);
        if (this.#peek().type === '(') return this.#call(token);
        if (name === 'true') return { kind: 'literal', value: TRUE, range: this.#range(token) };
        if (name === 'false') return { kind: 'literal', value: FALSE, range: this.#range(token) };
        if (name === 'null') return { kind: 'literal', value: NULL, range: this.#range(token) };
        return { kind: 'variable', name, nameRange: this.#range(token), steps: [], range: this.#range(token) };
      }
      case 'quote-open': {
        this.#read();
        return this.#templateUntil('quote-close', token, false).expression;
      }
      case 'heredoc-open': {
        this.#read();
        const flush = this.#source.text[token.start + 2] === '-';
        return this.#templateUntil('heredoc-close', token, flush).expression;
      }
      case '-':
      case '!': {
        this.#read();
        if (this.#depth >= MAX_DEPTH) return this.#tooDeep();
        this.#depth++;
        const operand = this.#term();
        this.#depth--;
        const symbolRange = this.#range(token);
        return { kind: 'unary', operator: token.type, operand, symbolRange, range: this.#span(symbolRange, operand.range) };
      }
      case '[':
        return this.#list();
      case '{':
        return this.#object();
      default: {
        if (!this.#recovering) {
          this.#error(
            'Invalid expression',
            'Expected the start of an expression, but found an invalid expression token.',
            this.#range(token),
          );
        }
        this.#recovering = true;
        return { kind: 'literal', value: UNKNOWN, range: this.#range(token) };
      }
    }
  }

  #call(name: Token): Expression {
    const open = this.#read();
    this.#newlines.push(false);
    const args: Expression[] = [];
    let expandLast = false;
    let close: Token | undefined;
    for (;;) {
      const next = this.#peek();
      if (next.type === ')') {
        close = this.#read();
        break;
      }
      args.push(this.#expression());
      if (this.#recovering) break;
      const separator = this.#peek();
      if (separator.type === ')') {
        close = this.#read();
        break;
      }
      if (separator.type === '...') {
        expandLast = true;
        this.#read();
        const after = this.#peek();
        if (after.type === ')') close = this.#read();
        else {
          this.#error(
            'Missing closing parenthesis',
            'An expanded function argument (with ...) must be immediately followed by closing parentheses.',
            this.#range(after),
          );
          this.#recovering = true;
        }
        break;
      }
      if (separator.type === ',') {
        this.#read();
        continue;
      }
      if (separator.type === 'eof') {
        this.#error(
          'Unterminated function call',
          'There is no closing parenthesis for this function call before the end of the file. This may be caused by incorrect parenthesis nesting elsewhere in this file.',
          this.#tokensRange(name, open),
        );
      } else {
        this.#error(
          'Missing argument separator',
          'A comma is required to separate each function argument from the next.',
          this.#range(separator),
        );
      }
      this.#recovering = true;
      break;
    }
    if (this.#recovering) this.#skipBracket(')');
    this.#newlines.pop();
    const last = close ?? this.#tokens[Math.max(0, this.#at - 1)]!;
    return {
      kind: 'call',
      name: this.#text(name),
      nameRange: this.#range(name),
      args,
      expandLast,
      openRange: this.#range(open),
      closeRange: this.#range(last),
      range: this.#tokensRange(name, last),
    };
  }

  #list(): Expression {
    const open = this.#read();
    this.#newlines.push(false);
    try {
      const first = this.#peek();
      if (first.type === 'identifier' && this.#text(first) === 'for') return this.#for(open, ']');
      const items: Expression[] = [];
      let close = open;
      for (;;) {
        const next = this.#peek();
        if (next.type === ']') {
          close = this.#read();
          break;
        }
        items.push(this.#expression());
        if (this.#recovering) {
          close = this.#tokens[this.#at - 1]!;
          break;
        }
        const separator = this.#peek();
        if (separator.type === ',') {
          this.#read();
          continue;
        }
        if (separator.type === ']') {
          close = this.#read();
          break;
        }
        if (separator.type === 'eof') {
          this.#error(
            'Unterminated tuple constructor expression',
            'There is no corresponding closing bracket before the end of the file. This may be caused by incorrect bracket nesting elsewhere in this file.',
            this.#range(open),
          );
        } else {
          this.#error(
            'Missing item separator',
            'Expected a comma to mark the beginning of the next item.',
            this.#range(separator),
          );
        }
        this.#recovering = true;
        close = this.#tokens[this.#at - 1]!;
        break;
      }
      if (this.#recovering) this.#skipBracket(']');
      return { kind: 'tuple', items, openRange: this.#range(open), range: this.#tokensRange(open, close) };
    } finally {
      this.#newlines.pop();
    }
  }

  #object(): Expression {
    const open = this.#read();
    // Inside braces a line break separates items; but a `for` ignores them.
    this.#newlines.push(false);
    const isFor = this.#peek().type === 'identifier' && this.#text(this.#peek()) === 'for' && this.#peek(1).type === 'identifier';
    if (isFor) {
      const e = this.#for(open, '}');
      this.#newlines.pop();
      return e;
    }
    this.#newlines.pop();
    this.#newlines.push(true);
    const items: ObjectItem[] = [];
    let close = open;
    const fail = (summary: string, detail: string, token: Token): void => {
      if (!this.#recovering) this.#error(summary, detail, this.#range(token));
      this.#recovering = true;
      close = this.#tokens[this.#at - 1]!;
    };
    for (;;) {
      const next = this.#peek();
      if (next.type === 'newline') {
        this.#read();
        continue;
      }
      if (next.type === '}') {
        close = this.#read();
        break;
      }
      const key = this.#expression();
      if (this.#recovering) {
        close = this.#tokens[this.#at - 1]!;
        break;
      }
      const equals = this.#peek();
      if (equals.type !== '=' && equals.type !== ':') {
        if (equals.type === 'newline' || equals.type === ',') {
          fail('Missing attribute value', 'Expected an attribute value, introduced by an equals sign ("=").', equals);
        } else if (equals.type === '}') {
          fail('Missing attribute value', 'Expected an attribute value, introduced by an equals sign ("=").', equals);
        } else if (equals.type === 'eof') {
          fail(
            'Unterminated object constructor expression',
            'There is no corresponding closing brace before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.',
            open,
          );
        } else if (key.kind === 'variable' && key.steps.length === 0) {
          fail(
            'Missing key/value separator',
            'Expected an equals sign ("=") to mark the beginning of the attribute value.',
            equals,
          );
        } else {
          fail(
            'Missing key/value separator',
            'Expected an equals sign ("=") to mark the beginning of the attribute value. If you intended to given an attribute name containing periods or spaces, write the name in quotes to create a string literal.',
            equals,
          );
        }
        break;
      }
      this.#read();
      const value = this.#expression();
      items.push({ key, bareKey: key.kind === 'variable' && key.steps.length === 0, value });
      if (this.#recovering) {
        close = this.#tokens[this.#at - 1]!;
        break;
      }
      const separator = this.#peek();
      if (separator.type === '}') {
        close = this.#read();
        break;
      }
      if (separator.type === ',' || separator.type === 'newline') {
        this.#read();
        continue;
      }
      if (separator.type === 'eof') {
        fail(
          'Unterminated object constructor expression',
          'There is no corresponding closing brace before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.',
          open,
        );
      } else {
        fail(
          'Missing attribute separator',
          'Expected a newline or comma to mark the beginning of the next attribute.',
          separator,
        );
      }
      break;
    }
    if (this.#recovering) this.#skipBracket('}');
    this.#newlines.pop();
    return { kind: 'object', items, openRange: this.#range(open), range: this.#tokensRange(open, close) };
  }

  #for(open: Token, end: ']' | '}'): Expression {
    this.#read();
    const broken = (): Expression => {
      this.#recovering = true;
      const last = this.#tokens[Math.max(0, this.#at - 1)]!;
      return { kind: 'literal', value: UNKNOWN, range: this.#tokensRange(open, last) };
    };
    const fail = (detail: string, token: Token, summary = "Invalid 'for' expression"): Expression => {
      if (!this.#recovering) this.#error(summary, detail, this.#range(token));
      return broken();
    };
    const first = this.#peek();
    if (first.type !== 'identifier') return fail("For expression requires variable name after 'for'.", first);
    this.#read();
    let keyName: string | undefined;
    let valueName = this.#text(first);
    if (this.#peek().type === ',') {
      this.#read();
      const second = this.#peek();
      if (second.type !== 'identifier') return fail('For expression requires value variable name after comma.', second);
      this.#read();
      keyName = valueName;
      valueName = this.#text(second);
    }
    const inWord = this.#peek();
    if (inWord.type !== 'identifier' || this.#text(inWord) !== 'in') {
      return fail("For expression requires the 'in' keyword after its name declarations.", inWord);
    }
    this.#read();
    const collection = this.#expression();
    if (this.#recovering) return broken();
    const colon = this.#peek();
    if (colon.type !== ':') return fail('For expression requires a colon after the collection expression.', colon);
    this.#read();
    let value = this.#expression();
    let key: Expression | undefined;
    if (this.#recovering) return broken();
    if (this.#peek().type === '=>') {
      const arrow = this.#read();
      if (end === ']') {
        return fail('Key expression is not valid when building a tuple.', arrow);
      }
      key = value;
      value = this.#expression();
    } else if (end === '}') {
      return fail('Key expression is required when building an object.', this.#peek());
    }
    let group = false;
    if (this.#peek().type === '...') {
      const dots = this.#read();
      if (end === ']') return fail('Grouping ellipsis (...) cannot be used when building a tuple.', dots);
      group = true;
    }
    let condition: Expression | undefined;
    const ifWord = this.#peek();
    if (ifWord.type === 'identifier' && this.#text(ifWord) === 'if') {
      this.#read();
      condition = this.#expression();
    }
    if (this.#recovering) return broken();
    const close = this.#peek();
    if (close.type !== end) {
      return fail(`Extra characters after the end of the 'for' expression.`, close);
    }
    this.#read();
    return {
      kind: 'for', keyName, valueName, collection, key, value, condition, group, openRange: this.#range(open), range: this.#tokensRange(open, close),
    }; // prettier-ignore
  }

  // --- templates

  #templateUntil(end: 'quote-close' | 'heredoc-close' | 'eof', open: Token, flush: boolean): { expression: Expression } {
    const parts = this.#templateParts(end);
    const close = this.#tokens[this.#at - 1] ?? open;
    if (flush) removeIndent(parts);
    trimMarked(parts);
    const range: Range = { source: this.#source, start: open.start, end: Math.max(close.end, open.end) };
    const reader = new TemplateReader(parts, this, this.#range(close));
    const expressions = reader.until([]);
    if (expressions.length === 1 && expressions[0]!.kind !== 'literal') {
      const only = parts[0]!;
      if (only.kind === 'expression') return { expression: { kind: 'wrap', inner: expressions[0]!, range } };
    }
    if (expressions.length === 0) {
      const at: Range = { source: this.#source, start: open.end, end: open.end };
      return { expression: { kind: 'template', parts: [{ kind: 'literal', value: string(''), range: at }], range } };
    }
    return { expression: { kind: 'template', parts: mergeLiterals(expressions), range } };
  }

  #templateParts(end: 'quote-close' | 'heredoc-close' | 'eof'): TemplatePart[] {
    const parts: TemplatePart[] = [];
    for (;;) {
      const token = this.#rawRead();
      if (token.type === end) return parts;
      switch (token.type) {
        case 'literal':
          parts.push({
            kind: 'text',
            text: this.#unescape(token, end === 'quote-close'),
            range: this.#range(token),
            trimStart: false,
            trimEnd: false,
          });
          break;
        case 'quoted-newline':
          this.#recovering = true; // reported with the other bad tokens
          break;
        case '${': {
          this.#newlines.push(false);
          const expression = this.#expression();
          const close = this.#peek();
          if (close.type === 'template-end') this.#read();
          else this.#badSequence(token, close, 'interpolation');
          this.#newlines.pop();
          parts.push({
            kind: 'expression',
            expression,
            before: this.#trims(token),
            after: this.#trimsAfter(close),
            range: this.#tokensRange(token, close),
          });
          break;
        }
        case '%{':
          parts.push(this.#directive(token));
          break;
        default:
          this.#at--;
          if (!this.#recovering || token.type === 'eof') {
            const range: Range = { source: this.#source, start: token.start, end: token.start };
            this.#error('Unterminated template string', 'No closing marker was found for the string.', range);
          }
          this.#recovering = true;
          return parts;
      }
    }
  }

  #badSequence(open: Token, found: Token, what: string): void {
    if (!this.#recovering) {
      if (found.type === 'eof') {
        this.#error(
          `Unclosed template ${what} sequence`,
          `There is no closing brace for this ${what} sequence before the end of the file. This might be caused by incorrect nesting inside the given expression.`,
          this.#range(open),
        );
      } else if (found.type === 'quote-open' || found.type === 'quote-close') {
        this.#error(
          `Unclosed template ${what} sequence`,
          `There is no closing brace for this ${what} sequence before the end of the quoted template. This might be caused by incorrect nesting inside the given expression.`,
          this.#range(open),
        );
      } else if (found.type === ':') {
        this.#error(
          'Extra characters after interpolation expression',
          'Template interpolation doesn\'t expect a colon at this location. Did you intend this to be a literal sequence to be processed as part of another language? If so, you can escape it by starting with "$${" instead of just "${".',
          this.#range(found),
        );
      } else {
        this.#error(
          'Extra characters after interpolation expression',
          'Expected a closing brace to end the interpolation expression, but found extra characters.\n\nThis can happen when you include interpolation syntax for another language, such as shell scripting, but forget to escape the interpolation start token. If this is an embedded sequence for another language, escape it by starting with "$${" instead of just "${".',
          this.#range(found),
        );
      }
    }
    this.#recovering = true;
    this.#skipPast('template-end');
  }

  #directive(open: Token): TemplatePart {
    this.#newlines.push(false);
    const word = this.#peek();
    const name = word.type === 'identifier' ? this.#text(word) : '';
    const before = this.#trims(open);
    let part: TemplatePart;
    const finish = (make: (after: boolean, range: Range) => TemplatePart): TemplatePart => {
      const close = this.#peek();
      if (close.type === 'template-end') this.#read();
      else this.#badSequence(open, close, 'control');
      return make(this.#trimsAfter(close), this.#tokensRange(open, close));
    };
    if (name === 'if') {
      this.#read();
      const condition = this.#expression();
      part = finish((after, range) => ({ kind: 'if', condition, before, after, range }));
    } else if (name === 'else' || name === 'endif' || name === 'endfor') {
      this.#read();
      part = finish((after, range) => ({ kind: name, before, after, range }));
    } else if (name === 'for') {
      this.#read();
      part = this.#forDirective(open, before, finish);
    } else {
      if (!this.#recovering) {
        this.#error(
          word.type === 'identifier' ? 'Invalid template control keyword' : 'Invalid template directive',
          word.type === 'identifier'
            ? `${JSON.stringify(name)} is not a valid template control keyword.`
            : 'A template directive keyword ("if", "for", etc) is expected at the beginning of a %{ sequence.',
          this.#range(word),
        );
      }
      this.#recovering = true;
      this.#skipPast('template-end');
      part = { kind: 'text', text: '', range: this.#range(open), trimStart: false, trimEnd: false };
    }
    this.#newlines.pop();
    return part;
  }

  #forDirective(
    open: Token,
    before: boolean,
    finish: (make: (after: boolean, range: Range) => TemplatePart) => TemplatePart,
  ): TemplatePart {
    const nothing: TemplatePart = { kind: 'text', text: '', range: this.#range(open), trimStart: false, trimEnd: false };
    const fail = (detail: string, token: Token): TemplatePart => {
      if (!this.#recovering) this.#error(`Invalid 'for' directive`, detail, this.#range(token));
      this.#recovering = true;
      this.#skipPast('template-end');
      return nothing;
    };
    const first = this.#peek();
    if (first.type !== 'identifier') return fail("For directive requires variable name after 'for'.", first);
    this.#read();
    let keyName: string | undefined;
    let valueName = this.#text(first);
    if (this.#peek().type === ',') {
      this.#read();
      const second = this.#peek();
      if (second.type !== 'identifier') return fail('For directive requires value variable name after comma.', second);
      this.#read();
      keyName = valueName;
      valueName = this.#text(second);
    }
    const inWord = this.#peek();
    if (inWord.type !== 'identifier' || this.#text(inWord) !== 'in')
      return fail("For directive requires 'in' keyword after names.", inWord);
    this.#read();
    const collection = this.#expression();
    return finish((after, range) => ({ kind: 'for', keyName, valueName, collection, before, after, range }));
  }

  #trims(open: Token): boolean {
    return this.#source.text[open.end - 1] === '~';
  }

  #trimsAfter(close: Token): boolean {
    return close.type === 'template-end' && this.#source.text[close.start] === '~';
  }

  #unescape(token: Token, quoted: boolean): string {
    const raw = this.#text(token);
    if (this.#literalTemplates ? !raw.includes('\\') : !/[\\$%]/.test(raw)) return raw;
    let out = '';
    for (let i = 0; i < raw.length; i++) {
      const c = raw[i]!;
      if ((c === '$' || c === '%') && !this.#literalTemplates && raw[i + 1] === c && raw[i + 2] === '{') {
        out += `${c}{`;
        i += 2;
        continue;
      }
      if (c !== '\\' || !quoted) {
        out += c;
        continue;
      }
      const next = raw[++i];
      const at: Range = { source: this.#source, start: token.start + i - 1, end: token.start + i + 1 };
      switch (next) {
        case 'n':
          out += '\n';
          break;
        case 'r':
          out += '\r';
          break;
        case 't':
          out += '\t';
          break;
        case '"':
          out += '"';
          break;
        case '\\':
          out += '\\';
          break;
        case 'u':
        case 'U': {
          const digits = next === 'u' ? 4 : 8;
          const hex = raw.slice(i + 1, i + 1 + digits);
          const code = /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits ? parseInt(hex, 16) : NaN;
          if (Number.isNaN(code) || code > 0x10ffff) {
            this.diagnostics.error(
              'Invalid escape sequence',
              `The \\${next} escape sequence must be followed by ${next === 'u' ? 'four' : 'eight'} hexadecimal digits.`,
              at,
            );
          } else {
            out += String.fromCodePoint(code);
            i += digits;
          }
          break;
        }
        default:
          this.diagnostics.error(
            'Invalid escape sequence',
            next === undefined
              ? 'A backslash must be followed by an escape character.'
              : `The symbol ${JSON.stringify(next)} is not a valid escape sequence selector.`,
            { ...at, start: at.start, end: Math.min(at.end, token.end) },
          );
          out += `\\${next ?? ''}`;
      }
    }
    return out;
  }

  // --- tokens

  #peek(ahead = 0): Token {
    let i = this.#at;
    const newlines = this.#newlines[this.#newlines.length - 1]!;
    let left = ahead;
    for (;;) {
      const token = this.#tokens[i] ?? this.#tokens[this.#tokens.length - 1]!;
      if (token.type === 'newline' && !newlines) {
        i++;
        continue;
      }
      if (left-- === 0 || token.type === 'eof') return token;
      i++;
    }
  }

  #read(): Token {
    const newlines = this.#newlines[this.#newlines.length - 1]!;
    while (!newlines && this.#tokens[this.#at]?.type === 'newline') this.#at++;
    return this.#rawRead();
  }

  #rawRead(): Token {
    const token = this.#tokens[this.#at] ?? this.#tokens[this.#tokens.length - 1]!;
    if (this.#at < this.#tokens.length - 1) this.#at++;
    else this.#at = this.#tokens.length;
    return token;
  }

  /** Skips to the end of the line (of the brackets that open on it, too), where parsing can take up again. */
  #recoverLine(oneLine = false): void {
    const open: TokenType[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token.type === 'eof') {
        this.#recovering = true;
        return;
      }
      if (open.length === 0) {
        if (token.type === 'newline') {
          if (!oneLine) this.#at++;
          break;
        }
        if (token.type === '}' && (oneLine || this.#closesOwnLine())) break;
      }
      this.#at++;
      const closer = CLOSER[token.type];
      if (closer !== undefined) open.push(closer);
      else if (open.includes(token.type)) {
        while (open.pop() !== token.type);
      }
    }
    this.#recovering = false;
  }

  /** Whether the brace we stand at is the first thing on its line: then it ends the block around the broken line. */
  #closesOwnLine(): boolean {
    const before = this.#tokens[this.#at - 1];
    return before === undefined || before.type === 'newline';
  }

  /**
   * After a mistake between brackets, moves behind the closing one, so that the lines up to it are not taken for arguments. Gives up (and stays)
   * where it seems to be missing: at the end of the file, at a brace that closes something else, or at a line that looks like an argument.
   */
  #skipBracket(end: ']' | ')' | '}'): void {
    const open: TokenType[] = [];
    for (let i = this.#at; i < this.#tokens.length; i++) {
      const token = this.#tokens[i]!;
      if (open.length === 0) {
        if (token.type === end) {
          this.#at = i + 1;
          return;
        }
        if (token.type === '}') return;
        const next = this.#tokens[i + 1]?.type;
        if (
          end !== '}' &&
          token.type === 'identifier' &&
          this.#tokens[i - 1]?.type === 'newline' &&
          (next === '=' || next === '{')
        )
          return;
      }
      const closer = CLOSER[token.type];
      if (closer !== undefined) open.push(closer);
      else if (open.includes(token.type)) {
        while (open.pop() !== token.type);
      }
    }
  }

  #skipPast(end: TokenType): void {
    const open: TokenType[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token.type === 'eof') return;
      if (open.length === 0 && token.type === end) {
        this.#at++;
        return;
      }
      if (open.length === 0 && (token.type === 'quote-close' || token.type === 'heredoc-close')) return;
      this.#at++;
      const closer = CLOSER[token.type];
      if (closer !== undefined) open.push(closer);
      else if (open.includes(token.type)) {
        while (open.pop() !== token.type);
      }
    }
  }

  #text(token: Token): string {
    return this.#source.text.slice(token.start, token.end);
  }

  #range(token: Token): Range {
    return tokenRange(this.#source, token);
  }

  #tokensRange(from: Token, to: Token): Range {
    return { source: this.#source, start: from.start, end: Math.max(from.end, to.end) };
  }

  #span(from: Range, to: Range): Range {
    return { source: this.#source, start: from.start, end: Math.max(from.end, to.end) };
  }

  #error(summary: string, detail: string, range: Range): void {
    this.diagnostics.error(summary, detail, range);
  }

  /** For the template reader. */
  fail(summary: string, detail: string, range: Range): void {
    this.diagnostics.error(summary, detail, range);
  }

  /** Characters that no grammar rule takes get a word of their own, once per kind. */
  #checkTokens(): void {
    const told = new Set<TokenType>();
    for (const token of this.#tokens) {
      const message = badToken(token.type);
      if (message === undefined || told.has(token.type)) continue;
      if (token.type !== 'quoted-newline') told.add(token.type);
      let { end } = token;
      while (token.type === 'quoted-newline' && this.#source.text[end] === '\n') end++;
      this.diagnostics.error(message[0], message[1], { source: this.#source, start: token.start, end });
    }
  }
}

function badToken(type: TokenType): readonly [summary: string, detail: string] | undefined {
  switch (type) {
    case '&':
      return ['Unsupported operator', 'Bitwise operators are not supported. Did you mean boolean AND ("&&")?'];
    case '|':
      return ['Unsupported operator', 'Bitwise operators are not supported. Did you mean boolean OR ("||")?'];
    case '^':
      return ['Unsupported operator', 'Bitwise operators are not supported.'];
    case '~':
      return ['Unsupported operator', 'Bitwise operators are not supported. Did you mean boolean NOT ("!")?'];
    case '**':
      return ['Unsupported operator', '"**" is not a supported operator. Exponentiation is not supported as an operator.'];
    case ';':
      return [
        'Invalid character',
        'The ";" character is not valid. Use newlines to separate arguments and blocks, and commas to separate items in collection values.',
      ];
    case '`':
      return [
        'Invalid character',
        'The "`" character is not valid. To create a multi-line string, use the "heredoc" syntax, like "<<EOT".',
      ];
    case "'":
      return ['Invalid character', 'Single quotes are not valid. Use double quotes (") to enclose strings.'];
    case 'quoted-newline':
      return [
        'Invalid multi-line string',
        'Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape to represent a newline character or use the "heredoc" multi-line template syntax.',
      ];
    case 'curly-quote':
      return [
        'Invalid character',
        '"Curly quotes" are not valid here. These can sometimes be inadvertently introduced when sharing code via documents or discussion forums. It might help to replace the character with a "straight quote".',
      ];
    case 'invalid':
      return ['Invalid character', 'This character is not used within the language.'];
    default:
      return undefined;
  }
}

type TemplatePart =
  | { readonly kind: 'text'; text: string; readonly range: Range; trimStart: boolean; trimEnd: boolean }
  | {
      readonly kind: 'expression';
      readonly expression: Expression;
      readonly before: boolean;
      readonly after: boolean;
      readonly range: Range;
    }
  | {
      readonly kind: 'if';
      readonly condition: Expression;
      readonly before: boolean;
      readonly after: boolean;
      readonly range: Range;
    }
  | {
      readonly kind: 'for';
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly before: boolean;
      readonly after: boolean;
      readonly range: Range;
    }
  | { readonly kind: 'else' | 'endif' | 'endfor'; readonly before: boolean; readonly after: boolean; readonly range: Range };

/** Takes from all lines of an indented heredoc the indentation that they share; blank lines do not count. */
function removeIndent(parts: TemplatePart[]): void {
  let least = Infinity;
  const starts: Extract<TemplatePart, { kind: 'text' }>[] = [];
  let lineStart = true;
  for (const part of parts) {
    if (lineStart) {
      lineStart = false;
      if (part.kind !== 'text') least = 0;
      else if (!(part.text.trim() === '' && part.text.endsWith('\n'))) {
        least = Math.min(least, part.text.length - part.text.trimStart().length);
        starts.push(part);
      }
    }
    if (part.kind === 'text' && part.text.endsWith('\n')) lineStart = true;
  }
  if (least === Infinity || least === 0) return;
  for (const part of starts) part.text = part.text.slice(least);
}

/** `${~ x ~}` takes the white space around it away. */
function trimMarked(parts: TemplatePart[]): void {
  parts.forEach((part, i) => {
    if (part.kind === 'text') return;
    if (part.before) {
      for (let j = i - 1; j >= 0; j--) {
        const previous = parts[j]!;
        if (previous.kind !== 'text') break;
        previous.text = previous.text.trimEnd();
        if (previous.text !== '') break;
      }
    }
    if (part.after) {
      for (let j = i + 1; j < parts.length; j++) {
        const next = parts[j]!;
        if (next.kind !== 'text') break;
        next.text = next.text.trimStart();
        if (next.text !== '') break;
      }
    }
  });
}

/** Turns the flat parts of a template into expressions, matching `%{if}`, `%{else}`, `%{endif}`, `%{for}` and `%{endfor}`. */
class TemplateReader {
  readonly #parts: readonly TemplatePart[];
  readonly #parser: Parser;
  /** What ends the template. */
  readonly #end: Range;
  #at = 0;
  /** The directive that ended the last `until`. */
  #ended: TemplatePart | undefined;

  constructor(parts: readonly TemplatePart[], parser: Parser, end: Range) {
    this.#parts = parts;
    this.#parser = parser;
    this.#end = end;
  }

  until(ends: readonly TemplatePart['kind'][]): Expression[] {
    const out: Expression[] = [];
    this.#ended = undefined;
    while (this.#at < this.#parts.length) {
      const part = this.#parts[this.#at++]!;
      if (ends.includes(part.kind)) {
        this.#ended = part;
        return out;
      }
      switch (part.kind) {
        case 'text':
          if (part.text !== '' || this.#parts.length === 1)
            out.push({ kind: 'literal', value: string(part.text), range: part.range });
          break;
        case 'expression':
          out.push(part.expression);
          break;
        case 'if':
          out.push(this.#if(part));
          break;
        case 'for':
          out.push(this.#for(part));
          break;
        case 'else':
        case 'endif':
        case 'endfor': {
          const opener = part.kind === 'endfor' ? 'for' : 'if';
          this.#parser.fail(
            `Unexpected ${part.kind} directive`,
            `The ${part.kind} directive is expected only at the end of a sequence that "${opener}" began; there is no corresponding "${opener}" here.`,
            part.range,
          );
        }
      }
    }
    return out;
  }

  #if(open: Extract<TemplatePart, { kind: 'if' }>): Expression {
    const yes = this.until(['else', 'endif']);
    let ended = this.#ended;
    let no: Expression[] = [];
    if (ended?.kind === 'else') {
      no = this.until(['endif']);
      ended = this.#ended;
    }
    if (ended === undefined) this.#unterminated('if', 'endif', open.range);
    return {
      kind: 'conditional',
      condition: open.condition,
      yes: this.#inner(yes, open.range),
      no: this.#inner(no, open.range),
      range: { ...open.range, end: ended?.range.end ?? open.range.end },
    };
  }

  #for(open: Extract<TemplatePart, { kind: 'for' }>): Expression {
    const inner = this.until(['endfor']);
    if (this.#ended === undefined) this.#unterminated('for', 'endfor', open.range);
    const range = { ...open.range, end: this.#ended?.range.end ?? open.range.end };
    const items: Expression = {
      kind: 'for',
      keyName: open.keyName,
      valueName: open.valueName,
      collection: open.collection,
      key: undefined,
      value: this.#inner(inner, open.range),
      condition: undefined,
      group: false,
      openRange: open.range,
      range,
    };
    return { kind: 'template-join', items, range };
  }

  #inner(parts: Expression[], range: Range): Expression {
    if (parts.length === 0) return { kind: 'literal', value: string(''), range };
    const first = parts[0]!.range;
    return { kind: 'template', parts: mergeLiterals(parts), range: { ...first, end: parts.at(-1)!.range.end } };
  }

  #unterminated(what: string, end: string, range: Range): void {
    const detail = `The ${what} directive at ${formatRange(range)} is missing its corresponding ${end} directive.`;
    this.#parser.fail('Unexpected end of template', detail, this.#end);
  }
}

function mergeLiterals(parts: Expression[]): Expression[] {
  const out: Expression[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (part.kind === 'literal' && part.value.kind === 'string' && last?.kind === 'literal' && last.value.kind === 'string') {
      out[out.length - 1] = {
        kind: 'literal',
        value: string(last.value.string + part.value.string),
        range: last.range,
      };
    } else out.push(part);
  }
  return out;
}
