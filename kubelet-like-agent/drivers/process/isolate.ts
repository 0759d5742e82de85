/**
 * The walls around a task that is a process of this machine: mount, pid and ipc namespaces, a root of its own, no capabilities.
 *
 * The root is a small file system in memory that holds mount points: the machine's programs and libraries, read-only; the task's
 * folders at /alloc, /local, /secrets and /tmp; new /proc, /dev and /sys. A script in the new namespaces builds it from a table that one
 * mount(8) reads, makes it the root, lets go of the old one and becomes the task as setpriv(1) leaves it. Beside the task that costs
 * one process, unshare(1), which waits for the first process of the namespace.
 *
 * The task cannot get at what is outside by way of a link: all that is mounted at its wish (volumes) is mounted once the root is its own.
 */
import { constants, existsSync, writeFileSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { DriverError, type TaskStart } from '../driver.ts';

/** What of the machine a task sees, when it is there. */
const MACHINE = ['/bin', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/sbin', '/usr', '/run/resolvconf', '/run/systemd/resolve']; // prettier-ignore
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
/** Through these a process with the user ID 0 could reach the machine, capabilities or not. */
const PROTECTED = ['/proc/sys', '/proc/irq', '/proc/bus', '/proc/sysrq-trigger'];
const HIDDEN = ['/proc/kcore', '/proc/keys', '/proc/timer_list'];

export interface Tools {
  readonly unshare: string;
  readonly nsenter: string;
  readonly setpriv: string;
}

/** Where the machine keeps what is needed; a list of what it lacks. */
export function findTools(): Tools | string[] {
  const find = (name: string): string | undefined =>
    ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((dir) => join(dir, name)).find((path) => existsSync(path));
  const found = ['unshare', 'nsenter', 'setpriv', 'mount', 'umount', 'pivot_root'].map((name) => [name, find(name)] as const);
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name);
  return missing.length > 0 ? missing : (Object.fromEntries(found) as unknown as Tools);
}

export interface Walls {
  readonly tools: Tools;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Capabilities that it keeps, in lower case without `cap_`. */
  readonly capabilities: readonly string[];
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly workDir: string;
  /** A network namespace: a path, or `none` for one with nothing in it. */
  readonly network?: string;
  readonly hostname?: string;
}

/** `dirs` are relative to the root and hold no blanks. What goes wrong is told on descriptor 4, as is that nothing did. */
const SCRIPT = `
set -e
exec 7>&2 2>&4
root=$1 dirs=$2 volumes=$3 work=$4 hostname=$5
shift 5
mount -n -t tmpfs -o size=16m,nr_inodes=8k,mode=1777,nosuid,nodev orch-root "$root"
cd "$root"
umask 022
mkdir -p $dirs
for d in ${DEVICES.join(' ')}; do : >dev/$d; done
cp -d /dev/fd /dev/stdin /dev/stdout /dev/stderr dev/
mount -n -a -T "$root.table"
[ -z "$hostname" ] || echo "$hostname" >/proc/sys/kernel/hostname
pivot_root . .orch/old
cd /
while [ "$volumes" -gt 0 ]; do
  mkdir -p "$2"
  mount -n --bind -o "$3" "$1" "$2"
  umount -l "$1"
  shift 3
  volumes=$((volumes - 1))
done
umount -l /.orch/old
cd "$work"
unset OLDPWD SHLVL _ PWD
[ -z "\${ORCH_PWD+x}" ] || export PWD="$ORCH_PWD"
PATH=$ORCH_PATH
unset ORCH_PATH ORCH_PWD
echo ok >&4
exec "$@" 2>&7 4>&- 7>&-
`;

/** The command that puts walls around another and then becomes it. `folder` is the run's own, which the agent cleans up. */
export function isolate(task: TaskStart, walls: Walls, folder: string, command: readonly string[]): string[] {
  const { tools } = walls;
  const root = join(folder, 'root');
  const made = ['proc', 'sys', 'dev/pts', 'dev/shm', 'tmp', 'alloc', 'local', 'secrets', '.orch/old'];
  const table: string[] = [];
  const mount = (source: string, at: string, type: string, options: string): void => {
    table.push([source, root + at, type, options, '0', '0'].map(escaped).join(' '));
  };
  for (const path of MACHINE) {
    if (!existsSync(path)) continue;
    made.push(path.slice(1));
    mount(path, path, 'none', 'bind,ro,nosuid,nodev');
  }
  mount('proc', '/proc', 'proc', 'nosuid,nodev,noexec');
  for (const path of PROTECTED) if (existsSync(path)) mount(root + path, path, 'none', 'bind,ro,nosuid,nodev,noexec');
  for (const path of HIDDEN) if (existsSync(path)) mount('/dev/null', path, 'none', 'bind');
  mount('sysfs', '/sys', 'sysfs', 'ro,nosuid,nodev,noexec');
  for (const name of DEVICES) mount(`/dev/${name}`, `/dev/${name}`, 'none', 'bind');
  mount('devpts', '/dev/pts', 'devpts', 'newinstance,ptmxmode=0666,mode=620,nosuid,noexec');
  mount('shm', '/dev/shm', 'tmpfs', 'size=64m,mode=1777,nosuid,nodev,noexec');
  for (const [source, at] of [
    [task.dirs.alloc, '/alloc'],
    [task.dirs.local, '/local'],
    [task.dirs.secrets, '/secrets'],
    [join(task.dirs.task, 'tmp'), '/tmp'],
  ] as const)
    mount(source, at, 'none', 'bind,nosuid,nodev');
  const volumes = task.mounts.map(({ source, destination, readOnly }, i) => {
    made.push(`.orch/v${i}`);
    mount(source, `/.orch/v${i}`, 'none', `bind,nosuid,nodev${readOnly ? ',ro' : ''}`);
    return [`/.orch/v${i}`, normalize(join('/', destination)), readOnly ? 'ro,nosuid,nodev' : 'nosuid,nodev'];
  });
  writeFileSync(`${root}.table`, `${table.join('\n')}\n`, { mode: 0o600 });
  return [
    ...(walls.network === undefined || walls.network === 'none' ? [] : [tools.nsenter, `--net=${walls.network}`, '--']),
    tools.unshare,
    '--mount',
    ...(walls.hostPid ? [] : ['--pid']),
    ...(walls.hostIpc ? [] : ['--ipc']),
    ...(walls.network === 'none' ? ['--net'] : []),
    ...(walls.hostname === undefined ? [] : ['--uts']),
    '--fork',
    '--kill-child',
    '--',
    '/bin/sh',
    '-c',
    SCRIPT,
    'orch-init',
    root,
    made.join(' '),
    String(volumes.length),
    walls.workDir,
    walls.hostname ?? '',
    ...volumes.flat(),
    ...privileges(walls),
    ...command,
  ];
}

/** The command that runs another inside the walls of a running task, whose first process is `pid`. */
export function enter(walls: Walls, pid: number, command: readonly string[]): string[] {
  const network = walls.network === undefined ? [] : ['--net'];
  const names = [...(walls.hostPid ? [] : ['--pid']), ...(walls.hostIpc ? [] : ['--ipc']), ...(walls.hostname === undefined ? [] : ['--uts'])]; // prettier-ignore
  return [
    walls.tools.nsenter,
    '--target',
    String(pid),
    '--mount',
    ...names,
    ...network,
    '--root',
    '--wd',
    '--',
    ...privileges(walls),
    ...command,
  ];
}

function privileges({ tools, owner, capabilities }: Walls): string[] {
  const kept = capabilities.map((cap) => `+${cap}`);
  const set = (name: string): string => `--${name}=${['-all', ...kept].join(',')}`;
  return [
    tools.setpriv,
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    '--clear-groups',
    '--no-new-privs',
    set('inh-caps'),
    ...(kept.length > 0 ? [set('ambient-caps')] : []),
    set('bounding-set'),
  ];
}

/** Blanks and backslashes as fstab(5) writes them. */
const escaped = (text: string): string =>
  text.replaceAll(/[\\ \t\n]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);

/** Where a path that the task sees is on this machine, as far as its text tells; undefined for what is only inside. */
function outside(task: TaskStart, path: string): string | undefined {
  const clean = normalize(path);
  const places: [string, string][] = [
    ['/alloc', task.dirs.alloc],
    ['/local', task.dirs.local],
    ['/secrets', task.dirs.secrets],
    ['/tmp', join(task.dirs.task, 'tmp')],
    ...task.mounts.map(({ source, destination }): [string, string] => [normalize(destination), source]),
    ...MACHINE.map((at): [string, string] => [at, at]),
  ];
  const place = places.filter(([at]) => clean === at || clean.startsWith(`${at}/`)).sort((a, b) => b[0].length - a[0].length)[0];
  return place === undefined ? undefined : join(place[1], clean.slice(place[0].length));
}

/** The path inside of the command that the task names. Throws DriverError, with the name, when there is none or it cannot be run. */
export async function findInside(command: string, task: TaskStart, path: string, workDir: string): Promise<string> {
  const candidates = isAbsolute(command)
    ? [command]
    : [
        join('/local', command),
        join(workDir, command),
        ...(command.includes('/') ? [] : path.split(':').filter(isAbsolute).map((dir) => join(dir, command))),
      ]; // prettier-ignore
  for (const candidate of candidates) {
    const real = outside(task, candidate);
    const found = real === undefined ? undefined : await stat(real).catch(() => undefined);
    if (real === undefined || found?.isFile() !== true) continue;
    try {
      await access(real, constants.X_OK);
      return candidate;
    } catch (cause) {
      throw new DriverError(`${candidate} is not executable`, { recoverable: false, cause });
    }
  }
  throw new DriverError(
    isAbsolute(command)
      ? `there is no file ${command} in the file system of the task to run as the command`
      : `command "${command}" was found neither in the task's folders nor in PATH`,
    { recoverable: false },
  );
}
