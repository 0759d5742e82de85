import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Process, Sandbox } from './orchctl.ts';

/** A Docker engine of a test's own, which it can kill. Its containers outlive it (live restore); they have no network but the machine's. */
export class Engine {
  readonly #box: Sandbox;
  /** Short, as the paths of sockets have to be. */
  readonly #dir = mkdtempSync(join(tmpdir(), 'orch-eng-'));
  #containerd: Process | undefined;
  #dockerd: Process | undefined;

  private constructor(box: Sandbox) {
    this.#box = box;
  }

  /** Has the image `busybox:1`. */
  static async start(box: Sandbox): Promise<Engine> {
    const engine = new Engine(box);
    try {
      await engine.#startContainerd();
      await engine.#startDockerd();
      const saved = join(box.dir, 'busybox.tar');
      const { code, stderr } = await box.run('docker', ['save', '-o', saved, 'busybox:1']);
      if (code !== 0) throw new Error(stderr);
      await engine.#docker('load', '-i', saved);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  get endpoint(): string {
    return `unix://${this.#at('d.sock')}`;
  }

  #at(name: string): string {
    return join(this.#dir, name);
  }

  /** A process of its own, as machines have it: one that dockerd starts would die with it. */
  async #startContainerd(): Promise<void> {
    writeFileSync(this.#at('c.toml'), 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
    this.#containerd = this.#box.spawn('containerd', [
      ...['--config', this.#at('c.toml'), '--root', this.#at('c'), '--state', this.#at('s'), '--address', this.#at('c.sock')],
    ]); // prettier-ignore
    await this.#containerd.says(/containerd successfully booted/);
  }

  async #startDockerd(): Promise<void> {
    // In a network of its own: a dockerd without a bridge removes the one that the machine's dockerd works with.
    this.#dockerd = this.#box.spawn('unshare', [
      ...['--net', 'dockerd'],
      ...['--data-root', this.#at('d'), '--exec-root', this.#at('x'), '--host', this.endpoint, '--pidfile', this.#at('pid')],
      ...['--containerd', this.#at('c.sock'), '--bridge=none', '--iptables=false', '--ip6tables=false', '--live-restore'],
    ]); // prettier-ignore
    await this.#dockerd.says(/API listen on/);
  }

  async restart(): Promise<void> {
    await this.#dockerd?.kill('SIGKILL');
    await this.#startDockerd();
  }

  /** Every container, whatever its state. */
  async list(): Promise<string[]> {
    return (await this.#docker('ps', '-a', '--format', '{{.ID}} {{.Names}} {{.Status}}')).split('\n').filter(Boolean);
  }

  async #docker(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#box.run('docker', ['--host', this.endpoint, ...args]);
    if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async close(): Promise<void> {
    const ids = (await this.#docker('ps', '-aq').catch(() => '')).split('\n').filter(Boolean);
    if (ids.length > 0) await this.#docker('rm', '-f', ...ids).catch(() => '');
    await this.#dockerd?.kill('SIGTERM');
    await this.#containerd?.kill('SIGTERM');
    // Namespaces and layers of what was still being removed.
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? ''); // prettier-ignore
    for (const path of mounts.filter((at) => at.startsWith(`${this.#dir}/`)).reverse())
      await this.#box.run('umount', ['-l', path]);
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
