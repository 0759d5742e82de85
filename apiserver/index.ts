/**
 * The apiserver: the only process that touches storage, and all that anybody else of the system talks to.
 *
 * A write comes in by HTTP (`http/`), is read by its kind's schema, defaulted and judged (`admission/`), becomes an intent - a pure
 * function from what is stored to what shall be (`registry/strategy.ts`) - and is committed by one transaction that compares the
 * revisions of everything it relied on (`registry/commit.ts`). A read costs no serialisation: each kind has a watch cache
 * (`registry/watch-cache.ts`), fed by one watch on the store, whose objects are decoded once, and whose bytes go to every list and every
 * watcher. Watchers that ask for the same thing share a feed; a change finds its feeds by an index (`registry/feeds.ts`).
 *
 * Kinds that users define come and go while it runs (`registry/custom-kinds.ts`).
 *
 * What is secret is sealed on its way to the store (`storage/sealed/`).
 *
 * Its loops: `followLoop` of each watch cache, `rekeyLoop`, `definitionLoop` of the kinds of users, and `compactionLoop`. It keeps no state of its own, so any number may run on one store.
 *
 * Promised: a list is the state at one revision, and a watch from there misses nothing (it may be told to list again); a write against an
 * old version, or by a leader that is none any more, is never stored; what was answered is durable; a refusal names every problem and its
 * path; no input ends the process.
 *
 * Start reading at `registry/registry.ts`, where the verbs are; then `commit.ts`.
 */
import type { Clock, Logger, LogRing } from '../base/index.ts';
import { builtinAdmission, type JobPolicy } from './admission/index.ts';
import { bootstrap } from './bootstrap.ts';
import { compactionLoop } from './compaction.ts';
import { Metrics } from './http/metrics.ts';
import { startHttp } from './http/server.ts';
import { Caches } from './registry/caches.ts';
import { CustomKinds } from './registry/custom-kinds.ts';
import { builtinKinds, type KindRegistry } from './registry/kinds.ts';
import { Namespaces } from './registry/namespaces.ts';
import { Registry } from './registry/registry.ts';
import { SealedStore } from './storage/sealed/index.ts';
import type { Store } from './storage/store.ts';

export interface ApiServerOptions {
  readonly store: Store;
  /** Where to listen; port 0 takes a free one. There is no protection beyond the address: anything but loopback is the caller's to answer for. */
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly log: Logger;
  readonly clock: Clock;
  /** What `GET /logs` tells; without it there is no such path. */
  readonly logs?: LogRing;
  /** The file of root keys; without one there are no variables. It is made when the first one is written. */
  readonly keyringFile?: string;
  /** What is asked of every job beyond the rules of orch. */
  readonly jobPolicy?: JobPolicy;
  /** How long overwritten history is kept at least. Default 5 min; 0 keeps it for ever. */
  readonly compactionIntervalMs?: number;
}

export interface ApiServer {
  /** One for each address, with the port that was taken. */
  readonly urls: string[];
  /** Ends watches cleanly and lets requests finish, for five seconds at most. The store is left open. */
  close(): Promise<void>;
}

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store: backend, listen, log, clock, keyringFile, jobPolicy, compactionIntervalMs = 300_000 } = options;
  const store = new SealedStore({ store: backend, clock, log: log.child('keyring'), ...(keyringFile !== undefined && { file: keyringFile }) }); // prettier-ignore
  const metrics = new Metrics();
  const caches = new Caches({
    kinds: builtinKinds(),
    store,
    clock,
    log,
    delivered: (kind, events) => metrics.watchEvents(kind, events),
  });
  metrics.observe(caches);
  const stop = new AbortController();
  try {
    await caches.start();
    // What it needs is there by now.
    await store.start();
    const registry = new Registry({ store, caches, admission: builtinAdmission(jobPolicy), clock });
    await bootstrap(registry);
    const custom = new CustomKinds({ registry, clock, log });
    await custom.start();
    registry.definitionsServed = (revision) => custom.settled(revision);
    const namespaces = new Namespaces({ registry, clock, log });
    namespaces.start();
    const http = await startHttp({ registry, backend, sealed: store, listen, metrics, clock, log, logs: options.logs });
    const compaction =
      compactionIntervalMs > 0 ? compactionLoop(store, compactionIntervalMs, clock, log, stop.signal) : Promise.resolve();
    compileLoop(caches.kinds, stop.signal).catch((error: unknown) => log.error('cannot compile a schema', { error }));
    log.info('serving the API', { urls: http.urls.join(','), store: store.description });
    return {
      urls: http.urls,
      async close() {
        stop.abort();
        await http.close();
        await namespaces.close();
        await custom.close();
        await caches.close();
        await store.close();
        await compaction;
      },
    };
  } catch (error) {
    stop.abort();
    await caches.close();
    await store.close();
    throw error;
  }
}

/** Compiling takes longer than a write, so it is done before the first one comes, in steps between which requests are answered. */
async function compileLoop(kinds: KindRegistry, signal: AbortSignal): Promise<void> {
  for (const { schema } of kinds.all()) {
    for (const steps = schema.compile(); !signal.aborted && steps.next().done !== true;) await new Promise(setImmediate);
  }
}

export type { Store } from './storage/store.ts';
