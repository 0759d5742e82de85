import { ApiError, type Instant } from '../../base/index.ts';
import {
  LeaseNotFoundError,
  TransactionTooLargeError,
  type Compare,
  type KeyValue,
  type LeaseId,
  type Revision,
  type Store,
  type Write,
} from '../storage/store.ts';
import type { Caches } from './caches.ts';
import { conflict, forbidden } from './errors.ts';
import { objectKey, type ApiKind } from './kinds.ts';
import type { StoreLeases } from './leases.ts';
import { valueAt, type ApiObject } from './object.ts';
import { onlyRenewed, unchanged } from './strategy.ts';
import { encode, present, unstored, type Version } from './version.ts';

/** What a planned write comes to. */
export type Outcome =
  { readonly type: 'put'; readonly object: ApiObject } | { readonly type: 'delete' } | { readonly type: 'none' };

/**
 * One intended write, as a function from what is stored to what shall be. It may be asked more than once, with newer states, until
 * nothing came in between; so it must be pure. It throws ApiError when the write cannot be done.
 */
export interface Intent {
  readonly kind: ApiKind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly plan: (current: Version | undefined, now: Instant) => Outcome;
  /** Keys outside the registry that go with the object when it is deleted. */
  readonly alsoDelete?: readonly string[];
  /** Whether the namespace must exist and take new objects. */
  readonly creates: boolean;
}

/** What came of an intent. `version` is the object as it is now, or as it was when it was deleted. */
export interface Applied {
  readonly type: 'created' | 'updated' | 'unchanged' | 'deleted';
  readonly version: Version;
}

/** A leader's proof: nothing is written once the Lease of that uid is gone. */
export interface Fence {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface CommitOptions {
  readonly fence?: Fence;
  readonly dryRun?: boolean;
  /** What to do with an intent that cannot be done: refuse all of them, or leave it out. */
  readonly onError: 'refuse' | 'skip';
  /**
   * A write of a later transaction that this one relies on: it must still be possible, on the state that it was judged by. So a plan
   * that takes several transactions stops at the first one whose Evaluation (its last write) is not what it was made for.
   */
  readonly guard?: Unit;
  /** The intents come from different writers: what one expects of the version must not hold after another's change. */
  readonly strangers?: boolean;
}

export interface Committed {
  readonly revision: Revision;
  readonly results: readonly (Applied | ApiError)[];
}

/** Lost races before a write gives up. After the first, writers of one object queue up, so more are rare. */
const ATTEMPTS = 16;

/** The most writers that one transaction serves. */
const CONVOY = 256;

interface Waiting {
  readonly intent: Intent;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: unknown) => void;
}

/** A key's state as this commit knows it. */
interface State {
  readonly version: Version | undefined;
  /** Read from the store for this commit; what the cache says may be old. */
  readonly fresh: boolean;
}

/** The intents for one key; they are folded into one write. */
interface Unit {
  readonly key: string;
  readonly kind: ApiKind;
  readonly intents: { readonly at: number; readonly intent: Intent }[];
}

interface Prepared {
  readonly unit: Unit;
  readonly base: Version | undefined;
  /** The namespace that a new object relies on. */
  readonly scope?: readonly [key: string, revision: Revision];
  /** What to write; undefined when there is nothing to. */
  readonly write: { readonly object: ApiObject; readonly value: Buffer } | 'delete' | 'renew' | undefined;
  readonly results: { readonly at: number; readonly result: ApiError | { type: Applied['type']; version?: Version } }[];
}

/** Whether something may be written; fenced writes are the control plane's. Throws what is against it. */
export type Permit = (write: {
  readonly kind: ApiKind;
  readonly old: ApiObject | undefined;
  readonly next: ApiObject;
  readonly fenced: boolean;
}) => void;

/**
 * Turns intents into transactions. States come from the cache, without a round trip; the transaction compares their revisions, so a
 * stale one only costs another try, with the state that the store answered. A refusal, too, is certain before it is given.
 */
