import { shortId, uuid } from '../../../base/index.ts';
import { OperationKind, type OperationSpec } from '../../../openapi/index.ts';
import { defineClusterCommand, noArguments, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { hint } from '../../io/streams.ts';
import { submitting } from '../../submit.ts';
import { waitFor } from '../../watch.ts';

export const systemGc = defineClusterCommand({
  name: 'system gc',
  summary: 'Collect everything that has ended, now',
  usage: '[options]',
  description:
    'Jobs, evaluations, allocations and deployments that are over, and nodes that are down with nothing on them, are removed by themselves after some time; ' +
    'this does not wait for it. What is still needed stays: the newest deployment of a job, say, or the allocations by which a batch job knows what has run.',
  examples: [{ text: 'Clean up', command: 'system gc' }],
  args: noArguments,
  run: (_, context) => operate(context, 'gc', 'Error running system garbage-collection'),
});

export const systemReconcileSummaries = defineClusterCommand({
  name: 'system reconcile summaries',
  summary: 'Count the allocations of all jobs anew',
  usage: '[options]',
  description:
    'The summaries of jobs follow their allocations by themselves; this counts from the store, and mends what says something else.',
  examples: [{ text: 'Have everything counted', command: 'system reconcile summaries' }],
  args: noArguments,
  run: (_, context) => operate(context, 'reconcile-summaries', 'Error running system summary reconciliation'),
});

/** Asks the controllers for something by an Operation, and waits until it is done. */
async function operate(context: ClusterContext, type: OperationSpec['type'], what: string): Promise<number> {
  const { client, clock, program } = context;
  const name = uuid();
  await submitting(context, what, () => client.create(OperationKind, { metadata: { name }, spec: { type } }));
  return context.interruptible(async (signal) => {
    const slow = clock.after(5_000, () =>
      hint(
        context,
        `Waiting for the controller that does it; Ctrl-C ends the waiting. See: ${program} get operation ${shortId(name)}`,
      ),
    );
    try {
      const isOver = (phase: string | undefined): boolean => phase === 'complete' || phase === 'failed';
      const done = await waitFor(client, OperationKind, name, undefined, { clock, signal }, (now) => now === undefined || isOver(now.status?.phase)); // prettier-ignore
      if (signal.aborted) throw new Interrupted('\nStopped waiting; what was asked for will be done.');
      if (done?.status?.phase === 'failed') throw new CommandError(`${what}: ${done.status.description ?? 'it failed'}`);
      hint(context, done?.status?.description ?? 'Done');
      return 0;
    } finally {
      slow.cancel();
    }
  });
}
