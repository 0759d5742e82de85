// npm run simulate -- --seeds N --from S [--jobs N]    histories of a whole simulated cluster; prints seeds per minute and what fails
//                  -- --scenario FILE [--log]          one history from a file, such as a failing run printed
import { fork, spawnSync } from 'node:child_process';
import { build } from 'esbuild';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bold, green, red, root } from './lib.mjs';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(Math.max(1, cpus().length)) },
    scenario: { type: 'string' },
    log: { type: 'boolean', default: false },
  },
});

await build({
  absWorkingDir: root,
  entryPoints: ['test/framework/simulation/main.ts'],
  outfile: 'build/simulation/main.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
});
const program = join(root, 'build/simulation/main.mjs');
const options = { execArgv: ['--enable-source-maps'] };

if (values.scenario !== undefined) {
  const { status } = spawnSync(process.execPath, [...options.execArgv, program, '--scenario', values.scenario, ...(values.log ? ['--log'] : [])], { stdio: 'inherit' }); // prettier-ignore
  process.exit(status ?? 1);
}

const seeds = Number(values.seeds);
const from = Number(values.from);
const jobs = Math.min(Number(values.jobs), seeds);
const started = Date.now();
let done = 0;
let said = 0;
const perMinute = () => Math.round((done / (Date.now() - started)) * 60_000);
const runs = Array.from({ length: jobs }, (_, i) => {
  const own = Math.floor(seeds / jobs) + (i < seeds % jobs ? 1 : 0);
  const child = fork(program, ['--seeds', String(own), '--from', String(from + i), '--stride', String(jobs)], options);
  child.on('message', () => {
    done++;
    if (Date.now() - said < 10_000) return;
    said = Date.now();
    if (done > 1) console.log(`${done} of ${seeds} seeds, ${perMinute()} a minute`);
  });
  return new Promise((resolve) => child.on('exit', (code) => resolve(code === 0)));
});
const good = (await Promise.all(runs)).every(Boolean);
console.log(bold(`${done} seeds from ${from}, ${perMinute()} a minute: ${good ? green('all good') : red('some failed')}`));
process.exit(good && done === seeds ? 0 : 1);
