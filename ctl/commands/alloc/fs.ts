import { askAgent } from '../../agent-api.ts';
import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { fileTable, type FileInfo } from '../../views/files.ts';
import { submitting } from '../../submit.ts';
import { verbose } from '../options.ts';
import { printStream } from '../../logs.ts';
import { pickAllocation } from './pick.ts';

export const allocFs = defineClusterCommand({
  name: 'alloc fs',
  aliases: ['fs'],
  summary: "Look into an allocation's folder",
  usage: '[options] <allocation> [<path>]',
  description: 'Lists a folder or prints a file. The path starts at the folder of the allocation.',
  examples: [
    { text: 'What there is', command: 'alloc fs eb17e557' },
    { text: 'A file', command: 'alloc fs eb17e557 redis/local/redis.conf' },
    { text: 'The end of a file', command: 'alloc fs -tail -n 20 eb17e557 alloc/data/app.log' },
  ],
  args: { min: 1, max: 2, rule: 'An allocation ID is required' },
  completes: 'allocation',
  flags: {
    H: flag.boolean('Sizes and times for programs.'),
    job: flag.boolean('The argument is a job, of which some allocation is taken.'),
    stat: flag.boolean('Show what the path is instead of what is in it.'),
    tail: flag.boolean('Only the end.'),
    n: flag.integer('<lines>', 'How much of the end: about this many lines.'),
    c: flag.integer('<bytes>', 'How much of the end, in bytes.'),
    verbose,
  },
  async run({ args: [id, path = '/'], flags }, context) {
    const allocation = await pickAllocation(context, id!, flags.job);
    return submitting(context, `Error looking at ${path}`, async () => {
      const info = await askAgent<FileInfo>(context, allocation, 'fs/stat', { path });
      if (flags.stat) return say(context, fileTable([info], flags.H));
      if (info.isDir === true)
        return say(context, fileTable(await askAgent<FileInfo[]>(context, allocation, 'fs/ls', { path }), flags.H));
      const atEnd = flags.tail || flags.c !== undefined || flags.n !== undefined;
      const size = info.size ?? 0;
      const back = flags.c ?? (flags.n ?? 10) * 120;
      if (back < 0) throw new CommandError('The length of the end must not be negative');
      return printStream(context, allocation, {
        verb: 'fs/cat',
        query: { path, ...(atEnd && { offset: Math.max(0, size - back) }) },
      });
    });
  },
});
