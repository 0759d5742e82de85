import type { ApiStatus } from '../../base/index.ts';
import type { AnyObject } from '../../openapi/index.ts';

/** Names an object of a batch. */
interface Target {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** Refuse when the object is another one of this name. */
  readonly uid?: string;
  /** Refuse when the object was changed since. */
  readonly resourceVersion?: string;
}

/**
 * One write of a batch. `create` keeps the status that it is given. `patch` is a JSON merge patch of the object (or, with
 * `subresource: 'status'`, of its status).
 */
export type BatchOperation =
  | { readonly operation: 'create'; readonly object: AnyObject }
  | ({ readonly operation: 'patch'; readonly subresource?: 'status'; readonly patch: unknown } & Target)
  | ({ readonly operation: 'delete' } & Target);

/**
 * `atomic`: the first operation that cannot be done fails the request (409/404/422) and nothing of its transaction is written.
 * Batches larger than a store transaction are committed in order, in chunks: order operations so that a prefix is repairable.
 * `independent`: each operation has its own result.
 */
export interface BatchResult {
  /** The store revision after the last write. */
  readonly revision: string;
  readonly results: readonly {
    readonly code: number;
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly status?: ApiStatus;
  }[];
}
