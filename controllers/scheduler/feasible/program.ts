import { durationOr } from '../../../base/index.ts';
import type { Constraint, JobSpec, Network, Port, Task, TaskGroup } from '../../../openapi/index.ts';
import { compilePredicate, type Predicate } from './constraint.ts';
import { parseTarget, type NodeFacts, type Target } from './targets.ts';

/** What an allocation of a group needs of the node that it is placed on. */
export interface Ask {
  /** MHz at most at one time, without what comes with whole cores. */
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
  /** Whole cores. */
  readonly cores: number;
  readonly tasks: readonly TaskAsk[];
  readonly ports: readonly PortAsk[];
}

export interface TaskAsk {
  readonly name: string;
  readonly cpu: number;
  readonly cores: number;
  readonly memory: number;
  readonly memoryMax: number | undefined;
}

export interface PortAsk {
  readonly label: string;
  /** The task whose resources.network asks for it; undefined for ports of the group. */
  readonly task: string | undefined;
  /** Undefined: any of the dynamic range. */
  readonly static: number | undefined;
  readonly to: number | undefined;
  readonly hostNetwork: string;
  readonly ignoreCollision: boolean;
}

export interface AffinityTerm {
  readonly predicate: Predicate;
  /** Its share of all weights, with its sign. */
  readonly share: number;
}

export interface SpreadTerm {
  readonly target: Target;
  /** Its share of the weights of all spreads. */
  readonly share: number;
  /** Wanted allocations by value; empty: as even as can be. */
  readonly desired: ReadonlyMap<string, number>;
  /** Wanted allocations over all values without a target of their own. */
  readonly rest: number | undefined;
}

export interface DistinctProperty {
  readonly target: Target;
  /** Allocations that may share a value. */
  readonly limit: number;
  /** Over the allocations of the whole job, or of the group. */
  readonly scope: 'job' | 'group';
}

/**
 * A task group, compiled: everything that placing it asks of nodes. Made once per evaluation and group; what depends on nothing
 * but the class of a node is in `checks`, so that it is asked once per class.
 */
export interface GroupProgram {
  readonly group: string;
  readonly count: number;
  readonly ask: Ask;
  /** In the order in which they are told to users. */
  readonly checks: readonly Predicate[];
  /** Those that look at what is unique to a node. */
  readonly uniqueChecks: readonly Predicate[];
  readonly distinctHosts: 'job' | 'group' | undefined;
  readonly distinctProperties: readonly DistinctProperty[];
  readonly affinities: readonly AffinityTerm[];
  readonly spreads: readonly SpreadTerm[];
  /** Keeps to the node of its predecessor where it can, for its data's sake. */
  readonly sticky: boolean;
}

export function compileGroup(job: JobSpec, group: TaskGroup): GroupProgram {
  const tasks = group.tasks ?? [];
  const own = [...(group.constraints ?? []), ...tasks.flatMap((task) => task.constraints ?? [])];
  const count = group.count ?? 1;
  const checks = [
    placeCheck(job),
    ...predicates(job.constraints ?? []),
    driverCheck(tasks),
    ...predicates(own),
    ...volumeChecks(group),
    ...deviceChecks(tasks),
    ...networkChecks(group),
  ];
  return {
    group: group.name,
    count,
    ask: askOf(group),
    checks: checks.filter((check) => !check.unique),
    uniqueChecks: checks.filter((check) => check.unique),
    distinctHosts: isDistinctHosts(job.constraints) ? 'job' : isDistinctHosts(own) ? 'group' : undefined,
    distinctProperties: [...distinctProperties(job.constraints ?? [], 'job'), ...distinctProperties(own, 'group')],
    affinities: affinityTerms(job, group),
    spreads: spreadTerms(job, group, count),
    sticky: group.ephemeralDisk?.sticky ?? false,
  };
}

function predicates(constraints: readonly Constraint[]): Predicate[] {
  return constraints.filter(({ operator }) => operator === undefined || !operator.startsWith('distinct_')).map(compilePredicate);
}

