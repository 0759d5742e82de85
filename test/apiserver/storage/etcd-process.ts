/** Real etcd for tests: clusters of any size, in a temporary folder, on ports of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EtcdProcess {
  readonly endpoint: string;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  /** Start it again on the same data and ports. In a cluster it resolves when the process runs, not when it has caught up. */
  start(): Promise<void>;
  /** SIGSTOP: it keeps its connections and does not answer. */
  pause(): void;
  resume(): void;
  /** Kill it and remove its data. */
  close(): Promise<void>;
}

export interface EtcdCluster {
  readonly members: readonly EtcdProcess[];
  readonly endpoints: string[];
  /** Resolves when all running members have a leader and answer. */
  healthy(): Promise<void>;
  close(): Promise<void>;
}

export interface EtcdSettings {
  /** On the disk, for what is measured; otherwise in memory where there is enough. */
  readonly onDisk?: boolean;
  /** More flags for etcd. */
  readonly args?: readonly string[];
  /** Clients are served by TLS with these files, and need a certificate of the same authority. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Where each member runs: its own address, and what to put before its command (`ip netns exec …`). */
  readonly places?: readonly { readonly address: string; readonly command: readonly string[] }[];
}

export async function startEtcd(settings: EtcdSettings = {}): Promise<EtcdProcess> {
  const cluster = await startCluster(1, settings);
  const [member] = cluster.members;
  return { ...member!, start: () => member!.start().then(cluster.healthy), close: cluster.close };
}

export async function startCluster(size: number, settings: EtcdSettings = {}): Promise<EtcdCluster> {
  const folder = mkdtempSync(join(settings.onDisk === true ? tmpdir() : fastFolder(), 'orch-etcd-'));
  const scheme = settings.tls === undefined ? 'http' : 'https';
  const ports = await freePorts(3 * size);
  const plans = Array.from({ length: size }, (_, i) => {
    const { address, command } = settings.places?.[i] ?? { address: '127.0.0.1', command: [] };
    const [client, peer, metrics] = ports.slice(3 * i);
    return {
      name: `m${i}`,
      command,
      client: `${scheme}://${address}:${client}`,
      peer: `http://${address}:${peer}`,
      health: `http://${address}:${metrics}`, // without TLS
    };
  });
  const children = new Set<ChildProcess>();
  const killAtExit = (): void => children.forEach((child) => child.kill('SIGKILL')); // a failing test must not leave them behind
  process.on('exit', killAtExit);
  const members = plans.map(({ name, command, client, peer, health }) => {
    let child: ChildProcess | undefined;
    let output = '';
    const argv = [
      ...command,
      'etcd',
      ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'warn', '--initial-cluster-token', folder],
      ...['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-metrics-urls', health],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', plans.map((plan) => `${plan.name}=${plan.peer}`).join(',')],
      ...(settings.tls === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', settings.tls.ca, '--cert-file', settings.tls.cert, '--key-file', settings.tls.key]), // prettier-ignore
      ...(settings.args ?? []),
    ];
    const running = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
    const kill = async (): Promise<void> => {
      if (!running()) return;
      const gone = once(child!, 'exit');
      child!.kill('SIGKILL');
      await gone;
    };
    return {
      endpoint: client,
      health,
      running,
      failure: () => (child?.exitCode === null || child?.exitCode === undefined ? undefined : `etcd ended with ${child.exitCode}:\n${output}`), // prettier-ignore
      kill,
      start: async () => {
        if (running()) return;
        const started = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
        child = started;
        children.add(started);
        started.once('exit', () => children.delete(started));
        output = '';
        started.stderr.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-10_000)));
      },
      pause: () => void child?.kill('SIGSTOP'),
      resume: () => void child?.kill('SIGCONT'),
      close: kill,
    };
  });
  const healthy = async (): Promise<void> => {
    for (const member of members) {
      while (member.running() && !(await isHealthy(member.health))) await new Promise((resolve) => setTimeout(resolve, 20));
      const failure = member.failure();
      if (failure !== undefined) throw new Error(failure);
    }
  };
  for (const member of members) await member.start();
  await healthy();
  return {
    members,
    endpoints: members.map(({ endpoint }) => endpoint),
    healthy,
    close: async () => {
      await Promise.all(members.map(({ kill }) => kill()));
      process.off('exit', killAtExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Memory where there is enough of it: what is killed with SIGKILL does not lose it, and tests need not wait for the disk. */
function fastFolder(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize > 2 << 30 ? '/dev/shm' : tmpdir();
  } catch {
    return tmpdir();
  }
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(1000) });
    return ((await response.json()) as { health: string }).health === 'true';
  } catch {
    return false;
  }
}

/** All at once, so that none is given twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => (server.close(), once(server, 'close'))));
  return ports;
}
