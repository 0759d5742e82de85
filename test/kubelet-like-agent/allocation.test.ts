/** Allocations on a machine that runs nothing, on a clock that stands still: what is started, told, and left after a crash. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:net';
import t from 'tap';
import { ManualClock, silentLogger } from '../../base/index.ts';
import type { BatchOperation } from '../../client/index.ts';
import type {
  Allocation,
  AllocationStatus,
  CheckStatus,
  JobSpec,
  ServiceRegistration,
  Stored,
  Task,
  TaskGroup,
} from '../../openapi/index.ts';
import { AllocationDirs, SecretMounts } from '../../kubelet-like-agent/allocation/dirs.ts';
import type { CatalogEntry } from '../../kubelet-like-agent/hooks/template/index.ts';
import type { AllocationRecord } from '../../kubelet-like-agent/allocation/record.ts';
import { AllocationRunner, type AllocationHost } from '../../kubelet-like-agent/allocation/runner.ts';
import { agentDefaults } from '../../kubelet-like-agent/config.ts';
import type { Driver } from '../../kubelet-like-agent/drivers/driver.ts';
import { ServiceBook } from '../../kubelet-like-agent/services/book.ts';
import type { StartCheck } from '../../kubelet-like-agent/services/checks.ts';
import { JsonFolder } from '../../kubelet-like-agent/state/store.ts';
import { Outbox } from '../../kubelet-like-agent/status/outbox.ts';
import { FakeMachine, fakeDriver, until, type FakeOptions } from './fake-driver.ts';

const dir = await mkdtemp(join(tmpdir(), 'orch-agent-'));
t.teardown(() => rm(dir, { recursive: true, force: true }));

/** A store of API objects that an outbox writes to. */
class FakeServer {
  readonly statuses = new Map<string, AllocationStatus>();
  readonly services = new Map<string, ServiceRegistration>();
  readonly history: string[] = [];
  batches = 0;
  down = false;

