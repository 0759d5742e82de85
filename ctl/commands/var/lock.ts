import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { parseDuration, silentLogger } from '../../../base/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { complain } from '../../io/streams.ts';
import { put } from './commands.ts';
import { isFile, readSpec } from './spec.ts';
import { checkNamespace, cleanPath } from './variable.ts';

/** What a child is given to end when the lock is lost or Ctrl-C comes, before it is killed. */
const KILL_MS = 5_000;

export const varLock = defineClusterCommand({
  name: 'var lock',
  summary: 'Run a command while a lock on a variable is held',
  usage: '[options] <path> [@<file>] <command>…',
  description:
    'Waits for the lock, runs the command, and releases the lock when it has ended. The lock is a Lease in the namespace; when this process dies, others get it once the TTL has passed, and when it is lost the command is ended. With a specification its items are put under the path once the lock is held. The lock binds those who ask for it: it does not keep others from writing the variable.',
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
function runChild(
  command: readonly string[],
  shell: boolean,
  { io, env }: ClusterContext,
  ending: AbortSignal,
): Promise<string | undefined> {
  const [program, args] = shell ? [env.SHELL || '/bin/sh', ['-c', command.join(' ')]] : [command[0]!, command.slice(1)];
  return new Promise((resolve) => {
    const own = io.stdout === process.stdout;
    const child = spawn(program, args, { cwd: io.cwd, env, stdio: own ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    child.stdout?.pipe(io.stdout, { end: false });
    child.stderr?.pipe(io.stderr, { end: false });
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      child.kill('SIGTERM');
      timer = setTimeout(() => child.kill('SIGKILL'), KILL_MS);
    };
    const ended = (outcome: string | undefined): void => {
      clearTimeout(timer);
      ending.removeEventListener('abort', end);
      resolve(outcome);
    };
    if (ending.aborted) end();
    else ending.addEventListener('abort', end, { once: true });
    child.once('error', (error) => ended(error.message));
    // Once it is to end, what it leaves behind may hold its streams open.
    child.once('exit', () => ending.aborted && ended(undefined));
    child.once('close', (code, signal) =>
      ended(code === 0 ? undefined : signal === null ? `exit status ${code}` : `signal: ${signal}`),
    );
  });
}
