/**
 * Real processes for end-to-end tests: the built program, run as a user runs it. Everything that is started is ended by
 * `close`, also when a test fails.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '../../client/index.ts';

/** The root of the project, wherever below it this was bundled to. */
export const root = ((from: string): string => {
  for (let dir = from; ; dir = dirname(dir)) if (existsSync(join(dir, 'package.json'))) return dir;
})(dirname(fileURLToPath(import.meta.url)));

export const program = join(root, 'dist/orchctl.cjs');

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that goes on running, with its output so far. */
export class Process {
  readonly #child: ChildProcess;
  #output = '';
  #waiting: (() => void)[] = [];
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(command: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}) {
    this.#child = spawn(command, args, {
      ...options,
      env: { ...process.env, NO_COLOR: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const take = (data: Buffer): void => {
      this.#output += data.toString();
      this.#wake();
    };
    this.#child.stdout!.on('data', take);
    this.#child.stderr!.on('data', take);
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#output += String(error);
        resolve({ code: 127, signal: null });
        this.#wake();
      });
      this.#child.on('close', (code, signal) => {
        resolve({ code, signal });
        this.#wake();
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the match once the output has it. Fails when the process ends first, or after `ms`. */
  async says(pattern: RegExp, ms = 30_000): Promise<RegExpExecArray> {
    const end = Date.now() + ms;
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match !== null) return match;
      if (!this.running) throw new Error(`ended without saying ${pattern}:\n${this.#output}`);
      if (Date.now() > end) throw new Error(`did not say ${pattern} within ${ms} ms:\n${this.#output}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, end - Date.now() + 1);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.running) this.#child.kill(signal);
    await this.ended;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A place for one test's cluster: a temporary folder, the command line set to one server, and every process it started. */
export class Sandbox {
  readonly dir = mkdtempSync(join(tmpdir(), 'orch-e2e-'));
  readonly #processes: Process[] = [];
  address: string;

  constructor(address = 'http://127.0.0.1:4646') {
    this.address = address;
  }

  /** Starts `orchctl ARGS` in the background. */
  start(...args: string[]): Process {
    return this.spawn(process.execPath, [program, ...args]);
  }

  /** Starts any program in the background. */
  spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Process {
    const child = new Process(command, args, { cwd: this.dir, env: { ORCH_ADDR: this.address, ...env } });
    this.#processes.push(child);
    return child;
  }

  /** Runs `orchctl ARGS` to its end. */
  orchctl(...args: string[]): Promise<Output> {
    return this.run(process.execPath, [program, ...args]);
  }

  /** Runs `orchctl ARGS`, which must succeed, and gives its output. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.orchctl(...args);
    if (code !== 0) throw new Error(`orchctl ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs any program to its end. */
  run(
    command: string,
    args: readonly string[],
    options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ): Promise<Output> {
    return new Promise((resolve) => {
      const child = spawn(command, args, {
        cwd: options.cwd ?? this.dir,
        env: { ...process.env, NO_COLOR: '1', ORCH_ADDR: this.address, ...options.env },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (d: Buffer) => (stdout += d.toString()));
      child.stderr.on('data', (d: Buffer) => (stderr += d.toString()));
      child.on('error', (error) => resolve({ code: 127, stdout, stderr: stderr + error.message }));
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
      child.stdin.on('error', () => undefined); // it may end without reading its input
      child.stdin.end(options.input ?? '');
    });
  }

  client(): Client {
    return new Client({ servers: [this.address], userAgent: 'e2e' });
  }

  /** Calls `look` until it gives something, waking on any output of `source` is not enough here: the world is outside. */
  async eventually<T>(what: string, look: () => Promise<T | undefined | false>, ms = 60_000): Promise<T> {
    const end = Date.now() + ms;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}\n${this.logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** The last lines of every process, for a failing test's message. */
  logs(): string {
    return this.#processes.map((p) => `--- process ${p.pid}\n${p.output.split('\n').slice(-40).join('\n')}`).join('\n');
  }

  /** Ends what agents left running here, as they do when a test failed half-way: containers with a folder of ours, and mounts. */
  async #removeTasks(): Promise<void> {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(`${this.dir}/`));
    if (mounts.length === 0 && !existsSync('/var/run/docker.sock')) return;
    const { stdout } = await this.run('docker', ['ps', '-aq', '--no-trunc']);
    const format = '{{.Id}}{{range .Mounts}} {{.Source}}{{end}}';
    const ids = stdout.split('\n').filter(Boolean);
    const inspected = ids.length === 0 ? '' : (await this.run('docker', ['inspect', '-f', format, ...ids])).stdout;
    const ours = inspected.split('\n').filter((line) => line.includes(` ${this.dir}/`)).map((line) => line.split(' ')[0]!); // prettier-ignore
    if (ours.length > 0) await this.run('docker', ['rm', '-f', ...ours]);
    for (const path of mounts) await this.run('umount', [path]);
  }

  async close(): Promise<void> {
    for (const p of this.#processes.reverse()) {
      const dead = p.kill('SIGINT');
      const timer = setTimeout(() => void p.kill('SIGKILL'), 20_000);
      await dead;
      clearTimeout(timer);
    }
    await this.#removeTasks();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((s) => (s.address() as { port: number }).port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}
