// npm run bench [-- NAME … --json FILE]: builds and runs bench/*.bench.ts one after the other, prints their tables and, with
// --json, writes all rows as [{suite, case, metric, value, unit}].
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { bold, installPackages, must, root } from './lib.mjs';

await installPackages();
await must(process.execPath, ['scripts/build.mjs', '--tests']);

const args = process.argv.slice(2);
const at = args.indexOf('--json');
const json = at >= 0 ? args.splice(at, 2)[1] : undefined;
const names = readdirSync(join(root, 'build/bench')).filter((f) => f.endsWith('.bench.mjs')).sort(); // prettier-ignore
const chosen = args.length === 0 ? names : names.filter((f) => args.some((a) => f.startsWith(`${a}.`)));
if (chosen.length === 0) {
  console.error(
    `No bench is called ${args.join(' or ')}. There are: ${names.map((n) => n.replace('.bench.mjs', '')).join(', ')}.`,
  );
  process.exit(1);
}
const rows = [];
let failed = false;
for (const name of chosen) {
  console.log(`\n${bold(name.replace('.bench.mjs', ''))}`);
  const out = join(tmpdir(), `orch-bench-${process.pid}.json`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', join(root, 'build/bench', name), '--json', out], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) {
    failed = true;
    continue;
  }
  rows.push(...JSON.parse(readFileSync(out, 'utf8')));
  rmSync(out, { force: true });
}
if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 1)}\n`);
process.exit(failed ? 1 : 0);
