/**
 * Views against recorded texts (golden/: the transcripts of a tutorial). The objects say what was so when a text was recorded; the
 * text must then come out to the letter.
 */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  Allocation,
  AllocationSpec,
  AllocationStatus,
  Deployment,
  Evaluation,
  Job,
  JobSpec,
  JobVersion,
  Node,
  Stored,
} from '../../openapi/index.ts';
import { allocationShort, allocationStatus, type AllocationStats } from '../../ctl/views/allocation.ts';
import { deploymentStatus } from '../../ctl/views/deployment.ts';
import { evaluationStatus } from '../../ctl/views/evaluation.ts';
import { versionText } from '../../ctl/views/history.ts';
import { jobBasics, jobStatus, type JobState } from '../../ctl/views/job.ts';
import { deploymentTable, jobTable, nodeTable } from '../../ctl/views/lists.ts';
import { nodeStatus, type NodeStats } from '../../ctl/views/node.ts';
import { view } from '../../ctl/views/view.ts';
import { allocationTroubles, placementAdvice, reasonLines } from '../../ctl/views/why.ts';

process.env.TZ = 'UTC';

const folder = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../../test/ctl/golden');

/** What a recorded call printed on stdout. */
function golden(name: string): string {
  const text = readFileSync(join(folder, `${name}.txt`), 'utf8');
  return /--- stdout\n(.*)\n--- stderr\n$/s.exec(text)![1]!;
}

const at = (time: string): string => `2026-11-21T01:${time}Z`;
const instant = (time: string): number => Date.parse(at(time));
let revision = 1;
const stored = (name: string, created: string, more: object = {}) => ({
  name,
  namespace: 'default',
  uid: `uid-${name}`,
  resourceVersion: String(revision++),
  creationTimestamp: at(created),
  generation: 1,
  ...more,
});

const node1 = 'ac509354-241c-1d1e-9a42-26d031f91e85';
const evals = {
  register: '39b64ff7-c3fe-f2a4-c8e0-f4011dd5da30',
  watcher: '8a37eb0d-daa0-5253-a607-5d4b872ef2c0',
  count: '0078bc34-8ee6-fcc8-8307-010e1b0cf231',
  third: '051e6b57-ec19-eca4-aae1-0d1187b995c8',
};
const deployments = {
  first: '780dff7c-dae5-60d0-8b50-c2d5fd11566b',
  second: 'aebccf1a-0000-4000-8000-000000000000',
  third: 'd0261d43-ab12-96e1-9ec1-eb2f1f37b50b',
};

const spec: JobSpec = {
  id: 'example',
  name: 'example',
  type: 'service',
  priority: 50,
  datacenters: ['dc1'],
  groups: [
    {
      name: 'cache',
      count: 1,
      networks: [{ ports: [{ label: 'db', to: 6379 }] }],
      tasks: [{ name: 'redis', driver: 'docker', config: { image: 'redis:3.2' } }],
    },
  ],
};

function job(submitted: string, running: number, complete = 0, more: Partial<JobSpec> = {}): Stored<Job> {
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Job',
    metadata: stored('example', '14:14'),
    spec: { ...spec, ...more },
    status: {
      phase: more.stop === true ? 'dead' : 'running',
      submittedAt: at(submitted),
      groups: [{ name: 'cache', queued: 0, starting: 0, running, failed: 0, complete, lost: 0 }],
    },
  };
}

function allocation(
  name: string,
  created: string,
  modified: string,
  more: Partial<AllocationSpec> = {},
  status: Partial<AllocationStatus> = {},
): Stored<Allocation> {
  const id = ids[name] ?? name;
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Allocation',
    metadata: stored(id, created),
    spec: {
      jobName: 'example',
      jobUID: 'uid-example',
      jobVersion: 0,
      group: 'cache',
      name: 'example.cache[0]',
      index: 0,
      nodeName: node1,
      evaluation: evals.register,
      desired: 'run',
      resources: { tasks: [{ name: 'redis', cpu: 200, memory: 128 }], diskMB: 300 },
      ...more,
    },
    status: { phase: 'running', description: 'Tasks are running', modifiedAt: at(modified), ...status },
  };
}

const ids: Record<string, string> = {
  '1c5f0ac9': '1c5f0ac9-a6ae-4a65-1bc8-f5570d7c3292',
  '4606157c': '4606157c-72f3-106e-eb14-5a1242445481',
  '4d27e9a9': '4d27e9a9-d8db-1d26-895b-e81ad9f836eb',
  '8a676e70': '8a676e70-e91f-6018-c1b3-889113917d13',
  '2b2ec032': '2b2ec032-a4d7-727b-e9f9-ca58e886b7c2',
  e05de9a2: 'e05de9a2-f1fd-7f23-467d-4e573e9abb1e',
};

