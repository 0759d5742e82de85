import { parseTimestamp } from '../../base/index.ts';
import type { Allocation, Deployment, Evaluation, Job, Node, Stored } from '../../openapi/index.ts';
import { table } from '../io/columns.ts';
import { age, localTime } from '../io/time.ts';
import { by, id, newestFirst, when, type View } from './view.ts';

/** The ID of a job as its file has it. */
export const jobId = (job: Pick<Stored<Job>, 'metadata' | 'spec'>): string => job.spec.id ?? job.metadata.name;

/** The same, where only the name of the object is known: that of a launch (`backup:periodic-1700000000`) has a slash in its ID. */
export const jobIdOf = (name: string): string => name.replace(/:(?=(periodic|dispatch)-[^:]*$)/, '/');

/** When the job was last submitted. */
export const submittedAt = (job: Stored<Job>): string => job.status?.submittedAt ?? job.metadata.creationTimestamp;

/** `service`, `batch/periodic`, `batch/parameterized`. */
export function jobType(job: Stored<Job>): string {
  return [
    job.spec.type ?? 'service',
    ...(job.spec.periodic === undefined ? [] : ['periodic']),
    ...(job.spec.parameterized === undefined ? [] : ['parameterized']),
  ].join('/');
}

/** `running`, `dead (stopped)`. */
export function jobPhase(job: Stored<Job>): string {
  return `${job.status?.phase ?? 'pending'}${job.spec.stop === true ? ' (stopped)' : ''}`;
}

/** The list of jobs; with a column for namespaces where several are shown. */
export function jobTable(jobs: readonly Stored<Job>[], allNamespaces = false): string {
  const sorted = [...jobs].sort(by((job) => `${job.metadata.namespace}/${jobId(job)}`));
  const namespace = (value: string | undefined): string[] => (allNamespaces ? [value ?? ''] : []);
  return table([
    ['ID', ...namespace('Namespace'), 'Type', 'Priority', 'Status', 'Submit Date'],
    ...sorted.map((job) => [
      jobId(job),
      ...namespace(job.metadata.namespace),
      jobType(job),
      job.spec.priority ?? 50,
      jobPhase(job),
      localTime(submittedAt(job)),
    ]),
  ]);
}

export const jobMatches = (jobs: readonly Stored<Job>[]): string =>
  jobTable(jobs, new Set(jobs.map(({ metadata }) => metadata.namespace)).size > 1);

/** When an allocation last changed: by its node, by the scheduler, or never since it was made. */
export function modifiedAt(allocation: Stored<Allocation>): number | undefined {
  const times = [allocation.status?.modifiedAt, allocation.spec.desiredChangedAt, allocation.metadata.creationTimestamp];
  const instants = times.flatMap((time) => parseTimestamp(time) ?? []);
  return instants.length === 0 ? undefined : Math.max(...instants);
}

export const clientStatus = (allocation: Stored<Allocation>): string => allocation.status?.phase ?? 'pending';

const newestAllocations = (allocations: readonly Stored<Allocation>[]): Stored<Allocation>[] =>
  newestFirst(
    allocations,
    ({ metadata }) => metadata.creationTimestamp,
    ({ spec }) => spec.name,
  );

/** The allocations of a job or node, newest first. */
export function allocationTable(
  allocations: readonly Stored<Allocation>[],
  view: View,
  nodeNames?: ReadonlyMap<string, string>,
): string {
  const sorted = newestAllocations(allocations);
  const age = (one: Stored<Allocation>): string[] => [when(view, one.metadata.creationTimestamp), when(view, modifiedAt(one))];
  const rest = (one: Stored<Allocation>): (string | number)[] => [
    one.spec.group,
    one.spec.jobVersion,
    one.spec.desired,
    clientStatus(one),
    ...age(one),
  ];
  if (!view.verbose)
    return table([
      ['ID', 'Node ID', 'Task Group', 'Version', 'Desired', 'Status', 'Created', 'Modified'],
      ...sorted.map((one) => [id(view, one.metadata.name), id(view, one.spec.nodeName), ...rest(one)]),
    ]);
  const name = (value: string): string[] => (nodeNames === undefined ? [] : [value]);
  return table([
    ['ID', 'Eval ID', 'Node ID', ...name('Node Name'), 'Task Group', 'Version', 'Desired', 'Status', 'Created', 'Modified'],
    ...sorted.map((one) => [
      one.metadata.name,
      one.spec.evaluation,
      one.spec.nodeName,
      ...name(nodeNames?.get(one.spec.nodeName) ?? ''),
      ...rest(one),
    ]),
  ]);
}

export const allocationMatches = (allocations: readonly Stored<Allocation>[], now: number): string =>
  table([
    ['ID', 'Node ID', 'Task Group', 'Version', 'Desired', 'Status', 'Created', 'Modified'],
    ...newestAllocations(allocations).map((one) => [
      one.metadata.name,
      one.spec.nodeName,
      one.spec.group,
      one.spec.jobVersion,
      one.spec.desired,
      clientStatus(one),
      age(one.metadata.creationTimestamp, now),
      age(modifiedAt(one), now),
    ]),
  ]);

