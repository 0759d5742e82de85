import { parseTimestamp } from '../../base/index.ts';
import type { Node, Stored } from '../../openapi/index.ts';
import { nodeAddress, nodeName, nodePhase } from '../views/lists.ts';
import { mapOrNull, nanoseconds, time } from './values.ts';

/** A node as Nomad's API has it. */
export function nomadNode(node: Stored<Node>): Record<string, unknown> {
  const { metadata, spec, status = {} } = node;
  const { resources = {}, reserved = {} } = status;
  return {
    ID: metadata.name,
    Attributes: status.attributes ?? {},
    CSIControllerPlugins: null,
    CSINodePlugins: null,
    Datacenter: spec.datacenter ?? 'dc1',
    Drain: spec.drain !== undefined,
    DrainStrategy: drainStrategy(node),
    Drivers: Object.fromEntries(Object.entries(status.drivers ?? {}).map(([name, driver]) => [name, nomadDriver(driver)])),
    Events: (status.events ?? []).map(({ time, subsystem, message }) => ({
      Timestamp: time,
      Subsystem: subsystem ?? '',
      Message: message ?? '',
      Details: null,
      CreateIndex: 0,
    })),
    HTTPAddr: nodeAddress(node),
    HostVolumes: mapOrNull(
      Object.fromEntries(
        Object.entries(status.hostVolumes ?? {}).map(([name, { path = '', readOnly = false }]) => [name, { Path: path, ReadOnly: readOnly }]), // prettier-ignore
      ),
    ),
    LastDrain: null,
    Links: null,
    Meta: mapOrNull(spec.meta) ?? {},
    Name: nodeName(node),
    NodeClass: spec.nodeClass ?? '',
    NodeResources: {
      Cpu: {
        CpuShares: resources.cpuMHz ?? 0,
        TotalCpuCores: resources.cores ?? 0,
        ReservableCpuCores: Array.from({ length: resources.cores ?? 0 }, (_, core) => core),
      },
      Memory: { MemoryMB: resources.memoryMB ?? 0 },
      Disk: { DiskMB: resources.diskMB ?? 0 },
      Networks: networks(node),
      Devices: null,
    },
    Reserved: amounts(reserved.cpuMHz, reserved.memoryMB, reserved.diskMB, null),
    ReservedResources: {
      Cpu: { CpuShares: reserved.cpuMHz ?? 0 },
      Memory: { MemoryMB: reserved.memoryMB ?? 0 },
      Disk: { DiskMB: reserved.diskMB ?? 0 },
      Networks: { ReservedHostPorts: reserved.ports ?? '' },
    },
    Resources: amounts(resources.cpuMHz, resources.memoryMB, resources.diskMB, networks(node)),
    SchedulingEligibility: spec.eligibility ?? 'eligible',
    Status: nodePhase(node),
    StatusDescription: status.description ?? '',
    StatusUpdatedAt: Math.floor((parseTimestamp(status.phaseChangedAt) ?? 0) / 1000),
    TLSEnabled: false,
    CreateIndex: Number(metadata.resourceVersion),
    ModifyIndex: Number(metadata.resourceVersion),
  };
}

/** A node as lists of Nomad's API have it. */
export function nodeStub(node: Stored<Node>): Record<string, unknown> {
  const whole = nomadNode(node);
  return {
    Address: nodeAddress(node),
    ID: whole.ID,
    Datacenter: whole.Datacenter,
    Name: whole.Name,
    NodeClass: whole.NodeClass,
    Version: node.status?.version ?? '',
    Drain: whole.Drain,
    SchedulingEligibility: whole.SchedulingEligibility,
    Status: whole.Status,
    StatusDescription: whole.StatusDescription,
    Drivers: whole.Drivers,
    LastDrain: null,
    CreateIndex: whole.CreateIndex,
    ModifyIndex: whole.ModifyIndex,
  };
}

type Driver = NonNullable<NonNullable<Node['status']>['drivers']>[string];

const nomadDriver = ({ attributes, detected, healthy, description, updatedAt }: Driver): Record<string, unknown> => ({
  Attributes: mapOrNull(attributes),
  Detected: detected === true,
  Healthy: healthy === true,
  HealthDescription: description || (healthy === true ? 'Healthy' : ''),
  UpdateTime: time(updatedAt),
});

function drainStrategy({ spec, status }: Stored<Node>): Record<string, unknown> | null {
  const { drain } = spec;
  if (drain === undefined) return null;
  const started = drain.startedAt ?? status?.drain?.startedAt;
  const deadline = nanoseconds(drain.deadline);
  const at = parseTimestamp(started);
  return {
    Deadline: deadline,
    IgnoreSystemJobs: drain.ignoreSystemJobs === true,
    ForceDeadline: deadline <= 0 || at === undefined ? '0001-01-01T00:00:00Z' : new Date(at + deadline / 1e6).toISOString(),
    StartedAt: time(started),
  };
}

const amounts = (cpu = 0, memory = 0, disk = 0, networks: unknown): Record<string, unknown> => ({
  CPU: cpu,
  Cores: 0,
  MemoryMB: memory,
  MemoryMaxMB: 0,
  DiskMB: disk,
  Networks: networks,
  Devices: null,
  IOPS: 0,
});

/** Of every address of a device there is one. */
function networks({ status }: Stored<Node>): unknown[] | null {
  const all = status?.resources?.networks ?? [];
  if (all.length === 0) return null;
  return all.map(({ device = '', ip = '', speedMbits = 0 }) => ({
    Mode: 'host',
    Device: device,
    CIDR: `${ip}/${ip.includes(':') ? 128 : 32}`,
    IP: ip,
    DNS: null,
    MBits: speedMbits,
    ReservedPorts: null,
    DynamicPorts: null,
  }));
}