function deployment(
  name: string,
  version: number,
  total: number,
  by: string,
  created = '14:14',
  phase: 'running' | 'successful' = 'successful',
  healthy = total,
): Stored<Deployment> {
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Deployment',
    metadata: stored(name, created),
    spec: {
      jobName: 'example',
      jobUID: 'uid-example',
      jobVersion: version,
      groups: [{ name: 'cache', desiredTotal: total, progressDeadline: '10m0s' }],
    },
    status: {
      phase,
      description: phase === 'successful' ? 'Deployment completed successfully' : 'Deployment is running',
      groups: [{ name: 'cache', placed: total, healthy, unhealthy: 0, requireProgressBy: at(by) }],
    },
  };
}

const evaluation = (name: string, created: string, trigger: Evaluation['spec']['trigger']): Stored<Evaluation> => ({
  apiVersion: 'orch.dev/v1',
  kind: 'Evaluation',
  metadata: stored(name, created),
  spec: { jobName: 'example', jobUID: 'uid-example', priority: 50, type: 'service', trigger },
  status: { phase: 'complete', modifiedAt: at(created) },
});

const first = allocation('1c5f0ac9', '14:14', '14:18');
const early: JobState = {
  job: job('14:14', 1),
  allocations: [first],
  evaluations: [evaluation(evals.register, '14:14', 'job-register'), evaluation(evals.watcher, '14:19', 'deployment-watcher')],
  deployment: deployment(deployments.first, 0, 1, '24:18'),
  nodeNames: new Map([[node1, 'node1']]),
};
const soon = instant('14:20');

t.test('jobs', (t) => {
  t.equal(jobTable([early.job]), golden('07-status-list'));
  t.equal(jobStatus(early, view(soon), { evaluations: false }), golden('09-job-status'));
  t.equal(jobStatus(early, view(soon, true), { evaluations: true }), golden('10-job-status-verbose'));
  t.equal(jobBasics(early.job), golden('11-job-status-short'));
  t.equal(jobStatus(early, view(soon), { evaluations: true }), golden('12-job-status-evals'));
  t.end();
});

t.test('a job of three, rolled, stopped', (t) => {
  const version = (v: number, index: number): Partial<AllocationSpec> => ({
    jobVersion: v,
    name: `example.cache[${index}]`,
    index,
  });
  const three = [
    allocation('1c5f0ac9', '14:14', '14:24', version(1, 0)),
    allocation('e05de9a2', '14:21', '14:25', version(1, 2)),
    allocation('2b2ec032', '14:21', '14:25', version(1, 1)),
  ];
  t.equal(
    jobStatus(
      { job: job('14:20', 3), allocations: three, evaluations: [], deployment: deployment(deployments.second, 1, 3, '24:24') },
      view(instant('14:25')),
      { evaluations: false },
    ),
    golden('29-status-three'),
  );

  const stop = { desired: 'stop' } as const;
  const done = { phase: 'complete' } as const;
  const rolled = [
    allocation('1c5f0ac9', '14:14', '14:26', { ...version(1, 0), ...stop }, done),
    allocation('e05de9a2', '14:21', '14:37', { ...version(1, 2), ...stop }, done),
    allocation('2b2ec032', '14:21', '14:31', { ...version(1, 1), ...stop }, done),
    allocation('8a676e70', '14:26', '14:30', version(2, 0)),
    allocation('4d27e9a9', '14:31', '14:35', version(2, 1)),
    allocation('4606157c', '14:36', '14:40', version(2, 2)),
  ];
  const last = deployment(deployments.third, 2, 3, '24:40');
  const state = { job: job('14:25', 3, 3), allocations: rolled, evaluations: [], deployment: last };
  t.equal(jobStatus(state, view(instant('14:42')), { evaluations: false }), golden('41-status-rolled'));

  const stopped = [
    ...([
      ['1c5f0ac9', '14:14', '14:26', 1],
      ['e05de9a2', '14:21', '14:37', 1],
      ['2b2ec032', '14:21', '14:31', 1],
      ['8a676e70', '14:26', '14:54', 2],
      ['4d27e9a9', '14:31', '14:54', 2],
      ['4606157c', '14:36', '14:54', 2],
    ] as const),
  ].map(([name, created, modified, v], i) =>
    allocation(name, created, modified, { ...version(v, [0, 2, 1, 0, 1, 2][i]!), ...stop }, done),
  );
  const over = { job: job('14:25', 0, 6, { stop: true }), allocations: stopped, evaluations: [], deployment: last };
  t.equal(jobStatus(over, view(instant('14:55')), { evaluations: false }), golden('77-status-stopped'));
  t.equal(jobTable([over.job]), golden('78-status-list-stopped'));
  t.end();
});

