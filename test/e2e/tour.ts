/**
 * The tour that every way of running orch must pass: a job file's life from `job init` to `stop`, with real containers, told by
 * the command line and checked against the API and the engine.
 */
import type { Test } from 'tap';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AllocationKind, type Allocation, type Stored } from '../../openapi/index.ts';
import type { Client } from '../../client/index.ts';
import { root, type Sandbox } from '../framework/orchctl.ts';

const id = '[0-9a-f]{8}';
const time = '[-0-9]{10}T[0-9:]{8}(?:Z|[-+][0-9:]{5})';

/** Allocations of the job, oldest first. */
export async function allocations(client: Client, job: string): Promise<Stored<Allocation>[]> {
  const list = await client.list(AllocationKind, { namespace: 'default', fieldSelector: `spec.jobName=${job}` });
  return list.items.sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion));
}

export const isLive = (a: Allocation): boolean =>
  a.spec.desired === 'run' && !['complete', 'failed', 'lost'].includes(a.status?.phase ?? 'pending');
export const isRunning = (a: Allocation): boolean => a.status?.phase === 'running';

/** Docker's containers of the job's allocations that run. */
export async function containers(box: Sandbox, client: Client, job: string): Promise<string[]> {
  return containersOf(box, await allocations(client, job));
}

/** The same without a server, which need not run: `<id> <name> <image>` of each. Others may use the engine as well. */
export async function containersOf(box: Sandbox, allocs: readonly Stored<Allocation>[]): Promise<string[]> {
  const { stdout } = await box.run('docker', ['ps', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Image}}']);
  return stdout.split('\n').filter((line) => allocs.some(({ metadata }) => line.includes(metadata.name)));
}

/** Waits until every allocation of the job that is wanted runs, and there are `count` of them. */
export function settled(box: Sandbox, client: Client, job: string, count: number): Promise<Stored<Allocation>[]> {
  return box.eventually(`${count} running allocations of ${job}`, async () => {
    const live = (await allocations(client, job)).filter((a) => a.spec.desired === 'run');
    return live.length === count && live.every(isRunning) && live;
  });
}

/** Waits until the job's newest deployment has this status, in the words of `job status`. */
export function deployed(box: Sandbox, job: string, status: string, ms = 120_000): Promise<string> {
  return box.eventually(`deployment of ${job} ${status}`, async () => {
    const text = await box.ok('job', 'status', job);
    return new RegExp(`Latest Deployment\\nID +=.*\\nStatus +=\\s${status}\\n`).test(text) && text;
  }, ms); // prettier-ignore
}

/** Follows the job's allocations and remembers the fewest that ran, and the most that were wanted, at any moment. */
export function follow(client: Client, job: string, revision: string): { stop: () => Promise<{ fewest: number; most: number }> } {
  const controller = new AbortController();
  const now = new Map<string, Allocation>();
  let fewest = Infinity;
  let most = 0;
  const done = (async () => {
    let initial = true;
    const options = { namespace: 'default', fieldSelector: `spec.jobName=${job}` };
    for (const a of (await client.list(AllocationKind, options)).items) now.set(a.metadata.name, a);
    for await (const { type, object } of client.watch(AllocationKind, {
      ...options,
      resourceVersion: revision,
      signal: controller.signal,
    })) {
      if (type === 'BOOKMARK') continue;
      if (type === 'DELETED') now.delete(object.metadata.name);
      else now.set(object.metadata.name, object);
      const all = [...now.values()];
      if (initial) initial = false;
      fewest = Math.min(fewest, all.filter((a) => isRunning(a) && a.spec.desired === 'run').length);
      most = Math.max(most, all.filter(isLive).length);
    }
  })();
  return {
    stop: async () => {
      controller.abort();
      await done.catch(() => undefined);
      return { fewest, most };
    },
  };
}

