import type { Job } from '../openapi/index.ts';
import { Diagnostics, type Diagnostic } from './hcl/diagnostic.ts';
import type { FileAccess } from './hcl/functions/files.ts';
import { Source, type Range } from './hcl/source.ts';
import { isApiJob, jobOf, readDocuments } from './job/manifest.ts';
import { parseHclJob } from './job/parse.ts';
import { isObject } from './job/plain.ts';
import type { VariableInputs } from './job/variables.ts';
import type { JobTokens } from './nomad/index.ts';

export interface JobOptions extends VariableInputs {
  /** Where `file()` and its like may look; without it they refuse. */
  readonly files?: FileAccess;
  /** Read the file as HCL 1, in which `${…}` is text and there are no expressions. */
  readonly hcl1?: boolean;
  readonly now?: () => Date;
}

export type JobResult =
  | {
      readonly ok: true;
      readonly job: Job;
      readonly tokens: JobTokens;
      /** Warnings only. */
      readonly diagnostics: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly job?: undefined; readonly diagnostics: readonly Diagnostic[] };

/**
 * Reads a job: HCL (native or JSON syntax), a Job resource in YAML or JSON, or the JSON of Nomad's API. What it is, is told by the content.
 *
 * @example
 * const result = parseJob({ text: 'job "hello" { group "g" { task "t" { driver = "raw_exec" } } }', filename: 'hello.nomad' });
 * if (!result.ok) throw new DiagnosticsError(result.diagnostics);
 */
export function parseJob(file: { readonly text: string; readonly filename: string }, options: JobOptions = {}): JobResult {
  const source = new Source(file.text, file.filename);
  const form = formOf(source);
  if (form === 'hcl') {
    const { job, tokens, diagnostics } = parseHclJob(source, options, {
      files: options.files,
      now: options.now,
      hcl1: options.hcl1 === true,
    });
    return finish(job, tokens, diagnostics);
  }
  const diagnostics = new Diagnostics();
  const documents = readDocuments(source, diagnostics).filter((d) => d.data !== null);
  if (documents.length === 0 && !diagnostics.failed) diagnostics.error('Missing job', 'The file is empty: a job is required.');
  for (const extra of documents.slice(1)) {
    diagnostics.error(
      'More than one object',
      'A job file holds one job; `apply -f` takes files with several objects.',
      extra.range,
    );
  }
  const job = documents[0] === undefined ? undefined : jobOf(documents[0], diagnostics);
  return finish(job, {}, diagnostics.list);
}

function finish(job: Job | undefined, tokens: JobTokens, diagnostics: readonly Diagnostic[]): JobResult {
  if (job === undefined || diagnostics.some((d) => d.severity === 'error')) return { ok: false, diagnostics };
  return { ok: true, job, tokens, diagnostics };
}

/**
 * Whether a file that was refused is one that the older grammar (HCL 1) takes, which is weaker about values: numbers are cut, switches count
 * as numbers, and some blocks may be repeated.
 */
export function takenByHcl1(file: { readonly text: string; readonly filename: string }): boolean {
  const source = new Source(file.text, file.filename);
  if (formOf(source) !== 'hcl') return false;
  const { diagnostics } = parseHclJob(source, {}, { files: undefined, now: undefined, hcl1: true });
  return diagnostics.every((d) => d.severity === 'warning' || isWeaker(d));
}

function isWeaker({ summary, range }: Diagnostic): boolean {
  if (/^Duplicate (config|meta|env) block$/.test(summary)) return true;
  if (!/^(Unsuitable value type|Incorrect attribute value type)$/.test(summary) || range === undefined) return false;
  return /^(true|false|-?[\d.]+)\s*(#.*|\/\/.*)?(\n|$)/.test(range.source.text.slice(range.start));
}

/** HCL's JSON syntax has a property for each top-level block; a JSON text with anything else is an object. */
function formOf(source: Source): 'hcl' | 'objects' {
  const { text } = source;
  const first = /^\ufeff?\s*(?:(?:#|\/\/)[^\n]*\n\s*|\/\*[\s\S]*?\*\/\s*)*/.exec(text)![0].length;
  if (text[first] === '{') {
    try {
      const data: unknown = JSON.parse(text);
      return isObject(data) && !isApiJob(data) && data.kind === undefined && data.apiVersion === undefined ? 'hcl' : 'objects';
    } catch {
      return 'objects';
    }
  }
  if (/\.ya?ml$/i.test(source.filename)) return 'objects';
  if (/\.(hcl|nomad|tf)$/i.test(source.filename)) return 'hcl';
  // A text without a telling name: a line `word:` (or a document marker) is YAML, anything else HCL.
  return /^(---|- |[A-Za-z][\w.-]*:(\s|$))/.test(text.slice(first)) ? 'objects' : 'hcl';
}

export type ManifestResult =
  | {
      readonly ok: true;
      readonly objects: readonly { readonly object: Record<string, unknown>; readonly range: Range }[];
      readonly diagnostics: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * Reads any file that `apply -f` takes: a job file in whatever form, or resources in YAML (several documents) and JSON (lists). Jobs are checked
 * field by field here; objects of other kinds by the server.
 */
export function parseManifests(
  file: { readonly text: string; readonly filename: string },
  options: JobOptions = {},
): ManifestResult {
  const source = new Source(file.text, file.filename);
  if (formOf(source) === 'hcl') {
    const result = parseJob(file, options);
    if (!result.ok) return result;
    const range: Range = { source, start: 0, end: 0 };
    return {
      ok: true,
      objects: [{ object: result.job, range }],
      diagnostics: result.diagnostics,
    };
  }
  const diagnostics = new Diagnostics();
  const objects: { object: Record<string, unknown>; range: Range }[] = [];
  for (const document of readDocuments(source, diagnostics)) {
    const { data, range } = document;
    if (data === null || data === undefined) continue;
    if (isApiJob(data) || (isObject(data) && data.kind === 'Job')) {
      const job = jobOf(document, diagnostics);
      if (job !== undefined) objects.push({ object: job, range });
    } else if (isObject(data) && typeof data.kind === 'string' && typeof data.apiVersion === 'string')
      objects.push({ object: data, range });
    else diagnostics.error('Not an object', 'Every object names its apiVersion and kind.', range);
  }
  return diagnostics.failed ? { ok: false, diagnostics: diagnostics.list } : { ok: true, objects, diagnostics: diagnostics.list };
}
