/** The API objects that a plan creates. */
import { derivedUuid, formatDuration, toTimestamp, type Instant } from '../../../base/index.ts';
import type {
  Allocation,
  AllocationSpec,
  AllocatedResources,
  AllocMetric,
  Deployment,
  Evaluation,
  EvaluationStatus,
  EvaluationSpec,
  ObjectMeta,
  RescheduleEvent,
} from '../../../openapi/index.ts';
import { progressDeadlineOf, type GroupProgram } from '../feasible/program.ts';
import { allocationName, jobTypeOf, type AllocationRecord, type JobView } from '../model.ts';
import type { Placement } from '../rank/session.ts';
import { deploymentDescription } from '../reconcile/descriptions.ts';
import type { NewDeploymentGroup } from '../reconcile/change.ts';

export const JOB_LABEL = 'orch.dev/job';
export const GROUP_LABEL = 'orch.dev/group';

/**
 * A name as the value of a label, which takes 63 letters, digits, `-`, `_` and `.`: other characters become dots (those of
 * `nightly:periodic-1767225660`), and of a long name the beginning is kept, with a hash of all of it.
 */
export function labelValue(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_.-]/g, '.');
  const short = plain.length <= 63 ? plain : `${plain.slice(0, 54)}-${derivedUuid(name).slice(0, 8)}`;
  return short.replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

/** What all allocations of a group in one plan have in common: the same objects, not copies. */
export interface GroupParts {
  readonly metadata: OwnedMeta;
  readonly spec: CommonSpec;
  readonly program: GroupProgram;
  /** Where every one of them takes the same. */
  readonly resources: AllocatedResources | undefined;
  readonly namePrefix: string;
}

type CommonSpec = Required<
  Pick<AllocationSpec, 'jobName' | 'jobUID' | 'jobType' | 'priority' | 'group' | 'evaluation' | 'desiredChangedAt'>
>;
type OwnedMeta = Required<Pick<ObjectMeta, 'name' | 'namespace' | 'labels' | 'ownerReferences'>>;

export function groupParts(
  job: JobView,
  compiled: GroupProgram,
  evaluation: string,
  now: Instant,
  grantsMemoryMax: boolean,
): GroupParts {
  const program = grantsMemoryMax ? compiled : withoutMemoryMax(compiled);
  const { group, ask } = program;
  const isPlain = ask.ports.length === 0 && ask.cores === 0;
  return {
    metadata: ownedBy(job, '', { [JOB_LABEL]: labelValue(job.name), [GROUP_LABEL]: labelValue(group) }),
    spec: {
      jobName: job.name,
      jobUID: job.uid,
      jobType: jobTypeOf(job.spec),
      priority: job.spec.priority ?? 50,
      group,
      evaluation,
      desiredChangedAt: toTimestamp(now),
    },
    program,
    resources: isPlain ? resourcesOf(program, { ports: [], cores: NO_CORES, cpu: ask.cpu }) : undefined,
    namePrefix: job.spec.id ?? job.name,
  };
}

function withoutMemoryMax(program: GroupProgram): GroupProgram {
  const tasks = program.ask.tasks.map((task) => ({ ...task, memoryMax: undefined }));
  return { ...program, ask: { ...program.ask, tasks } };
}

export interface NewAllocation {
  readonly id: string;
  readonly parts: GroupParts;
  /** The version it runs; the newest but for what replaces something during a trial. */
  readonly version: number;
  readonly index: number;
  readonly node: string;
  readonly placement: Placement;
  readonly allocationTimeMs: number;
  readonly deployment: string | undefined;
  readonly canary: boolean;
  readonly surge: boolean;
  readonly previous: string | undefined;
  readonly tracker: readonly RescheduleEvent[] | undefined;
}

export function allocationObject(made: NewAllocation): Allocation {
  const { parts, placement, deployment, previous, tracker } = made;
  const { metadata, spec: common, program } = parts;
  const metrics: AllocMetric = { ...placement.metrics, scores: placement.scores };
  if (made.allocationTimeMs > 0) metrics.allocationTime = formatDuration(made.allocationTimeMs);
  const spec: AllocationSpec = {
    jobName: common.jobName,
    jobUID: common.jobUID,
    jobVersion: made.version,
    jobType: common.jobType,
    priority: common.priority,
    group: common.group,
    name: allocationName(parts.namePrefix, program.group, made.index),
    index: made.index,
    nodeName: made.node,
    evaluation: common.evaluation,
    desired: 'run',
    desiredChangedAt: common.desiredChangedAt,
    resources: parts.resources ?? resourcesOf(program, placement),
    metrics,
  };
  if (deployment !== undefined) spec.deployment = deployment;
  if (made.canary) spec.canary = true;
  if (made.surge) spec.surge = true;
  if (previous !== undefined) spec.previousAllocation = previous;
  if (tracker !== undefined && tracker.length > 0) spec.rescheduleTracker = [...tracker];
  const { namespace, labels, ownerReferences } = metadata;
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Allocation',
    metadata: { name: made.id, namespace, labels, ownerReferences },
    spec,
    status: PENDING,
  };
}