  async send(operations: readonly BatchOperation[]) {
    this.batches++;
    if (this.down) throw new Error('connection refused');
    return { revision: String(this.batches), results: operations.map((o) => this.#apply(o)) };
  }

  #apply(operation: BatchOperation): { code: number; resourceVersion: string } {
    const resourceVersion = String(this.batches);
    const ok = { code: 200, resourceVersion };
    switch (operation.operation) {
      case 'create': {
        const object = operation.object as ServiceRegistration;
        if (this.services.has(object.metadata.name!)) return { code: 409, resourceVersion };
        this.services.set(object.metadata.name!, object);
        this.history.push(`+${object.spec.serviceName}`);
        return ok;
      }
      case 'delete':
        this.history.push(`-${this.services.get(operation.name)?.spec.serviceName}`);
        return this.services.delete(operation.name) ? ok : { code: 404, resourceVersion };
      case 'patch': {
        const patch = operation.patch as { status?: object; spec?: object };
        if (operation.kind === 'Allocation') {
          this.statuses.set(operation.name, patch.status as AllocationStatus);
          this.history.push((patch.status as AllocationStatus).phase!);
          return ok;
        }
        const service = this.services.get(operation.name);
        if (service === undefined) return { code: 404, resourceVersion };
        if (patch.status !== undefined)
          this.history.push(`${service.spec.serviceName}=${(patch.status as { phase: string }).phase}`);
        this.services.set(operation.name, { ...service, ...(patch as object) });
        return ok;
      }
    }
  }
}

let serial = 0;

function world(options: {
  group: Partial<TaskGroup>;
  spec?: Partial<Allocation['spec']>;
  driver?: Partial<FakeOptions>;
  meta?: Record<string, string>;
}) {
  const clock = new ManualClock();
  const machine = new FakeMachine(clock);
  const server = new FakeServer();
  const id = `00000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`;
  const group: TaskGroup = { name: 'g', ...options.group };
  const job: JobSpec = { id: 'web', type: options.spec?.jobType ?? 'service', groups: [group] };
  const allocation: Stored<Allocation> = {
    apiVersion: 'orch.dev/v1', kind: 'Allocation',
    metadata: { name: id, namespace: 'default', uid: `uid-${id}`, resourceVersion: '1', creationTimestamp: '', generation: 1 },
    spec: { jobName: 'web', jobUID: 'u', jobVersion: 0, jobType: 'service', group: 'g', name: 'web.g[0]', index: 0, nodeName: 'n', desired: 'run', ...options.spec },
  }; // prettier-ignore
  const checks: { name: string; tell: (phase: CheckStatus['phase'], output?: string) => void; closed: boolean }[] = [];
  const startCheck: StartCheck = ({ check, onResult }) => {
    let status: CheckStatus = { name: check.name!, phase: 'pending' };
    const entry = {
      name: check.name!,
      closed: false,
      tell: (phase: CheckStatus['phase'], output = '') => {
        const changed = status.phase !== phase;
        status = { ...status, phase, output };
        onResult({ ...status, output }, changed);
      },
    };
    checks.push(entry);
    return { get status() { return status; }, close: () => Promise.resolve(void (entry.closed = true)) }; // prettier-ignore
  };
  const outbox = new Outbox({ send: (o) => server.send(o), clock, log: silentLogger, random: () => 0 });
  const finished: string[] = [];
  const catalog = { entries: undefined as CatalogEntry[] | undefined, listeners: new Set<() => void>() };
  const driver: Driver = fakeDriver({ machine, ...options.driver });
  const host = (more: Partial<AllocationHost> = {}): AllocationHost => ({
    clock, log: silentLogger, random: () => 0, bootId: 'boot-1', outbox, startCheck,
    config: { ...agentDefaults, dataDir: dir, version: '0', hostVolumes: { data: { path: '/srv/data', readOnly: true } } },
    node: () => ({ id: 'n', name: 'node1', datacenter: 'dc1', nodeClass: '', nodePool: 'default', meta: {}, attributes: {}, address: '10.0.0.9' }),
    driver: (name) => (name === 'fake' ? driver : undefined),
    state: new JsonFolder<AllocationRecord>(join(dir, 'state', id)),
    services: new ServiceBook(outbox),
    variables: { reader: () => ({ read: () => 'unknown', on: () => () => undefined, close: () => undefined }) },
    catalog: {
      services: () => catalog.entries,
      on: (listener) => (catalog.listeners.add(listener), () => void catalog.listeners.delete(listener)),
    },
    mounts: new SecretMounts(silentLogger, clock, false),
    dirs: (name) => new AllocationDirs(dir, name),
    finished: (name) => void finished.push(name),
    ...more,
  }); // prettier-ignore
  const run = async (more: Partial<AllocationHost> = {}) => {
    const whole = host(more);
    await whole.state.load(silentLogger);
    const runner = new AllocationRunner(whole, allocation, job);
    runner.start(undefined);
    return runner;
  };
  /** Time passes only for what waits to be sent, however long the disk takes. */
  const flush = async (what: string, question: () => boolean) =>
    until(what, () => {
      if (outbox.size > 0) clock.advance(10);
      return question();
    });
  const status = (): AllocationStatus | undefined => server.statuses.get(id);
  const events = (task: string): string[] =>
    (status()?.tasks?.find((s) => s.name === task)?.events ?? []).map((e) => `${e.type}: ${e.message}`);
  return {
    id,
    clock,
    machine,
    server,
    outbox,
    allocation,
    job,
    group,
    checks,
    finished,
    catalog,
    host,
    run,
    flush,
    status,
    events,
  };
}

const task = (name: string, more: Partial<Task> = {}): Task => ({
  name,
  driver: 'fake',
  restart: { attempts: 2, interval: '30m', delay: '15s', mode: 'fail' },
  ...more,
});

t.test('templates are rendered before a task starts, waited for, and followed', async (t) => {
  const web = (port: number): CatalogEntry => ({ id: `w${port}`, name: 'api', address: '10.0.0.7', port, tags: [], nodeId: 'n', datacenter: 'dc1', allocId: 'a', jobId: 'j', namespace: 'default', meta: {} }); // prettier-ignore
  const data = '{{ range nomadService "api" }}{{ .Address }}:{{ .Port }}\n{{ end }}{{ env "NOMAD_TASK_NAME" }}';
  const templates = [
    { data, destination: 'local/upstreams', changeMode: 'signal', changeSignal: 'SIGHUP', splay: '0s', perms: '600' },
    {
      data: 'PORT={{ with nomadService "api" }}{{ (index . 0).Port }}{{ end }}',
      destination: 'secrets/env',
      env: true,
      splay: '0s',
    },
    { data: '{{ sprig_uuidv4 }}', destination: '${NOMAD_TASK_DIR}/when' },
  ];
  const w = world({ group: { tasks: [task('a', { templates, config: { port: '${PORT}' } })] } });
  const runner = await w.run();
  const passes = (what: string, question: () => unknown): Promise<unknown> => until(what, () => (w.clock.advance(1), question()));
  await passes('it waits for the catalog', () => w.events('a').at(-1) === 'Template: Missing: services');
  t.equal(w.machine.startsOf('a'), 0);
  const tell = (...ports: number[]): void => {
    w.catalog.entries = ports.map(web);
    for (const listener of w.catalog.listeners) listener();
  };
  const file = (name: string): Promise<string> => readFile(join(dir, 'alloc', w.id, 'a', name), 'utf8');
  tell(1);
  await passes('running', () => w.status()?.phase === 'running');
  t.equal(await file('local/upstreams'), '10.0.0.7:1\na');
  t.match(w.machine.live()[0]!.start, { env: { PORT: '1' }, config: { port: '1' } });
  const when = await file('local/when');

  // The first instance stays: the environment comes out the same, and the other file has a signal of its own.
  tell(1, 2);
  await passes('signalled', () => w.machine.live()[0]?.signals.includes('SIGHUP'));
  t.equal(await file('local/upstreams'), '10.0.0.7:1\n10.0.0.7:2\na');
  t.equal(w.machine.startsOf('a'), 1);
  tell(3);
  await passes('restarted', () => w.machine.startsOf('a') === 2 && w.machine.live()[0]?.start.env['PORT'] === '3');
  await passes('told', () => w.events('a').some((e) => e === 'Restart Signaled: Template with change_mode restart re-rendered'));
  t.not(await file('local/when'), when, 'everything is rendered for a new start');

  // The same again changes nothing; neither does an agent that comes back.
  const starts = w.machine.startsOf('a');
  tell(3);
  await runner.detach();
  const record = (await w.host().state.load(silentLogger)).get(w.id)!;
  const next = new AllocationRunner(w.host(), w.allocation, w.job, record);
  next.resume(true, undefined);
  await passes('followed again', () => w.catalog.listeners.size > 0);
  for (let i = 0; i < 20; i++) await passes('time', () => true);
  t.equal(w.machine.startsOf('a'), starts);
  next.stop(true);
  await passes('gone', () => w.machine.live().length === 0);
});

t.test('a template that cannot be rendered and an artifact that cannot be fetched fail the task, with the reason', async (t) => {
  const w = world({ group: { tasks: [task('a', { templates: [{ data: '{{ nope }}', destination: 'local/x' }] })] } });
  await w.run();
  await w.flush('failed', () => w.status()?.phase === 'failed');
  t.ok(w.events('a').includes('Template: Template failed: line 1: function "nope" not defined'), w.events('a').join('\n'));
  const v = world({ group: { tasks: [task('a', { artifacts: [{ source: '/etc/passwd' }] })] } });
  await v.run();
  await v.flush('failed', () => v.status()?.phase === 'failed');
  t.match(
    v.events('a').find((e) => e.startsWith('Failed Artifact Download')),
    /this node lets no local files be copied/,
  );
  t.ok(v.events('a').some((e) => e === 'Downloading Artifacts: Client is downloading artifacts'));
});

t.test('a service runs, is killed, restarts, and stops', async (t) => {
  const w = world({ group: { tasks: [task('redis', { killSignal: 'SIGTERM' })] } });
  const runner = await w.run();
  await w.flush('running', () => w.status()?.phase === 'running');
  t.match(w.status(), { phase: 'running', description: 'Tasks are running', jobVersion: 0 });
  t.same(w.events('redis'), [
    'Received: Task received by client',
    'Task Setup: Building Task Directory',
    'Started: Task started by client',
  ]);
  const start = w.machine.live()[0]!.start;
  t.match(start, {
    task: 'redis',
    allocName: 'web.g[0]',
    env: { NOMAD_TASK_NAME: 'redis', NOMAD_TASK_DIR: join(dir, 'alloc', w.id, 'redis/local') },
  });
  t.same((await readdir(join(dir, 'alloc', w.id, 'redis'))).sort(), ['local', 'secrets', 'tmp']);
  t.same((await readdir(join(dir, 'alloc', w.id, 'alloc'))).sort(), ['data', 'logs', 'tmp']);

  w.machine.exit('redis', 137, 9);
  await w.flush('restarting', () => w.status()?.phase === 'pending');
  t.match(w.status(), {
    description: 'No tasks have started',
    tasks: [{ state: 'pending', restarts: 1, exitCode: 137, signal: 9 }],
  });
  t.equal(w.events('redis').at(-1), 'Restarting: Task restarting in 15s');
  t.equal(w.machine.startsOf('redis'), 1);
  w.clock.advance(15_000);
  await w.flush('running again', () => w.status()?.phase === 'running');
  t.equal(w.machine.startsOf('redis'), 2);

  runner.stop(false);
  await w.flush('complete', () => w.status()?.phase === 'complete' && runner.isReported);
  t.match(w.status(), { description: 'All tasks have completed', tasks: [{ state: 'dead', failed: false }] });
  t.same(w.events('redis').slice(-3), [
    'Killing: Sent interrupt. Waiting 5s before force killing',
    'Terminated: Exit Code: 0, Signal: 2',
    'Killed: Task successfully killed',
  ]);
  t.ok(w.finished.includes(w.id));
  await until('nothing is left', () => w.machine.runs.size === 0);
});

t.test('a full disk fails a start, which is tried again', async (t) => {
  const w = world({ group: { tasks: [task('redis')] } });
  const state = new JsonFolder<AllocationRecord>(join(dir, 'state', w.id));
  const save = state.save.bind(state);
  let full = true;
  state.save = (name, value) => (full ? Promise.reject(new Error('ENOSPC: no space left on device')) : save(name, value));
  const runner = await w.run({ state });
  await w.flush('told', () => w.events('redis').some((event) => event.startsWith('Restarting')));
  t.match(
    w.events('redis').find((event) => event.startsWith('Driver Failure')),
    /cannot save the state of the task: ENOSPC/,
  );
  t.equal(w.machine.startsOf('redis'), 0, 'nothing is started that could not be found again');
  full = false;
  w.clock.advance(15_000);
  await w.flush('running', () => w.status()?.phase === 'running');
  t.equal(w.machine.startsOf('redis'), 1);
  await runner.detach();
});

t.test('a task that ignores its signal is killed after kill_timeout', async (t) => {
  const w = world({ group: { tasks: [task('s', { killTimeout: '20s' })] }, driver: { stubborn: true } });
  const runner = await w.run();
  await w.flush('running', () => w.machine.live().length === 1 && w.status()?.phase === 'running');
  const run = w.machine.live()[0]!;
  runner.stop(false);
  await w.flush('signalled', () => run.signals.length === 1);
  t.equal(run.exit, undefined);
  w.clock.advance(20_000);
  await w.flush('complete', () => w.status()?.phase === 'complete');
  t.same(run.signals, ['default', 'SIGKILL']);
});

t.test('setup: what cannot run fails with its reason, and is not started', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', () => resolve()));
  const port = (taken.address() as { port: number }).port;
  const cases: [string, Partial<TaskGroup>, Partial<Allocation['spec']>, RegExp][] = [
    ['a template', { tasks: [task('a', { templates: [{ data: 'x' }] })], services: [] }, {}, /^Template: Template failed: .*names a folder, not a file/],
    ['a bad name', { tasks: [task('..')] }, {}, /^Failed Validation: ".." cannot be the name of a task$/],
    ['a check nobody can run', { tasks: [task('a')], services: [{ name: 's', checks: [{ type: 'smoke', name: 'c' }] }] }, {}, /^Failed Validation: check "c" of service "s": type: must be one of/],
    ['an unknown port', { tasks: [task('a')], services: [{ name: 's', port: 'x' }] }, {}, /refers to port "x"/],
    ['a port in use', { tasks: [task('a')] }, { resources: { ports: [{ label: 'p', value: port, hostIP: '127.0.0.1' }] } }, new RegExp(`^Driver Failure: port ${port} \\("p"\\) is already in use on 127.0.0.1$`)],
    ['a driver that is not there', { tasks: [task('a', { driver: 'java' })] }, {}, /Driver Failure: the driver is not available on this node/],
    ['a bad config', { tasks: [task('a', { config: { bad: 1 } })] }, {}, /Driver Failure: bad: unknown option/],
    ['a start that fails for good', { tasks: [task('a', { config: { fail: 'image not found' } })] }, {}, /Driver Failure: image not found/],
    ['a volume that the node has not', { volumes: [{ name: 'v', type: 'host', source: 'nope' }], tasks: [task('a', { driver: 'fake', volumeMounts: [] })], services: [] }, {}, /$/],
  ]; // prettier-ignore
  for (const [title, group, spec, expected] of cases.slice(0, -1)) {
    const w = world({ group, spec });
    await w.run();
    await w.flush('failed', () => w.status()?.phase === 'failed');
    t.ok(
      w.status()!.tasks![0]!.events!.some((e) => expected.test(`${e.type}: ${e.message}`)),
      `${title}: ${JSON.stringify(w.events(group.tasks![0]!.name))}`,
    );
    t.equal(w.machine.started.length, 0);
  }
  taken.close();
});

