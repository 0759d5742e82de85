/** What became of a part. `None`: it stands there for context only. */
export type DiffType = 'None' | 'Added' | 'Deleted' | 'Edited';

export interface FieldDiff {
  readonly type: DiffType;
  readonly name: string;
  readonly old: string;
  readonly new: string;
  readonly annotations: readonly string[];
}

export interface ObjectDiff {
  readonly type: DiffType;
  readonly name: string;
  readonly fields: readonly FieldDiff[];
  readonly objects: readonly ObjectDiff[];
}

export interface TaskDiff extends ObjectDiff {
  readonly annotations: readonly string[];
}

export interface TaskGroupDiff extends ObjectDiff {
  readonly tasks: readonly TaskDiff[];
  /** How many allocations would be created, updated, stopped …, by the words that the text uses. */
  readonly updates: Readonly<Record<string, number>>;
}

export interface JobDiff {
  readonly type: DiffType;
  readonly id: string;
  readonly fields: readonly FieldDiff[];
  readonly objects: readonly ObjectDiff[];
  readonly taskGroups: readonly TaskGroupDiff[];
}

/** The same as Nomad's HTTP API has it. */
export function diffToJson(diff: JobDiff): Record<string, unknown> {
  return {
    Type: diff.type,
    ID: diff.id,
    Fields: some(diff.fields.map(fieldToJson)),
    Objects: some(diff.objects.map(objectToJson)),
    TaskGroups: some(
      diff.taskGroups.map((group) => ({
        ...objectToJson(group),
        Tasks: some(group.tasks.map((task) => ({ ...objectToJson(task), Annotations: some(task.annotations) }))),
        Updates: Object.keys(group.updates).length === 0 ? null : group.updates,
      })),
    ),
  };
}

const some = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

const fieldToJson = (f: FieldDiff) => ({ Type: f.type, Name: f.name, Old: f.old, New: f.new, Annotations: some(f.annotations) });

const objectToJson = (o: ObjectDiff): Record<string, unknown> => ({
  Type: o.type,
  Name: o.name,
  Fields: some(o.fields.map(fieldToJson)),
  Objects: some(o.objects.map(objectToJson)),
});