const PENDING = { phase: 'pending' } as const;
const NO_CORES: ReadonlyMap<string, readonly number[]> = new Map();

function resourcesOf({ ask }: GroupProgram, placement: Pick<Placement, 'ports' | 'cores' | 'cpu'>): AllocatedResources {
  return {
    tasks: ask.tasks.map((task) => {
      const cores = placement.cores.get(task.name);
      return {
        name: task.name,
        cpu: cores === undefined ? task.cpu : Math.round(((placement.cpu - ask.cpu) / ask.cores) * task.cores),
        memory: task.memory,
        ...(cores !== undefined && { cores: [...cores] }),
        ...(task.memoryMax !== undefined && task.memoryMax > 0 && { memoryMax: task.memoryMax }),
      };
    }),
    cpu: placement.cpu,
    memory: ask.memory,
    diskMB: ask.disk,
    ...(placement.ports.length > 0 && { ports: [...placement.ports] }),
  };
}

export function deploymentObject(
  job: JobView,
  name: string,
  groups: readonly NewDeploymentGroup[],
  placed: ReadonlyMap<string, { readonly placed: number; readonly canaries: readonly string[] }>,
  now: Instant,
): Deployment {
  const trials = groups.filter(({ desiredCanaries }) => desiredCanaries > 0);
  const description =
    trials.length === 0
      ? deploymentDescription.running
      : trials.every(({ group }) => group.update?.autoPromote === true)
        ? deploymentDescription.autoPromotion
        : deploymentDescription.needsPromotion;
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Deployment',
    metadata: ownedBy(job, name, { [JOB_LABEL]: labelValue(job.name) }),
    spec: {
      jobName: job.name,
      jobUID: job.uid,
      jobVersion: job.version,
      jobGeneration: job.generation,
      jobModifyIndex: job.modifyIndex,
      groups: groups.map(({ group, desiredTotal, desiredCanaries }) => ({
        name: group.name,
        desiredTotal,
        ...(desiredCanaries > 0 && { desiredCanaries }),
        autoRevert: group.update?.autoRevert ?? false,
        autoPromote: group.update?.autoPromote ?? false,
        progressDeadline: formatDuration(progressDeadlineOf(group)),
      })),
    },
    status: {
      phase: 'running',
      description,
      modifiedAt: toTimestamp(now),
      groups: groups.map(({ group }) => {
        const done = placed.get(group.name);
        const deadline = progressDeadlineOf(group);
        return {
          name: group.name,
          placed: done?.placed ?? 0,
          healthy: 0,
          unhealthy: 0,
          ...(done !== undefined && done.canaries.length > 0 && { placedCanaries: [...done.canaries] }),
          promoted: false,
          ...(deadline > 0 && { requireProgressBy: toTimestamp(now + deadline) }),
        };
      }),
    },
  };
}

export function evaluationObject(
  job: JobView,
  name: string,
  spec: Pick<EvaluationSpec, 'trigger' | 'previousEvaluation' | 'waitUntil'>,
  status: EvaluationStatus,
): Evaluation {
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Evaluation',
    metadata: ownedBy(job, name, { [JOB_LABEL]: labelValue(job.name) }),
    spec: {
      jobName: job.name,
      jobUID: job.uid,
      jobVersion: job.version,
      type: jobTypeOf(job.spec),
      priority: job.spec.priority ?? 50,
      ...spec,
    },
    status,
  };
}

/** Asks that a job be looked at whose allocations were displaced. */
export function preemptionEvaluation(
  name: string,
  { job, jobUID, priority }: AllocationRecord,
  type: EvaluationSpec['type'],
  previousEvaluation: string,
  now: Instant,
): Evaluation {
  const at = job.indexOf('/');
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Evaluation',
    metadata: { name, namespace: job.slice(0, at) },
    spec: {
      jobName: job.slice(at + 1),
      jobUID,
      ...(type !== undefined && { type }),
      priority,
      trigger: 'preemption',
      previousEvaluation,
    },
    status: { phase: 'pending', modifiedAt: toTimestamp(now) },
  };
}

function ownedBy(job: JobView, name: string, labels: Record<string, string>): OwnedMeta {
  return {
    name,
    namespace: job.namespace,
    labels,
    ownerReferences: [
      { apiVersion: 'orch.dev/v1', kind: 'Job', name: job.name, uid: job.uid, controller: true, blockOwnerDeletion: true },
    ],
  };
}
