import { isDeepStrictEqual } from 'node:util';
import { formatDuration, parseDuration } from '../../../base/index.ts';
import type { JobSpec, Network, ScalingPolicy, TaskGroup, VolumeRequest } from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';
import { validatePlacement } from './validate-placement.ts';
import { validateDisconnect, validateMigrate, validateReschedule, validateRestart, validateUpdate } from './validate-policies.ts';
import { portLabels, validateServices } from './validate-service.ts';
import { lifecycleHooks, validateTask } from './validate-task.ts';

/** More of one group is a slip of the finger: the scheduler would name every one that has no place, again and again. */
const MAX_COUNT = 100_000;

export function validateGroup(group: TaskGroup, job: JobSpec, findings: Findings): void {
  const count = group.count ?? 1;
  if (group.name === '') findings.required('name', 'Missing task group name');
  else if (group.name.includes('\0')) findings.invalid('name', 'Task group name contains null character');
  if (count < 0) findings.invalid('count', "Task group count can't be negative");
  if (count > MAX_COUNT) findings.invalid('count', `Task group count can't be more than ${MAX_COUNT}; got ${count}`);
  if ((group.tasks ?? []).length === 0) findings.required('tasks', 'Missing tasks for task group');
  validatePlacement(group, job.type, 'group', findings);
  validateRestart(group.restart, findings.at('restart'));
  validateReschedule(group.reschedule, job.type, findings.at('reschedule'));
  const disk = group.ephemeralDisk?.size ?? 300;
  if (disk < 10) findings.at('ephemeralDisk').invalid('size', `minimum DiskMB value is 10; got ${disk}`);
  // What was inherited as a whole is named once, where it was written.
  if (!isDeepStrictEqual(group.update, job.update)) validateUpdate(group.update, job.type, findings.at('update'));
  if (!isDeepStrictEqual(group.migrate, job.migrate)) validateMigrate(group.migrate, job.type, findings.at('migrate'));
  validateDisconnect(group.disconnect, findings.at('disconnect'));
  validateDelays(group, job.type, findings);
  const leaders = (group.tasks ?? []).flatMap(({ leader }, i) => (leader === true ? [i] : []));
  if (leaders.length > 1) findings.at('tasks', leaders[1]!).invalid('leader', 'Only one task may be marked as leader');
  group.volumes?.forEach((volume, i) => validateVolume(volume, group, i, findings.at('volumes', i)));
  validateNetworks(group, findings);
  validateServices({ services: group.services, ports: groupPorts(group), group }, findings);
  validateScaling(group.scaling, count, findings.at('scaling'));
  validateTasks(group, job, findings);
}

function validateTasks(group: TaskGroup, job: JobSpec, findings: Findings): void {
  const tasks = group.tasks ?? [];
  const first = new Map<string, number>();
  tasks.forEach((task, i) => {
    const at = findings.at('tasks', i);
    const before = first.get(task.name);
    if (task.name === '') at.required('name', `Task ${i + 1} missing name`);
    if (before !== undefined) at.duplicate('name', `Task ${i + 1} redefines '${task.name}' from task ${before + 1}`);
    else first.set(task.name, i);
    validateTask(task, group, job, at);
  });
  if (tasks.length > 0 && tasks.every((task) => lifecycleHooks.includes(task.lifecycle?.hook ?? ''))) {
    findings.invalid('tasks', 'Every task has a lifecycle block: at least one main task, without it, is needed');
  }
}

function validateDelays(group: TaskGroup, type: string | undefined, findings: Findings): void {
  for (const field of ['maxClientDisconnect', 'maxRunDuration'] as const) {
    const value = parseDuration(group[field]);
    if (value !== undefined && value < 0)
      findings.invalid(field, `${field} must be a positive value, not ${formatDuration(value)}`);
  }
  if ((parseDuration(group.maxRunDuration) ?? 0) > 0 && type !== 'batch' && type !== 'sysbatch')
    findings.invalid('maxRunDuration', 'maxRunDuration can only be used with "batch" or "sysbatch" jobs');
  if (
    group.disconnect !== undefined &&
    (group.stopAfterClientDisconnect !== undefined || group.maxClientDisconnect !== undefined)
  ) {
    findings.invalid(
      'disconnect',
      'disconnect replaces stopAfterClientDisconnect and maxClientDisconnect: give one or the other',
    );
  }
}

