import { createHash, randomBytes } from 'node:crypto';
import { ApiError, type Clock } from '../../base/index.ts';
import { childJob, launchId, type Dispatch, type Job, type Stored } from '../../openapi/index.ts';
import { badRequest } from '../registry/errors.ts';
import { isObject } from '../registry/object.ts';
import type { Registry, Written } from '../registry/registry.ts';
import { readValue } from './body.ts';
import { writeParams, type ResourceRef } from './request.ts';
import { representationOf, renderObject } from './representation.ts';
import { methodNotAllowed, type Exchange } from './resources.ts';
import { sendBytes } from './respond.ts';

/** What a dispatch may send along. */
const MAX_PAYLOAD = 16 * 1024;
const MAX_REQUEST = 256 * 1024;

/**
 * `POST .../jobs/NAME/dispatch` makes a job of a parameterized one, `POST .../jobs/NAME/launch` one of a periodic job outside its
 * schedule. Both answer with the new Job; a dispatch with an idempotency token that was used before, with the job of then.
 */
export class Launches {
  readonly #registry: Registry;
  readonly #clock: Clock;

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  serves({ kind, name, subresource }: ResourceRef): boolean {
    return kind.resource === 'jobs.orch.dev' && name !== undefined && (subresource === 'dispatch' || subresource === 'launch');
  }

  async handle(exchange: Exchange, ref: ResourceRef): Promise<void> {
    const { request, response, query } = exchange;
    if (request.method !== 'POST') throw methodNotAllowed();
    const { kind, namespace, name, subresource } = ref;
    const { value } = await readValue(request, MAX_REQUEST);
    const parent = (await this.#registry.get(kind, namespace, name!)).object as unknown as Stored<Job>;
    const child = subresource === 'dispatch' ? this.#dispatched(parent, value) : this.#launched(parent);
    const { idempotencyToken } = (isObject(value) ? value : {}) as { idempotencyToken?: unknown };
    let written: Pick<Written, 'type' | 'version'>;
    try {
      written = await this.#registry.create(kind, namespace, child, writeParams(request, query));
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists' || idempotencyToken === undefined) throw error;
      written = { type: 'unchanged', version: await this.#registry.get(kind, namespace, child.metadata.name!) };
    }
    const as = representationOf(request, query);
    const code = written.type === 'created' ? 201 : 200;
    sendBytes(response, code, renderObject(kind, written.version, as, this.#clock.now()));
  }

  #launched(parent: Stored<Job>): Job {
    const id = parent.spec.id ?? parent.metadata.name;
    if (parent.spec.periodic === undefined) throw badRequest(`job ${JSON.stringify(id)} is not a periodic job`);
    if (parent.spec.stop === true) throw badRequest(`job ${JSON.stringify(id)} is stopped`);
    return childJob(parent, launchId(parent, this.#clock.now()));
  }

  #dispatched(parent: Stored<Job>, body: unknown): Job {
    const asked = readDispatch(body);
    const problem = dispatchProblem(parent, asked);
    if (problem !== undefined) throw badRequest(problem);
    const { idempotencyToken: token } = asked;
    const suffix =
      token === undefined
        ? `${Math.floor(this.#clock.now() / 1000)}-${randomBytes(4).toString('hex')}`
        : createHash('sha256').update(`${parent.metadata.uid}\n${token}`).digest('hex').slice(0, 20);
    return childJob(parent, `${parent.spec.id ?? parent.metadata.name}/dispatch-${suffix}`, asked);
  }
}

function readDispatch(body: unknown): Dispatch {
  if (body === undefined || body === null) return {};
  if (!isObject(body)) throw badRequest('a dispatch is an object with payload, meta and idempotencyToken');
  const { payload, meta, idempotencyToken, ...rest } = body as Record<string, unknown>;
  const unknown = Object.keys(rest).filter((key) => key !== 'apiVersion' && key !== 'kind');
  if (unknown.length > 0) throw badRequest(`unknown field ${JSON.stringify(unknown[0])}: a dispatch has payload, meta and idempotencyToken`); // prettier-ignore
  if (payload !== undefined && (typeof payload !== 'string' || !isBase64(payload))) throw badRequest('payload must be base64');
  if (idempotencyToken !== undefined && (typeof idempotencyToken !== 'string' || idempotencyToken === ''))
    throw badRequest('idempotencyToken must be a text');
  if (meta !== undefined && !(isObject(meta) && Object.values(meta).every((value) => typeof value === 'string')))
    throw badRequest('meta must be texts by key');
  return {
    ...(payload !== undefined && { payload: payload }),
    ...(meta !== undefined && { meta: meta as Record<string, string> }),
    ...(idempotencyToken !== undefined && { idempotencyToken: idempotencyToken }),
  };
}

const isBase64 = (text: string): boolean => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;

/** Why the job cannot be dispatched like that; undefined: it can. */
export function dispatchProblem({ metadata, spec }: Stored<Job>, { payload = '', meta = {} }: Dispatch): string | undefined {
  const { parameterized } = spec;
  const id = JSON.stringify(spec.id ?? metadata.name);
  if (parameterized === undefined) return `Specified job ${id} is not a parameterized job`;
  if (spec.stop === true) return `Specified job ${id} is stopped`;
  const size = Buffer.from(payload, 'base64').length;
  if (size > MAX_PAYLOAD) return `Payload exceeds maximum size; ${size} > ${MAX_PAYLOAD}`;
  if (size === 0 && parameterized.payload === 'required') return 'Payload is not provided but required by parameterized job';
  if (size > 0 && parameterized.payload === 'forbidden') return 'Payload provided but forbidden by parameterized job';
  const { metaRequired = [], metaOptional = [] } = parameterized;
  const given = Object.keys(meta);
  const unpermitted = given.filter((key) => !metaRequired.includes(key) && !metaOptional.includes(key)).sort();
  if (unpermitted.length > 0) return `Dispatch request included unpermitted metadata keys: [${unpermitted.join(' ')}]`;
  const missing = metaRequired.filter((key) => !given.includes(key)).sort();
  if (missing.length > 0) return `Dispatch did not provide required meta keys: [${missing.join(' ')}]`;
  return undefined;
}
