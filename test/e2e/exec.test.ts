/** Commands in tasks, from a shell and from a terminal, through the built program to a real agent. */
import { existsSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { freePorts, Sandbox } from '../framework/orchctl.ts';
import { allocations, isRunning } from './tour.ts';

await t.test('alloc exec', async (t) => {
  const [http, rpc] = await freePorts(2);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());
  const agent = box.start('agent', '-dev', `-http-port=${http}`, `-rpc-port=${rpc}`);
  await agent.says(/started|ready|running/i);
  const client = box.client();
  t.teardown(() => client.close());
  const task = (name: string): string => `task "${name}" {
    driver = "raw_exec"
    config {
      command = "sleep"
      args    = ["1000"]
    }
    resources {
      cpu    = 20
      memory = 20
    }
  }`;
  writeFileSync(join(box.dir, 'one.nomad'), `job "one" {\n  group "g" {\n    ${task('main')}\n  }\n}\n`);
  writeFileSync(join(box.dir, 'two.nomad'), `job "two" {\n  group "g" {\n    ${task('a')}\n    ${task('b')}\n  }\n}\n`);
  await box.eventually('the agent is there', async () => (await box.orchctl('node', 'status')).stdout.includes('ready'));
  for (const job of ['one', 'two']) await box.ok('job', 'run', '-detach', `${job}.nomad`);
  const idOf = (job: string): Promise<string> =>
    box.eventually(`${job} runs`, async () => {
      const [alloc] = await allocations(client, job);
      return alloc !== undefined && isRunning(alloc) && alloc.metadata.name;
    });
  const [one, two] = [await idOf('one'), await idOf('two')];
  const exec = (args: readonly string[], input = '') =>
    box.run(process.execPath, [join(process.cwd(), 'dist/orchctl.cjs'), 'alloc', 'exec', ...args], { input });

  await t.test('input, both outputs and the exit code', async (t) => {
    t.same(await exec([one.slice(0, 8), 'sh', '-c', 'cat; echo oops >&2; exit 7'], 'hello\n'), {
      code: 7,
      stdout: 'hello\n',
      stderr: 'oops\n',
    });
    const much = 'x'.repeat(79).concat('\n').repeat(20_000);
    const { code, stdout } = await exec([one, 'cat'], much);
    t.equal(code, 0);
    t.ok(stdout === much, 'large inputs and outputs arrive whole');
    t.same(await box.orchctl('exec', '-i=false', one, '--', 'sh', '-c', 'cat; echo "$0 $*"', 'a', '-t', '--', '-x'), {
      code: 0,
      stdout: 'a -t -- -x\n',
      stderr: '',
    });
    t.match(await exec(['-job', 'one', 'echo', 'of a job']), { code: 0, stdout: 'of a job\n' });
    t.match(await exec(['-task', 'b', two, 'sh', '-c', 'echo $NOMAD_TASK_NAME']), { code: 0, stdout: 'b\n' });
  });

  await t.test('what cannot be run', async (t) => {
    t.match(await exec([two, 'true']), { code: 1, stderr: / \* a\n \* b\n\nPlease specify the task/ });
    t.match(await exec([one, '/no/such/program']), { code: /^(1|12[67])$/, stderr: /no\/such\/program/ });
  });

  await t.test('on a terminal', { skip: !existsSync('/usr/bin/script') && 'needs script of util-linux' }, async (t) => {
    const onTerminal = (command: string, input: string) =>
      box.run('/usr/bin/script', ['-qec', `stty rows 33 cols 101; '${process.execPath}' dist/orchctl.cjs ${command}; code=$?; stty -a; exit $code`, '/dev/null'], { input, cwd: process.cwd() }); // prettier-ignore
    const typed = await onTerminal(`alloc exec ${one} sh -c 'until stty size | grep -v ^0; do sleep 0.1; done; read line; echo "got $line"; exit 9'`, 'words\n'); // prettier-ignore
    t.match(typed, { code: 9, stdout: /33 101\r\n[^]*got words/ });
    t.match(typed.stdout, /\sopost [^]* icanon [^]* echo /, 'the terminal is as it was');
    const left = await onTerminal(`alloc exec ${one} sleep 1000`, '\n~.');
    t.match(left, { code: 1, stdout: /The session was ended\.[^]* icanon/ });
  });

  await t.test('the server goes away in the middle', async (t) => {
    const between = new Set<Socket>();
    const relay = createServer((near) => {
      const far = connect(http!, '127.0.0.1');
      for (const socket of [near, far]) between.add(socket.on('error', () => undefined));
      near.pipe(far).pipe(near);
    });
    t.teardown(() => relay.close());
    await new Promise<void>((done) => relay.listen(0, '127.0.0.1', done));
    const { port } = relay.address() as AddressInfo;
    const session = box.start('alloc', 'exec', `-address=http://127.0.0.1:${port}`, one, 'sh', '-c', 'echo begun; sleep 1000');
    await session.says(/begun/);
    for (const socket of between) socket.destroy();
    t.match(await session.ended, { code: 1 });
    t.match(session.output, /The session was cut off/);
  });
});
