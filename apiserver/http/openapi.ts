import { createHash } from 'node:crypto';
import { components } from '../registry/kinds.ts';
import type { ApiKind, KindRegistry } from '../registry/kinds.ts';
import type { JsonSchema } from '../registry/schema.ts';
import { SCALE_SCHEMA } from './scales.ts';

/** OpenAPI v3 as kubectl reads it: an index, and a document per group version. */

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const SCALE = 'io.k8s.api.autoscaling.v1.Scale';

interface Document {
  readonly bytes: Buffer;
  readonly hash: string;
}

/** The documents of what is served now; made when asked for, and again when kinds have come or gone. */
export class OpenApi {
  readonly #kinds: KindRegistry;
  #generation = -1;
  #documents = new Map<string, Document>();

  constructor(kinds: KindRegistry) {
    this.#kinds = kinds;
  }

  index(): object {
    this.#refresh();
    const paths = [...this.#documents].map(([path, { hash }]) => [
      path,
      { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
    ]);
    return { paths: Object.fromEntries(paths) as object };
  }

  /** `apis/orch.dev/v1` or `api/v1`. */
  document(path: string): Document | undefined {
    this.#refresh();
    return this.#documents.get(path);
  }

  #refresh(): void {
    if (this.#generation === this.#kinds.generation) return;
    this.#generation = this.#kinds.generation;
    const versions = new Map<string, ApiKind[]>();
    for (const kind of this.#kinds.all()) {
      const path = kind.group === '' ? `api/${kind.version}` : `apis/${kind.apiVersion}`;
      versions.set(path, [...(versions.get(path) ?? []), kind]);
    }
    this.#documents = new Map(
      [...versions].map(([path, kinds]) => {
        const bytes = Buffer.from(JSON.stringify(documentOf(path, kinds)));
        return [path, { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() }];
      }),
    );
  }
}

/** `dev.orch.v1.Job`, `io.k8s.api.coordination.v1.Lease`: the group's name turned round. */
function schemaName({ group, version, kind }: ApiKind): string {
  const home =
    group === ''
      ? 'io.k8s.api.core'
      : group === 'coordination.k8s.io'
        ? 'io.k8s.api.coordination'
        : group.split('.').reverse().join('.');
  return `${home}.${version}.${kind}`;
}

function documentOf(path: string, kinds: readonly ApiKind[]): object {
  const schemas: Record<string, JsonSchema> = { [`${META}Status`]: STATUS, [`${META}ListMeta`]: LIST_META, [`${META}DeleteOptions`]: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }; // prettier-ignore
  const paths: Record<string, object> = {};
  const need = (schema: unknown): void => {
    for (const [, name] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (schemas[name!] !== undefined || components[name!] === undefined) continue;
      schemas[name!] = components[name!]!;
      need(components[name!]);
    }
  };
  for (const kind of kinds) {
    const name = schemaName(kind);
    const gvk = [{ group: kind.group, version: kind.version, kind: kind.kind }];
    schemas[name] = { ...kind.schema.source, 'x-kubernetes-group-version-kind': gvk };
    schemas[`${name}List`] = {
      type: 'object',
      description: `A list of ${kind.plural}.`,
      required: ['items'],
      'x-kubernetes-group-version-kind': [{ ...gvk[0], kind: kind.listKind }],
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: { $ref: `#/components/schemas/${META}ListMeta` },
        items: { type: 'array', items: { $ref: `#/components/schemas/${name}` } },
      },
    };
    need(kind.schema.source);
    if (kind.scale !== undefined) schemas[SCALE] = SCALE_SCHEMA;
    Object.assign(paths, pathsOf(`/${path}`, kind, name));
  }
  return {
    openapi: '3.0.0',
    info: { title: 'orch', version: 'v1' },
    paths,
    components: { schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))) },
  };
}

const query = (name: string, type: string, description: string): object => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});
const inPath = (name: string, description: string): object => ({ name, in: 'path', required: true, description, schema: { type: 'string', uniqueItems: true } }); // prettier-ignore