t.test('order: prestart, main, poststart, and a failing sibling', async (t) => {
  const w = world({
    group: {
      tasks: [
        task('init', { lifecycle: { hook: 'prestart' } }),
        task('proxy', { lifecycle: { hook: 'prestart', sidecar: true } }),
        task('main'),
        task('other', { restart: { attempts: 0 } }),
        task('notify', { lifecycle: { hook: 'poststart' } }),
        task('cleanup', { lifecycle: { hook: 'poststop' } }),
      ],
    },
  });
  await w.run();
  await w.flush('init', () => w.machine.live().length === 2);
  t.same(w.machine.live().map((r) => r.task).sort(), ['init', 'proxy']); // prettier-ignore
  w.machine.exit('init', 0);
  await w.flush('all', () => w.machine.live().length === 4);
  t.same(w.machine.live().map((r) => r.task).sort(), ['main', 'notify', 'other', 'proxy']); // prettier-ignore
  w.machine.exit('other', 1);
  await w.flush('cleanup runs', () => w.machine.live('cleanup').length === 1);
  t.equal(w.machine.live().length, 1, 'after all others ended');
  t.equal(w.status()?.phase === 'failed', false, 'not failed while something of it runs');
  w.machine.exit('cleanup', 0);
  await w.flush('failed', () => w.status()?.phase === 'failed');
  t.ok(w.events('main').includes('Sibling Task Failed: Task\'s sibling "other" failed'));
  t.ok(w.events('other').includes('Not Restarting: Policy allows no restarts'));
});

