import { builtinAdmission } from '../../../apiserver/admission/index.ts';
import { bootstrap } from '../../../apiserver/bootstrap.ts';
import { resolve, segmentsOf, type ResourceRef } from '../../../apiserver/http/request.ts';
import { Caches } from '../../../apiserver/registry/caches.ts';
import type { Fence } from '../../../apiserver/registry/commit.ts';
import { pathNotFound } from '../../../apiserver/registry/errors.ts';
import { jsonFormat, type Subscriber } from '../../../apiserver/registry/feeds.ts';
import { builtinKinds } from '../../../apiserver/registry/kinds.ts';
import { Registry } from '../../../apiserver/registry/registry.ts';
import { select } from '../../../apiserver/registry/selectors.ts';
import type { Logger } from '../../../base/index.ts';
import type { Version } from '../../../apiserver/registry/version.ts';
import type { SimStore } from './store.ts';
import { Process, type World } from './world.ts';

/** Compiled once: what they are made of does not change. */
const kinds = builtinKinds();

export interface SimRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly contentType?: string | undefined;
  readonly body?: unknown;
  readonly fence?: Fence | undefined;
}

/** What the servers of a cluster have in common. */
export interface ServerHost {
  readonly world: World;
  readonly store: SimStore;
  readonly log: Logger;
  /** Hears of every write that a leader made, and the revision it came to. */
  readonly fenced: (uid: string, revision: number) => void;
  /** False: a deliberate bug. */
  readonly checksFences: boolean;
}

/** An apiserver process: the real registry, caches and admission, without the HTTP around them. */
export class SimServer {
  readonly name: string;
  readonly #host: ServerHost;
  #process: Process;
  #registry: Registry | undefined;

  constructor(host: ServerHost, name: string) {
    this.#host = host;
    this.name = name;
    this.#process = new Process(host.world, name);
  }

  get process(): Process {
    return this.#process;
  }

  /** Whether somebody answers at its address. */
  get listening(): boolean {
    return this.#registry !== undefined && this.#process.alive;
  }

  async start(): Promise<void> {
    const process = (this.#process = new Process(this.#host.world, this.name));
    this.#registry = undefined;
    const { clock } = process;
    const store = this.#host.store.connect(process);
    const caches = new Caches({ kinds, store, clock, log: this.#host.log });
    for (;;) {
      try {
        await caches.start();
        const registry = new Registry({ store, caches, admission: builtinAdmission(), clock });
        await bootstrap(registry);
        this.#registry = registry;
        return;
      } catch {
        // The store is away: its supervisor starts it again.
        await new Promise<void>((done) => clock.after(1000, done));
      }
    }
  }

  /** Answers one request with a JSON value; throws as the registry does. */
  async answer(request: SimRequest): Promise<unknown> {
    const value = await this.#answer(request);
    if (request.fence !== undefined) {
      const { revision, metadata } = value as { revision?: string; metadata?: { resourceVersion?: string } };
      this.#host.fenced(request.fence.uid, Number(revision ?? metadata?.resourceVersion ?? 0));
    }
    return value;
  }

  async #answer(request: SimRequest): Promise<unknown> {
    const registry = this.#registry!;
    const { method, path, query, body, fence, contentType } = request;
    const options = {
      fieldValidation: 'Strict' as const,
      dryRun: query['dryRun'] === 'All',
      ...(fence && this.#host.checksFences && { fence }),
    };
    if (path === '/apis/orch.dev/v1/batches') {
      const { mode = 'atomic', operations } = body as { mode?: 'atomic' | 'independent'; operations: unknown };
      return await registry.batch(operations, mode, options);
    }
    const { kind, namespace, name, subresource } = this.#ref(path);
    const sub = subresource === 'status' ? { subresource: 'status' as const } : {};
    switch (method) {
      case 'GET': {
        if (name !== undefined) return copyOf(await registry.get(kind, namespace, name));
        const {
          revision,
          versions,
          continue: more,
        } = await registry.list(kind, {
          ...(namespace !== undefined && { namespace }),
          ...(query as Record<string, never>),
        });
        return {
          metadata: { resourceVersion: String(revision), ...(more !== undefined && { continue: more }) },
          items: versions.map(copyOf),
        };
      }
      case 'POST':
        return copyOf((await registry.create(kind, namespace, body, options)).version);
      case 'PUT':
        // The address of an agent: nobody calls agents here.
        if (subresource === 'endpoint') return {};
        return copyOf((await registry.update(kind, namespace, name!, body, { ...options, ...sub })).version);
      case 'PATCH': {
        const type = contentType === 'application/json-patch+json' ? 'json' : 'merge';
        return copyOf((await registry.patch(kind, namespace, name!, { type, patch: body }, { ...options, ...sub })).version);
      }
      case 'DELETE': {
        const { preconditions } = (body ?? {}) as { preconditions?: { uid?: string } };
        return copyOf(
          (await registry.delete(kind, namespace, name!, { ...options, ...(preconditions && { preconditions }) })).version,
        );
      }
      default:
        throw pathNotFound();
    }
  }

  /** Opens a watch; its lines go to `subscriber`, the first ones come back. Returns how to end it. */
  async watch(request: SimRequest, subscriber: Subscriber): Promise<{ initial: readonly Buffer[]; close: () => void }> {
    const registry = this.#registry!;
    const { query, path } = request;
    const { kind, namespace } = this.#ref(path);
    const text = (name: string): string => String(query[name] ?? '');
    const cache = registry.caches.of(kind);
    const selection = select(kind, namespace, text('labelSelector'), text('fieldSelector'));
    const asked = text('resourceVersion');
    await cache.waitFor(asked === '' ? await registry.caches.revision() : Number(asked));
    const from = asked === '' || asked === '0' ? 'all' : Number(asked);
    return cache.subscribe({ selection, format: jsonFormat, from, bookmarks: true }, subscriber);
  }

  /** A bookmark as the wire has it. */
  bookmark(path: string, revision: number): string {
    const { kind } = this.#ref(path);
    return JSON.stringify({ type: 'BOOKMARK', object: { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { resourceVersion: String(revision) } } }); // prettier-ignore
  }

  #ref(path: string): ResourceRef {
    const ref = resolve(kinds, segmentsOf(path));
    if (ref === undefined) throw pathNotFound();
    return ref;
  }
}

/** What clients get is theirs; one copy serves them all, since nobody changes what he was given. */
const copies = new WeakMap<Version, unknown>();

function copyOf(version: Version): unknown {
  let copy = copies.get(version);
  if (copy === undefined) copies.set(version, (copy = JSON.parse(JSON.stringify(version.object))));
  return copy;
}
