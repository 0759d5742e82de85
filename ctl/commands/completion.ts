import { readFile } from 'node:fs/promises';
import { AllocationKind, DeploymentKind, EvaluationKind, JobKind, NodeKind, type Kind } from '../../openapi/index.ts';
import { dashed } from '../argv.ts';
import {
  clusterFlags,
  commonFlags,
  defineCommand,
  oneArgument,
  type CommandEntry,
  type Completes,
  type Flag,
  type Flags,
  type Context,
} from '../command.ts';
import { configPath, resolveConnection } from '../connection.ts';
import { CommandError } from '../errors.ts';
import { say } from '../io/streams.ts';

const scripts: Readonly<Record<string, string>> = {
  bash: `# orchctl completion for bash. Load it with: source <(orchctl completion bash)
_orchctl() {
  local IFS=$'\\n'
  COMPREPLY=($(orchctl __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [ "\${COMPREPLY[0]}" = "__files__" ]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]#=}"))
  fi
}
complete -o default -F _orchctl orchctl
`,
  zsh: `#compdef orchctl
# orchctl completion for zsh. Load it with: source <(orchctl completion zsh)
_orchctl() {
  local -a found
  found=("\${(@f)$(orchctl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${found[1]}" == "__files__" ]]; then
    _files
  else
    compadd -- "\${(@)found:#}"
  fi
}
compdef _orchctl orchctl
`,
  fish: `# orchctl completion for fish. Load it with: orchctl completion fish | source
function __orchctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (orchctl __complete -- $words[2..-1] 2>/dev/null)
  if test "$found[1]" = "__files__"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c orchctl -f -a '(__orchctl_complete)'
`,
};

export const completion = defineCommand({
  name: 'completion',
  summary: 'Print what makes a shell complete commands and names',
  usage: 'bash|zsh|fish',
  examples: [
    { text: 'For this shell only', command: 'completion bash   # source <(orchctl completion bash)' },
    { text: 'From now on', command: 'completion bash > ~/.local/share/bash-completion/completions/orchctl' },
  ],
  args: oneArgument('shell'),
  run({ args: [shell] }, context) {
    const script = scripts[shell!];
    if (script === undefined)
      throw new CommandError(`There is no completion for "${shell}"; there is for ${Object.keys(scripts).join(', ')}`);
    say(context, script.trimEnd());
    return Promise.resolve();
  },
});

/** Asked by the scripts: what may stand in the place of the last word. */
export const complete = defineCommand({
  name: '__complete',
  hidden: true,
  summary: 'Print completions',
  usage: '-- <word>…',
  args: { min: 0, rule: '' },
  async run({ args }, context) {
    const found = await candidates(args, context);
    if (found.length > 0) say(context, found.join('\n'));
  },
});

/** What may stand in the place of the last word; `__files__` where that is a file of this machine. */
export async function candidates(given: readonly string[], context: Pick<Context, 'commands' | 'env'>): Promise<string[]> {
  const { words, split } = joined(given);
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const starting = (list: readonly string[], start = last): string[] =>
    [...new Set(list)].filter((one) => one.startsWith(start)).sort();

  const plain = withoutFlags(before, { ...clusterFlags, ...commonFlags });
  const { entry, used } = commandOf(plain, context.commands);
  if (entry === undefined) {
    const helped = /^(help|manual)$/.test(plain[0] ?? '') ? plain.slice(1) : plain;
    return last.startsWith('-') ? starting(flagWords({ ...clusterFlags, ...commonFlags }, last)) : starting(nextWords(helped, context.commands)); // prettier-ignore
  }
  if (entry.name === 'manual') return starting(nextWords([], context.commands));
  const command = await entry.load();
  const flags: Flags = { ...commonFlags, ...(command.usesCluster ? clusterFlags : {}), ...command.flags };

  // The value of a flag: `-namespace te`, `-namespace=te`.
  const [, attached, start = ''] = /^(--?[^=]+)=(.*)$/s.exec(last) ?? [];
  const flagWord = attached ?? (before.at(-1)?.startsWith('-') === true ? before.at(-1) : undefined);
  const flag = flagWord === undefined ? undefined : flagCalled(flagWord, flags);
  if (flag !== undefined && (attached !== undefined || takesNext(flag[1]))) {
    const found = await valuesOf(flag, context.env);
    if (attached === undefined || split || found[0] === '__files__') return found[0] === '__files__' ? found : starting(found, start || (attached === undefined ? last : '')); // prettier-ignore
    return starting(found, start).map((value) => `${attached}=${value}`);
  }
  if (last.startsWith('-')) return starting(flagWords(flags, last));
  if (command.completes === 'file') return ['__files__'];
  if (command.name === 'completion') return starting(Object.keys(scripts));
  if (command.name.startsWith('config ')) return starting(await contextNames(context.env));
  if (command.completes === undefined) return [];

  const connection = valuesIn(before, flags);
  const operands = withoutFlags(before, flags).slice(used);
  // `job/example`, where a kind may be named.
  const [, kind, name] = /^([a-z]+)\/(.*)$/.exec(last) ?? [];
  if (kind !== undefined && command.completes !== 'kind' && name !== undefined)
    return starting((await names('kind', [kind], connection, context.env)).map((one) => `${kind}/${one}`));
  return starting(await names(command.completes, operands, connection, context.env));
}

