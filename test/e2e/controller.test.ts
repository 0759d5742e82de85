/** The controller of docs/controllers.md, run as its reader runs it: its kind, its process, its restart. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { defineKind, JobKind, LeaseKind, type AnyObject, type Job } from '../../openapi/index.ts';
import { Informer } from '../../client/index.ts';
import { startControlPlane } from '../framework/control-plane.ts';
import { Process, program, root } from '../framework/orchctl.ts';

interface Notification extends AnyObject {
  spec: { url: string; phases: string[] };
  status?: { told?: Record<string, string>; count?: number };
}
const NotificationKind = defineKind<Notification>({ group: 'example.com', version: 'v1', kind: 'Notification', listKind: 'NotificationList', plural: 'notifications', singular: 'notification', shortNames: [], namespaced: true }); // prettier-ignore

const job = (name: string): Job => ({
  metadata: { name, namespace: 'default' },
  spec: { groups: [{ name: 'web', tasks: [{ name: 'server', driver: 'raw_exec', config: { command: '/bin/true' } }] }] },
});

t.test('the controller of the tutorial', async (t) => {
  const { client, url, clock, log } = await startControlPlane(t);
  const folder = mkdtempSync(join(tmpdir(), 'orch-controller-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ORCH_ADDR: url };
  const orchctl = async (...args: string[]): Promise<string> => {
    const run = new Process(program, args, { env });
    const { code } = await run.ended;
    t.equal(code, 0, run.output);
    return run.output;
  };
  const heard: unknown[] = [];
  let deaf = 1;
  const listener = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => (text += part.toString()));
    request.on('end', () => {
      if (deaf-- > 0) response.writeHead(503).end();
      else {
        heard.push(JSON.parse(text));
        response.end();
      }
    });
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  t.teardown(() => listener.close());

  await orchctl('apply', '-f', join(root, 'examples/controllers/notifications.yaml'));
  const manifest = join(folder, 'me.yaml');
  const at = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
  writeFileSync(manifest, `apiVersion: example.com/v1\nkind: Notification\nmetadata: {name: me}\nspec: {url: "${at}"}\n`);
  await orchctl('apply', '-f', manifest);
  t.match(await orchctl('get', 'notify'), new RegExp(`me +${at} +\\["?dead`));
  for (const name of ['one', 'two']) await client.create(JobKind, job(name));
  const phase = (name: string, to: 'running' | 'dead') => client.patch(JobKind, name, 'default', { status: { phase: to } }, { subresource: 'status' }); // prettier-ignore
  await phase('one', 'dead');

  const informer = new Informer({ client, clock, log, kind: NotificationKind }).start();
  t.teardown(() => informer.close());
  const toldOf = (count: number) =>
    informer.until((cache) => cache.list().find(({ status }) => status?.count === count)?.status?.told, AbortSignal.timeout(20_000)); // prettier-ignore
  const start = (): Process => {
    const process = new Process(globalThis.process.execPath, [join(root, 'examples/controllers/notifier.mjs')], { env });
    t.teardown(() => process.kill('SIGKILL'));
    return process;
  };
  const first = start();
  t.same(await toldOf(1), { one: 'dead' });
  t.same(heard, [{ job: 'one', phase: 'dead', namespace: 'default' }]);
  t.match(first.output, /trying again/, 'who was deaf at first is told again');
  await phase('two', 'dead');
  t.same(await toldOf(2), { one: 'dead', two: 'dead' });
  await first.kill('SIGTERM');
  t.same(await first.ended, { code: 0, signal: null });

  await phase('one', 'running');
  const second = start();
  await informer.until((cache) => (cache.list()[0]?.status?.told?.['one'] === undefined ? true : undefined), AbortSignal.timeout(20_000)); // prettier-ignore
  await second.kill('SIGKILL');
  await second.ended;
  await client.delete(LeaseKind, 'notifier', 'orch-system');
  await phase('one', 'dead');
  start();
  t.same(await toldOf(3), { one: 'dead', two: 'dead' });
  t.equal(heard.length, 3, 'nobody is told twice');
});
