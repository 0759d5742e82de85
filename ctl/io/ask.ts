import { createInterface } from 'node:readline/promises';
import type { Context } from '../command.ts';
import { CommandError } from '../errors.ts';
import { complain } from './streams.ts';

/** Asks a question that is answered with yes or no. Where nobody can answer, it is an error that names the flag to use. */
export async function confirm(context: Context, question: string): Promise<boolean> {
  if (!context.io.canAsk) throw new CommandError(`${question}\nNobody can be asked here: say -yes to go on`);
  const terminal = createInterface({ input: context.io.stdin, output: context.io.stderr });
  try {
    const answer = (await terminal.question(`${question} [y/N] `)).trim().toLowerCase();
    if (answer === 'y' || answer === 'yes') return true;
    complain(context, 'Cancelled; nothing was changed');
    return false;
  } finally {
    terminal.close();
  }
}
