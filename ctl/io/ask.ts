import { createInterface } from 'node:readline';
import type { Context } from '../command.ts';
import { CommandError, Interrupted } from '../errors.ts';
import { complain } from './streams.ts';

/**
 * Asks a question that is answered with yes or no, and says what a no leads to. Where nobody can answer, it is an error that names the
 * flag to use.
 */
export async function confirm(context: Context, question: string, refused = 'Cancelled; nothing was changed'): Promise<boolean> {
  if (!context.io.canAsk) throw new CommandError(`${question}\nNobody can be asked here: say -yes to go on`);
  const answer = (await ask(context, `${question} [y/N] `)).trim().toLowerCase();
  if (answer === 'y' || answer === 'yes') return true;
  complain(context, refused);
  return false;
}

/** One line; empty when the input ends. The terminal hands Ctrl-C to whoever reads from it. */
function ask({ io }: Context, question: string): Promise<string> {
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  return new Promise((resolve, reject) => {
    terminal.once('SIGINT', () => {
      reject(new Interrupted());
      terminal.close();
    });
    terminal.once('close', () => resolve(''));
    terminal.question(question, (answer) => {
      resolve(answer);
      terminal.close();
    });
  });
}
