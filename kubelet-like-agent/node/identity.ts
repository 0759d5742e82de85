import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uuid } from '../../base/index.ts';
import { writeAtomically } from '../state/store.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The node's ID, made once and kept in the data directory: whoever has the directory is the node. */
export async function nodeIdentity(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const path = join(dataDir, 'node-id');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text !== undefined) {
    const id = text.trim();
    // A new ID would orphan everything that runs here, so a damaged file is for a person to look at.
    if (!UUID.test(id)) throw new Error(`${path} does not hold a node ID: ${JSON.stringify(id.slice(0, 80))}`);
    return id;
  }
  const id = uuid();
  await writeAtomically(path, `${id}\n`);
  return id;
}
