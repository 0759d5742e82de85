import type { Allocation, AllocatedPort, JobSpec, Stored, Task, TaskGroup, TaskResources } from '../../openapi/index.ts';
import { interpolate, type Variables } from './interpolate.ts';

/** What the environment of a task is made from. */
export interface EnvInput {
  readonly allocation: Stored<Allocation>;
  readonly job: JobSpec;
  readonly group: TaskGroup;
  /** Absent: the environment of the group, for its services. */
  readonly task?: Task;
  readonly node: NodeFacts;
  /** As the task sees them. */
  readonly dirs: { readonly alloc: string; readonly local: string; readonly secrets: string };
}

/** The node as jobs may refer to it. */
export interface NodeFacts {
  readonly id: string;
  readonly name: string;
  readonly datacenter: string;
  readonly nodeClass: string;
  readonly nodePool: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string>>;
  /** The address that services are advertised with when a port has none. */
  readonly address: string;
}

/** `${node.…}`, `${attr.…}`, `${meta.…}`. */
export function nodeVariables(node: NodeFacts): Record<string, string> {
  return {
    'node.unique.id': node.id,
    'node.unique.name': node.name,
    'node.datacenter': node.datacenter,
    'node.class': node.nodeClass,
    'node.pool': node.nodePool,
    'node.region': 'global',
    ...prefixed('attr.', node.attributes),
    ...prefixed('meta.', node.meta),
  };
}

/**
 * The environment of a task: what every task gets, its ports and its siblings', its meta, and on top the job's own `env`,
 * interpolated. `variables` is what config, services and checks are interpolated with; it also knows names that a shell
 * cannot hold (`NOMAD_PORT_my-port`).
 */
export function taskEnvironment(input: EnvInput): { env: Record<string, string>; variables: Variables } {
  const { task, node } = input;
  const known = { ...identity(input), ...limits(input), ...portVariables(input), ...metaVariables(input) };
  const facts = nodeVariables(node);
  const own = Object.fromEntries(
    Object.entries(task?.env ?? {}).map(([key, value]) => [
      interpolate(key, { env: known, node: facts }),
      interpolate(value, { env: known, node: facts }),
    ]),
  );
  const raw = { ...known, ...own };
  const env = Object.fromEntries(Object.entries(raw).map(([key, value]) => [cleanName(key), value]));
  return { env, variables: { env: { ...raw, ...env }, node: facts } };
}

/** A name that a shell can hold. */
export const cleanName = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, '_');

function identity({ allocation, job, group, task, node, dirs }: EnvInput): Record<string, string> {
  const { spec, metadata } = allocation;
  return {
    NOMAD_ALLOC_DIR: dirs.alloc,
    ...(task !== undefined && { NOMAD_TASK_DIR: dirs.local, NOMAD_SECRETS_DIR: dirs.secrets, NOMAD_TASK_NAME: task.name }),
    NOMAD_ALLOC_ID: metadata.name,
    NOMAD_SHORT_ALLOC_ID: metadata.name.slice(0, 8),
    NOMAD_ALLOC_NAME: spec.name,
    NOMAD_ALLOC_INDEX: String(spec.index),
    NOMAD_GROUP_NAME: group.name,
    NOMAD_JOB_ID: job.id ?? spec.jobName,
    NOMAD_JOB_NAME: job.name ?? job.id ?? spec.jobName,
    ...(job.parentID !== undefined && { NOMAD_JOB_PARENT_ID: job.parentID }),
    NOMAD_DC: node.datacenter,
    NOMAD_REGION: job.region ?? 'global',
    NOMAD_NAMESPACE: metadata.namespace ?? 'default',
  };
}

function limits({ allocation, task }: EnvInput): Record<string, string> {
  if (task === undefined) return {};
  const { cpu, cores, memory, memoryMax } = resourcesOf(allocation, task);
  return {
    ...(cpu !== undefined && { NOMAD_CPU_LIMIT: String(cpu) }),
    ...(cores !== undefined && cores.length > 0 && { NOMAD_CPU_CORES: cores.join(',') }),
    ...(memory !== undefined && { NOMAD_MEMORY_LIMIT: String(memory) }),
    ...(memoryMax !== undefined && memoryMax > 0 && { NOMAD_MEMORY_MAX_LIMIT: String(memoryMax) }),
  };
}

/** What the scheduler gave the task; what the job asks for when it says nothing. */
export function resourcesOf(allocation: Pick<Allocation, 'spec'>, task: Task): TaskResources {
  const given = allocation.spec.resources?.tasks?.find((t) => t.name === task.name);
  if (given !== undefined) return given;
  const { cpu, memory, memoryMax } = task.resources ?? {};
  return { name: task.name, cpu: cpu ?? 100, memory: memory ?? 300, ...(memoryMax !== undefined && { memoryMax }) };
}

function portVariables({ allocation, task }: EnvInput): Record<string, string> {
  const result: Record<string, string> = {};
  for (const port of allocation.spec.resources?.ports ?? []) {
    if (port.task === undefined || port.task === '') Object.assign(result, portNames(port, port.label));
    else {
      Object.assign(result, siblingNames(port, port.task));
      if (port.task === task?.name) Object.assign(result, portNames(port, port.label));
    }
  }
  return result;
}

function portNames(port: AllocatedPort, label: string): Record<string, string> {
  const ip = port.hostIP ?? '';
  const inside = port.to !== undefined && port.to > 0 ? port.to : port.value;
  return {
    [`NOMAD_IP_${label}`]: ip,
    [`NOMAD_PORT_${label}`]: String(inside),
    [`NOMAD_ADDR_${label}`]: hostPort(ip, port.value),
    [`NOMAD_HOST_IP_${label}`]: ip,
    [`NOMAD_HOST_PORT_${label}`]: String(port.value),
    [`NOMAD_HOST_ADDR_${label}`]: hostPort(ip, port.value),
    [`NOMAD_ALLOC_PORT_${label}`]: String(inside),
  };
}

function siblingNames(port: AllocatedPort, task: string): Record<string, string> {
  const name = `${task}_${port.label}`;
  const ip = port.hostIP ?? '';
  return {
    [`NOMAD_IP_${name}`]: ip,
    [`NOMAD_PORT_${name}`]: String(port.value),
    [`NOMAD_ADDR_${name}`]: hostPort(ip, port.value),
  };
}

/** `host:port`, with brackets around an IPv6 address. */
export const hostPort = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** NOMAD_META_<key> as written and in capitals; the task's meta over the group's over the job's. */
function metaVariables({ job, group, task }: EnvInput): Record<string, string> {
  const meta = { ...job.meta, ...group.meta, ...task?.meta };
  return Object.fromEntries(
    Object.entries(meta).flatMap(([key, value]) => [
      [`NOMAD_META_${key.toUpperCase()}`, value],
      [`NOMAD_META_${key}`, value],
    ]),
  );
}

function prefixed(prefix: string, map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [prefix + key, value]));
}
