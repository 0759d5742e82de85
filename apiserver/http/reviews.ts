import { ApiError } from '../../base/index.ts';
import { badRequest } from '../registry/errors.ts';
import { isObject, type JsonObject } from '../registry/object.ts';

/**
 * Questions about oneself: who am I, what may I do. They are asked by creating an object that is stored nowhere; the answer is its
 * status. There is no access control yet, so everybody who reaches the server may do everything, and the answers say so.
 */
export interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  /** The answer to a question. Throws BadRequest or Invalid for one that is none. */
  readonly answer: (spec: JsonObject) => object;
}

const ANONYMOUS = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
const REASON = 'there is no access control on this server: whoever reaches it may do everything';

export const reviews: readonly Review[] = [
  {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    singular: 'selfsubjectaccessreview',
    answer(spec) {
      const { resourceAttributes, nonResourceAttributes } = spec;
      if (isObject(resourceAttributes) === isObject(nonResourceAttributes)) {
        throw new ApiError('Invalid', 'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec: exactly one of resourceAttributes and nonResourceAttributes must be given'); // prettier-ignore
      }
      return { allowed: true, reason: REASON };
    },
  },
  {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    plural: 'selfsubjectrulesreviews',
    singular: 'selfsubjectrulesreview',
    answer: () => ({
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      incomplete: false,
    }),
  },
  {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    singular: 'selfsubjectreview',
    answer: () => ({ userInfo: ANONYMOUS }),
  },
];

export const reviewAt = (apiVersion: string, plural: string): Review | undefined =>
  reviews.find((review) => review.apiVersion === apiVersion && review.plural === plural);

/** The object that answers a review: what was asked, and the status. */
export function answerReview({ apiVersion, kind, answer }: Review, body: unknown): object {
  if (!isObject(body)) throw badRequest(`the body must be a ${kind}`);
  for (const [field, expected] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const) {
    const given = body[field];
    if (given !== undefined && given !== '' && given !== expected) {
      throw badRequest(`${field} of the body is ${JSON.stringify(given)}; this path takes ${JSON.stringify(expected)}`);
    }
  }
  const spec = isObject(body['spec']) ? body['spec'] : {};
  return { kind, apiVersion, metadata: { creationTimestamp: null }, spec, status: answer(spec) };
}
