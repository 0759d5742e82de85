/**
 * The manual: one page for each first word of a command (`job`, `get`), with all commands below it. Markdown for docs/cli and man pages are printed from
 * the same commands as the help is.
 */
import { dashed } from '../argv.ts';
import { clusterFlags, commonFlags, type Command, type Flag, type Flags } from '../command.ts';

export interface Page {
  /** The first word of its commands. */
  readonly word: string;
  /** What it is about, in a line. */
  readonly summary: string;
  readonly commands: readonly Command[];
}

export const program = 'orchctl';

/** `groups` says what the words are about that have commands below them. */
export function pagesOf(commands: readonly Command[], groups: Readonly<Record<string, string>>): Page[] {
  const words = new Map<string, Command[]>();
  for (const command of commands) {
    if (command.hidden === true) continue;
    const word = command.name.split(' ')[0]!;
    words.set(word, [...(words.get(word) ?? []), command]);
  }
  return [...words]
    .map(([word, own]) => ({
      word,
      summary: groups[word] ?? own[0]!.summary,
      commands: own.sort((a, b) => (a.name < b.name ? -1 : 1)),
    }))
    .sort((a, b) => (a.word < b.word ? -1 : 1));
}

export interface ShownFlag {
  /** `-check-index=<n>`, `-n`. */
  readonly forms: readonly string[];
  readonly description: string;
}

/** Flags as they are shown, by name; without those whose meaning is that of a flag of `taken`. */
export function shownFlags(flags: Flags, taken: Flags = {}): ShownFlag[] {
  return Object.entries(flags)
    .filter(([key, { hidden }]) => hidden !== true && !(key in taken))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, flag]) => ({ forms: formsOf(key, flag), description: flag.description }));
}

function formsOf(key: string, flag: Flag): string[] {
  const value = flag.type === 'boolean' ? '' : `=${flag.value ?? '<value>'}`;
  const long = `-${dashed(key)}${flag.implied === undefined ? value : `[${value}]`}`;
  return [long, ...(flag.short === undefined ? [] : [`-${flag.short}`]), ...(flag.also ?? []).map((name) => `-${name}${value}`)];
}

/** What every command takes, and what those take that talk to the API. */
export const generalFlags: readonly ShownFlag[] = shownFlags({ ...clusterFlags, ...commonFlags });

/** Exit codes that hold for all commands; a command's own are in its description. */
export const exitCodes: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'It was done. Of plans and diffs: nothing would change.'],
  ['1', 'It was not, and why is on standard error. Of plans and diffs: something would change.'],
  ['2', 'A job is not wholly placed or its rollout failed; what was asked about could not be told.'],
  ['127', 'There is no such command.'],
  ['130', 'Ended by Ctrl-C. What was submitted goes on.'],
];

/** Environment variables that stand for general options. */
export const environment: readonly (readonly [name: string, meaning: string])[] = [
  ['ORCH_ADDR, NOMAD_ADDR', 'Addresses of API servers, with commas.'],
  ['ORCH_NAMESPACE, NOMAD_NAMESPACE', 'The namespace.'],
  ['ORCH_TOKEN, NOMAD_TOKEN', 'The token.'],
  ['ORCH_CONFIG', 'The file that contexts are kept in.'],
  ['ORCH_VAR_<name>, NOMAD_VAR_<name>', 'The value of an input variable of job files.'],
  ['ORCH_NO_HINTS', 'Anything but nothing: no lines that begin with "Hint: ".'],
  ['NO_COLOR', 'Anything but nothing: no colours.'],
];
