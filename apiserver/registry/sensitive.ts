import { HIDDEN, hideSensitive, mapSensitive, type JobSpec } from '../../openapi/index.ts';
import type { StatusCause } from '../../base/index.ts';
import { invalidValue } from './errors.ts';
import { formatPath, isObject, valueAt, type ApiObject, type JsonObject } from './object.ts';
import { unstored, type Version } from './version.ts';

/**
 * Secret values in objects: who reads an object is shown a mark in their place, unless the request asks for them (`Orch-Sensitive: show`,
 * as the parts of orch do that need them). The mark may come back: it means the value that is stored.
 */

/** Where the kinds of orch hold a job. */
const JOBS: Readonly<Record<string, readonly string[]>> = {
  Job: ['spec'],
  JobVersion: ['spec', 'job'],
  Evaluation: ['spec', 'dryRun', 'job'],
};
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Whether objects of a kind can hold secrets. */
export const maySensitive = (kind: { readonly group: string; readonly kind: string }): boolean =>
  kind.group === 'orch.dev' && (kind.kind === 'Variable' || Object.hasOwn(JOBS, kind.kind));

const shown = new WeakMap<Version, Version>();

/** The version as everybody may see it; the same one when it holds no secret. */
export function withoutSecrets(version: Version): Version {
  let found = shown.get(version);
  if (found === undefined) {
    const object = hideIn(version.object);
    found = object === version.object ? version : unstored(version.key, object, version.revision);
    shown.set(version, found);
  }
  return found;
}

type Hide = (object: JsonObject) => JsonObject;

function hideIn(object: ApiObject): ApiObject {
  const path = JOBS[object.kind];
  const hide: Hide | undefined =
    object.kind === 'Variable' ? hideItems : path === undefined ? undefined : (whole) => hideAt(whole, path);
  if (hide === undefined) return object;
  const next = hide(object) as ApiObject;
  const text = next.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return next;
  const applied = hideText(text, hide);
  if (applied === text) return next;
  return { ...next, metadata: { ...next.metadata, annotations: { ...next.metadata.annotations, [LAST_APPLIED]: applied } } };
}

function hideAt(object: JsonObject, path: readonly string[]): JsonObject {
  const job = valueAt(object, path);
  if (!isObject(job)) return object;
  const next = hideSensitive(job);
  return next === job ? object : put(object, path, next);
}

/** A variable with its keys alone. */
function hideItems(object: JsonObject): JsonObject {
  const items = valueAt(object, ['spec', 'items']);
  if (!isObject(items)) return object;
  return put(object, ['spec', 'items'], Object.fromEntries(Object.keys(items).map((key) => [key, HIDDEN])));
}

/** kubectl keeps all of what it applied in an annotation. */
function hideText(text: string, hide: Hide): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isObject(parsed)) return text;
    const next = hide(parsed);
    return next === parsed ? text : JSON.stringify(next);
  } catch {
    return text;
  }
}

function put(object: JsonObject, [name, ...rest]: readonly string[], value: unknown): JsonObject {
  const inner = object[name!];
  return { ...object, [name!]: rest.length === 0 ? value : put(inner as JsonObject, rest, value) };
}

/** The job with stored values where the mark stands for them. Groups and tasks are found by name. */
export function restoreSecrets(job: JobSpec, stored: JobSpec | undefined): JobSpec {
  return mapSensitive(job, (value, path) => {
    if (value !== HIDDEN || stored === undefined) return value;
    const [, g, , t, ...option] = path;
    const group = job.groups?.[g as number];
    const task = group?.tasks?.[t as number];
    const before = stored.groups?.find(({ name }) => name === group?.name)?.tasks?.find(({ name }) => name === task?.name);
    const found = option.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined), before); // prettier-ignore
    return typeof found === 'string' ? found : value;
  });
}

/** Marks that stand for nothing. */
export function danglingSecrets(job: JobSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  mapSensitive(job, (value, path) => {
    if (value === HIDDEN) causes.push(invalidValue(formatPath(['spec', ...path]), HIDDEN, 'it stands for a value that is stored, and there is none: give the value')); // prettier-ignore
    return value;
  });
  return causes;
}
