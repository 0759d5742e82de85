// npm run test:reference -- DIR [-v] [--only TEXT] [--minutes N] [--jobs N]
// Replays recordings (job files, plans, transcripts; DIR is a folder of cases or a parent of such folders) with the built program
// and says for each case whether its output is equal, and what the totals are. -v shows how the others differ.
import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';
import { join } from 'node:path';
import { must, root } from './lib.mjs';

await must(process.execPath, ['scripts/build.mjs']);
await build({
  absWorkingDir: root,
  entryPoints: ['test/reference/main.ts'],
  outfile: 'build/reference/main/main.mjs', // as deep as the tests, which find the program from where they are
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
});
const { status, signal } = spawnSync(
  process.execPath,
  ['--enable-source-maps', join(root, 'build/reference/main/main.mjs'), ...process.argv.slice(2)],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
process.exit(signal === null ? (status ?? 1) : 1);
