import { defineCommand, noArguments } from '../command.ts';
import { say } from '../io/streams.ts';

export const version = defineCommand({
  name: 'version',
  summary: 'Show the version of this program',
  usage: '',
  examples: [{ text: 'What is installed', command: 'version' }],
  args: noArguments,
  run(_call, context) {
    say(context, `${context.program} v${context.version}`);
    return Promise.resolve();
  },
});
