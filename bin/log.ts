import { closeSync, openSync, writeSync } from 'node:fs';
import { createLogger, LogRing, type Clock, type Logger, type LogLevel } from '../base/index.ts';
import type { IO } from '../ctl/index.ts';

export interface ProcessLogger extends Logger {
  /** The last of what was said, and what will be: for `orchctl monitor`. */
  readonly ring: LogRing;
  /** Opens the log file anew, after something else has moved it. */
  reopen(): void;
}

/** The log of a process: to stdout, and to a file as well where one is configured. */
export function openLog(
  options: { logLevel: LogLevel; logJson: boolean; logFile: string | undefined },
  io: IO,
  clock: Clock,
): ProcessLogger {
  const { logFile } = options;
  let fd = logFile === undefined ? undefined : openSync(logFile, 'a', 0o640);
  const write = (line: string): void => {
    io.stdout.write(line);
    if (fd !== undefined) writeSync(fd, line);
  };
  const ring = new LogRing(options.logLevel);
  const logger = createLogger({ write, level: options.logLevel, json: options.logJson, clock, tap: ring });
  return {
    ...logger,
    ring,
    reopen() {
      if (fd === undefined || logFile === undefined) return;
      closeSync(fd);
      fd = openSync(logFile, 'a', 0o640);
    },
  };
}
