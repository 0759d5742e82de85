import { ApiError } from './api-error.ts';
import { parseTimestamp, type Clock, type Instant } from './clock.ts';
import { parseDuration } from './duration.ts';
import { logLevels, logLine, type LogLevel, type LogRecord, type LogTap } from './log.ts';

/** How much is kept; whoever wants more has the log file. */
const MAX_RECORDS = 2_000;
const MAX_CHARACTERS = 1 << 20;
/** How far a reader may be behind. */
const MAX_BEHIND = 2_000;

/**
 * The last of what a process said, for those who ask later, and what it says from now on for those who listen: at any level, also below
 * the one that is written. It costs a look at a number where nobody listens.
 */
export class LogRing implements LogTap {
  readonly #level: number;
  readonly #records: LogRecord[] = [];
  #characters = 0;
  readonly #readers = new Set<Reader>();
  /** The lowest level that somebody wants. */
  #lowest: number;

  /** Keeps what is at this level or above. */
  constructor(level: LogLevel) {
    this.#level = this.#lowest = logLevels.indexOf(level);
  }

  wants(level: LogLevel): boolean {
    return logLevels.indexOf(level) >= this.#lowest;
  }

  take(record: LogRecord): void {
    const level = logLevels.indexOf(record.level);
    const kept = cut(record);
    if (level >= this.#level) {
      this.#records.push(kept);
      this.#characters += sizeOf(kept);
      while (this.#records.length > MAX_RECORDS || this.#characters > MAX_CHARACTERS) this.#characters -= sizeOf(this.#records.shift()!); // prettier-ignore
    }
    for (const reader of this.#readers) if (level >= reader.level) reader.take(kept);
  }

  /** Lines as they were asked for; with `follow` those to come as well, until the signal aborts. */
  async *lines(query: LogQuery, signal: AbortSignal): AsyncGenerator<string, void> {
    const level = logLevels.indexOf(query.level);
    const write = (record: LogRecord): string => `${logLine(record, query.json)}\n`;
    const kept = this.#records.filter(
      (record) =>
        logLevels.indexOf(record.level) >= level && (query.since === undefined || parseTimestamp(record.time)! >= query.since),
    );
    const reader = query.follow ? new Reader(level) : undefined;
    if (reader !== undefined) this.#listen(reader, signal);
    try {
      for (const record of query.last === undefined ? kept : query.last === 0 ? [] : kept.slice(-query.last)) yield write(record);
      for (let batch = await reader?.next(signal); batch !== undefined; batch = await reader?.next(signal)) {
        if (batch.lost > 0) yield `... ${batch.lost} lines were left out: they came faster than they were read\n`;
        for (const record of batch.records) yield write(record);
      }
    } finally {
      if (reader !== undefined) this.#readers.delete(reader);
      this.#adjust();
    }
  }

  #listen(reader: Reader, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#readers.add(reader);
    this.#adjust();
  }

  #adjust(): void {
    this.#lowest = Math.min(this.#level, ...[...this.#readers].map(({ level }) => level));
  }
}

class Reader {
  readonly level: number;
  #waiting: LogRecord[] = [];
  #lost = 0;
  #wake: () => void = () => undefined;

  constructor(level: number) {
    this.level = level;
  }

  take(record: LogRecord): void {
    if (this.#waiting.length >= MAX_BEHIND) this.#lost++;
    else this.#waiting.push(record);
    this.#wake();
  }

  /** What came since; undefined once the signal has aborted. */
  async next(signal: AbortSignal): Promise<{ readonly records: readonly LogRecord[]; readonly lost: number } | undefined> {
    while (!signal.aborted && this.#waiting.length === 0)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          resolve();
        };
        this.#wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
    if (signal.aborted) return undefined;
    const batch = { records: this.#waiting, lost: this.#lost };
    this.#waiting = [];
    this.#lost = 0;
    return batch;
  }
}

export interface LogQuery {
  readonly level: LogLevel;
  readonly json: boolean;
  readonly follow: boolean;
  /** Of what is kept: what was said since. */
  readonly since?: Instant;
  /** Of what is kept: the last so many. */
  readonly last?: number;
}

/**
 * `level=debug&format=json&follow=true&since=10m&tail=100`, as servers and agents take it.
 *
 * @example readLogQuery(new URLSearchParams('level=warn&tail=5'), systemClock) // { level: 'warn', json: false, follow: false, last: 5 }
 */
export function readLogQuery(query: URLSearchParams, clock: Clock): LogQuery {
  const bad = (name: string, wanted: string): ApiError => new ApiError('BadRequest', `${name}: must be ${wanted}`);
  const level = (query.get('level') || 'info').toLowerCase() as LogLevel;
  if (!logLevels.includes(level)) throw bad('level', `one of ${logLevels.join(', ')}`);
  const format = query.get('format') || 'text';
  if (format !== 'text' && format !== 'json') throw bad('format', 'text or json');
  const follow = query.get('follow') || 'false';
  if (follow !== 'true' && follow !== 'false') throw bad('follow', 'true or false');
  const tail = query.get('tail') ?? '';
  if (!/^\d{0,9}$/.test(tail)) throw bad('tail', 'a number of 0 or more');
  const since = query.get('since') ?? '';
  const ago = since === '' ? undefined : parseDuration(since);
  if (since !== '' && (ago === undefined || ago < 0)) throw bad('since', 'a duration such as 10m');
  return {
    level,
    json: format === 'json',
    follow: follow === 'true',
    ...(ago !== undefined && { since: clock.now() - ago }),
    ...(tail !== '' && { last: Number(tail) }),
  };
}

const MAX_FIELD = 2_000;

/** The record with nothing in it that is long or could hold something big in memory. */
function cut(record: LogRecord): LogRecord {
  const short = (value: unknown): unknown => {
    if (value === undefined || value === null || typeof value === 'number' || typeof value === 'boolean') return value;
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
    return text.length > MAX_FIELD ? `${text.slice(0, MAX_FIELD)}…` : text;
  };
  return { ...record, fields: Object.fromEntries(Object.entries(record.fields).map(([key, value]) => [key, short(value)])) };
}

function sizeOf({ name, message, fields }: LogRecord): number {
  let size = 64 + name.length + message.length;
  for (const [key, value] of Object.entries(fields)) size += key.length + (typeof value === 'string' ? value.length : 8);
  return size;
}
