import express from 'express';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError, describeError, readLogQuery, runtimeReport, type Clock, type Logger, type LogRing } from '../../base/index.ts';
import { pathNotFound } from '../registry/errors.ts';
import type { Registry } from '../registry/registry.ts';
import { SealedError, type SealedStore } from '../storage/sealed/index.ts';
import { StoreFullError, StoreUnavailableError, type Store } from '../storage/store.ts';
import { handleBatch } from './batches.ts';
import { Connections } from './connections.ts';
import { aggregated, aggregatedType, apiGroup, apiGroupList, apiResourceList, apiVersions, versionInfo } from './discovery.ts';
import { MAX_REVIEW, readValue } from './body.ts';
import { listKeys, removeKey, rotateKeys } from './keyring.ts';
import { Launches } from './launches.ts';
import { negotiate, renderList, renderObject } from './representation.ts';
import { answerReview, reviews } from './reviews.ts';
import { getService, listServices, serviceKind } from './services.ts';
import type { Metrics, RequestLabels } from './metrics.ts';
import { OpenApi } from './openapi.ts';
import { AgentProxy } from './proxy.ts';
import { booleanParam, resolve, segmentsOf, type ResourceRef } from './request.ts';
import { methodNotAllowed, Resources, verbOf, type Exchange } from './resources.ts';
import { sendSnapshot } from './snapshot.ts';
import { addWarnings, sendBytes, sendError, sendJson, sendLines, sendParts, sendText } from './respond.ts';

export interface HttpOptions {
  readonly registry: Registry;
  /** As the backend holds it; nothing in it is plain that is to be sealed. */
  readonly backend: Store;
  readonly sealed: SealedStore;
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  readonly logs: LogRing | undefined;
}

export interface HttpServer {
  readonly urls: string[];
  /** Refuses new requests, ends watches cleanly, lets others finish; cuts what is left after five seconds. */
  close(): Promise<void>;
}

/** Requests under way at a time, watches and streams aside; more are told to come again. */
const MAX_INFLIGHT = 2_000;
const CLOSE_MS = 5_000;

/** What is known of a request while it runs. */
interface Running extends Exchange {
  readonly mutating: boolean;
  /** Lasts as long as the client likes, so it counts neither as under way nor in durations. */
  long: boolean;
  labels: RequestLabels;
}

const NO_RESOURCE: RequestLabels = { verb: '', group: '', version: '', resource: '', subresource: '', scope: '' };

