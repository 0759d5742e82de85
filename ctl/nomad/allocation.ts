import { parseTimestamp } from '../../base/index.ts';
import type { Allocation, JobSpec, Stored, TaskEvent, TaskState } from '../../openapi/index.ts';
import { groupOf } from '../views/allocation.ts';
import { clientStatus, jobIdOf, modifiedAt } from '../views/lists.ts';
import { nomadMetric } from './evaluation.ts';
import { instant, nanoseconds, time } from './values.ts';

export interface AllocationFacts {
  readonly nodeName: string;
  /** The job in the version that the allocation runs: as it is stored, and in the form of Nomad's API. */
  readonly job?: JobSpec | undefined;
  readonly nomadJob?: unknown;
}

/** An allocation as Nomad's API has it. */
export function nomadAllocation(
  allocation: Stored<Allocation>,
  { nodeName, job, nomadJob }: AllocationFacts,
): Record<string, unknown> {
  const { metadata, spec, status } = allocation;
  const health = status?.deploymentHealth;
  const transition = spec.desiredTransition ?? {};
  return {
    ...stub(allocation, nodeName),
    Job: nomadJob ?? null,
    Resources: total(allocation, job),
    TaskResources: Object.fromEntries((spec.resources?.tasks ?? []).map((task) => [task.name, oldResources(task.cpu, task.memory, task.memoryMax, task.cores)])), // prettier-ignore
    AllocatedResources: allocated(allocation, job),
    Services: null,
    Metrics: nomadMetric(spec.metrics ?? {}),
    DesiredTransition: { Migrate: transition.migrate ?? null, Reschedule: transition.reschedule ?? null },
    DeploymentID: spec.deployment ?? '',
    DeploymentStatus:
      spec.deployment === undefined
        ? null
        : {
            Healthy: health?.healthy ?? null,
            Timestamp: time(health?.time),
            Canary: spec.canary === true,
            ModifyIndex: Number(metadata.resourceVersion),
          },
    PreviousAllocation: spec.previousAllocation ?? '',
    NextAllocation: spec.nextAllocation ?? '',
    RescheduleTracker:
      (spec.rescheduleTracker ?? []).length === 0
        ? null
        : {
            Events: spec.rescheduleTracker!.map((event) => ({
              RescheduleTime: instant(event.time),
              PrevAllocID: event.previousAllocation ?? '',
              PrevNodeID: event.previousNode ?? '',
            })),
          },
    PreemptedAllocations: null,
    PreemptedByAllocation: spec.preemptedByAllocation ?? '',
    AllocModifyIndex: Number(metadata.resourceVersion),
  };
}

/** An allocation as lists of Nomad's API have it. */
export function stub(allocation: Stored<Allocation>, nodeName: string): Record<string, unknown> {
  const { metadata, spec, status } = allocation;
  const tasks = (status?.tasks ?? []).map((task) => [task.name, taskState(task)] as const);
  return {
    ID: metadata.name,
    EvalID: spec.evaluation ?? '',
    Name: spec.name,
    Namespace: metadata.namespace ?? 'default',
    NodeID: spec.nodeName,
    NodeName: nodeName,
    JobID: jobIdOf(spec.jobName),
    TaskGroup: spec.group,
    DesiredStatus: spec.desired ?? 'run',
    DesiredDescription: spec.desiredDescription ?? '',
    ClientStatus: clientStatus(allocation),
    ClientDescription: status?.description ?? '',
    TaskStates: tasks.length === 0 ? null : Object.fromEntries(tasks),
    FollowupEvalID: spec.followupEvaluation ?? '',
    CreateIndex: Number(metadata.resourceVersion),
    ModifyIndex: Number(metadata.resourceVersion),
    CreateTime: (parseTimestamp(metadata.creationTimestamp) ?? 0) * 1e6,
    ModifyTime: (modifiedAt(allocation) ?? 0) * 1e6,
  };
}

/** What the list adds to tell apart from a whole one. */
export const listStub = (allocation: Stored<Allocation>, nodeName: string): Record<string, unknown> => ({
  ...stub(allocation, nodeName),
  JobType: allocation.spec.jobType ?? 'service',
  JobVersion: allocation.spec.jobVersion,
  PreemptedAllocations: null,
  PreemptedByAllocation: allocation.spec.preemptedByAllocation ?? '',
  RescheduleTracker: null,
});

function taskState(task: TaskState): Record<string, unknown> {
  return {
    State: task.state ?? 'pending',
    Failed: task.failed === true,
    Restarts: task.restarts ?? 0,
    LastRestart: time(task.lastRestart),
    StartedAt: time(task.startedAt),
    FinishedAt: time(task.finishedAt),
    Events: (task.events ?? []).map(taskEvent),
    TaskHandle: null,
  };
}

