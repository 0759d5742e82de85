import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { extname, join, relative, resolve } from 'node:path';
import { defineCommand, flag, type Context } from '../command.ts';
import { exitCodes } from '../errors.ts';
import { complain, readStdin, say } from '../io/streams.ts';

const formatted = new Set(['.nomad', '.hcl', '.tf']);

export const fmt = defineCommand({
  name: 'fmt',
  summary: 'Format job files',
  usage: '[options] [path...]',
  description:
    'Rewrites job files and other HCL files with the usual indentation and alignment and prints the names of those that changed. A path is a ' +
    'file, a folder, or "-" for standard input, which goes to standard output; without any it is this folder.\n\n' +
    'The exit code is 1 when a file is broken, and with -check 3 when one is not formatted.',
  examples: [
    { text: 'Format what is here', command: 'fmt' },
    { text: 'In a pipeline: fail when somebody forgot', command: 'fmt -check -recursive jobs' },
  ],
  args: { min: 0, max: Infinity, rule: 'This command takes any number of paths' },
  completes: 'file',
  flags: {
    check: flag.boolean('Change nothing; only say what would change.'),
    recursive: flag.boolean('Go into folders within folders.'),
  },
  async run({ args, flags }, context) {
    const paths = args.length === 0 ? ['.'] : args;
    let [broken, unformatted] = [false, false];
    for (const path of paths) {
      if (path === '-') {
        const text = await format(context, await readStdin(context.io), 'stdin');
        if (text === undefined) broken = true;
        else context.io.stdout.write(text);
        continue;
      }
      for (const file of await filesOf(resolve(context.io.cwd, path), flags.recursive)) {
        const name = relative(context.io.cwd, file);
        const before = await readFile(file, 'utf8');
        const after = await format(context, before, name);
        if (after === undefined) broken = true;
        if (after === undefined || after === before) continue;
        unformatted = true;
        say(context, name);
        if (!flags.check) await writeFile(file, after);
      }
    }
    if (broken) return exitCodes.failed;
    return flags.check && unformatted ? exitCodes.notFormatted : exitCodes.ok;
  },
});

/** The formatted text; undefined, after saying why, for a file that is broken. */
async function format(context: Context, text: string, filename: string): Promise<string | undefined> {
  const { formatHclFile, formatDiagnostics } = await import('../../jobspec/index.ts');
  const result = formatHclFile({ text, filename });
  if (result.ok) return result.text;
  complain(context, formatDiagnostics(result.diagnostics, { colors: context.style.colors }));
  return undefined;
}

async function filesOf(path: string, recursive: boolean): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = await Promise.all(
    entries.map(async (entry) => {
      if (entry.isFile() && formatted.has(extname(entry.name))) return [join(path, entry.name)];
      const enter = recursive && entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules';
      return enter ? filesOf(join(path, entry.name), recursive) : [];
    }),
  );
  return found.flat();
}
