import { mkdir, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';
import { DriverError, type TaskStart } from '../driver.ts';
import type { DockerConfig, DockerPolicy } from './config.ts';

/** A folder of the machine in the container. */
export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
}

/**
 * What is mounted from the machine. Relative sources are folders of the task; they are resolved first and must then lie in the
 * task's folder or the allocation's shared one, whatever links lead where. Anything else is for the operator to permit.
 */
export async function resolveBinds(task: TaskStart, config: DockerConfig, policy: DockerPolicy): Promise<Bind[]> {
  const label = policy.selinuxLabel === undefined ? [] : [policy.selinuxLabel];
  const binds: Bind[] = [
    { source: task.dirs.alloc, target: '/alloc', options: label },
    { source: task.dirs.local, target: '/local', options: label },
    { source: task.dirs.secrets, target: '/secrets', options: label },
  ];
  for (const volume of config.volumes) {
    const [source = '', target = '', ...modes] = volume.split(':');
    if (source === '' || !target.startsWith('/') || modes.length > 1) throw refuse(`volumes: "${volume}" is not "source:/target" or "source:/target:mode"`); // prettier-ignore
    const options = (modes[0] ?? '').split(',').filter((word) => word !== '');
    const named = config.volumeDriver !== undefined && !isAbsolute(source);
    binds.push({
      source: named ? source : await resolveSource(source, task, policy, 'volumes'),
      target,
      options: [...options, ...label],
    });
  }
  for (const mount of config.mounts) {
    if (mount.type !== 'bind') continue;
    const options = [...(mount.readOnly ? ['ro'] : []), ...(mount.propagation === undefined ? [] : [mount.propagation])];
    binds.push({
      source: await resolveSource(mount.source, task, policy, 'mount'),
      target: mount.target,
      options: [...options, ...label],
    });
  }
  // Volumes of the node: what and where was decided by the agent.
  for (const mount of task.mounts)
    binds.push({ source: mount.source, target: mount.destination, options: mount.readOnly ? ['ro'] : [] });
  return binds;
}

async function resolveSource(source: string, task: TaskStart, policy: DockerPolicy, field: string): Promise<string> {
  if (isAbsolute(source)) {
    const inside = isWithin(normalize(source), [task.dirs.task, task.dirs.alloc]);
    if (!policy.volumesEnabled && !inside) {
      throw refuse(`${field}: volumes are not enabled on this node; cannot mount host path "${source}"`);
    }
    if (!inside) return normalize(source);
  }
  const wanted = resolve(task.dirs.task, source);
  const roots = await Promise.all([task.dirs.task, task.dirs.alloc].map((dir) => realpath(dir)));
  const { real, missing } = await resolveDeepest(wanted);
  const target = join(real, missing);
  if (!isWithin(target, roots)) throw refuse(`${field}: "${source}" leads out of the task's folders`);
  await mkdir(target, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // a file
  });
  return target;
}

/** The real path of the part that exists, and the rest. */
async function resolveDeepest(path: string): Promise<{ real: string; missing: string }> {
  let existing = path;
  let missing = '';
  for (;;) {
    try {
      return { real: await realpath(existing), missing };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(existing) === existing) throw error;
      missing = join(basename(existing), missing);
      existing = dirname(existing);
    }
  }
}

const isWithin = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => path === root || path.startsWith(root + sep));

const refuse = (message: string): DriverError => new DriverError(message, { recoverable: false });
