import { defineClusterCommand, flag } from '../command.ts';
import { CommandError } from '../errors.ts';
import { sayData } from '../io/output.ts';
import { hint, say } from '../io/streams.ts';
import { findAllocation, findJob, findNode } from '../lookup.ts';

export const ui = defineClusterCommand({
  name: 'ui',
  summary: 'Print the address of the API, for a browser',
  usage: '[options] [<job>|<allocation>|<node>]',
  description:
    'There is no web page yet; the address is that of the API, whose answers a browser shows as JSON. With an argument it is the address of that object.',
  examples: [{ text: 'Of a job', command: 'ui example' }],
  args: { min: 0, max: 1, rule: 'This command takes one argument at most: <identifier>' },
  completes: 'job',
  flags: {
    showUrl: flag.boolean('Print the address and nothing else, as it does anyway.', { hidden: true }),
    authenticate: flag.boolean('There are no web sessions to begin.', { hidden: true }),
    json: flag.boolean('Print it as JSON.'),
  },
  async run({ args: [id], flags }, context) {
    if (flags.authenticate) throw new CommandError('There is no web page, and so nothing to sign in to');
    const path = id === undefined ? '/apis/orch.dev/v1' : await pathOf(context, id);
    const url = `${context.client.server}${path}`;
    if (flags.json) return sayData(context, {}, { URL: url });
    say(context, url);
    hint(context, `There is no web page yet; this is the API. See: ${context.program} status`);
  },
});

/** Of whatever the word means: a job first. */
async function pathOf(context: Parameters<typeof findJob>[0], id: string): Promise<string> {
  const finders = [
    { plural: 'jobs', find: findJob },
    { plural: 'allocations', find: findAllocation },
    { plural: 'nodes', find: findNode },
  ] as const;
  for (const { plural, find } of finders) {
    try {
      const { metadata } = await find(context, id);
      const namespace = metadata.namespace === undefined ? '' : `namespaces/${encodeURIComponent(metadata.namespace)}/`;
      return `/apis/orch.dev/v1/${namespace}${plural}/${encodeURIComponent(metadata.name)}`;
    } catch (error) {
      // Of several that match the user has to choose; where there is none the next kind may have it.
      if (!(error instanceof CommandError) || !/ found$|matched no|at least two/.test(error.message)) throw error;
    }
  }
  throw new CommandError(`No job, allocation or node with prefix or id ${JSON.stringify(id)} found`);
}