/** Whether placing failed for some group; not known while it is worked on. */
export function placementFailures(evaluation: Stored<Evaluation>): string {
  const phase = evaluation.status?.phase ?? 'pending';
  if (phase === 'blocked') return 'N/A - In Progress';
  return String(Object.keys(evaluation.status?.failedPlacements ?? {}).length > 0);
}

/** Evaluations, newest first. */
export function evaluationTable(evaluations: readonly Stored<Evaluation>[], view: View): string {
  return table([
    ['ID', 'Priority', 'Triggered By', 'Status', 'Placement Failures'],
    ...newestEvaluations(evaluations).map((one) => [
      id(view, one.metadata.name),
      one.spec.priority ?? 50,
      one.spec.trigger,
      one.status?.phase ?? 'pending',
      placementFailures(one),
    ]),
  ]);
}

/** The list of all evaluations: as above, with whom they are about. */
export function evaluationList(evaluations: readonly Stored<Evaluation>[], view: View, allNamespaces = false): string {
  const namespace = (value: string | undefined): string[] => (allNamespaces ? [value ?? ''] : []);
  return table([
    [
      'ID',
      'Priority',
      'Triggered By',
      'Job ID',
      ...namespace('Namespace'),
      ...(view.verbose ? ['Node ID', 'Created'] : []),
      'Status',
      'Placement Failures',
    ],
    ...newestEvaluations(evaluations).map((one) => [
      id(view, one.metadata.name),
      one.spec.priority ?? 50,
      one.spec.trigger,
      jobIdOf(one.spec.jobName),
      ...namespace(one.metadata.namespace),
      ...(view.verbose ? [one.spec.nodeName, localTime(one.metadata.creationTimestamp)] : []),
      one.status?.phase ?? 'pending',
      placementFailures(one),
    ]),
  ]);
}

const newestEvaluations = (evaluations: readonly Stored<Evaluation>[]): Stored<Evaluation>[] =>
  newestFirst(
    evaluations,
    ({ metadata }) => `${metadata.creationTimestamp} ${String(createdAtRevision(metadata.resourceVersion)).padStart(20, '0')}`,
    ({ metadata }) => metadata.name,
  );

/** Objects made in the same second are told apart by their revision; it is the best that the object carries. */
const createdAtRevision = (resourceVersion: string): number => Number(resourceVersion) || 0;

export const evaluationMatches = (evaluations: readonly Stored<Evaluation>[]): string =>
  table([
    ['ID', 'Priority', 'Triggered By', 'Status', 'Placement Failures'],
    ...newestEvaluations(evaluations).map((one) => [
      one.metadata.name,
      one.spec.priority ?? 50,
      one.spec.trigger,
      one.status?.phase ?? 'pending',
      placementFailures(one),
    ]),
  ]);

/** Deployments, newest first. */
export function deploymentTable(
  deployments: readonly Stored<Deployment>[],
  view: Pick<View, 'verbose'>,
  allNamespaces = false,
): string {
  const sorted = newestFirst(
    deployments,
    ({ metadata, spec }) => `${metadata.creationTimestamp} ${String(spec.jobVersion).padStart(10, '0')}`,
    ({ metadata }) => metadata.name,
  );
  const namespace = (value: string | undefined): string[] => (allNamespaces ? [value ?? ''] : []);
  return table([
    ['ID', ...namespace('Namespace'), 'Job ID', 'Job Version', 'Status', 'Description'],
    ...sorted.map((one) => [
      id(view, one.metadata.name),
      ...namespace(one.metadata.namespace),
      jobIdOf(one.spec.jobName),
      one.spec.jobVersion,
      one.status?.phase ?? 'pending',
      one.status?.description,
    ]),
  ]);
}

export const nodeName = (node: Stored<Node>): string => node.spec.name ?? node.metadata.name;

export const nodePhase = (node: Stored<Node>): string => node.status?.phase ?? 'initializing';

/** The list of nodes. With `running`, how many allocations run on each. */
export function nodeTable(
  nodes: readonly Stored<Node>[],
  view: Pick<View, 'verbose'>,
  running?: ReadonlyMap<string, number>,
): string {
  const sorted = [...nodes].sort(by((node) => `${nodeName(node)} ${node.metadata.name}`));
  const wide = (...cells: string[]): string[] => (view.verbose ? cells : []);
  const counted = (cell: string | number): (string | number)[] => (running === undefined ? [] : [cell]);
  return table([
    ['ID', 'DC', 'Name', 'Class', ...wide('Address', 'Version'), 'Drain', 'Eligibility', 'Status', ...counted('Running Allocs')],
    ...sorted.map((node) => [
      id(view, node.metadata.name),
      node.spec.datacenter,
      nodeName(node),
      node.spec.nodeClass,
      ...wide(nodeAddress(node), node.status?.version ?? ''),
      node.spec.drain !== undefined,
      node.spec.eligibility ?? 'eligible',
      nodePhase(node),
      ...counted(running?.get(node.metadata.name) ?? 0),
    ]),
  ]);
}

/** The IP address of a node. */
export function nodeAddress(node: Stored<Node>): string {
  const internal = (node.status?.addresses ?? []).find(({ type }) => type === 'InternalIP')?.address;
  return internal ?? node.status?.attributes?.['unique.network.ip-address'] ?? '';
}

export const nodeMatches = (nodes: readonly Stored<Node>[]): string => nodeTable(nodes, { verbose: true });
