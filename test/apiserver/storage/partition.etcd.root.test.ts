/**
 * Three members of etcd, each in a network of its own, that are cut off from each other and from the server while clients work. Everything
 * is in network namespaces of this test, itself too; nothing of the machine's own network is touched.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { openEtcdStore } from '../../../apiserver/storage/etcd/index.ts';
import { startCluster, type EtcdCluster } from './etcd-process.ts';
import { judge } from './faults.ts';
import type { Fault } from './history.ts';

const MEMBERS = [0, 1, 2];
const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
const addressOf = (member: number): string => `10.77.0.${member + 1}`;

if (process.argv[2] === '--inside') await runTests(process.argv[3]!);
else await runInside();

/** Makes the networks, and runs this file again in the one in the middle. */
async function runInside(): Promise<void> {
  const hub = `orch-part-${process.pid}`;
  const names = [hub, ...MEMBERS.map((member) => `${hub}-${member}`)];
  try {
    for (const name of names) ip('netns', 'add', name);
    for (const name of names) ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', hub, 'addr', 'add', '10.77.0.254/24', 'dev', 'br0');
    ip('-n', hub, 'link', 'set', 'br0', 'up');
    for (const member of MEMBERS) {
      const name = `${hub}-${member}`;
      ip('-n', hub, 'link', 'add', `m${member}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      ip('-n', hub, 'link', 'set', `m${member}`, 'master', 'br0', 'up');
      ip('-n', name, 'addr', 'add', `${addressOf(member)}/24`, 'dev', 'eth0');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
    }
    const child = spawn('ip', ['netns', 'exec', hub, process.execPath, '--enable-source-maps', fileURLToPath(import.meta.url), '--inside', hub], { stdio: 'inherit' }); // prettier-ignore
    const [code] = (await once(child, 'exit')) as [number | null];
    process.exitCode = code ?? 1;
  } finally {
    for (const name of names) {
      try {
        ip('netns', 'del', name);
      } catch {
        // it was not made
      }
    }
  }
}

async function runTests(hub: string): Promise<void> {
  const { default: t } = await import('tap');
  t.setTimeout(200_000);
  const cluster = await startCluster(3, {
    places: MEMBERS.map((member) => ({
      address: addressOf(member),
      command: ['ip', 'netns', 'exec', `${hub}-${member}`],
    })),
  });
  const store = await openEtcdStore({ endpoints: cluster.endpoints, prefix: '/orch', log: silentLogger, clock: systemClock });
  await t.test('etcd ×3: a history under partitions', async (t) => {
    await judge(t, 'partition', {
      operations: 6000,
      stores: [store],
      clients: 24,
      watchers: 4,
      faultEvery: 900,
      faults: partitions(hub, cluster),
    });
  });
  await store.close();
  await cluster.close();
}

/** Packets vanish where a route leads into a black hole: nobody is told. */
function partitions(hub: string, cluster: EtcdCluster): Fault[] {
  const some = (random: () => number): number => Math.floor(random() * MEMBERS.length);
  const during = async (holes: readonly [string, string][], random: () => number): Promise<void> => {
    for (const [namespace, to] of holes) ip('-n', namespace, 'route', 'add', 'blackhole', `${to}/32`);
    await new Promise((resolve) => setTimeout(resolve, 1000 + random() * 2500));
    for (const [namespace, to] of holes) ip('-n', namespace, 'route', 'del', 'blackhole', `${to}/32`);
    await cluster.healthy();
  };
  return [
    {
      name: 'a member loses the others',
      async run(random) {
        const lonely = some(random);
        const others = MEMBERS.filter((member) => member !== lonely);
        await during(others.map((other) => [`${hub}-${lonely}`, addressOf(other)]), random); // prettier-ignore
      },
    },
    {
      name: 'a member loses the others, one way',
      async run(random) {
        const lonely = some(random);
        const others = MEMBERS.filter((member) => member !== lonely);
        await during(others.map((other) => [`${hub}-${other}`, addressOf(lonely)]), random); // prettier-ignore
      },
    },
    {
      name: 'the server loses a member',
      async run(random) {
        await during([[hub, addressOf(some(random))]], random);
      },
    },
    {
      name: 'all members lose each other',
      async run(random) {
        await during(MEMBERS.flatMap((one) => MEMBERS.filter((other) => other !== one).map((other): [string, string] => [`${hub}-${one}`, addressOf(other)])), random); // prettier-ignore
      },
    },
  ];
}