function isDistinctHosts(constraints: readonly Constraint[] | undefined): boolean {
  return (constraints ?? []).some(({ operator, value }) => operator === 'distinct_hosts' && value !== 'false');
}

function distinctProperties(constraints: readonly Constraint[], scope: 'job' | 'group'): DistinctProperty[] {
  return constraints
    .filter(({ operator }) => operator === 'distinct_property')
    .map(({ attribute = '', value }) => {
      const limit = value === undefined || value === '' ? 1 : Math.trunc(Number(value));
      return { target: parseTarget(attribute), limit: Number.isNaN(limit) ? 0 : limit, scope };
    });
}

/** Whether a node stands where the job may run. Nodes elsewhere are not counted as filtered: they were never candidates. */
function placeCheck(job: JobSpec): Predicate {
  const inDatacenter = datacenterTest(job.datacenters ?? ['*']);
  const pool = job.nodePool ?? 'default';
  return {
    text: ELSEWHERE,
    unique: false,
    test: (facts) => (pool === 'all' || facts.pool === pool) && inDatacenter(facts.datacenter),
  };
}

/** The reason of nodes in other datacenters and pools. */
export const ELSEWHERE = 'elsewhere';

export function datacenterTest(globs: readonly string[]): (datacenter: string) => boolean {
  if (globs.includes('*')) return () => true;
  const patterns = globs.map((glob) => new RegExp(`^${glob.split('*').map(escapeRegExp).join('.*')}$`));
  return (datacenter) => patterns.some((pattern) => pattern.test(datacenter));
}

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function driverCheck(tasks: readonly Task[]): Predicate {
  const wanted = [...new Set(tasks.map((task) => task.driver ?? ''))];
  return { text: 'missing drivers', unique: false, test: (facts) => wanted.every((driver) => facts.drivers.has(driver)) };
}

function volumeChecks(group: TaskGroup): Predicate[] {
  const volumes = group.volumes ?? [];
  const hosts = volumes.filter((volume) => (volume.type ?? 'host') === 'host');
  const others = volumes.filter((volume) => (volume.type ?? 'host') !== 'host');
  const checks: Predicate[] = [];
  if (hosts.length > 0)
    checks.push({
      text: 'missing compatible host volumes',
      unique: false,
      test: (facts) =>
        hosts.every((volume) => {
          const onlyRead = facts.volumes.get(volume.source ?? '');
          return onlyRead !== undefined && (!onlyRead || volume.readOnly === true);
        }),
    });
  if (others.length > 0) checks.push({ text: 'missing CSI plugins', unique: false, test: () => false });
  return checks;
}

/** No node reports devices yet, so a group that asks for one is told that they are missing. */
function deviceChecks(tasks: readonly Task[]): Predicate[] {
  const wanted = tasks.some((task) => (task.resources?.devices ?? []).some((device) => (device.count ?? 1) > 0));
  return wanted ? [{ text: 'missing devices', unique: false, test: () => false }] : [];
}

function networkChecks(group: TaskGroup): Predicate[] {
  const networks = [...(group.networks ?? []), ...(group.tasks ?? []).flatMap((task) => task.resources?.networks ?? [])];
  const checks: Predicate[] = [];
  const modes = [...new Set(networks.map((network) => network.mode ?? ''))].filter((mode) => !EVERYWHERE.has(mode));
  if (modes.length > 0)
    checks.push({ text: 'missing network', unique: false, test: (facts) => modes.every((mode) => offers(facts, mode)) });
  for (const name of new Set(networks.flatMap((network) => (network.ports ?? []).map(hostNetworkOf))))
    checks.push({ text: `missing host network "${name}"`, unique: false, test: (facts) => facts.networks.has(name) });
  return checks;
}

/** Network modes that need nothing of the node. */
const EVERYWHERE = new Set(['', 'host', 'none']);

/** A bridge is the engine's own, or that of the CNI plugins. Other networks are set up by nobody yet. */
const offers = (facts: NodeFacts, mode: string): boolean =>
  mode === 'bridge' && (facts.drivers.has('docker') || facts.attributes['plugins.cni.version.bridge'] !== undefined);

