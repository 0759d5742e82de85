/**
 * The directories of an allocation:
 *
 *     <data>/alloc/<id>/
 *       alloc/{data,tmp,logs → ../logs}    shared by its tasks
 *       logs/                              what the tasks print; the agent's own, never mounted into a task
 *       <task>/{local,secrets,tmp}         secrets: 0700, in memory where the agent may mount
 */
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '../../base/index.ts';
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
    await Promise.all([open(local), open(join(task, 'tmp')), mkdir(secrets, { mode: 0o700 }).catch(unlessExists)]);
    await mounts.mount(secrets);
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

/** Memory file systems for secrets. An agent that may not mount (not root, or inside a container) uses the disk and says so once. */
export class SecretMounts {
  #possible: boolean;
  readonly #log: Logger;

  constructor(log: Logger, possible = process.getuid?.() === 0) {
    this.#log = log;
    this.#possible = possible;
  }

  async mount(path: string): Promise<void> {
    if (!this.#possible || (await mountsBelow(path)).includes(path)) return;
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700,nosuid,nodev,noexec', 'orch-secrets', path]);
    } catch (error) {
      this.#possible = false;
      this.#log.warn('cannot mount memory for secrets; they are kept on disk', { error });
    }
  }

  async unmountBelow(path: string): Promise<void> {
    for (const point of (await mountsBelow(path)).reverse()) {
      await run('umount', [point]).catch(() => run('umount', ['-l', point]));
    }
  }
}

async function mountsBelow(path: string): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .flatMap(
      (line) => line.split(' ')[4]?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))) ?? [],
    )
    .filter((point) => point === path || point.startsWith(`${path}/`));
}
