import { systemClock, type Clock } from '../base/index.ts';
import { dashed, meantBy, parseArguments } from './argv.ts';
import {
  clusterFlags,
  commonFlags,
  type ClusterContext,
  type Command,
  type CommandEntry,
  type CommandNames,
  type Context,
  type Flags,
} from './command.ts';
import { commands as ownCommands } from './commands/index.ts';
import { resolveConnection } from './connection.ts';
import { CommandError, exitCodes, explain, Interrupted } from './errors.ts';
import { groups } from './groups.ts';
import { commandHelp, groupHelp, programHelp } from './help.ts';
import { complain, hintNext, processIO, say, type IO } from './io/streams.ts';
import { chooseStyle } from './io/style.ts';
import type { Client } from '../client/index.ts';

export interface ProgramOptions {
  /** The streams of the process when absent. */
  readonly io?: IO;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly version: string;
  /** Commands of other parts (agent, apiserver, …) to offer beside those of the command line. */
  readonly processCommands?: readonly CommandEntry[];
}

export interface Program {
  readonly commands: readonly CommandEntry[];
  /** Does what the arguments (without the program's own name) say; resolves to the exit code and never rejects. */
  run(argv: readonly string[]): Promise<number>;
}

const name = 'orchctl';

export function buildProgram(options: ProgramOptions): Program {
  const { io = processIO(), env = process.env, clock = systemClock, version, processCommands = [] } = options;
  const commands = [...ownCommands, ...processCommands];

  const run = async (argv: readonly string[]): Promise<number> => {
    const target = resolve(argv, commands);
    const style = chooseStyle(io, env, argv.includes('-no-color') || argv.includes('--no-color'));
    const printing = { io };
    switch (target.type) {
      case 'version':
        say(printing, `${name} v${version}`);
        return exitCodes.ok;
      case 'help':
        if (target.command !== undefined) say(printing, commandHelp(await target.command.load(), name, style));
        else if (target.group !== undefined) say(printing, groupHelp(target.group, commands, name, style));
        else say(printing, programHelp(commands, groups, name, style));
        return exitCodes.ok;
      case 'flag':
        complain(printing, `Unknown flag: ${target.word}\nFor a list of commands try "${name} -help"`);
        return exitCodes.unknownCommand;
      case 'nothing':
        complain(printing, programHelp(commands, groups, name, style));
        return exitCodes.unknownCommand;
      case 'unknown': {
        const meant = meantBy(target.word, target.candidates);
        const where = target.group === undefined ? '' : ` ${target.group}`;
        const { elsewhereCalled } = await import('./elsewhere.ts');
        const elsewhere = elsewhereCalled(target.group === undefined ? target.word : `${target.group} ${target.word}`);
        complain(printing, `Unknown command: ${name}${where} ${target.word}`);
        if (elsewhere !== undefined) complain(printing, elsewhere(name));
        else if (meant !== undefined) complain(printing, `Did you mean "${name}${where} ${meant}"?`);
        complain(printing, `For a list of commands try "${name}${where} -help"`);
        return target.group === undefined ? exitCodes.unknownCommand : exitCodes.failed;
      }
      case 'group':
        complain(printing, groupHelp(target.group, commands, name, style));
        return exitCodes.failed;
      case 'command':
        return runCommand(await target.command.load(), target.argv, { io, env, clock, version, style, commands });
    }
  };
  return { commands, run };
}

/** Builds the program and runs it once. */
export function run(argv: readonly string[], options: ProgramOptions): Promise<number> {
  return buildProgram(options).run(argv);
}

type Target =
  | { readonly type: 'version' | 'nothing' }
  | { readonly type: 'flag'; readonly word: string }
  | { readonly type: 'help'; readonly command?: CommandEntry; readonly group?: string }
  | { readonly type: 'unknown'; readonly word: string; readonly group?: string; readonly candidates: readonly string[] }
  | { readonly type: 'group'; readonly group: string }
  | { readonly type: 'command'; readonly command: CommandEntry; readonly argv: readonly string[] };

