import type { Job, JobVersion, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { goJson } from '../../io/go-json.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { styleDiff } from '../../io/style.ts';
import { versionDiff } from '../../jobfile/index.ts';
import { storedNomadJson } from '../../nomad/job.ts';
import { findJob } from '../../lookup.ts';
import { jobVersions } from '../../submit.ts';
import { versionText } from '../../views/history.ts';
import { jobAtVersion } from './inspect.ts';

export const jobHistory = defineClusterCommand({
  name: 'job history',
  summary: 'Show the versions of a job',
  usage: '[options] <job>',
  description: 'Newest first. A version is stable when its rollout succeeded; "job revert" goes back to one.',
  examples: [
    { text: 'With what each version changed', command: 'job history -p example' },
    { text: 'One version, whole', command: 'job history -full -version 0 example' },
  ],
  args: oneArgument('job'),
  completes: 'job',
  flags: {
    p: flag.boolean('Show what each version changed.', { also: ['diff'] }),
    full: flag.boolean('Show each version whole.'),
    version: flag.integer('<version>', 'Show only this version.'),
    ...formatFlags,
  },
  async run({ args: [id], flags }, context) {
    if ((flags.json || flags.t !== undefined) && flags.p) throw new CommandError('-json and -p cannot be used together');
    if (flags.full && flags.p) throw new CommandError('-full and -p cannot be used together');
    const job = await findJob(context, id!);
    const versions = await jobVersions(context, job);
    const shown = flags.version === undefined ? versions : versions.filter(({ spec }) => spec.version === flags.version);
    if (shown.length === 0 && flags.version !== undefined) throw new CommandError(`Job version ${flags.version} not found`);
    if (wantsData(flags)) {
      const jobs = await Promise.all(shown.map(async ({ spec }) => inner(await jobAtVersion(context, job, spec.version))));
      return sayData(context, flags, flags.version === undefined ? jobs : jobs[0]);
    }
    const parts: string[] = [];
    for (const version of shown) parts.push(versionText(version, await extra(context, job, version, versions, flags)));
    say(context, parts.join('\n\n'));
  },
});

async function extra(
  context: ClusterContext,
  job: Stored<Job>,
  version: Stored<JobVersion>,
  all: readonly Stored<JobVersion>[],
  flags: { readonly p: boolean; readonly full: boolean },
): Promise<[string, string] | undefined> {
  if (flags.full) {
    const whole = await inner(await jobAtVersion(context, job, version.spec.version));
    return ['Full', `JSON Job:\n${goJson(whole)}`];
  }
  const before = all.find(({ spec }) => spec.version === version.spec.version - 1);
  if (!flags.p || before === undefined) return undefined;
  return ['Diff', `\n${styleDiff((await versionDiff(before, version)).trim(), context.style)}`];
}

/** The job itself, out of the envelope of Nomad's JSON. */
const inner = async (job: Stored<Job>): Promise<unknown> => (await storedNomadJson(job)).Job;
