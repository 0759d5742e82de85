import { constants, readFileSync, statSync } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { shortId, uuid, type Clock, type Logger } from '../../../base/index.ts';
import { LogDir } from '../../logs/index.ts';
import { checkConfig, rawExecFields, toText, toTexts } from '../../../openapi/index.ts';
import { DriverError, type Driver, type Json, type TaskStart } from '../driver.ts';
import { openCgroups, type Cgroups } from './cgroup.ts';
import { allPids, cgroupOf, childrenOf, commandLine, readProcess } from './processes.ts';
import { Run, type RunContext, type RunState } from './run.ts';
import { launch, listRuns, readExit, readPid, removeRun, watchSupervisor } from './supervisor.ts';

/**
 * raw_exec: a command on the machine itself, with no walls around it, as the user of the agent or another one.
 *
 * Started by a small supervisor (supervisor.ts) that outlives the agent, writing to its log files itself: while it runs it needs
 * nobody. run.ts is one run of it. What belongs to a run is kept in `<data>/alloc/<id>/.run/<task>/<run>`, beside what the task sees.
 */
export interface RawExecOptions {
  /** Off unless the operator turns it on: tasks can do what the agent can. */
  readonly enabled: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether to use cgroups where that is possible. Default: yes. */
  readonly cgroups?: boolean;
}

const TITLE = 'orch-task';
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function rawExecDriver(options: RawExecOptions): Driver {
  const { clock, log } = options;
  const cgroups: Cgroups | undefined = options.cgroups === false ? undefined : openCgroups(clock);

  return {
    name: 'raw_exec',

    fingerprint() {
      if (!options.enabled) return Promise.resolve({ detected: false, healthy: false, description: 'disabled' });
      if (process.platform === 'win32')
        return Promise.resolve({ detected: false, healthy: false, description: 'needs a POSIX system' });
      return Promise.resolve({ detected: true, healthy: true, description: 'Healthy', attributes: { 'driver.raw_exec': '1' } });
    },

    validate: (config) => checkConfig(rawExecFields, config),

    async start(task) {
      if (!options.enabled) throw new DriverError('raw_exec is disabled on this node', { recoverable: false });
      const problems = checkConfig(rawExecFields, task.config);
      if (problems.length > 0) throw new DriverError(`config: ${problems.join('; ')}`, { recoverable: false });
      for (const word of [task.task, task.allocId]) {
        if (!/^[^/\0:]+$/.test(word) || word.startsWith('.')) throw new DriverError(`"${word}" cannot name a task`, { recoverable: false }); // prettier-ignore
      }
      const context = await contextOf(task, clock, log);
      const folder = runFolder(task);
      // An earlier start that an agent did not live to tell of: it must not run beside the new one.
      for (const run of listRuns(folder)) await endRun(run, context, cgroups);

      const id = uuid();
      const run = join(folder, shortId(id));
      const command = await findCommand(toText(task.config['command'])!, task, context.env);
      const cgroup = cgroups?.create(task.nodeId, `${task.allocId}.${task.task}.${shortId(id)}`);
      const outputs = await openOutputs(task);
      try {
        const startedAt = clock.now();
        const pid = await launch({
          run,
          title: `${TITLE}:${task.nodeId}:${task.allocId}:${task.task}`,
          command: [...oddVariables(context.env), command, ...(toTexts(task.config['args']) ?? [])],
          cwd: task.dirs.task,
          env: context.env,
          stdout: outputs.stdout,
          stderr: outputs.stderr,
          ...(context.owner === undefined ? {} : { owner: context.owner }),
          ...(cgroup === undefined ? {} : { cgroupProcs: join(cgroup.path, 'cgroup.procs') }),
        });
        const state: RunState = {
          run,
          pid,
          started: readProcess(pid)?.started ?? '',
          startedAt,
          ...(cgroup === undefined ? {} : { cgroup: cgroup.path }),
        };
        const handle = Run.attach(state, context, cgroup);
        if (handle === undefined) throw new Error('the task ended without a trace');
        return handle;
      } catch (cause) {
        await cgroup?.kill();
        removeRun(run);
        if (cause instanceof DriverError) throw cause;
        const busy = cause instanceof Error && ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC'].includes((cause as NodeJS.ErrnoException).code ?? ''); // prettier-ignore
        throw new DriverError(`failed to start ${command}`, { recoverable: busy, cause });
      } finally {
        outputs.close();
      }
    },

    async recover(state, task) {
      const found = state === null ? findUnnoted(task, cgroups) : parseState(state);
      if (found === undefined) return undefined;
      const cgroup = found.cgroup === undefined ? undefined : cgroups?.open(found.cgroup);
      return Run.attach(found, await contextOf(task, clock, log), cgroup);
    },

    async removeOrphans(nodeId, known) {
      const removed: string[] = [];
      for (const pid of allPids()) {
        const words = commandLine(pid);
        const title = words.find((word) => word.startsWith(`${TITLE}:${nodeId}:`));
        const allocId = title?.split(':')[2];
        if (title === undefined || allocId === undefined || known.has(allocId) || words[0] !== '/bin/sh') continue;
        // Only what really descends from the supervisor: its words could be anybody's.
        for (const child of childrenOf(pid)) {
          const path = cgroupOf(child);
          const cgroup = cgroups
            ?.list(nodeId)
            .find((c) => path !== undefined && c.path.endsWith(path) && c.name.startsWith(allocId));
          killGroup(child);
          await cgroup?.kill();
        }
        removed.push(title.slice(TITLE.length + nodeId.length + 2));
      }
      for (const cgroup of cgroups?.list(nodeId) ?? []) {
        const allocId = cgroup.name.slice(0, 36);
        if (known.has(allocId)) continue;
        if (cgroup.populated()) removed.push(cgroup.name);
        await cgroup.kill();
      }
      return removed;
    },
  };
}

