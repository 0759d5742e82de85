/** What a command costs before it does anything: wall time of a cold start, beside a bare Node process in the same run. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { main, type Row } from './harness.ts';

const program = join(process.cwd(), 'dist/orchctl.cjs');

function times(args: string[], runs: number): number[] {
  return Array.from({ length: runs }, () => {
    const started = process.hrtime.bigint();
    spawnSync(process.execPath, args, { stdio: 'ignore' });
    return Number(process.hrtime.bigint() - started) / 1e6;
  }).sort((a, b) => a - b);
}

export async function run(): Promise<Row[]> {
  const runs = 15;
  const median = (values: number[]): number => values[Math.floor(values.length / 2)]!;
  const bare = median(times(['-e', ''], runs));
  const rows: Row[] = [{ suite: 'cli', case: 'bare node', metric: 'cold start, median', value: bare, unit: 'ms' }];
  for (const args of [['version'], ['--help'], ['job', 'plan', '--help']]) {
    const value = median(times([program, ...args], runs));
    rows.push({ suite: 'cli', case: `orchctl ${args.join(' ')}`, metric: 'cold start, median', value, unit: 'ms' });
    rows.push({ suite: 'cli', case: `orchctl ${args.join(' ')}`, metric: 'over bare node', value: value / bare, unit: 'x' });
  }
  return Promise.resolve(rows);
}

await main('cli', run);
