import equal from 'fast-deep-equal';
import { backoff, describeError, isReason, sleep, type Clock, type Logger } from '../../base/index.ts';
import { CLEANUP_FINALIZER } from '../admission/definition/index.ts';
import { prefixRange, type Revision, type Store } from '../storage/store.ts';
import type { Caches } from './caches.ts';
import { customKind } from './custom-kind.ts';
import { judgeNames, statusOf, conditionOf, type Definition, type Verdict } from './definitions.ts';
import { jsonFormat } from './feeds.ts';
import { objectKey, type ApiKind } from './kinds.ts';
import type { Metadata } from './object.ts';
import type { Registry } from './registry.ts';
import { select } from './selectors.ts';
import type { Version } from './version.ts';

/** What this server made of one definition. */
interface Served {
  readonly uid: string;
  readonly spec: Definition['spec'];
  /** The versions that are served, and the one that is stored. */
  readonly kinds: readonly ApiKind[];
  readonly stored: ApiKind;
  /** Empties the kind, once its definition is to go. */
  emptying?: Promise<void>;
}

export interface CustomKindsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long a write to a definition waits for this server to serve it. */
const SETTLE_MS = 5_000;
const DELETES_AT_ONCE = 16;

/**
 * Serves the kinds that users define. Every server follows the definitions for itself and comes to the same result; what they write
 * (conditions, deletions, the end of the finalizer) is the same whoever does it, and harmless to do twice.
 *
 * A definition goes in steps: its deletion closes the kind to new objects, then all of them are deleted, then the finalizer is taken
 * off. A server that has not heard of it yet may still let one in; so when a definition is gone, each server deletes what is left,
 * in transactions that hold only while there is no definition.
 */
export class CustomKinds {
  readonly #registry: Registry;
  readonly #caches: Caches;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #kind: ApiKind;
  readonly #served = new Map<string, Served>();
  readonly #stop = new AbortController();
  readonly #stopped = new Promise<void>((resolve) =>
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  readonly #background = new Set<Promise<void>>();
  #wake: () => void = () => undefined;
  #dirty = true;
  #following: (() => void) | undefined;
  #settled: Revision = 0;
  #waiters = new Set<{ readonly revision: Revision; readonly done: () => void }>();
  #loop: Promise<void> = Promise.resolve();

  constructor({ registry, clock, log }: CustomKindsOptions) {
    this.#registry = registry;
    this.#caches = registry.caches;
    this.#store = registry.store;
    this.#clock = clock;
    this.#log = log;
    this.#kind = registry.kinds.need('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
  }

  /** Serves what is defined now, and from now on. */
  async start(): Promise<void> {
    this.#follow();
    await this.#reconcile();
    this.#loop = this.#definitionLoop();
  }

