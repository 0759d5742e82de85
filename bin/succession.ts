/**
 * A server that was killed leaves its terms of leadership behind, and nobody leads until they have run out. On the embedded store
 * its successor need not wait: it holds the store's lock, so the process that held those terms is dead. Were it not, the fence
 * of a term that is over would still have its writes refused.
 */
import { isReason, type Logger } from '../base/index.ts';
import { SYSTEM_NAMESPACE, type Client } from '../client/index.ts';
import { LeaseKind } from '../openapi/index.ts';

/** Ends what earlier processes lead whose identities begin with `prefix`. */
export async function endTermsOf(prefix: string, client: Client, log: Logger): Promise<void> {
  const { items } = await client.list(LeaseKind, { namespace: SYSTEM_NAMESPACE });
  const left = items.filter(({ spec }) => spec?.holderIdentity?.startsWith(prefix));
  for (const { metadata } of left) {
    try {
      await client.delete(LeaseKind, metadata.name, SYSTEM_NAMESPACE, { preconditions: { uid: metadata.uid } });
      log.info('ended the term of a process that is gone', { lease: metadata.name });
    } catch (error) {
      if (!isReason(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}
