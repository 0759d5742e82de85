import { AllocationKind, JobKind, type Allocation, type Stored } from '../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../command.ts';
import { CommandError, Interrupted } from '../errors.ts';
import { complain } from '../io/streams.ts';
import { copyLines, logQuery, mustHaveStarted, printStream, type LogRange } from '../logs.ts';
import { findAllocation, findDeployment, findJob, jobName, listAll, namespaceOf } from '../lookup.ts';
import { matchesLabels } from '../selector.ts';
import { clientStatus } from '../views/lists.ts';
import { newestFirst } from '../views/view.ts';
import { watchAll } from '../watch.ts';
import { defaultTailLines } from './alloc/logs.ts';
import { pickAllocation, pickTask, taskNames } from './alloc/pick.ts';

export const logs = defineClusterCommand({
  name: 'logs',
  summary: 'Print what tasks wrote: of an allocation, a job, a group, or all with some labels',
  usage: '[options] <allocation> [<task>] | <job>|job/<job> | -l <labels>',
  description:
    'An allocation goes by its ID, a job by its name; "job/<name>", "deployment/<id>" and "alloc/<id>" say which is meant. Of a job, the output of ' +
    'all its allocations is merged, each line with where it comes from; with -f new allocations join as they start.',
  examples: [
    { text: 'One task', command: 'logs 4fef9fed redis' },
    { text: 'A whole job, as it comes', command: 'logs -f job/example' },
    { text: 'The last lines of one group', command: 'logs job/example -group cache --tail=20' },
    { text: 'What the allocation wrote that this one replaced', command: 'logs -previous 4fef9fed' },
  ],
  args: { min: 0, max: 2, rule: 'An allocation ID is required' },
  completes: 'job',
  flags: {
    stderr: flag.boolean('Print standard error instead of standard output.'),
    job: flag.boolean('The argument is a job, of which some allocation is taken.'),
    task: flag.string('<name>', 'Only this task.', { short: 'c' }),
    group: flag.string('<name>', 'Only this group.'),
    selector: flag.string('<labels>', 'Of all jobs with these labels.', { short: 'l' }),
    f: flag.boolean('Go on printing what is written.', { also: ['follow'] }),
    tail: flag.string('<lines>', `Only the end: -tail with -n, or --tail=<lines>. Default ${defaultTailLines} lines.`, {
      implied: 'true',
    }),
    n: flag.integer('<lines>', 'How much of the end, in lines.'),
    bytes: flag.integer('<bytes>', 'How much of the end, in bytes.'),
    previous: flag.boolean('Of the allocation that this one replaced.', { short: 'p' }),
    prefix: flag.tristate('Say before each line where it comes from; on where several tasks are merged.'),
    since: flag.string('<duration>', 'Refused: lines are kept as tasks write them, without the time.', { hidden: true }),
    verbose: flag.boolean('Accepted; there is nothing more to show.', { hidden: true }),
  },
  async run({ args: [id, named], flags }, context) {
    if (flags.since !== undefined)
      throw new CommandError(
        '-since is not built yet: output is kept as tasks write it, without times. There is --tail=<lines>.',
      );
    const range = { stderr: flags.stderr, follow: flags.f, bytes: flags.bytes, lines: tailLines(flags) };
    const task = named ?? flags.task;
    if (id === undefined && flags.selector === undefined)
      throw new CommandError(`An allocation ID is required, or a job: ${context.program} logs job/<name>`);
    if (id === undefined)
      return merged(context, await byLabels(context, flags.selector!, flags.group), { range, task, prefix: flags.prefix });
    const target = flags.job ? await pickAllocation(context, id, true) : await resolve(context, id);
    if ('job' in target) {
      if (flags.previous) throw new CommandError('-previous takes one allocation, not a job');
      const selection = await ofJob(context, target, flags.group);
      return merged(context, selection, { range, task, prefix: flags.prefix });
    }
    const allocation = flags.previous ? await previousOf(context, target) : target;
    const picked = pickTask(allocation, task);
    mustHaveStarted(context, allocation, picked);
    return printStream(context, allocation, logQuery(picked, range));
  },
});

function tailLines({ tail, n }: { readonly tail?: string | undefined; readonly n?: number | undefined }): number | undefined {
  const given = tail === undefined || tail === 'true' ? undefined : Number(tail);
  if (given !== undefined && !/^-?\d+$/.test(tail!)) throw new CommandError(`--tail takes a number of lines, not "${tail}"`);
  const lines = given ?? n;
  if (lines === -1) return undefined; // kubectl's word for "all"
  if ((lines ?? 0) < 0) throw new CommandError('The length of the end must not be negative');
  return lines ?? (tail === undefined ? undefined : defaultTailLines);
}

interface JobTarget {
  readonly job: string;
  readonly namespace: string;
  readonly deployment?: string;
}

/** An allocation by its ID, or else a job by its name; `kind/name` says which. */
async function resolve(context: ClusterContext, id: string): Promise<Stored<Allocation> | JobTarget> {
  const [, word, name] = /^(job|jobs|jo|deployment|deploy|deployments|alloc|allocation|allocations|al)\/(.+)$/.exec(id) ?? [];
  const ofJobNamed = async (job: string): Promise<JobTarget> => {
    const found = await findJob(context, job);
    return { job: found.metadata.name, namespace: namespaceOf(found) };
  };
  if (word?.startsWith('jo')) return ofJobNamed(name!);
  if (word?.startsWith('dep')) {
    const { metadata, spec } = await findDeployment(context, name!);
    return { job: spec.jobName, namespace: metadata.namespace!, deployment: metadata.name };
  }
  if (word !== undefined) return findAllocation(context, name!);
  try {
    return await findAllocation(context, id);
  } catch (error) {
    const job = await context.client.find(JobKind, jobName(id), context.namespace);
    if (job !== undefined) return { job: job.metadata.name, namespace: namespaceOf(job) };
    throw error;
  }
}

