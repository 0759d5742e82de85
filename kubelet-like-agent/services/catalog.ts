import type { Clock, Logger } from '../../base/index.ts';
import { Informer, type Client } from '../../client/index.ts';
import { ServiceRegistrationKind, type ServiceRegistration, type Stored } from '../../openapi/index.ts';
import type { CatalogEntry } from '../hooks/template/index.ts';

/**
 * The healthy services of the cluster, followed from the moment that somebody on this node asks for them; a node that nobody asks on
 * follows nothing.
 */
export class Catalog {
  readonly #start: () => Informer<ServiceRegistration>;
  readonly #listeners = new Set<() => void>();
  #informer: Informer<ServiceRegistration> | undefined;
  #announced = false;

  constructor(options: { client: Client; clock: Clock; log: Logger }) {
    this.#start = () => {
      const informer = new Informer({ ...options, kind: ServiceRegistrationKind }).start();
      const changed = (): void => this.#announce();
      informer.on({ added: changed, modified: changed, deleted: changed });
      informer.synced.then(changed, () => undefined);
      return informer;
    };
  }

  /** Healthy instances of a namespace; undefined while the server has not been heard. */
  services(namespace: string): readonly CatalogEntry[] | undefined {
    this.#informer ??= this.#start();
    if (!this.#informer.isSynced) return undefined;
    return this.#informer
      .list()
      .filter(({ metadata, status }) => (metadata.namespace ?? 'default') === namespace && status?.phase === 'passing')
      .map(toEntry)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Calls back soon after something changed, once for all changes of a moment. Returns how to stop that. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#informer?.close();
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    setImmediate(() => {
      this.#announced = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function toEntry({ metadata, spec }: Stored<ServiceRegistration>): CatalogEntry {
  return {
    id: metadata.name,
    name: spec.serviceName,
    address: spec.address ?? '',
    port: spec.port ?? 0,
    tags: spec.tags ?? [],
    nodeId: spec.nodeName ?? '',
    datacenter: spec.datacenter ?? '',
    allocId: spec.allocation ?? '',
    jobId: spec.jobName ?? '',
    namespace: metadata.namespace ?? 'default',
    meta: spec.meta ?? {},
  };
}
