import { JobVersionKind, type Job, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { goJson } from '../../io/go-json.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { jobHcl } from '../../jobfile/index.ts';
import { storedNomadJson } from '../../nomad/job.ts';
import { findJob, namespaceOf } from '../../lookup.ts';
import { jobVersionName } from '../../submit.ts';

export const jobInspect = defineClusterCommand({
  name: 'job inspect',
  formerNames: ['inspect'],
  summary: 'Show a job as JSON or as a job file',
  usage: '[options] <job>',
  description:
    "Prints the job in the form of Nomad's API, with every default filled in. The object itself: get job <name> -o yaml.",
  examples: [
    { text: 'The job as it is', command: 'job inspect example' },
    { text: 'As a job file', command: 'job inspect -hcl example' },
    { text: 'As it was', command: 'job inspect -version 0 example' },
  ],
  args: oneArgument('job'),
  completes: 'job',
  flags: {
    version: flag.integer('<version>', 'Show this version.'),
    hcl: flag.boolean('Print a job file.'),
    ...formatFlags,
  },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    const shown = flags.version === undefined ? job : await jobAtVersion(context, job, flags.version);
    if (flags.t !== undefined && wantsData(flags)) return sayData(context, flags, (await storedNomadJson(shown)).Job);
    say(context, flags.hcl ? await jobHcl(shown) : goJson(await storedNomadJson(shown)));
  },
});

/** The job with the spec that it had in a version. */
export async function jobAtVersion(context: ClusterContext, job: Stored<Job>, version: number): Promise<Stored<Job>> {
  const name = jobVersionName(job.metadata.name, job.metadata.uid, version);
  const found = await context.client.find(JobVersionKind, name, namespaceOf(job));
  if (found === undefined) throw new CommandError(`No version ${version} of job ${JSON.stringify(job.metadata.name)} is kept`);
  return {
    ...job,
    spec: found.spec.job,
    status: {
      ...job.status,
      version,
      stable: found.spec.stable === true,
      ...(found.spec.submittedAt !== undefined && { submittedAt: found.spec.submittedAt }),
      ...(found.spec.jobModifyIndex !== undefined && { modifyIndex: found.spec.jobModifyIndex }),
    },
  };
}
