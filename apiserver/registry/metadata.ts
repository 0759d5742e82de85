import { parseDuration, type StatusCause } from '../../base/index.ts';
import { duplicate, forbiddenField, invalidValue, required } from './errors.ts';
import type { ApiKind } from './kinds.ts';
import { isObject, type Metadata } from './object.ts';

/** The annotation that binds an object to a store lease: it vanishes when it is not renewed for that long. */
export const TTL_ANNOTATION = 'orch.dev/ttl';

/** How a kind's objects may be called. */
export type NameRule = 'subdomain' | 'segment' | 'label';

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const MAX_ANNOTATIONS = 256 * 1024;

/** Keys that are known to be right: there are few, and each is met in every object. */
const labelKeys = new Set<string>();

export function isLabelKey(key: string): boolean {
  if (labelKeys.has(key)) return true;
  const right = judgeLabelKey(key);
  if (right && labelKeys.size < 1_000) labelKeys.add(key);
  return right;
}

function judgeLabelKey(key: string): boolean {
  const [prefix, name, ...more] = key.includes('/') ? key.split('/') : [undefined, key];
  if (more.length > 0 || name === undefined || name.length > 63 || !QUALIFIED.test(name)) return false;
  return prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix));
}

export const isLabelValue = (value: string): boolean => value.length <= 63 && (value === '' || QUALIFIED.test(value));

/** What is wrong with a name, in words; undefined when nothing is. */
export function nameProblem(name: string, rule: NameRule): string | undefined {
  switch (rule) {
    case 'label':
      if (name.length > 63) return 'must be no more than 63 characters';
      return LABEL.test(name)
        ? undefined
        : 'must consist of lower case letters, digits and "-", and begin and end with a letter or digit';
    case 'subdomain':
      if (name.length > 253) return 'must be no more than 253 characters';
      return SUBDOMAIN.test(name)
        ? undefined
        : 'must consist of lower case letters, digits, "-" and ".", and begin and end with a letter or digit';
    case 'segment':
      if (name.length > 253) return 'must be no more than 253 characters';
      if (name === '.' || name === '..') return 'may not be "." or ".."';
      if (/\p{Surrogate}/u.test(name)) return 'must be well-formed text';
      return /[/%\s\u0000-\u001f\u007f]/.test(name) ? 'may not contain "/", "%", whitespace or control characters' : undefined;
  }
}

