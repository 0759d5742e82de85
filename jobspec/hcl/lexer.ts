import type { Range, Source } from './source.ts';

/**
 * Token types. Single characters and operators are their own type; the rest is named. Text inside quotes and heredocs comes as
 * `literal` between `quote-open`/`quote-close` or `heredoc-open`/`heredoc-close`, with `${` and `%{` opening a nested stretch that
 * `template-end` closes.
 */
export type TokenType =
  | '{' | '}' | '[' | ']' | '(' | ')' | '*' | '/' | '+' | '-' | '%' | '&&' | '||' | '!' | '=' | '==' | '!=' | '<' | '<=' | '>' | '>='
  | '?' | ':' | '::' | '...' | '.' | ',' | '=>' | '&' | '|' | '^' | '~' | '**' | ';' | '`' | "'"
  | 'number' | 'identifier' | 'comment' | 'newline' | 'eof' | 'invalid' | 'curly-quote'
  | 'quote-open' | 'quote-close' | 'heredoc-open' | 'heredoc-close' | 'literal' | 'quoted-newline' | '${' | '%{' | 'template-end'; // prettier-ignore

export interface Token {
  readonly type: TokenType;
  readonly start: number;
  readonly end: number;
}

const OPERATORS = ['...', '&&', '||', '==', '!=', '<=', '>=', '=>', '**', '::'] as const;
const SINGLE = "{}[]()*/+-%!=<>?:.,&|^~;`'";

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const NUMBER = /[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const HEREDOC = /<<(-?)([\p{ID_Start}_][\p{ID_Continue}-]*)\r?\n/uy;

type Mode =
  | { readonly kind: 'code'; braces: number; readonly nested: boolean }
  | { readonly kind: 'quote' }
  | { readonly kind: 'heredoc'; readonly marker: string };

/**
 * Splits a text into tokens, comments left out (a line comment still ends its line). Never fails: what cannot be a token
 * comes as `invalid`, an open string ends where the text does, and the parser says so.
 */
export function tokenize(
  source: Source,
  options: { template?: boolean; literalTemplates?: boolean; comments?: boolean } = {},
): Token[] {
  const text = source.text;
  const tokens: Token[] = [];
  const modes: Mode[] = [
    options.template === true ? { kind: 'heredoc', marker: '' } : { kind: 'code', braces: 0, nested: false },
  ];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  const push = (type: TokenType, end: number): void => {
    tokens.push({ type, start: at, end });
    at = end;
  };

  while (at < text.length) {
    const mode = modes[modes.length - 1]!;
    if (mode.kind === 'code') code(mode);
    else template(mode);
  }
  push('eof', at);
  return tokens;

  function comment(end: number): void {
    if (options.comments === true) push('comment', end);
    else at = end;
  }

  function code(mode: Extract<Mode, { kind: 'code' }>): void {
    const c = text[at]!;
    if (c === ' ' || c === '\t') {
      at++;
      return;
    }
    if (c === '\n') return push('newline', at + 1);
    if (c === '\r' && text[at + 1] === '\n') return push('newline', at + 2);
    if (c === '#' || (c === '/' && text[at + 1] === '/')) {
      const end = text.indexOf('\n', at);
      // A comment that is not asked for is part of the end of its line.
      if (options.comments !== true && end !== -1) return push('newline', end + 1);
      comment(end === -1 ? text.length : end);
      return;
    }
    if (c === '/' && text[at + 1] === '*') {
      const end = text.indexOf('*/', at + 2);
      // Without an end it is no comment, but a slash and a star, which nothing takes.
      if (end === -1) return push('/', at + 1);
      comment(end + 2);
      return;
    }
    if (c === '"') {
      push('quote-open', at + 1);
      modes.push({ kind: 'quote' });
      return;
    }
    if (c === '<' && text[at + 1] === '<') {
      HEREDOC.lastIndex = at;
      const match = HEREDOC.exec(text);
      if (match !== null) {
        push('heredoc-open', HEREDOC.lastIndex);
        modes.push({ kind: 'heredoc', marker: match[2]! });
        return;
      }
    }
    if (c === '}' || (c === '~' && text[at + 1] === '}')) {
      if (mode.nested && mode.braces === 0) {
        modes.pop();
        return push('template-end', at + (c === '~' ? 2 : 1));
      }
      if (c === '~') return push('template-end', at + 2);
      mode.braces = Math.max(0, mode.braces - 1);
      return push('}', at + 1);
    }
    if (c >= '0' && c <= '9') {
      NUMBER.lastIndex = at;
      NUMBER.exec(text);
      return push('number', NUMBER.lastIndex);
    }
    IDENTIFIER.lastIndex = at;
    if (IDENTIFIER.exec(text) !== null) return push('identifier', IDENTIFIER.lastIndex);
    for (const operator of OPERATORS) if (text.startsWith(operator, at)) return push(operator, at + operator.length);
    if (SINGLE.includes(c)) {
      if (c === '{') mode.braces++;
      return push(c as TokenType, at + 1);
    }
    if (c === '\u201c' || c === '\u201d' || c === '\u2018' || c === '\u2019') return push('curly-quote', at + 1);
    push('invalid', at + (text.codePointAt(at)! > 0xffff ? 2 : 1));
  }

  function template(mode: Exclude<Mode, { kind: 'code' }>): void {
    const end = endOfLiteral(mode);
    if (end > at) push('literal', end);
    if (at >= text.length) return;
    const c = text[at]!;
    if (mode.kind === 'quote' && c === '"') {
      push('quote-close', at + 1);
      modes.pop();
      return;
    }
    if (mode.kind === 'quote' && (c === '\n' || c === '\r')) {
      push('quoted-newline', at + (c === '\r' && text[at + 1] === '\n' ? 2 : 1));
      // The rest of the file is surely not meant to be in this string, nor in those around it.
      endQuotes();
      tokens.push({ type: 'newline', start: at, end: at });
      return;
    }
    if (mode.kind === 'heredoc' && heredocEnds(mode.marker, at)) {
      let close = at;
      while (text[close] === ' ' || text[close] === '\t') close++;
      push('heredoc-close', close + mode.marker.length);
      modes.pop();
      return;
    }
    if (c === '$' || c === '%') {
      push(c === '$' ? '${' : '%{', at + (text[at + 2] === '~' ? 3 : 2));
      modes.push({ kind: 'code', braces: 0, nested: true });
    }
  }

  /** Leaves the string we are in and every interpolation and string around it, up to the text of a heredoc or plain code. */
  function endQuotes(): void {
    for (;;) {
      const mode = modes[modes.length - 1]!;
      if (mode.kind === 'heredoc' || (mode.kind === 'code' && !mode.nested)) return;
      // An interpolation of a heredoc may hold several lines.
      if (mode.kind === 'code' && modes[modes.length - 2]?.kind !== 'quote') return;
      modes.pop();
      tokens.push({ type: mode.kind === 'quote' ? 'quote-close' : 'template-end', start: at, end: at });
    }
  }

  /** Where the literal text that starts here ends: at the closing mark, an interpolation, or (in a heredoc) after the line break. */
  function endOfLiteral(mode: Exclude<Mode, { kind: 'code' }>): number {
    let i = at;
    if (mode.kind === 'heredoc' && lineStart(i) && heredocEnds(mode.marker, i)) return i;
    while (i < text.length) {
      const c = text[i]!;
      if (mode.kind === 'quote') {
        if (c === '"' || c === '\n' || (c === '\r' && text[i + 1] === '\n')) return i;
        if (c === '\\') {
          const next = text[i + 1];
          i += next === undefined || next === '\n' ? 1 : 2;
          continue;
        }
      } else if (c === '\n') return i + 1;
      if ((c === '$' || c === '%') && options.literalTemplates !== true) {
        if (text[i + 1] === c && text[i + 2] === '{') {
          i += 3;
          continue;
        }
        if (text[i + 1] === '{') return i;
      } else if (c === '$' && text[i + 1] === '{' && options.literalTemplates === true && mode.kind === 'quote') {
        // The older grammar: an interpolation is text, but quotes inside it do not end the string.
        i = endOfLiteralInterpolation(i + 2);
        continue;
      }
      i++;
    }
    return i;
  }

  function endOfLiteralInterpolation(from: number): number {
    let depth = 1;
    let i = from;
    for (; i < text.length && depth > 0 && text[i] !== '\n'; i++) {
      if (text[i] === '{') depth++;
      else if (text[i] === '}') depth--;
    }
    return i;
  }

  function lineStart(i: number): boolean {
    return i === 0 || text[i - 1] === '\n';
  }

  function heredocEnds(marker: string, i: number): boolean {
    if (marker === '' || !lineStart(i)) return false;
    let j = i;
    while (text[j] === ' ' || text[j] === '\t') j++;
    if (!text.startsWith(marker, j)) return false;
    j += marker.length;
    while (text[j] === ' ' || text[j] === '\t') j++;
    return j >= text.length || text[j] === '\n' || (text[j] === '\r' && text[j + 1] === '\n');
  }
}

export function tokenRange(source: Source, token: Token): Range {
  return { source, start: token.start, end: token.end };
}
