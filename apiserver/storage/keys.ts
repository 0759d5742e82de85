import { MAX_KEY_BYTES, TransactionTooLargeError, type Compare, type KeyRange, type Store, type Write } from './store.ts';

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

/** The order of the keys' UTF-8 bytes, which differs from that of JavaScript strings beyond the basic plane. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

export function inRange(range: KeyRange, key: string): boolean {
  if (range.end === undefined) return key === range.start;
  return compareKeys(key, range.start) >= 0 && compareKeys(key, range.end) < 0;
}
