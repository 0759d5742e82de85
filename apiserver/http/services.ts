import type { ServiceRegistration } from '../../openapi/index.ts';
import { notFound } from '../registry/errors.ts';
import { defineApiKind, type ApiKind } from '../registry/kinds.ts';
import type { ApiObject } from '../registry/object.ts';
import type { ListResult, Registry } from '../registry/registry.ts';
import { SchemaSet } from '../registry/schema.ts';
import { fits, select } from '../registry/selectors.ts';
import { unstored } from '../registry/version.ts';

/**
 * The services of Kubernetes' core group, to read only: one for each name under which allocations have registered. They are stored
 * nowhere. `kubectl cluster-info` asks for them, and `kubectl get services` is what people type first.
 */
export const serviceKind: ApiKind = defineApiKind(
  {
    spec: {
      group: '',
      scope: 'Namespaced',
      names: { kind: 'Service', plural: 'services', singular: 'service', shortNames: ['svc'] },
      versions: [
        {
          name: 'v1',
          additionalPrinterColumns: [
            { name: 'Endpoints', type: 'string', jsonPath: '.spec.externalIPs[*]' },
            { name: 'Ports', type: 'string', jsonPath: '.spec.ports[*].port' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  },
  'v1',
  new SchemaSet({}),
  {
    type: 'object',
    description: 'A name under which allocations offer something.',
    'x-kubernetes-preserve-unknown-fields': true,
  },
);

export interface ServiceQuery {
  readonly namespace: string | undefined;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

/** The services at one revision. */
export async function listServices(
  registry: Registry,
  { namespace, labelSelector, fieldSelector }: ServiceQuery,
): Promise<ListResult> {
  const selection = select(serviceKind, namespace, labelSelector, fieldSelector);
  const kind = registry.kinds.need('orch.dev/v1', 'ServiceRegistration');
  const { revision, versions } = await registry.list(kind, namespace === undefined ? {} : { namespace });
  const services = servicesOf(versions.map(({ object }) => object));
  return {
    revision,
    versions: services
      .filter((service) => fits(selection, service))
      .map((service) => unstored(`${service.metadata.namespace}/${service.metadata.name}`, service, revision)),
  };
}

export async function getService(registry: Registry, namespace: string, name: string): Promise<ListResult['versions'][number]> {
  const { versions } = await listServices(registry, { namespace, labelSelector: '', fieldSelector: '' });
  const found = versions.find((version) => version.name === name);
  if (found === undefined) throw notFound(serviceKind, name);
  return found;
}

/** Registrations of one name in one namespace are one service. */
export function servicesOf(registrations: readonly ApiObject[]): ApiObject[] {
  const groups = new Map<string, ApiObject[]>();
  for (const registration of registrations) {
    const { serviceName } = registration['spec'] as NonNullable<ServiceRegistration['spec']>;
    const key = `${registration.metadata.namespace}/${serviceName}`;
    groups.set(key, [...(groups.get(key) ?? []), registration]);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => serviceOf(members));
}

function serviceOf(members: readonly ApiObject[]): ApiObject {
  const specs = members.map((member) => member['spec'] as NonNullable<ServiceRegistration['spec']>);
  const oldest = members.reduce((a, b) => (a.metadata.creationTimestamp <= b.metadata.creationTimestamp ? a : b)).metadata;
  const unique = <T>(values: (T | undefined)[]): T[] => [...new Set(values)].filter((value) => value !== undefined);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: specs[0]!.serviceName,
      namespace: oldest.namespace!,
      uid: oldest.uid,
      generation: 1,
      creationTimestamp: oldest.creationTimestamp,
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      externalIPs: unique(specs.map((spec) => spec.address)),
      ports: unique(specs.map((spec) => spec.port)).map((port) => ({
        name: `port-${port}`,
        port,
        targetPort: port,
        protocol: 'TCP',
      })),
    },
    status: { loadBalancer: {} },
  };
}