t.test('batch: success completes', async (t) => {
  const w = world({ group: { tasks: [task('b')] }, spec: { jobType: 'batch' } });
  await w.run();
  await w.flush('running', () => w.machine.live().length === 1 && w.status()?.phase === 'running');
  w.machine.exit('b', 0);
  await w.flush('complete', () => w.status()?.phase === 'complete');
  t.equal(w.status()!.deploymentHealth ?? undefined, undefined, 'nobody asks for the health of a batch job');
});

t.test('max_run_duration: stopped when it is over, also by the next agent, with the reason', async (t) => {
  const w = world({
    group: { maxRunDuration: '1h', tasks: [task('b'), task('end', { lifecycle: { hook: 'poststop' } })] },
    spec: { jobType: 'batch' },
  });
  const first = await w.run();
  await w.flush('running', () => w.machine.live().length === 1 && w.status()?.phase === 'running');
  w.clock.advance(30 * 60_000);
  await first.detach();
  const state = w.host().state;
  const record = (await state.load(silentLogger)).get(w.id)!;
  const second = new AllocationRunner(w.host(), w.allocation, w.job, record);
  second.resume(true, undefined);
  await until('found again', () => second.taskRecord('b')?.phase.at === 'running');
  w.clock.advance(29 * 60_000);
  t.equal(w.machine.live().length, 1, 'the time of both agents counts, and is not over yet');
  w.clock.advance(60_000);
  await w.flush('complete', () => w.status()?.phase === 'complete');
  t.equal(w.status()!.description, 'allocation exceeded max_run_duration');
  t.match(w.events('b').join('\n'), /^Killing: Allocation exceeded max_run_duration of 1h0m0s$/m);
  t.match(w.events('end').join('\n'), /Killing: Allocation exceeded max_run_duration/);
  t.notMatch(w.events('end').join('\n'), /Started/, 'what would follow never began');
  t.equal(w.machine.live().length, 0);
});

