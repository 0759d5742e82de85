// npm start: installs, builds, starts a one-machine cluster, runs examples/hello.nomad until it is healthy and says what to try next.
// Ctrl-C ends the cluster and its tasks and removes what it wrote.
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bold, buildProgram, dim, green, has, installPackages, red, root, whenUnread } from './lib.mjs';

await installPackages();
const program = await buildProgram();

const data = mkdtempSync(join(tmpdir(), 'orch-'));
const logFile = join(data, 'agent.log');
const log = createWriteStream(logFile);
let agent;
let run;
let agentEnded = Promise.resolve();
let ending = false;

/** Ends the agent in order, removes what was written, and leaves. Called again it only waits for the first call. */
async function end(code) {
  if (ending) return new Promise(() => undefined);
  ending = true;
  run?.kill('SIGKILL');
  if (agent?.exitCode === null) agent.kill('SIGINT');
  await agentEnded;
  rmSync(data, { recursive: true, force: true, maxRetries: 3 });
  process.exit(code);
}
let signals = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    signals++;
    if (signals === 1) console.log(dim('\nStopping the cluster and its tasks …'));
    if (signals > 2 && agent?.exitCode === null) {
      console.log(red('Killed, as you insist: tasks of it may still run.'));
      agent.kill('SIGKILL');
    }
    void end(0);
  });
}
whenUnread(() => void end(0));

const lastWords = () => readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n');

/** An agent on these ports; its exit code when it ended before it had started. */
function startAgent({ http, rpc }) {
  agent = spawn(
    process.execPath,
    [program, 'agent', '-dev', `-data-dir=${join(data, 'data')}`, `-http-port=${http}`, `-rpc-port=${rpc}`],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH}:${join(process.execPath, '..')}` },
      detached: true, // Ctrl-C reaches this script, which ends the agent in order
    },
  );
  agentEnded = new Promise((resolve) => agent.on('close', (code) => resolve({ code })));
  let text = '';
  const started = new Promise((resolve) => {
    const take = (chunk) => {
      log.write(chunk);
      if (text.length < 1e5) text += chunk;
      if (text.includes('orch agent started!')) resolve({ started: true });
    };
    agent.stdout.on('data', take);
    agent.stderr.on('data', take);
  });
  return Promise.race([started, agentEnded.then(({ code }) => ({ started: false, code, text }))]);
}

const free = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });

/** The address of a cluster that has started. A port that was free a moment ago may be taken by now: others are tried then. */
async function startCluster() {
  for (let attempt = 1; ; attempt++) {
    const wanted = attempt === 1 ? [4646, 4647] : [0, 0];
    const [http, rpc] = await Promise.all(wanted.map(async (port) => (await free(port)) ?? (await free(0))));
    const { started, code, text } = await startAgent({ http, rpc });
    const address = `http://127.0.0.1:${http}`;
    if (started) {
      if (http !== 4646) {
        console.log(dim('Port 4646 is taken: if by a cluster of yours, orchctl reaches that one, and this one with ORCH_ADDR.'));
      }
      console.log(`${bold('==>')} Started a cluster on ${address} ${dim(`(log: ${logFile})`)}`);
      return address;
    }
    if (ending) await end(0);
    if (attempt < 5 && /EADDRINUSE|in use/.test(text)) continue;
    console.error(red(`The agent ended (exit ${code}). Its last words:\n`) + lastWords());
    await end(1);
  }
}

/** Runs the example until it is healthy, and tells what else to try. */
async function show(address) {
  const started = Date.now();
  const { isTTY } = process.stdout;
  run = spawn(process.execPath, [program, 'job', 'run', 'examples/hello.nomad'], {
    cwd: root,
    stdio: ['ignore', isTTY ? 'inherit' : 'pipe', 'inherit'],
    env: { ...process.env, ORCH_ADDR: address },
  });
  // Progress is drawn on a terminal; elsewhere what it prints comes through here, so that we hear when nobody reads it.
  run.stdout?.pipe(process.stdout, { end: false });
  const status = await new Promise((resolve) => run.on('close', resolve));
  if (ending) return;
  if (status !== 0) throw new Error(`The example did not become healthy. See what the agent said:\n${lastWords()}`);

  const api = `${address}/apis/orch.dev/v1/namespaces/default`;
  const { items } = await (await fetch(`${api}/allocations?fieldSelector=spec.jobName%3Dhello`)).json();
  const alloc = items.find((a) => a.spec.desired === 'run');
  const [port] = alloc.spec.resources.ports;
  const url = `http://${port.hostIP}:${port.value}/`;
  const short = alloc.metadata.name.slice(0, 8);
  const prefix = `${address.endsWith(':4646') ? '' : `ORCH_ADDR=${address} `}${existsSync(join(root, 'node_modules/.bin/orchctl')) ? 'npx orchctl' : 'node dist/orchctl.cjs'}`;

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
}

try {
  const address = await startCluster();
  void agentEnded.then(({ code }) => {
    if (ending) return;
    console.error(red(`\nThe agent ended (exit ${code}). Its last words:\n`) + lastWords());
    void end(1);
  });
  await show(address);
} catch (error) {
  // Ctrl-C reaches the commands of this script too, which may fail before we hear of it.
  await new Promise((resolve) => setTimeout(resolve, 50));
  if (!ending) console.error(red(error.message));
  await end(1);
}
