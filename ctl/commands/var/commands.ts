import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isReason } from '../../../base/index.ts';
import { VariableKind, variableName, type Stored, type Variable } from '../../../openapi/index.ts';
import { defineClusterCommand, defineCommand, flag, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { sparseTable } from '../../io/columns.ts';
import { sayData } from '../../io/output.ts';
import { complain, readStdin, say } from '../../io/streams.ts';
import { localTime } from '../../io/time.ts';
import { submitting } from '../../submit.ts';
import { isFile, readSpec, readSpecFormat, type VariableSpec } from './spec.ts';
import { checkFailed, checkNamespace, cleanPath, findVariable, readFormat, readIndex, sayVariable, toNomad, wrap, type NomadVariable } from './variable.ts'; // prettier-ignore

const outFlags = {
  out: flag.string('<format>', 'go-template, hcl, json, none or table.'),
  template: flag.string('<template>', "The template for -out=go-template, of Go's kind."),
} as const;
const checkIndex = flag.string('<index>', 'Only if the variable still has this index; 0: only if there is none.');

const ITEMS_REQUIRED = 'The items map is the only strictly required part of a variable specification: path and namespace can be given to the command. It holds what is secret, and is encrypted as a whole.'; // prettier-ignore
const DOTTED_KEYS = 'Keys of items may contain dots, but templates read them more easily without.';

export const varInit = defineCommand({
  name: 'var init',
  summary: 'Write an example of a variable specification',
  usage: '[options] [<filename>]',
  description: 'Writes spec.nv.hcl or spec.nv.json, or the file named. It never writes over a file.',
  args: { min: 0, max: 1, rule: 'This command takes no arguments or one: <filename>' },
  flags: { out: flag.string('<format>', 'hcl, which is the default, or json.'), quiet: flag.boolean('Print nothing.') },
  async run({ args: [path], flags }, context) {
    const format = flags.out ?? 'hcl';
    if (format !== 'hcl' && format !== 'json') throw new CommandError('Invalid value for "-out"; valid values are [hcl, json]');
    const name = path ?? `spec.nv.${format}`;
    const json = { Namespace: 'default', Path: 'path/to/variable', Items: { key1: 'value 1', key2: 'value 2' } };
    const text = format === 'json' ? `${JSON.stringify(json, undefined, 2)}\n` : exampleHcl();
    try {
      await writeFile(resolve(context.io.cwd, name), text, { flag: 'wx', mode: 0o660 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new CommandError(`File "${name}" already exists`);
      throw new CommandError(`Failed to write "${name}": ${(error as Error).message}`);
    }
    if (!flags.quiet) say(context, `Example variable specification written to ${name}`);
  },
});

const exampleHcl = (): string => `# The path can be part of the specification; one that is given to the command
# comes before it.
# path = "path/to/variable"

# So can the namespace, which -namespace comes before.
# namespace = "default"

${wrap(ITEMS_REQUIRED, 68, '# ')}

${wrap(DOTTED_KEYS, 68, '# ')}
items {
  key1 = "value 1"
  key2 = "value 2"
}
`;

export const varGet = defineClusterCommand({
  name: 'var get',
  summary: 'Read a variable',
  usage: '[options] <path>',
  examples: [
    { text: 'One value, for a script', command: 'var get -item=password nomad/jobs/example' },
    { text: 'As a specification that can be put again', command: 'var get -out=hcl nomad/jobs/example' },
  ],
  args: oneArgument('path'),
  flags: { item: flag.string('<key>', 'Print only the value of this key, as it is.'), ...outFlags },
  async run({ args: [path], flags }, context) {
    const format = readFormat(flags.out, flags.template, context.io.interactive ? 'table' : 'json');
    checkNamespace(context);
    const found = await submitting(context, 'Error retrieving variable', () => findVariable(context, path!));
    if (found === undefined) throw new CommandError('Variable not found');
    if (flags.item === undefined || flags.item === '') return sayVariable(context, toNomad(found), format, flags.template);
    if (!Object.hasOwn(found.spec.items, flags.item))
      throw new CommandError(`Variable does not contain ${JSON.stringify(flags.item)} item`);
    context.io.stdout.write(found.spec.items[flags.item]!);
  },
});

export const varPut = defineClusterCommand({
  name: 'var put',
  summary: 'Create or change a variable',
  usage: '[options] (<path> | @<file> | -) [@<file> | -] [<key>=<value>]…',
  description:
    'Items come from a specification (@<file>, or "-" for standard input), from <key>=<value>, or both; what is given as <key>=<value> wins. A <value> may be @<file>, or "-" for standard input; an empty one takes the item out. An existing variable is only changed with -check-index or -force.',
  examples: [
    { text: 'Two values', command: 'var put nomad/jobs/example user=me password=@password.txt' },
    { text: 'All of a file', command: 'var put @spec.nv.hcl' },
  ],
  args: { min: 1, rule: 'Not enough arguments (expected >1, got 0)' },
  flags: {
    checkIndex,
    force: flag.boolean('Whatever the variable is at present.'),
    in: flag.string('<format>', 'What a specification on standard input is written in: json, which is the default, or hcl.'),
    ...outFlags,
    verbose: flag.boolean('Say what is done, on stderr.'),
  },
  async run({ args, flags }, context) {
    const index = readIndex(flags.checkIndex);
    checkNamespace(context);
    const [first, second] = args;
    if (args.length === 1 && first !== '-' && !isFile(first)) throw new CommandError('Must supply data');
    const inFormat = readSpecFormat(flags.in ?? 'json');
    const format = readFormat(flags.out, flags.template, context.io.interactive ? 'none' : 'json');
    const verbose = (text: string): void => void (flags.verbose && complain(context, text));

    const whole = first === '-' || isFile(first);
    const path = whole ? undefined : cleanPath(first!);
    const from = whole ? first : second === '-' || isFile(second) ? second : undefined;
    if (from !== undefined)
      verbose(`Reading the variable specification from ${from === '-' ? 'stdin' : JSON.stringify(from.slice(1))}`);
    const spec: VariableSpec = from === undefined ? { items: {} } : await readSpec(context, from, inFormat);
    const pairs = args.slice(from === undefined || whole ? 1 : 2);
    const items = await withArguments(context, spec.items, pairs, from === '-', verbose);
    const at = path ?? cleanPath(spec.path ?? '');
    if (at === '')
      throw new CommandError('Error creating variable: missing path: name one in the specification or as the first argument');
    const namespace = spec.namespace !== undefined && context.namespace === 'default' ? spec.namespace : context.namespace;
    // A specification that is for another place says nothing about what is there.
    const same = at === cleanPath(spec.path ?? at) && namespace === (spec.namespace ?? namespace);
    const given = index ?? (same ? spec.modifyIndex : undefined) ?? 0;
    verbose(`Writing to path "${at}"`);
    const written = await put({ ...context, namespace }, at, items, flags.force ? 'force' : given);

    const odd = Object.keys(items).filter((key) => /[^_\p{N}\p{L}]/u.test(key));
    if (odd.length > 0) complain(context, context.style.yellow(warnings(odd)));
    const done = `Created variable "${at}" with modify index ${written.ModifyIndex}`;
    if (format === 'none') return say(context, done);
    verbose(done);
    return sayVariable(context, written, format, flags.template);
  },
});

function warnings(keys: readonly string[]): string {
  const lines = keys.map((key) => {
    const letters = [...new Set(key.match(/[^_\p{N}\p{L}]/gu))].sort().map((letter) => `"${letter}"`);
    return `* "${key}" contains characters [${letters.join(',')}] that require the 'index' function for direct access in templates`;
  });
  return `Variable Warnings:\n\n${keys.length} warning${keys.length === 1 ? '' : 's'}:\n\n${lines.join('\n')}\n`;
}

/** The items with what the arguments say. */
async function withArguments(
  context: ClusterContext,
  items: Readonly<Record<string, string>>,
  pairs: readonly string[],
  consumed: boolean,
  verbose: (text: string) => void,
): Promise<Record<string, string>> {
  const all = new Map(Object.entries(items));
  let stdinUsed = consumed;
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, equals));
    const fail = (why: string): never => {
      throw new CommandError(
        `Failed to parse K=V data: invalid key/value pair ${JSON.stringify(equals < 0 ? pair : key)}: ${why}`,
      );
    };
    if (equals < 1) fail('format must be key=value');
    let value = pair.slice(equals + 1);
    if (value === '-') {
      if (stdinUsed) fail('stdin already consumed');
      stdinUsed = true;
      value = await readStdin(context.io);
    } else if (value.startsWith('@')) {
      value = await readFile(resolve(context.io.cwd, value.slice(1)), 'utf8').catch((error: Error) => fail(`error reading file: ${error.message}`)); // prettier-ignore
    } else if (value.startsWith('\\@')) value = value.slice(1);
    if (value !== '') all.set(key, value);
    else verbose(all.delete(key) ? `Removed item "${key}"` : `Item "${key}" does not exist, continuing...`);
  }
  return Object.fromEntries(all);
}

