// npm run check: everything that must hold before a commit, quick: format, generated files, types, lint, unit tests
// (--no-tests leaves those out, for who runs all tests anyway).
import { capture, dim, green, installPackages, red } from './lib.mjs';

await installPackages();
const bin = (name) => `node_modules/.bin/${name}`;
const first = [
  ['format', bin('prettier'), ['--check', '--log-level=warn', '.']],
  ['generated files', process.execPath, ['scripts/generate.mjs', '--check']],
];
const second = [
  ['types', bin('tsc'), ['-b']],
  ['lint', bin('eslint'), ['--max-warnings=0', '.']],
];

let failed = false;
async function step([name, command, args]) {
  const started = Date.now();
  const { code, output } = await capture(command, args);
  const seconds = dim(`${((Date.now() - started) / 1000).toFixed(1)} s`);
  console.log(`${code === 0 ? green('ok') : red('FAIL')}   ${name} ${seconds}`);
  if (code !== 0) {
    failed = true;
    console.log(output);
  }
}
await Promise.all(first.map(step));
await Promise.all(second.map(step));
if (!process.argv.includes('--no-tests')) await step(['unit tests', process.execPath, ['scripts/test.mjs', 'unit']]);
process.exit(failed ? 1 : 0);
