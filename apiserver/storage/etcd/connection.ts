import { setMaxListeners } from 'node:events';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse, IWatchRequest, IWatchResponse, KVClient, LeaseClient, MaintenanceClient } from 'etcd3'; // prettier-ignore
import { backoff, describeError, sleep, type Clock, type Duration, type Logger } from '../../../base/index.ts';
import { StoreUnavailableError } from '../store.ts';
import { Members, needsToken } from './members.ts';

export interface EtcdConnectionOptions {
  /** `host:port`, with `http://` or `https://` in front as wanted. */
  readonly endpoints: readonly string[];
  /** PEM texts, and the name that the members' certificates carry where it is not that of the endpoints. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer; readonly serverName?: string };
  readonly auth?: { readonly username: string; readonly password: string };
}

/** How long one attempt may take, where there is nobody else to ask and where there is, and all attempts of one call together. */
const CALL_TIMEOUT: Duration = 5_000;
const CALL_TIMEOUT_OF_SEVERAL: Duration = 2_000;
const TOTAL_TIMEOUT: Duration = 15_000;

export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;
export type KeepAliveStream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;

/** The gRPC services of an etcd cluster, and what to do when they do not answer. */
export class Connection {
  readonly kv: KVClient;
  readonly lease: LeaseClient;
  readonly maintenance: MaintenanceClient;
  readonly callTimeout: Duration;
  readonly #members: Members;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #endpoints: string;
  readonly #abort = new AbortController();
  #answering = true;

  private constructor(
    members: Members,
    services: { kv: KVClient; lease: LeaseClient; maintenance: MaintenanceClient },
    { endpoints, callTimeout }: { endpoints: readonly string[]; callTimeout: Duration },
    { clock, log }: { clock: Clock; log: Logger },
  ) {
    this.#members = members;
    this.kv = services.kv;
    this.lease = services.lease;
    this.maintenance = services.maintenance;
    this.callTimeout = callTimeout;
    this.#endpoints = endpoints.join(', ');
    this.#clock = clock;
    this.#log = log;
    setMaxListeners(0, this.#abort.signal); // every call that waits listens
  }

  static async load(options: EtcdConnectionOptions, tools: { clock: Clock; log: Logger }): Promise<Connection> {
    const endpoints = endpointsOf(options);
    const callTimeout = endpoints.length > 1 ? CALL_TIMEOUT_OF_SEVERAL : CALL_TIMEOUT;
    const members = await Members.load({ ...options, endpoints }, tools.clock, callTimeout);
    const { KVClient, LeaseClient, MaintenanceClient } = await import('etcd3');
    const services = {
      kv: new KVClient(members),
      lease: new LeaseClient(members),
      maintenance: new MaintenanceClient(members),
    };
    return new Connection(members, services, { endpoints, callTimeout }, tools);
  }

  get closed(): boolean {
    return this.#abort.signal.aborted;
  }

  /** A stream that fails, instead of going silent, when its member loses the leader. Keep-alive pings of the channel find a dead peer. */
  watch(): Promise<WatchStream> {
    return this.#members.withConnection('Watch', ({ resource, client, metadata }) => {
      const required = metadata.clone();
      required.set('hasleader', 'true');
      const stream = (client as unknown as { watch(metadata: unknown): ClientDuplexStream<unknown, unknown> }).watch(required);
      this.#members.opened(resource, stream);
      return stream;
    });
  }

