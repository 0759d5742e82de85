import { uuid } from '../../../base/index.ts';
import {
  AllocationKind,
  EvaluationKind,
  JobKind,
  type Allocation,
  type Evaluation,
  type Job,
  type Stored,
} from '../../../openapi/index.ts';
import { tellAgent } from '../../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, explain, Interrupted } from '../../errors.ts';
import { confirm } from '../../io/ask.ts';
import { complain, hint, say } from '../../io/streams.ts';
import { localTime } from '../../io/time.ts';
import { findJob, jobName, listAll, namespaceOf } from '../../lookup.ts';
import { clientStatus, jobId } from '../../views/lists.ts';
import { by } from '../../views/view.ts';
import { waitFor, watchAll, watchOne } from '../../watch.ts';
import { parseDuration, sleep } from '../../../base/index.ts';
import { yes } from '../options.ts';

export const jobRestart = defineClusterCommand({
  name: 'job restart',
  summary: "Restart a job's tasks, or replace its allocations, a few at a time",
  usage: '[options] <job>',
  description:
    'Restarts running tasks where they are, or with -reschedule replaces each allocation by a new one. The next batch begins once the tasks of ' +
    'this one run again. An allocation that fails to restart ends the command, or with -on-error=ask (which is what it does on a terminal) has it ask how to ' +
    'go on; with -yes it goes on with the rest and ends with exit code 1.',
  examples: [
    { text: 'One allocation after the other', command: 'job restart example' },
    { text: 'A quarter at a time, on new places', command: 'job restart -reschedule -batch-size=25% example' },
    { text: 'Look at each batch before the next one', command: 'job restart -batch-size=2 -batch-wait=ask example' },
  ],
  args: { min: 1, max: 1, rule: 'This command takes one argument: <job>' },
  completes: 'job',
  flags: {
    batchSize: flag.string('<n>', 'How many allocations at once, as a number or a percentage. Default 1.'),
    batchWait: flag.string('<duration>', 'How long to wait between batches, or "ask". Default 0s.'),
    group: flag.list('<group>', 'Only this group. Repeatable.'),
    task: flag.list('<task>', 'Only this task. Repeatable.'),
    reschedule: flag.boolean('Replace allocations instead of restarting tasks.'),
    onError: flag.string(
      '<what>',
      'ask: how to go on after a batch that failed. fail: end then. Default ask on a terminal, else fail.',
    ),
    noShutdownDelay: flag.boolean('With -reschedule: stop at once, whatever shutdown_delay says.'),
    yes,
    verbose: flag.boolean('Show whole IDs.'),
  },
  next: ({ args: [id] }) => ({ text: 'See how it does', command: `job status ${id}` }),
  async run({ args: [id], flags }, context) {
    if (flags.reschedule && flags.task.length > 0)
      throw new CommandError('The -reschedule option cannot be used when -task is defined');
    if (flags.noShutdownDelay && !flags.reschedule) throw new CommandError('-no-shutdown-delay needs -reschedule');
    checkRestart(context, flags);
    const job = await findJob(context, id!);
    if (job.metadata.name !== jobName(id!) && !flags.yes && !(await confirm(context, `Are you sure you want to restart job ${JSON.stringify(jobId(job))}?`))) return 0; // prettier-ignore
    return restartJob(context, job, flags);
  },
});

/** What can be said before anything is asked. */
function checkRestart(context: ClusterContext, { onError, batchWait = '0s' }: Restart): void {
  if (onError !== undefined && onError !== 'ask' && onError !== 'fail')
    throw new CommandError(`-on-error must be ask or fail, not "${onError}"`);
  if (batchWait !== 'ask' && (parseDuration(batchWait) ?? -1) < 0)
    throw new CommandError(`-batch-wait must be a duration such as 10s, or ask, not "${batchWait}"`);
  const asks = onError === 'ask' ? '-on-error=ask' : batchWait === 'ask' ? '-batch-wait=ask' : undefined;
  if (asks !== undefined && !context.io.canAsk) throw new CommandError(`${asks} needs a terminal: nobody can be asked here`);
}

export interface Restart {
  readonly batchSize?: string | undefined;
  readonly batchWait?: string | undefined;
  readonly group?: readonly string[];
  readonly task?: readonly string[];
  readonly reschedule: boolean;
  readonly noShutdownDelay?: boolean;
  /** ask or fail; absent: ask where somebody can be asked. */
  readonly onError?: string | undefined;
  /** Goes on after failures, and never asks. */
  readonly yes?: boolean;
  readonly verbose?: boolean;
}

