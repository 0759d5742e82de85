import { nearest } from '../../base/index.ts';
import type { Expression } from './ast.ts';
import type { Token } from './lexer.ts';
import { formatRange, type Range } from './source.ts';
import { TokenStream } from './token-stream.ts';
import { string } from './value.ts';

/** Strings and heredocs: text with `${…}` and `%{…}` in it. */
export abstract class TemplateParser extends TokenStream {
  protected abstract expression(): Expression;

  protected templateUntil(end: 'quote-close' | 'heredoc-close' | 'eof', open: Token, flush: boolean): { expression: Expression } {
    const parts = this.#templateParts(end);
    const close = this.tokens[this.at - 1] ?? open;
    if (flush) removeIndent(parts);
    trimMarked(parts);
    const range: Range = { source: this.source, start: open.start, end: Math.max(close.end, open.end) };
    const reader = new TemplateReader(parts, (summary, detail, at) => this.error(summary, detail, at), this.range(close));
    const expressions = reader.until([]);
    if (expressions.length === 1 && expressions[0]!.kind !== 'literal') {
      const only = parts[0]!;
      if (only.kind === 'expression') return { expression: { kind: 'wrap', inner: expressions[0]!, range } };
    }
    if (expressions.length === 0) {
      const at: Range = { source: this.source, start: open.end, end: open.end };
      return { expression: { kind: 'template', parts: [{ kind: 'literal', value: string(''), range: at }], range } };
    }
    return { expression: { kind: 'template', parts: mergeLiterals(expressions), range } };
  }

  #templateParts(end: 'quote-close' | 'heredoc-close' | 'eof'): TemplatePart[] {
    const parts: TemplatePart[] = [];
    for (;;) {
      const token = this.rawRead();
      if (token.type === end) return parts;
      switch (token.type) {
        case 'literal':
          parts.push({
            kind: 'text',
            text: this.unescape(token, end === 'quote-close'),
            range: this.range(token),
            trimStart: false,
            trimEnd: false,
          });
          break;
        case 'quoted-newline':
          this.recovering = true; // reported with the other bad tokens
          break;
        case '${': {
          this.newlines.push(false);
          const expression = this.expression();
          const close = this.peek();
          if (close.type === 'template-end') this.read();
          else this.#badSequence(token, close, 'interpolation');
          this.newlines.pop();
          parts.push({
            kind: 'expression',
            expression,
            before: this.#trims(token),
            after: this.#trimsAfter(close),
            range: this.tokensRange(token, close),
          });
          break;
        }
        case '%{':
          parts.push(this.#directive(token));
          break;
        default:
          this.at--;
          if (!this.recovering || token.type === 'eof') {
            const range: Range = { source: this.source, start: token.start, end: token.start };
            this.error('Unterminated template string', 'No closing marker was found for the string.', range);
          }
          this.recovering = true;
          return parts;
      }
    }
  }

