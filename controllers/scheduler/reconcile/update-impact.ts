import equal from 'fast-deep-equal';
import type { JobSpec, Service, Task, TaskGroup } from '../../../openapi/index.ts';

export type UpdateImpact =
  | { readonly type: 'in-place' }
  /** The first thing found that needs a restart, as in `tasks.web.env`. */
  | { readonly type: 'destructive'; readonly because: string };

/** Fields of a task that its running process need not notice. */
const TASK_IN_PLACE: readonly (keyof Task)[] = [
  'name',
  'constraints',
  'affinities',
  'services',
  'restart',
  'meta',
  'killTimeout',
  'killSignal',
  'shutdownDelay',
  'leader',
  'logs',
  'scalings',
  'actions',
];

/** Fields of a group that its running tasks need not notice; affinities, spreads and meta are compared with the job's. */
const GROUP_IN_PLACE: readonly (keyof TaskGroup)[] = [
  'name',
  'count',
  'constraints',
  'affinities',
  'spreads',
  'tasks',
  'restart',
  'reschedule',
  'disconnect',
  'update',
  'migrate',
  'meta',
  'services',
  'shutdownDelay',
  'maxRunDuration',
  'stopAfterClientDisconnect',
  'maxClientDisconnect',
  'preventRescheduleOnLost',
  'scaling',
];

/**
 * Whether an allocation of `before` can go on under `after`. What is not known to be harmless needs a restart. Constraints and
 * the like are left out here: whether the node still meets them is a question about the node.
 */
export function updateImpact(before: JobSpec, after: JobSpec, group: string): UpdateImpact {
  const old = before.groups?.find(({ name }) => name === group);
  const next = after.groups?.find(({ name }) => name === group);
  if (old === undefined || next === undefined) return destructive(`groups.${group}`);
  const changed = firstDifference(groupEssence(before, old), groupEssence(after, next));
  return changed === undefined ? { type: 'in-place' } : destructive(changed);
}

const destructive = (because: string): UpdateImpact => ({ type: 'destructive', because });

type Essence = Readonly<Record<string, unknown>>;

function groupEssence(job: JobSpec, group: TaskGroup): Essence {
  const tasks = group.tasks ?? [];
  const essence: Record<string, unknown> = {
    ...without(group, GROUP_IN_PLACE),
    affinities: [job.affinities ?? [], group.affinities ?? [], tasks.flatMap((task) => task.affinities ?? [])].flat(),
    spreads: [...(job.spreads ?? []), ...(group.spreads ?? [])],
    connect: connectOf(group.services),
    'task list': tasks.map(({ name }) => name).sort(),
  };
  for (const task of tasks)
    for (const [field, value] of Object.entries(taskEssence(job, group, task))) essence[`tasks.${task.name}.${field}`] = value;
  return essence;
}

function taskEssence(job: JobSpec, group: TaskGroup, task: Task): Essence {
  return {
    ...without(task, TASK_IN_PLACE),
    meta: { ...job.meta, ...group.meta, ...task.meta },
    logs: task.logs === undefined ? undefined : without(task.logs, ['maxFiles', 'maxFileSize']),
    connect: connectOf(task.services),
  };
}

/** Sidecars are tasks of their own, so what configures them is not harmless. */
const connectOf = (services: readonly Service[] | undefined): unknown =>
  services?.filter((service) => service.connect !== undefined).map(({ name, connect }) => ({ name, connect }));

function firstDifference(a: Essence, b: Essence): string | undefined {
  if (!equal(a['task list'], b['task list'])) return 'tasks';
  for (const field of new Set([...Object.keys(a), ...Object.keys(b)]))
    if (!equal(orNothing(a[field]), orNothing(b[field]))) return field;
  return undefined;
}

/** An empty list or block says as little as none. */
function orNothing(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value ?? undefined;
  return Object.keys(value).length === 0 ? undefined : value;
}

function without<T extends object>(object: T, keys: readonly (keyof T)[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key as keyof T)));
}
