import { randomBytes } from 'node:crypto';
import { ApiError, type Clock, type Instant } from '../../base/index.ts';
import { NAMESPACE_FINALIZER } from '../admission/index.ts';
import type { AdmissionChain } from '../admission/chain.ts';
import { registrationPermit } from './registration.ts';
import { admissionOf } from '../admission/chain.ts';
import { CompactedError, FutureRevisionError, prefixRange, type Revision, type Store } from '../storage/store.ts';
import { planBatch, type BatchMode, type BatchResult } from './batch.ts';
import type { Caches } from './caches.ts';
import { Committer, type Applied, type Fence, type Intent, type Outcome } from './commit.ts';
import { alreadyExists, badRequest, closedKind, expired, forbidden, notFound } from './errors.ts';
import { objectKey, type ApiKind, type KindRegistry } from './kinds.ts';
import { StoreLeases } from './leases.ts';
import { isObject, valueAt, type ApiObject } from './object.ts';
import { applyTo, applyToNothing, readApply, withOwners, type ApplyRequest, type Manager } from './ownership.ts';
import { jsonPatch, mergePatch, readJsonPatch } from './patch.ts';
import { fits, select, takesAll, type Selection } from './selectors.ts';
import { lowerBound } from './objects.ts';
import { scaleOf, withScale } from './scale.ts';
import {
  checkPreconditions,
  intake,
  judgeUnknown,
  mayGo,
  prepareCreate,
  prepareDeletion,
  prepareStatus,
  prepareUpdate,
  unknownFields,
  type FieldValidation,
} from './strategy.ts';
import { decode, type Version } from './version.ts';

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldValidation?: FieldValidation;
  readonly fence?: Fence;
  /** Problems of the body that its reader found, such as repeated keys; judged like unknown fields. */
  readonly problems?: readonly string[];
  /** Who writes, for `metadata.managedFields`. */
  readonly manager?: Manager;
}

export interface ApplyOptions extends WriteOptions {
  readonly manager: Manager;
  /** Take over fields that others own, where they differ. */
  readonly force: boolean;
}

export interface Written {
  readonly type: Applied['type'];
  readonly version: Version;
  readonly warnings: readonly string[];
}

export type Patch = { readonly type: 'merge'; readonly patch: unknown } | { readonly type: 'json'; readonly patch: unknown };

export interface DeleteOptions {
  readonly dryRun?: boolean;
  readonly fence?: Fence;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  /** What becomes of the objects that it owns. Background, when absent: they are deleted after it. */
  readonly propagation?: Propagation;
}

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

/** Finalizers that the garbage collector takes off once it has deleted the dependents, or made them independent. */
const PROPAGATION_FINALIZERS: Readonly<Record<Propagation, readonly string[]>> = {
  Background: [],
  Foreground: ['foregroundDeletion'],
  Orphan: ['orphan'],
};

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
}

export interface ListResult {
  readonly revision: Revision;
  readonly versions: readonly Version[];
  readonly continue?: string;
  readonly remaining?: number;
}

export interface RegistryOptions {
  readonly store: Store;
  readonly caches: Caches;
  readonly admission: AdmissionChain;
  readonly clock: Clock;
}

/** Namespaces that the system needs. */
const PROTECTED_NAMESPACES = ['default', 'orch-system', 'orch-node-lease'];

/** Where a node's own address and token lie: outside the registry, so that no list, watch or get can show them. */
export const endpointKey = (node: string): string => `/endpoints/nodes/${node}`;

/** What the verbs of the API mean. All kinds take the same path; what differs is in their schema and their admission. */
export class Registry {
  readonly kinds: KindRegistry;
  readonly caches: Caches;
  readonly store: Store;
  readonly admission: AdmissionChain;
  /** Resolves when the kinds are served as they were defined at a revision, so that who defines a kind can use it at once. */
  definitionsServed: ((revision: Revision) => Promise<void>) | undefined;
  readonly #committer: Committer;
  readonly #definitionKind: ApiKind;

  constructor({ store, caches, admission, clock }: RegistryOptions) {
    this.store = store;
    this.caches = caches;
    this.kinds = caches.kinds;
    this.admission = admission;
    this.#definitionKind = this.kinds.need('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
    this.#committer = new Committer(store, caches, new StoreLeases(store, clock), () => clock.now(), registrationPermit(caches));
  }

