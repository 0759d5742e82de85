import { createHash } from 'node:crypto';
import type { ApiKind, KindRegistry } from '../registry/kinds.ts';

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
  ],
  'nodes.orch.dev': [
    { name: 'stats', verbs: ['get'] },
    { name: 'endpoint', verbs: ['update'] },
  ],
};

const subresources = (kind: ApiKind): { name: string; verbs: readonly string[] }[] => [
  ...(kind.hasStatus ? [{ name: 'status', verbs: STATUS_VERBS }] : []),
  ...(PROXIED[kind.resource] ?? []),
];

export const apiVersions = (): object => ({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });

export function groupNames(kinds: KindRegistry): string[] {
  return [...new Set(kinds.all().map((kind) => kind.group))].filter((group) => group !== '').sort();
}

function versionsOf(kinds: KindRegistry, group: string): string[] {
  return [...new Set(kinds.all().filter((kind) => kind.group === group).map((kind) => kind.version))].sort(); // prettier-ignore
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
  const served = kinds.all().filter((kind) => kind.group === group && kind.version === version);
  if (served.length === 0) return undefined;
  const resources = served.flatMap((kind) => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: VERBS,
      ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
      ...(kind.categories.length > 0 && { categories: kind.categories }),
      storageVersionHash: createHash('sha256').update(kind.prefix).digest('base64').slice(0, 11) + '=',
    },
    ...subresources(kind).map(({ name, verbs }) => ({
      name: `${kind.plural}/${name}`,
      singularName: '',
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: served[0]!.apiVersion, resources };
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
        resources: kinds
          .all()
          .filter((kind) => kind.group === group && kind.version === v)
          .map((kind) => {
            const responseKind = { group: kind.group, version: kind.version, kind: kind.kind };
            return {
              resource: kind.plural,
              responseKind,
              scope: kind.namespaced ? 'Namespaced' : 'Cluster',
              singularResource: kind.singular,
              verbs: VERBS,
              ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
              ...(kind.categories.length > 0 && { categories: kind.categories }),
              subresources: subresources(kind).map(({ name, verbs }) => ({ subresource: name, responseKind, verbs })),
            };
          }),
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
