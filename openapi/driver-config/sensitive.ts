import type { JobSpec } from '../kinds.ts';
import { dockerFields } from './docker.ts';
import type { DriverConfig, Field, Fields } from './fields.ts';

/**
 * Secret values in jobs. Drivers' tables say which options are `sensitive`; whoever prints a job puts a mark in their place, and the API
 * server takes the mark, when it comes back, for the value that is stored.
 */

/** Stands for a secret value where jobs are shown. */
export const HIDDEN = '(sensitive)';

const tables = new Map<string, Fields>([['docker', dockerFields]]);

type Path = readonly (string | number)[];
type Change = (value: string, path: Path) => string;

/** The job with its secret values changed; the same object where there is none to change. */
export function mapSensitive(job: JobSpec, change: Change): JobSpec {
  const groups = mapList(job.groups, (group, g) => {
    const tasks = mapList(group.tasks, (task, t) => {
      const fields = tables.get(task.driver ?? '');
      const { config } = task;
      if (fields === undefined || config === undefined || config === null) return task;
      const next = mapConfig(fields, config, ['groups', g, 'tasks', t, 'config'], change);
      return next === config ? task : { ...task, config: next };
    });
    return tasks === group.tasks ? group : { ...group, ...(tasks && { tasks }) };
  });
  return groups === job.groups ? job : { ...job, ...(groups && { groups }) };
}

export const hideSensitive = (job: JobSpec): JobSpec => mapSensitive(job, (value) => (isReference(value) ? value : HIDDEN));

/** A reference to a value that is kept elsewhere is no secret. */
const isReference = (value: string): boolean => /^\$\{[^}]*\}$/.test(value);

/** Whether an option is secret, by its driver and its path as diffs write it: `auth[0][password]`. */
export function isSensitiveOption(driver: string, option: string): boolean {
  let fields: Fields | undefined = tables.get(driver);
  let field: Field | undefined;
  for (const key of option.match(/[^[\]]+/g) ?? []) {
    if (/^\d+$/.test(key)) continue;
    field = fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined;
    fields = field !== undefined && 'fields' in field ? field.fields : undefined;
  }
  return field !== undefined && 'sensitive' in field && field.sensitive === true;
}

function mapConfig(fields: Fields, config: DriverConfig, at: Path, change: Change): DriverConfig {
  let out: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(config)) {
    const field = Object.hasOwn(fields, key) ? fields[key]! : undefined;
    if (field === undefined) continue;
    const next = mapField(field, value, [...at, key], change);
    if (next !== value) (out ??= { ...config })[key] = next;
  }
  return out ?? config;
}

function mapField(field: Field, value: unknown, at: Path, change: Change): unknown {
  if ('sensitive' in field && field.sensitive === true) {
    return typeof value === 'string' || typeof value === 'number' ? change(String(value), at) : value;
  }
  if (!('fields' in field)) return value;
  const block = (item: unknown, path: Path): unknown =>
    typeof item === 'object' && item !== null && !Array.isArray(item) ? mapConfig(field.fields, item as DriverConfig, path, change) : item; // prettier-ignore
  return Array.isArray(value) ? mapList(value as unknown[], (item, i) => block(item, [...at, i])) : block(value, at);
}

function mapList<T, L extends readonly T[] | undefined>(
  list: L & (readonly T[] | undefined),
  map: (item: T, at: number) => T,
): L {
  let out: T[] | undefined;
  list?.forEach((item: T, i: number) => {
    const next = map(item, i);
    if (next !== item) (out ??= [...list])[i] = next;
  });
  return (out ?? list) as L;
}