t.test('services, checks, health, and an in-place update', async (t) => {
  const check = { name: 'alive', type: 'tcp', interval: '10s', timeout: '2s', checkRestart: { limit: 2, grace: '1s' } };
  const w = world({
    group: {
      shutdownDelay: '3s',
      update: { minHealthyTime: '10s', healthyDeadline: '1m', healthCheck: 'checks' },
      tasks: [task('redis', { services: [{ name: 'cache', port: 'db', tags: ['a'], checks: [check] }] })],
    },
    spec: { deployment: 'd1', resources: { ports: [{ label: 'db', value: 23456, hostIP: '127.0.0.1' }] } },
  });
  const runner = await w.run();
  await w.flush('registered', () => w.server.services.size === 1 && w.status()?.phase === 'running');
  const service = () => [...w.server.services.values()][0]!;
  t.match(service(), {
    spec: { serviceName: 'cache', address: '127.0.0.1', port: 23456, tags: ['a'], task: 'redis' },
    status: { phase: 'critical' },
    metadata: { ownerReferences: [{ kind: 'Allocation' }] },
  });
  w.clock.advance(30_000);
  t.equal(w.status()!.deploymentHealth ?? undefined, undefined, 'a check has not passed yet');
  w.checks[0]!.tell('passing');
  await w.flush('passing', () => service().status?.phase === 'passing');
  w.clock.advance(10_000);
  await w.flush('healthy', () => w.status()?.deploymentHealth?.healthy === true);

  const starts = w.machine.started.length;
  const updated = { ...w.allocation, spec: { ...w.allocation.spec, jobVersion: 1, deployment: 'd2' } };
  const services = [{ name: 'cache', port: 'db', tags: ['b'], checks: [check] }];
  runner.update(updated, { ...w.job, groups: [{ ...w.group, tasks: [task('redis', { services, killTimeout: '9s' })] }] });
  await w.flush('updated', () => w.status()?.jobVersion === 1 && service().spec.tags?.[0] === 'b');
  t.equal(w.machine.started.length, starts, 'nothing restarted');
  t.equal(w.checks.length, 1, 'a check that did not change goes on');
  t.equal(w.status()!.deploymentHealth!.healthy, true, 'and it has been healthy long enough already');

  w.checks[0]!.tell('critical', 'refused');
  w.checks[0]!.tell('critical', 'refused');
  await w.flush('restarted by its check', () => w.status()?.tasks?.[0]?.restarts === 1);
  t.ok(w.events('redis').includes('Restart Signaled: healthcheck: check "alive" unhealthy'));
  t.equal(service().status?.phase, 'critical');
  w.clock.advance(15_000);
  await w.flush('again', () => w.machine.live().length === 1 && w.status()?.phase === 'running');

  runner.stop(false);
  await w.flush('deregistered', () => w.server.services.size === 0);
  t.equal(w.machine.live().length, 1, 'it still runs through the shutdown delay of the group');
  w.clock.advance(3000);
  await w.flush('complete', () => w.status()?.phase === 'complete');
  t.ok(w.checks.every((c) => c.closed));
});

