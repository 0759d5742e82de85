import { derivedUuid, durationOr, type Duration } from '../../base/index.ts';
import type {
  Allocation,
  AllocatedPort,
  Check,
  CheckRestart,
  CheckStatus,
  Service,
  ServiceRegistration,
  ServiceRegistrationSpec,
  ServiceRegistrationStatus,
  Stored,
  Task,
  TaskGroup,
} from '../../openapi/index.ts';
import { roleOf, type Member } from '../allocation/coordinate.ts';
import { interpolate, interpolateAll, type Variables } from '../task/interpolate.ts';
import type { NodeFacts } from '../task/env.ts';

/** One service of one allocation, with everything resolved. */
export interface ServiceInstance {
  /** metadata.name of its ServiceRegistration; follows from the allocation, the task, the service and its port. */
  readonly name: string;
  readonly spec: ServiceRegistrationSpec;
  /** It is offered while all of these run. */
  readonly tasks: readonly string[];
  readonly checks: readonly CheckInstance[];
}

export interface CheckInstance {
  /** Stable over in-place updates that leave the check as it is. */
  readonly id: string;
  readonly check: Check & { readonly name: string };
  readonly service: string;
  readonly address?: string;
  readonly port?: number;
  /** Where a script check runs, and what `check_restart` restarts. */
  readonly task?: string;
  readonly restart?: { readonly limit: number; readonly grace: Duration; readonly ignoreWarnings: boolean };
}

export interface ServiceInput {
  readonly allocation: Stored<Allocation>;
  readonly group: TaskGroup;
  readonly node: NodeFacts;
  /** What names, tags and checks are interpolated with: by task name, and '' for the group. */
  readonly variables: (task: string | undefined) => Variables;
  /** Addresses of tasks in network namespaces of their own. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** The services of an allocation. Those that cannot be resolved (yet) are left out; serviceProblems says why. */
export function serviceInstances(input: ServiceInput): ServiceInstance[] {
  return allServices(input.group).flatMap(({ service, task }) => {
    const instance = resolve(service, task, input);
    return typeof instance === 'string' ? [] : [instance];
  });
}

/** What no later moment can mend: a port label that the group does not have. */
export function serviceProblems(group: TaskGroup, ports: readonly AllocatedPort[]): string[] {
  return allServices(group).flatMap(({ service, task }) => {
    const labels = [service.port, ...(service.checks ?? []).map((c) => c.port)];
    return labels
      .filter((label): label is string => label !== undefined && label !== '' && !/^\d+$/.test(label) && !label.includes('${'))
      .filter((label) => portOf(label, task?.name, ports) === undefined)
      .map((label) => `service "${service.name ?? ''}" refers to port "${label}", which the group does not have`);
  });
}

/** The object that stands for an instance, with its status. Gone with its allocation. */
export function registration(
  instance: ServiceInstance,
  allocation: Stored<Allocation>,
  status: ServiceRegistrationStatus,
): ServiceRegistration {
  const { name, uid, namespace } = allocation.metadata;
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'ServiceRegistration',
    metadata: {
      name: instance.name,
      ...(namespace !== undefined && { namespace }),
      ownerReferences: [{ apiVersion: 'orch.dev/v1', kind: 'Allocation', name, uid }],
    },
    spec: instance.spec,
    status,
  };
}

/** Whether an instance is to be found at all: its tasks have started and are not on their way out. */
export function isOffered(instance: ServiceInstance, members: readonly Member[]): boolean {
  const needed = members.filter((m) => instance.tasks.includes(m.task.name));
  return needed.every(({ record: { phase, status } }) => {
    if (status.startedAt === undefined || phase.at === 'dead') return false;
    return !(phase.at === 'stopping' && phase.next === 'dead');
  });
}

/** The worst of the checks; critical while one of its tasks does not run. */
export function serviceStatus(
  instance: ServiceInstance,
  members: readonly Member[],
  results: readonly CheckStatus[],
): ServiceRegistrationStatus {
  const runs = members.filter((m) => instance.tasks.includes(m.task.name)).every((m) => m.record.phase.at === 'running');
  const phases = results.map((r) => r.phase);
  const phase =
    !runs || phases.some((p) => p === 'critical' || p === 'pending')
      ? 'critical'
      : phases.includes('warning')
        ? 'warning'
        : 'passing';
  return { phase, ...(results.length > 0 && { checks: [...results] }) };
}

/** The services of a group and of its tasks. */
export function allServices(group: TaskGroup): { service: Service; task?: Task }[] {
  return [
    ...(group.services ?? []).map((service) => ({ service })),
    ...(group.tasks ?? []).flatMap((task) => (task.services ?? []).map((service) => ({ service, task }))),
  ];
}

