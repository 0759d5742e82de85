import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * One agent per data directory: two would fight over the same tasks. The lock names a process and when it began, so that one
 * left behind by a killed agent, or by another process that has its number now, is taken over.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'agent.lock');
  const own = JSON.stringify({ pid: process.pid, started: await startedAt(process.pid) });
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(own);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(path);
    // The same process starting again (a test, or a restart within one process) must have closed the first; it is still running.
    if (holder !== undefined && holder.started === (await startedAt(holder.pid)))
      throw new Error(`another agent (process ${holder.pid}) uses ${dataDir}`);
    await rm(path, { force: true });
  }
  throw new Error(`cannot lock ${dataDir}`);
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
