import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import type { AnyObject, EvaluationPlan, Job, JobVersion, Stored } from '../../openapi/index.ts';
import type { Context } from '../command.ts';
import { CommandError } from '../errors.ts';
import { readStdin } from '../io/streams.ts';

/**
 * The files that commands take: job files (HCL), jobs as JSON, manifests. What is in them is the business of jobspec, which is
 * loaded only once there is a file to read.
 */
const jobspec = () => import('../../jobspec/index.ts');

export interface FileFlags {
  readonly var?: readonly string[];
  readonly varFile?: readonly string[];
  readonly hcl1?: boolean;
}

interface Source {
  readonly text: string;
  /** As users know it; `-` is standard input. */
  readonly filename: string;
}

async function readSource({ io }: Context, path: string): Promise<Source> {
  if (path === '-') return { text: await readStdin(io), filename: 'stdin' };
  try {
    return { text: await readFile(resolve(io.cwd, path), 'utf8'), filename: path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const because = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : (error as Error).message;
    throw new CommandError(`Error getting job struct: Cannot read ${path}: ${because}`);
  }
}

/** The one job of a file, whatever form it has. */
export async function readJobFile(context: Context, path: string, flags: FileFlags): Promise<Job> {
  return parseOne(context, await readSource(context, path), flags);
}

async function parseOne(context: Context, source: Source, flags: FileFlags): Promise<Job> {
  const { parseJob, formatDiagnostics } = await jobspec();
  const varFiles = await Promise.all((flags.varFile ?? []).map((path) => readSource(context, path)));
  const result = parseJob(source, {
    variables: flags.var ?? [],
    varFiles,
    env: context.env,
    ...(flags.hcl1 === true && { hcl1: true }),
  });
  if (result.job === undefined)
    throw new CommandError(
      `Error getting job struct: ${formatDiagnostics(result.diagnostics, { colors: context.style.bold('x') !== 'x' })}`,
    );
  return result.job;
}

export interface Manifest {
  readonly object: AnyObject;
  /** Where it was read, for errors. */
  readonly source: string;
}

const jobFiles = new Set(['.nomad', '.hcl']);
const manifestFiles = new Set(['.json', '.yaml', '.yml']);

/** Everything that files and folders describe, in the order of their names. All of it is read before anything is returned. */
export async function readManifests(context: Context, paths: readonly string[], flags: FileFlags): Promise<Manifest[]> {
  const files = (await Promise.all(paths.map((path) => expand(context, path)))).flat();
  const read = await Promise.all(files.map(async (path) => manifestsOf(context, await readSource(context, path), flags)));
  const manifests = read.flat();
  if (manifests.length === 0) throw new CommandError(`${paths.join(', ')}: nothing to be found`);
  return manifests;
}

async function expand({ io }: Context, path: string): Promise<string[]> {
  if (path === '-') return [path];
  const info = await stat(resolve(io.cwd, path)).catch(() => undefined);
  if (info?.isDirectory() !== true) return [path];
  const names = (await readdir(resolve(io.cwd, path))).sort();
  return names.filter((name) => jobFiles.has(extname(name)) || manifestFiles.has(extname(name))).map((name) => join(path, name));
}

async function manifestsOf(context: Context, source: Source, flags: FileFlags): Promise<Manifest[]> {
  const extension = extname(basename(source.filename));
  const looksLikeHcl =
    jobFiles.has(extension) ||
    (!manifestFiles.has(extension) && /^\s*(?:#.*|\/\/.*|\s)*(job|variable|locals)\b/.test(source.text));
  if (looksLikeHcl) return [{ object: asObject(await parseOne(context, source, flags)), source: source.filename }];

  const { parseAllDocuments } = await import('yaml');
  const documents = parseAllDocuments(source.text);
  const found: Manifest[] = [];
  for (const [at, document] of (Array.isArray(documents) ? documents : []).entries()) {
    const where = documents.length > 1 ? `${source.filename} (document ${at + 1})` : source.filename;
    const [problem] = document.errors;
    if (problem !== undefined) throw new CommandError(`${source.filename}: ${problem.message}`);
    const value: unknown = document.toJS();
    if (value === null || value === undefined) continue;
    found.push(...(await unpack(context, value, where, source, flags)));
  }
  return found;
}

/** An object, a list of them, or a job in Nomad's JSON. */
async function unpack(context: Context, value: unknown, where: string, source: Source, flags: FileFlags): Promise<Manifest[]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CommandError(`${where}: an object with apiVersion and kind is needed`);
  const object = value as Partial<AnyObject> & { items?: unknown };
  if (object.apiVersion === undefined && object.kind === undefined)
    return [{ object: asObject(await parseOne(context, source, flags)), source: where }];
  if (object.kind?.endsWith('List') === true && Array.isArray(object.items))
    return (await Promise.all(object.items.map((item: unknown) => unpack(context, item, where, source, flags)))).flat();
  if (object.metadata?.name === undefined)
    throw new CommandError(`${where}: ${object.kind ?? 'the object'} has no metadata.name`);
  return [{ object: object as AnyObject, source: where }];
}

const asObject = (job: Job): AnyObject => ({ ...job, apiVersion: 'orch.dev/v1', kind: 'Job' });

/** A job as Nomad's API has it. */
export async function nomadJson(job: Job): Promise<unknown> {
  const { toNomadJob } = await jobspec();
  return { Job: toNomadJob(job) };
}

/** What differs between a job and the planned one, with what the scheduler would do about it. */
export async function planDiff(
  existing: Job | undefined,
  planned: Job,
  plan: EvaluationPlan,
  options: { readonly verbose: boolean },
): Promise<string> {
  const { diffJobs, formatJobDiff } = await jobspec();
  return formatJobDiff(diffJobs(existing, planned, { plan }), options);
}

/** What a version changed. */
export async function versionDiff(before: Stored<JobVersion>, after: Stored<JobVersion>): Promise<string> {
  const { diffJobs, formatJobDiff } = await jobspec();
  const jobOf = ({ spec }: Stored<JobVersion>): Job => ({ metadata: { name: spec.jobName }, spec: spec.job });
  return formatJobDiff(diffJobs(jobOf(before), jobOf(after)), { verbose: false });
}

/** What is allowed in a job and probably not meant; undefined when there is nothing. */
export async function warnings(job: Job): Promise<string | undefined> {
  const { jobWarnings } = await jobspec();
  return jobWarnings(job);
}

/** When a periodic job runs next. */
export async function nextLaunch(job: Job, after: number): Promise<number | undefined> {
  const { periodic } = job.spec;
  const patterns = [...(periodic?.crons ?? []), ...(periodic?.cron === undefined ? [] : [periodic.cron])];
  if (periodic?.enabled === false || patterns.length === 0) return undefined;
  const { Cron } = await import('croner');
  const next = patterns.flatMap((pattern) => {
    const at = new Cron(pattern, { timezone: periodic?.timeZone || 'UTC' }).nextRun(new Date(after));
    return at === null ? [] : [at.getTime()];
  });
  return next.length === 0 ? undefined : Math.min(...next);
}
