import t from 'tap';
import type { JobSpec, Task, TaskGroup } from '../../../openapi/index.ts';
import { defaultJob, jobWarnings, unsupportedFeatures, validateJob } from '../../../apiserver/admission/job/index.ts';
import { randomFrom } from '../storage/model.ts';

const meta = { name: 'web', namespace: 'default' };
const task = (more: Partial<Task> = {}): Task => ({ name: 'main', driver: 'docker', config: { image: 'redis:7' }, ...more });
const group = (more: Partial<TaskGroup> = {}): TaskGroup => ({ name: 'app', tasks: [task()], ...more });
const job = (more: Partial<JobSpec> = {}): JobSpec => ({ groups: [group()], ...more });
const inTask = (more: Partial<Task>): JobSpec => job({ groups: [group({ tasks: [task(more)] })] });
const inGroup = (more: Partial<TaskGroup>): JobSpec => job({ groups: [group(more)] });

const serviceUpdate = {
  stagger: '30s',
  maxParallel: 1,
  healthCheck: 'checks',
  minHealthyTime: '10s',
  healthyDeadline: '5m',
  progressDeadline: '10m',
  canary: 0,
  autoRevert: false,
  autoPromote: false,
};
const serviceRestart = { attempts: 2, interval: '30m', delay: '15s', mode: 'fail', renderTemplates: false };
const batchRestart = { ...serviceRestart, attempts: 3, interval: '24h' };

t.test('a service gets every default', (t) => {
  const spec = defaultJob(job(), meta);
  const { groups, ...top } = spec;
  t.strictSame(top, {
    region: 'global',
    priority: 50,
    allAtOnce: false,
    nodePool: 'default',
    stop: false,
    id: 'web',
    name: 'web',
    type: 'service',
    datacenters: ['*'],
    update: serviceUpdate,
  });
  const { tasks, ...only } = groups![0]!;
  t.strictSame(only, {
    name: 'app',
    count: 1,
    restart: serviceRestart,
    ephemeralDisk: { sticky: false, migrate: false, size: 300 },
    reschedule: { attempts: 0, interval: '0s', delay: '30s', delayFunction: 'exponential', maxDelay: '1h', unlimited: true },
    update: serviceUpdate,
    migrate: { maxParallel: 1, healthCheck: 'checks', minHealthyTime: '10s', healthyDeadline: '5m' },
  });
  t.strictSame(tasks, [
    {
      leader: false,
      killTimeout: '5s',
      shutdownDelay: '0s',
      name: 'main',
      driver: 'docker',
      config: { image: 'redis:7' },
      resources: { memory: 300, cores: 0, cpu: 100 },
      restart: serviceRestart,
      logs: { maxFiles: 10, maxFileSize: 10 },
    },
  ]);
  t.strictSame(validateJob(spec, meta), []);
  t.end();
});

t.test('the other types have policies of their own', (t) => {
  const batch = defaultJob(job({ type: 'batch' }), meta);
  t.strictSame(batch.groups![0]!.restart, batchRestart);
  t.strictSame(batch.groups![0]!.reschedule, { attempts: 1, interval: '24h', delay: '5s', delayFunction: 'constant', maxDelay: '0s', unlimited: false }); // prettier-ignore
  t.strictSame([batch.update, batch.groups![0]!.update, batch.groups![0]!.migrate], [undefined, undefined, undefined]);
  const system = defaultJob(job({ type: 'system' }), meta).groups![0]!;
  t.strictSame(
    [system.restart, system.reschedule, system.update, system.migrate],
    [serviceRestart, undefined, undefined, undefined],
  );
  t.strictSame(defaultJob(job({ type: 'system', update: { maxParallel: 3 } }), meta).groups![0]!.update, {
    stagger: '30s',
    maxParallel: 3,
  });
  t.strictSame(defaultJob(job({ type: 'sysbatch' }), meta).groups![0]!.restart, batchRestart);
  for (const type of ['batch', 'system', 'sysbatch']) t.strictSame(validateJob(defaultJob(job({ type }), meta), meta), [], type);
  t.end();
});

