// Shared by the scripts that run before anything is installed: nothing but Node.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants as fsConstants,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { constants, homedir, tmpdir } from 'node:os';
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

// `npm start | head`: the reader of the output has gone. There is nobody left to work for.
let leave = () => process.exit(0);
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
    leave();
  });
}
/** What to do when nobody reads the output any more, for scripts that cannot just end. */
export const whenUnread = (callback) => void (leave = callback);

/**
 * Runs a command with its output shown; exits with its code when it fails. It has a process group of its own, so that whatever ends
 * this process (Ctrl-C, above all) ends everything that the command has started.
 */
export function must(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', detached: true, ...options });
  let ended;
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // nothing of it is left
    }
  };
  const end = (signal) => {
    kill(ended === undefined ? signal : 'SIGKILL');
    ended ??= signal;
    setTimeout(() => kill('SIGKILL'), 2000); // npm takes its time, and has nothing to save
  };
  const killAll = () => kill('SIGKILL');
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, end);
  process.on('exit', killAll);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(red(error.code === 'ENOENT' ? `There is no ${command} on the PATH.` : `${command}: ${error.message}`));
      process.exit(1);
    });
    child.on('close', (code) => {
      if (ended !== undefined) process.exit(128 + constants.signals[ended]);
      if (code !== 0) process.exit(code ?? 1);
      for (const signal of signals) process.off(signal, end);
      process.off('exit', killAll);
      resolve();
    });
  });
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
export async function installPackages() {
  const marker = join(root, 'node_modules/.package-lock.json');
  const there = () => existsSync(marker) && statSync(marker).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
  if (there()) return;
  const unlock = await lock();
  if (!there()) {
    const problem = installProblem();
    if (problem !== undefined) {
      console.error(red(problem));
      process.exit(1);
    }
    console.log(dim('Installing packages (npm ci) …'));
    await must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  unlock();
}

/** Why npm could not install here, told better than npm would. */
function installProblem() {
  const modules = join(root, 'node_modules');
  const link = lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(modules) : undefined;
  if (link !== undefined) {
    return `node_modules is a symbolic link to ${link}, and npm ci would empty that folder. Remove the link and try again.`;
  }
  if (!writable(root)) return `The packages are installed below ${root}, which cannot be written. Copy it to where it can be.`;
  const cache = process.env.npm_config_cache ?? join(homedir(), '.npm');
  if (!writable(cache) || !writable(join(cache, '_cacache'))) {
    return (
      `npm keeps what it downloads in ${cache}, which cannot be written. Give it another folder:\n` +
      `    npm_config_cache=${join(tmpdir(), 'npm-cache')} npm start`
    );
  }
  return undefined;
}

/** Whether a folder can be written, or made. */
function writable(path) {
  try {
    accessSync(path, fsConstants.W_OK);
    return true;
  } catch (error) {
    return error.code === 'ENOENT' && dirname(path) !== path && writable(dirname(path));
  }
}

/** One process at a time installs and builds in this folder. The lock is a listening socket: it ends with its process. */
async function lock() {
  const name = `orch-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
  const path = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
  for (let told = false; ; told = true) {
    const waiters = [];
    const server = createServer((socket) => {
      waiters.push(socket.unref());
      socket.on('error', () => undefined); // it did not wait any longer
    });
    const held = await new Promise((resolve) => {
      server.once('listening', () => resolve(true));
      server.once('error', () => resolve(false));
      server.listen(path);
    });
    if (held) {
      server.unref();
      return () => {
        server.close();
        for (const socket of waiters) socket.destroy();
      };
    }
    if (!told) console.log(dim('Another process installs or builds here; waiting for it …'));
    await new Promise((resolve) => {
      const waiting = connect(path);
      waiting.once('close', resolve); // it is done, or has ended
      waiting.once('error', (error) => {
        if (error.code === 'ECONNREFUSED' && !path.startsWith('\0')) rmSync(path, { force: true }); // left by one that was killed
      });
    });
  }
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
export async function buildProgram() {
  const out = join(root, 'dist/orchctl.cjs');
  const there = () => {
    if (!existsSync(out)) return false;
    const built = statSync(out).mtimeMs;
    return sources.every((s) => newest(join(root, s)) <= built);
  };
  if (there()) return out;
  const unlock = await lock();
  if (!there()) {
    console.log(dim('Building …'));
    await must(process.execPath, ['scripts/build.mjs']);
  }
  unlock();
  return out;
}
