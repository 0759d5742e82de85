/**
 * Discovery on every node: who asks its agent for a service gets the healthy instances, by DNS (`dns.ts`) or by HTTP (`http.ts`), without
 * another system beside orch. What is answered comes from the agent's own copy of the ServiceRegistrations (`../services/catalog.ts`), so a
 * server that is away changes nothing but that news do not come. `names.ts` and `answer.ts` decide, as plain values.
 */
import { describeError, type Clock, type Logger } from '../../base/index.ts';
import type { Catalog } from '../services/catalog.ts';
import type { Zone } from './answer.ts';
import { DnsServer } from './dns.ts';
import { QueryServer } from './http.ts';

export interface DiscoveryConfig {
  readonly address: string;
  /** 0: any free port. */
  readonly dnsPort: number;
  readonly httpPort: number;
  /** In lower case, without a dot at its end. */
  readonly domain: string;
  readonly ttlSeconds: number;
}

/** How long a question waits for the first answer of a server: resolvers ask again after a few seconds. */
const PATIENCE = 2000;

export interface Discovery {
  readonly dnsPort: number;
  readonly httpPort: number;
  close(): Promise<void>;
}

/** Throws when a port is taken. */
export async function startDiscovery(options: {
  readonly config: DiscoveryConfig;
  readonly catalog: Pick<Catalog, 'ready' | 'instances' | 'instancesOf'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}): Promise<Discovery> {
  const { config, catalog, clock, random, log } = options;
  const ready = (): Promise<void> => catalog.ready(clock, PATIENCE);
  const zone: Zone = {
    domain: config.domain,
    ttlSeconds: config.ttlSeconds,
    instances: (service, namespace) => catalog.instancesOf(service, namespace)?.map(({ phase, ...instance }) => ({ ...instance, healthy: phase === 'passing' })), // prettier-ignore
    shuffle: (items) => shuffle(items, random),
  };
  const started: { close(): Promise<void> }[] = [];
  const listen = async <T extends { close(): Promise<void> }>(what: string, server: Promise<T>): Promise<T> => {
    try {
      const listening = await server;
      started.push(listening);
      return listening;
    } catch (error) {
      await Promise.all(started.map((other) => other.close()));
      throw new Error(`cannot offer services by ${what}: ${describeError(error)}`, { cause: error });
    }
  };
  const { address: host } = config;
  const dns = await listen('DNS', DnsServer.listen({ host, port: config.dnsPort, zone, ready, log }));
  const http = await listen(
    'HTTP',
    QueryServer.listen({ host, port: config.httpPort, instances: (namespace) => catalog.instances(namespace), ready }),
  );
  log.info('services can be asked for', { domain: config.domain, address: host, dns: dns.port, http: http.port });
  return {
    dnsPort: dns.port,
    httpPort: http.port,
    close: async () => void (await Promise.all([dns.close(), http.close()])),
  };
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
  }
  return mixed;
}