const WRITE = [
  query('dryRun', 'string', 'All: do everything but store it.'),
  query('fieldManager', 'string', 'Who makes the change.'),
  query('fieldValidation', 'string', 'What to do about unknown and repeated fields: Strict, Warn or Ignore.'),
];
const LIST = [
  query('labelSelector', 'string', 'Only objects whose labels fit.'),
  query('fieldSelector', 'string', 'Only objects whose fields fit.'),
  query('limit', 'integer', 'At most so many; continue gives the rest.'),
  query('continue', 'string', 'Where an earlier list stopped.'),
  query('resourceVersion', 'string', 'Not older than this.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant: NotOlderThan or Exact.'),
  query('watch', 'boolean', 'Follow the changes instead.'),
  query('allowWatchBookmarks', 'boolean', 'Send bookmarks now and then.'),
  query('sendInitialEvents', 'boolean', 'Begin a watch with what there is.'),
  query('timeoutSeconds', 'integer', 'End the watch after this time.'),
];

function pathsOf(base: string, kind: ApiKind, schema: string): Record<string, object> {
  const { group, version, kind: kindName, plural, namespaced } = kind;
  const gvk = { 'x-kubernetes-group-version-kind': { group, version, kind: kindName } };
  const answer = (name: string, code = '200'): object => ({ [code]: { description: 'OK', content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } } }); // prettier-ignore
  const body = (types: string[], ref: string): object => ({
    required: true,
    content: Object.fromEntries(types.map((type) => [type, { schema: { $ref: `#/components/schemas/${ref}` } }])),
  });
  const operation = (action: string, extra: object): object => ({ tags: [group || 'core'], operationId: `${action}${kindName}`, 'x-kubernetes-action': action, ...gvk, ...extra }); // prettier-ignore
  const collection = namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`;
  const scope = namespaced ? [inPath('namespace', 'The namespace.')] : [];
  const one = [inPath('name', `The name of the ${kindName}.`), ...scope];
  const item = (suffix: string, verbs: 'all' | 'status', of = schema): object => ({
    get: operation('get', { parameters: [], responses: answer(of) }),
    put: operation('put', {
      parameters: WRITE,
      requestBody: body(['application/json', 'application/yaml'], of),
      responses: answer(of),
    }),
    patch: operation('patch', {
      parameters: WRITE,
      requestBody: {
        required: true,
        content: {
          'application/merge-patch+json': { schema: { type: 'object' } },
          'application/json-patch+json': { schema: { type: 'array', items: { type: 'object' } } },
        },
      },
      responses: answer(of),
    }),
    ...(verbs === 'all' && {
      delete: operation('delete', { parameters: [WRITE[0]], responses: answer(`${META}Status`) }),
    }),
    parameters: one,
    ...(suffix !== '' && { description: `The ${suffix} of one ${kindName}.` }),
  });
  return {
    [collection]: {
      get: operation('list', { parameters: LIST, responses: answer(`${schema}List`) }),
      post: operation('post', {
        parameters: WRITE,
        requestBody: body(['application/json', 'application/yaml'], schema),
        responses: answer(schema, '201'),
      }),
      delete: operation('deletecollection', { parameters: [WRITE[0], ...LIST.slice(0, 2)], responses: answer(`${META}Status`) }),
      parameters: scope,
    },
    [`${collection}/{name}`]: item('', 'all'),
    ...(kind.hasStatus && { [`${collection}/{name}/status`]: item('status', 'status') }),
    ...(kind.scale && { [`${collection}/{name}/scale`]: item('scale', 'status', SCALE) }),
    ...(namespaced && {
      [`${base}/${plural}`]: { get: operation('list', { parameters: LIST, responses: answer(`${schema}List`) }), parameters: [] },
    }),
  };
}

const STATUS: JsonSchema = {
  type: 'object',
  description: 'The outcome of a request that gives no object.',
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Status' }],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { $ref: `#/components/schemas/${META}ListMeta` },
    status: { type: 'string', description: 'Success or Failure.' },
    message: { type: 'string', description: 'What happened, for people.' },
    reason: { type: 'string', description: 'What happened, in a word for programs.' },
    details: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, description: 'The object and fields it is about.' },
    code: { type: 'integer', description: 'The HTTP status code.' },
  },
};

const LIST_META: JsonSchema = {
  type: 'object',
  description: 'What every list has.',
  properties: {
    resourceVersion: { type: 'string', description: 'The revision at which all items were read.' },
    continue: { type: 'string', description: 'Give it back to get the rest.' },
    remainingItemCount: { type: 'integer', description: 'How many are left.' },
  },
};
