import { DeploymentKind, type Deployment, type Job, type Stored } from '../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../command.ts';
import { CommandError, exitCodes, Interrupted } from '../errors.ts';
import { say } from '../io/streams.ts';
import { findDeployment, findJob, namespaceOf } from '../lookup.ts';
import { followDeployment } from '../monitor/deployment.ts';
import { monitorLines } from '../monitor/lines.ts';
import { jobVersions } from '../submit.ts';
import { jobId } from '../views/lists.ts';
import { table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';
import { wish } from './deployment/wish.ts';
import { restartJob } from './job/restart.ts';
import { revertJob } from './job/revert.ts';
import { latestDeployment } from './job/status.ts';
import { detach, verbose } from './options.ts';

/** `job/example`, `example`, or `deployment/<id>`: rollouts go by the job. */
async function rolled(context: ClusterContext, words: readonly string[]): Promise<Stored<Job>> {
  const [first, second] = words;
  const [kind, name] = second !== undefined ? [first!, second] : first!.includes('/') && /^(jobs?|jo|deployments?|deploy)\//.test(first!) ? [first!.slice(0, first!.indexOf('/')), first!.slice(first!.indexOf('/') + 1)] : ['job', first!]; // prettier-ignore
  if (/^deploy/.test(kind)) return findJob(context, (await findDeployment(context, name)).spec.jobName);
  if (!/^(jobs?|jo)$/.test(kind)) throw new CommandError(`Only jobs are rolled out, not "${kind}"`);
  return findJob(context, name);
}

async function deploymentOf(context: ClusterContext, job: Stored<Job>): Promise<Stored<Deployment>> {
  const deployment = await latestDeployment(context, job);
  if (deployment === undefined)
    throw new CommandError(`Job ${JSON.stringify(jobId(job))} has no deployment: only service jobs with an update block have`);
  return deployment;
}

const args = { min: 1, max: 2, rule: 'This command takes a job: job/<name>' };

export const rolloutStatus = defineClusterCommand({
  name: 'rollout status',
  summary: "Follow a job's rollout to its end",
  usage: '[options] job/<name>',
  examples: [{ text: 'In a pipeline', command: 'rollout status job/example' }],
  args,
  completes: 'job',
  flags: { watch: flag.tristate('Follow it; on unless -watch=false.', { short: 'w' }), verbose },
  async run({ args: words, flags }, context) {
    const job = await rolled(context, words);
    const deployment = await deploymentOf(context, job);
    const phase = deployment.status?.phase ?? 'pending';
    if (flags.watch === false || ['successful', 'failed', 'cancelled'].includes(phase)) {
      const id = deployment.metadata.name.slice(0, 8);
      say(context, `deployment "${id}" of job ${JSON.stringify(jobId(job))}: ${phase}: ${deployment.status?.description ?? ''}`);
      return phase === 'failed' || phase === 'cancelled' ? exitCodes.failed : exitCodes.ok;
    }
    return context.interruptible(async (signal) => {
      const options = { namespace: namespaceOf(job), verbose: flags.verbose };
      const code = await followDeployment(context, deployment.metadata.name, options, monitorLines(context), signal);
      if (signal.aborted) throw new Interrupted('\nStopped watching; the deployment goes on.');
      return code;
    });
  },
});

export const rolloutHistory = defineClusterCommand({
  name: 'rollout history',
  summary: "List a job's versions",
  usage: '[options] job/<name>',
  examples: [{ text: 'Which versions there were', command: 'rollout history job/example' }],
  args,
  completes: 'job',
  async run({ args: words }, context) {
    const versions = await jobVersions(context, await rolled(context, words));
    say(
      context,
      table([
        ['Version', 'Stable', 'Submit Date'],
        ...versions.map(({ spec }) => [spec.version, spec.stable === true, localTime(spec.submittedAt)]),
      ]),
    );
  },
});

export const rolloutUndo = defineClusterCommand({
  name: 'rollout undo',
  summary: 'Go back to an earlier version of a job',
  usage: '[options] job/<name>',
  examples: [{ text: 'To a certain one', command: 'rollout undo job/example -to-revision=2' }],
  args,
  completes: 'job',
  flags: { toRevision: flag.integer('<version>', 'To this version instead of the one before.'), detach, verbose },
  async run({ args: words, flags }, context) {
    const job = await rolled(context, words);
    const current = job.status?.version ?? 0;
    const wanted = flags.toRevision ?? current - 1;
    if (wanted < 0) throw new CommandError(`Job ${JSON.stringify(jobId(job))} has no version before ${current}`);
    return revertJob(context, job, wanted, flags);
  },
});

export const rolloutRestart = defineClusterCommand({
  name: 'rollout restart',
  summary: "Replace a job's allocations, a few at a time",
  usage: '[options] job/<name>',
  examples: [{ text: 'Two at a time', command: 'rollout restart job/example -batch-size=2' }],
  args,
  completes: 'job',
  flags: {
    batchSize: flag.string('<n>', 'How many at once, as a number or a percentage. Default 1.'),
    onError: flag.string(
      '<what>',
      'ask: how to go on after a batch that failed. fail: end then. Default ask on a terminal, else fail.',
    ),
    yes: flag.boolean('Go on after failures without a question.', { short: 'y' }),
  },
  run: async ({ args: words, flags }, context) =>
    restartJob(context, await rolled(context, words), { ...flags, reschedule: true }),
});

const wishCommand = (name: 'pause' | 'resume', patch: { readonly paused: boolean }, what: string) =>
  defineClusterCommand({
    name: `rollout ${name}`,
    summary: name === 'pause' ? "Pause a job's rollout" : "Go on with a job's rollout",
    usage: '[options] job/<name>',
    examples: [
      {
        text: name === 'pause' ? 'Replace no more allocations for now' : 'Go on where it was paused',
        command: `rollout ${name} job/example`,
      },
    ],
    args,
    completes: 'job',
    flags: { detach, verbose },
    async run({ args: words, flags }, context) {
      const deployment = await deploymentOf(context, await rolled(context, words));
      const current = await context.client.get(DeploymentKind, deployment.metadata.name, deployment.metadata.namespace);
      return wish(
        context,
        current,
        { ...flags, detach: flags.detach || patch.paused },
        {
          what,
          patch,
          accepted: `Deployment "${current.metadata.name}" ${name}d`,
          evaluates: !patch.paused,
        },
      );
    },
  });

export const rolloutPause = wishCommand('pause', { paused: true }, 'pausing');
export const rolloutResume = wishCommand('resume', { paused: false }, 'resuming');
