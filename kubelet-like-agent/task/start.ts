import type { Allocation, JobSpec, Stored, Task, TaskGroup } from '../../openapi/index.ts';
import type { AllocationDirs } from '../allocation/dirs.ts';
import type { AgentConfig } from '../config.ts';
import { DriverError, type Driver, type TaskPort, type TaskStart } from '../drivers/driver.ts';
import { resourcesOf, taskEnvironment, type NodeFacts } from './env.ts';
import { interpolate, interpolateAll, type Variables } from './interpolate.ts';

/** What a task is started from. */
export interface StartInput {
  readonly allocation: Stored<Allocation>;
  readonly job: JobSpec;
  readonly group: TaskGroup;
  readonly task: Task;
  readonly node: NodeFacts;
  readonly dirs: AllocationDirs;
  readonly filesystem: Driver['filesystem'];
  readonly hostVolumes: AgentConfig['hostVolumes'];
  /** Variables of env templates. */
  readonly rendered?: Readonly<Record<string, string>>;
}

/** Where a task finds its directories. */
export function dirsInside(
  dirs: AllocationDirs,
  task: string | undefined,
  filesystem: Driver['filesystem'],
): { alloc: string; local: string; secrets: string } {
  if (filesystem === 'image') return { alloc: '/alloc', local: '/local', secrets: '/secrets' };
  if (task === undefined) return { alloc: dirs.alloc, local: '', secrets: '' };
  const { alloc, local, secrets } = dirs.task(task);
  return { alloc, local, secrets };
}

export function variablesOf(input: Omit<StartInput, 'task' | 'hostVolumes' | 'rendered'> & { readonly task?: Task }): {
  env: Record<string, string>;
  variables: Variables;
} {
  const { allocation, job, group, task, node } = input;
  const dirs = dirsInside(input.dirs, task?.name, input.filesystem);
  return taskEnvironment({ allocation, job, group, node, dirs, ...(task !== undefined && { task }) });
}

/** The driver's order for one run, everything interpolated. Throws when the node lacks a volume that the job asks for. */
export function taskStart(input: StartInput): Omit<TaskStart, 'report' | 'signal'> {
  const { allocation, job, group, task, node, dirs } = input;
  const { env, variables } = variablesOf(input);
  const network = group.networks?.[0];
  return {
    nodeId: node.id,
    allocId: allocation.metadata.name,
    allocName: allocation.spec.name,
    jobName: job.id ?? allocation.spec.jobName,
    group: group.name,
    namespace: allocation.metadata.namespace ?? 'default',
    task: task.name,
    config: interpolateAll(task.config ?? {}, { ...variables, env: { ...variables.env, ...input.rendered } }),
    env: { ...env, ...input.rendered },
    ...(task.user !== undefined && task.user !== '' && { user: task.user }),
    resources: resourcesOf(allocation, task),
    ports: portsOf(allocation, task.name),
    ...(network !== undefined && {
      network: {
        mode: network.mode ?? '',
        ...(network.hostname !== undefined && { hostname: interpolate(network.hostname, variables) }),
        ...(network.dns !== undefined && { dns: network.dns }),
      },
    }),
    dirs: dirs.task(task.name),
    mounts: mountsOf(input, variables),
    logs: {
      dir: dirs.logs,
      maxFiles: task.logs?.maxFiles ?? 10,
      maxFileSizeMB: task.logs?.maxFileSize ?? 10,
      enabled: !(task.logs?.disabled === true || task.logs?.enabled === false),
    },
    ...(task.killSignal !== undefined && task.killSignal !== '' && { killSignal: task.killSignal }),
  };
}

/** The group's ports and the task's own. */
function portsOf(allocation: Stored<Allocation>, task: string): TaskPort[] {
  return (allocation.spec.resources?.ports ?? [])
    .filter((port) => port.task === undefined || port.task === '' || port.task === task)
    .map(({ label, value, to, hostIP }) => ({ label, value, to: to !== undefined && to > 0 ? to : value, hostIP: hostIP ?? '' }));
}

function mountsOf({ task, group, hostVolumes }: StartInput, variables: Variables): TaskStart['mounts'] {
  return (task.volumeMounts ?? []).map((mount) => {
    const volume = group.volumes?.find((v) => v.name === mount.volume);
    if (volume === undefined) throw never(`volume_mount refers to volume "${mount.volume ?? ''}", which the group does not have`);
    const source = interpolate(volume.source ?? '', variables);
    const found = Object.hasOwn(hostVolumes, source) ? hostVolumes[source] : undefined;
    if (found === undefined) throw never(`the node has no host volume "${source}"`);
    return {
      source: found.path,
      destination: interpolate(mount.destination ?? '', variables),
      readOnly: found.readOnly || volume.readOnly === true || mount.readOnly === true,
    };
  });
}

/** Trying again cannot help. */
const never = (message: string): DriverError => new DriverError(message, { recoverable: false });
