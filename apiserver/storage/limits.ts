import { MAX_KEY_BYTES, TransactionTooLargeError, type Compare, type Store, type Write } from './store.ts';

/** Refuses what one of the backends could not keep, before anything is written, so that both refuse the same. */
export function checkTransaction(compares: readonly Compare[], writes: readonly Write[], limits: Store['limits']): void {
  const operations = Math.max(compares.length, writes.length);
  if (operations > limits.operations) throw new TransactionTooLargeError(`the transaction has ${operations} operations; the store takes ${limits.operations}`); // prettier-ignore
  let bytes = 0;
  const written = new Set<string>();
  for (const { key } of compares) bytes += checkKey(key);
  for (const write of writes) {
    bytes += checkKey(write.key);
    if (write.type === 'put') bytes += write.value.length;
    if (written.has(write.key)) throw new RangeError(`the transaction writes ${write.key} twice`);
    written.add(write.key);
  }
  if (bytes > limits.bytes)
    throw new TransactionTooLargeError(`the transaction has ${bytes} bytes; the store takes ${limits.bytes}`);
}

function checkKey(key: string): number {
  const bytes = Buffer.byteLength(key);
  if (bytes === 0 || bytes > MAX_KEY_BYTES || key.includes('\0')) {
    throw new RangeError(`a key has 1 to ${MAX_KEY_BYTES} bytes and no NUL; this one has ${bytes} bytes: ${key.slice(0, 80)}`);
  }
  return bytes;
}
