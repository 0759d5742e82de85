import { nearest } from '../../base/index.ts';
import { formatGoDuration, parseGoDuration } from '../go-duration.ts';
import type { Fields } from './decode.ts';
import type { BlockSchema, Field } from './schema.ts';

export type Path = readonly (string | number)[];

/** Something wrong with data, and where: the path to it, and whether the name or the value is meant. */
export interface Problem {
  readonly path: Path;
  readonly at: 'name' | 'value';
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** The names that data uses: those of the Job resource or those of Nomad's API. */
export type Dialect = 'resource' | 'api';

/** Reads data (parsed JSON or YAML) by the table. Unknown names and wrong types are reported; the rest is returned with the resource's names. */
export function decodePlain(data: unknown, schema: BlockSchema, dialect: Dialect, problems: Problem[], path: Path = []): Fields {
  const out: Fields = {};
  if (!isObject(data)) {
    problems.push({ path, at: 'value', severity: 'error', message: `Expected an object, not ${kindOf(data)}` });
    return out;
  }
  const known = new Map<string, Field | 'label' | 'ignored'>();
  const key = (name: string): string => (dialect === 'api' ? name.toLowerCase() : name);
  for (const field of schema.fields) known.set(key(dialect === 'api' ? field.api : field.name), field);
  if (schema.label !== undefined) known.set(key(dialect === 'api' ? schema.label.api : schema.label.name), 'label');
  if (dialect === 'api') for (const name of Object.keys(schema.constant ?? {})) known.set(key(name), 'ignored');
  if (dialect === 'api' && schema.name === 'NetworkResource') known.set('reservedports', 'ignored');

  for (const [name, value] of Object.entries(data)) {
    const field = known.get(key(name));
    const at = [...path, name];
    if (field === undefined) {
      problems.push(unknownName(name, at, schema, dialect));
    } else if (field === 'label') {
      if (typeof value === 'string') out[schema.label!.name] = value;
      else if (value !== null && value !== undefined) problems.push(wrongType(at, 'a text', value));
    } else if (field !== 'ignored' && value !== null && value !== undefined) {
      const decoded = decodeField(field, value, dialect, problems, at);
      if (decoded !== undefined) out[field.name] = decoded;
    }
  }
  if (dialect === 'api' && schema.name === 'NetworkResource') mergePorts(data, out, problems, path, schema);
  if (
    schema.label !== undefined &&
    schema.label.optional !== true &&
    dialect === 'resource' &&
    out[schema.label.name] === undefined &&
    schema.name !== 'Job'
  ) {
    problems.push({ path, at: 'value', severity: 'error', message: `${schema.label.name} is required` });
  }
  return out;
}

function unknownName(name: string, path: Path, schema: BlockSchema, dialect: Dialect): Problem {
  const names = schema.fields.map((f) => (dialect === 'api' ? f.api : f.name));
  // Whoever writes the name of the job file means the field of that name.
  const fromFile = schema.fields.find((f) => f.hcl === name);
  const near = fromFile === undefined ? nearest(name, names) : dialect === 'api' ? fromFile.api : fromFile.name;
  const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
  return {
    path,
    at: 'name',
    severity: dialect === 'api' ? 'warning' : 'error',
    message: `There is no field ${JSON.stringify(name)} in a ${schema.name}${dialect === 'api' ? '; it is left out' : ''}.${hint}`,
  };
}

function decodeField(field: Field, value: unknown, dialect: Dialect, problems: Problem[], path: Path): unknown {
  const wrong = (expected: string): undefined => {
    problems.push(wrongType(path, expected, value));
    return undefined;
  };
  switch (field.kind) {
    case 'string':
      if (typeof value !== 'string') return wrong('a text');
      return dialect === 'api' && value === '' && field.empty === '' ? undefined : value;
    case 'int':
      if (typeof value !== 'number' || !Number.isInteger(value)) return wrong('a whole number');
      return dialect === 'api' && value === 0 && field.empty === 0 ? undefined : value;
    case 'bool':
      if (typeof value !== 'boolean') return wrong('true or false');
      return dialect === 'api' && !value && field.empty === false ? undefined : value;
    case 'duration': {
      if (dialect === 'api' && value === 0 && field.empty === 0) return undefined;
      if (typeof value === 'number' && Number.isInteger(value)) return formatGoDuration(BigInt(value));
      if (typeof value !== 'string') return wrong('a duration as "10s" or "1h30m"');
      try {
        return formatGoDuration(parseGoDuration(value));
      } catch (err) {
        problems.push({ path, at: 'value', severity: 'error', message: err instanceof Error ? err.message : String(err) });
        return undefined;
      }
    }
    case 'strings':
      return Array.isArray(value) && value.every((v) => typeof v === 'string') ? value : wrong('a list of texts');
    case 'ints':
      return Array.isArray(value) && value.every((v) => Number.isInteger(v)) ? value : wrong('a list of whole numbers');
    case 'map':
      return strings(value, problems, path);
    case 'lists': {
      if (!isObject(value)) return wrong('an object of lists of texts');
      const ok = Object.values(value).every((v) => Array.isArray(v) && v.every((s) => typeof s === 'string'));
      return ok ? value : wrong('an object of lists of texts');
    }
    case 'free':
      return isObject(value) ? value : wrong('an object');
    case 'block':
      return decodePlain(value, field.schema, dialect, problems, path);
    case 'blocks': {
      const { keyedBy } = field;
      if (dialect === 'api' && keyedBy !== undefined && isObject(value)) {
        return Object.entries(value).map(([name, item]) => ({
          [keyedBy]: name,
          ...decodePlain(item, field.schema, dialect, problems, [...path, name]),
        }));
      }
      if (!Array.isArray(value)) return wrong('a list');
      if (dialect === 'api' && value.length === 0) return undefined;
      return value.map((item, i) => decodePlain(item, field.schema, dialect, problems, [...path, i]));
    }
  }
}

function strings(value: unknown, problems: Problem[], path: Path): Record<string, string> | undefined {
  if (!isObject(value)) {
    problems.push(wrongType(path, 'an object of texts', value));
    return undefined;
  }
  const out: Record<string, string> = {};
  for (const [name, item] of Object.entries(value)) {
    if (typeof item === 'string') out[name] = item;
    else if (item !== null) problems.push(wrongType([...path, name], 'a text (in quotes)', item));
  }
  return out;
}

/** The API keeps ports with a fixed number in a list of their own. */
function mergePorts(data: Record<string, unknown>, out: Fields, problems: Problem[], path: Path, schema: BlockSchema): void {
  const field = schema.fields.find((f) => f.name === 'ports');
  const name = Object.keys(data).find((k) => k.toLowerCase() === 'reservedports');
  const reserved = name === undefined ? undefined : data[name];
  if (field?.kind !== 'blocks' || name === undefined || reserved === null || reserved === undefined) return;
  const decoded = decodeField(field, reserved, 'api', problems, [...path, name]);
  if (Array.isArray(decoded)) out.ports = [...(decoded as unknown[]), ...((out.ports as unknown[] | undefined) ?? [])];
}

function wrongType(path: Path, expected: string, value: unknown): Problem {
  return { path, at: 'value', severity: 'error', message: `Expected ${expected}, not ${kindOf(value)}` };
}

export function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function kindOf(v: unknown): string {
  if (v === null || v === undefined) return 'nothing';
  if (Array.isArray(v)) return 'a list';
  if (typeof v === 'object') return 'an object';
  if (typeof v === 'string') return `the text ${JSON.stringify(v.length > 40 ? `${v.slice(0, 40)}…` : v)}`;
  return `${typeof v === 'number' ? 'the number ' : ''}${String(v)}`;
}
