import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { WebSocket } from 'ws';
import { ApiError, type Logger } from '../../base/index.ts';
import { collectionPath, objectPath, type AnyObject, type Kind, type ObjectList, type Stored } from '../../openapi/index.ts';
import type { BatchOperation, BatchResult } from './batch.ts';
import { Reachability } from './reachability.ts';
import { openSocket } from './socket.ts';
import { readWatch, type WatchEvent } from './watch.ts';

/** A leader's proof: writes that carry it are refused once the Lease of that uid is gone. */
export interface Fence {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ClientOptions {
  /** Base addresses, tried in turn when one cannot be reached: `http://127.0.0.1:4646`. */
  readonly servers: readonly string[];
  /** Begin with any of the servers instead of the first, so that many clients share them evenly. */
  readonly spread?: boolean;
  /** Bearer token. */
  readonly token?: string;
  /** Who asks: first part of the User-Agent, hence the default field manager. */
  readonly userAgent?: string;
  /** How long a request (not a watch or stream) may take. Default 30 s. */
  readonly timeoutMs?: number;
  /** How long connecting to a server may take before the next one is tried. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** How long a watch may be silent before its server is asked whether it is there at all. Default 10 s. */
  readonly pulseMs?: number;
  readonly fence?: Fence;
  /** Ask for the values of variables. */
  readonly secrets?: boolean;
  /** Where it says, in one line, that no server can be reached; informers and elections leave that to it. */
  readonly log?: Logger;
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  /** Not older than this; `0` means whatever the server has at hand that is not older than what this client has seen. */
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
  readonly fieldManager?: string;
  readonly signal?: AbortSignal;
}

export interface PatchOptions extends WriteOptions {
  /** Merge (RFC 7386) unless said otherwise. */
  readonly type?: 'merge' | 'json';
  readonly subresource?: 'status' | 'scale';
}

export interface DeleteOptions {
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly preconditions?: { uid?: string; resourceVersion?: string };
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Changes after this; absent or `0`: everything there is first, as ADDED. */
  readonly resourceVersion?: string;
  /** Called when the server accepted the watch. */
  readonly opened?: () => void;
  readonly signal?: AbortSignal;
}

export interface RequestOptions {
  readonly query?: Record<string, string | number | boolean | undefined>;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

const VARIABLES = /\/variables(?:\/|$)/;

/** The typed REST client. Everything that is not the apiserver reaches the cluster through one of these. */
export class Client {
  readonly #options: ClientOptions;
  readonly #servers: URL[];
  readonly #shared: Shared;
  /** The server that answered last; others are tried after it. */
  #current = 0;

  constructor(options: ClientOptions, shared?: Shared) {
    if (options.servers.length === 0) throw new Error('no server address');
    this.#options = options;
    this.#servers = options.servers.map((server) => new URL(server));
    this.#shared = shared ?? {
      http: new HttpAgent({ keepAlive: true }),
      // TLS takes longer to load than most commands take.
      https: this.#servers.some(({ protocol }) => protocol === 'https:') ? new HttpsAgent({ keepAlive: true }) : undefined,
      reachability: new Reachability(options.log),
      seen: 0,
      heard: new Map(),
      probes: new Map(),
    };
    if (options.spread === true) this.#current = Math.floor(Math.random() * this.#servers.length);
  }