/** Which command is meant. Flags before its name are general ones (`orchctl -address=… job status`) and belong to it too. */
function resolve(argv: readonly string[], commands: readonly CommandEntry[]): Target {
  const byName = new Map<string, CommandEntry>();
  for (const command of commands)
    for (const words of [command.name, ...(command.aliases ?? []), ...(command.formerNames ?? [])]) byName.set(words, command);
  const isGroup = (words: string): boolean => [...byName.keys()].some((key) => key.startsWith(`${words} `));

  const leading: string[] = [];
  let at = 0;
  for (; at < argv.length && argv[at]!.startsWith('-') && argv[at] !== '-'; at++) {
    const word = argv[at]!.replace(/^--?/, '');
    if (word === 'version' || word === 'v') return { type: 'version' };
    if (word === 'help' || word === 'h') return helpOn(argv.slice(at + 1), byName, isGroup);
    leading.push(argv[at]!);
    const flag = word.includes('=') ? undefined : generalFlag(word);
    if (flag !== undefined && flag !== 'boolean' && at + 1 < argv.length) leading.push(argv[++at]!);
  }
  const strange = leading.find(
    (word) => word.startsWith('-') && !/^--?no-color$/.test(word) && generalFlag(bare(word)) === undefined,
  );
  if (at >= argv.length) return strange === undefined ? { type: 'nothing' } : { type: 'flag', word: strange };
  if (argv[at] === 'help') return helpOn(argv.slice(at + 1), byName, isGroup);

  // The longest name that the words make: `job periodic force` before `job`.
  const words = argv.slice(at, at + MAX_WORDS);
  for (let length = words.length; length > 0; length--) {
    const command = byName.get(words.slice(0, length).join(' '));
    if (command !== undefined) return { type: 'command', command, argv: [...leading, ...argv.slice(at + length)] };
  }
  let depth = 0;
  while (depth < words.length && isGroup(words.slice(0, depth + 1).join(' '))) depth++;
  if (depth === 0) return { type: 'unknown', word: words[0]!, candidates: topWords(commands) };
  const group = words.slice(0, depth).join(' ');
  const next = argv[at + depth];
  if (next === undefined) return { type: 'group', group };
  if (/^--?h(elp)?$/.test(next)) return { type: 'help', group };
  if (next.startsWith('-')) return { type: 'group', group };
  const below = [...byName.keys()].filter((key) => key.startsWith(`${group} `)).map((key) => key.split(' ')[depth]!);
  return { type: 'unknown', word: next, group, candidates: [...new Set(below)] };
}

/** No command has a longer name. */
const MAX_WORDS = 4;

function helpOn(
  words: readonly string[],
  byName: ReadonlyMap<string, CommandEntry>,
  isGroup: (words: string) => boolean,
): Target {
  for (let length = Math.min(words.length, MAX_WORDS); length > 0; length--) {
    const name = words.slice(0, length).join(' ');
    const command = byName.get(name);
    if (command !== undefined) return { type: 'help', command };
    if (isGroup(name)) return { type: 'help', group: name };
  }
  return { type: 'help' };
}

const bare = (word: string): string => word.replace(/^--?/, '').replace(/=.*$/s, '');

function generalFlag(word: string): string | undefined {
  for (const [key, flag] of Object.entries({ ...clusterFlags, ...commonFlags }))
    if (dashed(key) === word || ('short' in flag && flag.short === word)) return flag.type;
  return undefined;
}

const topWords = (commands: readonly CommandNames[]): string[] => [
  ...new Set(commands.flatMap((command) => [command.name, ...(command.aliases ?? [])].map((words) => words.split(' ')[0]!))),
];

type Base = Omit<Context, 'program' | 'interruptible'>;