t.test('unhealthy by the deadline, which stands still during a download', async (t) => {
  for (const config of [{}, { download: 'redis:7' }]) {
    let go: (() => void) | undefined;
    const w = world({
      group: {
        update: { minHealthyTime: '10s', healthyDeadline: '1m', healthCheck: 'task_states' },
        tasks: [task('a', { config })],
      },
      spec: { deployment: 'd' },
      driver: { on: (what) => (what === 'start' ? new Promise<void>((resolve) => (go = resolve)) : Promise.resolve()) },
    });
    await w.run();
    await w.flush('starting', () => go !== undefined && w.status()?.phase === 'pending');
    w.clock.advance(60_000);
    if (!('download' in config)) {
      await w.flush('unhealthy', () => w.status()?.deploymentHealth?.healthy === false);
      t.equal(w.status()!.deploymentHealth!.reason, 'Task "a" not running by healthy_deadline of 1m0s');
      t.ok(w.events('a').some((e) => e.startsWith('Alloc Unhealthy: ')));
      continue;
    }
    w.clock.advance(600_000);
    go!();
    await w.flush('running', () => w.status()?.phase === 'running');
    t.ok(w.events('a').includes('Driver: Downloading image'));
    t.equal(w.status()!.deploymentHealth ?? undefined, undefined);
    w.clock.advance(10_000);
    await w.flush('healthy', () => w.status()?.deploymentHealth?.healthy === true);
  }
});