function resolve(raw: Service, owner: Task | undefined, input: ServiceInput): ServiceInstance | string {
  const { allocation, group, node } = input;
  const variables = input.variables(owner?.name);
  const { checks = [], ...rest } = raw;
  const service = interpolateAll(rest, variables);
  const base = [allocation.spec.jobName, group.name, ...(owner === undefined ? [] : [owner.name])].join('-');
  const name = interpolate(service.name ?? '${BASE}', {
    env: { BASE: base, JOB: allocation.spec.jobName, TASKGROUP: group.name, GROUP: group.name, TASK: owner?.name ?? '' },
    node: {},
  });
  const task = owner?.name ?? (service.task !== undefined && service.task !== '' ? service.task : undefined);
  const at = resolveAddress(service.port, service.addressMode, task, input);
  if (typeof at === 'string') return at;
  const tags = allocation.spec.canary && service.canaryTags !== undefined ? service.canaryTags : service.tags;
  const meta = allocation.spec.canary && service.canaryMeta !== undefined ? service.canaryMeta : service.meta;
  const spec: ServiceRegistrationSpec = {
    serviceName: name,
    nodeName: node.id,
    datacenter: node.datacenter,
    jobName: allocation.spec.jobName,
    allocation: allocation.metadata.name,
    ...(task !== undefined && { task }),
    address: service.address !== undefined && service.address !== '' ? service.address : at.address,
    port: at.port,
    tags: tags ?? [],
    ...(meta !== undefined && { meta }),
  };
  const instanceName = derivedUuid(allocation.metadata.name, owner?.name ?? '', name, service.port ?? '');
  return {
    name: instanceName,
    spec,
    tasks: task !== undefined ? [task] : mainTasks(group),
    checks: checks.flatMap((check, i) => {
      const instance = resolveCheck(interpolateAll(check, variables), i, service, name, instanceName, task, input);
      return instance === undefined ? [] : [instance];
    }),
  };
}

function resolveCheck(
  check: Check,
  index: number,
  service: Service,
  serviceName: string,
  instanceName: string,
  owner: string | undefined,
  input: ServiceInput,
): CheckInstance | undefined {
  const task = check.task !== undefined && check.task !== '' ? check.task : (owner ?? soleMain(input.group));
  const named = {
    ...check,
    name: check.name !== undefined && check.name !== '' ? check.name : `service: "${serviceName}" check`,
  };
  const restart = restartRule(check.checkRestart ?? service.checkRestart);
  const common = {
    id: derivedUuid(instanceName, index, JSON.stringify(named)),
    check: named,
    service: serviceName,
    ...(task !== undefined && { task }),
    ...(restart !== undefined && { restart }),
  };
  if (check.type === 'script') return common;
  const at = resolveAddress(check.port ?? service.port, check.addressMode ?? service.addressMode, task, input);
  return typeof at === 'string' ? undefined : { ...common, ...at };
}

function restartRule(rule: CheckRestart | undefined): CheckInstance['restart'] | undefined {
  if (rule?.limit === undefined || rule.limit <= 0) return undefined;
  return { limit: rule.limit, grace: durationOr(rule.grace, 1000), ignoreWarnings: rule.ignoreWarnings ?? false };
}

/** host: the port on the node. alloc, driver: the port inside, at the address of the namespace. auto is host. */
function resolveAddress(
  port: string | undefined,
  mode: string | undefined,
  task: string | undefined,
  { allocation, node, addresses }: ServiceInput,
): { address: string; port: number } | string {
  const ports = allocation.spec.resources?.ports ?? [];
  const found = portOf(port, task, ports);
  const literal = port !== undefined && /^\d+$/.test(port) ? Number(port) : undefined;
  if (port !== undefined && port !== '' && found === undefined && literal === undefined) return `no port "${port}"`;
  if (mode === 'driver' || mode === 'alloc') {
    const own = task === undefined ? undefined : addresses[task];
    const inside = own ?? (mode === 'alloc' ? Object.values(addresses)[0] : undefined);
    if (inside !== undefined) return { address: inside, port: literal ?? insidePort(found) };
    if (mode === 'driver') return 'the task has no address of its own';
  }
  const hostIP = found?.hostIP;
  const address = hostIP !== undefined && hostIP !== '' && hostIP !== '0.0.0.0' && hostIP !== '::' ? hostIP : node.address;
  return { address, port: found?.value ?? literal ?? 0 };
}

/** The task's own port of that label, else the group's, else (old job files let services of a group use them) any task's. */
function portOf(label: string | undefined, task: string | undefined, ports: readonly AllocatedPort[]): AllocatedPort | undefined {
  const labelled = ports.filter((p) => p.label === label);
  return labelled.find((p) => task !== undefined && p.task === task) ?? labelled.find((p) => !p.task) ?? labelled[0];
}

const insidePort = (port: AllocatedPort | undefined): number =>
  port === undefined ? 0 : port.to !== undefined && port.to > 0 ? port.to : port.value;

const mainTasks = (group: TaskGroup): string[] => (group.tasks ?? []).filter((t) => roleOf(t) === 'main').map((t) => t.name);

function soleMain(group: TaskGroup): string | undefined {
  const main = mainTasks(group);
  return main.length === 1 ? main[0] : undefined;
}
