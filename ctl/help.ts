import { clusterFlags, commonFlags, type Command, type CommandNames, type Flag, type Flags } from './command.ts';
import { dashed } from './argv.ts';
import type { Style } from './io/style.ts';

/** The help of one command: what it does, examples, how that works, then every flag. */
export function commandHelp(command: Command, program: string, style: Style): string {
  const parts = [`${command.summary}\n\n${style.bold('Usage:')} ${program} ${command.name} ${command.usage}`.trimEnd()];
  if ((command.aliases ?? []).length > 0)
    parts[0] += `\n${style.bold('Alias:')} ${command.aliases!.map((alias) => `${program} ${alias}`).join(', ')}`;
  if ((command.examples ?? []).length > 0)
    parts.push(
      style.bold('Examples:') +
        command.examples!.map(({ text, command: line }) => `\n\n  ${style.dim(`# ${text}`)}\n  ${program} ${line}`).join(''),
    );
  if (command.description !== undefined) parts.push(wrap(command.description, 2));
  const own = flagList(command.flags);
  if (own !== '') parts.push(`${style.bold('Options:')}\n\n${own}`);
  parts.push(
    `${style.bold('General options:')}\n\n${flagList({ ...(command.usesCluster ? clusterFlags : {}), ...commonFlags }, command.flags)}`,
  );
  return parts.join('\n\n');
}

/** The help of a word that only has commands below it, such as `job`. */
export function groupHelp(words: string, commands: readonly CommandNames[], program: string, style: Style): string {
  const below = commands.filter((command) => command.name.startsWith(`${words} `) && command.hidden !== true);
  const lines = below
    .map(({ name, summary }) => [name.slice(words.length + 1), summary] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    `${style.bold('Usage:')} ${program} ${words} <subcommand> [options] [args]\n\n` +
    `${style.bold('Subcommands:')}\n\n${twoColumns(lines)}\n\n` +
    `Try "${program} ${words} <subcommand> -help" for more on one of them.`
  );
}

const common = ['job run', 'job plan', 'job status', 'job stop', 'logs', 'job init', 'get', 'apply', 'status'];

/** The help of the program itself. */
export function programHelp(
  commands: readonly CommandNames[],
  groups: Readonly<Record<string, string>>,
  program: string,
  style: Style,
): string {
  const shown = commands.filter((command) => command.hidden !== true);
  const first = common.flatMap((name) => {
    const command = shown.find((one) => one.name === name);
    return command === undefined ? [] : [[command.aliases?.[0] ?? command.name, command.summary] as const];
  });
  const single = shown.filter(({ name }) => !name.includes(' ') && !common.includes(name));
  const rest = [
    ...Object.entries(groups).filter(([word]) => shown.some(({ name }) => name.startsWith(`${word} `))),
    ...single.map(({ name, summary }) => [name, summary] as const),
  ].sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    `Runs Nomad job files on a Kubernetes-style control plane.\n\n` +
    `${style.bold('Usage:')} ${program} [-version] [-help] <command> [options] [args]\n\n` +
    `${style.bold('Start here:')}\n\n` +
    [
      ['a cluster on this machine', 'agent -dev'],
      ['a job file to begin with', 'job init'],
      ['what it would do', 'job plan example.nomad'],
      ['run it, and watch it become healthy', 'job run example.nomad'],
    ]
      .map(([text, line]) => `  ${style.dim(`# ${text}`)}\n  ${program} ${line}`)
      .join('\n') +
    `\n\n${style.bold('Common commands:')}\n\n${twoColumns(first)}\n\n` +
    `${style.bold('Other commands:')}\n\n${twoColumns(rest)}\n\n` +
    `Try "${program} <command> -help" for more on one of them.`
  );
}

function twoColumns(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.length), 0);
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}

function flagList(flags: Flags, taken: Flags = {}): string {
  return Object.entries(flags)
    .filter(([key, flag]) => flag.hidden !== true && !(key in taken))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, flag]) => `  ${flagForm(key, flag, taken)}\n${wrap(flag.description, 6)}`)
    .join('\n\n');
}

function flagForm(key: string, flag: Flag, taken: Flags): string {
  const value = flag.type === 'boolean' ? '' : `=${flag.value ?? '<value>'}`;
  const shortTaken = Object.values(taken).some((other) => other.short !== undefined && other.short === flag.short);
  const short = flag.short === undefined || shortTaken ? '' : `, -${flag.short}`;
  return `-${dashed(key)}${value}${short}`;
}

/** Breaks a text at 100 columns; paragraphs and lines that begin with a space are kept. */
function wrap(text: string, indent: number): string {
  const space = ' '.repeat(indent);
  return text
    .split('\n')
    .map((line) => {
      if (line === '' || line.startsWith(' ')) return line === '' ? '' : space + line;
      const out: string[] = [];
      let current = '';
      for (const word of line.split(' ')) {
        if (current !== '' && indent + current.length + 1 + word.length > 100) {
          out.push(current);
          current = word;
        } else current = current === '' ? word : `${current} ${word}`;
      }
      out.push(current);
      return out.map((one) => space + one).join('\n');
    })
    .join('\n');
}
