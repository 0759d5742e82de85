import type { Block, Body } from '../hcl/ast.ts';
import type { Diagnostics } from '../hcl/diagnostic.ts';
import { elements, evaluate, withVariables, type Scope } from '../hcl/evaluate.ts';
import { convert } from '../hcl/convert.ts';
import type { Range } from '../hcl/source.ts';
import { STRING, friendlyName, object, typeOf, type Value } from '../hcl/value.ts';

/** A block with the names that its content may use. */
export interface ScopedBlock {
  readonly block: Block;
  readonly scope: Scope;
}

/** How many blocks one `dynamic` may make. */
const MAX_DYNAMIC = 10_000;

/** The blocks of a body, with each `dynamic "x"` replaced by the blocks that it stands for. */
export function expandBlocks(body: Body, scope: Scope, diagnostics: Diagnostics): ScopedBlock[] {
  return body.blocks.flatMap((block) => (block.type === 'dynamic' ? dynamic(block, scope, diagnostics) : [{ block, scope }]));
}

function dynamic(block: Block, scope: Scope, diagnostics: Diagnostics): ScopedBlock[] {
  const open: Range = { source: block.body.range.source, start: block.body.range.start, end: block.body.range.start };
  const label = block.labels[0];
  if (label === undefined || block.labels.length > 1) {
    diagnostics.error(
      'Missing type for dynamic',
      'All dynamic blocks must have 1 labels (type).',
      block.labels[1]?.range ?? open,
    );
    return [];
  }
  const { attributes } = block.body;
  for (const [name, attribute] of attributes) {
    if (!['for_each', 'iterator', 'labels'].includes(name)) {
      diagnostics.error(
        'Unsupported argument',
        `An argument named ${JSON.stringify(name)} is not expected here.`,
        attribute.nameRange,
      );
    }
  }
  const forEach = attributes.get('for_each');
  const content = block.body.blocks.find((b) => b.type === 'content');
  for (const b of block.body.blocks) {
    if (b.type !== 'content') {
      diagnostics.error('Unsupported block type', `Blocks of type ${JSON.stringify(b.type)} are not expected here.`, b.typeRange);
    } else if (b !== content) {
      diagnostics.error(
        'Extraneous dynamic content block',
        'Only one nested content block is allowed for each dynamic block.',
        b.headRange,
      );
    }
  }
  if (forEach === undefined) {
    diagnostics.error('Missing required argument', 'The argument "for_each" is required, but no definition was found.', open);
    return [];
  }
  if (content === undefined) {
    diagnostics.error(
      'Missing dynamic content block',
      'A dynamic block must have a nested block of type "content" to describe the body of each generated block.',
      open,
    );
    return [];
  }
  let iterator = label.value;
  const named = attributes.get('iterator');
  if (named !== undefined) {
    if (named.expression.kind === 'variable' && named.expression.steps.length === 0) iterator = named.expression.name;
    else {
      diagnostics.error(
        'Invalid expression',
        'A single static variable reference is required: only attribute access and indexing with constant keys. No calculations, function calls, template expressions, etc are allowed here.',
        named.expression.range,
      );
    }
  }
  const collection = evaluate(forEach.expression, scope, diagnostics);
  if (collection.kind === 'unknown') return [];
  if (collection.kind === 'null') {
    diagnostics.error('Invalid dynamic for_each value', 'Cannot use a null value in for_each.', forEach.expression.range);
    return [];
  }
  const pairs = elements(collection);
  if (pairs === undefined) {
    diagnostics.error(
      'Invalid dynamic for_each value',
      `Cannot use a ${friendlyName(typeOf(collection))} value in for_each. An iterable collection is required.`,
      forEach.expression.range,
    );
    return [];
  }
  if (pairs.length > MAX_DYNAMIC) {
    diagnostics.error(
      'Too many dynamic blocks',
      `One dynamic block may generate ${MAX_DYNAMIC} blocks.`,
      forEach.expression.range,
    );
    return [];
  }
  const labels = attributes.get('labels');
  return pairs.flatMap(([key, value]) => {
    const each = object([
      ['key', key],
      ['value', value],
    ]);
    const inner = withVariables(scope, new Map([[iterator, each]]));
    let generated: Block['labels'] = [];
    if (labels !== undefined) {
      const values = evaluate(labels.expression, inner, diagnostics);
      const texts = labelTexts(values);
      if (texts === undefined) {
        if (values.kind !== 'unknown') {
          diagnostics.error('Invalid dynamic block labels', 'The labels must be a list of strings.', labels.expression.range);
        }
        return [];
      }
      generated = texts.map((text) => ({ value: text, range: labels.expression.range }));
    }
    const made: Block = {
      type: label.value,
      typeRange: label.range,
      labels: generated,
      body: content.body,
      headRange: block.headRange,
    };
    return [{ block: made, scope: inner }];
  });
}

function labelTexts(v: Value): string[] | undefined {
  if (v.kind !== 'list' && v.kind !== 'tuple' && v.kind !== 'set') return undefined;
  const out: string[] = [];
  for (const item of v.items) {
    try {
      const s = convert(item, STRING);
      if (s.kind !== 'string') return undefined;
      out.push(s.string);
    } catch {
      return undefined;
    }
  }
  return out;
}
