import { constants, type Stats } from 'node:fs';
import { open, readdir, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

export type LogType = 'stdout' | 'stderr';

/** Which output: the files `<task>.<type>.<index>`, the highest index being the newest. */
export interface LogName {
  readonly task: string;
  readonly type: LogType;
}

export const segmentName = (name: LogName, index: number): string => `${name.task}.${name.type}.${index}`;

/** A folder or file of logs is not what it should be: gone, a link, or no plain file. */
export class LogError extends Error {
  override readonly name = 'LogError';
  readonly reason: 'NotFound' | 'Refused';
  constructor(reason: LogError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * An open log folder. Tasks can write beside it (it lies in the shared `alloc/`), so its path may be swapped for a link at any
 * moment: the folder is opened once, without following a link, and everything in it is reached through that descriptor.
 */
export class LogDir {
  readonly #handle: FileHandle;
  readonly #base: string;

  private constructor(handle: FileHandle, base: string) {
    this.#handle = handle;
    this.#base = base;
  }

  static async open(dir: string): Promise<LogDir> {
    let handle: FileHandle;
    try {
      handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    } catch (error) {
      if (isCode(error, 'ENOENT')) throw new LogError('NotFound', `log folder ${dir} does not exist`, { cause: error });
      if (isCode(error, 'ELOOP', 'ENOTDIR')) throw new LogError('Refused', `log folder ${dir} is not a folder`, { cause: error });
      throw error;
    }
    // Elsewhere than on Linux there is no way back from a descriptor to its entries; there the path has to do.
    return new LogDir(handle, process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : dir);
  }

  /** A path to an entry that stays in this very folder; with no name, to the folder itself. */
  path(name = ''): string {
    return name === '' ? this.#base : join(this.#base, name);
  }

  /** Opens a plain file; undefined when there is none. */
  async open(name: string, flags: number): Promise<FileHandle | undefined> {
    let file: FileHandle;
    try {
      // O_NONBLOCK: a planted FIFO must not hold up a thread.
      file = await open(this.path(name), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o644);
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined;
      if (isCode(error, 'ELOOP', 'ENXIO', 'EISDIR')) throw new LogError('Refused', `log file ${name} is not a plain file`, { cause: error }); // prettier-ignore
      throw error;
    }
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new LogError('Refused', `log file ${name} is not a plain file`);
  }

  async stat(name: string): Promise<Stats | undefined> {
    try {
      return await stat(this.path(name));
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The indexes that exist, oldest first. */
  async segments(name: LogName): Promise<number[]> {
    const prefix = `${name.task}.${name.type}.`;
    const found = (await readdir(this.path())).filter((f) => f.startsWith(prefix)).map((f) => f.slice(prefix.length));
    return found.filter((rest) => /^\d{1,9}$/.test(rest)).map(Number).sort((a, b) => a - b); // prettier-ignore
  }

  /** Removes the oldest segments until `keep` are left. */
  async prune(name: LogName, keep: number): Promise<void> {
    const indexes = await this.segments(name);
    for (const index of indexes.slice(0, Math.max(0, indexes.length - Math.max(1, keep)))) {
      await unlink(this.path(segmentName(name, index))).catch(ignoreMissing);
    }
  }

  /** Opens the newest segment (the first one when there is none) for writing at its end. */
  async openNewest(name: LogName): Promise<{ file: FileHandle; index: number }> {
    const index = (await this.segments(name)).at(-1) ?? 0;
    const file = await this.open(segmentName(name, index), constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
    if (file === undefined) throw new LogError('NotFound', `log folder was removed`);
    return { file, index };
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

export const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');

export function ignoreMissing(error: unknown): void {
  if (!isCode(error, 'ENOENT')) throw error;
}