/** bash cuts words at `=`; they are put together again, and whether the last one was cut tells what it replaces. */
function joined(words: readonly string[]): { readonly words: string[]; readonly split: boolean } {
  const out: string[] = [];
  let split = false;
  for (let i = 0; i < words.length; i++) {
    split = words[i] === '=' && out.at(-1)?.startsWith('-') === true;
    if (split) {
      out[out.length - 1] += `=${words[i + 1] ?? ''}`;
      i++;
    } else out.push(words[i]!);
  }
  return { words: out, split };
}

const takesNext = (flag: Flag): boolean => flag.type !== 'boolean' && flag.implied === undefined;

function flagCalled(word: string, flags: Flags): readonly [key: string, flag: Flag] | undefined {
  const bare = word.replace(/^--?/, '');
  return Object.entries(flags).find(([key, flag]) => dashed(key) === bare || flag.short === bare || flag.also?.includes(bare) === true); // prettier-ignore
}

/** The words that are arguments, or name the command. */
function withoutFlags(words: readonly string[], flags: Flags): string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('-') || word === '-') out.push(word);
    else if (!word.includes('=') && takesNext(flagCalled(word, flags)?.[1] ?? { type: 'boolean', description: '' })) i++;
  }
  return out;
}

/** The general options among the words. */
function valuesIn(words: readonly string[], flags: Flags): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  words.forEach((word, i) => {
    const [, name = '', attached] = /^(--?[^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const [key] = flagCalled(name, flags) ?? [];
    const value = attached ?? words[i + 1];
    if (key === undefined || !(key in clusterFlags) || value === undefined) return;
    out[key] = key === 'address' ? [value] : value;
  });
  return out;
}

const flagWords = (flags: Flags, last: string): string[] =>
  Object.entries(flags).flatMap(([key, { hidden }]) => (hidden === true ? [] : [`${last.startsWith('--') ? '--' : '-'}${dashed(key)}`])); // prettier-ignore

async function valuesOf([key, { value }]: readonly [string, Flag], env: Context['env']): Promise<string[]> {
  if (key === 'namespace') return names('kind', ['namespaces'], {}, env);
  if (key === 'context') return contextNames(env);
  return key === 'filename' || /^<(path|file|folder)>$/.test(value ?? '') ? ['__files__'] : [];
}

async function contextNames(env: Context['env']): Promise<string[]> {
  try {
    const { parse } = await import('yaml');
    const { contexts } = parse(await readFile(configPath(env), 'utf8')) as { contexts?: { name: string }[] };
    return (contexts ?? []).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** The command that the words call, and how many of them it takes. */
function commandOf(words: readonly string[], commands: readonly CommandEntry[]): { entry?: CommandEntry; used: number } {
  const find = (text: string): CommandEntry | undefined =>
    commands.find(({ name, aliases = [], formerNames = [] }) => [name, ...aliases, ...formerNames].includes(text));
  for (let used = Math.min(3, words.length); used > 0; used--) {
    const entry = find(words.slice(0, used).join(' '));
    if (entry !== undefined) return { entry, used };
  }
  return { used: 0 };
}

/** What may follow: first words of commands, or second ones. */
function nextWords(before: readonly string[], commands: readonly CommandEntry[]): string[] {
  return commands
    .filter(({ hidden }) => hidden !== true)
    .flatMap(({ name, aliases = [] }) => [name, ...aliases])
    .map((name) => name.split(' '))
    .filter((words) => before.every((word, i) => words[i] === word))
    .flatMap((words) => words[before.length] ?? []);
}

const kindsOf: Readonly<Record<Exclude<Completes, 'file' | 'kind'>, Kind>> = {
  job: JobKind,
  allocation: AllocationKind,
  node: NodeKind,
  deployment: DeploymentKind,
  evaluation: EvaluationKind,
};

/** Names that the cluster knows. Whoever presses a key must not wait: where it does not answer at once, there are none. */
async function names(
  completes: Exclude<Completes, 'file'>,
  operands: readonly string[],
  flags: Record<string, string | string[]>,
  env: Context['env'],
): Promise<string[]> {
  // prettier-ignore
  const { builtInKinds, wordsOf } = await import('../kinds.ts');
  if (completes === 'kind' && operands.length === 0) return builtInKinds.map(({ plural }) => plural);
  const kind = completes === 'kind' ? builtInKinds.find((one) => wordsOf(one).includes(operands[0]!)) : kindsOf[completes];
  if (kind === undefined) return [];
  const { Client } = await import('../../client/index.ts');
  try {
    const { servers, namespace, token } = await resolveConnection(flags, env);
    const client = new Client({ servers, timeoutMs: 1500, ...(token !== undefined && { token }) });
    try {
      const { items } = await client.list(kind, { limit: 500, resourceVersion: '0', ...(kind.namespaced && { namespace }) });
      return items.map(({ metadata }) => (/^[0-9a-f]{8}-/.test(metadata.name) ? metadata.name.slice(0, 8) : metadata.name));
    } finally {
      client.close();
    }
  } catch {
    return [];
  }
}
