import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { defineCommand, flag, noArguments, oneArgument, type Context } from '../command.ts';
import { configPath } from '../connection.ts';
import { CommandError } from '../errors.ts';
import { say } from '../io/streams.ts';
import { alignRows } from '../views/server-table.ts';

interface ContextEntry {
  name: string;
  server?: string;
  namespace?: string;
  token?: string;
}

interface ConfigFile {
  'current-context'?: string;
  contexts: ContextEntry[];
}

async function read({ env }: Context): Promise<ConfigFile> {
  const path = configPath(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: [] };
    throw new CommandError(`Cannot read ${path}: ${(error as Error).message}`);
  }
  const { parse } = await import('yaml');
  const parsed = parse(text) as Partial<ConfigFile> | null;
  return { ...parsed, contexts: Array.isArray(parsed?.contexts) ? parsed.contexts : [] };
}

/** Written beside and moved, for its owner only: it may hold tokens. */
async function write({ env }: Context, config: ConfigFile): Promise<void> {
  const path = configPath(env);
  const { stringify } = await import('yaml');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, stringify(config), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export const configGet = defineCommand({
  name: 'config get-contexts',
  summary: 'List contexts: addresses that have a name',
  usage: '[options]',
  examples: [{ text: 'The clusters that have a name', command: 'config get-contexts' }],
  args: noArguments,
  async run(_call, context) {
    const config = await read(context);
    if (config.contexts.length === 0)
      return say(context, `No contexts. Make one with: ${context.program} config set-context <name> -address=<url>`);
    say(
      context,
      alignRows([
        ['CURRENT', 'NAME', 'SERVER', 'NAMESPACE'],
        ...config.contexts.map(({ name, server = '', namespace = '' }) => [name === config['current-context'] ? '*' : '', name, server, namespace]), // prettier-ignore
      ]),
    );
  },
});

export const configCurrent = defineCommand({
  name: 'config current-context',
  summary: 'Print the name of the present context',
  usage: '',
  examples: [{ text: 'Which cluster commands go to', command: 'config current-context' }],
  args: noArguments,
  async run(_call, context) {
    const { 'current-context': current } = await read(context);
    if (current === undefined || current === '') throw new CommandError('There is no current context');
    say(context, current);
  },
});

export const configUse = defineCommand({
  name: 'config use-context',
  summary: 'Use a context from now on',
  usage: '<context>',
  examples: [{ text: 'From now on another cluster', command: 'config use-context prod' }],
  args: oneArgument('context'),
  next: () => ({ text: 'See what runs there', command: 'job status' }),
  async run({ args: [name] }, context) {
    const config = await read(context);
    if (!config.contexts.some((one) => one.name === name)) {
      const names = config.contexts.map((one) => one.name).join(', ');
      throw new CommandError(`There is no context "${name}"; there ${names === '' ? 'are none' : `is ${names}`}`);
    }
    await write(context, { ...config, 'current-context': name! });
    say(context, `Switched to context "${name}".`);
  },
});

export const configSet = defineCommand({
  name: 'config set-context',
  summary: 'Make a context, or change one',
  usage: '[options] <context>',
  examples: [{ text: 'A cluster far away', command: 'config set-context prod -address=http://10.0.0.1:4646 -namespace=web' }],
  args: oneArgument('context'),
  flags: {
    address: flag.string('<url>', 'The address of the API server.', { also: ['server'] }),
    namespace: flag.string('<name>', 'The namespace.', { short: 'n' }),
    token: flag.string('<secret>', 'The token.'),
    use: flag.boolean('Use it from now on.'),
  },
  next: ({ args: [name], flags }) => (flags.use ? undefined : { text: 'Use it', command: `config use-context ${name}` }),
  async run({ args: [name], flags }, context) {
    const config = await read(context);
    const before = config.contexts.find((one) => one.name === name);
    const { address: server, namespace, token } = flags;
    if (before === undefined && server === undefined) throw new CommandError('A new context needs an address: -address=<url>');
    if (server !== undefined && !/^https?:\/\/\S+$/.test(server))
      throw new CommandError(`"${server}" is not the address of an API server; it should look like http://127.0.0.1:4646`);
    const entry: ContextEntry = { ...before, name: name!, ...(server !== undefined && { server }), ...(namespace !== undefined && { namespace }), ...(token !== undefined && { token }) }; // prettier-ignore
    const contexts =
      before === undefined ? [...config.contexts, entry] : config.contexts.map((one) => (one === before ? entry : one));
    const isFirst = config.contexts.length === 0;
    await write(context, { ...config, contexts, ...((flags.use || isFirst) && { 'current-context': name! }) });
    say(context, `Context "${name}" ${before === undefined ? 'created' : 'modified'}.`);
  },
});

export const configDelete = defineCommand({
  name: 'config delete-context',
  summary: 'Remove a context',
  usage: '<context>',
  examples: [{ text: 'One that is not needed any more', command: 'config delete-context staging' }],
  args: oneArgument('context'),
  async run({ args: [name] }, context) {
    const { 'current-context': current, ...config } = await read(context);
    if (!config.contexts.some((one) => one.name === name)) throw new CommandError(`There is no context "${name}"`);
    const contexts = config.contexts.filter((one) => one.name !== name);
    await write(context, {
      ...config,
      contexts,
      ...(current !== undefined && current !== name && { 'current-context': current }),
    });
    say(context, `Deleted context "${name}".`);
  },
});
