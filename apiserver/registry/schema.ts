import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormatsModule, { type FormatsPlugin } from 'ajv-formats';
import { parseDuration, type StatusCause } from '../../base/index.ts';
import { duplicate, invalidValue, required, shorten } from './errors.ts';
import { formatPath, isObject, valueAt, type JsonObject } from './object.ts';

/** An OpenAPI v3 schema as CustomResourceDefinitions carry it. */
export interface JsonSchema {
  $ref?: string;
  type?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  allOf?: JsonSchema[];
  required?: string[];
  enum?: unknown[];
  default?: unknown;
  format?: string;
  nullable?: boolean;
  [keyword: string]: unknown;
}

/** What a body holds beyond its schema, and what it repeats. */
export interface Findings {
  readonly unknown: string[];
  readonly causes: StatusCause[];
}

export interface KindSchema {
  readonly source: JsonSchema;
  /** A schema of this kind, or of one of its parts, with its references followed. */
  readonly resolve: (schema: JsonSchema) => JsonSchema;
  /**
   * The object without fields that the schema lacks, without nulls that mean "absent", and with defaults filled in. Metadata is
   * left alone. What need not change is shared with the argument, which is not touched.
   */
  clean(object: JsonObject, findings: Findings): JsonObject;
  /** Everything that is wrong with a cleaned object, metadata aside. */
  validate(object: JsonObject): StatusCause[];
  /** The same of its status alone. */
  validateStatus(object: JsonObject): StatusCause[];
  /** Compiles what `validate` needs, a part at each step, so that others may come in between. */
  compile(): Generator<void, void, undefined>;
}

/** Deeper objects are refused: everything that walks an object may then recurse. */
const MAX_DEPTH = 64;

/** Schemas that refer to each other, with one validator for all. Validators are compiled when first needed, each once. */
export class SchemaSet {
  readonly #components: Record<string, JsonSchema>;
  readonly #ajv: Ajv;
  readonly #cleaners = new Map<JsonSchema, Cleaner>();
  readonly #compiled = new Set<string>();

