import t from 'tap';
import { toTimestamp, type Instant } from '../../base/index.ts';
import { JobKind, childJob, type Job, type PeriodicConfig, type PeriodicLaunches, type Stored } from '../../openapi/index.ts';
import { launchesBetween, nextLaunch } from '../../openapi/launch/schedule.ts';
import { startControllers } from '../../controllers/index.ts';
import { decide, type Plan } from '../../controllers/periodic/decide.ts';
import { startControlPlane } from '../framework/control-plane.ts';
import { job, NOW } from './builders.ts';

const MINUTE = 60_000;
const config = { catchUp: MINUTE };
const every5 = { cron: '*/5 * * * *', timeZone: 'UTC' };

function parent(periodic: PeriodicConfig, launches: PeriodicLaunches = {}, more: { stop?: boolean; submitted?: Instant } = {}) {
  const { stop = false, submitted = NOW - 3600_000 } = more;
  return job({ type: 'batch', periodic, stop }, { submittedAt: toTimestamp(submitted), periodic: launches });
}
const child = (of: Stored<Job>, at: Instant, phase: 'running' | 'dead' = 'running'): Stored<Job> => {
  const made = childJob(of, `web/periodic-${at / 1000}`);
  return { ...job(made.spec, { phase }), metadata: { ...job().metadata, name: made.metadata.name!, uid: `${at}` } };
};
const seen = ({ launch, status, wakeAt, remove }: Plan): string =>
  [
    launch === undefined ? undefined : `launch ${launch.spec.id} (${launch.metadata.name})`,
    status.lastLaunch !== undefined && `last ${(Date.parse(status.lastLaunch) - NOW) / 1000}`,
    status.lastSkipped !== undefined && `skipped ${(Date.parse(status.lastSkipped) - NOW) / 1000}`,
    wakeAt !== undefined && `wake ${(wakeAt - NOW) / 1000}`,
    remove.length > 0 && `remove ${remove.map(({ metadata }) => metadata.name).join(' ')}`,
  ]
    .filter((part) => typeof part === 'string')
    .join(', ');
const last = (seconds: number): PeriodicLaunches => ({ lastLaunch: toTimestamp(NOW + seconds * 1000) });
const S = NOW / 1000;

t.test('what is launched when', async (t) => {
  const web = parent(every5);
  const cases: [string, Stored<Job>, Stored<Job>[], Instant, string][] = [
    ['not due yet', parent(every5, last(0)), [], NOW + 1000, 'last 0, wake 300'],
    ['new: counted from its submission', parent(every5, {}, { submitted: NOW + 1000 }), [], NOW + 2000, 'last 1, wake 300'],
    ['due', parent(every5, last(0)), [], NOW + 300_000, `launch web/periodic-${S + 300} (web:periodic-${S + 300}), last 300, wake 600`],
    ['due, and launched by a leader that crashed', parent(every5, last(0)), [child(web, NOW + 300_000)], NOW + 300_000, 'last 300, wake 600'],
    ['missed by less than a minute', parent(every5, last(0)), [], NOW + 330_000, `launch web/periodic-${S + 300} (web:periodic-${S + 300}), last 300, wake 600`],
    ['of a long break only the newest', parent(every5, last(0)), [], NOW + 3750_000, `launch web/periodic-${S + 3600} (web:periodic-${S + 3600}), last 3600, wake 3900`],
    ['every launch of the last minute, one by one', parent({ cron: '*/10 * * * * *' }, last(0)), [], NOW + 25_000, `launch web/periodic-${S + 10} (web:periodic-${S + 10}), last 10, wake 20`],
    ['several expressions', parent({ crons: ['*/5 * * * *', '2 * * * *'] }, last(0)), [], NOW + 1000, 'last 0, wake 120'],
    ['a child still runs', parent(every5, last(0)), [child(web, NOW)], NOW + 300_000, `launch web/periodic-${S + 300} (web:periodic-${S + 300}), last 300, wake 600`],
    ['a child still runs and must not be overlapped', parent({ ...every5, prohibitOverlap: true }, last(0)), [child(web, NOW)], NOW + 300_000, 'last 300, skipped 300, wake 600'],
    ['the child has ended', parent({ ...every5, prohibitOverlap: true }, last(0)), [child(web, NOW, 'dead')], NOW + 300_000, `launch web/periodic-${S + 300} (web:periodic-${S + 300}), last 300, wake 600`],
    ['stopped', parent(every5, last(0), { stop: true }), [], NOW + 300_000, 'last 0'],
    ['disabled', parent({ ...every5, enabled: false }, last(0)), [], NOW + 300_000, 'last 0'],
    ['a changed schedule counts from its submission', parent(every5, last(-900), { submitted: NOW - 1000 }), [], NOW + 1000, `launch web/periodic-${S} (web:periodic-${S}), last 0, wake 300`],
    ['far ahead', parent({ cron: '0 0 1 1 *' }, last(0)), [], NOW + 1000, 'last 0, wake 3601'],
    ['history', parent({ ...every5, historyLimit: 1 }, last(0)), [child(web, NOW - 900_000, 'dead'), child(web, NOW - 600_000, 'dead'), child(web, NOW - 300_000)], NOW + 1000, `last 0, wake 300, remove web:periodic-${S - 900}`],
  ]; // prettier-ignore
  for (const [title, parent, children, now, expected] of cases)
    t.equal(seen(decide({ job: parent, children }, config, now)), expected, title);
});

