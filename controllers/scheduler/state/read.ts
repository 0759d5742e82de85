import { parseTimestamp, parseDuration } from '../../../base/index.ts';
import type {
  Allocation,
  Deployment,
  DeploymentHealth,
  Job,
  JobVersion,
  Node,
  Stored,
  TaskState,
} from '../../../openapi/index.ts';
import type { NodeFacts } from '../feasible/targets.ts';
import type { AllocationRecord, DeploymentView, Holding, JobKey, JobView } from '../model.ts';
import type { NodeState } from './fleet.ts';

/** Readers of API objects: from here on the scheduler sees only its own views. */

export const jobKey = (namespace: string | undefined, name: string): JobKey => `${namespace ?? 'default'}/${name}`;

const texts = new Map<string, string>();

/** The one copy of a text that many allocations carry: parsed from JSON, each would keep its own. */
function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size > 100_000) texts.clear();
  texts.set(text, text);
  return text;
}

const sharedOrNone = (text: string | undefined): string | undefined => (text === undefined ? undefined : shared(text));

const holdings = new Map<string, Holding>();

/** The one Holding of these numbers. */
export function holdingOf(cpu: number, memory: number, disk: number): Holding {
  const key = `${cpu}/${memory}/${disk}`;
  let found = holdings.get(key);
  if (found === undefined) {
    if (holdings.size > 10_000) holdings.clear();
    holdings.set(key, (found = { cpu, memory, disk }));
  }
  return found;
}

export function readAllocation(allocation: Stored<Allocation>): AllocationRecord {
  const { spec, status, metadata } = allocation;
  const resources = spec.resources;
  const tasks = resources?.tasks ?? [];
  const cpu = resources?.cpu ?? tasks.reduce((sum, task) => sum + (task.cpu ?? 0), 0);
  const memory = resources?.memory ?? tasks.reduce((sum, task) => sum + (task.memory ?? 0), 0);
  const ports = resources?.ports ?? [];
  const cores = tasks.some((task) => task.cores !== undefined) ? tasks.flatMap((task) => task.cores ?? []) : [];
  const transition = spec.desiredTransition;
  const phase = status?.phase ?? 'pending';
  return {
    id: metadata.name,
    revision: Number(metadata.resourceVersion),
    job: shared(jobKey(metadata.namespace, spec.jobName)),
    jobUID: shared(spec.jobUID),
    version: spec.jobVersion,
    priority: spec.priority ?? 50,
    group: shared(spec.group),
    index: spec.index,
    node: shared(spec.nodeName),
    desired: spec.desired,
    phase,
    succeeded: phase === 'complete' && endedWell(status?.tasks ?? [], spec.desired === 'run'),
    deployment: sharedOrNone(spec.deployment),
    canary: spec.canary ?? false,
    surge: spec.surge ?? false,
    healthy: verdictFor(spec.deployment, status?.deploymentHealth),
    // Who deletes the record of a running allocation wants it gone from its node, and its job wants another one.
    migrate: transition?.migrate === true || metadata.deletionTimestamp !== undefined,
    moveTo: sharedOrNone(transition?.toNode),
    reschedule: transition?.reschedule ?? false,
    forceReschedule: transition?.forceReschedule ?? false,
    previous: spec.previousAllocation,
    next: spec.nextAllocation,
    preemptedBy: spec.preemptedByAllocation,
    followup: sharedOrNone(spec.followupEvaluation),
    tracker: spec.rescheduleTracker,
    unknownSince: phase === 'unknown' ? parseTimestamp(status?.disconnectedAt) : undefined,
    score: spec.metrics?.scores?.find(({ nodeName }) => nodeName === spec.nodeName)?.score,
    runningSince: parseTimestamp(status?.tasks?.find(({ startedAt }) => startedAt !== undefined)?.startedAt),
    holding: holdingOf(cpu, memory, resources?.diskMB ?? 0),
    ports: ports.length === 0 ? undefined : ports.map(({ hostIP = '', value }) => ({ ip: shared(hostIP), value })),
    cores: cores.length === 0 ? undefined : cores,
  };
}

/** A verdict that names another deployment is none. */
function verdictFor(deployment: string | undefined, verdict: DeploymentHealth | undefined): boolean | undefined {
  return verdict?.deployment === undefined || verdict.deployment === deployment ? verdict?.healthy : undefined;
}

