/** The tour on `orchctl agent -dev`, then hello.nomad of the seeds, and the end of the agent. */
import t from 'tap';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, Sandbox } from '../framework/orchctl.ts';
import { containers, settled, tour } from './tour.ts';

// One test around all: between top-level tests that wait for something else, tap would take the file to be over.
await t.test('everything in one process', async (t) => {
  const [http, rpc] = await freePorts(2);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());

  const agent = box.start('agent', '-dev', `-http-port=${http}`, `-rpc-port=${rpc}`);
  await agent.says(/orch agent started!/);

  await t.test('the tour', (t) => tour(t, box));

  await t.test('an http server on a static port answers', async (t) => {
    const client = box.client();
    await writeFile(
      join(box.dir, 'hello.nomad'),
      `job "hello" {
       datacenters = ["dc1"]
       group "example" {
         task "server" {
           driver = "docker"
           config {
             image = "hashicorp/http-echo"
             args  = ["-listen", ":5678", "-text", "hello"]
           }
           resources {
             memory = 128
             network {
               mbits = 10
               port "http" { static = "5678" }
             }
           }
         }
       }
     }`,
    );
    t.match(await box.ok('run', 'hello.nomad'), /finished with status "complete"/);
    const [alloc] = await settled(box, client, 'hello', 1);
    const port = alloc!.spec.resources!.ports![0]!;
    t.equal(port.value, 5678);
    const answer = await fetch(`http://${port.hostIP}:5678/`);
    t.equal((await answer.text()).trim(), 'hello');
    t.match(await box.ok('job', 'status'), /^hello +service +50 +running/m);
    t.match(await box.ok('alloc', 'status', alloc!.metadata.name.slice(0, 8)), /http: [\d.]+:5678/);
    client.close();
  });

  await t.test('Ctrl-C ends the agent and its tasks', async (t) => {
    const client = box.client();
    const before = await containers(box, client, 'hello');
    t.equal(before.length, 1);
    client.close();
    await agent.kill('SIGINT');
    t.match(agent.output, /Caught signal: interrupt/i);
    const { stdout } = await box.run('docker', ['ps', '-a', '--format', '{{.ID}}']);
    t.notMatch(stdout, before[0]!.split(' ')[0]!, 'the container is gone');
    const refused = await box.orchctl('status');
    t.equal(refused.code, 1);
    t.match(refused.stderr, /connect|reach/i);
  });
});
