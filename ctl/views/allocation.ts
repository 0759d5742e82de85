import { parseDuration, parseTimestamp } from '../../base/index.ts';
import type {
  Allocation,
  Evaluation,
  JobSpec,
  Node,
  Stored,
  Task,
  TaskGroup,
  TaskLifecycle,
  TaskState,
} from '../../openapi/index.ts';
import { bytes, megabytes } from '../io/amounts.ts';
import { pairs, sparseTable, table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';
import { clientStatus, jobIdOf, modifiedAt, nodeName } from './lists.ts';
import { scoreTable } from './metrics.ts';
import { by, id, section, when, type View } from './view.ts';

/** What the tasks of an allocation use, as its agent measures it. */
export interface AllocationStats {
  readonly tasks: readonly TaskStats[];
}

export interface TaskStats {
  readonly name: string;
  readonly cpuMHz?: number;
  readonly cpuPercent?: number;
  readonly memoryBytes?: number;
  readonly memoryMaxBytes?: number;
  readonly memoryCacheBytes?: number;
  readonly memorySwapBytes?: number;
  readonly memoryUsageBytes?: number;
  readonly throttledPeriods?: number;
  readonly throttledTimeNs?: number;
  readonly pids?: number;
}

export interface AllocationState {
  readonly allocation: Stored<Allocation>;
  readonly node?: Stored<Node> | undefined;
  /** The job in the version that the allocation runs. */
  readonly job?: JobSpec | undefined;
  /** The delayed evaluation that will reschedule it. */
  readonly followup?: Stored<Evaluation> | undefined;
  readonly stats?: AllocationStats | undefined;
  /** Why there are no stats. */
  readonly statsProblem?: string | undefined;
}

/** What `alloc status` shows. */
export function allocationStatus(state: AllocationState, view: View, show: { readonly stats: boolean }): string {
  const { allocation, statsProblem } = state;
  const parts = [basics(state, view)];
  const addresses = allocationAddresses(state, view);
  if (addresses !== undefined) parts.push(addresses);
  if (statsProblem !== undefined) parts.push(statsProblem);
  for (const task of sortedTasks(state)) parts.push(taskDetails(task, state, view, show.stats));
  if (view.verbose && allocation.spec.metrics?.scores !== undefined)
    parts.push(section(view, 'Placement Metrics', scoreTable(allocation.spec.metrics)));
  return parts.join('\n\n');
}

/** What `alloc status -short` shows. */
export function allocationShort(state: AllocationState, view: View): string {
  const { allocation } = state;
  const basics = pairs([
    ['ID', allocation.metadata.name],
    ['Name', allocation.spec.name],
    ['Created', when(view, allocation.metadata.creationTimestamp)],
    ['Modified', when(view, modifiedAt(allocation))],
  ]);
  const tasks = table([
    ['Name', 'State', 'Last Event', 'Time', 'Lifecycle'],
    ...sortedTasks(state).map(({ name, state: task, lifecycle }) => {
      const last = task?.events?.at(-1);
      return [name, task?.state ?? 'pending', last?.type, localTime(last?.time), lifecycleName(lifecycle)];
    }),
  ]);
  return `${basics}\n\n${section(view, 'Tasks', tasks)}`;
}

function basics({ allocation, node, job, followup }: AllocationState, view: View): string {
  const { metadata, spec, status } = allocation;
  const health = status?.deploymentHealth?.healthy;
  const metrics = spec.metrics ?? {};
  const optional = (present: boolean, ...rows: [string, string | number | boolean | undefined][]) => (present ? rows : []);
  return pairs([
    ['ID', metadata.name],
    ['Eval ID', id(view, spec.evaluation)],
    ['Name', spec.name],
    ['Node ID', id(view, spec.nodeName)],
    ['Node Name', node === undefined ? '' : nodeName(node)],
    ['Job ID', job?.id ?? jobIdOf(spec.jobName)],
    ['Job Version', spec.jobVersion],
    ['Client Status', clientStatus(allocation)],
    ['Client Description', status?.description ?? (status === undefined ? '' : undefined)],
    ['Desired Status', spec.desired],
    ['Desired Description', spec.desiredDescription],
    ['Created', when(view, metadata.creationTimestamp)],
    ['Modified', when(view, modifiedAt(allocation))],
    ...optional(
      spec.deployment !== undefined,
      ['Deployment ID', id(view, spec.deployment)],
      ['Deployment Health', health === undefined ? 'unset' : health ? 'healthy' : 'unhealthy'],
      ...optional(status?.deploymentHealth?.reason !== undefined, ['Health Reason', status?.deploymentHealth?.reason]),
      ...optional(spec.canary === true, ['Canary', true]),
    ),
    ...optional(rescheduleAttempts(allocation, job) !== undefined, ['Reschedule Attempts', rescheduleAttempts(allocation, job)]),
    ...optional(spec.nextAllocation !== undefined, ['Replacement Alloc ID', id(view, spec.nextAllocation)]),
    ...optional(followup?.spec.waitUntil !== undefined, ['Reschedule Eligibility', when(view, followup?.spec.waitUntil)]),
    ...optional(
      view.verbose,
      ['Evaluated Nodes', metrics.nodesEvaluated ?? 0],
      ['Filtered Nodes', metrics.nodesFiltered ?? 0],
      ['Exhausted Nodes', metrics.nodesExhausted ?? 0],
      ['Allocation Time', metrics.allocationTime ?? '0s'],
      ['Failures', metrics.coalescedFailures ?? 0],
    ),
  ]);
}

/** `1/3` where the policy has a limit: reschedules within its interval, and how many are allowed. */
function rescheduleAttempts({ spec }: Stored<Allocation>, job: JobSpec | undefined): string | undefined {
  const policy = groupOf(job, spec.group)?.reschedule;
  const events = spec.rescheduleTracker ?? [];
  if (policy === undefined || policy.unlimited === true || (policy.attempts ?? 0) === 0 || events.length === 0) return undefined;
  const interval = parseDuration(policy.interval) ?? 0;
  const last = parseTimestamp(events.at(-1)!.time) ?? 0;
  const recent = events.filter(({ time }) => last - (parseTimestamp(time) ?? 0) < interval);
  return `${recent.length}/${policy.attempts}`;
}

/** The ports of the group. */
function allocationAddresses({ allocation, job }: AllocationState, view: View): string | undefined {
  const ports = (allocation.spec.resources?.ports ?? []).filter(({ task }) => task === undefined);
  if (ports.length === 0) return undefined;
  const network = groupOf(job, allocation.spec.group)?.networks?.[0];
  const isStatic = new Set((network?.ports ?? []).filter(({ static: fixed }) => (fixed ?? 0) > 0).map(({ label }) => label));
  const mode = network?.mode === undefined || network.mode === '' || network.mode === 'host' ? '' : ` (mode = "${network.mode}")`;
  const rows = ports.map(({ label, value, to = 0, hostIP }) => [
    `*${label}`,
    isStatic.has(label) ? 'no' : 'yes',
    `${hostIP ?? ''}:${value}${to > 0 ? ` -> ${to}` : ''}`,
  ]);
  return section(view, `Allocation Addresses${mode}`, table([['Label', 'Dynamic', 'Address'], ...rows]));
}

interface ShownTask {
  readonly name: string;
  readonly state?: TaskState | undefined;
  readonly lifecycle?: TaskLifecycle | undefined;
}

/** In the order in which tasks run: prestart, main, poststart, poststop; then by name. */
function sortedTasks({ allocation, job }: AllocationState): ShownTask[] {
  const states = new Map((allocation.status?.tasks ?? []).map((task) => [task.name, task]));
  const specs = new Map((groupOf(job, allocation.spec.group)?.tasks ?? []).map((task): [string, Task] => [task.name, task]));
  const held = (allocation.spec.resources?.tasks ?? []).map(({ name }) => name);
  const names = [...new Set([...specs.keys(), ...states.keys(), ...held])];
  const order = ['prestart', 'main', 'poststart', 'poststop'];
  return names
    .map((name) => ({ name, state: states.get(name), lifecycle: specs.get(name)?.lifecycle }))
    .sort(by(({ name, lifecycle }) => `${order.indexOf(lifecycle?.hook ?? 'main')} ${name}`));
}

const lifecycleName = (lifecycle: TaskLifecycle | undefined): string =>
  lifecycle?.hook === undefined ? 'main' : lifecycle.sidecar === true ? `${lifecycle.hook} sidecar` : lifecycle.hook;

export const groupOf = (job: JobSpec | undefined, name: string): TaskGroup | undefined =>
  (job?.groups ?? []).find((group) => group.name === name);

function taskDetails({ name, state, lifecycle }: ShownTask, all: AllocationState, view: View, withStats: boolean): string {
  const phase = state?.state ?? 'pending';
  const role = lifecycle?.hook === undefined ? '' : ` (${lifecycleName(lifecycle)})`;
  const stats = all.stats?.tasks.find((one) => one.name === name);
  const parts = [`${view.style.bold(`Task "${name}"${role} is "${phase}"`)}\n${taskResources(name, all, stats)}`];
  if (withStats && stats !== undefined) parts.push(...taskStats(stats));
  parts.push(section(view, 'Task Events:', taskTimes(state)));
  const events = [...(state?.events ?? [])].reverse();
  const list = table([
    ['Time', 'Type', 'Description'],
    ...events.map(({ time, type, message }) => [localTime(time), type, message]),
  ]);
  parts.push(section(view, 'Recent Events:', list));
  return parts.join('\n\n');
}

function taskTimes(state: TaskState | undefined): string {
  return pairs([
    ['Started At', localTime(state?.startedAt)],
    ['Finished At', localTime(state?.finishedAt)],
    ['Total Restarts', state?.restarts ?? 0],
    ['Last Restart', localTime(state?.lastRestart)],
  ]);
}

function taskResources(name: string, { allocation }: AllocationState, stats: TaskStats | undefined): string {
  const held = allocation.spec.resources?.tasks?.find((task) => task.name === name);
  if (held === undefined) return '';
  const cpu = `${stats?.cpuMHz === undefined ? '' : `${Math.floor(stats.cpuMHz)}/`}${held.cpu ?? 0} MHz`;
  const memory = `${stats?.memoryBytes === undefined ? '' : `${bytes(stats.memoryBytes)}/`}${megabytes(held.memory ?? 0)}`;
  const limit = held.memoryMax === undefined || held.memoryMax <= (held.memory ?? 0) ? '' : `Max: ${megabytes(held.memoryMax)}`;
  const addresses = (allocation.spec.resources?.ports ?? [])
    .filter(({ task }) => task === name)
    .map(({ label, hostIP, value }) => `${label}: ${hostIP ?? ''}:${value}`);
  const more = Math.max(addresses.length, limit === '' ? 0 : 2);
  const rows = [[cpu, memory, megabytes(allocation.spec.resources?.diskMB ?? 0), addresses[0] ?? '']];
  for (let i = 1; i < more; i++) rows.push(['', i === 1 ? limit : '', '', addresses[i] ?? '']);
  return `Task Resources\n${sparseTable([['CPU', 'Memory', 'Disk', 'Addresses'], ...rows])}`;
}

export function taskStats(stats: TaskStats): string[] {
  const measured = (values: [string, string | undefined][]): string => {
    const known = values.filter((value): value is [string, string] => value[1] !== undefined);
    return table([known.map(([name]) => name), known.map(([, value]) => value)]);
  };
  const amount = (value: number | undefined): string | undefined => (value === undefined ? undefined : bytes(value));
  const memory = measured([
    ['Cache', amount(stats.memoryCacheBytes)],
    ['Max Usage', amount(stats.memoryMaxBytes)],
    ['RSS', amount(stats.memoryBytes)],
    ['Swap', amount(stats.memorySwapBytes)],
    ['Usage', amount(stats.memoryUsageBytes)],
  ]);
  const cpu = measured([
    ['Percent', stats.cpuPercent === undefined ? undefined : `${stats.cpuPercent.toFixed(2)}%`],
    ['Throttled Periods', stats.throttledPeriods?.toString()],
    ['Throttled Time', stats.throttledTimeNs?.toString()],
  ]);
  return [
    ...(stats.memoryBytes === undefined ? [] : [`Memory Stats\n${memory}`]),
    ...(stats.cpuPercent === undefined ? [] : [`CPU Stats\n${cpu}`]),
  ];
}
