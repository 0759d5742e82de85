import { JobVersionKind, type Job, type JobVersion, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findJob } from '../../lookup.ts';
import { jobVersions, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';

export const jobTagApply = defineClusterCommand({
  name: 'job tag apply',
  summary: 'Give a version of a job a name',
  usage: '[options] <job>',
  description: 'A version with a name is kept when older ones are removed, and "job revert" takes the name.',
  examples: [{ text: 'The present version', command: 'job tag apply -name=golden example' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: {
    name: flag.string('<name>', 'The name.'),
    version: flag.integer('<version>', 'The version; the present one when absent.'),
  },
  next: ({ args: [id] }) => ({ text: 'See its versions', command: `job history ${id}` }),
  async run({ args: [id], flags }, context) {
    if (flags.name === undefined || flags.name === '') throw new CommandError('Say the name of the tag: -name=<name>');
    const job = await findJob(context, id!);
    const versions = await jobVersions(context, job);
    const wanted = flags.version ?? job.status?.version;
    const version = versions.find(({ spec }) => spec.version === wanted);
    if (version === undefined) throw new CommandError(`Error applying tag: Job version ${wanted} not found`);
    const taken = versions.find(({ spec }) => spec.tag === flags.name);
    if (taken !== undefined && taken !== version) throw new CommandError(`Error applying tag: tag "${flags.name}" already exists on a different version of job ${JSON.stringify(jobId(job))}`); // prettier-ignore
    await setTag(context, version, flags.name);
    say(context, `Job version ${wanted} tagged with name "${flags.name}"`);
  },
});

export const jobTagUnset = defineClusterCommand({
  name: 'job tag unset',
  summary: 'Take the name of a version away',
  usage: '[options] <job>',
  examples: [{ text: 'Forget a name', command: 'job tag unset -name=golden example' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: { name: flag.string('<name>', 'The name.') },
  next: ({ args: [id] }) => ({ text: 'See its versions', command: `job history ${id}` }),
  async run({ args: [id], flags }, context) {
    if (flags.name === undefined || flags.name === '') throw new CommandError('Say the name of the tag: -name=<name>');
    const job: Stored<Job> = await findJob(context, id!);
    const version = (await jobVersions(context, job)).find(({ spec }) => spec.tag === flags.name);
    if (version === undefined)
      throw new CommandError(`Error unsetting tag: tag "${flags.name}" not found on job ${JSON.stringify(jobId(job))}`);
    await setTag(context, version, null);
    say(context, `JobTag "${flags.name}" unset from job "${jobId(job)}"`);
  },
});

const setTag = (context: ClusterContext, { metadata }: Stored<JobVersion>, tag: string | null): Promise<unknown> =>
  submitting(context, tag === null ? 'Error unsetting tag' : 'Error applying tag', () =>
    context.client.patch(JobVersionKind, metadata.name, metadata.namespace, { spec: { tag } }),
  );
