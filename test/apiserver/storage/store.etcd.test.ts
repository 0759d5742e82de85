import t from 'tap';
import { createLogger, silentLogger, sleep, systemClock } from '../../../base/index.ts';
import { openEtcdStore } from '../../../apiserver/storage/etcd/index.ts';
import { startEtcd } from './etcd-process.ts';
import { storeContract } from './contract.ts';

const log =
  process.env['LOG'] === undefined
    ? silentLogger
    : createLogger({ write: (line) => process.stderr.write(line), level: 'debug', clock: systemClock });

/** An etcd for each test: the contract counts revisions. */
storeContract('etcd store', async () => {
  const etcd = await startEtcd();
  const store = await openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/orch/', log, clock: systemClock });
  return {
    store,
    passTime: (ms) => sleep(systemClock, ms),
    close: async () => {
      await store.close();
      await etcd.close();
    },
  };
});
