import { constants, createHash, createPrivateKey, privateDecrypt, randomUUID } from 'node:crypto';
import type { HclFunction } from '../evaluate.ts';
import { string } from '../value.ts';
import { bcrypt } from './bcrypt.ts';
import { define, integer, p, text } from './define.ts';

const hash = (algorithm: string): HclFunction =>
  define([p.string('str')], ([s]) => string(createHash(algorithm).update(text(s), 'utf8').digest('hex')));

export const hashes: Record<string, HclFunction> = {
  md5: hash('md5'),
  sha1: hash('sha1'),
  sha256: hash('sha256'),
  sha512: hash('sha512'),
  uuidv4: define([], () => string(randomUUID())),
  uuidv5: define([p.string('namespace'), p.string('name')], ([namespace, name]) => string(uuidV5(text(namespace), text(name)))),
  bcrypt: define(
    [p.string('str')],
    ([s, cost, ...more]) => {
      const given = cost === undefined ? 10 : integer(cost);
      if (more.length > 0) throw new Error('bcrypt() takes no more than two arguments');
      const rounds = given < 4 ? 10 : given;
      if (rounds > 31) {
        throw new Error(`error occured generating password crypto/bcrypt: cost ${rounds} is outside allowed range (4,31)`);
      }
      return string(bcrypt(text(s), rounds));
    },
    p.number('cost'),
  ),
  rsadecrypt: define([p.string('ciphertext'), p.string('privatekey')], ([ciphertext, key]) => {
    if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text(ciphertext)))
      throw new Error(`failed to decode input ${JSON.stringify(text(ciphertext))}: cipher text must be base64-encoded`);
    const bytes = Buffer.from(text(ciphertext), 'base64');
    if (!text(key).includes('-----BEGIN ')) throw new Error('failed to parse key: no key found');
    let privateKey;
    try {
      privateKey = createPrivateKey(text(key));
    } catch (err) {
      throw new Error('failed to parse key: it is no unencrypted RSA private key', { cause: err });
    }
    try {
      return string(privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, bytes).toString('utf8'));
    } catch {
      throw new Error('failed to decrypt: the ciphertext and the private key do not fit');
    }
  }),
};

const NAMESPACES: Record<string, string> = {
  dns: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  url: '6ba7b811-9dad-11d1-80b4-00c04fd430c8',
  oid: '6ba7b812-9dad-11d1-80b4-00c04fd430c8',
  x500: '6ba7b814-9dad-11d1-80b4-00c04fd430c8',
};

function badUuid(id: string): string {
  return [32, 36, 38, 45].includes(id.length) ? 'invalid UUID format' : `invalid UUID length: ${id.length}`;
}

function uuidV5(namespace: string, name: string): string {
  const id = NAMESPACES[namespace] ?? namespace;
  if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(id)) {
    throw new Error(`uuidv5() doesn't support namespace ${namespace} (${badUuid(id)})`);
  }
  const bytes = createHash('sha1')
    .update(Buffer.from(id.replaceAll('-', ''), 'hex'))
    .update(name, 'utf8')
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
