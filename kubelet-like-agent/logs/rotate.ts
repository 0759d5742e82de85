import { createHash } from 'node:crypto';
import {
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  readSync,
  renameSync,
  unlinkSync,
  watch,
  writeFileSync,
  writeSync,
  type FSWatcher,
} from 'node:fs';
import { rename, unlink, type FileHandle } from 'node:fs/promises';
import type { Clock, Logger, Timer } from '../../base/index.ts';
import { describeError } from '../../base/index.ts';
import { ignoreMissing, LogDir, segmentName, type LogName } from './files.ts';

export interface RotatorOptions {
  readonly dir: string;
  readonly task: string;
  readonly type: LogName['type'];
  readonly maxFiles: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Holds the writers still while the last bytes are copied; resolves to what lets them go on. */
  readonly freeze?: () => Promise<() => void>;
}

const CHUNK = 1 << 20;
/** How often a busy log is looked at, at most and at least. */
const SOONEST = 100;
const LATEST = 30_000;

/**
 * Keeps the file that a task writes to itself (O_APPEND, so that it needs nobody while it runs) below a size.
 *
 * That file stays the same inode for as long as the task runs. To rotate, what is in it is copied aside and takes over its name
 * `.N`; the file itself becomes `.N+1` and is emptied:
 *
 *     copy   .N           → .rotating.0    (and .1, .2 … where nobody was there to rotate in time)
 *     link   .N           → .N+1           both names, one file
 *     rename .rotating.0  → .N             readers that still hold the file notice by its inode
 *     empty  .N+1
 *
 * What is written between the last copied byte and the emptying would be lost, so the writers are held meanwhile where a cgroup
 * allows it; elsewhere these are two system calls in a row. A note beside the files makes a crash in between repairable.
 *
 * The watch on the file is dropped while the log is busy: the next look is timed from the rate it grows at.
 */
export class Rotator {
  readonly #options: RotatorOptions;
  readonly #name: LogName;
  #dir: LogDir | undefined;
  #file: FileHandle | undefined;
  #index = 0;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #seen = { size: 0, at: 0 };
  #closed = false;
  #work: Promise<void>;

  constructor(options: RotatorOptions) {
    this.#options = options;
    this.#name = { task: options.task, type: options.type };
    this.#work = this.#open().catch((error: unknown) => this.#failed(error));
  }

  /** Looks at the file now. Resolves when it is below the limit. */
  check(): Promise<void> {
    this.#work = this.#work.then(() => this.#look()).catch((error: unknown) => this.#failed(error));
    return this.#work;
  }