async function previousOf(context: ClusterContext, { metadata, spec }: Stored<Allocation>): Promise<Stored<Allocation>> {
  if (spec.previousAllocation === undefined)
    throw new CommandError(
      `Allocation "${metadata.name.slice(0, 8)}" replaced none; its log has what its tasks wrote before each restart, too`,
    );
  return findAllocation(context, spec.previousAllocation);
}

/** Allocations whose output is merged: those there are, and how to see those that come. */
interface Selection {
  readonly namespace: string | undefined;
  readonly fieldSelector?: string;
  accepts(allocation: Stored<Allocation>): boolean;
}

async function ofJob(
  context: ClusterContext,
  { job, namespace, deployment }: JobTarget,
  group: string | undefined,
): Promise<Selection> {
  const found = await context.client.find(JobKind, job, namespace);
  const groups = (found?.spec.groups ?? []).map(({ name }) => name);
  if (group !== undefined && found !== undefined && !groups.includes(group))
    throw new CommandError(`Job "${job}" has no group "${group}"; it has ${groups.join(', ')}`);
  return {
    namespace,
    fieldSelector: `spec.jobName=${job}`,
    accepts: ({ spec }) =>
      (group === undefined || spec.group === group) && (deployment === undefined || spec.deployment === deployment),
  };
}

/** The allocations of all jobs with these labels. */
async function byLabels(context: ClusterContext, selector: string, group: string | undefined): Promise<Selection> {
  const jobs = new Set((await listAll(context, JobKind, { labelSelector: selector })).map(({ metadata }) => metadata.uid));
  return {
    namespace: context.listNamespace,
    accepts: ({ metadata, spec }) =>
      (jobs.has(spec.jobUID) || matchesLabels(selector, metadata.labels)) && (group === undefined || spec.group === group),
  };
}

interface Merge {
  readonly range: LogRange;
  readonly task: string | undefined;
  readonly prefix: boolean | undefined;
}

const hasRun = (allocation: Stored<Allocation>, task: string): boolean =>
  allocation.status?.tasks?.find(({ name }) => name === task)?.startedAt !== undefined;

async function merged(context: ClusterContext, selection: Selection, { range, task, prefix }: Merge): Promise<number> {
  const { namespace, fieldSelector } = selection;
  const all = (
    await listAll(context, AllocationKind, { namespace, ...(fieldSelector !== undefined && { fieldSelector }) })
  ).filter(selection.accepts);
  const alive = all.filter((one) => clientStatus(one) === 'running');
  const shown = alive.length > 0 || range.follow ? alive : newestFirst(all, ({ metadata }) => metadata.creationTimestamp, ({ spec }) => spec.name); // prettier-ignore
  const tasksOf = (one: Stored<Allocation>): string[] => taskNames(one).filter((name) => task === undefined || name === task);
  const sources = shown.flatMap((one) => tasksOf(one).map((name) => ({ allocation: one, task: name })));
  if (all.length === 0 && !range.follow) throw new CommandError('No allocations found');
  if (sources.length === 0 && all.length > 0 && task !== undefined && all.every((one) => tasksOf(one).length === 0))
    throw new CommandError(`No task "${task}" found in ${all.length} allocations`);
  const labels = new Labels(context, prefix ?? (range.follow || sources.length > 1));
  if (!range.follow) {
    const started = sources.filter((one) => hasRun(one.allocation, one.task));
    if (started.length === 0) complain(context, 'Nothing of it has started yet: there are no logs');
    return context.interruptible(async (signal) => {
      for (const one of started)
        await tolerant(
          context,
          () => copyLines(context, one.allocation, logQuery(one.task, range), labels.of(one), signal),
          signal,
        );
      if (signal.aborted) throw new Interrupted();
      return started.length === 0 ? 1 : 0;
    });
  }
  return context.interruptible(async (signal) => {
    const running = new Map<string, Promise<void>>();
    const options = { clock: context.clock, signal };
    for await (const { type, object } of watchAll(context.client, AllocationKind, { namespace, fieldSelector }, options)) {
      if (type === 'DELETED' || !selection.accepts(object) || clientStatus(object) !== 'running') continue;
      for (const name of tasksOf(object)) {
        const key = `${object.metadata.name}/${name}`;
        if (running.has(key) || !hasRun(object, name)) continue;
        const source = { allocation: object, task: name };
        running.set(
          key,
          tolerant(context, () => copyLines(context, object, logQuery(name, range), labels.of(source), signal), signal),
        );
      }
    }
    throw new Interrupted();
  });
}

/** That one of many sources cannot be read is told, and the others go on. */
async function tolerant(context: ClusterContext, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) complain(context, (await import('../errors.ts')).explain(error, context.program));
  }
}

/** `[4fef9fed redis] `, each source in a colour of its own. */
class Labels {
  readonly #context: ClusterContext;
  readonly #shown: boolean;
  #next = 0;
  constructor(context: ClusterContext, shown: boolean) {
    this.#context = context;
    this.#shown = shown;
  }
  of({ allocation, task }: { allocation: Stored<Allocation>; task: string }): string {
    if (!this.#shown) return '';
    const { cyan, green, yellow, red } = this.#context.style;
    const paint = [cyan, green, yellow, red][this.#next++ % 4]!;
    return `${paint(`[${allocation.metadata.name.slice(0, 8)} ${task}]`)} `;
  }
}
