import { ApiError } from '../../base/index.ts';
import { badRequest } from '../registry/errors.ts';
import type { SealedStore } from '../storage/sealed/index.ts';

/** The keys that variables are sealed by: their names and states, never what they are. */

export async function listKeys(sealed: SealedStore): Promise<object> {
  return { kind: 'KeyringStatus', apiVersion: 'orch.dev/v1', keys: await sealed.keys() };
}

export async function rotateKeys(sealed: SealedStore, full: boolean): Promise<object> {
  await sealed.rotate(full);
  return listKeys(sealed);
}

export async function removeKey(sealed: SealedStore, id: string): Promise<object> {
  switch (await sealed.removeKey(id)) {
    case 'missing':
      throw new ApiError('NotFound', `there is no key ${JSON.stringify(id)}`);
    case 'active':
      throw badRequest(`the key ${id} is active: rotate first`);
    case 'used':
      throw badRequest(`variables are sealed by the key ${id}: rotate with "full" first`);
    case 'removed':
      return listKeys(sealed);
  }
}
