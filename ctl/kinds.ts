import * as openapi from '../openapi/index.ts';
import type { AnyObject, Kind, Stored } from '../openapi/index.ts';
import type { ClusterContext } from './command.ts';
import { meantBy } from './argv.ts';
import { CommandError } from './errors.ts';
import { listAll } from './lookup.ts';

/** The kinds that orch brings with it. */
export const builtInKinds: readonly Kind[] = Object.values(openapi as Readonly<Record<string, unknown>>).filter(
  (value): value is Kind => typeof value === 'object' && value !== null && 'plural' in value && 'apiVersion' in value,
);

/** Every word that a kind goes by: `job`, `jobs`, `jo`, `jobs.orch.dev`. */
export const wordsOf = (kind: Kind): string[] => [
  kind.plural,
  kind.singular,
  ...kind.shortNames,
  ...(kind.group === '' ? [] : [`${kind.plural}.${kind.group}`, `${kind.singular}.${kind.group}`]),
];

/** The kind that a user names; those that were added at run time are asked for at the server. */
export async function findKind(context: ClusterContext, word: string): Promise<Kind> {
  const wanted = word.toLowerCase();
  const builtIn = builtInKinds.find((kind) => wordsOf(kind).includes(wanted));
  if (builtIn !== undefined) return builtIn;
  const served = await servedKinds(context);
  const found = served.find((kind) => wordsOf(kind).includes(wanted));
  if (found !== undefined) return found;
  const meant = meantBy(
    wanted,
    [...builtInKinds, ...served].flatMap((kind) => [kind.plural, kind.singular]),
  );
  throw new CommandError(`The server has no kind "${word}"${meant === undefined ? '' : `\nDid you mean "${meant}"?`}`);
}

/** The kind of a manifest. */
export async function kindOfObject(context: ClusterContext, object: AnyObject, source: string): Promise<Kind> {
  const { apiVersion, kind } = object;
  if (apiVersion === undefined || kind === undefined) throw new CommandError(`${source}: apiVersion and kind are needed`);
  const same = (one: Kind): boolean => one.apiVersion === apiVersion && one.kind === kind;
  const found = builtInKinds.find(same) ?? (await servedKinds(context)).find(same);
  if (found !== undefined) return found;
  throw new CommandError(`${source}: the server has no kind "${kind}" in version "${apiVersion}"`);
}

interface ResourceList {
  readonly groupVersion: string;
  readonly resources: readonly {
    readonly name: string;
    readonly singularName?: string;
    readonly namespaced: boolean;
    readonly kind: string;
    readonly shortNames?: readonly string[];
  }[];
}

/** Everything that the server serves, by its discovery documents. */
export async function servedKinds({ client }: ClusterContext): Promise<Kind[]> {
  const { groups } = await client.json<{ groups: readonly { preferredVersion?: { groupVersion: string } }[] }>('GET', '/apis');
  const paths = [
    '/api/v1',
    ...groups.flatMap(({ preferredVersion }) =>
      preferredVersion === undefined ? [] : [`/apis/${preferredVersion.groupVersion}`],
    ),
  ];
  const lists = await Promise.all(paths.map((path) => client.json<ResourceList>('GET', path)));
  return lists.flatMap(({ groupVersion, resources }) => {
    const [group, version] = groupVersion.includes('/') ? (groupVersion.split('/') as [string, string]) : ['', groupVersion];
    return resources
      .filter(({ name }) => !name.includes('/'))
      .map(
        ({ name, singularName, namespaced, kind, shortNames = [] }) =>
        openapi.defineKind({ group, version, kind, listKind: `${kind}List`, plural: name, singular: singularName || kind.toLowerCase(), shortNames, namespaced }), // prettier-ignore
      );
  });
}

/** The object of this name; where its name is an ID, a prefix that is unique is enough. */
export async function findObject(context: ClusterContext, kind: Kind, name: string): Promise<Stored<AnyObject>> {
  const namespace = kind.namespaced ? context.namespace : undefined;
  const exact = await context.client.find(kind, name, namespace);
  if (exact !== undefined) return exact;
  const matches = /^[0-9a-f-]{2,}$/.test(name)
    ? (await listAll({ ...context, listNamespace: namespace }, kind)).filter((one) => one.metadata.name.startsWith(name))
    : [];
  if (matches.length === 1) return matches[0]!;
  if (matches.length > 1)
    throw new CommandError(
      `Prefix matched multiple ${kind.plural}\n\n${matches.map(({ metadata }) => metadata.name).join('\n')}`,
    );
  throw new CommandError(
    `${resourceName(kind)} "${name}" not found${namespace === undefined ? '' : ` in namespace "${namespace}"`}`,
  );
}

/** `job.orch.dev`, as results name what they are about. */
export const resourceName = (kind: Kind): string => (kind.group === '' ? kind.singular : `${kind.singular}.${kind.group}`);

/** Arguments of `get`, `describe`, `delete`: `jobs a b`, `job/a node/b`. */
export function parseTargets(args: readonly string[]): { readonly kind: string; readonly name?: string }[] {
  const [first, ...rest] = args;
  if (first === undefined) throw new CommandError('Say which kind of object, such as "jobs"');
  if (args.some((arg) => arg.includes('/'))) {
    return args.map((arg) => {
      const [kind, name, ...more] = arg.split('/');
      if (!kind || !name || more.length > 0)
        throw new CommandError(`"${arg}" should look like kind/name: the two forms cannot be mixed`);
      return { kind, name };
    });
  }
  const kinds = first.split(',').filter((word) => word !== '');
  if (rest.length === 0) return kinds.map((kind) => ({ kind }));
  return kinds.flatMap((kind) => rest.map((name) => ({ kind, name })));
}
