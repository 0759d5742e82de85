import { isDeepStrictEqual } from 'node:util';
import type {
  Check, CheckRestart, Constraint, Device, EvaluationPlan, Job, Network, PeriodicConfig, Port, Resources, Service, Task, TaskGroup, Vault,
} from '../../openapi/index.ts'; // prettier-ignore
import { HIDDEN, isSensitiveOption } from '../../openapi/index.ts';
import type { BlockSchema, Field } from '../job/schema.ts';
import { job as jobSchema } from '../job/schema.ts';
import { jobId } from '../nomad/index.ts';
import { parseGoDuration } from '../go-duration.ts';
import { annotate } from './annotate.ts';
import type { JobDiff, ObjectDiff, TaskDiff, TaskGroupDiff } from './model.ts';
import { byCodeUnit, fieldDiffs, namedObjects, plainObject, setOfObjects, setOfTexts, type Flat } from './parts.ts';

export interface DiffOptions {
  /** What the scheduler would do; the diff is then annotated with it. */
  readonly plan?: Pick<EvaluationPlan, 'desiredUpdates'> | undefined;
  /**
   * Also shows blocks that `job plan` never did (spread, scaling, volume mounts, lifecycle, migrate, a task's restart policy); without it, a
   * change of those shows only in the mark before the name of their group or task.
   */
  readonly complete?: boolean;
}

/**
 * Compares two versions of a job, both with their defaults filled in. The result has the shape, the names and the order that `nomad job plan` has; durations
 * are in nanoseconds.
 */
export function diffJobs(before: Job | undefined, after: Job | undefined, options: DiffOptions = {}): JobDiff {
  const id = jobId((after ?? before)!);
  if (before !== undefined && after !== undefined && jobId(before) !== jobId(after)) {
    throw new RangeError(`jobs with different IDs cannot be compared: ${jobId(before)}, ${jobId(after)}`);
  }
  const old = before?.spec;
  const now = after?.spec;
  const complete = options.complete === true;
  const fields = fieldDiffs(before === undefined ? {} : jobFields(before), after === undefined ? {} : jobFields(after), false);
  const objects = [
    ...setOfTexts('Datacenters', old?.datacenters, now?.datacenters),
    ...constraints(old?.constraints, now?.constraints),
    ...affinities(old?.affinities, now?.affinities),
    ...periodic(old?.periodic, now?.periodic),
    ...parameterized(old?.parameterized, now?.parameterized),
    ...generic('Multiregion', schemaOf(jobSchema, 'multiregion'), old?.multiregion, now?.multiregion),
    ...generic('UI', schemaOf(jobSchema, 'ui'), old?.ui, now?.ui),
    ...(complete ? blockSet('Spread', schemaOf(jobSchema, 'spreads'), old?.spreads, now?.spreads) : []),
  ];
  const taskGroups = groups(old?.groups, now?.groups, complete);
  const changed = fields.length > 0 || objects.length > 0 || taskGroups.some((g) => g.type !== 'None');
  const type = before === undefined ? 'Added' : after === undefined ? 'Deleted' : changed ? 'Edited' : 'None';
  const diff: JobDiff = { type, id, fields, objects, taskGroups };
  return options.plan === undefined ? diff : annotate(diff, options.plan.desiredUpdates ?? {});
}

// --- values as text

/** The block of a field, by the field's name in the resource. */
function schemaOf(schema: BlockSchema, ...names: readonly string[]): BlockSchema {
  let at = schema;
  for (const name of names) {
    const field = at.fields.find((f) => f.name === name);
    if (field?.kind !== 'block' && field?.kind !== 'blocks') throw new TypeError(`${at.name} has no block ${name}`);
    at = field.schema;
  }
  return at;
}

const GROUP = schemaOf(jobSchema, 'groups');
const TASK = schemaOf(GROUP, 'tasks');
const SERVICE = schemaOf(GROUP, 'services');
const CHECK = schemaOf(SERVICE, 'checks');
const RESOURCES = schemaOf(TASK, 'resources');
const NETWORK = schemaOf(GROUP, 'networks');
const PORT = schemaOf(NETWORK, 'ports');

/** What fields that came after Nomad 1.1 hold when nobody set them; so they do not show. */
const LATE_DEFAULTS: Readonly<Record<string, string>> = { NodePool: 'default', Provider: 'nomad' };

type Data = Readonly<Record<string, unknown>>;

