import type { JsonSchema } from '../registry/schema.ts';

/** How a value is put together, as far as it matters who owns which part of it. */
export type Shape =
  /** An object whose fields have owners of their own; `rest` is the shape of fields that are not declared. */
  | { readonly type: 'struct'; readonly field: (name: string) => Shape | undefined; readonly rest?: Shape }
  /** A list whose items are told apart by keys. */
  | { readonly type: 'keyed'; readonly keys: readonly string[]; readonly item: Shape }
  /** A list of values in which none stands twice. */
  | { readonly type: 'set' }
  /** Anything: objects are structs of fields that nobody declared, all else is whole. */
  | { readonly type: 'open' }
  /** A value that is owned as a whole. */
  | { readonly type: 'leaf' };

export const leaf: Shape = { type: 'leaf' };
export const open: Shape = { type: 'open' };

export const struct = (fields: Readonly<Record<string, Shape>>, rest?: Shape): Shape => ({
  type: 'struct',
  field: (name) => (Object.hasOwn(fields, name) ? fields[name] : undefined),
  ...(rest && { rest }),
});

/** The part of metadata that has owners. */
export const metadataShape: Shape = struct({
  labels: struct({}, leaf),
  annotations: struct({}, leaf),
  finalizers: { type: 'set' },
  ownerReferences: { type: 'keyed', keys: ['uid'], item: struct({}, leaf) },
});

const known = new WeakMap<JsonSchema, Shape>();

/** The shape that a schema gives; `resolve` follows its references. A schema may contain itself: parts are looked at when needed. */
export function shapeOf(schema: JsonSchema, resolve: (schema: JsonSchema) => JsonSchema): Shape {
  const source = resolve(schema);
  let shape = known.get(source);
  if (shape === undefined) known.set(source, (shape = build(source, resolve)));
  return shape;
}

function build(schema: JsonSchema, resolve: (schema: JsonSchema) => JsonSchema): Shape {
  if (schema['x-kubernetes-int-or-string'] === true) return leaf;
  if (schema.items !== undefined || schema.type === 'array') {
    const { items } = schema;
    const keys = schema['x-kubernetes-list-map-keys'];
    if (schema['x-kubernetes-list-type'] === 'set') return { type: 'set' };
    if (schema['x-kubernetes-list-type'] !== 'map' || items === undefined || !Array.isArray(keys)) return leaf;
    return {
      type: 'keyed',
      keys: keys as string[],
      get item() {
        return shapeOf(items, resolve);
      },
    };
  }
  if (schema['x-kubernetes-map-type'] === 'atomic') return leaf;
  const { properties = {}, additionalProperties } = schema;
  const anything = schema['x-kubernetes-preserve-unknown-fields'] === true || additionalProperties === true;
  const declared = Object.keys(properties).length > 0;
  if (!declared && anything) return open;
  if (declared || schema.type === 'object' || typeof additionalProperties === 'object') {
    return {
      type: 'struct',
      field: (name) => (Object.hasOwn(properties, name) ? shapeOf(properties[name]!, resolve) : undefined),
      get rest() {
        if (typeof additionalProperties === 'object') return shapeOf(additionalProperties, resolve);
        return open;
      },
    };
  }
  return schema.type === undefined ? open : leaf;
}
