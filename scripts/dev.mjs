// npm run dev: like npm start, built anew and restarted whenever a source changes (state is kept for as long as it runs).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram, capture, dim, installPackages, red, root } from './lib.mjs';

await installPackages();
const program = await buildProgram();
const data = mkdtempSync(join(tmpdir(), 'orch-dev-'));
let agent;
let stale = false;
let building = false;
let ending = false;

function start() {
  stale = false;
  agent = spawn(
    process.execPath,
    ['--enable-source-maps', program, 'agent', '-dev', `-data-dir=${data}`, ...process.argv.slice(2)],
    { cwd: root, stdio: 'inherit', detached: true }, // Ctrl-C reaches this script, which ends the agent once
  );
  agent.on('exit', (code) => {
    agent = undefined;
    if (stale && !ending) void rebuild();
    else {
      rmSync(data, { recursive: true, force: true });
      process.exit(ending ? 0 : (code ?? 1));
    }
  });
}

/** Builds and starts; where that fails, the next change is another try. */
async function rebuild() {
  building = true;
  let built;
  do {
    console.log(dim('A source changed: building and restarting …'));
    stale = false;
    built = await capture(process.execPath, ['scripts/build.mjs']);
  } while (stale && !ending);
  building = false;
  if (ending) return;
  if (built.code === 0) start();
  else console.log(`${built.output}\n${red('It does not build.')} Waiting for the next change …`);
}

let timer;
for (const dir of ['base', 'openapi', 'client', 'jobspec', 'apiserver', 'controllers', 'kubelet-like-agent', 'ctl', 'bin']) {
  watch(join(root, dir), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (ending || stale) return;
      stale = true;
      if (agent !== undefined) agent.kill('SIGINT');
      else if (!building) void rebuild();
    }, 200);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    ending = true;
    if (agent !== undefined) agent.kill(signal);
    else {
      rmSync(data, { recursive: true, force: true });
      process.exit(0);
    }
  });
}
start();