  /** The object as it is now (linearizable): one read of the store, and the bytes from the cache. */
  async get(kind: ApiKind, namespace: string | undefined, name: string, resourceVersion?: string): Promise<Version> {
    const key = objectKey(kind, namespace, name);
    const cache = this.caches.of(kind);
    if (resourceVersion !== undefined && resourceVersion !== '') {
      const revision = readRevision(resourceVersion);
      await cache.waitFor(revision);
      const version = cache.get(key);
      if (version !== undefined) return version;
      if (revision > 0) throw notFound(kind, name);
    }
    const { items } = await this.store.range({ start: key });
    if (items[0] === undefined) throw notFound(kind, name);
    return cache.versionOf(items[0]);
  }

  async create(kind: ApiKind, namespace: string | undefined, body: unknown, options: WriteOptions = {}): Promise<Written> {
    const taken = intake(kind, body);
    const warnings = judgeUnknown(
      kind,
      [...unknownFields(taken.unknown), ...(options.problems ?? [])],
      options.fieldValidation ?? 'Warn',
    );
    const { name, generateName } = taken.metadata;
    const generated = name === undefined || name === '';
    if (generated && (generateName === undefined || generateName === '')) {
      throw new ApiError(
        'Invalid',
        `${kind.kind} "" is invalid: metadata.name: Required value: name or generateName is required`,
        {
          group: kind.group,
          kind: kind.kind,
          causes: [
            { reason: 'FieldValueRequired', message: 'Required value: name or generateName is required', field: 'metadata.name' },
          ],
        },
      );
    }
    for (let attempt = 1; ; attempt++) {
      const intent = this.createIntent(
        kind,
        namespace,
        generated ? generateName! + randomSuffix() : name,
        taken,
        false,
        options.manager,
      );
      try {
        const applied = await this.#one(intent, options);
        return { ...applied, warnings: [...warnings, ...this.#cautions(kind, applied.version)] };
      } catch (error) {
        if (!generated || attempt === 8 || !(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error;
      }
    }
  }

  createIntent(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    taken: ReturnType<typeof intake>,
    keepStatus: boolean,
    manager?: Manager,
  ): Intent {
    return {
      kind,
      namespace,
      name,
      creates: true,
      plan: (current, now) => {
        if (current !== undefined) throw alreadyExists(kind, name);
        if (this.kinds.isClosed(kind)) throw closedKind(kind);
        const causes = [...taken.causes];
        const made = prepareCreate(kind, { ...taken, causes }, { chain: this.admission, namespace, name, now, keepStatus });
        const object = withOwners({ kind, old: undefined, next: made, said: taken, manager, now });
        return { type: 'put', object: this.#begun(kind, object) };
      },
    };
  }

  async update(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    body: unknown,
    { subresource, ...options }: WriteOptions & { subresource?: 'status' } = {},
  ): Promise<Written> {
    const taken = intake(kind, body);
    const warnings = judgeUnknown(
      kind,
      [...unknownFields(taken.unknown), ...(options.problems ?? [])],
      options.fieldValidation ?? 'Warn',
    );
    const applied = await this.#one(
      this.#changeIntent(kind, namespace, name, ({ object: old }, now) => {
        const next =
          subresource === 'status'
            ? prepareStatus(kind, taken, old)
            : prepareUpdate(kind, { ...taken, causes: [...taken.causes] }, old, this.admission, now);
        return withOwners({ kind, old, next, said: taken, manager: managerOf(options, subresource), now });
      }),
      options,
    );
    return { ...applied, warnings: [...warnings, ...(subresource === undefined ? this.#cautions(kind, applied.version) : [])] };
  }

  async patch(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    { subresource, ...options }: WriteOptions & { subresource?: 'status' } = {},
  ): Promise<Written> {
    const found: { warnings: readonly string[] } = { warnings: [] };
    const applied = await this.#one(this.patchIntent(kind, namespace, name, patch, subresource, options, found), options);
    const cautions = subresource === undefined ? this.#cautions(kind, applied.version) : [];
    return { ...applied, warnings: [...found.warnings, ...cautions] };
  }

  patchIntent(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    subresource: 'status' | undefined,
    options: WriteOptions,
    found: { warnings: readonly string[] },
  ): Intent {
    const apply = patchFunction(patch);
    // Of a merge patch of the status nothing else counts, and a large object need not be gone through for it.
    const part = subresource === 'status' && patch.type === 'merge' && !kind.custom ? statusPart : whole;
    return this.#changeIntent(kind, namespace, name, ({ object: old }, now) => {
      const taken = intake(kind, apply(part(old)));
      const problems = [...unknownFields(taken.unknown), ...(options.problems ?? [])];
      found.warnings = judgeUnknown(kind, problems, options.fieldValidation ?? 'Warn');
      const next =
        subresource === 'status' ? prepareStatus(kind, taken, old) : prepareUpdate(kind, taken, old, this.admission, now);
      return withOwners({ kind, old, next, said: taken, manager: managerOf(options, subresource), now });
    });
  }

  /** Server-side apply: makes the object be as its manager says, where it says something; creates it when there is none. */
  async apply(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    value: unknown,
    { subresource, ...options }: ApplyOptions & { subresource?: 'status' },
  ): Promise<Written> {
    const { body, taken } = readApply(kind, value);
    if (taken.metadata.name !== undefined && taken.metadata.name !== name) {
      throw badRequest(`the name of the object (${taken.metadata.name}) does not match the name on the URL (${name})`);
    }
    const problems = [...unknownFields(taken.unknown), ...(options.problems ?? [])];
    const warnings = judgeUnknown(kind, problems, options.fieldValidation ?? 'Warn');
    const manager = { ...options.manager, ...(subresource && { subresource }) };
    const request: ApplyRequest = { kind, namespace, name, body, taken, manager, force: options.force, chain: this.admission };
    const change = this.#changeIntent(kind, namespace, name, ({ object }, now) => applyTo(request, object, now));
    const create: Intent = {
      kind,
      namespace,
      name,
      creates: true,
      plan: (current, now) => {
        if (current !== undefined) throw alreadyExists(kind, name);
        if (this.kinds.isClosed(kind)) throw closedKind(kind);
        return { type: 'put', object: this.#begun(kind, applyToNothing(request, now)) };
      },
    };
    let creating = subresource === undefined && this.caches.of(kind).latest(objectKey(kind, namespace, name)) === undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const applied = await this.#one(creating ? create : change, options);
        return {
          ...applied,
          warnings: [...warnings, ...(subresource === undefined ? this.#cautions(kind, applied.version) : [])],
        };
      } catch (error) {
        // It came or went since it was looked at.
        const other = creating ? 'AlreadyExists' : 'NotFound';
        if (attempt === 8 || subresource !== undefined || !(error instanceof ApiError && error.reason === other)) throw error;
        creating = !creating;
      }
    }
  }

  /** Changes the number that an object is scaled by: `change` is a patch of its Scale, or a whole one. */
  async scale(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    change: Patch | { readonly type: 'replace'; readonly scale: unknown },
    options: WriteOptions = {},
  ): Promise<Written> {
    const apply = change.type === 'replace' ? () => change.scale : patchFunction(change);
    const intent = this.#changeIntent(kind, namespace, name, ({ object: old }, now) => {
      const taken = intake(kind, withScale(kind, old, apply(scaleOf(kind, old))));
      const next = prepareUpdate(kind, taken, old, this.admission, now);
      return withOwners({ kind, old, next, said: taken, manager: managerOf(options, 'scale'), now });
    });
    return { ...(await this.#one(intent, options)), warnings: [] };
  }

  /** Deletes the object, or marks it as to be deleted while finalizers are left. */
  async delete(kind: ApiKind, namespace: string | undefined, name: string, options: DeleteOptions = {}): Promise<Applied> {
    if (kind === this.#namespaceKind) return await this.#deleteNamespace(name, options);
    return await this.#one(this.deleteIntent(kind, namespace, name, options), options);
  }

  deleteIntent(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    { preconditions = {}, propagation = 'Background' }: DeleteOptions,
  ): Intent {
    if (propagation === 'Orphan' && kind.resource === 'jobs.orch.dev') {
      throw badRequest('a job is not deleted without what it runs (propagationPolicy Orphan): nothing could stop its allocations any more'); // prettier-ignore
    }
    return {
      kind,
      namespace,
      name,
      creates: false,
      ...(kind.resource === 'nodes.orch.dev' && { alsoDelete: [endpointKey(name)] }),
      plan: (current, now): Outcome => {
        if (current === undefined) throw notFound(kind, name);
        checkPreconditions(kind, preconditions, current.object);
        const { metadata } = current.object;
        const kept = admissionOf(this.admission, kind).keepsOnDelete?.(current.object) ?? [];
        const finalizers = [...new Set([...(metadata.finalizers ?? []), ...kept, ...PROPAGATION_FINALIZERS[propagation]])];
        if (finalizers.length === 0) return { type: 'delete' };
        if (metadata.deletionTimestamp !== undefined) return { type: 'none' };
        return { type: 'put', object: prepareDeletion(current.object, finalizers, now) };
      },
    };
  }

  async deleteCollection(kind: ApiKind, list: ListOptions, options: DeleteOptions): Promise<ListResult> {
    const found = await this.list(kind, list);
    for (const { namespace, name, object } of found.versions) {
      try {
        await this.delete(kind, namespace, name, { ...options, preconditions: { uid: object.metadata.uid } });
      } catch (error) {
        // Gone, or already another one: the collection that was seen is deleted either way.
        if (
          !(error instanceof ApiError && ['NotFound', 'Conflict'].includes(error.reason)) ||
          options.preconditions !== undefined
        )
          throw error;
      }
    }
    return found;
  }

  batch(operations: unknown, mode: BatchMode, options: WriteOptions): Promise<BatchResult> {
    return planBatch(this, this.#committer, operations, mode, options);
  }

  /** The objects of a kind at one revision. Without a version it is linearizable. */
  async list(kind: ApiKind, options: ListOptions): Promise<ListResult> {
    const { namespace, limit = 0, resourceVersion = '', resourceVersionMatch } = options;
    const selection = select(kind, namespace, options.labelSelector, options.fieldSelector);
    const cache = this.caches.of(kind);
    checkMatch(options);
    if (options.continue !== undefined && options.continue !== '') {
      const { revision, after } = readToken(options.continue, kind);
      // The rest of the list at the same revision: from memory when nothing changed since.
      if (revision >= cache.lastChange && revision <= cache.revision) {
        return page(kind, cache.among(selection), revision, selection, limit, after);
      }
      return await this.#past(kind, revision, selection, limit, after);
    }
    if (resourceVersion !== '' && resourceVersion !== '0') {
      const revision = readRevision(resourceVersion);
      await cache.waitFor(revision);
      if (resourceVersionMatch === 'Exact' || (resourceVersionMatch === undefined && limit > 0)) {
        if (revision < cache.lastChange) return await this.#past(kind, revision, selection, limit, undefined);
        return page(kind, cache.among(selection), revision, selection, limit, undefined);
      }
    } else await cache.waitFor(resourceVersion === '0' ? 0 : await this.caches.revision());
    return page(kind, cache.among(selection), cache.revision, selection, limit, undefined);
  }

  /** A page of the past, from the store. */
  async #past(
    kind: ApiKind,
    revision: Revision,
    selection: Selection,
    limit: number,
    after: string | undefined,
  ): Promise<ListResult> {
    const { start, end } = scope(kind, selection.namespace);
    const versions: Version[] = [];
    let from = after === undefined ? start : behind(after);
    const step = limit === 0 ? 1_000 : Math.max(limit, takesAll(selection) ? 0 : 500);
    try {
      for (;;) {
        const range = { start: from, ...(end !== undefined && { end }) };
        const { items, count } = await this.store.range(range, { limit: step, revision });
        for (const [i, item] of items.entries()) {
          const version = decode(kind, item);
          if (!takesAll(selection) && !fits(selection, version.object)) continue;
          if (limit > 0 && versions.length === limit) return withToken(revision, versions, undefined);
          versions.push(version);
          if (limit > 0 && versions.length === limit && takesAll(selection)) {
            const left = count - i - 1;
            return left === 0 ? { revision, versions } : withToken(revision, versions, left);
          }
        }
        if (items.length < step) return { revision, versions };
        from = behind(items.at(-1)!.key);
      }
    } catch (error) {
      if (error instanceof CompactedError) {
        throw expired('The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.'); // prettier-ignore
      }
      if (error instanceof FutureRevisionError) throw badRequest('the continue parameter or resourceVersion is of another store');
      throw error;
    }
  }

  /** A deleted namespace takes nothing new; `Namespaces` empties and then removes it. */
  async #deleteNamespace(name: string, options: DeleteOptions): Promise<Applied> {
    const kind = this.#namespaceKind;
    if (PROTECTED_NAMESPACES.includes(name)) throw forbidden(kind, name, 'this namespace may not be deleted');
    return await this.#one(
      {
        kind,
        namespace: undefined,
        name,
        creates: false,
        plan: (current, now) => {
          if (current === undefined) throw notFound(kind, name);
          checkPreconditions(kind, options.preconditions ?? {}, current.object);
          if (current.object.metadata.deletionTimestamp !== undefined) return { type: 'none' };
          const finalizers = [...(current.object.metadata.finalizers ?? []), NAMESPACE_FINALIZER];
          const going = prepareDeletion(current.object, finalizers, now);
          return { type: 'put', object: withStatus(going, { phase: 'Terminating' }) };
        },
      },
      options,
    );
  }

  /** Closes a namespace that is being deleted to the control plane, too, or opens it again. */
  async setNamespaceClosed(name: string, uid: string, closed: boolean): Promise<void> {
    const kind = this.#namespaceKind;
    const intent = this.#changeIntent(kind, undefined, name, ({ object }) => {
      checkPreconditions(kind, { uid }, object);
      return withStatus({ ...object, metadata: withoutVersion(object.metadata) }, { closed });
    });
    await this.#one(intent, {});
  }

  /** Removes a namespace that is closed, whose content is gone; false while others hold it up. */
  async removeNamespace(name: string, uid: string): Promise<boolean> {
    const kind = this.#namespaceKind;
    const applied = await this.#one(
      {
        kind,
        namespace: undefined,
        name,
        creates: false,
        plan: (current) => {
          if (current?.object.metadata.uid !== uid || valueAt(current.object, ['status', 'closed']) !== true)
            throw notFound(kind, name);
          const others = (current.object.metadata.finalizers ?? []).some((finalizer) => finalizer !== NAMESPACE_FINALIZER);
          return others ? { type: 'none' } : { type: 'delete' };
        },
      },
      {},
    );
    return applied.type === 'deleted';
  }

