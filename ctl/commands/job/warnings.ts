import type { Context } from '../../command.ts';
import { say } from '../../io/streams.ts';
import { warningText } from '../../write.ts';

/** Shows what the server allows in a job and takes for probably not meant. */
export function sayWarnings(context: Context, warnings: readonly string[]): void {
  const text = warningText(warnings);
  if (text !== undefined) say(context, context.style.yellow(`Job Warnings:\n${text}\n`));
}
