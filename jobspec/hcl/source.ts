/** A place in a source text, counted as editors count: lines and characters (not bytes) from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A stretch of a source text, by offset. Lines and columns are worked out when somebody asks, which is when something is wrong. */
export interface Range {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** A named text. */
export class Source {
  readonly filename: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(text: string, filename: string) {
    this.text = text;
    this.filename = filename;
  }

  position(offset: number): Position {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    const before = this.text.slice(starts[low], offset);
    return { line: low + 1, column: 1 + characters(before) };
  }

  /** The text of a line (from 1) without its line break. */
  line(number: number): string {
    const starts = this.#starts();
    const start = starts[number - 1];
    if (start === undefined) return '';
    return this.text.slice(start, starts[number] ?? this.text.length).replace(/\r?\n$/, '');
  }

  #starts(): number[] {
    if (this.#lineStarts === undefined) {
      this.#lineStarts = [0];
      for (let i = this.text.indexOf('\n'); i !== -1; i = this.text.indexOf('\n', i + 1)) this.#lineStarts.push(i + 1);
    }
    return this.#lineStarts;
  }
}

export function between(from: Range, to: Range): Range {
  return { source: from.source, start: from.start, end: to.end };
}

/** Writes a range as HashiCorp's tools do: `job.nomad:3,10-19` or `job.nomad:3,13-4,1`. */
export function formatRange(range: Range | undefined): string {
  if (range === undefined) return '<nil>';
  if (range.start < 0) return `${range.source.filename}:0,0-0`;
  const start = range.source.position(range.start);
  const end = range.source.position(range.end);
  const tail = start.line === end.line ? `${end.column}` : `${end.line},${end.column}`;
  return `${range.source.filename}:${start.line},${start.column}-${tail}`;
}

/** Where a range begins: `client.hcl:3,5`. */
export function formatPosition(range: Range): string {
  const { line, column } = range.source.position(range.start);
  return `${range.source.filename}:${line},${column}`;
}

let segmenter: Intl.Segmenter | undefined;

/** User-perceived characters: what a column counts and what `length`-like string functions count. */
export function graphemes(text: string): string[] {
  if (/^[\x00-\x0c\x0e-\x7f]*$/.test(text)) return text.split('');
  segmenter ??= new Intl.Segmenter();
  return Array.from(segmenter.segment(text), (s) => s.segment);
}

const characters = (text: string): number => graphemes(text).length;
