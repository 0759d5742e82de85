import type { Command } from '../command.ts';
import { environment, exitCodes, generalFlags, program, shownFlags, type Page, type ShownFlag } from './pages.ts';

/** The man pages by file name: one for the program, one for each first word. */
export function manPages(pages: readonly Page[], version: string): Record<string, string> {
  return Object.fromEntries([
    [`${program}.1`, programPage(pages, version)],
    ...pages.map((page) => [`${program}-${page.word}.1`, page1(page, version)] as const),
  ]);
}

export function programPage(pages: readonly Page[], version: string): string {
  return [
    head(program, version),
    name(program, 'run Nomad job files on a Kubernetes-style control plane'),
    '.SH SYNOPSIS',
    `.B ${program}\n${text('[options] <command> [options] [arguments]')}`,
    '.SH EXAMPLES',
    examples([
      { text: 'A cluster on this machine', command: 'agent -dev' },
      { text: 'A job file to begin with', command: 'job init' },
      { text: 'What it would do', command: 'job plan example.nomad' },
      { text: 'Run it, and watch it become healthy', command: 'job run example.nomad' },
    ]),
    '.SH COMMANDS',
    ...pages.map(({ word, summary }) => `.TP\n.BR ${program}\\-${escaped(word)} (1)\n${text(summary)}`),
    '.SH OPTIONS',
    text('Flags take one dash or two, and may stand before, between and behind the arguments.'),
    flagList(generalFlags),
    '.SH ENVIRONMENT',
    ...environment.map(([variable, meaning]) => `.TP\n.B ${escaped(variable)}\n${text(meaning)}`),
    '.SH EXIT STATUS',
    ...exitCodes.map(([value, meaning]) => `.TP\n.B ${value}\n${text(meaning)}`),
    '',
  ].join('\n');
}

function page1({ word, summary, commands }: Page, version: string): string {
  const only = commands.length === 1 && commands[0]!.name === word;
  const first = summary.charAt(0).toLowerCase() + summary.slice(1);
  return [
    head(`${program}-${word}`, version),
    name(`${program}-${word}`, first),
    '.SH SYNOPSIS',
    commands.map(({ name, usage }) => synopsis(name, usage)).join('\n.br\n'),
    ...(only ? onlyCommand(commands[0]!) : commands.flatMap(oneOfMany)),
    '.SH SEE ALSO',
    `.BR ${program} (1)\n${text('for the options that all commands take, the environment and exit codes')}`,
    '',
  ].join('\n');
}

const synopsis = (name: string, usage: string): string =>
  `.B ${program} ${escaped(name)}${usage === '' ? '' : `\n${text(usage)}`}`;

function onlyCommand(command: Command): string[] {
  const { examples: shown = [], description, aliases = [] } = command;
  const flags = shownFlags(command.flags);
  return [
    ...(shown.length > 0 ? ['.SH EXAMPLES', examples(shown)] : []),
    '.SH DESCRIPTION',
    text(`${command.summary}.`),
    ...(description === undefined ? [] : ['.PP', paragraphs(description)]),
    ...(aliases.length > 0 ? ['.PP', alsoCalled(aliases)] : []),
    ...(flags.length > 0 ? ['.SH OPTIONS', flagList(flags)] : []),
  ];
}

function oneOfMany(command: Command): string[] {
  const { name, usage, examples: shown = [], description, aliases = [] } = command;
  const flags = shownFlags(command.flags);
  return [
    `.SH "${escaped(name.toUpperCase())}"`,
    synopsis(name, usage),
    '.PP',
    text(`${command.summary}.`),
    ...(aliases.length > 0 ? [alsoCalled(aliases)] : []),
    ...(shown.length > 0 ? ['.PP', examples(shown)] : []),
    ...(description === undefined ? [] : ['.PP', paragraphs(description)]),
    ...(flags.length > 0 ? ['.SS Options', flagList(flags)] : []),
  ];
}

const alsoCalled = (aliases: readonly string[]): string =>
  text(`Also: ${aliases.map((alias) => `${program} ${alias}`).join(', ')}.`);

/** The date is left out: the same commands give the same page. */
const head = (title: string, version: string): string =>
  `.TH "${title.toUpperCase()}" 1 "" "${program} ${version}" "${program}"\n.nh\n.ad l`;

const name = (title: string, what: string): string => `.SH NAME\n${escaped(title)} \\- ${escaped(what)}`;

const examples = (shown: readonly { readonly text: string; readonly command: string }[]): string =>
  shown
    .map(({ text: what, command }) => `${text(`${what}:`)}\n.PP\n.RS 4\n.nf\n${text(`${program} ${command}`)}\n.fi\n.RE`)
    .join('\n.PP\n');

const flagList = (flags: readonly ShownFlag[]): string =>
  flags
    .map(({ forms, description }) => `.TP\n${forms.map((form) => `\\fB${escaped(form)}\\fR`).join(', ')}\n${text(description)}`)
    .join('\n');

function paragraphs(description: string): string {
  return description
    .split('\n')
    .map((line) => (line.startsWith(' ') ? `.RS 4\n.nf\n${text(line.trimStart())}\n.fi\n.RE` : text(line)))
    .join('\n.PP\n');
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq').replaceAll("'", '\\(aq').replaceAll('~', '\\(ti').replaceAll('^', '\\(ha').replaceAll('`', '\\(ga'); // prettier-ignore

/** A line of text: what looks like a request of roff is none. */
const text = (value: string): string =>
  escaped(value)
    .split('\n')
    .map((line) => (/^[.]/.test(line) ? `\\&${line}` : line))
    .join('\n');
