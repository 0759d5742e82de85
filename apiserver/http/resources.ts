import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, type Clock } from '../../base/index.ts';
import { badRequest, pathNotFound } from '../registry/errors.ts';
import { select } from '../registry/selectors.ts';
import { isObject } from '../registry/object.ts';
import {
  readRevision,
  type DeleteOptions,
  type ListOptions,
  type Patch,
  type Registry,
  type Written,
} from '../registry/registry.ts';
import type { Revision } from '../storage/store.ts';
import { mediaTypeOf, parseJson, readApplied, readBody, readValue, unsupported, MAX_BODY, type Body } from './body.ts';
import { booleanParam, numberParam, writeParams, type ResourceRef, type WriteParams } from './request.ts';
import {
  bookmarkLine,
  errorLine,
  representationOf,
  renderList,
  renderObject,
  watchFormat,
  type Representation,
} from './representation.ts';
import { addWarnings, sendBytes, sendJson, sendParts, success } from './respond.ts';
import { scaleKind, scaleVersion } from './scales.ts';
import { WatchStream } from './watch-stream.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** The verbs of Kubernetes; metrics and (later) authorisation speak in them. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** The verb of a request on a resource; undefined when the method does not fit. */
export function verbOf(method: string, query: URLSearchParams, ref: ResourceRef): Verb | undefined {
  const collection = ref.name === undefined;
  switch (method) {
    case 'GET':
      return collection ? (booleanParam(query, 'watch') ? 'watch' : 'list') : 'get';
    case 'POST':
      return collection ? 'create' : undefined;
    case 'PUT':
      return collection ? undefined : 'update';
    case 'PATCH':
      return collection ? undefined : 'patch';
    case 'DELETE':
      return collection ? 'deletecollection' : 'delete';
    default:
      return undefined;
  }
}

export interface ResourcesOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Told when a watch was closed because its reader did not keep up. */
  readonly onSlowWatch?: (kind: ResourceRef['kind']) => void;
}

/** Each open watch costs a socket and some memory. Who comes later may try another server. */
const MAX_WATCHES = 20_000;

/** How long a watch lasts that does not say so itself: 30 to 60 minutes, so that not all come back at once. */
const watchSeconds = (): number => 1800 + Math.random() * 1800;

/** The verbs over HTTP: parameters and bodies in, objects, lists and streams out. */
export class Resources {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #watches = new Map<WatchStream, () => Revision | undefined>();

  readonly #onSlowWatch: ResourcesOptions['onSlowWatch'];

  constructor({ registry, clock, onSlowWatch }: ResourcesOptions) {
    this.#registry = registry;
    this.#clock = clock;
    this.#onSlowWatch = onSlowWatch;
  }

  get watching(): number {
    return this.#watches.size;
  }