  /** A change of an object that must exist. When nobody holds its deletion up any more, the change is its end. */
  #changeIntent(
    kind: ApiKind,
    namespace: string | undefined,
    name: string,
    change: (current: Version, now: Instant) => ReturnType<typeof prepareUpdate>,
  ): Intent {
    return {
      kind,
      namespace,
      name,
      creates: false,
      ...(kind.resource === 'nodes.orch.dev' && { alsoDelete: [endpointKey(name)] }),
      plan: (current, now) => {
        if (current === undefined) throw notFound(kind, name);
        const object = change(current, now);
        return mayGo(object) ? { type: 'delete' } : { type: 'put', object };
      },
    };
  }

  /** A new object as it begins its life. */
  #begun(kind: ApiKind, object: ApiObject): ApiObject {
    return kind === this.#namespaceKind ? { ...object, status: { phase: 'Active' } } : object;
  }

  async #one(intent: Intent, { dryRun, fence }: { dryRun?: boolean; fence?: Fence }): Promise<Applied> {
    const applied = await this.#committer.commitOne(intent, { ...(dryRun && { dryRun }), ...(fence && { fence }) });
    if (intent.kind === this.#definitionKind && !dryRun) await this.definitionsServed?.(applied.version.revision);
    return applied;
  }

  #cautions(kind: ApiKind, { object }: Version): string[] {
    return admissionOf(this.admission, kind).warnings?.({ object }) ?? [];
  }

  get #namespaceKind(): ApiKind {
    return this.kinds.need('v1', 'Namespace');
  }
}

