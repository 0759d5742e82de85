/**
 * The language HCL, without any idea of what is configured in it: `parseHclBody` gives the syntax tree (and goes on after mistakes, so that all are
 * found), `evaluate` works an expression out. Agents read their configuration with just these two.
 */
export type { Attribute, Block, Body as HclBody, Expression } from './ast.ts';
export {
  Diagnostics,
  DiagnosticsError,
  formatDiagnostic,
  formatDiagnosticLine,
  formatDiagnostics,
  type Diagnostic,
} from './diagnostic.ts';
export { evaluate, type HclFunction, type Scope } from './evaluate.ts';
export { standardFunctions } from './functions/index.ts';
export { jsonData, parseJson, type JsonNode } from './json.ts';
export { parseHclBody, parseHclExpression } from './parser.ts';
export { formatPosition, formatRange, Source, type Position, type Range } from './source.ts';
export { toPlain, type Plain, type Value } from './value.ts';
