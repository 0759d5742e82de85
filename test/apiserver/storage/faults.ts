/** How the suites of histories are run: seeds, effort, and what is printed. */
import type t from 'tap';
import { check } from './check.ts';
import { EFFORT } from './effort.ts';
import { work, type Workload } from './history.ts';

interface Test {
  comment: typeof t.comment;
  strictSame: typeof t.strictSame;
  ok: typeof t.ok;
}

/** Seeds that once failed, by suite. They run first, with a tenth of the operations. */
export const regressions: Readonly<Record<string, readonly number[]>> = {};

/**
 * Runs a workload and judges what came of it. `SEED` repeats a run (as far as clients, faults and their order go: processes are not
 * deterministic), `ORCH_EFFORT=10` makes it ten times as long.
 */
export async function judge(
  t: Test,
  suite: string,
  workload: Omit<Workload, 'seed' | 'operations'> & { operations?: number },
): Promise<void> {
  const asked = process.env['SEED'];
  const fresh = asked === undefined ? Date.now() % 1_000_000 : Number(asked);
  const { operations = 11_000 } = workload;
  const runs = [...(regressions[suite] ?? []).map((seed) => ({ seed, operations: operations / 10 })), { seed: fresh, operations: operations * EFFORT }]; // prettier-ignore
  for (const { seed, operations } of runs) {
    const started = performance.now();
    const { history, faults, unknown } = await work({ ...workload, seed, operations });
    const seconds = (performance.now() - started) / 1000;
    const what = Object.entries(faults).map(([name, count]) => `${name} ×${count}`).join(', '); // prettier-ignore
    t.comment(`${suite}: seed ${seed}, ${history.operations.length} operations in ${seconds.toFixed(1)} s, ${unknown} without an answer; ${history.log.length} events, ${history.watches.length} watches; ${what}`); // prettier-ignore
    t.strictSame(check(history), [], `seed ${seed}`);
    t.ok(history.log.length > operations / 4, 'much happened');
    t.ok(unknown < operations / 10, 'and most of it was answered');
  }
}
