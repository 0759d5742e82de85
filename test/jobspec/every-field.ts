import { job as jobSchema, type BlockSchema, type Field } from '../../jobspec/job/schema.ts';
import type { Job } from '../../openapi/index.ts';

type Fields = Record<string, unknown>;

/** A job with one other value than `fullJob()`. */
export interface Change {
  /** `groups.tasks.killTimeout`. */
  readonly path: string;
  readonly job: Job;
}

/** A job in which every block and every field of the job file is set, each block once. */
export const fullJob = ({ changed = false } = {}): Job => asJob(fill(jobSchema, [], changed ? 'all' : undefined));

/** Every field of the job file, each changed alone. */
export const everyChange = (): Change[] =>
  leaves(jobSchema, []).map((path) => ({ path: path.join('.'), job: asJob(fill(jobSchema, [], path.join('.'))) }));

function asJob(spec: Fields): Job {
  const { id: _, ...rest } = spec;
  return { apiVersion: 'orch.dev/v1', kind: 'Job', metadata: { name: 'full' }, spec: rest };
}

/** The paths of all fields that are no blocks; a label is one. */
function leaves(schema: BlockSchema, path: readonly string[]): string[][] {
  const label = schema.label === undefined || path.length === 0 ? [] : [[...path, schema.label.name]];
  const own = schema.fields.flatMap((field) => {
    const at = [...path, field.name];
    if (schema.name === 'ScalingPolicy' && field.name === 'type') return []; // goes with the block's place
    return field.kind === 'block' || field.kind === 'blocks' ? leaves(field.schema, at) : [at];
  });
  return [...label, ...own];
}

function fill(schema: BlockSchema, path: readonly string[], changed?: string): Fields {
  const isChanged = (at: readonly string[]): boolean => changed === 'all' || at.join('.') === changed;
  const out: Fields = {};
  if (schema.label !== undefined) out[schema.label.name] = isChanged([...path, schema.label.name]) ? 'other' : 'one';
  for (const field of schema.fields) {
    const at = [...path, field.name];
    if (field.kind === 'block') out[field.name] = fill(field.schema, at, changed);
    else if (field.kind === 'blocks') out[field.name] = [fill(field.schema, at, changed)];
    else if (schema.name === 'ScalingPolicy' && field.name === 'type')
      out[field.name] = path.includes('tasks') ? 'vertical_cpu' : 'horizontal';
    else out[field.name] = valueOf(schema, field, isChanged(at));
  }
  return out;
}

/** What groups inherit is compared there. */
export const isInherited = (path: string): boolean => /^(update|migrate|reschedule)\./.test(path);

/** Words where the language itself settles what a field can be, or others follow from it. */
const WORDS: Readonly<Record<string, readonly [string, string]>> = {
  'Template.changeMode': ['restart', 'noop'],
  'Template.perms': ['0644', '0600'],
  'Vault.changeMode': ['restart', 'noop'],
  'Constraint.operator': ['=', '!='],
  'Affinity.operator': ['=', '!='],
};

function valueOf(schema: BlockSchema, { kind, name }: Field, changed: boolean): unknown {
  const word = WORDS[`${schema.name}.${name}`];
  if (word !== undefined) return word[changed ? 1 : 0];
  const text = changed ? 'b' : 'a';
  switch (kind) {
    case 'string':
      return text;
    case 'int':
      return changed ? 7 : 3;
    case 'bool':
      return !changed;
    case 'duration':
      return changed ? '20s' : '10s';
    case 'strings':
      return [text];
    case 'ints':
      return [changed ? 7 : 3];
    case 'map':
      return { [schema.name]: text }; // a key of its own, as tasks inherit
    case 'lists':
      return { key: [text] };
    case 'free':
      return { key: text };
    case 'block':
    case 'blocks':
      throw new TypeError(`${name} is a block`);
  }
}
