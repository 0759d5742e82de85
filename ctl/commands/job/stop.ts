import { AllocationKind, JobKind, type Job, type Stored } from '../../../openapi/index.ts';
import { isAlive } from '../../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { Interrupted } from '../../errors.ts';
import { confirm } from '../../io/ask.ts';
import { hint, say } from '../../io/streams.ts';
import { findJob, jobName, listAll, namespaceOf } from '../../lookup.ts';
import { jobId } from '../../views/lists.ts';
import { changeJob, followSubmission, submitting } from '../../submit.ts';
import { waitFor } from '../../watch.ts';
import { detach, verbose, yes } from '../options.ts';

export const jobStop = defineClusterCommand({
  name: 'job stop',
  aliases: ['stop'],
  summary: 'Stop a job',
  usage: '[options] <job>…',
  description:
    'Stops all allocations of a job. Its versions and history stay, and running it again starts it; -purge removes it altogether ' +
    'once its allocations have ended. A prefix of the ID is enough where it is unique, after a question.',
  examples: [
    { text: 'Stop a job', command: 'job stop example' },
    { text: 'Stop it and forget it', command: 'job stop -purge example' },
    { text: 'Several, one after the other', command: 'job stop web api worker' },
  ],
  args: { min: 1, rule: 'This command takes at least one argument: <job>' },
  completes: 'job',
  flags: {
    purge: flag.boolean('Remove the job too.'),
    noShutdownDelay: flag.boolean('Stop tasks at once, whatever shutdown_delay says.'),
    global: flag.boolean('In all regions; there is one.', { hidden: true }),
    detach,
    verbose,
    yes,
  },
  async run({ args, flags }, context) {
    // All of them are found before the first one is stopped: a mistake in a name shall not stop half of them.
    const jobs: Stored<Job>[] = [];
    for (const id of new Set(args)) {
      const job = await findJob(context, id);
      const question = `Are you sure you want to stop job ${JSON.stringify(jobId(job))}?`;
      if (job.metadata.name === jobName(id) || flags.yes || (await confirm(context, question))) jobs.push(job);
    }
    let worst = 0;
    for (const job of jobs) worst = Math.max(worst, await stopJob(context, job, flags));
    return worst;
  },
});

interface Stop {
  readonly purge: boolean;
  readonly noShutdownDelay: boolean;
  readonly detach: boolean;
  readonly verbose: boolean;
}

async function stopJob(context: ClusterContext, job: Stored<Job>, flags: Stop): Promise<number> {
  if (flags.noShutdownDelay) await skipDelays(context, job);
  const submission = await submitting(context, 'Error deregistering job', () =>
    changeJob(context, job, (spec) => ({ ...spec, stop: true })),
  );
  // Removing waits, on the server, until nothing of the job runs any more.
  if (flags.purge) await context.client.delete(JobKind, job.metadata.name, namespaceOf(job), { preconditions: { uid: job.metadata.uid } }); // prettier-ignore
  // What nothing runs of may be gone, its evaluation with it, before anybody could follow that.
  const isIdle = flags.purge && !flags.detach && (job.spec.stop === true || job.status?.phase === 'dead');
  if (isIdle) say(context, submission.evaluation);
  const code = isIdle ? 0 : await followSubmission(context, submission, { ...flags, stopping: true }, submission.evaluation);
  if (flags.detach) return code;
  if (flags.purge) return (await untilGone(context, job)) || code;
  if (code === 0)
      hint(context, `Job ${JSON.stringify(jobId(job))} is stopped and kept; "${context.program} job start ${jobId(job)}" runs it again, "job stop -purge" removes it`); // prettier-ignore
  return code;
}

/** Marks what runs of the job, so that its agents do not wait before they stop it. */
async function skipDelays(context: ClusterContext, job: Stored<Job>): Promise<void> {
  const namespace = namespaceOf(job);
  const all = await listAll(context, AllocationKind, { namespace, fieldSelector: `spec.jobName=${job.metadata.name}` });
  const live = all.filter((one) => one.spec.desired === 'run' && isAlive(one));
  const patch = { spec: { desiredTransition: { noShutdownDelay: true } } };
  const { apiVersion, kind } = AllocationKind;
  for (let at = 0; at < live.length; at += 500)
    await context.client.batch(
      live
        .slice(at, at + 500)
        .map(({ metadata }) => ({ operation: 'patch', apiVersion, kind, namespace, name: metadata.name, patch })),
      { mode: 'independent' },
    );
}

/** A purged job goes once its allocations have ended: until then it would still be listed. */
function untilGone(context: ClusterContext, { metadata }: Stored<Job>): Promise<number> {
  const { client, clock } = context;
  const namespace = metadata.namespace;
  return context.interruptible(async (signal) => {
    const existing = await client.find(JobKind, metadata.name, namespace);
    if (existing?.metadata.uid !== metadata.uid) return 0;
    const slow = clock.after(3000, () =>
      hint(context, 'Waiting until its allocations have ended; Ctrl-C ends the waiting, not the removal'),
    );
    try {
      await waitFor(client, JobKind, metadata.name, namespace, { clock, signal }, (now) => now?.metadata.uid !== metadata.uid);
    } finally {
      slow.cancel();
    }
    if (signal.aborted) throw new Interrupted('\nStopped waiting; the job is removed once its allocations have ended.');
    return 0;
  });
}
