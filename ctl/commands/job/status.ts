import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type Deployment,
  type Job,
  type Stored,
} from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { hint, say } from '../../io/streams.ts';
import { formatFlags, sayData, wantsData, type FormatFlags } from '../../io/output.ts';
import { localTime, roughly } from '../../io/time.ts';
import { findJob, listAll, namespaceOf } from '../../lookup.ts';
import { jobBasics, jobStatus as jobStatusView, unplaced } from '../../views/job.ts';
import { jobTable, nodeName } from '../../views/lists.ts';
import { newestFirst, view } from '../../views/view.ts';
import { allocationTroubles, placementAdvice, reasonLines } from '../../views/why.ts';
import { allNamespaces, verbose } from '../options.ts';

export const jobStatus = defineClusterCommand({
  name: 'job status',
  summary: 'List jobs, or show one of them',
  usage: '[options] [<job>]',
  description: 'Without a job: all jobs. With one, or a prefix of its ID that is unique: its groups, deployment and allocations.',
  examples: [
    { text: 'All jobs', command: 'job status' },
    { text: 'One of them', command: 'job status example' },
    { text: 'With its evaluations', command: 'job status -evals example' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes either no arguments or one: <job>' },
  completes: 'job',
  flags: {
    short: flag.boolean('Only the head.'),
    evals: flag.boolean('Show evaluations too.'),
    allAllocs: flag.boolean('Show allocations of earlier jobs of the same name too.'),
    verbose,
    ...formatFlags,
    allNamespaces,
  },
  async run({ args: [id], flags }, context) {
    if (id === undefined) return listJobs(context, flags);
    return showJob(context, await findJob(context, id), flags);
  },
});

export async function listJobs(
  context: ClusterContext,
  flags: FormatFlags & { readonly allNamespaces?: boolean },
): Promise<void> {
  const all = flags.allNamespaces === true || context.listNamespace === undefined;
  const jobs = await listAll({ ...context, listNamespace: all ? undefined : context.listNamespace }, JobKind);
  if (wantsData(flags)) return sayData(context, flags, jobs.map((await import('../../nomad/fetch.ts')).jobStub));
  say(context, jobs.length === 0 ? 'No running jobs' : jobTable(jobs, all));
}

export interface JobStatusFlags extends FormatFlags {
  readonly short?: boolean;
  readonly evals?: boolean;
  readonly allAllocs?: boolean;
  readonly verbose?: boolean;
}

export async function showJob(context: ClusterContext, job: Stored<Job>, flags: JobStatusFlags): Promise<void> {
  if (wantsData(flags)) return sayData(context, flags, (await (await import('../../nomad/job.ts')).storedNomadJson(job)).Job);
  const launch = await launchWords(context, job);
  if (flags.short === true) return say(context, jobBasics(job, launch));
  const verbose = flags.verbose === true;
  const namespace = namespaceOf(job);
  const ofJob = { namespace, fieldSelector: `spec.jobName=${job.metadata.name}` };
  const [allAllocations, allEvaluations, deployment, nodes] = await Promise.all([
    listAll(context, AllocationKind, ofJob),
    listAll(context, EvaluationKind, ofJob),
    latestDeployment(context, job),
    verbose ? listAll(context, NodeKind) : [],
  ]);
  const own = <T extends { spec: { jobUID?: string } }>(items: readonly T[]): T[] =>
    items.filter(({ spec }) => spec.jobUID === undefined || spec.jobUID === job.metadata.uid);
  say(
    context,
    jobStatusView(
      {
        job,
        allocations: flags.allAllocs === true ? allAllocations : own(allAllocations),
        evaluations: own(allEvaluations),
        deployment,
        launch,
        children: isTemplate(job) ? await childrenOf(context, job) : [],
        nodeNames: new Map(nodes.map((node) => [node.metadata.name, nodeName(node)])),
      },
      view(context.clock.now(), verbose, context.style),
      { evaluations: verbose || flags.evals === true },
    ),
  );
  const failed = unplaced(job, own(allEvaluations))?.status?.failedPlacements ?? {};
  const reasons = [
    ...placementAdvice(job, failed, Object.keys(failed).length === 0 || verbose ? nodes : await listAll(context, NodeKind)),
    ...allocationTroubles(
      own(allAllocations).filter(({ spec }) => spec.jobVersion === job.status?.version && spec.desired === 'run'),
    ),
  ];
  if (job.spec.stop !== true) for (const line of reasonLines(reasons, context.program)) hint(context, line);
}

const isTemplate = ({ spec }: Stored<Job>): boolean => spec.periodic !== undefined || spec.parameterized !== undefined;

/** `2026-11-21T02:00:00Z (3h5m from now)`, for periodic jobs. */
async function launchWords(context: ClusterContext, job: Stored<Job>): Promise<string | undefined> {
  if (job.spec.periodic === undefined || job.spec.parameterized !== undefined) return undefined;
  if (job.spec.stop === true) return 'none (job stopped)';
  const now = context.clock.now();
  const { nextLaunch } = await import('../../jobfile/index.ts');
  const next = await nextLaunch(job, now);
  return next === undefined ? undefined : `${localTime(next)} (${roughly((next - now) / 1000)} from now)`;
}

/** The jobs that were launched from one. */
async function childrenOf(context: ClusterContext, job: Stored<Job>): Promise<Stored<Job>[]> {
  const parent = job.spec.id ?? job.metadata.name;
  const all = await listAll(context, JobKind, { namespace: namespaceOf(job) });
  return all.filter(({ spec, metadata }) => spec.parentID === parent && metadata.uid !== job.metadata.uid);
}

/** The newest deployment of a job. */
export async function latestDeployment(context: ClusterContext, job: Stored<Job>): Promise<Stored<Deployment> | undefined> {
  return (await deploymentsOf(context, job))[0];
}

/** The deployments of a job, newest first. */
export async function deploymentsOf(context: ClusterContext, job: Stored<Job>): Promise<Stored<Deployment>[]> {
  const all = await listAll(context, DeploymentKind, {
    namespace: namespaceOf(job),
    fieldSelector: `spec.jobName=${job.metadata.name}`,
  });
  const own = all.filter(({ spec }) => spec.jobUID === job.metadata.uid);
  return newestFirst(
    own,
    ({ metadata, spec }) => `${String(spec.jobVersion).padStart(10, '0')} ${metadata.creationTimestamp}`,
    ({ metadata }) => metadata.name,
  );
}
