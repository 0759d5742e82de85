/** The API objects that a plan creates. */
import { formatDuration, toTimestamp, type Instant } from '../../../base/index.ts';
import type {
  Allocation,
  AllocatedResources,
  Deployment,
  Evaluation,
  EvaluationStatus,
  EvaluationSpec,
  ObjectMeta,
  RescheduleEvent,
} from '../../../openapi/index.ts';
import { progressDeadlineOf, type GroupProgram } from '../feasible/program.ts';
import { allocationName, jobTypeOf, type JobView } from '../model.ts';
import type { Placement } from '../rank/session.ts';
import { deploymentDescription } from '../reconcile/descriptions.ts';
import type { NewDeploymentGroup } from '../reconcile/reconcile.ts';

export const JOB_LABEL = 'orch.dev/job';
export const GROUP_LABEL = 'orch.dev/group';

export interface NewAllocation {
  readonly id: string;
  readonly job: JobView;
  /** The version it runs; the newest but for what replaces something during a trial. */
  readonly version: number;
  readonly program: GroupProgram;
  readonly index: number;
  readonly node: string;
  readonly placement: Placement;
  readonly allocationTimeMs: number;
  readonly evaluation: string;
  readonly deployment: string | undefined;
  readonly canary: boolean;
  readonly previous: string | undefined;
  readonly tracker: readonly RescheduleEvent[] | undefined;
  readonly now: Instant;
}

export function allocationObject(made: NewAllocation): Allocation {
  const { job, program, placement } = made;
  const { group } = program;
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Allocation',
    metadata: ownedBy(job, made.id, { [JOB_LABEL]: job.name, [GROUP_LABEL]: group }),
    spec: {
      jobName: job.name,
      jobUID: job.uid,
      jobVersion: made.version,
      jobType: jobTypeOf(job.spec),
      priority: job.spec.priority ?? 50,
      group,
      name: allocationName(job.spec.id ?? job.name, group, made.index),
      index: made.index,
      nodeName: made.node,
      evaluation: made.evaluation,
      ...(made.deployment !== undefined && { deployment: made.deployment }),
      ...(made.canary && { canary: true }),
      desired: 'run',
      desiredChangedAt: toTimestamp(made.now),
      resources: resourcesOf(program, placement),
      ...(made.previous !== undefined && { previousAllocation: made.previous }),
      ...(made.tracker !== undefined && made.tracker.length > 0 && { rescheduleTracker: [...made.tracker] }),
      metrics: { ...placement.metrics, allocationTime: formatDuration(made.allocationTimeMs) },
    },
    status: { phase: 'pending' },
  };
}

function resourcesOf({ ask }: GroupProgram, placement: Placement): AllocatedResources {
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
    metadata: ownedBy(job, name, { [JOB_LABEL]: job.name }),
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
    metadata: ownedBy(job, name, { [JOB_LABEL]: job.name }),
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

function ownedBy(job: JobView, name: string, labels: Record<string, string>): ObjectMeta {
  return {
    name,
    namespace: job.namespace,
    labels,
    ownerReferences: [
      { apiVersion: 'orch.dev/v1', kind: 'Job', name: job.name, uid: job.uid, controller: true, blockOwnerDeletion: true },
    ],
  };
}