t.test('exactly once per instant, however often and by whomever it is decided', async (t) => {
  let of = parent({ cron: '*/10 * * * * *' }, last(0));
  const launched: string[] = [];
  for (let now = NOW; now <= NOW + 120_000; now += 3700) {
    // A leader may decide again before it sees what it wrote, and leaders may be away for a while.
    if (now > NOW + 40_000 && now < NOW + 75_000) continue;
    for (let plan = decide({ job: of, children: [] }, config, now); plan.launch !== undefined;) {
      launched.push(plan.launch.metadata.name!);
      of = parent({ cron: '*/10 * * * * *' }, plan.status);
      plan = decide({ job: of, children: [] }, config, now);
    }
  }
  const due = Array.from({ length: 11 }, (_, i) => `web:periodic-${S + 10 * (i + 1)}`);
  t.same(launched, due);
});

t.test('daylight saving', async (t) => {
  const berlin = (cron: string): PeriodicConfig => ({ cron, timeZone: 'Europe/Berlin' });
  const between = (periodic: PeriodicConfig, from: string, to: string): string[] => launchesBetween(periodic, Date.parse(from), Date.parse(to), 100).map((at) => new Date(at).toISOString().slice(5, 16)); // prettier-ignore
  t.same(between(berlin('30 2 * * *'), '2026-03-28T12:00Z', '2026-03-30T12:00Z'), ['03-29T01:00', '03-30T00:30'], 'the hour that is left out: at its end'); // prettier-ignore
  t.same(between(berlin('30 2 * * *'), '2026-10-24T12:00Z', '2026-10-26T12:00Z'), ['10-25T00:30', '10-26T01:30'], 'the hour that comes twice: once'); // prettier-ignore
  t.equal(between(berlin('0 * * * *'), '2026-10-25T00:00Z', '2026-10-25T06:00Z').length, 6, 'every hour: every hour');
  t.equal(nextLaunch({ cron: '0 0 30 2 *' }, NOW), undefined, 'never');
});

