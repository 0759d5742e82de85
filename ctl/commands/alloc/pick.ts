import { AllocationKind, type Allocation, type Stored } from '../../../openapi/index.ts';
import type { ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { findAllocation, findJob, listAll, namespaceOf } from '../../lookup.ts';
import { clientStatus, jobId } from '../../views/lists.ts';
import { newestFirst } from '../../views/view.ts';

/** The allocation that is meant: by ID, or (with -job, or as `job/<name>`) one of a job, running ones first. */
export async function pickAllocation(context: ClusterContext, word: string, ofJob: boolean): Promise<Stored<Allocation>> {
  const [, kind, name] = /^(job|jobs|alloc|allocation|allocations)\/(.+)$/.exec(word) ?? [];
  const id = name !== undefined && !ofJob ? name : word;
  if (!ofJob && kind?.startsWith('job') !== true) return findAllocation(context, id);
  const job = await findJob(context, id);
  const all = await listAll(context, AllocationKind, {
    namespace: namespaceOf(job),
    fieldSelector: `spec.jobName=${job.metadata.name}`,
  });
  const newest = newestFirst(all, ({ metadata }) => metadata.creationTimestamp, ({ spec }) => spec.name); // prettier-ignore
  const chosen = newest.find((one) => clientStatus(one) === 'running') ?? newest[0];
  if (chosen === undefined) throw new CommandError(`No allocations for job ${JSON.stringify(jobId(job))} found`);
  return chosen;
}

/** The names of an allocation's tasks. */
export function taskNames({ spec, status }: Stored<Allocation>): string[] {
  const held = (spec.resources?.tasks ?? []).map(({ name }) => name);
  return [...new Set([...held, ...(status?.tasks ?? []).map(({ name }) => name)])].sort();
}

/** The task that is meant: the one named, or the only one. */
export function pickTask(allocation: Stored<Allocation>, named: string | undefined): string {
  const names = taskNames(allocation);
  const bullets = names.map((name) => ` * ${name}`).join('\n');
  if (named !== undefined) {
    if (names.includes(named)) return named;
    throw new CommandError(`Could not find task named: ${named}, found:\n${bullets}`);
  }
  if (names.length === 1) return names[0]!;
  const id = allocation.metadata.name.slice(0, 8);
  throw new CommandError(`Allocation "${id}" is running the following tasks:\n${bullets}\n\nPlease specify the task.`);
}
