import { createHash } from 'node:crypto';

/**
 * Random UUIDs from a seed. An evaluation is its own seed (uid and resourceVersion): when the answer to a plan is lost and the
 * evaluation is worked on again, the same names come out, and creating them a second time is refused instead of doubling.
 */
export function uuidSource(...seed: readonly (string | number)[]): () => string {
  const digest = createHash('sha256').update(JSON.stringify(seed)).digest();
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at)) as [number, number, number, number];
  /** xoshiro128**. */
  const next = (): number => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  return () => {
    const w = next();
    const x = (next() & 0xffff0fff) | 0x4000;
    const y = (next() & 0x3fffffff) | 0x80000000;
    const z = next();
    return `${high(w)}${low(w)}-${high(x)}-${low(x)}-${high(y)}-${low(y)}${high(z)}${low(z)}`;
  };
}

/** A number below 2^32 that follows from the text. */
export const seedNumber = (text: string): number => createHash('sha256').update(text).digest().readUInt32LE(0);

const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const high = (word: number): string => BYTES[word >>> 24]! + BYTES[(word >>> 16) & 0xff]!;
const low = (word: number): string => BYTES[(word >>> 8) & 0xff]! + BYTES[word & 0xff]!;
