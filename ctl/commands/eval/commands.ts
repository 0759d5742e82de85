import { EvaluationKind, type Evaluation, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { confirm } from '../../io/ask.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { hint, say } from '../../io/streams.ts';
import { findEvaluation, jobName, listAll, namespaceOf } from '../../lookup.ts';
import { monitorEvaluation } from '../../monitor/evaluation.ts';
import { evaluationStatus } from '../../views/evaluation.ts';
import { evaluationList } from '../../views/lists.ts';
import { view } from '../../views/view.ts';
import { filter, filtered, verbose, yes } from '../options.ts';

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
  examples: [
    { text: 'What waits for capacity', command: 'eval list -status blocked' },
    { text: 'What came of a drain, ten at a time', command: `eval list -per-page 10 -filter 'TriggeredBy == "node-drain"'` },
  ],
  args: noArguments,
  flags: {
    job: flag.string('<job>', 'Only those of this job.'),
    status: flag.string('<status>', 'Only those in this state: pending, blocked, complete, failed or cancelled.'),
    filter,
    perPage: flag.integer('<n>', 'So many at a time.'),
    pageToken: flag.string('<token>', 'Where the page before ended, as it said.'),
    verbose,
    ...formatFlags,
  },
  async run({ flags }, context) {
    if ((flags.perPage ?? 1) < 1) throw new CommandError('-per-page must be 1 or more');
    const states = ['pending', 'blocked', 'complete', 'failed', 'cancelled', 'canceled'];
    if (flags.status !== undefined && !states.includes(flags.status))
      throw new CommandError(`There is no status "${flags.status}"; there are ${states.slice(0, 5).join(', ')}`);
    const all = await listAll(
      context,
      EvaluationKind,
      flags.job === undefined ? {} : { fieldSelector: `spec.jobName=${jobName(flags.job)}` },
    );
    const wanted = flags.status?.replace('canceled', 'cancelled');
    const chosen = all.filter((one) => one.spec.dryRun === undefined && (wanted === undefined || phase(one) === wanted));
    const found = await filtered(chosen, flags.filter, async (one) => (await nomadForm([one]))[0]);
    const { page: shown, next } = pageOf(found, flags.perPage, flags.pageToken);
    if (wantsData(flags)) await sayData(context, flags, await nomadForm(shown));
    else {
      const all = context.listNamespace === undefined;
      say(context, shown.length === 0 ? 'No evals found' : evaluationList(shown, view(context.clock.now(), flags.verbose), all));
    }
    if (next === undefined) return;
    const more = wantsData(flags) ? hint : say;
    more(context, `${more === say ? '\n' : ''}Results have been paginated. To get the next page run:\n\n${context.program} eval list -per-page ${flags.perPage} -page-token ${next}`); // prettier-ignore
  },
});

export const evalDelete = defineClusterCommand({
  name: 'eval delete',
  summary: 'Remove evaluations that are over',
  usage: '[options] [<evaluation>…]',
  description:
    'They are removed by themselves after some time; this is for those who cannot wait. What is still worked on stays.',
  examples: [
    { text: 'One by its ID', command: 'eval delete 4fef9fed' },
    { text: 'All of a job that are over', command: `eval delete -filter 'JobID == "example" and Status == "complete"'` },
  ],
  args: { min: 0, rule: 'This command takes evaluations: <evaluation>' },
  completes: 'evaluation',
  flags: { filter, yes },
  next: () => ({ text: 'See which are left', command: 'eval list' }),
  async run({ args, flags }, context) {
    if ((args.length === 0) === (flags.filter === undefined)) throw new CommandError('Say which: <evaluation>…, or -filter');
    const found =
      flags.filter === undefined
        ? await Promise.all(args.map((id) => findEvaluation(context, id)))
        : await filtered(
            (await listAll(context, EvaluationKind)).filter(({ spec }) => spec.dryRun === undefined),
            flags.filter,
            async (one) => (await nomadForm([one]))[0],
          );
    if (found.length === 0) return void say(context, 'No evals found');
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

/** Newest first. A page begins where its token says, also when what stood there is gone. */
function pageOf(
  evaluations: readonly Stored<Evaluation>[],
  perPage: number | undefined,
  token: string | undefined,
): { page: Stored<Evaluation>[]; next?: string } {
  const keyOf = ({ metadata }: Stored<Evaluation>): string => `${Date.parse(metadata.creationTimestamp) / 1000}.${metadata.name}`;
  if (token !== undefined && !/^\d{10}\.[\w-]+$/.test(token)) throw new CommandError(`"${token}" is no page token`);
  const sorted = [...evaluations].sort((a, b) => (keyOf(a) < keyOf(b) ? 1 : -1));
  const rest = token === undefined ? sorted : sorted.filter((one) => keyOf(one) <= token);
  const following = perPage === undefined ? undefined : rest[perPage];
  return { page: rest.slice(0, perPage), ...(following !== undefined && { next: keyOf(following) }) };
}

async function nomadForm(evaluations: readonly Stored<Evaluation>[]): Promise<Record<string, unknown>[]> {
  const { nomadEvaluation } = await import('../../nomad/evaluation.ts');
  return evaluations.map(nomadEvaluation);
}

const phase = ({ status }: Stored<Evaluation>): string => status?.phase ?? 'pending';
