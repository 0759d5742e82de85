/**
 * What every benchmark shares: `main(suite, run)` runs it when its file is executed, prints a table, and with `--json FILE` writes
 * the rows. No figure is a test; what they were on which machine is in docs/performance.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
}

/** Processor time that a process has used so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Runs when `build/bench/SUITE.bench.mjs` is what was executed; imported by another file, nothing happens. */
export async function main(suite: string, run: () => Promise<Row[]>): Promise<void> {
  if (basename(process.argv[1] ?? '') !== `${suite}.bench.mjs`) return;
  const rows = await run();
  process.stdout.write(table(rows));
  const json = process.argv.indexOf('--json');
  if (json > 0) writeFileSync(process.argv[json + 1]!, JSON.stringify(rows, undefined, 2) + '\n');
}

/** Aligned columns; numbers to three significant digits, or whole. */
export function table(rows: readonly Row[]): string {
  const lines = [
    ['suite', 'case', 'metric', 'value', 'unit'],
    ...rows.map((row) => [row.suite, row.case, row.metric, number(row.value), row.unit]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => line.map((cell, i) => (i === 3 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ').trimEnd() + '\n').join(''); // prettier-ignore
}

const number = (value: number): string =>
  Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
