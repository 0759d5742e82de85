import { formatDuration } from '../../base/index.ts';
import type { Allocation, Node, Stored } from '../../openapi/index.ts';
import { bytes, megabytes } from '../io/amounts.ts';
import { none, pairs, table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';
import { allocationTable, clientStatus, nodeName, nodePhase } from './lists.ts';
import { by, section, type View } from './view.ts';

/** What the agent of a node measures on its machine; the details are there as far as it can tell them. */
export interface NodeStats {
  readonly uptimeSeconds?: number;
  readonly cpu?: {
    readonly percent: number;
    readonly usedMHz: number;
    readonly totalMHz: number;
    readonly cores?: readonly CoreStats[];
  };
  readonly memory?: {
    readonly totalBytes: number;
    readonly usedBytes: number;
    readonly availableBytes: number;
    readonly freeBytes?: number;
  };
  /** The file system that allocations are kept on. */
  readonly disk?: { readonly totalBytes: number; readonly usedBytes: number; readonly usedPercent: number };
  readonly disks?: readonly DiskStats[];
  /** What its allocations use together. */
  readonly allocations?: { readonly cpuMHz: number; readonly memoryBytes: number };
}

interface CoreStats {
  readonly name: string;
  readonly userPercent: number;
  readonly systemPercent: number;
  readonly idlePercent: number;
}

interface DiskStats {
  readonly device: string;
  readonly mountPoint: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly availableBytes: number;
  readonly usedPercent: number;
  readonly inodesPercent: number;
}

export interface NodeState {
  readonly node: Stored<Node>;
  readonly allocations: readonly Stored<Allocation>[];
  readonly stats?: NodeStats | undefined;
  readonly statsProblem?: string | undefined;
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
  parts.push(
    section(view, 'Allocations', allocations.length === 0 ? 'No allocations placed' : allocationTable(allocations, view)),
  );
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
    ...(nodePhase(node) === 'ready' || (status?.description ?? '') === ''
      ? []
      : [['Description', status!.description!] as const]),
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
  const { remaining, waitingFor } = status?.drain ?? {};
  if (remaining === undefined) return 'true';
  const waits = waitingFor === undefined ? '' : `; waits for ${waitingFor}`;
  return `true; ${remaining} ${remaining === 1 ? 'allocation' : 'allocations'} left${waits}`;
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
    [
      `${cpu}/${total.cpuMHz} MHz`,
      `${megabytes(memory)}/${megabytes(total.memoryMB)}`,
      `${megabytes(disk)}/${megabytes(total.diskMB)}`,
    ],
  ]);
}

function usedByAllocations({ node, stats }: NodeState): string | undefined {
  const used = stats?.allocations;
  if (used === undefined) return undefined;
  const total = capacity(node);
  return table([
    ['CPU', 'Memory'],
    [`${Math.floor(used.cpuMHz)}/${total.cpuMHz} MHz`, `${bytes(used.memoryBytes)}/${megabytes(total.memoryMB)}`],
  ]);
}

function usedOnHost({ node, stats }: NodeState): string | undefined {
  if (stats === undefined) return undefined;
  const { cpu, memory, disk } = stats;
  return table([
    ['CPU', 'Memory', 'Disk'],
    [
      cpu === undefined ? none : `${Math.floor(cpu.usedMHz)}/${node.status?.resources?.cpuMHz ?? cpu.totalMHz} MHz`,
      memory === undefined ? none : `${bytes(memory.usedBytes)}/${bytes(memory.totalBytes)}`,
      disk === undefined ? none : `${bytes(disk.usedBytes)}/${bytes(disk.totalBytes)}`,
    ],
  ]);
}

const percent = (value: number): string => `${value.toFixed(2)}%`;

function hostStats({ cpu, memory, disk, disks }: NodeStats, view: View): string[] {
  const parts: string[] = [];
  if (cpu !== undefined)
    parts.push(
      section(
        view,
        'CPU Stats',
        (cpu.cores ?? []).length === 0
          ? pairs([['Used', percent(cpu.percent)]])
          : cpu.cores!.map((core) => pairs([['CPU', core.name], ['User', percent(core.userPercent)], ['System', percent(core.systemPercent)], ['Idle', percent(core.idlePercent)]])).join('\n\n'), // prettier-ignore
      ),
    );
  if (memory !== undefined)
    parts.push(
      section(
        view,
        'Memory Stats',
        pairs([
          ['Total', bytes(memory.totalBytes)],
          ['Available', bytes(memory.availableBytes)],
          ['Used', bytes(memory.usedBytes)],
          ...(memory.freeBytes === undefined ? [] : [['Free', bytes(memory.freeBytes)] as const]),
        ]),
      ),
    );
  const diskTexts = (disks ?? []).map((one) =>
    pairs([
      ['Device', one.device],
      ['MountPoint', one.mountPoint],
      ['Size', bytes(one.totalBytes)],
      ['Used', bytes(one.usedBytes)],
      ['Available', bytes(one.availableBytes)],
      ['Used Percent', percent(one.usedPercent)],
      ['Inodes Percent', percent(one.inodesPercent)],
    ]),
  );
  if (diskTexts.length === 0 && disk !== undefined)
    diskTexts.push(
      pairs([
        ['Size', bytes(disk.totalBytes)],
        ['Used', bytes(disk.usedBytes)],
        ['Used Percent', percent(disk.usedPercent)],
      ]),
    );
  if (diskTexts.length > 0) parts.push(section(view, 'Disk Stats', diskTexts.join('\n\n')));
  return parts;
}

const sortedPairs = (map: Readonly<Record<string, string>> | undefined): string => {
  const entries = Object.entries(map ?? {}).sort(by(([key]) => key));
  return entries.length === 0 ? none : pairs(entries);
};
