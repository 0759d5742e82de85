import t from 'tap';
import {
  ApiError, backoff, createLogger, LogRing, readLogQuery, derivedUuid, describeError, formatDuration, isReason, ManualClock, parseDuration, sleep, systemClock, toTimestamp,
} from '../../base/index.ts'; // prettier-ignore

t.test('durations are read and written as Go does', (t) => {
  const cases: [string, number, string][] = [
    ['10s', 10_000, '10s'],
    ['1h30m', 5_400_000, '1h30m0s'],
    ['1.5s', 1_500, '1.5s'],
    ['250ms', 250, '250ms'],
    ['15us', 0.015, '15µs'],
    ['100ns', 0.0001, '100ns'],
    ['0', 0, '0s'],
    ['-1m', -60_000, '-1m0s'],
    ['2d', 172_800_000, '48h0m0s'],
    ['.5h', 1_800_000, '30m0s'],
  ];
  for (const [text, ms, written] of cases) {
    t.ok(Math.abs(parseDuration(text)! - ms) < 1e-9, text);
    t.equal(formatDuration(ms), written, written);
  }
  for (const bad of ['', '10', 's', '1x', '1h 2m', '--1s', '1s2', 'ten seconds'])
    t.equal(parseDuration(bad), undefined, JSON.stringify(bad));
  t.equal(parseDuration(1_000_000_000), 1_000, 'numbers are nanoseconds');
  t.end();
});

t.test('a manual clock fires timers in the order of their instants, each at its own', (t) => {
  const clock = new ManualClock(0);
  const fired: [string, number][] = [];
  clock.after(20, () => fired.push(['b', clock.now()]));
  clock.after(10, () => {
    fired.push(['a', clock.now()]);
    clock.after(5, () => fired.push(['a+5', clock.now()]));
  });
  clock.after(15, () => fired.push(['never', clock.now()])).cancel();
  clock.advance(30);
  t.same(fired, [['a', 10], ['a+5', 15], ['b', 20]]); // prettier-ignore
  t.equal(clock.now(), 30);
  t.end();
});

t.test('a sleep ends with its signal', async (t) => {
  const end = new AbortController();
  const done = sleep(new ManualClock(), 1_000, end.signal);
  end.abort();
  await done;
  await sleep(systemClock, 10_000, AbortSignal.abort());
  t.pass('both ended at once');
});

t.test('the same parts give the same UUID, others another', (t) => {
  const a = derivedUuid('job', 1);
  t.match(a, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(a, derivedUuid('job', 1));
  t.not(a, derivedUuid('job1'));
  t.not(derivedUuid('a', 'bc'), derivedUuid('ab', 'c'));
  t.end();
});

t.test('backoff doubles up to its ceiling and keeps above half of it', (t) => {
  t.equal(
    backoff(0, 100, 1_000, () => 1),
    100,
  );
  t.equal(
    backoff(2, 100, 1_000, () => 1),
    400,
  );
  t.equal(
    backoff(10, 100, 1_000, () => 1),
    1_000,
  );
  t.equal(
    backoff(10, 100, 1_000, () => 0),
    500,
  );
  t.end();
});

t.test('an error crosses the wire and comes back the same', (t) => {
  const error = new ApiError('Conflict', 'stale', { name: 'x' });
  const back = ApiError.fromStatus(JSON.parse(JSON.stringify(error.toStatus())), 409);
  t.match(back, { reason: 'Conflict', code: 409, message: 'stale', details: { name: 'x' } });
  t.ok(isReason(back, 'NotFound', 'Conflict'));
  t.equal(ApiError.fromStatus('<html>', 404).reason, 'NotFound', 'what is no Status becomes the nearest reason');
  t.equal(describeError(new Error('start task', { cause: new Error('pull image') })), 'start task: pull image');
  t.end();
});

t.test('a log line is a message and fields, as text or JSON, from its level on', (t) => {
  const clock = new ManualClock(Date.UTC(2026, 0, 2));
  const lines: string[] = [];
  const log = createLogger({ write: (l) => lines.push(l), level: 'info', clock }).child('agent', { node: 'n1' });
  log.debug('not shown');
  log.info('task started', { task: 'a b', error: new Error('x'), none: undefined });
  t.same(lines, [`${toTimestamp(clock.now())} [INFO]  agent: task started: node=n1 task="a b" error=x\n`]);
  const json: string[] = [];
  createLogger({ write: (l) => json.push(l), level: 'info', clock, json: true }).warn('w', { n: 1 });
  t.same(JSON.parse(json[0]!), { time: toTimestamp(clock.now()), level: 'warn', name: '', message: 'w', n: 1 });
  t.end();
});

t.test('a ring keeps the last lines of a log and hands on those to come, at the level of who listens', async (t) => {
  const clock = new ManualClock(Date.UTC(2026, 0, 2));
  const written: string[] = [];
  const ring = new LogRing('info');
  const log = createLogger({ write: (l) => written.push(l), level: 'info', clock, tap: ring });
  const read = async (query: string): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of ring.lines(readLogQuery(new URLSearchParams(query), clock), new AbortController().signal))
      lines.push(line);
    return lines.map((line) => line.split('  ')[1] ?? line);
  };
  for (let i = 0; i < 2_500; i++) log.info(`n${i}`);
  log.debug('not kept');
  log.warn('w', { long: 'x'.repeat(5_000) });
  t.equal((await read('')).length, 2_000, 'the newest of them');
  t.same((await read('level=warn')).length, 1);
  t.ok((await read('level=warn&format=json'))[0]!.length < 2_200, 'what is long is cut');
  t.same((await read('tail=0')).length, 0);
  clock.advance(60_000);
  log.info('later');
  t.same(await read('since=30s'), ['later\n']);

  t.notOk(log.isEnabled('debug'));
  const stop = new AbortController();
  const follower = ring.lines(readLogQuery(new URLSearchParams('level=debug&follow=true&tail=1'), clock), stop.signal);
  t.match((await follower.next()).value, /later/);
  const next = follower.next();
  t.ok(log.isEnabled('debug'), 'somebody listens');
  log.trace('below');
  log.debug('now', { error: new Error('x') });
  t.match((await next).value, /\[DEBUG\] now: error=x\n/);
  t.notOk(
    written.some((line) => line.includes('now')),
    'what is written is as before',
  );
  for (let i = 0; i < 3_000; i++) log.debug(`fast ${i}`);
  const behind = [(await follower.next()).value, (await follower.next()).value];
  t.match(behind, [/\.\.\. 1000 lines were left out/, /fast 0/]);
  stop.abort();
  for (let left = await follower.next(); left.done !== true;) left = await follower.next();
  t.notOk(log.isEnabled('debug'));
  for (const bad of ['level=loud', 'format=xml', 'follow=maybe', 'tail=-1', 'since=soon'])
    t.throws(() => readLogQuery(new URLSearchParams(bad), clock), /must be/);
});