t.test('the server is away: tasks restart, and one write brings it up to date', async (t) => {
  const w = world({ group: { tasks: [task('a', { restart: { attempts: 50, delay: '1s', interval: '1h', mode: 'fail' } })] } });
  await w.run();
  await w.flush('running', () => w.status()?.phase === 'running');
  w.server.down = true;
  for (let i = 0; i < 5; i++) {
    w.machine.exit('a', 1);
    await until('resting', () => w.machine.live().length === 0);
    await until('back', () => (w.clock.advance(500), w.machine.live().length === 1));
  }
  t.equal(w.outbox.size, 1, 'only the newest status waits');
  w.server.down = false;
  const before = w.server.history.length;
  await until('told', () => (w.clock.advance(1000), w.status()?.tasks?.[0]?.restarts === 5));
  t.equal(w.server.history.length, before + 1);
});

t.test('lost and replaced while away: it is not told to be alive again', async (t) => {
  const w = world({ group: { tasks: [task('a')] } });
  const runner = await w.run();
  await w.flush('running', () => w.status()?.phase === 'running');
  runner.serverStatus({
    ...w.allocation,
    spec: { ...w.allocation.spec, desired: 'stop' },
    status: { phase: 'lost' },
    metadata: { ...w.allocation.metadata, resourceVersion: '1000' },
  });
  runner.stop(false);
  w.server.history.length = 0;
  await w.flush('complete', () => w.status()?.phase === 'complete');
  t.same(w.server.history, ['complete']);
});

t.test('kill -9 at any step: the next agent goes on, nothing is doubled or started without a cause', async (t) => {
  const group: Partial<TaskGroup> = {
    tasks: [
      task('init', { lifecycle: { hook: 'prestart' } }),
      task('main', { restart: { attempts: 5, delay: '1s', interval: '1h', mode: 'fail' }, shutdownDelay: '2s' }),
    ],
  };
  /** Plays the same life with a crash at the given point; the number of points that there were. */
  const play = async (
    crashAt: number,
  ): Promise<{ points: number; started: string[]; left: number; status: AllocationStatus | undefined }> => {
    const disk = new Map<string, string>();
    let points = 0;
    let alive = { dead: false };
    const never = (): Promise<never> => new Promise(() => undefined);
    const point = async (life: { dead: boolean }): Promise<void> => {
      if (life.dead) return never();
      if (++points === crashAt) {
        life.dead = true;
        return never();
      }
    };
    const w = world({ group });
    const open = (): AllocationRunner => {
      const life = (alive = { dead: false });
      const driver = fakeDriver({ machine: w.machine, on: () => point(life) });
      const state = {
        save: async (name: string, record: AllocationRecord) => {
          const text = JSON.stringify(record);
          await point(life);
          disk.set(name, text);
          await point(life);
        },
      } as unknown as JsonFolder<AllocationRecord>;
      const outbox = new Outbox({
        send: (o) => (life.dead ? never() : w.server.send(o)),
        clock: w.clock,
        log: silentLogger,
        random: () => 0,
      });
      const host = w.host({ driver: () => driver, state, outbox, services: new ServiceBook(outbox) });
      const text = disk.get(w.id);
      const record = text === undefined ? undefined : (JSON.parse(text) as AllocationRecord);
      const runner = new AllocationRunner(host, w.allocation, w.job, record);
      if (record === undefined) runner.start(undefined);
      else runner.resume(true, undefined);
      const status = w.status();
      runner.serverStatus({
        ...w.allocation,
        ...(status !== undefined && { status }),
        metadata: { ...w.allocation.metadata, resourceVersion: '1000000' },
      });
      return runner;
    };
    let runner = open();
    let failed = false;
    await until(`the end, with a crash at ${crashAt}`, () => {
      if (alive.dead) runner = open();
      w.clock.advance(20);
      const record = runner.taskRecord('main')!;
      if (w.machine.live('init').length > 0 && runner.taskRecord('init')!.phase.at === 'running') w.machine.exit('init', 0);
      if (!failed && record.phase.at === 'running') {
        w.machine.exit('main', 1);
        failed = true;
      } else if (failed && w.machine.startsOf('main') === 2 && record.phase.at === 'running') runner.stop(false);
      return runner.isTerminal && w.status()?.phase === 'complete';
    });
    await until('no run is left', () => (alive.dead && (runner = open()), w.clock.advance(20), w.machine.runs.size === 0));
    return { points, started: w.machine.started.map((s) => s.split('/')[1]!), left: w.machine.live().length, status: w.status() };
  };
  const { points, started } = await play(0);
  t.same(started, ['init', 'main', 'main']);
  t.ok(points > 15, `${points} points to die at`);
  for (let at = 1; at <= points; at++) {
    const result = await play(at);
    t.same(result.started, ['init', 'main', 'main'], `crash at ${at}`);
    t.equal(result.left, 0);
    t.match(result.status, {
      phase: 'complete',
      tasks: [
        { name: 'init', failed: false },
        { name: 'main', failed: false, restarts: 1 },
      ],
    });
  }
});