/** An event in all the fields that Nomad has for one; what is in them depends on its type. */
function taskEvent({ type, time, message = '', details = {} }: TaskEvent): Record<string, unknown> {
  const number = (name: string): number => Number(details[name] ?? 0) || 0;
  const isMessage = ['Task Setup', 'Driver'].includes(type);
  return {
    Type: type,
    Time: instant(time),
    DisplayMessage: message,
    Details: type === 'Task Setup' ? { message, ...details } : details,
    Message: isMessage ? message : '',
    FailsTask: details.fails_task === 'true',
    RestartReason: details.restart_reason ?? '',
    SetupError: type === 'Setup Failure' ? message : '',
    DriverError: details.driver_error ?? '',
    DriverMessage: type === 'Driver' ? message : '',
    ExitCode: number('exit_code'),
    Signal: /^\d+$/.test(details.signal ?? '') ? number('signal') : 0,
    KillTimeout: nanoseconds(details.kill_timeout),
    KillError: details.kill_error ?? '',
    KillReason: details.kill_reason ?? '',
    StartDelay: number('start_delay'),
    DownloadError: details.download_error ?? '',
    ValidationError: type === 'Failed Validation' ? message : '',
    DiskLimit: 0,
    DiskSize: 0,
    FailedSibling: details.failed_sibling ?? '',
    VaultError: '',
    TaskSignalReason: '',
    TaskSignal: type === 'Signaling' ? (details.signal ?? '') : '',
    GenericSource: '',
  };
}

const oldResources = (
  cpu = 0,
  memory = 0,
  memoryMax = 0,
  cores: readonly number[] = [],
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  CPU: cpu,
  Cores: cores.length,
  MemoryMB: memory,
  MemoryMaxMB: memoryMax,
  DiskMB: 0,
  Networks: null,
  Devices: null,
  IOPS: 0,
  ...more,
});

function total(allocation: Stored<Allocation>, job: JobSpec | undefined): Record<string, unknown> {
  const tasks = allocation.spec.resources?.tasks ?? [];
  const sum = (of: (task: (typeof tasks)[number]) => number): number => tasks.reduce((all, task) => all + of(task), 0);
  return oldResources(
    sum(({ cpu = 0 }) => cpu),
    sum(({ memory = 0 }) => memory),
    sum(({ memory = 0, memoryMax }) => Math.max(memory, memoryMax ?? 0)),
    tasks.flatMap(({ cores = [] }) => cores),
    { DiskMB: allocation.spec.resources?.diskMB ?? 0, Networks: networks(allocation, job) },
  );
}

function allocated(allocation: Stored<Allocation>, job: JobSpec | undefined): Record<string, unknown> {
  const ports = (allocation.spec.resources?.ports ?? []).filter(({ task }) => task === undefined);
  return {
    Shared: {
      DiskMB: allocation.spec.resources?.diskMB ?? 0,
      Networks: networks(allocation, job),
      Ports:
        ports.length === 0
          ? null
          : ports.map(({ label, value, to = 0, hostIP = '' }) => ({ Label: label, Value: value, To: to, HostIP: hostIP })),
    },
    Tasks: Object.fromEntries(
      (allocation.spec.resources?.tasks ?? []).map((task) => [
        task.name,
        {
          Cpu: { CpuShares: task.cpu ?? 0, ...((task.cores ?? []).length > 0 && { ReservedCores: task.cores }) },
          Memory: { MemoryMB: task.memory ?? 0, MemoryMaxMB: task.memoryMax ?? 0 },
          Networks: networks(allocation, job, task.name),
          Devices: null,
        },
      ]),
    ),
  };
}

/** The network of the group, or of a task in the older form, with the ports that were given. */
function networks({ spec }: Stored<Allocation>, job: JobSpec | undefined, task?: string): unknown[] | null {
  const ports = (spec.resources?.ports ?? []).filter((port) => port.task === task);
  const group = groupOf(job, spec.group);
  const wanted = (task === undefined ? group : group?.tasks?.find(({ name }) => name === task)?.resources)?.networks?.[0];
  if (ports.length === 0 && wanted === undefined) return null;
  const fixed = new Set((wanted?.ports ?? []).filter(({ static: port }) => (port ?? 0) > 0).map(({ label }) => label));
  const list = (isFixed: boolean): unknown[] | null => {
    const own = ports.filter(({ label }) => fixed.has(label) === isFixed);
    if (own.length === 0) return null;
    return own.map(({ label, value, to = 0, hostNetwork = 'default' }) => ({ Label: label, Value: value, To: to, HostNetwork: hostNetwork })); // prettier-ignore
  };
  return [
    {
      Mode: wanted?.mode === 'host' ? '' : (wanted?.mode ?? ''),
      Device: '',
      CIDR: '',
      IP: ports[0]?.hostIP ?? '',
      DNS: null,
      MBits: wanted?.mbits ?? 0,
      ReservedPorts: list(true),
      DynamicPorts: list(false),
    },
  ];
}