/** What a client may say in metadata; the rest of it is the server's, and ignored in bodies. */
export interface ClientMetadata {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  /** As it came; `ownership.ts` reads it. */
  managedFields?: unknown[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

const TEXTS = ['name', 'generateName', 'namespace', 'uid', 'resourceVersion'] as const;
const SERVER_OWNED = new Set(['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'selfLink']);

/** Reads the metadata of a body; problems of form become causes, fields that do not exist go to `unknown`. */
export function readMetadata(value: unknown, unknown: string[], causes: StatusCause[]): ClientMetadata {
  const out: ClientMetadata = {};
  if (value === undefined || value === null) return out;
  if (!isObject(value)) {
    causes.push(wrongType('metadata', value, 'object'));
    return out;
  }
  for (const [key, item] of Object.entries(value)) {
    if (item === null || item === undefined || SERVER_OWNED.has(key)) continue;
    const field = `metadata.${key}`;
    if ((TEXTS as readonly string[]).includes(key)) {
      if (typeof item === 'string') out[key as (typeof TEXTS)[number]] = item;
      else causes.push(wrongType(field, item, 'string'));
    } else if (key === 'labels' || key === 'annotations') {
      const map = readStrings(item, field, causes);
      if (map !== undefined) out[key] = map;
    } else if (key === 'finalizers') {
      if (Array.isArray(item) && item.every((f): f is string => typeof f === 'string')) out.finalizers = item;
      else causes.push(wrongType(field, item, 'array of strings'));
    } else if (key === 'managedFields') {
      if (Array.isArray(item)) out.managedFields = item;
      else causes.push(wrongType(field, item, 'array'));
    } else if (key === 'ownerReferences') {
      if (Array.isArray(item))
        out.ownerReferences = item.flatMap((owner: unknown, i) => readOwner(owner, `${field}[${i}]`, unknown, causes)); // prettier-ignore
      else causes.push(wrongType(field, item, 'array'));
    } else unknown.push(field);
  }
  return out;
}

function readStrings(value: unknown, field: string, causes: StatusCause[]): Record<string, string> | undefined {
  if (!isObject(value)) {
    causes.push(wrongType(field, value, 'object'));
    return undefined;
  }
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === 'string') entries.push([key, item]);
    else if (item !== null) causes.push(wrongType(`${field}[${key}]`, item, 'string'));
  }
  // Object.fromEntries defines properties, so a key "__proto__" stays an ordinary (and then invalid) key.
  return Object.fromEntries(entries);
}

function readOwner(value: unknown, field: string, unknown: string[], causes: StatusCause[]): OwnerReference[] {
  if (!isObject(value)) {
    causes.push(wrongType(field, value, 'object'));
    return [];
  }
  const owner = { apiVersion: '', kind: '', name: '', uid: '' } as OwnerReference;
  for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
    const item = value[key];
    if (typeof item === 'string' && item !== '') owner[key] = item;
    else
      causes.push(item === undefined || item === '' ? required(`${field}.${key}`) : wrongType(`${field}.${key}`, item, 'string'));
  }
  for (const key of ['controller', 'blockOwnerDeletion'] as const) {
    const item = value[key];
    if (typeof item === 'boolean') owner[key] = item;
    else if (item !== undefined && item !== null) causes.push(wrongType(`${field}.${key}`, item, 'boolean'));
  }
  for (const key of Object.keys(value)) {
    if (!['apiVersion', 'kind', 'name', 'uid', 'controller', 'blockOwnerDeletion'].includes(key)) unknown.push(`${field}.${key}`);
  }
  return [owner];
}

/** Everything that is wrong with the metadata of an object that is about to be stored. */
export function validateMetadata(kind: ApiKind, metadata: Metadata, rule: NameRule): StatusCause[] {
  const causes: StatusCause[] = [];
  const problem = nameProblem(metadata.name, rule);
  if (problem !== undefined) causes.push(invalidValue('metadata.name', metadata.name, problem));
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (!isLabelKey(key)) causes.push(invalidValue('metadata.labels', key, KEY_RULE));
    if (!isLabelValue(value)) causes.push(invalidValue(`metadata.labels[${key}]`, value, VALUE_RULE));
  }
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    if (!isLabelKey(key.toLowerCase())) causes.push(invalidValue('metadata.annotations', key, KEY_RULE));
    size += key.length + value.length;
  }
  if (size > MAX_ANNOTATIONS) {
    causes.push({ reason: 'FieldValueTooLong', message: `Too long: may not be more than ${MAX_ANNOTATIONS} bytes together`, field: 'metadata.annotations' }); // prettier-ignore
  }
  const seen = new Set<string>();
  (metadata.finalizers ?? []).forEach((finalizer, i) => {
    if (!isLabelKey(finalizer)) causes.push(invalidValue(`metadata.finalizers[${i}]`, finalizer, KEY_RULE));
    if (seen.has(finalizer)) causes.push(duplicate(`metadata.finalizers[${i}]`, finalizer));
    seen.add(finalizer);
  });
  const controllers = (metadata.ownerReferences ?? []).filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    causes.push(invalidValue('metadata.ownerReferences', controllers.map((o) => o.name), 'only one reference can have controller set to true')); // prettier-ignore
  }
  const ttl = metadata.annotations?.[TTL_ANNOTATION];
  if (ttl !== undefined && !((parseDuration(ttl) ?? 0) >= 1000)) {
    causes.push(invalidValue(`metadata.annotations[${TTL_ANNOTATION}]`, ttl, 'must be a duration of at least 1s'));
  }
  if (!kind.namespaced && metadata.namespace !== undefined) {
    causes.push(forbiddenField('metadata.namespace', `${kind.plural} have no namespace`));
  }
  return causes;
}

const KEY_RULE =
  'must be up to 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit, optionally after a DNS name and "/"';
const VALUE_RULE = 'must be empty or up to 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit';

export function wrongType(field: string, value: unknown, type: string): StatusCause {
  const shown = Array.isArray(value) ? '"array"' : isObject(value) ? '"object"' : JSON.stringify(value);
  return { reason: 'FieldValueTypeInvalid', message: `Invalid value: ${shown}: must be of type ${type}`, field };
}
