import type { CheckStatus } from '../../../openapi/index.ts';
import { askAgent } from '../../agent-api.ts';
import { defineClusterCommand, oneArgument } from '../../command.ts';
import { pairs } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { localTime } from '../../io/time.ts';
import { findAllocation } from '../../lookup.ts';
import { submitting } from '../../submit.ts';
import { by } from '../../views/view.ts';
import { verbose } from '../options.ts';

interface Check extends CheckStatus {
  readonly service?: string;
  readonly task?: string;
}

const statusWords: Readonly<Record<string, string>> = {
  passing: 'success',
  critical: 'failure',
  warning: 'warning',
  pending: 'pending',
};

export const allocChecks = defineClusterCommand({
  name: 'alloc checks',
  summary: 'Show the results of the checks of an allocation',
  usage: '[options] <allocation>',
  examples: [{ text: 'Which checks fail, and why', command: 'alloc checks 4fef9fed' }],
  args: oneArgument('allocation'),
  completes: 'allocation',
  flags: { verbose, ...formatFlags },
  async run({ args: [id], flags }, context) {
    const allocation = await findAllocation(context, id!);
    const { checks } = await submitting(context, 'Failed to query allocation checks', () =>
      askAgent<{ checks: Check[] }>(context, allocation, 'checks'),
    );
    const sorted = [...checks].sort(by(({ service = '', name }) => `${service} ${name}`));
    const { group } = allocation.spec;
    if (wantsData(flags))
      return sayData(
        context,
        flags,
        sorted.map((one) => ({
          Check: one.name,
          Group: `${allocation.spec.name}`,
          Output: one.output ?? '',
          Service: one.service ?? '',
          Status: statusWords[one.phase] ?? one.phase,
          Task: one.task ?? '',
          Timestamp: one.time ?? null,
          Type: one.type ?? '',
        })),
      );
    say(context, `Status of ${sorted.length} Nomad Service Checks`);
    for (const one of sorted)
      say(
        context,
        `\n${pairs([
          ['Name', one.name],
          ['Group', group],
          ['Task', one.task ?? '(group)'],
          ['Service', one.service],
          ['Status', statusWords[one.phase] ?? one.phase],
          ['Type', one.type],
          ['Timestamp', localTime(one.time)],
          ['Output', (one.output ?? '').trim()],
        ])}`,
      );
  },
});
