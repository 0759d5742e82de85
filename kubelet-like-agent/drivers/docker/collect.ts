import type Docker from 'dockerode';
import { constants } from 'node:fs';
import { rename } from 'node:fs/promises';
import { describeError, sleep, type Clock, type Logger, type Timer } from '../../../base/index.ts';
import { LogDir, SegmentWriter, type LogPosition, type LogType } from '../../logs/index.ts';
import type { LogFiles } from '../driver.ts';
import { statusOf, type Engine } from './engine.ts';

export interface CollectorOptions {
  readonly engine: Engine;
  readonly container: string;
  readonly tty: boolean;
  readonly task: string;
  readonly logs: LogFiles;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where one output stands: the last entry taken from the engine, and where what it said ends in our files. */
interface Mark extends LogPosition {
  /** The entry's time as the engine writes it, with nanoseconds; empty before the first. */
  readonly time: string;
  /** Entries of exactly that time that were taken. */
  readonly count: number;
}

interface Output {
  readonly type: LogType;
  readonly writer: SegmentWriter;
  time: string;
  count: number;
  /** Entries of `time` that the engine will repeat. */
  repeated: number;
  /** Bytes after them that are in our files already. */
  known: number;
}

const SAVE_AFTER = 1000;
const PAUSE = 200;
const SLACK_SECONDS = 10;
/** How long an ended container's stream may take to end as well. */
const DRAIN = 5000;

/**
 * Copies what a container prints from the engine's log into the task's files, each byte once, across restarts of the agent and
 * the engine. A note says up to which entry that was done and how long our files were then; after a crash the engine is asked
 * again from that entry on, and as many bytes are left out as the files have grown since.
 */
export class LogCollector {
  readonly #options: CollectorOptions;
  readonly #over = new AbortController();
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #stream: AbortController | undefined;
  #saving: Timer | undefined;
  /** Writing and noting take turns: a note must not fall between an entry and its bytes. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#running = this.#collectLoop();
  }

  /** The container has ended: takes what is left. */
  async finish(): Promise<void> {
    this.#ended.abort();
    const over = new AbortController();
    const late = sleep(this.#options.clock, DRAIN, over.signal).then(() => this.#stream?.abort());
    await this.#running;
    over.abort();
    await late;
  }

  /** Lets go; a later collector goes on from here. */
  async detach(): Promise<void> {
    this.#over.abort();
    this.#ended.abort();
    this.#stream?.abort();
    await this.#running;
  }

  async #collectLoop(): Promise<void> {
    const { engine, clock, log, task } = this.#options;
    while (!this.#over.signal.aborted) {
      // Looked at before the stream begins: one that begins after the end has everything.
      const last = this.#ended.signal.aborted;
      try {
        await this.#copy();
      } catch (error) {
        const status = statusOf(error);
        if (!this.#over.signal.aborted && status !== 404)
          log.debug('collecting output was interrupted', { task, error: describeError(error) });
        // The container is gone, or its log driver keeps nothing that could be read.
        if (status !== undefined) break;
      }
      if (last) break;
      if (!this.#ended.signal.aborted) await engine.connected(this.#ended.signal);
      await sleep(clock, PAUSE, this.#ended.signal);
    }
  }

  /** One stream from the engine, from where the note says to where it breaks. */
  async #copy(): Promise<void> {
    const { engine, container, tty, logs, task } = this.#options;
    const dir = await LogDir.open(logs.dir);
    const outputs: Output[] = [];
    try {
      const marks = await this.#load(dir);
      const limits = { maxFiles: logs.maxFiles, maxBytes: logs.maxFileSizeMB * 1024 * 1024 };
      for (const type of ['stdout', 'stderr'] as const) {
        const writer = await SegmentWriter.open(dir, { task, type }, limits);
        const mark = marks[type];
        const known = (mark === undefined ? 0 : await writer.since(mark)) ?? 0;
        const [time, count] = [mark?.time ?? '', mark?.count ?? 0];
        outputs.push({ type, writer, time, count, repeated: count, known });
      }
      await this.#save(dir, outputs);
      const stream = new AbortController();
      this.#stream = stream;
      if (this.#over.signal.aborted) return;
      // Without `follow` dockerode gathers everything in memory; the stream of an ended container ends by itself.
      const what = {
        stdout: true,
        stderr: true,
        timestamps: true,
        follow: true as const,
        since: sinceOf(outputs),
        abortSignal: stream.signal,
      };
      const ask = async (docker: Docker): Promise<void> => {
        const source = (await docker.getContainer(container).logs(what)) as unknown as AsyncIterable<Buffer>;
        const parser = tty ? new TtyEntries() : new FramedEntries();
        for await (const chunk of source) {
          const entries = parser.push(chunk);
          await this.#inTurn(() => this.#write(dir, outputs, entries));
        }
      };
      await engine.call(ask, { timeout: 2 ** 31 - 1, signal: stream.signal });
    } finally {
      this.#saving?.cancel();
      this.#saving = undefined;
      await this.#turn;
      for (const { writer } of outputs) await writer.close();
      await dir.close();
    }
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #write(dir: LogDir, outputs: Output[], entries: Entry[]): Promise<void> {
    const before = outputs.map((output) => output.writer.position.index);
    for (const output of outputs) {
      const data = Buffer.concat(entries.filter((entry) => entry.type === output.type).map((entry) => takeNew(output, entry)));
      if (data.length > 0) await output.writer.write(data);
    }
    if (outputs.some((output, i) => output.writer.position.index !== before[i])) await this.#save(dir, outputs);
    const save = (): void => {
      this.#saving = undefined;
      void this.#inTurn(() => this.#save(dir, outputs)).catch(() => undefined);
    };
    this.#saving ??= this.#options.clock.after(SAVE_AFTER, save);
  }

  async #load(dir: LogDir): Promise<{ stdout?: Mark; stderr?: Mark }> {
    const file = await dir.open(this.#note(), constants.O_RDONLY);
    try {
      const note = file === undefined ? undefined : (JSON.parse(await file.readFile('utf8')) as Note);
      return note?.container === this.#options.container ? note : {};
    } catch {
      return {};
    } finally {
      await file?.close();
    }
  }

  async #save(dir: LogDir, outputs: Output[]): Promise<void> {
    // While bytes are left out the files are ahead of the entries: the old note still holds.
    if (outputs.some((output) => output.known > 0)) return;
    const marks = Object.fromEntries(outputs.map(({ type, time, count, writer }) => [type, { time, count, ...writer.position }]));
    const text = JSON.stringify({ container: this.#options.container, ...marks });
    const file = await dir.open(`${this.#note()}.new`, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
    await file!.writeFile(text);
    await file!.close();
    await rename(dir.path(`${this.#note()}.new`), dir.path(this.#note()));
  }

  readonly #note = (): string => `.${this.#options.task}.collected`;
}

interface Note {
  readonly container: string;
  readonly stdout: Mark;
  readonly stderr: Mark;
}

/** What of an entry is not in our files yet. */
function takeNew(output: Output, { time, data }: Entry): Buffer {
  if (time < output.time) return NOTHING;
  if (time === output.time && output.repeated > 0) {
    output.repeated--;
    return NOTHING;
  }
  if (time === output.time) output.count++;
  else Object.assign(output, { time, count: 1, repeated: 0 });
  const known = Math.min(output.known, data.length);
  output.known -= known;
  return data.subarray(known);
}

const NOTHING = Buffer.alloc(0);

/** From when on the engine is asked. The two outputs' times are not in one order, so one that is silent gets some slack. */
function sinceOf(outputs: readonly Output[]): string {
  const [low = '', high = ''] = outputs.map((output) => output.time).sort();
  if (high === '') return '0';
  const [seconds = '0', nanos = '0'] = toUnix(high).split('.');
  const slack = `${Math.max(0, Number(seconds) - SLACK_SECONDS)}.${nanos}`;
  return low !== '' && Number(toUnix(low)) > Number(slack) ? toUnix(low) : slack;
}

export interface Entry {
  readonly type: LogType;
  readonly time: string;
  readonly data: Buffer;
}

/** Frames of `[stream, 0, 0, 0, length]` and a line that its time precedes. */
export class FramedEntries {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Entry[] {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const entries: Entry[] = [];
    while (data.length >= 8) {
      const end = 8 + data.readUInt32BE(4);
      if (data.length < end) break;
      const entry = splitTime(data.subarray(8, end), data[0] === 2 ? 'stderr' : 'stdout');
      if (entry !== undefined) entries.push(entry);
      data = data.subarray(end);
    }
    this.#rest = data;
    return entries;
  }
}

/** A terminal's output comes as lines without frames. */
export class TtyEntries {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Entry[] {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const entries: Entry[] = [];
    for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a)) {
      const entry = splitTime(data.subarray(0, end + 1), 'stdout');
      if (entry !== undefined) entries.push(entry);
      data = data.subarray(end + 1);
    }
    this.#rest = data;
    return entries;
  }
}

function splitTime(line: Buffer, type: LogType): Entry | undefined {
  const blank = line.indexOf(0x20);
  return blank < 20 ? undefined : { type, time: line.toString('latin1', 0, blank), data: line.subarray(blank + 1) };
}

/** `2026-01-01T00:00:00.123456789Z` → `1767225600.123456789`. */
export function toUnix(time: string): string {
  const [seconds, nanos = '0'] = time.replace(/Z$/, '').split('.');
  return `${Date.parse(`${seconds}Z`) / 1000}.${nanos}`;
}
