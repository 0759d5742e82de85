/**
 * What the apiserver needs of a store, and all it may use: an ordered map of keys to bytes with one revision sequence for
 * everything, as etcd has it. Two backends keep this contract (test/apiserver/storage/contract.ts): `embedded/` and `etcd/`.
 */

/**
 * A store revision: rises with the transactions that write. Such as came at the same time and touch nothing of each other may share
 * one (on etcd they do, where many come); all events of a revision come in one batch of a watch either way.
 */
export type Revision = number;

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  /** The revision of the write that created the key (again, after a delete). */
  readonly createRevision: Revision;
  /** The revision of the last write. */
  readonly modRevision: Revision;
  /** The lease that the key lives by. */
  readonly lease?: LeaseId;
}

export type LeaseId = string;

/** Keys `start <= key < end`; only `start` itself when `end` is absent. */
export interface KeyRange {
  readonly start: string;
  readonly end?: string;
}

export interface RangeOptions {
  /** At most this many items; 0 or absent means all. */
  readonly limit?: number;
  /** Read as of this revision; absent means the newest. Throws CompactedError when it is gone, FutureRevisionError when it is yet to come. */
  readonly revision?: Revision;
  /** Leave values empty. */
  readonly keysOnly?: boolean;
  /** The number beyond the limit is of no interest: `count` may be too small, `more` is right. */
  readonly uncounted?: boolean;
}

export interface RangeResult {
  /** The store's revision when it was read (not the one that was asked for). */
  readonly revision: Revision;
  /** In order of their keys. */
  readonly items: KeyValue[];
  /** Keys in the whole range, beyond the limit too. */
  readonly count: number;
  readonly more: boolean;
}

/** Holds when the key's last write is `modRevision`; 0 means that the key is absent. */
export interface Compare {
  readonly key: string;
  readonly modRevision: Revision;
}

export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer; readonly lease?: LeaseId }
  | { readonly type: 'delete'; readonly key: string };

export type TxnResult =
  | { readonly succeeded: true; readonly revision: Revision }
  /** Nothing was written. `current` has the compared keys as they are, in the order of the compares. */
  | { readonly succeeded: false; readonly revision: Revision; readonly current: (KeyValue | undefined)[] };

export type StoreEvent =
  | { readonly type: 'put'; readonly kv: KeyValue; readonly previous?: KeyValue }
  /** `revision` is that of the delete; `previous` what was deleted (absent only if it was compacted away). */
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision; readonly previous?: KeyValue };

/** All events of one or more whole revisions, in order. Without events: progress, nothing up to `revision` was missed. */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly StoreEvent[];
}

export interface WatchOptions {
  /** The first revision to see; absent means what follows the newest that this process has heard of. Throws CompactedError when it is gone. */
  readonly startRevision?: Revision;
  readonly signal?: AbortSignal;
}

export interface Store {
  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>;
  /**
   * Applies all writes in one revision when every compare holds. Resolved means durable. Of transactions that write at most one key,
   * several may share a revision, never one that a transaction of several writes has. No key may be written twice; to delete an
   * absent key is no event. Throws LeaseNotFoundError, TransactionTooLargeError.
   */
  txn(compares: readonly Compare[], writes: readonly Write[]): Promise<TxnResult>;
  /**
   * Every event of the range from `startRevision` on, once and in order, across reconnects of the backend.
   * Ends when the signal aborts or the store is closed; throws CompactedError when it cannot go on without a gap. The start is fixed
   * by the call, not by the first `next()`. A slow reader costs no memory: it reads the log at its own pace.
   */
  watch(range: KeyRange, options?: WatchOptions): AsyncIterable<WatchBatch>;
  /** Asks for a progress batch on all watches soon (idle watches then know the current revision). */
  requestProgress(): Promise<void>;
  /** The newest revision (linearizable). */
  revision(): Promise<Revision>;
  /** A lease of `ttlSeconds`. Keys bound to it are deleted, with events, when it is not kept alive. */
  grantLease(ttlSeconds: number): Promise<LeaseId>;
  /** Restarts the lease's time. Throws LeaseNotFoundError when it is gone. */
  keepAlive(lease: LeaseId): Promise<void>;
  revokeLease(lease: LeaseId): Promise<void>;
  /** The TTL that it was granted, in seconds. Throws LeaseNotFoundError. */
  leaseTtl(lease: LeaseId): Promise<number>;
  /**
   * Forgets what was overwritten before `revision`: from it on reads and watches are whole, those before fail (the last one may still
   * be readable). Does nothing when that is compacted already.
   */
  compact(revision: Revision): Promise<void>;
  /** The first revision from which on history is whole; 0 when nothing was compacted. */
  compactedRevision(): Promise<Revision>;
  /**
   * What is wrong with the store beyond not answering, and what will be soon; empty when all is well. Throws StoreUnavailableError when
   * it does not answer.
   */
  problems(): Promise<readonly StoreProblem[]>;
  /** What one transaction may hold. */
  readonly limits: { readonly operations: number; readonly bytes: number };
  /** 'embedded' or 'etcd', with where it is; for logs and /readyz. */
  readonly description: string;
  close(): Promise<void>;
}

export interface StoreProblem {
  /** `space`: writes are refused until there is room. `latency`: writes are slow. `damage`: what is stored cannot be trusted. */
  readonly name: 'space' | 'latency' | 'damage';
  readonly message: string;
  /** It works still, though not as it should. */
  readonly bearable: boolean;
}

/** Keys are not empty, hold no NUL and have at most `MAX_KEY_BYTES`. */
export const MAX_KEY_BYTES = 1024;

/** The revision that was asked for is compacted; read anew. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  readonly compacted: Revision;
  constructor(compacted: Revision) {
    super(`required revision has been compacted (compacted at ${compacted})`);
    this.compacted = compacted;
  }
}

/** The revision that was asked for does not exist yet. */
export class FutureRevisionError extends Error {
  override readonly name = 'FutureRevisionError';
  constructor(revision: Revision, current: Revision) {
    super(`required revision ${revision} is a future revision (the current one is ${current})`);
  }
}

/** The transaction exceeds `limits`; nothing was written. */
export class TransactionTooLargeError extends Error {
  override readonly name = 'TransactionTooLargeError';
}

export class LeaseNotFoundError extends Error {
  override readonly name = 'LeaseNotFoundError';
  constructor(lease: LeaseId) {
    super(`lease ${lease} not found`);
  }
}

/** The store cannot answer now; the caller may try again. Nothing is known about a write that failed so. */
export class StoreUnavailableError extends Error {
  override readonly name: string = 'StoreUnavailableError';
}

/** The store was moved elsewhere, or its restore was not finished: to go on with it would be to work on the wrong data. */
export class StoreSetAsideError extends Error {
  override readonly name = 'StoreSetAsideError';
}

/**
 * There is no room to write; reads go on, and writes work again once there is room. The embedded store wrote nothing. etcd carries out the one write
 * that it runs out of room with, and refuses it all the same, so nothing is known about a write that failed so.
 */
export class StoreFullError extends StoreUnavailableError {
  override readonly name = 'StoreFullError';
}

/** The range of all keys that start with `prefix` (which should end with `/`). */
export function prefixRange(prefix: string): KeyRange {
  return { start: prefix, end: prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1) };
}
