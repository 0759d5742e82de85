import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { constants, hostname } from 'node:os';
import { parseDuration, silentLogger, sleep } from '../../../base/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { complain } from '../../io/streams.ts';
import { put } from './commands.ts';
import { isFile, readSpec } from './spec.ts';
import { checkNamespace, cleanPath } from './variable.ts';

/** What a child is given to end when the lock is lost or Ctrl-C comes, before it is killed. */
const KILL_MS = 5_000;
/** How often it is looked whether all of it has ended. */
const POLL_MS = 50;

export const varLock = defineClusterCommand({
  name: 'var lock',
  summary: 'Run a command while a lock on a variable is held',
  usage: '[options] <path> [@<file>] <command>…',
  description:
    'Waits for the lock, runs the command, and releases the lock when it has ended. The lock is a Lease in the namespace; when this process dies, others get it once the TTL has passed, and when it is lost, or Ctrl-C comes, the command and all that it started is ended first. With a specification its items are put under the path once the lock is held. The lock binds those who ask for it: it does not keep others from writing the variable.',
  examples: [{ text: 'One of many', command: "var lock -ttl=30s jobs/migrate './migrate.sh --all'" }],
  args: { min: 2, rule: 'Not enough arguments (expected >2)' },
  flagsAmong: 1,
  flags: {
    ttl: flag.string('<duration>', 'How long the lock outlives this process. Default 15s.'),
    earlyReturn: flag.boolean('Do not wait when somebody else holds the lock.'),
    shell: flag.tristate('Run the command by the shell of SHELL, else by /bin/sh. On unless -shell=false.'),
    verbose: flag.boolean('Say what is done, on stderr.'),
    delay: flag.string('<duration>', 'Not supported: a lock that was lost is free at once.', { hidden: true }),
    maxRetry: flag.integer('<number>', 'Accepted: the lock is renewed until its TTL has passed, however often that takes.', { hidden: true }), // prettier-ignore
    backoff: flag.string('<duration>', 'Accepted: who waits is told at once when the lock is free.', { hidden: true }),
  },
  async run({ args, flags }, context) {
    checkNamespace(context);
    if (flags.delay !== undefined)
      throw new CommandError('-delay is not supported: a lock that was lost is free once its TTL has passed');
    const ttl = parseDuration(flags.ttl ?? '15s');
    if (ttl === undefined || ttl < 1000)
      throw new CommandError(`Invalid TTL: ${JSON.stringify(flags.ttl)} is no duration of at least 1s`);
    const [first, second] = args;
    const from = isFile(first) ? first : isFile(second) ? second : undefined;
    const spec = from === undefined ? undefined : await readSpec(context, from, 'json');
    const path = cleanPath(isFile(first) ? (spec?.path ?? '') : first!);
    if (path === '') throw new CommandError('Error initializing lock handler: missing path');
    const command = args.slice(from === undefined || from === first ? 1 : 2);
    if (command.length === 0) throw new CommandError('need an executable to run');
    const verbose = (text: string): void => void (flags.verbose && complain(context, text));
    return context.interruptible(async (signal) => {
      verbose('Attempting to acquire lock');
      const term = await acquireLock(context, path, { ttl, wait: !flags.earlyReturn, signal });
      try {
        if (spec !== undefined && Object.keys(spec.items).length > 0) await put(context, path, spec.items, 'force');
        verbose(`Variable locked, ready to execute: ${command.join(' ')}`);
        const ending = AbortSignal.any([signal, term.signal]);
        const outcome = await runChild(command, flags.shell !== false, context, ending);
        if (signal.aborted) throw new Interrupted();
        if (term.signal.aborted) throw new CommandError('Lock error: the lock was lost');
        if (outcome !== undefined) throw new CommandError(`Lock error: ${outcome}`);
      } finally {
        verbose('Releasing the lock');
        await term.release();
      }
      return 0;
    });
  },
});

interface Wish {
  readonly ttl: number;
  readonly wait: boolean;
  readonly signal: AbortSignal;
}

/** The lock of a path; its Lease has a name of its own making, since names of Leases are narrower than paths. */
async function acquireLock({ client, clock, namespace }: ClusterContext, path: string, { ttl, wait, signal }: Wish) {
  const { acquire } = await import('../../../client/index.ts');
  const name = `variable-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`;
  const held = new AbortController();
  const identity = `${hostname()}/${process.pid} ${path}`;
  try {
    return await acquire(
      { client, clock, log: silentLogger, name, namespace, identity, ttl, ...(!wait && { onWait: () => held.abort() }) },
      AbortSignal.any([signal, held.signal]),
    );
  } catch (error) {
    if (signal.aborted) throw new Interrupted();
    if (held.signal.aborted) throw new CommandError('Lock error: somebody else holds the lock');
    throw error;
  }
}

/** Runs the command on the streams of this process; gives what is to be said of its end, nothing when that was a success. */
async function runChild(
  command: readonly string[],
  shell: boolean,
  { io, env, clock }: ClusterContext,
  ending: AbortSignal,
): Promise<string | undefined> {
  const [program, args] = shell ? [env.SHELL || '/bin/sh', ['-c', command.join(' ')]] : [command[0]!, command.slice(1)];
  const own = io.stdout === process.stdout;
  // In a group of its own all that it starts can be told to end. On a terminal it would lose that as its input: Ctrl-C reaches all there.
  const apart = !(own && process.stdin.isTTY);
  const child = spawn(program, args, { cwd: io.cwd, env, stdio: own ? 'inherit' : ['ignore', 'pipe', 'pipe'], detached: apart });
  child.stdout?.pipe(io.stdout, { end: false });
  child.stderr?.pipe(io.stderr, { end: false });
  const kill = (signal: NodeJS.Signals): void => {
    if (apart && child.pid !== undefined) signalGroup(child.pid, signal);
    else child.kill(signal);
  };
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    kill('SIGTERM');
    timer = setTimeout(() => kill('SIGKILL'), KILL_MS);
  };
  // Who ends the group of this process no longer reaches one that is apart.
  const passOn = (signal: NodeJS.Signals): void => {
    kill(signal);
    process.exit(128 + constants.signals[signal]);
  };
  const passed = own && apart ? (['SIGTERM', 'SIGHUP'] as const) : [];
  for (const signal of passed) process.once(signal, passOn);
  if (ending.aborted) end();
  else ending.addEventListener('abort', end, { once: true });
  try {
    const outcome = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      // Once it is to end, what it leaves behind may hold its streams open.
      child.once('exit', () => {
        if (ending.aborted) resolve(undefined);
        else ending.addEventListener('abort', () => resolve(undefined), { once: true });
      });
      child.once('close', (code, signal) =>
        resolve(code === 0 ? undefined : signal === null ? `exit status ${code}` : `signal: ${signal}`),
      );
    });
    // The lock is for all that the command has started.
    if (ending.aborted && apart && child.pid !== undefined) while (isAlive(child.pid)) await sleep(clock, POLL_MS);
    return outcome;
  } finally {
    clearTimeout(timer);
    ending.removeEventListener('abort', end);
    for (const signal of passed) process.off(signal, passOn);
  }
}

/** Whether there was anybody to get it. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    // Some of it runs as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether something of the group runs. What has ended and nobody waits for, as in containers without an init, does not count. */
function isAlive(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  if (process.platform !== 'linux') return true;
  try {
    return readdirSync('/proc').some((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      const [state, , itsGroup] = statOf(pid);
      return Number(itsGroup) === group && state !== 'Z' && state !== 'X';
    });
  } catch {
    return true;
  }
}

/** State, parent and group of a process; nothing when it is gone. */
function statOf(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