/** Writes a variable; with a number only if that is its index, 0 standing for none. */
export async function put(
  context: ClusterContext,
  path: string,
  items: Readonly<Record<string, string>>,
  given: number | 'force',
): Promise<NomadVariable> {
  const client = context.client.withSecrets();
  const metadata = { name: variableName(path), namespace: context.namespace };
  return submitting(context, 'Error creating variable', async () => {
    for (;;) {
      const found = await findVariable(context, path);
      const index = Number(found?.metadata.resourceVersion ?? 0);
      if (given !== 'force' && given !== index) throw checkFailed(context, { given, found });
      try {
        const wanted = { metadata, spec: { path, items } };
        const kept = { labels: found?.metadata.labels ?? {}, annotations: found?.metadata.annotations ?? {} };
        const written: Stored<Variable> =
          found === undefined
            ? await client.create(VariableKind, wanted)
            : await client.update(VariableKind, {
                ...wanted,
                metadata: { ...metadata, ...kept, resourceVersion: String(index) },
              });
        return toNomad(written);
      } catch (error) {
        // It came, went or changed since it was looked at: look again.
        if (!isReason(error, 'AlreadyExists', 'Conflict') && !(found !== undefined && isReason(error, 'NotFound'))) throw error;
      }
    }
  });
}

