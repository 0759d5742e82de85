import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, silentLogger } from '../../../base/index.ts';
import { openEmbeddedStore } from '../../../apiserver/storage/embedded/index.ts';
import { storeContract } from './contract.ts';

storeContract('embedded store', async () => {
  const path = mkdtempSync(join(tmpdir(), 'orch-store-'));
  const clock = new ManualClock();
  const store = await openEmbeddedStore({ path, log: silentLogger, clock });
  return {
    store,
    passTime: async (ms) => clock.advance(ms),
    close: async () => {
      await store.close();
      rmSync(path, { recursive: true });
    },
  };
});
