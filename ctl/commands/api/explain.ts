import type { Kind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { meantBy } from '../../argv.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findKind } from '../../kinds.ts';

interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

type Schemas = Readonly<Record<string, Schema>>;

export const explainFields = defineClusterCommand({
  name: 'explain',
  summary: 'Say what the fields of a kind mean',
  usage: '[options] <kind>[.<field>…]',
  examples: [
    { text: 'A kind', command: 'explain job' },
    { text: 'What can be said about rolling updates', command: 'explain job.spec.groups.update' },
  ],
  args: { min: 1, max: 1, rule: 'This command takes one argument: <kind>[.<field>…]' },
  completes: 'kind',
  flags: { recursive: flag.boolean('All fields below, too, without their descriptions.') },
  async run({ args: [path], flags }, context) {
    const [word, ...fields] = path!.split('.');
    const kind = await findKind(context, word!);
    const schemas = await schemasOf(context, kind);
    let schema = rootOf(schemas, kind);
    const walked: string[] = [kind.kind.toLowerCase()];
    for (const field of fields) {
      const { properties = {} } = inner(schemas, schema);
      const next = properties[field];
      if (next === undefined) {
        const meant = meantBy(field, Object.keys(properties));
        throw new CommandError(
          `${walked.join('.')} has no field "${field}"${meant === undefined ? '' : `\nDid you mean "${meant}"?`}`,
        );
      }
      walked.push(field);
      schema = next;
    }
    say(context, text(schemas, kind, walked, schema, flags.recursive));
  },
});

/** The schemas of the group that a kind belongs to. */
async function schemasOf({ client }: ClusterContext, { group, version }: Kind): Promise<Schemas> {
  const path = group === '' ? `/openapi/v3/api/${version}` : `/openapi/v3/apis/${group}/${version}`;
  const { components } = await client.json<{ components?: { schemas?: Schemas } }>('GET', path);
  return components?.schemas ?? {};
}

function rootOf(schemas: Schemas, { kind, group }: Kind): Schema {
  const found = Object.entries(schemas).find(
    ([name, schema]) =>
      (schema['x-kubernetes-group-version-kind'] ?? []).some((one) => one.kind === kind && one.group === group) ||
      name.endsWith(`.${kind}`) ||
      name === kind,
  );
  if (found === undefined) throw new CommandError(`The server does not say what the fields of ${kind} mean`);
  return found[1];
}

/** What a reference stands for; its own description comes first. */
function resolved(schemas: Schemas, schema: Schema): Schema {
  const ref = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]!.$ref : undefined);
  if (ref === undefined) return schema;
  const target = schemas[ref.replace(/^.*\//, '')] ?? {};
  return { ...target, ...(schema.description !== undefined && { description: schema.description }) };
}

/** The schema whose fields are meant: of the items of a list, the values of a map. */
function inner(schemas: Schemas, schema: Schema): Schema {
  const whole = resolved(schemas, schema);
  if (whole.items !== undefined) return inner(schemas, whole.items);
  if (typeof whole.additionalProperties === 'object' && whole.properties === undefined) return inner(schemas, whole.additionalProperties); // prettier-ignore
  return whole;
}

function typeOf(schemas: Schemas, schema: Schema): string {
  const whole = resolved(schemas, schema);
  if (whole.items !== undefined) return `[]${typeOf(schemas, whole.items)}`;
  if (typeof whole.additionalProperties === 'object') return `map[string]${typeOf(schemas, whole.additionalProperties)}`;
  return whole.type === 'object' ? 'Object' : (whole.type ?? 'Object');
}

function text(schemas: Schemas, kind: Kind, path: readonly string[], schema: Schema, recursive: boolean): string {
  const whole = resolved(schemas, schema);
  const fields = inner(schemas, schema);
  const out = [`KIND:     ${kind.kind}`, `VERSION:  ${kind.apiVersion}`, ''];
  if (path.length > 1) out.push(`FIELD:    ${path.at(-1)} <${typeOf(schemas, schema)}>`, '');
  out.push('DESCRIPTION:', indent(whole.description ?? fields.description ?? '<none>', 5));
  for (const line of limits(whole)) out.push(indent(line, 5));
  const names = Object.keys(fields.properties ?? {}).sort();
  if (names.length === 0) return out.join('\n');
  out.push('', 'FIELDS:', ...(recursive ? tree(schemas, fields, 3, 0) : names.map((name) => field(schemas, fields, name))));
  return out.join('\n').trimEnd();
}

function field(schemas: Schemas, { properties = {}, required = [] }: Schema, name: string): string {
  const schema = resolved(schemas, properties[name]!);
  const head = `   ${name}\t<${typeOf(schemas, properties[name]!)}>${required.includes(name) ? ' -required-' : ''}`;
  return `${head}\n${indent([schema.description ?? '', ...limits(schema)].filter((line) => line !== '').join('\n'), 5)}\n`;
}

function limits({ enum: values, default: normal }: Schema): string[] {
  return [
    ...(values === undefined ? [] : [`One of: ${values.map((value) => JSON.stringify(value)).join(', ')}`]),
    ...(normal === undefined ? [] : [`Default: ${JSON.stringify(normal)}`]),
  ];
}

const DEPTH = 12;

function tree(schemas: Schemas, schema: Schema, by: number, depth: number): string[] {
  if (depth > DEPTH) return [];
  return Object.keys(schema.properties ?? {})
    .sort()
    .flatMap((name) => {
      const below = schema.properties![name]!;
      return [
        `${' '.repeat(by)}${name}\t<${typeOf(schemas, below)}>`,
        ...tree(schemas, inner(schemas, below), by + 3, depth + 1),
      ];
    });
}

const indent = (text: string, by: number): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? '' : ' '.repeat(by) + line))
    .join('\n');
