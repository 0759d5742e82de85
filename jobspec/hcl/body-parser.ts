import type { Attribute, Block, Body, Label } from './ast.ts';
import { ExpressionParser } from './expression-parser.ts';
import type { Token } from './lexer.ts';
import type { Range } from './source.ts';
import { MAX_DEPTH } from './token-stream.ts';

/** A block whose closing brace is indented otherwise than the block: probably a brace is missing, or one too many, in it. */
interface Misaligned {
  readonly type: string;
  readonly line: number;
  readonly closedIn: number;
}

/** Arguments and blocks. */
export class BodyParser extends ExpressionParser {
  #misaligned: Misaligned | undefined;
  #structureBroken = false;

  /** Whether braces do not match, so that nobody can tell which block something is in. */
  get structureBroken(): boolean {
    return this.#structureBroken;
  }

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
        if (!this.recovering && !this.#structureBroken) {
          this.error(
            'Argument or block definition required',
            'An argument or block definition is required here.',
            { source: this.source, start: next.start, end: next.end },
            this.#unclosedNote(open),
          );
        }
        this.#structureBroken = true;
        this.recovering = true;
        last = next;
        break;
      }
      if (next.type === 'quote-open') {
        this.error('Invalid argument name', 'Argument names must not be quoted.', this.range(next));
      } else if (next.type === '}') {
        if (!this.#structureBroken) {
          this.error(
            'Argument or block definition required',
            'An argument or block definition is required here.',
            this.range(next),
            this.#strayNote(),
          );
        }
        this.#structureBroken = true;
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

  #unclosedNote(open: Token): string {
    const guess = this.#misaligned;
    if (guess === undefined) return `The block that opens in line ${this.source.position(open.start).line} has no closing brace.`;
    return `The closing brace of the ${guess.type} block in line ${guess.line} seems to be missing: the one in line ${guess.closedIn} is indented otherwise.`;
  }

  #strayNote(): string {
    const guess = this.#misaligned;
    if (guess === undefined) return 'No block is open here: this brace is one too many.';
    return `No block is open here. The brace in line ${guess.closedIn}, which closes the ${guess.type} block of line ${guess.line}, is indented otherwise.`;
  }

  /** Remembers the first block whose closing brace does not stand below it. */
  #checkAlignment(type: Token, end: number): void {
    const opening = this.#indent(type.start);
    const closing = this.source.text[end - 1] === '}' ? this.#indent(end - 1) : undefined;
    if (opening === undefined || closing === undefined || opening === closing) return;
    this.#misaligned ??= {
      type: this.text(type),
      line: this.source.position(type.start).line,
      closedIn: this.source.position(end - 1).line,
    };
  }

  /** The white space in front of the first thing on a line. */
  #indent(offset: number): string | undefined {
    const start = this.source.text.lastIndexOf('\n', offset - 1) + 1;
    const before = this.source.text.slice(start, offset);
    return before.trim() === '' ? before : undefined;
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
        // What follows is surely meant to be the block's content.
        if (this.peek(1).type === '{') {
          this.read();
          break;
        }
      } else if (next.type === 'newline') {
        this.error(
          'Invalid block definition',
          'A block definition must have block content delimited by "{" and "}", starting on the same line as the block header.',
          this.range(next),
        );
        let ahead = 1;
        while (this.peek(ahead).type === 'newline') ahead++;
        if (this.peek(ahead).type === '{') {
          while (this.peek().type === 'newline') this.read();
          break;
        }
        if (!this.#contentFollows(type, this.peek(ahead))) {
          this.recoverLine();
          return undefined;
        }
        this.#structureBroken = true;
        return this.#blockBody(type, labels, last, last);
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
    return this.#blockBody(type, labels, last, this.read());
  }

  /** Whether the lines below a header without a brace look like its content: they are indented further. */
  #contentFollows(type: Token, next: Token): boolean {
    const [outer, inner] = [this.#indent(type.start), this.#indent(next.start)];
    return next.type === 'identifier' && outer !== undefined && inner !== undefined && inner.length > outer.length;
  }

  #blockBody(type: Token, labels: readonly Label[], last: Token, open: Token): Block | undefined {
    const headRange: Range = { source: this.source, start: type.start, end: last.end };
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
    this.#checkAlignment(type, body.range.end);

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
