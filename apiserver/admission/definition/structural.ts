import type { StatusCause } from '../../../base/index.ts';
import { duplicate, forbiddenField, invalidValue, required } from '../../registry/errors.ts';
import { formatPath, isObject, type JsonObject } from '../../registry/object.ts';
import type { JsonSchema } from '../../registry/schema.ts';
import { wrongType } from '../../registry/metadata.ts';

/**
 * Whether a schema is structural: the type of every field is known without looking at a value, so that unknown fields can be dropped,
 * defaults filled in, and `explain` knows what to say. Rules between fields (allOf, anyOf, oneOf, not) may narrow, never add.
 */

/** Larger and deeper ones are refused; whatever walks a schema may recurse. */
const MAX_NODES = 20_000;
const MAX_DEPTH = 48;

type Check = (value: unknown) => string | undefined;
const is =
  (type: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : type;
const text = is('string', (v) => typeof v === 'string');
const bool = is('boolean', (v) => typeof v === 'boolean');
const number = is('number', (v) => typeof v === 'number');
const count = is('non-negative integer', (v) => Number.isSafeInteger(v) && (v as number) >= 0);
const list = is('array', Array.isArray);
const object = is('object', isObject);
const strings = is('array of strings', (v) => Array.isArray(v) && v.every((item) => typeof item === 'string'));
const any: Check = () => undefined;

/** What a schema may say, and in which form. */
const KEYWORDS = new Map<string, Check>([
  ...['type', 'description', 'title', 'format', 'pattern'].map((k) => [k, text] as const),
  ...['nullable', 'exclusiveMinimum', 'exclusiveMaximum', 'uniqueItems'].map((k) => [k, bool] as const),
  ...['minimum', 'maximum', 'multipleOf'].map((k) => [k, number] as const),
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'].map((k) => [k, count] as const),
  ...['allOf', 'anyOf', 'oneOf', 'enum'].map((k) => [k, list] as const),
  ...['properties', 'items', 'not', 'externalDocs'].map((k) => [k, object] as const),
  ['required', strings],
  ['additionalProperties', is('object or boolean', (v) => isObject(v) || typeof v === 'boolean')],
  ['default', any],
  ['example', any],
  ['x-kubernetes-preserve-unknown-fields', is('true', (v) => v === true)],
  ['x-kubernetes-embedded-resource', bool],
  ['x-kubernetes-int-or-string', bool],
  ['x-kubernetes-list-type', is('"atomic", "set" or "map"', (v) => v === 'atomic' || v === 'set' || v === 'map')],
  ['x-kubernetes-list-map-keys', strings],
  ['x-kubernetes-map-type', is('"granular" or "atomic"', (v) => v === 'granular' || v === 'atomic')],
]);
const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** In rules these would add what the schema proper does not say. */
const NOT_IN_RULES = ['type', 'description', 'default', 'nullable', 'additionalProperties', 'title', 'example'];
/** The one exception: how Kubernetes spells an integer or a string. */
const INT_OR_STRING = JSON.stringify([{ type: 'integer' }, { type: 'string' }]);

const WHY: Record<string, string> = {
  $ref: 'references cannot be used: write the schema out where it is needed',
  'x-kubernetes-validations': 'rules in CEL are not evaluated here, and a kind must not look safer than it is: leave them out',
};

interface Walk {
  readonly causes: StatusCause[];
  nodes: number;
}

/** Everything that keeps the schema of a kind from being structural. `path` is where it is in the definition. */
export function structuralProblems(schema: unknown, path: readonly (string | number)[]): StatusCause[] {
  const walk: Walk = { causes: [], nodes: 0 };
  if (!isObject(schema)) return [wrongType(formatPath(path), schema, 'object')];
  visit(schema, path, walk);
  if (schema['type'] !== undefined && schema['type'] !== 'object')
    walk.causes.push(invalidValue(formatPath([...path, 'type']), schema['type'], 'must be object at the root'));
  if (schema['nullable'] === true) walk.causes.push(forbiddenField(formatPath([...path, 'nullable']), 'the root cannot be null'));
  walk.causes.push(...metadataProblems(schema, path));
  return walk.causes;
}

function visit(schema: JsonObject, path: readonly (string | number)[], walk: Walk): void {
  if (!enter(path, walk)) return;
  const { causes } = walk;
  const at = (...more: (string | number)[]): string => formatPath([...path, ...more]);
  keywords(schema, path, causes);
  const type = schema['type'];
  const loose = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === undefined && !loose) causes.push(required(at('type'), 'Required value: must not be empty for specified fields'));
  if (typeof type === 'string' && !TYPES.includes(type)) {
    const known = TYPES.map((t) => JSON.stringify(t)).join(', ');
    causes.push({ reason: 'FieldValueNotSupported', message: `Unsupported value: ${JSON.stringify(type)}: supported values: ${known}`, field: at('type') }); // prettier-ignore
  }
  if (schema['x-kubernetes-int-or-string'] === true && type !== undefined)
    causes.push(forbiddenField(at('type'), 'must be empty where x-kubernetes-int-or-string is true'));
  if (schema['properties'] !== undefined && schema['additionalProperties'] !== undefined)
    causes.push(forbiddenField(at('additionalProperties'), 'additionalProperties and properties are mutually exclusive'));
  if (schema['additionalProperties'] === false)
    causes.push(forbiddenField(at('additionalProperties'), 'must not be set to false: fields that are not declared are dropped anyway')); // prettier-ignore
  if (schema['uniqueItems'] === true)
    causes.push(forbiddenField(at('uniqueItems'), 'cannot be set to true: use x-kubernetes-list-type: set'));
  if (type === 'array' && schema['items'] === undefined)
    causes.push(required(at('items'), 'Required value: must be specified for arrays'));
  if (schema['items'] !== undefined && type !== 'array')
    causes.push(forbiddenField(at('items'), 'only arrays have items; set type to array'));
  if ((schema['properties'] ?? schema['additionalProperties']) !== undefined && type !== undefined && type !== 'object')
    causes.push(forbiddenField(at('type'), 'only objects have properties; set type to object'));
  listProblems(schema, path, causes);
  if (schema['x-kubernetes-embedded-resource'] === true) {
    if (type !== 'object') causes.push(invalidValue(at('type'), type, 'must be object where x-kubernetes-embedded-resource is true')); // prettier-ignore
    if (schema['properties'] === undefined && schema['x-kubernetes-preserve-unknown-fields'] !== true)
      causes.push(required(at('properties'), 'Required value: must not be empty where x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields')); // prettier-ignore
  }
  for (const [name, property] of Object.entries(isObject(schema['properties']) ? schema['properties'] : {}))
    child(property, [...path, 'properties', name], walk);
  if (schema['items'] !== undefined) child(schema['items'], [...path, 'items'], walk);
  if (isObject(schema['additionalProperties'])) child(schema['additionalProperties'], [...path, 'additionalProperties'], walk);
  for (const [rule, where] of rulesOf(schema)) checkRule(rule, schema, [...path, ...where], walk);
}

