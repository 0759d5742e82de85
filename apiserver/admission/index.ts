/**
 * Admission: what happens to a write between its schema and the store. First defaults, then rules; a chain of pure functions, one
 * entry per kind (`chain.ts`). The rules of a Job (`job/`) and of a
 * CustomResourceDefinition (`definition/`) fill folders of their own.
 */
import equal from 'fast-deep-equal';
import type { StatusCause } from '../../base/index.ts';
import type { EvaluationSpec, JobSpec } from '../../openapi/index.ts';
import { forbiddenField, invalidValue } from '../registry/errors.ts';
import { TTL_ANNOTATION } from '../registry/metadata.ts';
import { valueAt, type ApiObject } from '../registry/object.ts';
import { danglingSecrets, restoreSecrets } from '../registry/sensitive.ts';
import type { Admission, AdmissionChain, AdmissionRequest } from './chain.ts';
import { customResourceDefinition } from './definition/index.ts';
import { variable } from './variable.ts';
import { defaultJob, jobWarnings, unsupportedFeatures, validateJob, type JobMeta, type JobPolicy } from './job/index.ts';

export * from './chain.ts';
export type { JobPolicy } from './job/index.ts';

/** How long an Event is kept that does not say so itself. */
const EVENT_TTL = '1h';

const specOf = (object: ApiObject): JobSpec => object['spec'] as JobSpec;
const metaOf = ({ metadata }: ApiObject): JobMeta => ({ name: metadata.name, namespace: metadata.namespace ?? '' });

const job = (policy: JobPolicy): Admission => ({
  names: 'segment',
  finalizers: ['orch.dev/job'],
  default: ({ object, old }) => {
    const spec = restoreSecrets(specOf(object), old && specOf(old));
    return { ...object, spec: defaultJob(spec, metaOf(object), policy) };
  },
  validate: ({ object, old }) => {
    // What was accepted once stays acceptable: a job must be able to lose its finalizer whatever the rules have become.
    if (old !== undefined && equal(object['spec'], old['spec'])) return [];
    // Its end is under way and cannot be taken back; what is submitted now is for another job of this name.
    if (old?.metadata.deletionTimestamp !== undefined)
      return [
        forbiddenField('spec', `job ${JSON.stringify(object.metadata.name)} is being removed: submit it again once it is gone`),
      ];
    const [type, before] = [specOf(object).type, old && specOf(old).type];
    const changed = before !== undefined && type !== before;
    return [
      ...(changed ? [invalidValue('spec.type', type, `the type of a job cannot change (it is ${JSON.stringify(before)}): stop and purge the job first`)] : []), // prettier-ignore
      ...jobProblems(specOf(object), metaOf(object)),
    ];
  },
  warnings: ({ object }) => jobWarnings(specOf(object)),
});

/** What is wrong with a job; what cannot be done for it yet is only of interest once nothing is. */
function jobProblems(spec: JobSpec, meta: JobMeta): StatusCause[] {
  const wrong = [...validateJob(spec, meta), ...danglingSecrets(spec)];
  return wrong.length > 0 ? wrong : unsupportedFeatures(spec);
}

/** The job that a dry run is about is treated as if it were submitted. */
const evaluation = (policy: JobPolicy): Admission => ({
  default: (request) => {
    const dry = dryRunOf(request);
    if (dry === undefined) return request.object;
    const job = defaultJob(dry.job, dry.meta, policy);
    return { ...request.object, spec: { ...dry.spec, dryRun: { ...dry.spec.dryRun, job } } };
  },
  validate: (request) => {
    const dry = dryRunOf(request);
    if (dry === undefined || request.old !== undefined) return [];
    return jobProblems(dry.job, dry.meta).map((cause) => ({
      ...cause,
      field: cause.field?.replace(/^spec\b/, 'spec.dryRun.job') ?? 'spec.dryRun.job',
    }));
  },
  warnings: (request) => {
    const dry = dryRunOf(request);
    return dry === undefined ? [] : jobWarnings(dry.job);
  },
});

function dryRunOf({
  object,
}: Pick<AdmissionRequest, 'object'>): { spec: EvaluationSpec; job: JobSpec; meta: JobMeta } | undefined {
  const spec = object['spec'] as EvaluationSpec;
  if (spec.dryRun === undefined) return undefined;
  return { spec, job: spec.dryRun.job, meta: { name: spec.jobName, namespace: object.metadata.namespace ?? '' } };
}

const jobVersion: Admission = {
  names: 'segment',
  validate: ({ object, old }) => {
    if (old === undefined) return [];
    return ['jobName', 'jobUID', 'version', 'generation', 'jobModifyIndex', 'submittedAt', 'job']
      .filter((field) => !equal(valueAt(object, ['spec', field]), valueAt(old, ['spec', field])))
      .map((field) => forbiddenField(`spec.${field}`, 'a job version never changes; only stable and tag may'));
  },
};

/** A task that runs is stopped before the record of it goes: until then it holds its place on the node. */
const allocation: Admission = {
  keepsOnDelete: (object) =>
    ENDED.has(valueAt(object, ['status', 'phase']) as string | undefined) ? [] : [ALLOCATION_FINALIZER],
};

const ENDED: ReadonlySet<string | undefined> = new Set(['complete', 'failed', 'lost']);
const ALLOCATION_FINALIZER = 'orch.dev/allocation';

const event: Admission = {
  names: 'segment',
  default: ({ object }) => annotate(object, TTL_ANNOTATION, EVENT_TTL),
};

/** On a namespace that is being deleted, until it is empty. */
export const NAMESPACE_FINALIZER = 'orch.dev/namespace';

const namespace: Admission = {
  names: 'label',
  validate: ({ object, old }) => {
    const [before, after] = [old, object].map((o) => o?.metadata.finalizers?.includes(NAMESPACE_FINALIZER) === true);
    return before && !after
      ? [forbiddenField('metadata.finalizers', `${NAMESPACE_FINALIZER} is taken off by the server, when the namespace is empty`)]
      : [];
  },
};

/** The rules of the built-in kinds, with what the operator of this server asks of jobs beyond them. */
export const builtinAdmission = (policy: JobPolicy = {}): AdmissionChain =>
  new Map<string, Admission>([
    ['orch.dev/v1/Job', job(policy)],
    ['orch.dev/v1/JobVersion', jobVersion],
    ['orch.dev/v1/Evaluation', evaluation(policy)],
    ['orch.dev/v1/Allocation', allocation],
    ['orch.dev/v1/Variable', variable],
    ['v1/Event', event],
    ['v1/Namespace', namespace],
    ['apiextensions.k8s.io/v1/CustomResourceDefinition', customResourceDefinition],
  ]);

function annotate(object: ApiObject, key: string, value: string): ApiObject {
  const { metadata } = object;
  if (metadata.annotations?.[key] !== undefined) return object;
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, [key]: value } } };
}
