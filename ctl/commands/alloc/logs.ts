import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { logQuery, mustHaveStarted, printStream } from '../../logs.ts';
import { pickAllocation, pickTask } from './pick.ts';

/** What `-tail` shows where no number is given. */
export const defaultTailLines = 10;

export const allocLogs = defineClusterCommand({
  name: 'alloc logs',
  summary: 'Print what a task wrote',
  usage: '[options] <allocation> [<task>]',
  description:
    'The task can be left out where there is only one. With -job the argument is a job, of which some allocation is taken, ' +
    'a running one if there is any. "logs" does more: whole jobs, merged.',
  examples: [
    { text: 'Everything a task wrote on its standard output', command: 'alloc logs 4fef9fed redis' },
    { text: 'Its standard error, as it comes', command: 'alloc logs -stderr -f 4fef9fed redis' },
    { text: 'The last 20 lines', command: 'alloc logs -tail -n 20 4fef9fed' },
  ],
  args: { min: 1, max: 2, rule: 'An allocation ID is required' },
  completes: 'allocation',
  flags: {
    stderr: flag.boolean('Print standard error instead of standard output.'),
    stdout: flag.boolean('Print standard output, as it does anyway.', { hidden: true }),
    job: flag.boolean('The argument is a job.'),
    task: flag.string('<name>', 'The task.'),
    f: flag.boolean('Go on printing what is written.', { also: ['follow'] }),
    tail: flag.boolean('Only the end.'),
    n: flag.integer('<lines>', `How much of the end, in lines. Default ${defaultTailLines}.`),
    c: flag.integer('<bytes>', 'How much of the end, in bytes.'),
    verbose: flag.boolean('Accepted; there is nothing more to show.', { hidden: true }),
  },
  async run({ args: [id, named], flags }, context) {
    if (flags.stderr && flags.stdout) throw new CommandError('Only one of -stderr and -stdout may be given');
    if ((flags.n ?? flags.c ?? 1) < 0) throw new CommandError('The length of the end must not be negative');
    const allocation = await pickAllocation(context, id!, flags.job);
    const task = pickTask(allocation, named ?? flags.task);
    mustHaveStarted(context, allocation, task);
    const atEnd = flags.tail || flags.n !== undefined;
    const range = {
      stderr: flags.stderr,
      follow: flags.f,
      bytes: flags.c,
      lines: atEnd ? (flags.n ?? defaultTailLines) : undefined,
    };
    return printStream(context, allocation, logQuery(task, range));
  },
});
