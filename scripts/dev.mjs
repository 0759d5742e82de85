// npm run dev: like npm start, built anew and restarted whenever a source changes (state is kept for as long as it runs).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram, dim, installPackages, root } from './lib.mjs';

installPackages();
const data = mkdtempSync(join(tmpdir(), 'orch-dev-'));
const program = buildProgram();
let child;
let again = false;
let ending = false;

function start() {
  child = spawn(
    process.execPath,
    ['--enable-source-maps', program, 'agent', '-dev', `-data-dir=${data}`, ...process.argv.slice(2)],
    { cwd: root, stdio: 'inherit' },
  );
  child.on('exit', () => {
    if (again) {
      again = false;
      buildProgram();
      start();
    } else {
      rmSync(data, { recursive: true, force: true });
      process.exit(0);
    }
  });
}

let timer;
for (const dir of ['base', 'openapi', 'client', 'jobspec', 'apiserver', 'controllers', 'kubelet-like-agent', 'ctl', 'bin']) {
  watch(join(root, dir), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (ending) return;
      console.log(dim('A source changed: building and restarting …'));
      again = true;
      child.kill('SIGINT');
    }, 200);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    ending = true;
    child.kill(signal);
  });
}
start();