  #badSequence(open: Token, found: Token, what: string): void {
    if (!this.recovering) {
      if (found.type === 'eof') {
        this.error(
          `Unclosed template ${what} sequence`,
          `There is no closing brace for this ${what} sequence before the end of the file. This might be caused by incorrect nesting inside the given expression.`,
          this.range(open),
        );
      } else if (found.type === 'quote-open' || found.type === 'quote-close') {
        this.error(
          `Unclosed template ${what} sequence`,
          `There is no closing brace for this ${what} sequence before the end of the quoted template. This might be caused by incorrect nesting inside the given expression.`,
          this.range(open),
        );
      } else if (found.type === ':') {
        this.error(
          'Extra characters after interpolation expression',
          'Template interpolation doesn\'t expect a colon at this location. Did you intend this to be a literal sequence to be processed as part of another language? If so, you can escape it by starting with "$${" instead of just "${".',
          this.range(found),
        );
      } else {
        this.error(
          'Extra characters after interpolation expression',
          'Expected a closing brace to end the interpolation expression, but found extra characters.\n\nThis can happen when you include interpolation syntax for another language, such as shell scripting, but forget to escape the interpolation start token. If this is an embedded sequence for another language, escape it by starting with "$${" instead of just "${".',
          this.range(found),
        );
      }
    }
    this.recovering = true;
    this.skipPast('template-end');
  }

  #directive(open: Token): TemplatePart {
    this.newlines.push(false);
    const word = this.peek();
    const name = word.type === 'identifier' ? this.text(word) : '';
    const before = this.#trims(open);
    let part: TemplatePart;
    const finish = (make: (after: boolean, range: Range) => TemplatePart): TemplatePart => {
      const close = this.peek();
      if (close.type === 'template-end') this.read();
      else this.#badSequence(open, close, 'control');
      return make(this.#trimsAfter(close), this.tokensRange(open, close));
    };
    if (name === 'if') {
      this.read();
      const condition = this.expression();
      part = finish((after, range) => ({ kind: 'if', condition, before, after, range }));
    } else if (name === 'else' || name === 'endif' || name === 'endfor') {
      this.read();
      part = finish((after, range) => ({ kind: name, before, after, range }));
    } else if (name === 'for') {
      this.read();
      part = this.#forDirective(open, before, finish);
    } else {
      if (!this.recovering) {
        const near = nearest(name, ['if', 'for', 'else', 'endif', 'endfor']);
        const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
        this.error(
          word.type === 'identifier' ? 'Invalid template control keyword' : 'Invalid template directive',
          word.type === 'identifier'
            ? `${JSON.stringify(name)} is not a valid template control keyword.${hint}`
            : 'A template directive keyword ("if", "for", etc) is expected at the beginning of a %{ sequence.',
          this.range(word),
        );
      }
      this.recovering = true;
      this.skipPast('template-end');
      part = { kind: 'text', text: '', range: this.range(open), trimStart: false, trimEnd: false };
    }
    this.newlines.pop();
    return part;
  }

  #forDirective(
    open: Token,
    before: boolean,
    finish: (make: (after: boolean, range: Range) => TemplatePart) => TemplatePart,
  ): TemplatePart {
    const nothing: TemplatePart = { kind: 'text', text: '', range: this.range(open), trimStart: false, trimEnd: false };
    const fail = (detail: string, token: Token): TemplatePart => {
      if (!this.recovering) this.error(`Invalid 'for' directive`, detail, this.range(token));
      this.recovering = true;
      this.skipPast('template-end');
      return nothing;
    };
    const first = this.peek();
    if (first.type !== 'identifier') return fail("For directive requires variable name after 'for'.", first);
    this.read();
    let keyName: string | undefined;
    let valueName = this.text(first);
    if (this.peek().type === ',') {
      this.read();
      const second = this.peek();
      if (second.type !== 'identifier') return fail('For directive requires value variable name after comma.', second);
      this.read();
      keyName = valueName;
      valueName = this.text(second);
    }
    const inWord = this.peek();
    if (inWord.type !== 'identifier' || this.text(inWord) !== 'in')
      return fail("For directive requires 'in' keyword after names.", inWord);
    this.read();
    const collection = this.expression();
    return finish((after, range) => ({ kind: 'for', keyName, valueName, collection, before, after, range }));
  }

  #trims(open: Token): boolean {
    return this.source.text[open.end - 1] === '~';
  }

  #trimsAfter(close: Token): boolean {
    return close.type === 'template-end' && this.source.text[close.start] === '~';
  }

  protected unescape(token: Token, quoted: boolean): string {
    const raw = this.text(token);
    if (this.literalTemplates ? !raw.includes('\\') : !/[\\$%]/.test(raw)) return raw;
    let out = '';
    for (let i = 0; i < raw.length; i++) {
      const c = raw[i]!;
      if ((c === '$' || c === '%') && !this.literalTemplates && raw[i + 1] === c && raw[i + 2] === '{') {
        out += `${c}{`;
        i += 2;
        continue;
      }
      if (c !== '\\' || !quoted) {
        out += c;
        continue;
      }
      const next = raw[++i];
      const at: Range = { source: this.source, start: token.start + i - 1, end: token.start + i + 1 };
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
}

/** A directive that needs an end. */
type Opened = Extract<TemplatePart, { kind: 'if' | 'for' }>;

function unexpected(found: 'else' | 'endif' | 'endfor', { kind }: Opened, opened: string): string {
  if (kind === 'if') {
    return found === 'else'
      ? `Already in the else clause for the if started at ${opened}.`
      : `Expecting an endif directive for the if started at ${opened}.`;
  }
  return found === 'else'
    ? 'An else clause is not expected for a for directive.'
    : `Expecting an endfor directive corresponding to the for directive at ${opened}.`;
}

type Report = (summary: string, detail: string, range: Range) => void;

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
  readonly #report: Report;
  /** What ends the template. */
  readonly #end: Range;
  #at = 0;
  /** The directive that ended the last `until`. */
  #ended: TemplatePart | undefined;

  constructor(parts: readonly TemplatePart[], report: Report, end: Range) {
    this.#parts = parts;
    this.#report = report;
    this.#end = end;
  }

  until(ends: readonly TemplatePart['kind'][], within?: Opened): Expression[] {
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
          this.#report(
            `Unexpected ${part.kind} directive`,
            within === undefined
              ? 'The control directives within this template are unbalanced.'
              : unexpected(part.kind, within, formatRange(within.range)),
            part.range,
          );
        }
      }
    }
    return out;
  }

  #if(open: Extract<TemplatePart, { kind: 'if' }>): Expression {
    const yes = this.until(['else', 'endif'], open);
    let ended = this.#ended;
    let no: Expression[] = [];
    if (ended?.kind === 'else') {
      no = this.until(['endif'], open);
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
    const inner = this.until(['endfor'], open);
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
    this.#report('Unexpected end of template', detail, this.#end);
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
