import { createHash } from 'node:crypto';
import { toTimestamp, type Instant } from '../../base/index.ts';
import type { DriverInfo, Node, NodeSpec, NodeStatus, Stored } from '../../openapi/index.ts';
import type { AgentConfig } from '../config.ts';
import type { NodeFacts } from '../task/env.ts';
import type { Fingerprint } from './fingerprint.ts';

/** The part of a Node's spec that its configuration decides. Eligibility and drain belong to people. */
export function configuredSpec(config: AgentConfig, hostname: string): Omit<NodeSpec, 'eligibility' | 'drain'> {
  return {
    name: config.nodeName ?? hostname,
    datacenter: config.datacenter,
    nodePool: config.nodePool,
    ...(config.nodeClass !== '' && { nodeClass: config.nodeClass }),
    meta: { ...config.meta },
  };
}

/** The merge patch that makes an existing Node follow the configuration; undefined when it does already. */
export function specPatch(
  existing: Stored<Node>,
  config: AgentConfig,
  hostname: string,
): { spec: Record<string, unknown> } | undefined {
  const wanted = configuredSpec(config, hostname);
  const patch: Record<string, unknown> = {};
  for (const key of ['name', 'datacenter', 'nodePool', 'nodeClass'] as const) {
    const has = existing.spec[key] ?? '';
    const want = wanted[key] ?? '';
    if (has !== want) patch[key] = want === '' ? null : want;
  }
  const meta: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(wanted.meta ?? {})) if (existing.spec.meta?.[key] !== value) meta[key] = value;
  for (const key of Object.keys(existing.spec.meta ?? {})) if (wanted.meta?.[key] === undefined) meta[key] = null;
  if (Object.keys(meta).length > 0) patch['meta'] = meta;
  return Object.keys(patch).length > 0 ? { spec: patch } : undefined;
}

export interface NodeObservation {
  readonly config: AgentConfig;
  readonly fingerprint: Fingerprint;
  readonly drivers: Readonly<Record<string, DriverInfo>>;
  /** host:port of the agent's own server. */
  readonly httpAddress: string;
}

/** The facts of a Node's status: all that its agent writes. */
export function nodeStatus({ config, fingerprint, drivers, httpAddress }: NodeObservation): NodeStatus {
  const attributes = { ...fingerprint.attributes, ...driverAttributes(drivers) };
  const hostVolumes = Object.fromEntries(
    Object.entries(config.hostVolumes).map(([name, v]) => [name, { path: v.path, readOnly: v.readOnly }]),
  );
  return {
    version: config.version,
    bootID: fingerprint.bootId,
    attributes,
    computedClass: computedClass(config, fingerprint, drivers),
    resources: fingerprint.resources,
    reserved: config.reserved,
    drivers: { ...drivers },
    hostVolumes,
    addresses: [
      { type: 'Hostname', address: fingerprint.hostname },
      { type: 'InternalIP', address: fingerprint.address },
      { type: 'HTTP', address: httpAddress },
    ],
  };
}

/**
 * The merge patch from the status on the server to `wanted`: what is gone is set to null, since a merge keeps what it is not
 * told about. Undefined when nothing differs.
 */
export function statusPatch(
  existing: NodeStatus | undefined,
  wanted: NodeStatus,
): { status: Record<string, unknown> } | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) {
    const old: unknown = existing?.[key as keyof NodeStatus];
    if (JSON.stringify(sorted(old)) === JSON.stringify(sorted(value))) continue;
    patch[key] = isRecord(value) && isRecord(old) ? recordPatch(old, value) : value;
  }
  return Object.keys(patch).length > 0 ? { status: patch } : undefined;
}

function recordPatch(old: Record<string, unknown>, wanted: Record<string, unknown>): Record<string, unknown> {
  const gone = Object.keys(old).filter((key) => !Object.hasOwn(wanted, key));
  const kept = Object.entries(wanted).map(([key, value]): [string, unknown] => {
    const before = old[key];
    return [key, isRecord(value) && isRecord(before) ? recordPatch(before, value) : value];
  });
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...Object.fromEntries(kept) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])); // prettier-ignore
}

/** A healthy driver is the attribute `driver.<name> = 1`, with its own facts beside it. */
function driverAttributes(drivers: Readonly<Record<string, DriverInfo>>): Record<string, string> {
  return Object.assign(
    {},
    ...Object.entries(drivers)
      .filter(([, info]) => info.detected && info.healthy)
      .map(([name, info]) => ({ ...info.attributes, [`driver.${name}`]: '1' })),
  ) as Record<string, string>;
}

/**
 * Nodes of one class answer every constraint alike, so the scheduler asks once per class. Everything that a constraint or a
 * feasibility check can see goes in, but what is `unique.` to a machine.
 */
export function computedClass(
  config: AgentConfig,
  fingerprint: Fingerprint,
  drivers: Readonly<Record<string, DriverInfo>>,
): string {
  const shared = (map: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(map).filter(([key]) => !key.startsWith('unique.')));
  const visible = {
    datacenter: config.datacenter,
    nodePool: config.nodePool,
    nodeClass: config.nodeClass,
    meta: shared(config.meta),
    attributes: { ...shared(fingerprint.attributes), ...shared(driverAttributes(drivers)) },
    drivers: Object.entries(drivers).map(([name, d]) => `${name}:${d.detected === true}:${d.healthy === true}`).sort(), // prettier-ignore
    hostVolumes: Object.entries(config.hostVolumes).map(([name, v]) => `${name}:${v.readOnly}`).sort(), // prettier-ignore
    hostNetworks: [...new Set(fingerprint.resources.networks?.map((n) => n.hostNetwork ?? ''))].sort(),
  };
  return `v1:${createHash('sha256').update(JSON.stringify(sorted(visible))).digest('base64url').slice(0, 22)}`; // prettier-ignore
}

/** The node as jobs may refer to it. */
export function nodeFacts(id: string, { config, fingerprint, drivers }: Omit<NodeObservation, 'httpAddress'>): NodeFacts {
  return {
    id,
    name: config.nodeName ?? fingerprint.hostname,
    datacenter: config.datacenter,
    nodeClass: config.nodeClass,
    nodePool: config.nodePool,
    meta: config.meta,
    attributes: { ...fingerprint.attributes, ...driverAttributes(drivers) },
    address: fingerprint.address,
  };
}

/** The time of a driver's verdict changes only when the verdict does. */
export function withUpdateTime(info: DriverInfo, before: DriverInfo | undefined, now: Instant): DriverInfo {
  const { updatedAt: _at, ...facts } = info;
  const { updatedAt: since, ...old } = before ?? {};
  const same = before !== undefined && JSON.stringify(sorted(facts)) === JSON.stringify(sorted(old));
  return { ...facts, updatedAt: same && since !== undefined ? since : toTimestamp(now) };
}
