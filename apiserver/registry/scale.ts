import { ApiError } from '../../base/index.ts';
import { badRequest, invalid, invalidValue } from './errors.ts';
import type { ApiKind } from './kinds.ts';
import { isObject, valueAt, type ApiObject, type JsonObject } from './object.ts';

/** How an object of a kind is scaled: one number that says how many are wanted, wherever the kind keeps it. */
export interface ScaleAccess {
  read(object: ApiObject): { readonly replicas: number; readonly current: number; readonly selector?: string };
  /** The object with another number. */
  write(object: ApiObject, replicas: number): JsonObject;
}

/** The names of fields that the scale subresource of a CustomResourceDefinition gives. */
export interface ScalePaths {
  readonly spec: readonly string[];
  readonly status: readonly string[];
  readonly selector?: readonly string[];
}

/** Scaling by fields that hold the numbers. */
export const scaleByPaths = ({ spec, status, selector }: ScalePaths): ScaleAccess => ({
  read(object) {
    const found = selector && valueAt(object, selector);
    return {
      replicas: numberAt(object, spec),
      current: numberAt(object, status),
      ...(typeof found === 'string' && { selector: found }),
    };
  },
  write: (object, replicas) => withValue(object, spec, replicas),
});

/**
 * Scaling a Job: the count of its task group. A Job of several groups has no one count, and guessing would scale the wrong one; a system
 * job runs on every node whatever a count says.
 */
export const jobScale: ScaleAccess = {
  read(job) {
    const group = onlyGroup(job);
    const summary = (valueAt(job, ['status', 'groups']) as JsonObject[] | undefined)?.find((s) => s['name'] === group['name']);
    return {
      replicas: numberAt(group, ['count'], 1),
      current: numberAt(summary, ['starting']) + numberAt(summary, ['running']),
    };
  },
  write(job, replicas) {
    const group = { ...onlyGroup(job), count: replicas };
    return { ...job, spec: { ...(job['spec'] as JsonObject), groups: [group] } };
  },
};

function onlyGroup(job: ApiObject): JsonObject {
  const groups = (valueAt(job, ['spec', 'groups']) ?? []) as JsonObject[];
  const type = valueAt(job, ['spec', 'type']);
  const refuse = (why: string): never => {
    const { name } = job.metadata;
    throw new ApiError('Invalid', `Job.orch.dev ${JSON.stringify(name)} is invalid: spec.groups: ${why}`, {
      name,
      group: 'orch.dev',
      kind: 'Job',
      causes: [{ reason: 'FieldValueInvalid', message: why, field: 'spec.groups' }],
    });
  };
  if (type === 'system' || type === 'sysbatch') return refuse(`a ${type} job runs on every feasible node and has no count`);
  const [group, ...others] = groups;
  if (group === undefined) return refuse('the job has no groups to scale');
  if (others.length === 0) return group;
  const names = groups.map((g) => JSON.stringify(g['name'])).join(', ');
  return refuse(`the job has ${groups.length} groups (${names}), so there is no one count to scale; set the count of the group that is meant`); // prettier-ignore
}

/** The Scale of an object, as every client knows it. */
export function scaleOf({ scale }: ApiKind, object: ApiObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { replicas, current, selector } = scale!.read(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: { replicas: current, ...(selector !== undefined && { selector }) },
  };
}

/** The object that a changed Scale asks for, with what identifies it taken over from the Scale. */
export function withScale(kind: ApiKind, object: ApiObject, scale: unknown): JsonObject {
  if (!isObject(scale)) throw badRequest('the body must be a Scale as a JSON or YAML object');
  for (const [field, expected] of [
    ['apiVersion', 'autoscaling/v1'],
    ['kind', 'Scale'],
  ] as const) {
    const given = scale[field];
    if (given !== undefined && given !== '' && given !== expected) {
      throw badRequest(`${field} of the body is ${JSON.stringify(given)}; this path takes ${JSON.stringify(expected)}`);
    }
  }
  const replicas = valueAt(scale, ['spec', 'replicas']) ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0 || replicas > 0x7fffffff) {
    throw invalid(
      { resource: 'scales.autoscaling', group: 'autoscaling', plural: 'scales', kind: 'Scale' },
      object.metadata.name,
      [invalidValue('spec.replicas', replicas, 'must be a whole number, 0 or more')],
    );
  }
  const { resourceVersion: _, ...metadata } = object.metadata;
  const given = isObject(scale['metadata']) ? scale['metadata'] : {};
  const identity = Object.fromEntries(['name', 'namespace', 'uid', 'resourceVersion'].flatMap((f) => (given[f] === undefined ? [] : [[f, given[f]]]))); // prettier-ignore
  return { ...kind.scale!.write(object, replicas), metadata: { ...metadata, ...identity } };
}

function numberAt(value: unknown, path: readonly string[], absent = 0): number {
  const found = valueAt(value, path);
  return typeof found === 'number' ? found : absent;
}

function withValue(object: JsonObject, [name, ...rest]: readonly string[], value: unknown): JsonObject {
  const inner = object[name!];
  return { ...object, [name!]: rest.length === 0 ? value : withValue(isObject(inner) ? inner : {}, rest, value) };
}
