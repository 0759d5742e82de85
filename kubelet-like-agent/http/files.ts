/**
 * Files of an allocation for people to look at. A task can write into its directories and may be hostile, so a path is resolved
 * first, its real path must lie inside the allocation (and outside of every secrets directory), and it is then opened without
 * following a link and checked once more by what was opened: a link that is swapped in between leads nowhere.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ApiError } from '../../base/index.ts';

export interface FileInfo {
  readonly name: string;
  readonly isDir: boolean;
  readonly size: number;
  /** As `ls -l` shows it: `-rw-r--r--`. */
  readonly fileMode: string;
  readonly modTime: string;
}

export class AllocationFiles {
  readonly #root: string;
  readonly #tasks: readonly string[];

  constructor(root: string, tasks: readonly string[]) {
    this.#root = root;
    this.#tasks = tasks;
  }

  /** What a directory holds, by name. Links are shown as such and not followed. */
  async list(path: string): Promise<FileInfo[]> {
    const directory = await this.#open(path, constants.O_DIRECTORY);
    try {
      const base = `/proc/self/fd/${directory.fd}`;
      const atTop = (await readlink(base)) === (await realpath(this.#root));
      const names = (await readdir(base)).filter((name) => !name.startsWith('.') || !atTop).sort();
      const infos = await Promise.all(
        names.map(async (name) => {
          const stats = await lstat(join(base, name)).catch(() => undefined);
          return stats === undefined ? [] : [describe(name, stats)];
        }),
      );
      return infos.flat();
    } finally {
      await directory.close();
    }
  }

  async stat(path: string): Promise<FileInfo> {
    const file = await this.#open(path, 0);
    try {
      return describe(path.split('/').filter(Boolean).pop() ?? '/', await file.stat());
    } finally {
      await file.close();
    }
  }

  /** An open plain file; the caller closes it. */
  async read(path: string): Promise<FileHandle> {
    const file = await this.#open(path, 0);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new ApiError('BadRequest', `${path} is not a plain file`);
  }

  async #open(path: string, flags: number): Promise<FileHandle> {
    if (path.includes('\0')) throw new ApiError('BadRequest', 'a path cannot hold a NUL');
    const root = await realpath(this.#root).catch(() => undefined);
    if (root === undefined) throw new ApiError('NotFound', 'the files of this allocation are gone');
    // join resolves `..` against the allocation's own root, so a path that climbs above it is clear by its text already.
    const asked = join(root, path);
    this.#check(root, asked, path);
    let real: string;
    try {
      real = await realpath(asked);
    } catch (error) {
      throw fileError(error, path);
    }
    this.#check(root, real, path);
    let file: FileHandle;
    try {
      // O_NONBLOCK: opening a FIFO must not wait for its other end.
      file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | flags);
    } catch (error) {
      throw fileError(error, path);
    }
    try {
      this.#check(root, await readlink(`/proc/self/fd/${file.fd}`), path);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #check(root: string, real: string, asked: string): void {
    const inside = real === root || real.startsWith(root + sep);
    if (!inside) throw new ApiError('Forbidden', `${asked} is outside of the allocation`);
    const [task, directory] = relative(root, real).split(sep);
    if (task?.startsWith('.')) throw new ApiError('Forbidden', `${asked} belongs to the agent`);
    if (directory === 'secrets' && this.#tasks.includes(task ?? '')) throw new ApiError('Forbidden', `${asked} holds secrets`);
  }
}

function fileError(error: unknown, path: string): Error {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return new ApiError('NotFound', `${path}: no such file or directory`);
    case 'ENOTDIR':
      return new ApiError('BadRequest', `${path} is not a directory`);
    case 'ELOOP':
      return new ApiError('Forbidden', `${path} is a link`);
    case 'ENXIO':
      return new ApiError('BadRequest', `${path} is not a plain file`);
    default:
      return error instanceof Error ? error : new Error(String(error));
  }
}

function describe(name: string, stats: Stats): FileInfo {
  return {
    name,
    isDir: stats.isDirectory(),
    size: stats.size,
    fileMode: modeText(stats),
    modTime: stats.mtime.toISOString(),
  };
}

function modeText(stats: Stats): string {
  const type = stats.isDirectory() ? 'd' : stats.isSymbolicLink() ? 'L' : stats.isFIFO() ? 'p' : stats.isSocket() ? 'S' : '-';
  const bits = [...'rwxrwxrwx'].map((letter, i) => ((stats.mode >> (8 - i)) & 1 ? letter : '-'));
  return type + bits.join('');
}
