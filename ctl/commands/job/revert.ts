import type { Job, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { hint } from '../../io/streams.ts';
import { findJob, namespaceOf } from '../../lookup.ts';
import { changeJob, followSubmission, jobVersions, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';
import { detach, verbose } from '../options.ts';

export const jobRevert = defineClusterCommand({
  name: 'job revert',
  summary: 'Go back to an earlier version of a job',
  usage: '[options] <job> <version|tag>',
  description: 'Submits an earlier version again, which makes it a new one. Allocations that it does not change go on.',
  examples: [{ text: 'Back to the first version', command: 'job revert example 0' }],
  args: { min: 2, max: 2, rule: 'This command takes two arguments: <job> <version>' },
  completes: 'job',
  flags: { detach, verbose },
  run: async ({ args: [id, wanted], flags }, context) => revertJob(context, await findJob(context, id!), wanted!, flags),
});

/** Submits a version, by its number or tag, again. */
export async function revertJob(
  context: ClusterContext,
  job: Stored<Job>,
  wanted: string | number,
  flags: { readonly detach: boolean; readonly verbose: boolean },
): Promise<number> {
  const versions = await jobVersions(context, job);
  const target = versions.find(({ spec }) => String(spec.version) === String(wanted) || spec.tag === wanted);
  if (target === undefined) {
    hint(context, `Versions that are kept: ${versions.map(({ spec }) => spec.version).join(', ')}. See: ${context.program} job history ${jobId(job)}`); // prettier-ignore
    const what = /^\d+$/.test(String(wanted)) ? `version ${wanted}` : `version with the tag ${JSON.stringify(wanted)}`;
    throw new CommandError(`Job ${JSON.stringify(jobId(job))} in namespace ${JSON.stringify(namespaceOf(job))} has no ${what}`);
  }
  if (target.spec.version === job.status?.version)
    throw new CommandError(
      `Version ${target.spec.version} is the current one of job ${JSON.stringify(jobId(job))}: there is nothing to revert`,
    );
  const submission = await submitting(context, 'Error reverting job', () => changeJob(context, job, () => target.spec.job));
  return followSubmission(context, submission, flags, `Evaluation ID: ${submission.evaluation}`);
}