/** Walks the tour on a running cluster. `minHealthy` shortens the wait between the phases of a rollout. */
export async function tour(t: Test, box: Sandbox, options: { minHealthy?: string } = {}): Promise<void> {
  const client = box.client();
  const file = join(box.dir, 'example.nomad');
  const edit = async (from: string | RegExp, to: string): Promise<void> => {
    const before = await readFile(file, 'utf8');
    const after = before.replace(from, to);
    if (after === before) throw new Error(`the job file has no ${String(from)}`);
    await writeFile(file, after);
  };

  await t.test('job init writes an example, and never over a file', async (t) => {
    t.match(await box.ok('job', 'init'), /^Example job file written to example\.nomad\n$/);
    const again = await box.orchctl('job', 'init');
    t.equal(again.code, 1);
    t.match(again.stdout + again.stderr, /already exists/);
    const example = await readFile(join(root, 'test/e2e/example.nomad'), 'utf8'); // the form that job files had for years
    await writeFile(file, options.minHealthy === undefined ? example : example.replace('"10s"', `"${options.minHealthy}"`));
  });

  await t.test('job run places one allocation and redis answers', async (t) => {
    t.match(await box.ok('job', 'validate', 'example.nomad'), /Job validation successful/);
    const output = await box.ok('job', 'run', 'example.nomad');
    t.match(output, new RegExp(`==> ${time}: Monitoring evaluation "${id}"`));
    t.match(output, /Evaluation triggered by job "example"/);
    t.match(output, new RegExp(`Allocation "${id}" created: node "${id}", group "cache"`));
    t.match(output, new RegExp(`Evaluation within deployment: "${id}"`));
    t.match(output, /Evaluation status changed: "pending" -> "complete"/);
    t.match(output, new RegExp(`==> ${time}: Evaluation "${id}" finished with status "complete"`));
    const [alloc] = await settled(box, client, 'example', 1);
    t.equal(alloc!.spec.name, 'example.cache[0]');

    const port = alloc!.spec.resources!.ports![0]!;
    t.equal(port.label, 'db');
    const pong = await box.run('docker', ['exec', `redis-${alloc!.metadata.name}`, 'redis-cli', 'ping']);
    t.match(pong.stdout, /PONG/, 'inside the container');
    const { connect } = await import('node:net');
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port.value, port.hostIP, () => socket.write('PING\r\n'));
      socket.once('data', (d) => (socket.destroy(), resolve(d.toString())));
      socket.once('error', reject);
    });
    t.equal(answer, '+PONG\r\n', 'through the published port');

    const inspect = JSON.parse((await box.run('docker', ['inspect', `redis-${alloc!.metadata.name}`])).stdout)[0];
    t.equal(inspect.HostConfig.CpuShares, 500);
    t.equal(inspect.HostConfig.Memory, 256 * 1024 * 1024);
    t.ok(inspect.HostConfig.PortBindings['6379/tcp'] && inspect.HostConfig.PortBindings['6379/udp'], 'published for tcp and udp');
    for (const target of ['/alloc', '/local', '/secrets'])
      t.ok(
        inspect.Mounts.some((m: { Destination: string }) => m.Destination === target),
        target,
      );
    for (const name of ['NOMAD_ALLOC_ID', 'NOMAD_JOB_NAME', 'NOMAD_ADDR_db', 'NOMAD_MEMORY_LIMIT'])
      t.ok(
        inspect.Config.Env.some((e: string) => e.startsWith(`${name}=`)),
        name,
      );
  });

  await t.test('status, alloc status and logs say what runs', async (t) => {
    const text = await deployed(box, 'example', 'successful');
    t.match(text, /^ID +=\sexample$/m);
    t.match(text, /^Status +=\srunning$/m);
    t.match(text, /^Task Group  Queued  Starting  Running  Failed  Complete  Lost\ncache +0 +0 +1 +0 +0 +0$/m);
    t.match(text, /^Description =\sDeployment completed successfully$/m);
    const [alloc] = await settled(box, client, 'example', 1);
    const short = alloc!.metadata.name.slice(0, 8);
    t.match(await box.ok('status', 'example'), /^ID +=\sexample$/m, 'the short form finds the job');
    const detail = await box.ok('alloc', 'status', short);
    for (const line of [
      /^Name +=\sexample\.cache\[0\]$/m,
      /^Client Status +=\srunning$/m,
      /^Deployment Health +=\shealthy$/m,
      /^Task "redis" is "running"$/m,
    ])
      t.match(detail, line);
    t.match(detail, /Started +Task started by client/);
    t.match(detail, /Task Setup +Building Task Directory/);
    t.match(detail, /Received +Task received by client/);
    t.match(await box.ok('alloc', 'logs', short), /ready to accept connections/i);
    t.match(await box.ok('logs', short, 'redis'), /ready to accept connections/i);
    t.match(await box.ok('node', 'status'), /^ID +DC +Name +Class +Drain +Eligibility +Status$/m);
    t.match(await box.ok('server', 'members'), /alive/);
  });

  await t.test('plan count 3 and run it with -check-index', async (t) => {
    await edit('count = 1', 'count = 3');
    const plan = await box.orchctl('job', 'plan', 'example.nomad');
    t.equal(plan.code, 1, 'something would be created');
    t.match(
      plan.stdout,
      '+/- Job: "example"\n+/- Task Group: "cache" (2 create, 1 in-place update)\n  +/- Count: "1" => "3" (forces create)\n      Task: "redis"\n',
    );
    t.match(plan.stdout, 'Scheduler dry-run:\n- All tasks successfully allocated.\n');
    const index = /Job Modify Index: (\d+)/.exec(plan.stdout)![1]!;
    t.match(plan.stdout, `orchctl job run -check-index ${index} example.nomad`);

    const stale = await box.orchctl('job', 'run', '-check-index', String(Number(index) - 1), 'example.nomad');
    t.equal(stale.code, 1, 'a stale index is refused');
    t.match(stale.stdout + stale.stderr, new RegExp(`index ${index}|${index}`));
    t.equal((await allocations(client, 'example')).length, 1, 'and nothing is changed');

    const output = await box.ok('job', 'run', '-check-index', index, 'example.nomad');
    t.equal(output.match(/Allocation "[0-9a-f]{8}" created/g)?.length, 2);
    t.equal(output.match(/Allocation "[0-9a-f]{8}" modified/g)?.length, 1);
    await settled(box, client, 'example', 3);
    await deployed(box, 'example', 'successful');
    t.equal((await containers(box, client, 'example')).length, 3);
    const again = await box.ok('job', 'run', 'example.nomad');
    t.notMatch(again, /created/, 'the same file again creates nothing');
  });

  await t.test('a new image rolls out in three phases, never more than one down', async (t) => {
    await edit('redis:3.2', 'redis:4.0');
    const plan = await box.orchctl('plan', 'example.nomad');
    t.equal(plan.code, 1);
    t.match(
      plan.stdout,
      '+/- Task Group: "cache" (1 create/destroy update, 2 ignore)\n  +/- Task: "redis" (forces create/destroy update)\n',
    );
    t.match(plan.stdout, '+/- image:           "redis:3.2" => "redis:4.0"\n');
    t.match(plan.stdout, 'port_map[0][db]: "6379"\n');
    const { metadata } = await client.list(AllocationKind, { namespace: 'default' });
    const watch = follow(client, 'example', metadata.resourceVersion);
    t.match(await box.ok('run', 'example.nomad'), /created/);
    await deployed(box, 'example', 'successful');
    const { fewest, most } = await watch.stop();
    t.ok(fewest >= 2, `at least 2 ran at every moment (${fewest})`);
    t.ok(most <= 3, `at most 3 were wanted at every moment (${most})`);
    const running = await containers(box, client, 'example');
    t.equal(running.length, 3);
    t.ok(running.every((line) => line.endsWith('redis:4.0')), 'all run the new image'); // prettier-ignore
  });

  await t.test('a killed container is restarted by the restart policy', async (t) => {
    const [line] = await containers(box, client, 'example');
    const [container, name] = line!.split(' ');
    const alloc = name!.replace('redis-', '');
    await box.run('docker', ['kill', container!]);
    const detail = await box.eventually('the restart', async () => {
      const text = await box.ok('alloc', 'status', alloc.slice(0, 8));
      return /^Total Restarts = 1$/m.test(text) && /is "running"/.test(text) && text;
    });
    t.match(detail, /Terminated +Exit Code: 137/);
    t.match(detail, /Restarting +Task restarting in /);
    t.equal((await containers(box, client, 'example')).length, 3);
    t.equal(
      (await allocations(client, 'example')).filter((a) => a.spec.desired === 'run').length,
      3,
      'on the same node, by the same allocation',
    );
  });

  await t.test('scale down and up keeps the lowest indexes', async (t) => {
    await box.ok('job', 'scale', 'example', 'cache', '2');
    const live = await settled(box, client, 'example', 2);
    t.same(live.map((a) => a.spec.index).sort(), [0, 1]);
  });

  await t.test('stop leaves nothing, and plan would create it again', async (t) => {
    t.match(await box.ok('job', 'stop', 'example'), /finished with status "complete"/);
    await box.eventually('no container', async () => (await containers(box, client, 'example')).length === 0);
    t.match(await box.ok('status', 'example'), /^Status +=\sdead \(stopped\)$/m);
    const plan = await box.orchctl('job', 'plan', 'example.nomad');
    t.equal(plan.code, 1);
    t.match(plan.stdout, /^\+\/- Stop: +"true" => "false"$/m);
    t.match(plan.stdout, /Task Group: "cache" \(3 create\)/);
    await box.ok('job', 'stop', '-purge', 'example');
    await box.eventually('the job is gone', async () => (await client.find({ group: 'orch.dev', version: 'v1', kind: 'Job', listKind: 'JobList', plural: 'jobs', singular: 'job', shortNames: [], namespaced: true, apiVersion: 'orch.dev/v1' }, 'example', 'default')) === undefined); // prettier-ignore
  });
  client.close();
}
