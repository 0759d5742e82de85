import { setMaxListeners } from 'node:events';
import type {
  ICallable,
  IOptions,
  KVClient,
  LeaseClient,
  IWatchRequest,
  IWatchResponse,
  IDuplexStream,
  IResponseStream,
} from 'etcd3';
import { backoff, describeError, sleep, type Clock, type Duration, type Logger } from '../../../base/index.ts';
import { StoreUnavailableError } from '../store.ts';

export interface EtcdConnectionOptions {
  /** `host:port`, with `http://` or `https://` in front as wanted. */
  readonly endpoints: readonly string[];
  /** PEM texts. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
}

/** How long one attempt may take, and all attempts of one call together. */
export const CALL_TIMEOUT: Duration = 5_000;
const TOTAL_TIMEOUT: Duration = 15_000;

export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/**
 * The gRPC services of an etcd cluster, by etcd3's connection pool. Its fault handling is off: the circuit breaker would turn one
 * caller's failures into everybody's, and whether a call may be repeated is known only to the caller.
 */
export class Connection {
  readonly kv: KVClient;
  readonly lease: LeaseClient;
  readonly #pool: ICallable<unknown> & { close(): void };
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #endpoints: string;
  readonly #abort = new AbortController();
  #answering = true;

  private constructor(
    pool: ICallable<unknown> & { close(): void },
    services: { kv: KVClient; lease: LeaseClient },
    { endpoints }: EtcdConnectionOptions,
    { clock, log }: { clock: Clock; log: Logger },
  ) {
    this.#pool = pool;
    this.kv = services.kv;
    this.lease = services.lease;
    this.#endpoints = endpoints.join(', ');
    this.#clock = clock;
    this.#log = log;
    setMaxListeners(0, this.#abort.signal); // every call that waits listens
  }

  /** Loads etcd3, which takes its time; it connects with the first call. */
  static async load(options: EtcdConnectionOptions, tools: { clock: Clock; log: Logger }): Promise<Connection> {
    const [{ KVClient, LeaseClient }, { ConnectionPool }, { noop }] = await Promise.all([
      import('etcd3'),
      import('etcd3/lib/connection-pool.js'), // the clients need a pool, and the package's index has none
      import('cockatiel'),
    ]);
    const scheme = options.tls === undefined ? 'http' : 'https';
    const pool = new ConnectionPool({
      hosts: options.endpoints.map((endpoint) => (/^https?:\/\//.test(endpoint) ? endpoint : `${scheme}://${endpoint}`)),
      ...(options.tls && { credentials: { rootCertificate: options.tls.ca, ...(options.tls.key && { privateKey: options.tls.key }), ...(options.tls.cert && { certChain: options.tls.cert }) } }), // prettier-ignore
      ...(options.auth && { auth: { ...options.auth } }),
      grpcOptions: CHANNEL_OPTIONS,
      // gRPC wants an instant of the system's clock.
      defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + CALL_TIMEOUT }),
      faultHandling: { host: () => noop, global: noop },
    });
    return new Connection(pool, { kv: new KVClient(pool), lease: new LeaseClient(pool) }, options, tools);
  }

  get closed(): boolean {
    return this.#abort.signal.aborted;
  }

  /**
   * A stream that fails, instead of going silent, when its member loses the leader. Without events, keep-alive pings of the
   * channel find a dead peer.
   */
  watch(): Promise<WatchStream> {
    return this.#pool.withConnection('Watch', ({ resource, client, metadata }) => {
      const required = metadata.clone();
      required.set('hasleader', 'true');
      const { watch } = client as unknown as { watch(metadata: unknown, options: object): WatchStream };
      const stream = watch.call(client, required, {});
      (stream as IResponseStream<unknown>).on('error', (error) => {
        if (!this.closed) this.#pool.markFailed(resource, error);
      });
      return stream;
    });
  }

  /** Repeats a call that does no harm when it is done twice until it gets an answer, for a bounded time. */
  async repeat<T>(what: string, call: () => Promise<T>): Promise<T> {
    const end = this.#clock.now() + TOTAL_TIMEOUT;
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
    if (this.closed || this.#clock.now() + wait >= end)
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
    this.#pool.close();
  }
}

const CHANNEL_OPTIONS: NonNullable<IOptions['grpcOptions']> = {
  'grpc.max_receive_message_length': -1, // a range may have any size
  'grpc.max_send_message_length': -1, // the limits of a transaction are checked before
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
};

/** Whether the cluster may answer in a moment. It may still have done what was asked. */
export function isTransient(error: unknown): boolean {
  const message = messageOf(error);
  if (/database space exceeded|request is too large|too many operations/.test(message)) return false;
  if (error instanceof Error && (transientErrors.has(error.constructor.name) || transientCodes.has(codeOf(error)))) return true;
  return /etcdserver: (request timed out|leader changed|no leader|not leader|too many requests|server stopped|not ready|rpc not supported for learner)|ECONN|EPIPE|socket|Channel has been shut down|Connection dropped|closed/i.test(message); // prettier-ignore
}

/** gRPC's own codes, which are what a stream fails with: cancelled, unknown, deadline, exhausted, aborted, internal, unavailable. */
const transientCodes = new Set<unknown>([1, 2, 4, 8, 10, 13, 14]);

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined);

/** etcd3's classes for gRPC's codes; they are compared by name because the package is loaded late. */
const transientErrors = new Set([
  'GRPCUnavailableError',
  'GRPCDeadlineExceededError',
  'GRPCCancelledError',
  'GRPCInternalError',
  'GRPCUnknownError',
  'GRPCAbortedError',
  'GRPCResourceExhastedError',
  'ClientClosedError',
]);

/** What an error says, without what gRPC puts around it. */
export const messageOf = (error: unknown): string =>
  describeError(error)
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/\.? *Resolution note:\s*$/, '')
    .replace(/^No connection established\. Last error: null$/, 'no connection')
    .replace(/^No connection established\. Last error: (?:Error: )?/, '');
