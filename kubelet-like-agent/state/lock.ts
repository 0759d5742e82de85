import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * One agent per data directory: two would fight over the same tasks. The kernel keeps the lock (flock) for as long as this process has
 * the file open, so of two that start at one instant one gets it, and a killed agent leaves nothing to be taken over. The file says who
 * has it, for people and for machines without flock(1), where that note has to do.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'agent.lock');
  const file = await open(path, 'a+', 0o600);
  try {
    const locked = await flock(file);
    const holder = await readHolder(path);
    const lives = holder !== undefined && holder.started === (await startedAt(holder.pid));
    if (locked === 'taken' || (locked === 'unknown' && lives))
      throw new Error(`another agent${lives ? ` (process ${holder.pid})` : ''} uses ${dataDir}`);
    await file.truncate();
    await file.write(JSON.stringify({ pid: process.pid, started: await startedAt(process.pid) }));
  } catch (error) {
    await file.close();
    throw error;
  }
  return async () => {
    // Emptied, not removed: who opened the removed file just before would hold a lock that nobody else sees.
    await file.truncate();
    await file.close();
  };
}

/** The lock belongs to the open file, which flock(1) shares with us: it stays when that has ended. */
async function flock(file: FileHandle): Promise<'ours' | 'taken' | 'unknown'> {
  const child = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code === 0 ? 'ours' : code === 1 ? 'taken' : 'unknown';
  } catch {
    return 'unknown';
  }
}

async function readHolder(path: string): Promise<{ pid: number; started: string } | undefined> {
  try {
    const { pid, started } = JSON.parse(await readFile(path, 'utf8')) as { pid?: unknown; started?: unknown };
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Boot-relative start time of a process; 'gone' when there is none. Fields after the name, which may hold anything. */
async function startedAt(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return 'gone';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A killed process whose parent has not noticed holds nothing any more.
  if (fields[0] === 'Z' || fields[0] === 'X') return 'gone';
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
  return `${boot}/${fields[19] ?? ''}`;
}
