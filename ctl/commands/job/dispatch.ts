import { readFile } from 'node:fs/promises';
import { shortId } from '../../../base/index.ts';
import { JobKind, type Job, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { hintNext, readStdinBytes, say } from '../../io/streams.ts';
import { findJob, namespaceOf } from '../../lookup.ts';
import { monitorEvaluation } from '../../monitor/evaluation.ts';
import { registerEvaluation, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';
import { detach, verbose } from '../options.ts';

export const jobDispatch = defineClusterCommand({
  name: 'job dispatch',
  summary: 'Run a parameterized job once',
  usage: '[options] <job> [input source]',
  description:
    'The input source is a file whose content becomes the payload, or "-" for stdin. With an idempotency token a second ' +
    'dispatch answers with the job that the first one made.',
  examples: [
    { text: 'With meta and a payload', command: 'job dispatch -meta user=ann encode video.json' },
    { text: 'From a script that may run twice', command: 'job dispatch -idempotency-token order-1234 bill' },
  ],
  args: { min: 1, max: 2, rule: 'This command takes one or two arguments: <job> [input source]' },
  completes: 'job',
  flags: {
    meta: flag.list('<key>=<value>', 'Meta for the job. Repeatable.'),
    idempotencyToken: flag.string('<token>', 'The same token makes no second job.'),
    detach,
    verbose,
  },
  async run({ args: [id, source], flags }, context) {
    const job = await findJob(context, id!);
    const payload = source === undefined ? undefined : await payloadOf(context, source);
    const meta = Object.fromEntries(flags.meta.map(pair));
    const { idempotencyToken } = flags;
    const child = await submitting(context, 'Failed to dispatch job', () =>
      launch(context, job, 'dispatch', {
        ...(payload !== undefined && { payload: payload.toString('base64') }),
        ...(flags.meta.length > 0 && { meta }),
        ...(idempotencyToken !== undefined && { idempotencyToken }),
      }),
    );
    const evaluation = registerEvaluation(child);
    say(context, `Dispatched Job ID = ${jobId(child)}`);
    say(context, `Evaluation ID     = ${flags.verbose ? evaluation : shortId(evaluation)}`);
    if (flags.detach) {
      hintNext(context, { text: 'See what comes of it', command: `job status ${jobId(child)}` });
      return 0;
    }
    say(context, '');
    return monitorEvaluation(context, evaluation, { namespace: namespaceOf(child), verbose: flags.verbose, stopping: false });
  },
});

export const jobPeriodicForce = defineClusterCommand({
  name: 'job periodic force',
  summary: 'Launch a periodic job now',
  usage: '[options] <job>',
  description: 'Outside its schedule, which goes on as it is; also where launches that overlap are prohibited.',
  examples: [{ text: 'Do not wait for the night', command: 'job periodic force backup' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: { detach, verbose },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    const child = await submitting(context, 'Error forcing periodic job', () => launch(context, job, 'launch', {}));
    const evaluation = registerEvaluation(child);
    if (flags.detach) {
      say(context, `Force periodic successful\nLaunched Job ID: ${jobId(child)}\nEvaluation ID: ${evaluation}`);
      hintNext(context, { text: 'See what comes of it', command: `job status ${jobId(child)}` });
      return 0;
    }
    return monitorEvaluation(context, evaluation, { namespace: namespaceOf(child), verbose: flags.verbose, stopping: false });
  },
});

const launch = (context: ClusterContext, job: Stored<Job>, how: 'dispatch' | 'launch', body: object): Promise<Stored<Job>> =>
  context.client.json('POST', `/apis/${JobKind.apiVersion}/namespaces/${encodeURIComponent(namespaceOf(job))}/jobs/${encodeURIComponent(job.metadata.name)}/${how}`, { body }); // prettier-ignore

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new CommandError(`Error parsing meta value: ${JSON.stringify(text)} is no <key>=<value>`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function payloadOf(context: ClusterContext, source: string): Promise<Buffer> {
  try {
    return source === '-' ? Buffer.from(await readStdinBytes(context.io)) : await readFile(source);
  } catch (error) {
    throw new CommandError(`Error reading input data: ${error instanceof Error ? error.message : String(error)}`);
  }
}
