import { ServiceRegistrationKind, type ServiceRegistration, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, noArguments, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs, table } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { listAll } from '../../lookup.ts';
import { by } from '../../views/view.ts';
import { allNamespaces, verbose } from '../options.ts';

type Registration = Stored<ServiceRegistration>;

const dataOf = ({ metadata, spec, status }: Registration): Record<string, unknown> => ({
  ID: metadata.name,
  ServiceName: spec.serviceName,
  Namespace: metadata.namespace ?? 'default',
  NodeID: spec.nodeName ?? '',
  Datacenter: spec.datacenter ?? '',
  JobID: spec.jobName ?? '',
  AllocID: spec.allocation ?? '',
  Tags: spec.tags ?? [],
  Address: spec.address ?? '',
  Port: spec.port ?? 0,
  Status: status?.phase ?? 'passing',
});

export const serviceList = defineClusterCommand({
  name: 'service list',
  summary: 'List services',
  usage: '[options]',
  examples: [{ text: 'All services', command: 'service list' }],
  args: noArguments,
  flags: { ...formatFlags, allNamespaces },
  async run({ flags }, context) {
    const all = flags.allNamespaces || context.listNamespace === undefined;
    const found = await listAll({ ...context, listNamespace: all ? undefined : context.listNamespace }, ServiceRegistrationKind);
    const services = new Map<string, { namespace: string; name: string; tags: Set<string> }>();
    for (const { metadata, spec } of found) {
      const key = `${metadata.namespace}/${spec.serviceName}`;
      const known = services.get(key) ?? { namespace: metadata.namespace ?? 'default', name: spec.serviceName, tags: new Set() };
      for (const tag of spec.tags ?? []) known.tags.add(tag);
      services.set(key, known);
    }
    const sorted = [...services.values()].sort(by(({ name, namespace }) => `${name} ${namespace}`));
    if (wantsData(flags)) {
      const namespaces = [...new Set(sorted.map(({ namespace }) => namespace))].sort();
      return sayData(
        context,
        flags,
        namespaces.map((namespace) => ({
          Namespace: namespace,
          Services: sorted.filter((one) => one.namespace === namespace).map(({ name, tags }) => ({ ServiceName: name, Tags: [...tags].sort() })), // prettier-ignore
        })),
      );
    }
    if (sorted.length === 0) return say(context, 'No services found');
    say(
      context,
      table([
        ['Service Name', ...(all ? ['Namespace'] : []), 'Tags'],
        ...sorted.map(({ name, namespace, tags }) => [name, ...(all ? [namespace] : []), `[${[...tags].sort().join(',')}]`]),
      ]),
    );
  },
});

export const serviceInfo = defineClusterCommand({
  name: 'service info',
  summary: 'Show where a service is',
  usage: '[options] <service>',
  examples: [{ text: 'Where the instances of a service are', command: 'service info web' }],
  args: oneArgument('service_name'),
  flags: { verbose, ...formatFlags },
  async run({ args: [name], flags }, context) {
    const found = (await listAll(context, ServiceRegistrationKind, { fieldSelector: `spec.serviceName=${name}` })).sort(
      by(({ spec }) => `${spec.jobName} ${spec.address} ${spec.port}`),
    );
    if (found.length === 0) throw new CommandError(`No service registrations found for ${JSON.stringify(name)}. See: ${context.program} service list`); // prettier-ignore
    if (wantsData(flags)) return sayData(context, flags, found.map(dataOf));
    const short = (id: string | undefined): string => (id ?? '').slice(0, 8);
    const tags = (one: Registration): string => `[${(one.spec.tags ?? []).join(',')}]`;
    const address = ({ spec }: Registration): string => `${spec.address ?? ''}:${spec.port ?? 0}`;
    if (flags.verbose)
      return say(
        context,
        found
          .map((one) =>
            pairs([
              ['ID', one.metadata.name],
              ['Service Name', one.spec.serviceName],
              ['Namespace', one.metadata.namespace],
              ['Job ID', one.spec.jobName],
              ['Alloc ID', one.spec.allocation],
              ['Node ID', one.spec.nodeName],
              ['Datacenter', one.spec.datacenter],
              ['Address', address(one)],
              ['Tags', tags(one)],
              ['Status', one.status?.phase ?? 'passing'],
            ]),
          )
          .join('\n\n'),
      );
    say(
      context,
      table([
        ['Job ID', 'Address', 'Tags', 'Node ID', 'Alloc ID', 'Status'],
        ...found.map((one) => [one.spec.jobName, address(one), tags(one), short(one.spec.nodeName), short(one.spec.allocation), one.status?.phase ?? 'passing']), // prettier-ignore
      ]),
    );
  },
});
