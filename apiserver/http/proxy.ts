import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, type Logger } from '../../base/index.ts';
import { badRequest } from '../registry/errors.ts';
import type { ApiKind } from '../registry/kinds.ts';
import { isObject, valueAt } from '../registry/object.ts';
import { endpointKey, type Registry } from '../registry/registry.ts';
import { readValue } from './body.ts';
import { writeParams, type ResourceRef } from './request.ts';
import { methodNotAllowed, type Exchange } from './resources.ts';
import { sendError, sendJson } from './respond.ts';

/** What an allocation's agent answers itself; everything else is 404. */
const ALLOCATION_PATHS: Record<string, readonly string[]> = {
  log: ['GET'],
  'fs/ls': ['GET'],
  'fs/cat': ['GET'],
  'fs/stat': ['GET'],
  restart: ['POST'],
  signal: ['POST'],
  stats: ['GET'],
  checks: ['GET'],
  exec: ['GET', 'POST'],
  portforward: ['GET', 'POST'],
};
/** The same of nodes. */
const NODE_PATHS: Record<string, readonly string[]> = { stats: ['GET'], meta: ['GET', 'POST'], logs: ['GET'], runtime: ['GET'] };
const CONNECT_TIMEOUT_MS = 5_000;
/** An agent's answer to anything that is no stream is short; the first byte must come in this time. */
const ANSWER_TIMEOUT_MS = 30_000;

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

/** The way from users to node agents. Users talk to the apiserver only; the agents believe nobody but who has their token. */
export class AgentProxy {
  readonly #registry: Registry;
  readonly #log: Logger;
  readonly #nodes: ApiKind;

  constructor(registry: Registry, log: Logger) {
    this.#registry = registry;
    this.#log = log;
    this.#nodes = registry.kinds.need('orch.dev/v1', 'Node');
  }

  /** Whether a reference names something that an agent answers (or has to tell). */
  serves({ kind, name, subresource }: ResourceRef): boolean {
    if (name === undefined || subresource === undefined || kind.group !== 'orch.dev') return false;
    if (kind.kind === 'Allocation') return subresource !== 'status';
    return kind.kind === 'Node' && (subresource === 'endpoint' || Object.hasOwn(NODE_PATHS, subresource));
  }

  async handle(exchange: Exchange, ref: ResourceRef): Promise<void> {
    if (ref.kind.kind === 'Node' && ref.subresource === 'endpoint') return await this.#register(exchange, ref);
    const { endpoint, path } = await this.#route(exchange.request.method ?? '', ref);
    await this.#forward(exchange, endpoint, path + queryOf(exchange));
  }

