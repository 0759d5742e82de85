/** From a parsed configuration file to plain values, checked against the schema: every problem with its place. Pure. */
import { nearest, parseDuration } from '../../base/index.ts';
import type { Field, Schema } from './schema.ts';

/** One body of a configuration file, whatever it was written in. */
export interface Body {
  readonly entries: readonly Entry[];
}

export type Entry = { readonly key: string; /** `file:line,column` or a path. */ readonly at: string } & (
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'block'; readonly labels: readonly string[]; readonly body: Body }
);

export interface Decoded {
  readonly value: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
  /** Keys that are accepted without effect, and why. */
  readonly notes: readonly string[];
}

export function decode(body: Body, schema: Schema): Decoded {
  const problems: string[] = [];
  const notes: string[] = [];
  const value = decodeBody(body, schema, '', { problems, notes });
  return { value, problems, notes };
}

interface Findings {
  readonly problems: string[];
  readonly notes: string[];
}

function decodeBody(body: Body, schema: Schema, path: string, findings: Findings): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const entry of body.entries) {
    const field = schema[entry.key];
    const name = path === '' ? entry.key : `${path}.${entry.key}`;
    if (field === undefined) {
      const near = nearest(entry.key, Object.keys(schema));
      const where = path === '' ? 'an agent configuration' : `"${path}"`;
      findings.problems.push(
        `${entry.at}: "${entry.key}" is not a key of ${where}${near === undefined ? '' : `. Did you mean "${near}"?`}`,
      );
      continue;
    }
    const found = decodeField(entry, field, name, findings);
    if (found === undefined) continue;
    if (field.refused !== undefined && !sameValue(found, field.harmless)) {
      findings.problems.push(`${entry.at}: "${name}" cannot be used: ${field.refused}`);
      continue;
    }
    if (field.idle !== undefined) {
      if (field.harmless !== undefined && sameValue(found, field.harmless)) continue;
      findings.notes.push(`"${name}" has no effect: ${field.idle} (${entry.at})`);
      continue;
    }
    out[entry.key] = field.type === 'block' || field.type === 'labelled' ? merge(out[entry.key], found) : found;
  }
  return out;
}

function decodeField(entry: Entry, field: Field, name: string, findings: Findings): unknown {
  const wrong = (expected: string): undefined => {
    findings.problems.push(`${entry.at}: "${name}" must be ${expected}`);
    return undefined;
  };
  if (field.type === 'block' || field.type === 'labelled') {
    if (entry.type !== 'block') return wrong(`a block: ${entry.key} { … }`);
    if (field.type === 'block') {
      if (entry.labels.length > 0) return wrong('a block without a label');
      return decodeBody(entry.body, field.fields, name, findings);
    }
    const [label, ...more] = entry.labels;
    if (label === undefined || more.length > 0) return wrong(`a block with one label: ${entry.key} "name" { … }`);
    return { [label]: decodeBody(entry.body, field.fields, `${name}.${label}`, findings) };
  }
  if (field.type === 'any') return entry.type === 'block' ? plain(entry.body, entry.labels) : entry.value;
  if (field.type === 'map') {
    const map = entry.type === 'block' ? plain(entry.body, []) : entry.value;
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return wrong('a map');
    const bad = Object.entries(map).find(([, v]) => typeof v === 'object');
    if (bad !== undefined) return wrong(`a map of strings ("${bad[0]}" is not one)`);
    return Object.fromEntries(Object.entries(map).map(([k, v]) => [k, String(v)]));
  }
  if (entry.type === 'block') return wrong(`a value: ${entry.key} = …`);
  const { value } = entry;
  switch (field.type) {
    case 'string':
      return typeof value === 'string' ? value : wrong('a string');
    case 'number':
      return typeof value === 'number'
        ? value
        : typeof value === 'string' && /^-?\d+$/.test(value)
          ? Number(value)
          : wrong('a number');
    case 'bool':
      return typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : wrong('true or false');
    case 'duration': {
      const ms = typeof value === 'string' || typeof value === 'number' ? parseDuration(value) : undefined;
      return ms ?? wrong('a duration such as "10s"');
    }
    case 'strings':
      return Array.isArray(value) && value.every((v) => typeof v === 'string') ? value : wrong('a list of strings');
  }
}

/** A free-form body as a plain object. */
function plain(body: Body, labels: readonly string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const entry of body.entries) {
    const value = entry.type === 'value' ? entry.value : plain(entry.body, entry.labels);
    out[entry.key] = merge(out[entry.key], value);
  }
  return labels.reduceRight<Record<string, unknown>>((inner, label) => ({ [label]: inner }), out);
}

/** Later values win; objects are merged key by key. */
export function merge(earlier: unknown, later: unknown): unknown {
  if (!isObject(earlier) || !isObject(later)) return later;
  const out: Record<string, unknown> = { ...earlier };
  for (const [key, value] of Object.entries(later)) out[key] = merge(out[key], value);
  return out;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A JSON configuration as a body; the schema tells blocks from values. `at` is the file and the path of keys. */
export function jsonBody(value: unknown, schema: Schema, file: string, path = ''): Body {
  if (!isObject(value)) return { entries: [] };
  const entries: Entry[] = [];
  for (const [key, raw] of Object.entries(value)) {
    const at = `${file}: ${path}${key}`;
    const field = schema[key];
    const items =
      field !== undefined && (field.type === 'block' || field.type === 'labelled') && Array.isArray(raw)
        ? (raw as unknown[])
        : [raw];
    for (const item of items) {
      if (field?.type === 'block' && isObject(item)) {
        entries.push({ key, at, type: 'block', labels: [], body: jsonBody(item, field.fields, file, `${path}${key}.`) });
      } else if (field?.type === 'labelled' && isObject(item)) {
        for (const [label, inner] of Object.entries(item)) {
          const body = jsonBody(Array.isArray(inner) ? inner[0] : inner, field.fields, file, `${path}${key}.${label}.`);
          entries.push({ key, at, type: 'block', labels: [label], body });
        }
      } else entries.push({ key, at, type: 'value', value: item });
    }
  }
  return { entries };
}
