import type { Diagnostic } from '../hcl/diagnostic.ts';
import { tokenize, type Token, type TokenType } from '../hcl/lexer.ts';
import { parseHclBody } from '../hcl/parser.ts';
import { Source } from '../hcl/source.ts';

/** Formats a file, unless it is broken. */
export function formatHclFile(file: {
  readonly text: string;
  readonly filename: string;
}): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] } {
  const { diagnostics } = parseHclBody(new Source(file.text, file.filename));
  return diagnostics.failed ? { ok: false, diagnostics: diagnostics.list } : { ok: true, text: formatHclText(file.text) };
}

/**
 * Formats HCL as `fmt` does: two blanks per level, one blank around operators, the equals signs of consecutive arguments in one column, and so the
 * comments at their ends. Line breaks stay where they are; strings and heredocs are not touched. Formatting twice changes nothing more.
 */
export function formatHclText(text: string): string {
  const source = new Source(text, '');
  const tokens = tokenize(source, { comments: true });
  if (tokens.some((t) => t.type === 'invalid' || t.type === 'quoted-newline')) return text;
  const lines = toLines(tokens, source.text);
  indent(lines);
  alignCells(lines);
  const body = lines.map(render).join('\n');
  const clean = body
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^\n+/, '')
    .trimEnd();
  return clean === '' ? '' : `${restore(clean, lines)}\n`;
}

interface Piece {
  readonly type: TokenType;
  text: string;
}

/** A line of output: what stands before `=`, from `=` on, and a comment at its end. */
interface Line {
  lead: Piece[];
  assign: Piece[];
  comment: Piece | undefined;
  depth: number;
  leadWidth: number;
  assignWidth: number;
}

/** Stands for a text of several lines (a heredoc, a block comment) until the lines are laid out. */
const HOLE = '\u0000';
const holes = new WeakMap<Line[], string[]>();

function toLines(tokens: readonly Token[], text: string): Line[] {
  const lines: Line[] = [];
  const kept: string[] = [];
  holes.set(lines, kept);
  let pieces: Piece[] = [];
  const flush = (): void => {
    lines.push(toLine(pieces));
    pieces = [];
  };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.type === 'eof') break;
    if (token.type === 'newline') {
      flush();
      continue;
    }
    if (token.type === 'quote-open' || token.type === 'heredoc-open') {
      const end = closing(tokens, i);
      const raw = text.slice(token.start, tokens[end]!.end);
      pieces.push({ type: 'quote-open', text: raw.includes('\n') ? hold(raw, kept) : raw });
      i = end;
      continue;
    }
    const raw = text.slice(token.start, token.end).replace(/\r$/, '').trimEnd();
    pieces.push({ type: token.type, text: raw.includes('\n') ? hold(raw, kept) : raw });
  }
  if (pieces.length > 0) flush();
  return lines;
}

function hold(raw: string, kept: string[]): string {
  kept.push(raw);
  return `${HOLE}${kept.length - 1}${HOLE}`;
}

function restore(text: string, lines: Line[]): string {
  const kept = holes.get(lines) ?? [];

  return text.replace(/\u0000(\d+)\u0000/g, (_, n: string) => kept[Number(n)] ?? '');
}

function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const { type } = tokens[i]!;
    if (type === 'quote-open' || type === 'heredoc-open') depth++;
    if (type === 'quote-close' || type === 'heredoc-close') depth--;
    if (depth === 0) return i;
  }
  return tokens.length - 1;
}

function toLine(pieces: readonly Piece[]): Line {
  const line: Line = { lead: [], assign: [], comment: undefined, depth: 0, leadWidth: 0, assignWidth: 0 };
  let rest = [...pieces];
  const last = rest.at(-1);
  if (last?.type === 'comment' && rest.length > 1 && !last.text.startsWith('/*')) {
    line.comment = last;
    rest = rest.slice(0, -1);
  }
  // `name = value` with nothing but the name before the sign: only those are aligned with each other.
  const name = rest[0]?.type;
  if ((name === 'identifier' || name === 'quote-open') && rest[1]?.type === '=') {
    line.lead = rest.slice(0, 1);
    line.assign = rest.slice(1);
  } else line.lead = rest;
  return line;
}

const OPEN = new Set<TokenType>(['{', '[', '(']);
const CLOSE = new Set<TokenType>(['}', ']', ')']);

