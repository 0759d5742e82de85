import { chownSync, mkdirSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { shortId, uuid, type Clock, type Logger } from '../../../base/index.ts';
import { checkConfig, type DriverConfig, type Fields } from '../../../openapi/index.ts';
import { LogDir } from '../../logs/index.ts';
import { DriverError, type Driver, type Json, type TaskStart } from '../driver.ts';
import { openCgroups, type Cgroups } from './cgroup.ts';
import { DEFAULT_PATH, oddVariables } from './command.ts';
import { isolate, type Walls } from './isolate.ts';
import { openLimiter, removeGroups, sweepGroups, type Limits } from './limits.ts';
import { allPids, cgroupOf, childrenOf, commandLine, readProcess } from './processes.ts';
import { Run, type RunContext, type RunState } from './run.ts';
import { launch, listRuns, readExit, readPid, removeRun, watchSupervisor } from './supervisor.ts';

/**
 * What raw_exec, exec, java and qemu have in common: a task is a process of this machine.
 *
 * It is started by a small supervisor (supervisor.ts) that outlives the agent, writing to its log files itself: while it runs it needs
 * nobody. run.ts is one run of it, isolate.ts the walls that a kind may put around it, limits.ts what it may use of the machine. What
 * belongs to a run is kept in `<data>/alloc/<id>/.run/<task>/<run>`, beside what the task sees.
 */
export interface ProcessKind extends Pick<Driver, 'name' | 'fingerprint' | 'filesystem'> {
  readonly fields: Fields;
  /** What a table of fields cannot say, and what this node does not permit. */
  readonly refusals?: (config: DriverConfig) => string[];
  /** Throws DriverError when the node does not run such tasks. */
  readonly settle: (task: TaskStart, env: Readonly<Record<string, string>>) => Promise<Settled> | Settled;
}

/** How a task is to be run. */
export interface Settled {
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly walls?: Walls;
  readonly limits?: Limits;
  /** Asks the task to end, where it takes more than a signal. When that fails the signal is sent. */
  readonly quit?: () => Promise<void>;
  /** Asked for a start only: a run that is found again has its command already. */
  readonly command: () => Promise<readonly string[]>;
}

export interface ProcessOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether to use cgroups where that is possible. Default: yes. */
  readonly cgroups?: boolean;
}

const TITLE = 'orch-task';

