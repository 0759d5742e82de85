import { formatDuration } from '../../base/index.ts';
import type { Allocation, Node, Stored } from '../../openapi/index.ts';
import { bytes, megabytes } from '../io/amounts.ts';
import { none, pairs, table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';
import { allocationTable, clientStatus, nodeName, nodePhase } from './lists.ts';
import type { AllocationStats } from './allocation.ts';
import { by, section, type View } from './view.ts';

/** What the agent of a node measures on its machine. */
export interface NodeStats {
  readonly uptimeSeconds?: number;
  readonly cpuMHz?: number;
  readonly cpu?: readonly { readonly cpu: string; readonly userPercent: number; readonly systemPercent: number; readonly idlePercent: number }[];
  readonly memory?: { readonly totalBytes: number; readonly availableBytes: number; readonly usedBytes: number; readonly freeBytes: number };
  readonly disks?: readonly {
    readonly device: string;
    readonly mountPoint: string;
    readonly sizeBytes: number;
    readonly usedBytes: number;
    readonly availableBytes: number;
    readonly usedPercent: number;
    readonly inodesPercent: number;
  }[];
  /** The file system that allocations are kept on. */
  readonly allocDisk?: { readonly sizeBytes: number; readonly usedBytes: number };
}

export interface NodeState {
  readonly node: Stored<Node>;
  readonly allocations: readonly Stored<Allocation>[];
  readonly stats?: NodeStats | undefined;
  readonly statsProblem?: string | undefined;
  /** What its running allocations use. */
  readonly usage?: readonly AllocationStats[] | undefined;
}

/** What `node status ID` shows. */
export function nodeStatus(state: NodeState, view: View, show: { readonly short: boolean; readonly stats: boolean }): string {
  const { node, allocations } = state;
  const parts = [basics(state, view, show.short)];
  if (!show.short) {
    if (view.verbose) parts.push(...volumesAndDrivers(node, view));
    const events = nodeEvents(node, view);
    if (events !== undefined) parts.push(events);
    parts.push(section(view, 'Allocated Resources', allocatedResources(node, allocations)));
    const use = usedByAllocations(state);
    if (use !== undefined) parts.push(section(view, 'Allocation Resource Utilization', use));
    const host = usedOnHost(state);
    if (host !== undefined) parts.push(section(view, 'Host Resource Utilization', host));
    if (state.statsProblem !== undefined) parts.push(state.statsProblem);
    if (show.stats && state.stats !== undefined) parts.push(...hostStats(state.stats, view));
  }
  parts.push(section(view, 'Allocations', allocations.length === 0 ? 'No allocations placed' : allocationTable(allocations, view)));
  if (view.verbose && !show.short) {
    parts.push(section(view, 'Attributes', sortedPairs(node.status?.attributes)));
    parts.push(section(view, 'Meta', sortedPairs(node.spec.meta)));
  }
  return parts.join('\n\n');
}

function basics({ node, stats }: NodeState, view: View, short: boolean): string {
  const { spec, status } = node;
  const drivers = Object.entries(status?.drivers ?? {}).sort(by(([name]) => name));
  const driverWords = drivers
    .filter(([, { detected }]) => detected === true)
    .map(([name, { healthy }]) => (healthy === true || short ? name : `${name} (unhealthy)`));
  const volumes = Object.keys(status?.hostVolumes ?? {}).sort();
  const detailed = !short && !view.verbose;
  return pairs([
    ['ID', node.metadata.name],
    ['Name', nodeName(node)],
    ...(spec.nodePool === undefined || spec.nodePool === 'default' ? [] : [['Node Pool', spec.nodePool] as const]),
    ['Class', spec.nodeClass],
    ['DC', spec.datacenter],
    ['Drain', drainText(node)],
    ['Eligibility', spec.eligibility ?? 'eligible'],
    ['Status', nodePhase(node)],
    ...((status?.description ?? '') === '' ? [] : [['Description', status!.description!] as const]),
    ['CSI Controllers', none],
    ['CSI Drivers', none],
    ...(short || stats?.uptimeSeconds === undefined
      ? []
      : [['Uptime', formatDuration(Math.floor(stats.uptimeSeconds) * 1000)] as const]),
    ...(view.verbose && !short
      ? []
      : ([
          ['Host Volumes', volumes.join(',')],
          ['CSI Volumes', none],
          [detailed ? 'Driver Status' : 'Drivers', driverWords.join(',')],
        ] as const)),
  ]);
}

/** `false`, or `true` with how far it is: `true; 3 allocations left, until 2026-…`. */
function drainText({ spec, status }: Stored<Node>): string {
  if (spec.drain === undefined) return 'false';
  const remaining = status?.drain?.remaining;
  return remaining === undefined ? 'true' : `true; ${remaining} ${remaining === 1 ? 'allocation' : 'allocations'} left`;
}

function volumesAndDrivers({ status }: Stored<Node>, view: View): string[] {
  const volumes = Object.entries(status?.hostVolumes ?? {}).sort(by(([name]) => name));
  const drivers = Object.entries(status?.drivers ?? {}).sort(by(([name]) => name));
  return [
    ...(volumes.length === 0
      ? []
      : [
          section(
            view,
            'Host Volumes',
            table([
              ['Name', 'ReadOnly', 'Source'],
              ...volumes.map(([name, { readOnly, path }]) => [name, readOnly === true, path]),
            ]),
          ),
        ]),
    section(
      view,
      'Drivers',
      table([
        ['Driver', 'Detected', 'Healthy', 'Message', 'Time'],
        ...drivers.map(([name, driver]) => [
          name,
          driver.detected === true,
          driver.healthy === true,
          driver.description || (driver.healthy === true ? 'Healthy' : ''),
          localTime(driver.updatedAt),
        ]),
      ]),
    ),
  ];
}

function nodeEvents({ status }: Stored<Node>, view: View): string | undefined {
  const events = [...(status?.events ?? [])].reverse();
  if (events.length === 0) return undefined;
  const details = view.verbose ? ['Details'] : [];
  return section(
    view,
    'Node Events',
    table([
      ['Time', 'Subsystem', 'Message', ...details],
      ...events.map(({ time, subsystem, message }) => [localTime(time), subsystem, message, ...details.map(() => none)]),
    ]),
  );
}

const isTerminal = (allocation: Stored<Allocation>): boolean =>
  ['complete', 'failed', 'lost'].includes(clientStatus(allocation)) || allocation.spec.desired !== 'run';

/** What allocations can have on a node: what it has less what it keeps for itself. */
function capacity({ status }: Stored<Node>): { cpuMHz: number; memoryMB: number; diskMB: number } {
  const [has, keeps] = [status?.resources ?? {}, status?.reserved ?? {}];
  return {
    cpuMHz: (has.cpuMHz ?? 0) - (keeps.cpuMHz ?? 0),
    memoryMB: (has.memoryMB ?? 0) - (keeps.memoryMB ?? 0),
    diskMB: (has.diskMB ?? 0) - (keeps.diskMB ?? 0),
  };
}

function allocatedResources(node: Stored<Node>, allocations: readonly Stored<Allocation>[]): string {
  const total = capacity(node);
  let [cpu, memory, disk] = [0, 0, 0];
  for (const allocation of allocations) {
    if (isTerminal(allocation)) continue;
    disk += allocation.spec.resources?.diskMB ?? 0;
    for (const task of allocation.spec.resources?.tasks ?? []) {
      cpu += task.cpu ?? 0;
      memory += task.memory ?? 0;
    }
  }
  return table([
    ['CPU', 'Memory', 'Disk'],
    [`${cpu}/${total.cpuMHz} MHz`, `${megabytes(memory)}/${megabytes(total.memoryMB)}`, `${megabytes(disk)}/${megabytes(total.diskMB)}`],
  ]);
}

function usedByAllocations({ node, usage }: NodeState): string | undefined {
  if (usage === undefined) return undefined;
  const tasks = usage.flatMap((stats) => stats.tasks);
  const cpu = tasks.reduce((sum, { cpuMHz = 0 }) => sum + cpuMHz, 0);
  const memory = tasks.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0);
  const total = capacity(node);
  return table([
    ['CPU', 'Memory'],
    [`${Math.floor(cpu)}/${total.cpuMHz} MHz`, `${bytes(memory)}/${megabytes(total.memoryMB)}`],
  ]);
}

