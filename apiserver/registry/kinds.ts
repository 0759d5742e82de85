import crds from '../../openapi/crds.json' with { type: 'json' };
import openapi from '../../openapi/openapi.json' with { type: 'json' };
import { compileJsonPath, fieldsOf, type JsonPath } from './json-path.ts';
import { jobScale, scaleByPaths, type ScaleAccess } from './scale.ts';
import { SchemaSet, type JsonSchema, type KindSchema } from './schema.ts';

/** What a table shows of an object, besides its name. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
  readonly path: JsonPath;
}

/** Everything the server knows of a kind. Built-in kinds and those that come at run time are made by the same function. */
export interface ApiKind {
  /** Empty for core kinds. */
  readonly group: string;
  readonly version: string;
  /** `group/version`, or `version` for core kinds. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** As messages name it: `jobs.orch.dev`, `namespaces`. */
  readonly resource: string;
  /** Whether status is a subresource, so that spec and status have one writer each. */
  readonly hasStatus: boolean;
  /** How its objects are scaled; absent where they cannot be. */
  readonly scale?: ScaleAccess;
  /** Came at run time. What is stored may be older than its schema, so it is cleaned when it is read, too. */
  readonly custom: boolean;
  /** What is said to everybody who uses this version; absent when it is not deprecated. */
  readonly deprecation?: string;
  /** What field selectors may name, besides metadata.name and metadata.namespace: `spec.nodeName` → its path. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly columns: readonly PrinterColumn[];
  readonly schema: KindSchema;
  /** Where its objects lie in the store: `/registry/orch.dev/jobs/`. */
  readonly prefix: string;
  /** How what is served begins; the resourceVersion is spliced in behind it. */
  readonly head: string;
  /** How every stored value begins: as `head`, with the version that is stored. */
  readonly storedHead: string;
}

/** The part of a CustomResourceDefinition that is used. */
export interface CustomResourceDefinition {
  spec: {
    group: string;
    scope: string;
    names: { kind: string; listKind?: string; plural: string; singular?: string; shortNames?: string[]; categories?: string[] };
    versions: {
      name: string;
      served?: boolean;
      storage?: boolean;
      schema?: { openAPIV3Schema?: JsonSchema };
      subresources?: {
        status?: unknown;
        scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
      };
      deprecated?: boolean;
      deprecationWarning?: string;
      selectableFields?: { jsonPath: string }[];
      additionalPrinterColumns?: PrinterColumnSource[];
    }[];
  };
}

interface PrinterColumnSource {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath: string;
}

export interface KindOptions {
  /** The schema to work with, where it is not the one to show. */
  readonly body?: JsonSchema;
  /** The version that objects are stored as, where it is another one. */
  readonly storedAs?: string;
  readonly custom?: boolean;
}

/** One version of a definition, with the schema to show. */
export function defineApiKind(
  crd: CustomResourceDefinition,
  version: string,
  schemas: SchemaSet,
  schema: JsonSchema,
  { body = schema, storedAs = version, custom = false }: KindOptions = {},
): ApiKind {
  const { group, names, scope, versions } = crd.spec;
  const declared = versions.find((v) => v.name === version);
  if (declared === undefined) throw new Error(`${names.plural}.${group} has no version ${version}`);
  const apiVersionOf = (v: string): string => (group === '' ? v : `${group}/${v}`);
  const apiVersion = apiVersionOf(version);
  const headOf = (v: string): string =>
    `{"apiVersion":${JSON.stringify(apiVersionOf(v))},"kind":${JSON.stringify(names.kind)},"metadata":{`;
  const columns = declared.additionalPrinterColumns ?? [];
  const fields = (declared.selectableFields ?? []).map(({ jsonPath }) => {
    const path = fieldsOf(jsonPath);
    if (path === undefined) throw new Error(`${names.plural}.${group}: ${jsonPath} cannot be a selectable field`);
    return [path.join('.'), path] as const;
  });
  const scale =
    group === 'orch.dev' && names.kind === 'Job' ? jobScale : scaleDeclared(declared.subresources?.scale, names.plural);
  return {
    group,
    version,
    apiVersion,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    resource: group === '' ? names.plural : `${names.plural}.${group}`,
    hasStatus: declared.subresources?.status !== undefined,
    ...(scale && { scale }),
    custom,
    ...(declared.deprecated === true && {
      deprecation: declared.deprecationWarning ?? `${apiVersion} ${names.kind} is deprecated`,
    }),
    fields: new Map(fields),
    columns: (columns.length === 0 && custom ? [AGE] : columns).map((column) => ({
      name: column.name,
      type: column.type,
      format: column.format ?? '',
      description: column.description ?? '',
      priority: column.priority ?? 0,
      path: compileJsonPath(column.jsonPath),
    })),
    schema: schemas.kind(schema, body),
    prefix: `/registry/${group === '' ? 'core' : group}/${names.plural}/`,
    head: headOf(version),
    storedHead: headOf(storedAs),
  };
}

