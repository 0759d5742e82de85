import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';

export const jobInit = defineCommand({
  name: 'job init',
  aliases: ['init'],
  summary: 'Write an example job file',
  usage: '[options] [<path>]',
  description: 'Writes example.nomad, or the file named, with a job that can be run and changed. It never writes over a file.',
  examples: [
    { text: 'An example with explanations', command: 'job init' },
    { text: 'Without them, to another file', command: 'job init -short cache.nomad' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes no arguments or one: <path>' },
  flags: { short: flag.boolean('Without explanations.') },
  next: ({ args: [path = 'example.nomad'] }) => ({ text: 'See what it would do', command: `job plan ${path}` }),
  async run({ args: [path = 'example.nomad'], flags }, context) {
    const { example, shortExample } = await import('../../jobfile/templates.ts');
    try {
      await writeFile(resolve(context.io.cwd, path), flags.short ? shortExample : example, { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new CommandError(`Job '${path}' already exists`);
      throw new CommandError(`Failed to write '${path}': ${(error as Error).message}`);
    }
    say(context, `Example job file written to ${path}`);
  },
});
