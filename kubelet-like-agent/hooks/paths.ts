/**
 * Writing and reading where tasks may write as well: a task could put a link, or swap a folder for one, between a check and its use. So
 * folders are opened one step at a time, never through a link, and what is done is done relative to the open folder.
 */
import { constants, readlinkSync, openSync, closeSync, fstatSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { uuid } from '../../base/index.ts';
import type { TaskDirs } from '../drivers/driver.ts';

export class PathError extends Error {
  override readonly name = 'PathError';
}

/** Where on the node a path is that a job file names: `local/x`, `secrets/x`, `/alloc/x`, `${NOMAD_TASK_DIR}/x`, all inside of the task. */
export function placeInTask(dirs: TaskDirs, path: string): { root: string; inside: string } {
  if (path.includes('\0')) throw new PathError('a path cannot hold a null character');
  for (const root of [dirs.alloc, dirs.task]) {
    // What was interpolated for a driver without a file system of its own.
    if (path === root || path.startsWith(`${root}/`)) return climb(root, path.slice(root.length + 1), path);
  }
  const clean = isAbsolute(path) ? path.replace(/^\/+/, '') : path;
  if (/^(\.\.\/)?alloc(\/|$)/.test(clean)) return climb(dirs.alloc, clean.replace(/^(\.\.\/)?alloc\/?/, ''), path);
  return climb(dirs.task, clean, path);
}

function climb(root: string, inside: string, asked: string): { root: string; inside: string } {
  const clean = normalize(inside === '' ? '.' : inside);
  if (clean === '..' || clean.startsWith(`..${sep}`) || isAbsolute(clean)) throw new PathError(`${asked} is outside of the task`);
  return { root, inside: clean };
}

/** An open folder. */
export class Folder {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(path: string): Promise<Folder> {
    return new Folder(await openFolder(path));
  }

  /** Opens the folder at a path below `root`, making what is missing. */
  static async make(root: string, inside: string): Promise<Folder> {
    let folder = await Folder.open(root);
    for (const name of inside.split(sep).filter((step) => step !== '' && step !== '.')) {
      const next = await folder.make(name).finally(() => folder.close());
      folder = next;
    }
    return folder;
  }

  /** A name in it, as a path that nobody can lead elsewhere. */
  path(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }

  async make(name: string): Promise<Folder> {
    await mkdir(this.path(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    return new Folder(await openFolder(this.path(name), name));
  }

  /** Puts a whole file in place of what has the name. */
  async write(name: string, data: string | Buffer, how: { mode: number; uid?: number; gid?: number }): Promise<void> {
    const aside = `.orch-${uuid()}`;
    const file = await open(
      this.path(aside),
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await file.writeFile(data);
      // Before the mode, which a change of owner would take bits from.
      if (how.uid !== undefined || how.gid !== undefined) {
        const { uid, gid } = await file.stat();
        await file.chown(how.uid ?? uid, how.gid ?? gid);
      }
      await file.chmod(how.mode);
      await rename(this.path(aside), this.path(name));
    } catch (error) {
      await rm(this.path(aside), { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function openFolder(path: string, name = path): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP' || code === 'ENOTDIR') throw new PathError(`${name} is a link or no folder`);
    throw error;
  }
}

/** Writes a file of the task at a path as the job file names it. */
export async function writeInTask(dirs: TaskDirs, path: string, data: string | Buffer, how: { mode: number; uid?: number; gid?: number }): Promise<void> {
  const { root, inside } = placeInTask(dirs, path);
  if (inside === '.' || path.endsWith('/')) throw new PathError(`${path} names a folder, not a file`);
  const folder = await Folder.make(root, dirname(inside));
  try {
    await folder.write(basename(inside), data, how);
  } finally {
    await folder.close();
  }
} // prettier-ignore

const MOST = 16 * 1024 * 1024;

/** A file of the task; links that stay inside of it are followed. */
export function readInTask(dirs: TaskDirs, path: string): string {
  const { root, inside } = placeInTask(dirs, path);
  const fd = openSync(join(root, inside), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // Where it really is, now that it is open.
    const real = readlinkSync(`/proc/self/fd/${fd}`);
    const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    const realRoot = readlinkSync(`/proc/self/fd/${rootFd}`);
    closeSync(rootFd);
    const way = relative(realRoot, real);
    if (way.startsWith('..') || isAbsolute(way)) throw new PathError(`${path} is outside of the task`);
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new PathError(`${path} is not a plain file`);
    if (stat.size > MOST) throw new PathError(`${path} is larger than ${MOST} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