/**
 * The server. Requests on objects of a kind are answered in the callback of node:http, before express: they are most of the traffic, and
 * express would cost as much as they do. All else (discovery, documents, health, batches) is routed by express.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { registry, backend, sealed, metrics, clock, log, logs } = options;
  const { kinds } = registry;
  const ending = new AbortController();
  const resources = new Resources({ registry, clock, onSlowWatch: (kind) => metrics.terminated(kind) });
  const proxy = new AgentProxy(registry, log);
  const launches = new Launches(registry, clock);
  const openApi = new OpenApi(kinds);
  const running = new WeakMap<IncomingMessage, Running>();
  let closing = false;
  let inflight = 0;

  const onResource = async (exchange: Running, ref: ResourceRef): Promise<void> => {
    const { request, query } = exchange;
    const method = request.method ?? '';
    const verb = verbOf(method, query, ref);
    exchange.labels = labelsOf(ref, verb ?? method);
    if (proxy.serves(ref)) {
      exchange.long = ref.subresource !== 'endpoint';
      return await proxy.handle(exchange, ref);
    }
    if (launches.serves(ref)) return await launches.handle(exchange, ref);
    if (verb === undefined) throw methodNotAllowed();
    exchange.long = verb === 'watch';
    if (ref.kind.deprecation !== undefined) addWarnings(exchange.response, [ref.kind.deprecation]);
    await resources.handle(exchange, ref, verb);
  };

  const route = routes(running, { registry, backend, sealed, metrics, openApi, clock, log, logs, ending: ending.signal }) as unknown as Router; // prettier-ignore

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const method = request.method ?? '';
    const exchange: Running = {
      request,
      response,
      path: at < 0 ? url : url.slice(0, at),
      query: at < 0 ? NO_QUERY : new URLSearchParams(url.slice(at + 1)),
      mutating: method !== 'GET' && method !== 'HEAD',
      long: false,
      labels: { ...NO_RESOURCE, verb: method },
    };
    const started = performance.now();
    inflight++;
    metrics.begin(exchange.mutating);
    let counted = true;
    const uncount = (): void => {
      if (!counted) return;
      counted = false;
      inflight--;
      metrics.end(exchange.mutating);
      if (exchange.long && !response.closed) response.on('close', metrics.longRunning(exchange.labels));
    };
    response.on('close', () => {
      uncount();
      metrics.request(exchange.labels, response.statusCode, exchange.long ? undefined : (performance.now() - started) / 1000);
    });
    const fail = (error: unknown): void => {
      // What is left of the body is not worth reading; the connection may be used no more.
      if (!request.complete) response.setHeader('connection', 'close');
      sendError(response, toApiError(error, log, request));
    };
    try {
      if (closing) {
        response.setHeader('connection', 'close');
        // Nothing was done, so that clients may ask another server the same, writes too.
        const causes = [{ reason: 'ShuttingDown', message: 'the request was not looked at' }];
        throw new ApiError('ServiceUnavailable', 'the server is shutting down', { retryAfterSeconds: 1, causes });
      }
      checkBrowser(request);
      if (inflight > MAX_INFLIGHT) {
        metrics.refused(exchange.mutating);
        throw new ApiError('TooManyRequests', 'too many requests, please try again later', { retryAfterSeconds: 1 });
      }
      const ref = isResourcePath(exchange.path) ? resolve(kinds, segmentsOf(exchange.path)) : undefined;
      if (ref !== undefined) {
        onResource(exchange, ref).catch(fail);
        if (exchange.long) uncount();
        return;
      }
    } catch (error) {
      fail(error);
      return;
    }
    running.set(request, exchange);
    route(request, response, (error?: unknown) => fail(error ?? pathNotFound()));
    // Whether it is a stream is known as soon as it was routed.
    if (exchange.long) uncount();
  };

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const upgrade = async (): Promise<void> => {
      checkBrowser(request);
      const ref = resolve(kinds, segmentsOf(at < 0 ? url : url.slice(0, at)));
      if (closing || ref?.kind.kind !== 'Allocation' || !UPGRADED.has(ref.subresource ?? '')) throw pathNotFound();
      await proxy.upgrade(request, socket, head, ref, at < 0 ? '' : url.slice(at));
    };
    upgrade().catch((error: unknown) => {
      const status = toApiError(error, log, request).toStatus();
      const body = JSON.stringify(status);
      socket.end(`HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`); // prettier-ignore
    });
  };

  const servers: Server[] = [];
  const connections = new Connections();
  try {
    for (const { host, port } of options.listen) servers.push(await open(host, port, connections, handle, onUpgrade));
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return {
    urls: servers.map((server, i) => urlOf(options.listen[i]!.host, server.address() as AddressInfo)),
    async close() {
      closing = true;
      ending.abort();
      resources.endWatches();
      // Who is in the middle of something is told to go elsewhere, before its connection is closed under it.
      await connections.drained();
      await Promise.all(servers.map((server) => closeServer(server)));
    },
  };
}

/** What of an allocation is a conversation. */
const UPGRADED: ReadonlySet<string> = new Set(['exec', 'portforward']);

type Router = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;
const NO_QUERY = new URLSearchParams();

const isResourcePath = (path: string): boolean => path.startsWith('/apis/') || path.startsWith('/api/');

function labelsOf({ kind, name, namespace, subresource }: ResourceRef, verb: string): RequestLabels {
  const scope = name !== undefined ? 'resource' : namespace !== undefined ? 'namespace' : 'cluster';
  return {
    verb: verb.toUpperCase(),
    group: kind.group,
    version: kind.version,
    resource: kind.plural,
    subresource: subresource ?? '',
    scope,
  };
}

