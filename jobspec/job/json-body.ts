import type { Attribute, Block, Body, Expression, Label, ObjectItem } from '../hcl/ast.ts';
import { parseBigFloat } from '../hcl/big-float.ts';
import { Diagnostics } from '../hcl/diagnostic.ts';
import { parseJson, type JsonNode } from '../hcl/json.ts';
import { parseHclTemplate } from '../hcl/parser.ts';
import { Source } from '../hcl/source.ts';
import { FALSE, NULL, TRUE, number, string } from '../hcl/value.ts';
import type { BlockSchema } from './schema.ts';

/** What a JSON object may hold: which names are blocks, with how many labels. Everything else is an argument. */
export type JsonShape = (name: string) => { readonly labels: number; readonly inner: JsonShape } | undefined;

const NOTHING: JsonShape = () => undefined;

/** The shape of a block of the job file. */
export function shapeOf(schema: BlockSchema): JsonShape {
  return (name) => {
    const field = schema.fields.find((f) => f.hcl === name);
    if (field?.kind === 'block' || field?.kind === 'blocks') {
      return {
        labels: field.schema.label === undefined || field.schema.label.optional === true ? 0 : 1,
        inner: shapeOf(field.schema),
      };
    }
    return undefined;
  };
}

/**
 * Reads HCL's JSON syntax: `{"job": {"example": {"group": {"cache": {…}}}}}`. Which properties are blocks only the shape can tell. Texts are
 * templates, as between quotes in the native syntax.
 */
export function jsonBody(source: Source, shape: JsonShape = NOTHING): { body: Body; diagnostics: Diagnostics } {
  const diagnostics = new Diagnostics();
  const root = parseJson(source, diagnostics);
  if (root === undefined || root.kind !== 'object') {
    if (root !== undefined)
      diagnostics.error(
        'Root value must be object',
        'The root value in a JSON-based configuration must be an object.',
        root.range,
      );
    return { body: { attributes: new Map(), blocks: [], range: { source, start: 0, end: source.text.length } }, diagnostics };
  }
  return { body: body(root, shape, diagnostics), diagnostics };
}

function body(node: Extract<JsonNode, { kind: 'object' }>, shape: JsonShape, diagnostics: Diagnostics): Body {
  const attributes = new Map<string, Attribute>();
  const blocks: Block[] = [];
  for (const { key, keyRange, value } of node.entries) {
    if (key === '//') continue;
    const inner = shape(key);
    if (inner === undefined) {
      attributes.set(key, {
        name: key,
        nameRange: keyRange,
        expression: expression(value, diagnostics),
        range: { ...keyRange, end: value.range.end },
      });
    } else {
      const head: Label = { value: key, range: keyRange };
      unfold(head, [], value, inner.labels, inner.inner, blocks, diagnostics);
    }
  }
  return { attributes, blocks, range: node.range };
}

/** One object is one block, a list is several; each label is one more level of objects. */
function unfold(
  type: Label,
  labels: readonly Label[],
  value: JsonNode,
  left: number,
  inner: JsonShape,
  out: Block[],
  diagnostics: Diagnostics,
): void {
  if (value.kind === 'null') return;
  if (value.kind === 'array') {
    for (const item of value.items) unfold(type, labels, item, left, inner, out, diagnostics);
    return;
  }
  if (value.kind !== 'object') {
    diagnostics.error(
      'Incorrect JSON value type',
      left > 0
        ? `A JSON object is required, whose keys represent the ${type.value} block's labels.`
        : 'Either a JSON object or a JSON array is required, representing the contents of one or more blocks.',
      value.range,
    );
    return;
  }
  if (left > 0) {
    for (const { key, keyRange, value: next } of value.entries) {
      unfold(type, [...labels, { value: key, range: keyRange }], next, left - 1, inner, out, diagnostics);
    }
    return;
  }
  out.push({
    type: type.value,
    typeRange: type.range,
    labels,
    body: body(value, inner, diagnostics),
    headRange: { ...type.range, end: (labels.at(-1) ?? type).range.end },
  });
}

function expression(node: JsonNode, diagnostics: Diagnostics): Expression {
  const { range } = node;
  switch (node.kind) {
    case 'null':
      return { kind: 'literal', value: NULL, range };
    case 'bool':
      return { kind: 'literal', value: node.value ? TRUE : FALSE, range };
    case 'number':
      return { kind: 'literal', value: number(parseBigFloat(node.text) ?? { mantissa: 0n, exponent: 0 }), range };
    case 'string': {
      if (!/[$%]\{/.test(node.value)) return { kind: 'literal', value: string(node.value), range };
      const parsed = parseHclTemplate(new Source(node.value, range.source.filename));
      for (const d of parsed.diagnostics.list) diagnostics.list.push({ ...d, range });
      return { kind: 'parentheses', inner: parsed.expression, range };
    }
    case 'array':
      return { kind: 'tuple', items: node.items.map((item) => expression(item, diagnostics)), openRange: range, range };
    case 'object': {
      const items = node.entries.map(({ key, keyRange, value }): ObjectItem => ({
        key: { kind: 'literal', value: string(key), range: keyRange },
        bareKey: false,
        value: expression(value, diagnostics),
      }));
      return { kind: 'object', items, openRange: range, range };
    }
  }
}
