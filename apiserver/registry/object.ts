import type { ObjectMeta } from '../../openapi/index.ts';

/** Metadata of an object that was stored: what the server fills in is there. */
export type Metadata = ObjectMeta & { name: string; uid: string; creationTimestamp: string; generation: number };

/** Any stored object as a plain value. What the cache hands out is shared: never change it, make a new one. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

export type JsonObject = { [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of property names; undefined where the path ends early. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  for (const name of path) {
    if (!isObject(value)) return undefined;
    value = Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

/** `spec.groups[0].count`, with keys that are no identifiers in brackets: `spec.env[MY-KEY]`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${part}]`;
  }
  return text;
}

/** The value as JSON would bring it back: fields that are undefined are gone. What has none is shared with the argument. */
export function withoutUndefined<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    let out: unknown[] | undefined;
    value.forEach((item: unknown, i) => {
      const next = withoutUndefined(item);
      if (next !== item) (out ??= [...(value as unknown[])])[i] = next;
    });
    return (out ?? value) as T;
  }
  let out: JsonObject | undefined;
  for (const [key, item] of Object.entries(value)) {
    const next: unknown = withoutUndefined(item);
    if (next === item && item !== undefined) continue;
    out ??= { ...value } as JsonObject;
    if (next === undefined) delete out[key];
    else out[key] = next;
  }
  return (out ?? value) as T;
}
