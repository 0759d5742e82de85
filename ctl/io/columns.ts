import { plain } from './streams.ts';

/**
 * Texts in columns, as all tables of the command line are: two spaces between columns, the last one not padded, and
 * `name = value` lists with the signs in one column.
 */
export type Row = readonly (string | number | boolean | undefined)[];

/** What stands for nothing. */
export const none = '<none>';

/** A table; empty cells read `<none>`. */
export function table(rows: readonly Row[]): string {
  return align(
    rows.map((row) => row.map((cell) => text(cell, none))),
    '  ',
  );
}

/** A table whose empty cells stay empty. */
export function sparseTable(rows: readonly Row[]): string {
  return align(
    rows.map((row) => row.map((cell) => text(cell, ''))),
    '  ',
  );
}

/** `name = value` lines; an empty value reads `<none>`. */
export function pairs(rows: readonly (readonly [string, string | number | boolean | undefined])[]): string {
  return align(
    rows.map(([name, value]) => [name, text(value, none)]),
    ' = ',
  );
}

const text = (cell: Row[number], empty: string): string => (cell === undefined || cell === '' ? empty : plain(String(cell)));

function align(rows: readonly (readonly string[])[], glue: string): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, width(cell))));
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : pad(cell, widths[i]!))).join(glue)).join('\n');
}

const escapes = /\x1b\[[0-9;]*m/g;

/** How many columns a text takes on a terminal: without colour codes, by code point. */
export const width = (cell: string): number => [...cell.replace(escapes, '')].length;

/** A line with no more columns than that; colours that were on are switched off where it is cut. */
export function cut(line: string, columns: number): string {
  if (width(line) <= columns) return line;
  let out = '';
  let taken = 0;
  let colored = false;
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith('\x1b')) {
      colored = part !== '\x1b[0m';
      out += part;
      continue;
    }
    const characters = [...part].slice(0, columns - 1 - taken);
    out += characters.join('');
    taken += characters.length;
    if (taken >= columns - 1) break;
  }
  return `${out}…${colored ? '\x1b[0m' : ''}`;
}

const pad = (cell: string, to: number): string => cell + ' '.repeat(Math.max(0, to - width(cell)));
