import type { Allocation, Stored } from '../../../openapi/index.ts';
import { openExec } from '../../agent-api.ts';
import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { clientStatus } from '../../views/lists.ts';
import { pickAllocation, pickTask } from './pick.ts';

export const allocExec = defineClusterCommand({
  name: 'alloc exec',
  aliases: ['exec'],
  summary: 'Run a command in a task, with its input and output here',
  usage: '[options] <allocation> [--] <command> [<arg>…]',
  description:
    'Ends with the exit code of the command. The task can be left out where there is only one. With -job the argument is a job, of ' +
    'which some running allocation is taken. Options end at the command: what follows it belongs to it.\n' +
    'On a terminal "~." at the begin of a line disconnects, which ends the command; "~~" sends one "~".',
  examples: [
    { text: 'A shell in the only task of an allocation', command: 'alloc exec 4fef9fed /bin/sh' },
    { text: 'In a task of several, of some allocation of a job', command: 'alloc exec -job -task redis cache redis-cli ping' },
    { text: 'With a file as input', command: 'alloc exec -t=false 4fef9fed sh -c "cat > /tmp/data" < data' },
    { text: 'As kubectl has it', command: 'exec -it job/example -- ls -la /' },
  ],
  args: { min: 1, rule: 'An allocation ID is required' },
  flagsAmong: 2,
  completes: 'allocation',
  flags: {
    stdin: flag.tristate('Send the input. Default true.', { short: 'i' }),
    tty: flag.tristate('Give the command a terminal. Default true where input and output are terminals.', { short: 't' }),
    escape: flag.string('<char>', 'The character that begins an escape on a terminal, or "none". Default "~".', { short: 'e' }),
    task: flag.string('<name>', 'The task.', { short: 'c', also: ['container'] }),
    job: flag.boolean('The argument is a job.'),
  },
  async run({ args: [id, ...command], flags }, context) {
    if (command.length === 0) throw new CommandError('A command is required');
    const { escapeCharacter } = await import('../../exec/escape.ts');
    const escape = escapeCharacter(flags.escape ?? '~');
    if (escape === undefined) throw new CommandError('-escape takes a single character, or "none"');
    const stdin = flags.stdin ?? true;
    if (flags.tty === true && !stdin) throw new CommandError('A terminal (-t) needs the input (-i)');

    const allocation = await pickAllocation(context, id!, flags.job);
    const task = pickTask(allocation, flags.task);
    mustRun(allocation, task);
    const { isTerminal, runSession } = await import('../../exec/session.ts');
    const tty = flags.tty ?? (stdin && context.io.interactive && isTerminal(context.io.stdin));
    return context.interruptible(async (signal) => {
      const socket = await openExec(context, allocation, { task, tty, command });
      if (signal.aborted) {
        socket.terminate();
        throw new Interrupted();
      }
      return runSession({ io: context.io, socket, stdin, tty, escape: escape.character, signal });
    });
  },
});

/** Throws the sentence that says why nothing can be run in the task. */
export function mustRun(allocation: Stored<Allocation>, task: string): void {
  const id = allocation.metadata.name.slice(0, 8);
  const status = clientStatus(allocation);
  if (status !== 'running') throw new CommandError(`Allocation "${id}" is not running: it is ${status}`);
  const state = allocation.status?.tasks?.find(({ name }) => name === task)?.state ?? 'pending';
  if (state !== 'running') throw new CommandError(`Task "${task}" of allocation "${id}" is not running: it is ${state}`);
}
