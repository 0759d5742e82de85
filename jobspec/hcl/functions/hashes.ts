import { constants, createHash, createPrivateKey, privateDecrypt, randomUUID } from 'node:crypto';
import { ArgumentError, type HclFunction } from '../evaluate.ts';
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
    ([s, cost]) => {
      const rounds = cost === undefined ? 10 : integer(cost);
      if (rounds < 4 || rounds > 31) throw new ArgumentError(1, `cost ${rounds} is outside the allowed range (4,31)`);
      return string(bcrypt(text(s), rounds));
    },
    p.number('cost'),
  ),
  rsadecrypt: define([p.string('ciphertext'), p.string('privatekey')], ([ciphertext, key]) => {
    const bytes = Buffer.from(text(ciphertext), 'base64');
    let privateKey;
    try {
      privateKey = createPrivateKey(text(key));
    } catch {
      throw new ArgumentError(1, 'invalid private key');
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

function uuidV5(namespace: string, name: string): string {
  const id = NAMESPACES[namespace] ?? namespace;
  if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(id)) {
    throw new ArgumentError(0, `uuidv5() doesn't support namespace ${namespace}`);
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
