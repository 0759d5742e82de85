import { Diagnostics } from './diagnostic.ts';
import { tokenRange, type Token, type TokenType } from './lexer.ts';
import type { Range, Source } from './source.ts';
import { UNKNOWN } from './value.ts';
import type { Expression } from './ast.ts';

/** How deep brackets, blocks and operators may nest; deeper texts are refused rather than overflowing the stack. */
export const MAX_DEPTH = 200;

const CLOSER: Partial<Record<TokenType, TokenType>> = {
  '{': '}', '[': ']', '(': ')', 'quote-open': 'quote-close', 'heredoc-open': 'heredoc-close', '${': 'template-end', '%{': 'template-end',
}; // prettier-ignore

/**
 * The tokens of a text with a place in them, and how to get on after a mistake. The parser is this in three layers: templates, expressions, bodies, each
 * of which builds on the one before.
 */
export abstract class TokenStream {
  readonly diagnostics = new Diagnostics();
  protected readonly source: Source;
  protected readonly tokens: readonly Token[];
  protected readonly literalTemplates: boolean;
  protected at = 0;
  protected depth = 0;
  /** Whether line breaks count where we are; inside parentheses, lists and interpolations they do not. */
  protected readonly newlines: boolean[] = [true];
  /** Set while skipping over something broken: what follows from it is not reported. */
  protected recovering = false;
  #told = -1;

  constructor(source: Source, tokens: readonly Token[], literalTemplates: boolean) {
    this.source = source;
    this.tokens = tokens;
    this.literalTemplates = literalTemplates;
    this.#checkTokens();
  }

  protected peek(ahead = 0): Token {
    let i = this.at;
    const newlines = this.newlines[this.newlines.length - 1]!;
    let left = ahead;
    for (;;) {
      const token = this.tokens[i] ?? this.tokens[this.tokens.length - 1]!;
      if (token.type === 'newline' && !newlines) {
        i++;
        continue;
      }
      if (left-- === 0 || token.type === 'eof') return token;
      i++;
    }
  }

  protected read(): Token {
    const newlines = this.newlines[this.newlines.length - 1]!;
    while (!newlines && this.tokens[this.at]?.type === 'newline') this.at++;
    return this.rawRead();
  }

  protected rawRead(): Token {
    const token = this.tokens[this.at] ?? this.tokens[this.tokens.length - 1]!;
    if (this.at < this.tokens.length - 1) this.at++;
    else this.at = this.tokens.length;
    return token;
  }

  /** Skips to the end of the line (of the brackets that open on it, too), where parsing can take up again. */
  protected recoverLine(oneLine = false): void {
    const open: TokenType[] = [];
    for (;;) {
      const token = this.tokens[this.at];
      if (token === undefined || token.type === 'eof') {
        this.recovering = true;
        return;
      }
      if (open.length === 0) {
        if (token.type === 'newline') {
          if (!oneLine) this.at++;
          break;
        }
        if (token.type === '}' && (oneLine || this.#closesOwnLine())) break;
      }
      this.at++;
      const closer = CLOSER[token.type];
      if (closer !== undefined) open.push(closer);
      else if (open.includes(token.type)) {
        while (open.pop() !== token.type);
      }
    }
    this.recovering = false;
  }

  /** Whether the brace we stand at is the first thing on its line: then it ends the block around the broken line. */
  #closesOwnLine(): boolean {
    const before = this.tokens[this.at - 1];
    return before === undefined || before.type === 'newline';
  }

  /**
   * After a mistake between brackets, moves behind the closing one, so that the lines up to it are not taken for arguments. Gives up (and stays)
   * where it seems to be missing: at the end of the file, at a brace that closes something else, or at a line that looks like an argument.
   */
  protected skipBracket(end: ']' | ')' | '}'): void {
    const open: TokenType[] = [];
    for (let i = this.at; i < this.tokens.length; i++) {
      const token = this.tokens[i]!;
      if (open.length === 0) {
        if (token.type === end) {
          this.at = i + 1;
          return;
        }
        if (token.type === '}') return;
        const next = this.tokens[i + 1]?.type;
        if (
          end !== '}' &&
          token.type === 'identifier' &&
          this.tokens[i - 1]?.type === 'newline' &&
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

  protected skipPast(end: TokenType): void {
    const open: TokenType[] = [];
    for (;;) {
      const token = this.tokens[this.at];
      if (token === undefined || token.type === 'eof') return;
      if (open.length === 0 && token.type === end) {
        this.at++;
        return;
      }
      if (open.length === 0 && (token.type === 'quote-close' || token.type === 'heredoc-close')) return;
      this.at++;
      const closer = CLOSER[token.type];
      if (closer !== undefined) open.push(closer);
      else if (open.includes(token.type)) {
        while (open.pop() !== token.type);
      }
    }
  }

  protected text(token: Token): string {
    const text = this.source.text.slice(token.start, token.end);
    return token.type === 'identifier' && text[0] === '"' ? text.slice(1, -1) : text; // where names may be quoted
  }

  protected range(token: Token): Range {
    return tokenRange(this.source, token);
  }

  protected tokensRange(from: Token, to: Token): Range {
    return { source: this.source, start: from.start, end: Math.max(from.end, to.end) };
  }

  protected span(from: Range, to: Range): Range {
    return { source: this.source, start: from.start, end: Math.max(from.end, to.end) };
  }

  /** Tells a mistake, unless one was told for this very place: then it only follows from that. */
  protected error(summary: string, detail: string, range: Range, note?: string): void {
    if (range.start === this.#told) return;
    this.#told = range.start;
    this.diagnostics.error(summary, detail, range, { note });
  }

  protected tooDeep(): Expression {
    const token = this.peek();
    this.error('Expression nested too deeply', `Expressions may be nested ${MAX_DEPTH} deep.`, this.range(token));
    this.recovering = true;
    this.at = this.tokens.length - 1;
    return { kind: 'literal', value: UNKNOWN, range: this.range(token) };
  }

  /** Characters that no grammar rule takes get a word of their own, once per kind. */
  #checkTokens(): void {
    const told = new Set<TokenType>();
    for (const token of this.tokens) {
      const message = badToken(token.type);
      if (message === undefined || told.has(token.type)) continue;
      if (token.type !== 'quoted-newline' && token.type !== 'curly-quote') told.add(token.type);
      let { end } = token;
      while (token.type === 'quoted-newline' && this.source.text[end] === '\n') end++;
      this.diagnostics.error(message[0], message[1], { source: this.source, start: token.start, end });
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
