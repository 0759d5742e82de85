import { defineClusterCommand, flag, noArguments } from '../../command.ts';
import { CommandError } from '../../errors.ts';

export const nodeConfig = defineClusterCommand({
  name: 'node config',
  summary: 'Say how the servers of a node are changed',
  usage: '[options]',
  description:
    'The servers that an agent asks are in its configuration: client { servers = [...] }. They cannot be changed while it runs; an agent that is ' +
    'restarted finds its tasks again.',
  examples: [{ text: 'Which servers there are', command: 'server members' }],
  args: { ...noArguments, max: 16 },
  flags: {
    servers: flag.boolean('Refused: see above.'),
    updateServers: flag.boolean('Refused: see above.'),
  },
  run({ flags }, context) {
    if (!flags.servers && !flags.updateServers) throw new CommandError("The '-servers' or '-update-servers' flag(s) must be set");
    throw new CommandError(
      'The servers of an agent cannot be asked for or changed while it runs: they are in its configuration, client { servers = [...] }.\n' +
        `Change it and restart the agent; its tasks run on. The servers of the cluster: ${context.program} server members`,
    );
  },
});
