/** `npm start` on a machine with nothing but Node: to healthy, the URL, what to try next, and nothing left behind. */
import t from 'tap';
import { dirname, join } from 'node:path';
import { Process, program } from '../framework/orchctl.ts';

const root = join(dirname(program), '..');

await t.test('from npm start to a healthy job, and Ctrl-C', async (t) => {
  // No Docker on this PATH, and nothing else but Node and a shell.
  const path = [dirname(process.execPath), '/usr/bin', '/bin'].join(':');
  const start = new Process(process.execPath, ['scripts/start.mjs'], {
    cwd: root,
    env: { PATH: path, DOCKER_HOST: 'unix:///nonexistent' },
  });
  t.teardown(() => start.kill('SIGKILL'));
  const [, url] = await start.says(/hello is healthy after .*: (http:\S+)/, 120_000);
  await start.says(/Ctrl-C stops the cluster/);
  t.match(start.output, /Evaluation triggered by job "hello"/);
  t.match(start.output, /Deployment completed successfully/);
  t.equal((start.output.match(/^ {4}.*orchctl(?:\.cjs)? \w+/gm) ?? []).length >= 3, true, 'three commands to try');
  t.equal(await (await fetch(url!)).text(), 'Hello from hello.web[0]\n');
  const [, log] = await start.says(/log: (\S+?)\)/);

  await start.kill('SIGINT');
  t.same(await start.ended, { code: 0, signal: null });
  await t.rejects(fetch(url!), 'the task is gone');
  const { existsSync } = await import('node:fs');
  t.notOk(existsSync(log!), 'and so is what it wrote');
});