t.test('an exit while no agent was there is handled by policy', async (t) => {
  const w = world({ group: { tasks: [task('a')] } });
  const first = await w.run();
  await w.flush('running', () => w.status()?.phase === 'running');
  await first.detach();
  t.equal(w.machine.live().length, 1, 'the task runs on');
  w.machine.exit('a', 3);
  const state = new JsonFolder<AllocationRecord>(join(dir, 'state', w.id));
  const record = (await state.load(silentLogger)).get(w.id)!;
  const second = new AllocationRunner(w.host({ state }), record.allocation, w.job, record);
  second.resume(true, undefined);
  await w.flush('restarting', () => w.status()?.tasks?.[0]?.restarts === 1);
  t.same(w.events('a').slice(-2), ['Terminated: Exit Code: 3', 'Restarting: Task restarting in 15s']);
});

t.test('after a reboot a service is dead, a system job restarts here', async (t) => {
  for (const [jobType, phase] of [
    ['service', 'failed'],
    ['system', 'pending'],
  ] as const) {
    const w = world({ group: { tasks: [task('a')] }, spec: { jobType } });
    const first = await w.run();
    await w.flush('running', () => w.status()?.phase === 'running');
    await first.detach();
    w.machine.runs.clear();
    const state = new JsonFolder<AllocationRecord>(join(dir, 'state', w.id));
    const record = (await state.load(silentLogger)).get(w.id)!;
    t.equal(record.bootId, 'boot-1');
    new AllocationRunner(w.host({ state, bootId: 'boot-2' }), record.allocation, w.job, record).resume(false, undefined);
    await w.flush(phase, () => w.status()?.phase === phase);
    t.ok(w.events('a').includes('Terminated: Exit Message: "the machine was restarted"'));
  }
});

t.test('state files: the newest value wins, and a damaged one is set aside', async (t) => {
  const path = join(dir, 'folder');
  const folder = new JsonFolder<{ n: number }>(path);
  await folder.load(silentLogger);
  await Promise.all(Array.from({ length: 50 }, (_, n) => folder.save('a/b', { n })));
  t.same(JSON.parse(await readFile(join(path, 'a%2Fb.json'), 'utf8')), { n: 49 });
  await writeFile(join(path, 'bad.json'), '{"n":');
  await writeFile(join(path, 'half.json.tmp'), '{"n":');
  t.same([...(await new JsonFolder<{ n: number }>(path).load(silentLogger))], [['a/b', { n: 49 }]]);
  t.same((await readdir(path)).sort(), ['a%2Fb.json', 'bad.json.unreadable']);
  await folder.remove('a/b');
  t.same(await readdir(path), ['bad.json.unreadable']);
});

t.test('the outbox finds the letter that the server refuses, and keeps the others', async (t) => {
  const clock = new ManualClock();
  const sent: string[][] = [];
  const { ApiError } = await import('../../base/index.ts');
  const outbox = new Outbox({
    clock, log: silentLogger, random: () => 0,
    send: (operations) => {
      const names = operations.map((o) => (o as { name: string }).name);
      sent.push(names);
      if (names.includes('bad')) return Promise.reject(new ApiError('Invalid', 'no'));
      return Promise.resolve({ revision: '1', results: names.map(() => ({ code: 200 })) });
    },
  }); // prettier-ignore
  const letter = (name: string) => ({ key: name, operation: { operation: 'delete' as const, apiVersion: '', kind: '', name } });
  for (const name of ['a', 'bad', 'b']) outbox.post(letter(name));
  await until('empty', () => (clock.advance(10), outbox.size === 0));
  t.same(sent.slice(0, 3), [['a', 'bad', 'b'], ['a'], ['bad', 'b']]);
  t.ok(sent.flat().includes('b'));
});
