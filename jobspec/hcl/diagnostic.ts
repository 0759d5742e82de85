import { escapeControls } from '../../base/index.ts';
import { formatRange, type Range } from './source.ts';

/** One thing that is wrong (or odd) in a file, in words and with its place. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly summary: string;
  readonly detail: string;
  /** Absent when the problem has no place, as a missing variable. */
  readonly range?: Range | undefined;
  /** What stands for a place where there is none in a file: `-var nope`. */
  readonly origin?: string | undefined;
  /** Set when another diagnostic names the cause and this one merely follows from it. */
  readonly consequence?: boolean;
  /** The message as it stands, where users know it without place and summary. */
  readonly text?: string;
  /** What may help, shown below the line of text: where a missing brace probably belongs. */
  readonly note?: string | undefined;
}

/** Collects what is wrong; evaluation and decoding go on after a problem so that all are found at once. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];

  error(
    summary: string,
    detail: string,
    range?: Range,
    options: { consequence?: boolean; note?: string | undefined; origin?: string } = {},
  ): void {
    this.list.push({ severity: 'error', summary, detail, range, ...options });
  }

  warning(summary: string, detail: string, range?: Range, options: { note?: string | undefined; origin?: string } = {}): void {
    this.list.push({ severity: 'warning', summary, detail, range, ...options });
  }

  add(more: Iterable<Diagnostic>): void {
    for (const d of more) this.list.push(d);
  }

  get failed(): boolean {
    return this.list.some((d) => d.severity === 'error');
  }
}

/** A file that cannot be used; `diagnostics` holds everything that is wrong with it. */
export class DiagnosticsError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(formatDiagnostics(diagnostics));
    this.name = 'DiagnosticsError';
    this.diagnostics = diagnostics;
  }
}

/** One line: `job.nomad:3,10-19: Summary; Detail`. */
export function formatDiagnosticLine(d: Diagnostic): string {
  return escapeControls(d.text ?? `${formatRange(d.range)}: ${d.summary}; ${d.detail}`);
}

export interface FormatOptions {
  readonly colors?: boolean;
}

/**
 * The form for people: what Nomad says, and below it the line with a caret.
 *
 * ```text
 * job.nomad:6,7-11: Unsupported argument; An argument named "nmae" is not expected here. Did you mean "name"?
 *   6 |       nmae = "x"
 *     |       ^^^^
 * ```
 */
export function formatDiagnostic(d: Diagnostic): string {
  return render(d, {});
}

function render(d: Diagnostic, { colors = false }: FormatOptions): string {
  const paint = (code: number, text: string): string => (colors ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = hasPlace(d) ? formatDiagnosticLine(d) : escapeControls(withoutPlace(d));
  const lines = [paint(1, d.severity === 'warning' ? `warning: ${line}` : line)];
  // What only follows from another problem would show the same line once more.
  if (d.consequence !== true && d.range !== undefined && d.range.start >= 0)
    lines.push(...excerpt(d.range, d.note, (text) => paint(31, text)));
  return lines.join('\n');
}

const hasPlace = (d: Diagnostic): boolean => d.text !== undefined || d.range !== undefined;

/** Nomad writes `<nil>` for the place, which tells nobody anything. */
const withoutPlace = ({ origin, summary, detail, note }: Diagnostic): string =>
  `${origin === undefined ? '' : `${origin}: `}${summary}; ${detail}${note === undefined ? '' : `\n  ${note}`}`;

/** Everything that is wrong, in the order in which it was found. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: FormatOptions = {}): string {
  return diagnostics.map((d) => render(d, options)).join('\n');
}

const MAX_EXCERPT = 160;

function excerpt(range: Range, note: string | undefined, paint: (text: string) => string): string[] {
  const start = range.source.position(range.start);
  const end = range.source.position(range.end);
  const full = range.source.line(start.line);
  const shift = start.column > MAX_EXCERPT - 40 ? start.column - 40 : 0;
  // One sign stands for each control character, so that the caret stays below what it means.
  const text = full.slice(shift, shift + MAX_EXCERPT).replace(/[^\P{C}\t]/gu, '\ufffd');
  const from = start.column - 1 - shift;
  const to = end.line === start.line ? end.column - 1 - shift : text.length;
  const width = Math.max(1, Math.min(to, text.length) - from);
  const number = String(start.line);
  const pad = text.slice(0, from).replace(/[^\t]/g, ' ');
  const margin = `  ${' '.repeat(number.length)} | `;
  const caret = `${margin}${pad}${paint('^'.repeat(width))}`;
  return [`  ${number} | ${text}`, caret, ...(note === undefined ? [] : [`${margin}${escapeControls(note)}`])];
}