/** The simple fields of a block as text. A field that is not set shows as its type's zero. */
function flat(
  schema: BlockSchema,
  value: object | undefined,
  options: { omit?: readonly string[]; unset?: 'zero' | 'absent' } = {},
): Flat | undefined {
  if (value === undefined) return undefined;
  const data = value as Data;
  const out: Record<string, string> = {};
  for (const field of schema.fields) {
    if (options.omit?.includes(field.api) === true) continue;
    const v = data[field.name];
    if (field.kind === 'map') {
      for (const [key, item] of Object.entries((v ?? {}) as Data)) out[`${field.api}[${key}]`] = String(item);
      continue;
    }
    if (field.kind !== 'string' && field.kind !== 'int' && field.kind !== 'bool' && field.kind !== 'duration') continue;
    const text = scalar(field, v);
    if (field.late === true && (text === '' || text === 'false' || text === '0' || text === LATE_DEFAULTS[field.api])) continue;
    if (v === undefined && options.unset === 'absent') continue;
    out[field.api] = text;
  }
  if (schema.label !== undefined && options.omit?.includes(schema.label.api) !== true)
    out[schema.label.api] = String(data[schema.label.name] ?? '');
  return out;
}

function scalar(field: Field, value: unknown): string {
  if (field.kind === 'duration') return value === undefined ? '0' : nanoseconds(value);
  if (value === undefined || value === null) return field.kind === 'string' ? '' : field.kind === 'bool' ? 'false' : '0';
  return String(value);
}

function nanoseconds(value: unknown): string {
  if (typeof value === 'number') return String(value);
  try {
    return parseGoDuration(String(value)).toString();
  } catch {
    return String(value);
  }
}

function jobFields(job: Job): Flat {
  const { spec, metadata } = job;
  return {
    ...flat(jobSchema, spec, { omit: ['ID'] }),
    Dispatched: 'false',
    Name: spec.name ?? jobId(job),
    Namespace: metadata.namespace ?? 'default',
    Stop: String(spec.stop ?? false),
  };
}

// --- blocks of any kind

/** A block without blocks of its own. */
function block(
  name: string,
  schema: BlockSchema,
  before: object | undefined,
  after: object | undefined,
  omit: readonly string[] = [],
): ObjectDiff[] {
  const more = (value: object | undefined): Flat => (name === 'Periodic' && value !== undefined ? { SpecType: 'cron' } : {});
  const old: Record<string, string> | undefined = flat(schema, before, { omit });
  const now: Record<string, string> | undefined = flat(schema, after, { omit });
  for (const field of schema.fields) {
    // What shows on one side shows on both: "true" => "false", not "true" that is gone.
    if (field.late !== true || old === undefined || now === undefined) continue;
    if (field.api in old && !(field.api in now)) now[field.api] = scalar(field, (after as Data)[field.name]);
    else if (field.api in now && !(field.api in old)) old[field.api] = scalar(field, (before as Data)[field.name]);
  }
  return plainObject(name, old && { ...old, ...more(before) }, now && { ...now, ...more(after) });
}

/** Several expressions came later than the one, and are a list of their own. */
function periodic(before: PeriodicConfig | undefined, after: PeriodicConfig | undefined): ObjectDiff[] {
  const specs = setOfTexts('Specs', before?.crons, after?.crons);
  const [own] = block('Periodic', schemaOf(jobSchema, 'periodic'), before, after);
  if (own !== undefined) return [{ ...own, objects: [...own.objects, ...specs] }];
  return specs.length === 0 ? [] : [{ type: 'Edited', name: 'Periodic', fields: [], objects: specs }];
}

/** A list of such blocks in which order does not count. */
function blockSet<T extends object>(
  name: string,
  schema: BlockSchema,
  before: readonly T[] | undefined,
  after: readonly T[] | undefined,
): ObjectDiff[] {
  return setOfObjects(before, after, (a, b) => generic(name, schema, a, b));
}

const EMPTY: readonly ObjectDiff[] = [];

