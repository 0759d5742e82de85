import { backoff, describeError, sleep, type Clock, type Logger } from '../../base/index.ts';
import { jsonFormat } from './feeds.ts';
import { objectKey, type ApiKind } from './kinds.ts';
import { valueAt } from './object.ts';
import type { Registry } from './registry.ts';
import { select } from './selectors.ts';
import type { Version } from './version.ts';

export interface NamespacesOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long to wait for what others must do first, if nothing is heard from it. */
const LOOK_AGAIN_MS = 1_000;
const DELETES_AT_ONCE = 16;

/** What jobs are made of. They go after the jobs, whose removal ends it in order; an allocation alone would be replaced. */
const PARTS_OF_JOBS = new Set(['allocations.orch.dev', 'evaluations.orch.dev', 'deployments.orch.dev', 'jobversions.orch.dev', 'serviceregistrations.orch.dev']); // prettier-ignore

/**
 * Empties namespaces whose deletion was asked for, and then removes them. The deletion has closed the namespace to everybody but the
 * control plane, which needs evaluations to end jobs. Once nothing is left it is closed to all, looked at once more, and removed: a
 * create compares the namespace that it relies on in its transaction, so nothing slips in between.
 *
 * Every server does so for itself; what it does is harmless to do twice, and begins where another one was killed.
 */
export class Namespaces {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #kind: ApiKind;
  readonly #stop = new AbortController();
  readonly #emptying = new Map<string, Promise<void>>();
  #unfollow: () => void = () => undefined;

  constructor({ registry, clock, log }: NamespacesOptions) {
    this.#registry = registry;
    this.#clock = clock;
    this.#log = log;
    this.#kind = registry.kinds.need('v1', 'Namespace');
  }

  start(): void {
    this.#follow();
    this.#look();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#unfollow();
    await Promise.all(this.#emptying.values());
  }

  #follow(): void {
    this.#unfollow = this.#onChange(this.#kind, undefined, () => this.#look());
  }

  /** Calls back soon after something of a kind changed, in one namespace or anywhere. */
  #onChange(kind: ApiKind, namespace: string | undefined, changed: () => void): () => void {
    const cache = this.#registry.caches.of(kind);
    let end: () => void = () => undefined;
    const begin = (): void => {
      const subscriber = {
        push: changed,
        bookmark: () => undefined,
        // The cache begins anew.
        expire: () => {
          end();
          if (this.#stop.signal.aborted) return;
          begin();
          changed();
        },
      };
      end = cache.subscribe({ selection: select(kind, namespace), format: jsonFormat, from: cache.revision, bookmarks: false }, subscriber).close; // prettier-ignore
    };
    begin();
    return () => end();
  }

  #look(): void {
    if (this.#stop.signal.aborted) return;
    for (const version of this.#registry.caches.of(this.#kind).among(select(this.#kind))) {
      const { uid } = version.object.metadata;
      if (!isTerminating(version) || this.#emptying.has(uid)) continue;
      this.#emptying.set(
        uid,
        this.#emptyLoop(version.name, uid).finally(() => this.#emptying.delete(uid)),
      );
    }
  }

  async #emptyLoop(name: string, uid: string): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted;) {
      const wait = this.#somethingChanges(name);
      try {
        const outcome = await this.#step(name, uid);
        attempt = 0;
        if (outcome === 'done') return;
        if (outcome === 'wait') await wait.changed;
      } catch (error) {
        this.#log.warn('cannot empty a namespace', { namespace: name, error: describeError(error) });
        await sleep(this.#clock, backoff(attempt++, 100, 5_000), signal);
      } finally {
        wait.end();
      }
    }
  }

  /** One look, and what follows from it. */
  async #step(name: string, uid: string): Promise<'done' | 'again' | 'wait'> {
    const registry = this.#registry;
    const version = registry.caches.of(this.#kind).latest(objectKey(this.#kind, undefined, name));
    if (version === undefined || version.object.metadata.uid !== uid || !isTerminating(version)) return 'done';
    const closed = valueAt(version.object, ['status', 'closed']) === true;
    const kinds = namespacedKinds(registry.kinds.all());
    const content = await Promise.all(kinds.map(async (kind) => ({ kind, versions: (await registry.list(kind, { namespace: name })).versions }))); // prettier-ignore
    const left = content.filter(({ versions }) => versions.length > 0);
    if (left.length === 0) {
      if (!closed) {
        await registry.setNamespaceClosed(name, uid, true);
        return 'again';
      }
      const removed = await registry.removeNamespace(name, uid);
      if (removed) this.#log.info('namespace removed', { namespace: name });
      return removed ? 'done' : 'wait';
    }
    const jobs = left.some(({ kind }) => kind.resource === 'jobs.orch.dev');
    if (closed && jobs) {
      // One came in before it was closed; to end it takes the control plane.
      await registry.setNamespaceClosed(name, uid, false);
      return 'again';
    }
    const going = left.filter(({ kind }) => !(jobs && PARTS_OF_JOBS.has(kind.resource)));
    const doomed = going.flatMap(({ kind, versions }) => versions.filter(({ object }) => object.metadata.deletionTimestamp === undefined).map((version) => ({ kind, version }))); // prettier-ignore
    if (doomed.length === 0) return 'wait';
    for (let at = 0; at < doomed.length; at += DELETES_AT_ONCE) {
      await Promise.all(doomed.slice(at, at + DELETES_AT_ONCE).map(({ kind, version }) => this.#delete(kind, version)));
    }
    return 'again';
  }

  async #delete(kind: ApiKind, { namespace, name, object }: Version): Promise<void> {
    try {
      await this.#registry.delete(kind, namespace, name, { preconditions: { uid: object.metadata.uid } });
    } catch (error) {
      // Gone, or another one by now: the next look tells.
      this.#log.debug('not deleted', { kind: kind.resource, name, error: describeError(error) });
    }
  }

  /** Resolves when something in the namespace, or the namespace itself, has changed since the call; or after a while. */
  #somethingChanges(name: string): { readonly changed: Promise<void>; end: () => void } {
    const pause = new AbortController();
    const wake = (): void => pause.abort();
    this.#stop.signal.addEventListener('abort', wake);
    const kinds = [...namespacedKinds(this.#registry.kinds.all()).map((kind) => [kind, name] as const), [this.#kind, undefined] as const]; // prettier-ignore
    const ends = kinds.map(([kind, namespace]) => this.#onChange(kind, namespace, wake));
    const end = (): void => {
      this.#stop.signal.removeEventListener('abort', wake);
      for (const unsubscribe of ends) unsubscribe();
      pause.abort();
    };
    return { changed: sleep(this.#clock, LOOK_AGAIN_MS, pause.signal), end };
  }
}

const isTerminating = ({ object }: Version): boolean => object.metadata.deletionTimestamp !== undefined;

/** The kinds that lie in namespaces; of several versions of one kind only the first. */
function namespacedKinds(kinds: readonly ApiKind[]): ApiKind[] {
  const byPrefix = new Map(kinds.filter(({ namespaced }) => namespaced).map((kind) => [kind.prefix, kind]));
  return [...byPrefix.values()];
}
