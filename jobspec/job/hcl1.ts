import type { Attribute, Block, Body, Expression } from '../hcl/ast.ts';
import type { Diagnostics } from '../hcl/diagnostic.ts';
import { taskBlock, vaultBlock, type BlockSchema } from './schema.ts';

/**
 * Makes a body in the older grammar (HCL 1) look like one of today: `group = { … }` and `check = [{ … }, { … }]` are blocks, and values are plain: what looks
 * like an interpolation is text, functions and references do not exist.
 */
export function modernBody(body: Body, schema: BlockSchema | undefined, diagnostics: Diagnostics): Body {
  const attributes = new Map<string, Attribute>();
  const blocks: Block[] = [];
  for (const attribute of body.attributes.values()) {
    const nested = schemaOf(schema, attribute.name);
    const made = nested === undefined ? undefined : blocksOf(attribute, nested);
    if (made !== undefined) blocks.push(...made.map((b) => ({ ...b, body: modernBody(b.body, nested, diagnostics) })));
    else {
      plainOnly(attribute.expression, diagnostics);
      attributes.set(attribute.name, attribute);
    }
  }
  for (const block of body.blocks) {
    const made = { ...block, body: modernBody(block.body, schemaOf(schema, block.type), diagnostics) };
    const kind = schema?.fields.find((f) => f.hcl === block.type)?.kind;
    const earlier = kind === 'map' || kind === 'free' ? blocks.findIndex((b) => b.type === block.type) : -1;
    if (earlier === -1) blocks.push(made);
    else blocks[earlier] = merged(blocks[earlier]!, made);
  }
  return { attributes, blocks, range: body.range };
}

/** The table of a block; a task and what it shares may also stand directly in a job or a group. */
function schemaOf(schema: BlockSchema | undefined, name: string): BlockSchema | undefined {
  const field = schema?.fields.find((f) => f.hcl === name);
  if (field?.kind === 'block' || field?.kind === 'blocks') return field.schema;
  if (schema?.name === 'Job' && name === 'task') return taskBlock;
  return (schema?.name === 'Job' || schema?.name === 'TaskGroup') && name === 'vault' ? vaultBlock : undefined;
}

/** Maps that are written in several parts are one. */
function merged(a: Block, b: Block): Block {
  const attributes = new Map([...a.body.attributes, ...b.body.attributes]);
  return { ...a, body: { attributes, blocks: [...a.body.blocks, ...b.body.blocks], range: a.body.range } };
}

/** Objects given as the value of a name that is a block; with a label each key is one more block. */
function blocksOf(attribute: Attribute, schema: BlockSchema): Block[] | undefined {
  const { expression } = attribute;
  const objects = expression.kind === 'object' ? [expression] : expression.kind === 'tuple' ? expression.items : undefined;
  if (objects === undefined || !objects.every((o) => o.kind === 'object')) return undefined;
  const block = (e: Expression, labels: Block['labels']): Block => ({
    type: attribute.name,
    typeRange: attribute.nameRange,
    labels,
    body: bodyOf(e),
    headRange: attribute.nameRange,
  });
  return objects.flatMap((o) => {
    if (schema.label === undefined || o.kind !== 'object') return [block(o, [])];
    return o.items.map((item) => block(item.value, [{ value: keyOf(item.key), range: item.key.range }]));
  });
}

function bodyOf(e: Expression): Body {
  const attributes = new Map<string, Attribute>();
  if (e.kind === 'object') {
    for (const { key, value } of e.items) {
      const name = keyOf(key);
      attributes.set(name, { name, nameRange: key.range, expression: value, range: { ...key.range, end: value.range.end } });
    }
  }
  return { attributes, blocks: [], range: e.range };
}

function keyOf(key: Expression): string {
  if (key.kind === 'variable') return key.name;
  if (key.kind === 'literal' && key.value.kind === 'string') return key.value.string;
  if (key.kind === 'template' && key.parts[0] !== undefined) return keyOf(key.parts[0]);
  return '';
}

function plainOnly(e: Expression, diagnostics: Diagnostics): void {
  switch (e.kind) {
    case 'literal':
      return;
    case 'template':
      e.parts.forEach((part) => plainOnly(part, diagnostics));
      return;
    case 'tuple':
      e.items.forEach((item) => plainOnly(item, diagnostics));
      return;
    case 'object':
      e.items.forEach((item) => plainOnly(item.value, diagnostics));
      return;
    case 'unary':
      if (e.operator === '-') return plainOnly(e.operand, diagnostics);
      break;
    case 'wrap':
    case 'template-join':
    case 'variable':
    case 'traverse':
    case 'index':
    case 'splat':
    case 'element':
    case 'call':
    case 'conditional':
    case 'binary':
    case 'parentheses':
    case 'for':
      break;
  }
  diagnostics.error(
    'Expression not allowed',
    'Job files in HCL 1 hold plain values only; without -hcl1 expressions are allowed.',
    e.range,
  );
}
