/**
 * What an agent answers to the API server, and to nobody else: every request must show the token that the agent gave it at
 * registration. `/v1/allocations/{id}/…` is proxied from the allocation's own paths, so the API server has authorised it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError, describeError, readLogQuery, runtimeReport, type Clock, type Logger, type LogRing } from '../../base/index.ts';
import type { AllocationRunner } from '../allocation/runner.ts';
import { DriverError } from '../drivers/driver.ts';
import { LogError, readLog } from '../logs/index.ts';
import { readExecRequest, serveExec } from './exec.ts';
import { parseMeta, type DynamicMeta, type MetaAnswer } from '../node/meta.ts';
import { AllocationFiles } from './files.ts';
import { openPort, portTarget, servePort } from './port-forward.ts';
import { WebSocketPeer } from './websocket.ts';

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly log: Logger;
  readonly allocation: (id: string) => AllocationRunner | undefined;
  /** Of an allocation whose folder is gone. */
  readonly keptLogs: (id: string) => { readonly folder: string; readonly tasks: readonly string[] } | undefined;
  readonly nodeStats: () => Promise<unknown>;
  readonly nodeMeta: () => MetaAnswer;
  /** Resolves once the cluster knows it. */
  readonly changeMeta: (changes: DynamicMeta) => Promise<void>;
  readonly logs: LogRing | undefined;
  readonly clock: Clock;
}

const BODY_LIMIT = 64 * 1024;

interface Request {
  readonly method: string;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
  readonly response: ServerResponse;
}

/** Where the output of an allocation's tasks lies, and when no more can come. */
interface LogSource {
  readonly folder: string;
  readonly tasks: readonly string[];
  readonly ended: (task: string) => Promise<void>;
}

type Handler = (runner: AllocationRunner, request: Request) => Promise<void> | void;

