import { collectionPath, objectPath, type AnyObject, type Kind, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findKind, findObject, parseTargets, resourceName, servedKinds } from '../../kinds.ts';
import { kindTable } from '../../views/kinds.ts';
import { alignRows, tableRows, type ServerTable, type TableOptions } from '../../views/server-table.ts';
import { watchAll } from '../../watch.ts';
import { allNamespaces } from '../options.ts';

const asTable = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

export const get = defineClusterCommand({
  name: 'get',
  summary: 'List objects of a kind, or show some of them',
  usage: '[options] <kind> [<name>…]',
  description:
    'Kinds go by their plural, singular or short name; several are given with commas, or as kind/name. Columns are drawn by the ' +
    'server. "all" stands for jobs, deployments and allocations.',
  examples: [
    { text: 'All jobs', command: 'get jobs' },
    { text: 'An object as it is', command: 'get job example -o yaml' },
    { text: 'What changes from now on', command: 'get allocations -w' },
    { text: 'One field', command: "get nodes -o jsonpath='{.items[*].spec.name}'" },
  ],
  args: { min: 0, rule: 'This command takes a kind: <kind> [<name>…]' },
  completes: 'kind',
  flags: {
    output: flag.string('<format>', 'json, yaml, wide, name or jsonpath=<template>.', { short: 'o' }),
    selector: flag.string('<labels>', 'Only objects with these labels: a=b,c!=d.', { short: 'l' }),
    fieldSelector: flag.string('<fields>', 'Only objects with these fields: status.phase=running.'),
    watch: flag.boolean('Then go on with what changes.', { short: 'w' }),
    watchOnly: flag.boolean('Only what changes from now on.'),
    noHeaders: flag.boolean('Without headings.'),
    showLabels: flag.boolean('With labels.'),
    allNamespaces,
  },
  async run({ args, flags }, context) {
    if (args.length === 0)
      throw new CommandError(
        `Say which kind of objects, such as "${context.program} get jobs". There are:\n\n${kindTable(await servedKinds(context))}`,
      );
    const targets = parseTargets(args).flatMap(({ kind, ...rest }) =>
      kind === 'all' ? ['jobs', 'deployments', 'allocations'].map((word) => ({ kind: word, ...rest })) : [{ kind, ...rest }],
    );
    const selected: Selected[] = [];
    for (const { kind: word, name } of targets) {
      const kind = await findKind(context, word);
      const same = selected.find((one) => one.kind === kind);
      if (same === undefined) selected.push({ kind, names: name === undefined ? [] : [name] });
      else if (name !== undefined) same.names.push(name);
    }
    const namespace = flags.allNamespaces ? undefined : context.listNamespace;
    const query: Query = { namespace, labelSelector: flags.selector, fieldSelector: flags.fieldSelector };
    const format = parseFormat(flags.output);
    if (flags.watch || flags.watchOnly) {
      if (selected.length > 1) throw new CommandError('Only one kind can be watched at a time');
      return watch(context, selected[0]!, query, format, flags);
    }
    if (format.type === 'table') return printTables(context, selected, query, { ...format, ...flags });
    return printObjects(context, selected, query, format);
  },
});

interface Selected {
  readonly kind: Kind;
  readonly names: string[];
}

interface Query {
  readonly namespace: string | undefined;
  readonly labelSelector: string | undefined;
  readonly fieldSelector: string | undefined;
}

type Format =
  | { readonly type: 'table'; readonly wide: boolean }
  | { readonly type: 'json' | 'yaml' | 'name' }
  | { readonly type: 'jsonpath'; readonly template: string };

function parseFormat(text: string | undefined): Format {
  if (text === undefined || text === 'wide') return { type: 'table', wide: text === 'wide' };
  if (text === 'json' || text === 'yaml' || text === 'name') return { type: text };
  const template = /^jsonpath=(.*)$/s.exec(text)?.[1];
  if (template !== undefined) return { type: 'jsonpath', template };
  throw new CommandError(`There is no format "${text}"; there are json, yaml, wide, name and jsonpath=<template>`);
}

interface Shown {
  readonly wide: boolean;
  readonly noHeaders: boolean;
  readonly showLabels: boolean;
}

const tableOptions = (shown: Shown, kind: Kind, query: Query, prefix?: string): TableOptions => ({
  wide: shown.wide,
  headers: !shown.noHeaders,
  labels: shown.showLabels,
  namespaces: kind.namespaced && query.namespace === undefined,
  ...(prefix !== undefined && { prefix }),
});

async function printTables(context: ClusterContext, selected: readonly Selected[], query: Query, shown: Shown): Promise<void> {
  const parts: string[] = [];
  for (const one of selected) {
    const table = inOrder(one.kind, await fetchTable(context, one, query));
    if (table.rows.length === 0) continue;
    const prefix = selected.length > 1 ? resourceName(one.kind) : undefined;
    parts.push(alignRows(tableRows(table, tableOptions(shown, one.kind, query, prefix))));
  }
  if (parts.length > 0) return say(context, parts.join('\n\n'));
  const where = query.namespace === undefined ? '' : ` in namespace "${query.namespace}"`;
  const kinds = selected.map(({ kind }) => kind.plural).join(', ');
  context.io.stderr.write(`No ${kinds} found${selected.some(({ kind }) => kind.namespaced) ? where : ''}\n`);
}

/** Events in the order in which they were last seen, which is that of their versions; the rest as the server has it. */
function inOrder(kind: Kind, table: ServerTable): ServerTable {
  if (kind.kind !== 'Event') return table;
  const version = (row: ServerTable['rows'][number]): number => Number(row.object?.metadata?.resourceVersion ?? 0);
  return { ...table, rows: [...table.rows].sort((a, b) => version(a) - version(b)) };
}

