/** What a command costs before it does anything: wall time of a cold start beside a bare Node process, one run of each in turn. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { main, median, type Row } from './harness.ts';

const runs = 20;
const program = join(process.cwd(), 'dist/orchctl.cjs');
const nobody = '-address=http://127.0.0.1:1';

/** `status` finds no server: what is left is the client being loaded and one connection being refused. */
const cases: readonly [name: string, args: readonly string[]][] = [
  ['bare node', ['-e', '0']],
  ...[['version'], ['--help'], ['job', 'plan', '--help'], ['status', nobody]].map((args): [string, string[]] => [
    `orchctl ${args.filter((arg) => arg !== nobody).join(' ')}`,
    [program, ...args],
  ]),
];

function time(args: readonly string[]): number {
  const started = process.hrtime.bigint();
  spawnSync(process.execPath, args, { stdio: 'ignore' });
  return Number(process.hrtime.bigint() - started) / 1e6;
}

export async function run(): Promise<Row[]> {
  const times = cases.map((): number[] => []);
  for (let i = 0; i < runs; i++) cases.forEach(([, args], n) => times[n]!.push(time(args)));
  const bare = median(times[0]!);
  const rows = cases.flatMap(([name], n): Row[] => {
    const value = median(times[n]!);
    const row = { suite: 'cli', case: name, unit: 'ms' };
    const over = { ...row, metric: 'over bare node', value: value - bare };
    return [{ ...row, metric: 'cold start, median', value }, ...(n === 0 ? [] : [over])];
  });
  return Promise.resolve(rows);
}

await main('cli', run);
