/** `npm start` on a machine with nothing but Node: to healthy, the URL, what to try next, and nothing left behind. */
import t from 'tap';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Process, program } from '../framework/orchctl.ts';

const root = join(dirname(program), '..');

await t.test('npm start', async (t) => {
  // No Docker on this PATH, and nothing else but Node and a shell; what it writes is easily found.
  const written = mkdtempSync(join(tmpdir(), 'orch-start-'));
  t.teardown(() => rmSync(written, { recursive: true, force: true }));
  const env = {
    PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(':'),
    DOCKER_HOST: 'unix:///nonexistent',
    TMPDIR: written,
  };
  const start = (command = process.execPath, args = ['scripts/start.mjs']): Process => {
    const process = new Process(command, args, { cwd: root, env });
    t.teardown(() => process.kill('SIGKILL'));
    return process;
  };

  await t.test('leads to a healthy job, twice at the same time, and Ctrl-C ends everything', async (t) => {
    const both = [start(), start()];
    const urls = await Promise.all(
      both.map(async (one) => {
        const [, url] = await one.says(/hello is healthy after .*: (http:\S+)/, 120_000);
        await one.says(/Ctrl-C stops the cluster/);
        t.match(one.output, /Evaluation triggered by job "hello"/);
        t.match(one.output, /Deployment completed successfully/);
        t.ok((one.output.match(/^ {4}.*orchctl(?:\.cjs)? \w+/gm) ?? []).length >= 3, 'three commands to try');
        t.equal(await (await fetch(url!)).text(), 'Hello from hello.web[0]\n');
        return url!;
      }),
    );
    const [first, second] = both.map(({ output }) => /Started a cluster on (\S+)/.exec(output)![1]!);
    t.not(first, second, 'each has an address of its own');
    t.ok(
      both.every(
        ({ output }, i) => [first, second][i]!.endsWith(':4646') || output.includes(`ORCH_ADDR=${[first, second][i]!} `),
      ),
      'and says how it is reached',
    );
    for (const [i, one] of both.entries()) {
      await one.kill('SIGINT');
      t.same(await one.ended, { code: 0, signal: null });
      await t.rejects(fetch(urls[i]!), 'the task is gone');
    }
    t.same(readdirSync(written), [], 'and so is what it wrote');
  });

  await t.test('ends in order when nobody reads on', async (t) => {
    const piped = start('sh', [
      '-c',
      `exec 3>&1; { '${process.execPath}' scripts/start.mjs; echo "ended with $?" >&3; } | head -2`,
    ]);
    await piped.says(/ended with 0/, 120_000);
    t.same(await piped.ended, { code: 0, signal: null });
    t.same(readdirSync(written), []);
  });
});
