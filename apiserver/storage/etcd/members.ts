import type { CallOptions, Client, ClientDuplexStream, Metadata, ServiceError } from '@grpc/grpc-js';
import type { ICallable, IOptions, Services } from 'etcd3';
import type { Host } from 'etcd3/lib/connection-pool.js';
import type { Clock, Duration } from '../../../base/index.ts';
import type { EtcdConnectionOptions } from './connection.ts';

type Service = keyof typeof Services;
type Work<R> = (args: { resource: Member; client: Client; metadata: Metadata }) => Promise<R> | R;

/** How long a member that failed is asked only when all others have failed after it. */
const AVOID: Duration = 10_000;

class Member {
  readonly address: string;
  readonly host: Host;
  failedAt = -Infinity;
  /** Streams that are open, which would not notice for long that their member has gone. */
  readonly streams = new Set<ClientDuplexStream<unknown, unknown>>();
  /** With the token, where users and passwords are needed. */
  metadata: Promise<Metadata> | undefined;

  constructor(address: string, host: Host) {
    this.address = address;
    this.host = host;
  }
}

/**
 * The members of the cluster, one of which is asked until it fails; then the next is. (etcd3's own pool takes one at random for each
 * call, the broken one as often as any, and its circuit breaker turns one caller's failures into everybody's.) Whether a call may be
 * repeated is known only to the caller, so nothing is repeated here.
 */
export class Members implements ICallable<Member> {
  readonly callOptionsFactory = undefined;
  readonly #members: Member[];
  readonly #auth: EtcdConnectionOptions['auth'];
  readonly #newMetadata: () => Metadata;
  readonly #clock: Clock;
  readonly #timeout: Duration;
  #current: Member;

  private constructor(
    members: Member[],
    auth: EtcdConnectionOptions['auth'],
    newMetadata: () => Metadata,
    clock: Clock,
    timeout: Duration,
  ) {
    this.#members = members;
    this.#auth = auth;
    this.#newMetadata = newMetadata;
    this.#clock = clock;
    this.#timeout = timeout;
    // Servers that start together should not all ask the same member.
    this.#current = members[Math.floor(Math.random() * members.length)]!;
  }

  /** Loads the client, which takes its time; it connects with the first call, which may take `timeout`. */
  static async load({ endpoints, tls, auth }: EtcdConnectionOptions, clock: Clock, timeout: Duration): Promise<Members> {
    const [grpc, { Host }] = await Promise.all([import('@grpc/grpc-js'), import('etcd3/lib/connection-pool.js')]);
    const credentials =
      tls === undefined && endpoints.every((endpoint) => !endpoint.startsWith('https://'))
        ? grpc.credentials.createInsecure()
        : grpc.credentials.createSsl(tls?.ca ?? null, tls?.key ?? null, tls?.cert ?? null);
    const options = {
      ...CHANNEL_OPTIONS,
      ...(tls?.serverName !== undefined && {
        'grpc.ssl_target_name_override': tls.serverName,
        'grpc.default_authority': tls.serverName,
      }),
    };
    const members = endpoints.map((endpoint) => new Member(endpoint, new Host(endpoint, credentials, options)));
    return new Members(members, auth, () => new grpc.Metadata(), clock, timeout);
  }

  async exec<T>(service: Service, method: string, request: unknown, options: CallOptions = {}): Promise<T> {
    // gRPC wants an instant of the system's clock.
    const deadline = options.deadline ?? Date.now() + this.#timeout;
    return this.withConnection(service, ({ resource, client, metadata }) =>
      this.#unary<T>(resource, client, metadata, { ...options, deadline }, method, request),
    );
  }

  async withConnection<R>(service: Service, work: Work<R>): Promise<R> {
    const member = this.#current;
    const metadata = await this.#metadata(member);
    return work({ resource: member, client: member.host.getServiceClient(service), metadata });
  }

  /** An open stream ends when its member is found to have failed. */
  opened(member: Member, stream: ClientDuplexStream<unknown, unknown>): void {
    member.streams.add(stream);
    stream.on('status', () => member.streams.delete(stream)); // the last thing that comes of it
    stream.on('error', (error: ServiceError) => {
      member.streams.delete(stream);
      if (error.code !== CANCELLED) this.markFailed(member, error);
    });
  }

  markFailed(member: Member, error: Error): void {
    if (needsToken(error)) member.metadata = undefined;
    else if (meansFailed(error)) this.#leave(member);
  }

  renewTokens(): void {
    for (const member of this.#members) member.metadata = undefined;
  }

  close(): void {
    for (const { host } of this.#members) host.close();
  }

  #leave(member: Member): void {
    const now = this.#clock.now();
    member.failedAt = now;
    if (member === this.#current && this.#members.length > 1) {
      const usable = (one: Member): number => (now - one.failedAt < AVOID ? one.failedAt : -Infinity);
      const at = this.#members.indexOf(member);
      const others = [...this.#members.slice(at + 1), ...this.#members.slice(0, at)];
      this.#current = others.reduce((best, one) => (usable(one) < usable(best) ? one : best));
      for (const stream of [...member.streams]) stream.cancel();
    }
  }

  #unary<T>(
    member: Member,
    client: Client,
    metadata: Metadata,
    options: CallOptions,
    method: string,
    request: unknown,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = (client as unknown as Record<string, Unary<T>>)[method]!;
      call.call(client, request, metadata, options, (error, answer) => {
        if (error === null) return resolve(answer as T);
        this.markFailed(member, error);
        reject(error);
      });
    });
  }

  /** A token of etcd is short-lived; it is taken anew when a call says that it is no good any more. */
  #metadata(member: Member): Promise<Metadata> {
    return (member.metadata ??= this.#authenticate(member).catch((error: unknown) => {
      member.metadata = undefined;
      throw error;
    }));
  }

  async #authenticate(member: Member): Promise<Metadata> {
    const metadata = this.#newMetadata();
    if (this.#auth === undefined) return metadata;
    const client = member.host.getServiceClient('Auth');
    const request = { name: this.#auth.username, password: this.#auth.password };
    const options = { deadline: Date.now() + this.#timeout };
    const { token } = await this.#unary<{ token: string }>(member, client, metadata, options, 'authenticate', request);
    const withToken = this.#newMetadata();
    withToken.set('token', token);
    return withToken;
  }
}

type Unary<T> = (
  request: unknown,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, answer?: T) => void,
) => void;

const CANCELLED = 1;

/** The token has run out, or users and roles were changed. What was asked was not done. */
export const needsToken = (error: unknown): boolean =>
  error instanceof Error && /invalid auth token|revision of auth store is old/.test(error.message);

/** Whether another member may do better: it is gone, does not answer in time, or has no leader. */
function meansFailed(error: Error): boolean {
  const { code } = error as Partial<ServiceError>;
  return code === 4 || code === 14 || code === 13 || /no leader|not leader|request timed out|server stopped/.test(error.message);
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
