import { AllocationKind, DeploymentKind, EvaluationKind, JobKind, NodeKind, type Kind } from '../../openapi/index.ts';
import { dashed } from '../argv.ts';
import {
  clusterFlags,
  commonFlags,
  defineCommand,
  oneArgument,
  type CommandEntry,
  type Completes,
  type Context,
} from '../command.ts';
import { resolveConnection } from '../connection.ts';
import { CommandError } from '../errors.ts';
import { say } from '../io/streams.ts';

const scripts: Readonly<Record<string, string>> = {
  bash: `# orchctl completion for bash. Load it with: source <(orchctl completion bash)
_orchctl() {
  local IFS=$'\\n'
  COMPREPLY=($(orchctl __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [ "\${COMPREPLY[0]}" = "__files__" ]; then
    COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -o default -F _orchctl orchctl
`,
  zsh: `#compdef orchctl
# orchctl completion for zsh. Load it with: source <(orchctl completion zsh)
_orchctl() {
  local -a found
  found=("\${(@f)$(orchctl __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
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
  set -l found (orchctl __complete $words[2..-1] 2>/dev/null)
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

export async function candidates(words: readonly string[], context: Pick<Context, 'commands' | 'env'>): Promise<string[]> {
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { entry, used } = commandOf(before, context.commands);
  const starting = (list: readonly string[]): string[] => [...new Set(list)].filter((one) => one.startsWith(last)).sort();
  if (entry === undefined) return starting(nextWords(before, context.commands));
  const command = await entry.load();
  if (last.startsWith('-')) {
    const flags = { ...command.flags, ...(command.usesCluster ? clusterFlags : {}), ...commonFlags };
    const dashes = last.startsWith('--') ? '--' : '-';
    return starting(Object.entries(flags).flatMap(([key, { hidden }]) => (hidden === true ? [] : [`${dashes}${dashed(key)}`])));
  }
  const previous = before.at(-1) ?? '';
  if (/^--?(f|filename|var-file|config)$/.test(previous)) return ['__files__'];
  if (command.completes === 'file') return ['__files__'];
  if (command.name === 'completion') return starting(Object.keys(scripts));
  if (command.completes === undefined) return [];
  return starting(await names(command.completes, before.slice(used), context.env));
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
async function names(completes: Exclude<Completes, 'file'>, args: readonly string[], env: Context['env']): Promise<string[]> {
  const { builtInKinds, wordsOf } = await import('../kinds.ts');
  const operands = args.filter((word) => !word.startsWith('-'));
  if (completes === 'kind' && operands.length === 0) return builtInKinds.map(({ plural }) => plural);
  const kind = completes === 'kind' ? builtInKinds.find((one) => wordsOf(one).includes(operands[0]!)) : kindsOf[completes];
  if (kind === undefined) return [];
  const { Client } = await import('../../client/index.ts');
  try {
    const { servers, namespace, token } = await resolveConnection({}, env);
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
