import { nearest } from '../../base/index.ts';
import { startRange, type Attribute, type Block, type Body } from '../hcl/ast.ts';
import { isInteger, toBigInt, toNumber } from '../hcl/big-float.ts';
import { ConversionError, convert } from '../hcl/convert.ts';
import type { Diagnostics } from '../hcl/diagnostic.ts';
import { evaluate, type Scope } from '../hcl/evaluate.ts';
import type { Range } from '../hcl/source.ts';
import { BOOL, NUMBER, STRING, friendlyName, toPlain, typeOf, type Plain, type Type, type Value } from '../hcl/value.ts';
import { formatGoDuration, parseGoDuration } from '../go-duration.ts';
import { expandBlocks, type ScopedBlock } from './expand.ts';
import { vaultBlock, type BlockSchema, type Field } from './schema.ts';

/** What a block became: the fields of the Job resource by their names there. */
export type Fields = Record<string, unknown>;

/** Beyond the table: arguments and blocks that a body takes and somebody else looks at. */
export interface Extras {
  readonly attributes?: readonly string[];
  readonly blocks?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Decodes a body by its table. Everything wrong with it is reported, with the place and the nearest known name; what is right is returned.
 */
export function decodeBody(
  body: Body,
  schema: BlockSchema,
  scope: Scope,
  diagnostics: Diagnostics,
  extras: Extras = {},
  blocks: readonly ScopedBlock[] = expandBlocks(body, scope, diagnostics),
): Fields {
  const out: Fields = {};
  checkNames(body, blocks, schema, diagnostics, extras);
  for (const field of schema.fields) {
    const attribute = body.attributes.get(field.hcl);
    const own = blocks.filter(({ block }) => isCalled(field, block.type));
    if (attribute === undefined && own.length === 0) {
      if (field.required === true) missing(field.hcl, body, diagnostics);
      continue;
    }
    const value = decodeField(field, attribute, own, scope, diagnostics);
    if (value !== undefined) out[field.name] = value;
  }
  return out;
}

function missing(name: string, body: Body, diagnostics: Diagnostics): void {
  diagnostics.error(
    'Missing required argument',
    `The argument ${JSON.stringify(name)} is required, but no definition was found.`,
    { source: body.range.source, start: body.range.start, end: body.range.start },
  );
}

const isCalled = (field: Field, name: string): boolean => field.hcl === name || field.alias === name;
const namesOf = ({ hcl, alias }: Field): string[] => (alias === undefined ? [hcl] : [hcl, alias]);

const isBlockField = (field: Field): boolean =>
  field.kind === 'block' || field.kind === 'blocks' || field.kind === 'map' || field.kind === 'free' || field.kind === 'lists';
/** Maps may be written either way: `meta { a = 1 }` or `meta = { a = 1 }`. */
const isAttributeField = (field: Field): boolean => field.kind !== 'block' && field.kind !== 'blocks';

function checkNames(
  body: Body,
  blocks: readonly ScopedBlock[],
  schema: BlockSchema,
  diagnostics: Diagnostics,
  extras: Extras,
): void {
  const attributes = new Set([...schema.fields.filter(isAttributeField).map((f) => f.hcl), ...(extras.attributes ?? [])]);
  const blockTypes = new Set([...schema.fields.filter(isBlockField).flatMap(namesOf), ...Object.keys(extras.blocks ?? {})]);
  if (schema.form !== undefined) for (const word of operators(schema)) attributes.add(word);
  // What is there already was not meant.
  const missing = [...attributes].filter((name) => !body.attributes.has(name)).sort();
  for (const [name, attribute] of body.attributes) {
    if (!attributes.has(name)) unsupportedArgument(name, attribute.nameRange, missing, blockTypes, diagnostics);
  }
  for (const { block } of blocks) {
    if (blockTypes.has(block.type)) checkLabels(block, labelNames(block, schema, extras), diagnostics);
    else unsupportedBlock(block, attributes, blockTypes, diagnostics);
  }
}

export function unsupportedArgument(
  name: string,
  range: Range,
  attributes: Iterable<string>,
  blockTypes: ReadonlySet<string>,
  diagnostics: Diagnostics,
): void {
  const near = nearest(name, attributes);
  const hint =
    near !== undefined
      ? ` Did you mean ${JSON.stringify(near)}?`
      : blockTypes.has(name)
        ? ` Did you mean to define a block of type ${JSON.stringify(name)}?`
        : '';
  diagnostics.error('Unsupported argument', `An argument named ${JSON.stringify(name)} is not expected here.${hint}`, range);
}

export function unsupportedBlock(
  block: Block,
  attributes: ReadonlySet<string>,
  blockTypes: Iterable<string>,
  diagnostics: Diagnostics,
): void {
  const type = JSON.stringify(block.type);
  const near = nearest(block.type, [...blockTypes].sort());
  const hint =
    near !== undefined
      ? ` Did you mean ${JSON.stringify(near)}?`
      : attributes.has(block.type)
        ? ` Did you mean to define argument ${type}? If so, use the equals sign to assign it a value.`
        : '';
  diagnostics.error('Unsupported block type', `Blocks of type ${type} are not expected here.${hint}`, block.typeRange);
}

function labelNames(block: Block, schema: BlockSchema, extras: Extras): readonly string[] | 'any' {
  const extra = extras.blocks?.[block.type];
  if (extra !== undefined) return extra;
  const field = schema.fields.find((f) => isCalled(f, block.type));
  if (field?.kind !== 'block' && field?.kind !== 'blocks') return [];
  const { label } = field.schema;
  if (label === undefined) return [];
  return label.optional === true ? 'any' : [label.title];
}

export function checkLabels(block: Block, names: readonly string[] | 'any', diagnostics: Diagnostics): boolean {
  if (names === 'any') return true;
  const count = block.labels.length;
  if (count > names.length) {
    diagnostics.error(
      `Extraneous label for ${block.type}`,
      names.length === 0
        ? `No labels are expected for ${block.type} blocks.`
        : `Only ${names.length} labels (${names.join(', ')}) are expected for ${block.type} blocks.`,
      block.labels[names.length]!.range,
    );
    return false;
  }
  if (count < names.length) {
    const start = block.body.range.start;
    diagnostics.error(
      `Missing ${names[count]!} for ${block.type}`,
      `All ${block.type} blocks must have ${names.length} labels (${names.join(', ')}).`,
      { source: block.body.range.source, start, end: start + 1 },
    );
    return false;
  }
  return true;
}

function decodeField(
  field: Field,
  attribute: Attribute | undefined,
  blocks: readonly ScopedBlock[],
  scope: Scope,
  diagnostics: Diagnostics,
): unknown {
  switch (field.kind) {
    case 'string':
    case 'int':
    case 'bool':
    case 'duration':
    case 'strings':
    case 'ints':
      return attribute === undefined ? undefined : decodeAttribute(field.kind, attribute, scope, diagnostics);
    case 'block': {
      const only = single(field.hcl, blocks, diagnostics);
      return only === undefined ? undefined : decodeBlock(only, field.schema, diagnostics);
    }
    case 'blocks':
      return blocks.length === 0 ? undefined : blocks.map((b) => decodeBlock(b, field.schema, diagnostics));
    case 'map': {
      if (attribute !== undefined) {
        const v = decodeValue(attribute, { kind: 'map', element: STRING }, scope, diagnostics);
        return v === undefined || v.kind === 'null' ? undefined : toPlain(v);
      }
      const only = single(field.hcl, blocks, diagnostics);
      return only === undefined ? undefined : decodeMap(only, STRING, diagnostics);
    }
    case 'lists': {
      const element: Type = { kind: 'list', element: STRING };
      if (attribute !== undefined) {
        const v = decodeValue(attribute, { kind: 'map', element }, scope, diagnostics);
        return v === undefined || v.kind === 'null' ? undefined : toPlain(v);
      }
      const only = single(field.hcl, blocks, diagnostics);
      return only === undefined ? undefined : decodeMap(only, element, diagnostics);
    }
    case 'free': {
      if (attribute !== undefined) {
        const v = decodeValue(attribute, undefined, scope, diagnostics);
        if (v === undefined || v.kind === 'null') return undefined;
        if (v.kind === 'object' || v.kind === 'map') return toPlain(v);
        unsuitable(attribute, `object required`, diagnostics);
        return undefined;
      }
      const only = single(field.hcl, blocks, diagnostics);
      return only === undefined ? undefined : decodeFree(only.block.body, only.scope, diagnostics);
    }
  }
}

function single(name: string, blocks: readonly ScopedBlock[], diagnostics: Diagnostics): ScopedBlock | undefined {
  for (const { block } of blocks.slice(1)) {
    const { headRange } = blocks[0]!.block;
    const place = headRange.source.position(headRange.start);
    const end = headRange.source.position(headRange.end);
    diagnostics.error(
      `Duplicate ${name} block`,
      `Only one ${name} block is allowed. Another was defined at ${headRange.source.filename}:${place.line},${place.column}-${end.column}.`,
      block.headRange,
    );
  }
  return blocks[0];
}

function decodeBlock({ block, scope }: ScopedBlock, schema: BlockSchema, diagnostics: Diagnostics): Fields {
  const label = schema.label;
  const own: Fields = label !== undefined && block.labels[0] !== undefined ? { [label.name]: block.labels[0].value } : {};
  if (schema.form !== undefined) return decodeForm(block.body, schema, scope, diagnostics);
  if (schema.name === 'Task') return { ...own, ...decodeTask(block.body, schema, scope, diagnostics) };
  if (schema.name === 'TaskGroup') return { ...own, ...decodeGroup(block.body, schema, scope, diagnostics) };
  const fields = { ...own, ...decodeBody(block.body, schema, scope, diagnostics) };
  return schema.name === 'Template' ? withTemplateDefaults(fields) : fields;
}

/** A value of the wanted type; undefined (and reported) when it cannot be had. Unknown values were reported where they arose. */
export function decodeValue(
  attribute: Attribute,
  type: Type | undefined,
  scope: Scope,
  diagnostics: Diagnostics,
): Value | undefined {
  const value = evaluate(attribute.expression, scope, diagnostics);
  try {
    const v = type === undefined || value.kind === 'unknown' ? value : convert(value, type);
    if (!known(v)) throw new ConversionError('value must be known');
    return v;
  } catch (err) {
    if (!(err instanceof ConversionError)) throw err;
    unsuitable(attribute, err.message, diagnostics, !known(value));
    return undefined;
  }
}

function known(v: Value): boolean {
  if (v.kind === 'unknown') return false;
  if (v.kind === 'list' || v.kind === 'set' || v.kind === 'tuple') return v.items.every(known);
  if (v.kind === 'map' || v.kind === 'object') return [...v.entries.values()].every(known);
  return true;
}

function unsuitable(attribute: Attribute, why: string, diagnostics: Diagnostics, consequence = false): void {
  diagnostics.error('Unsuitable value type', `Unsuitable value: ${why}`, startRange(attribute.expression), { consequence });
}

function decodeAttribute(
  kind: 'string' | 'int' | 'bool' | 'duration' | 'strings' | 'ints',
  attribute: Attribute,
  scope: Scope,
  diagnostics: Diagnostics,
): unknown {
  if (kind === 'duration') return decodeDuration(attribute, scope, diagnostics);
  const v = decodeValue(attribute, TYPES[kind], scope, diagnostics);
  if (v === undefined || v.kind === 'null') return undefined;
  if (kind === 'int') return decodeInt(v, attribute, diagnostics);
  return toPlain(v);
}

const TYPES: Record<'string' | 'int' | 'bool' | 'strings' | 'ints', Type> = {
  string: STRING,
  int: NUMBER,
  bool: BOOL,
  strings: { kind: 'list', element: STRING },
  ints: { kind: 'list', element: NUMBER },
};

function decodeInt(v: Value, attribute: Attribute, diagnostics: Diagnostics): number | undefined {
  if (v.kind !== 'number') return undefined;
  const whole = toBigInt(v.number);
  if (!isInteger(v.number) || whole === undefined || whole > 2n ** 63n - 1n || whole < -(2n ** 63n)) {
    unsuitable(attribute, 'value must be a whole number, between -9223372036854775808 and 9223372036854775807', diagnostics);
    return undefined;
  }
  return toNumber(v.number);
}

function decodeDuration(attribute: Attribute, scope: Scope, diagnostics: Diagnostics): string | undefined {
  const v = decodeValue(attribute, undefined, scope, diagnostics);
  if (v === undefined || v.kind === 'null') return undefined;
  if (v.kind === 'number') {
    const whole = toBigInt(v.number);
    if (whole !== undefined) return formatGoDuration(whole);
    unsuitable(attribute, 'value must be a whole number, between -9223372036854775808 and 9223372036854775807', diagnostics);
    return undefined;
  }
  if (v.kind !== 'string') {
    unsuitable(attribute, `expected a string but found ${friendlyName(typeOf(v))}`, diagnostics);
    return undefined;
  }
  try {
    return formatGoDuration(parseGoDuration(v.string));
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    diagnostics.error('Unsuitable value type', `Unsuitable duration value: ${why}`, startRange(attribute.expression));
    return undefined;
  }
}

function decodeMap({ block, scope }: ScopedBlock, element: Type, diagnostics: Diagnostics): Fields {
  const out: Fields = {};
  for (const nested of block.body.blocks) {
    diagnostics.error(
      'Unsupported block type',
      `Blocks of type ${JSON.stringify(nested.type)} are not expected here.`,
      nested.typeRange,
    );
  }
  for (const [name, attribute] of block.body.attributes) {
    const v = decodeValue(attribute, element, scope, diagnostics);
    if (v !== undefined && v.kind !== 'null') out[name] = toPlain(v);
  }
  return out;
}

/**
 * A free-form block (driver configuration and the like) as data. Objects and nested blocks become lists of one, as the API has them: whether
 * something was written `x = {}` or `x {}` makes no difference, and a second `x {}` is a second item.
 */
export function decodeFree(body: Body, scope: Scope, diagnostics: Diagnostics): Record<string, Plain> {
  const out: Record<string, Plain> = {};
  for (const [name, attribute] of body.attributes) {
    const v = decodeValue(attribute, undefined, scope, diagnostics);
    if (v === undefined || v.kind === 'null') continue;
    out[name] = v.kind === 'object' || v.kind === 'map' ? [toPlain(v)] : toPlain(v);
  }
  for (const { block, scope: inner } of expandBlocks(body, scope, diagnostics)) {
    let value: Plain = decodeFree(block.body, inner, diagnostics);
    for (const label of [...block.labels].reverse()) value = { [label.value]: [value] };
    const known = out[block.type];
    if (Array.isArray(known)) known.push(value);
    else out[block.type] = [value];
  }
  return out;
}

// --- constraints and affinities

const OPERATOR_WORDS = ['version', 'semver', 'regexp', 'set_contains', 'set_contains_any', 'set_contains_all'] as const;

const operators = (schema: BlockSchema): string[] =>
  schema.form === 'constraint' ? [...OPERATOR_WORDS, 'distinct_hosts', 'distinct_property'] : [...OPERATOR_WORDS];

/** `constraint { attribute = "${attr.x}"  version = ">= 1" }` and the other short forms. */
function decodeForm(body: Body, schema: BlockSchema, scope: Scope, diagnostics: Diagnostics): Fields {
  checkNames(body, expandBlocks(body, scope, diagnostics), schema, diagnostics, {});
  const read = (name: string, type: Type): Value | undefined => {
    const attribute = body.attributes.get(name);
    if (attribute === undefined) return undefined;
    const value = evaluate(attribute.expression, scope, diagnostics);
    if (value.kind === 'unknown' || value.kind === 'null') return undefined;
    try {
      return convert(value, type);
    } catch (err) {
      if (!(err instanceof ConversionError)) throw err;
      diagnostics.error(
        'Incorrect attribute value type',
        `Inappropriate value for attribute ${JSON.stringify(name)}: ${err.message}.`,
        attribute.expression.range,
      );
      return undefined;
    }
  };
  const text = (name: string): string | undefined => {
    const v = read(name, STRING);
    return v?.kind === 'string' ? v.string : undefined;
  };
  const out: Fields = {};
  const attribute = text('attribute');
  const value = text('value');
  if (attribute !== undefined && attribute !== '') out.attribute = attribute;
  if (value !== undefined && value !== '') out.value = value;
  let operator = text('operator');
  for (const word of OPERATOR_WORDS) {
    const operand = text(word);
    if (operand === undefined) continue;
    operator = word;
    out.value = operand;
  }
  if (schema.form === 'constraint') {
    const property = text('distinct_property');
    if (property !== undefined) {
      operator = 'distinct_property';
      out.attribute = property;
    }
    const hosts = read('distinct_hosts', BOOL);
    if (hosts?.kind === 'bool' && hosts.bool) operator = 'distinct_hosts';
  } else {
    const weight = read('weight', NUMBER);
    const attributeOf = body.attributes.get('weight');
    if (weight !== undefined && attributeOf !== undefined) {
      const n = decodeInt(weight, attributeOf, diagnostics);
      if (n !== undefined) out.weight = n;
    }
  }
  out.operator = operator === undefined || operator === '' ? '=' : operator;
  return out;
}

// --- groups and tasks

/** A group may hold a `vault` block for those of its tasks that have none. */
function decodeGroup(body: Body, schema: BlockSchema, scope: Scope, diagnostics: Diagnostics): Fields {
  const blocks = expandBlocks(body, scope, diagnostics);
  const out = decodeBody(body, schema, scope, diagnostics, { blocks: { vault: [] } }, blocks);
  const shared = blocks.filter(({ block }) => block.type === 'vault').at(-1);
  if (shared === undefined) return out;
  const vault = decodeBody(shared.block.body, vaultBlock, shared.scope, diagnostics);
  const tasks = (out.tasks as Fields[] | undefined)?.map((task) => ({ vault, ...task }));
  return tasks === undefined ? out : { ...out, tasks };
}

const SCALED: Record<string, string> = { cpu: 'vertical_cpu', mem: 'vertical_mem' };

/** A task's `scaling` blocks carry a label that says what is scaled. */
export function decodeTask(body: Body, schema: BlockSchema, scope: Scope, diagnostics: Diagnostics): Fields {
  const fields = schema.fields.filter((f) => f.hcl !== 'scaling');
  const blocks = expandBlocks(body, scope, diagnostics);
  const out = decodeBody(body, { ...schema, fields }, scope, diagnostics, { blocks: { scaling: ['name'] } }, blocks);
  const field = schema.fields.find((f) => f.hcl === 'scaling');
  if (field?.kind !== 'blocks') return out;
  const seen = new Map<string, Block>();
  const scalings: Fields[] = [];
  for (const { block, scope: inner } of blocks) {
    if (block.type !== 'scaling' || block.labels[0] === undefined) continue;
    const label = block.labels[0].value.toLowerCase();
    const type = SCALED[label];
    if (type === undefined) {
      diagnostics.error('Invalid scaling policy name', 'scaling policy name must be "cpu" or "mem"', block.labels[0].range);
      continue;
    }
    const earlier = seen.get(label);
    if (earlier !== undefined) {
      const place = earlier.headRange.source.position(earlier.headRange.start);
      const end = earlier.headRange.source.position(earlier.headRange.end);
      diagnostics.error(
        `Duplicate scaling ${JSON.stringify(label)} block`,
        `Only one scaling ${label} block is allowed. Another was defined at ${earlier.headRange.source.filename}:${place.line},${place.column}-${end.column}.`,
        block.headRange,
      );
      continue;
    }
    seen.set(label, block);
    const policy = decodeBody(block.body, field.schema, inner, diagnostics);
    if (policy.type === undefined || policy.type === '') policy.type = type;
    else if (policy.type !== type) {
      diagnostics.error(
        'Invalid scaling policy type',
        `Invalid policy type, expected ${JSON.stringify(policy.type)} but found ${JSON.stringify(type)}`,
        block.headRange,
      );
    }
    scalings.push(policy);
  }
  if (scalings.length > 0) out.scalings = scalings;
  return out;
}

function withTemplateDefaults(fields: Fields): Fields {
  return { changeMode: 'restart', splay: '5s', perms: '0644', ...fields };
}
