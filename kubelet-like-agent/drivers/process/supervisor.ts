import { spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { signalOfExitCode } from '../signals.ts';

/**
 * Every task has a parent of its own that outlives the agent: a shell that starts the command, waits, and writes down how it
 * ended. It is all there is beside the task, and it does nothing while the task runs.
 *
 *     <run>/alive   a FIFO the shell holds open for writing. Who reads it is told by its end that the shell is gone, however it
 *                   went, without asking; and one read says at once whether it is there at all. No pid can be mistaken for it.
 *     <run>/pid     the task's pid
 *     <run>/exit    filled with blanks beforehand, so that writing `exit <code>` needs no space on the disk. A shell says on
 *                   its standard error when a child was ended by a signal: that goes here as well, and tells `exit 143` from SIGTERM.
 *                   (Shells keep silent about SIGINT and SIGPIPE: 130 and 141 are taken for these signals.)
 *
 * The command gets a session of its own, so that what is sent to its process group does not reach the shell. It is not put
 * in the background, because shells let background commands ignore SIGINT. Before it is there the subshell that becomes it tells its
 * pid (which /proc/self knows without another process), joins the cgroup (for which the kernel may take 20 ms) and leaves
 * nothing of the shell behind.
 */
const LEAVE = `
unset OLDPWD SHLVL _ PWD
[ -z "\${ORCH_PWD+x}" ] || export PWD="$ORCH_PWD"
PATH=$ORCH_PATH
unset ORCH_PATH ORCH_PWD
`;

/** A command that tells on descriptor 4 how it went on keeps that, and cleans up behind the shell itself. */
const supervise = (tells: boolean): string => `
trap : HUP INT QUIT TERM USR1 USR2
run=$1
shift
mkfifo -m 600 "$run/alive" || exit 1
exec 3<>"$run/alive" 6>&2 2<>"$run/exit"
setsid=$(command -v setsid) || set -m
(
if [ -r /proc/self/stat ]; then read -r pid rest </proc/self/stat; else pid=$(exec sh -c 'echo $PPID'); fi
echo "$pid" >"$run/pid"
echo "$pid" >&4
echo 0 2>/dev/null >&5
for group in $ORCH_JOIN; do echo 0 2>/dev/null >"$group/cgroup.procs"; done
unset ORCH_JOIN
${tells ? '' : LEAVE}
exec $setsid "$@" 2>&6 3>&- ${tells ? '' : '4>&-'} 5>&- 6>&-
)
echo "exit $?" >&2
`;

/** For the shell's own two commands; the task's PATH may be anything. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin';

const BLANK = ' '.repeat(120) + '\n';

export interface Launch {
  /** A new folder for this run. */
  readonly run: string;
  /** Names the task in the process table. */
  readonly title: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly stdout: number;
  readonly stderr: number;
  /** cgroup.procs of the group to join. */
  readonly cgroupProcs?: string;
  /** Folders of more groups to join, which the owner must be able to write to. */
  readonly join?: readonly string[];
  /** The command says `ok` on descriptor 4 once it has made what the task needs, or why it could not. */
  readonly tells?: boolean;
}

/** Starts a command under a supervisor; resolves to the command's pid once it is about to run. */
export async function launch(options: Launch): Promise<number> {
  const { run, env, owner } = options;
  // Others may pass through the folders above, so that a task of another user reaches its own.
  mkdirSync(dirname(run), { recursive: true, mode: 0o711 });
  mkdirSync(run, { recursive: true, mode: 0o700 });
  writeFileSync(join(run, 'exit'), BLANK, { flag: 'wx', mode: 0o600 });
  if (owner !== undefined) {
    chownSync(run, owner.uid, owner.gid);
    chownSync(join(run, 'exit'), owner.uid, owner.gid);
  }
  const procs = openSync(options.cgroupProcs ?? '/dev/null', 'w');
  try {
    const script = supervise(options.tells === true);
    const child = spawn('/bin/sh', ['-c', script, options.title, run, ...options.command], {
      cwd: options.cwd,
      env: {
        ...options.env,
        PATH,
        ORCH_JOIN: (options.join ?? []).join(' '),
        ORCH_PATH: env['PATH'] ?? '',
        ...(env['PWD'] === undefined ? {} : { ORCH_PWD: env['PWD'] }),
      },
      detached: true,
      stdio: ['ignore', options.stdout, options.stderr, 'ignore', 'pipe', procs],
      ...owner,
    });
    child.unref();
    const told = child.stdio[4] as Socket;
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      let text = '';
      told.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const [pid, said] = text.split('\n');
        if (options.tells !== true || said === 'ok') resolve(Number(pid));
      });
      told.once('error', reject);
      // A command that ends at once has told its pid before.
      told.once('close', () => {
        const why = text.split('\n').slice(1).join(' ').trim();
        reject(new Error(why === '' ? 'the supervisor of the task could not start' : why));
      });
    }).finally(() => told.destroy());
  } finally {
    closeSync(procs);
  }
}

/** A watch on a run's supervisor; undefined when it is gone already. */
export function watchSupervisor(run: string): { gone: Promise<void>; close: () => void } | undefined {
  let fd: number;
  try {
    fd = openSync(join(run, 'alive'), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  if (!hasWriter(fd)) {
    closeSync(fd);
    return undefined;
  }
  const socket = new Socket({ fd, readable: true, writable: false });
  const gone = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('error', () => resolve());
  });
  socket.resume();
  return { gone, close: () => socket.destroy() };
}

/** Nothing to read *now* means that someone could still write; an end means that nobody can. */
function hasWriter(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN';
  }
}

/** How the command ended; undefined while it is not written down. */
export function readExit(run: string): { exitCode: number; signal: number; at: number } | undefined {
  const path = join(run, 'exit');
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const text = readFileSync(fd, 'utf8');
      const match = /^exit (\d+)$/m.exec(text);
      if (match === null) return undefined;
      const code = Number(match[1]);
      const signal = signalOfExitCode(code);
      const bySignal = signal !== 0 && (text.slice(0, match.index).trim() !== '' || code === 130 || code === 141);
      return { exitCode: code, signal: bySignal ? signal : 0, at: statSync(path).mtimeMs };
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** The pid a run wrote down. */
export function readPid(run: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(run, 'pid'), 'utf8'));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The runs of a task that left a folder behind. */
export function listRuns(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

export const removeRun = (run: string): Promise<void> => rm(run, { recursive: true, force: true });