  /** The same client whose writes carry a leader's proof. */
  withFence(fence: Fence): Client {
    return new Client({ ...this.#options, fence }, this.#shared);
  }

  /** The same client that asks for the values of variables, too, where they are read. */
  withSecrets(): Client {
    return new Client({ ...this.#options, secrets: true }, this.#shared);
  }

  /** The address that requests go to at present. */
  get server(): string {
    return this.#servers[this.#current]!.origin;
  }

  get<T extends AnyObject>(kind: Kind<T>, name: string, namespace?: string, signal?: AbortSignal): Promise<Stored<T>> {
    return this.json('GET', objectPath(kind, name, namespace), signal === undefined ? {} : { signal });
  }

  /** Like get, with undefined where there is no such object. */
  async find<T extends AnyObject>(
    kind: Kind<T>,
    name: string,
    namespace?: string,
    signal?: AbortSignal,
  ): Promise<Stored<T> | undefined> {
    try {
      return await this.get(kind, name, namespace, signal);
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'NotFound') return undefined;
      throw error;
    }
  }

  async list<T extends AnyObject>(kind: Kind<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { namespace, signal, ...query } = options;
    const get = (more: RequestOptions['query'] = {}): Promise<ObjectList<T>> =>
      this.json('GET', collectionPath(kind, namespace), { query: { ...query, ...more }, ...(signal && { signal }) });
    const { seen } = this.#shared;
    // Another server may be behind the one that was asked before.
    if (query.resourceVersion !== '0' || seen === 0) return await get();
    try {
      return await get({ resourceVersion: seen, resourceVersionMatch: 'NotOlderThan' });
    } catch (error) {
      // The store may have been replaced by an older one.
      if (!(error instanceof ApiError && error.details.causes?.some(({ reason }) => reason === 'ResourceVersionTooLarge')))
        throw error;
      this.#shared.seen = 0;
      return await get({ resourceVersion: undefined });
    }
  }

  create<T extends AnyObject>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<Stored<T>> {
    return this.json('POST', collectionPath(kind, object.metadata.namespace), write(options, typed(kind, object)));
  }

  update<T extends AnyObject>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<Stored<T>> {
    return this.json('PUT', pathOf(kind, object), write(options, typed(kind, object)));
  }

  updateStatus<T extends AnyObject>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<Stored<T>> {
    return this.json('PUT', `${pathOf(kind, object)}/status`, write(options, typed(kind, object)));
  }

  patch<T extends AnyObject>(
    kind: Kind<T>,
    name: string,
    namespace: string | undefined,
    patch: unknown,
    options: PatchOptions = {},
  ): Promise<Stored<T>> {
    const { type = 'merge', subresource, ...rest } = options;
    const path = objectPath(kind, name, namespace) + (subresource === undefined ? '' : `/${subresource}`);
    return this.json('PATCH', path, { ...write(rest, patch), headers: { 'content-type': `application/${type}-patch+json` } });
  }

  /** Resolves once the deletion is accepted; finalizers may keep the object for a while. */
  delete(kind: Kind, name: string, namespace?: string, options: DeleteOptions = {}): Promise<unknown> {
    const { signal, dryRun, ...body } = options;
    return this.json('DELETE', objectPath(kind, name, namespace), {
      body: { ...body, ...(dryRun && { dryRun: ['All'] }) },
      ...(signal && { signal }),
    });
  }

  /** Many writes in one request; see BatchOperation. */
  batch(
    operations: readonly BatchOperation[],
    options: { mode?: 'atomic' | 'independent'; signal?: AbortSignal } = {},
  ): Promise<BatchResult> {
    const { mode = 'atomic', signal } = options;
    return this.json('POST', '/apis/orch.dev/v1/batches', {
      body: { apiVersion: 'orch.dev/v1', kind: 'Batch', mode, operations },
      ...(signal && { signal }),
    });
  }

  /**
   * One watch stream, until the server ends it, the signal aborts or it fails. Throws ApiError `Expired` when the version is
   * gone: list again. For a cache that stays right across all of that use an informer.
   */
  async *watch<T extends AnyObject>(kind: Kind<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>, void> {
    const { namespace, signal, opened, ...query } = options;
    const { response, server } = await this.#open('GET', collectionPath(kind, namespace), {
      query: { ...query, watch: true, allowWatchBookmarks: true },
      ...(signal && { signal }),
    });
    opened?.();
    const pulse = new Pulse(response, this.#pulseMs, () => this.#alive(server));
    try {
      for await (const event of readWatch<T>(response, signal)) {
        pulse.beat();
        this.#saw(event.object.metadata);
        yield event;
      }
    } catch (error) {
      if (!pulse.dead) throw error;
      this.#avoid(server);
      throw new ConnectionError(server.origin, new Error('it does not answer any more'));
    } finally {
      pulse.end();
    }
  }

  get #pulseMs(): number {
    return this.#options.pulseMs ?? PULSE_MS;
  }

  /** Whether a server answers at all. It is only asked when nothing else was of late, by one for all watches of a process. */
  #alive(server: URL): Promise<boolean> {
    const { heard, probes } = this.#shared;
    if (performance.now() - (heard.get(server.origin) ?? -Infinity) < this.#pulseMs) return Promise.resolve(true);
    let probe = probes.get(server.origin);
    if (probe === undefined) {
      probe = this.#request(server, 'GET', '/livez', { signal: AbortSignal.timeout(Math.min(PULSE_TIMEOUT_MS, this.#pulseMs)) })
        .then(
          (response) => (response.resume(), true),
          () => false,
        )
        .finally(() => probes.delete(server.origin));
      probes.set(server.origin, probe);
    }
    return probe;
  }

  /** Remembers how far this client has seen. */
  #saw(metadata: { readonly resourceVersion?: string } | undefined): void {
    const revision = Number(metadata?.resourceVersion ?? 0);
    if (revision > this.#shared.seen) this.#shared.seen = revision;
  }

  /** A request whose answer is JSON. Throws ApiError for any status but 2xx. */
  async json<R>(method: string, path: string, options: RequestOptions = {}): Promise<R> {
    const signal = this.#deadline(options.signal);
    try {
      const { response, server } = await this.#open(method, path, { ...options, signal: signal.signal });
      const text = await readText(response);
      const body = parseJson(text);
      if (body === undefined && text !== '') throw this.#unreachable(foreign(server.origin, response));
      this.#shared.reachability.answered(server.origin);
      this.#saw((body as { metadata?: { resourceVersion?: string } } | undefined)?.metadata);
      return body as R;
    } catch (error) {
      if (!signal.timedOut()) throw error;
      throw new ApiError('Timeout', `${method} ${path}: no answer within ${this.#options.timeoutMs ?? 30_000} ms`);
    } finally {
      signal.clear();
    }
  }

  /** A request whose answer is read as it comes (logs, watches). Throws ApiError for any status but 2xx. */
  async stream(method: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    return (await this.#open(method, path, options, false)).response;
  }

  /**
   * A conversation (an exec session) with the server that answered last. Throws ApiError where it is refused. The socket is paused:
   * resume it once its messages are listened to.
   */
  async socket(path: string, query: Record<string, string | boolean>): Promise<WebSocket> {
    const { token, userAgent = 'orch', connectTimeoutMs = 30_000 } = this.#options;
    const url = new URL(path, this.server);
    url.protocol = url.protocol.replace('http', 'ws');
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
    const headers = { 'user-agent': userAgent, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    try {
      return await openSocket(url, headers, connectTimeoutMs);
    } catch (error) {
      throw error instanceof ApiError ? error : new ConnectionError(this.server, error as Error);
    }
  }

  /** `impatient`: the answer is known to begin soon, so who does not begin it hangs. */
  async #open(
    method: string,
    path: string,
    options: RequestOptions,
    impatient = true,
  ): Promise<{ response: IncomingMessage; server: URL }> {
    let failure: ConnectionError | undefined;
    const first = this.#current;
    for (let attempt = 0; attempt < this.#servers.length; attempt++) {
      const at = (first + attempt) % this.#servers.length;
      const server = this.#servers[at]!;
      const asked = performance.now();
      try {
        const response = await this.#request(server, method, path, options, impatient);
        this.#current = at;
        const code = response.statusCode ?? 0;
        const failed = code < 200 || code >= 300;
        const status = failed ? parseJson(await readText(response)) : undefined;
        if (failed && !isStatus(status)) throw foreign(server.origin, response);
        if (!failed) return { response, server };
        this.#shared.reachability.answered(server.origin);
        const refusal = ApiError.fromStatus(status, code);
        // It is there but cannot serve (its store is away, or it is about to end): another one may.
        if (code === 503) {
          this.#avoid(server);
          const untouched = method === 'GET' || refusal.details.causes?.some(({ reason }) => reason === 'ShuttingDown') === true;
          if (untouched && attempt + 1 < this.#servers.length) continue;
        }
        throw refusal;
      } catch (error) {
        // Whoever lost patience asks another one next time: it may hang only for us.
        if (options.signal?.aborted && performance.now() - asked > PATIENCE_MS) this.#avoid(server);
        if (!(error instanceof ConnectionError) || options.signal?.aborted) throw error;
        this.#avoid(server);
        // A write may have been done though its answer was lost; only one that cannot have arrived is safe to repeat.
        if (!error.neverSent && method !== 'GET') throw this.#unreachable(error);
        failure = error;
      }
    }
    throw this.#unreachable(failure!);
  }

  /** Closes idle connections. */
  close(): void {
    this.#shared.http.destroy();
    this.#shared.https?.destroy();
  }

  /** Others go first from now on. */
  #avoid(server: URL): void {
    if (this.#servers[this.#current] === server) this.#current = (this.#current + 1) % this.#servers.length;
  }

  #unreachable(error: ConnectionError): ConnectionError {
    // A connection that broke says little; the next request will tell.
    if (!error.broke) this.#shared.reachability.failed(error);
    return error;
  }

  #request(server: URL, method: string, path: string, options: RequestOptions, impatient = false): Promise<IncomingMessage> {
    const url = new URL(path, server);
    for (const [key, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(key, String(value));
    const body =
      options.body === undefined
        ? undefined
        : Buffer.from(typeof options.body === 'string' ? options.body : JSON.stringify(options.body));
    const { token, fence, secrets = false, userAgent = 'orch' } = this.#options;
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': userAgent,
      // The parts of orch work with jobs as they are: agents log in with passwords, controllers copy them into versions.
      // Nobody needs the values of variables but who reads them for a task or a person.
      ...((secrets || !VARIABLES.test(url.pathname)) && { 'orch-sensitive': 'show' }),
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': String(body.length) }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(fence !== undefined && method !== 'GET' && { 'orch-fence': `${fence.namespace}/${fence.name}/${fence.uid}` }),
      ...options.headers,
    };
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const send = secure ? httpsRequest : httpRequest;
      const request = send(
        url,
        {
          method,
          headers,
          agent: secure ? this.#shared.https : this.#shared.http,
          ...(options.signal && { signal: options.signal }),
        },
        (response) => {
          clearTimeout(silence);
          this.#shared.heard.set(server.origin, performance.now());
          resolve(response);
        },
      );
      // Reading is worth another try elsewhere; whether a write was done nobody would know.
      const silence =
        method === 'GET' && impatient && this.#servers.length > 1
          ? setTimeout(
              () => request.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
              Math.min(SILENCE_MS, (this.#options.timeoutMs ?? 30_000) / this.#servers.length),
            )
          : undefined;
      request.on('close', () => clearTimeout(silence));
      request.on('error', (error: NodeJS.ErrnoException) => {
        // A keep-alive connection that the server had just closed: nothing was processed, so send it once more.
        if (request.reusedSocket && error.code === 'ECONNRESET' && method === 'GET') {
          this.#request(server, method, path, options, impatient).then(resolve, reject);
          return;
        }
        reject(options.signal?.aborted ? error : new ConnectionError(server.origin, error));
      });
      request.once('socket', (socket) => {
        if (!socket.connecting) return;
        const connected = secure ? 'secureConnect' : 'connect';
        const timer = setTimeout(() => {
          request.destroy(Object.assign(new Error('connecting timed out'), { code: 'ECONNTIMEOUT' }));
        }, this.#options.connectTimeoutMs ?? 5000);
        const settled = (): void => {
          clearTimeout(timer);
          socket.off(connected, settled).off('close', settled);
        };
        socket.on(connected, settled).on('close', settled);
      });
      request.end(body);
    });
  }

  #deadline(outer: AbortSignal | undefined): { signal: AbortSignal; timedOut: () => boolean; clear: () => void } {
    const controller = new AbortController();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      controller.abort();
    }, this.#options.timeoutMs ?? 30_000);
    const abort = (): void => controller.abort(outer?.reason);
    if (outer?.aborted) abort();
    outer?.addEventListener('abort', abort, { once: true });
    return {
      signal: controller.signal,
      timedOut: () => timedOut,
      clear: () => {
        clearTimeout(timer);
        outer?.removeEventListener('abort', abort);
      },
    };
  }
}

/** What a client and those made from it have in common. */
/** A watch on which nothing came for so long is doubted, and its server asked whether it is there. */
const PULSE_MS = 10_000;
const PULSE_TIMEOUT_MS = 4_000;
/** How long a server may take to begin its answer to a read, when there are others. */
const SILENCE_MS = 10_000;
/** Who gives up after this did so because of the server. */
const PATIENCE_MS = 500;

/**
 * Notices when the server of a stream is gone without a word: its machine lost power, the network is cut, it was stopped. Streams may be
 * silent for long, so silence alone says nothing; who does not answer another request either is taken for dead.
 */
class Pulse {
  readonly #stream: IncomingMessage;
  readonly #ms: number;
  readonly #alive: () => Promise<boolean>;
  #timer: NodeJS.Timeout;
  dead = false;

  constructor(stream: IncomingMessage, ms: number, alive: () => Promise<boolean>) {
    this.#ms = ms;
    this.#stream = stream;
    this.#alive = alive;
    this.#timer = this.#arm();
  }

  beat(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#ended = true;
  }
  #ended = false;

  #arm(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#alive().then(
        (alive) => {
          if (this.#ended) return;
          if (alive) this.#timer = this.#arm();
          else {
            this.dead = true;
            this.#stream.destroy();
          }
        },
        () => undefined,
      );
    }, this.#ms).unref();
  }
}

interface Shared {
  /** The newest revision that any answer told. */
  seen: number;
  /** By server: when it last answered anything. */
  readonly heard: Map<string, number>;
  /** By server: the question whether it is there, while that is open. */
  readonly probes: Map<string, Promise<boolean>>;
  readonly http: HttpAgent;
  readonly https: HttpsAgent | undefined;
  readonly reachability: Reachability;
}

/** The server could not be reached, the connection broke, or what answered is no API server. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly server: string;
  /** True when the request cannot have arrived, so repeating it is safe. */
  readonly neverSent: boolean;
  /** True when there was a connection, and it was lost. */
  readonly broke: boolean;
  constructor(server: string, cause: NodeJS.ErrnoException) {
    super(`cannot reach ${server}: ${cause.message}`, { cause });
    this.server = server;
    this.broke = ['ECONNRESET', 'EPIPE'].includes(cause.code ?? '');
    this.neverSent = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNTIMEOUT'].includes(
      cause.code ?? '',
    );
  }
}

/** Something else listens at the address: whatever it says is not about our objects. */
const foreign = (server: string, { statusCode, statusMessage }: IncomingMessage): ConnectionError =>
  new ConnectionError(server, new Error(`what answers there (${statusCode} ${statusMessage}) is no API server`));

const isStatus = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && (body as { kind?: unknown }).kind === 'Status';

function typed<T extends AnyObject>(kind: Kind<T>, object: T): T {
  return { ...object, apiVersion: kind.apiVersion, kind: kind.kind };
}

function pathOf(kind: Kind, object: AnyObject): string {
  if (object.metadata.name === undefined) throw new Error(`${kind.kind} without metadata.name`);
  return objectPath(kind, object.metadata.name, object.metadata.namespace);
}

function write(options: WriteOptions, body: unknown): RequestOptions {
  const { signal, dryRun, ...query } = options;
  return { query: { ...query, ...(dryRun && { dryRun: 'All' }) }, body, ...(signal && { signal }) };
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
