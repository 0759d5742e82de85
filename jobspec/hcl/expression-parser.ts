import type { BinaryOperator, Expression, ObjectItem, Step } from './ast.ts';
import { parseBigFloat } from './big-float.ts';
import type { Token, TokenType } from './lexer.ts';
import type { Range } from './source.ts';
import { TemplateParser } from './template-parser.ts';
import { MAX_DEPTH } from './token-stream.ts';
import { FALSE, NULL, TRUE, UNKNOWN, number } from './value.ts';

/** From loose to tight. */
const PRECEDENCE: readonly (readonly BinaryOperator[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['>', '>=', '<', '<='],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Everything that can stand behind an equals sign. */
export class ExpressionParser extends TemplateParser {
  soleExpression(): Expression {
    this.newlines.push(false);
    const e = this.expression();
    const next = this.peek();
    if (next.type !== 'eof') {
      this.error(
        'Extra characters after expression',
        'An expression was successfully parsed, but extra characters were found after it.',
        this.range(next),
      );
    }
    return e;
  }

  soleTemplate(): Expression {
    const start = this.peek();
    return this.templateUntil('eof', start, false).expression;
  }

  // --- bodies

  protected expression(): Expression {
    if (this.depth >= MAX_DEPTH) return this.tooDeep();
    this.depth++;
    const e = this.#conditional();
    this.depth--;
    return e;
  }

  #conditional(): Expression {
    const condition = this.#binary(0);
    if (this.peek().type !== '?') return condition;
    this.read();
    const yes = this.expression();
    const colon = this.peek();
    if (colon.type !== ':') {
      if (!this.recovering) {
        this.error(
          'Missing false expression in conditional',
          'The conditional operator (...?...:...) requires a false expression, delimited by a colon.',
          this.range(colon),
        );
        this.recovering = true;
      }
      return { kind: 'conditional', condition, yes, no: yes, range: this.span(condition.range, yes.range) };
    }
    this.read();
    const no = this.expression();
    return { kind: 'conditional', condition, yes, no, range: this.span(condition.range, no.range) };
  }

  #binary(level: number): Expression {
    if (level >= PRECEDENCE.length) return this.#term();
    let left = this.#binary(level + 1);
    for (let n = 0; ; n++) {
      const token = this.peek();
      if (!(PRECEDENCE[level] as readonly TokenType[]).includes(token.type) || this.recovering) return left;
      if (n > 2000) return this.tooDeep();
      this.read();
      const right = this.#binary(level + 1);
      left = { kind: 'binary', operator: token.type as BinaryOperator, left, right, range: this.span(left.range, right.range) };
    }
  }

  #term(): Expression {
    const base = this.#primary();
    return this.#traversals(base);
  }

  #traversals(base: Expression): Expression {
    let e = base;
    for (let n = 0; ; n++) {
      const next = this.peek();
      if ((next.type === '.' || next.type === '[') && n > 1000) return this.tooDeep();
      if (next.type === '.') e = this.#dot(e);
      else if (next.type === '[') e = this.#bracket(e);
      else return e;
      if (this.recovering) return e;
    }
  }

  #dot(from: Expression): Expression {
    const dot = this.read();
    const next = this.peek();
    if (next.type === 'identifier') {
      this.read();
      return this.#step(from, { kind: 'attribute', name: this.text(next), range: this.tokensRange(dot, next) });
    }
    if (next.type === 'number') {
      // Old style index `a.0`; `a.0.1` lexes as one number.
      this.read();
      let e = from;
      let at = next.start;
      for (const part of this.text(next).split('.')) {
        const range: Range = { source: this.source, start: at - 1, end: at + part.length };
        at += part.length + 1;
        e = this.#step(e, { kind: 'index', key: number(parseBigFloat(part) ?? { mantissa: 0n, exponent: 0 }), range });
      }
      return e;
    }
    if (next.type === '*') {
      const star = this.read();
      const markRange = this.tokensRange(dot, star);
      let each: Expression = { kind: 'element', range: markRange };
      while (this.peek().type === '.') {
        const innerDot = this.read();
        const name = this.peek();
        if (name.type === 'identifier') {
          this.read();
          each = this.#step(each, { kind: 'attribute', name: this.text(name), range: this.tokensRange(innerDot, name) });
        } else if (name.type === 'number') {
          this.read();
          each = this.#step(each, {
            kind: 'index',
            key: number(parseBigFloat(this.text(name)) ?? { mantissa: 0n, exponent: 0 }),
            range: this.tokensRange(innerDot, name),
          });
        } else {
          if (name.type === '*') {
            this.error(
              'Nested splat expression not allowed',
              'A splat expression (*) cannot be used inside another attribute-only splat expression.',
              this.range(name),
            );
          } else {
            this.error('Invalid attribute name', 'An attribute name is required after a dot.', this.range(name));
          }
          this.recovering = true;
          break;
        }
      }
      return { kind: 'splat', from, each, markRange, range: this.span(from.range, each.range) };
    }
    this.error('Invalid attribute name', 'An attribute name is required after a dot.', this.range(next));
    this.recovering = true;
    return from;
  }

  #bracket(from: Expression): Expression {
    const open = this.read();
    this.newlines.push(false);
    try {
      const first = this.peek();
      if (first.type === '*' && this.peek(1).type === ']') {
        this.read();
        const close = this.read();
        this.newlines.pop();
        this.newlines.push(this.newlines.at(-1) ?? true);
        const markRange = this.tokensRange(open, close);
        if (this.depth >= MAX_DEPTH) return this.tooDeep();
        this.depth++;
        const each = this.#traversals({ kind: 'element', range: markRange });
        this.depth--;
        return { kind: 'splat', from, each, markRange, range: this.span(from.range, each.range) };
      }
      const key = this.expression();
      const close = this.peek();
      if (close.type !== ']') {
        const told = this.recovering;
        this.skipBracket(']');
        if (!told) {
          const end = this.tokens[this.at - 1]!;
          this.error(
            'Missing close bracket on index',
            'The index operator must end with a closing bracket ("]").',
            this.range(end.type === ']' ? end : close),
          );
        }
        this.recovering = true;
        return from;
      }
      this.read();
      const range = this.tokensRange(open, close);
      const literal = this.#literalKey(key);
      if (literal !== undefined) return this.#step(from, { kind: 'index', key: literal, range });
      return { kind: 'index', collection: from, key, openRange: this.range(open), range: this.span(from.range, range) };
    } finally {
      this.newlines.pop();
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
    const range = this.span(from.range, step.range);
    if (from.kind === 'variable' || from.kind === 'traverse') return { ...from, steps: [...from.steps, step], range };
    return { kind: 'traverse', from, steps: [step], range };
  }

  #primary(): Expression {
    const token = this.peek();
    switch (token.type) {
      case '(': {
        this.read();
        this.newlines.push(false);
        const inner = this.expression();
        const close = this.peek();
        if (close.type !== ')') {
          if (!this.recovering) {
            this.error(
              'Unbalanced parentheses',
              'Expected a closing parenthesis to terminate the expression.',
              this.range(close),
            );
          }
          this.recovering = true;
          this.newlines.pop();
          return { kind: 'parentheses', inner, range: this.span(this.range(token), inner.range) };
        }
        this.read();
        this.newlines.pop();
        return { kind: 'parentheses', inner, range: this.tokensRange(token, close) };
      }
      case 'number': {
        this.read();
        const value = parseBigFloat(this.text(token));
        if (value === undefined) {
          this.error('Invalid number literal', 'Failed to recognize the value of this number literal.', this.range(token));
          return { kind: 'literal', value: UNKNOWN, range: this.range(token) };
        }
        return { kind: 'literal', value: number(value), range: this.range(token) };
      }
      case 'identifier': {
        this.read();
        const name = this.text(token);
        if (this.peek().type === '(') return this.#call(token);
        if (name === 'true') return { kind: 'literal', value: TRUE, range: this.range(token) };
        if (name === 'false') return { kind: 'literal', value: FALSE, range: this.range(token) };
        if (name === 'null') return { kind: 'literal', value: NULL, range: this.range(token) };
        return { kind: 'variable', name, nameRange: this.range(token), steps: [], range: this.range(token) };
      }
      case 'quote-open': {
        this.read();
        return this.templateUntil('quote-close', token, false).expression;
      }
      case 'heredoc-open': {
        this.read();
        const flush = this.source.text[token.start + 2] === '-';
        return this.templateUntil('heredoc-close', token, flush).expression;
      }
      case '-':
      case '!': {
        this.read();
        if (this.depth >= MAX_DEPTH) return this.tooDeep();
        this.depth++;
        const operand = this.#term();
        this.depth--;
        const symbolRange = this.range(token);
        return { kind: 'unary', operator: token.type, operand, symbolRange, range: this.span(symbolRange, operand.range) };
      }
      case '[':
        return this.#list();
      case '{':
        return this.#object();
      default: {
        if (!this.recovering) {
          this.error(
            'Invalid expression',
            'Expected the start of an expression, but found an invalid expression token.',
            this.range(token),
          );
        }
        this.recovering = true;
        return { kind: 'literal', value: UNKNOWN, range: this.range(token) };
      }
    }
  }

  #call(name: Token): Expression {
    const open = this.read();
    this.newlines.push(false);
    const args: Expression[] = [];
    let expandLast = false;
    let close: Token | undefined;
    for (;;) {
      const next = this.peek();
      if (next.type === ')') {
        close = this.read();
        break;
      }
      args.push(this.expression());
      if (this.recovering) break;
      const separator = this.peek();
      if (separator.type === ')') {
        close = this.read();
        break;
      }
      if (separator.type === '...') {
        expandLast = true;
        this.read();
        const after = this.peek();
        if (after.type === ')') close = this.read();
        else {
          this.error(
            'Missing closing parenthesis',
            'An expanded function argument (with ...) must be immediately followed by closing parentheses.',
            this.range(after),
          );
          this.recovering = true;
        }
        break;
      }
      if (separator.type === ',') {
        this.read();
        continue;
      }
      if (separator.type === 'eof') {
        this.error(
          'Unterminated function call',
          'There is no closing parenthesis for this function call before the end of the file. This may be caused by incorrect parenthesis nesting elsewhere in this file.',
          this.tokensRange(name, open),
        );
      } else {
        this.error(
          'Missing argument separator',
          'A comma is required to separate each function argument from the next.',
          this.range(separator),
        );
      }
      this.recovering = true;
      break;
    }
    if (this.recovering) this.skipBracket(')');
    this.newlines.pop();
    const last = close ?? this.tokens[Math.max(0, this.at - 1)]!;
    return {
      kind: 'call',
      name: this.text(name),
      nameRange: this.range(name),
      args,
      expandLast,
      openRange: this.range(open),
      closeRange: this.range(last),
      range: this.tokensRange(name, last),
    };
  }

  #list(): Expression {
    const open = this.read();
    this.newlines.push(false);
    try {
      const first = this.peek();
      if (first.type === 'identifier' && this.text(first) === 'for') return this.#for(open, ']');
      const items: Expression[] = [];
      let close = open;
      for (;;) {
        const next = this.peek();
        if (next.type === ']') {
          close = this.read();
          break;
        }
        items.push(this.expression());
        if (this.recovering) {
          close = this.tokens[this.at - 1]!;
          break;
        }
        const separator = this.peek();
        if (separator.type === ',') {
          this.read();
          continue;
        }
        if (separator.type === ']') {
          close = this.read();
          break;
        }
        if (separator.type === 'eof') {
          this.error(
            'Unterminated tuple constructor expression',
            'There is no corresponding closing bracket before the end of the file. This may be caused by incorrect bracket nesting elsewhere in this file.',
            this.range(open),
          );
        } else {
          this.error('Missing item separator', 'Expected a comma to mark the beginning of the next item.', this.range(separator));
        }
        this.recovering = true;
        close = this.tokens[this.at - 1]!;
        break;
      }
      if (this.recovering) this.skipBracket(']');
      return { kind: 'tuple', items, openRange: this.range(open), range: this.tokensRange(open, close) };
    } finally {
      this.newlines.pop();
    }
  }

  #object(): Expression {
    const open = this.read();
    // Inside braces a line break separates items; but a `for` ignores them.
    this.newlines.push(false);
    const isFor = this.peek().type === 'identifier' && this.text(this.peek()) === 'for' && this.peek(1).type === 'identifier';
    if (isFor) {
      const e = this.#for(open, '}');
      this.newlines.pop();
      return e;
    }
    this.newlines.pop();
    this.newlines.push(true);
    const items: ObjectItem[] = [];
    let close = open;
    const fail = (summary: string, detail: string, token: Token): void => {
      if (!this.recovering) this.error(summary, detail, this.range(token));
      this.recovering = true;
      close = this.tokens[this.at - 1]!;
    };
    for (;;) {
      const next = this.peek();
      if (next.type === 'newline') {
        this.read();
        continue;
      }
      if (next.type === '}') {
        close = this.read();
        break;
      }
      const key = this.expression();
      if (this.recovering) {
        close = this.tokens[this.at - 1]!;
        break;
      }
      const equals = this.peek();
      if (equals.type !== '=' && equals.type !== ':') {
        if (equals.type === 'newline' || equals.type === ',') {
          fail('Missing attribute value', 'Expected an attribute value, introduced by an equals sign ("=").', equals);
        } else {
          const advice =
            equals.type === 'identifier'
              ? ' If you intended to given an attribute name containing periods or spaces, write the name in quotes to create a string literal.'
              : '';
          fail(
            'Missing key/value separator',
            `Expected an equals sign ("=") to mark the beginning of the attribute value.${advice}`,
            equals,
          );
        }
        break;
      }
      this.read();
      const value = this.expression();
      items.push({ key, bareKey: key.kind === 'variable' && key.steps.length === 0, value });
      if (this.recovering) {
        close = this.tokens[this.at - 1]!;
        break;
      }
      const separator = this.peek();
      if (separator.type === '}') {
        close = this.read();
        break;
      }
      if (separator.type === ',' || separator.type === 'newline') {
        this.read();
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
    if (this.recovering) this.skipBracket('}');
    this.newlines.pop();
    return { kind: 'object', items, openRange: this.range(open), range: this.tokensRange(open, close) };
  }

  #for(open: Token, end: ']' | '}'): Expression {
    this.read();
    const broken = (): Expression => {
      this.recovering = true;
      const last = this.tokens[Math.max(0, this.at - 1)]!;
      return { kind: 'literal', value: UNKNOWN, range: this.tokensRange(open, last) };
    };
    const fail = (detail: string, token: Token, summary = "Invalid 'for' expression"): Expression => {
      if (!this.recovering) this.error(summary, detail, this.range(token));
      return broken();
    };
    const first = this.peek();
    if (first.type !== 'identifier') return fail("For expression requires variable name after 'for'.", first);
    this.read();
    let keyName: string | undefined;
    let valueName = this.text(first);
    if (this.peek().type === ',') {
      this.read();
      const second = this.peek();
      if (second.type !== 'identifier') return fail('For expression requires value variable name after comma.', second);
      this.read();
      keyName = valueName;
      valueName = this.text(second);
    }
    const inWord = this.peek();
    if (inWord.type !== 'identifier' || this.text(inWord) !== 'in') {
      return fail("For expression requires the 'in' keyword after its name declarations.", inWord);
    }
    this.read();
    const collection = this.expression();
    if (this.recovering) return broken();
    const colon = this.peek();
    if (colon.type !== ':') return fail('For expression requires a colon after the collection expression.', colon);
    this.read();
    let value = this.expression();
    let key: Expression | undefined;
    if (this.recovering) return broken();
    if (this.peek().type === '=>') {
      const arrow = this.read();
      if (end === ']') {
        return fail('Key expression is not valid when building a tuple.', arrow);
      }
      key = value;
      value = this.expression();
    } else if (end === '}') {
      return fail('Key expression is required when building an object.', this.peek());
    }
    let group = false;
    if (this.peek().type === '...') {
      const dots = this.read();
      if (end === ']') return fail('Grouping ellipsis (...) cannot be used when building a tuple.', dots);
      group = true;
    }
    let condition: Expression | undefined;
    const ifWord = this.peek();
    if (ifWord.type === 'identifier' && this.text(ifWord) === 'if') {
      this.read();
      condition = this.expression();
    }
    if (this.recovering) return broken();
    const close = this.peek();
    if (close.type !== end) {
      return fail(`Extra characters after the end of the 'for' expression.`, close);
    }
    this.read();
    return {
      kind: 'for', keyName, valueName, collection, key, value, condition, group, openRange: this.range(open), range: this.tokensRange(open, close),
    }; // prettier-ignore
  }

  // --- templates
}
