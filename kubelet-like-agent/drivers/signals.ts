import { constants } from 'node:os';
import { DriverError } from './driver.ts';

/** `SIGTERM`, `TERM`, `sigterm` or `15` as the name that Node and Docker take. Throws DriverError for what is no signal. */
export function signalName(signal: string): NodeJS.Signals {
  const wanted = signal.trim().toUpperCase();
  const byNumber = Object.entries(constants.signals).find(([, number]) => String(number) === wanted)?.[0];
  const name = byNumber ?? (wanted.startsWith('SIG') ? wanted : `SIG${wanted}`);
  if (!Object.hasOwn(constants.signals, name)) throw new DriverError(`"${signal}" is not a signal`, { recoverable: false });
  return name as NodeJS.Signals;
}

/** The exit of a process that a signal ended, as shells report it: 128 and the signal's number. */
export const signalOfExitCode = (code: number): number => (code > 128 && code <= 128 + 64 ? code - 128 : 0);

export const signalNumber = (signal: NodeJS.Signals): number => constants.signals[signal];