  /** A last look, then lets go. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.check();
    this.#watcher?.close();
    this.#timer?.cancel();
    await this.#file?.close();
    await this.#dir?.close();
  }

  async #open(): Promise<void> {
    this.#dir = await LogDir.open(this.#options.dir);
    this.#index = (await this.#dir.segments(this.#name)).at(-1) ?? 0;
    this.#file = await this.#dir.open(segmentName(this.#name, this.#index), constants.O_RDWR);
    if (this.#file === undefined) return;
    await this.#repair(this.#dir, this.#file);
    await this.#look();
  }

  async #look(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const { size } = await file.stat();
    if (size >= this.#options.maxBytes) await this.#rotate(0);
    if (!this.#closed) await this.#rest(file);
  }

  /** Sleeps on the watch when the log is idle, else until it may be full. */
  async #rest(file: FileHandle): Promise<void> {
    const { clock, maxBytes } = this.#options;
    const now = clock.now();
    const { size } = await file.stat();
    if (this.#closed) return;
    const grown = size - this.#seen.size;
    const elapsed = Math.max(1, now - this.#seen.at);
    this.#seen = { size, at: now };
    this.#timer?.cancel();
    this.#watcher?.close();
    this.#watcher = undefined;
    if (grown > 0) {
      const untilFull = ((maxBytes - size) / grown) * elapsed;
      this.#timer = clock.after(Math.min(LATEST, Math.max(SOONEST, untilFull / 2)), () => void this.check());
      return;
    }
    try {
      this.#watcher = watch(this.#dir!.path(segmentName(this.#name, this.#index)), () => void this.check());
      this.#watcher.on('error', () => undefined);
    } catch {
      // No more watches to be had: look now and then.
      this.#timer = clock.after(LATEST, () => void this.check());
    }
    if ((await file.stat()).size !== size) void this.check();
  }

  /** Moves everything from `skip` on out of the file. */
  async #rotate(skip: number): Promise<void> {
    const { maxBytes, maxFiles, freeze } = this.#options;
    const dir = this.#dir!;
    const file = this.#file!;
    const head = Buffer.alloc(Math.min(CHUNK, (await file.stat()).size));
    await file.read(head, 0, head.length, 0);

    const pieces: FileHandle[] = [];
    let from = skip;
    let room = 0;
    const piece = async (): Promise<FileHandle> => {
      if (room > 0) return pieces.at(-1)!;
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
      pieces.push((await dir.open(this.#aside(pieces.length), flags))!);
      room = maxBytes;
      return pieces.at(-1)!;
    };
    let thaw: (() => void) | undefined;
    try {
      // Most of it while the task writes on …
      for (let left = (await file.stat()).size - from; left > 0;) {
        const to = await piece();
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(CHUNK, left, room)), 0, undefined, from);
        if (bytesRead === 0) break;
        await to.appendFile(buffer.subarray(0, bytesRead));
        from += bytesRead;
        left -= bytesRead;
        room -= bytesRead;
      }
      thaw = await freeze?.();
      // … the rest in one go.
      const last = pieces.at(-1) ?? (await piece());
      const buffer = Buffer.allocUnsafe(CHUNK);
      const copyRest = (): void => {
        for (;;) {
          const n = readSync(file.fd, buffer, 0, CHUNK, from);
          if (n === 0) return;
          writeSync(last.fd, buffer, 0, n, fstatSync(last.fd).size);
          from += n;
        }
      };
      copyRest();
      const note: Note = { index: this.#index, pieces: pieces.length, skip, headBytes: head.length, headHash: hash(head) };
      writeFileSync(dir.path(this.#note()), JSON.stringify(note), { flag: 'w', mode: 0o600 });
      const next = this.#index + pieces.length;
      linkSync(dir.path(segmentName(this.#name, this.#index)), dir.path(segmentName(this.#name, next)));
      for (let k = pieces.length - 1; k >= 0; k--) {
        renameSync(dir.path(this.#aside(k)), dir.path(segmentName(this.#name, this.#index + k)));
      }
      copyRest();
      ftruncateSync(file.fd, 0);
      unlinkSync(dir.path(this.#note()));
      this.#index = next;
      this.#seen = { size: 0, at: this.#options.clock.now() };
    } finally {
      thaw?.();
      for (const handle of pieces) await handle.close();
    }
    await dir.prune(this.#name, maxFiles);
  }

  /** Completes a rotation that a crash cut short. */
  async #repair(dir: LogDir, file: FileHandle): Promise<void> {
    const noted = await dir.open(this.#note(), constants.O_RDONLY);
    const note = noted === undefined ? undefined : parseNote(await noted.readFile('utf8'));
    await noted?.close();
    if (note !== undefined && this.#index >= note.index + note.pieces) {
      for (let k = note.pieces - 1; k >= 0; k--) {
        await rename(dir.path(this.#aside(k)), dir.path(segmentName(this.#name, note.index + k))).catch(ignoreMissing);
      }
      const head = Buffer.alloc(note.headBytes);
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      // Not emptied yet: what was copied is still at its beginning.
      if (bytesRead === note.headBytes && hash(head) === note.headHash) {
        let copied = note.skip;
        for (let k = 0; k < note.pieces; k++) copied += (await dir.stat(segmentName(this.#name, note.index + k)))?.size ?? 0;
        await this.#rotate(copied);
      }
    }
    for (let k = 0; k < (note?.pieces ?? 1); k++) await unlink(dir.path(this.#aside(k))).catch(ignoreMissing);
    await unlink(dir.path(this.#note())).catch(ignoreMissing);
  }

  readonly #aside = (k: number): string => `.${this.#name.task}.${this.#name.type}.rotating.${k}`;
  readonly #note = (): string => `.${this.#name.task}.${this.#name.type}.rotating`;

  #failed(error: unknown): void {
    this.#options.log.warn('log rotation failed', { task: this.#name.task, type: this.#name.type, error: describeError(error) });
  }
}

/** What is being done, kept in a file while it is. */
interface Note {
  readonly index: number;
  readonly pieces: number;
  /** Bytes at the beginning that an earlier attempt had moved already. */
  readonly skip: number;
  readonly headBytes: number;
  readonly headHash: string;
}

/** Undefined for a note that was not written to its end: nothing had been renamed by then. */
function parseNote(text: string): Note | undefined {
  try {
    return JSON.parse(text) as Note;
  } catch {
    return undefined;
  }
}

const hash = (data: Buffer): string => createHash('sha1').update(data).digest('hex');
