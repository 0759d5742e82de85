import { createHash, randomUUID } from 'node:crypto';

/** A random UUID (version 4). */
export const uuid = (): string => randomUUID();

/** The UUID that follows from its parts: the same parts give the same one, so doing a thing twice collides instead of doubling it. */
export function derivedUuid(...parts: (string | number)[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  const variant = ((Number.parseInt(hash[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

/** The first 8 characters, as people see an ID. */
export const shortId = (id: string): string => id.slice(0, 8);