const managerOf = ({ manager }: WriteOptions, subresource: Manager['subresource']): Manager | undefined =>
  manager === undefined || subresource === undefined ? manager : { ...manager, subresource };

const whole = (object: ApiObject): object => object;
const statusPart = ({ metadata, status }: ApiObject): object => ({ metadata, ...(status !== undefined && { status }) });

/** The function that a patch is. */
export function patchFunction(patch: Patch): (target: unknown) => unknown {
  if (patch.type === 'merge') {
    if (!isObject(patch.patch)) throw badRequest('a merge patch is a JSON object');
    const { patch: body } = patch;
    return (target) => mergePatch(target, body);
  }
  const operations = readJsonPatch(patch.patch);
  return (target) => jsonPatch(target, operations);
}

function withStatus(object: ApiObject, status: object): ApiObject {
  return { ...object, status: { ...(isObject(object['status']) && object['status']), ...status } };
}

function withoutVersion<M extends { resourceVersion?: string }>({
  resourceVersion: _,
  ...metadata
}: M): Omit<M, 'resourceVersion'> {
  return metadata;
}

/** A revision from a resourceVersion that a client sent. */
export function readRevision(text: string): Revision {
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`invalid resourceVersion ${JSON.stringify(text)}: it must be a number that the server gave`);
  return Number(text);
}

