import { join } from 'node:path';
import { existsSync, readFileSync } from 'node:fs';

/**
 * Differences that docs/differences.md explains. Each rewrites a recording (already normalised) into what it would say with that difference; a case that is
 * equal then counts as "as documented", apart from those that are simply equal.
 */
export interface Documented {
  readonly name: string;
  /** For the recorded text: the text with the difference. */
  readonly rewrite: (recorded: string, about: About) => string;
}

/** What a difference may depend on. */
export interface About {
  /** Where the case is kept; its job file tells what was asked. */
  readonly folder: string;
  /** What came here. A difference looks at it to see whether it is the one that is meant, and how far that goes. */
  readonly ours: string;
  /** The call, of a transcript. */
  readonly args?: readonly string[];
  /** How often before this call a job was stopped that was stopped already. */
  readonly repeatedStops?: number;
}

export const documented: readonly Documented[] = [
  {
    name: 'passwords of registries are not shown',
    // A field of a diff, its columns apart from the others' of its block.
    rewrite: (text) =>
      text.replace(/^( *\S+ +auth\[\d+\]\[password\]: +)"[^"\n]*"( => "[^"\n]*")?/gm, (_, name: string, next?: string) =>
        next === undefined ? `${name}"(sensitive)"` : `${name}"(sensitive)" => "(sensitive)"`,
      ),
  },
  {
    name: 'memory_max is applied',
    rewrite: (text) =>
      text.replace(/Job Warnings:\n1 warning\(s\):\n\n\* Memory oversubscription is not enabled; [^\n]*\n\n/, ''),
  },
  {
    name: 'a missing host volume is named',
    rewrite: (text, { folder }) =>
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
    rewrite: (text, { folder }) => {
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
  { name: 'logs end with whole lines', rewrite: wholeLines },
  {
    name: 'a repeated stop makes no version',
    rewrite: (text, { repeatedStops = 0 }) => (repeatedStops === 0 ? text : shiftVersions(text, repeatedStops)),
  },
  // After the versions, which must be the same in a rollout.
  { name: 'a rollout goes on at once', rewrite: (text, { ours }) => furtherRollout(text, ours) },
  {
    name: 'what does not run uses nothing',
    rewrite: (text) =>
      text.replace(/^Task ".*" is "(?:pending|dead)"\nTask Resources\nCPU .*\n.*$/gm, (task) => task.replaceAll('<n>/', '')),
  },
];

/** `alloc logs -tail -n N` takes a line to have 120 bytes there; here it counts lines, so either may have more of them. */
function wholeLines(recorded: string, { ours, args = [] }: About): string {
  if (!args.includes('-tail') || !/^exit: 0\n/.test(recorded) || !/^exit: 0\n/.test(ours)) return recorded;
  const body = (text: string): string => /\n--- stdout\n([\s\S]*?)--- stderr\n/.exec(text)?.[1] ?? '';
  const wanted = Number(args[args.indexOf('-n') + 1] ?? 10);
  const count = body(ours).split('\n').length - 1;
  const [longer, shorter] = [body(ours), body(recorded)].sort((a, b) => b.length - a.length) as [string, string];
  return count <= wanted && shorter !== '' && longer.endsWith(shorter)
    ? recorded.replace(body(recorded), () => body(ours))
    : recorded;
}

const rollout = {
  head: /(?<=^Latest Deployment\nID += .*\n)Status += (\S+)\nDescription = .*$/m,
  deployed: /(?<=^Deployed\nTask Group .*\n)(?:\S+ .*\n)+/m,
  summary: /(?<=^Summary\nTask Group .*\n)(?:\S+ .*\n)+/m,
  allocations: /(?<=^Allocations\nID .*\n)(?:<id> .*\n)+/m,
};

/**
 * `job status` in the middle of a rollout: a step may wait for the next evaluation there, and here it goes on as soon as an allocation is healthy. What came
 * here must be a moment of the same rollout, not an earlier one, and agree with itself: as many allocations as the summary counts, and no more of the new
 * version than were placed.
 */
function furtherRollout(recorded: string, ours: string): string {
  if (rollout.head.exec(recorded)?.[1] !== 'running' || !/^(running|successful)$/.test(rollout.head.exec(ours)?.[1] ?? ''))
    return recorded;
  const counts = (text: string, part: RegExp): number[][] =>
    (part.exec(text)?.[0] ?? '').trim().split('\n').map((line) => (line.match(/(?<= )\d+(?= |$)/g) ?? []).map(Number)); // prettier-ignore
  const [there, here] = [counts(recorded, rollout.deployed), counts(ours, rollout.deployed)];
  const later = there.every(([desired, placed, healthy], i) => {
    const [mine, ...now] = here[i] ?? [];
    return (
      mine === desired && now[0]! >= placed! && now[1]! >= healthy! && now[2] === 0 && now[0]! <= desired! && now[1]! <= now[0]!
    );
  });
  const rowsOf = (text: string): string[][] =>
    (rollout.allocations.exec(text)?.[0] ?? '').trim().split('\n').map((line) => line.split(/ {2,}/)); // prettier-ignore
  const versionsOf = (text: string): number[] => rowsOf(text).map(([, , , version]) => Number(version));
  const rows = rowsOf(ours);
  const sound = rows.every(([, , , version, desired, status]) => /^\d+$/.test(version ?? '') && /^(run (pending|running)|stop (pending|running|complete))$/.test(`${desired} ${status}`)); // prettier-ignore
  const summed = counts(ours, rollout.summary)
    .flat()
    .reduce((sum, count) => sum + count, 0);
  const newest = Math.max(...versionsOf(ours));
  const placed = here.reduce((sum, [, count]) => sum + (count ?? 0), 0);
  const same = newest === Math.max(...versionsOf(recorded));
  if (
    !later ||
    !sound ||
    !same ||
    summed !== rows.length ||
    versionsOf(ours).filter((version) => version === newest).length !== placed
  )
    return recorded;
  return Object.values(rollout).reduce((text, part) => text.replace(part, () => part.exec(ours)?.[0] ?? ''), recorded);
}

/** The versions of a job in a table of allocations and in heads, of what was made after the stop. */
function shiftVersions(text: string, by: number): string {
  const newest = Math.max(
    0,
    ...[...text.matchAll(/^(?:<id> +){2,3}\S+ +(\d+) +(?:run|stop) /gm)].map((match) => Number(match[1])),
  );
  return text
    .replace(/^((?:<id> +){2,3}\S+ +)(\d+)(?= +(?:run|stop) )/gm, (row, head: string, version) =>
      Number(version) === newest ? `${head}${newest - by}` : row,
    ) // prettier-ignore
    .replace(/^((?:Job )?Version += )(\d+)$/gm, (_, head: string, version) => `${head}${Number(version) - by}`);
}

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
export function asDocumented(recorded: string, about: About): string[] | undefined {
  const { ours } = about;
  const because = asRefused(recorded, ours);
  if (because !== undefined) return because;
  const names: string[] = [];
  let text = recorded;
  for (const { name, rewrite } of documented) {
    const rewritten = rewrite(text, about);
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
