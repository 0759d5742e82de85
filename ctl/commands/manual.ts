import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { defineCommand, flag } from '../command.ts';
import { CommandError } from '../errors.ts';
import { hint, say } from '../io/streams.ts';
import { groups } from '../groups.ts';

export const manual = defineCommand({
  name: 'manual',
  summary: 'Show the man page of a command, or install all of them',
  usage: '[options] [<command>]',
  description: 'On a terminal the page is shown by "man"; elsewhere its source is printed.',
  examples: [
    { text: 'All that there is about jobs', command: 'manual job' },
    { text: 'For "man orchctl-job"', command: 'manual -install=/usr/local/share/man/man1' },
  ],
  args: { min: 0, max: 3, rule: 'This command takes the words of one command, or none' },
  flags: { install: flag.string('<folder>', 'Write all pages into this folder.') },
  async run({ args: [word], flags }, context) {
    const { pagesOf } = await import('../manual/pages.ts');
    const { manPages } = await import('../manual/roff.ts');
    const commands = await Promise.all(context.commands.map((entry) => entry.load()));
    const pages = manPages(pagesOf(commands, groups), context.version);
    if (flags.install !== undefined) {
      const folder = resolve(context.io.cwd, flags.install);
      await mkdir(folder, { recursive: true });
      for (const [file, text] of Object.entries(pages)) await writeFile(join(folder, file), text);
      say(context, `Wrote ${Object.keys(pages).length} pages to ${flags.install}`);
      return 0;
    }
    const named = commands.find(({ name, aliases = [] }) => name === word || aliases.includes(word ?? ''))?.name.split(' ')[0] ?? word; // prettier-ignore
    const page = pages[word === undefined ? `${context.program}.1` : `${context.program}-${named}.1`];
    if (page === undefined) throw new CommandError(`There is no command "${word}"`);
    if (context.io.interactive && (await show(page))) return 0;
    say(context, page.trimEnd());
    if (context.io.interactive) hint(context, 'There is no program "man" here that shows this');
    return 0;
  },
});

/** Whether there is a `man` that showed it. */
async function show(page: string): Promise<boolean> {
  const child = spawn('man', ['-l', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = once(child, 'close').then(
    ([code]) => code === 0,
    () => false, // no such program
  );
  child.stdin.on('error', () => undefined).end(page);
  return ended;
}