export function processDriver(kind: ProcessKind, options: ProcessOptions): Driver {
  const { clock, log } = options;
  const cgroups: Cgroups | undefined = options.cgroups === false ? undefined : openCgroups(clock);
  let limiter: ReturnType<typeof openLimiter> | undefined;
  const validate = (config: DriverConfig): string[] => {
    const problems = checkConfig(kind.fields, config);
    return problems.length > 0 ? problems : (kind.refusals?.(config) ?? []);
  };
  const contextOf = async (task: TaskStart): Promise<{ context: RunContext; settled: Settled }> => {
    const env = { PATH: DEFAULT_PATH, ...task.env };
    const settled = await kind.settle(task, env);
    const { owner, walls, quit } = settled;
    return {
      settled,
      context: { task, env, clock, log, ...(owner && { owner }), ...(walls && { walls }), ...(quit && { quit }) },
    };
  };

  return {
    name: kind.name,
    ...(kind.filesystem !== undefined && { filesystem: kind.filesystem }),
    fingerprint: () => kind.fingerprint(),
    validate,

    async start(task) {
      const problems = validate(task.config);
      if (problems.length > 0) throw new DriverError(`config: ${problems.join('; ')}`, { recoverable: false });
      for (const word of [task.task, task.allocId]) {
        if (!/^[^/\0:]+$/.test(word) || word.startsWith('.')) throw new DriverError(`"${word}" cannot name a task`, { recoverable: false }); // prettier-ignore
      }
      const { context, settled } = await contextOf(task);
      const folder = runFolder(task);
      // An earlier start that an agent did not live to tell of: it must not run beside the new one.
      for (const run of listRuns(folder)) await endRun(run, context, cgroups);

      const id = uuid();
      const run = join(folder, shortId(id));
      const inner = [...oddVariables(context.env), ...(await settled.command())];
      const name = `${task.allocId}.${task.task}.${shortId(id)}`;
      const cgroup = cgroups?.create(task.nodeId, name);
      const outputs = await openOutputs(task);
      let groups: string[] = [];
      try {
        if (settled.limits !== undefined) {
          limiter ??= openLimiter();
          groups = limiter.groups(task.nodeId, name, cgroup?.path);
          limiter.apply(groups, settled.limits);
        }
        const { walls } = settled;
        if (walls !== undefined) {
          mkdirSync(join(run, 'root'), { recursive: true, mode: 0o700 });
          // What is secret is the task's own.
          chownSync(task.dirs.secrets, walls.owner.uid, walls.owner.gid);
        }
        const startedAt = clock.now();
        const pid = await launch({
          run,
          title: `${TITLE}:${task.nodeId}:${task.allocId}:${task.task}`,
          command: walls === undefined ? inner : isolate(task, walls, run, inner),
          cwd: task.dirs.task,
          env: context.env,
          stdout: outputs.stdout,
          stderr: outputs.stderr,
          join: groups.filter((group) => group !== cgroup?.path),
          tells: walls !== undefined,
          ...(walls === undefined && context.owner !== undefined && { owner: context.owner }),
          ...(cgroup !== undefined && { cgroupProcs: join(cgroup.path, 'cgroup.procs') }),
        });
        const state: RunState = {
          run,
          pid,
          started: readProcess(pid)?.started ?? '',
          startedAt,
          ...(cgroup !== undefined && { cgroup: cgroup.path }),
          ...(groups.length > 0 && { groups }),
        };
        const handle = Run.attach(state, context, cgroup);
        if (handle === undefined) throw new Error('the task ended without a trace');
        return handle;
      } catch (cause) {
        await cgroup?.kill();
        removeGroups(groups);
        await removeRun(run);
        if (cause instanceof DriverError) throw cause;
        const busy = cause instanceof Error && ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC'].includes((cause as NodeJS.ErrnoException).code ?? ''); // prettier-ignore
        throw new DriverError(`failed to start ${inner[0]}`, { recoverable: busy, cause });
      } finally {
        outputs.close();
      }
    },

    async recover(state, task) {
      const found = state === null ? findUnnoted(task, cgroups) : parseState(state);
      if (found === undefined) return undefined;
      const cgroup = found.cgroup === undefined ? undefined : cgroups?.open(found.cgroup);
      return Run.attach(found, (await contextOf(task)).context, cgroup);
    },

    async removeOrphans(nodeId, known) {
      const removed: string[] = [];
      for (const pid of allPids()) {
        const words = commandLine(pid);
        const found = words.find((word) => word.startsWith(`${TITLE}:${nodeId}:`));
        const allocId = found?.split(':')[2];
        if (found === undefined || allocId === undefined || known.has(allocId) || words[0] !== '/bin/sh') continue;
        // Only what really descends from the supervisor: its words could be anybody's.
        for (const child of childrenOf(pid)) {
          const path = cgroupOf(child);
          const cgroup = cgroups
            ?.list(nodeId)
            .find((c) => path !== undefined && c.path.endsWith(path) && c.name.startsWith(allocId));
          killGroup(child);
          await cgroup?.kill();
        }
        removed.push(found.slice(TITLE.length + nodeId.length + 2));
      }
      for (const cgroup of cgroups?.list(nodeId) ?? []) {
        const allocId = cgroup.name.slice(0, 36);
        if (known.has(allocId)) continue;
        if (cgroup.populated()) removed.push(cgroup.name);
        await cgroup.kill();
      }
      sweepGroups(nodeId, known);
      return removed;
    },
  };
}

const runFolder = (task: TaskStart): string => join(dirname(task.dirs.task), '.run', task.task);

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
  await removeRun(run);
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
  const { run, pid, started, startedAt, cgroup, groups } = state;
  if (typeof run !== 'string' || typeof pid !== 'number' || typeof started !== 'string' || typeof startedAt !== 'number')
    return undefined;
  const list = Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : undefined;
  return { run, pid, started, startedAt, ...(typeof cgroup === 'string' && { cgroup }), ...(list && { groups: list }) };
}
