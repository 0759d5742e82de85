import t from 'tap';
import { StoreUnavailableError } from '../../apiserver/storage/store.ts';
import { send as sendTo, startServer, until, type Answer, type Server } from './harness.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const merge = { 'content-type': 'application/merge-patch+json' };

let server: Server;
t.before(async () => {
  server = await startServer();
});

type Json = Record<string, unknown>;

const schema: Json = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10, exclusiveMaximum: true, description: 'How large it is.' },
        color: { type: 'string', enum: ['red', 'blue'], default: 'red' },
        port: { 'x-kubernetes-int-or-string': true },
        note: { type: 'string', nullable: true, pattern: '^[a-z ]*$', maxLength: 20 },
        ratio: { type: 'number', format: 'made-up' },
        extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, n: { type: 'integer', default: 1 } },
          },
        },
        template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      },
      oneOf: [{ required: ['port'] }, { not: { required: ['port'] } }],
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
};

const version = (name: string, more: Json = {}): Json => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  subresources: { status: {} },
  additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size', description: 'Its size.' }],
  selectableFields: [{ jsonPath: '.spec.color' }],
  ...more,
});

const definition = (plural: string, kind: string, more: Json = {}, group = 'example.com'): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: { group, scope: 'Namespaced', names: { plural, kind }, versions: [version('v1')], ...more },
});

const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';
const widget = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
const conditions = ({ json }: Answer): Record<string, string> =>
  Object.fromEntries((json.status?.conditions ?? []).map((c: { type: string; status: string }) => [c.type, c.status]));
const fieldsOf = ({ json }: Answer): string[] => json.details.causes.map((c: { field: string }) => c.field);
const established = (name: string): Promise<Answer> =>
  until(async () => {
    const answer = await server.send('GET', `${CRDS}/${name}`);
    return conditions(answer)['Established'] === undefined ? undefined : answer;
  });
const gone = (path: string): Promise<true> =>
  until(async () => ((await server.send('GET', path)).status === 404 ? true : undefined));

