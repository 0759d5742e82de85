import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toTimestamp } from '../../../base/index.ts';
import { MOVED_FILE } from '../embedded/index.ts';
import { markMoved } from '../etcd/origin.ts';
import type { Place } from './load.ts';

/** Marks a store that was moved elsewhere, so that no server goes on with it by mistake. */
export async function setAside(place: Place, where: string): Promise<void> {
  if ('path' in place)
    writeFileSync(join(place.path, MOVED_FILE), `to ${where}, ${toTimestamp(place.clock.now())}\n`, { flush: true }); // prettier-ignore
  else await markMoved(place, `to ${where}`);
}