export class AgentServer {
  readonly #options: ServerOptions;
  readonly #server: Server;

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#server.requestTimeout = 30_000;
    this.#server.headersTimeout = 10_000;
  }

  static async listen(options: ServerOptions): Promise<AgentServer> {
    const agent = new AgentServer(options);
    await new Promise<void>((resolve, reject) => {
      agent.#server.once('error', reject);
      agent.#server.listen(options.port, options.host, () => resolve());
    });
    return agent;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      if (!this.#authentic(message.headers.authorization))
        throw new ApiError('Unauthorized', 'the token of this agent is required');
      const url = new URL(message.url ?? '/', 'http://agent');
      const method = message.method ?? 'GET';
      const body = method === 'GET' ? {} : await readBody(message);
      await this.#route(url.pathname, { method, query: url.searchParams, body, signal: gone.signal, response });
    } catch (error) {
      this.#fail(response, error);
    }
  }

  /** Compares digests, so that neither the length nor the time tells anything about the token. */
  #authentic(header: string | undefined): boolean {
    const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
    return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${this.#options.token}`));
  }

  async #route(path: string, request: Request): Promise<void> {
    const ofNode = Object.hasOwn(this.#nodeHandlers, path) ? this.#nodeHandlers[path]! : undefined;
    if (ofNode !== undefined) {
      const handle = ofNode[request.method];
      if (handle === undefined) throw new ApiError('MethodNotAllowed', `${request.method} is not allowed here`);
      return handle(request);
    }
    const match = /^\/v1\/allocations\/([^/]+)\/(.+)$/.exec(path);
    const [method, handler] = this.#handlers[match?.[2] ?? ''] ?? [undefined, undefined];
    if (match === null || handler === undefined) throw new ApiError('NotFound', `there is no ${path} here`);
    if (request.method !== method) throw new ApiError('MethodNotAllowed', `${request.method} is not allowed here`);
    const id = decodeURIComponent(match[1]!);
    const runner = this.#options.allocation(id);
    const kept = runner === undefined && match[2] === 'log' ? this.#options.keptLogs(id) : undefined;
    if (kept !== undefined) return this.#log({ ...kept, ended: () => Promise.resolve() }, request);
    if (runner === undefined) throw new ApiError('NotFound', `allocation "${id}" is not (or no longer) on this node`);
    await handler(runner, request);
  }

  readonly #nodeHandlers: Readonly<Record<string, Readonly<Record<string, (request: Request) => Promise<void>>>>> = {
    '/v1/stats': { GET: async ({ response }) => sendJson(response, await this.#options.nodeStats()) },
    '/v1/runtime': { GET: async ({ response }) => sendJson(response, await runtimeReport()) },
    '/v1/meta': {
      GET: ({ response }) => Promise.resolve(sendJson(response, this.#options.nodeMeta())),
      POST: async ({ body, response }) => {
        await this.#options.changeMeta(parseMeta(body['meta']));
        sendJson(response, this.#options.nodeMeta());
      },
    },
    '/v1/logs': {
      GET: async ({ query, response, signal }) => {
        const { logs, clock } = this.#options;
        if (logs === undefined) throw new ApiError('NotFound', 'this agent keeps no log of its own');
        await sendStream(response, bytesOf(logs.lines(readLogQuery(query, clock), signal)), signal);
      },
    },
  };

  readonly #handlers: Readonly<Record<string, readonly [string, Handler]>> = {
    log: ['GET', (runner, request) => this.#log({ folder: runner.dirs.logs, tasks: runner.taskNames(), ended: (task) => runner.ended(task) }, request)],
    'fs/ls': ['GET', async (runner, { query, response }) => sendJson(response, await files(runner).list(pathOf(query)))],
    'fs/stat': ['GET', async (runner, { query, response }) => sendJson(response, await files(runner).stat(pathOf(query)))],
    'fs/cat': ['GET', (runner, request) => cat(runner, request)],
    stats: ['GET', async (runner, { response }) => sendJson(response, { tasks: await runner.stats() })],
    checks: ['GET', (runner, { response }) => sendJson(response, { checks: runner.checks() })],
    exec: ['GET', () => { throw new ApiError('BadRequest', 'exec needs a WebSocket connection'); }],
    portforward: ['GET', () => { throw new ApiError('BadRequest', 'portforward needs a WebSocket connection'); }],
    restart: ['POST', (runner, { body, response }) => {
      const task = taskOf(runner, body['task']);
      const tasks = runner.restart(task);
      if (tasks.length === 0) throw new ApiError('Conflict', task === undefined ? 'no task of the allocation is running' : `task "${task}" is not running`);
      sendJson(response, { tasks });
    }],
    signal: ['POST', async (runner, { body, response }) => {
      const signal = body['signal'];
      if (typeof signal !== 'string' || signal === '') throw new ApiError('BadRequest', 'signal: is required');
      sendJson(response, { tasks: await runner.signal(taskOf(runner, body['task']), signal) });
    }],
  }; // prettier-ignore

  /** exec and portforward are conversations: the request becomes a WebSocket. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    let peer: WebSocketPeer | undefined;
    try {
      if (!this.#authentic(request.headers.authorization))
        throw new ApiError('Unauthorized', 'the token of this agent is required');
      const url = new URL(request.url ?? '/', 'http://agent');
      const [, id, verb] = /^\/v1\/allocations\/([^/]+)\/(exec|portforward)$/.exec(url.pathname) ?? [];
      if (id === undefined) throw new ApiError('NotFound', `there is no ${url.pathname} here`);
      const runner = this.#options.allocation(decodeURIComponent(id));
      if (runner === undefined) throw new ApiError('NotFound', `allocation "${id}" is not (or no longer) on this node`);
      if (verb === 'portforward') {
        const wanted = url.searchParams.get('port') ?? '';
        if (wanted === '') throw new ApiError('BadRequest', 'port: is required, a label or a number');
        if (runner.isTerminal) throw new ApiError('Conflict', `allocation "${id}" is not running`);
        const port = await openPort(portTarget(runner.allocation, wanted));
        socket.once('close', () => port.destroy());
        peer = WebSocketPeer.accept(request, socket);
        return await servePort(peer, port, head);
      }
      const task = onlyTask(runner, url.searchParams);
      const asked = readExecRequest(url.searchParams, (action) => {
        const command = runner.action(task, action);
        if (command === undefined) throw new ApiError('NotFound', `task "${task}" has no action "${action}"`);
        return command;
      });
      const handle = runner.runningTask(task);
      peer = WebSocketPeer.accept(request, socket);
      await serveExec(peer, handle, asked, head);
    } catch (error) {
      if (peer !== undefined) return peer.destroy();
      const failure = toApiError(error);
      const body = JSON.stringify(failure.toStatus());
      socket.end(`HTTP/1.1 ${failure.code} ${failure.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`); // prettier-ignore
    }
  }

  async #log({ folder, tasks, ended }: LogSource, { query, signal, response }: Request): Promise<void> {
    const task = chosenTask(tasks, query);
    const type = oneOf(query, 'type', ['stdout', 'stderr'] as const, 'stdout');
    const follow = oneOf(query, 'follow', ['true', 'false'] as const, 'false') === 'true';
    const origin = oneOf(query, 'origin', ['start', 'end'] as const, 'start');
    const offset = count(query, 'offset');
    const tailLines = count(query, 'tailLines');
    const stream = readLog({
      dir: folder,
      task,
      type,
      follow,
      origin,
      signal,
      ...(offset !== undefined && { offset }),
      ...(tailLines !== undefined && { tailLines }),
      ...(follow && { done: ended(task) }),
    });
    await sendStream(response, stream, signal);
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent) {
      // The stream broke in the middle; a cut connection is the only way to say so.
      response.destroy();
      return;
    }
    const failure = toApiError(error);
    if (failure.code >= 500) this.#options.log.warn('request failed', { error: describeError(error) });
    response.writeHead(failure.code, { 'content-type': 'application/json' }).end(JSON.stringify(failure.toStatus()));
  }
}

const files = (runner: AllocationRunner): AllocationFiles => new AllocationFiles(runner.dirs.root, runner.taskNames());

const pathOf = (query: URLSearchParams): string => query.get('path') ?? '/';

async function cat(runner: AllocationRunner, { query, signal, response }: Request): Promise<void> {
  const offset = count(query, 'offset') ?? 0;
  const limit = count(query, 'limit');
  const file = await files(runner).read(pathOf(query));
  // The file's own position is not used, so that a reader of a growing file gets what was there when it asked.
  const end = limit === undefined ? (await file.stat()).size : offset + limit;
  if (end <= offset) {
    await file.close();
    response.writeHead(200, fileHeaders).end();
    return;
  }
  await sendStream(response, file.createReadStream({ start: offset, end: end - 1 }), signal);
}

/** Never shown as a page: the content is the task's. */
const fileHeaders = {
  'content-type': 'application/octet-stream',
  'x-content-type-options': 'nosniff',
  'content-disposition': 'attachment',
};

/** The first bytes, or the error, come before the headers: a log that does not exist is a 404 and not an empty 200. */
async function sendStream(response: ServerResponse, source: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  const first = iterator.next();
  // Where the caller leaves before it is asked for, nobody is left to hear of a failure.
  first.catch(() => undefined);
  // A log that is followed may stay silent for long: the caller is told at once that it is there.
  const early = await Promise.race([first, new Promise<'silent'>((resolve) => setTimeout(() => resolve('silent'), 200).unref())]);
  response.writeHead(200, fileHeaders);
  response.flushHeaders();
  async function* rest(): AsyncGenerator<Buffer> {
    for (let next = early === 'silent' ? await first : early; !next.done; next = await iterator.next()) yield next.value;
  }
  try {
    await pipeline(Readable.from(rest()), response, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await iterator.return?.();
  }
}

async function* bytesOf(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const line of lines) yield Buffer.from(line);
}

/** The task that is named; the only one need not be. */
const onlyTask = (runner: AllocationRunner, query: URLSearchParams): string => chosenTask(runner.taskNames(), query);

function chosenTask(names: readonly string[], query: URLSearchParams): string {
  const task = query.get('task') ?? (names.length === 1 ? names[0]! : undefined);
  if (task === undefined) throw new ApiError('BadRequest', `task: is required, one of ${names.join(', ')}`);
  if (!names.includes(task)) throw new ApiError('NotFound', `the allocation has no task "${task}", only ${names.join(', ')}`);
  return task;
}

function taskOf(runner: AllocationRunner, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new ApiError('BadRequest', 'task: must be a string');
  if (!runner.hasTask(value)) throw new ApiError('NotFound', `the allocation has no task "${value}"`);
  return value;
}

function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[], fallback: T): T {
  const text = query.get(name);
  if (text === null || text === '') return fallback;
  const found = values.find((value) => value === text);
  if (found === undefined) throw new ApiError('BadRequest', `${name}: must be ${values.join(' or ')}`);
  return found;
}

function count(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new ApiError('BadRequest', `${name}: must be a number of 0 or more`);
  return value;
}

async function readBody(message: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > BODY_LIMIT) throw new ApiError('RequestEntityTooLarge', `a body may have ${BODY_LIMIT} bytes`);
    parts.push(part);
  }
  if (size === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new ApiError('BadRequest', 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('BadRequest', 'the body must be an object');
  return value as Record<string, unknown>;
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DriverError) return new ApiError('Conflict', describeError(error));
  if (error instanceof LogError)
    return new ApiError(error.reason === 'NotFound' ? 'NotFound' : 'Forbidden', describeError(error));
  if (error instanceof URIError) return new ApiError('BadRequest', 'the path is not readable');
  return new ApiError('InternalError', describeError(error));
}
