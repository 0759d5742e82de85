import { JobVersionKind, NodeKind, type Allocation, type Job, type Node, type Stored } from '../../openapi/index.ts';
import { versionedJob } from '../agent-api.ts';
import type { ClusterContext } from '../command.ts';
import { listAll, namespaceOf } from '../lookup.ts';
import { jobVersionName } from '../submit.ts';
import { nodeName } from '../views/lists.ts';
import { listStub, nomadAllocation } from './allocation.ts';
import { storedNomadJson } from './job.ts';

/** An allocation in the form of Nomad's API, with its job in the version that it runs. */
export async function allocationData(context: ClusterContext, allocation: Stored<Allocation>): Promise<unknown> {
  const { spec } = allocation;
  const namespace = namespaceOf(allocation);
  const [node, version] = await Promise.all([
    context.client.find(NodeKind, spec.nodeName),
    context.client.find(JobVersionKind, jobVersionName(spec.jobName, spec.jobUID, spec.jobVersion), namespace),
  ]);
  const job = version === undefined ? undefined : versionedJob(version);
  return nomadAllocation(allocation, {
    nodeName: nameOf(node),
    job: job?.spec,
    // As it was when it was placed: nobody could know yet whether it is stable.
    nomadJob: job === undefined ? undefined : (await storedNomadJson({ ...job, status: { ...job.status, stable: false } })).Job,
  });
}

/** Allocations as Nomad's API lists them. */
export async function allocationList(context: ClusterContext, allocations: readonly Stored<Allocation>[]): Promise<unknown[]> {
  const nodes = new Map((await listAll(context, NodeKind)).map((node) => [node.metadata.name, node]));
  return allocations.map((one) => listStub(one, nameOf(nodes.get(one.spec.nodeName))));
}

const nameOf = (node: Stored<Node> | undefined): string => (node === undefined ? '' : nodeName(node));

/** A job as Nomad's API lists it. */
export function jobStub({ metadata, spec, status = {} }: Stored<Job>): Record<string, unknown> {
  const index = status.modifyIndex ?? 0;
  const summary = (status.groups ?? []).map(
    ({ name, queued = 0, starting = 0, running = 0, failed = 0, complete = 0, lost = 0 }) => [
      name,
      { Queued: queued, Complete: complete, Failed: failed, Running: running, Starting: starting, Lost: lost },
    ],
  );
  return {
    ID: spec.id ?? metadata.name,
    ParentID: '',
    Name: spec.name ?? spec.id ?? metadata.name,
    Namespace: metadata.namespace ?? 'default',
    Datacenters: spec.datacenters ?? ['*'],
    Type: spec.type ?? 'service',
    Priority: spec.priority ?? 50,
    Periodic: spec.periodic !== undefined,
    ParameterizedJob: spec.parameterized !== undefined,
    Stop: spec.stop === true,
    Status: status.phase ?? 'pending',
    StatusDescription: status.description ?? '',
    JobSummary: {
      JobID: spec.id ?? metadata.name,
      Namespace: metadata.namespace ?? 'default',
      Summary: Object.fromEntries(summary) as Record<string, unknown>,
      Children: { Pending: 0, Running: 0, Dead: 0 },
      CreateIndex: index,
      ModifyIndex: Number(metadata.resourceVersion),
    },
    CreateIndex: index,
    ModifyIndex: Number(metadata.resourceVersion),
    JobModifyIndex: index,
    SubmitTime: Date.parse(status.submittedAt ?? metadata.creationTimestamp) * 1e6,
  };
}
