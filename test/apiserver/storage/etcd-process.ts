/** A real etcd for tests: one member, in a temporary folder, on ports of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EtcdProcess {
  readonly endpoint: string;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  /** Start it again on the same data and ports. */
  start(): Promise<void>;
  /** Kill it and remove its data. */
  close(): Promise<void>;
}

export async function startEtcd(): Promise<EtcdProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'orch-etcd-'));
  const [client, peer] = [await freePort(), await freePort()];
  const endpoint = `http://127.0.0.1:${client}`;
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const started = spawn(
      'etcd',
      [
        ...['--name', 'test', '--data-dir', folder, '--log-level', 'warn'],
        ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
        ...['--listen-peer-urls', `http://127.0.0.1:${peer}`, '--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-cluster', `test=http://127.0.0.1:${peer}`],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child = started;
    let output = '';
    started.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    while (!(await isHealthy(endpoint))) {
      if (started.exitCode !== null) throw new Error(`etcd ended with ${started.exitCode}:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const killAtExit = (): void => void child?.kill('SIGKILL'); // a failing test must not leave it behind
  process.on('exit', killAtExit);
  await start();
  return {
    endpoint,
    kill,
    start,
    close: async () => {
      await kill();
      process.off('exit', killAtExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(1000) });
    return ((await response.json()) as { health: string }).health === 'true';
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
