import { LeaseKind } from '../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments } from '../command.ts';
import { sayJson } from '../io/json.ts';
import { say } from '../io/streams.ts';
import { listAll } from '../lookup.ts';
import { memberTable } from '../views/server.ts';
import { json } from './options.ts';

export const serverMembers = defineClusterCommand({
  name: 'server members',
  formerNames: ['server-members'],
  summary: 'List the servers of the cluster',
  usage: '[options]',
  examples: [{ text: 'Who serves and who leads', command: 'server members' }],
  description: 'Servers know of each other through leases that they renew; one that is gone disappears within seconds.',
  args: noArguments,
  flags: { detailed: flag.boolean('Show their tags.'), verbose: flag.boolean('As -detailed.', { hidden: true }), json },
  async run({ flags }, context) {
    const leases = await listAll(context, LeaseKind, { namespace: 'orch-system' });
    const servers = leases.filter(({ metadata }) => metadata.labels?.['orch.dev/role'] === 'server');
    if (flags.json) return sayJson(context, servers);
    if (servers.length === 0) return say(context, 'No servers have made themselves known');
    const elected = leases.filter(({ metadata }) => metadata.labels?.['orch.dev/role'] !== 'server');
    say(context, memberTable(servers, elected, flags.detailed));
  },
});