export function validateScaling(scaling: ScalingPolicy | undefined, count: number | undefined, findings: Findings): void {
  if (scaling === undefined) return;
  const { min, max } = scaling;
  if (max === undefined || max < 0)
    findings.required('max', 'Scaling policy invalid: maximum count must be specified and non-negative');
  else if (min !== undefined && max < min)
    findings.invalid('max', 'Scaling policy invalid: maximum count must not be less than minimum count');
  if (min !== undefined && min < 0)
    findings.invalid('min', 'Scaling policy invalid: minimum count must be specified and non-negative');
  if (count === undefined) return;
  if (max !== undefined && count > max)
    findings.invalid('max', 'Scaling policy invalid: task group count must not be greater than maximum count in scaling policy');
  if (min !== undefined && count < min)
    findings.invalid('min', 'Scaling policy invalid: task group count must not be less than minimum count in scaling policy');
}

const groupPorts = (group: TaskGroup): Set<string> =>
  portLabels([...(group.networks ?? []), ...(group.tasks ?? []).flatMap((task) => task.resources?.networks ?? [])]);

/** Ports of the group and, in the older form, of its tasks: labels and static ports are one space for the allocation. */
function validateNetworks(group: TaskGroup, findings: Findings): void {
  if ((group.networks?.length ?? 0) > 1) findings.invalid('networks', 'Only one network block is allowed per group');
  const statics = new Map<string, string>();
  const labels = new Map<string, string>();
  const validate = (network: Network, owner: string, at: Findings): void => {
    network.ports?.forEach((port, i) => {
      const here = at.at('ports', i);
      const other = labels.get(port.label);
      if (port.label === '') here.required('label', 'Missing port label');
      else if (other !== undefined) here.duplicate('label', `Port label ${port.label} already in use by ${other}`);
      else labels.set(port.label, owner);
      if (port.static !== undefined && port.static !== 0) {
        if (port.static > 65535) here.invalid('static', `Port ${port.label} (${port.static}) cannot be greater than 65535`);
        if (port.static < 0) here.invalid('static', `Port ${port.label} (${port.static}) cannot be negative`);
        const key = `${port.hostNetwork ?? 'default'}:${port.static}`;
        const reserved = statics.get(key);
        if (reserved !== undefined && port.ignoreCollision !== true) {
          here.duplicate('static', `Static port ${port.static} already reserved by ${reserved}`);
        }
        statics.set(key, `${owner}:${port.label}`);
      }
      if (port.to !== undefined && port.to < -1)
        here.invalid('to', `Port "${port.label}" cannot be mapped to negative value ${port.to}`);
      else if (port.to !== undefined && port.to > 65535)
        here.invalid('to', `Port "${port.label}" cannot be mapped to a port (${port.to}) greater than 65535`);
    });
  };
  group.networks?.forEach((network, i) => validate(network, 'taskgroup network', findings.at('networks', i)));
  group.tasks?.forEach((task, t) => {
    const networks = task.resources?.networks ?? [];
    if (networks.length > 0 && (group.networks?.length ?? 0) > 0) {
      findings.at('tasks', t).invalid('resources.networks', 'Use either the network of the group or that of its tasks, not both');
    }
    networks.forEach((network, i) =>
      validate(network, `task "${task.name}"`, findings.at('tasks', t, 'resources', 'networks', i)),
    );
  });
}

function validateVolume(volume: VolumeRequest, group: TaskGroup, index: number, findings: Findings): void {
  if ((group.volumes ?? []).findIndex(({ name }) => name === volume.name) < index) {
    findings.duplicate('name', `Volume "${volume.name}" is given twice`);
  }
  if (volume.type !== 'host' && volume.type !== 'csi')
    findings.invalid('type', `volume has unrecognized type ${volume.type ?? ''}`);
  if (!volume.source) findings.required('source', 'volume has an empty source');
  if (volume.type !== 'host') return;
  if (volume.attachmentMode) findings.invalid('attachmentMode', 'host volumes cannot have an attachment mode');
  if (volume.accessMode) findings.invalid('accessMode', 'host volumes cannot have an access mode');
  if (volume.mountOptions !== undefined) findings.invalid('mountOptions', 'host volumes cannot have mount options');
  if (volume.perAlloc === true) findings.invalid('perAlloc', 'host volumes do not support per_alloc');
}
