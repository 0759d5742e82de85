import { join } from 'node:path';
import { existsSync, readFileSync } from 'node:fs';

/**
 * Differences that docs/differences.md explains. Each rewrites a recording (already normalised) into what it would say with that difference; a case that is
 * equal then counts as "as documented", apart from those that are simply equal.
 */
export interface Documented {
  readonly name: string;
  /** For the recorded text: the text with the difference. The folder tells what was asked. */
  readonly rewrite: (recorded: string, folder: string) => string;
}

export const documented: readonly Documented[] = [
  { name: 'datacenters may be missing', rewrite: (text) => withoutErrors(text, (line) => line === 'Missing job datacenters') },
  {
    name: 'memory_max is applied',
    rewrite: (text) =>
      text.replace(/Job Warnings:\n1 warning\(s\):\n\n\* Memory oversubscription is not enabled; [^\n]*\n\n/, ''),
  },
  {
    name: 'a missing host volume is named',
    rewrite: (text, folder) =>
      /^\s*volume "/m.test(jobFile(folder))
        ? text.replace('"computed class ineligible"', '"missing compatible host volumes"')
        : text,
  },
  {
    name: 'tags of servers',
    rewrite: (text) => text.replace(/^(\S+ +<address> +\d+ +)\S*\brole=nomad\b\S*$/gm, '$1build=<version>,dc=dc1,region=global'),
  },
  {
    name: 'set_contains_any is an operator',
    rewrite: (text, folder) => {
      const found = /^\s*attribute\s*=\s*("[^"]*")\s*\n\s*set_contains_any\s*=\s*("[^"]*")/m.exec(jobFile(folder));
      if (found === null) return text;
      const [, attribute = '', value = ''] = found;
      const kept = text.replace(
        new RegExp(`("LTarget": ${attribute.replace(/[${}.]/g, '\\$&')},\\s*"RTarget": )"",(\\s*"Operand": )"="`),
        (_, before: string, between: string) => `${before}${value},${between}"set_contains_any"`,
      );
      return withoutErrors(kept, (line) => /^Constraint 4 validation failed: /.test(line));
    },
  },
];

/** What is refused here, with a sentence that says why, and accepted there. */
const refused: readonly { readonly name: string; readonly leaf: RegExp }[] = [
  { name: 'not built yet', leaf: / yet($| \(|:)| has no effect$|have no effect$/ },
  { name: 'options of drivers are checked when a job is submitted', leaf: /unknown option/ },
];

function asRefused(recorded: string, ours: string): string[] | undefined {
  if (!recorded.startsWith('exit: 0') || !/^exit: 1\n[\s\S]*(Job validation errors|Error submitting job)/.test(ours))
    return undefined;
  const leaves = ours.split('\n').filter((line) => line.startsWith('\t* ') && !/errors? occurred:$/.test(line));
  const names = leaves.map((line) => refused.find(({ leaf }) => leaf.test(line))?.name);
  return leaves.length > 0 && !names.includes(undefined) ? [...new Set(names as string[])] : undefined;
}

/** The names of the differences that make a recording equal to what came here; undefined when they do not. */
export function asDocumented(recorded: string, ours: string, folder: string): string[] | undefined {
  const because = asRefused(recorded, ours);
  if (because !== undefined) return because;
  const names: string[] = [];
  let text = recorded;
  for (const { name, rewrite } of documented) {
    const rewritten = rewrite(text, folder);
    if (rewritten !== text) names.push(name);
    text = rewritten;
  }
  return names.length > 0 && squeezed(text) === squeezed(ours) ? names : undefined;
}

/** Blank lines at the end of a list of errors depend on how many lists end there. */
const squeezed = (text: string): string => text.replace(/\n\s*\n+/g, '\n');

function jobFile(folder: string): string {
  return ['job.nomad', 'job.hcl', 'after.nomad']
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
}

interface List {
  readonly items: { text: string; list?: List }[];
}

/** Takes errors out of a list of errors, and counts the rest again; a job without errors is valid. */
function withoutErrors(text: string, drop: (line: string) => boolean): string {
  const lines = text.split('\n');
  const head = lines.findIndex((line) => /^\d+ errors? occurred:$/.test(line));
  if (head === -1) return text;
  const { list, next } = readList(lines, head);
  const kept = { items: list.items.filter((item) => !drop(item.text)) };
  if (kept.items.length === list.items.length) return text;
  const rest = lines.slice(next);
  if (kept.items.length > 0) return [...lines.slice(0, head), ...writeList(kept), ...rest].join('\n');
  return text.includes('Job validation errors:') ? 'exit: 0\n--- stdout\nJob validation successful\n--- stderr\n' : text;
}

/** Lists of errors are not indented: an item that ends with "N errors occurred:" is followed by its own N items. */
function readList(lines: readonly string[], head: number): { list: List; next: number } {
  const count = Number(/(\d+) errors? occurred:$/.exec(lines[head]!)![1]);
  const items: List['items'] = [];
  let at = head + 1;
  while (items.length < count && at < lines.length) {
    const line = lines[at]!;
    if (!line.startsWith('\t* ')) {
      at++;
      continue;
    }
    const own = line.slice(3);
    if (/\d+ errors? occurred:$/.test(own)) {
      const inner = readList(lines, at);
      items.push({ text: own, list: inner.list });
      at = inner.next;
    } else {
      items.push({ text: own });
      at++;
    }
  }
  return { list: { items }, next: at };
}

function writeList({ items }: List): string[] {
  const count = items.length === 1 ? '1 error occurred:' : `${items.length} errors occurred:`;
  return [count, ...items.flatMap((item) => writeItem(item))];
}

function writeItem({ text, list }: List['items'][number]): string[] {
  if (list === undefined) return [`\t* ${text}`];
  const [count, ...rest] = writeList(list);
  return [`\t* ${text.replace(/\d+ errors? occurred:$/, count!)}`, ...rest];
}
