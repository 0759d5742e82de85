import { escapeControls } from '../../base/index.ts';
import { lineDiff } from './lines.ts';
import type { FieldDiff, JobDiff, ObjectDiff, TaskDiff, TaskGroupDiff } from './model.ts';

/** What one change means for what runs. */
export interface Impact {
  /** `group "cache" › task "redis" › Config › image`. */
  readonly path: readonly string[];
  readonly effect: 'restarts' | 'no restart' | 'creates' | 'destroys';
  readonly because: string;
  readonly old: string;
  readonly new: string;
}

/** Every change of a (complete) diff, with whether it restarts tasks and why. The same rules by which the scheduler decides. */
export function impacts(diff: JobDiff): Impact[] {
  if (diff.type === 'Added' || diff.type === 'Deleted') {
    const created = diff.type === 'Added';
    return diff.taskGroups.map((group) => whole(group, created, created ? 'the job is new' : 'the job is gone'));
  }
  return [...changesOf(diff.fields, diff.objects, [], JOB), ...diff.taskGroups.flatMap((group) => groupImpacts(group))];
}

function groupImpacts(group: TaskGroupDiff): Impact[] {
  if (group.type === 'Added') return [whole(group, true, 'the group is new')];
  if (group.type === 'Deleted') return [whole(group, false, 'the group is gone')];
  const path = [`group "${group.name}"`];
  return [...changesOf(group.fields, group.objects, path, GROUP), ...group.tasks.flatMap((task) => taskImpacts(task, path))];
}

function taskImpacts(task: TaskDiff, path: readonly string[]): Impact[] {
  const own = [...path, `task "${task.name}"`];
  if (task.type !== 'Added' && task.type !== 'Deleted') return changesOf(task.fields, task.objects, own, TASK);
  const because = `tasks of a group start and stop together, and one ${task.type === 'Added' ? 'comes' : 'goes'}`;
  return [{ path: own, effect: 'restarts', because, old: '', new: '' }];
}

const whole = (group: TaskGroupDiff, created: boolean, because: string): Impact => ({
  path: [`group "${group.name}"`],
  effect: created ? 'creates' : 'destroys',
  because,
  old: '',
  new: '',
});

type Rules = Readonly<Record<string, string>>;

/** What can change while tasks run, and how it takes effect; everything else needs new allocations. */
const JOB: Rules = {
  Priority: 'it counts when something is placed',
  Datacenters: 'it counts when something is placed, and where the nodes are left out, allocations move',
  NodePool: 'it counts when something is placed',
  AllAtOnce: 'it counts when something is placed',
  Constraint: 'running allocations stay where they still meet it',
  Update: 'it governs the next rollout',
  Periodic: 'it governs the next launch',
  ParameterizedJob: 'it governs the next dispatch',
  Multiregion: 'it governs the next rollout',
  Reschedule: 'it governs the next failure',
  Migrate: 'it governs the next drain',
  Stop: 'the job is stopped or started as a whole',
};
const GROUP: Rules = {
  Constraint: JOB.Constraint!,
  RestartPolicy: 'it governs the next failure',
  ReschedulePolicy: 'it governs the next failure',
  Update: 'it governs the next rollout',
  Migrate: 'it governs the next drain',
  MigrateStrategy: 'it governs the next drain',
  Scaling: 'it is for autoscalers',
  ScalingPolicy: 'it is for autoscalers',
  Service: 'the registration is changed where it is',
  ShutdownDelay: 'it counts when a task is stopped',
  StopAfterClientDisconnect: 'it counts when a node is lost',
  MaxClientDisconnect: 'it counts when a node is lost',
  Disconnect: 'it counts when a node is lost',
  PreventRescheduleOnLost: 'it counts when a node is lost',
  MaxRunDuration: 'it counts from when the allocation began',
};
const TASK: Rules = {
  KillTimeout: 'it counts when the task is stopped',
  KillSignal: 'it counts when the task is stopped',
  ShutdownDelay: 'it counts when the task is stopped',
  Leader: 'it counts when a task ends',
  Constraint: JOB.Constraint!,
  LogConfig: 'logs are rotated by it from now on',
  Service: GROUP.Service!,
  RestartPolicy: GROUP.RestartPolicy!,
  ScalingPolicy: GROUP.Scaling!,
  Action: 'it counts when the action is run',
};

/** What is within a block that can change, and cannot: the block's name and its own. */
const WITHIN: Rules = {
  'Service Connect': 'a sidecar is a task of its own',
  'Service ConsulConnect': 'a sidecar is a task of its own',
  'LogConfig Enabled': 'whether output is kept is settled at the start',
  'LogConfig Disabled': 'whether output is kept is settled at the start',
};

