// npm test: installs packages, builds, runs every test that this machine can run, and says which it could not and how to enable them.
//   npm test                 everything
//   npm test -- unit         only what needs nothing but Node
//   npm test -- agent        files whose path contains the word
// ORCH_REQUIRE=etcd,docker (set by .ci/run) turns a missing part into a failure.
import { cpus } from 'node:os';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bold, capture, dim, green, has, installPackages, must, red, root } from './lib.mjs';

await installPackages();
await must(process.execPath, ['scripts/build.mjs', '--tests']);

const walk = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? walk(join(dir, e.name)) : e.name.endsWith('.test.mjs') ? [join(dir, e.name)] : [],
  );
const all = walk(join(root, 'build/test')).sort();

const dockerWorks = has('docker') && (await capture('docker', ['info', '--format', '{{.ServerVersion}}'])).code === 0;
const parts = {
  etcd: { there: has('etcd'), enable: 'install etcd (Debian: apt-get install etcd-server), so that `etcd` is on the PATH' },
  docker: {
    there: dockerWorks,
    enable: 'install and start Docker (Debian: apt-get install docker.io), so that `docker info` answers',
  },
  kubectl: { there: has('kubectl'), enable: 'install kubectl (Debian: apt-get install kubernetes-client)' },
  root: { there: process.getuid?.() === 0, enable: 'run as root' },
};
const required = (process.env.ORCH_REQUIRE ?? '').split(',').filter(Boolean);

/** What a test file needs is in its name: x.etcd.test.ts, x.docker.root.test.ts. */
const needs = (file) => Object.keys(parts).filter((p) => file.split('/').pop().split('.').includes(p));
const words = process.argv.slice(2);
const chosen = all.filter((file) => {
  const path = relative(join(root, 'build'), file);
  return words.every((w) => (w === 'unit' ? needs(path).length === 0 && !path.includes('/e2e/') : path.includes(w)));
});

if (chosen.some((f) => needs(f).includes('docker')) && parts.docker.there) {
  const images = await capture('sh', [join(root, 'test/images/build.sh')]);
  if (images.code !== 0) {
    parts.docker.there = false;
    parts.docker.enable = `make test/images/build.sh work; it said: ${images.output.trim().split('\n').pop()}`;
  }
}

let passed = 0;
let failed = 0;
let skipped = 0;
const missing = new Map();
const failures = [];

async function run(file) {
  const name = relative(join(root, 'build'), file).replace(/\.mjs$/, '.ts');
  const lacking = needs(file).filter((p) => !parts[p].there);
  if (lacking.length > 0) {
    for (const p of lacking) missing.set(p, [...(missing.get(p) ?? []), name]);
    if (lacking.some((p) => required.includes(p))) {
      failed++;
      failures.push(name);
      console.log(`${red('FAIL')} ${name}: needs ${lacking.join(' and ')}, which this run requires`);
    } else {
      skipped++;
      console.log(`${dim('skip')} ${name}: needs ${lacking.join(' and ')}`);
    }
    return;
  }
  const started = Date.now();
  const limit = /e2e/.test(file) ? 600 : 240;
  const { code, signal, output } = await capture(process.execPath, ['--enable-source-maps', file], {
    timeout: limit * 1000,
    killSignal: 'SIGKILL',
    env: { ...process.env, NODE_ENV: 'test', TAP_TIMEOUT: String(limit) },
  });
  const lines = output.split('\n');
  // A file whose tests are inside one counts them, not the one around them.
  const top = lines.filter((l) => /^(not )?ok \d+/.test(l)).length;
  const at = top === 1 && lines.some((l) => /^ {4}# Subtest/.test(l)) ? ' {4}' : '';
  const ok = lines.filter((l) => new RegExp(`^${at}ok \\d+`).test(l));
  const bad = lines.filter((l) => new RegExp(`^${at}not ok \\d+`).test(l)).length;
  const skips = ok.filter((l) => /# skip/i.test(l));
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  passed += ok.length - skips.length;
  skipped += skips.length;
  for (const s of skips) console.log(`${dim('skip')} ${name}: ${s.replace(/^ *ok \d+ - /, '')}`);
  if (code === 0 && bad === 0 && ok.length > 0) {
    console.log(`${green('ok')}   ${name} ${dim(`${ok.length - skips.length} tests, ${seconds} s`)}`);
    return;
  }
  failed += Math.max(1, bad);
  failures.push(name);
  const why = signal === 'SIGKILL' ? `no end after ${limit} s` : ok.length + bad === 0 ? 'ran no test' : `exit ${code}`;
  console.log(`${red('FAIL')} ${name} (${why}, ${seconds} s)`);
  console.log(lines.map((l) => `     ${l}`).join('\n'));
}

/** Runs the files, `lanes` at a time. */
async function runAll(files, lanes) {
  const queue = [...files];
  const lane = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) await run(file);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

// Whole clusters and what shares the machine's Docker wait more than they work, but not for processors that the rest takes.
const heavy = chosen.filter((f) => needs(f).includes('docker') || f.includes('/e2e/'));
const light = chosen.filter((f) => !heavy.includes(f));
await runAll(light, Math.max(1, Math.min(4, cpus().length)));
await runAll(heavy, 2);

for (const [part, files] of missing) {
  console.log(`\n${bold(`Not run for want of ${part}`)}: ${files.join(', ')}\n  To run them, ${parts[part].enable}.`);
}
if (failures.length > 0) console.log(`\n${red('Failed')}: ${failures.join(', ')}`);
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
