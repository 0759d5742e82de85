import type { DesiredUpdates } from '../../openapi/index.ts';
import type { FieldDiff, JobDiff, TaskDiff, TaskGroupDiff } from './model.ts';

/** Writes into a diff what it means for allocations: counts at the groups, "forces create/destroy update" and the like at count and tasks. */
export function annotate(diff: JobDiff, desiredUpdates: Readonly<Record<string, DesiredUpdates>>): JobDiff {
  return {
    ...diff,
    taskGroups: diff.taskGroups.map((group) => ({
      ...group,
      updates: updatesOf(desiredUpdates[group.name]),
      fields: group.fields.map(annotateCount),
      tasks: group.tasks.map((task) => annotateTask(task, group)),
    })),
  };
}

const WORDS: readonly (readonly [keyof DesiredUpdates, string])[] = [
  ['ignore', 'ignore'],
  ['place', 'create'],
  ['migrate', 'migrate'],
  ['stop', 'destroy'],
  ['inPlaceUpdate', 'in-place update'],
  ['destructiveUpdate', 'create/destroy update'],
  ['canary', 'canary'],
];

function updatesOf(desired: DesiredUpdates | undefined): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [key, word] of WORDS) {
    const count = desired?.[key] ?? 0;
    if (count > 0) out[word] = count;
  }
  return out;
}

function annotateCount(field: FieldDiff): FieldDiff {
  if (field.name !== 'Count') return field;
  const change = Number(field.new || 0) - Number(field.old || 0);
  if (change === 0) return field;
  return { ...field, annotations: [change > 0 ? 'forces create' : 'forces destroy'] };
}

/** Changes of these leave a running task alone. */
const IN_PLACE_FIELDS = new Set(['KillTimeout']);
const IN_PLACE_OBJECTS = new Set(['Constraint', 'LogConfig', 'Service', 'RestartPolicy', 'ScalingPolicy', 'Action']);

function annotateTask(task: TaskDiff, group: TaskGroupDiff): TaskDiff {
  if (task.type === 'None') return task;
  if (group.type === 'Added' && task.type === 'Added') return { ...task, annotations: ['forces create'] };
  if (group.type === 'Deleted' && task.type === 'Deleted') return { ...task, annotations: ['forces destroy'] };
  const destructive =
    task.fields.some((f) => !IN_PLACE_FIELDS.has(f.name)) || task.objects.some((o) => !IN_PLACE_OBJECTS.has(o.name));
  return { ...task, annotations: [destructive ? 'forces create/destroy update' : 'forces in-place update'] };
}
