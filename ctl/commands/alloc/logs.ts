import type { IncomingMessage } from 'node:http';
import type { Allocation, Stored } from '../../../openapi/index.ts';
import { streamFromAgent } from '../../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import type { IO } from '../../io/streams.ts';
import { pickAllocation, pickTask } from './pick.ts';

/** What `-tail` shows where no number is given. */
const defaultTailLines = 10;
/** The length that `-tail -n` takes a line to have: it is a number of bytes to the server, as users know it. */
const bytesToLines = 120;

export const allocLogs = defineClusterCommand({
  name: 'alloc logs',
  aliases: ['logs'],
  summary: 'Print what a task wrote',
  usage: '[options] <allocation> [<task>]',
  description:
    'The task can be left out where there is only one. With -job the argument is a job, of which some allocation is taken, ' +
    'a running one if there is any.',
  examples: [
    { text: 'Everything a task wrote on its standard output', command: 'alloc logs 4fef9fed redis' },
    { text: 'Its standard error, as it comes', command: 'alloc logs -stderr -f 4fef9fed redis' },
    { text: 'The end of it, about 20 lines', command: 'alloc logs -tail -n 20 4fef9fed' },
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
    n: flag.integer('<lines>', 'How much of the end: about this many lines.'),
    c: flag.integer('<bytes>', 'How much of the end, in bytes.'),
    verbose: flag.boolean('Accepted; there is nothing more to show.', { hidden: true }),
  },
  async run({ args: [id, named], flags }, context) {
    if (flags.stderr && flags.stdout) throw new CommandError('Only one of -stderr and -stdout may be given');
    if ((flags.n ?? flags.c ?? 1) < 0) throw new CommandError('The length of the end must not be negative');
    const allocation = await pickAllocation(context, id!, flags.job);
    const task = pickTask(allocation, named ?? flags.task);
    const offset = flags.c ?? (flags.n ?? defaultTailLines) * bytesToLines;
    const atEnd = flags.tail || flags.c !== undefined || flags.n !== undefined;
    return printStream(context, allocation, {
      verb: 'log',
      query: { task, type: flags.stderr ? 'stderr' : 'stdout', follow: flags.f, ...(atEnd && { origin: 'end', offset }) },
    });
  },
});

interface Wanted {
  readonly verb: 'log' | 'fs/cat';
  readonly query: Record<string, string | number | boolean>;
}

/** Copies bytes from the agent to stdout until they end or Ctrl-C. */
export function printStream(context: ClusterContext, allocation: Stored<Allocation>, { verb, query }: Wanted): Promise<number> {
  return context.interruptible(async (signal) => {
    try {
      const response = await streamFromAgent(context, allocation, verb, query, signal);
      await copy(response, context.io);
    } catch (error) {
      if (signal.aborted) throw new Interrupted();
      throw error;
    }
    if (signal.aborted) throw new Interrupted();
    return 0;
  });
}

/** Not faster than the reader takes it. */
async function copy(from: IncomingMessage, { stdout }: IO): Promise<void> {
  for await (const chunk of from)
    if (!stdout.write(chunk as Buffer)) await new Promise<void>((resolve) => stdout.once('drain', resolve));
}