const runFolder = (task: TaskStart): string => join(dirname(task.dirs.task), '.run', task.task);

async function contextOf(task: TaskStart, clock: Clock, log: Logger): Promise<RunContext> {
  const owner = task.user === undefined || task.user === '' ? undefined : findUser(task.user);
  return {
    task,
    env: { PATH: DEFAULT_PATH, ...task.env },
    ...(owner === undefined ? {} : { owner }),
    clock,
    log,
  };
}

/** Undefined for the agent's own user, which needs no change. */
function findUser(user: string): { uid: number; gid: number } | undefined {
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
async function findCommand(command: string, task: TaskStart, env: Readonly<Record<string, string>>): Promise<string> {
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
function oddVariables(env: Readonly<Record<string, string>>): string[] {
  const odd = Object.entries(env).filter(([name]) => !/^[A-Za-z_]\w*$/.test(name));
  return odd.length === 0 ? [] : ['/usr/bin/env', ...odd.map(([name, value]) => `${name}=${value}`)];
}

async function openOutputs(task: TaskStart): Promise<{ stdout: number; stderr: number; close: () => void }> {
  if (!task.logs.enabled) {
    const nowhere = await open('/dev/null', 'w');
    return { stdout: nowhere.fd, stderr: nowhere.fd, close: () => void nowhere.close() };
  }
  const dir = await LogDir.open(task.logs.dir);
  try {
    const [out, err] = await Promise.all([
      dir.openNewest({ task: task.task, type: 'stdout' }),
      dir.openNewest({ task: task.task, type: 'stderr' }),
    ]);
    return { stdout: out.file.fd, stderr: err.file.fd, close: () => void Promise.all([out.file.close(), err.file.close()]) };
  } finally {
    await dir.close();
  }
}

/** A run of the task whose start nobody lived to note. */
function findUnnoted(task: TaskStart, cgroups: Cgroups | undefined): RunState | undefined {
  for (const run of listRuns(runFolder(task))) {
    const pid = readPid(run);
    if (pid === undefined) continue;
    const alive = watchSupervisor(run);
    alive?.close();
    const cgroup = cgroups?.list(task.nodeId).find((c) => c.name === `${task.allocId}.${task.task}.${basename(run)}`);
    const startedAt = statSync(join(run, 'pid')).mtimeMs;
    // While its supervisor lives the pid is the task's.
    const started = alive === undefined ? '' : (readProcess(pid)?.started ?? '');
    if (alive !== undefined || readExit(run) !== undefined) {
      return { run, pid, started, startedAt, ...(cgroup === undefined ? {} : { cgroup: cgroup.path }) };
    }
  }
  return undefined;
}

/** Ends a run of which only the folder is known. */
async function endRun(run: string, context: RunContext, cgroups: Cgroups | undefined): Promise<void> {
  const { task, log } = context;
  const pid = readPid(run);
  const suffix = `${task.allocId}.${task.task}.`;
  const supervisor = watchSupervisor(run);
  if (supervisor !== undefined) {
    log.warn('an earlier run of the task was found and is ended', { alloc: task.allocId, task: task.task, pid });
    // While its supervisor lives the pid is the task's.
    if (pid !== undefined) killGroup(pid);
    for (const cgroup of cgroups?.list(task.nodeId) ?? []) if (cgroup.name.startsWith(suffix)) await cgroup.kill();
    await supervisor.gone;
    supervisor.close();
  }
  removeRun(run);
}

function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}

function parseState(state: Json): RunState | undefined {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return undefined;
  const { run, pid, started, startedAt, cgroup } = state;
  if (typeof run !== 'string' || typeof pid !== 'number' || typeof started !== 'string' || typeof startedAt !== 'number')
    return undefined;
  return { run, pid, started, startedAt, ...(typeof cgroup === 'string' ? { cgroup } : {}) };
}
