import type { Command } from '../command.ts';
import { environment, exitCodes, generalFlags, program, shownFlags, type Page, type ShownFlag } from './pages.ts';

const generated = '<!-- Generated from the commands by `npm run generate`. Do not edit. -->\n';

/** The pages of docs/cli by file name. */
export function markdownPages(pages: readonly Page[]): Record<string, string> {
  return Object.fromEntries([['README.md', index(pages)], ...pages.map((page) => [`${page.word}.md`, pageText(page)] as const)]);
}

function index(pages: readonly Page[]): string {
  const rows = pages.map(({ word, summary }) => `| [\`${word}\`](${word}.md) | ${cell(summary)} |`);
  const short = pages
    .flatMap(({ word, commands }) =>
      commands.flatMap(({ name, aliases = [] }) => aliases.map((alias) => ({ alias, name, word }))),
    )
    .sort((a, b) => (a.alias < b.alias ? -1 : 1))
    .map(({ alias, name, word }) => `| \`${alias}\` | [\`${name}\`](${word}.md#${anchor(name)}) |`);
  return [
    generated,
    `# Commands of ${program}\n`,
    `\`${program} <command> -help\` shows the same for one command, \`${program} manual <command>\` as a man page. Flags take one dash or two and may stand anywhere.\n`,
    `| command | |\n|---|---|\n${rows.join('\n')}\n`,
    `## Shorter names\n\n| | |\n|---|---|\n${short.join('\n')}\n`,
    `## General options\n\n${flagList(generalFlags)}\n`,
    `## Environment\n\n| variable | |\n|---|---|\n${environment.map(([name, meaning]) => `| ${code(name)} | ${cell(meaning)} |`).join('\n')}\n`,
    `## Exit codes\n\n| code | |\n|---|---|\n${exitCodes.map(([value, meaning]) => `| ${value} | ${cell(meaning)} |`).join('\n')}\n`,
  ].join('\n');
}

function pageText({ word, summary, commands }: Page): string {
  const only = commands.length === 1 && commands[0]!.name === word;
  const contents = commands.map(({ name, summary }) => `- [${code(name)}](#${anchor(name)}): ${plain(summary)}`);
  return [
    generated,
    `# ${program} ${word}\n`,
    ...(only ? [] : [`${plain(summary)}.\n`, `${contents.join('\n')}\n`]),
    ...commands.map((command) => commandText(command, only)),
    `Options that all commands take: [README.md](README.md#general-options).\n`,
  ].join('\n');
}

function commandText(command: Command, only: boolean): string {
  const { name, usage, summary, aliases = [], examples = [], description } = command;
  const flags = shownFlags(command.flags);
  return [
    ...(only ? [] : [`## ${name}\n`]),
    `${plain(summary)}.\n`,
    `\`\`\`\n${`${program} ${name} ${usage}`.trimEnd()}\n\`\`\`\n`,
    ...(aliases.length > 0 ? [`Also ${aliases.map((alias) => code(`${program} ${alias}`)).join(', ')}.\n`] : []),
    ...(examples.length > 0
      ? [`\`\`\`sh\n${examples.map(({ text, command: line }) => `# ${text}\n${program} ${line}`).join('\n\n')}\n\`\`\`\n`]
      : []),
    ...(description === undefined ? [] : [`${paragraphs(description)}\n`]),
    ...(flags.length > 0 ? [`${flagList(flags)}\n`] : []),
  ].join('\n');
}

const flagList = (flags: readonly ShownFlag[]): string =>
  `| option | |\n|---|---|\n${flags.map(({ forms, description }) => `| ${forms.map(code).join(', ')} | ${cell(description)} |`).join('\n')}`;

/** Lines that begin with a blank are an example within a description. */
function paragraphs(text: string): string {
  const out: string[] = [];
  for (const line of text.split('\n')) {
    const isExample = line.startsWith(' ');
    if (isExample && out.at(-1)?.startsWith('    ') === true) out[out.length - 1] += `\n    ${line.trimStart()}`;
    else if (line !== '') out.push(isExample ? `    ${line.trimStart()}` : plain(line));
  }
  return out.join('\n\n');
}

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => plain(text).replaceAll('|', '\\|').replaceAll('\n', '<br>');
/** What Markdown or HTML would take for its own. */
const plain = (text: string): string =>
  text.replace(/[<>*_]/g, (sign) => ({ '<': '&lt;', '>': '&gt;', '*': '\\*', _: '\\_' })[sign]!);
const anchor = (name: string): string => name.replaceAll(' ', '-');