/** A block and everything in it, by the table. */
function generic(name: string, schema: BlockSchema, before: object | undefined, after: object | undefined): ObjectDiff[] {
  if (isDeepStrictEqual(before, after)) return [];
  const old = (before ?? {}) as Data;
  const now = (after ?? {}) as Data;
  const objects = schema.fields.flatMap((field): readonly ObjectDiff[] => {
    const a = old[field.name];
    const b = now[field.name];
    switch (field.kind) {
      case 'block':
        return generic(field.api, field.schema, a as object | undefined, b as object | undefined);
      case 'blocks': {
        const lists = [a, b] as [object[] | undefined, object[] | undefined];
        const { label } = field.schema;
        if (label === undefined) return blockSet(singular(field.api), field.schema, ...lists);
        return namedObjects(
          ...lists,
          (item) => String((item as Data)[label.name]),
          (x, y) => generic(singular(field.api), field.schema, x, y),
        );
      }
      case 'strings':
      case 'ints':
        return setOfTexts(field.api, texts(a), texts(b));
      case 'free':
        return configObject(field.api, a as Data | undefined, b as Data | undefined);
      case 'lists':
        return plainObject(field.api, listsOf(a), listsOf(b));
      case 'string':
      case 'int':
      case 'bool':
      case 'duration':
      case 'map':
        return EMPTY;
    }
  });
  const fields = fieldDiffs(flat(schema, before) ?? {}, flat(schema, after) ?? {}, true);
  const type = before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited';
  const changed = fields.some((f) => f.type !== 'None') || objects.length > 0;
  return changed || type !== 'Edited' ? [{ type, name, fields, objects }] : [];
}

const singular = (name: string): string => name.replace(/ies$/, 'y').replace(/([^s])s$/, '$1');

const texts = (v: unknown): string[] => (Array.isArray(v) ? v.map(String) : []);

function listsOf(v: unknown): Flat {
  const out: Record<string, string> = {};
  for (const [key, items] of Object.entries((v ?? {}) as Data)) texts(items).forEach((s, i) => (out[`${key}[${i}]`] = s));
  return out;
}

/** Free-form data, flattened: `args[0]`, `auth[0][username]`. */
function configObject(name: string, before: Data | undefined, after: Data | undefined): ObjectDiff[] {
  const a = Object.keys(before ?? {}).length === 0 ? undefined : before;
  const b = Object.keys(after ?? {}).length === 0 ? undefined : after;
  if (isDeepStrictEqual(a, b)) return [];
  const type = a === undefined ? 'Added' : b === undefined ? 'Deleted' : 'Edited';
  return [{ type, name, fields: fieldDiffs(flattened(a), flattened(b), true), objects: [] }];
}

/** The diff of a config without the secrets in it: that one changed is told, not what it was or is. */
function hidden(driver: string, diffs: readonly ObjectDiff[]): ObjectDiff[] {
  return diffs.map((diff) => ({
    ...diff,
    fields: diff.fields.map((field) =>
      isSensitiveOption(driver, field.name)
        ? { ...field, old: field.old === '' ? '' : HIDDEN, new: field.new === '' ? '' : HIDDEN }
        : field,
    ),
  }));
}

function flattened(data: Data | undefined): Flat {
  const out: Record<string, string> = {};
  const walk = (path: string, v: unknown): void => {
    if (v === null || v === undefined) return;
    if (Array.isArray(v)) v.forEach((item, i) => walk(`${path}[${i}]`, item));
    else if (typeof v === 'object') for (const [key, item] of Object.entries(v)) walk(`${path}[${key}]`, item);
    else out[path] = typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean' ? String(v) : '';
  };
  for (const [key, v] of Object.entries(data ?? {})) walk(key, v);
  return out;
}

// --- the parts of a job

const constraints = (before: readonly Constraint[] | undefined, after: readonly Constraint[] | undefined): ObjectDiff[] =>
  setOfObjects(before, after, (a, b) => block('Constraint', schemaOf(jobSchema, 'constraints'), a, b));

const affinities = (before: readonly object[] | undefined, after: readonly object[] | undefined): ObjectDiff[] =>
  setOfObjects(before, after, (a, b) => block('Affinity', schemaOf(jobSchema, 'affinities'), a, b));

function parameterized(before: Job['spec']['parameterized'], after: Job['spec']['parameterized']): ObjectDiff[] {
  if (isDeepStrictEqual(before, after)) return [];
  const schema = schemaOf(jobSchema, 'parameterized');
  return [
    {
      type: before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited',
      name: 'ParameterizedJob',
      fields: fieldDiffs(flat(schema, before) ?? {}, flat(schema, after) ?? {}, true),
      objects: [
        ...setOfTexts('MetaOptional', before?.metaOptional, after?.metaOptional),
        ...setOfTexts('MetaRequired', before?.metaRequired, after?.metaRequired),
      ],
    },
  ];
}

