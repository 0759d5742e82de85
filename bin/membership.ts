/**
 * Servers are known to each other and to `orchctl server members` by a Lease in `orch-system` that each one renews; there is no
 * gossip. A server that dies vanishes from the list when its Lease expires.
 */
import { isReason, sleep, toTimestamp, type Clock, type Logger } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { LeaseKind, type Lease } from '../openapi/index.ts';

const ttlSeconds = 15;
/** How long an end waits for a store that does not answer. */
const LEAVE_TIMEOUT = 1000;

export interface Member {
  leave(): Promise<void>;
}

export interface MemberOptions {
  readonly client: Client;
  /** `<name>.<region>`, as `server members` shows it. */
  readonly identity: string;
  readonly address: string;
  readonly port: number;
  /** Where its API is, for who wants this server and no other: `127.0.0.1:4646`. */
  readonly httpAddress: string;
  readonly datacenter: string;
  readonly region: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function joinCluster(options: MemberOptions): Promise<Member> {
  const { client, clock, log } = options;
  const end = new AbortController();
  const name = `server-${options.identity.toLowerCase().replace(/[^a-z0-9.-]/g, '-')}`;
  const lease = (): Lease => ({
    metadata: {
      name,
      namespace: 'orch-system',
      labels: { 'orch.dev/role': 'server' },
      annotations: {
        'orch.dev/ttl': `${ttlSeconds}s`,
        'orch.dev/address': options.address,
        'orch.dev/port': String(options.port),
        'orch.dev/http-address': options.httpAddress,
        'orch.dev/datacenter': options.datacenter,
        'orch.dev/region': options.region,
        'orch.dev/version': options.version,
      },
    },
    spec: { holderIdentity: options.identity, leaseDurationSeconds: ttlSeconds, renewTime: toTimestamp(clock.now()) },
  });
  const renew = async (): Promise<void> => {
    try {
      await client.update(LeaseKind, lease(), { signal: end.signal });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      await client.create(LeaseKind, lease(), { signal: end.signal });
    }
  };
  const renewLoop = async (): Promise<void> => {
    for (let failures = 0; !end.signal.aborted;) {
      await sleep(clock, (ttlSeconds / 3) * 1000, end.signal);
      if (end.signal.aborted) return;
      try {
        await renew();
        failures = 0;
      } catch (error) {
        log[failures++ === 0 ? 'warn' : 'debug']('membership not renewed, trying on', { error });
      }
    }
  };
  await renew();
  const loop = renewLoop();
  return {
    async leave() {
      end.abort();
      await loop;
      const signal = AbortSignal.timeout(LEAVE_TIMEOUT);
      await client.delete(LeaseKind, name, 'orch-system', { signal }).catch(() => undefined); // it expires by itself
    },
  };
}