  /** Ends all watches cleanly; their readers come back, here or elsewhere. */
  endWatches(): void {
    for (const [stream, settle] of [...this.#watches]) stream.finish(settle);
  }

  async handle(exchange: Exchange, ref: ResourceRef, verb: Verb): Promise<void> {
    const { subresource, kind } = ref;
    const served = subresource === undefined || (subresource === 'status' && kind.hasStatus) || isScale(ref);
    if (ref.rest.length > 0 || !served) throw pathNotFound();
    if (subresource !== undefined && verb !== 'get' && verb !== 'update' && verb !== 'patch') throw methodNotAllowed();
    if (kind.namespaced && ref.namespace === undefined && verb === 'create') {
      throw badRequest(`${kind.plural} are created in a namespace: .../namespaces/NAMESPACE/${kind.plural}`);
    }
    switch (verb) {
      case 'get':
        return await this.#get(exchange, ref);
      case 'list':
        return await this.#list(exchange, ref);
      case 'watch':
        return await this.#watch(exchange, ref);
      case 'create':
        return await this.#create(exchange, ref);
      case 'update':
        return await this.#update(exchange, ref);
      case 'patch':
        return await this.#patch(exchange, ref);
      case 'delete':
        return await this.#delete(exchange, ref);
      case 'deletecollection':
        return await this.#deleteCollection(exchange, ref);
    }
  }

  async #get({ request, response, query }: Exchange, ref: ResourceRef): Promise<void> {
    const { kind, namespace, name } = ref;
    const as = representationOf(request, query);
    const version = await this.#registry.get(kind, namespace, name!, query.get('resourceVersion') ?? undefined);
    const now = this.#clock.now();
    if (isScale(ref)) sendBytes(response, 200, renderObject(scaleKind, scaleVersion(kind, version), as, now));
    else sendBytes(response, 200, renderObject(kind, version, as, now));
  }

  async #list({ request, response, query }: Exchange, { kind, namespace }: ResourceRef): Promise<void> {
    const as = representationOf(request, query);
    const list = await this.#registry.list(kind, listOptions(query, namespace));
    await sendParts(response, renderList(kind, list, as, this.#clock.now()));
  }

  async #watch({ request, response, query }: Exchange, { kind, namespace }: ResourceRef): Promise<void> {
    if (this.#watches.size >= MAX_WATCHES)
      throw new ApiError('TooManyRequests', `this server has ${MAX_WATCHES} watches, please try another one`, { retryAfterSeconds: 5 }); // prettier-ignore
    const as = representationOf(request, query);
    const cache = this.#registry.caches.of(kind);
    const selection = select(kind, namespace, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
    const bookmarks = booleanParam(query, 'allowWatchBookmarks');
    const sendInitialEvents = query.has('sendInitialEvents') ? booleanParam(query, 'sendInitialEvents') : undefined;
    const timeout = numberParam(query, 'timeoutSeconds') ?? 0;
    const match = query.get('resourceVersionMatch') ?? '';
    if (sendInitialEvents !== undefined) {
      if (match !== 'NotOlderThan')
        throw watchListForbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
      if (sendInitialEvents && !bookmarks) throw watchListForbidden('sendInitialEvents requires allowWatchBookmarks');
    } else if (match !== '')
      throw watchListForbidden('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    const asked = query.get('resourceVersion') ?? '';
    const version = asked === '' ? undefined : readRevision(asked);
    await cache.waitFor(version ?? (sendInitialEvents === false ? 0 : await this.#registry.caches.revision()));

    // Its end was told already, and would never be told to the subscription.
    if (response.closed || response.destroyed) return;
    const from: Revision | 'all' = sendInitialEvents === true || (sendInitialEvents === undefined && (version === undefined || version === 0)) ? 'all' : (version ?? cache.revision); // prettier-ignore
    let end: () => void = () => undefined;
    const stream = new WatchStream({
      response,
      clock: this.#clock,
      bookmark: (revision) => bookmarkLine(kind, as, revision, false),
      onEnd: () => {
        this.#watches.delete(stream);
        end();
      },
      onSlow: () => this.#onSlowWatch?.(kind),
    });
    let initial: readonly Buffer[];
    try {
      const subscription = cache.subscribe(
        {
          selection,
          format: watchFormat(kind, as, () => this.#clock.now()),
          from,
          bookmarks,
          ...(sendInitialEvents === true && { initialEventsEnd: (revision: Revision) => bookmarkLine(kind, as, revision, true) }),
        },
        stream,
      );
      end = subscription.close;
      initial = subscription.initial;
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'Expired') throw error;
      // As a line of the stream, which then ends: what clients of Kubernetes look for.
      sendBytes(response, 200, errorLine(error));
      return;
    }
    const settle = (): Revision | undefined => {
      const revision = cache.settle();
      return bookmarks ? revision : undefined;
    };
    this.#watches.set(stream, settle);
    stream.endAfter((timeout > 0 ? timeout : watchSeconds()) * 1000, settle);
    await stream.begin(initial);
  }

  async #create(exchange: Exchange, { kind, namespace }: ResourceRef): Promise<void> {
    const { request, query } = exchange;
    const params = writeParams(request, query);
    const { value, problems } = await readValue(request, MAX_BODY, params.fieldValidation !== 'Ignore');
    const written = await this.#registry.create(kind, namespace, value, { ...params, problems });
    this.#answer(exchange, kind, written);
  }

  async #update(exchange: Exchange, ref: ResourceRef): Promise<void> {
    const { kind, namespace, name, subresource } = ref;
    const { request, query } = exchange;
    const params = writeParams(request, query);
    const { value, problems } = await readValue(request, MAX_BODY, params.fieldValidation !== 'Ignore');
    if (isScale(ref)) {
      const written = await this.#registry.scale(kind, namespace, name!, { type: 'replace', scale: value }, params);
      return this.#answer(exchange, scaleKind, { ...written, version: scaleVersion(kind, written.version) });
    }
    const written = await this.#registry.update(kind, namespace, name!, value, { ...params, problems, ...sub(subresource) });
    this.#answer(exchange, kind, written);
  }

  async #patch(exchange: Exchange, ref: ResourceRef): Promise<void> {
    const { kind, namespace, name, subresource } = ref;
    const { request, query } = exchange;
    const params = writeParams(request, query);
    if (mediaTypeOf(request) === 'apply-patch') return await this.#apply(exchange, ref, params);
    if (query.has('force')) throw optionsInvalid('PatchOptions', 'force', 'may not be specified for non-apply patch');
    const { patch, problems } = await readPatch(request, ref, params.fieldValidation !== 'Ignore');
    if (isScale(ref)) {
      const written = await this.#registry.scale(kind, namespace, name!, patch, params);
      return this.#answer(exchange, scaleKind, { ...written, version: scaleVersion(kind, written.version) });
    }
    const written = await this.#registry.patch(kind, namespace, name!, patch, { ...params, problems, ...sub(subresource) });
    this.#answer(exchange, kind, written);
  }

  async #apply(exchange: Exchange, ref: ResourceRef, params: WriteParams): Promise<void> {
    const { kind, namespace, name, subresource } = ref;
    const { request, query } = exchange;
    if (isScale(ref)) throw unsupported(request, `a scale is not applied; ${PATCHES}`);
    if (!params.manager.explicit) throw optionsInvalid('PatchOptions', 'fieldManager', 'is required for apply patch');
    const { value, problems } = await readApplied(request, params.fieldValidation !== 'Ignore');
    const force = booleanParam(query, 'force');
    const written = await this.#registry.apply(kind, namespace, name!, value, {
      ...params,
      problems,
      force,
      ...sub(subresource),
    });
    this.#answer(exchange, kind, written);
  }

