import { constants, watch, type FSWatcher } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { LogDir, LogError, segmentName, type LogName, type LogType } from './files.ts';

export interface ReadLogOptions {
  /** The allocation's log folder. */
  readonly dir: string;
  readonly task: string;
  readonly type: LogType;
  /** Go on with what is written later, until `done`. */
  readonly follow?: boolean;
  /** Where `offset` counts from: the oldest byte kept, or back from the newest. Default: start. */
  readonly origin?: 'start' | 'end';
  readonly offset?: number;
  /** Begin with the last lines, this many; takes the place of origin and offset. */
  readonly tailLines?: number;
  readonly signal?: AbortSignal;
  /** Resolves when the task is dead: following ends with the last byte it wrote. */
  readonly done?: Promise<unknown>;
}

const CHUNK = 64 * 1024;

/**
 * A task's output as one stream across its rotated files.
 *
 * The file a raw_exec task writes to keeps its inode and is renamed from `.N` to `.N+1` when it is emptied, after a copy of what
 * was in it took the name `.N` (see rotate.ts). So a read is good only if the name still meant the same file *after* it; else it
 * is thrown away and repeated from the file that has the name now. That is all the reader and the rotator need to agree on.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<Buffer, void, undefined> {
  const { task, type, follow = false, signal } = options;
  if (!/^[^/\0]+$/.test(task)) throw new LogError('Refused', `"${task}" cannot be a task's name`);
  const name: LogName = { task, type };
  const dir = await LogDir.open(options.dir);
  const changes = follow ? new Changes(dir, `${task}.${type}.`) : undefined;
  const reader = new SegmentReader(dir, name);
  let ended = !follow;
  const end = (): void => {
    ended = true;
    changes?.wake();
  };
  options.done?.then(end, end);
  const abort = (): void => changes?.wake();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await reader.seek(options);
    while (!signal?.aborted) {
      // Taken before reading, so that nothing written before the end is left out.
      const last = ended;
      changes?.reset();
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
        yield chunk;
        if (signal?.aborted) return;
      }
      if (last) return;
      if (!ended) await changes!.changed();
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    changes?.close();
    await reader.close();
    await dir.close();
  }
}

/** Reads segment after segment from a position. */
class SegmentReader {
  readonly #dir: LogDir;
  readonly #name: LogName;
  #index = 0;
  #offset = 0;
  #file: FileHandle | undefined;

  constructor(dir: LogDir, name: LogName) {
    this.#dir = dir;
    this.#name = name;
  }

