/**
 * One leader, with a fence. A term of leadership is one Lease object:
 *
 *     standby ── create ──► leading ── delete ──► released
 *        ▲  (409: watch it     │
 *        │   until it is gone) │ renewals fail for the whole ttl, or the Lease is gone or another's
 *        └─────────────────────┴──► lost: `signal` aborts
 *
 * The Lease carries `orch.dev/ttl`, so the store removes it when it is not renewed. Nobody compares clocks: the leader gives up
 * when `ttl` has passed, by its own timers, since it *sent* the last renewal that succeeded, which is never later than the store
 * does. And should it be late (a stopped process), its writes are refused all the same: they carry the Lease's uid as a fence.
 */
import { setMaxListeners } from 'node:events';
import { backoff, describeError, formatDuration, isReason, sleep, toTimestamp, uuid } from '../../base/index.ts';
import type { Clock, Duration, Logger, Timer } from '../../base/index.ts';
import { LeaseKind, type Lease, type Stored } from '../../openapi/index.ts';
import { Informer } from '../informer/informer.ts';
import { ConnectionError, type Client, type Fence } from '../rest/client.ts';

export interface ElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is led, such as `controller-job`. */
  readonly name: string;
  /** Who stands for election; for people. Default namespace `orch-system`. */
  readonly identity: string;
  readonly namespace?: string;
  /** How long the Lease outlives its last renewal. Default 15 s. */
  readonly ttl?: Duration;
  /** Told when somebody else leads and this one begins to wait. */
  readonly onWait?: () => void;
}

/** A term of leadership. */
export interface Term {
  readonly fence: Fence;
  /** A client whose writes are refused once the term is over. */
  readonly client: Client;
  /** Aborts when the term is over, whatever the reason. */
  readonly signal: AbortSignal;
  /** Ends the term and lets the next leader in at once. */
  release(): Promise<void>;
}

export const TTL_ANNOTATION = 'orch.dev/ttl';
export const SYSTEM_NAMESPACE = 'orch-system';

/** Waits for leadership. Rejects only when `signal` aborts. */
export async function acquire(options: ElectionOptions, signal: AbortSignal): Promise<Term> {
  const { clock, log, name } = options;
  // Names this very attempt, so that a Lease whose creation succeeded though its answer was lost is known again.
  const holder = `${options.identity}_${uuid()}`;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    try {
      const term = await tryAcquire(options, holder);
      if (term !== undefined && !signal.aborted) return term;
      await term?.release();
      signal.throwIfAborted();
      log.debug('waiting for leadership', { lease: name });
      options.onWait?.();
      signal.throwIfAborted();
      await goneFromServer(options, signal);
      failures = -1;
    } catch (error) {
      if (signal.aborted) await withdraw(options, holder);
      signal.throwIfAborted();
      const level = failures === 2 && !(error instanceof ConnectionError) ? 'warn' : 'debug';
      log[level]('cannot stand for election, retrying', { lease: name, error });
      await sleep(clock, backoff(failures, 200, 5000), signal);
      if (signal.aborted) await withdraw(options, holder);
    }
  }
}

/** Whoever gives up after an attempt whose answer was lost may hold the Lease without knowing, and would keep everybody out. */
async function withdraw({ client, log, name, namespace = SYSTEM_NAMESPACE }: ElectionOptions, holder: string): Promise<void> {
  const signal = AbortSignal.timeout(3000);
  try {
    const lease = await client.find(LeaseKind, name, namespace, signal);
    if (lease?.spec?.holderIdentity !== holder) return;
    await client.delete(LeaseKind, name, namespace, { preconditions: { uid: lease.metadata.uid }, signal });
  } catch (error) {
    log.debug('cannot look for a lease that may be ours, it would run out', { lease: name, error });
  }
}

/**
 * Leads again and again: waits for leadership, runs `lead`, and ends the term when that returns. `lead` should return soon after
 * its term's signal aborts. Resolves when `signal` aborts and the last term has ended.
 */