const theNode: Stored<Node> = {
  apiVersion: 'orch.dev/v1',
  kind: 'Node',
  metadata: { ...stored(node1, '14:13') },
  spec: {
    name: 'node1',
    datacenter: 'dc1',
    nodePool: 'default',
    eligibility: 'eligible',
    meta: {
      'connect.gateway_image': 'envoyproxy/envoy:v${NOMAD_envoy_version}',
      'connect.log_level': 'info',
      'connect.proxy_concurrency': '1',
      'connect.sidecar_image': 'envoyproxy/envoy:v${NOMAD_envoy_version}',
    },
  },
  status: {
    phase: 'ready',
    version: '1.1.2',
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    resources: { cpuMHz: 4890, memoryMB: 24105, diskMB: 75547 },
    drivers: Object.fromEntries(
      ['docker', 'exec', 'raw_exec'].map((name) => [name, { detected: true, healthy: true, updatedAt: at('14:12') }]),
    ),
    hostVolumes: { scratch: { path: '<dir>/scratch', readOnly: false } },
    events: [{ time: at('14:13'), subsystem: 'Cluster', message: 'Node registered' }],
    attributes: attributes(),
  },
};

function attributes(): Record<string, string> {
  const text = /\nAttributes\n(.*?)\n\nMeta/s.exec(golden('71-node-status-detail-verbose'))![1]!;
  return Object.fromEntries(text.split('\n').map((line) => line.split(/ += (.*)/) as [string, string]));
}

t.test('an allocation', (t) => {
  const events = [
    { type: 'Received', time: at('14:14'), message: 'Task received by client' },
    { type: 'Task Setup', time: at('14:14'), message: 'Building Task Directory' },
    { type: 'Started', time: at('14:15'), message: 'Task started by client' },
  ];
  const running = allocation(
    '1c5f0ac9',
    '14:14',
    '14:18',
    {
      deployment: deployments.first,
      resources: {
        tasks: [{ name: 'redis', cpu: 200, memory: 128 }],
        diskMB: 300,
        ports: [{ label: 'db', value: 20549, to: 6379, hostIP: '127.0.0.1' }],
      },
      metrics: {
        nodesEvaluated: 1,
        allocationTime: '114.414µs',
        scores: [
          {
            nodeName: node1,
            score: 0.0567,
            terms: { binpack: 0.0567, 'job-anti-affinity': 0, 'node-affinity': 0, 'node-reschedule-penalty': 0 },
          },
        ],
      },
    },
    {
      deploymentHealth: { healthy: true },
      tasks: [{ name: 'redis', state: 'running', restarts: 0, startedAt: at('14:15'), events }],
    },
  );
  const mib = 1024 * 1024;
  const stats: AllocationStats = {
    tasks: [
      {
        name: 'redis',
        cpuMHz: 6.3,
        cpuPercent: 0.26,
        memoryBytes: 2.6 * mib,
        memoryCacheBytes: 14 * mib,
        memoryMaxBytes: 17 * mib,
        memorySwapBytes: 0,
        memoryUsageBytes: 17 * mib,
        throttledPeriods: 0,
        throttledTimeNs: 0,
      },
    ],
  };
  const state = { allocation: running, node: theNode, job: spec, stats };
  t.equal(allocationStatus(state, view(soon), { stats: false }), golden('14-alloc-status'));
  t.equal(allocationStatus(state, view(soon), { stats: true }), golden('15-alloc-status-stats'));
  t.equal(allocationShort(state, view(soon)), golden('16-alloc-status-short'));
  t.equal(allocationStatus(state, view(soon, true), { stats: false }), golden('17-alloc-status-verbose'));

  const restarting = allocation(
    '4606157c',
    '14:36',
    '14:43',
    {
      jobVersion: 2,
      name: 'example.cache[2]',
      evaluation: evals.third,
      deployment: deployments.third,
      resources: {
        tasks: [{ name: 'redis', cpu: 200, memory: 128 }],
        diskMB: 300,
        ports: [{ label: 'db', value: 31599, to: 6379, hostIP: '127.0.0.1' }],
      },
    },
    {
      phase: 'pending',
      description: 'No tasks have started',
      deploymentHealth: { healthy: true },
      tasks: [
        {
          name: 'redis',
          state: 'pending',
          restarts: 1,
          startedAt: at('14:37'),
          lastRestart: at('14:43'),
          events: [
            { type: 'Received', time: at('14:36'), message: 'Task received by client' },
            { type: 'Task Setup', time: at('14:36'), message: 'Building Task Directory' },
            { type: 'Started', time: at('14:37'), message: 'Task started by client' },
            {
              type: 'Terminated',
              time: at('14:42'),
              message: 'Exit Code: 137, Exit Message: "Docker container exited with non-zero exit code: 137"',
            },
            { type: 'Restarting', time: at('14:43'), message: 'Task restarting in 5.718008927s' },
          ],
        },
      ],
    },
  );
  const before: AllocationStats = { tasks: [{ name: 'redis', cpuMHz: 3, memoryBytes: 2.6 * mib }] };
  t.equal(
    allocationStatus({ allocation: restarting, node: theNode, job: spec, stats: before }, view(instant('14:45')), {
      stats: false,
    }),
    golden('49-alloc-restarting'),
  );
  t.end();
});