function indent(lines: Line[]): void {
  const levels: number[] = [];
  for (const line of lines) {
    let net = 0;
    for (const { type } of [...line.lead, ...line.assign]) net += OPEN.has(type) ? 1 : CLOSE.has(type) ? -1 : 0;
    for (let closed = -net; closed > 0 && levels.length > 0;) {
      const top = levels.pop()!;
      if (top > closed) levels.push(top - closed);
      closed -= top;
    }
    const first = line.lead[0]?.type;
    // A line such as `}, {` closes before it opens.
    line.depth = net === 0 && first !== undefined && CLOSE.has(first) ? Math.max(0, levels.length - 1) : levels.length;
    if (net > 0) levels.push(net);
  }
}

function alignCells(lines: Line[]): void {
  group(
    lines,
    (line) => line.assign.length > 0,
    (run) => {
      const width = Math.max(...run.map((line) => columns(join(line.lead))));
      for (const line of run) line.leadWidth = width;
    },
    (line) => line.assign.length > 0 && isMultiLine(line),
  );
  group(
    lines,
    (line) => line.comment !== undefined && line.lead.length > 0,
    (run) => {
      const width = Math.max(...run.map((line) => columns(code(line))));
      for (const line of run) line.assignWidth = width;
    },
  );
}

/** Whether the value goes on in the next line: then the run of aligned arguments ends with it. */
function isMultiLine(line: Line): boolean {
  let net = 0;
  for (const { type } of line.assign) net += OPEN.has(type) ? 1 : CLOSE.has(type) ? -1 : 0;
  return net !== 0 || line.assign.some((p) => p.text.includes(HOLE));
}

function group(
  lines: readonly Line[],
  belongs: (line: Line) => boolean,
  align: (run: Line[]) => void,
  ends: (line: Line) => boolean = () => false,
): void {
  let run: Line[] = [];
  const done = (): void => {
    if (run.length > 0) align(run);
    run = [];
  };
  for (const line of lines) {
    if (!belongs(line) || (run.length > 0 && run[0]!.depth !== line.depth)) done();
    if (belongs(line)) run.push(line);
    if (ends(line)) done();
  }
  done();
}

function render(line: Line): string {
  const text = code(line);
  if (line.comment === undefined) return text === '' ? '' : '  '.repeat(line.depth) + text;
  if (text === '') return '  '.repeat(line.depth) + line.comment.text;
  return `${'  '.repeat(line.depth)}${text}${' '.repeat(Math.max(0, line.assignWidth - columns(text)))} ${line.comment.text}`;
}

function code(line: Line): string {
  const lead = join(line.lead);
  if (line.assign.length === 0) return lead;
  return `${lead}${' '.repeat(Math.max(0, line.leadWidth - columns(lead)))} ${join(line.assign)}`;
}

const columns = (text: string): number => [...text].length;

function join(pieces: readonly Piece[]): string {
  let out = '';
  pieces.forEach((piece, i) => {
    const before = pieces[i - 1];
    out += (before !== undefined && spaced(pieces, i) ? ' ' : '') + piece.text;
  });
  return out;
}

const TIGHT_BEFORE = new Set<TokenType>([',', ')', ']', '.', '...', '::']);
const TIGHT_AFTER = new Set<TokenType>(['(', '[', '.', '!', '::']);
const VALUE_ENDS = new Set<TokenType>(['identifier', 'number', 'quote-open', ')', ']', '}']);

/** Whether a blank belongs between a piece and the one before it. */
function spaced(pieces: readonly Piece[], i: number): boolean {
  const before = pieces[i - 1]!;
  const piece = pieces[i]!;
  if (before.type === '{' && piece.type === '}') return false;
  if (TIGHT_BEFORE.has(piece.type) || TIGHT_AFTER.has(before.type)) return false;
  if (piece.type === '(') return !(before.type === 'identifier' && before.text !== 'in' && before.text !== 'if');
  if (piece.type === '[') return !(VALUE_ENDS.has(before.type) && before.text !== 'in' && before.text !== 'if');
  // `a.*` and `a[*]` are splats; a minus after an operator is a sign.
  if (piece.type === '*' && (before.type === '.' || before.type === '[')) return false;
  if (before.type === '*' && pieces[i - 2]?.type === '.') return false;
  if (before.type === '-') return VALUE_ENDS.has(pieces[i - 2]?.type ?? 'eof');
  return true;
}
