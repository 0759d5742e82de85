import { toTimestamp, type Instant } from '../../base/index.ts';
import type {
  Allocation,
  AllocationSpec,
  AllocationStatus,
  AnyObject,
  Deployment,
  DeploymentSpec,
  DeploymentStatus,
  Evaluation,
  EvaluationSpec,
  EvaluationStatus,
  Job,
  JobSpec,
  JobVersion,
  Node,
  NodeSpec,
  NodeStatus,
  Stored,
} from '../../openapi/index.ts';

/** Objects as the server would give them, for the tables of pure decisions. */

export const NOW: Instant = Date.UTC(2026, 0, 1);
export const at = (seconds: number): string => toTimestamp(NOW + seconds * 1000);

export function stored<T extends AnyObject>(
  kind: string,
  name: string,
  rest: Partial<T>,
  metadata: Partial<Stored<T>['metadata']> = {},
): Stored<T> {
  return {
    apiVersion: 'orch.dev/v1',
    kind,
    metadata: { name, uid: `${name}-uid`, resourceVersion: '1', generation: 1, creationTimestamp: at(0), ...metadata },
    ...rest,
  } as Stored<T>;
}

type Meta = Partial<Stored<AnyObject>['metadata']>;

export function job(spec: Partial<JobSpec> = {}, status: Job['status'] = {}, metadata: Meta = {}): Stored<Job> {
  const groups = [
    {
      name: 'web',
      count: 2,
      migrate: { maxParallel: 1 },
      tasks: [{ name: 'web', driver: 'raw_exec', config: { command: 'true' } }],
    },
  ];
  return stored<Job>(
    'Job',
    'web',
    { spec: { type: 'service', priority: 50, groups, ...spec }, status },
    { namespace: 'default', finalizers: ['orch.dev/job'], ...metadata },
  );
}

export function version(number: number, spec: Partial<JobVersion['spec']> = {}): Stored<JobVersion> {
  const { spec: copy } = job();
  return stored<JobVersion>('JobVersion', `web-v${number}`, {
    spec: {
      jobName: 'web',
      jobUID: 'web-uid',
      version: number,
      generation: number + 1,
      submittedAt: at(0),
      stable: false,
      job: copy,
      ...spec,
    },
  });
}

let made = 0;

export function allocation(
  spec: Partial<AllocationSpec> = {},
  status: AllocationStatus = { phase: 'running' },
  name = `alloc-${made++}`,
): Stored<Allocation> {
  const { index = 0 } = spec;
  return stored<Allocation>(
    'Allocation',
    name,
    { spec: { jobName: 'web', jobUID: 'web-uid', jobVersion: 0, jobType: 'service', group: 'web', name: `web.web[${index}]`, index, nodeName: 'n1', desired: 'run', ...spec }, status }, // prettier-ignore
    { namespace: 'default' },
  );
}

export const healthy: AllocationStatus = { phase: 'running', deploymentHealth: { healthy: true } };
export const unhealthy: AllocationStatus = { phase: 'running', deploymentHealth: { healthy: false } };

export function evaluation(
  spec: Partial<EvaluationSpec> = {},
  status: EvaluationStatus = {},
  metadata: Meta & { name?: string } = {},
): Stored<Evaluation> {
  const { name = `eval-${made++}`, ...rest } = metadata;
  return stored<Evaluation>(
    'Evaluation',
    name,
    { spec: { jobName: 'web', jobUID: 'web-uid', trigger: 'job-register', ...spec }, status },
    { namespace: 'default', ...rest },
  );
}

export function deployment(
  group: Partial<DeploymentSpec['groups'][number]> = {},
  status: DeploymentStatus = {},
  spec: Partial<DeploymentSpec> = {},
): Stored<Deployment> {
  return stored<Deployment>(
    'Deployment',
    'deploy',
    {
      spec: {
        jobName: 'web',
        jobUID: 'web-uid',
        jobVersion: 0,
        groups: [{ name: 'web', desiredTotal: 2, progressDeadline: '10m', ...group }],
        ...spec,
      },
      status,
    },
    { namespace: 'default' },
  );
}

export function node(status: NodeStatus = {}, spec: Partial<NodeSpec> = {}): Stored<Node> {
  return stored<Node>('Node', 'n1', {
    spec: { datacenter: 'dc1', nodePool: 'default', eligibility: 'eligible', ...spec },
    status,
  });
}

/** A small generator of random numbers, so that a failing case can be run again from its seed. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}
