import type { Body, Expression } from './ast.ts';
import { BodyParser } from './body-parser.ts';
import type { Diagnostics } from './diagnostic.ts';
import { tokenize } from './lexer.ts';
import type { Source } from './source.ts';

export interface Parsed {
  readonly source: Source;
  readonly body: Body;
  readonly diagnostics: Diagnostics;
  /** Whether braces do not match: then it is unsure which block anything is in, and what is in it is better not judged. */
  readonly structureBroken?: boolean;
}

/**
 * Parses a file of HCL's native syntax. Always gives a body: where the text is broken the parser says so once, skips to the end of that line or
 * block and goes on, so that one run finds all mistakes.
 */
export function parseHclBody(source: Source, options: { literalTemplates?: boolean } = {}): Parsed {
  const parser = new BodyParser(source, tokenize(source, options), options.literalTemplates === true);
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