function groups(before: readonly TaskGroup[] = [], after: readonly TaskGroup[] = [], complete: boolean): TaskGroupDiff[] {
  const old = new Map(before.map((g) => [g.name, g]));
  const now = new Map(after.map((g) => [g.name, g]));
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort(byCodeUnit)
    .map((name) => group(name, old.get(name), now.get(name), complete));
}

function group(name: string, before: TaskGroup | undefined, after: TaskGroup | undefined, complete: boolean): TaskGroupDiff {
  const type = changeOf(before, after);
  const fields = fieldDiffs(groupFields(before), groupFields(after), false);
  const part = <K extends keyof TaskGroup & string>(title: string, key: K, omit: readonly string[] = []): ObjectDiff[] =>
    block(title, schemaOf(GROUP, key), before?.[key] as object | undefined, after?.[key] as object | undefined, omit);
  const whole = <K extends keyof TaskGroup & string>(title: string, key: K): ObjectDiff[] =>
    generic(title, schemaOf(GROUP, key), before?.[key] as object | undefined, after?.[key] as object | undefined);
  const objects = [
    ...constraints(withImplied(before), withImplied(after)),
    ...affinities(before?.affinities, after?.affinities),
    ...part('RestartPolicy', 'restart'),
    ...part('ReschedulePolicy', 'reschedule'),
    ...part('EphemeralDisk', 'ephemeralDisk'),
    ...part('Consul', 'consul'),
    // Stagger has no effect where deployments are.
    ...part('Update', 'update', ['Stagger']),
    ...whole('Disconnect', 'disconnect'),
    ...networks(before?.networks, after?.networks),
    ...services(before?.services, after?.services),
    ...namedObjects(before?.volumes, after?.volumes, (v) => v.name, volume),
    ...(complete
      ? [
          ...whole('Migrate', 'migrate'),
          ...whole('Scaling', 'scaling'),
          ...blockSet('Spread', schemaOf(GROUP, 'spreads'), before?.spreads, after?.spreads),
        ]
      : []),
  ];
  return { type, name, fields, objects, tasks: tasks(before?.tasks, after?.tasks, complete), updates: {} };
}

/** Deep comparison decides, so a change that shows in no field still marks the name. */
const changeOf = (before: object | undefined, after: object | undefined): TaskGroupDiff['type'] =>
  before === undefined ? 'Added' : after === undefined ? 'Deleted' : isDeepStrictEqual(before, after) ? 'None' : 'Edited';

function groupFields(value: TaskGroup | undefined): Flat {
  const all = flat(GROUP, value, { omit: ['Name'] }) ?? {};
  // Absent durations of a group are absent, not zero.
  const out: Record<string, string> = {};
  for (const [name, text] of Object.entries(all)) {
    const field = GROUP.fields.find((f) => f.api === name);
    if (field?.kind === 'duration' && (value as Data | undefined)?.[field.name] === undefined) continue;
    out[name] = text;
  }
  return out;
}

/** Constraints that follow from what the tasks need: nodes must know the signals that tasks are to be sent. */
function withImplied(value: TaskGroup | undefined): readonly Constraint[] | undefined {
  if (value === undefined) return undefined;
  const signals = new Set<string>();
  for (const task of value.tasks ?? []) {
    if (task.killSignal !== undefined && task.killSignal !== '') signals.add(task.killSignal);
    if (task.vault?.changeMode === 'signal' && task.vault.changeSignal) signals.add(task.vault.changeSignal);
    for (const t of task.templates ?? []) if (t.changeMode === 'signal' && t.changeSignal) signals.add(t.changeSignal);
  }
  const own = value.constraints ?? [];
  if (signals.size === 0) return own;
  const implied: Constraint = { attribute: '${attr.os.signals}', value: [...signals].sort().join(','), operator: 'set_contains' };
  return own.some((c) => isDeepStrictEqual(c, implied)) ? own : [...own, implied];
}

function volume(before: object | undefined, after: object | undefined): ObjectDiff[] {
  const schema = schemaOf(GROUP, 'volumes');
  const options = generic(
    'MountOptions',
    schemaOf(GROUP, 'volumes', 'mountOptions'),
    (before as Data | undefined)?.mountOptions as object | undefined,
    (after as Data | undefined)?.mountOptions as object | undefined,
  );
  const fields = fieldDiffs(flat(schema, before) ?? {}, flat(schema, after) ?? {}, true);
  const type = before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited';
  return [{ type, name: 'Volume', fields, objects: options }];
}

