import type { ObjectMeta } from './kinds.ts';

/** Names a kind of object and carries its TypeScript type. Made by the generator for built-in kinds, by hand for others. */
export interface Kind<T extends AnyObject = AnyObject> {
  /** API group; empty for core kinds. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** `group/version`, or `version` for core kinds: the apiVersion of its objects. */
  readonly apiVersion: string;
  /** Never set: holds the type for inference. */
  readonly type?: T;
}

/** Any API object, whatever its kind. */
export interface AnyObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** An object as the server gives it: its name, uid and versions are always there. */
export type Stored<T extends AnyObject> = Omit<T, 'metadata' | 'apiVersion' | 'kind'> & {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta & { name: string; uid: string; resourceVersion: string; creationTimestamp: string; generation: number };
};

/** A list as the server gives it, with the store revision that it is consistent with. */
export interface ObjectList<T extends AnyObject> {
  apiVersion: string;
  kind: string;
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: Stored<T>[];
}

export function defineKind<T extends AnyObject>(names: Omit<Kind<T>, 'apiVersion' | 'type'>): Kind<T> {
  return { ...names, apiVersion: names.group === '' ? names.version : `${names.group}/${names.version}` };
}

/** The collection path of a kind: `/apis/orch.dev/v1/namespaces/default/jobs`. Without a namespace: over all namespaces. */
export function collectionPath(kind: Kind, namespace?: string): string {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  return kind.namespaced && namespace !== undefined
    ? `${base}/namespaces/${encodeURIComponent(namespace)}/${kind.plural}`
    : `${base}/${kind.plural}`;
}

/** The path of one object. */
export function objectPath(kind: Kind, name: string, namespace?: string): string {
  return `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
}