export const varList = defineClusterCommand({
  name: 'var list',
  summary: 'List variables',
  usage: '[options] [<prefix>]',
  description: 'Lists the paths of variables, never what they hold; with a prefix those that begin with it.',
  args: { min: 0, max: 1, rule: 'This command takes flags and either no arguments or one: <prefix>' },
  flags: {
    perPage: flag.integer('<number>', 'How many to look at; what comes next is told on stderr.'),
    pageToken: flag.string('<token>', 'Where to go on.'),
    out: flag.string('<format>', 'go-template, json, table or terse.'),
    template: outFlags.template,
    json: flag.boolean('The same as -out=json.'),
    t: flag.string('<template>', 'The same as -out=go-template -template=<template>.', { hidden: true }),
    q: flag.boolean('The same as -out=terse.', { hidden: true }),
  },
  async run({ args: [prefix = ''], flags }, context) {
    const format = flags.q ? 'terse' : flags.json ? 'json' : flags.t !== undefined ? 'go-template' : (flags.out ?? 'table');
    if (!['go-template', 'json', 'table', 'terse'].includes(format))
      throw new CommandError('Invalid value for "-out"; valid values are [go-template, json, table, terse]');
    const template = flags.t ?? flags.template;
    readFormat(format === 'terse' ? 'table' : format, template, 'table');
    const { found, next } = await submitting(context, 'Error retrieving vars', () => page(context, flags));
    const all = found
      .map((one) => toNomad(one))
      .filter(({ Path }) => Path.startsWith(prefix.replace(/^\/+/, '')))
      .map(({ Items: _, ...metadata }) => metadata)
      .sort((a, b) => compare(a.Namespace, b.Namespace) || compare(a.Path, b.Path));
    if (format === 'json') await sayData(context, {}, all);
    else if (format === 'go-template') await sayData(context, { t: template }, all);
    else if (format === 'terse') {
      const lines = all.map(({ Namespace, Path }) => (context.listNamespace === undefined ? `${Namespace}|${Path}` : Path));
      if (lines.length > 0) say(context, lines.join('\n'));
    } else if (all.length === 0) say(context, 'No matching variables found');
    else {
      const rows = all.map(({ Namespace, Path, ModifyTime }) => [Namespace, Path, localTime(ModifyTime / 1e6)]);
      say(context, sparseTable([['Namespace', 'Path', 'Last Updated'], ...rows]));
    }
    if (next !== undefined && next !== '') complain(context, `Next page token: ${next}`);
  },
});

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One page, or all of them. Values are not asked for. */
async function page(
  { client, listNamespace: namespace }: ClusterContext,
  { perPage, pageToken }: { perPage: number | undefined; pageToken: string | undefined },
): Promise<{ found: Stored<Variable>[]; next: string | undefined }> {
  const found: Stored<Variable>[] = [];
  let next = pageToken;
  do {
    const { items, metadata } = await client.list(VariableKind, {
      limit: perPage ?? 500,
      ...(namespace !== undefined && { namespace }),
      ...(next !== undefined && { continue: next }),
    });
    found.push(...items);
    next = metadata.continue;
  } while (perPage === undefined && next !== undefined && next !== '');
  return { found, next };
}

export const varPurge = defineClusterCommand({
  name: 'var purge',
  summary: 'Remove a variable for ever',
  usage: '[options] <path>',
  args: oneArgument('path'),
  flags: { checkIndex },
  async run({ args: [path], flags }, context) {
    const given = readIndex(flags.checkIndex);
    checkNamespace(context);
    const name = variableName(cleanPath(path!));
    await submitting(context, 'Error purging variable', async () => {
      const preconditions = given === undefined ? {} : { resourceVersion: String(given) };
      if (given !== undefined) {
        const found = await findVariable(context, path!);
        if (Number(found?.metadata.resourceVersion ?? 0) !== given) throw checkFailed(context, { given, found });
      }
      try {
        await context.client.delete(VariableKind, name, context.namespace, { preconditions });
      } catch (error) {
        // What is to be gone is gone.
        if (isReason(error, 'NotFound')) return;
        if (given === undefined || !isReason(error, 'Conflict')) throw error;
        throw checkFailed(context, { given, found: await findVariable(context, path!) });
      }
    });
    say(context, `Successfully purged variable "${path!}"!`);
  },
});
