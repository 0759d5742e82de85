import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/**
 * Values as they are kept sealed: `orch:sealed:1:<key id>:` and then nonce, tag and ciphertext of AES-256-GCM. What a value is sealed for
 * (its place) goes into the tag, so that one cannot be put in the place of another. Pure but for the nonce.
 */

export const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD = 'orch:sealed:1:';

export interface SealingKey {
  readonly id: string;
  readonly secret: Buffer;
}

export function seal(key: SealingKey, place: string, plain: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${HEAD}${key.id}:`), encrypt(key.secret, place, plain)]);
}

/** The id of the key that a value is sealed by; undefined when it is not sealed. */
export function sealedBy(value: Buffer): string | undefined {
  if (value.subarray(0, HEAD.length).toString('latin1') !== HEAD) return undefined;
  const end = value.indexOf(':', HEAD.length);
  return end < 0 ? undefined : value.subarray(HEAD.length, end).toString('latin1');
}

/** Throws when it was sealed by another key, for another place, or was changed since. */
export function unseal(key: SealingKey, place: string, value: Buffer): Buffer {
  return decrypt(key.secret, place, value.subarray(HEAD.length + key.id.length + 1));
}

export function encrypt(secret: Buffer, place: string, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place));
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]);
}

export function decrypt(secret: Buffer, place: string, sealed: Buffer): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('a sealed value is cut off');
  const cipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(place)).setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), cipher.final()]);
}