/** A task that was killed because its allocation was told to stop did not succeed, though it did not fail either. */
function endedWell(tasks: readonly TaskState[], wanted: boolean): boolean {
  return (
    tasks.length > 0 &&
    tasks.every(
      (task) => task.state === 'dead' && task.failed !== true && (wanted || (task.exitCode === 0 && (task.signal ?? 0) === 0)),
    )
  );
}

export function readNode(node: Stored<Node>): NodeState {
  const { spec, status, metadata } = node;
  const resources = status?.resources ?? {};
  const reserved = status?.reserved ?? {};
  const cores = resources.cores ?? 0;
  const phase = status?.phase ?? 'initializing';
  return {
    facts: readFacts(node),
    up: phase !== 'down' && phase !== 'disconnected' && metadata.deletionTimestamp === undefined,
    phaseChangedAt: parseTimestamp(status?.phaseChangedAt),
    schedulable:
      phase === 'ready' &&
      spec.eligibility !== 'ineligible' &&
      spec.drain === undefined &&
      metadata.deletionTimestamp === undefined,
    cpu: (resources.cpuMHz ?? 0) - (reserved.cpuMHz ?? 0),
    memory: (resources.memoryMB ?? 0) - (reserved.memoryMB ?? 0),
    disk: (resources.diskMB ?? 0) - (reserved.diskMB ?? 0),
    cores,
    mhzPerCore: cores === 0 ? 0 : Math.floor((resources.cpuMHz ?? 0) / cores),
    reservedPorts: reserved.ports,
  };
}

function readFacts({ spec, status, metadata }: Stored<Node>): NodeFacts {
  const networks = new Map<string, string[]>();
  for (const { hostNetwork = 'default', ip } of status?.resources?.networks ?? []) {
    if (ip === undefined || ip === '') continue;
    const known = networks.get(hostNetwork);
    if (known === undefined) networks.set(hostNetwork, [ip]);
    else known.push(ip);
  }
  const drivers = Object.entries(status?.drivers ?? {}).filter(
    ([, driver]) => driver.detected === true && driver.healthy === true,
  );
  return {
    id: metadata.name,
    name: spec.name ?? metadata.name,
    datacenter: spec.datacenter ?? 'dc1',
    pool: spec.nodePool ?? 'default',
    nodeClass: spec.nodeClass ?? '',
    attributes: status?.attributes ?? {},
    meta: spec.meta ?? {},
    drivers: new Set(drivers.map(([name]) => name)),
    volumes: new Map(Object.entries(status?.hostVolumes ?? {}).map(([name, volume]) => [name, volume.readOnly ?? false])),
    networks,
  };
}

export function readDeployment(deployment: Stored<Deployment>): DeploymentView {
  const { spec, status, metadata } = deployment;
  const phase = status?.phase ?? 'running';
  const states = new Map((status?.groups ?? []).map((group) => [group.name, group]));
  return {
    id: metadata.name,
    revision: Number(metadata.resourceVersion),
    createdAt: parseTimestamp(metadata.creationTimestamp) ?? 0,
    jobUID: spec.jobUID,
    version: spec.jobVersion,
    active: phase !== 'successful' && phase !== 'failed' && phase !== 'cancelled',
    failed: phase === 'failed' || (spec.fail === true && phase !== 'successful' && phase !== 'cancelled'),
    successful: phase === 'successful',
    paused: phase === 'paused' || phase === 'pending' || spec.paused === true,
    groups: new Map(
      spec.groups.map((group) => [
        group.name,
        {
          desiredCanaries: group.desiredCanaries ?? 0,
          promoted: states.get(group.name)?.promoted ?? false,
          progressDeadline: parseDuration(group.progressDeadline) ?? 0,
        },
      ]),
    ),
  };
}

/** The job at its newest version. A Job without a version yet has no view. */
export function viewJob(job: Stored<Job>, version: Stored<JobVersion>): JobView {
  return {
    key: jobKey(job.metadata.namespace, job.metadata.name),
    namespace: job.metadata.namespace ?? 'default',
    name: job.metadata.name,
    uid: job.metadata.uid,
    version: version.spec.version,
    generation: version.spec.generation ?? 0,
    modifyIndex: version.spec.jobModifyIndex ?? job.status?.modifyIndex ?? 0,
    spec: version.spec.job,
    stopped: version.spec.job.stop === true || job.metadata.deletionTimestamp !== undefined,
  };
}
