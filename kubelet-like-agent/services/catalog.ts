import type { Clock, Logger, Timer } from '../../base/index.ts';
import { Informer, type Client } from '../../client/index.ts';
import { ServiceRegistrationKind, type ServiceRegistration, type Stored } from '../../openapi/index.ts';
import type { CatalogEntry } from '../hooks/template/index.ts';

/** One instance of a service, whatever its health. */
export interface CatalogInstance extends CatalogEntry {
  readonly phase: 'passing' | 'warning' | 'critical';
}

/**
 * The services of the cluster, followed from the moment that somebody on this node asks for them; a node that nobody asks on
 * follows nothing.
 */
export class Catalog {
  readonly #start: () => Informer<ServiceRegistration>;
  readonly #listeners = new Set<() => void>();
  #informer: Informer<ServiceRegistration> | undefined;
  #announced = false;

  constructor(options: { client: Client; clock: Clock; log: Logger }) {
    this.#start = () => {
      const informer = new Informer({ ...options, kind: ServiceRegistrationKind, indexes: { namespace: (object) => [namespaceOf(object)], name: (object) => [nameKey(object.spec.serviceName, namespaceOf(object))] } }).start(); // prettier-ignore
      const changed = (): void => this.#announce();
      informer.on({ added: changed, modified: changed, deleted: changed });
      informer.synced.then(changed, () => undefined);
      return informer;
    };
  }

  /** Healthy instances of a namespace; undefined while the server has not been heard. */
  services(namespace: string): readonly CatalogEntry[] | undefined {
    return this.instances(namespace)
      ?.filter(({ phase }) => phase === 'passing')
      .map(({ phase: _, ...entry }) => entry);
  }

  /** All instances of a namespace. */
  instances(namespace: string): readonly CatalogInstance[] | undefined {
    return this.#read('namespace', namespace);
  }

  /** All instances of one service, by its name in lower case. */
  instancesOf(service: string, namespace: string): readonly CatalogInstance[] | undefined {
    return this.#read('name', nameKey(service, namespace));
  }

  /** Resolves when the server has been heard for the first time, or after `ms`. */
  async ready(clock: Clock, ms: number): Promise<void> {
    this.#informer ??= this.#start();
    if (this.#informer.isSynced) return;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => (timer = clock.after(ms, resolve)));
    await Promise.race([this.#informer.synced.catch(() => undefined), late]);
    timer?.cancel();
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

  #read(index: string, value: string): readonly CatalogInstance[] | undefined {
    this.#informer ??= this.#start();
    if (!this.#informer.isSynced) return undefined;
    return this.#informer.byIndex(index, value).map(toInstance).sort((a, b) => (a.id < b.id ? -1 : 1)); // prettier-ignore
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

const namespaceOf = ({ metadata }: ServiceRegistration): string => metadata.namespace ?? 'default';
const nameKey = (service: string, namespace: string): string => `${namespace}/${service}`.toLowerCase();

function toInstance({ metadata, spec, status }: Stored<ServiceRegistration>): CatalogInstance {
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
    phase: status?.phase ?? 'critical',
  };
}
