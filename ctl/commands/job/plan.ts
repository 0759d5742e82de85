import { uuid } from '../../../base/index.ts';
import { EvaluationKind, JobKind, type Evaluation, type EvaluationPlan, type Job, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError, exitCodes, explain, Interrupted } from '../../errors.ts';
import { complain, say } from '../../io/streams.ts';
import { styleDiff } from '../../io/style.ts';
import { formatFlags, sayData, wantsData, type FormatFlags } from '../../io/output.ts';
import { planDiff, planDiffData, planImpact, readJobFile } from '../../jobfile/index.ts';
import { warningText } from '../../write.ts';
import { planText, wouldChangeAllocations } from '../../views/plan.ts';
import { submitting } from '../../submit.ts';
import { waitFor } from '../../watch.ts';
import { create } from '../../write.ts';
import { variables, verbose } from '../options.ts';

export const jobPlan = defineClusterCommand({
  name: 'job plan',
  aliases: ['plan'],
  summary: 'Show what running a job would do',
  usage: '[options] <path>',
  description:
    'Asks the scheduler what it would do with the job of a file ("-" reads it from standard input), without doing it: what ' +
    'differs from the job as it is, how many allocations would be created, updated or stopped, and what could not be placed.\n\n' +
    'The exit code is 0 when no allocation would be created or destroyed, 1 when some would be, 255 when no plan could be made.',
  examples: [
    { text: 'Before a change', command: 'job plan example.nomad' },
    { text: 'With every field', command: 'job plan -verbose example.nomad' },
    { text: 'Which changes restart tasks, and why', command: 'job plan -impact example.nomad' },
  ],
  args: oneArgument('path'),
  completes: 'file',
  flags: {
    diff: flag.tristate('Show the difference between the job as it is and the planned one; on unless -diff=false.'),
    impact: flag.boolean('Also tell for each change whether it restarts tasks, and why.'),
    verbose,
    ...formatFlags,
    hcl1: flag.boolean('Accept the looser syntax of earlier job files.', { hidden: true }),
    ...variables,
  },
  run: ({ args: [path], flags }, context) =>
    asPlanFailure(context, async () => {
      const job = await readJobFile(context, path!, flags);
      const { evaluation, warnings } = await submitting(context, 'Error during plan', () => dryRun(context, job), job);
      const plan = evaluation.status?.plan;
      if (plan === undefined)
        throw new CommandError(`Error during plan: ${evaluation.status?.description ?? 'the scheduler gave no answer'}`);
      // The server has filled the defaults in, as it has in the job that is compared with.
      const planned: Job = { metadata: job.metadata, spec: evaluation.spec.dryRun?.job ?? job.spec };
      const notes = warningText([...new Set([...warnings, ...(plan.warnings ?? [])])]);
      if (wantsData(flags)) await sayPlanData(context, planned, plan, notes, flags);
      else say(context, await render(context, path!, planned, plan, notes, flags));
      return wouldChangeAllocations(plan) ? exitCodes.failed : exitCodes.ok;
    }),
});

/** Every failure has the exit code of its own that plans have, so that it is not taken for "something would change". */
async function asPlanFailure(context: ClusterContext, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const message = error instanceof CommandError ? error.message : explain(error, context.program);
    throw new CommandError(message, exitCodes.planFailed, { cause: error });
  }
}

/** Has the scheduler answer an evaluation that is not to be carried out. */
async function dryRun(
  context: ClusterContext,
  job: Job,
): Promise<{ evaluation: Stored<Evaluation>; warnings: readonly string[] }> {
  const { client, clock } = context;
  const namespace = job.metadata.namespace ?? context.namespace;
  const { object: created, warnings } = await create(context, EvaluationKind, {
    metadata: { name: uuid(), namespace },
    spec: { jobName: job.metadata.name!, trigger: 'job-register', dryRun: { job: job.spec } },
  });
  return context.interruptible(async (signal) => {
    const waiting = clock.after(10_000, () =>
      complain(context, `Nothing has answered for 10s. Is a scheduler running? ("${context.program} scheduler")`),
    );
    try {
      const answered = await waitFor(client, EvaluationKind, created.metadata.name, namespace, { clock, signal }, (now) => {
        const phase = now?.status?.phase ?? 'pending';
        return now === undefined || phase !== 'pending';
      });
      if (signal.aborted) throw new Interrupted();
      if (answered === undefined) throw new CommandError('Error during plan: the evaluation was removed before it was answered');
      return { evaluation: answered, warnings };
    } finally {
      waiting.cancel();
    }
  });
}

/** The job as it is now. */
const existingJob = (context: ClusterContext, { metadata }: Job): Promise<Stored<Job> | undefined> =>
  context.client.find(JobKind, metadata.name!, metadata.namespace ?? context.namespace);

async function sayPlanData(
  context: ClusterContext,
  planned: Job,
  plan: EvaluationPlan,
  warnings: string | undefined,
  flags: FormatFlags & { readonly diff: boolean | undefined },
): Promise<void> {
  const { nomadPlan } = await import('../../nomad/plan.ts');
  const diff = flags.diff === false ? null : await planDiffData(await existingJob(context, planned), planned, plan);
  await sayData(context, flags, nomadPlan(plan, diff, warnings ?? ''));
}

async function render(
  context: ClusterContext,
  path: string,
  planned: Job,
  plan: EvaluationPlan,
  warnings: string | undefined,
  flags: { readonly diff: boolean | undefined; readonly verbose: boolean; readonly impact: boolean },
): Promise<string> {
  const { program, style } = context;
  let diff: string | undefined;
  if (flags.diff !== false || flags.impact) {
    const existing = await existingJob(context, planned);
    const parts = [
      ...(flags.diff === false ? [] : [await planDiff(existing, planned, plan, { verbose: flags.verbose })]),
      ...(flags.impact ? [await planImpact(existing, planned)] : []),
    ];
    diff = styleDiff(parts.map((part) => part.trimEnd()).join('\n\n'), style);
  }
  return planText({ diff, plan, warnings, program, path, style });
}
