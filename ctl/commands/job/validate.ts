import { isReason } from '../../../base/index.ts';
import { JobKind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { CommandError, explainApiError } from '../../errors.ts';
import { hint, say } from '../../io/streams.ts';
import { askSecondOpinion, readJobFile } from '../../jobfile/index.ts';
import { jobProblems } from '../../views/problems.ts';
import { create, update } from '../../write.ts';
import { sayWarnings } from './warnings.ts';
import { variables } from '../options.ts';

export const jobValidate = defineClusterCommand({
  name: 'job validate',
  aliases: ['validate'],
  summary: 'Check a job file',
  usage: '[options] <path>',
  description: 'Reads a job file ("-" reads it from standard input) and has the server check it as if it were submitted. Nothing is changed. A job is valid that this version of orch cannot run yet; "plan" and "run" refuse it, and here a hint says so.', // prettier-ignore
  examples: [{ text: 'Check a file', command: 'job validate example.nomad' }],
  args: oneArgument('path'),
  completes: 'file',
  flags: { hcl1: flag.boolean('Accept the looser syntax of earlier job files.', { hidden: true }), ...variables },
  async run({ args: [path], flags }, context) {
    const job = await readJobFile(context, path!, flags);
    if (!flags.hcl1) await askSecondOpinion(context, path!);
    const namespace = job.metadata.namespace ?? context.namespace;
    // The name of a job that exists would be in the way of a creation, dry or not.
    const existing = await context.client.find(JobKind, job.metadata.name!, namespace);
    try {
      const { warnings } =
        existing === undefined
          ? await create(context, JobKind, { ...job, metadata: { ...job.metadata, namespace } }, { dryRun: true })
          : await update(context, JobKind, { ...job, metadata: existing.metadata }, { dryRun: true });
      sayWarnings(context, warnings);
    } catch (error) {
      const unbuilt = isReason(error, 'Invalid') ? (error.details.causes ?? []) : [];
      if (unbuilt.length > 0 && unbuilt.every(({ reason }) => reason === 'FeatureNotBuilt')) {
        say(context, 'Job validation successful');
        const reasons = unbuilt.map(({ field, message }) => `  ${field?.replace(/^spec\./, '')}: ${message}`);
        hint(context, [`"${context.program} run" refuses this job, since orch cannot run it yet:`, ...reasons].join('\n'));
        return;
      }
      if (isReason(error, 'Invalid') && (error.details.causes ?? []).length > 0)
        throw new CommandError(`Job validation errors:\n${jobProblems(job, error.details.causes ?? [])}`, 1, { cause: error });
      if (isReason(error, 'Invalid', 'BadRequest'))
        throw new CommandError(`Job validation errors:\n${explainApiError(error, context.program)}`, 1, { cause: error });
      throw error;
    }
    say(context, 'Job validation successful');
  },
});
