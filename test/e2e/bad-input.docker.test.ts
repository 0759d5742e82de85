/** What a mistake shows: one clear error, the right exit code, nothing half done. */
import t from 'tap';
import { createServer } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AllocationKind, JobKind } from '../../openapi/index.ts';
import { freePorts, Sandbox, type Output } from '../framework/orchctl.ts';
import { settled } from './tour.ts';

// One test around all: between top-level tests that wait for something else, tap would take the file to be over.
await t.test('bad input', async (t) => {
  const [http, rpc] = await freePorts(2);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());

  const write = (name: string, text: string) => writeFile(join(box.dir, name), text);
  const all = ({ stdout, stderr }: Output): string => stdout + stderr;
  const job = (name: string, driver: string, config: string, more = ''): string => `job "${name}" {
  datacenters = ["dc1"]
  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    ${more}
    task "t" {
      driver = "${driver}"
      config {
        ${config}
      }
    }
  }
}
`;

  await t.test('no server', async (t) => {
    const result = await box.orchctl('status');
    t.equal(result.code, 1);
    t.equal(result.stdout, '');
    t.match(result.stderr, new RegExp(`127\\.0\\.0\\.1:${http}`), 'says where it looked');
    t.match(result.stderr, /orchctl agent -dev/, 'says how to start one');
  });

  const agent = box.start('agent', '-dev', `-http-port=${http}`, `-rpc-port=${rpc}`);
  await agent.says(/orch agent started!/);
  const client = box.client();
  t.teardown(() => client.close());
  const jobs = async () => (await client.list(JobKind, { namespace: 'default' })).items.length;

  await t.test('broken HCL: file, line, column, the line and what was expected', async (t) => {
    await write('broken.nomad', 'job "x" {\n  datacenters = ["dc1"\n  group "g" {\n  }\n}\n');
    const result = await box.orchctl('job', 'run', 'broken.nomad');
    t.equal(result.code, 1);
    t.match(all(result), /broken\.nomad:[23],\d+/);
    t.match(all(result), /\^/, 'a caret');
    t.equal(await jobs(), 0);
  });

  await t.test('an unknown field names the nearest one', async (t) => {
    await write('unknown.nomad', job('x', 'raw_exec', 'command = "true"', 'cuont = 2'));
    const result = await box.orchctl('job', 'run', 'unknown.nomad');
    t.equal(result.code, 1);
    t.match(all(result), /unknown\.nomad:12,\d+/);
    t.match(all(result), /cuont/);
    t.match(all(result), /count/);
    t.equal(await jobs(), 0);
  });

  await t.test('a wrong type', async (t) => {
    await write('type.nomad', job('x', 'raw_exec', 'command = "true"', 'count = "many"'));
    const result = await box.orchctl('job', 'run', 'type.nomad');
    t.equal(result.code, 1);
    t.match(all(result), /type\.nomad:12,\d+/);
    t.match(all(result), /number/);
    t.equal(await jobs(), 0);
  });

  await t.test('a job that breaks the rules names every broken one', async (t) => {
    await write(
      'rules.nomad',
      'job "x" {\n  priority = 500\n  group "g" {\n    count = -1\n    task "t" {\n      driver = "raw_exec"\n      config { command = "true" }\n    }\n  }\n}\n',
    );
    const result = await box.orchctl('job', 'run', 'rules.nomad');
    t.equal(result.code, 1);
    t.match(all(result), /priority/i);
    t.match(all(result), /count/i);
    t.equal(await jobs(), 0);
  });

  await t.test('a driver that no node has: placed nowhere, and the reason said', async (t) => {
    await write('driver.nomad', job('nodriver', 'firecracker', 'x = 1'));
    const result = await box.orchctl('job', 'run', 'driver.nomad');
    t.match(all(result), /failed to place 1 allocation/i);
    t.match(all(result), /missing drivers/);
    t.equal(result.code, 2, 'as the reference does for a blocked evaluation');
    t.match(await box.ok('status', 'nodriver'), /Placement Failure/);
    await box.ok('stop', '-purge', 'nodriver');
  });

  await t.test('a port in use: the second job waits and says why', async (t) => {
    const ports = 'network {\n port "p" {\n static = 25678\n }\n }';
    await write('one.nomad', job('one', 'raw_exec', 'command = "sleep"\nargs = ["600"]', ports));
    await write('two.nomad', job('two', 'raw_exec', 'command = "sleep"\nargs = ["600"]', ports));
    await box.ok('run', 'one.nomad');
    const result = await box.orchctl('run', 'two.nomad');
    t.match(all(result), /port collision/);
    t.equal((await client.list(AllocationKind, { namespace: 'default', fieldSelector: 'spec.jobName=two' })).items.length, 0);
    await box.ok('stop', 'one');
    await settled(box, client, 'two', 1);
    t.pass('it is placed once the port is free');
    await box.ok('stop', '-purge', 'two');
  });

  await t.test('a port that something else on the machine holds: the task fails and says so', async (t) => {
    const holder = createServer();
    const [port] = await freePorts(1);
    await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', () => resolve()));
    await write(
      'held.nomad',
      job(
        'held',
        'docker',
        'image = "redis:3.2"\nports = ["p"]',
        `network {\n port "p" {\n static = ${port}\n to = 6379\n }\n }`,
      ),
    );
    await box.orchctl('run', '-detach', 'held.nomad');
    const failed = await box.eventually('the failure', async () => {
      const { items } = await client.list(AllocationKind, { namespace: 'default', fieldSelector: 'spec.jobName=held' });
      return items.find((a) => a.status?.phase === 'failed');
    });
    t.match(JSON.stringify(failed.status!.tasks), /address already in use|port is already allocated|port.*in use/i);
    holder.close();
    await box.ok('stop', '-purge', 'held');
  });

  await t.test('an image that does not exist: the allocation fails and says so', async (t) => {
    await write('image.nomad', job('noimage', 'docker', 'image = "127.0.0.1:1/no/such:image"'));
    await box.orchctl('run', '-detach', 'image.nomad');
    const failed = await box.eventually('the failure', async () => {
      const { items } = await client.list(AllocationKind, { namespace: 'default', fieldSelector: 'spec.jobName=noimage' });
      return items.find((a) => a.status?.phase === 'failed');
    });
    t.match(await box.ok('alloc', 'status', failed.metadata.name.slice(0, 8)), /Driver Failure +.*no\/such:image/);
    await box.ok('stop', '-purge', 'noimage');
  });

  await t.test('a stale check-index is refused with the current one', async (t) => {
    await write('index.nomad', job('index', 'raw_exec', 'command = "sleep"\nargs = ["600"]'));
    await box.ok('run', '-check-index', '0', 'index.nomad');
    const { status } = await client.get(JobKind, 'index', 'default');
    const zero = await box.orchctl('run', '-check-index', '0', 'index.nomad');
    t.equal(zero.code, 1);
    t.match(zero.stderr, 'Enforcing job modify index 0: job already exists');
    const stale = await box.orchctl('run', '-check-index', String(status!.modifyIndex! - 1), 'index.nomad');
    t.equal(stale.code, 1);
    t.match(stale.stderr, `job exists with conflicting job modify index: ${status!.modifyIndex}\nJob not updated`);
    t.equal((await client.get(JobKind, 'index', 'default')).metadata.generation, 1);
  });

  await t.test('an ambiguous prefix lists what it matches', async (t) => {
    await write('index2.nomad', job('index2', 'raw_exec', 'command = "sleep"\nargs = ["600"]'));
    await box.ok('run', 'index2.nomad');
    const result = await box.orchctl('job', 'status', 'ind');
    t.equal(result.code, 1);
    t.match(all(result), /matched multiple jobs/);
    t.match(all(result), /^index +service/m);
    t.match(all(result), /^index2 +service/m);
    const none = await box.orchctl('alloc', 'status', 'ffffffff');
    t.equal(none.code, 1);
    t.match(all(none), /No allocation\(s\) with prefix or id "ffffffff" found/);
    await box.ok('stop', '-purge', 'index');
    await box.ok('stop', '-purge', 'index2');
  });

  await t.test('an unknown command, an unknown flag and a missing file', async (t) => {
    for (const args of [
      ['jbo', 'run'],
      ['job', 'run', '-no-such-flag', 'x.nomad'],
      ['job', 'run', 'no-such-file.nomad'],
    ]) {
      // prettier-ignore
      const result = await box.orchctl(...args);
      t.equal(result.code === 0, false, args.join(' '));
      t.not(all(result).trim(), '');
      t.notMatch(all(result), /at .*\(.*:\d+:\d+\)/, 'no stack trace');
    }
  });

  await t.test('an agent configuration with an unknown key', async (t) => {
    await write('bad.hcl', 'data_dir = "/tmp/x"\nsevrer {\n  enabled = true\n}\n');
    const result = await box.orchctl('agent', '-config=bad.hcl');
    t.equal(result.code, 1);
    t.match(all(result), /bad\.hcl:2,1/);
    t.match(all(result), /server/);
  });
});