/** Why a change cannot reach a running task. */
const REASONS: Rules = {
  Driver: 'another driver must start the task',
  Config: 'the driver takes its configuration at the start',
  Env: 'a running process keeps its environment',
  Meta: 'it is part of the environment, which a running process keeps',
  User: 'a running process keeps its user',
  Resources: 'what is reserved for an allocation is fixed when it is placed',
  Network: 'ports and addresses are given to an allocation when it is placed',
  Artifact: 'artifacts are fetched before the start',
  Template: 'templates are rendered for a new allocation',
  EphemeralDisk: 'the disk of an allocation is fixed when it is placed',
  Affinity: 'it decides where allocations are',
  Spread: 'it decides where allocations are',
  Volume: 'volumes are mounted at the start',
  VolumeMount: 'volumes are mounted at the start',
  Lifecycle: 'it decides when the task starts',
};

function changesOf(
  fields: readonly FieldDiff[],
  objects: readonly ObjectDiff[],
  path: readonly string[],
  rules: Rules,
): Impact[] {
  const ofField = (field: FieldDiff): Impact[] => {
    if (field.type === 'None') return [];
    if (field.name === 'Count' && rules === GROUP) {
      const more = Number(field.new || 0) > Number(field.old || 0);
      const because = more ? 'more allocations are wanted' : 'fewer allocations are wanted';
      return [{ path: [...path, 'Count'], effect: more ? 'creates' : 'destroys', because, old: field.old, new: field.new }];
    }
    return [impactOf(field, field.name.replace(/\[.*/, ''), [...path, field.name], rules)];
  };
  return [...fields.flatMap(ofField), ...paired(objects).flatMap((object) => inside(object, object.name, path, rules))];
}

/** An object that has no name of its own is gone and new when it changed; where there is one of each, it is the same. */
function paired(objects: readonly ObjectDiff[]): ObjectDiff[] {
  const only = (name: string, type: ObjectDiff['type']): ObjectDiff | undefined => {
    const found = objects.filter((o) => o.name === name && o.type === type);
    return found.length === 1 ? found[0] : undefined;
  };
  return objects.flatMap((object) => {
    const [gone, made] = [only(object.name, 'Deleted'), only(object.name, 'Added')];
    if (gone === undefined || made === undefined || (object !== gone && object !== made)) return [object];
    return object === made ? [edited(gone, made)] : [];
  });
}

function edited(gone: ObjectDiff, made: ObjectDiff): ObjectDiff {
  const names = [...new Set([...gone.fields, ...made.fields].map((f) => f.name))];
  const fields = names.flatMap((name): FieldDiff[] => {
    const old = gone.fields.find((f) => f.name === name)?.old ?? '';
    const now = made.fields.find((f) => f.name === name)?.new ?? '';
    return old === now ? [] : [{ type: 'Edited', name, old, new: now, annotations: [] }];
  });
  return { type: 'Edited', name: made.name, fields, objects: paired([...gone.objects, ...made.objects]) };
}

function inside(object: ObjectDiff, top: string, path: readonly string[], rules: Rules): Impact[] {
  if (object.type === 'None') return [];
  const own = [...path, object.name];
  if (object.type === 'Added' || object.type === 'Deleted') {
    const what = object.type === 'Added' ? 'added' : 'removed';
    const field: FieldDiff = { type: object.type, name: '', old: '', new: '', annotations: [] };
    return [impactOf(field, top, [...path, `${object.name} ${what}`], rules)];
  }
  return [
    ...object.fields.filter((f) => f.type !== 'None').map((f) => impactOf(f, top, [...own, f.name], rules)),
    ...object.objects.flatMap((o) => inside(o, top, own, rules)),
  ];
}

function impactOf(field: FieldDiff, top: string, path: readonly string[], rules: Rules): Impact {
  const harmful = path.map((step) => WITHIN[`${top} ${step.replace(/ (added|removed)$/, '')}`]).find((why) => why !== undefined);
  const harmless = harmful === undefined ? rules[top] : undefined;
  const because = harmful ?? harmless ?? REASONS[top] ?? 'it is fixed when an allocation starts';
  return { path, effect: harmless === undefined ? 'restarts' : 'no restart', because, old: field.old, new: field.new };
}

/** A line for each change; texts of several lines are compared line by line below it. */
export function formatImpacts(list: readonly Impact[]): string {
  if (list.length === 0) return 'Impact: nothing that runs is touched.';
  const restarts = list.filter(({ effect }) => effect === 'restarts').length;
  const head = restarts === 0 ? 'Impact: no task is restarted.' : `Impact: ${restarts} of ${list.length} changes restart tasks.`;
  return [head, ...list.flatMap(lines)].map(escapeControls).join('\n');
}

const shown = (text: string): string => (text === '' ? 'nothing' : JSON.stringify(text));

function lines({ path, effect, because, old, new: now }: Impact): string[] {
  const several = old.includes('\n') || now.includes('\n');
  const values = several || (old === '' && now === '') ? '' : `: ${shown(old)} → ${shown(now)}`;
  const line = `  ${effect.padEnd(10)}  ${path.join(' › ')}${values} (${because})`;
  return several ? [line, ...lineDiff(old, now).map((l) => `                ${l}`)] : [line];
}
