import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../base/index.ts';
import { badRequest } from '../registry/errors.ts';
import { readProtobuf } from './protobuf.ts';
import { placeOf, repeatsKeys, scanJson } from './scan-json.ts';

export const MAX_BODY = 3 << 20;
export const MAX_BATCH = 16 << 20;
export const MAX_REVIEW = 64 << 10;
/** The YAML parser is a hundred times slower than that of JSON, and runs on the main loop. */
const MAX_YAML = 1 << 20;
const BODY_TIMEOUT_MS = 30_000;
/** Repeated keys are looked for in bodies up to this size; larger ones are written by programs. */
const MAX_SCAN = 256 << 10;
/** What walks an object, and tells of each thing that is wrong with it, takes time and memory by their number. */
const MAX_VALUES = 200_000;

/** The bytes of a body. 413 when there are too many, 408 in Kubernetes' words when they come too slowly. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = (): ApiError => new ApiError('RequestEntityTooLarge', `the request body may have ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw unsupported(request, `compressed bodies (${encoding.slice(0, 50)}) are not read`);
  return await new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => finish(new ApiError('Timeout', 'the request body did not arrive in time')), BODY_TIMEOUT_MS);
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      request.off('data', take).off('end', end).off('error', finish).off('close', closed);
      if (error === undefined) resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts, size));
      else reject(error);
    };
    const take = (part: Buffer): void => {
      size += part.length;
      if (size > limit) finish(tooLarge());
      else parts.push(part);
    };
    const end = (): void => finish();
    const closed = (): void => finish(badRequest('the request body ended early'));
    request.on('data', take).on('end', end).on('error', finish).on('close', closed);
  });
}

/** What a body says, and problems that do not keep it from being read. */
export interface Body {
  readonly value: unknown;
  readonly problems: readonly string[];
}

export type MediaType =
  'json' | 'yaml' | 'merge-patch' | 'json-patch' | 'strategic-merge-patch' | 'apply-patch' | 'protobuf' | 'other';

export function mediaTypeOf(request: IncomingMessage): MediaType {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  switch (type) {
    case '':
    case '*/*':
    case 'application/json':
      return 'json';
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return 'yaml';
    case 'application/merge-patch+json':
      return 'merge-patch';
    case 'application/json-patch+json':
      return 'json-patch';
    case 'application/strategic-merge-patch+json':
      return 'strategic-merge-patch';
    case 'application/apply-patch+yaml':
      return 'apply-patch';
    case 'application/vnd.kubernetes.protobuf':
      return 'protobuf';
    default:
      return 'other';
  }
}

export const unsupported = (request: IncomingMessage, what: string): ApiError =>
  new ApiError('UnsupportedMediaType', `the body of the request was in an unsupported format (${request.headers['content-type'] ?? 'none'}): ${what}`); // prettier-ignore

const ACCEPTED = 'accepted media types are application/json and application/yaml';

/** Reads a JSON or YAML body, or one of the few that come as protobuf; an empty one gives undefined. */
export async function readValue(request: IncomingMessage, limit = MAX_BODY, scan = true): Promise<Body> {
  const type = mediaTypeOf(request);
  if (type !== 'json' && type !== 'yaml' && type !== 'protobuf') throw unsupported(request, ACCEPTED);
  const bytes = await readBody(request, limit);
  if (type === 'yaml') return await parseYaml(bytes);
  if (type === 'json' || bytes.length === 0) return parseJson(bytes, scan, limit);
  const value = readProtobuf(bytes);
  if (value === undefined) throw unsupported(request, `this kind is not read as protobuf; ${ACCEPTED}`);
  return { value, problems: [] };
}

/** The body of an apply: YAML by its media type, and JSON in fact, as most clients send it. */
export async function readApplied(request: IncomingMessage, scan: boolean): Promise<Body> {
  const bytes = await readBody(request, MAX_BODY);
  return isJson(bytes) ? parseJson(bytes, scan) : await parseYaml(bytes);
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch {
    return bytes.length > MAX_YAML;
  }
}

export function parseJson(bytes: Buffer, scan = true, limit = MAX_BODY): Body {
  if (bytes.length === 0) return { value: undefined, problems: [] };
  checkText(bytes);
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const { error } = scanJson(text);
    const at = error === undefined ? '' : ` at line ${placeOf(text, error.offset).line}, column ${placeOf(text, error.offset).column}: ${error.message}`; // prettier-ignore
    throw new ApiError('BadRequest', `the body is not valid JSON${at}`, {}, { cause });
  }
  if (limit <= MAX_BODY && bytes.length > MAX_SCAN && !isSmall(value, MAX_VALUES))
    throw new ApiError('RequestEntityTooLarge', `the request body may have ${MAX_VALUES} values`);
  const repeated = scan && bytes.length <= MAX_SCAN && repeatsKeys(text, value) ? scanJson(text).duplicates : [];
  return { value, problems: repeated.map((path) => `duplicate field ${JSON.stringify(path)}`) };
}

/** Bytes that are no text would be stored as something else than what was sent. */
function checkText(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw badRequest('the body is not valid UTF-8');
}

/** Whether a value consists of at most so many. Without recursion. */
function isSmall(value: unknown, most: number): boolean {
  const stack: unknown[] = [value];
  for (let seen = 0; stack.length > 0; seen++) {
    if (seen + stack.length > most) return false;
    const item = stack.pop();
    if (typeof item !== 'object' || item === null) continue;
    for (const part of Array.isArray(item) ? (item as unknown[]) : Object.values(item)) stack.push(part);
  }
  return true;
}

async function parseYaml(bytes: Buffer): Promise<Body> {
  if (bytes.length > MAX_YAML) {
    throw new ApiError('RequestEntityTooLarge', `a YAML body may have ${MAX_YAML} bytes; send larger ones as JSON`);
  }
  checkText(bytes);
  const { parseAllDocuments } = await import('yaml');
  const documents = parseAllDocuments(bytes.toString('utf8'), { uniqueKeys: true });
  if ('empty' in documents) return { value: undefined, problems: [] };
  const [document, ...more] = documents;
  if (document === undefined) return { value: undefined, problems: [] };
  if (more.length > 0) throw badRequest('the body has several YAML documents; send one at a time');
  const [error] = document.errors;
  if (error !== undefined) throw new ApiError('BadRequest', `the body is not valid YAML: ${error.message.split('\n')[0]}`, {}, { cause: error }); // prettier-ignore
  try {
    // Aliases can stand for aliases: what they unfold to is bounded.
    return { value: document.toJS({ maxAliasCount: 100 }), problems: [] };
  } catch (cause) {
    throw new ApiError('BadRequest', 'the body is not usable YAML: too many aliases', {}, { cause });
  }
}
