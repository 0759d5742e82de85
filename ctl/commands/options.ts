import { flag } from '../command.ts';
import { CommandError } from '../errors.ts';

/** Flags that many commands share, each worded once. */
export const verbose = flag.boolean('Show whole IDs and times, and more besides.');
export const detach = flag.boolean('Return at once instead of following what happens; the evaluation can be looked at later.');
export const filter = flag.string(
  '<expression>',
  'Only those for which this is true, of their JSON: \'Status == "ready" and "web" in Tags\'.',
);
export const json = flag.boolean('Print JSON.');
export const yes = flag.boolean('Answer yes to the question.', { short: 'y', also: ['auto-approve'] });
export const variables = {
  var: flag.list('<name=value>', 'The value of an input variable of the job file. Repeatable.'),
  varFile: flag.list('<path>', 'A file with values of input variables. Repeatable.'),
} as const;
export const allNamespaces = flag.boolean('All namespaces.', { short: 'A' });

/** Where commands of kubectl's kind read objects from. */
export const fileFlags = {
  filename: flag.list('<path>', 'A file, folder, pattern, web address, or "-". Repeatable.', { short: 'f' }),
  recursive: flag.boolean('Go into folders within folders.', { short: 'R' }),
} as const;

/** As kubectl spells it: `--dry-run=server`, `--dry-run=client`; alone it asks the server. */
export const dryRun = flag.string('<mode>', 'server: have the server check everything and change nothing. client: only read the files. none: do it.', { implied: 'server' }); // prettier-ignore

export type DryRun = 'none' | 'server' | 'client';

export function dryRunMode(given: string | undefined): DryRun {
  switch (given) {
    case undefined:
    case 'none':
    case 'false':
      return 'none';
    case 'server':
    case 'true':
      return 'server';
    case 'client':
      return 'client';
    default:
      throw new CommandError(`-dry-run takes server, client or none, not "${given}"`);
  }
}

/** Those of a list that a filter lets through, by their form in Nomad's API. */
export async function filtered<T>(items: readonly T[], expression: string | undefined, form: (item: T) => unknown): Promise<T[]> {
  if (expression === undefined) return [...items];
  const { parseFilter } = await import('../filter.ts');
  const passes = parseFilter(expression);
  const kept: T[] = [];
  for (const item of items) if (passes(await form(item))) kept.push(item);
  return kept;
}