type Declared = CustomResourceDefinition['spec']['versions'][number];

function scaleDeclared(scale: NonNullable<Declared['subresources']>['scale'], plural: string): ScaleAccess | undefined {
  if (scale === undefined) return undefined;
  const path = (text: string): string[] => {
    const fields = fieldsOf(text);
    if (fields === undefined || fields.length === 0)
      throw new Error(`${plural}: ${text} cannot be a path of the scale subresource`);
    return fields;
  };
  return scaleByPaths({
    spec: path(scale.specReplicasPath),
    status: path(scale.statusReplicasPath),
    ...(scale.labelSelectorPath && { selector: path(scale.labelSelectorPath) }),
  });
}
/** What a table of a kind of users shows when its definition does not say. */
const AGE: PrinterColumnSource = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'When it was created.',
};

/** The kinds that are served now. */
export class KindRegistry {
  readonly #byPath = new Map<string, ApiKind>();
  readonly #byKind = new Map<string, ApiKind>();
  readonly #closed = new WeakSet<ApiKind>();
  #generation = 0;

  /** No object of the kind may be created any more: its definition is being deleted. */
  close(kind: ApiKind): void {
    this.#closed.add(kind);
  }

  isClosed(kind: ApiKind): boolean {
    return this.#closed.has(kind);
  }

  add(kind: ApiKind): void {
    this.#byPath.set(`${kind.apiVersion}/${kind.plural}`, kind);
    this.#byKind.set(`${kind.apiVersion}/${kind.kind}`, kind);
    this.#generation++;
  }

  remove(kind: ApiKind): void {
    this.#byPath.delete(`${kind.apiVersion}/${kind.plural}`);
    this.#byKind.delete(`${kind.apiVersion}/${kind.kind}`);
    this.#generation++;
  }

  /** By what a path says: `orch.dev/v1` and `jobs`. */
  at(apiVersion: string, plural: string): ApiKind | undefined {
    return this.#byPath.get(`${apiVersion}/${plural}`);
  }

  /** By what an object says: `orch.dev/v1` and `Job`. */
  of(apiVersion: string, kind: string): ApiKind | undefined {
    return this.#byKind.get(`${apiVersion}/${kind}`);
  }

  /** A kind the server itself needs; throws when it is not there. */
  need(apiVersion: string, kind: string): ApiKind {
    const found = this.of(apiVersion, kind);
    if (found === undefined) throw new Error(`kind ${kind} of ${apiVersion} is not registered`);
    return found;
  }

  all(): ApiKind[] {
    return [...this.#byPath.values()];
  }

  /** Rises with every change; what is derived from all kinds is made anew when it did. */
  get generation(): number {
    return this.#generation;
  }
}

const SCHEMA_PREFIX = 'dev.orch.v1.';
export const components = (openapi as unknown as { components: { schemas: Record<string, JsonSchema> } }).components.schemas;

/** The kinds of crds/. */
export function builtinKinds(): KindRegistry {
  const schemas = new SchemaSet(components);
  const registry = new KindRegistry();
  for (const crd of crds as unknown as CustomResourceDefinition[]) {
    for (const version of crd.spec.versions) {
      const schema = components[SCHEMA_PREFIX + crd.spec.names.kind];
      if (schema === undefined) throw new Error(`openapi.json lacks ${crd.spec.names.kind}: run npm run generate`);
      registry.add(defineApiKind(crd, version.name, schemas, schema));
    }
  }
  return registry;
}

export const objectKey = (kind: ApiKind, namespace: string | undefined, name: string): string =>
  kind.namespaced ? `${kind.prefix}${namespace}/${name}` : kind.prefix + name;
