import { AllocationKind, JobKind, type Allocation, type Stored } from '../../openapi/index.ts';
import type { ClusterContext } from '../command.ts';
import { exitCodes, Interrupted } from '../errors.ts';
import { complain, hint } from '../io/streams.ts';
import { namespaceOf } from '../lookup.ts';
import { LogFollower } from '../logs.ts';
import type { Submission } from '../submit.ts';
import { clientStatus } from '../views/lists.ts';
import { allocationTroubles, reasonLines } from '../views/why.ts';
import { watchAll, watchOne } from '../watch.ts';
import { monitorEvaluation } from './evaluation.ts';

/**
 * Follows a job for whoever needs to know how it went: the evaluation, then a batch job until nothing of it runs or will, a service until
 * its rollout has ended; with its output, where that is wanted.
 */
export function runToTheEnd(
  context: ClusterContext,
  { job, evaluation }: Pick<Submission, 'job' | 'evaluation'>,
  { verbose, follow }: { readonly verbose: boolean; readonly follow: boolean },
): Promise<number> {
  const namespace = namespaceOf(job);
  const type = job.spec.type ?? 'service';
  const ends = type === 'batch' || type === 'sysbatch';
  const manyTasks = (job.spec.groups ?? []).reduce((sum, { tasks = [], count = 1 }) => sum + tasks.length * count, 0) > 1;
  return context.interruptible(async (signal) => {
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const allocations = new Map<string, Stored<Allocation>>();
    const logs = new LogFollower(context, until);
    const watching = (async () => {
      const selection = { namespace, fieldSelector: `spec.jobName=${job.metadata.name}` };
      for await (const { type, object } of watchAll(context.client, AllocationKind, selection, {
        clock: context.clock,
        signal: until,
      })) {
        const isOurs = object.spec.jobUID === job.metadata.uid && Number(object.metadata.resourceVersion) >= Number(job.metadata.resourceVersion); // prettier-ignore
        if (type === 'DELETED' || !isOurs) continue;
        allocations.set(object.metadata.name, object);
        if (follow) logs.see(object, manyTasks);
      }
    })();
    // Its failure shows in what is waited for besides.
    watching.catch(() => undefined);
    try {
      const placed = await monitorEvaluation(context, evaluation, { namespace, verbose });
      if (signal.aborted) throw new Interrupted();
      if (!ends || placed !== exitCodes.ok) return placed;
      await untilDead(context, job.metadata.name, namespace, until);
      if (signal.aborted)
        throw new Interrupted(`\nStopped watching; the job goes on. See: ${context.program} job status ${job.metadata.name}`);
      await logs.settled();
      return outcome(context, [...allocations.values()]);
    } finally {
      stop.abort();
    }
  });
}

async function untilDead(context: ClusterContext, name: string, namespace: string, signal: AbortSignal): Promise<void> {
  for await (const job of watchOne(context.client, JobKind, name, namespace, { clock: context.clock, signal }))
    if (job === undefined || job.status?.phase === 'dead') return;
}

/** 0 when all went well, else the exit code of a task that failed, and why it did. */
function outcome(context: ClusterContext, allocations: readonly Stored<Allocation>[]): number {
  const failed = allocations.filter(
    (one) => ['failed', 'lost'].includes(clientStatus(one)) && one.spec.nextAllocation === undefined,
  );
  if (failed.length === 0) return exitCodes.ok;
  for (const line of reasonLines(allocationTroubles(failed), context.program)) hint(context, line);
  const codes = failed
    .flatMap(({ status }) => (status?.tasks ?? []).map(({ exitCode }) => exitCode ?? 0))
    .filter((code) => code > 0);
  complain(context, `${failed.length} of ${allocations.length} allocations failed`);
  return codes[0] ?? exitCodes.failed;
}