async function fetchTable(context: ClusterContext, { kind, names }: Selected, query: Query): Promise<ServerTable> {
  if (names.length === 0) {
    let table: ServerTable | undefined;
    let next: string | undefined;
    do {
      const page = await context.client.json<ServerTable>('GET', collectionPath(kind, query.namespace), {
        headers: asTable,
        query: { labelSelector: query.labelSelector, fieldSelector: query.fieldSelector, limit: 500, continue: next },
      });
      table = table === undefined ? page : { ...table, rows: [...table.rows, ...page.rows] };
      next = page.metadata?.continue;
    } while (next !== undefined && next !== '');
    return table;
  }
  const tables: ServerTable[] = [];
  for (const name of names) {
    const { metadata } = await findObject(context, kind, name);
    const path = objectPath(kind, metadata.name, kind.namespaced ? metadata.namespace : undefined);
    tables.push(await context.client.json<ServerTable>('GET', path, { headers: asTable }));
  }
  return { ...tables[0]!, rows: tables.flatMap(({ rows }) => rows) };
}

async function printObjects(
  context: ClusterContext,
  selected: readonly Selected[],
  query: Query,
  format: Exclude<Format, { type: 'table' }>,
): Promise<void> {
  const { listAll } = await import('../../lookup.ts');
  const items: Stored<AnyObject>[] = [];
  let single = selected.length === 1;
  for (const { kind, names } of selected) {
    single &&= names.length === 1;
    if (names.length > 0) for (const name of names) items.push(await findObject(context, kind, name));
    else
      items.push(
        ...(await listAll({ ...context, listNamespace: query.namespace }, kind, {
          ...(query.labelSelector !== undefined && { labelSelector: query.labelSelector }),
          ...(query.fieldSelector !== undefined && { fieldSelector: query.fieldSelector }),
        })),
      );
  }
  if (format.type === 'name') return say(context, items.map((one) => qualified(selected, one)).join('\n'));
  const value = single ? items[0] : { apiVersion: 'v1', kind: 'List', metadata: {}, items };
  say(context, (await formatted(value, format)).trimEnd());
}

const qualified = (selected: readonly Selected[], one: Stored<AnyObject>): string => {
  const kind = selected.find(({ kind }) => kind.kind === one.kind)?.kind;
  return `${kind === undefined ? one.kind : resourceName(kind)}/${one.metadata.name}`;
};

async function formatted(value: unknown, format: Exclude<Format, { type: 'table' }>): Promise<string> {
  if (format.type === 'json') return JSON.stringify(value, undefined, 4);
  if (format.type === 'jsonpath') return (await import('../../views/jsonpath.ts')).jsonpath(format.template, value);
  return (await import('yaml')).stringify(value, { lineWidth: 0 });
}

function watch(
  context: ClusterContext,
  { kind, names }: Selected,
  query: Query,
  format: Format,
  flags: { readonly watchOnly: boolean; readonly noHeaders: boolean; readonly showLabels: boolean },
): Promise<number> {
  if (names.length > 1) throw new CommandError('One name, or none, can be watched at a time');
  return context.interruptible(async (signal) => {
    const name = names.length === 0 ? undefined : (await findObject(context, kind, names[0]!)).metadata.name;
    const byName = name === undefined ? undefined : `metadata.name=${name}`;
    const fieldSelector = [byName, query.fieldSelector].filter((one) => one !== undefined).join(',') || undefined;
    if (format.type === 'table') await watchTable(context, kind, { ...query, fieldSelector }, { ...format, ...flags }, signal);
    else
      for await (const { type, object } of watchAll(
        context.client,
        kind,
        { ...query, fieldSelector },
        { clock: context.clock, signal },
      )) {
        if (flags.watchOnly && type === 'ADDED' && object.metadata.generation === 1 && context.clock.now() - Date.parse(object.metadata.creationTimestamp) > 2000) continue; // prettier-ignore
        if (format.type === 'name') say(context, `${resourceName(kind)}/${object.metadata.name}`);
        else {
          if (format.type === 'yaml') say(context, '---');
          say(context, (await formatted(object, format)).trimEnd());
        }
      }
    throw new Interrupted();
  });
}

/** Rows as the server draws them: first what there is, then each change. */
async function watchTable(
  context: ClusterContext,
  kind: Kind,
  query: Query,
  shown: Shown & { watchOnly: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { client } = context;
  const selectors = { labelSelector: query.labelSelector, fieldSelector: query.fieldSelector };
  const path = collectionPath(kind, kind.namespaced ? query.namespace : undefined);
  const { readWatch } = await import('../../../client/index.ts');
  const widths: number[] = [];
  const first = await client.json<ServerTable>('GET', path, { headers: asTable, query: selectors, signal });
  const { columnDefinitions = [] } = first;
  const options = tableOptions(shown, kind, query);
  const rows = tableRows(shown.watchOnly ? { ...first, rows: [] } : first, options);
  if (rows.length > 0) say(context, alignRows(rows, widths));
  let version = first.metadata?.resourceVersion;
  while (!signal.aborted) {
    const response = await client.stream('GET', path, {
      headers: asTable,
      query: { ...selectors, watch: true, allowWatchBookmarks: true, resourceVersion: version },
      signal,
    });
    for await (const event of readWatch<AnyObject>(response, signal)) {
      const table = event.object as unknown as ServerTable;
      version = table.metadata?.resourceVersion ?? version;
      if (event.type === 'BOOKMARK' || !Array.isArray(table.rows)) continue;
      const changed = tableRows({ ...table, columnDefinitions }, { ...options, headers: false });
      if (changed.length > 0) say(context, alignRows(changed, widths));
    }
  }
}
