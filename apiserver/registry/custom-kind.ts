import type { CustomResourceDefinition as Definition } from '../../openapi/index.ts';
import { components, defineApiKind, type ApiKind } from './kinds.ts';
import { isObject } from './object.ts';
import { SchemaSet, type JsonSchema } from './schema.ts';

/** Kinds that come at run time, made from their definitions. */

/** One version of a definition as the server works with it. Throws where the definition was never admitted as it is. */
export function customKind(definition: Definition, version: string): ApiKind {
  const declared = definition.spec.versions.find(({ name }) => name === version);
  const source = (declared?.schema?.openAPIV3Schema ?? { type: 'object' }) as JsonSchema;
  const storage = definition.spec.versions.find((v) => v.storage)?.name ?? version;
  return defineApiKind(definition, version, new SchemaSet({}), withEnvelope(source), {
    body: workingSchema(source),
    storedAs: storage,
    custom: true,
  });
}

/** What OpenAPI shows: the schema, and the fields that every object has. */
function withEnvelope(source: JsonSchema): JsonSchema {
  const metadata = META.find((name) => name in components)!;
  return {
    ...source,
    type: 'object',
    properties: {
      apiVersion: { type: 'string', description: 'Group and version of the schema.' },
      kind: { type: 'string', description: 'The kind.' },
      metadata: { allOf: [{ $ref: `#/components/schemas/${metadata}` }], description: 'Standard metadata.' },
      ...Object.fromEntries(Object.entries(source.properties ?? {}).filter(([name]) => !ENVELOPE.includes(name))),
    },
  };
}

const META = ['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
const ENVELOPE = ['apiVersion', 'kind', 'metadata'];

/** What validators understand of a schema; the rest is for people, or said by other keywords. */
const KEPT = [
  'type', 'nullable', 'enum', 'pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties', 'multipleOf', 'required',
  'default', 'x-kubernetes-preserve-unknown-fields', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys',
] as const; // prettier-ignore
const FORMATS = new Set([
  'int32', 'int64', 'float', 'double', 'byte', 'date', 'date-time', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid',
]); // prettier-ignore

/**
 * The schema in the words of the validator (JSON Schema instead of OpenAPI 3.0), with what embedded objects have anyway. Formats that
 * nobody knows are left out, as Kubernetes does.
 */
export function workingSchema(schema: JsonSchema): JsonSchema {
  const out: JsonSchema = {};
  const words = out as Record<string, unknown>;
  for (const keyword of KEPT) if (schema[keyword] !== undefined) words[keyword] = schema[keyword];
  const { format, minimum, maximum } = schema;
  if (format === 'duration') out.format = 'go-duration';
  else if (format !== undefined && FORMATS.has(format)) out.format = format;
  if (minimum !== undefined) words[schema['exclusiveMinimum'] === true ? 'exclusiveMinimum' : 'minimum'] = minimum;
  if (maximum !== undefined) words[schema['exclusiveMaximum'] === true ? 'exclusiveMaximum' : 'maximum'] = maximum;
  if (schema['x-kubernetes-int-or-string'] === true) {
    // Validators take a list of types, which is all that the usual anyOf says.
    words['type'] = ['integer', 'string', ...(schema.nullable === true ? ['null'] : [])];
    delete out.nullable;
  }
  if (schema.properties !== undefined) out.properties = mapValues(schema.properties, workingSchema);
  if (schema.items !== undefined) out.items = workingSchema(schema.items);
  if (schema.additionalProperties !== undefined)
    out.additionalProperties = isObject(schema.additionalProperties)
      ? workingSchema(schema.additionalProperties)
      : schema.additionalProperties;
  for (const rule of ['allOf', 'anyOf', 'oneOf'] as const) {
    const rules = schema[rule] as JsonSchema[] | undefined;
    if (rules !== undefined) words[rule] = rules.map(workingSchema);
  }
  if (schema['not'] !== undefined) out['not'] = workingSchema(schema['not'] as JsonSchema);
  return schema['x-kubernetes-embedded-resource'] === true ? embedded(out) : out;
}

function embedded(schema: JsonSchema): JsonSchema {
  const text: JsonSchema = { type: 'string', minLength: 1 };
  const metadata: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    ...schema,
    properties: { ...schema.properties, apiVersion: text, kind: text, metadata },
    required: [...new Set([...(schema.required ?? []), 'apiVersion', 'kind'])],
  };
}

const mapValues = <V, W>(record: Record<string, V>, map: (value: V) => W): Record<string, W> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
