import { toTimestamp, type Clock } from './clock.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];

/** A constant message plus fields, so that logs can be searched. */
export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger for a part (`apiserver`, `agent.docker`), carrying fields of its own. */
  child(name: string, fields?: LogFields): Logger;
  isEnabled(level: LogLevel): boolean;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface LoggerOptions {
  readonly write: (line: string) => void;
  readonly level: LogLevel;
  readonly clock: Clock;
  /** One JSON object a line instead of text. */
  readonly json?: boolean;
  /** Who listens in, at a level of its own: see LogRing. */
  readonly tap?: LogTap;
}

/** What was said, before it is a line. */
export interface LogRecord {
  readonly time: string;
  readonly level: LogLevel;
  readonly name: string;
  readonly message: string;
  /** Texts, numbers and truth values; everything else is described in words. */
  readonly fields: LogFields;
}

export interface LogTap {
  wants(level: LogLevel): boolean;
  take(record: LogRecord): void;
}

/** Lines as `2026-01-01T00:00:00.000Z [INFO]  agent: task started: alloc=3fd1… task=web`, or as JSON. */
export function createLogger(options: LoggerOptions, name = '', bound: LogFields = {}): Logger {
  const threshold = logLevels.indexOf(options.level);
  const { tap } = options;
  const isEnabled = (level: LogLevel): boolean => logLevels.indexOf(level) >= threshold || tap?.wants(level) === true;
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (!isEnabled(level)) return;
    const all = mapValues({ ...bound, ...fields }, plain);
    const record: LogRecord = { time: toTimestamp(options.clock.now()), level, name, message, fields: all };
    if (logLevels.indexOf(level) >= threshold) options.write(`${logLine(record, options.json)}\n`);
    if (tap?.wants(level) === true) tap.take(record);
  };
  return {
    trace: (m, f) => log('trace', m, f),
    debug: (m, f) => log('debug', m, f),
    info: (m, f) => log('info', m, f),
    warn: (m, f) => log('warn', m, f),
    error: (m, f) => log('error', m, f),
    child: (sub, fields) => createLogger(options, name === '' ? sub : `${name}.${sub}`, { ...bound, ...fields }),
    isEnabled,
  };
}

/** A record as a line of text, or of JSON. */
export function logLine({ time, level, name, message, fields }: LogRecord, json = false): string {
  if (json) return JSON.stringify({ time, level, name, message, ...fields });
  const tail = Object.entries(fields).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}=${quote(v)}`); // prettier-ignore
  const tag = `[${level.toUpperCase()}]`.padEnd(7);
  return `${time} ${tag} ${name === '' ? '' : `${name}: `}${message}${tail.length > 0 ? `: ${tail.join(' ')}` : ''}`;
}

/** Says nothing. For tests, and for parts whose host does not log. */
export const silentLogger: Logger = createLogger({ write: () => undefined, level: 'error', clock: { now: () => 0, after: () => ({ cancel: () => undefined }) } }); // prettier-ignore

function plain(value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value;
}

/** An error's message with those of its causes: `start task web: pull image: connection refused`. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message || error.name;
  const cause = error.cause === undefined ? '' : describeError(error.cause);
  return cause === '' || text.endsWith(cause) ? text : `${text}: ${cause}`;
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

function mapValues(fields: LogFields, fn: (v: unknown) => unknown): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, fn(v)]));
}
