/** What an agent says when it cannot start: one sentence, in terms of what the user set. */
import t from 'tap';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Started } from '../../bin/started.ts';
import { program } from '../framework/orchctl.ts';

await t.test('an agent that cannot start', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'orch-refused-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'file');
  writeFileSync(file, '');
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;

  const free = ['-http-port=29431', '-rpc-port=29432'];
  const cases: [title: string, args: string[], says: RegExp][] = [
    ['a configuration that is not there', ['agent', '-config=/none.hcl'], /^\/none\.hcl: there is no such file$/m],
    ['a data_dir that is a file', ['agent', '-dev', `-data-dir=${file}`, ...free], /cannot keep state in \S+: \S+ is a file\./],
    ['a data_dir below a file', ['agent', '-dev', `-data-dir=${file}/x`, ...free], /a part of the path is a file\./],
    ['a data_dir that cannot be', ['agent', '-dev', '-data-dir=/proc/x', ...free], /no folder can be made there\./],
    ['an API server there', ['apiserver', '-data-dir=/proc/x', '-listen=29431'], /no folder can be made there\./],
    ['one port for two', ['agent', '-dev', '-http-port=29431', '-rpc-port=29431'], /both 29431: a server needs two/],
    [
      'a port in use',
      ['agent', '-dev', `-http-port=${port}`, '-rpc-port=29432'],
      new RegExp(`127\\.0\\.0\\.1:${port} is in use, .*\nTry -http-port=\\d+ \\(in a file: ports, http = \\d+\\)`),
    ],
    ['the port of an API server', ['apiserver', `-data-dir=${dir}/a`, `-listen=${port}`], /is in use, .*\nTry -listen=\d+\.$/m],
  ];
  for (const [title, args, says] of cases) {
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
      cwd: dir,
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...process.env, TMPDIR: dir },
    });
    t.equal(status, 1, title);
    t.match(stderr, says, title);
    t.notMatch(stderr, /^ +at /m, `${title}: no stack`);
  }
  t.notOk(existsSync('/proc/x'));
  t.same(readdirSync(dir).filter((name) => name.startsWith('orch-dev-')), [], 'temporary folders are removed'); // prettier-ignore

  await t.test('closes what it had started', async (t) => {
    const closed: string[] = [];
    const failing = Started.or((started) => {
      started.add('store', (part) => void closed.push(part));
      started.add('server', () => Promise.reject(new Error('and it does not close')));
      started.add('controllers', async (part) => void closed.push(part));
      throw new Error('no membership');
    });
    await t.rejects(failing, { message: 'no membership' });
    t.same(closed, ['controllers', 'store'], 'in the reverse order, also when one of them fails');
  });
});
