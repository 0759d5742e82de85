import type { Task, TaskGroup } from '../../openapi/index.ts';
import { isSafeName } from './dirs.ts';

/**
 * What a job asks for and this agent cannot give, one sentence each. A task that would need it is not started: running it
 * without would be a silent misunderstanding.
 */
export function unsupported(group: TaskGroup, task: Task, driver: string): string[] {
  const services = [...(group.services ?? []), ...(task.services ?? [])];
  const problems: [boolean, string][] = [
    [!isSafeName(task.name), `"${task.name}" cannot be the name of a task`],
    [task.vault !== undefined, 'vault is not supported'],
    [some(task.secrets), 'secret blocks are not supported yet'],
    [task.csiPlugin !== undefined, 'csi_plugin is not supported'],
    [task.schedule !== undefined, 'schedule is not supported yet'],
    [some(task.resources?.devices), 'devices are not supported yet'],
    [(task.identities ?? []).some((i) => i.file || i.env), 'identity blocks with file or env are not supported yet'],
    [services.some((s) => s.connect !== undefined), 'connect is not supported'],
    [services.some((s) => (s.checks ?? []).some((c) => c.expose)), 'check.expose needs connect, which is not supported'],
    [(group.volumes ?? []).some((v) => v.type !== 'host' && v.type !== undefined), 'only volumes of type host are supported'],
    [!ownsFiles(driver) && some(task.volumeMounts), `volume_mount is not supported by driver ${driver}`],
    [
      driver !== 'docker' &&
        (group.networks ?? []).some(({ mode = '' }) => !['', 'host', ...(ownsFiles(driver) ? ['none'] : [])].includes(mode)),
      `network mode "${group.networks?.[0]?.mode ?? ''}" is not supported by driver ${driver}`,
    ],
    [(group.networks ?? []).some((n) => n.mode?.startsWith('cni/') === true), 'CNI networks are not supported'],
  ];
  return problems.flatMap(([applies, text]) => (applies ? [text] : []));
}

/** Drivers whose tasks have a file system of their own, in which things can be mounted. */
const ownsFiles = (driver: string): boolean => ['docker', 'exec', 'java', 'qemu'].includes(driver);

const some = (list: readonly unknown[] | undefined): boolean => list !== undefined && list.length > 0;
