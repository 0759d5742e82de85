import type { Instant, StatusCause } from '../../base/index.ts';
import type { ApiKind } from '../registry/kinds.ts';
import type { NameRule } from '../registry/metadata.ts';
import type { ApiObject } from '../registry/object.ts';

/** A write on its way in. `old` is what is stored; absent when the object is created. */
export interface AdmissionRequest {
  readonly kind: ApiKind;
  readonly object: ApiObject;
  readonly old?: ApiObject;
  readonly now: Instant;
}

/**
 * What a kind adds to its schema: defaults that depend on other fields, rules that no schema can say, words of caution. All three are
 * pure; the object is not to be changed.
 */
export interface Admission {
  readonly default?: (request: AdmissionRequest) => ApiObject;
  /** Everything that is wrong, each with its path. */
  readonly validate?: (request: AdmissionRequest) => StatusCause[];
  readonly warnings?: (request: Pick<AdmissionRequest, 'object'>) => string[];
  readonly names?: NameRule;
  /** Put on every new object; whoever acts on its deletion takes it off. */
  readonly finalizers?: readonly string[];
  /** Put on an object whose deletion is asked for while it must not vanish yet; whoever acts on it takes it off. */
  readonly keepsOnDelete?: (object: ApiObject) => readonly string[];
}

/** The admission of each kind that has one: `orch.dev/v1/Job` → Admission. */
export type AdmissionChain = ReadonlyMap<string, Admission>;

const nothing: Admission = {};

export const admissionOf = (chain: AdmissionChain, kind: ApiKind): Admission =>
  chain.get(`${kind.apiVersion}/${kind.kind}`) ?? nothing;
