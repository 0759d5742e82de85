import type { Body, Expression } from './ast.ts';
import { BodyParser } from './body-parser.ts';
import type { Diagnostics } from './diagnostic.ts';
import { tokenize, type Token } from './lexer.ts';
import type { Source } from './source.ts';

export interface Parsed {
  readonly source: Source;
  readonly body: Body;
  readonly diagnostics: Diagnostics;
  /** Whether braces do not match: then it is unsure which block anything is in, and what is in it is better not judged. */
  readonly structureBroken?: boolean;
}

interface ParseOptions {
  /** `${…}` in a text is text, as in HCL 1. */
  readonly literalTemplates?: boolean;
  /** Names of arguments and blocks may be quoted, as in HCL 1. */
  readonly quotedNames?: boolean;
}

/**
 * Parses a file of HCL's native syntax. Always gives a body: where the text is broken the parser says so once, skips to the end of that line or
 * block and goes on, so that one run finds all mistakes.
 */
export function parseHclBody(source: Source, options: ParseOptions = {}): Parsed {
  const tokens = tokenize(source, options);
  const names = options.quotedNames === true ? nameTokens(tokens, source.text) : tokens;
  const parser = new BodyParser(source, names, options.literalTemplates === true);
  const body = parser.file();
  return { source, body, diagnostics: parser.diagnostics, structureBroken: parser.structureBroken };
}

/** Parses one expression, as the value of `-var name=…`. */
export function parseHclExpression(source: Source): { expression: Expression; diagnostics: Diagnostics } {
  const parser = new BodyParser(source, tokenize(source), false);
  return { expression: parser.soleExpression(), diagnostics: parser.diagnostics };
}

/** Parses a text in which `${…}` and `%{…}` count, without quotes around it, as templatefile's argument. */
export function parseHclTemplate(source: Source): { expression: Expression; diagnostics: Diagnostics } {
  const parser = new BodyParser(source, tokenize(source, { template: true }), false);
  return { expression: parser.soleTemplate(), diagnostics: parser.diagnostics };
}

/** What follows a name, and no text in a list. */
const NAMED: ReadonlySet<string> = new Set(['=', '{', 'quote-open']);

/** Makes one name of a plain text in quotes that begins a line, or what is in a brace. */
function nameTokens(tokens: readonly Token[], text: string): Token[] {
  const names: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const [token, literal, close] = [tokens[i]!, tokens[i + 1], tokens[i + 2]];
    const before = names.at(-1)?.type ?? 'newline';
    const isName =
      token.type === 'quote-open' &&
      literal?.type === 'literal' &&
      close?.type === 'quote-close' &&
      (before === 'newline' || before === '{') &&
      NAMED.has(tokens[i + 3]?.type ?? 'eof') &&
      !text.slice(literal.start, literal.end).includes('\\');
    names.push(isName ? { ...token, type: 'identifier', end: close.end } : token);
    if (isName) i += 2;
  }
  return names;
}