function checkMatch({ resourceVersion = '', resourceVersionMatch, continue: token = '' }: ListOptions): void {
  if (resourceVersionMatch === undefined || resourceVersionMatch === '') return;
  if (resourceVersionMatch !== 'Exact' && resourceVersionMatch !== 'NotOlderThan') {
    throw badRequest('resourceVersionMatch must be Exact or NotOlderThan');
  }
  if (token !== '') throw badRequest('resourceVersionMatch is forbidden when continue is provided');
  if (resourceVersion === '') throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (resourceVersionMatch === 'Exact' && resourceVersion === '0')
    throw badRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
}

function scope(kind: ApiKind, namespace: string | undefined): { start: string; end?: string } {
  return prefixRange(kind.namespaced && namespace !== undefined ? `${kind.prefix}${namespace}/` : kind.prefix);
}

/** The least key that can follow a key: none holds control characters. */
const behind = (key: string): string => `${key}\u0001`;

/** A page of a snapshot. */
function page(
  kind: ApiKind,
  all: readonly Version[],
  revision: Revision,
  selection: Selection,
  limit: number,
  after: string | undefined,
): ListResult {
  const { start, end } = scope(kind, selection.namespace);
  const whole = selection.namespace === undefined || !kind.namespaced;
  const first = after !== undefined ? lowerBound(all, behind(after)) : whole ? 0 : lowerBound(all, start);
  const last = whole ? all.length : lowerBound(all, end!);
  if (takesAll(selection)) {
    const stop = limit > 0 ? Math.min(last, first + limit) : last;
    const versions = first === 0 && stop === all.length ? all : all.slice(first, stop);
    return stop < last ? withToken(revision, versions, last - stop) : { revision, versions };
  }
  const versions: Version[] = [];
  for (let i = first; i < last; i++) {
    const version = all[i]!;
    if (!fits(selection, version.object)) continue;
    if (limit > 0 && versions.length === limit) return withToken(revision, versions, undefined);
    versions.push(version);
  }
  return { revision, versions };
}

function withToken(revision: Revision, versions: readonly Version[], remaining: number | undefined): ListResult {
  const token = Buffer.from(JSON.stringify({ v: 1, rv: revision, after: versions.at(-1)!.key })).toString('base64url');
  return { revision, versions, continue: token, ...(remaining !== undefined && { remaining }) };
}

function readToken(text: string, kind: ApiKind): { revision: Revision; after: string } {
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    token = undefined;
  }
  const revision = valueAt(token, ['rv']);
  const after = valueAt(token, ['after']);
  if (
    typeof revision !== 'number' ||
    !Number.isSafeInteger(revision) ||
    revision < 1 ||
    typeof after !== 'string' ||
    !after.startsWith(kind.prefix) ||
    after.includes('\0')
  ) {
    throw badRequest('continue key is not valid: it must be what a list of this collection gave');
  }
  return { revision, after };
}

/** Five characters without vowels, so that no words come out. */
function randomSuffix(): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  return Array.from(randomBytes(5), (byte) => alphabet[byte % alphabet.length]).join('');
}