t.test('on a server: children, force and dispatch', async (t) => {
  const plane = await startControlPlane(t);
  const { client, informers } = plane;
  const controllers = [await startControllers({ ...plane, names: ['periodic', 'job'], identity: 'a' })];
  controllers.push(await startControllers({ ...plane, names: ['periodic', 'job'], identity: 'b' }));
  t.teardown(() => Promise.all(controllers.map((one) => one.close())));
  const tasks = [{ name: 'main', driver: 'raw_exec', config: { command: '/bin/true' } }];
  const make = (name: string, spec: Partial<Job['spec']>): Promise<Stored<Job>> =>
    client.create(JobKind, { metadata: { name, namespace: 'default' }, spec: { type: 'batch', groups: [{ name: 'app', tasks }], ...spec } }); // prettier-ignore
  const post = (name: string, how: string, body: object = {}): Promise<Stored<Job>> =>
    client.json('POST', `/apis/orch.dev/v1/namespaces/default/jobs/${name}/${how}`, { body });
  const jobs = informers.of(JobKind);
  const where = (claim: (job: Stored<Job>) => boolean): Promise<Stored<Job>> =>
    jobs.until((cache) => cache.list().find(claim), AbortSignal.timeout(15_000));
  const children = (of: string): number[] => jobs.list().filter(({ spec }) => spec.parentID === of && spec.dispatched !== true).map(({ spec }) => Number(spec.id!.split('-').at(-1))); // prettier-ignore

  await make('tick', { periodic: { cron: '* * * * * *', historyLimit: 3 } });
  const first = await where(({ spec }) => spec.parentID === 'tick');
  t.match(first, { metadata: { name: /^tick:periodic-\d+$/, ownerReferences: [{ kind: 'Job', name: 'tick' }] }, spec: { id: /^tick\/periodic-\d+$/, type: 'batch' } }); // prettier-ignore
  t.notOk(first.spec.periodic, 'a child is not periodic itself');
  await controllers[0]!.close();
  const at = children('tick').length;
  await jobs.until(() => (children('tick').length >= at + 2 ? true : undefined), AbortSignal.timeout(15_000));
  const launched = children('tick').sort((a, b) => a - b);
  t.same(launched, Array.from({ length: launched.length }, (_, i) => launched[0]! + i), 'every second once, also when another one takes over'); // prettier-ignore
  await client.patch(JobKind, 'tick', 'default', { spec: { stop: true } });
  t.match(await where(({ metadata, status }) => metadata.name === 'tick' && status?.phase === 'dead'), { status: { children: { pending: /\d/ } } }); // prettier-ignore

  await make('night', { periodic: { cron: '0 3 * * *' } });
  t.match(await post('night', 'launch'), { spec: { parentID: 'night', id: /^night\/periodic-\d+$/ } });
  await t.rejects(post('tick', 'launch'), { message: /job "tick" is stopped/ });

  const parameterized = { payload: 'optional', metaRequired: ['user'], metaOptional: ['mode'] };
  await make('encode', { parameterized, meta: { mode: 'slow' }, groups: [{ name: 'app', tasks: [{ ...tasks[0]!, dispatchPayload: { file: 'in.json' } }] }] }); // prettier-ignore
  const dispatched = await post('encode', 'dispatch', { payload: 'aGk=', meta: { user: 'ann' } });
  t.match(dispatched, { metadata: { name: /^encode:dispatch-\d+-[0-9a-f]{8}$/ }, spec: { parentID: 'encode', dispatched: true, payload: 'aGk=', meta: { user: 'ann', mode: 'slow' } } }); // prettier-ignore
  t.notOk(dispatched.spec.parameterized);
  const refused: [object, RegExp][] = [
    [{}, /did not provide required meta keys: \[user\]/],
    [{ meta: { user: 'x', size: '1' } }, /unpermitted metadata keys: \[size\]/],
    [{ meta: { user: 'x' }, payload: Buffer.alloc(16_385).toString('base64') }, /Payload exceeds maximum size; 16385 > 16384/],
    [{ meta: { user: 'x' }, payload: '?' }, /payload must be base64/],
    [{ meta: { user: 'x' }, paylod: '' }, /unknown field "paylod"/],
  ];
  for (const [body, message] of refused) await t.rejects(post('encode', 'dispatch', body), { message });
  await t.rejects(post('night', 'dispatch'), { message: /"night" is not a parameterized job/ });
  const token = { meta: { user: 'ann' }, idempotencyToken: 'order 7' };
  const twice = await Promise.all([post('encode', 'dispatch', token), post('encode', 'dispatch', token)]);
  t.equal(twice[0].metadata.uid, twice[1].metadata.uid, 'the same token makes one job');
});