  /** Resolves when this server serves the definitions as they were at a revision. */
  async settled(revision: Revision): Promise<void> {
    if (this.#settled >= revision || this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const waiter = { revision, done: () => finish() };
      const timer = this.#clock.after(SETTLE_MS, () => finish());
      const finish = (): void => {
        timer.cancel();
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#following?.();
    this.#wake();
    for (const { done } of this.#waiters) done();
    await this.#loop;
    await Promise.all(this.#background);
  }

  #mark(): void {
    this.#dirty = true;
    this.#wake();
  }

  #follow(): void {
    const cache = this.#caches.of(this.#kind);
    const follower = {
      push: () => this.#mark(),
      bookmark: () => undefined,
      // The cache begins anew.
      expire: () => {
        this.#following?.();
        this.#following = undefined;
        this.#mark();
      },
    };
    this.#following = cache.subscribe({ selection: select(this.#kind), format: jsonFormat, from: cache.revision, bookmarks: false }, follower).close; // prettier-ignore
  }

  async #definitionLoop(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted;) {
      if (!this.#dirty) await new Promise<void>((resolve) => (this.#wake = resolve));
      if (signal.aborted) return;
      try {
        await this.#reconcile();
        failures = 0;
      } catch (error) {
        this.#dirty = true;
        this.#log.warn('cannot serve the definitions of kinds, retrying', { error: describeError(error) });
        await sleep(this.#clock, backoff(failures++, 100, 5_000), signal);
      }
    }
  }

  /** Makes what is served what is defined. */
  async #reconcile(): Promise<void> {
    this.#dirty = false;
    if (this.#following === undefined) this.#follow();
    const cache = this.#caches.of(this.#kind);
    const { revision } = cache;
    const versions = cache.among(select(this.#kind));
    const seen = new Set<string>();
    for (const verdict of judgeNames(versions.map(({ object }) => object as unknown as Definition))) {
      const { definition } = verdict;
      const { name } = definition.metadata;
      seen.add(name);
      try {
        await this.#serve(verdict);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#log.error('cannot serve a kind', { definition: name, error: describeError(error) });
        continue;
      }
      this.#do(() => this.#report(verdict));
      if (definition.metadata.deletionTimestamp !== undefined) this.#empty(name);
    }
    for (const [name, served] of this.#served) {
      if (seen.has(name)) continue;
      this.#withdraw(name, served);
      this.#do(() => this.#sweep(name, served.stored));
    }
    if (revision > this.#settled) this.#settled = revision;
    for (const waiter of this.#waiters) if (waiter.revision <= this.#settled) waiter.done();
  }

  async #serve({ definition, conflict }: Verdict): Promise<void> {
    const { name, uid, deletionTimestamp } = definition.metadata;
    const known = this.#served.get(name);
    // An object is cleaned and judged by what it was written for; a definition of another uid is another kind.
    if (known !== undefined && (known.uid !== uid || !equal(known.spec, definition.spec))) {
      const next = await this.#load(definition);
      this.#replace(name, known, next);
    } else if (known === undefined) {
      if (conflict !== undefined && conditionOf(definition, 'Established')?.status !== 'True' && deletionTimestamp === undefined)
        return;
      this.#replace(name, undefined, await this.#load(definition));
    }
    const served = this.#served.get(name)!;
    if (deletionTimestamp !== undefined) for (const kind of served.kinds) this.#registry.kinds.close(kind);
  }

  /** Loads the objects; nobody sees the kind before they are there. */
  async #load(definition: Definition): Promise<Served> {
    const { spec, metadata } = definition;
    const kinds = new Map(
      spec.versions.filter((v) => v.served || v.storage).map((v) => [v.name, customKind(definition, v.name)]),
    );
    // A store that is away is waited for, but not by who closes the server.
    await Promise.race([Promise.all([...kinds.values()].map((kind) => this.#caches.serve(kind))), this.#stopped]);
    this.#stop.signal.throwIfAborted();
    const stored = kinds.get(spec.versions.find((v) => v.storage)!.name)!;
    const served = spec.versions.filter((v) => v.served).map((v) => kinds.get(v.name)!);
    return { uid: metadata.uid, spec, kinds: served, stored };
  }

  #replace(name: string, old: Served | undefined, next: Served): void {
    for (const kind of old?.kinds ?? []) this.#registry.kinds.remove(kind);
    for (const kind of next.kinds) this.#registry.kinds.add(kind);
    this.#served.set(name, next);
    if (old !== undefined) this.#retire(old);
    this.#log.info('serving a kind', { definition: name, versions: next.kinds.map((kind) => kind.version).join(',') });
  }

  #withdraw(name: string, served: Served): void {
    for (const kind of served.kinds) {
      this.#registry.kinds.close(kind);
      this.#registry.kinds.remove(kind);
    }
    this.#served.delete(name);
    this.#retire(served);
    this.#log.info('no longer serving a kind', { definition: name });
  }

  #retire({ kinds, stored }: Served): void {
    for (const kind of new Set([...kinds, stored])) this.#caches.retire(kind);
  }

  async #report(verdict: Verdict): Promise<void> {
    const { definition } = verdict;
    const { name, resourceVersion } = definition.metadata;
    const status = statusOf(verdict, this.#clock.now());
    if (status === definition.status) return;
    const patch = { metadata: { resourceVersion }, status };
    try {
      await this.#registry.patch(this.#kind, undefined, name, { type: 'merge', patch }, { subresource: 'status' });
    } catch (error) {
      // Somebody else wrote it, and that wakes us again.
      if (!isReason(error, 'Conflict', 'NotFound')) this.#again(error);
    }
  }

  /** Deletes all objects of a kind, then lets its definition go. */
  #empty(name: string): void {
    const served = this.#served.get(name);
    if (served === undefined || served.emptying !== undefined) return;
    served.emptying = this.#emptyLoop(name, served).finally(() => delete served.emptying);
    this.#do(() => served.emptying!);
  }

  async #emptyLoop(name: string, { stored, uid }: Served): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted;) {
      try {
        const cache = this.#caches.of(stored);
        await cache.waitFor(await this.#caches.revision());
        const left = cache.among(select(stored));
        await this.#deleteAll(stored, left.filter(({ object }) => object.metadata.deletionTimestamp === undefined)); // prettier-ignore
        if (left.length === 0) {
          await this.#release(name, uid);
          return;
        }
        failures = 0;
        await this.#change(stored);
      } catch (error) {
        if (signal.aborted) return;
        // The definition was written meanwhile: look again.
        if (isReason(error, 'Conflict')) continue;
        this.#log.warn('cannot empty a kind, retrying', { definition: name, error: describeError(error) });
        await sleep(this.#clock, backoff(failures++, 100, 5_000), signal);
      }
      // Another definition may have taken its place meanwhile.
      if (this.#served.get(name)?.stored !== stored) return this.#mark();
    }
  }

  async #deleteAll(kind: ApiKind, versions: readonly Version[]): Promise<void> {
    const queue = [...versions];
    const lane = async (): Promise<void> => {
      for (let version = queue.pop(); version !== undefined && !this.#stop.signal.aborted; version = queue.pop()) {
        const { namespace, name, object } = version;
        try {
          await this.#registry.delete(kind, namespace, name, { preconditions: { uid: object.metadata.uid } });
        } catch (error) {
          if (!isReason(error, 'NotFound', 'Conflict')) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
  }

  /** Resolves with the next change of an object of the kind, or when everything ends. */
  #change(kind: ApiKind): Promise<void> {
    const { signal } = this.#stop;
    return new Promise<void>((resolve) => {
      const cache = this.#caches.of(kind);
      const done = (): void => {
        signal.removeEventListener('abort', done);
        subscription.close();
        resolve();
      };
      const subscriber = { push: done, bookmark: () => undefined, expire: done };
      const subscription = cache.subscribe({ selection: select(kind), format: jsonFormat, from: cache.revision, bookmarks: false }, subscriber); // prettier-ignore
      signal.addEventListener('abort', done, { once: true });
      // What is left may have changed already; only finalizers are worth waiting for.
      const left = cache.among(select(kind));
      if (signal.aborted || left.length === 0 || left.some(({ object }) => object.metadata.deletionTimestamp === undefined)) done(); // prettier-ignore
    });
  }

  async #release(name: string, uid: string): Promise<void> {
    const metadata = await this.#metadataOf(name);
    if (metadata?.uid !== uid) return;
    const finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    const patch = { metadata: { resourceVersion: metadata.resourceVersion, finalizers } };
    await this.#registry.patch(this.#kind, undefined, name, { type: 'merge', patch });
  }

  async #metadataOf(name: string): Promise<Metadata | undefined> {
    try {
      return (await this.#registry.get(this.#kind, undefined, name)).object.metadata;
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Deletes what was let in too late, as long as there is no definition. */
  async #sweep(name: string, { prefix }: ApiKind): Promise<void> {
    const definition = objectKey(this.#kind, undefined, name);
    const { start, end } = prefixRange(prefix);
    for (;;) {
      const { items } = await this.#store.range({ start, ...(end !== undefined && { end }) }, { limit: 100, keysOnly: true });
      if (items.length === 0 || this.#stop.signal.aborted) return;
      for (const { key, modRevision } of items) {
        const compares = [
          { key: definition, modRevision: 0 },
          { key, modRevision },
        ];
        const { succeeded } = await this.#store.txn(compares, [{ type: 'delete', key }]);
        if (!succeeded && (await this.#store.range({ start: definition }, { keysOnly: true })).items.length > 0) return;
      }
    }
  }

  #again(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#log.debug('cannot write the status of a definition, retrying', { error: describeError(error) });
    this.#clock.after(1_000, () => this.#mark());
  }

  /** Runs something that the loop need not wait for, but `close` must. */
  #do(action: () => Promise<void>): void {
    const running: Promise<void> = action()
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#log.warn('a definition is not done with', { error: describeError(error) });
      })
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }
}
