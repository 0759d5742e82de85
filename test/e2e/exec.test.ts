/** Commands in tasks, from a shell and from a terminal, through the built program to a real agent. */
import { existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
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
  const task = (name: string, more = ''): string => `task "${name}" {
    driver = "raw_exec"
    config {
      command = "sleep"
      args    = ["1000"]
    }
    resources {
      cpu    = 20
      memory = 20
    }
    ${more}
  }`;
  writeFileSync(
    join(box.dir, 'one.nomad'),
    `job "one" {\n  group "g" {\n    ${task(
      'main',
      `action "greet" {
      command = "sh"
      args    = ["-c", "cat; echo $0 to \${NOMAD_TASK_NAME}; exit 3", "hello"]
    }`,
    )}\n  }\n}\n`,
  );
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

  await t.test('actions of a job', async (t) => {
    t.match(await box.ok('job', 'action', '-job', 'one'), /Name +Task Group +Task +Command\ngreet +g +main +sh -c /);
    const greet = await box.run(process.execPath, [join(process.cwd(), 'dist/orchctl.cjs'), 'job', 'action', '-job=one', 'greet'], { input: 'well\n' }); // prettier-ignore
    t.match(greet, { code: 3, stdout: 'well\nhello to main\n' });
    t.match(await box.orchctl('job', 'action', '-allocation', one, 'great'), {
      code: 1,
      stderr: /no action "great"; there are greet/,
    });
    t.match(await box.orchctl('job', 'action', '-job', 'two', 'greet'), { code: 1, stderr: /no action "greet"; there are none/ });
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

  await t.test('cp', async (t) => {
    const tree = join(box.dir, 'tree');
    const long = `${'deep/'.repeat(30)}${'x'.repeat(120)}`;
    mkdirSync(join(tree, 'sub', long, '..'), { recursive: true });
    const much = Buffer.alloc(3_000_001, 'some bytes ');
    writeFileSync(join(tree, 'a file'), 'one\n', { mode: 0o755 });
    writeFileSync(join(tree, 'sub', 'much'), much);
    writeFileSync(join(tree, 'sub', long), 'far down');
    writeFileSync(join(tree, 'empty'), '');
    symlinkSync('/etc/passwd', join(tree, 'link'));
    t.match(await box.orchctl('cp', 'tree', `${one}:there`), { code: 0, stdout: /^Copied 4 files \(2\.9 MiB\) to there\n/ });
    t.match(await exec([one, 'sh', '-c', 'cat "there/a file"; test -x "there/a file" && readlink there/link']), {
      stdout: 'one\n/etc/passwd\n',
    });

    const back = await box.orchctl('cp', '-c', 'main', 'job/one:there', 'back');
    t.match(back, { code: 0, stdout: /^Copied 4 files/, stderr: 'Left out: link is a link to /etc/passwd\n' });
    t.ok(readFileSync(join(box.dir, 'back/sub/much')).equals(much), 'bytes are as they were');
    t.equal(readFileSync(join(box.dir, 'back/sub', long), 'utf8'), 'far down');
    t.notOk(existsSync(join(box.dir, 'back/link')));

    t.match(await box.orchctl('cp', 'tree/empty', `${one}:there`), { code: 0 }, 'into a folder that is there');
    t.match(await box.orchctl('cp', `${one}:there/a file`, 'back/'), { code: 0 });
    t.equal(readFileSync(join(box.dir, 'back/a file'), 'utf8'), 'one\n');
    symlinkSync('/nowhere', join(box.dir, 'trap'));
    t.match(await box.orchctl('cp', `${one}:there/a file`, 'trap'), { code: 1, stderr: /trap is a link/ });
    t.equal(readlinkSync(join(box.dir, 'trap')), '/nowhere');
    t.match(await box.orchctl('cp', `${one}:no/such`, 'x'), { code: 1, stderr: /no\/such|no: / });
    t.match(await box.orchctl('cp', 'no such', `${one}:x`), { code: 1, stderr: /There is no no such/ });
    t.match(await box.orchctl('cp', 'a', 'b'), { code: 1, stderr: /One of the two must be in a task/ });
  });

  await t.test('port-forward', async (t) => {
    writeFileSync(
      join(box.dir, 'web.nomad'),
      `job "web" {
  group "g" {
    network {
      port "http" {}
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "${process.execPath}"
        args = ["-e", "require('net').createServer({ allowHalfOpen: true }, (s) => { s.on('error', () => 0); s.pipe(s); }).listen(process.env.NOMAD_PORT_http, '127.0.0.1')"]
      }
      resources {
        cpu = 20
        memory = 100
      }
    }
  }
}
`,
    );
    await box.ok('job', 'run', '-detach', 'web.nomad');
    const web = await idOf('web');
    const forward = box.start('port-forward', 'job/web', ':http');
    const port = Number((await forward.says(/Forwarding from 127\.0\.0\.1:(\d+) -> http/))[1]);
    const echoed = (text: Buffer): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const parts: Buffer[] = [];
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        socket
          .on('data', (part) => parts.push(part))
          .on('end', () => resolve(Buffer.concat(parts)))
          .on('error', reject);
        socket.end(text);
      });
    const much = Buffer.alloc(5_000_000, 'back and forth ');
    await box.eventually('the task listens', async () => (await echoed(Buffer.from('x')).catch(() => undefined))?.length === 1);
    const answers = await Promise.all([echoed(much), echoed(Buffer.from('short')), echoed(Buffer.alloc(0))]);
    t.ok(answers[0].equals(much), 'all of it comes back, after this side has ended');
    t.same(answers.slice(1).map(String), ['short', '']);
    t.match(await box.orchctl('port-forward', web, ':ssh'), { code: 1, stderr: /no port "ssh"; it has http/ });
    t.match(await box.orchctl('port-forward', one, ':x'), { code: 1, stderr: /it has none/ });
    await forward.kill('SIGINT');
  });

  await t.test('variables reach the tasks of their paths, and changes follow', async (t) => {
    const template = (task: string, mode: string): string => `task "${task}" {
    driver = "raw_exec"
    config {
      command = "sh"
      args    = ["-c", "cat local/conf; trap 'cat local/conf' USR1; while :; do sleep 0.1; done"]
    }
    template {
      data          = "{{ with nomadVar \\"nomad/jobs/vars\\" }}${task} got {{ .password }}{{ end }}\\n"
      destination   = "local/conf"
      splay         = "0s"
      change_mode   = "${mode}"
      change_signal = "SIGUSR1"
    }
    resources {
      cpu    = 20
      memory = 20
    }
  }`;
    const spy = `group "spy" {
    restart {
      attempts = 0
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "spy" {
      driver = "raw_exec"
      config {
        command = "true"
      }
      template {
        data        = "{{ with nomadVar \\"nomad/jobs/vars\\" }}{{ .password }}{{ end }}"
        destination = "local/conf"
      }
    }
  }`;
    const job = (name: string, group: string): string => `job "${name}" {\n  ${group}\n}\n`;
    writeFileSync(join(box.dir, 'vars.nomad'), job('vars', `group "g" {\n    ${template('signalled', 'signal')}\n    ${template('restarted', 'restart')}\n  }`)); // prettier-ignore
    writeFileSync(join(box.dir, 'spy.nomad'), job('spy', spy));
    await box.ok('job', 'run', '-detach', 'vars.nomad');
    const [alloc] = await box.eventually('it is placed', async () => {
      const found = await allocations(client, 'vars');
      return found.length > 0 && found;
    });
    const id = alloc!.metadata.name;
    const status = async (): Promise<string> => (await box.orchctl('alloc', 'status', id)).stdout;
    await box.eventually('it waits for the variable', async () => (await status()).includes('Missing: nomad.var.block(nomad/jobs/vars@default.global)')); // prettier-ignore
    await box.ok('var', 'put', 'nomad/jobs/vars', 'password=first-canary');
    const logs = async (task: string): Promise<string> => (await box.orchctl('alloc', 'logs', '-task', task, id)).stdout;
    const printed = (task: string, text: string) =>
      box.eventually(`${task} prints ${text}`, async () => (await logs(task)).includes(`${task} got ${text}\n`));
    for (const name of ['signalled', 'restarted']) await printed(name, 'first-canary');
    await box.ok('var', 'put', '-force', 'nomad/jobs/vars', 'password=second-canary');
    for (const name of ['signalled', 'restarted']) await printed(name, 'second-canary');
    const told = await status();
    t.match(told, /Template re-rendered|re-rendered/);
    t.match(told, /Restart Signaled/);

    await box.ok('job', 'run', '-detach', 'spy.nomad');
    const seen = await box.eventually('the spy is refused', async () => {
      const [spy] = await allocations(client, 'spy');
      return spy?.status?.phase === 'failed' && JSON.stringify(spy.status);
    });
    t.match(seen, /may not be read by this task; it may read nomad\/jobs, nomad\/jobs\/spy, /);
    t.notMatch(told + seen + agent.output, /(first|second)-canary/, 'no value is in a status or a log of orch');
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
