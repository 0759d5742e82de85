import type { Job } from '../../../openapi/index.ts';
import type { Context } from '../../command.ts';
import { say } from '../../io/streams.ts';
import { warningsOf } from '../../jobfile/index.ts';

/** Shows what is allowed in a job and probably not meant. */
export async function sayWarnings(context: Context, job: Job, served: readonly string[]): Promise<void> {
  const text = await warningsOf(job, served);
  if (text !== undefined) say(context, context.style.yellow(`Job Warnings:\n${text}\n`));
}