t.test('a kind is served as soon as it is defined', async (t) => {
  const { send } = server;
  const made = await send('POST', CRDS, definition('widgets', 'Widget', { names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['all'] } })); // prettier-ignore
  t.equal(made.status, 201);
  t.match(made.json.spec.names, { singular: 'widget', listKind: 'WidgetList' }, 'names are completed');
  const first = await send('POST', WIDGETS, widget('first', { size: 3, nonsense: true, note: null }));
  t.equal(first.status, 201, 'its objects are taken at once');
  t.same(first.json.spec, { size: 3, color: 'red', note: null }, 'defaults are filled in, what is not declared is dropped');
  t.match(first.headers['warning'], /unknown field .*spec.nonsense/);

  const done = await established('widgets.example.com');
  t.same(conditions(done), { NamesAccepted: 'True', Established: 'True' });
  t.match(done.json.status, { acceptedNames: { kind: 'Widget', shortNames: ['wd'] }, storedVersions: ['v1'] });

  const table = await send('GET', WIDGETS, undefined, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
  t.same(table.json.columnDefinitions.map((c: { name: string }) => c.name), ['Name', 'Size']); // prettier-ignore
  t.same(table.json.rows[0].cells, ['first', 3]);
  t.same((await send('GET', `${WIDGETS}?fieldSelector=spec.color%3Dblue`)).json.items, []);
  t.equal((await send('GET', `${WIDGETS}?fieldSelector=spec.color%3Dred`)).json.items.length, 1);

  const group = (await send('GET', '/apis/example.com/v1')).json;
  t.match(group.resources, [{ name: 'widgets', shortNames: ['wd'], categories: ['all'] }, { name: 'widgets/status' }]);
  const openapi = (await send('GET', '/openapi/v3/apis/example.com/v1')).json;
  t.equal(openapi.components.schemas['com.example.v1.Widget'].properties.spec.properties.size.description, 'How large it is.');
  t.ok(openapi.components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'], 'and what it refers to');
});

t.test('its objects are judged by its schema', async (t) => {
  const { send } = server;
  const bad = await send('POST', WIDGETS, widget('bad', { size: 10, color: 'green', port: true, note: 'NO', tags: ['a', 'a'], parts: [{ name: 'x' }, { name: 'x' }], template: {} })); // prettier-ignore
  t.equal(bad.status, 422);
  t.same(fieldsOf(bad).sort(), ['spec.color', 'spec.note', 'spec.parts[1]', 'spec.port', 'spec.size', 'spec.tags[1]', 'spec.template.apiVersion', 'spec.template.kind']); // prettier-ignore
  t.same(fieldsOf(await send('POST', WIDGETS, { metadata: { name: 'bad' } })), ['spec']);
  const good = await send('POST', WIDGETS, widget('good', { size: 1, port: 'http', extra: { any: { thing: 1 } }, parts: [{ name: 'x' }], template: { apiVersion: 'v1', kind: 'X', metadata: { name: 'y' }, more: 1 } })); // prettier-ignore
  t.equal(good.status, 201, good.text);
  t.match(good.json.spec, { extra: { any: { thing: 1 } }, parts: [{ name: 'x', n: 1 }], template: { more: 1 } });

  await send('PUT', `${WIDGETS}/good/status`, { metadata: { name: 'good' }, status: { ready: true } });
  const patched = await send('PATCH', `${WIDGETS}/good`, { spec: { size: 2 }, status: { ready: false } }, merge);
  t.match(
    patched.json,
    { spec: { size: 2 }, status: { ready: true }, metadata: { generation: 2 } },
    'status has writers of its own',
  );
});

t.test('they are scaled where their definition says', async (t) => {
  const { send } = server;
  const counted: Json = { type: 'object', properties: { count: { type: 'integer', minimum: 1 }, selector: { type: 'string' } } };
  const scale = { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count', labelSelectorPath: '.status.selector' };
  await send('POST', CRDS, definition('herds', 'Herd', { versions: [version('v1', { selectableFields: [], subresources: { status: {}, scale }, schema: { openAPIV3Schema: { type: 'object', properties: { spec: counted, status: counted } } } })] })); // prettier-ignore
  const at = WIDGETS.replace('widgets', 'herds');
  await send('POST', at, widget('sheep', { count: 2 }));
  await send('PATCH', `${at}/sheep/status`, { status: { count: 1, selector: 'herd=sheep' } }, merge);
  t.match((await send('GET', `${at}/sheep/scale`)).json, { kind: 'Scale', spec: { replicas: 2 }, status: { replicas: 1, selector: 'herd=sheep' } }); // prettier-ignore
  t.equal((await send('PATCH', `${at}/sheep/scale`, { spec: { replicas: 5 } }, merge)).json.spec.replicas, 5);
  t.match((await send('GET', `${at}/sheep`)).json, { spec: { count: 5 }, metadata: { generation: 2 } });
  t.same(fieldsOf(await send('PATCH', `${at}/sheep/scale`, { spec: { replicas: 0 } }, merge)), ['spec.count']);
  await send('DELETE', `${CRDS}/herds.example.com`);
  await gone(`${CRDS}/herds.example.com`);
});

t.test('a watch follows them', async (t) => {
  const watch = await server.watch(`${WIDGETS}?watch=true&fieldSelector=spec.color%3Dblue`);
  await server.send('POST', WIDGETS, widget('seen', { size: 1, color: 'blue' }));
  await server.send('PATCH', `${WIDGETS}/seen`, { spec: { color: 'red' } }, merge);
  t.same(await watch.take(2), ['ADDED seen', 'DELETED seen']);
  watch.close();
});

t.test('a definition that could not be served is refused, with everything that is wrong', async (t) => {
  const broken = (openAPIV3Schema: Json, more: Json = {}) =>
    server.send('POST', CRDS, definition('gears', 'Gear', { versions: [version('v1', { schema: { openAPIV3Schema }, selectableFields: [], ...more })] })); // prettier-ignore
  const at = 'spec.versions[0].schema.openAPIV3Schema';
  const cases: [string, Json, string[]][] = [
    ['no type', { type: 'object', properties: { a: {} } }, [`${at}.properties.a.type`]],
    ['an unknown type', { type: 'object', properties: { a: { type: 'text' } } }, [`${at}.properties.a.type`]],
    ['a reference', { type: 'object', properties: { a: { type: 'string', $ref: '#/x' } } }, [`${at}.properties.a.$ref`]],
    ['both kinds of properties', { type: 'object', properties: {}, additionalProperties: { type: 'string' } }, [`${at}.additionalProperties`]], // prettier-ignore
    ['an array of what', { type: 'object', properties: { a: { type: 'array' } } }, [`${at}.properties.a.items`]],
    ['a rule that declares', { type: 'object', anyOf: [{ properties: { b: { type: 'string' } } }] }, [`${at}.anyOf[0].properties.b`]], // prettier-ignore
    ['a pattern that is none', { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }, [`${at}.properties.a.pattern`]], // prettier-ignore
    ['a wrong default', { type: 'object', properties: { a: { type: 'integer', default: 'x' } } }, [`${at}.properties.a.default`]],
    ['a keyless map', { type: 'object', properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' } } }, [`${at}.properties.a.x-kubernetes-list-map-keys`]], // prettier-ignore
    ['CEL', { type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] }, [`${at}[x-kubernetes-validations]`]],
    ['metadata', { type: 'object', properties: { metadata: { type: 'object', required: ['labels'] } } }, [`${at}.properties.metadata.required`]], // prettier-ignore
    ['the wrong root', { type: 'string' }, [`${at}.type`]],
  ];
  for (const [title, given, fields] of cases) {
    const answer = await broken(given);
    t.equal(answer.status, 422, `${title}: ${answer.text}`);
    t.same(answer.json.details?.causes?.map((c: { field: string }) => c.field.replaceAll(/\[(x-[^\]]*)\]/g, '.$1')), fields.map((f) => f.replaceAll(/\[(x-[^\]]*)\]/g, '.$1')), title); // prettier-ignore
  }
  let deep: Json = { type: 'string' };
  for (let i = 0; i < 60; i++) deep = { type: 'object', properties: { a: deep } };
  t.equal((await broken(deep)).status, 422, 'and one that is nested too deeply');

  const many = await server.send('POST', CRDS, {
    ...definition('gears', 'Gear', { group: 'orch.dev', names: { plural: 'Gears', kind: 'Gear' }, conversion: { strategy: 'Webhook' }, versions: [version('1', { storage: false, additionalPrinterColumns: [{ name: 'x', type: 'string', jsonPath: '.a[?' }], subresources: { scale: { specReplicasPath: '.status.x', statusReplicasPath: '.status.x' } } })] }), // prettier-ignore
    metadata: { name: 'other' },
  });
  t.same(fieldsOf(many).sort(), [
    'metadata.name',
    'spec.conversion.strategy',
    'spec.group',
    'spec.names.plural',
    'spec.versions',
    'spec.versions[0].additionalPrinterColumns[0].jsonPath',
    'spec.versions[0].name',
    'spec.versions[0].subresources.scale.specReplicasPath',
  ]);
  const moved = await server.send('PATCH', `${CRDS}/widgets.example.com`, { spec: { scope: 'Cluster' } }, merge);
  t.same(fieldsOf(moved), ['spec.scope'], 'what the stored objects rely on cannot change');
});

t.test('two kinds of a group do not share a name', async (t) => {
  const { send } = server;
  await send('POST', CRDS, definition('gadgets', 'Gadget', { names: { plural: 'gadgets', kind: 'Gadget', shortNames: ['wd'] } }));
  const refused = await established('gadgets.example.com');
  t.same(conditions(refused), { NamesAccepted: 'False', Established: 'False' });
  t.match(refused.json.status.conditions[0], { reason: 'ShortNamesConflict', message: '"wd" is already in use' });
  t.equal((await send('GET', '/apis/example.com/v1/gadgets')).status, 404);
  await send('PATCH', `${CRDS}/gadgets.example.com`, { spec: { names: { shortNames: ['gd'] } } }, merge);
  t.equal((await send('GET', '/apis/example.com/v1/gadgets')).status, 200, 'and is served once it has names of its own');
  await send('DELETE', `${CRDS}/gadgets.example.com`);
  await gone(`${CRDS}/gadgets.example.com`);
});

t.test('a definition may change: what is stored is shown as it is defined now', async (t) => {
  const { send } = server;
  const watch = await server.watch(`${WIDGETS}?watch=true&resourceVersion=${(await send('GET', WIDGETS)).json.metadata.resourceVersion}`); // prettier-ignore
  const next = structuredClone(schema) as { properties: { spec: { properties: Json } } };
  next.properties.spec.properties['shape'] = { type: 'string', default: 'round' };
  delete next.properties.spec.properties['extra'];
  const beta = { ...version('v1beta1', { storage: false, deprecated: true }), selectableFields: [] };
  const changed = await send('PATCH', `${CRDS}/widgets.example.com`, { spec: { versions: [version('v1', { schema: { openAPIV3Schema: next } }), beta] } }, merge); // prettier-ignore
  t.equal(changed.status, 200, changed.text);
  t.equal((await watch.next())?.type, 'ERROR', 'watches begin anew');
  const good = (await send('GET', `${WIDGETS}/good`)).json;
  t.equal(good.spec.shape, 'round', 'a new default');
  t.notOk('extra' in good.spec, 'a field that is gone');
  t.same(
    (await send('GET', WIDGETS)).json.items.find((w: { metadata: { name: string } }) => w.metadata.name === 'good'),
    good,
  );

  const old = WIDGETS.replace('/v1/', '/v1beta1/');
  t.equal((await send('GET', '/apis/example.com')).json.preferredVersion.version, 'v1', 'the stable version is preferred');
  const viewed = await send('GET', `${old}/good`);
  t.match(viewed.headers['warning'], /example.com\/v1beta1 Widget is deprecated/);
  t.equal(viewed.json.apiVersion, 'example.com/v1beta1', 'another version is another view');
  t.same(viewed.json.spec.extra, { any: { thing: 1 } });
  const other = await server.watch(`${old}?watch=true`);
  await send('PATCH', `${WIDGETS}/good`, { spec: { size: 5 } }, merge);
  const viaOld = await send('PATCH', `${old}/good`, { spec: { size: 6 } }, merge);
  t.match(viaOld.json, { apiVersion: 'example.com/v1beta1', spec: { size: 6 } });
  t.match((await send('GET', `${WIDGETS}/good`)).json, { apiVersion: 'example.com/v1', spec: { size: 6 } });
  const stored = await server.store.range({ start: '/registry/example.com/widgets/default/good' });
  t.match(stored.items[0]!.value.toString(), /^\{"apiVersion":"example.com\/v1","kind":"Widget","metadata":\{/, 'all are stored as one'); // prettier-ignore
  for (let event = await other.next(); event?.object.spec.size !== 6; event = await other.next())
    t.equal(event?.object.apiVersion, 'example.com/v1beta1');
  other.close();
});

t.test('every server serves it, and none forgets it', async (t) => {
  const second = await startServer({ store: server.store, clock: server.clock });
  try {
    t.equal((await second.send('GET', `${WIDGETS}/good`)).json.spec.size, 6, 'a server that starts later');
    const cluster = definition('planets', 'Planet', { scope: 'Cluster' });
    t.equal((await second.send('POST', CRDS, cluster)).status, 201);
    t.equal((await second.send('POST', '/apis/example.com/v1/planets', widget('mars', { size: 4 }))).status, 201);
    await until(async () => ((await server.send('GET', '/apis/example.com/v1/planets/mars')).status === 200 ? true : undefined));
    await server.send('DELETE', `${CRDS}/planets.example.com`);
    for (const { url } of [server, second])
      await until(async () => ((await sendTo(url, 'GET', '/apis/example.com/v1/planets')).status === 404 ? true : undefined));
  } finally {
    await second.close();
  }
});

t.test('with a definition its objects go, in order', async (t) => {
  const { send } = server;
  await send('POST', WIDGETS, { metadata: { name: 'held', finalizers: ['example.com/hold'] }, spec: { size: 1 } });
  const watch = await server.watch(`${WIDGETS}?watch=true&fieldSelector=metadata.name%3Dheld`);
  t.same(await watch.take(1), ['ADDED held']);
  const going = await send('DELETE', `${CRDS}/widgets.example.com`);
  t.ok(going.json.metadata.deletionTimestamp, 'the definition lingers');
  t.same(await watch.take(1), ['MODIFIED held'], 'while somebody holds an object');
  const late = await send('POST', WIDGETS, widget('late', { size: 1 }));
  t.equal(late.status, 405, 'nothing new comes');
  await until(async () => (conditions(await send('GET', `${CRDS}/widgets.example.com`))['Terminating'] === 'True' ? true : undefined)); // prettier-ignore
  await until(async () => ((await send('GET', WIDGETS)).json.items.length === 1 ? true : undefined));
  await send('PATCH', `${WIDGETS}/held`, { metadata: { finalizers: null } }, merge);
  t.same(await watch.take(1), ['DELETED held']);
  await gone(`${CRDS}/widgets.example.com`);
  await gone(WIDGETS);
  t.equal((await send('GET', '/apis/example.com')).status, 404, 'nor is there the group');
  const left = await server.store.range({ start: '/registry/example.com/', end: '/registry/example.com0' });
  t.same(left.items, []);

  await send('POST', CRDS, definition('widgets', 'Widget'));
  t.same((await send('GET', WIDGETS)).json.items, [], 'and it may come back');
});

t.test('a store that does not answer keeps nobody from closing the server', async (t) => {
  const { store, clock } = server;
  let giveUp: () => void = () => undefined;
  const answers = new Promise<void>((resolve) => (giveUp = resolve));
  const stuck = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'range') return value.bind(target) as unknown;
      return (range: { start: string }, ...rest: unknown[]): unknown =>
        range.start.startsWith('/registry/stuck.example.com/')
          ? answers.then(() => Promise.reject(new StoreUnavailableError('away')))
          : (value as (...args: unknown[]) => unknown).call(target, range, ...rest);
    },
  });
  const own = await startServer({ store: stuck, clock });
  let made: Answer | undefined;
  const making = own.send('POST', CRDS, definition('things', 'Thing', {}, 'stuck.example.com')).then((answer) => (made = answer));
  await until(() => {
    clock.advance(1_000);
    return made;
  });
  t.equal((await making).status, 201, 'the definition is written, though it cannot be served yet');
  const closing = own.close();
  giveUp();
  await closing;
  await server.send('DELETE', `${CRDS}/things.stuck.example.com`);
  await gone(`${CRDS}/things.stuck.example.com`);
});

t.test('close', async () => {
  await server.close();
});
