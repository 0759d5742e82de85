import type { IncomingMessage } from 'node:http';
import { badRequest } from '../registry/errors.ts';
import type { Fence } from '../registry/commit.ts';
import type { ApiKind, KindRegistry } from '../registry/kinds.ts';
import type { Manager } from '../registry/ownership.ts';
import type { FieldValidation } from '../registry/strategy.ts';

/** What a path names. */
export interface ResourceRef {
  readonly kind: ApiKind;
  readonly namespace: string | undefined;
  /** Absent for a collection. */
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource, for those that have paths of their own. */
  readonly rest: readonly string[];
}

/** Longer names are nobody's. */
const MAX_SEGMENT = 253;

/** The segments of a path, decoded. Throws BadRequest for escapes that are none. */
export function segmentsOf(path: string): string[] {
  const parts = path.split('/');
  parts.shift();
  if (parts.at(-1) === '') parts.pop();
  if (!path.includes('%')) return parts;
  return parts.map((part) => {
    let text: string;
    try {
      text = decodeURIComponent(part);
    } catch {
      throw badRequest(`the path has a bad escape: ${part.slice(0, 100)}`);
    }
    if (/[\u0000-\u001f\u007f]/.test(text)) throw badRequest('the path has a control character');
    return text;
  });
}

/** `/apis/orch.dev/v1/namespaces/default/jobs/web/status`, read by the kinds that are served. Undefined for other paths. */
export function resolve(kinds: KindRegistry, segments: readonly string[]): ResourceRef | undefined {
  let at: number;
  let apiVersion: string;
  if (segments[0] === 'api') {
    apiVersion = segments[1] ?? '';
    at = 2;
  } else if (segments[0] === 'apis') {
    apiVersion = `${segments[1]}/${segments[2]}`;
    at = 3;
  } else return undefined;
  let namespace: string | undefined;
  // In core, /api/v1/namespaces/x is the namespace itself; with a further resource behind it, its content.
  if (segments[at] === 'namespaces' && segments.length > at + 2 && !isOwnSubresource(kinds, apiVersion, segments[at + 2]!)) {
    namespace = segments[at + 1];
    if (namespace === '') return undefined;
    at += 2;
  }
  const plural = segments[at];
  if (plural === undefined) return undefined;
  const kind = kinds.at(apiVersion, plural);
  if (kind === undefined || (namespace !== undefined && !kind.namespaced)) return undefined;
  const [name, subresource, ...rest] = segments.slice(at + 1);
  if (name === '' || subresource === '') return undefined;
  // No object is called so, and keys of the store must not be made of it.
  if ([namespace, name].some((part) => part !== undefined && (part.includes('/') || part.length > MAX_SEGMENT))) return undefined;
  // Over all namespaces there are only collections.
  if (kind.namespaced && namespace === undefined && name !== undefined) return undefined;
  return { kind, namespace, name, subresource, rest };
}

function isOwnSubresource(kinds: KindRegistry, apiVersion: string, segment: string): boolean {
  return apiVersion === 'v1' && (segment === 'status' || segment === 'finalize') && kinds.at(apiVersion, segment) === undefined;
}

const TRUE = new Set(['true', '1', 'True', 'TRUE', 't', 'T']);
const FALSE = new Set(['false', '0', 'False', 'FALSE', 'f', 'F', '']);

export function booleanParam(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null || FALSE.has(value)) return false;
  if (TRUE.has(value)) return true;
  throw badRequest(`${name} must be true or false, not ${JSON.stringify(value)}`);
}

export function numberParam(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^\d{1,9}$/.test(value)) throw badRequest(`${name} must be a number, not ${JSON.stringify(value)}`);
  return Number(value);
}

export interface WriteParams {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  readonly fence?: Fence;
  readonly manager: Manager;
}

/** The parameters that all writes share. */
export function writeParams(request: IncomingMessage, query: URLSearchParams): WriteParams {
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  if (dryRun.some((value) => value !== 'All')) throw badRequest('dryRun must be All');
  const fieldValidation = query.get('fieldValidation') || 'Warn';
  if (fieldValidation !== 'Strict' && fieldValidation !== 'Warn' && fieldValidation !== 'Ignore') {
    throw badRequest(`fieldValidation must be Strict, Warn or Ignore, not ${JSON.stringify(fieldValidation)}`);
  }
  const fence = fenceOf(request);
  return { dryRun: dryRun.length > 0, fieldValidation, ...(fence && { fence }), manager: managerOf(request, query) };
}

const MAX_MANAGER = 128;

/** Who writes: what `fieldManager` says, else the program that the User-Agent names. */
function managerOf({ headers }: IncomingMessage, query: URLSearchParams): Manager {
  const named = query.get('fieldManager') ?? '';
  if (named.length > MAX_MANAGER || /[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/u.test(named)) {
    throw badRequest(`fieldManager may have ${MAX_MANAGER} printable characters`);
  }
  if (named !== '') return { name: named, explicit: true };
  const agent = (headers['user-agent'] ?? '').split('/')[0]!.slice(0, MAX_MANAGER);
  return { name: agent === '' ? 'unknown' : agent, explicit: false };
}

/** `Orch-Fence: <namespace>/<name>/<uid>` of the Lease that the writer leads by. */
function fenceOf(request: IncomingMessage): Fence | undefined {
  const header = request.headers['orch-fence'];
  if (header === undefined) return undefined;
  const parts = typeof header === 'string' ? header.split('/') : [];
  const [namespace, name, uid] = parts;
  if (parts.length !== 3 || !namespace || !name || !uid) {
    throw badRequest('the Orch-Fence header must be NAMESPACE/NAME/UID of a Lease');
  }
  return { namespace, name, uid };
}