t.test('groups and tasks inherit field by field', (t) => {
  const spec = defaultJob(
    job({
      update: { maxParallel: 2, canary: 1 },
      migrate: { minHealthyTime: '20s' },
      reschedule: { delay: '1m' },
      groups: [
        group({
          update: { canary: 0, healthyDeadline: '8m' },
          migrate: { maxParallel: 4 },
          restart: { attempts: 5 },
          tasks: [task(), task({ name: 'side', restart: { mode: 'delay' } })],
        }),
        group({ name: 'other' }),
      ],
    }),
    meta,
  );
  const [app, other] = spec.groups!;
  t.strictSame(app!.update, { ...serviceUpdate, maxParallel: 2, canary: 0, healthyDeadline: '8m' });
  t.strictSame(other!.update, { ...serviceUpdate, maxParallel: 2, canary: 1 });
  t.strictSame(app!.migrate, { maxParallel: 4, healthCheck: 'checks', minHealthyTime: '20s', healthyDeadline: '5m' });
  t.equal(other!.reschedule!.delay, '1m');
  t.strictSame(app!.tasks!.map(({ restart }) => [restart!.attempts, restart!.mode]), [[5, 'fail'], [5, 'delay']]); // prettier-ignore
  t.equal(other!.tasks![0]!.restart!.attempts, 2);
  t.end();
});

t.test('blocks have defaults where they are given', (t) => {
  const spec = defaultJob(
    job({
      id: 'shop/web',
      type: 'batch',
      periodic: { cron: '@daily' },
      affinities: [{ attribute: '${node.class}', value: 'a' }],
      groups: [
        group({
          networks: [{ ports: [{ label: 'http', to: 80 }] }],
          scaling: { min: 2, max: 5 },
          services: [{ port: 'http', checkRestart: { limit: 3 }, checks: [{ type: 'tcp', interval: '10s', timeout: '2s' }, { type: 'tcp', interval: '1s', timeout: '2s', checkRestart: { grace: '90s' } }] }], // prettier-ignore
          volumes: [{ name: 'data', source: 'data' }],
          tasks: [
            task({
              resources: { cores: 2 },
              lifecycle: { hook: 'prestart' },
              services: [{ name: 'named', onUpdate: 'ignore', checks: [{ name: 'c', type: 'tcp' }] }, { provider: 'consul' }],
              templates: [{ data: 'x', destination: 'local/x', changeSignal: 'sighup' }],
              artifacts: [{ source: 'https://a/b.zip?x=1', mode: 'file' }, { source: 'https://a/b.zip' }],
              volumeMounts: [{ volume: 'data', destination: '/data' }],
            }),
          ],
        }),
      ],
    }),
    { ...meta, name: 'shop:web' },
  );
  const only = spec.groups![0]!;
  const first = only.tasks![0]!;
  t.strictSame([spec.id, spec.name], ['shop/web', 'shop/web']);
  t.strictSame(spec.periodic, { enabled: true, prohibitOverlap: false, timeZone: 'UTC', cron: '@daily' });
  t.strictSame(spec.affinities, [{ operator: '=', weight: 50, attribute: '${node.class}', value: 'a' }]);
  t.strictSame([only.count, only.scaling], [2, { enabled: true, type: 'horizontal', min: 2, max: 5 }]);
  t.strictSame(only.networks![0]!.ports, [{ hostNetwork: 'default', label: 'http', to: 80 }]);
  const service = only.services![0]!;
  t.strictSame(
    [service.name, service.addressMode, service.onUpdate, service.provider],
    ['shop/web-app', 'auto', 'require_healthy', 'nomad'],
  );
  t.strictSame(service.checks!.map(({ name, onUpdate, checkRestart }) => ({ name, onUpdate, checkRestart })), [
    { name: 'service: "shop/web-app" check', onUpdate: 'require_healthy', checkRestart: { limit: 3, grace: '1s', ignoreWarnings: false } },
    { name: 'service: "shop/web-app" check', onUpdate: 'require_healthy', checkRestart: { limit: 3, grace: '90s', ignoreWarnings: false } },
  ]); // prettier-ignore
  t.strictSame(first.services!.map(({ name, provider }) => [name, provider]), [['named', 'nomad'], ['shop/web-app-main', 'consul']]); // prettier-ignore
  t.strictSame(first.services![0]!.checks, [{ name: 'c', onUpdate: 'ignore', type: 'tcp' }]);
  t.strictSame(first.resources, { memory: 300, cores: 2, cpu: 0 });
  t.strictSame(first.lifecycle, { sidecar: false, hook: 'prestart' });
  t.match(first.templates, [{ changeMode: 'restart', changeSignal: 'SIGHUP', splay: '5s', perms: '0644' }]);
  t.strictSame(first.artifacts!.map(({ destination }) => destination), ['local/b.zip', 'local/']); // prettier-ignore
  t.match(first.volumeMounts, [{ readOnly: false, propagationMode: 'private' }]);
  t.match(only.volumes, [{ name: 'data', type: 'host', readOnly: false }]);
  t.end();
});