export class Committer {
  readonly #store: Store;
  readonly #caches: Caches;
  readonly #leases: StoreLeases;
  readonly #now: () => Instant;
  readonly #namespaces: ApiKind;
  readonly #leaseKind: ApiKind;
  readonly #queues = new Map<string, Promise<void>>();
  /** Intents of different writers for one key that wait for the same turn. */
  readonly #convoys = new Map<string, Waiting[]>();

  readonly #permit: Permit;

  constructor(store: Store, caches: Caches, leases: StoreLeases, now: () => Instant, permit: Permit) {
    this.#store = store;
    this.#caches = caches;
    this.#leases = leases;
    this.#now = now;
    this.#permit = permit;
    this.#namespaces = caches.kinds.need('v1', 'Namespace');
    this.#leaseKind = caches.kinds.need('coordination.k8s.io/v1', 'Lease');
  }

  /**
   * Commits one intent. Writers that meet at one object are not made to wait for one transaction each: who has the turn writes for all
   * who came meanwhile.
   */
  async commitOne(intent: Intent, options: { readonly fence?: Fence; readonly dryRun?: boolean }): Promise<Applied> {
    const [unit] = group([intent]);
    const results: (Applied | ApiError)[] = [];
    const raced = (await this.#attempt([unit!], { ...options, onError: 'refuse' }, new Map(), new Map(), results)) === 'raced';
    if (!raced && results.length > 0) return settled(results[0]);
    if (intent.creates || options.fence !== undefined || options.dryRun) {
      return settled((await this.commit([intent], { ...options, onError: 'refuse' })).results[0]);
    }
    return await new Promise((resolve, reject) => {
      const waiting = { intent, resolve, reject };
      const convoy = this.#convoys.get(unit!.key);
      if (convoy !== undefined) convoy.push(waiting);
      else {
        this.#convoys.set(unit!.key, [waiting]);
        void this.#drive(unit!.key);
      }
    });
  }

  /** Waits for the turn of a key, then writes for all who wait for it. */
  async #drive(key: string): Promise<void> {
    const release = await this.#queue([key]);
    const convoy = this.#convoys.get(key)!.splice(0, CONVOY);
    try {
      const units = group(convoy.map(({ intent }) => intent));
      const results: (Applied | ApiError)[] = [];
      await this.#commitChunk(units, { onError: 'skip', strangers: true }, results, true);
      convoy.forEach(({ resolve, reject }, i) => {
        const result = results[i]!;
        if (result instanceof ApiError) reject(result);
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of convoy) reject(error);
    } finally {
      release();
      if (this.#convoys.get(key)!.length === 0) this.#convoys.delete(key);
      else void this.#drive(key);
    }
  }

  async commit(intents: readonly Intent[], options: CommitOptions): Promise<Committed> {
    const units = group(intents);
    const results: (Applied | ApiError)[] = new Array<Applied | ApiError>(intents.length);
    let revision: Revision = 0;
    const chunks = this.#chunks(units);
    if (chunks.length > 1 && options.onError === 'refuse') {
      // All must be possible before the first chunk is written.
      for (const chunk of chunks) await this.#commitChunk(chunk, { ...options, dryRun: true }, undefined);
    }
    const guard = options.onError === 'refuse' ? units.at(-1) : undefined;
    for (const chunk of chunks) {
      const guarded = guard !== undefined && chunk !== chunks.at(-1) ? { ...options, guard } : options;
      revision = Math.max(revision, await this.#commitChunk(chunk, guarded, results));
    }
    return { revision: revision > 0 ? revision : await this.#store.revision(), results };
  }

  /** Splits units by what one transaction may hold. Sizes are unknown before planning, so chunks that turn out too large are split. */
  #chunks(units: readonly Unit[]): Unit[][] {
    // Namespaces and the fence are compared as well.
    const size = Math.max(1, this.#store.limits.operations - 8);
    const chunks: Unit[][] = [];
    for (let at = 0; at < units.length; at += size) chunks.push(units.slice(at, at + size));
    return chunks;
  }

  async #commitChunk(
    units: readonly Unit[],
    options: CommitOptions,
    results: (Applied | ApiError)[] | undefined,
    hasTurn = false,
  ): Promise<Revision> {
    const states = new Map<string, State>();
    const plans = new Map<Unit, Prepared>();
    let release: (() => void) | undefined;
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        // Who lost a race waits for the other writers of these keys, instead of losing again.
        if (attempt === 1 && !hasTurn) {
          release = await this.#queue(units.map((unit) => unit.key));
          states.clear();
        }
        const outcome = await this.#attempt(units, options, states, plans, results);
        if (outcome === 'too large') {
          if (units.length === 1) throw new ApiError('RequestEntityTooLarge', 'the object is too large for the store');
          const middle = Math.ceil(units.length / 2);
          release?.();
          release = undefined;
          const guard = options.guard ?? (options.onError === 'refuse' ? units.at(-1) : undefined);
          const first = await this.#commitChunk(units.slice(0, middle), { ...options, ...(guard && { guard }) }, results);
          return Math.max(first, await this.#commitChunk(units.slice(middle), options, results));
        }
        if (outcome !== 'raced') return outcome;
      }
    } finally {
      release?.();
    }
    const { kind, intents } = units[0]!;
    // No Conflict: what was asked for is not refused, and asking the same again is right.
    throw new ApiError(
      'TooManyRequests',
      `Operation cannot be fulfilled on ${kind.resource} ${JSON.stringify(intents[0]!.intent.name)}: too many others write it at the same time; please try again`,
      { retryAfterSeconds: 1 },
    );
  }

  async #attempt(
    units: readonly Unit[],
    { fence, dryRun = false, onError, guard, strangers = false }: CommitOptions,
    states: Map<string, State>,
    plans: Map<Unit, Prepared>,
    results: (Applied | ApiError)[] | undefined,
  ): Promise<Revision | 'raced' | 'too large'> {
    const compares = new Map<string, Revision>();
    const prepared: Prepared[] = [];
    if (fence !== undefined) compares.set(...(await this.#checkFence(fence, states)));
    for (const [i, unit] of units.entries()) {
      // A large batch must not hold up everybody else.
      if (i > 0 && i % 250 === 0) await new Promise(setImmediate);
      const item = await this.#prepare(unit, states, plans.get(unit), onError, strangers, fence !== undefined);
      plans.set(unit, item);
      prepared.push(item);
      if (item.scope !== undefined) compares.set(...item.scope);
    }
    if (guard !== undefined && !dryRun) {
      const { base } = await this.#prepare(guard, states, undefined, 'refuse', strangers, fence !== undefined);
      compares.set(guard.key, base?.revision ?? 0);
    }
    const writing = prepared.filter(({ write }) => write !== undefined && write !== 'renew');
    if (dryRun) {
      if (results !== undefined) for (const item of prepared) this.#report(item, undefined, results);
      return 0;
    }

    const granted: LeaseId[] = [];
    const done = async (): Promise<void> => {
      await Promise.all(granted.map((lease) => this.#store.revokeLease(lease).catch(ignore)));
    };
    try {
      for (const { write, base } of prepared) if (write === 'renew') await this.#store.keepAlive(base!.lease!);
      const writes: Write[] = [];
      for (const { unit, base, write } of writing) {
        compares.set(unit.key, base?.revision ?? 0);
        if (write === 'delete') {
          writes.push({ type: 'delete', key: unit.key });
          for (const { intent } of unit.intents) for (const key of intent.alsoDelete ?? []) writes.push({ type: 'delete', key });
        } else if (write !== undefined && write !== 'renew') {
          const { lease, fresh } = await this.#leases.bind(unit.kind, write.object, base);
          if (fresh) granted.push(lease!);
          this.#caches.of(unit.kind).willWrite(write.value, own(write.object));
          writes.push({ type: 'put', key: unit.key, value: write.value, ...(lease !== undefined && { lease }) });
        }
      }
      let revision: Revision = 0;
      if (writes.length > 0) {
        const list: Compare[] = [...compares].map(([key, modRevision]) => ({ key, modRevision }));
        const result = await this.#store.txn(list, writes);
        if (!result.succeeded) {
          await done();
          const kindOf = new Map(units.map(({ key, kind }) => [key, kind]));
          list.forEach(({ key }, i) => this.#learn(states, key, kindOf.get(key), result.current[i]));
          return 'raced';
        }
        revision = result.revision;
        granted.length = 0;
      }
      const puts = new Map(writes.map((write) => [write.key, write]));
      for (const item of prepared) {
        const put = puts.get(item.unit.key);
        const lease = put?.type === 'put' ? put.lease : undefined;
        const version = this.#stored(item, revision, lease);
        if (results !== undefined) this.#report(item, version, results);
        if (item.write === undefined || item.write === 'renew') continue;
        this.#caches.of(item.unit.kind).wrote(item.unit.key, revision, version);
        // The object's own lease has nothing left to keep.
        const old = item.base?.lease;
        if (old !== undefined && old !== lease && this.#leases.owns(item.unit.kind))
          await this.#store.revokeLease(old).catch(ignore);
        else if (old !== undefined && lease === old && this.#leases.owns(item.unit.kind))
          await this.#store.keepAlive(old).catch(ignore);
      }
      return revision;
    } catch (error) {
      await done();
      if (error instanceof TransactionTooLargeError) return 'too large';
      if (!(error instanceof LeaseNotFoundError)) throw error;
      // It expired in the meantime, and its objects with it.
      this.#leases.forget();
      await Promise.all(prepared.map(({ unit }) => this.#load(states, unit.key, unit.kind)));
      return 'raced';
    }
  }

  #stored({ unit, write }: Prepared, revision: Revision, lease: LeaseId | undefined): Version | undefined {
    if (write === undefined || write === 'delete' || write === 'renew') return undefined;
    // The watch may have brought it already.
    const known = this.#caches.of(unit.kind).get(unit.key);
    if (known?.revision === revision) return known;
    return present(unit.kind, unit.key, revision, own(write.object), write.value, lease);
  }

  #report({ unit, base, write, results: own }: Prepared, version: Version | undefined, results: (Applied | ApiError)[]): void {
    for (const { at, result } of own) {
      if (result instanceof ApiError) results[at] = result;
      else if (result.type === 'deleted') results[at] = { type: 'deleted', version: result.version ?? base! };
      else if (version !== undefined) results[at] = { type: result.type, version };
      else if (typeof write === 'object') results[at] = { type: result.type, version: preview(unit.key, write.object, base) };
      else results[at] = { type: 'unchanged', version: base! };
    }
  }

  /** Folds the intents of a key over its state. Nothing but a fresh state may be the reason of a refusal, or for writing nothing. */
  async #prepare(
    unit: Unit,
    states: Map<string, State>,
    before: Prepared | undefined,
    onError: CommitOptions['onError'],
    strangers: boolean,
    fenced: boolean,
  ): Promise<Prepared> {
    for (;;) {
      const state = this.#state(states, unit.key, unit.kind);
      const creates = unit.intents.find(({ intent }) => intent.creates)?.intent;
      const namespace = creates?.namespace === undefined ? undefined : objectKey(this.#namespaces, undefined, creates.namespace);
      const scope = namespace === undefined ? undefined : this.#state(states, namespace, this.#namespaces);
      // After a lost race, what the race was not about stays as planned.
      const same = before?.base === state.version && before?.scope?.[1] === scope?.version?.revision;
      if (before !== undefined && same && typeof before.write === 'object') return before;
      const results: { at: number; result: ApiError | { type: Applied['type']; version?: Version } }[] = [];
      let current = state.version;
      /** What the last intent makes of it: nobody needs it as a version. */
      let made: ApiObject | undefined;
      let failed: ApiError | undefined;
      for (const [i, { at, intent }] of unit.intents.entries()) {
        try {
          if (intent.creates) {
            checkNamespace(this.#namespaces, intent.namespace, scope?.version, fenced);
            // A watcher would see one object change into another.
            if (state.version !== undefined && current === undefined) throw conflict(unit.kind, intent.name, 'it is deleted in the same transaction'); // prettier-ignore
          }
          const outcome = intent.plan(current, this.#now());
          if (outcome.type === 'none') results.push({ at, result: { type: 'unchanged' } });
          else if (outcome.type === 'delete') {
            results.push({ at, result: { type: 'deleted', version: current! } });
            current = undefined;
          } else {
            this.#permit({ kind: unit.kind, old: current?.object, next: outcome.object, fenced });
            results.push({ at, result: { type: current === undefined ? 'created' : 'updated' } });
            if (i === unit.intents.length - 1) {
              made = outcome.object;
              continue;
            }
            const { revision } = state.version ?? { revision: 0 };
            const resourceVersion = strangers ? `${revision}+` : String(revision);
            current = unstored(unit.key, withVersion(outcome.object, resourceVersion), revision);
          }
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          failed ??= error;
          results.push({ at, result: error });
        }
      }
      const base = state.version;
      const next = made !== undefined ? strip(made) : current === undefined ? undefined : strip(current.object);
      const untouched = made === undefined && current === base;
      const idle = base === undefined ? next === undefined : next !== undefined && (untouched || unchanged(next, base.object));
      const renew = base?.lease !== undefined && next !== undefined && !idle && onlyRenewed(unit.kind, next, base.object);
      if ((failed !== undefined || (idle && !renew)) && !(state.fresh && (scope?.fresh ?? true))) {
        await Promise.all([
          this.#load(states, unit.key, unit.kind),
          namespace === undefined ? undefined : this.#load(states, namespace),
        ]);
        continue;
      }
      if (failed !== undefined && onError === 'refuse') throw failed;
      const write = renew
        ? 'renew'
        : idle
          ? undefined
          : next === undefined
            ? 'delete'
            : { object: next, value: encode(unit.kind, next) };
      const compared =
        namespace === undefined || scope?.version === undefined ? {} : { scope: [namespace, scope.version.revision] as const };
      return { unit, base, write, results, ...compared };
    }
  }

  async #checkFence(fence: Fence, states: Map<string, State>): Promise<[string, Revision]> {
    const key = objectKey(this.#leaseKind, fence.namespace, fence.name);
    for (;;) {
      const { version, fresh } = this.#state(states, key, this.#leaseKind);
      if (version?.object.metadata.uid === fence.uid) return [key, version.revision];
      if (fresh) {
        const who = valueAt(version?.object, ['spec', 'holderIdentity']);
        const now = version === undefined ? 'it is gone' : `it is held by ${JSON.stringify(who ?? 'another')} now`;
        throw new ApiError('Conflict', `fence: the lease ${fence.namespace}/${fence.name} of this leader has ended; ${now}`, {
          name: fence.name,
          group: this.#leaseKind.group,
          kind: this.#leaseKind.plural,
        });
      }
      await this.#load(states, key);
    }
  }

  #state(states: Map<string, State>, key: string, kind: ApiKind): State {
    let state = states.get(key);
    if (state === undefined) states.set(key, (state = { version: this.#caches.of(kind).latest(key), fresh: false }));
    return state;
  }

  async #load(states: Map<string, State>, key: string, kind?: ApiKind): Promise<State> {
    const { items } = await this.#store.range({ start: key });
    return this.#learn(states, key, kind, items[0]);
  }

  #learn(states: Map<string, State>, key: string, as: ApiKind | undefined, kv: KeyValue | undefined): State {
    const kind = as ?? this.#caches.kindOf(key);
    const state: State = { version: kv === undefined ? undefined : this.#caches.of(kind).versionOf(kv), fresh: true };
    states.set(key, state);
    return state;
  }

  /** Waits for a turn on all keys; they are taken in order, so two commits never wait for each other. */
  async #queue(keys: readonly string[]): Promise<() => void> {
    const releases: (() => void)[] = [];
    for (const key of [...keys].sort()) {
      const before = this.#queues.get(key);
      let open!: () => void;
      const turn = new Promise<void>((resolve) => (open = resolve));
      const mine = (before ?? Promise.resolve()).then(() => turn);
      this.#queues.set(key, mine);
      releases.push(() => {
        if (this.#queues.get(key) === mine) this.#queues.delete(key);
        open();
      });
      await before;
    }
    return () => releases.forEach((release) => release());
  }
}

const ignore = (): void => undefined;

function group(intents: readonly Intent[]): Unit[] {
  const units = new Map<string, Unit>();
  intents.forEach((intent, at) => {
    const key = objectKey(intent.kind, intent.namespace, intent.name);
    let unit = units.get(key);
    if (unit === undefined) units.set(key, (unit = { key, kind: intent.kind, intents: [] }));
    unit.intents.push({ at, intent });
  });
  return [...units.values()];
}

/** The control plane (whose writes are fenced) may create in a namespace that is being deleted until it is empty: jobs end by evaluations. */
function checkNamespace(kind: ApiKind, name: string | undefined, namespace: Version | undefined, fenced: boolean): void {
  if (name === undefined) return;
  if (namespace === undefined) {
    throw new ApiError('NotFound', `namespaces ${JSON.stringify(name)} not found`, {
      name,
      group: kind.group,
      kind: kind.plural,
    });
  }
  const closed = valueAt(namespace.object, ['status', 'closed']) === true;
  if (namespace.object.metadata.deletionTimestamp !== undefined && (closed || !fenced)) {
    const why = `unable to create new content in namespace ${name} because it is being terminated`;
    throw forbidden(kind, name, why, [{ reason: 'NamespaceTerminating', message: `namespace ${name} is being terminated`, field: 'metadata.namespace' }]); // prettier-ignore
  }
}

/** The one result, or the refusal thrown. */
function settled(result: Applied | ApiError | undefined): Applied {
  if (result === undefined) throw new Error('a commit without a result');
  if (result instanceof ApiError) throw result;
  return result;
}

const withVersion = (object: ApiObject, resourceVersion: string): ApiObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
});

/** The object as it would be stored: the resourceVersion is the store's. */
function strip(object: ApiObject): ApiObject {
  if (!('resourceVersion' in object.metadata)) return object;
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** A copy that may be completed: its metadata and status are its own. */
function own(object: ApiObject): ApiObject {
  const status = object['status'];
  return {
    ...object,
    metadata: { ...object.metadata },
    ...(typeof status === 'object' && status !== null && { status: { ...status } }),
  };
}

/** The answer to a dry run. */
function preview(key: string, object: ApiObject, base: Version | undefined): Version {
  const metadata = { ...(base !== undefined && { resourceVersion: String(base.revision) }), ...object.metadata };
  const status = object['status'];
  const before = valueAt(base?.object, ['status', 'modifyIndex']);
  // The revision of a write that is not made does not exist; the last one that does is nearest to the truth.
  const settled = valueAt(status, ['modifyIndex']) === 0 && before !== undefined ? { status: { ...(status as object), modifyIndex: before } } : {}; // prettier-ignore
  return unstored(key, { ...object, metadata, ...settled }, base?.revision ?? 0);
}
