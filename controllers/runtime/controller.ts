/**
 * The one shape of all controllers. A controller says what it is about (`primary`), what else it looks at (`reads`, each with the
 * primary keys that a change wakes), what it writes, and how to reconcile one key. These declarations draw the system's graph.
 *
 * A request is a key, never an event: read all, decide, write. A doubled wake-up is harmless, a missed one is only late. There
 * are three endings: `settled`, `wakeAt`, or a thrown error, which is retried with backoff.
 */
import type { Clock, Duration, Instant, Logger } from '../../base/index.ts';
import { isReason } from '../../base/index.ts';
import { ConnectionError, keyOf, WorkQueue, type Client, type EventRecorder, type Informers } from '../../client/index.ts';
import type { AnyObject, Kind, Stored } from '../../openapi/index.ts';
import type { Index, Reader } from './reader.ts';

export type Outcome = { readonly type: 'settled' } | { readonly type: 'wakeAt'; readonly at: Instant };

/** Nothing to do until something changes. */
export const settled: Outcome = { type: 'settled' };

/** Look again then, or when something changes before. */
export const wakeAt = (at: Instant): Outcome => ({ type: 'wakeAt', at });

/** The usual ending of a plan. */
export const settledOrWake = (at: Instant | undefined): Outcome => (at === undefined ? settled : wakeAt(at));

/** What a reconcile gets besides its key. */
export interface Context<Memory = undefined> {
  readonly read: Reader;
  /** Writes carry the leader's fence. */
  readonly write: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  /** Aborts when leadership is lost. */
  readonly signal: AbortSignal;
  /** What this leader remembers; a new leader starts anew. */
  readonly memory: Memory;
}

export interface Watch {
  readonly kind: Kind;
  readonly keysOf: (object: Stored<AnyObject>, read: Reader) => Iterable<string>;
  readonly delay: Duration;
  readonly on: 'change' | 'delete';
}

/**
 * A change of an object of `kind` wakes the keys that `keysOf` finds in it (as it is and as it was). With `delay`, a burst of
 * changes wakes a key once, that much later. With `on: 'delete'` only its end does.
 */
export function watch<T extends AnyObject>(
  kind: Kind<T>,
  keysOf: (object: Stored<T>, read: Reader) => Iterable<string>,
  options: { delay?: Duration; on?: 'change' | 'delete' } = {},
): Watch {
  return { kind: kind, keysOf: keysOf as Watch['keysOf'], delay: options.delay ?? 0, on: options.on ?? 'change' };
}

/** Reads objects of the kind, but is not woken by them. */
export const lookUp = (kind: Kind): Watch => watch(kind, () => []);

export interface ControllerDefinition<T extends AnyObject, Memory> {
  readonly name: string;
  readonly primary: Kind<T>;
  readonly reads: readonly Watch[];
  readonly writes: readonly Kind[];
  readonly indexes?: readonly Index[];
  /** How many keys are worked on at a time. Default 4. */
  readonly concurrency?: number;
  readonly memory?: () => Memory;
  reconcile(key: string, context: Context<Memory>): Promise<Outcome>;
}

/** What a controller needs of its host while it leads. */
export interface Environment {
  readonly client: Client;
  readonly informers: Informers;
  readonly read: Reader;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  /** Aborts when no new work shall be taken up. */
  readonly stop: AbortSignal;
  /** Aborts when leadership is lost. */
  readonly lost: AbortSignal;
}

export type ReconcileResult = 'settled' | 'wakeAt' | 'conflict' | 'error';

export interface ControllerMetrics {
  reconciled(controller: string, result: ReconcileResult, durationMs: Duration): void;
  queueDepth(controller: string, depth: number): void;
  leading(part: string, leads: boolean): void;
}

export const noMetrics: ControllerMetrics = {
  reconciled: () => undefined,
  queueDepth: () => undefined,
  leading: () => undefined,
};

/** A controller as its host sees it. */
export interface Controller {
  readonly name: string;
  readonly primary: Kind;
  readonly reads: readonly Watch[];
  readonly writes: readonly Kind[];
  readonly indexes: readonly Index[];
  /** Reconciles until `stop` aborts; resolves when all work is done. */
  run(environment: Environment): Promise<void>;
}

export function defineController<T extends AnyObject, Memory = undefined>(
  definition: ControllerDefinition<T, Memory>,
): Controller {
  const { name, reads, writes, indexes = [] } = definition;
  const primary = definition.primary as Kind;
  return { name, primary, reads, writes, indexes, run: (environment) => run(definition, environment) };
}

async function run<T extends AnyObject, Memory>(
  definition: ControllerDefinition<T, Memory>,
  environment: Environment,
): Promise<void> {
  const { informers, read, clock, metrics, stop } = environment;
  const queue = new WorkQueue({ clock });
  const memory = definition.memory?.() as Memory;
  const wake = (keys: Iterable<string>, delay: Duration): void => {
    for (const key of keys) queue.addAfter(key, delay);
  };
  const unsubscribe = [
    informers.of(definition.primary).on({
      added: (object) => queue.add(keyOf(object)),
      modified: (object) => queue.add(keyOf(object)),
      deleted: (object) => queue.add(keyOf(object)),
    }),
    ...definition.reads.map(({ kind, keysOf, delay, on }) =>
      informers.of(kind).on({
        ...(on === 'change' && {
          added: (object) => wake(keysOf(object, read), delay),
          modified: (object, previous) => wake(new Set([...keysOf(object, read), ...keysOf(previous, read)]), delay),
        }),
        deleted: (object) => wake(keysOf(object, read), delay),
      }),
    ),
  ];
  const workers = Array.from({ length: definition.concurrency ?? 4 }, () =>
    reconcileLoop(definition, environment, queue, memory),
  );
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  for (const end of unsubscribe) end();
  await queue.shutdown();
  await Promise.all(workers);
  metrics.queueDepth(definition.name, 0);
}

async function reconcileLoop<T extends AnyObject, Memory>(
  definition: ControllerDefinition<T, Memory>,
  environment: Environment,
  queue: WorkQueue,
  memory: Memory,
): Promise<void> {
  const { read, client, clock, events, metrics, lost } = environment;
  for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
    metrics.queueDepth(definition.name, queue.size);
    const startedAt = clock.now();
    const log = environment.log.child(definition.name, { key });
    let result: ReconcileResult;
    try {
      const outcome = await definition.reconcile(key, { read, write: client, clock, log, events, signal: lost, memory });
      queue.forget(key);
      result = outcome.type;
      // A wake-up in the past is still one in the future: a reconcile that wants to run at once again is a bug, not a loop.
      if (outcome.type === 'wakeAt') queue.addAfter(key, Math.max(outcome.at - clock.now(), 1));
    } catch (error) {
      // Our view was behind, or somebody else was faster. The next look is at the new state.
      const conflict = isReason(error, 'Conflict', 'AlreadyExists', 'NotFound');
      result = conflict ? 'conflict' : 'error';
      if (!lost.aborted) {
        const failures = queue.failures(key);
        const retryInMs = Math.round(queue.addRateLimited(key));
        const quiet = (conflict && failures < 8) || error instanceof ConnectionError; // the client says that there is no server
        log[quiet ? 'debug' : 'warn']('reconcile failed, retrying', {
          error,
          failures: failures + 1,
          retryInMs,
        });
      }
    } finally {
      queue.done(key);
    }
    metrics.reconciled(definition.name, result, clock.now() - startedAt);
  }
}
