import { badRequest } from '../registry/errors.ts';
import { isObject } from '../registry/object.ts';
import type { Registry } from '../registry/registry.ts';
import { MAX_BATCH, readValue } from './body.ts';
import { writeParams } from './request.ts';
import type { Exchange } from './resources.ts';
import { sendJson } from './respond.ts';

/** `POST /apis/orch.dev/v1/batches`: many writes in one request; client/rest/batch.ts says what they mean. */
export async function handleBatch({ request, response, query }: Exchange, registry: Registry): Promise<void> {
  const { dryRun, fence, manager } = writeParams(request, query);
  const { value } = await readValue(request, MAX_BATCH, false);
  if (!isObject(value))
    throw badRequest('the body must be a Batch: {"apiVersion":"orch.dev/v1","kind":"Batch","mode":"atomic","operations":[]}');
  const { mode = 'atomic', apiVersion = 'orch.dev/v1', kind = 'Batch' } = value;
  if (apiVersion !== 'orch.dev/v1' || kind !== 'Batch') throw badRequest('the body must be a Batch of orch.dev/v1');
  if (mode !== 'atomic' && mode !== 'independent') throw badRequest('mode must be atomic or independent');
  const result = await registry.batch(value['operations'], mode, { dryRun, manager, ...(fence && { fence }) });
  sendJson(response, 200, { apiVersion: 'orch.dev/v1', kind: 'BatchResult', ...result });
}
