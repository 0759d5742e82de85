import { constants, readFileSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { DriverError, type TaskStart } from '../driver.ts';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Undefined for the agent's own user, which needs no change. */
export function findUser(user: string): { uid: number; gid: number } | undefined {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')); // prettier-ignore
  const found = lines.find((f) => f[0] === user || f[2] === user);
  if (found === undefined) throw new DriverError(`user "${user}" does not exist on this node`, { recoverable: false });
  const [uid, gid] = [Number(found[2]), Number(found[3])];
  if (uid === process.getuid?.()) return undefined;
  if (process.getuid?.() !== 0)
    throw new DriverError(`the agent must run as root to start tasks as "${user}"`, { recoverable: false });
  return { uid, gid };
}

/** Looked for in the task's own folders first, then where the machine keeps its commands. */
export async function findCommand(command: string, task: TaskStart, env: Readonly<Record<string, string>>): Promise<string> {
  const inTask = [join(task.dirs.local, command), join(task.dirs.task, command)];
  const path = (env['PATH'] ?? DEFAULT_PATH).split(':').filter(isAbsolute);
  const candidates = isAbsolute(command)
    ? [command]
    : [...inTask, ...(command.includes('/') ? [] : path.map((dir) => join(dir, command)))];
  for (const candidate of candidates) {
    const found = await stat(candidate).catch(() => undefined);
    if (found === undefined || !found.isFile()) continue;
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch (cause) {
      throw new DriverError(`${candidate} is not executable`, { recoverable: false, cause });
    }
  }
  throw new DriverError(
    isAbsolute(command)
      ? `there is no file ${command} on this node to run as the command`
      : `command "${command}" was found neither in the task's folders nor in PATH`,
    { recoverable: false },
  );
}

/** Shells drop variables whose names they could not write; env(1) takes them. */
export function oddVariables(env: Readonly<Record<string, string>>): string[] {
  const odd = Object.entries(env).filter(([name]) => !/^[A-Za-z_]\w*$/.test(name));
  return odd.length === 0 ? [] : ['/usr/bin/env', ...odd.map(([name, value]) => `${name}=${value}`)];
}