async function runCommand(command: Command, argv: readonly string[], base: Base): Promise<number> {
  const flags: Flags = { ...commonFlags, ...(command.usesCluster ? clusterFlags : {}), ...command.flags };
  const parsed = parseArguments(argv, flags, command.flagsAmong);
  if ('problem' in parsed) {
    complain(base, `${parsed.problem}\nFor additional help try '${name} ${command.name} -h'`);
    return exitCodes.failed;
  }
  if (parsed.values.help === true) {
    say(base, commandHelp(command, name, base.style));
    return exitCodes.ok;
  }
  const { min, max = Infinity, rule } = command.args;
  if (parsed.args.length < min || parsed.args.length > max) {
    complain(base, `${rule}\nFor additional help try '${name} ${command.name} -h'`);
    return exitCodes.failed;
  }

  const interrupts = new Interrupts(base.io, command.handlesSignals === true);
  const context: Context = { ...base, program: name, interruptible: (work) => interrupts.during(work) };
  let close = (): void => undefined;
  try {
    const call = { args: parsed.args, flags: withSwitches(parsed.values, flags) as never };
    const work = async (): Promise<number | void> => {
      if (!command.usesCluster) return command.run(call, context);
      const connected = await connect(context, parsed.values);
      close = () => connected.client.close();
      return command.run(call, connected);
    };
    const code = (await interrupts.race(work())) ?? exitCodes.ok;
    const next = code === exitCodes.ok ? command.next?.(call) : undefined;
    if (next !== undefined) hintNext(context, next);
    return code;
  } catch (error) {
    const text = error instanceof CommandError ? error.message : explain(error, name);
    if (text !== '') complain(base, text);
    return error instanceof CommandError ? error.exitCode : exitCodes.failed;
  } finally {
    interrupts.close();
    close();
  }
}

async function connect(context: Context, values: Record<string, unknown>): Promise<ClusterContext> {
  const connection = await resolveConnection(values, context.env);
  const { Client } = await import('../client/index.ts');
  const clientOf = (...servers: readonly string[]): Client =>
    new Client({
      servers,
      userAgent: `${name}/${context.version}`,
      ...(connection.token !== undefined && { token: connection.token }),
    });
  const client = clientOf(...connection.servers);
  const all = connection.namespace === '*';
  return {
    ...context,
    client,
    clientOf,
    namespace: all ? 'default' : connection.namespace,
    listNamespace: all ? undefined : connection.namespace,
  };
}

/** Switches that were not given are false; those that need to tell look at undefined through `flag.tristate`. */
function withSwitches(values: Readonly<Record<string, unknown>>, flags: Flags): Record<string, unknown> {
  const off = Object.entries(flags).filter(([, flag]) => flag.type === 'boolean' && flag.tristate !== true);
  return { ...Object.fromEntries(off.map(([key]) => [key, false])), ...values };
}

/** What Ctrl-C does: ends the program at once, or tells the work that asked to be told. A second one always ends it. */
class Interrupts {
  readonly #stop: () => void;
  #working: AbortController[] = [];
  #reject: (error: Interrupted) => void = () => undefined;
  readonly #interrupted: Promise<never>;

  constructor(io: IO, leaveAlone: boolean) {
    this.#interrupted = new Promise<never>((_, reject) => (this.#reject = reject));
    this.#interrupted.catch(() => undefined);
    this.#stop = leaveAlone ? () => undefined : io.onInterrupt(() => this.#onInterrupt());
  }

  #onInterrupt(): void {
    const working = this.#working.filter(({ signal }) => !signal.aborted);
    if (working.length === 0) this.#reject(new Interrupted());
    for (const controller of working) controller.abort();
  }

  race<R>(work: Promise<R>): Promise<R> {
    return Promise.race([work, this.#interrupted]);
  }

  async during<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const controller = new AbortController();
    this.#working.push(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#working = this.#working.filter((one) => one !== controller);
      // Streams that the work left open must not keep the process alive.
      controller.abort();
    }
  }

  close(): void {
    this.#stop();
    for (const controller of this.#working) controller.abort();
  }
}
