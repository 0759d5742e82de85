import type { Informers } from '../../client/index.ts';
import type { AnyObject, Kind, Stored } from '../../openapi/index.ts';

/** A way to find objects of a kind other than by key. */
export interface Index<T extends AnyObject = AnyObject> {
  readonly kind: Kind<T>;
  readonly name: string;
  valuesOf(object: Stored<T>): readonly string[];
}

/** @example const allocationsByNode = defineIndex(AllocationKind, 'node', (a) => [a.spec.nodeName]); */
export function defineIndex<T extends AnyObject>(
  kind: Kind<T>,
  name: string,
  valuesOf: (object: Stored<T>) => readonly string[],
): Index<T> {
  return { kind, name, valuesOf };
}

/** What controllers read: the process's cache of what the apiserver has. Objects are frozen and may be a moment old. */
export interface Reader {
  get<T extends AnyObject>(kind: Kind<T>, key: string): Stored<T> | undefined;
  list<T extends AnyObject>(kind: Kind<T>): Stored<T>[];
  by<T extends AnyObject>(index: Index<T>, value: string): Stored<T>[];
  /** Since when, without a break, changes of the kind are followed; undefined while they are not. */
  followedSince(kind: Kind): number | undefined;
  /** Resolves once the cache has what was written to objects of the kind at this revision; at once where the kind is not followed. */
  reached(kind: Kind, revision: string, signal: AbortSignal): Promise<void>;
}

export function readerOf(informers: Informers): Reader {
  return {
    get: (kind, key) => informers.of(kind).get(key),
    list: (kind) => informers.of(kind).list(),
    by: (index, value) => informers.of(index.kind).byIndex(index.name, value),
    followedSince: (kind) => informers.of(kind).followedSince,
    reached: (kind, revision, signal) =>
      informers.has(kind) ? informers.of(kind).waitForRevision(revision, signal) : Promise.resolve(),
  };
}