  constructor(components: Record<string, JsonSchema>) {
    this.#components = components;
    this.#ajv = new Ajv({ allErrors: true, strict: false, verbose: true, addUsedSchema: false, validateSchema: false, meta: false, code: { optimize: false } }); // prettier-ignore
    addFormats(this.#ajv);
    const dateTime = this.#ajv.formats['date-time'] as { validate: (text: string) => boolean };
    this.#ajv.addFormat('date-time', {
      ...dateTime,
      validate: (text: string) => PLAIN_TIME.test(text) || dateTime.validate(text),
    });
    this.#ajv.addFormat('go-duration', { type: 'string', validate: (text: string) => parseDuration(text) !== undefined });
    for (const [name, schema] of Object.entries(components)) this.#ajv.addSchema(relative(schema), `/schemas/${name}`);
  }

  /** `form` is what objects are cleaned and judged by, where that is not what is shown. What it says of metadata is only judged by. */
  kind(source: JsonSchema, form = source): KindSchema {
    const properties = Object.fromEntries(Object.entries(form.properties ?? {}).filter(([name]) => !ENVELOPE.has(name)));
    const body: JsonSchema = { ...form, properties, required: (form.required ?? []).filter((name) => !ENVELOPE.has(name)) };
    const metadata = form === source ? undefined : form.properties?.['metadata'];
    const judged = metadata === undefined ? body : { ...body, properties: { ...properties, metadata } };
    let clean: Cleaner | undefined;
    let validate: ValidateFunction | undefined;
    let validateStatus: ValidateFunction | undefined;
    const status = form.properties?.['status'];
    const compiled = (): ValidateFunction => (validate ??= this.#ajv.compile(relative(judged)));
    const compileParts = (): Generator<void, void, undefined> => this.#compileParts(body);
    return {
      source,
      resolve: (schema) => this.#resolve(schema),
      clean: (object, findings) => {
        clean ??= this.#object(body, true);
        return clean(object, [], findings) as JsonObject;
      },
      validate: (object) => {
        const judge = compiled();
        return judge(object) ? [] : describe(judge.errors ?? [], object);
      },
      validateStatus: ({ status: value }) => {
        if (value === undefined) return [];
        const judge = (validateStatus ??= this.#ajv.compile(
          relative({ type: 'object', properties: { ...(status && { status }) } }),
        ));
        return judge({ status: value }) ? [] : describe(judge.errors ?? [], { status: value });
      },
      *compile() {
        yield* compileParts();
        compiled();
      },
    };
  }

  /** The shared parts of a schema, each after those that it refers to. What refers to nothing is written out where it is used. */
  *#compileParts(schema: JsonSchema): Generator<void, void, undefined> {
    for (const name of referencesIn(schema)) {
      if (this.#compiled.has(name)) continue;
      this.#compiled.add(name);
      const part = this.#components[name]!;
      if (referencesIn(part).size === 0) continue;
      yield* this.#compileParts(part);
      this.#ajv.getSchema(`/schemas/${name}`);
      yield;
    }
  }

  #resolve(schema: JsonSchema): JsonSchema {
    let at = schema;
    for (;;) {
      const ref = at.$ref ?? (at.allOf?.length === 1 ? at.allOf[0]!.$ref : undefined);
      if (ref === undefined) return at;
      const target = this.#components[ref.slice(ref.lastIndexOf('/') + 1)];
      if (target === undefined) throw new Error(`unknown schema ${ref}`);
      at = target;
    }
  }

  #cleaner(from: JsonSchema): Cleaner {
    const schema = this.#resolve(from);
    let known = this.#cleaners.get(schema);
    if (known === undefined) {
      // A schema may contain itself: hand out a forward reference while it is being built.
      let built: Cleaner = keep;
      this.#cleaners.set(schema, (value, path, findings) => built(value, path, findings));
      built = this.#build(schema);
      this.#cleaners.set(schema, built);
      known = built;
    }
    return known;
  }

  #build(schema: JsonSchema): Cleaner {
    if (schema.items !== undefined) return this.#array(schema);
    if (schema.properties !== undefined || schema.additionalProperties !== undefined) return this.#object(schema, false);
    return schema.type === 'object' && schema['x-kubernetes-preserve-unknown-fields'] !== true
      ? this.#object({ ...schema, properties: {} }, false)
      : schema.type === undefined || schema.type === 'object' || schema.type === 'array'
        ? bounded
        : keep;
  }

  #object(schema: JsonSchema, top: boolean): Cleaner {
    if (schema['x-kubernetes-preserve-unknown-fields'] === true && schema.properties === undefined) return bounded;
    const keepUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true;
    const rest = isObject(schema.additionalProperties) ? this.#cleaner(schema.additionalProperties) : undefined;
    const nullableRest = isObject(schema.additionalProperties) && schema.additionalProperties['nullable'] === true;
    const fields = new Map(
      Object.entries(schema.properties ?? {}).map(([name, property]) => [
        name,
        { clean: this.#cleaner(property), nullable: this.#resolve(property).nullable === true },
      ]),
    );
    const defaults = Object.entries(schema.properties ?? {}).filter(([, property]) => property.default !== undefined);
    return (value, path, findings) => {
      if (!isObject(value)) return value;
      if (path.length > MAX_DEPTH) {
        findings.causes.push(tooDeep(path));
        return {};
      }
      let out: JsonObject | undefined;
      for (const key of Object.keys(value)) {
        if (top && ENVELOPE.has(key)) continue;
        const field = fields.get(key);
        const item = value[key];
        path.push(key);
        let next = item;
        if (key === '__proto__' || (field === undefined && rest === undefined && !keepUnknown)) {
          findings.unknown.push(formatPath(path));
          next = undefined;
        } else if (item === null && field !== undefined && !field.nullable) next = undefined;
        else if (item === null && field === undefined && rest !== undefined && !nullableRest) next = undefined;
        else if (field !== undefined) next = field.clean(item, path, findings);
        else if (rest !== undefined) next = rest(item, path, findings);
        else next = bounded(item, path, findings);
        path.pop();
        if (next !== item) {
          out ??= { ...value };
          if (next === undefined) delete out[key];
          else out[key] = next;
        }
      }
      for (const [name, property] of defaults) {
        if ((out ?? value)[name] === undefined) (out ??= { ...value })[name] = structuredClone(property.default);
      }
      return out ?? value;
    };
  }

  #array(schema: JsonSchema): Cleaner {
    const clean = this.#cleaner(schema.items!);
    const type = schema['x-kubernetes-list-type'];
    const keys = (schema['x-kubernetes-list-map-keys'] as string[] | undefined) ?? [];
    return (value, path, findings) => {
      if (!Array.isArray(value)) return value;
      let out: unknown[] | undefined;
      const seen = type === 'map' || type === 'set' ? new Set<string>() : undefined;
      for (let i = 0; i < value.length; i++) {
        const item: unknown = value[i];
        path.push(i);
        const next = clean(item, path, findings);
        if (next !== item) (out ??= [...(value as unknown[])])[i] = next;
        if (seen !== undefined) {
          const identity = type === 'set' ? item : Object.fromEntries(keys.map((key) => [key, valueAt(item, [key])]));
          const text = JSON.stringify(identity);
          if (seen.has(text)) findings.causes.push(duplicate(formatPath(path), identity));
          seen.add(text);
        }
        path.pop();
      }
      return out ?? value;
    };
  }
}