function networks(before: readonly Network[] | undefined, after: readonly Network[] | undefined): ObjectDiff[] {
  return setOfObjects(before?.map(canonicalNetwork), after?.map(canonicalNetwork), network);
}

/** So that two networks which differ in nothing but how they are written are the same. */
function canonicalNetwork(n: Network): Network {
  const ports = n.ports?.map((p): Port => ({ ...p, hostNetwork: p.hostNetwork || 'default', to: p.to ?? 0 }));
  return { ...n, mode: n.mode ?? '', mbits: n.mbits ?? 0, ...(ports === undefined ? {} : { ports }) };
}

function network(before: Network | undefined, after: Network | undefined): ObjectDiff[] {
  const omit = ['Device', 'CIDR', 'IP'];
  const ports = (n: Network | undefined, fixed: boolean): readonly Port[] =>
    (n?.ports ?? []).filter((p) => (p.static ?? 0) > 0 === fixed);
  const portSet = (name: string, fixed: boolean): ObjectDiff[] =>
    setOfObjects(ports(before, fixed), ports(after, fixed), (a, b) => block(name, PORT, a, b, fixed ? [] : ['Value']));
  const dns = (n: Network | undefined): Flat => ({
    Servers: (n?.dns?.servers ?? []).join(','),
    Searches: (n?.dns?.searches ?? []).join(','),
    Options: (n?.dns?.options ?? []).join(','),
  });
  return [
    {
      type: before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited',
      name: 'Network',
      fields: fieldDiffs(flat(NETWORK, before, { omit }) ?? {}, flat(NETWORK, after, { omit }) ?? {}, true),
      objects: [
        ...portSet('Static Port', true),
        ...portSet('Dynamic Port', false),
        ...plainObject('DNS', dns(before), dns(after)).map((o) => ({
          ...o,
          fields: o.fields.filter((f) => f.old !== '' || f.new !== ''),
        })),
        ...generic('CNI', schemaOf(NETWORK, 'cni'), before?.cni, after?.cni),
      ],
    },
  ];
}

function services(before: readonly Service[] | undefined, after: readonly Service[] | undefined): ObjectDiff[] {
  return namedObjects(before, after, (s) => s.name ?? '', service);
}

function service(before: Service | undefined, after: Service | undefined): ObjectDiff[] {
  const fields = (s: Service | undefined): Flat =>
    s === undefined
      ? {}
      : {
          ...flat(SERVICE, s),
          AddressMode: s.addressMode ?? 'auto',
          OnUpdate: s.onUpdate ?? 'require_healthy',
          Namespace: 'default',
        };
  const late = ['identity', 'weights'] as const;
  return [
    {
      type: before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited',
      name: 'Service',
      fields: fieldDiffs(fields(before), fields(after), true),
      objects: [
        ...setOfTexts('CanaryTags', before?.canaryTags, after?.canaryTags),
        ...setOfTexts('Tags', before?.tags, after?.tags),
        ...namedObjects(
          before?.checks,
          after?.checks,
          (c) => checkName(before ?? after!, c),
          (a, b) => check(before ?? after!, a, b),
        ),
        ...generic('ConsulConnect', schemaOf(SERVICE, 'connect'), before?.connect, after?.connect),
        ...late.flatMap((key) =>
          generic(key === 'identity' ? 'Identity' : 'Weights', schemaOf(SERVICE, key), before?.[key], after?.[key]),
        ),
      ],
    },
  ];
}

const checkName = (s: Service, c: Check): string =>
  c.name === undefined || c.name === '' ? `service: ${JSON.stringify(s.name ?? '')} check` : c.name;

function check(s: Service, before: Check | undefined, after: Check | undefined): ObjectDiff[] {
  const fields = (c: Check | undefined): Flat =>
    c === undefined ? {} : { ...flat(CHECK, c), Name: checkName(s, c), OnUpdate: c.onUpdate ?? 'require_healthy' };
  const restart = (c: Check | undefined): CheckRestart | undefined => c?.checkRestart;
  return [
    {
      type: before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited',
      name: 'Check',
      fields: fieldDiffs(fields(before), fields(after), true),
      objects: [
        ...plainObject('Header', listsOf(before?.header), listsOf(after?.header)),
        ...block('CheckRestart', schemaOf(CHECK, 'checkRestart'), restart(before), restart(after)),
      ],
    },
  ];
}