  async #delete(exchange: Exchange, { kind, namespace, name }: ResourceRef): Promise<void> {
    const { response, request, query } = exchange;
    const as = representationOf(request, query);
    const { type, version } = await this.#registry.delete(kind, namespace, name!, await deleteOptions(exchange));
    if (type !== 'deleted') {
      // It lingers until its finalizers are done.
      sendBytes(response, 200, renderObject(kind, version, as, this.#clock.now()));
      return;
    }
    sendJson(response, 200, success({ name: name!, group: kind.group, kind: kind.plural, uid: version.object.metadata.uid }));
  }

  async #deleteCollection(exchange: Exchange, { kind, namespace }: ResourceRef): Promise<void> {
    const { response, request, query } = exchange;
    const as = representationOf(request, query);
    const list = await this.#registry.deleteCollection(kind, listOptions(query, namespace), await deleteOptions(exchange));
    await sendParts(response, renderList(kind, list, as, this.#clock.now()));
  }

  #answer({ request, response, query }: Exchange, kind: ResourceRef['kind'], { type, version, warnings }: Written): void {
    const as: Representation = representationOf(request, query);
    addWarnings(response, warnings);
    sendBytes(response, type === 'created' ? 201 : 200, renderObject(kind, version, as, this.#clock.now()));
  }
}

export const methodNotAllowed = (): ApiError =>
  new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource');

const watchListForbidden = (why: string): ApiError => new ApiError('Invalid', `ListOptions.meta.k8s.io "" is invalid: ${why}`);

const isScale = ({ kind, subresource }: ResourceRef): boolean => subresource === 'scale' && kind.scale !== undefined;

const sub = (subresource: string | undefined): { subresource?: 'status' } => (subresource === 'status' ? { subresource } : {});

function listOptions(query: URLSearchParams, namespace: string | undefined): ListOptions {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const limit = numberParam(query, 'limit');
  return {
    ...(namespace !== undefined && { namespace }),
    ...(limit !== undefined && { limit }),
    ...Object.fromEntries(
      ['labelSelector', 'fieldSelector', 'continue', 'resourceVersion', 'resourceVersionMatch'].flatMap((name) => {
        const value = text(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
}

const PATCHES =
  'accepted media types are application/merge-patch+json, application/json-patch+json and application/apply-patch+yaml';

const optionsInvalid = (what: string, field: string, why: string): ApiError =>
  new ApiError('Invalid', `${what}.meta.k8s.io "" is invalid: ${field}: ${why}`, {
    group: 'meta.k8s.io',
    kind: what,
    causes: [{ reason: 'FieldValueInvalid', message: why, field }],
  });

async function readPatch(
  request: IncomingMessage,
  { kind }: ResourceRef,
  scan: boolean,
): Promise<{ patch: Patch; problems: readonly string[] }> {
  const type = mediaTypeOf(request);
  switch (type) {
    case 'merge-patch':
    case 'json-patch':
      break;
    case 'strategic-merge-patch':
      // kubectl knows these kinds by heart and sends it for them; without lists to merge it means the same as a merge patch.
      if (kind.group === '' || kind.group === 'coordination.k8s.io') break;
      throw unsupported(
        request,
        `${kind.plural} have no strategic merge patch, use a merge patch (kubectl patch --type=merge); ${PATCHES}`,
      );
    default:
      throw unsupported(request, PATCHES);
  }
  const { value, problems }: Body = parseJson(await readBody(request, MAX_BODY), scan);
  return { patch: { type: type === 'json-patch' ? 'json' : 'merge', patch: value }, problems };
}

/** Delete options come in the body, or (from some clients) as parameters. */
async function deleteOptions({ request, query }: Exchange): Promise<DeleteOptions> {
  const params = writeParams(request, query);
  const { value } = await readValue(request);
  const body = value ?? {};
  if (!isObject(body)) throw badRequest('the body of a delete must be DeleteOptions');
  const dryRun = body['dryRun'];
  if (dryRun !== undefined && dryRun !== null && !(Array.isArray(dryRun) && dryRun.every((item) => item === 'All'))) {
    throw badRequest('dryRun must be ["All"]');
  }
  const orphans = body['orphanDependents'] ?? (query.has('orphanDependents') ? booleanParam(query, 'orphanDependents') : null);
  const policy = body['propagationPolicy'] ?? query.get('propagationPolicy') ?? (orphans === true ? 'Orphan' : 'Background');
  if (policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan') {
    throw badRequest(`propagationPolicy must be Background, Foreground or Orphan, not ${JSON.stringify(policy)}`);
  }
  const preconditions = body['preconditions'] ?? {};
  if (!isObject(preconditions)) throw badRequest('preconditions must be an object');
  const { uid, resourceVersion } = preconditions;
  for (const [field, given] of Object.entries({ uid, resourceVersion })) {
    if (given !== undefined && given !== null && typeof given !== 'string')
      throw badRequest(`preconditions.${field} must be a string`);
  }
  return {
    dryRun: params.dryRun || (Array.isArray(dryRun) && dryRun.length > 0),
    propagation: policy,
    ...(params.fence && { fence: params.fence }),
    preconditions: {
      ...(typeof uid === 'string' && { uid }),
      ...(typeof resourceVersion === 'string' && { resourceVersion }),
    },
  };
}
