// npm start: installs, builds, starts a one-machine cluster, runs examples/hello.nomad until it is healthy and says what to try next.
// Ctrl-C ends the cluster and its tasks and removes what it wrote.
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bold, buildProgram, dim, green, has, installPackages, red, root } from './lib.mjs';

installPackages();
const program = buildProgram();

const free = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });
const http = (await free(4646)) ?? (await free(0));
const rpc = (await free(4647)) ?? (await free(0));
const address = `http://127.0.0.1:${http}`;
if (http !== 4646) console.log(dim(`Port 4646 is taken (another cluster?), so this one listens on ${http}.`));

const data = mkdtempSync(join(tmpdir(), 'orch-'));
const logFile = join(data, 'agent.log');
const log = createWriteStream(logFile);
const agent = spawn(
  process.execPath,
  [program, 'agent', '-dev', `-data-dir=${join(data, 'data')}`, `-http-port=${http}`, `-rpc-port=${rpc}`],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}:${join(process.execPath, '..')}` },
    detached: true, // Ctrl-C reaches this script, which ends the agent in order
  },
);

let ending = false;
const ended = new Promise((resolve) => agent.on('exit', (code) => resolve(code)));
void ended.then((code) => {
  if (!ending) {
    console.error(
      red(`\nThe agent ended (exit ${code}). Its last words:\n`) +
        readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n'),
    );
    rmSync(data, { recursive: true, force: true });
    process.exit(1);
  }
});

/** Ends the agent in order, removes what was written, and leaves. Called again it only waits for the first call. */
async function end(code) {
  if (ending) return new Promise(() => undefined);
  ending = true;
  if (agent.exitCode === null) agent.kill('SIGINT');
  await ended;
  rmSync(data, { recursive: true, force: true, maxRetries: 3 });
  process.exit(code);
}
let signals = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    signals++;
    if (signals === 1) console.log(dim('\nStopping the cluster and its tasks …'));
    if (signals > 2) agent.kill('SIGKILL'); // somebody insists
    void end(0);
  });
}
// `npm start | head`: the reader has gone, so nobody watches any more.
process.stdout.on('error', () => void end(0));

console.log(`${bold('==>')} Starting a cluster on ${address} ${dim(`(log: ${logFile})`)}`);
await new Promise((resolve) => {
  let text = '';
  const take = (chunk) => {
    log.write(chunk);
    if (text.length < 1e5) text += chunk;
    if (text.includes('orch agent started!')) resolve();
  };
  agent.stdout.on('data', take);
  agent.stderr.on('data', take);
});

const env = { ...process.env, ORCH_ADDR: address };
const started = Date.now();
const run = spawn(process.execPath, [program, 'job', 'run', 'examples/hello.nomad'], { cwd: root, stdio: 'inherit', env });
const status = await new Promise((resolve) => run.on('close', resolve));
if (status !== 0) {
  // Ctrl-C reaches both processes; the handler above may hear of it only after the command has ended.
  await new Promise((resolve) => setTimeout(resolve, 50));
  if (ending) await end(0);
  console.error(
    red(`The example did not become healthy. See what the agent said:\n`) +
      readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n'),
  );
  await end(1);
}
const api = `${address}/apis/orch.dev/v1/namespaces/default`;
const { items } = await (await fetch(`${api}/allocations?fieldSelector=spec.jobName%3Dhello`)).json();
const alloc = items.find((a) => a.spec.desired === 'run');
const [port] = alloc.spec.resources.ports;
const url = `http://${port.hostIP}:${port.value}/`;
const short = alloc.metadata.name.slice(0, 8);
const prefix = `${http === 4646 ? '' : `ORCH_ADDR=${address} `}${existsSync(join(root, 'node_modules/.bin/orchctl')) ? 'npx orchctl' : 'node dist/orchctl.cjs'}`;

console.log(`
${green('hello is healthy')} after ${((Date.now() - started) / 1000).toFixed(1)} s: ${bold(url)}
    ${(await (await fetch(url)).text()).trim()}

In another terminal, from this folder, try:
    ${prefix} status hello
    ${prefix} logs -f ${short}
    ${prefix} job scale hello web 3
${
  has('docker') && spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0
    ? `\nDocker is here too, so this would run as well:\n    ${prefix} run examples/example.nomad\n`
    : dim('\nWith Docker on this machine, examples/example.nomad (redis in a container) would run as well.\n')
}
Ctrl-C stops the cluster and leaves nothing behind.`);
