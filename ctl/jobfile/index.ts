import { dirname } from 'node:path';
import type { EvaluationPlan, Job, JobVersion, Stored } from '../../openapi/index.ts';
import type { Context } from '../command.ts';
import { CommandError } from '../errors.ts';
import type { Diagnostic, JobOptions, JobTokens } from '../../jobspec/index.ts';
import { complain } from '../io/streams.ts';
import { readSource, type Source } from './source.ts';

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

/** The one job of a file, whatever form it has. */
export async function readJobFile(context: Context, path: string, flags: FileFlags): Promise<Job> {
  return (await readJob(context, path, flags)).job;
}

/** The one job of a file, with the tokens that an old file may hold: they are no part of a stored job. */
export async function readJob(
  context: Context,
  path: string,
  flags: FileFlags,
): Promise<{ readonly job: Job; readonly tokens: JobTokens }> {
  const source = await readSource(context, path);
  const { parseJob } = await jobspec();
  const result = parseJob(source, await parseOptions(context, source, flags));
  await tell(context, result);
  if (!result.ok) throw await refused(context, source, flags, result.diagnostics);
  return result;
}

/** Warns on stderr when the grammar that Nomad uses refuses a file that was accepted here: it would not work elsewhere. */
export async function askSecondOpinion(context: Context, path: string): Promise<void> {
  if (path === '-' || !/\.(nomad|hcl)$/.test(path)) return;
  const { secondOpinion, Source } = await jobspec();
  const { text, filename } = await readSource(context, path);
  if (/^\s*\{/.test(text)) return; // HCL's JSON form has another grammar
  const opinion = await secondOpinion(new Source(text, filename));
  if (!opinion.accepts) complain(context, `Warning: HashiCorp's parser of HCL refuses this file: ${opinion.message}`);
}

/** What may be read and said by a file beside its own text. */
export async function parseOptions(context: Context, source: Source, flags: FileFlags): Promise<JobOptions> {
  const { filesBelow } = await jobspec();
  const { cwd } = context.io;
  return {
    env: context.env,
    hcl1: flags.hcl1 === true,
    variables: flags.var ?? [],
    varFiles: await Promise.all((flags.varFile ?? []).map((path) => readSource(context, path))),
    files: filesBelow(source.path === undefined ? cwd : dirname(source.path)),
  };
}

/** Says on stderr what is odd about a file that can be used. */
export async function tell(context: Context, { ok, diagnostics }: Read): Promise<void> {
  if (ok && diagnostics.length > 0) complain(context, await problems(context, diagnostics));
}

/** Says what is wrong with a file; when it is one that the older grammar takes, says that, too. */
async function refused(
  context: Context,
  source: Source,
  flags: FileFlags,
  diagnostics: readonly Diagnostic[],
): Promise<CommandError> {
  const { takenByHcl1 } = await jobspec();
  const heading =
    flags.hcl1 !== true && takenByHcl1(source)
      ? `Failed to parse using HCL 2. Use the HCL 1 parser with \`${context.program} run -hcl1\`, or address the following issues:`
      : `Error parsing job file from ${source.filename}:`;
  return new CommandError(`Error getting job struct: ${heading}\n${await problems(context, diagnostics)}`);
}

interface Read {
  readonly ok: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

export async function problems(context: Context, diagnostics: readonly Diagnostic[]): Promise<string> {
  const { formatDiagnostics } = await jobspec();
  return formatDiagnostics(diagnostics, { colors: context.style.colors });
}

/** A job as Nomad's API has it. */
export async function nomadJson(job: Job, tokens: JobTokens): Promise<unknown> {
  const { toNomadJob } = await jobspec();
  return { Job: toNomadJob(job, tokens) };
}

/** A job as a job file. */
export async function jobHcl(job: Job): Promise<string> {
  const { formatHcl } = await jobspec();
  return formatHcl(job).trimEnd();
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

/** Which of the changes restart tasks, and why. */
export async function planImpact(existing: Job | undefined, planned: Job): Promise<string> {
  const { diffJobs, formatImpacts, impacts } = await jobspec();
  return formatImpacts(impacts(diffJobs(existing, planned, { complete: true })));
}

/** The difference in the form of Nomad's API. */
export async function planDiffData(existing: Job | undefined, planned: Job, plan: EvaluationPlan): Promise<unknown> {
  const { diffJobs, diffToJson } = await jobspec();
  return diffToJson(diffJobs(existing, planned, { plan }));
}

/** What a version changed. */
export async function versionDiff(before: Stored<JobVersion>, after: Stored<JobVersion>): Promise<string> {
  const { diffJobs, formatJobDiff } = await jobspec();
  const jobOf = ({ spec }: Stored<JobVersion>): Job => ({ metadata: { name: spec.jobName }, spec: spec.job });
  return formatJobDiff(diffJobs(jobOf(before), jobOf(after)), { verbose: false });
}

/** When a periodic job runs next. */
export async function nextLaunch(job: Job, after: number): Promise<number | undefined> {
  const { periodic } = job.spec;
  if (periodic === undefined || periodic.enabled === false) return undefined;
  const schedule = await import('../../openapi/launch/schedule.ts');
  return schedule.nextLaunch(periodic, after);
}
