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
}

/** Lines as `2026-01-01T00:00:00.000Z [INFO]  agent: task started: alloc=3fd1… task=web`, or as JSON. */
export function createLogger(options: LoggerOptions, name = '', bound: LogFields = {}): Logger {
  const threshold = logLevels.indexOf(options.level);
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (logLevels.indexOf(level) < threshold) return;
    const time = toTimestamp(options.clock.now());
    const all = { ...bound, ...fields };
    if (options.json) {
      options.write(JSON.stringify({ time, level, name, message, ...mapValues(all, plain) }) + '\n');
      return;
    }
    const tail = Object.entries(all).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}=${quote(plain(v))}`); // prettier-ignore
    const tag = `[${level.toUpperCase()}]`.padEnd(7);
    options.write(`${time} ${tag} ${name === '' ? '' : `${name}: `}${message}${tail.length > 0 ? `: ${tail.join(' ')}` : ''}\n`);
  };
  return {
    trace: (m, f) => log('trace', m, f),
    debug: (m, f) => log('debug', m, f),
    info: (m, f) => log('info', m, f),
    warn: (m, f) => log('warn', m, f),
    error: (m, f) => log('error', m, f),
    child: (sub, fields) => createLogger(options, name === '' ? sub : `${name}.${sub}`, { ...bound, ...fields }),
    isEnabled: (level) => logLevels.indexOf(level) >= threshold,
  };
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
