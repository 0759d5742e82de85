import type { Job } from '../../openapi/index.ts';
import type { Diagnostics } from '../hcl/diagnostic.ts';
import { yaml } from '../hcl/functions/encoding.ts';
import { jsonData, parseJson, type JsonNode } from '../hcl/json.ts';
import type { Source } from '../hcl/source.ts';
import { type Range } from '../hcl/source.ts';
import { assembleJob, fromNomadJob, resourceName } from '../nomad/index.ts';
import type { Fields } from './decode.ts';
import { decodePlain, isObject, type Path, type Problem } from './plain.ts';
import { job as jobSchema } from './schema.ts';

/** An object as it stands in a file, and how to find the place of each part of it. */
export interface Document {
  readonly data: unknown;
  readonly range: Range;
  locate(path: Path, at: 'name' | 'value'): Range;
}

/** The documents of a JSON or YAML text; lists are taken apart. */
export function readDocuments(source: Source, diagnostics: Diagnostics): Document[] {
  const documents = /^\s*[{[]/.test(source.text) ? jsonDocuments(source, diagnostics) : yamlDocuments(source, diagnostics);
  return documents.flatMap(flatten);
}

function flatten(document: Document): Document[] {
  const { data } = document;
  if (Array.isArray(data)) return data.flatMap((item, i) => flatten(part(document, item, [i])));
  if (isObject(data) && typeof data.kind === 'string' && data.kind.endsWith('List') && Array.isArray(data.items)) {
    return data.items.flatMap((item, i) => flatten(part(document, item, ['items', i])));
  }
  return [document];
}

function part(document: Document, data: unknown, prefix: Path): Document {
  return { data, range: document.locate(prefix, 'value'), locate: (path, at) => document.locate([...prefix, ...path], at) };
}

function jsonDocuments(source: Source, diagnostics: Diagnostics): Document[] {
  const root = parseJson(source, diagnostics);
  if (root === undefined) return [];
  return [{ data: jsonData(root), range: root.range, locate: (path, at) => locateJson(root, path, at) }];
}

function locateJson(root: JsonNode, path: Path, at: 'name' | 'value'): Range {
  let node = root;
  let range = root.range;
  for (const [i, step] of path.entries()) {
    if (node.kind === 'array' && typeof step === 'number' && node.items[step] !== undefined) {
      node = node.items[step];
      range = node.range;
    } else if (node.kind === 'object') {
      const entry = node.entries.findLast((e) => e.key === step);
      if (entry === undefined) return range;
      node = entry.value;
      range = at === 'name' && i === path.length - 1 ? entry.keyRange : entry.value.range;
    } else return range;
  }
  return range;
}

function yamlDocuments(source: Source, diagnostics: Diagnostics): Document[] {
  const { parseAllDocuments, isMap, isScalar, isSeq } = yaml();
  const all = parseAllDocuments(source.text, { maxAliasCount: 100, uniqueKeys: true } as Parameters<typeof parseAllDocuments>[1]);
  const docs = Array.isArray(all) ? all : [];
  const out: Document[] = [];
  for (const doc of docs) {
    for (const err of doc.errors) {
      const [start, end] = err.pos;
      diagnostics.error('Invalid YAML', err.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''), {
        source,
        start,
        end: Math.max(end, start),
      });
    }
    if (doc.errors.length > 0 || doc.contents === null) continue;
    const rangeOf = (node: unknown): Range | undefined => {
      const r = (node as { range?: readonly number[] | null } | null)?.range;
      return r === undefined || r === null ? undefined : { source, start: r[0]!, end: r[1]! };
    };
    const whole = rangeOf(doc.contents) ?? { source, start: 0, end: 0 };
    let data: unknown;
    try {
      data = doc.toJS({ maxAliasCount: 100 });
    } catch (err) {
      diagnostics.error('Invalid YAML', err instanceof Error ? err.message : String(err), whole);
      continue;
    }
    out.push({
      data,
      range: whole,
      locate(path, at) {
        let node: unknown = doc.contents;
        let range = whole;
        for (const [i, step] of path.entries()) {
          if (isSeq(node) && typeof step === 'number') {
            node = node.items[step];
            range = rangeOf(node) ?? range;
          } else if (isMap(node)) {
            const pair = node.items.find((p) => (isScalar(p.key) ? p.key.value : p.key) === step);
            if (pair === undefined) return range;
            node = pair.value;
            range =
              (at === 'name' && i === path.length - 1 ? rangeOf(pair.key) : (rangeOf(pair.value) ?? rangeOf(pair.key))) ?? range;
          } else return range;
        }
        return range;
      },
    });
  }
  return out;
}

/** Whether data looks like a job of Nomad's API rather than a resource. */
export function isApiJob(data: unknown): boolean {
  if (!isObject(data)) return false;
  const names = Object.keys(data).map((k) => k.toLowerCase());
  return (
    !('kind' in data) &&
    (names.includes('taskgroups') ||
      (names.includes('id') && names.includes('name')) ||
      (names.includes('job') && isApiJob(data[Object.keys(data).find((k) => k.toLowerCase() === 'job')!])))
  );
}

/** A Job from data: a resource (`kind: Job`) or a job of Nomad's API. */
export function jobOf(document: Document, diagnostics: Diagnostics): Job | undefined {
  const { data } = document;
  const report = (problems: readonly Problem[]): void => {
    for (const { path, at, severity, message } of problems) {
      const range = document.locate(path, at);
      const detail = /[.?]$/.test(message) ? message : `${message}.`;
      if (severity === 'warning') diagnostics.warning('Unknown field', detail, range);
      else diagnostics.error(at === 'name' ? 'Unknown field' : 'Invalid value', detail, range);
    }
  };
  if (isApiJob(data)) {
    const { job, problems } = fromNomadJob(data);
    report(problems);
    return job;
  }
  if (!isObject(data)) {
    diagnostics.error('Not a job', 'A job file holds HCL, a Job resource (kind: Job) or the JSON of a job.', document.range);
    return undefined;
  }
  const problems: Problem[] = [];
  if (data.kind !== 'Job') {
    diagnostics.error(
      'Not a job',
      `The kind of this object is ${JSON.stringify(data.kind ?? null)}; a Job is expected.`,
      document.locate(['kind'], 'value'),
    );
    return undefined;
  }
  if (data.apiVersion !== 'orch.dev/v1') {
    problems.push({ path: ['apiVersion'], at: 'value', severity: 'error', message: 'apiVersion must be "orch.dev/v1"' });
  }
  for (const name of Object.keys(data)) {
    if (!['apiVersion', 'kind', 'metadata', 'spec', 'status'].includes(name)) {
      problems.push({
        path: [name],
        at: 'name',
        severity: 'error',
        message: `There is no field ${JSON.stringify(name)} in a Job.`,
      });
    }
  }
  const metadata = isObject(data.metadata) ? data.metadata : {};
  if (data.metadata !== undefined && !isObject(data.metadata)) {
    problems.push({ path: ['metadata'], at: 'value', severity: 'error', message: 'Expected an object' });
  }
  const spec = isObject(data.spec) ? data.spec : {};
  if (!isObject(data.spec)) problems.push({ path: ['spec'], at: 'value', severity: 'error', message: 'spec is required' });
  const { id, stop, ...rest } = spec;
  const fields: Fields = decodePlain(rest, jobSchema, 'resource', problems, ['spec']);
  if (stop !== undefined && typeof stop !== 'boolean') {
    problems.push({ path: ['spec', 'stop'], at: 'value', severity: 'error', message: 'Expected true or false' });
  } else if (stop === true) fields.stop = true;
  const name = typeof metadata.name === 'string' ? metadata.name : undefined;
  const jobId = typeof id === 'string' ? id : name;
  if (jobId === undefined || jobId === '') {
    problems.push({ path: ['metadata', 'name'], at: 'value', severity: 'error', message: 'metadata.name is required' });
  } else if (name !== undefined && name !== resourceName(jobId)) {
    problems.push({
      path: ['spec', 'id'],
      at: 'value',
      severity: 'error',
      message: `metadata.name must be ${JSON.stringify(resourceName(jobId))} for this ID`,
    });
  }
  report(problems);
  const job = assembleJob(jobId ?? '', undefined, fields);
  return { ...job, metadata: { ...metadata, name: resourceName(jobId ?? '') } };
}
