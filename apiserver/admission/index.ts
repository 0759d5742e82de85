/**
 * Admission: what happens to a write between its schema and the store. First defaults, then rules; a chain of pure functions, one
 * entry per kind (`chain.ts`). The rules of a Job fill a folder of their own (`job/`).
 */
import equal from 'fast-deep-equal';
import { forbiddenField } from '../registry/errors.ts';
import { TTL_ANNOTATION } from '../registry/metadata.ts';
import { valueAt, type ApiObject } from '../registry/object.ts';
import type { Admission, AdmissionChain } from './chain.ts';

export * from './chain.ts';

/** How long an Event is kept that does not say so itself. */
const EVENT_TTL = '1h';

const job: Admission = {
  names: 'segment',
  finalizers: ['orch.dev/job'],
};

const jobVersion: Admission = {
  names: 'segment',
  validate: ({ object, old }) => {
    if (old === undefined) return [];
    return ['jobName', 'jobUID', 'version', 'generation', 'jobModifyIndex', 'submittedAt', 'job']
      .filter((field) => !equal(valueAt(object, ['spec', field]), valueAt(old, ['spec', field])))
      .map((field) => forbiddenField(`spec.${field}`, 'a job version never changes; only stable and tag may'));
  },
};

const event: Admission = {
  names: 'segment',
  default: ({ object }) => annotate(object, TTL_ANNOTATION, EVENT_TTL),
};

const namespace: Admission = { names: 'label' };

export const builtinAdmission: AdmissionChain = new Map<string, Admission>([
  ['orch.dev/v1/Job', job],
  ['orch.dev/v1/JobVersion', jobVersion],
  ['v1/Event', event],
  ['v1/Namespace', namespace],
]);

function annotate(object: ApiObject, key: string, value: string): ApiObject {
  const { metadata } = object;
  if (metadata.annotations?.[key] !== undefined) return object;
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, [key]: value } } };
}