t.test('deployments', (t) => {
  const all = [
    deployment(deployments.first, 0, 1, '24:18', '14:14'),
    deployment(deployments.second, 1, 3, '24:24', '14:21'),
    deployment(deployments.third, 2, 3, '24:40', '14:25'),
  ];
  t.equal(deploymentTable(all, { verbose: false }), golden('42-deployment-list'));
  t.equal(deploymentStatus(all[2]!, view(soon)), golden('43-deployment-status'));
  t.end();
});

t.test('an evaluation', (t) => {
  const one = evaluation('4baad666-73be-f0f9-84cf-84b28d294951', '14:41', 'deployment-watcher');
  t.equal(evaluationStatus(one, view(instant('14:52'))), golden('60-eval-status'));
  t.equal(evaluationStatus(one, view(instant('14:52'), true)), golden('61-eval-status-verbose'));
  const unplaced: Stored<Evaluation> = {
    ...one,
    status: {
      phase: 'complete',
      blockedEvaluation: '67493a64-0000-4000-8000-000000000000',
      failedPlacements: {
        cache: {
          nodesEvaluated: 3,
          nodesExhausted: 1,
          constraintFiltered: { '${attr.kernel.name} = windows': 2 },
          dimensionExhausted: { memory: 1 },
          coalescedFailures: 1,
        },
      },
    },
  };
  t.match(
    evaluationStatus(unplaced, view(instant('14:52'))),
    'Placement Failures = true\n\nFailed Placements\nTask Group "cache" (failed to place 2 allocations):\n' +
      '  * Constraint "${attr.kernel.name} = windows": 2 nodes excluded by filter\n' +
      '  * Resources exhausted on 1 nodes\n  * Dimension "memory" exhausted on 1 nodes\n\n' +
      'Evaluation "67493a64" waiting for additional capacity to place remainder',
  );
  t.end();
});

t.test('versions', (t) => {
  const version = (v: number, submitted: string): Stored<JobVersion> => ({
    apiVersion: 'orch.dev/v1',
    kind: 'JobVersion',
    metadata: stored(`example-v${v}`, submitted),
    spec: { jobName: 'example', jobUID: 'uid-example', version: v, stable: true, submittedAt: at(submitted), job: spec },
  });
  const text = [version(2, '14:25'), version(1, '14:20'), version(0, '14:14')].map((one) => versionText(one)).join('\n\n');
  t.equal(text, golden('52-history'));
  t.end();
});

