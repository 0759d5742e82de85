import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One process per store: the state that is not on the disk yet lives in memory. The lock is a file that names its process by number
 * and start time, so that the lock of a killed process, even one whose number was given away again, holds nobody up.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'owner');
  const mine = join(directory, `owner.${process.pid}`);
  writeFileSync(mine, identity(process.pid) ?? `${process.pid}`);
  try {
    for (;;) {
      try {
        linkSync(mine, file);
        return () => rmSync(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const owner = readOwner(file);
      if (owner === undefined) continue;
      const pid = Number.parseInt(owner, 10);
      if (identity(pid) === owner) throw new Error(`it is in use by process ${pid}`);
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

function readOwner(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // released just now
    throw error;
  }
}

/** Process number and, where the system tells it, start time; undefined when no such process lives. */
function identity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Killed, and only waiting for its parent to be told.
    if (state === 'Z' || state === 'X') return undefined;
    return `${pid} ${rest[18]}`;
  } catch {
    return process.platform !== 'linux' && lives(pid) ? `${pid}` : undefined;
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
