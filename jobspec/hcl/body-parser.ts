import type { Attribute, Block, Body, Label } from './ast.ts';
import { ExpressionParser } from './expression-parser.ts';
import type { Token } from './lexer.ts';
import type { Range } from './source.ts';
import { MAX_DEPTH } from './token-stream.ts';

/** Arguments and blocks. */
export class BodyParser extends ExpressionParser {
  file(): Body {
    const body = this.#body('eof', this.peek());
    return body;
  }

  #body(end: '}' | 'eof', open: Token): Body {
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    let last = open;
    for (;;) {
      const next = this.peek();
      if (next.type === 'newline') {
        this.read();
        continue;
      }
      if (next.type === end) {
        last = this.read();
        break;
      }
      if (next.type === 'identifier') {
        this.#item(attributes, blocks);
        continue;
      }
      this.read();
      if (next.type === 'eof') {
        if (!this.recovering) {
          const { line, column } = this.source.position(open.start);
          this.error(
            'Argument or block definition required',
            `An argument or block definition is required here. There is no closing brace for the block that opens in line ${line}, column ${column}.`,
            { source: this.source, start: next.start, end: next.end },
          );
        }
        this.recovering = true;
        last = next;
        break;
      }
      if (next.type === 'quote-open') {
        this.error('Invalid argument name', 'Argument names must not be quoted.', this.range(next));
      } else {
        this.error(
          'Argument or block definition required',
          'An argument or block definition is required here.',
          this.range(next),
        );
      }
      // Behind the token that is not understood, which may be a brace that closes nothing.
      this.recoverLine();
    }
    return { attributes, blocks, range: { source: this.source, start: open.start, end: last.end } };
  }

  #item(attributes: Map<string, Attribute>, blocks: Block[]): void {
    const name = this.read();
    const next = this.peek();
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
        this.error(
          'Argument or block definition required',
          'An argument or block definition is required here. To set an argument, use the equals sign "=" to introduce the argument value.',
          this.range(name),
        );
        this.recoverLine();
    }
  }

  #attribute(name: Token, attributes: Map<string, Attribute>, oneLine: boolean): void {
    const equals = this.read();
    const expression = this.expression();
    const text = this.text(name);
    const attribute: Attribute = {
      name: text,
      nameRange: this.range(name),
      expression,
      range: { source: this.source, start: name.start, end: Math.max(expression.range.end, equals.end) },
    };
    const earlier = attributes.get(text);
    if (earlier !== undefined) {
      const place = this.source.position(earlier.nameRange.start);
      const where = `${this.source.filename}:${place.line},${place.column}-${place.column + text.length}`;
      this.diagnostics.error(
        'Attribute redefined',
        `The argument ${JSON.stringify(text)} was already set at ${where}. Each argument may be set only once.`,
        attribute.nameRange,
      );
    } else attributes.set(text, attribute);

    if (this.recovering) {
      this.recoverLine(oneLine);
      return;
    }
    const next = this.peek();
    if (oneLine) {
      if (next.type === '}') return;
      if (next.type === ',') {
        this.error(
          'Invalid single-argument block definition',
          'Single-line block syntax can include only one argument definition. To define multiple arguments, use the multi-line block syntax with one argument definition per line.',
          this.range(next),
        );
      } else if (next.type === 'newline' || next.type === 'eof') {
        this.error(
          'Invalid single-argument block definition',
          "An argument definition on the same line as its containing block creates a single-line block definition, which must also be closed on the same line. Place the block's closing brace immediately after the argument definition.",
          this.range(next),
        );
      } else {
        this.error(
          'Invalid single-argument block definition',
          'A single-line block definition must end with a closing brace immediately after its single argument definition.',
          this.range(next),
        );
      }
      this.recoverLine(true);
      return;
    }
    if (next.type === 'newline' || next.type === 'eof') {
      if (next.type === 'newline') this.read();
      return;
    }
    if (next.type === ',') {
      this.error(
        'Unexpected comma after argument',
        'Argument definitions must be separated by newlines, not commas. An argument definition must end with a newline.',
        this.range(next),
      );
    } else {
      this.error('Missing newline after argument', 'An argument definition must end with a newline.', this.range(next));
    }
    this.recoverLine();
  }

  #block(type: Token): Block | undefined {
    const labels: Label[] = [];
    let last = type;
    for (;;) {
      const next = this.peek();
      if (next.type === 'quote-open') {
        const label = this.#quotedLabel();
        last = this.tokens[this.at - 1]!;
        labels.push(label);
        continue;
      }
      if (next.type === 'identifier') {
        this.read();
        last = next;
        labels.push({ value: this.text(next), range: this.range(next) });
        continue;
      }
      if (next.type === '{') break;
      if (next.type === '=') {
        this.error(
          'Invalid block definition',
          'The equals sign "=" indicates an argument definition, and must not be used when defining a block.',
          this.range(next),
        );
      } else if (next.type === 'newline') {
        this.error(
          'Invalid block definition',
          'A block definition must have block content delimited by "{" and "}", starting on the same line as the block header.',
          this.range(next),
        );
      } else {
        this.error(
          'Invalid block definition',
          'Either a quoted string block label or an opening brace ("{") is expected here.',
          this.range(next),
        );
      }
      this.recoverLine();
      return undefined;
    }
    const headRange: Range = { source: this.source, start: type.start, end: last.end };
    const open = this.read();
    const block = (body: Body): Block => ({ type: this.text(type), typeRange: this.range(type), labels, body, headRange });

    if (this.depth >= MAX_DEPTH) {
      this.error('Blocks nested too deeply', `Blocks may be nested ${MAX_DEPTH} deep.`, this.range(type));
      this.at = this.tokens.length - 1;
      return undefined;
    }
    this.depth++;
    this.newlines.push(true);
    const first = this.peek();
    const body =
      first.type === 'newline' || first.type === 'eof' || first.type === '}' ? this.#body('}', open) : this.#oneLineBody(open);
    this.newlines.pop();
    this.depth--;

    const next = this.peek();
    if (next.type === 'newline') this.read();
    else if (next.type !== 'eof') {
      if (!this.recovering) {
        this.error('Missing newline after block definition', 'A block definition must end with a newline.', this.range(next));
      }
      // An enclosing one-line body closes on this line; leave its brace alone.
      if (next.type !== '}') this.recoverLine();
    }
    return block(body);
  }

  #oneLineBody(open: Token): Body {
    const attributes = new Map<string, Attribute>();
    const name = this.read();
    const next = this.peek();
    const close = (): Body => {
      const end = this.peek();
      if (end.type === '}') this.read();
      return { attributes, blocks: [], range: { source: this.source, start: open.start, end: end.end } };
    };
    if (name.type === 'identifier' && next.type === '=') {
      this.#attribute(name, attributes, true);
      return close();
    }
    if (name.type === 'identifier' && (next.type === 'quote-open' || next.type === '{' || next.type === 'identifier')) {
      this.error(
        'Argument definition required',
        `A single-line block definition can contain only a single argument. If you meant to define argument ${JSON.stringify(this.text(name))}, use an equals sign to assign it a value. To define a nested block, place it on a line of its own within its parent block.`,
        { source: this.source, start: name.start, end: next.end },
      );
    } else if (name.type === 'identifier') {
      this.error(
        'Argument or block definition required',
        'An argument or block definition is required here. To set an argument, use the equals sign "=" to introduce the argument value.',
        this.range(name),
      );
    } else {
      this.at--;
      this.error('Argument or block definition required', 'An argument or block definition is required here.', this.range(name));
    }
    this.recoverLine(true);
    return close();
  }

  #quotedLabel(): Label {
    const open = this.read();
    let value = '';
    for (;;) {
      const token = this.read();
      if (token.type === 'quote-close') return { value, range: { source: this.source, start: open.start, end: token.end } };
      if (token.type === 'literal') {
        value += this.unescape(token, true);
        continue;
      }
      if (token.type === '${' || token.type === '%{') {
        this.error(
          `Invalid string literal`,
          `Template sequences are not allowed in this string. To include a literal "${token.type === '${' ? '$' : '%'}", double it (as "${token.type === '${' ? '$$' : '%%'}") to escape it.`,
          this.range(token),
        );
        this.skipPast('quote-close');
        return { value, range: { source: this.source, start: open.start, end: this.tokens[this.at - 1]!.end } };
      }
      if (token.type === 'quoted-newline') {
        this.recovering = true; // reported with the other bad tokens
        continue;
      }
      this.error(
        'Unterminated string literal',
        'Unable to find the closing quote mark before the end of the file.',
        this.range(token),
      );
      this.at--;
      return { value, range: { source: this.source, start: open.start, end: token.end } };
    }
  }

  // --- expressions
}
