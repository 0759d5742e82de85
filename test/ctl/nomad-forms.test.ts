/** Objects in the form of Nomad's API, and templates of Go's kind over them. */
import t from 'tap';
import { nomadDeployment } from '../../ctl/nomad/deployment.ts';
import { nomadAllocation } from '../../ctl/nomad/allocation.ts';
import { nomadEvaluation } from '../../ctl/nomad/evaluation.ts';
import { nomadNode } from '../../ctl/nomad/node.ts';
import { goTemplate } from '../../ctl/views/go-template.ts';
import type { Allocation, Deployment, Evaluation, Node, Stored } from '../../openapi/index.ts';

const stored = <T>(object: object): Stored<T & { metadata: object }> =>
  ({ metadata: { name: 'id', namespace: 'default', resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z' }, ...object }) as never; // prettier-ignore

t.test('templates', (t) => {
  const data = {
    ID: 'a',
    N: 3,
    On: true,
    None: null,
    List: [
      { K: 'x', V: 1 },
      { K: 'y', V: 2 },
    ],
    Map: { b: 2, a: 1 },
  };
  const cases: [string, string][] = [
    ['{{.ID}}', 'a'],
    ['{{ .Map.a }}-{{.None}}', '1-<nil>'],
    ['{{range .List}}{{.K}}={{.V}} {{end}}', 'x=1 y=2 '],
    ['{{range $i, $x := .List}}{{$i}}{{$x.K}}{{end}}', '0x1y'],
    ['{{range $k, $v := .Map}}{{$k}}{{$v}}{{end}}', 'a1b2'],
    ['{{range .None}}x{{else}}empty{{end}}', 'empty'],
    ['{{if .On}}on{{else}}off{{end}} {{if eq .N 2}}2{{else if gt .N 2}}more{{end}}', 'on more'],
    ['{{with .None}}x{{else}}no{{end}} {{with $m := .Map}}{{$m.b}}{{end}}', 'no 2'],
    ['{{len .List}} {{index .List 1 | printf "%v"}} {{(index .List 0).K}}', '2 map[K:y V:2] x'],
    ['{{printf "%-4s|%3d|%.2f|%q" .ID .N 1.5 "z"}}', 'a   |  3|1.50|"z"'],
    ['a {{- /* gone */ -}} b {{- " c" }}', 'ab c'],
    ['{{and .ID .None}} {{or .None "x"}} {{not .On}} {{.List}}', '<nil> x false [map[K:x V:1] map[K:y V:2]]'],
    ['{{range .List}}{{if eq .K "y"}}{{break}}{{end}}{{.K}}{{end}}', 'x'],
    ['{{$x := 1}}{{range .List}}{{$x = .V}}{{end}}{{"{{"}} {{`raw`}}', '{{ raw'],
  ];
  for (const [template, text] of cases) t.equal(goTemplate(template, data), text, template);
  for (const [template, why] of [
    ['{{.Nope}}', /can't evaluate field Nope; there are ID, N/],
    ['{{.ID', /unclosed action/],
    ['{{if .ID}}', /\{\{end\}\} is missing/],
    ['{{nope .ID}}', /function "nope" not defined/],
    ['{{$y}}', /undefined variable "\$y"/],
    ['{{.ID}}{{end}}', /unexpected \{\{end\}\}/],
    ['{{lt 1 "a"}}', /incompatible types/],
  ] as const)
    t.throws(() => goTemplate(template, data), { message: why }, template);
  t.end();
});

t.test('objects', (t) => {
  t.match(
    nomadDeployment(
      stored<Deployment>({
        spec: { jobName: 'j', jobUID: 'u', jobVersion: 2, jobModifyIndex: 5, groups: [{ name: 'g', desiredTotal: 3, progressDeadline: '10m' }] },
        status: { phase: 'running', description: 'Deployment is running', groups: [{ name: 'g', placed: 2, healthy: 1, requireProgressBy: 'T' }] },
      }),
    ),
    { ID: 'id', JobVersion: 2, JobSpecModifyIndex: 5, Status: 'running', TaskGroups: { g: { DesiredTotal: 3, PlacedAllocs: 2, HealthyAllocs: 1, PlacedCanaries: null, ProgressDeadline: 600e9, RequireProgressBy: 'T' } } },
  ); // prettier-ignore
  t.match(
    nomadEvaluation(stored<Evaluation>({ spec: { jobName: 'j', trigger: 'deployment-watcher', jobModifyIndex: 5 }, status: { phase: 'cancelled', queued: { g: 0 } } })),
    { JobModifyIndex: 0, Status: 'canceled', QueuedAllocations: { g: 0 }, FailedTGAllocs: null, WaitUntil: null },
  ); // prettier-ignore
  const allocation = stored<Allocation>({
    spec: { jobName: 'j', jobUID: 'u', jobVersion: 0, group: 'g', name: 'j.g[0]', index: 0, nodeName: 'n', desired: 'run', deployment: 'd', resources: { diskMB: 300, tasks: [{ name: 't', cpu: 100, memory: 64 }], ports: [{ label: 'db', value: 25000, to: 6379, hostIP: '10.0.0.1' }, { label: 'fixed', value: 80, hostIP: '10.0.0.1' }] } },
    status: { phase: 'running', tasks: [{ name: 't', state: 'running', events: [{ type: 'Terminated', time: '2026-01-01T00:00:00Z', message: 'Exit Code: 1', details: { exit_code: '1' } }] }] },
  }); // prettier-ignore
  const job = {
    groups: [
      {
        name: 'g',
        networks: [
          {
            mode: 'host',
            ports: [
              { label: 'fixed', static: 80 },
              { label: 'db', to: 6379 },
            ],
          },
        ],
      },
    ],
  };
  t.match(nomadAllocation(allocation, { nodeName: 'n1', job }), {
    NodeName: 'n1',
    Resources: { CPU: 100, MemoryMB: 64, MemoryMaxMB: 64, DiskMB: 300 },
    AllocatedResources: {
      Shared: {
        Networks: [{ DynamicPorts: [{ Label: 'db', Value: 25000, To: 6379 }], ReservedPorts: [{ Label: 'fixed', Value: 80 }] }],
      },
      Tasks: { t: { Cpu: { CpuShares: 100 }, Memory: { MemoryMB: 64, MemoryMaxMB: 0 }, Networks: null } },
    },
    DeploymentStatus: { Healthy: null, Canary: false },
    TaskStates: {
      t: { State: 'running', Events: [{ Type: 'Terminated', DisplayMessage: 'Exit Code: 1', ExitCode: 1, Message: '' }] },
    },
  });
  const node = stored<Node>({ spec: { name: 'n1', drain: { deadline: '1h', startedAt: '2026-01-01T00:00:00Z' }, eligibility: 'ineligible' }, status: { phase: 'ready', resources: { cpuMHz: 100, cores: 2, networks: [{ device: 'lo', ip: '::1' }] }, drivers: { docker: { detected: true, healthy: true } } } }); // prettier-ignore
  t.match(nomadNode(node), {
    Drain: true,
    DrainStrategy: { Deadline: 3600e9, ForceDeadline: '2026-01-01T01:00:00.000Z', IgnoreSystemJobs: false },
    Drivers: { docker: { Detected: true, Healthy: true, HealthDescription: 'Healthy' } },
    NodeResources: { Cpu: { CpuShares: 100, ReservableCpuCores: [0, 1] }, Networks: [{ CIDR: '::1/128', Mode: 'host' }] },
    SchedulingEligibility: 'ineligible',
  });
  t.end();
});
