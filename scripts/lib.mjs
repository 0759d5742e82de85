// Shared by the scripts that run before anything is installed: nothing but Node.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const [major] = process.versions.node.split('.').map(Number);
if (major < 20) {
  console.error(`orch needs Node 20 or newer; this is ${process.version}.`);
  process.exit(1);
}

const colour = process.stdout.isTTY && !process.env.NO_COLOR;
export const bold = (s) => (colour ? `\x1b[1m${s}\x1b[22m` : s);
export const green = (s) => (colour ? `\x1b[32m${s}\x1b[39m` : s);
export const red = (s) => (colour ? `\x1b[31m${s}\x1b[39m` : s);
export const dim = (s) => (colour ? `\x1b[2m${s}\x1b[22m` : s);

/** Runs a command with its output shown; exits with its code when it fails. */
export function must(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) {
    console.error(red(`${command}: ${result.error.message}`));
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Runs a command and gives its code and output. */
export function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, ...options });
    const parts = [];
    child.stdout?.on('data', (d) => parts.push(d));
    child.stderr?.on('data', (d) => parts.push(d));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code, signal) => resolve({ code: code ?? 1, signal, output: Buffer.concat(parts).toString() }));
  });
}

/** Whether a program is there. */
export function has(program) {
  return (process.env.PATH ?? '').split(':').some((dir) => dir !== '' && existsSync(join(dir, program)));
}

/** npm packages, exactly as locked. Does nothing when they are there and not older than the lock file. */
export function installPackages() {
  const marker = join(root, 'node_modules/.package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs) return;
  console.log(dim('Installing packages (npm ci) …'));
  must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

const sources = [
  'base',
  'openapi',
  'client',
  'jobspec',
  'apiserver',
  'controllers',
  'kubelet-like-agent',
  'ctl',
  'bin',
  'scripts',
  'package.json',
];

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((max, entry) => Math.max(max, newest(join(path, entry))), 0);
}

/** dist/orchctl.cjs, unless it is newer than every source. */
export function buildProgram() {
  const out = join(root, 'dist/orchctl.cjs');
  if (existsSync(out)) {
    const built = statSync(out).mtimeMs;
    if (sources.every((s) => newest(join(root, s)) <= built)) return out;
  }
  console.log(dim('Building …'));
  must(process.execPath, ['scripts/build.mjs']);
  return out;
}
