/**
 * Jobs as Nomad's HTTP API has them: `toNomadJob` and `fromNomadJob` are inverse to each other for everything a job file can say. The names,
 * and which empty fields are null, are those of Nomad 1.1's API; fields that came later appear only when they are set.
 */
import type { Job } from '../../openapi/index.ts';
import { parseGoDuration } from '../go-duration.ts';
import type { Fields } from '../job/decode.ts';
import { decodePlain, isObject, type Problem } from '../job/plain.ts';
import { job as jobSchema, port as portSchema, type BlockSchema, type Field } from '../job/schema.ts';

export type NomadJson = null | boolean | number | string | NomadJson[] | { [key: string]: NomadJson };
export type NomadJob = { [key: string]: NomadJson };

/** Tokens that may stand in an old job file. They are credentials: they travel with a request and are never part of the stored Job. */
export interface JobTokens {
  readonly consul?: string;
  readonly vault?: string;
}

/**
 * The job in the API's JSON, its fields in the order of the API. One that the server has (with a status) comes with its version, indexes and state.
 */
export function toNomadJob(job: Job, tokens: JobTokens = {}): NomadJob {
  const id = jobId(job);
  const { ID: _id, Region = null, Name: _name, ...fields } = toApi(job.spec, jobSchema);
  const stored = job.status === undefined ? {} : storedFields(job);
  return {
    Region,
    Namespace: job.metadata.namespace ?? null,
    ID: id,
    Name: job.spec.name ?? id,
    ...fields,
    ...stored,
    ConsulToken: tokens.consul ?? stored.ConsulToken ?? null,
    VaultToken: tokens.vault ?? stored.VaultToken ?? null,
    Stop: job.spec.stop ?? null,
  };
}

function storedFields({ status = {}, spec }: Job): NomadJob {
  const submitted = status.submittedAt === undefined ? NaN : Date.parse(status.submittedAt);
  return {
    ConsulToken: '',
    VaultToken: '',
    ParentID: spec.parentID ?? '',
    Dispatched: spec.dispatched ?? false,
    Payload: spec.payload ?? null,
    ConsulNamespace: '',
    VaultNamespace: '',
    NomadTokenID: '',
    Status: status.phase ?? 'pending',
    StatusDescription: status.description ?? '',
    Stable: status.stable ?? false,
    Version: status.version ?? 0,
    SubmitTime: Number.isNaN(submitted) ? null : submitted * 1e6,
    JobModifyIndex: status.modifyIndex ?? 0,
    ModifyIndex: status.modifyIndex ?? 0,
    CreateIndex: 0,
    AllAtOnce: spec.allAtOnce ?? false,
  };
}

/** The ID that users gave the job; the name of the resource cannot hold a slash. */
export function jobId(job: Job): string {
  return job.spec.id ?? job.metadata.name ?? '';
}

/** The name of the resource for a job ID. */
export function resourceName(id: string): string {
  return id.replaceAll('/', ':');
}

/** Reads a job of the API (bare, or in `{"Job": …}`). Problems name the path; with errors the job is what could be read. */
export function fromNomadJob(json: unknown): { readonly job: Job; readonly problems: readonly Problem[] } {
  const wrapped = isObject(json) ? Object.keys(json).find((k) => k.toLowerCase() === 'job') : undefined;
  const data = wrapped !== undefined && isObject(json) && isObject(json[wrapped]) ? json[wrapped] : json;
  const problems: Problem[] = [];
  const path = data === json ? [] : [wrapped!];
  const input = isObject(data) ? data : {};
  const { Namespace, Stop, ...rest } = input;
  const fields = decodePlain(isObject(data) ? rest : data, jobSchema, 'api', problems, path);
  const { id, ...spec } = fields;
  const jobName = typeof id === 'string' ? id : '';
  if (jobName === '') problems.push({ path, at: 'value', severity: 'error', message: 'ID is required' });
  if (spec.name === jobName) delete spec.name;
  return {
    job: assembleJob(jobName, typeof Namespace === 'string' ? Namespace : undefined, {
      ...spec,
      ...(Stop === true ? { stop: true } : {}),
    }),
    problems,
  };
}

/** Puts a Job resource together from an ID, a namespace and the fields of its spec. */
export function assembleJob(id: string, namespace: string | undefined, spec: Fields): Job {
  const name = resourceName(id);
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Job',
    metadata: { name, ...(namespace === undefined || namespace === '' ? {} : { namespace }) },
    // The table that decoded the fields and the schema of the resource name the same fields; a test compares them.
    spec: name === id ? spec : { id, ...spec },
  };
}

function toApi(fields: Fields, schema: BlockSchema): NomadJob {
  const { Id, ...constant } = schema.constant ?? {};
  const out: NomadJob = Id === undefined ? {} : { Id };
  if (schema.label !== undefined) {
    const label = fields[schema.label.name];
    out[schema.label.api] = typeof label === 'string' ? label : '';
  }
  for (const field of schema.fields) {
    const value = fields[field.name];
    if (field.api === 'ProhibitOverlap') out.SpecType = fields.cron === undefined && fields.crons === undefined ? null : 'cron';
    if (field.api === 'DynamicPorts') {
      splitPorts(fields, out);
    } else if (value === undefined || value === null || isUnsaid(field, value)) {
      if (field.late === true) continue;
      out[field.api] = 'empty' in field ? field.empty : null;
    } else out[field.api] = fieldToApi(field, value);
  }
  for (const [name, empty] of Object.entries(constant)) out[name] ??= empty;
  return out;
}

/** A field of a later version with the value that it has where nobody sets it: the API cannot tell the two apart. */
const isUnsaid = (field: Field, value: unknown): boolean =>
  field.late === true &&
  'empty' in field &&
  field.empty !== null &&
  (value === field.empty || (field.kind === 'duration' && nanoseconds(value) === 0));

function fieldToApi(field: Field, value: unknown): NomadJson {
  switch (field.kind) {
    case 'duration':
      return nanoseconds(value);
    case 'block':
      return toApi(value as Fields, field.schema);
    case 'blocks': {
      const items = (value as Fields[]).map((item) => toApi(item, field.schema));
      if (field.keyedBy === undefined) return items;
      const by = field.keyedBy;
      return sorted(Object.fromEntries((value as Fields[]).map((item, i) => [String(item[by]), items[i]!])));
    }
    case 'string':
    case 'int':
    case 'bool':
    case 'strings':
    case 'ints':
      return value as NomadJson;
    case 'map':
    case 'lists':
    case 'free':
      return sorted(value as NomadJson);
  }
}

/** Maps have no order of their own; the API writes them by key. */
function sorted(v: NomadJson): NomadJson {
  if (Array.isArray(v)) return v.map(sorted);
  if (typeof v !== 'object' || v === null) return v;
  const keys = Object.keys(v).sort((a, b) => (a < b ? -1 : 1));
  return Object.fromEntries(keys.map((key) => [key, sorted(v[key]!)]));
}

function nanoseconds(value: unknown): number {
  if (typeof value === 'number') return value;
  try {
    return Number(parseGoDuration(String(value)));
  } catch {
    return 0;
  }
}

function splitPorts(fields: Fields, out: NomadJob): void {
  const ports = (fields.ports as Fields[] | undefined) ?? [];
  const fixed = (p: Fields): boolean => typeof p.static === 'number' && p.static > 0;
  const some = (list: Fields[]): NomadJson => (list.length === 0 ? null : list.map((p) => toApi(p, portSchema)));
  out.ReservedPorts = some(ports.filter(fixed));
  out.DynamicPorts = some(ports.filter((p) => !fixed(p)));
}