export async function restartJob(context: ClusterContext, job: Stored<Job>, how: Restart): Promise<number> {
  const { group = [], verbose = false } = how;
  const groups = (job.spec.groups ?? []).map(({ name }) => name);
  const unknown = group.find((name) => !groups.includes(name));
  if (unknown !== undefined)
    throw new CommandError(`Task group ${JSON.stringify(unknown)} not found in job; it has ${groups.join(', ')}`);
  checkRestart(context, how);
  const all = await listAll(context, AllocationKind, { namespace: namespaceOf(job), fieldSelector: `spec.jobName=${job.metadata.name}` }); // prettier-ignore
  const running = all
    .filter(
      (one) =>
        clientStatus(one) === 'running' && one.spec.desired === 'run' && (group.length === 0 || group.includes(one.spec.group)),
    )
    .sort(by(({ spec }) => `${spec.group} ${String(spec.index).padStart(9, '0')}`));
  const time = (): string => localTime(context.clock.now());
  const shown = ({ metadata }: Stored<Allocation>): string => (verbose ? metadata.name : metadata.name.slice(0, 8));
  const size = batchSize(how.batchSize ?? '1', running.length);
  const word = running.length === 1 ? 'allocation' : 'allocations';
  if (running.length === 0) {
    say(context, `No allocations to restart`);
    return 0;
  }
  say(context, `==> ${time()}: Restarting ${running.length} ${word}`);
  let failed = 0;
  return context.interruptible(async (signal) => {
    for (let at = 0; at < running.length; at += size) {
      const batch = running.slice(at, at + size);
      const left = running.length - at;
      if (at > 0 && how.batchWait === 'ask' && how.yes !== true) {
        if (!(await confirm(context, `Restart the next batch? ${left} of ${running.length} ${word} are left`, leftOut(left))))
          return 1;
      } else if (at > 0 && how.batchWait !== undefined && how.batchWait !== 'ask' && parseDuration(how.batchWait)! > 0) {
        say(context, `    ${time()}: Waiting ${how.batchWait} before restarting the next batch`);
        await sleep(context.clock, parseDuration(how.batchWait)!, signal).catch(() => undefined);
      }
      const failures = await Promise.all(
        batch.map(async (one) => {
          const what = how.reschedule ? 'Rescheduling' : 'Restarting task in';
          say(context, `    ${time()}: ${what} allocation "${shown(one)}" for group "${one.spec.group}"`);
          try {
            await (how.reschedule
              ? replace(context, job, one, { noShutdownDelay: how.noShutdownDelay === true }, signal)
              : restart(context, one, how.task ?? [], signal));
            return undefined;
          } catch (error) {
            return signal.aborted ? undefined : `Error restarting allocation "${shown(one)}": ${explain(error, context.program)}`;
          }
        }),
      );
      if (signal.aborted) throw new Interrupted('\nStopped; what was restarted goes on, the rest is as it was.');
      const told = failures.filter((one) => one !== undefined);
      for (const one of told) complain(context, one);
      failed += told.length;
      const after = left - batch.length;
      if (told.length === 0 || after <= 0 || (how.yes === true && how.onError === undefined)) continue;
      const ask = how.onError === 'ask' || (how.onError === undefined && context.io.canAsk);
      if (!ask) {
        hint(context, `${leftOut(after)}. -yes goes on after failures, -on-error=ask asks`);
        return 1;
      }
      if (!(await confirm(context, `Go on with the ${after} of ${running.length} ${word} that are left?`, leftOut(after))))
        return 1;
    }
    if (failed > 0) complain(context, `${failed} of ${running.length} ${word} could not be restarted`);
    else say(context, `==> ${time()}: Finished job restart`);
    return failed > 0 ? 1 : 0;
  });

  function leftOut(left: number): string {
    return `${left} of ${running.length} ${word} were not restarted`;
  }
}

function batchSize(text: string, total: number): number {
  const match = /^(\d+)(%?)$/.exec(text);
  const amount = Number(match?.[1] ?? 0);
  if (match === null || amount === 0)
    throw new CommandError(`-batch-size must be a number above 0 or a percentage, not "${text}"`);
  return match[2] === '' ? amount : Math.max(1, Math.ceil((total * amount) / 100));
}

