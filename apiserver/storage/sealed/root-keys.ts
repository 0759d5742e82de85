import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError } from '../../../base/index.ts';
import { SECRET_BYTES, type SealingKey } from './envelope.ts';

/**
 * The file of root keys: what seals the keys that the store holds. It never goes into the store; all API servers of a store need the
 * same one. The first key seals, the others only open what they have sealed.
 *
 *     { "keys": [{ "id": "5c0f1b2a", "secret": "<32 bytes in base64>" }] }
 */
export class RootKeyError extends Error {
  override readonly name = 'RootKeyError';
}

/** The keys of the file; none when there is no file. Throws RootKeyError for a file that cannot be used. */
export async function readRootKeys(path: string): Promise<readonly SealingKey[]> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new RootKeyError(`${path} holds root keys and others may read it: chmod 600 ${path}`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof RootKeyError) throw error;
    throw new RootKeyError(`cannot read the root keys in ${path}: ${describeError(error)}`);
  }
  const keys = parse(text);
  if (keys === undefined) throw new RootKeyError(`${path} is no file of root keys`); // without a word of what is in it
  return keys;
}

function parse(text: string): SealingKey[] | undefined {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    if (!Array.isArray(keys) || keys.length === 0) return undefined;
    const found = (keys as unknown[]).map((key) => {
      const { id, secret } = key as Record<string, unknown>;
      const bytes = typeof secret === 'string' ? Buffer.from(secret, 'base64') : undefined;
      return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) && bytes?.length === SECRET_BYTES
        ? { id, secret: bytes }
        : undefined;
    });
    return found.every((key) => key !== undefined) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Makes the file with a new key, unless somebody else did so meanwhile; gives what is in it then. */
export async function makeRootKeys(path: string): Promise<readonly SealingKey[]> {
  const key = { id: randomBytes(4).toString('hex'), secret: randomBytes(SECRET_BYTES).toString('base64') };
  const fresh = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(fresh, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ keys: [key] }, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(fresh, 0o600);
    // A link, unlike a rename, leaves alone what is there.
    await link(fresh, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    throw new RootKeyError(`cannot make the file of root keys ${path}: ${describeError(error)}`);
  } finally {
    await unlink(fresh).catch(() => undefined);
  }
  return readRootKeys(path);
}
