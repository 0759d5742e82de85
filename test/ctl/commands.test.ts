/**
 * Commands against the real API server, in this process. What controllers would do is done by the test, where a command waits
 * for it.
 */
import t from 'tap';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { createLogger, LogRing, silentLogger, systemClock, uuid } from '../../base/index.ts';
import { startApiServer } from '../../apiserver/index.ts';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import { Client } from '../../client/index.ts';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  JobVersionKind,
  LeaseKind,
  NodeKind,
  NodePoolKind,
  OperationKind,
  RebalanceKind,
  SchedulerConfigurationKind,
  type Allocation,
  type AnyObject,
  type Evaluation,
  type Job,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
import { run, type IO } from '../../ctl/index.ts';
import { jobVersionName, registerEvaluation } from '../../ctl/submit.ts';

process.env.TZ = 'UTC';

const dir = t.testdir();
const store = await openEmbeddedStore({ path: join(dir, 'store'), clock: systemClock, log: silentLogger });
const logs = new LogRing('info');
const apiLog = createLogger({ write: () => undefined, level: 'info', clock: systemClock, tap: logs }).child('apiserver');
const keyringFile = join(dir, 'keyring.json');
const api = await startApiServer({
  store,
  listen: [{ host: '127.0.0.1', port: 0 }],
  clock: systemClock,
  log: silentLogger,
  logs,
  keyringFile,
});
const client = new Client({ servers: [api.urls[0]!] });
const controllers: AbortController[] = [];
t.teardown(async () => {
  for (const one of controllers) one.abort();
  client.close();
  await api.close();
  await store.close();
});

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly done: Promise<Result>;
  interrupt(): void;
  /** Resolves once stdout matches. */
  says(pattern: RegExp): Promise<void>;
}

const work = join(dir, 'work');
mkdirSync(work);

function start(argv: readonly string[], input = '', env: Record<string, string> = {}): Running {
  const out: string[] = [];
  const err: string[] = [];
  let woken = (): void => undefined;
  const sink = (to: string[]): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        to.push(chunk.toString());
        woken();
        done();
      },
    });
  const listeners = new Set<() => void>();
  const io: IO = {
    stdin: Readable.from([input]),
    stdout: sink(out),
    stderr: sink(err),
    interactive: false,
    canAsk: false,
    columns: () => 120,
    cwd: work,
    onInterrupt: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const settings = { ORCH_ADDR: api.urls[0]!, ORCH_CONFIG: join(dir, 'no-config'), ...env };
  const done = run(argv, { io, env: settings, clock: systemClock, version: '1.2.3' }).then((code) => ({
    code,
    stdout: out.join(''),
    stderr: err.join(''),
  }));
  return {
    done,
    interrupt: () => listeners.forEach((listener) => listener()),
    says: (pattern) =>
      new Promise((resolve) => {
        woken = () => {
          if (pattern.test(out.join(''))) resolve();
        };
        woken();
      }),
  };
}

const orchctl = (...argv: string[]): Promise<Result> => start(argv).done;

