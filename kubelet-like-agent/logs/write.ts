import type { FileHandle } from 'node:fs/promises';
import type { LogDir } from './files.ts';
import { segmentName, type LogName } from './files.ts';
import { constants } from 'node:fs';

/** Writes a task's output to its rotated files, for drivers that are handed the output instead of letting the task write it. */
export class SegmentWriter {
  readonly #dir: LogDir;
  readonly #name: LogName;
  readonly #limits: { maxFiles: number; maxBytes: number };
  #file: FileHandle;
  #index: number;
  #size: number;

  private constructor(
    dir: LogDir,
    name: LogName,
    limits: { maxFiles: number; maxBytes: number },
    file: FileHandle,
    index: number,
    size: number,
  ) {
    this.#dir = dir;
    this.#name = name;
    this.#limits = limits;
    this.#file = file;
    this.#index = index;
    this.#size = size;
  }

  static async open(dir: LogDir, name: LogName, limits: { maxFiles: number; maxBytes: number }): Promise<SegmentWriter> {
    const { file, index } = await dir.openNewest(name);
    return new SegmentWriter(dir, name, limits, file, index, (await file.stat()).size);
  }

  /** Where the next byte goes. */
  get position(): LogPosition {
    return { index: this.#index, offset: this.#size };
  }

  /** Bytes that lie between an earlier position and the end; undefined when files in between are gone. */
  async since(from: LogPosition): Promise<number | undefined> {
    let bytes = this.#size - from.offset;
    for (let index = from.index; index < this.#index; index++) {
      const found = await this.#dir.stat(segmentName(this.#name, index));
      if (found === undefined) return undefined;
      bytes += found.size;
    }
    return bytes < 0 || from.index > this.#index ? undefined : bytes;
  }

  async write(data: Buffer): Promise<void> {
    if (this.#size > 0 && this.#size + data.length > this.#limits.maxBytes) await this.#rotate();
    await this.#file.appendFile(data);
    this.#size += data.length;
  }

  async #rotate(): Promise<void> {
    const index = this.#index + 1;
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
    const next = await this.#dir.open(segmentName(this.#name, index), flags);
    const old = this.#file;
    this.#file = next!;
    this.#index = index;
    this.#size = 0;
    await old.close();
    await this.#dir.prune(this.#name, this.#limits.maxFiles);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

export interface LogPosition {
  readonly index: number;
  readonly offset: number;
}