function routes(
  running: WeakMap<IncomingMessage, Running>,
  {
    registry,
    backend,
    sealed,
    metrics,
    openApi,
    clock,
    log,
    logs,
    ending,
  }: {
    registry: Registry;
    backend: Store;
    sealed: SealedStore;
    metrics: Metrics;
    openApi: OpenApi;
    clock: Clock;
    log: Logger;
    logs: LogRing | undefined;
    /** Aborts when the server ends: streams end then. */
    ending: AbortSignal;
  },
): express.Express {
  const { kinds } = registry;
  const app = express();
  app.disable('x-powered-by').disable('etag').set('case sensitive routing', true);
  const json =
    (value: (request: express.Request) => object | undefined) =>
    (request: express.Request, response: express.Response, next: express.NextFunction) => {
      const found = value(request);
      if (found === undefined) return next();
      sendJson(response, 200, found);
    };

  app.get('/version', json(() => versionInfo)); // prettier-ignore
  for (const path of ['/healthz', '/livez']) app.get(path, (_, response) => sendText(response, 200, 'ok'));
  app.get('/readyz', (request, response) => readiness(registry, sealed, request.query['verbose'] !== undefined, response));
  app.get('/snapshot', (request, response) => sendSnapshot(backend, clock, log, request, response));
  app.get('/debug/runtime', async (_, response) => sendJson(response, 200, await runtimeReport()));
  if (logs !== undefined)
    app.get('/logs', async (request, response) => {
      const exchange = running.get(request)!;
      const query = readLogQuery(exchange.query, clock);
      exchange.long = true;
      await sendLines(response, (signal) => logs.lines(query, signal), ending);
    });
  app.get('/metrics', async (_, response) =>
    sendText(response, 200, await metrics.registry.metrics(), metrics.registry.contentType),
  );

  const root = (name: 'api' | 'apis', plain: () => object) => (request: express.Request, response: express.Response) => {
    const form = aggregatedType(request.headers.accept);
    response.setHeader('vary', 'Accept');
    if (form === undefined) sendJson(response, 200, plain());
    else sendJson(response, 200, aggregated(kinds, name, form.version), form.type);
  };
  app.get('/api', root('api', apiVersions));
  app.get(
    '/apis',
    root('apis', () => apiGroupList(kinds)),
  );
  app.get('/api/:version', json(({ params }) => apiResourceList(kinds, '', params['version'] as string))); // prettier-ignore
  app.get('/apis/:group', json(({ params }) => apiGroup(kinds, params['group'] as string))); // prettier-ignore
  app.get('/apis/:group/:version', json(({ params }) => apiResourceList(kinds, params['group'] as string, params['version'] as string))); // prettier-ignore

  app.get('/openapi/v3', json(() => openApi.index())); // prettier-ignore
  app.get('/openapi/v3/*path', (request, response, next) => {
    const document = openApi.document(request.params['path'].join('/'));
    if (document === undefined) return next();
    const asked = request.query['hash'];
    response.setHeader('etag', `"${document.hash}"`);
    response.setHeader('vary', 'Accept');
    if (asked === undefined) response.setHeader('cache-control', 'no-cache');
    else {
      response.setHeader('cache-control', 'public, immutable');
      response.setHeader('expires', new Date(Date.UTC(2100, 0, 1)).toUTCString());
    }
    if (request.headers['if-none-match'] === `"${document.hash}"`) response.writeHead(304).end();
    else sendBytes(response, 200, document.bytes);
  });

  // kubectl before 1.29 insists on version 2; to it an empty protobuf document says that nothing can be checked.
  app.get('/openapi/v2', (_, response) => {
    sendBytes(response, 200, Buffer.alloc(0), 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  });

  for (const review of reviews) {
    const [group, version] = review.apiVersion.split('/') as [string, string];
    app.post(`/apis/${group}/${version}/${review.plural}`, async (request, response) => {
      const exchange = running.get(request)!;
      exchange.labels = { ...NO_RESOURCE, verb: 'CREATE', group, version, resource: review.plural, scope: 'cluster' };
      const { value } = await readValue(request, MAX_REVIEW);
      sendJson(response, 201, answerReview(review, value));
    });
  }
  app.get(['/api/v1/services', '/api/v1/namespaces/:namespace/services'], async (request, response) => {
    const as = negotiate(request.headers.accept, running.get(request)!.query.get('includeObject'));
    const { query } = running.get(request)!;
    if (booleanParam(query, 'watch')) throw methodNotAllowed();
    const list = await listServices(registry, {
      namespace: request.params['namespace'] as string | undefined,
      labelSelector: query.get('labelSelector') ?? '',
      fieldSelector: query.get('fieldSelector') ?? '',
    });
    await sendParts(response, renderList(serviceKind, list, as, clock.now()));
  });
  app.get('/api/v1/namespaces/:namespace/services/:name', async (request, response) => {
    const as = negotiate(request.headers.accept, running.get(request)!.query.get('includeObject'));
    const service = await getService(registry, request.params['namespace'], request.params['name']);
    sendBytes(response, 200, renderObject(serviceKind, service, as, clock.now()));
  });

  const keyring =
    (verb: string, answer: (request: express.Request) => Promise<object>) =>
    async (request: express.Request, response: express.Response): Promise<void> => {
      running.get(request)!.labels = {
        ...NO_RESOURCE,
        verb,
        group: 'orch.dev',
        version: 'v1',
        resource: 'keyring',
        scope: 'cluster',
      };
      sendJson(response, 200, await answer(request));
    };
  app.get('/apis/orch.dev/v1/keyring', keyring('LIST', () => listKeys(sealed))); // prettier-ignore
  app.post('/apis/orch.dev/v1/keyring/rotate', keyring('ROTATE', (request) => rotateKeys(sealed, booleanParam(running.get(request)!.query, 'full')))); // prettier-ignore
  app.delete('/apis/orch.dev/v1/keyring/:id', keyring('DELETE', (request) => removeKey(sealed, request.params['id'] as string))); // prettier-ignore

  app.post('/apis/orch.dev/v1/batches', async (request) => {
    const exchange = running.get(request)!;
    exchange.labels = { ...NO_RESOURCE, verb: 'BATCH', group: 'orch.dev', version: 'v1', resource: 'batches', scope: 'cluster' };
    await handleBatch(exchange, registry);
  });
  return app;
}

/** Ready when every kind can be read and the store answers; else it says what cannot. */
async function readiness(registry: Registry, sealed: SealedStore, verbose: boolean, response: ServerResponse): Promise<void> {
  const checks: { name: string; problem: string | undefined }[] = [];
  const warnings: string[] = [];
  try {
    const { store } = registry;
    const [problems, keyProblem] = await Promise.race([
      store.revision().then(() => Promise.all([store.problems(), sealed.keyProblem()])),
      new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no answer within 2s')), 2_000).unref()),
    ]);
    checks.push({ name: 'store', problem: undefined });
    checks.push({ name: 'keyring', problem: keyProblem });
    for (const { name, message, bearable } of problems) {
      if (bearable) warnings.push(`[!]store-${name} warning: ${message}`);
      else checks.push({ name: `store-${name}`, problem: message });
    }
  } catch (error) {
    checks.push({ name: 'store', problem: `${registry.store.description}: ${describeError(error)}` });
  }
  for (const cache of registry.caches.all()) checks.push({ name: `watch-cache/${cache.kind.resource}`, problem: cache.problem });
  const failed = checks.filter(({ problem }) => problem !== undefined);
  const lines = [
    ...checks.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`)),
    ...warnings,
  ];
  if (failed.length > 0) sendText(response, 503, [...lines, 'readyz check failed', ''].join('\n'));
  else sendText(response, 200, verbose || warnings.length > 0 ? [...lines, 'readyz check passed', ''].join('\n') : 'ok');
}

function toApiError(error: unknown, log: Logger, { method, url }: IncomingMessage): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreUnavailableError) {
    return new ApiError(
      'ServiceUnavailable',
      error instanceof StoreFullError || error instanceof SealedError
        ? error.message
        : `the store cannot be reached: ${error.message}`,
      { retryAfterSeconds: 1 },
      { cause: error },
    );
  }
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return new ApiError('BadRequest', 'the object is nested too deeply', {}, { cause: error });
  }
  if (error instanceof URIError) return new ApiError('BadRequest', 'the path has a bad escape', {}, { cause: error });
  log.error('request failed', {
    method,
    url,
    error: describeError(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return new ApiError('InternalError', `an error on the server: ${describeError(error)}`, {}, { cause: error });
}

/**
 * A web page must not reach the API through its visitor's browser: neither by a request of its own (its Origin is another), nor by
 * making its name point here (then the Host is no address of ours).
 */
function checkBrowser({ headers, socket }: IncomingMessage): void {
  const { host, origin } = headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new ApiError('Forbidden', `requests of web pages from ${origin.slice(0, 200)} are not accepted`);
  }
  if (host !== undefined && LOOPBACK.test(socket.localAddress ?? '') && !LOCAL_HOST.test(host)) {
    throw new ApiError(
      'Forbidden',
      `the Host header names ${host.slice(0, 200)}; on the loopback address it must be an IP address or localhost`,
    );
  }
}

/** All of 127.0.0.0/8, not only its first address. */
const LOOPBACK = /^(?:(?:::ffff:)?127\.|::1$)/;
const LOCAL_HOST = /^(?:(?:[a-z0-9-]+\.)*localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])(?::\d+)?$/i;

async function open(
  host: string,
  port: number,
  connections: Connections,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000, headersTimeout: 10_000, requestTimeout: 0, connectionsCheckingInterval: 5_000, noDelay: true }, handle); // prettier-ignore
  connections.follow(server);
  server.on('upgrade', onUpgrade);
  // Bytes that are no HTTP.
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  await new Promise<void>((done, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => failed(new Error(`cannot listen on ${host}:${port}: ${error.code === 'EADDRINUSE' ? 'the address is in use' : error.message}`, { cause: error }))); // prettier-ignore
    server.listen(port, host, done);
  });
  return server;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
    server.close(() => {
      clearTimeout(timer);
      done();
    });
    server.closeIdleConnections();
  });
}

function urlOf(host: string, { port }: AddressInfo): string {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
