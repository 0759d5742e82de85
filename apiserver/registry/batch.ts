import { ApiError, type ApiStatus, type StatusCause } from '../../base/index.ts';
import type { Applied, Committer, Intent } from './commit.ts';
import { badRequest, pathNotFound } from './errors.ts';
import type { ApiKind } from './kinds.ts';
import { isObject, type JsonObject } from './object.ts';
import type { Registry, WriteOptions } from './registry.ts';
import { checkPreconditions, intake, judgeUnknown, unknownFields } from './strategy.ts';

/** `atomic`: all or nothing (by chunks of a store transaction). `independent`: each operation has its own result. */
export type BatchMode = 'atomic' | 'independent';

export interface BatchResult {
  readonly revision: string;
  readonly results: readonly {
    readonly code: number;
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly status?: ApiStatus;
  }[];
}

const MAX_OPERATIONS = 20_000;

/** Many writes in one request: as few store transactions as its limits allow, in the order given. */
export async function planBatch(
  registry: Registry,
  committer: Committer,
  operations: unknown,
  mode: BatchMode,
  options: WriteOptions,
): Promise<BatchResult> {
  if (!Array.isArray(operations)) throw badRequest('operations must be an array');
  if (operations.length > MAX_OPERATIONS)
    throw new ApiError('RequestEntityTooLarge', `a batch may have ${MAX_OPERATIONS} operations`);
  const slots = operations.map((operation: unknown, at) => read(registry, operation, at, options));
  const failed = slots.find((slot): slot is ApiError => slot instanceof ApiError);
  if (failed !== undefined && mode === 'atomic') throw failed;
  const intents = slots.filter((slot): slot is Intent => !(slot instanceof ApiError));
  const { revision, results } = await committer.commit(intents, {
    onError: mode === 'atomic' ? 'refuse' : 'skip',
    ...(options.dryRun && { dryRun: true }),
    ...(options.fence && { fence: options.fence }),
  });
  let next = 0;
  return {
    revision: String(revision),
    results: slots.map((slot) => toResult(slot instanceof ApiError ? slot : results[next++]!)),
  };
}

function toResult(result: Applied | ApiError): BatchResult['results'][number] {
  if (result instanceof ApiError) return { code: result.code, status: result.toStatus() };
  const { name, uid } = result.version.object.metadata;
  return { code: result.type === 'created' ? 201 : 200, name, uid, resourceVersion: String(result.version.revision) };
}

/** An operation as an intent whose refusals say which operation it was. */
function read(registry: Registry, operation: unknown, at: number, options: WriteOptions): Intent | ApiError {
  try {
    const intent = toIntent(registry, operation, options);
    return {
      ...intent,
      plan: (current, now) => {
        try {
          return intent.plan(current, now);
        } catch (error) {
          throw located(error, at);
        }
      },
    };
  } catch (error) {
    const failure = located(error, at);
    if (failure instanceof ApiError) return failure;
    throw failure;
  }
}

function located(error: unknown, at: number): unknown {
  if (!(error instanceof ApiError)) return error;
  const { causes, ...details } = error.details;
  const inside = causes?.map((cause): StatusCause => ({
    ...cause,
    field: `operations[${at}]${cause.field === undefined ? '' : `.${cause.field}`}`,
  }));
  return new ApiError(
    error.reason,
    `operations[${at}]: ${error.message}`,
    { ...details, ...(inside && { causes: inside }) },
    { cause: error },
  );
}

function toIntent(registry: Registry, operation: unknown, options: WriteOptions): Intent {
  if (!isObject(operation)) throw badRequest('an operation is an object');
  // Programs write batches, so a field that does not exist is a mistake, not a matter of taste.
  const { fieldValidation = 'Strict' } = options;
  switch (operation['operation']) {
    case 'create': {
      const body = operation['object'];
      if (!isObject(body)) throw badRequest('create needs an object');
      const kind = kindOf(registry, body);
      const taken = intake(kind, body);
      judgeUnknown(kind, unknownFields(taken.unknown), fieldValidation);
      if (taken.metadata.name === undefined || taken.metadata.name === '')
        throw badRequest('create needs metadata.name; batches make no names');
      return registry.createIntent(
        kind,
        namespaceOf(kind, taken.metadata.namespace),
        taken.metadata.name,
        taken,
        true,
        options.manager,
      );
    }
    case 'patch': {
      const { kind, namespace, name, preconditions } = target(registry, operation);
      const subresource = operation['subresource'];
      if (subresource !== undefined && (subresource !== 'status' || !kind.hasStatus)) {
        throw badRequest(`${kind.plural} have no subresource ${JSON.stringify(subresource)} to patch`);
      }
      const { patch } = operation;
      if (!isObject(patch)) throw badRequest('patch needs a merge patch, which is an object');
      const body = subresource === 'status' && !('status' in patch) ? { status: patch } : patch;
      const intent = registry.patchIntent(
        kind,
        namespace,
        name,
        { type: 'merge', patch: body },
        subresource,
        { fieldValidation, ...(options.manager && { manager: options.manager }) },
        { warnings: [] },
      );
      return guarded(intent, preconditions);
    }
    case 'delete': {
      const { kind, namespace, name, preconditions } = target(registry, operation);
      if (kind.kind === 'Namespace') throw badRequest('a namespace cannot be deleted in a batch');
      return registry.deleteIntent(kind, namespace, name, { preconditions });
    }
    default:
      throw badRequest(`operation must be create, patch or delete, not ${JSON.stringify(operation['operation'])}`);
  }
}

function guarded(intent: Intent, preconditions: { uid?: string; resourceVersion?: string }): Intent {
  return {
    ...intent,
    plan: (current, now) => {
      if (current !== undefined) checkPreconditions(intent.kind, preconditions, current.object);
      return intent.plan(current, now);
    },
  };
}

interface Target {
  readonly kind: ApiKind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly preconditions: { uid?: string; resourceVersion?: string };
}

function target(registry: Registry, operation: JsonObject): Target {
  const kind = kindOf(registry, operation);
  const { name, namespace, uid, resourceVersion } = operation;
  if (typeof name !== 'string' || name === '') throw badRequest(`${String(operation['operation'])} needs the name of the object`);
  for (const [field, value] of Object.entries({ namespace, uid, resourceVersion })) {
    if (value !== undefined && typeof value !== 'string') throw badRequest(`${field} must be a string`);
  }
  return {
    kind,
    namespace: namespaceOf(kind, namespace as string | undefined),
    name,
    preconditions: {
      ...(uid !== undefined && { uid: uid as string }),
      ...(resourceVersion !== undefined && { resourceVersion: resourceVersion as string }),
    },
  };
}

function kindOf(registry: Registry, { apiVersion, kind }: JsonObject): ApiKind {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    throw badRequest('apiVersion and kind of the object are needed');
  const found = registry.kinds.of(apiVersion, kind);
  if (found === undefined) throw new ApiError('NotFound', `${pathNotFound().message}: there is no kind ${kind} in ${apiVersion}`);
  return found;
}

function namespaceOf(kind: ApiKind, namespace: string | undefined): string | undefined {
  if (!kind.namespaced) return undefined;
  if (namespace === undefined || namespace === '') throw badRequest(`${kind.plural} need a namespace`);
  return namespace;
}
