/**
 * One server and three clients on one machine, from configuration files as users of Nomad write them: spreading, the death of a
 * client, of the server and of an agent, and a drain.
 */
import t from 'tap';
import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeKind, type Allocation } from '../../openapi/index.ts';
import { freePorts, Sandbox, type Process } from '../framework/orchctl.ts';
import { allocations, containers, deployed, settled } from './tour.ts';

// One test around all: between top-level tests that wait for something else, tap would take the file to be over.
await t.test('a cluster of one server and three clients', async (t) => {
  const [http, rpc, serf, ...client] = await freePorts(12);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());
  const api = box.client();
  t.teardown(() => api.close());

  const common = `
bind_addr = "127.0.0.1"
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
`;
  await writeFile(
    join(box.dir, 'server.hcl'),
    `data_dir = "${box.dir}/server"
${common}
server {
  enabled          = true
  bootstrap_expect = 1
  heartbeat_grace  = "5s"
}
ports {
  http = ${http}
  rpc  = ${rpc}
  serf = ${serf}
}
`,
  );
  for (const n of [1, 2, 3]) {
    await writeFile(
      join(box.dir, `client-${n}.hcl`),
      `data_dir = "${box.dir}/client-${n}"
name = "client${n}"
${common}
client {
  enabled = true
  servers = ["127.0.0.1:${rpc}"]
}
ports {
  http = ${client[n * 3 - 3]}
  rpc  = ${client[n * 3 - 2]}
  serf = ${client[n * 3 - 1]}
}
`,
    );
  }

  const startServer = async (): Promise<Process> => {
    const server = box.start('agent', '-config=server.hcl');
    await server.says(/orch agent started!/);
    return server;
  };
  let server = await startServer();
  const agents = new Map<string, Process>();
  for (const n of [1, 2, 3]) agents.set(`client${n}`, box.start('agent', `-config=${box.dir}/client-${n}.hcl`));

  const nodes = async () => (await api.list(NodeKind)).items;
  const readyNodes = (count: number, ms = 60_000) =>
    box.eventually(
      `${count} ready nodes`,
      async () => (await nodes()).filter((n) => n.status?.phase === 'ready').length === count,
      ms,
    );

  /** The containers of the job, as `docker ps` shows them: ID, name, image. */
  const running = async () => (await containers(box, api, 'example')).sort();
  /** Those of them that still run; asks nobody but the engine. */
  const stillRunning = async (before: readonly string[]) => {
    const { stdout } = await box.run('docker', ['ps', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Image}}']);
    return before.filter((line) => stdout.split('\n').includes(line));
  };

  await t.test('three clients join', async (t) => {
    await readyNodes(3);
    const text = await box.ok('node', 'status');
    for (const name of agents.keys())
      t.match(text, new RegExp(`^[0-9a-f]{8} +dc1 +${name} +<none> +false +eligible +ready$`, 'm'));
    t.match(await box.ok('server', 'members'), /alive +true/);
  });

  await t.test('count 3 spreads over the clients', async (t) => {
    const example = await readFile(new URL('../../../examples/example.nomad', import.meta.url), 'utf8');
    await writeFile(join(box.dir, 'example.nomad'), example.replace('count = 1', 'count = 3').replace('"10s"', '"2s"'));
    await box.ok('job', 'run', 'example.nomad');
    const live = await settled(box, api, 'example', 3);
    t.equal(new Set(live.map((a) => a.spec.nodeName)).size, 3);
    await deployed(box, 'example', 'successful');
  });

  await t.test('the server is killed and comes back: no task stops', async (t) => {
    const before = await running();
    await server.kill('SIGKILL');
    await agents.get('client2')!.kill('SIGKILL');
    agents.set('client2', box.start('agent', `-config=${box.dir}/client-2.hcl`));
    await agents.get('client2')!.says(/orch agent started!/);
    t.same(await stillRunning(before), before, 'while it is away, although an agent began anew');
    server = await startServer();
    await readyNodes(3);
    await settled(box, api, 'example', 3);
    t.same(await running(), before, 'after it came back');
    const since = Date.now();
    t.notMatch(await box.ok('job', 'run', 'example.nomad'), /created/);
    t.ok(Date.now() - since < 10_000, 'it works on at once: the terms of its predecessor are not waited for');
  });

  await t.test('an agent is killed and comes back: no task restarts', async (t) => {
    const before = await running();
    await agents.get('client1')!.kill('SIGKILL');
    agents.set('client1', box.start('agent', `-config=${box.dir}/client-1.hcl`));
    await agents.get('client1')!.says(/orch agent started!/);
    await readyNodes(3);
    await settled(box, api, 'example', 3);
    t.same(await running(), before);
    for (const a of await allocations(api, 'example')) t.equal(a.status?.tasks?.[0]?.restarts ?? 0, 0);

    await agents.get('client2')!.kill('SIGTERM');
    agents.set('client2', box.start('agent', `-config=${box.dir}/client-2.hcl`));
    await agents.get('client2')!.says(/orch agent started!/);
    await settled(box, api, 'example', 3);
    t.same(await running(), before, 'nor when it is stopped in the ordinary way');
  });

  await t.test('a container that ends while its agent is away is noticed', async (t) => {
    const [line, ...others] = await running();
    const [container, name] = line!.split(' ');
    const alloc = (await allocations(api, 'example')).find((a) => name!.includes(a.metadata.name))!;
    const node = (await nodes()).find((n) => n.metadata.name === alloc.spec.nodeName)!.spec.name!;
    await agents.get(node)!.kill('SIGKILL');
    await box.run('docker', ['kill', container!]);
    agents.set(node, box.start('agent', `-config=${box.dir}/client-${node.slice(-1)}.hcl`));
    const detail = await box.eventually('the restart', async () => {
      const text = await box.ok('alloc', 'status', alloc.metadata.name.slice(0, 8));
      return /^Total Restarts = 1$/m.test(text) && /is "running"/.test(text) && text;
    });
    t.match(detail, /Terminated +Exit Code: 137/);
    t.same(await stillRunning(others), others, 'nothing else was touched');
  });

  await t.test('a client dies: its allocation is replaced elsewhere', async (t) => {
    await readyNodes(3);
    await settled(box, api, 'example', 3);
    const events = (await nodes()).flatMap((n) => n.status?.events?.map((e) => e.message) ?? []);
    t.notOk(events.includes('Node heartbeat missed'), 'no node was given up until now');
    t.equal((await allocations(api, 'example')).length, 3, 'and nothing was replaced');
    const dead = (await nodes()).find((n) => n.spec.name === 'client3')!;
    await agents.get('client3')!.kill('SIGKILL');
    await box.eventually(
      'the node is down',
      async () => (await nodes()).find((n) => n.spec.name === 'client3')?.status?.phase === 'down',
    );
    const isLost = (a: Allocation): boolean => a.status?.phase === 'lost';
    await box.eventually('it lost something', async () => (await allocations(api, 'example')).some(isLost));
    const live = await settled(box, api, 'example', 3);
    t.notOk(live.some((a) => a.spec.nodeName === dead.metadata.name));
    const lost = (await allocations(api, 'example')).filter(isLost);
    t.equal(lost.length, 1);
    t.equal(lost[0]!.spec.desired, 'stop');
    t.match(await box.ok('job', 'status', 'example'), /^cache +0 +0 +3 +0 +0 +1$/m);
  });

  await t.test('it returns and stops what was replaced', async (t) => {
    agents.set('client3', box.start('agent', `-config=${box.dir}/client-3.hcl`));
    await readyNodes(3);
    await box.eventually('three containers', async () => (await containers(box, api, 'example')).length === 3);
    t.equal((await settled(box, api, 'example', 3)).length, 3);
  });

  await t.test('a drain moves everything away, one at a time', async (t) => {
    const node = (await nodes()).find((n) => n.spec.name === 'client1')!;
    const output = await box.ok('node', 'drain', '-enable', '-y', '-m', 'maintenance', node.metadata.name.slice(0, 8));
    t.match(output, /drain complete/i);
    const live = await settled(box, api, 'example', 3);
    t.notOk(live.some((a) => a.spec.nodeName === node.metadata.name));
    t.match(await box.ok('node', 'status'), /client1 +<none> +false +ineligible +ready/);
    await box.ok('node', 'eligibility', '-enable', node.metadata.name.slice(0, 8));
    t.match(await box.ok('node', 'status'), /client1 +<none> +false +eligible +ready/);
  });

  await t.test('stopping the job leaves no container', async () => {
    await box.ok('stop', '-purge', 'example');
    await box.eventually('no container', async () => (await containers(box, api, 'example')).length === 0);
  });
});