  /** The same for a connection that asks to become something else (an exec session over WebSocket). */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, ref: ResourceRef, query: string): Promise<void> {
    const { endpoint, path } = await this.#route(request.method ?? '', ref);
    await new Promise<void>((resolve, reject) => {
      const upstream = httpRequest({ ...target(endpoint), method: 'GET', path: path + query, headers: { ...endToEnd(request), ...credentials(endpoint), connection: 'Upgrade', upgrade: request.headers.upgrade ?? '' } }); // prettier-ignore
      upstream.on('upgrade', (answer, peer, rest) => {
        socket.write(rawHead(answer));
        if (rest.length > 0) socket.write(rest);
        if (head.length > 0) peer.write(head);
        peer.pipe(socket).pipe(peer);
        for (const [one, other] of [[socket, peer], [peer, socket]] as const) one.on('error', () => other.destroy()).on('close', () => other.destroy()); // prettier-ignore
        resolve();
      });
      upstream.on('response', (answer) => {
        socket.write(rawHead(answer, true));
        answer.pipe(socket);
        resolve();
      });
      upstream.on('error', (error) => reject(unreachable(ref, error)));
      socket.on('close', () => upstream.destroy());
      upstream.end();
    });
  }

  /** `PUT .../nodes/NAME/endpoint`: where the agent listens, and the token it wants. It can be written and never read. */
  async #register({ request, response, query }: Exchange, { name }: ResourceRef): Promise<void> {
    if (request.method !== 'PUT') throw methodNotAllowed();
    const { dryRun } = writeParams(request, query);
    const { value } = await readValue(request, 64 << 10);
    const { address, token } = isObject(value) ? value : {};
    if (typeof address !== 'string' || typeof token !== 'string' || parseAddress(address) === undefined) {
      throw badRequest('the body must be {"address": "HOST:PORT", "token": "..."}');
    }
    if (token.length < 16 || token.length > 4096 || /[^\x21-\x7e]/.test(token))
      throw badRequest('token must have 16 to 4096 visible characters');
    const node = await this.#registry.get(this.#nodes, undefined, name!);
    if (!dryRun) {
      const stored = {
        key: endpointKey(name!),
        value: Buffer.from(JSON.stringify({ uid: node.object.metadata.uid, address, token })),
      };
      const result = await this.#registry.store.txn(
        [{ key: node.key, modRevision: node.revision }],
        [{ type: 'put', ...stored }],
      );
      // The node changed while we looked: what matters is that it is still the same one.
      if (!result.succeeded) {
        const again = await this.#registry.get(this.#nodes, undefined, name!);
        if (again.object.metadata.uid !== node.object.metadata.uid)
          throw new ApiError('Conflict', `the node ${name} was replaced`);
        await this.#registry.store.txn([], [{ type: 'put', ...stored }]);
      }
    }
    sendJson(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
  }

  async #route(method: string, ref: ResourceRef): Promise<{ endpoint: Endpoint; path: string }> {
    const { kind, namespace, name, subresource, rest } = ref;
    const what = [subresource, ...rest].join('/');
    const paths = kind.kind === 'Node' ? NODE_PATHS : ALLOCATION_PATHS;
    if (!Object.hasOwn(paths, what)) throw new ApiError('NotFound', 'the server could not find the requested resource');
    if (!paths[what]!.includes(method)) throw methodNotAllowed();
    const version = await this.#registry.get(kind, namespace, name!);
    if (kind.kind === 'Node') return { endpoint: await this.#endpoint(name!), path: `/v1/${what}` };
    const node = valueAt(version.object, ['spec', 'nodeName']);
    if (typeof node !== 'string' || node === '')
      throw new ApiError('ServiceUnavailable', `allocation ${name} is bound to no node`);
    return { endpoint: await this.#endpoint(node), path: `/v1/allocations/${encodeURIComponent(name!)}/${what}` };
  }

  async #endpoint(node: string): Promise<Endpoint> {
    const { items } = await this.#registry.store.range({ start: endpointKey(node) });
    const value: unknown = items[0] === undefined ? undefined : JSON.parse(items[0].value.toString('utf8'));
    const address = parseAddress(String(valueAt(value, ['address'])));
    const current = this.#registry.caches.of(this.#nodes).latest(this.#nodes.prefix + node)?.object.metadata.uid;
    if (address === undefined || (current !== undefined && current !== valueAt(value, ['uid']))) {
      throw new ApiError('ServiceUnavailable', `the agent of node ${node} has not said where it can be reached`, {
        retryAfterSeconds: 1,
      });
    }
    return { ...address, token: String(valueAt(value, ['token'])) };
  }

  async #forward({ request, response }: Exchange, endpoint: Endpoint, path: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const upstream = httpRequest({ ...target(endpoint), method: request.method, path, headers: { ...endToEnd(request), ...credentials(endpoint) } }); // prettier-ignore
      const fail = (error: Error): void => {
        this.#log.debug('an agent did not answer', { address: `${endpoint.host}:${endpoint.port}`, error: error.message });
        if (response.headersSent) response.destroy();
        else sendError(response, new ApiError('ServiceUnavailable', `the agent of the node cannot be reached: ${error.message}`));
        request.resume();
        resolve();
      };
      const timer = setTimeout(() => upstream.destroy(new Error('no answer in time')), ANSWER_TIMEOUT_MS);
      upstream.setTimeout(CONNECT_TIMEOUT_MS, () => {
        if (upstream.socket?.connecting) upstream.destroy(new Error('no connection in time'));
      });
      upstream.on('error', fail);
      upstream.on('response', (answer) => {
        clearTimeout(timer);
        response.writeHead(answer.statusCode ?? 502, {
          ...endToEnd(answer),
          // What tasks wrote is data: a browser shall not run it.
          'x-content-type-options': 'nosniff',
          'content-security-policy': "default-src 'none'; sandbox",
        });
        response.flushHeaders();
        answer.pipe(response);
        answer.on('error', () => response.destroy());
        answer.on('aborted', () => response.destroy());
      });
      response.on('close', () => {
        clearTimeout(timer);
        upstream.destroy();
        resolve();
      });
      request.on('error', () => upstream.destroy());
      request.pipe(upstream);
    });
  }
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'authorization', 'cookie', 'set-cookie', 'host', 'expect', 'orch-fence']); // prettier-ignore

/** The headers that are meant for the other end. */
function endToEnd({ headers }: IncomingMessage): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) if (value !== undefined && !HOP_BY_HOP.has(name)) out[name] = value;
  return out;
}

const credentials = ({ token }: Endpoint): Record<string, string> => ({ authorization: `Bearer ${token}` });
const target = ({ host, port }: Endpoint): { host: string; port: number } => ({ host, port });

function rawHead(answer: IncomingMessage, close = false): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i]!;
    if (close && ['transfer-encoding', 'connection'].includes(name.toLowerCase())) continue;
    lines.push(`${name}: ${answer.rawHeaders[i + 1]}`);
  }
  if (close) lines.push('Connection: close');
  return lines.join('\r\n') + '\r\n\r\n';
}

/** `127.0.0.1:5656` or `[::1]:5656`. */
function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match === null || port < 1 || port > 65535 ? undefined : { host: (match[1] ?? match[2])!, port };
}

const queryOf = ({ request }: Exchange): string => {
  const at = (request.url ?? '').indexOf('?');
  return at < 0 ? '' : request.url!.slice(at);
};

const unreachable = ({ name }: ResourceRef, cause: Error): ApiError =>
  new ApiError('ServiceUnavailable', `the agent that runs ${name} cannot be reached: ${cause.message}`, {}, { cause });