function child(schema: unknown, path: readonly (string | number)[], walk: Walk): void {
  if (isObject(schema)) visit(schema, path, walk);
  else walk.causes.push(wrongType(formatPath(path), schema, 'object'));
}

function enter(path: readonly (string | number)[], walk: Walk): boolean {
  if (++walk.nodes > MAX_NODES || path.length > MAX_DEPTH * 2) {
    const why = walk.nodes > MAX_NODES ? `has more than ${MAX_NODES} parts` : `is nested deeper than ${MAX_DEPTH} levels`;
    if (walk.causes.at(-1)?.message.includes(why) !== true)
      walk.causes.push(forbiddenField(formatPath(path.slice(0, 8)), `the schema ${why}`));
    return false;
  }
  return true;
}

/** Keywords that are unknown, refused or of the wrong form. */
function keywords(schema: JsonObject, path: readonly (string | number)[], causes: StatusCause[]): void {
  for (const [name, value] of Object.entries(schema)) {
    const field = formatPath([...path, name]);
    const check = KEYWORDS.get(name);
    if (check === undefined) {
      causes.push(forbiddenField(field, WHY[name] ?? 'not a keyword of structural schemas'));
      continue;
    }
    const expected = check(value);
    if (expected !== undefined) causes.push(wrongType(field, value, expected));
    else if (name === 'pattern') {
      const why = patternProblem(value as string);
      if (why !== undefined) causes.push(invalidValue(field, value, why));
    } else if (name === 'enum' && (value as unknown[]).length === 0) causes.push(invalidValue(field, value, 'must name a value'));
  }
}