/** Restarts the tasks of an allocation and waits until each has started anew. */
async function restart(
  context: ClusterContext,
  allocation: Stored<Allocation>,
  tasks: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const before = new Map((allocation.status?.tasks ?? []).map((task) => [task.name, task]));
  const chosen = [...before.values()].filter(
    ({ name, state }) => state === 'running' && (tasks.length === 0 || tasks.includes(name)),
  );
  if (chosen.length === 0) throw new CommandError('no running tasks that match');
  if (tasks.length === 0) await tellAgent(context, allocation, 'restart', {});
  else for (const { name } of chosen) await tellAgent(context, allocation, 'restart', { task: name });
  const { name, namespace } = allocation.metadata;
  for await (const now of watchOne(context.client, AllocationKind, name, namespace, { clock: context.clock, signal })) {
    if (now === undefined || hasEnded(now)) throw new CommandError('it ended meanwhile');
    const again = (task: string): boolean => {
      const state = now.status?.tasks?.find((one) => one.name === task);
      return state?.state === 'running' && (state.startedAt !== before.get(task)?.startedAt || state.restarts !== before.get(task)?.restarts); // prettier-ignore
    };
    if (chosen.every((task) => again(task.name))) return;
  }
}

export const hasEnded = (allocation: Stored<Allocation>): boolean =>
  ['complete', 'failed', 'lost'].includes(clientStatus(allocation));

/** Has an allocation replaced, on a node that is named or any, and waits until its successor runs; that is given. */
export async function replace(
  context: ClusterContext,
  job: Stored<Job>,
  allocation: Stored<Allocation>,
  { noShutdownDelay = false, toNode }: { readonly noShutdownDelay?: boolean; readonly toNode?: string },
  signal: AbortSignal,
): Promise<Stored<Allocation> | undefined> {
  const namespace = namespaceOf(allocation);
  const { name } = allocation.metadata;
  const selection = { namespace, fieldSelector: `spec.jobName=${job.metadata.name}` };
  // Where its node was silent for a while it may have had a successor before.
  const earlier = new Set((await listAll(context, AllocationKind, selection)).map(({ metadata }) => metadata.name));
  const asked: Evaluation = {
    apiVersion: EvaluationKind.apiVersion,
    kind: EvaluationKind.kind,
    metadata: { name: uuid(), namespace },
    spec: { jobName: job.metadata.name, jobUID: job.metadata.uid, trigger: 'alloc-stop', priority: job.spec.priority ?? 50, type: allocation.spec.jobType ?? 'service' }, // prettier-ignore
  };
  await context.client.batch([
    {
      operation: 'patch',
      apiVersion: AllocationKind.apiVersion,
      kind: AllocationKind.kind,
      namespace,
      name,
      patch: {
        spec: {
          desiredTransition: {
            migrate: true,
            ...(toNode !== undefined && { toNode }),
            ...(noShutdownDelay && { noShutdownDelay }),
          },
        },
      },
    },
    { operation: 'create', object: asked },
  ]);
  const over = new AbortController();
  const options = { clock: context.clock, signal: AbortSignal.any([signal, over.signal]) };
  /** Fails once no successor can come. */
  const unwanted = async (): Promise<undefined> => {
    const isGone = (one: Stored<Allocation> | undefined): boolean => one === undefined || hasEnded(one);
    for await (const now of watchOne(context.client, JobKind, job.metadata.name, namespace, options)) {
      if (wants(now, job, allocation)) continue;
      await waitFor(context.client, AllocationKind, name, namespace, options, isGone);
      if (options.signal.aborted) return;
      if (wants(await context.client.find(JobKind, job.metadata.name, namespace), job, allocation)) continue;
      throw new CommandError('it ended, and its job was stopped or no longer wants it: nothing takes its place');
    }
  };
  const succeeded = async (): Promise<Stored<Allocation> | undefined> => {
    for await (const { type, object } of watchAll(context.client, AllocationKind, selection, options)) {
      if (object.spec.previousAllocation !== name || earlier.has(object.metadata.name)) continue;
      const short = object.metadata.name.slice(0, 8);
      if (type === 'DELETED') throw new CommandError(`its successor "${short}" is gone`);
      if (clientStatus(object) === 'failed') throw new CommandError(`its successor "${short}" failed`);
      if (clientStatus(object) === 'lost' || object.spec.desired !== 'run') throw new CommandError(`its successor "${short}" was stopped or lost`); // prettier-ignore
      if (['running', 'complete'].includes(clientStatus(object))) return object;
    }
    return undefined;
  };
  try {
    return await Promise.race([succeeded(), unwanted()]);
  } finally {
    over.abort();
  }
}

/** Whether the job, as it is now, has a place for the allocation. */
function wants(now: Stored<Job> | undefined, job: Stored<Job>, { spec }: Stored<Allocation>): boolean {
  if (now === undefined || now.metadata.uid !== job.metadata.uid || now.spec.stop === true) return false;
  const group = now.spec.groups?.find(({ name }) => name === spec.group);
  if (group === undefined) return false;
  // Those have one on each node.
  return now.spec.type === 'system' || now.spec.type === 'sysbatch' || spec.index < (group.count ?? 1);
}
