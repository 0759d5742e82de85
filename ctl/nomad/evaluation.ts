import { parseTimestamp } from '../../base/index.ts';
import type { AllocMetric, Evaluation, Stored } from '../../openapi/index.ts';
import { jobIdOf } from '../views/lists.ts';
import { instant, mapOrNull, nanoseconds, orNull, time } from './values.ts';

/** An evaluation as Nomad's API has it. */
export function nomadEvaluation({ metadata, spec, status = {} }: Stored<Evaluation>): Record<string, unknown> {
  const failed = Object.entries(status.failedPlacements ?? {}).map(([group, metric]) => [group, nomadMetric(metric)] as const);
  return {
    ID: metadata.name,
    Priority: spec.priority ?? 50,
    Type: spec.type ?? 'service',
    TriggeredBy: spec.trigger,
    Namespace: metadata.namespace ?? 'default',
    JobID: jobIdOf(spec.jobName),
    // What a deployment asks for is about whatever the job is then.
    JobModifyIndex: spec.trigger === 'deployment-watcher' ? 0 : (spec.jobModifyIndex ?? 0),
    NodeID: spec.nodeName ?? '',
    NodeModifyIndex: 0,
    DeploymentID: status.deployment ?? spec.deployment ?? '',
    Status: (status.phase ?? 'pending').replace('cancelled', 'canceled'),
    StatusDescription: status.description ?? '',
    Wait: 0,
    WaitUntil: time(spec.waitUntil),
    NextEval: status.nextEvaluation ?? '',
    PreviousEval: spec.previousEvaluation ?? '',
    BlockedEval: status.blockedEvaluation ?? '',
    FailedTGAllocs: failed.length === 0 ? null : Object.fromEntries(failed),
    ClassEligibility: mapOrNull(status.classEligibility),
    EscapedComputedClass: status.escapedClass === true,
    QuotaLimitReached: '',
    AnnotatePlan: false,
    QueuedAllocations: status.queued ?? null,
    SnapshotIndex: status.snapshotRevision ?? 0,
    CreateIndex: Number(metadata.resourceVersion),
    ModifyIndex: Number(metadata.resourceVersion),
    CreateTime: (parseTimestamp(metadata.creationTimestamp) ?? 0) * 1e6,
    ModifyTime: instant(status.modifiedAt ?? metadata.creationTimestamp),
  };
}

/** What the scheduler found when it looked for a place. */
export function nomadMetric(metric: AllocMetric): Record<string, unknown> {
  return {
    NodesEvaluated: metric.nodesEvaluated ?? 0,
    NodesFiltered: metric.nodesFiltered ?? 0,
    NodesAvailable: mapOrNull(metric.nodesAvailable),
    ClassFiltered: mapOrNull(metric.classFiltered),
    ConstraintFiltered: mapOrNull(metric.constraintFiltered),
    NodesExhausted: metric.nodesExhausted ?? 0,
    ClassExhausted: mapOrNull(metric.classExhausted),
    DimensionExhausted: mapOrNull(metric.dimensionExhausted),
    QuotaExhausted: null,
    ResourcesExhausted: null,
    Scores: null,
    ScoreMetaData: orNull(
      (metric.scores ?? []).map(({ nodeName, terms, score }) => ({
        NodeID: nodeName,
        Scores: terms ?? {},
        NormScore: score ?? 0,
      })),
    ),
    AllocationTime: nanoseconds(metric.allocationTime),
    CoalescedFailures: metric.coalescedFailures ?? 0,
  };
}
