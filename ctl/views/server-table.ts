import { width } from '../io/columns.ts';
import { plain } from '../io/streams.ts';

/** A table as the server draws it for people. */
export interface ServerTable {
  readonly kind: 'Table';
  readonly columnDefinitions?: readonly ColumnDefinition[];
  readonly rows: readonly {
    readonly cells: readonly unknown[];
    readonly object?: {
      readonly metadata?: {
        readonly name?: string;
        readonly resourceVersion?: string;
        readonly namespace?: string;
        readonly labels?: Readonly<Record<string, string>>;
      };
    };
  }[];
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly priority?: number;
}

export interface TableOptions {
  readonly wide: boolean;
  readonly namespaces: boolean;
  readonly labels: boolean;
  readonly headers: boolean;
  /** Put before the name where several kinds are shown: `job.orch.dev`. */
  readonly prefix?: string;
}

/** The rows as texts, headings first where they are wanted. */
export function tableRows({ columnDefinitions = [], rows }: ServerTable, options: TableOptions): string[][] {
  const shown = columnDefinitions.flatMap((column, index) =>
    (column.priority ?? 0) === 0 || options.wide ? [{ column, index }] : [],
  );
  const heading = [
    ...(options.namespaces ? ['NAMESPACE'] : []),
    ...shown.map(({ column }) => column.name.toUpperCase()),
    ...(options.labels ? ['LABELS'] : []),
  ];
  const body = rows.map(({ cells, object }) => [
    ...(options.namespaces ? [object?.metadata?.namespace ?? ''] : []),
    ...shown.map(
      ({ index }, at) => (at === 0 && options.prefix !== undefined ? `${options.prefix}/` : '') + cellText(cells[index]),
    ),
    ...(options.labels ? [labelText(object?.metadata?.labels)] : []),
  ]);
  return options.headers ? [heading, ...body] : body;
}

const cellText = (cell: unknown): string =>
  cell === null || cell === undefined || cell === ''
    ? '<none>'
    : plain(typeof cell === 'object' ? JSON.stringify(cell) : String(cell));

const labelText = (labels: Readonly<Record<string, string>> = {}): string => {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',');
};

/** Columns with three spaces between them. Widths are kept between calls, so that rows that come later stay aligned. */
export function alignRows(rows: readonly (readonly string[])[], widths: number[] = []): string {
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, width(cell))));
  return rows
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - width(cell)))).join('   '))
    .join('\n');
}
