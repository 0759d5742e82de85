import { createHash } from 'node:crypto';
import type { ApiKind, KindRegistry } from '../registry/kinds.ts';
import { reviews, type Review } from './reviews.ts';
import { serviceKind } from './services.ts';

/** What the server serves, as clients ask for it: /api, /apis and the versions under them. Pure. */

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const STATUS_VERBS = ['get', 'patch', 'update'];

/** Subresources that agents answer. */
const PROXIED: Record<string, readonly { readonly name: string; readonly verbs: readonly string[] }[]> = {
  'allocations.orch.dev': [
    { name: 'log', verbs: ['get'] },
    { name: 'fs', verbs: ['get'] },
    { name: 'restart', verbs: ['create'] },
    { name: 'signal', verbs: ['create'] },
    { name: 'stats', verbs: ['get'] },
    { name: 'checks', verbs: ['get'] },
    { name: 'exec', verbs: ['create', 'get'] },
    { name: 'portforward', verbs: ['create', 'get'] },
  ],
  'jobs.orch.dev': [
    { name: 'dispatch', verbs: ['create'] },
    { name: 'launch', verbs: ['create'] },
  ],
  'nodes.orch.dev': [
    { name: 'stats', verbs: ['get'] },
    { name: 'endpoint', verbs: ['update'] },
  ],
};

const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

interface Subresource {
  readonly name: string;
  readonly verbs: readonly string[];
  /** What it answers, where that is not the kind itself. */
  readonly responseKind?: typeof SCALE;
}

const subresources = (kind: ApiKind): Subresource[] => [
  ...(kind.hasStatus ? [{ name: 'status', verbs: STATUS_VERBS }] : []),
  ...(kind.scale !== undefined ? [{ name: 'scale', verbs: STATUS_VERBS, responseKind: SCALE }] : []),
  ...(PROXIED[kind.resource] ?? []),
];

/** What one version of a group serves: kinds, reviews, and what is made up from other kinds. */
interface Served {
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources: readonly Subresource[];
  /** Where its objects are stored; absent when they are not. */
  readonly prefix?: string | undefined;
}

function servedIn(kinds: KindRegistry, group: string, version: string): Served[] {
  const apiVersion = group === '' ? version : `${group}/${version}`;
  const stored = kinds.all().filter((kind) => kind.group === group && kind.version === version);
  return [
    ...stored.map((kind) => ({ ...pick(kind), verbs: VERBS, subresources: subresources(kind) })),
    ...reviews
      .filter((review) => review.apiVersion === apiVersion)
      .map(({ plural, singular, kind }) => ({ plural, singular, kind, namespaced: false, verbs: ['create'], subresources: [] })),
    ...(apiVersion === 'v1' ? [{ ...pick(serviceKind), prefix: undefined, verbs: ['get', 'list'], subresources: [] }] : []),
  ];
}

const pick = ({ plural, singular, kind, namespaced, shortNames, categories, prefix }: ApiKind) => ({
  plural,
  singular,
  kind,
  namespaced,
  prefix,
  ...(shortNames.length > 0 && { shortNames }),
  ...(categories.length > 0 && { categories }),
});

const split = ({ apiVersion }: Review): [group: string, version: string] => apiVersion.split('/') as [string, string];

export const apiVersions = (): object => ({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });

export function groupNames(kinds: KindRegistry): string[] {
  const all = [...kinds.all().map((kind) => kind.group), ...reviews.map((review) => split(review)[0])];
  return [...new Set(all)].filter((group) => group !== '').sort();
}

function versionsOf(kinds: KindRegistry, group: string): string[] {
  const ofKinds = kinds.all().filter((kind) => kind.group === group).map((kind) => kind.version); // prettier-ignore
  const ofReviews = reviews.map(split).filter(([name]) => name === group).map(([, version]) => version); // prettier-ignore
  return [...new Set([...ofKinds, ...ofReviews])].sort(byPriority);
}

/** The version to prefer comes first: stable ones before beta before alpha, then higher numbers; what is named otherwise is last. */
function byPriority(a: string, b: string): number {
  const rank = (version: string): number[] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (match === null) return [3, 0, 0];
    return [match[2] === undefined ? 0 : match[2] === 'beta' ? 1 : 2, -Number(match[1]), -Number(match[3] ?? 0)];
  };
  const [x, y] = [rank(a), rank(b)];
  return x[0]! - y[0]! || x[1]! - y[1]! || x[2]! - y[2]! || (a < b ? -1 : a > b ? 1 : 0);
}

export function apiGroup(kinds: KindRegistry, group: string): object | undefined {
  const versions = versionsOf(kinds, group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  if (group === '' || versions.length === 0) return undefined;
  return { kind: 'APIGroup', apiVersion: 'v1', name: group, versions, preferredVersion: versions[0] };
}

export const apiGroupList = (kinds: KindRegistry): object => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groupNames(kinds).map((group) => {
    const { kind: _, apiVersion: __, ...rest } = apiGroup(kinds, group) as { kind: string; apiVersion: string };
    return rest;
  }),
});

export function apiResourceList(kinds: KindRegistry, group: string, version: string): object | undefined {
  const served = servedIn(kinds, group, version);
  if (served.length === 0) return undefined;
  const resources = served.flatMap(({ plural, singular, kind, namespaced, verbs, shortNames, categories, prefix, ...more }) => [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames && { shortNames }),
      ...(categories && { categories }),
      ...(prefix !== undefined && {
        storageVersionHash: createHash('sha256').update(prefix).digest('base64').slice(0, 11) + '=',
      }),
    },
    ...more.subresources.map(({ name, verbs: own, responseKind }) => ({
      name: `${plural}/${name}`,
      singularName: '',
      namespaced,
      ...(responseKind && { group: responseKind.group, version: responseKind.version }),
      kind: responseKind?.kind ?? kind,
      verbs: own,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group === '' ? version : `${group}/${version}`, resources };
}

/** The form of aggregated discovery that an Accept header asks for, as the content type to answer with. */
export function aggregatedType(accept: string | undefined): { type: string; version: string } | undefined {
  for (const range of (accept ?? '').split(',')) {
    if (!/as=APIGroupDiscoveryList/.test(range) || !/g=apidiscovery\.k8s\.io/.test(range)) continue;
    const version = /v=(v2beta1|v2)(?:;|$|\s)/.exec(range)?.[1];
    if (version !== undefined)
      return { version, type: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList` };
  }
  return undefined;
}

/** All of a root (`/api` or `/apis`) in one document. */
export function aggregated(kinds: KindRegistry, root: 'api' | 'apis', version: string): object {
  const groups = root === 'api' ? [''] : groupNames(kinds);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group !== '' && { name: group }), creationTimestamp: null },
      versions: versionsOf(kinds, group).map((v) => ({
        version: v,
        freshness: 'Current',
        resources: servedIn(kinds, group, v).map(
          ({ plural, singular, kind, namespaced, verbs, shortNames, categories, ...more }) => {
            const responseKind = { group, version: v, kind };
            return {
              resource: plural,
              responseKind,
              scope: namespaced ? 'Namespaced' : 'Cluster',
              singularResource: singular,
              verbs,
              ...(shortNames && { shortNames }),
              ...(categories && { categories }),
              subresources: more.subresources.map((sub) => ({
                subresource: sub.name,
                responseKind: sub.responseKind ?? responseKind,
                verbs: sub.verbs,
              })),
            };
          },
        ),
      })),
    })),
  };
}

/** Looks like a Kubernetes release, because kubectl compares it with its own. */
export const versionInfo = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+orch',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node${process.versions.node}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};