/** Runs a command that is meant to succeed. */
async function ok(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await orchctl(...argv);
  if (code !== 0) throw new Error(`orchctl ${argv.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
}

const setStatus = <T extends AnyObject>(kind: Kind<T>, object: Stored<T>, status: object): Promise<Stored<T>> =>
  client.patch(kind, object.metadata.name, object.metadata.namespace, { status }, { subresource: 'status' });

const file = (name: string, text: string): void => writeFileSync(join(work, name), text);
const jobFile = (name: string, count = 1, more = ''): string =>
  `job "${name}" {\n  datacenters = ["dc1"]\n  group "g" {\n    count = ${count}\n    task "t" {\n      driver = "raw_exec"\n      config {\n        command = "sleep"\n      }\n      ${more}\n    }\n  }\n}\n`;

const nodeId = 'ac509354-241c-1d1e-9a42-26d031f91e85';
await client.create(NodeKind, {
  metadata: { name: nodeId },
  spec: { name: 'node1', datacenter: 'dc1', nodePool: 'default', eligibility: 'eligible' },
});

/** Does for a job what its controller and the scheduler would do: version, evaluation, deployment, allocation. */
async function control(job: Stored<Job>, outcome: 'placed' | 'unplaced' = 'placed'): Promise<Stored<Evaluation>> {
  const { name, uid, namespace = 'default', generation } = job.metadata;
  const version = generation - 1;
  await client.create(JobVersionKind, {
    metadata: { name: jobVersionName(name, uid, version), namespace },
    spec: { jobName: name, jobUID: uid, version, generation, job: job.spec, stable: false },
  });
  await setStatus(JobKind, job, { phase: 'running', version, observedGeneration: generation });
  const evaluation = await client.create(EvaluationKind, {
    metadata: { name: registerEvaluation(job), namespace },
    spec: { jobName: name, jobUID: uid, trigger: 'job-register', type: 'service', priority: 50 },
  });
  if (outcome === 'unplaced') {
    const failedPlacements = { g: { nodesEvaluated: 1, nodesFiltered: 1, constraintFiltered: { 'missing drivers': 1 } } };
    return setStatus(EvaluationKind, evaluation, { phase: 'complete', failedPlacements, blockedEvaluation: uuid() });
  }
  const deployment = await client.create(DeploymentKind, {
    metadata: { name: uuid(), namespace },
    spec: { jobName: name, jobUID: uid, jobVersion: version, groups: [{ name: 'g', desiredTotal: 1, progressDeadline: '10m' }] },
  });
  const running = {
    phase: 'running',
    description: 'Deployment is running',
    groups: [{ name: 'g', placed: 1, healthy: 0, unhealthy: 0 }],
  } as const;
  await setStatus(DeploymentKind, deployment, running);
  const allocation = await client.create(AllocationKind, {
    metadata: { name: uuid(), namespace },
    spec: {
      jobName: name,
      jobUID: uid,
      jobVersion: version,
      group: 'g',
      name: `${name}.g[0]`,
      index: 0,
      nodeName: nodeId,
      desired: 'run',
      evaluation: evaluation.metadata.name,
      deployment: deployment.metadata.name,
    },
  });
  await setStatus(AllocationKind, allocation, { phase: 'running', description: 'Tasks are running' });
  const ended = await setStatus(EvaluationKind, evaluation, { phase: 'complete', deployment: deployment.metadata.name });
  await setStatus(DeploymentKind, deployment, {
    ...running,
    phase: 'successful',
    description: 'Deployment completed successfully',
    groups: [{ name: 'g', placed: 1, healthy: 1, unhealthy: 0 }],
  });
  return ended;
}

/** Waits until a job is there in a generation. */
async function generation(name: string, wanted: number): Promise<Stored<Job>> {
  const watching = new AbortController();
  controllers.push(watching);
  for await (const { type, object } of client.watch(JobKind, {
    namespace: 'default',
    fieldSelector: `metadata.name=${name}`,
    signal: watching.signal,
  }))
    if (type !== 'BOOKMARK' && type !== 'DELETED' && object.metadata.generation >= wanted) {
      watching.abort();
      return object;
    }
  throw new Error('the watch ended');
}

t.test('alloc exec says what it cannot do', async (t) => {
  const [id, other] = [uuid(), uuid()].map((name) => `aa${name.slice(2)}`) as [string, string];
  const resources = { tasks: [{ name: 'x' }, { name: 'y' }] };
  const spec = { name: 'e.g[0]', index: 0, nodeName: nodeId, jobName: 'e', jobUID: uuid(), jobVersion: 0, group: 'g', desired: 'run' as const }; // prettier-ignore
  for (const name of [id, other]) await client.create(AllocationKind, { metadata: { name, namespace: 'default' }, spec: { ...spec, resources } }); // prettier-ignore
  const cases: [argv: string[], stderr: RegExp][] = [
    [[], /An allocation ID is required/],
    [[id], /A command is required/],
    [['-e', 'ab', id, 'true'], /-escape takes a single character/],
    [['-t', '-i=false', id, 'true'], /A terminal \(-t\) needs the input/],
    [['-such', id, 'true'], /flag provided but not defined: -such/],
    [['bbbb', 'true'], /No allocation\(s\) with prefix or id "bbbb" found/],
    [['aa', 'true'], /Prefix matched multiple allocations/],
    [[id, 'true'], / \* x\n \* y\n\nPlease specify the task/],
    [['-task', 'z', id, 'true'], /Could not find task named: z/],
    [['-task', 'x', id, 'true'], /is not running: it is pending/],
    [['-job', 'nothing', 'true'], /No job\(s\)/],
  ];
  for (const [argv, stderr] of cases) t.match(await orchctl('alloc', 'exec', ...argv), { code: 1, stdout: '', stderr }, argv.join(' ')); // prettier-ignore
  t.match(await ok('exec', '-h'), /Alias: orchctl exec/);
  for (const name of [id, other]) await client.delete(AllocationKind, name, 'default');
});

t.test('version, help and what is not understood', async (t) => {
  t.same(await orchctl('version'), { code: 0, stdout: 'orchctl v1.2.3\n', stderr: '' });
  t.same((await orchctl('-version')).stdout, 'orchctl v1.2.3\n');
  t.match(await ok('-help'), /Common commands:/);
  t.match(await ok('job', '-help'), /Subcommands:/);
  t.match(await ok('job', 'run', '--help'), /Usage: orchctl job run \[options\] <path>\nAlias: orchctl run/);
  t.match(await ok('help', 'alloc', 'logs'), /Usage: orchctl alloc logs/);
  t.match(await orchctl(), { code: 127, stdout: '', stderr: /Common commands/ });
  t.match(await orchctl('stauts'), {
    code: 127,
    stdout: '',
    stderr: /Unknown command: orchctl stauts\nDid you mean "orchctl status"\?/,
  });
  t.match(await orchctl('-x'), { code: 127, stdout: '', stderr: /^Unknown flag: -x\n/ });
  t.match(await orchctl('cordon'), { code: 127, stderr: /Here it is: orchctl node eligibility -disable <node>/ });
  t.match(await orchctl('volume', 'create'), { code: 1, stderr: /not built yet/ });
  t.match(await orchctl('get'), { code: 1, stderr: /There are:\n\nNAME[^]*jobs +jo / });
  t.match(await ok('api-resources', '--namespaced=false', '-o', 'name'), /^node\.orch\.dev$/m);
  t.match(await orchctl('job', 'rnu'), { code: 1, stderr: /Did you mean "orchctl job run"\?/ });
  t.match(await orchctl('job', 'run'), { code: 1, stderr: /^This command takes one argument: <path>\n/ });
  t.match(await orchctl('job', 'run', '-dettach', 'x'), { code: 1, stderr: /not defined: -dettach\nDid you mean -detach\?/ });
  t.match(
    await ok('manual', 'run'),
    /^\.TH "ORCHCTL-JOB" 1[^]*\.SH "JOB RUN"\n\.B orchctl job run\n/,
    'of an alias the page of the command',
  );
  t.match(await orchctl('manual', 'nothing'), { code: 1, stderr: 'There is no command "nothing"\n' });
  t.match(await ok('manual', '-install=pages'), /^Wrote \d\d pages to pages\n$/);
  t.match(readFileSync(join(work, 'pages/orchctl-cp.1'), 'utf8'), /\\-task=/);
  t.match(
    await ok('job', 'scale', '-h'),
    /^Change the count[^\n]*\n\n.*Usage:[^]*Examples:[^]*The group can be left out[^]*Options:/,
    'examples first',
  );
});

t.test('job init writes a file that is a job, once', async (t) => {
  t.equal(await ok('job', 'init', 'new.nomad'), 'Example job file written to new.nomad\n');
  t.same(await orchctl('init', 'new.nomad'), { code: 1, stdout: '', stderr: "Job 'new.nomad' already exists\n" });
  t.equal(await ok('init', '-short', 'short.nomad'), 'Example job file written to short.nomad\n');
  t.notMatch(readFileSync(join(work, 'short.nomad'), 'utf8'), /#/);
  t.equal(await ok('job', 'validate', 'new.nomad'), 'Job validation successful\n');
  t.equal(await ok('validate', 'short.nomad'), 'Job validation successful\n');
});

t.test('no server', async (t) => {
  const result = await start(['status'], '', { ORCH_ADDR: 'http://127.0.0.1:1' }).done;
  t.match(result, {
    code: 1,
    stdout: '',
    stderr: /^Cannot reach the API server at http:\/\/127\.0\.0\.1:1.*\nStart one with "orchctl agent -dev"/,
  });
});

t.test('job run follows the evaluation and the deployment', async (t) => {
  file('web.nomad', jobFile('web'));
  t.equal(await ok('status'), 'No running jobs\n');
  const running = start(['job', 'run', 'web.nomad']);
  await control(await generation('web', 1));
  const { code, stdout, stderr } = await running.done;
  t.same([code, stderr], [0, 'Hint: See what its tasks write: orchctl logs job/web\n']);
  const plain = stdout
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
    .replace(/"[0-9a-f]{8}"/g, '"ID"')
    .replace(/= [0-9a-f]{8}$/gm, '= ID');
  const deployment = (status: string, description: string, healthy: number): string =>
    `    \nTIME\nID          = ID\nJob ID      = web\nJob Version = 0\nStatus      = ${status}\nDescription = ${description}\n\n` +
    `Deployed\nTask Group  Desired  Placed  Healthy  Unhealthy  Progress Deadline\ng           1        1       ${healthy}        0          N/A\n`;
  const [monitor, ...states] = plain.split(/(?<=Monitoring deployment "ID"\n)/);
  t.equal(
    monitor,
    '==> TIME: Monitoring evaluation "ID"\n' +
      '    TIME: Evaluation triggered by job "web"\n' +
      '    TIME: Evaluation within deployment: "ID"\n' +
      '    TIME: Allocation "ID" created: node "ID", group "g"\n' +
      '    TIME: Evaluation status changed: "pending" -> "complete"\n' +
      '==> TIME: Evaluation "ID" finished with status "complete"\n' +
      '==> TIME: Monitoring deployment "ID"\n',
  );
  t.ok(states.join('').endsWith(deployment('successful', 'Deployment completed successfully', 1)));
});

t.test('submitting with a check-index', async (t) => {
  const before = await client.get(JobKind, 'web', 'default');
  const index = before.status!.modifyIndex!;
  t.same(await orchctl('run', '-check-index', '0', 'web.nomad'), {
    code: 1,
    stdout: '',
    stderr: 'Enforcing job modify index 0: job already exists\nJob not updated\n',
  });
  t.same(await orchctl('run', `-check-index=${index - 1}`, 'web.nomad'), {
    code: 1,
    stdout: '',
    stderr: `Enforcing job modify index ${index - 1}: job exists with conflicting job modify index: ${index}\nJob not updated\n`,
  });
  file('other.nomad', jobFile('other'));
  t.match(await orchctl('run', '-check-index', '3', 'other.nomad'), {
    code: 1,
    stderr: 'Enforcing job modify index 3: job does not exist\nJob not updated\n',
  });
  t.equal(
    (await client.get(JobKind, 'web', 'default')).metadata.resourceVersion,
    before.metadata.resourceVersion,
    'nothing was written',
  );
  t.match(
    await ok('run', '-detach', '-check-index', String(index), 'web.nomad'),
    /^Job registration successful\nEvaluation ID: [0-9a-f-]{36}\n$/,
  );
});

t.test('a job that is as it was still gets an evaluation', async (t) => {
  const out = await ok('run', '-detach', 'web.nomad');
  const name = /Evaluation ID: (\S+)/.exec(out)![1]!;
  t.match(await client.get(EvaluationKind, name, 'default'), { spec: { trigger: 'job-register', jobName: 'web' } });
  t.equal((await client.get(JobKind, 'web', 'default')).metadata.generation, 1);
});

t.test('what cannot be placed: the reasons, and exit code 2', async (t) => {
  file('nowhere.nomad', jobFile('nowhere'));
  const running = start(['run', 'nowhere.nomad']);
  await control(await generation('nowhere', 1), 'unplaced');
  const { code, stdout } = await running.done;
  t.equal(code, 2);
  t.match(
    stdout,
    /finished with status "complete" but failed to place all allocations:\n {4}\S+: Task Group "g" \(failed to place 1 allocation\):\n {6}\* Constraint "missing drivers": 1 nodes excluded by filter\n {4}\S+: Evaluation "[0-9a-f]{8}" waiting for additional capacity to place remainder\n/,
  );
});

t.test('Ctrl-C leaves the job alone and says so', async (t) => {
  file('slow.nomad', jobFile('slow'));
  const running = start(['run', 'slow.nomad']);
  await running.says(/Monitoring evaluation/);
  running.interrupt();
  t.match(await running.done, { code: 130, stderr: /Stopped watching; the job is left alone and goes on/ });
  t.notOk((await client.get(JobKind, 'slow', 'default')).spec.stop);
});

t.test('files that are wrong', async (t) => {
  file('broken.nomad', 'job "x" {\n  datacenters = ["dc1"\n  group "g" {\n  }\n}\n');
  t.match(await orchctl('run', 'broken.nomad'), {
    code: 1,
    stdout: '',
    stderr: /^Error getting job struct: Error parsing job file from broken\.nomad:\nbroken\.nomad:\d+,\d+.*\n.*\n +\| +\^/,
  });
  t.match(await orchctl('plan', 'broken.nomad'), { code: 255, stderr: /broken\.nomad/ });
  t.match(await orchctl('run', 'none.nomad'), {
    code: 1,
    stderr: 'Error getting job struct: Cannot read none.nomad: there is no such file\n',
  });
  file('binary.nomad', 'job "x\u0000" {}');
  t.match(await orchctl('run', 'binary.nomad'), {
    code: 1,
    stderr: /Cannot read binary\.nomad: it is a binary file, not a text\n$/,
  });
  t.match(await orchctl('run', ''), { code: 1, stderr: 'Error getting job struct: Error jobfile path has to be specified.\n' });
  t.match(await orchctl('run', '.'), { code: 1, stderr: /it is a folder; name a file in it\n$/ });
  t.match(await orchctl('run', 'ftp://x/y'), { code: 1, stderr: /only http:\/\/ and https:\/\/ can be fetched\n$/ });
  file('unknown.nomad', jobFile('unknown').replace('count', 'cuont'));
  t.match(await orchctl('run', 'unknown.nomad'), { code: 1, stderr: /unknown\.nomad:4,\d+.*"count"/ });
  t.equal(await client.find(JobKind, 'unknown', 'default'), undefined);
});

t.test('convert: there and back', async (t) => {
  file(
    'conv.nomad',
    'job "conv" {\n  datacenters = ["dc1"]\n\n  group "g" {\n    count = 2\n\n    task "t" {\n      driver = "raw_exec"\n\n      config {\n        command = "true"\n      }\n    }\n  }\n}\n',
  );
  const yaml = await ok('convert', 'conv.nomad');
  t.match(yaml, /^apiVersion: orch\.dev\/v1\nkind: Job\nmetadata:\n  name: conv\n/);
  file('conv.yaml', yaml);
  const hcl = await ok('convert', 'conv.yaml');
  file('conv2.nomad', hcl);
  t.equal(await ok('convert', 'conv2.nomad'), yaml);
  const nomad = await ok('convert', '-to', 'nomad', 'conv.nomad');
  t.match(nomad, /^\{\n    "Job": \{/);
  file('conv.json', nomad);
  t.equal(await ok('convert', 'conv.json'), hcl);
  t.match(await orchctl('convert', '-to', 'xml', 'conv.nomad'), {
    code: 1,
    stderr: 'There is no form "xml": expected hcl, yaml, json or nomad\n',
  });
});

t.test('jobs by prefix', async (t) => {
  file('web2.nomad', jobFile('web2'));
  await ok('run', '-detach', 'web2.nomad');
  t.match(await ok('job', 'status', 'web'), /^ID            = web\n/, 'an exact name wins');
  t.match(await ok('status', 'nowh'), /^ID            = nowhere\n/);
  t.match(await orchctl('job', 'status', 'we'), {
    code: 1,
    stdout: '',
    stderr: /^Prefix matched multiple jobs\n\nID +Type[^\n]*\nweb +service[^\n]*\nweb2 +service/,
  });
  t.same(await orchctl('job', 'status', 'nope'), { code: 1, stdout: '', stderr: 'No job(s) with prefix or id "nope" found\n' });
  t.same(await orchctl('alloc', 'status', 'ffffffff'), {
    code: 1,
    stdout: '',
    stderr: 'No allocation(s) with prefix or id "ffffffff" found\n',
  });
  t.same(await orchctl('alloc', 'status', 'f'), {
    code: 1,
    stdout: '',
    stderr: 'Identifier must contain at least two characters.\n',
  });
  t.match(await orchctl('job', 'stop', 'we'), { code: 1 });
  t.match(await orchctl('job', 'stop', 'nowh'), { code: 1, stderr: /say -yes to go on/ }, 'nobody can be asked');
});

t.test('what runs: job, allocation, evaluation, deployment, node', async (t) => {
  const [allocation] = (await client.list(AllocationKind, { namespace: 'default', fieldSelector: 'spec.jobName=web' })).items;
  const { name } = allocation!.metadata;
  t.match(
    await ok('job', 'status', 'web'),
    /\nAllocations\nID        Node ID   Task Group[^\n]*\n[0-9a-f]{8}  ac509354  g           0        run      running/,
  );
  t.match(await ok('alloc', 'status', name.slice(0, 8)), new RegExp(`^ID +=.${name}\n[^]*\nNode Name +=.node1\n`));
  t.match(await ok('status', name.slice(0, 8)), new RegExp(`^ID +=.${name}\n`));
  t.match(await ok('eval', 'status', allocation!.spec.evaluation!.slice(0, 8)), /\nTriggeredBy        = job-register\n/);
  t.match(await ok('deployment', 'list'), /^ID        Job ID  Job Version  Status      Description\n/);
  t.match(await ok('deployment', 'status', allocation!.spec.deployment!), /\nStatus      = successful\n/);
  t.match(
    await ok('node', 'status'),
    /^ID +DC +Name +Class +Drain +Eligibility +Status\nac509354  dc1  node1  <none>  false  eligible     initializing\n$/,
  );
  t.match(await ok('node', 'status', '-short', 'ac50'), /\nAllocations\nID /);
  t.match(await ok('job', 'history', 'web'), /^Version     = 0\nStable      = false\n/);
  t.match(JSON.parse(await ok('job', 'inspect', 'web')), {
    Job: { ID: 'web', Version: 0, Status: 'running', Stop: false, TaskGroups: [{ Name: 'g' }] },
  });
  t.match(await ok('eval', 'list', '-job', 'web'), /job-register/);
  t.match(JSON.parse(await ok('get', 'job', 'web', '-ojson')), { kind: 'Job', metadata: { name: 'web' } });
  t.match(await ok('get', 'jobs'), /^NAME +TYPE +PRIORITY +STATUS +VERSION +AGE\n/);
  t.equal(await ok('get', 'alloc', name.slice(0, 8), '-o', 'name'), `allocation.orch.dev/${name}\n`);
  t.match(await ok('describe', 'job/web'), /^Name +=.web\n[^]*\nEvents:\n/);
  t.match(await orchctl('get', 'jbos'), { code: 1, stderr: /no kind "jbos"\nDid you mean "jobs"\?/ });
});

t.test('stop, scale, revert', async (t) => {
  t.match(await ok('job', 'scale', '-detach', 'web', '3'), /^Evaluation ID: /);
  const scaled = await client.get(JobKind, 'web', 'default');
  t.equal(scaled.spec.groups![0]!.count, 3);
  await control(scaled);
  t.match(await orchctl('job', 'scale', 'web', 'h', '3'), { code: 1, stderr: /no group "h"; it has g/ });
  t.match(await ok('job', 'revert', '-detach', 'web', '0'), /^Evaluation ID: /);
  t.equal((await client.get(JobKind, 'web', 'default')).spec.groups![0]!.count, 1);
  t.match(await orchctl('job', 'revert', 'web', '7'), {
    code: 1,
    stderr: /Versions that are kept: 1, 0.*\n.*has no version 7/,
  });
  t.match(await ok('job', 'stop', '-detach', 'web'), /^[0-9a-f-]{36}\n$/);
  t.match(await ok('status'), /^web +service +50 +running \(stopped\)/m);
  await ok('run', '-detach', 'web.nomad');
  t.notOk((await client.get(JobKind, 'web', 'default')).spec.stop, 'running it again starts it');
  await ok('job', 'stop', '-purge', '-detach', 'web2');
  t.ok((await client.find(JobKind, 'web2', 'default'))?.metadata.deletionTimestamp, 'it goes once its controller lets it');
});

t.test('apply and delete', async (t) => {
  mkdirSync(join(work, 'folder'));
  file('folder/a.nomad', jobFile('folder-a'));
  file(
    'folder/b.yaml',
    'apiVersion: orch.dev/v1\nkind: NodePool\nmetadata: {name: gpu}\nspec: {description: Has cards}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n',
  );
  file('folder/README.md', 'not a manifest');
  t.equal(
    await ok('apply', '-f', 'folder', '-detach'),
    'job.orch.dev/folder-a created\nnodepool.orch.dev/gpu created\nnamespace/team created\n',
  );
  t.equal(
    await ok('apply', '-f', 'folder', '-detach'),
    'job.orch.dev/folder-a unchanged\nnodepool.orch.dev/gpu unchanged\nnamespace/team unchanged\n',
  );
  t.match(await ok('apply', '-f', 'folder', '--dry-run=server'), /^job\.orch\.dev\/folder-a unchanged \(server dry run\)\n/);
  file('folder/a.nomad', jobFile('folder-a', 2));
  t.equal(await ok('apply', '-f', 'folder/*.nomad', '-dry-run'), 'job.orch.dev/folder-a configured (server dry run)\n');
  t.equal(await ok('apply', '-f', 'folder/a.nomad', '--dry-run=client'), 'job.orch.dev/folder-a configured (dry run)\n');
  t.equal((await client.get(JobKind, 'folder-a', 'default')).spec.groups![0]!.count, 1, 'a dry run changes nothing');
  t.match(await orchctl('apply', 'folder/a.nomad'), { code: 1, stderr: 'Name files with -f: orchctl apply -f folder/a.nomad\n' });
  t.match(await orchctl('apply', '-f', 'none.yaml'), { code: 1, stderr: 'Cannot read none.yaml: there is no such file\n' });
  t.match(await ok('apply', '-f', 'folder/a.nomad', '-detach'), /configured/);
  const piped = await start(['apply', '-detach', '-f', '-'], jobFile('piped')).done;
  t.match(piped, { code: 0, stdout: 'job.orch.dev/piped created\n' });
  file('folder/c.yaml', 'apiVersion: orch.dev/v1\nkind: Nothing\nmetadata: {name: x}\n');
  t.match(
    await orchctl('apply', '-f', 'folder', '-detach'),
    { code: 1, stdout: '', stderr: /no kind "Nothing"/ },
    'nothing is sent when something cannot be read',
  );
  file('folder/c.yaml', 'apiVersion: orch.dev/v1\nkind: Nothing: x\n');
  t.match(await orchctl('apply', '-f', 'folder/c.yaml'), {
    code: 1,
    stderr: /^folder\/c\.yaml cannot be used:\nfolder\/c\.yaml:2/,
  });
  file('folder/c.yaml', 'apiVersion: orch.dev/v1\nkind: NodePool\nmetadata: {name: kept}\nspec: {}\n');
  t.equal(
    await ok('apply', '-prune', '-all', '-f', 'folder/c.yaml', '-dry-run'),
    'nodepool.orch.dev/kept created (server dry run)\n' +
      ['job.orch.dev/folder-a', 'job.orch.dev/piped', 'nodepool.orch.dev/gpu']
        .map((one) => `${one} pruned (server dry run)\n`)
        .join(''),
    'only what apply made, and of kinds that are in the files',
  );
  t.equal(await ok('delete', 'nodepool', 'gpu'), 'nodepool.orch.dev "gpu" deleted\n');
  t.match(await orchctl('delete', 'nodepool', 'gpu'), { code: 1, stderr: /not found/ });
  t.equal(await ok('delete', '-wait=false', '-f', 'folder/a.nomad'), 'job.orch.dev "folder-a" deleted\n');
});

t.test('watching', async (t) => {
  const running = start(['get', 'nodepools', '-w']);
  await running.says(/default/);
  file('pool.yaml', 'apiVersion: orch.dev/v1\nkind: NodePool\nmetadata: {name: fast}\nspec: {}\n');
  await ok('apply', '-f', 'pool.yaml');
  await running.says(/fast/);
  running.interrupt();
  t.match(await running.done, { code: 130, stdout: /^NAME[^]*default[^]*fast/ });
});

t.test('values for variables that a job file does not declare', async (t) => {
  file('undeclared.nomad', `variable "image" {\n  default = "a"\n}\n${jobFile('undeclared')}`);
  const cases: [string, RegExp][] = [
    ['imge=1', /\n-var imge: Undefined -var variable; A "imge" variable was passed.*\n {2}Did you mean "image"\?\n$/],
    ['nope=1', /\n-var nope: Undefined -var variable; .*\n {2}The job file declares: image\n$/],
  ];
  for (const [value, stderr] of cases)
    t.match(await orchctl('job', 'run', '-var', value, 'undeclared.nomad'), { code: 1, stderr });
});

t.test('nodes: eligibility and drain', async (t) => {
  t.match(await orchctl('node', 'eligibility', 'ac50'), { code: 1, stderr: /-enable.*-disable/ });
  t.equal(
    await ok('node', 'eligibility', '-disable', 'ac50'),
    `Node "${nodeId}" scheduling eligibility set: ineligible for scheduling\n`,
  );
  t.equal(
    await ok('node', 'eligibility', '-enable', 'ac50'),
    `Node "${nodeId}" scheduling eligibility set: eligible for scheduling\n`,
  );
  t.match(await orchctl('node', 'drain', '-enable', '-force', '-no-deadline', 'ac50'), { code: 1, stderr: /Only one of/ });

  const running = start(['node', 'drain', '-enable', '-y', '-deadline', '10m', '-m', 'new disk', 'ac50']);
  await running.says(/drain strategy set/);
  const node = await client.get(NodeKind, nodeId);
  t.match(node.spec, { eligibility: 'ineligible', drain: { deadline: '10m', message: 'new disk' } });
  const [allocation] = (await client.list(AllocationKind, { fieldSelector: `spec.nodeName=${nodeId}` })).items;
  const { name, namespace } = allocation!.metadata;
  await client.patch(AllocationKind, name, namespace, { spec: { desiredTransition: { migrate: true } } });
  await running.says(/marked for migration/);
  const evaluation = await client.create(EvaluationKind, {
    metadata: { name: uuid(), namespace: namespace! },
    spec: { jobName: 'web:periodic-17', jobUID: uuid(), type: 'service', trigger: 'node-drain', nodeName: nodeId, priority: 50 },
  });
  await setStatus(EvaluationKind, evaluation, {
    phase: 'complete',
    failedPlacements: { g: { nodesEvaluated: 0, nodesInPool: 1 } },
  });
  await running.says(/Job "web\/periodic-17" has no other place for what is moved.*\nTask Group "g" .*failed to place/);
  await client.patch(AllocationKind, name, namespace, { spec: { desired: 'stop' } });
  await running.says(/draining/);
  await setStatus(AllocationKind, allocation!, { phase: 'complete' });
  await running.says(/running -> complete/);
  await client.patch(NodeKind, nodeId, undefined, { spec: { drain: null } });
  const { code, stdout } = await running.done;
  t.equal(code, 0);
  t.match(
    stdout,
    new RegExp(
      `: Alloc "${name}" marked for migration\n[^]*: Alloc "${name}" draining\n\\S+: Alloc "${name}" status running -> complete\n[^]*: Drain complete for node "${nodeId}"\n$`,
    ),
  );
});

t.test('how the scheduler works, and what operators ask for', async (t) => {
  t.match(
    await ok('operator', 'scheduler', 'get-config'),
    /Scheduler Algorithm +.*binpack\n[^]*Preemption System Scheduler +.*true\n[^]*Modify Index +.*0\n/,
  );
  t.match(await orchctl('operator', 'scheduler', 'set-config'), { code: 1, stderr: /Say what to change/ });
  t.match(await orchctl('operator', 'scheduler', 'set-config', '-scheduler-algorithm=best'), {
    code: 1,
    stderr: /binpack or spread/,
  });
  t.match(await orchctl('operator', 'scheduler', 'set-config', '-pause-eval-broker=maybe'), { code: 1, stderr: /true or false/ });
  t.match(await orchctl('operator', 'scheduler', 'set-config', '-check-index=7', '-scheduler-algorithm=spread'), {
    code: 1,
    stderr: /the index is 0 and not 7/,
  });
  const set = ['operator', 'scheduler', 'set-config', '-scheduler-algorithm=spread', '-preempt-service-scheduler'];
  t.equal(await ok(...set, '-check-index=0'), 'Scheduler configuration updated!\n');
  t.match(JSON.parse(await ok('operator', 'scheduler', 'get-config', '-json')), {
    SchedulerConfig: {
      SchedulerAlgorithm: 'spread',
      PreemptionConfig: { ServiceSchedulerEnabled: true, SystemSchedulerEnabled: true, BatchSchedulerEnabled: false },
    },
  });
  await ok('operator', 'scheduler', 'set-config', '-reject-job-registration=true');
  file('refused.nomad', jobFile('refused'));
  t.match(await orchctl('job', 'run', '-detach', 'refused.nomad'), { code: 1, stderr: /are disabled by the scheduler/ });
  await client.delete(SchedulerConfigurationKind, 'default');

  const asked = start(['system', 'gc']);
  for (let found = false; !found;)
    for (const operation of (await client.list(OperationKind)).items) {
      found = true;
      await setStatus(OperationKind, operation, { phase: 'complete', description: 'Collected 2 Jobs' });
    }
  t.match(await asked.done, { code: 0, stdout: '', stderr: /Collected 2 Jobs/ });
});

t.test('evaluations in pages and by expression; several jobs at once; a debug bundle', async (t) => {
  const evaluations = (await client.list(EvaluationKind, { namespace: 'default' })).items.filter(
    ({ spec }) => spec.dryRun === undefined,
  );
  t.ok(evaluations.length > 3);
  const seen: string[] = [];
  for (let token: string[] = []; ;) {
    const page = await start(['eval', 'list', '-json', '-per-page=3', ...token]).done;
    seen.push(...(JSON.parse(page.stdout) as { ID: string }[]).map(({ ID }) => ID));
    const next = /-page-token (\S+)/.exec(page.stderr)?.[1];
    if (next === undefined) break;
    token = [`-page-token=${next}`];
  }
  t.same(seen.sort(), evaluations.map(({ metadata }) => metadata.name).sort(), 'each of them once');
  t.match(await ok('eval', 'list', '-per-page=1'), /Results have been paginated[^]*eval list -per-page 1 -page-token \d+\./);
  t.match(await orchctl('eval', 'list', '-page-token=x'), { code: 1, stderr: /no page token/ });
  t.equal(await ok('eval', 'list', '-filter', 'JobID == "nobody"'), 'No evals found\n');
  t.match(await orchctl('eval', 'list', '-filter', 'JobID ='), { code: 1, stderr: /-filter: [^]*JobID =/ });
  t.match(await ok('eval', 'list', '-namespace=*'), /Job ID +Namespace/);
  t.match(await ok('node', 'status', '-filter', 'Name == "node1"'), /node1/);
  t.equal(await ok('node', 'status', '-filter', 'Name == "node2"'), 'No nodes match\n');

  for (const name of ['first', 'second']) {
    file(`${name}.nomad`, jobFile(name));
    await ok('job', 'run', '-detach', `${name}.nomad`);
  }
  t.match(await orchctl('job', 'stop', '-detach', 'first', 'nobody'), { code: 1, stderr: /"nobody" found/ });
  t.not((await client.get(JobKind, 'first', 'default')).spec.stop, true, 'a mistake stops nothing');
  await ok('job', 'stop', '-detach', '-no-shutdown-delay', '-global', 'first', 'second');
  for (const name of ['first', 'second']) t.equal((await client.get(JobKind, name, 'default')).spec.stop, true);
  t.match(await orchctl('job', 'scale', '-detach', '-check-index=1', 'web', '2'), {
    code: 1,
    stderr: /conflicting job modify index/,
  });

  t.match(await orchctl('operator', 'debug', '-duration=soon'), { code: 1, stderr: /-duration must be/ });
  const { code, stdout, stderr } = await orchctl('operator', 'debug', '-duration=0s', '-node-id', 'ac50');
  t.equal(code, 0);
  t.match(stderr, /Not collected: client\/ac509354/, 'what could not be had is told');
  const archive = gunzipSync(readFileSync(/Created debug archive: (\S+)/.exec(stdout)![1]!)).toString('latin1');
  for (const name of [
    'index.json',
    'cluster/version.json',
    'interval/0000/jobs.json',
    '0000-metrics.txt',
    '0000-runtime.json',
    'monitor.log',
  ])
    t.ok(archive.includes(name), name);
  t.ok(archive.includes('loopDelayMs') && archive.includes('apiserver_'));
  t.notOk(archive.includes('interval/0000/variables.json'));
});

t.test('node meta and monitor', async (t) => {
  t.match(await orchctl('node', 'meta', 'apply', '-node-id', 'ac50'), { code: 1, stderr: /Say what to set/ });
  t.match(await orchctl('node', 'meta', 'apply', '-node-id', 'ac50', 'rack'), { code: 1, stderr: /is no <key>=<value>/ });
  t.match(await orchctl('node', 'meta', 'apply', '-node-id', 'ac50', 'a=b', '-unset', 'a'), {
    code: 1,
    stderr: /both set and taken/,
  });
  t.match(await orchctl('node', 'meta', 'apply', '-node-id', 'ac50', 'a=b'), {
    code: 1,
    stderr: /has not said where it can be reached/,
  });
  t.match(await orchctl('node', 'meta', 'read', 'ac50'), {
    code: 0,
    stdout: /All Meta/,
    stderr: /Where it comes from is not known/,
  });
  t.match(await orchctl('monitor', '-log-level=loud'), { code: 1, stderr: /Unknown log level/ });
  t.match(await orchctl('monitor', '-server-id=nobody'), { code: 1, stderr: /No server "nobody"/ });
  apiLog.warn('kept', { n: 1 });
  t.match(await ok('monitor', '-follow=false', '-log-level=warn'), /\[WARN\]  apiserver: kept: n=1\n$/);
  const following = start(['monitor', '-json', '-log-level=debug', '-tail=1']);
  await following.says(/"kept"/);
  apiLog.debug('as it \x1b[2J comes');
  await following.says(/as it .u001b\[2J comes/);
  following.interrupt();
  t.equal((await following.done).code, 130);
});

t.test('servers and their leases', async (t) => {
  t.equal(await ok('server', 'members'), 'No servers have made themselves known\n');
  const annotations = {
    'orch.dev/address': '127.0.0.1',
    'orch.dev/port': '4646',
    'orch.dev/datacenter': 'dc1',
    'orch.dev/region': 'global',
    'orch.dev/version': '0.1.0',
  };
  await client.create(LeaseKind, {
    metadata: { name: 'server-node1.global', namespace: 'orch-system', labels: { 'orch.dev/role': 'server' }, annotations },
    spec: { holderIdentity: 'node1.global' },
  });
  t.equal(
    await ok('server', 'members'),
    'Name          Address    Port  Status  Leader  Protocol  Build  Datacenter  Region\nnode1.global  127.0.0.1  4646  alive   true    2         0.1.0  dc1         global\n',
  );
  t.match(await ok('server', 'members', '-detailed'), /build=0\.1\.0,dc=dc1,region=global/);
});

t.test('completion', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) t.match(await ok('completion', shell), /__complete/);
  t.match(await orchctl('completion', 'ksh'), { code: 1, stderr: /bash, zsh, fish/ });
  const complete = async (...words: string[]): Promise<string[]> =>
    (await ok('__complete', '--', ...words)).split('\n').filter(Boolean);
  t.ok((await complete('jo')).includes('job'));
  t.same(await complete('job', 'st'), ['start', 'status', 'stop']);
  t.ok((await complete('job', 'run', '-de')).includes('-detach'));
  t.same(await complete('job', 'run', ''), ['__files__']);
  t.ok((await complete('job', 'status', 'w')).includes('web'));
  t.ok((await complete('get', 'no')).includes('nodes'));
  t.same(await complete('node', 'status', 'ac'), ['ac509354']);
  t.ok((await complete('logs', '-f', 'job/w')).includes('job/web'), 'a kind and a name');
  t.ok((await complete('-namespace', 'default', 'job', 'status', '-verbose', 'w')).includes('web'), 'with flags before');
  t.same(await complete('job', 'status', '-namespace=no-such', 'w'), [], 'of the namespace that is asked for');
  t.ok((await complete('get', 'jobs', '-n', 'd')).includes('default'));
  t.ok((await complete('get', 'jobs', '-namespace', '=', 'd')).includes('default'), 'as bash cuts words');
  t.ok((await complete('get', 'jobs', '-namespace=d')).includes('-namespace=default'));
  t.same(await complete('job', 'run', '-var-file', ''), ['__files__']);
  t.same(await complete('help', 'job', 'dis'), ['dispatch']);
  t.same(await complete('manual', 'jo'), ['job']);
});

t.test("kubectl's verbs", async (t) => {
  file('kube.nomad', jobFile('kube'));
  file(
    'kube-pool.yaml',
    'apiVersion: orch.dev/v1\nkind: NodePool\nmetadata: {name: kube, labels: {a: b}}\nspec: {description: One}\n',
  );
  t.equal(await ok('create', '-f', 'kube.nomad'), 'job.orch.dev/kube created\n');
  t.match(await orchctl('create', '-f', 'kube.nomad'), {
    code: 1,
    stderr: /^kube\.nomad: job\.orch\.dev\/kube: .*already exists/,
  });
  t.equal(await ok('create', '-f', 'kube-pool.yaml'), 'nodepool.orch.dev/kube created\n');
  file(
    'kube-pool.yaml',
    'apiVersion: orch.dev/v1\nkind: NodePool\nmetadata: {name: kube, labels: {c: d}}\nspec: {description: Two}\n',
  );
  t.match(await orchctl('diff', '-f', 'kube-pool.yaml'), {
    code: 1,
    stdout: /would change\n[^]*- {3}description: One\n\+ {3}description: Two/,
  });
  t.equal(await ok('replace', '-f', 'kube-pool.yaml'), 'nodepool.orch.dev/kube replaced\n');
  t.same((await client.get(NodePoolKind, 'kube')).metadata.labels, { c: 'd' }, 'labels that the file does not have are gone');
  t.match(await orchctl('diff', '-f', 'kube-pool.yaml'), { code: 0, stdout: '' });
  t.match(await orchctl('diff', '-f', 'nothing.yaml'), { code: 2 });
  t.equal(await ok('label', 'nodepool', 'kube', 'team=x', 'c-'), 'nodepool.orch.dev/kube labeled\n');
  t.match(await orchctl('label', 'nodepool', 'kube', 'team=y'), { code: 1, stderr: /already has team=x; -overwrite/ });
  t.same((await client.get(NodePoolKind, 'kube')).metadata.labels, { team: 'x' });
  t.equal(await ok('annotate', 'nodepool/kube', 'why=because'), 'nodepool.orch.dev/kube annotated\n');
  t.equal(await ok('patch', 'nodepool', 'kube', '-p', 'spec: {description: Three}'), 'nodepool.orch.dev/kube patched\n');
  const json = '[{"op":"replace","path":"/spec/description","value":"Four"}]';
  t.equal(
    await ok('patch', 'nodepool', 'kube', '--type=json', '-p', json, '--dry-run=server'),
    'nodepool.orch.dev/kube patched (server dry run)\n',
  );
  t.equal((await client.get(NodePoolKind, 'kube')).spec?.description, 'Three');
  const edited = await start(['edit', 'nodepool', 'kube'], '', { EDITOR: 'sed -i s/Three/Five/' }).done;
  t.match(edited, { code: 0, stdout: 'nodepool.orch.dev/kube edited\n' });
  t.equal((await client.get(NodePoolKind, 'kube')).spec?.description, 'Five');
  t.match(await start(['edit', 'nodepool', 'kube'], '', { EDITOR: 'true' }).done, { code: 0, stdout: /unchanged/ });
  t.match(await ok('explain', 'nodepool.spec'), /FIELD: {4}spec <Object>\n[^]*description\t<string>\n {5}What the pool is for/);
  t.match(await orchctl('explain', 'job.spec.prioritty'), { code: 1, stderr: /Did you mean "priority"\?/ });
  t.match(await ok('wait', 'nodepool/kube', '--for=jsonpath={.spec.description}=Five'), /condition met/);
  t.match(await orchctl('wait', 'nodepool/kube', '--for=delete', '--timeout=10ms'), { code: 1, stderr: /timed out/ });
  const waiting = start(['wait', 'nodepool/kube', '--for=delete']);
  await ok('delete', 'nodepool', 'kube');
  t.match(await waiting.done, { code: 0, stdout: 'nodepool.orch.dev/kube deleted\n' });
});

t.test('contexts, namespaces, pools, tags, the bare API', async (t) => {
  const env = { ORCH_CONFIG: join(dir, 'contexts.yaml') };
  const config = (...argv: string[]) => start(['config', ...argv], '', env).done;
  t.match(await config('get-contexts'), { stdout: /^No contexts/ });
  t.match(await config('set-context', 'a', '-address=http://a:1', '-n', 'x'), { code: 0, stdout: 'Context "a" created.\n' });
  t.match(await config('set-context', 'b', '-address=nowhere'), { code: 1 });
  t.match(await config('set-context', 'b', '-address=http://b:1'), { code: 0 });
  t.match(await config('use-context', 'b'), { stdout: 'Switched to context "b".\n' });
  t.match(await config('get-contexts'), { stdout: /\* +b +http:\/\/b:1/ });
  t.match(await config('delete-context', 'b'), { code: 0 });
  t.match(await config('current-context'), { code: 1 });

  t.equal(await ok('namespace', 'apply', '-description', 'Ours', 'ours'), 'Successfully applied namespace "ours"!\n');
  t.match(await ok('namespace', 'list'), /^ours +Ours$/m);
  t.equal(await ok('namespace', 'status', '-t', '{{.Description}}', 'ours'), 'Ours\n');
  t.equal(await ok('namespace', 'delete', 'ours'), 'Successfully deleted namespace "ours"!\n');
  t.match(await ok('node', 'pool', 'apply', '-description', 'Cards', 'cards'), /Successfully applied node pool "cards"!/);
  t.match(await ok('node', 'pool', 'info', 'card'), /Name +== ?Cards|Description = Cards/);
  t.match(await orchctl('node', 'pool'), { code: 1, stderr: /Subcommands:[^]*apply/ });
  t.match(await ok('operator', 'api', '/version'), /"gitVersion"/);
  t.match(await ok('operator', 'api', '-dryrun', '-d', '{}', 'x'), /^curl -X POST -d '\{\}' 'http:.*\/x'\n$/);
  t.match(await ok('operator', 'metrics', '-json'), /"name": "apiserver_request_total"/);
  t.equal(await ok('service', 'list'), 'No services found\n');
});

t.test('variables', async (t) => {
  t.match(await orchctl('var', 'get', 'nomad/jobs/web'), { code: 1, stderr: /^Variable not found/ });
  t.match(
    await ok('var', 'put', '-out=none', 'nomad/jobs/web', 'user=me', 'a.b=c'),
    /^Created variable "nomad\/jobs\/web" with modify index \d+\n$/,
  );
  t.match(await orchctl('var', 'put', '-out=none', 'x', 'a.b=c'), {
    stderr: /"a.b" contains characters \["\."\] that require the 'index' function/,
  });
  const clash = await orchctl('var', 'put', 'nomad/jobs/web', 'user=you');
  t.match(clash, {
    code: 1,
    stderr: /Check-and-Set conflict\n\n {4}Your provided check-index \(0\) does not match the server-side index/,
  });
  const index = (await ok('var', 'get', '-out=go-template', '-template={{.ModifyIndex}}', 'nomad/jobs/web')).trim();
  t.match(clash.stderr.replace(/\s+/g, ' '), `add the -force or -check-index=${index} flag`);
  file('password', 'hunter2');
  const put = start(['var', 'put', '-check-index', index, '-verbose', '/nomad/jobs/web/', 'password=@password', 'note=-', 'user='], 'from stdin'); // prettier-ignore
  const written = await put.done;
  t.match(written, { code: 0, stderr: /Writing to path "nomad\/jobs\/web"\nCreated variable/ });
  t.match(JSON.parse(written.stdout), { Namespace: 'default', Path: 'nomad/jobs/web', Items: { password: 'hunter2', note: 'from stdin' } }); // prettier-ignore
  t.equal(await ok('var', 'get', '-item=password', 'nomad/jobs/web'), 'hunter2');
  t.match(await orchctl('var', 'get', '-item=none', 'nomad/jobs/web'), {
    code: 1,
    stderr: /Variable does not contain "none" item/,
  });
  t.match(await ok('var', 'get', '-out=table', 'nomad/jobs/web'), /^Namespace +=  ?default\nPath[^]*Check Index +=[^]*\n\nItems\nnote +=/); // prettier-ignore
  file('web.hcl', await ok('var', 'get', '-out=hcl', 'nomad/jobs/web'));
  t.match(await orchctl('var', 'put', '@web.hcl'), { code: 0 }, 'what is read can be put again');
  t.match(await orchctl('var', 'put', '@web.hcl'), { code: 0 }, 'the same again changes nothing, so its index still holds');
  t.match(await start(['var', 'put', '-in=json', '-force', '-out=json', 'copy', '-'], '{"Items":{"k":"v"}}').done, { code: 0, stdout: /"Path": "copy"/ }); // prettier-ignore
  t.match(await start(['var', 'put', '-'], '{"Path":"p","Items":{"secret":7}}').done, { code: 1, stderr: /the value of "secret" must be a string/ }); // prettier-ignore
  t.match(await orchctl('var', 'put', 'nomad/x', 'a=b'), {
    code: 1,
    stderr: /Error creating variable:[^]*"nomad\/jobs" and below/,
  });
  t.match(await orchctl('var', 'put', 'x'), { code: 1, stderr: /Must supply data/ });
  t.match(await orchctl('var', 'put', '-out=odd', 'x', 'a=b'), {
    code: 1,
    stderr: /valid values are \[go-template, hcl, json, none, table\]/,
  });
  t.match(await orchctl('var', 'get', '-namespace=*', 'x'), { code: 1, stderr: /The wildcard namespace/ });

  t.match(await ok('var', 'list'), /^Namespace +Path +Last Updated\ndefault +copy +\d{4}-/);
  t.equal(await ok('var', 'list', '-out=terse', 'nomad/'), 'nomad/jobs/web\n');
  t.equal(await ok('var', 'list', 'zzz'), 'No matching variables found\n');
  t.notMatch(await ok('var', 'list', '-json'), 'hunter2');
  for (const argv of [
    ['get', 'variables', '-o', 'yaml'],
    ['describe', 'variable', 'nomad:jobs:web'],
    ['get', 'variables'],
  ])
    t.notMatch(await ok(...argv), 'hunter2', `${argv.join(' ')} shows no values`);
  t.match(await ok('get', 'variable', 'nomad:jobs:web', '-o', 'yaml'), /password: \(sensitive\)/);
  t.match(await orchctl('var', 'list', '-per-page=1'), { stderr: /^Next page token: \S+\n$/ });

  t.match(await orchctl('var', 'purge', '-check-index=1', 'copy'), { code: 1, stderr: /Check-and-Set conflict/ });
  t.equal(await ok('var', 'purge', 'copy'), 'Successfully purged variable "copy"!\n');
  t.match(await orchctl('var', 'get', 'copy'), { code: 1 });

  t.match(await ok('var', 'init'), /Example variable specification written to spec.nv.hcl/);
  t.match(await orchctl('var', 'init'), { code: 1, stderr: /File "spec.nv.hcl" already exists/ });
  t.match(await ok('var', 'put', 'made', '@spec.nv.hcl'), /"key1": "value 1"/);

  const keys = await ok('operator', 'root', 'keyring', 'list');
  t.match(keys, /^Key +State +Create Time\n\w{8} +active +/);
  t.match(await ok('operator', 'root', 'keyring', 'rotate'), /^Key +State +Create Time\n\w{8} +active +\S+\n$/);
  t.match(await ok('operator', 'root', 'keyring', 'list'), /active[^]*inactive/);
  t.equal(await ok('var', 'get', '-item=password', 'nomad/jobs/web'), 'hunter2');
});

t.test('rebalance: looks again before each move, and says where it landed', async (t) => {
  const namespace = 'default';
  const create = (name: string) => client.create(NodeKind, { metadata: { name }, spec: { name: name.slice(0, 2), datacenter: 'dc1', nodePool: 'default', eligibility: 'eligible' } }); // prettier-ignore
  const [from, to, other] = [await create(`n1${uuid()}`), await create(`n2${uuid()}`), await create(`n3${uuid()}`)];
  for (const node of [from, to, other]) await setStatus(NodeKind, node, { phase: 'ready' });
  const job = await client.create(JobKind, {
    metadata: { name: 'moved', namespace },
    spec: { type: 'service', datacenters: ['dc1'], groups: [{ name: 'g', count: 1, tasks: [{ name: 't', driver: 'raw_exec', config: { command: 'sleep' } }] }] },
  }); // prettier-ignore
  const allocate = (nodeName: string, previousAllocation?: string) =>
    client.create(AllocationKind, {
      metadata: { name: uuid(), namespace },
      spec: { jobName: 'moved', jobUID: job.metadata.uid, jobVersion: 0, group: 'g', name: 'moved.g[0]', index: 0, nodeName, desired: 'run', ...(previousAllocation && { previousAllocation }) },
    }); // prettier-ignore
  /** What the scheduler and the agents do once the move is asked for. */
  const moving = async (act: (old: Stored<Allocation>) => Promise<unknown>, fromNode = from.metadata.name): Promise<Result> => {
    const old = await setStatus(AllocationKind, await allocate(from.metadata.name), { phase: 'running' });
    const over = new AbortController();
    const answering = (async () => {
      for await (const { type, object } of client.watch(RebalanceKind, { signal: over.signal }))
        if (type === 'ADDED')
          await setStatus(RebalanceKind, object, {
            answeredAt: new Date().toISOString(),
            moves: [{ allocation: old.metadata.name, namespace, fromNode, toNode: to.metadata.name }],
          });
    })().catch(() => undefined);
    const acting = (async () => {
      for await (const { object } of client.watch(AllocationKind, { namespace, signal: over.signal }))
        if (object.metadata.name === old.metadata.name && object.spec.desiredTransition?.migrate === true) return act(old);
      return undefined;
    })().catch(() => undefined);
    const result = await orchctl('rebalance', '-yes');
    over.abort();
    await Promise.all([answering, acting]);
    return result;
  };
  const succeed =
    (node: string, phase = 'running') =>
    async (old: Stored<Allocation>) =>
      setStatus(AllocationKind, await allocate(node, old.metadata.name), { phase });

  t.match(await moving(succeed(to.metadata.name)), { code: 0, stdout: /landed on n2\n[^]*Finished rebalance/ });
  t.match(await moving(succeed(other.metadata.name)), { code: 1, stdout: /landed on n3\n/, stderr: /meant to go to n2/ });
  t.match(await moving(succeed(to.metadata.name, 'lost')), { code: 1, stderr: /its successor "\w{8}" was stopped or lost/ });
  const never = () => Promise.reject(new Error('nothing is to be moved'));
  t.match(await moving(never, other.metadata.name), { code: 1, stderr: /it is no longer on n3/ });
  const deployment = await client.create(DeploymentKind, {
    metadata: { name: uuid(), namespace },
    spec: { jobName: 'moved', jobUID: job.metadata.uid, jobVersion: 0, groups: [{ name: 'g', desiredTotal: 1 }] },
  });
  t.match(await moving(never), { code: 1, stderr: /its job is being deployed/ });
  await setStatus(DeploymentKind, deployment, { phase: 'successful' });
  await client.patch(NodeKind, to.metadata.name, undefined, { spec: { eligibility: 'ineligible' } });
  t.match(await moving(never), { code: 1, stderr: /n2 takes no allocations any more/ });
  await client.patch(NodeKind, to.metadata.name, undefined, { spec: { eligibility: 'eligible' } });
  const stop = async (old: Stored<Allocation>): Promise<void> => {
    await client.patch(JobKind, 'moved', namespace, { spec: { stop: true } });
    await setStatus(AllocationKind, old, { phase: 'complete' });
  };
  t.match(await moving(stop), { code: 1, stderr: /nothing takes its place/ });
  for (const { metadata } of (await client.list(AllocationKind, { namespace, fieldSelector: 'spec.jobName=moved' })).items)
    await client.delete(AllocationKind, metadata.name, namespace);
  for (const { metadata } of [from, to, other]) await client.delete(NodeKind, metadata.name);
  await client.delete(DeploymentKind, deployment.metadata.name, namespace);
  await client.delete(JobKind, 'moved', namespace);
});

t.test('var lock: held until all that the command started has ended', async (t) => {
  const ended = join(work, 'ended');
  // What is started ends later than the shell that started it.
  const inner = `trap "sleep 0.5; echo > ${ended}; exit" TERM; echo locked; while :; do sleep 0.05; done`;
  const held = start(['var', 'lock', 'group', `sh -c '${inner}' & wait`]);
  await held.says(/locked/);
  held.interrupt();
  t.match(await held.done, { code: 130 });
  t.ok(existsSync(ended), 'it was told to end, and waited for');
  t.match(await orchctl('var', 'lock', '-early-return', 'group', 'true'), { code: 0 });
});

t.test('var lock: one at a time', async (t) => {
  const held = start(['var', 'lock', '-verbose', 'lock', 'echo locked; exec sleep 60']);
  await held.says(/locked/);
  t.match(await orchctl('var', 'lock', '-early-return', 'lock', 'true'), { code: 1, stderr: /somebody else holds the lock/ });
  const next = start(['var', 'lock', 'lock', 'echo', 'mine']);
  held.interrupt();
  t.match(await held.done, { code: 130, stderr: /Releasing the lock/ });
  t.match(await next.done, { code: 0, stdout: 'mine\n' }, 'who waits gets it when it is released');
  t.match(await orchctl('var', 'lock', 'lock', 'exit 3'), { code: 1, stderr: /Lock error: exit status 3/ });
  t.match(await orchctl('var', 'lock', '-shell=false', 'lock', '/nowhere/x'), { code: 1, stderr: /Lock error: .*ENOENT/ });
});
