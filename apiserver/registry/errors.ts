import { ApiError, type StatusCause } from '../../base/index.ts';
import type { ApiKind } from './kinds.ts';

/** The errors of the API in Kubernetes' words. */

type Named = Pick<ApiKind, 'resource' | 'group' | 'plural' | 'kind'>;
const about = (kind: Named, name: string): { name: string; group: string; kind: string } => ({ name, group: kind.group, kind: kind.plural }); // prettier-ignore

export const notFound = (kind: Named, name: string): ApiError =>
  new ApiError('NotFound', `${kind.resource} ${JSON.stringify(name)} not found`, about(kind, name));

export const alreadyExists = (kind: Named, name: string): ApiError =>
  new ApiError('AlreadyExists', `${kind.resource} ${JSON.stringify(name)} already exists`, about(kind, name));

export const conflict = (
  kind: Named,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): ApiError =>
  new ApiError(
    'Conflict',
    `Operation cannot be fulfilled on ${kind.resource} ${JSON.stringify(name)}: ${why}`,
    about(kind, name),
  );

export const forbidden = (kind: Named, name: string, why: string, causes?: StatusCause[]): ApiError =>
  new ApiError('Forbidden', `${kind.resource} ${JSON.stringify(name)} is forbidden: ${why}`, {
    ...about(kind, name),
    ...(causes && { causes }),
  });

/** So many problems are told; nobody reads more. */
const MAX_CAUSES = 200;

/** Everything that is wrong with an object, each with its path. */
export function invalid(kind: Named, name: string, found: readonly StatusCause[]): ApiError {
  const all = kind.resource === 'variables.orch.dev' ? found.map(withoutItem) : found;
  const left = all.length - MAX_CAUSES;
  const rest: StatusCause = { reason: 'FieldValueInvalid', message: `and ${left} more problems` };
  const causes = left > 0 ? [...all.slice(0, MAX_CAUSES), rest] : [...all];
  const list = causes.map((cause) => (cause.field === undefined ? cause.message : `${cause.field}: ${cause.message}`));
  const what = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const text = list.length === 1 ? list[0]! : `[${list.join(', ')}]`;
  return new ApiError('Invalid', `${what} ${JSON.stringify(name)} is invalid: ${text}`, {
    name,
    group: kind.group,
    kind: kind.kind,
    causes,
  });
}

/** Values of a variable are secret, wrong ones too. */
const withoutItem = (cause: StatusCause): StatusCause =>
  cause.field?.startsWith('spec.items') === true
    ? { ...cause, message: cause.message.replace(/^Invalid value: .*: /s, 'Invalid value: ') }
    : cause;

/** Said to who creates an object of a kind that is about to go. */
export const closedKind = (kind: Named): ApiError =>
  new ApiError('MethodNotAllowed', `create not allowed while the definition of ${kind.resource} is terminating`);

export const badRequest = (message: string): ApiError => new ApiError('BadRequest', message);

export const expired = (message: string): ApiError => new ApiError('Expired', message);

export const pathNotFound = (): ApiError => new ApiError('NotFound', 'the server could not find the requested resource');

export const required = (field: string, message = 'Required value'): StatusCause => ({
  reason: 'FieldValueRequired',
  message,
  field,
});

export const invalidValue = (field: string, value: unknown, why: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shorten(JSON.stringify(value) ?? 'null')}: ${why}`,
  field,
});

export const forbiddenField = (field: string, why: string): StatusCause => ({
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${why}`,
  field,
});

export const duplicate = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shorten(JSON.stringify(value) ?? 'null')}`,
  field,
});

/** Long values are cut: an error text is for reading. */
export function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
