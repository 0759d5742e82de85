import { isIP } from 'node:net';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ApiError } from '../../base/index.ts';
import type { CatalogInstance } from '../services/catalog.ts';

export interface QueryOptions {
  readonly host: string;
  readonly port: number;
  /** Every instance of a namespace; undefined while the services of the cluster are not known yet. */
  readonly instances: (namespace: string) => readonly CatalogInstance[] | undefined;
  readonly ready: () => Promise<void>;
}

/**
 * The services of the cluster by HTTP, to be read only:
 *
 *     GET /v1/services                 every service of the namespace, with its tags and how many instances are healthy
 *     GET /v1/services/<name>          its healthy instances; ?tag=… only those with it, ?all=true also those that are not healthy
 *
 * `?namespace=` names another namespace than `default`.
 */
export class QueryServer {
  readonly #options: QueryOptions;
  readonly #server: Server;

  private constructor(options: QueryOptions) {
    this.#options = options;
    this.#server = createHttpServer((request, response) => void this.#serve(request, response));
    this.#server.requestTimeout = 10_000;
    this.#server.maxConnections = 500;
  }

  static async listen(options: QueryOptions): Promise<QueryServer> {
    const server = new QueryServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(options.port, options.host, () => resolve());
    });
    return server;
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

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
    try {
      // A page in somebody's browser can make a name of its own point here; it cannot change what it calls us by.
      if (!isHere(request.headers.host)) throw new ApiError('Forbidden', 'ask by address, or as localhost');
      if (request.method !== 'GET' && request.method !== 'HEAD')
        throw new ApiError('MethodNotAllowed', `${request.method} is not allowed here`);
      const url = new URL(request.url ?? '/', 'http://agent');
      await this.#options.ready();
      const text = JSON.stringify(this.#answer(url));
      response.writeHead(200, headers).end(`${text}\n`);
    } catch (error) {
      const failure = error instanceof ApiError ? error : new ApiError('BadRequest', 'the request is not readable');
      response.writeHead(failure.code, headers).end(`${JSON.stringify(failure.toStatus())}\n`);
    }
  }

  #answer({ pathname, searchParams }: URL): unknown {
    const path = /^\/v1\/services(?:\/([^/]+))?\/?$/.exec(pathname);
    if (path === null) throw new ApiError('NotFound', `there is no ${pathname} here, only /v1/services and /v1/services/<name>`);
    const unknown = [...searchParams.keys()].find((key) => !['namespace', 'tag', 'all'].includes(key));
    if (unknown !== undefined) throw new ApiError('BadRequest', `there is no parameter "${unknown}", only namespace, tag, all`);
    const all = this.#options.instances(searchParams.get('namespace') ?? 'default');
    if (all === undefined) throw new ApiError('ServiceUnavailable', 'the services of the cluster are not known yet');
    if (path[1] === undefined) return summary(all);
    const name = decodeURIComponent(path[1]);
    const named = all.filter((instance) => instance.name === name);
    if (named.length === 0) throw new ApiError('NotFound', `there is no service "${name}"`);
    const tag = searchParams.get('tag');
    const unhealthy = searchParams.get('all') === 'true';
    return named
      .filter(({ tags, phase }) => (tag === null || tags.includes(tag)) && (unhealthy || phase === 'passing'))
      .map(({ name: service, jobId, allocId, nodeId, ...rest }) => ({ service, ...rest, job: jobId, allocation: allocId, node: nodeId })); // prettier-ignore
  }
}

function summary(instances: readonly CatalogInstance[]): unknown {
  const names = [...new Set(instances.map(({ name }) => name))].sort();
  return names.map((service) => {
    const own = instances.filter(({ name }) => name === service);
    return {
      service,
      tags: [...new Set(own.flatMap(({ tags }) => tags))].sort(),
      instances: own.length,
      healthy: own.filter(({ phase }) => phase === 'passing').length,
    };
  });
}

function isHere(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return name === 'localhost' || isIP(name) !== 0;
}