t.test('nodes', (t) => {
  t.equal(nodeTable([theNode], { verbose: false }), golden('65-node-status'));
  t.equal(nodeTable([theNode], { verbose: true }), golden('66-node-status-verbose-list'));
  t.equal(nodeTable([theNode], { verbose: false }, new Map([[node1, 3]])), golden('67-node-status-allocs'));

  const v2 = { jobVersion: 2 };
  const old = { desired: 'stop', jobVersion: 1 } as const;
  const done = { phase: 'complete' } as const;
  const evaluated = (evaluation: string, more: Partial<AllocationSpec>): Partial<AllocationSpec> => ({ evaluation, ...more });
  const allocations = [
    allocation('4606157c', '14:36', '14:49', evaluated(evals.third, v2)),
    allocation('4d27e9a9', '14:30', '14:34', evaluated('c3f7d224-09ee-9956-f99d-fbce4fdacdd8', v2)),
    allocation('8a676e70', '14:25', '14:29', evaluated('3642d472-32c5-8b58-e95c-b70abaeea49f', v2)),
    allocation('2b2ec032', '14:20', '14:31', evaluated(evals.count, { ...old, name: 'example.cache[1]' }), done),
    allocation('e05de9a2', '14:20', '14:36', evaluated(evals.count, { ...old, name: 'example.cache[2]' }), done),
    allocation('1c5f0ac9', '14:14', '14:26', evaluated(evals.count, old), done),
  ];
  const [mib, gib] = [1024 ** 2, 1024 ** 3];
  const stats: NodeStats = {
    uptimeSeconds: 51 * 60 + 45,
    cpu: { percent: 20, usedMHz: 992, totalMHz: 4890 },
    memory: { totalBytes: 25276510208, usedBytes: 813 * mib, availableBytes: 22 * gib, freeBytes: 20 * gib },
    disk: { totalBytes: 252 * gib, usedBytes: 28 * gib, usedPercent: 27.29 },
    allocations: { cpuMHz: 13, memoryBytes: 7.9 * mib },
  };
  const state = { node: theNode, allocations, stats };
  const verbose = nodeStatus(state, view(instant('14:53'), true), { short: false, stats: false });
  t.equal(verbose, golden('71-node-status-detail-verbose'));

  // The ages of this recording are rounded apart from each other by up to a second.
  const blur = (text: string): string => text.replace(/\d+s ago/g, 'Ns ago').replace(/ +/g, ' ');
  t.equal(blur(nodeStatus(state, view(instant('14:53')), { short: false, stats: false })), blur(golden('68-node-status-detail')));
  t.equal(
    blur(nodeStatus(state, view(instant('14:53')), { short: true, stats: false })),
    blur(golden('69-node-status-detail-short')),
  );

  const core = (name: string, userPercent: number, systemPercent: number, idlePercent: number) => ({
    name,
    userPercent,
    systemPercent,
    idlePercent,
  });
  const disk = {
    device: '/dev/vda',
    totalBytes: 252 * gib,
    usedBytes: 28 * gib,
    availableBytes: 74 * gib,
    usedPercent: 27.29,
    inodesPercent: 3.13,
  };
  const detailed: NodeStats = {
    ...stats,
    uptimeSeconds: 51 * 60 + 46,
    cpu: { percent: 60, usedMHz: 3023, totalMHz: 4890, cores: [core('cpu0', 25, 25, 43), core('cpu1', 33.33, 26.47, 33.33)] },
    memory: { ...stats.memory!, usedBytes: 802 * mib },
    disks: [
      { ...disk, mountPoint: '/' },
      { ...disk, mountPoint: '/var/lib/docker' },
    ],
  };
  t.equal(
    blur(nodeStatus({ ...state, stats: detailed }, view(instant('14:53')), { short: false, stats: true })),
    blur(golden('72-node-status-stats')),
  );
  t.end();
});

t.test('why something failed or has no place', (t) => {
  const failed = (name: string, type: string, message: string) =>
    ({
      metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { name: 'j.g[0]', group: 'g' },
      status: { phase: 'failed', tasks: [{ name: 't', state: 'dead', failed: true, events: [{ type: 'Started', message: 'Task started by client' }, { type, message }, { type: 'Not Restarting', message: 'Policy allows no restarts' }] }] },
    }) as unknown as Stored<Allocation>; // prettier-ignore
  const exited = (name: string) => failed(name, 'Terminated', 'Exit Code: 1');
  t.same(reasonLines(allocationTroubles([exited('aaaaaaaa-1'), exited('bbbbbbbb-1'), failed('cccccccc-1', 'Driver Failure', 'no file')]), 'orchctl'), [
    '2 allocations, the last of them "aaaaaaaa", group "g", task "t": Terminated: Exit Code: 1 (Policy allows no restarts). See: orchctl alloc logs -stderr aaaaaaaa t',
    'Allocation "cccccccc", group "g", task "t": Driver Failure: no file (Policy allows no restarts). See: orchctl alloc status cccccccc',
  ]); // prettier-ignore
  const job = { spec: { groups: [{ name: 'g', tasks: [{ name: 't', driver: 'docker' }] }] } } as Pick<Job, 'spec'>;
  const node = { metadata: { name: 'n' }, spec: { name: 'n1' }, status: { phase: 'ready', drivers: { raw_exec: { healthy: true } } } } as unknown as Stored<Node>; // prettier-ignore
  t.same(reasonLines(placementAdvice(job, { g: { nodesEvaluated: 1, constraintFiltered: { 'missing drivers': 1 } } }, [node]), 'orchctl'), [
    'No node offers driver "docker", which task "t" of group "g" needs (n1 has raw_exec). See: orchctl node status',
  ]); // prettier-ignore
  t.match(placementAdvice(job, { g: { nodesEvaluated: 0 } }, [])[0]?.text, 'No node has joined the cluster yet');
  t.end();
});