  async seek(options: ReadLogOptions): Promise<void> {
    for (let tries = 0; ; tries++) {
      const indexes = await this.#dir.segments(this.#name);
      if (indexes.length === 0) return;
      const sizes = await Promise.all(indexes.map(async (i) => (await this.#dir.stat(segmentName(this.#name, i)))?.size ?? 0));
      const total = sizes.reduce((a, b) => a + b, 0);
      let at =
        options.tailLines !== undefined
          ? await this.#startOfLastLines(indexes, sizes, options.tailLines)
          : options.origin === 'end'
            ? total - (options.offset ?? 0)
            : (options.offset ?? 0);
      at = Math.min(Math.max(0, at), total);
      const newest = (await this.#dir.segments(this.#name)).at(-1);
      if (newest !== indexes.at(-1) && tries < 5) continue; // rotated meanwhile: the sizes mean nothing
      let k = 0;
      while (k < indexes.length - 1 && at >= sizes[k]!) at -= sizes[k++]!;
      this.#index = indexes[k]!;
      this.#offset = at;
      return;
    }
  }

  /** The offset, counted from the oldest byte, at which the last `count` lines begin. */
  async #startOfLastLines(indexes: number[], sizes: number[], count: number): Promise<number> {
    let base = sizes.reduce((a, b) => a + b, 0);
    if (count <= 0) return base;
    const end = base;
    let missing = count;
    for (let k = indexes.length - 1; k >= 0; k--) {
      base -= sizes[k]!;
      const file = await this.#dir.open(segmentName(this.#name, indexes[k]!), constants.O_RDONLY);
      if (file === undefined) break;
      try {
        for (let to = sizes[k]!; to > 0;) {
          const from = Math.max(0, to - CHUNK);
          const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(to - from), 0, to - from, from);
          for (let i = bytesRead - 1; i >= 0; i--) {
            if (buffer[i] !== 0x0a || base + from + i === end - 1) continue;
            if (--missing === 0) return base + from + i + 1;
          }
          to = from;
        }
      } finally {
        await file.close();
      }
    }
    return 0;
  }

  /** The next bytes; undefined when there are none now. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#file === undefined && !(await this.#open())) return undefined;
      const file = this.#file!;
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, this.#offset);
      const held = await file.stat();
      const named = await this.#dir.stat(segmentName(this.#name, this.#index));
      const pruned = held.nlink === 0; // nobody can write to it or empty it any more
      if (!pruned && named?.ino !== held.ino) {
        await this.#letGo();
        continue;
      }
      if (bytesRead > 0) {
        this.#offset += bytesRead;
        return buffer.subarray(0, bytesRead);
      }
      if (held.size < this.#offset) {
        this.#offset = 0; // emptied by hand
        continue;
      }
      const following = await this.#following();
      // The next name still means the same file: a rotation is under way, and will tell.
      if (following === undefined || following.ino === held.ino) return undefined;
      // The newer segment was made after the last write to this one, so this look is the last one that can find something.
      if ((await file.stat()).size > this.#offset) continue;
      const still = await this.#dir.stat(segmentName(this.#name, this.#index));
      if (!pruned && still !== undefined && still.ino !== held.ino) continue; // noticed at the top
      await this.#letGo();
      this.#index = following.index;
      this.#offset = 0;
    }
  }

  async #following(): Promise<{ index: number; ino: number } | undefined> {
    const index = (await this.#dir.segments(this.#name)).find((i) => i > this.#index);
    if (index === undefined) return undefined;
    const found = await this.#dir.stat(segmentName(this.#name, index));
    return found === undefined ? undefined : { index, ino: found.ino };
  }

  /** Opens the file of the position; where that was removed by rotation, the oldest one after it. */
  async #open(): Promise<boolean> {
    for (;;) {
      const indexes = await this.#dir.segments(this.#name);
      const at = indexes.findIndex((i) => i >= this.#index);
      if (at < 0) return false;
      const index = indexes[at]!;
      const file = await this.#dir.open(segmentName(this.#name, index), constants.O_RDONLY);
      if (file === undefined) continue;
      if (index !== this.#index) this.#offset = 0;
      this.#index = index;
      const size = (await file.stat()).size;
      // What was one file when the position was taken may have been cut into several.
      if (this.#offset > size && at < indexes.length - 1) {
        this.#offset -= size;
        this.#index = indexes[at + 1]!;
        await file.close();
        continue;
      }
      this.#file = file;
      return true;
    }
  }

  async #letGo(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  close(): Promise<void> {
    return this.#letGo();
  }
}

/** Tells when something was written to a task's files. Level, not edge: what happened since `reset` is not forgotten. */
class Changes {
  readonly #watcher: FSWatcher;
  #dirty = false;
  #waiting: (() => void) | undefined;

  constructor(dir: LogDir, prefix: string) {
    this.#watcher = watch(dir.path(), (_event, filename) => {
      if (filename === null || filename.startsWith(prefix)) this.wake();
    });
    this.#watcher.on('error', () => this.wake());
  }

  wake(): void {
    this.#dirty = true;
    this.#waiting?.();
  }

  reset(): void {
    this.#dirty = false;
  }

  changed(): Promise<void> {
    if (this.#dirty) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = () => {
        this.#waiting = undefined;
        resolve();
      };
    });
  }

  close(): void {
    this.#watcher.close();
    this.wake();
  }
}
