import { defineClusterCommand, flag, noArguments } from '../../command.ts';
import { say } from '../../io/streams.ts';
import { resourceName, servedKinds } from '../../kinds.ts';
import { kindTable } from '../../views/kinds.ts';

export const apiResources = defineClusterCommand({
  name: 'api-resources',
  summary: 'List the kinds of objects that the server has',
  usage: '[options]',
  examples: [{ text: 'Those that live in namespaces', command: 'api-resources --namespaced=true' }],
  args: noArguments,
  flags: {
    namespaced: flag.tristate('Only kinds that live in namespaces; with =false only those that do not.'),
    apiGroup: flag.string('<group>', 'Only kinds of this group.'),
    noHeaders: flag.boolean('Without headings.'),
    output: flag.string('<format>', 'name, or wide.', { short: 'o' }),
  },
  async run({ flags }, context) {
    const kinds = (await servedKinds(context)).filter(
      ({ namespaced, group }) =>
        (flags.namespaced === undefined || namespaced === flags.namespaced) &&
        (flags.apiGroup === undefined || group === flags.apiGroup),
    );
    if (flags.output === 'name') return say(context, kinds.map((kind) => resourceName(kind)).join('\n'));
    say(context, kindTable(kinds, !flags.noHeaders));
  },
});
