/**
 * The directories of an allocation:
 *
 *     <data>/alloc/<id>/
 *       alloc/{data,tmp,logs → ../logs}    shared by its tasks
 *       logs/                              what the tasks print; the agent's own, never mounted into a task
 *       <task>/{local,secrets,tmp}         secrets: 0700, in memory where the agent may mount
 */
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { sleep, type Clock, type Logger } from '../../base/index.ts';
import type { TaskDirs } from '../drivers/driver.ts';

const run = promisify(execFile);

/** Names of tasks that would collide with a directory that is there for something else. */
export const RESERVED_NAMES: readonly string[] = ['alloc', 'logs'];

/** Whether a task's name can be the name of its directory, and nothing but that. Names with a dot in front are the agent's. */
export const isSafeName = (name: string): boolean =>
  name !== '' && !name.startsWith('.') && !/[/\0]/.test(name) && !RESERVED_NAMES.includes(name);

export class AllocationDirs {
  readonly root: string;
  readonly alloc: string;
  readonly logs: string;

  constructor(dataDir: string, id: string) {
    this.root = join(dataDir, 'alloc', id);
    this.alloc = join(this.root, 'alloc');
    this.logs = join(this.root, 'logs');
  }

  task(name: string): TaskDirs {
    const task = join(this.root, name);
    return { alloc: this.alloc, task, local: join(task, 'local'), secrets: join(task, 'secrets') };
  }

