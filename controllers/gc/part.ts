import type { Kind } from '../../openapi/index.ts';
import { CustomResourceDefinitionKind, defineKind, type CustomResourceDefinition, type Stored } from '../../openapi/index.ts';
import { aborted, conditionOf, partOf, type Part } from '../runtime/index.ts';
import { gcControllers, type GcConfig } from './index.ts';

/**
 * The garbage collector as a part: the collectors of all kinds that are served. When users define a kind, or remove one, the collectors
 * finish their work and begin anew with the kinds of then; as they act on what they see, nothing is lost by that.
 */
export function gcPart(config: GcConfig): Part {
  const lease = 'controller-gc';
  const builtin = partOf(lease, gcControllers(config));
  return {
    lease,
    component: lease,
    prepare(host) {
      host.informers.of(CustomResourceDefinitionKind);
      builtin.prepare(host);
    },
    async lead(host, term, stop) {
      const definitions = host.informers.of(CustomResourceDefinitionKind);
      await Promise.race([definitions.synced, aborted(stop)]);
      let before: readonly Kind[] = [];
      while (!stop.aborted) {
        const kinds = customKinds(definitions.list());
        for (const kind of before) if (!kinds.some((now) => idOf(now) === idOf(kind))) await host.informers.forget(kind);
        before = kinds;
        const changed = new AbortController();
        const look = (): void => {
          if (idsOf(customKinds(definitions.list())) !== idsOf(kinds)) changed.abort();
        };
        const unsubscribe = definitions.on({ added: look, modified: look, deleted: look });
        look();
        const collectors = partOf(lease, gcControllers(config, kinds));
        collectors.prepare(host);
        await collectors.lead(host, term, AbortSignal.any([stop, changed.signal]));
        unsubscribe();
      }
      for (const kind of before) await host.informers.forget(kind);
    },
  };
}

/** The kinds that users defined and that are served, each in its stored version. */
export function customKinds(definitions: readonly Stored<CustomResourceDefinition>[]): Kind[] {
  return definitions.flatMap(({ spec, status, metadata }) => {
    const { group, names, scope, versions } = spec;
    const version = versions.find(({ storage, served }) => storage && served) ?? versions.find(({ served }) => served);
    const established = conditionOf(status?.conditions, 'Established')?.status === 'True';
    if (version === undefined || !established || metadata.deletionTimestamp !== undefined) return [];
    return [
      defineKind({
        group,
        version: version.name,
        kind: names.kind,
        listKind: names.listKind ?? `${names.kind}List`,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        shortNames: names.shortNames ?? [],
        namespaced: scope === 'Namespaced',
      }),
    ];
  });
}

const idOf = ({ apiVersion, plural }: Kind): string => `${apiVersion}/${plural}`;
const idsOf = (kinds: readonly Kind[]): string => kinds.map(idOf).sort().join();
