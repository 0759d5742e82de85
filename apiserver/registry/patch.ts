import jsonpatch, { type Operation } from 'fast-json-patch';
import { ApiError } from '../../base/index.ts';
import { badRequest } from './errors.ts';
import { isObject, type JsonObject } from './object.ts';

const { applyOperation, deepClone, getValueByPointer } = jsonpatch;

/** Applies a JSON merge patch (RFC 7386). Neither argument is touched; what the patch leaves alone is shared with the result. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const out: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key === '__proto__') continue;
    if (value === null) delete out[key];
    else out[key] = mergePatch(Object.hasOwn(out, key) ? out[key] : undefined, value);
  }
  return out;
}

const OPERATIONS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);
/** As Kubernetes limits it: the cost of a patch grows with operations times size. */
const MAX_OPERATIONS = 10_000;
/** What the copies of a patch may come to, as JSON: each may double the object, so a few of them are a bomb. */
const MAX_COPIED = 3 << 20;

/** Checks the form of a JSON patch (RFC 6902); what it does to an object is found out by applying it. */
export function readJsonPatch(body: unknown): Operation[] {
  if (!Array.isArray(body)) throw badRequest('a JSON patch is an array of operations');
  if (body.length > MAX_OPERATIONS)
    throw new ApiError('RequestEntityTooLarge', `a JSON patch may have ${MAX_OPERATIONS} operations`);
  body.forEach((item: unknown, i) => {
    if (!isObject(item) || typeof item['op'] !== 'string' || !OPERATIONS.has(item['op'])) {
      throw badRequest(`operation ${i} of the JSON patch: op must be one of ${[...OPERATIONS].join(', ')}`);
    }
    for (const pointer of item['op'] === 'move' || item['op'] === 'copy' ? ['path', 'from'] : ['path']) {
      const text = item[pointer];
      if (typeof text !== 'string' || !/^(\/([^~]|~[01])*)*$/.test(text)) {
        throw badRequest(`operation ${i} of the JSON patch: ${pointer} must be a JSON pointer such as "/spec/priority"`);
      }
    }
    if (['add', 'replace', 'test'].includes(item['op']) && !('value' in item)) {
      throw badRequest(`operation ${i} of the JSON patch: ${item['op']} needs a value`);
    }
  });
  return body as Operation[];
}

/** Applies a JSON patch to a copy; neither argument is touched. A failed test or a path that leads nowhere is 422. */
export function jsonPatch(target: unknown, operations: readonly Operation[]): unknown {
  let document: unknown = deepClone(target);
  let copied = 0;
  for (const [i, operation] of operations.entries()) {
    try {
      if (operation.op === 'copy') copied += JSON.stringify(getValueByPointer(document, operation.from) ?? null).length;
      if (copied > MAX_COPIED) throw new ApiError('RequestEntityTooLarge', `the JSON patch copies more than ${MAX_COPIED} bytes`);
      // A later operation may reach into what an earlier one put in, and the whole patch is applied once more after a conflict.
      const own = 'value' in operation ? { ...operation, value: deepClone(operation.value) as unknown } : operation;
      document = applyOperation(document, own, true, true, true, i).newDocument;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const why = error instanceof jsonpatch.JsonPatchError ? (error.message.split('\n')[0] ?? error.name) : String(error);
      throw new ApiError('Invalid', `the server rejected our request due to an error in our request: operation ${i} (${operation.op} ${operation.path}): ${why}`, {}, { cause: error }); // prettier-ignore
    }
  }
  return document;
}