  /** The shared directories. Idempotent. */
  async buildShared(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o755 });
    await mkdir(this.logs, { recursive: true, mode: 0o755 });
    await open(this.alloc);
    await Promise.all(['data', 'tmp'].map((name) => open(join(this.alloc, name))));
    await symlink('../logs', join(this.alloc, 'logs')).catch(unlessExists);
  }

  /** A task's own. Idempotent. `mounts` true: secrets live in memory. */
  async buildTask(name: string, mounts: SecretMounts): Promise<void> {
    const { task, local, secrets } = this.task(name);
    await open(task);
    const [fresh] = await Promise.all([
      mkdir(secrets, { mode: 0o700 }).then(() => true, (e: NodeJS.ErrnoException) => (unlessExists(e), false)), // prettier-ignore
      open(local),
      open(join(task, 'tmp')),
    ]);
    await mounts.mount(secrets, fresh);
  }

  /**
   * Puts what a dispatch sent along (base64) into the task's local directory. What is there already is left alone: the task may
   * have put a link in its place, which nobody with our rights should follow.
   */
  async writePayload(task: string, file: string, payload: string): Promise<void> {
    const { local } = this.task(task);
    const parts = relative(local, resolve(local, file)).split(sep);
    if (parts[0] === '..' || parts.at(-1) === '') throw new Error(`dispatch_payload: ${file} is not below the local directory`);
    let path = local;
    for (const part of parts.slice(0, -1)) {
      path = join(path, part);
      await mkdir(path).catch(unlessExists);
      if (!(await lstat(path)).isDirectory()) throw new Error(`dispatch_payload: ${path} is no directory`);
    }
    await writeFile(join(path, parts.at(-1)!), Buffer.from(payload, 'base64'), { flag: 'wx', mode: 0o644 }).catch(unlessExists);
  }

  /** Takes over what the previous allocation of the same group left on this node (`ephemeral_disk { sticky = true }`). */
  async inherit(from: AllocationDirs, tasks: readonly string[]): Promise<void> {
    const pairs = [
      [join(from.alloc, 'data'), join(this.alloc, 'data')],
      ...tasks.map((name) => [from.task(name).local, this.task(name).local]),
    ] as [string, string][];
    for (const [source, target] of pairs) {
      if ((await lstat(source).catch(() => undefined))?.isDirectory() !== true) continue;
      await rm(target, { recursive: true, force: true });
      await mkdir(join(target, '..'), { recursive: true });
      await rename(source, target).catch(() => cp(source, target, { recursive: true, verbatimSymlinks: true }));
    }
  }

  /** What was secret does not outlive the tasks, though their files may be looked at for a while. */
  async wipeSecrets(tasks: readonly string[], mounts: SecretMounts): Promise<void> {
    await mounts.unmountBelow(this.root);
    for (const name of tasks) {
      const { secrets } = this.task(name);
      for (const entry of await readdir(secrets).catch(() => []))
        await rm(join(secrets, entry), { recursive: true, force: true });
    }
  }

  async remove(mounts: SecretMounts): Promise<void> {
    await mounts.unmountBelow(this.root);
    await rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A directory that any user of a task may write to; mkdir alone would leave that to the agent's umask. */
async function open(path: string): Promise<void> {
  await mkdir(path).catch(unlessExists);
  await chmod(path, 0o777);
}

function unlessExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

const MOUNT = 'mount -t tmpfs -o size=1m,mode=0700,nosuid,nodev,noexec orch-secrets "$p"';
const GATHER = 10;
const UNMOUNT = 'umount "$p" 2>/dev/null || umount -l "$p"';

/**
 * Memory file systems for secrets. An agent that may not mount (not root, or inside a container) uses the disk and says so
 * once. Starting a process holds up everything else for milliseconds, so what is asked for within a moment is done by one.
 */
export class SecretMounts {
  #possible: boolean;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #queues: Record<string, { path: string; done: (ok: boolean) => void }[]> = {};
  readonly #running = new Set<string>();

  constructor(log: Logger, clock: Clock, possible = process.getuid?.() === 0) {
    this.#log = log;
    this.#clock = clock;
    this.#possible = possible;
  }

  /** `fresh`: the directory was just made, so nothing can be mounted there. */
  async mount(path: string, fresh: boolean): Promise<void> {
    if (!this.#possible || (!fresh && (await mountsBelow(path)).includes(path))) return;
    if ((await this.#each(MOUNT, path)) || !this.#possible) return;
    this.#possible = false;
    this.#log.warn('cannot mount memory for secrets; they are kept on disk', { path });
  }

  async unmountBelow(path: string): Promise<void> {
    if (!this.#possible) return;
    const points = await mountsBelow(path);
    await Promise.all(points.map((point) => this.#each(UNMOUNT, point)));
    const left = (await mountsBelow(path)).length;
    if (left > 0) throw new Error(`cannot unmount ${left} of the secrets below ${path}`);
  }

  /** Removes what a killed agent left behind: memory of allocations below `dir` that have ended or are not known. */
  async sweep(dir: string, lives: (allocation: string) => boolean): Promise<void> {
    if (!this.#possible) return;
    const points = await mountsBelow(dir);
    const stray = points.filter((point) => !lives(relative(dir, point).split(sep)[0]!));
    await Promise.all(stray.map((point) => this.#each(UNMOUNT, point)));
    if (stray.length > 0) this.#log.info('unmounted secrets that nothing uses any more', { mounts: stray.length });
  }

  /** Runs a line of shell for `$p`; false when it failed. */
  #each(line: string, path: string): Promise<boolean> {
    return new Promise((done) => {
      (this.#queues[line] ??= []).push({ path, done });
      if (!this.#running.has(line)) void this.#drain(line);
    });
  }

  async #drain(line: string): Promise<void> {
    this.#running.add(line);
    await sleep(this.#clock, GATHER);
    for (let batch = this.#take(line); batch.length > 0; batch = this.#take(line)) {
      const script = `for p in "$@"; do { ${line}; } >/dev/null 2>&1 && echo 1 || echo 0; done`;
      const output = await run('/bin/sh', ['-c', script, 'sh', ...batch.map((b) => b.path)]).then((r) => r.stdout, () => ''); // prettier-ignore
      const answers = output.split('\n');
      for (const [i, { done }] of batch.entries()) done(answers[i] === '1');
      await sleep(this.#clock, GATHER);
    }
    this.#running.delete(line);
  }

  #take(line: string): { path: string; done: (ok: boolean) => void }[] {
    return this.#queues[line]?.splice(0, 100) ?? [];
  }
}

async function mountsBelow(path: string): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  if (!text.includes(' orch-secrets ')) return [];
  return text
    .split('\n')
    .flatMap((line) => (line.includes(' orch-secrets ') ? (line.split(' ')[4] ?? []) : []))
    .map((point) => point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .filter((point) => point === path || point.startsWith(`${path}/`));
}
