import { execFile, type ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import type { ExecSession } from '../driver.ts';
import { signalNumber } from '../signals.ts';
import { childrenOf } from './processes.ts';

/** For a shell: a word as it is. */
const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * The command that runs another on a terminal of its own. script(1) makes the terminal, which Node cannot; with `always` the terminal
 * echoes what is typed though our end of it is a pipe.
 */
export const onTerminal = (command: readonly string[]): string[] => [
  '/usr/bin/script',
  '--quiet',
  '--return',
  '--flush',
  '--echo',
  'always',
  '--command',
  `exec ${command.map(quoted).join(' ')}`,
  '/dev/null',
];

/** A child whose ends are pipes, as a session. */
export function sessionOf(child: ChildProcess, tty: boolean): ExecSession {
  const exited = new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : signalNumber(signal))));
  });
  // A grandchild that keeps a pipe open must not hold up the end.
  void exited.then(() => setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream?.destroy()), 500).unref());
  return {
    stdin: child.stdin ?? new Writable(),
    stdout: child.stdout ?? Readable.from([]),
    ...(!tty && child.stderr !== null && { stderr: child.stderr }),
    exited,
    async resize(rows, columns) {
      const terminal = terminalOf(child.pid);
      if (terminal !== undefined)
        await promisify(execFile)('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)]);
    },
    kill() {
      if (child.pid === undefined || child.exitCode !== null) return;
      // A terminal's session hangs up when its master goes; the group is what else there is.
      for (const target of [...childrenOf(child.pid), -child.pid]) {
        try {
          process.kill(target, 'SIGKILL');
        } catch {
          // Gone already.
        }
      }
    },
  };
}

function terminalOf(pid: number | undefined): string | undefined {
  for (const child of pid === undefined ? [] : childrenOf(pid)) {
    try {
      const path = readlinkSync(`/proc/${child}/fd/0`);
      if (/^\/dev\/pts\/\d+$/.test(path)) return path;
    } catch {
      // Gone already.
    }
  }
  return undefined;
}
