import { NodeKind, type Allocation, type Job, type Node, type Stored } from '../../../openapi/index.ts';
import { allocationsByJob, allocationsByNode, isTerminal, jobsByUid } from '../../objects/index.ts';
import type { Reader } from '../../runtime/index.ts';

export interface Observed {
  readonly node: Stored<Node>;
  /** Everything bound to the node. */
  readonly allocations: readonly Stored<Allocation>[];
  /** By uid: the jobs of these allocations, and all allocations of such a job that are to run, wherever they are. */
  readonly jobs: ReadonlyMap<string, { readonly job?: Stored<Job>; readonly running: readonly Stored<Allocation>[] }>;
}

/** Undefined when there is no drain to care for. */
export function observe(key: string, read: Reader): Observed | undefined {
  const node = read.get(NodeKind, key);
  if (node === undefined || (node.spec.drain === undefined && node.status?.drain?.phase !== 'draining')) return undefined;
  const allocations = read.by(allocationsByNode, node.metadata.name);
  const jobs = new Map(
    [...new Set(allocations.map((a) => a.spec.jobUID))].map((uid) => {
      const job = read.by(jobsByUid, uid)[0];
      return [
        uid,
        { ...(job !== undefined && { job }), running: read.by(allocationsByJob, uid).filter((a) => !isTerminal(a)) },
      ] as const;
    }),
  );
  return { node, allocations, jobs };
}