const hostNetworkOf = (port: Port): string =>
  port.hostNetwork === undefined || port.hostNetwork === '' ? 'default' : port.hostNetwork;

function askOf(group: TaskGroup): Ask {
  const tasks = group.tasks ?? [];
  const sum = (of: readonly Task[], what: (task: Task) => number): number => of.reduce((total, task) => total + what(task), 0);
  const hook = (task: Task): string => task.lifecycle?.hook ?? '';
  const before = tasks.filter((task) => hook(task) === 'prestart' && task.lifecycle?.sidecar !== true);
  const after = tasks.filter((task) => hook(task) === 'poststop');
  const throughout = tasks.filter((task) => !before.includes(task) && !after.includes(task));
  const sidecars = throughout.filter((task) => hook(task) === 'prestart');
  const main = throughout.filter((task) => !sidecars.includes(task));
  /** Prestart tasks are over when the main ones start, and those before poststop ones do: they share. */
  const atMost = (what: (task: Task) => number): number =>
    Math.max(sum(before, what), sum(main, what), sum(after, what)) + sum(sidecars, what);
  const coresOf = (task: Task): number => task.resources?.cores ?? 0;
  const cpuOf = (task: Task): number => (coresOf(task) > 0 ? 0 : (task.resources?.cpu ?? 100));
  return {
    cpu: atMost(cpuOf),
    memory: atMost((task) => task.resources?.memory ?? 300),
    disk: group.ephemeralDisk?.size ?? 300,
    cores: sum(tasks, coresOf),
    tasks: tasks.map((task) => ({
      name: task.name,
      cpu: cpuOf(task),
      cores: coresOf(task),
      memory: task.resources?.memory ?? 300,
      memoryMax: task.resources?.memoryMax,
    })),
    ports: [
      ...(group.networks ?? []).flatMap((network) => portsOf(network, undefined)),
      ...tasks.flatMap((task) => (task.resources?.networks ?? []).flatMap((network) => portsOf(network, task.name))),
    ],
  };
}

function portsOf(network: Network, task: string | undefined): PortAsk[] {
  return (network.ports ?? []).map((port) => ({
    label: port.label,
    task,
    static: port.static === undefined || port.static === 0 ? undefined : port.static,
    to: port.to === undefined || port.to === 0 ? undefined : port.to,
    hostNetwork: hostNetworkOf(port),
    ignoreCollision: port.ignoreCollision ?? false,
  }));
}

function affinityTerms(job: JobSpec, group: TaskGroup): AffinityTerm[] {
  const all = [
    ...(job.affinities ?? []),
    ...(group.affinities ?? []),
    ...(group.tasks ?? []).flatMap((task) => task.affinities ?? []),
  ];
  const total = all.reduce((sum, affinity) => sum + Math.abs(affinity.weight ?? 50), 0);
  if (total === 0) return [];
  return all.map((affinity) => ({ predicate: compilePredicate(affinity), share: (affinity.weight ?? 50) / total }));
}

function spreadTerms(job: JobSpec, group: TaskGroup, count: number): SpreadTerm[] {
  // A spread of the group takes the place of the job's over the same attribute.
  const own = group.spreads ?? [];
  const inherited = (job.spreads ?? []).filter((spread) => !own.some((other) => other.attribute === spread.attribute));
  const all = [...own, ...inherited];
  const total = all.reduce((sum, spread) => sum + (spread.weight ?? 50), 0);
  if (total === 0) return [];
  return all.map((spread) => {
    const targets = spread.targets ?? [];
    const left = 100 - targets.reduce((sum, { percent = 0 }) => sum + percent, 0);
    return {
      target: parseTarget(spread.attribute ?? ''),
      share: (spread.weight ?? 50) / total,
      desired: new Map(targets.map(({ value, percent = 0 }) => [value, (percent / 100) * count])),
      rest: targets.length > 0 && left > 0 ? (left / 100) * count : undefined,
    };
  });
}

/** How long the deployment of a group may go without progress, in milliseconds; 0: no deadline. */
export const progressDeadlineOf = (group: TaskGroup): number => durationOr(group.update?.progressDeadline, 10 * 60_000);