type Cleaner = (value: unknown, path: (string | number)[], findings: Findings) => unknown;
const keep: Cleaner = (value) => value;
/** Takes anything, but not at any depth. */
const bounded: Cleaner = (value, path, findings) => {
  if (isWithin(value, MAX_DEPTH - path.length)) return value;
  findings.causes.push(tooDeep(path));
  return undefined;
};
/** Most times look like this; to judge the others takes ten times as long. */
const PLAIN_TIME = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?Z$/;
const ENVELOPE = new Set(['apiVersion', 'kind', 'metadata']);
// The package is CommonJS: under some loaders the function is the module's `default`.
const addFormats = (addFormatsModule as unknown as { default?: FormatsPlugin }).default ?? addFormatsModule;

function isWithin(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth < 0) return false;
  for (const item of Array.isArray(value) ? (value as unknown[]) : Object.values(value))
    if (!isWithin(item, depth - 1)) return false;
  return true;
}

const tooDeep = (path: readonly (string | number)[]): StatusCause =>
  invalidValue(formatPath(path), '...', `nested deeper than ${MAX_DEPTH} levels`);

/** The schema with references that the validator can follow. */
function relative(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"/schemas/')) as JsonSchema;
}

/** The names of the components that a schema refers to itself. */
const referencesIn = (schema: JsonSchema): Set<string> =>
  new Set([...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!));

function describe(errors: ErrorObject[], object: JsonObject): StatusCause[] {
  return errors.slice(0, MAX_ERRORS).filter((error) => !WRAPPERS.has(error.keyword)).map((error) => cause(error, object)); // prettier-ignore
}

/** More of them are the same mistake again. */
const MAX_ERRORS = 1_000;

/** Keywords that only repeat what their parts have said. */
const WRAPPERS = new Set(['if', 'allOf', 'anyOf', 'oneOf']);

function cause(error: ErrorObject, object: JsonObject): StatusCause {
  const path = readPointer(error.instancePath, object);
  const field = formatPath(path);
  const params = error.params as Record<string, unknown>;
  const value: unknown = error.data;
  switch (error.keyword) {
    case 'required':
      return required(formatPath([...path, String(params['missingProperty'])]));
    case 'type':
      return { reason: 'FieldValueTypeInvalid', message: `Invalid value: ${kindOf(value)}: must be of type ${String(params['type'])}`, field }; // prettier-ignore
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).map((v) => JSON.stringify(v)).join(', ');
      return { reason: 'FieldValueNotSupported', message: `Unsupported value: ${shorten(JSON.stringify(value))}: supported values: ${allowed}`, field }; // prettier-ignore
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return invalidValue(field, value, `must be ${String(params['comparison'])} ${String(params['limit'])}`);
    case 'maxLength':
      return { ...invalidValue(field, value, `may not be longer than ${String(params['limit'])}`), reason: 'FieldValueTooLong' };
    case 'maxItems':
      return {
        ...invalidValue(field, '...', `may not have more than ${String(params['limit'])} items`),
        reason: 'FieldValueTooMany',
      };
    case 'minLength':
      return invalidValue(field, value, `must be at least ${String(params['limit'])} characters long`);
    case 'minItems':
      return invalidValue(field, value, `must have at least ${String(params['limit'])} items`);
    case 'pattern':
      return invalidValue(field, value, `must match ${String(params['pattern'])}`);
    case 'format':
      return invalidValue(field, value, FORMATS[String(params['format'])] ?? `must be a ${String(params['format'])}`);
    default:
      return invalidValue(field, value, error.message ?? error.keyword);
  }
}

const FORMATS: Record<string, string> = {
  'go-duration': 'must be a duration such as "30s", "10m" or "1h30m"',
  'date-time': 'must be a date and time such as "2026-01-31T12:00:00Z"',
  int32: 'must fit 32 bits',
  int64: 'must fit 64 bits',
};

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? '"array"' : isObject(value) ? '"object"' : shorten(JSON.stringify(value));
}

/** A JSON pointer as a path, with indexes of arrays as numbers. */
function readPointer(pointer: string, object: JsonObject): (string | number)[] {
  let at: unknown = object;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const step = Array.isArray(at) ? Number(key) : key;
      at = Array.isArray(at) ? (at[Number(key)] as unknown) : valueAt(at, [key]);
      return step;
    });
}