function usedOnHost({ node, stats }: NodeState): string | undefined {
  if (stats === undefined) return undefined;
  const total = node.status?.resources ?? {};
  const memory = stats.memory;
  const disk = stats.allocDisk;
  return table([
    ['CPU', 'Memory', 'Disk'],
    [
      `${Math.floor(stats.cpuMHz ?? 0)}/${total.cpuMHz ?? 0} MHz`,
      memory === undefined ? none : `${bytes(memory.usedBytes)}/${bytes(memory.totalBytes)}`,
      disk === undefined ? none : `${bytes(disk.usedBytes)}/${bytes(disk.sizeBytes)}`,
    ],
  ]);
}

function hostStats(stats: NodeStats, view: View): string[] {
  const percent = (value: number): string => `${value.toFixed(2)}%`;
  const parts: string[] = [];
  if (stats.cpu !== undefined)
    parts.push(
      section(
        view,
        'CPU Stats',
        stats.cpu
          .map((cpu) =>
            pairs([
              ['CPU', cpu.cpu],
              ['User', percent(cpu.userPercent)],
              ['System', percent(cpu.systemPercent)],
              ['Idle', percent(cpu.idlePercent)],
            ]),
          )
          .join('\n\n'),
      ),
    );
  if (stats.memory !== undefined)
    parts.push(
      section(
        view,
        'Memory Stats',
        pairs([
          ['Total', bytes(stats.memory.totalBytes)],
          ['Available', bytes(stats.memory.availableBytes)],
          ['Used', bytes(stats.memory.usedBytes)],
          ['Free', bytes(stats.memory.freeBytes)],
        ]),
      ),
    );
  if (stats.disks !== undefined)
    parts.push(
      section(
        view,
        'Disk Stats',
        stats.disks
          .map((disk) =>
            pairs([
              ['Device', disk.device],
              ['MountPoint', disk.mountPoint],
              ['Size', bytes(disk.sizeBytes)],
              ['Used', bytes(disk.usedBytes)],
              ['Available', bytes(disk.availableBytes)],
              ['Used Percent', percent(disk.usedPercent)],
              ['Inodes Percent', percent(disk.inodesPercent)],
            ]),
          )
          .join('\n\n'),
      ),
    );
  return parts;
}

const sortedPairs = (map: Readonly<Record<string, string>> | undefined): string => {
  const entries = Object.entries(map ?? {}).sort(by(([key]) => key));
  return entries.length === 0 ? none : pairs(entries);
};