function patternProblem(pattern: string): string | undefined {
  try {
    new RegExp(pattern, 'u');
    return undefined;
  } catch (error) {
    return `must be a regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function listProblems(schema: JsonObject, path: readonly (string | number)[], causes: StatusCause[]): void {
  const at = (...more: string[]): string => formatPath([...path, ...more]);
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  if (listType !== undefined && schema['type'] !== 'array')
    causes.push(forbiddenField(at('x-kubernetes-list-type'), 'only arrays have a list type'));
  if (keys !== undefined && listType !== 'map')
    causes.push(forbiddenField(at('x-kubernetes-list-map-keys'), 'only lists of type map have keys'));
  if (listType !== 'map') return;
  const items = schema['items'];
  const properties = isObject(items) && isObject(items['properties']) ? items['properties'] : {};
  if (isObject(items) && items['type'] !== 'object')
    causes.push(invalidValue(at('items', 'type'), items['type'], 'must be object where x-kubernetes-list-type is map'));
  if (!Array.isArray(keys) || keys.length === 0) {
    causes.push(required(at('x-kubernetes-list-map-keys'), 'Required value: must not be empty where x-kubernetes-list-type is map')); // prettier-ignore
    return;
  }
  const requiredKeys: unknown = isObject(items) ? items['required'] : undefined;
  keys.forEach((key: unknown, i) => {
    const field = formatPath([...path, 'x-kubernetes-list-map-keys', i]);
    if (keys.indexOf(key) !== i) causes.push(duplicate(field, key));
    const property = typeof key === 'string' && Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (!isObject(property)) causes.push(invalidValue(field, key, 'must be a property of the items'));
    else if (property['type'] === 'object' || property['type'] === 'array')
      causes.push(invalidValue(field, key, 'must be a scalar property of the items'));
    else if (property['default'] === undefined && !(Array.isArray(requiredKeys) && requiredKeys.includes(key)))
      causes.push(required(formatPath([...path, 'items', 'properties', String(key), 'default']), `Required value: the key ${JSON.stringify(key)} of the list must be required or have a default`)); // prettier-ignore
  });
}

function* rulesOf(schema: JsonObject): Generator<[rule: unknown, path: (string | number)[]]> {
  for (const name of ['allOf', 'anyOf', 'oneOf']) {
    const rules = schema[name];
    if (Array.isArray(rules)) for (const [i, rule] of rules.entries()) yield [rule, [name, i]];
  }
  if (schema['not'] !== undefined) yield [schema['not'], ['not']];
}

/** A rule about a schema: it may only speak of what the schema declares. */
function checkRule(rule: unknown, about: JsonObject, path: readonly (string | number)[], walk: Walk): void {
  if (!isObject(rule)) {
    walk.causes.push(wrongType(formatPath(path), rule, 'object'));
    return;
  }
  if (!enter(path, walk)) return;
  keywords(rule, path, walk.causes);
  const isIntOrString = about['x-kubernetes-int-or-string'] === true && saysIntOrString(about);
  for (const name of Object.keys(rule)) {
    if (isIntOrString && (name === 'type' || name === 'anyOf')) continue;
    if (NOT_IN_RULES.includes(name) || name.startsWith('x-kubernetes-'))
      walk.causes.push(forbiddenField(formatPath([...path, name]), 'must not be set in allOf, anyOf, oneOf and not')); // prettier-ignore
  }
  const properties = isObject(about['properties']) ? about['properties'] : {};
  const rest = about['additionalProperties'];
  for (const [name, part] of Object.entries(isObject(rule['properties']) ? rule['properties'] : {})) {
    const declared = Object.hasOwn(properties, name) ? properties[name] : rest;
    if (isObject(declared)) checkRule(part, declared, [...path, 'properties', name], walk);
    else if (about['x-kubernetes-preserve-unknown-fields'] !== true)
      walk.causes.push(required(formatPath([...path, 'properties', name]), 'Required value: must be declared outside of allOf, anyOf, oneOf and not as well')); // prettier-ignore
  }
  if (rule['items'] !== undefined) checkRule(rule['items'], isObject(about['items']) ? about['items'] : {}, [...path, 'items'], walk); // prettier-ignore
  for (const [inner, where] of rulesOf(rule)) checkRule(inner, about, [...path, ...where], walk);
}

/** `anyOf: [{type: integer}, {type: string}]`, alone or as the first rule of allOf. */
function saysIntOrString(schema: JsonObject): boolean {
  const first = Array.isArray(schema['allOf']) ? (schema['allOf'][0] as unknown) : undefined;
  return [schema, first].some((part) => isObject(part) && JSON.stringify(part['anyOf']) === INT_OR_STRING);
}

/** Of metadata a kind may only narrow the name. */
function metadataProblems({ properties }: JsonObject, path: readonly (string | number)[]): StatusCause[] {
  const metadata = isObject(properties) ? properties['metadata'] : undefined;
  if (!isObject(metadata)) return [];
  const at = [...path, 'properties', 'metadata'];
  const inside = isObject(metadata['properties']) ? Object.keys(metadata['properties']) : [];
  return [
    ...Object.keys(metadata)
      .filter((keyword) => !['type', 'description', 'properties'].includes(keyword))
      .map((keyword) => forbiddenField(formatPath([...at, keyword]), 'metadata is the same for all kinds')),
    ...inside
      .filter((name) => name !== 'name' && name !== 'generateName')
      .map((name) => forbiddenField(formatPath([...at, 'properties', name]), 'of metadata only name and generateName can be narrowed')), // prettier-ignore
  ];
}

/** Every default of a schema, with where it stands and what it is a value of. */
export function* defaultsIn(
  schema: JsonSchema,
  path: readonly (string | number)[],
): Generator<{ readonly value: unknown; readonly schema: JsonSchema; readonly path: readonly (string | number)[] }> {
  if (schema.default !== undefined) yield { value: schema.default, schema, path: [...path, 'default'] };
  for (const [name, property] of Object.entries(schema.properties ?? {})) yield* defaultsIn(property, [...path, 'properties', name]); // prettier-ignore
  if (schema.items !== undefined) yield* defaultsIn(schema.items, [...path, 'items']);
  if (isObject(schema.additionalProperties)) yield* defaultsIn(schema.additionalProperties, [...path, 'additionalProperties']);
}