export async function electionLoop(
  options: ElectionOptions,
  signal: AbortSignal,
  lead: (term: Term) => Promise<void>,
): Promise<void> {
  const { clock, log, name } = options;
  for (let failures = 0; !signal.aborted;) {
    let term: Term;
    try {
      term = await acquire(options, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    log.info('leadership acquired', { lease: name, uid: term.fence.uid });
    const startedAt = clock.now();
    try {
      await lead(term);
    } catch (error) {
      if (!term.signal.aborted) log.error('leading failed', { lease: name, error });
    }
    const lost = term.signal.aborted && !signal.aborted;
    await term.release();
    const { uid } = term.fence;
    if (lost) log.warn('leadership lost', { lease: name, uid, error: term.signal.reason as unknown });
    else log.info('leadership released', { lease: name, uid });
    failures = clock.now() - startedAt > 60_000 ? 0 : failures + 1;
    if (!signal.aborted && failures > 1) await sleep(clock, backoff(failures, 200, 10_000), signal);
  }
}

/** Not to be aborted half-way: a Lease that was created unnoticed would keep everybody out for its whole ttl. */
async function tryAcquire(options: ElectionOptions, holder: string): Promise<Term | undefined> {
  const { client, clock, name, namespace = SYSTEM_NAMESPACE, ttl = 15_000 } = options;
  const now = toTimestamp(clock.now());
  const wanted: Lease = {
    metadata: { name, namespace, annotations: { [TTL_ANNOTATION]: formatDuration(ttl) } },
    spec: { holderIdentity: holder, leaseDurationSeconds: Math.ceil(ttl / 1000), acquireTime: now, renewTime: now },
  };
  const lifetime = new Lifetime(clock, ttl);
  const mine = lifetime.begin();
  try {
    const lease = await within(ttl / 3, clock, (signal) => client.create(LeaseKind, wanted, { signal }));
    mine.succeeded();
    return lead(options, lease, lifetime);
  } catch (error) {
    mine.failed();
    if (!isReason(error, 'AlreadyExists', 'Conflict')) throw error;
  }
  const lease = await client.find(LeaseKind, name, namespace);
  if (lease?.spec?.holderIdentity !== holder) return undefined;
  // Ours after all; how old it is we do not know, so it must be renewed before it counts.
  await renew(options, lease, lifetime);
  return lead(options, lease, lifetime);
}

/** Resolves when the Lease does not exist. */
async function goneFromServer(options: ElectionOptions, signal: AbortSignal): Promise<void> {
  const { client, clock, log, name, namespace = SYSTEM_NAMESPACE } = options;
  const informer = new Informer({
    client,
    clock,
    log,
    kind: LeaseKind,
    namespace,
    fieldSelector: `metadata.name=${name}`,
  }).start();
  try {
    await informer.until((leases) => (leases.list().length === 0 ? true : undefined), signal);
  } finally {
    await informer.close();
  }
}

function lead(options: ElectionOptions, lease: Stored<Lease>, lifetime: Lifetime): Term {
  const { client, log, name, namespace = SYSTEM_NAMESPACE } = options;
  const over = new AbortController();
  // Everything that is under way during the term listens.
  setMaxListeners(0, over.signal);
  const fence: Fence = { namespace, name, uid: lease.metadata.uid };
  lifetime.onEnd(() => over.abort(new Error(`leadership of ${name} is lost: not renewed in time`)));
  const renewing = renewalLoop(options, lease, lifetime, over);
  let releasing: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    over.abort(new Error(`leadership of ${name} is released`));
    lifetime.end();
    await renewing;
    try {
      await client.delete(LeaseKind, name, namespace, { preconditions: { uid: fence.uid }, signal: AbortSignal.timeout(3000) });
    } catch (error) {
      if (!isReason(error, 'NotFound', 'Conflict'))
        log.debug('cannot release the lease, it will run out', { lease: name, error });
    }
  };
  return { fence, client: client.withFence(fence), signal: over.signal, release: () => (releasing ??= release()) };
}

async function renewalLoop(
  options: ElectionOptions,
  lease: Stored<Lease>,
  lifetime: Lifetime,
  over: AbortController,
): Promise<void> {
  const { clock, log, name, ttl = 15_000 } = options;
  for (let failures = 0; !over.signal.aborted;) {
    await sleep(clock, failures === 0 ? ttl / 3 : backoff(failures, 100, ttl / 6), over.signal);
    if (over.signal.aborted) return;
    try {
      await renew(options, lease, lifetime);
      failures = 0;
    } catch (error) {
      if (over.signal.aborted) return;
      if (isReason(error, 'NotFound', 'Conflict')) {
        over.abort(new Error(`leadership of ${name} is lost: ${describeError(error)}`, { cause: error }));
        lifetime.end();
        return;
      }
      failures++;
      log.debug('cannot renew the lease, retrying', { lease: name, error });
    }
  }
}

/** The version and uid of the Lease go along: what answers is the same Lease, untouched by anybody else. */
async function renew(options: ElectionOptions, lease: Stored<Lease>, lifetime: Lifetime): Promise<void> {
  const { client, clock, ttl = 15_000 } = options;
  const renewed: Lease = { metadata: lease.metadata, spec: { ...lease.spec, renewTime: toTimestamp(clock.now()) } };
  const attempt = lifetime.begin();
  try {
    await within(ttl / 3, clock, (signal) => client.update(LeaseKind, renewed, { signal }));
    attempt.succeeded();
  } catch (error) {
    attempt.failed();
    throw error;
  }
}

/** A request that is given up after `ms`. */
async function within<T>(ms: Duration, clock: Clock, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const giveUp = new AbortController();
  const timer = clock.after(ms, () => giveUp.abort(new Error(`no answer within ${formatDuration(ms)}`)));
  try {
    return await request(giveUp.signal);
  } finally {
    timer.cancel();
  }
}

/**
 * How long the Lease lives at least: `ttl` from when the last successful request was *sent*. Each attempt arms a timer of its own
 * before it is sent and, when it succeeds, puts it in place of the previous one, so only timers (monotonic) measure time.
 */
class Lifetime {
  readonly #clock: Clock;
  readonly #ttl: Duration;
  #timer: Timer | undefined;
  #ended = false;
  #onEnd: (() => void) | undefined;

  constructor(clock: Clock, ttl: Duration) {
    this.#clock = clock;
    this.#ttl = ttl;
  }

  begin(): { succeeded: () => void; failed: () => void } {
    let late = false;
    const timer = this.#clock.after(this.#ttl, () => {
      late = true;
      if (this.#timer === timer) this.end();
    });
    return {
      succeeded: () => {
        if (this.#ended) return timer.cancel();
        this.#timer?.cancel();
        this.#timer = timer;
        if (late) this.end();
      },
      failed: () => timer.cancel(),
    };
  }

  onEnd(fn: () => void): void {
    if (this.#ended) fn();
    else this.#onEnd = fn;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#onEnd?.();
  }
}