t.test('a canonical job stays as it is', (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  t.comment(`seed ${seed}`);
  const random = randomFrom(seed);
  for (let i = 0; i < 300; i++) {
    const spec = randomJob(random);
    const before = JSON.stringify(spec);
    const once = defaultJob(spec, meta);
    if (JSON.stringify(spec) !== before) t.fail(`the input was changed: ${before}`);
    const twice = defaultJob(once, meta);
    if (JSON.stringify(twice) !== JSON.stringify(once)) t.strictSame(twice, once, before);
    validateJob(once, meta); // whatever comes in, it answers
    unsupportedFeatures(once);
    jobWarnings(once);
  }
  t.end();
});

t.test('problems are named with their field', (t) => {
  const cases: [string, JobSpec, string, RegExp][] = [
    ['no groups', job({ groups: [] }), 'spec.groups', /Missing job task groups/],
    ['job type', job({ type: 'servce' }), 'spec.type', /^Invalid job type: "servce"$/],
    ['space in the ID', job({ id: 'has space' }), 'spec.id', /Job ID contains a space/],
    ['ID of another object', job({ id: 'other' }), 'spec.id', /does not go with metadata.name "web"/],
    ['priority', job({ priority: 101 }), 'spec.priority', /priority must be between \[1, 100\]/],
    ['datacenter', job({ datacenters: [''] }), 'spec.datacenters[0]', /^Job datacenter must be non-empty string$/],
    ['group names', job({ groups: [group(), group()] }), 'spec.groups[1].name', /redefines 'app' from group 1/],
    ['count', inGroup({ count: -1 }), 'spec.groups[0].count', /can't be negative/],
    ['count', inGroup({ count: 50_000_000 }), 'spec.groups[0].count', /can't be more than 100000; got 50000000/],
    [
      'system count',
      job({ type: 'system', groups: [group({ count: 2 })] }),
      'spec.groups[0].count',
      /^Job task group app has count 2\. Count cannot exceed 1 with system scheduler$/,
    ],
    ['no tasks', inGroup({ tasks: [] }), 'spec.groups[0].tasks', /Missing tasks for task group/],
    ['task names', inGroup({ tasks: [task(), task()] }), 'spec.groups[0].tasks[1].name', /Task 2 redefines 'main' from task 1/],
    ['two leaders', inGroup({ tasks: [task({ leader: true }), task({ name: 'b', leader: true })] }), 'spec.groups[0].tasks[1].leader', /Only one task/], // prettier-ignore
    ['no main task', inTask({ lifecycle: { hook: 'prestart' } }), 'spec.groups[0].tasks', /at least one main task/],
    ['reserved name', inTask({ name: 'alloc' }), 'spec.groups[0].tasks[0].name', /reserved/],
    ['slash in a name', inTask({ name: 'a/b' }), 'spec.groups[0].tasks[0].name', /slashes/],
    ['NUL in a name', inTask({ name: 'a\0b' }), 'spec.groups[0].tasks[0].name', /null/],
    ['driver', inTask({ driver: '' }), 'spec.groups[0].tasks[0].driver', /Missing task driver/],
    ['cpu', inTask({ resources: { cpu: 0 } }), 'spec.groups[0].tasks[0].resources.cpu', /minimum CPU value is 1; got 0/],
    ['memory', inTask({ resources: { memory: 2 } }), 'spec.groups[0].tasks[0].resources.memory', /minimum MemoryMB value is 10; got 2/], // prettier-ignore
    ['memory max', inTask({ resources: { memoryMax: 100 } }), 'spec.groups[0].tasks[0].resources.memoryMax', /larger than/],
    ['cpu and cores', inTask({ resources: { cpu: 10, cores: 1 } }), 'spec.groups[0].tasks[0].resources.cores', /not both/],
    [
      'driver option',
      inTask({ config: { image: 'x', port_mapp: {} } }),
      'spec.groups[0].tasks[0].config.port_mapp',
      /unknown option, did you mean "port_map"/,
    ],
    ['driver option of a block', inTask({ config: { image: 'x', mount: [{ type: 'disk', target: '/x' }] } }), 'spec.groups[0].tasks[0].config.mount.type', /must be one of bind, volume, tmpfs/], // prettier-ignore
    [
      'driver option left out',
      inTask({ driver: 'raw_exec', config: { args: [] } }),
      'spec.groups[0].tasks[0].config.command',
      /is required/,
    ],
    ['signal', inTask({ killSignal: 'SIGHUPP' }), 'spec.groups[0].tasks[0].killSignal', /did you mean "SIGHUP"/],
    ['logs', inTask({ logs: { maxFiles: 30, maxFileSize: 10 } }), 'spec.groups[0].tasks[0].logs.maxFileSize', /300 MB\) must be less than.*300 MB/], // prettier-ignore
    ['lifecycle', inTask({ lifecycle: { hook: 'midway' } }), 'spec.groups[0].tasks[0].lifecycle.hook', /invalid hook: midway/], // prettier-ignore
    ['disk', inGroup({ ephemeralDisk: { size: 5 } }), 'spec.groups[0].ephemeralDisk.size', /minimum DiskMB value is 10; got 5/],
    ['update', job({ update: { minHealthyTime: '10m', healthyDeadline: '1m' } }), 'spec.update.minHealthyTime', /must be less than healthy deadline: 10m0s > 1m0s/], // prettier-ignore
    ['update deadlines', inGroup({ update: { healthyDeadline: '11m' } }), 'spec.groups[0].update.healthyDeadline', /must be less than progress deadline/], // prettier-ignore
    ['update of a batch job', job({ type: 'batch', update: { maxParallel: 1 } }), 'spec.update', /does not allow update block/],
    ['migrate of a batch job', job({ type: 'batch', groups: [group({ migrate: {} })] }), 'spec.groups[0].migrate', /does not allow migrate/], // prettier-ignore
    [
      'max surge',
      inGroup({ update: { maxParallel: 1, maxSurge: 2 } }),
      'spec.groups[0].update.maxSurge',
      /can not exceed max parallel/,
    ],
    ['auto promote', inGroup({ update: { autoPromote: true } }), 'spec.groups[0].update.autoPromote', /requires a Canary/],
    [
      'canary',
      inGroup({ update: { canary: -1 } }),
      'spec.groups[0].update.canary',
      /^Canary count can not be less than zero: -1 < 0$/,
    ],
    [
      'restart mode',
      inTask({ restart: { mode: 'retry' } }),
      'spec.groups[0].tasks[0].restart.mode',
      /^Unsupported restart mode: "retry"$/,
    ],
    ['restart interval', inGroup({ restart: { attempts: 10, interval: '1m' } }), 'spec.groups[0].restart.interval', /^Nomad can't restart the TaskGroup 10 times in an interval of 1m0s with a delay of 15s$/], // prettier-ignore
    [
      'reschedule',
      inGroup({ reschedule: { attempts: 3, interval: '1h' } }),
      'spec.groups[0].reschedule.attempts',
      /^Reschedule Policy with Attempts = 3, Interval = 1h0m0s, and Unlimited = true is ambiguous$/,
    ],
    ['reschedule of a system job', job({ type: 'system', groups: [group({ reschedule: {} })] }), 'spec.groups[0].reschedule', /System jobs should not/], // prettier-ignore
    ['port labels', inGroup({ networks: [{ ports: [{ label: 'a' }, { label: 'a' }] }] }), 'spec.groups[0].networks[0].ports[1].label', /already in use/], // prettier-ignore
    ['static ports', inGroup({ networks: [{ ports: [{ label: 'a', static: 80 }, { label: 'b', static: 80 }] }] }), 'spec.groups[0].networks[0].ports[1].static', /Static port 80 already reserved/], // prettier-ignore
    ['port range', inGroup({ networks: [{ ports: [{ label: 'a', static: 70000 }] }] }), 'spec.groups[0].networks[0].ports[0].static', /^Port a \(70000\) cannot be greater than 65535$/], // prettier-ignore
    ['service port', inGroup({ networks: [{ ports: [{ label: 'http' }] }], services: [{ port: 'htp' }] }), 'spec.groups[0].services[0].port', /^port label "htp" referenced by services web-app does not exist$/], // prettier-ignore
    ['service name', inGroup({ services: [{ name: 'a_b' }] }), 'spec.groups[0].services[0].name', /RFC 1123/],
    ['check type', inGroup({ services: [{ port: '80', checks: [{ type: 'htp', interval: '1s', timeout: '1s' }] }] }), 'spec.groups[0].services[0].checks[0].type', /must be one of "http", "tcp", or "script" type$/], // prettier-ignore
    ['check interval', inGroup({ services: [{ port: '80', checks: [{ type: 'tcp', timeout: '1s' }] }] }), 'spec.groups[0].services[0].checks[0].interval', /missing required value interval/i], // prettier-ignore
    ['check timeout', inGroup({ services: [{ port: '80', checks: [{ type: 'tcp', interval: '1s', timeout: '10ms' }] }] }), 'spec.groups[0].services[0].checks[0].timeout', /^timeout \(10ms\) is lower than required minimum timeout 1s$/], // prettier-ignore
    ['check path', inGroup({ services: [{ port: '80', checks: [{ type: 'http', interval: '1s', timeout: '1s' }] }] }), 'spec.groups[0].services[0].checks[0].path', /^http type must have a valid http path$/], // prettier-ignore
    ['check command', inTask({ services: [{ checks: [{ type: 'script', interval: '1s', timeout: '1s' }] }] }), 'spec.groups[0].tasks[0].services[0].checks[0].command', /^script type must have a valid script path$/], // prettier-ignore
    ['check port', inGroup({ services: [{ checks: [{ type: 'tcp', interval: '1s', timeout: '1s' }] }] }), 'spec.groups[0].services[0].checks[0].port', /requires a port/], // prettier-ignore
    ['numeric check port', inGroup({ services: [{ checks: [{ type: 'tcp', port: '9001', interval: '1s', timeout: '1s' }] }] }), 'spec.groups[0].services[0].checks[0].port', /numeric port 9001/], // prettier-ignore
    ['constraint operator', job({ constraints: [{ attribute: '${a}', operator: 'regex', value: 'x' }] }), 'spec.constraints[0].operator', /^Unknown constraint type "regex"$/], // prettier-ignore
    ['constraint regexp', job({ constraints: [{ attribute: '${a}', operator: 'regexp', value: '(' }] }), 'spec.constraints[0].value', /failed to compile/], // prettier-ignore
    ['constraint version', job({ constraints: [{ attribute: '${a}', operator: 'version', value: '> one' }] }), 'spec.constraints[0].value', /^Version constraint is invalid: Malformed constraint: > one$/], // prettier-ignore
    [
      'constraint value',
      job({ constraints: [{ attribute: '${a}' }] }),
      'spec.constraints[0].value',
      /Operator "=" requires an RTarget/,
    ],
    ['constraint attribute', job({ constraints: [{ value: 'a' }] }), 'spec.constraints[0].attribute', /No LTarget provided/],
    ['distinct hosts of a task', inTask({ constraints: [{ operator: 'distinct_hosts' }] }), 'spec.groups[0].tasks[0].constraints[0].operator', /^Constraint 1 has disallowed Operand at task level: distinct_hosts$/], // prettier-ignore
    ['distinct property', job({ constraints: [{ attribute: '${a}', operator: 'distinct_property', value: '0' }] }), 'spec.constraints[0].value', /1 or greater/], // prettier-ignore
    [
      'affinity weight',
      job({ affinities: [{ attribute: '${a}', value: 'b', weight: 0 }] }),
      'spec.affinities[0].weight',
      /^Affinity weight cannot be zero$/,
    ],
    ['spread percentages', job({ spreads: [{ attribute: '${a}', targets: [{ value: 'a', percent: 60 }, { value: 'b', percent: 50 }] }] }), 'spec.spreads[0].targets', /got 110%/], // prettier-ignore
    ['volume mount', inTask({ volumeMounts: [{ volume: 'x', destination: '/x' }] }), 'spec.groups[0].tasks[0].volumeMounts[0].volume', /undefined volume/], // prettier-ignore
    ['volume source', inGroup({ volumes: [{ name: 'v' }] }), 'spec.groups[0].volumes[0].source', /empty source/],
    ['template', inTask({ templates: [{ destination: '../../../etc/x', data: 'x' }] }), 'spec.groups[0].tasks[0].templates[0].destination', /escapes/], // prettier-ignore
    ['template signal', inTask({ templates: [{ destination: 'local/x', data: 'x', changeMode: 'signal' }] }), 'spec.groups[0].tasks[0].templates[0].changeSignal', /Must specify signal/], // prettier-ignore
    ['artifact', inTask({ artifacts: [{}] }), 'spec.groups[0].tasks[0].artifacts[0].source', /must be specified/],
    ['scaling', inGroup({ scaling: { min: 1 } }), 'spec.groups[0].scaling.max', /non-negative$/],
    ['periodic service', job({ periodic: { cron: '* * * * *' } }), 'spec.periodic', /can only be used/],
    ['max_run_duration of a service', inGroup({ maxRunDuration: '1h' }), 'spec.groups[0].maxRunDuration', /can only be used with "batch"/], // prettier-ignore
    ['cron', job({ type: 'batch', periodic: { cron: '*/5 * * *' } }), 'spec.periodic.cron', /missing field/],
    ['cron range', job({ type: 'batch', periodic: { cron: '99 * * * *' } }), 'spec.periodic.cron', /Invalid cron spec/],
    [
      'time zone',
      job({ type: 'batch', periodic: { cron: '@daily', timeZone: 'Mars' } }),
      'spec.periodic.timeZone',
      /^Invalid time zone "Mars": unknown time zone Mars$/,
    ],
    [
      'periodic and parameterized',
      job({ type: 'batch', periodic: { cron: '@daily' }, parameterized: {} }),
      'spec.periodic',
      /not both/,
    ],
    [
      'parameterized',
      job({ type: 'batch', parameterized: { payload: 'maybe' } }),
      'spec.parameterized.payload',
      /^Unknown payload requirement: "maybe"$/,
    ],
    ['meta keys', job({ type: 'batch', parameterized: { metaRequired: ['a'], metaOptional: ['a'] } }), 'spec.parameterized.metaOptional', /disjoint/], // prettier-ignore
    ['dispatch payload', inTask({ dispatchPayload: { file: 'x' } }), 'spec.groups[0].tasks[0].dispatchPayload', /needs a parameterized job/], // prettier-ignore
  ];
  for (const [title, spec, field, message] of cases) {
    const causes = validateJob(defaultJob(spec, meta), meta);
    t.strictSame(causes.map((cause) => cause.field), [field], `${title}: that and nothing else`); // prettier-ignore
    t.match(causes[0]?.message, message, title);
  }
  const many = validateJob(defaultJob(job({ type: 'x', priority: 0, groups: [] }), meta), meta);
  t.equal(many.length, 3, 'all problems, not the first');
  t.end();
});

t.test('valid jobs are left in peace', (t) => {
  const cases: [string, JobSpec][] = [
    ['address and port forms', inGroup({ networks: [{ mode: 'host', ports: [{ label: 'a' }, { label: 'b', static: 8000, to: 80 }, { label: 'c', to: -1 }] }], services: [{ port: '8080' }, { name: 'x', port: 'b' }] })], // prettier-ignore
    ['older networks', inTask({ resources: { networks: [{ mbits: 10, ports: [{ label: 'db' }] }] }, services: [{ port: 'db', checks: [{ type: 'tcp', interval: '10s', timeout: '2s' }] }] })], // prettier-ignore
    ['driver addresses', inTask({ services: [{ port: '9001', addressMode: 'driver', checks: [{ type: 'tcp', port: '9001', interval: '1s', timeout: '1s' }] }] })], // prettier-ignore
    ['interpolated', inGroup({ services: [{ name: '${NOMAD_JOB_NAME}-x', port: '80' }], constraints: [{ attribute: '${meta.a}', operator: 'regexp', value: '${attr.b}' }] })], // prettier-ignore
    ['constraints', job({ constraints: [{ operator: 'distinct_hosts', value: 'true' }, { attribute: '${meta.x}', operator: 'is_not_set' }, { attribute: '${a}', operator: 'version', value: '>= 1.2, < 2.0-beta' }, { attribute: '${a}', operator: 'regexp', value: '(?i)^v(?P<n>\\d+)' }] })], // prettier-ignore
    ['no deployments', inGroup({ count: 0, update: { maxParallel: 0 } })],
    ['limited rescheduling', inGroup({ reschedule: { attempts: 5, interval: '1h', delay: '15s', delayFunction: 'constant', unlimited: false } })], // prettier-ignore
    ['signals', inTask({ killSignal: 'SIGTERM' })],
    ['template in a task folder', inTask({ templates: [{ data: 'x', destination: '${NOMAD_SECRETS_DIR}/x.env', env: true, perms: '600' }] })], // prettier-ignore
    ['lifecycle', inGroup({ tasks: [task(), task({ name: 'side', lifecycle: { hook: 'prestart', sidecar: true } })] })],
    ['periodic', job({ type: 'batch', periodic: { crons: ['*/15 * * * * *', '@weekly'], timeZone: 'Europe/Berlin' } })],
  ];
  for (const [title, spec] of cases) t.strictSame(validateJob(defaultJob(spec, meta), meta), [], title);
  t.end();
});

t.test('warnings read as users know them', (t) => {
  const warn = (spec: JobSpec): string[] => jobWarnings(defaultJob(spec, meta));
  t.strictSame(warn(job()), []);
  t.strictSame(warn(inTask({ resources: { networks: [{ mbits: 10 }] } })), [
    'Group "app" has warnings: 1 error occurred:\n\t* 1 error occurred:\n\t* Task "main": task network resources have been deprecated as of Nomad 0.12.0. Please configure networking via group network block.\n\n\n\n',
  ]);
  t.match(warn(inGroup({ update: { maxParallel: 2 } })), [
    /Update max parallel count is greater than task group count \(2 > 1\)/,
  ]);
  t.match(warn(inGroup({ services: [{ provider: 'consul' }] })), [/not in Consul/]);
  t.end();
});

t.test('a server can ask of jobs that they name their datacenters', (t) => {
  const policy = { requireDatacenters: true };
  const problems = (spec: JobSpec): string[] => validateJob(defaultJob(spec, meta, policy), meta).map(({ message }) => message);
  const { datacenters: _, ...nowhere } = job();
  t.strictSame(problems(nowhere), ['Missing job datacenters']);
  t.strictSame(problems({ ...nowhere, datacenters: [] }), ['Missing job datacenters']);
  t.strictSame(problems({ ...nowhere, datacenters: ['*'] }), []);
  t.strictSame(defaultJob(nowhere, meta).datacenters, ['*'], 'without the policy it runs in all');
  t.end();
});

t.test('what nobody acts on yet is refused, what works is not', (t) => {
  const fields = (spec: JobSpec): string[] => unsupportedFeatures(defaultJob(spec, meta)).map(({ field }) => field!);
  const g = 'spec.groups[0]';
  const cases: [JobSpec, string[]][] = [
    [job(), []],
    [job({ type: 'system' }), []],
    [job({ type: 'batch', periodic: { cron: '@daily' } }), []],
    [job({ type: 'batch', parameterized: {} }), []],
    [inTask({ templates: [{ data: 'x' }], artifacts: [{ source: 'x' }], vault: {} }), [`${g}.tasks[0].vault`]],
    [inTask({ templates: [], resources: { devices: [{ name: 'gpu' }] } }), []],
    [
      inGroup({ services: [{ connect: {} }], volumes: [{ name: 'v', type: 'csi' }] }),
      [`${g}.volumes`, `${g}.services[0].connect`],
    ],
    [inGroup({ networks: [{ mode: 'cni/x' }] }), [`${g}.networks`]],
    [inGroup({ networks: [{ mode: 'bridge', hostname: 'h' }], volumes: [{ name: 'v', source: 'v' }], update: { canary: 1, autoPromote: true } }), []], // prettier-ignore
    [
      job({
        groups: [group({ networks: [{ mode: 'bridge' }], tasks: [task({ driver: 'raw_exec', config: { command: 'true' } })] })],
      }),
      [`${g}.networks`],
    ],
    [inGroup({ tasks: [task({ leader: true }), task({ name: 's', lifecycle: { hook: 'poststop' } })], shutdownDelay: '1s' }), []],
  ];
  for (const [spec, expected] of cases) t.strictSame(fields(spec), expected, expected.join(', ') || 'nothing');
  t.ok(unsupportedFeatures(job({ type: 'system' })).every(({ reason }) => reason === 'FeatureNotBuilt'));
  t.end();
});

/** Any mixture of blocks, with holes. */
function randomJob(random: () => number): JobSpec {
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)]!;
  const maybe = <T extends object>(value: T): T | Record<string, never> => (random() < 0.5 ? value : {});
  const update = () => ({
    ...maybe({ maxParallel: pick(0, 1, 3) }),
    ...maybe({ canary: pick(0, 2) }),
    ...maybe({ healthyDeadline: '7m' }),
  });
  const restart = () => ({ ...maybe({ attempts: pick(0, 4) }), ...maybe({ mode: pick('delay', 'fail', 'x') }) });
  const service = () => ({
    ...maybe({ name: pick('a', 'b') }),
    ...maybe({ port: pick('http', '80', 'none') }),
    ...maybe({ checkRestart: { limit: 2 } }),
    ...maybe({
      checks: [{ ...maybe({ name: 'c' }), ...maybe({ type: pick('http', 'tcp', 'script') }), ...maybe({ checkRestart: {} }) }],
    }),
  });
  const someTask = (name: string): Task => ({
    name,
    ...maybe({ driver: 'raw_exec' }),
    ...maybe({ restart: restart() }),
    ...maybe({
      resources: {
        ...maybe({ cores: pick(0, 2) }),
        ...maybe({ cpu: 10 }),
        ...maybe({ networks: [{ ports: [{ label: 'http' }] }] }),
      },
    }),
    ...maybe({ services: [service(), service()] }),
    ...maybe({ templates: [{ ...maybe({ data: 'x' }), ...maybe({ changeSignal: 'sighup' }), ...maybe({ changeScript: {} }) }] }),
    ...maybe({ artifacts: [{ ...maybe({ source: 'a/b' }), ...maybe({ mode: pick('file', 'dir') }) }] }),
    ...maybe({ lifecycle: maybe({ hook: pick('prestart', 'x') }) }),
    ...maybe({ vault: maybe({ changeSignal: 'sigusr1' }) }),
    ...maybe({ scalings: [maybe({ max: 3 })] }),
  });
  const someGroup = (name: string): TaskGroup => ({
    name,
    ...maybe({ count: pick(-1, 0, 3) }),
    ...maybe({ scaling: { ...maybe({ min: 1 }), ...maybe({ max: 4 }) } }),
    ...maybe({ update: update() }),
    ...maybe({ migrate: maybe({ maxParallel: 2 }) }),
    ...maybe({ reschedule: { ...maybe({ attempts: pick(0, 3) }), ...maybe({ unlimited: pick(true, false) }) } }),
    ...maybe({ restart: restart() }),
    ...maybe({
      networks: [{ ...maybe({ mode: pick('host', 'bridge', 'cni/x') }), ports: [{ label: 'http', ...maybe({ static: 80 }) }] }],
    }),
    ...maybe({ services: [service()] }),
    ...maybe({ volumes: [{ name: 'v', ...maybe({ type: pick('host', 'csi') }) }] }),
    ...maybe({ disconnect: maybe({ lostAfter: '1m' }) }),
    ...maybe({ spreads: [{ ...maybe({ attribute: '${a}' }) }] }),
    ...maybe({ tasks: [someTask('main'), someTask(pick('main', 'side'))] }),
  });
  return {
    ...maybe({ type: pick('service', 'batch', 'system', 'sysbatch', 'other') }),
    ...maybe({ datacenters: pick<string[]>([], ['dc1']) }),
    ...maybe({ update: update() }),
    ...maybe({ migrate: {} }),
    ...maybe({ reschedule: maybe({ delay: '1m' }) }),
    ...maybe({ periodic: maybe({ cron: '@daily' }) }),
    ...maybe({ parameterized: {} }),
    ...maybe({ constraints: [{ ...maybe({ operator: pick('version', 'distinct_hosts') }), ...maybe({ value: '1' }) }] }),
    ...maybe({ groups: [someGroup('a'), someGroup(pick('a', 'b'))] }),
  };
}
