import equal from 'fast-deep-equal';
import { isReason } from '../../base/index.ts';
import { keyOf, type Client } from '../../client/index.ts';
import { AllocationKind, JobKind, OperationKind, type Allocation, type Stored } from '../../openapi/index.ts';
import { completed, isOver } from '../objects/index.ts';
import { defineController, lookUp, patchOperation, settled } from '../runtime/index.ts';
import { observe } from './observe.ts';
import { countGroups } from './summarise.ts';

/**
 * Does what `orchctl system reconcile summaries` asks for: counts the allocations of every job anew, from the store and not from the
 * cache that the job controller counts by, and mends summaries that say something else.
 */
export const summaryOperations = defineController({
  name: 'job-operations',
  primary: OperationKind,
  reads: [lookUp(JobKind)],
  writes: [OperationKind, JobKind],
  concurrency: 1,

  async reconcile(key, { read, write, clock, log, signal }) {
    const operation = read.get(OperationKind, key);
    if (operation?.spec.type !== 'reconcile-summaries' || isOver(operation)) return settled;
    const allocations = await allocationsByJobUid(write, signal);
    const counts = { jobs: 0, corrected: 0 };
    for (const { metadata } of read.list(JobKind)) {
      // The job controller may have counted since it was listed, so it is looked at once more where something differs.
      const job = await write.find(JobKind, metadata.name, metadata.namespace, signal);
      const observed = job === undefined ? undefined : observe(keyOf(job), read);
      if (job === undefined || observed === undefined) continue;
      counts.jobs++;
      const groups = countGroups({ ...observed, job, allocations: allocations.get(job.metadata.uid) ?? [] });
      if (equal(groups, job.status?.groups ?? [])) continue;
      const change = patchOperation(JobKind, job, { status: { groups } }, { unchanged: true, subresource: 'status' });
      try {
        await write.batch([change], { signal });
        counts.corrected++;
        log.info('summary corrected', { job: keyOf(job) });
      } catch (error) {
        if (!isReason(error, 'Conflict', 'NotFound')) throw error; // it was counted this very moment
      }
    }
    const description = `Counted ${counts.jobs} ${counts.jobs === 1 ? 'job' : 'jobs'}, corrected ${counts.corrected}`;
    const status = completed(counts, description, clock.now());
    await write.patch(OperationKind, operation.metadata.name, undefined, { status }, { subresource: 'status', signal });
    return settled;
  },
});

async function allocationsByJobUid(client: Client, signal: AbortSignal): Promise<Map<string, Stored<Allocation>[]>> {
  const found = new Map<string, Stored<Allocation>[]>();
  for (let from: string | undefined; ;) {
    const page = await client.list(AllocationKind, { limit: 1000, signal, ...(from !== undefined && { continue: from }) });
    for (const allocation of page.items) {
      const known = found.get(allocation.spec.jobUID);
      if (known === undefined) found.set(allocation.spec.jobUID, [allocation]);
      else known.push(allocation);
    }
    from = page.metadata.continue;
    if (from === undefined || from === '') return found;
  }
}
