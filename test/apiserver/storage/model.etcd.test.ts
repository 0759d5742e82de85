/** Random histories of the store in etcd: members and servers are killed and stopped under many clients. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { openEtcdStore } from '../../../apiserver/storage/etcd/index.ts';
import { startCluster, type EtcdCluster } from './etcd-process.ts';
import { judge } from './faults.ts';
import type { Fault } from './history.ts';
import { RemoteStore, serveStore, type Where } from './remote.ts';

t.setTimeout(230_000);

if (process.argv[2] === '--store') await serveStore(JSON.parse(process.argv[3]!) as Where);
else runTests();

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const one = <T>(items: readonly T[], random: () => number): T => items[Math.floor(random() * items.length)]!;

function memberFaults(cluster: EtcdCluster): Fault[] {
  return [
    {
      name: 'kill -9 of a member',
      async run(random) {
        const member = one(cluster.members, random);
        await member.kill();
        await pause(random() * 500);
        await member.start();
        await cluster.healthy();
      },
    },
    {
      name: 'a member stops for a while',
      async run(random) {
        const member = one(cluster.members, random);
        member.pause();
        await pause(random() * 1000);
        member.resume();
        await cluster.healthy();
      },
    },
  ];
}

function runTests(): void {
  for (const size of [1, 3]) {
    t.test(`etcd ×${size}: a history under kill -9 of members and servers`, async (t) => {
      const cluster = await startCluster(size);
      t.teardown(() => cluster.close());
      const where = { endpoints: cluster.endpoints, prefix: '/orch' };
      const store = await openEtcdStore({ ...where, log: silentLogger, clock: systemClock });
      t.teardown(() => store.close());
      const server = new RemoteStore(fileURLToPath(import.meta.url), where);
      await server.start();
      t.teardown(() => server.kill());
      await judge(t, `etcd ×${size}`, {
        stores: [store, server],
        clients: 32,
        watchers: 4,
        faultEvery: size === 1 ? 1200 : 1500,
        faults: [
          ...memberFaults(cluster),
          {
            name: 'kill -9 of a server',
            async run() {
              await server.kill();
              await server.start();
            },
          },
          ...(size === 1
            ? []
            : [
                {
                  name: 'kill -9 of most members',
                  async run(random: () => number) {
                    const spared = one(cluster.members, random);
                    const killed = cluster.members.filter((member) => member !== spared);
                    await Promise.all(killed.map((member) => member.kill()));
                    await pause(random() * 500);
                    for (const member of killed) await member.start();
                    await cluster.healthy();
                  },
                },
              ]),
        ],
      });
    });
  }
}
