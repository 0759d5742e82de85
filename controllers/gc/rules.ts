/** When an object of a kind has outlived its use. Pure but for reading what the object depends on. */
import { parseTimestamp, type Duration, type Instant } from '../../base/index.ts';
import { keyOf, objectKey } from '../../client/index.ts';
import {
  AllocationKind,
  EvaluationKind,
  type Allocation,
  type Deployment,
  type Evaluation,
  type Job,
  type JobVersion,
  type Node,
  type Operation,
  type Stored,
} from '../../openapi/index.ts';
import {
  allocationsByDeployment,
  allocationsByEvaluation,
  allocationsByJob,
  allocationsByNode,
  allocationsOf,
  deploymentsByJob,
  isBatch,
  isClientTerminal,
  isFinished,
  isTemplate,
  isTerminal,
  jobsByUid,
  versionsByJob,
} from '../objects/index.ts';
import { conditionOf, type Reader } from '../runtime/index.ts';
import type { GcConfig } from './index.ts';

export type Verdict =
  /** As long as neither it nor what it depends on changes. */
  | { readonly type: 'keep' }
  | { readonly type: 'collect'; readonly at: Instant; readonly because: string }
  /** Something else still needs it, and does not tell when that ends. */
  | { readonly type: 'lookAgain'; readonly at: Instant };

export const keep: Verdict = { type: 'keep' };
const collect = (since: Instant, age: Duration, because: string): Verdict => ({ type: 'collect', at: since + age, because });
const lookAgain = (since: Instant, age: Duration): Verdict => ({ type: 'lookAgain', at: since + age });

type Facts = Pick<Reader, 'get' | 'by'>;

/** Finished an hour ago, and nothing that lives refers to it. */
export function evaluationRule(evaluation: Stored<Evaluation>, read: Facts, config: GcConfig): Verdict {
  const changedAt = parseTimestamp(evaluation.status?.modifiedAt) ?? createdAt(evaluation);
  if (evaluation.spec.dryRun !== undefined) return collect(changedAt, config.dryRun, 'the dry run was answered');
  if (!isFinished(evaluation)) return keep;
  if (read.by(allocationsByEvaluation, keyOf(evaluation)).some((a) => !isTerminal(a))) return keep;
  const { namespace } = evaluation.metadata;
  const listed = allocationsOf(evaluation).map((name) => read.get(AllocationKind, objectKey(name, namespace)));
  // It is the record that somebody was asked about these; without it they would be asked about again.
  if (listed.some((a) => a !== undefined && (!isClientTerminal(a) || isUnanswered(a))))
    return lookAgain(changedAt, config.evaluation);
  return collect(changedAt, config.evaluation, 'it is finished');
}

/** It failed or ended while it was to run, and nothing was put in its place. */
const isUnanswered = ({ spec }: Stored<Allocation>): boolean =>
  spec.desired === 'run' && spec.nextAllocation === undefined && spec.followupEvaluation === undefined;

/** Ended a day ago, and nobody needs to remember how. */
export function allocationRule(allocation: Stored<Allocation>, read: Facts, config: GcConfig): Verdict {
  if (!isClientTerminal(allocation)) return keep;
  const { spec, status, metadata } = allocation;
  const endedAt = Math.max(
    parseTimestamp(status?.modifiedAt) ?? 0,
    parseTimestamp(spec.desiredChangedAt) ?? 0,
    createdAt(allocation),
  );
  if (read.by(jobsByUid, spec.jobUID).length === 0) return collect(endedAt, 60_000, 'its job is gone');
  const evaluation =
    spec.evaluation === undefined ? undefined : read.get(EvaluationKind, objectKey(spec.evaluation, metadata.namespace));
  if (evaluation !== undefined && !isFinished(evaluation)) return keep;
  // A batch job knows by its allocations what ran already; a service allocation without a successor is still to get one.
  if (isBatch(spec.jobType) ? spec.desired === 'run' : isUnanswered(allocation)) return keep;
  return collect(endedAt, config.allocation, 'it has ended');
}

/** Dead for four hours: batch jobs that are through, and what was stopped. Deleting it takes everything of it along. */
export function jobRule({ spec, status }: Stored<Job>, _: Facts, config: GcConfig): Verdict {
  const dead = conditionOf(status?.conditions, 'Dead');
  if (status?.phase !== 'dead' || dead?.status !== 'True') return keep;
  if (spec.stop !== true && (!isBatch(spec.type) || isTemplate(spec))) return keep;
  return collect(parseTimestamp(dead.lastTransitionTime) ?? 0, config.job, 'it is dead');
}

/** Over for an hour, not the newest of its job, and no allocation that lives counts for it. */
export function deploymentRule(deployment: Stored<Deployment>, read: Facts, config: GcConfig): Verdict {
  const phase = deployment.status?.phase;
  if (phase !== 'successful' && phase !== 'failed' && phase !== 'cancelled') return keep;
  const newest = read.by(deploymentsByJob, deployment.spec.jobUID).every((other) => !isNewer(other, deployment));
  if (newest || read.by(allocationsByDeployment, keyOf(deployment)).some((a) => !isTerminal(a))) return keep;
  return collect(parseTimestamp(deployment.status?.modifiedAt) ?? createdAt(deployment), config.deployment, 'it is over');
}

const isNewer = (a: Stored<Deployment>, b: Stored<Deployment>): boolean =>
  a.spec.jobVersion > b.spec.jobVersion || (a.spec.jobVersion === b.spec.jobVersion && createdAt(a) > createdAt(b));

/** Beyond the last six: unless it is the last stable one, or tagged, or still in use. */
export function jobVersionRule(version: Stored<JobVersion>, read: Facts, config: GcConfig): Verdict {
  const { jobUID, version: number, stable, tag } = version.spec;
  const all = read.by(versionsByJob, jobUID);
  const newer = all.filter((other) => other.spec.version > number);
  if (newer.length < config.jobVersions || tag !== undefined) return keep;
  if (stable === true && !newer.some((other) => other.spec.stable === true)) return keep;
  if (read.by(allocationsByJob, jobUID).some((a) => a.spec.jobVersion === number)) return keep;
  return collect(0, 0, `there are ${newer.length} newer versions`);
}

/** Done for an hour: the record that it was. One that nobody takes up stays. */
export function operationRule({ status }: Stored<Operation>, _: Facts, config: GcConfig): Verdict {
  const finishedAt = parseTimestamp(status?.finishedAt);
  return finishedAt === undefined ? keep : collect(finishedAt, config.evaluation, 'it is done');
}

/** Down for a day, with nothing left to replace. */
export function nodeRule(node: Stored<Node>, read: Facts, config: GcConfig): Verdict {
  if (node.status?.phase !== 'down') return keep;
  if (read.by(allocationsByNode, node.metadata.name).some((a) => !isClientTerminal(a)))
    return lookAgain(Date.parse(node.status.phaseChangedAt ?? '') || 0, config.node);
  return collect(parseTimestamp(node.status.phaseChangedAt) ?? createdAt(node), config.node, 'it is down');
}

const createdAt = (object: { metadata: { creationTimestamp: string } }): Instant =>
  parseTimestamp(object.metadata.creationTimestamp) ?? 0;
