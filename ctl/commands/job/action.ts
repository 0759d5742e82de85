import { AllocationKind, type Allocation, type Job, type Stored } from '../../../openapi/index.ts';
import { jobOf, openExec } from '../../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { table } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findAllocation, findJob, listAll, namespaceOf } from '../../lookup.ts';
import { clientStatus, jobId } from '../../views/lists.ts';
import { newestFirst } from '../../views/view.ts';
import { mustRun } from '../alloc/exec.ts';

export const jobAction = defineClusterCommand({
  name: 'job action',
  summary: 'Run a command that a job has for its operators',
  usage: '[options] [<action>]',
  description:
    'Actions are written in tasks: action "name" { command = … args = […] }. The command runs inside the task, with its environment, and its exit code is the ' +
    "command's own. Without an action, those of the job are listed. Where several tasks have it, or several allocations run, -group, -task and " +
    '-allocation choose; otherwise some allocation is taken.',
  examples: [
    { text: 'What there is', command: 'job action -job example' },
    { text: 'Run one, in some allocation', command: 'job action -job example flush-cache' },
    { text: 'In a certain one, with a terminal', command: 'job action -job example -allocation 4fef9fed -t console' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one argument: <action>' },
  flags: {
    job: flag.string('<job>', 'The job. Required, unless an allocation is given.'),
    allocation: flag.string('<allocation>', 'This allocation.'),
    group: flag.string('<group>', 'An allocation of this group.'),
    task: flag.string('<task>', 'This task.'),
    stdin: flag.tristate('Send the input. Default true.', { short: 'i' }),
    tty: flag.tristate('Give the command a terminal. Default true where input and output are terminals.', { short: 't' }),
    escape: flag.string('<char>', 'The character that begins an escape on a terminal, or "none". Default "~".', { short: 'e' }),
    json: formatFlags.json,
  },
  async run({ args: [action], flags }, context) {
    if (flags.job === undefined && flags.allocation === undefined) throw new CommandError('A job is required: -job=<job>');
    const job = flags.job === undefined ? undefined : await findJob(context, flags.job);
    const allocation = flags.allocation === undefined ? undefined : await findAllocation(context, flags.allocation);
    if (job !== undefined && allocation !== undefined && allocation.spec.jobUID !== job.metadata.uid)
      throw new CommandError(
        `Allocation "${allocation.metadata.name.slice(0, 8)}" is of job ${JSON.stringify(allocation.spec.jobName)}`,
      );
    // What an allocation runs may be an older version of the job.
    const spec = allocation === undefined ? job!.spec : await jobOf(context, allocation);
    if (spec === undefined) throw new CommandError('The version of the job that the allocation runs is no longer kept');
    const all = actionsOf(spec).filter(
      (one) =>
        (flags.group ?? allocation?.spec.group ?? one.group) === one.group &&
        (flags.task === undefined || flags.task === one.task),
    );
    if (action === undefined) {
      if (wantsData(flags)) return sayData(context, flags, all.map(({ name, group, task }) => ({ Name: name, TaskGroupName: group, TaskName: task }))); // prettier-ignore
      return say(context, all.length === 0 ? 'No actions' : table([['Name', 'Task Group', 'Task', 'Command'], ...all.map((one) => [one.name, one.group, one.task, one.command])])); // prettier-ignore
    }
    const found = all.filter(({ name }) => name === action);
    if (found.length === 0) throw new CommandError(`There is no action ${JSON.stringify(action)}; there ${all.length === 0 ? 'are none' : `are ${[...new Set(all.map(({ name }) => name))].join(', ')}`}`); // prettier-ignore
    const places = [...new Set(found.map(({ group, task }) => `${group}/${task}`))];
    if (places.length > 1) throw new CommandError(`Several tasks have the action ${JSON.stringify(action)}: ${places.join(', ')}. Say which by -group and -task`); // prettier-ignore
    const { group, task } = found[0]!;
    const { escapeCharacter } = await import('../../exec/escape.ts');
    const escape = escapeCharacter(flags.escape ?? '~');
    if (escape === undefined) throw new CommandError('-escape takes a single character, or "none"');
    const stdin = flags.stdin ?? true;
    if (flags.tty === true && !stdin) throw new CommandError('A terminal (-t) needs the input (-i)');
    const chosen = allocation ?? (await someAllocation(context, job!, group));
    mustRun(chosen, task);
    const { isTerminal, runSession } = await import('../../exec/session.ts');
    const tty = flags.tty ?? (stdin && context.io.interactive && isTerminal(context.io.stdin));
    return context.interruptible(async (signal) => {
      const socket = await openExec(context, chosen, { task, tty, action });
      if (signal.aborted) {
        socket.terminate();
        throw new Interrupted();
      }
      return runSession({ io: context.io, socket, stdin, tty, escape: escape.character, signal });
    });
  },
});

interface Action {
  readonly name: string;
  readonly group: string;
  readonly task: string;
  readonly command: string;
}

const actionsOf = ({ groups = [] }: Job['spec']): Action[] =>
  groups.flatMap((group) =>
    (group.tasks ?? []).flatMap(
      (task) =>
      (task.actions ?? []).map(({ name, command = '', args = [] }) => ({ name, group: group.name, task: task.name, command: [command, ...args].join(' ') })), // prettier-ignore
    ),
  );

/** The newest that runs. */
async function someAllocation(context: ClusterContext, job: Stored<Job>, group: string): Promise<Stored<Allocation>> {
  const all = await listAll(context, AllocationKind, { namespace: namespaceOf(job), fieldSelector: `spec.jobName=${job.metadata.name}` }); // prettier-ignore
  const running = all.filter((one) => one.spec.group === group && one.spec.jobUID === job.metadata.uid && clientStatus(one) === 'running'); // prettier-ignore
  const [newest] = newestFirst(running, ({ metadata }) => metadata.creationTimestamp, ({ spec }) => spec.name); // prettier-ignore
  if (newest === undefined)
    throw new CommandError(`No allocation of group ${JSON.stringify(group)} of job ${JSON.stringify(jobId(job))} is running`);
  return newest;
}
