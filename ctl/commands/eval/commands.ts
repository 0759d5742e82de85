import { EvaluationKind, type Evaluation, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { confirm } from '../../io/ask.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findEvaluation, listAll, namespaceOf } from '../../lookup.ts';
import { monitorEvaluation } from '../../monitor/evaluation.ts';
import { evaluationStatus } from '../../views/evaluation.ts';
import { evaluationList } from '../../views/lists.ts';
import { view } from '../../views/view.ts';
import { verbose, yes } from '../options.ts';

export const evalStatus = defineClusterCommand({
  name: 'eval status',
  formerNames: ['eval-status'],
  summary: 'Show an evaluation: why it was made, what came of it',
  usage: '[options] <evaluation>',
  description: 'Among other things, why something could not be placed.',
  examples: [{ text: 'Follow it to its end', command: 'eval status -monitor 2ae0e6a5' }],
  args: oneArgument('evaluation'),
  completes: 'evaluation',
  flags: { monitor: flag.boolean('Follow it to its end.'), verbose, ...formatFlags },
  async run({ args: [id], flags }, context) {
    const evaluation = await findEvaluation(context, id!);
    if (wantsData(flags)) return sayData(context, flags, (await nomadForm([evaluation]))[0]);
    if (flags.monitor)
      return monitorEvaluation(context, evaluation.metadata.name, { namespace: namespaceOf(evaluation), verbose: flags.verbose });
    say(context, evaluationStatus(evaluation, view(context.clock.now(), flags.verbose, context.style)));
  },
});

export const evalList = defineClusterCommand({
  name: 'eval list',
  summary: 'List evaluations',
  usage: '[options]',
  examples: [{ text: 'What waits for capacity', command: 'eval list -status blocked' }],
  args: noArguments,
  flags: {
    job: flag.string('<job>', 'Only those of this job.'),
    status: flag.string('<status>', 'Only those in this state: pending, blocked, complete, failed or cancelled.'),
    verbose,
    ...formatFlags,
  },
  async run({ flags }, context) {
    const states = ['pending', 'blocked', 'complete', 'failed', 'cancelled', 'canceled'];
    if (flags.status !== undefined && !states.includes(flags.status))
      throw new CommandError(`There is no status "${flags.status}"; there are ${states.slice(0, 5).join(', ')}`);
    const all = await listAll(
      context,
      EvaluationKind,
      flags.job === undefined ? {} : { fieldSelector: `spec.jobName=${flags.job}` },
    );
    const wanted = flags.status?.replace('canceled', 'cancelled');
    const shown = all.filter((one) => one.spec.dryRun === undefined && (wanted === undefined || phase(one) === wanted));
    if (wantsData(flags)) return sayData(context, flags, await nomadForm(shown));
    say(context, shown.length === 0 ? 'No evals found' : evaluationList(shown, view(context.clock.now(), flags.verbose)));
  },
});

export const evalDelete = defineClusterCommand({
  name: 'eval delete',
  summary: 'Remove evaluations that are over',
  usage: '[options] <evaluation>…',
  examples: [{ text: 'One by its ID', command: 'eval delete 4fef9fed' }],
  description:
    'They are removed by themselves after some time; this is for those who cannot wait. What is still worked on stays.',
  args: { min: 1, rule: 'This command takes at least one argument: <evaluation>' },
  completes: 'evaluation',
  flags: { yes },
  next: () => ({ text: 'See which are left', command: 'eval list' }),
  async run({ args, flags }, context) {
    const found = await Promise.all(args.map((id) => findEvaluation(context, id)));
    const open = found.find((one) => !['complete', 'failed', 'cancelled'].includes(phase(one)));
    if (open !== undefined)
      throw new CommandError(`Error deleting evaluations: evaluation "${open.metadata.name.slice(0, 8)}" is ${phase(open)}`);
    const what = found.length === 1 ? '1 evaluation' : `${found.length} evaluations`;
    if (context.io.canAsk && !flags.yes && !(await confirm(context, `Are you sure you want to delete ${what}?`))) return 0;
    for (const { metadata } of found) await context.client.delete(EvaluationKind, metadata.name, metadata.namespace);
    say(context, `Successfully deleted ${what}`);
    return 0;
  },
});

async function nomadForm(evaluations: readonly Stored<Evaluation>[]): Promise<Record<string, unknown>[]> {
  const { nomadEvaluation } = await import('../../nomad/evaluation.ts');
  return evaluations.map(nomadEvaluation);
}

const phase = ({ status }: Stored<Evaluation>): string => status?.phase ?? 'pending';