function tasks(before: readonly Task[] = [], after: readonly Task[] = [], complete: boolean): TaskDiff[] {
  const old = new Map(before.map((t) => [t.name, t]));
  const now = new Map(after.map((t) => [t.name, t]));
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort(byCodeUnit)
    .map((name) => task(name, old.get(name), now.get(name), complete));
}

function task(name: string, before: Task | undefined, after: Task | undefined, complete: boolean): TaskDiff {
  const fields = (t: Task | undefined): Flat => flat(TASK, t, { omit: ['Name'] }) ?? {};
  const part = <K extends keyof Task & string>(title: string, key: K): ObjectDiff[] =>
    block(title, schemaOf(TASK, key), before?.[key] as object | undefined, after?.[key] as object | undefined);
  const set = <K extends keyof Task & string>(title: string, key: K): ObjectDiff[] =>
    blockSet(
      title,
      schemaOf(TASK, key),
      before?.[key] as readonly object[] | undefined,
      after?.[key] as readonly object[] | undefined,
    );
  const whole = <K extends keyof Task & string>(title: string, key: K): ObjectDiff[] =>
    generic(title, schemaOf(TASK, key), before?.[key] as object | undefined, after?.[key] as object | undefined);
  const named = (title: string, key: 'actions' | 'secrets' | 'identities'): ObjectDiff[] =>
    namedObjects(before?.[key] as readonly { name?: string }[] | undefined, after?.[key] as readonly { name?: string }[] | undefined, (x) => x.name ?? '', (a, b) => generic(title, schemaOf(TASK, key), a, b)); // prettier-ignore
  return {
    type: changeOf(before, after),
    name,
    fields: fieldDiffs(fields(before), fields(after), false),
    objects: [
      ...constraints(before?.constraints, after?.constraints),
      ...affinities(before?.affinities, after?.affinities),
      ...hidden(after?.driver ?? before?.driver ?? '', configObject('Config', before?.config, after?.config)),
      ...resources(before?.resources, after?.resources),
      ...part('LogConfig', 'logs'),
      ...part('DispatchPayload', 'dispatchPayload'),
      ...set('Artifact', 'artifacts'),
      ...services(before?.services, after?.services),
      ...vault(before?.vault, after?.vault),
      ...whole('Consul', 'consul'),
      ...set('Template', 'templates'),
      ...named('Action', 'actions'),
      ...named('Identity', 'identities'),
      ...named('Secret', 'secrets'),
      ...whole('Schedule', 'schedule'),
      ...(complete
        ? [
            ...whole('Lifecycle', 'lifecycle'),
            ...whole('RestartPolicy', 'restart'),
            ...set('VolumeMount', 'volumeMounts'),
            ...set('ScalingPolicy', 'scalings'),
            ...whole('CSIPluginConfig', 'csiPlugin'),
          ]
        : []),
    ],
    annotations: [],
  };
}

function resources(before: Resources | undefined, after: Resources | undefined): ObjectDiff[] {
  if (isDeepStrictEqual(before, after)) return [];
  const schema = schemaOf(RESOURCES, 'devices');
  const device = (a: Device | undefined, b: Device | undefined): ObjectDiff[] => [
    {
      type: a === undefined ? 'Added' : b === undefined ? 'Deleted' : 'Edited',
      name: 'Device',
      fields: fieldDiffs(flat(schema, a) ?? {}, flat(schema, b) ?? {}, true),
      objects: [...constraints(a?.constraints, b?.constraints), ...affinities(a?.affinities, b?.affinities)],
    },
  ];
  const fields = fieldDiffs(flat(RESOURCES, before) ?? {}, flat(RESOURCES, after) ?? {}, true);
  const objects = [
    ...networks(before?.networks, after?.networks),
    ...namedObjects(before?.devices, after?.devices, (d) => d.name ?? '', device),
    ...generic('NUMA', schemaOf(RESOURCES, 'numa'), before?.numa, after?.numa),
  ];
  return [
    { type: before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited', name: 'Resources', fields, objects },
  ];
}

function vault(before: Vault | undefined, after: Vault | undefined): ObjectDiff[] {
  if (isDeepStrictEqual(before, after)) return [];
  const schema = schemaOf(TASK, 'vault');
  return [
    {
      type: before === undefined ? 'Added' : after === undefined ? 'Deleted' : 'Edited',
      name: 'Vault',
      fields: fieldDiffs(flat(schema, before) ?? {}, flat(schema, after) ?? {}, true),
      objects: setOfTexts('Policies', before?.policies, after?.policies),
    },
  ];
}
