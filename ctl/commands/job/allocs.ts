import { AllocationKind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findJob, listAll, namespaceOf } from '../../lookup.ts';
import { allocationTable } from '../../views/lists.ts';
import { view } from '../../views/view.ts';
import { verbose } from '../options.ts';

export const jobAllocs = defineClusterCommand({
  name: 'job allocs',
  summary: "List a job's allocations",
  usage: '[options] <job>',
  examples: [{ text: 'Those of earlier jobs of the same name, too', command: 'job allocs -all example' }],
  args: oneArgument('job'),
  completes: 'job',
  flags: { all: flag.boolean('Those of earlier jobs of the same name, too.'), verbose, ...formatFlags },
  async run({ args: [id], flags }, context) {
    const job = await findJob(context, id!);
    const all = await listAll(context, AllocationKind, {
      namespace: namespaceOf(job),
      fieldSelector: `spec.jobName=${job.metadata.name}`,
    });
    const shown = flags.all ? all : all.filter(({ spec }) => spec.jobUID === job.metadata.uid);
    if (wantsData(flags)) {
      const { allocationList } = await import('../../nomad/fetch.ts');
      return sayData(context, flags, await allocationList(context, shown));
    }
    const how = view(context.clock.now(), flags.verbose, context.style);
    say(context, shown.length === 0 ? 'No allocations placed' : allocationTable(shown, how));
  },
});