  keepAlives(): Promise<KeepAliveStream> {
    return this.#members.withConnection('Lease', ({ resource, client, metadata }) => {
      const required = metadata.clone();
      required.set('hasleader', 'true');
      const { leaseKeepAlive } = client as unknown as {
        leaseKeepAlive(metadata: unknown): ClientDuplexStream<unknown, unknown>;
      };
      const stream = leaseKeepAlive.call(client, required);
      this.#members.opened(resource, stream);
      return stream;
    });
  }

  /** Takes new tokens for what comes next. */
  renewTokens(): void {
    this.#members.renewTokens();
  }

  /** Repeats a call that does no harm when it is done twice until it gets an answer, for a bounded time. */
  async repeat<T>(what: string, call: () => Promise<T>, end = this.deadline()): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await call();
        this.answered();
        return answer;
      } catch (error) {
        if (!isTransient(error)) throw this.#failure(what, error);
        await this.pause(attempt, end, what, error);
      }
    }
  }

  deadline(): number {
    return this.#clock.now() + TOTAL_TIMEOUT;
  }

  /** Waits before the next attempt; throws StoreUnavailableError when there is no time left for one. */
  async pause(attempt: number, end: number, what: string, error: unknown): Promise<void> {
    const wait = backoff(attempt, 50, 1000);
    this.failed(error);
    // That a certificate is wrong does not change by waiting, but the next member's may be right.
    const hopeless = attempt + 1 >= this.#endpoints.split(',').length && /certificate|self.signed/i.test(messageOf(error));
    if (hopeless || this.closed || this.#clock.now() + wait >= end)
      throw new StoreUnavailableError(`etcd does not answer: ${what}: ${messageOf(error)}`);
    const held = setInterval(() => undefined, 2 ** 30); // timers of the clock let a process end that only waits for etcd
    await sleep(this.#clock, wait, this.#abort.signal);
    clearInterval(held);
  }

  answered(): void {
    if (this.#answering) return;
    this.#answering = true;
    this.#log.info('etcd answers', { endpoints: this.#endpoints });
  }

  /** Said once until it answers, however many calls and streams meet it. */
  failed(error: unknown): void {
    if (!this.#answering || this.closed) return;
    this.#answering = false;
    this.#log.warn('etcd does not answer, trying on', { endpoints: this.#endpoints, error: messageOf(error) });
  }

  /** What went wrong for good: the error itself, or StoreUnavailableError when it is etcd's state and not the request. */
  #failure(what: string, error: unknown): unknown {
    if (this.closed) return new StoreUnavailableError('the store is closed');
    return /database space exceeded|not capable|corrupt/.test(messageOf(error)) ? new StoreUnavailableError(`etcd refuses: ${what}`, { cause: error }) : error; // prettier-ignore
  }

  close(): void {
    this.#abort.abort();
    this.#members.close();
  }
}

/** Whether the cluster may answer in a moment. It may still have done what was asked. */
export function isTransient(error: unknown): boolean {
  const message = messageOf(error);
  if (/database space exceeded|request is too large|too many operations/.test(message)) return false;
  if (needsToken(error)) return true; // the next attempt takes a new one
  if (error instanceof Error && transientCodes.has(codeOf(error))) return true;
  return /etcdserver: (request timed out|leader changed|no leader|not leader|too many requests|server stopped|not ready|rpc not supported for learner)|ECONN|EPIPE|socket|Channel has been shut down|Connection dropped|closed/i.test(message); // prettier-ignore
}

/** gRPC's own codes: cancelled, unknown, deadline, exhausted, aborted, internal, unavailable. */
const transientCodes = new Set<unknown>([1, 2, 4, 8, 10, 13, 14]);

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined);

/** What an error says, without what gRPC puts around it. */
export const messageOf = (error: unknown): string =>
  describeError(error)
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/\.? *Resolution note:\s*$/, '')
    .replace(/^No connection established\. Last error: null$/, 'no connection')
    .replace(/^No connection established\. Last error: (?:Error: )?/, '');

/** With their scheme, which must be one for all. */
function endpointsOf({ endpoints, tls }: EtcdConnectionOptions): string[] {
  const scheme = tls === undefined ? 'http' : 'https';
  const full = endpoints.map((endpoint) => (endpoint.includes('://') ? endpoint : `${scheme}://${endpoint}`));
  for (const endpoint of full) {
    if (!/^https?:\/\/[^/\s]+\/?$/.test(endpoint))
      throw new Error(`an endpoint of etcd is like http://127.0.0.1:2379, not "${endpoint}"`);
    if (tls !== undefined && endpoint.startsWith('http://'))
      throw new Error(`${endpoint} would be spoken to without TLS, although certificates are given`);
  }
  if (new Set(full.map((endpoint) => endpoint.split(':')[0])).size > 1)
    throw new Error('endpoints of etcd must be all http or all https');
  return full.map((endpoint) => endpoint.replace(/\/$/, ''));
}
