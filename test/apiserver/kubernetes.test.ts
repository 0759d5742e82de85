import t from 'tap';
import { readProtobuf } from '../../apiserver/http/protobuf.ts';
import { servicesOf } from '../../apiserver/http/services.ts';
import { diffJobs } from '../../jobspec/diff/index.ts';
import { isSensitiveOption } from '../../openapi/index.ts';
import type { ApiObject } from '../../apiserver/registry/object.ts';
import { startServer, until, type Server } from './harness.ts';

const JOBS = '/apis/orch.dev/v1/namespaces/default/jobs';
const merge = { 'content-type': 'application/merge-patch+json' };
const protobuf = { 'content-type': 'application/vnd.kubernetes.protobuf' };
const asTable = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

const group = (name: string, count = 1) => ({
  name,
  count,
  tasks: [{ name: 'server', driver: 'raw_exec', config: { command: '/bin/true' } }],
});
const job = (name: string, groups = [group('web')]) => ({ metadata: { name }, spec: { groups } });

let server: Server;
t.before(async () => {
  server = await startServer();
});
t.teardown(() => server.close());

/** Length-delimited fields, as protobuf writes them. */
function field(number: number, value: string | Buffer | number): Buffer {
  if (typeof value === 'number') return Buffer.from([number << 3, value]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}
const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);
const envelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  Buffer.concat([Buffer.from('k8s\0'), field(1, message(field(1, apiVersion), field(2, kind))), field(2, raw)]);

t.test('protobuf bodies of the kinds that kubectl sends so', async (t) => {
  const labels = field(11, message(field(1, 'a'), field(2, 'b')));
  const namespace = envelope(
    'v1',
    'Namespace',
    message(field(1, message(field(1, 'proto'), labels)), field(2, ''), field(3, '')),
  );
  t.same(readProtobuf(namespace), {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'proto', labels: { a: 'b' } },
    spec: {},
  });
  const made = await server.send('POST', '/api/v1/namespaces', namespace, protobuf);
  t.equal(made.status, 201, made.text);
  t.match(made.json, { metadata: { name: 'proto', labels: { a: 'b' } }, status: { phase: 'Active' } });

  const options = envelope('v1', 'DeleteOptions', message(field(1, 30), field(4, 'Background'), field(5, 'All')));
  t.same(readProtobuf(options), { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 30, propagationPolicy: 'Background', dryRun: ['All'] }); // prettier-ignore
  t.equal((await server.send('DELETE', '/api/v1/namespaces/proto', options, protobuf)).status, 200);
  t.equal((await server.send('GET', '/api/v1/namespaces/proto')).status, 200, 'it was a dry run');

  t.equal((await server.send('POST', JOBS, envelope('orch.dev/v1', 'Job', Buffer.alloc(0)), protobuf)).status, 415);
  for (const [why, bytes] of [
    ['no magic', Buffer.from('hello')],
    ['cut short', namespace.subarray(0, namespace.length - 3)],
    ['an endless number', Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(20, 0xff)])],
    ['a group', Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x0b, 0x0c])])],
  ] as const) {
    t.match((await server.send('POST', '/api/v1/namespaces', bytes, protobuf)).json, { code: 400, reason: 'BadRequest' }, why);
  }
  // Whatever is changed or missing in a body, it is read or refused.
  for (let at = 4; at < namespace.length; at++) {
    for (const byte of [0, 0x7f, 0xff]) {
      const bytes = Buffer.from(namespace);
      bytes[at] = byte;
      try {
        readProtobuf(bytes);
      } catch (error) {
        t.match(error, { reason: 'BadRequest' });
      }
    }
  }
});

t.test('questions about oneself', async (t) => {
  const ask = (path: string, spec: object) => server.send('POST', `/apis/${path}`, { spec });
  const may = await ask('authorization.k8s.io/v1/selfsubjectaccessreviews', {
    resourceAttributes: { verb: 'list', resource: 'jobs' },
  });
  t.equal(may.status, 201);
  t.match(may.json, {
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb: 'list' } },
    status: { allowed: true },
  });
  t.equal((await ask('authorization.k8s.io/v1/selfsubjectaccessreviews', {})).status, 422);
  t.match((await ask('authorization.k8s.io/v1/selfsubjectrulesreviews', { namespace: 'default' })).json, { status: { incomplete: false } }); // prettier-ignore
  t.match((await ask('authentication.k8s.io/v1/selfsubjectreviews', {})).json, { status: { userInfo: { username: 'system:anonymous' } } }); // prettier-ignore
  const body = envelope('authentication.k8s.io/v1', 'SelfSubjectReview', Buffer.alloc(0));
  t.equal((await server.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', body, protobuf)).status, 201);
  const wrong = { kind: 'Job', spec: {} };
  t.equal((await server.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', wrong)).status, 400);
  t.match((await server.send('GET', '/apis/authorization.k8s.io/v1')).json, {
    resources: [{ name: 'selfsubjectaccessreviews', verbs: ['create'], namespaced: false }, { name: 'selfsubjectrulesreviews' }],
  });
});

t.test('scale', async (t) => {
  const { send } = server;
  await send('POST', JOBS, job('scaled', [group('web', 2)]));
  await send('POST', JOBS, job('two', [group('a'), group('b')]));
  const at = `${JOBS}/scaled/scale`;
  const before = await send('GET', at);
  t.match(before.json, { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'scaled' }, spec: { replicas: 2 }, status: { replicas: 0 } }); // prettier-ignore
  t.match((await send('PATCH', at, { spec: { replicas: 5 } }, merge)).json, { kind: 'Scale', spec: { replicas: 5 } });
  t.match((await send('GET', `${JOBS}/scaled`)).json, {
    metadata: { generation: 2 },
    spec: { groups: [{ name: 'web', count: 5 }] },
  });
  t.match((await send('PUT', at, { ...before.json, spec: { replicas: 1 } })).json, { reason: 'Conflict' }, 'an old version');
  const { metadata } = (await send('GET', at)).json as { metadata: object };
  t.match((await send('PUT', at, { metadata, spec: { replicas: 1 } })).json, { spec: { replicas: 1 } });
  t.match((await send('PATCH', `${at}?dryRun=All`, { spec: { replicas: 9 } }, merge)).json, { spec: { replicas: 9 } });
  t.match((await send('GET', at)).json, { spec: { replicas: 1 } });
  t.match((await send('GET', at, undefined, asTable)).json, { columnDefinitions: [{ name: 'Name' }, { name: 'Desired' }, { name: 'Available' }, { name: 'Age' }], rows: [{ cells: ['scaled', 1, 0] }] }); // prettier-ignore
  for (const replicas of [-1, 1.5, 'x'])
    t.match((await send('PATCH', at, { spec: { replicas } }, merge)).json, { code: 422, details: { causes: [{ field: 'spec.replicas' }] } }); // prettier-ignore
  t.match((await send('GET', `${JOBS}/two/scale`)).json, { code: 422, message: /2 groups \("a", "b"\)/ });
  t.equal((await send('GET', '/api/v1/namespaces/default/scale')).status, 404, 'namespaces have no scale');
  t.match((await send('GET', '/apis/orch.dev/v1')).json.resources, { length: Number });
});

t.test('server-side apply', async (t) => {
  const { send } = server;
  const at = `${JOBS}/ssa`;
  const yaml = { 'content-type': 'application/apply-patch+yaml' };
  const apply = (manager: string, body: unknown, more = '') => send('PATCH', `${at}?fieldManager=${manager}${more}`, body, yaml);
  const wanted = (spec: object = {}, labels?: Record<string, string>) => ({
    apiVersion: 'orch.dev/v1',
    kind: 'Job',
    metadata: { name: 'ssa', ...(labels && { labels }) },
    spec: { groups: [group('web', 2)], ...spec },
  });
  t.match(await apply('', wanted()), { status: 422, json: { message: /fieldManager/ } });
  t.match(await apply('a', wanted(), '&dryRun=All'), { status: 201 });
  t.equal((await send('GET', at)).status, 404, 'it was a dry run');
  const made = await apply('a', wanted({ priority: 60, update: { maxParallel: 2 } }, { app: 'x' }));
  t.equal(made.status, 201, made.text);
  t.match(made.json, { metadata: { generation: 1, managedFields: [{ manager: 'a', operation: 'Apply', apiVersion: 'orch.dev/v1', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:app': {} } }, 'f:spec': { 'f:priority': {} } } }] }, spec: { priority: 60 } }); // prettier-ignore
  t.notOk('f:type' in made.json.metadata.managedFields[0].fieldsV1['f:spec'], 'defaults are nobody’s');
  const same = await apply('a', wanted({ priority: 60, update: { maxParallel: 2 } }, { app: 'x' }));
  t.equal(same.json.metadata.resourceVersion, made.json.metadata.resourceVersion, 'the same again is no write');

  const clash = await apply('b', { apiVersion: 'orch.dev/v1', kind: 'Job', spec: { priority: 70, groups: [group('web', 5)] } });
  t.match(clash, {
    status: 409,
    json: { reason: 'Conflict', message: /^Apply failed with 2 conflicts: conflicts with "a":\n- / },
  });
  t.match(clash.json.details.causes, [
    { reason: 'FieldManagerConflict', field: '.spec.groups[name="web"].count' },
    { reason: 'FieldManagerConflict', message: 'conflict with "a"', field: '.spec.priority' },
  ]);
  const forced = await apply('b', { apiVersion: 'orch.dev/v1', kind: 'Job', spec: { priority: 70 } }, '&force=true');
  t.match(forced.json, { metadata: { generation: 2, labels: { app: 'x' } }, spec: { priority: 70, update: { maxParallel: 2 } } });
  t.match(await apply('a', wanted({ update: { maxParallel: 3 } })), { status: 200, json: { spec: { priority: 70, update: { maxParallel: 3 }, groups: [{ update: { maxParallel: 3 } }] } } }); // prettier-ignore
  const now = (await send('GET', at)).json;
  t.notOk(now.metadata.labels, 'what is applied no more is gone');
  t.same(now.metadata.finalizers, ['orch.dev/job'], 'what the server added stays');

  const patched = await send('PATCH', `${at}?fieldManager=c`, { spec: { priority: 80 } }, merge);
  t.match(patched.json.metadata.managedFields.map((e: { manager: string; operation: string }) => `${e.manager} ${e.operation}`), ['a Apply', 'c Update']); // prettier-ignore
  await send('PATCH', `${at}/status?fieldManager=s`, { status: { description: 'x' } }, merge);
  t.match((await send('GET', at)).json.metadata.managedFields.at(-1), { manager: 's', subresource: 'status', fieldsV1: { 'f:status': { 'f:description': {} } } }); // prettier-ignore
  t.match(await send('PATCH', `${at}/status?fieldManager=t`, { apiVersion: 'orch.dev/v1', kind: 'Job', status: { description: 'y' } }, yaml), { status: 409 }); // prettier-ignore
  t.match(await send('PATCH', `${at}/status?fieldManager=t&force=true`, { apiVersion: 'orch.dev/v1', kind: 'Job', status: { description: 'y' } }, yaml), { json: { status: { description: 'y' } } }); // prettier-ignore

  t.match(
    await apply(
      'a',
      'apiVersion: orch.dev/v1\nkind: Job\nspec: {groups: [{name: web, tasks: [{name: server, driver: raw_exec, config: {command: /bin/true}}]}]}\n',
      '&dryRun=All',
    ),
    { status: 200 },
    'YAML',
  );
  for (const [why, body, code] of [
    ['managedFields', { ...wanted(), metadata: { managedFields: [] } }, 400],
    ['another name', { ...wanted(), metadata: { name: 'other' } }, 400],
    ['another kind', { ...wanted(), kind: 'Node' }, 400],
    ['no object', [], 400],
    ['an old version', { ...wanted(), metadata: { resourceVersion: '1' } }, 409],
    ['two items of one key', wanted({ groups: [group('web'), group('web')] }), 422],
    ['an invalid field', wanted({ datacenters: 5 }), 422],
  ] as const)
    t.equal((await apply('a', body)).status, code, why);
  t.match(await apply('a', wanted({ cuont: 1 }), '&fieldValidation=Strict'), { status: 400, json: { message: /spec.cuont/ } });
  t.match(await send('PATCH', `${at}?force=true`, {}, merge), { status: 422 });
  t.match(await send('PATCH', `${at}/scale?fieldManager=a`, {}, yaml), { status: 415 });
  t.match(await send('PATCH', '/apis/orch.dev/v1/namespaces/none/jobs/x?fieldManager=a', wanted(), yaml), { status: 400 });
  t.match(await send('PATCH', '/apis/orch.dev/v1/namespaces/none/jobs/ssa?fieldManager=a', wanted(), yaml), { status: 404 });

  // As kubectl goes over from its older way of applying.
  const fields = [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }];
  const cleared = await send('PATCH', at, fields, { 'content-type': 'application/json-patch+json' });
  t.equal(cleared.json.metadata.managedFields, undefined);
  t.match(await apply('kubectl', wanted({ priority: 90 })), { status: 409, json: { message: /before-first-apply/ } });
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(wanted({ priority: 80 })) };
  await send('PATCH', at, { metadata: { annotations } }, merge);
  t.match(await apply('kubectl', wanted({ priority: 90 })), { status: 200, json: { spec: { priority: 90 } } }, 'it was his own');

  // Who names no manager costs nothing, until somebody keeps count.
  await send('POST', JOBS, job('plain'));
  t.equal((await send('GET', `${JOBS}/plain`)).json.metadata.managedFields, undefined);
  await send('PATCH', `${JOBS}/plain`, { spec: { priority: 60 } }, { ...merge, 'user-agent': 'prog/1.0' });
  t.equal((await send('GET', `${JOBS}/plain`)).json.metadata.managedFields, undefined);
  await send('PATCH', `${JOBS}/plain?fieldManager=m`, { metadata: { labels: { a: 'b' } } }, merge);
  await send('PATCH', `${JOBS}/plain`, { spec: { priority: 61 } }, { ...merge, 'user-agent': 'prog/1.0' });
  t.match((await send('GET', `${JOBS}/plain`)).json.metadata.managedFields, [{ manager: 'm', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:a': {} } } } }, { manager: 'prog', fieldsV1: { 'f:spec': { 'f:priority': {} } } }]); // prettier-ignore
  t.equal((await send('PATCH', `${JOBS}/plain?fieldManager=${'x'.repeat(129)}`, {}, merge)).status, 400);

  // Many at once: each keeps its field.
  const names = Array.from({ length: 20 }, (_, i) => `w${i}`);
  const answers = await Promise.all(names.map((name) => send('PATCH', `${JOBS}/many?fieldManager=${name}`, { apiVersion: 'orch.dev/v1', kind: 'Job', metadata: { labels: { [name]: 'x' } }, spec: { groups: [group('web')] } }, yaml))); // prettier-ignore
  t.same(answers.map(({ status }) => status).sort(), [...names.slice(1).map(() => 200), 201]);
  t.same(Object.keys((await send('GET', `${JOBS}/many`)).json.metadata.labels as object).sort(), [...names].sort());
});

t.test('services are what registered under one name', async (t) => {
  const registration = (
    name: string,
    serviceName: string,
    address: string,
    port: number,
    creationTimestamp: string,
  ): ApiObject => ({
    apiVersion: 'orch.dev/v1',
    kind: 'ServiceRegistration',
    metadata: { name, namespace: 'default', uid: name, generation: 1, creationTimestamp },
    spec: { serviceName, address, port },
  });
  t.match(
    servicesOf([
      registration('1', 'web', '10.0.0.1', 80, '2026-01-02T00:00:00Z'),
      registration('2', 'db', '10.0.0.1', 6379, '2026-01-01T00:00:00Z'),
      registration('3', 'web', '10.0.0.2', 80, '2026-01-01T00:00:00Z'),
    ]),
    [
      { metadata: { name: 'db' }, spec: { ports: [{ port: 6379 }] } },
      { metadata: { name: 'web', creationTimestamp: '2026-01-01T00:00:00Z' }, spec: { externalIPs: ['10.0.0.1', '10.0.0.2'], ports: [{ port: 80 }] } }, // prettier-ignore
    ],
  );
  const { send } = server;
  const made = await send('POST', '/apis/orch.dev/v1/namespaces/default/serviceregistrations', { metadata: { name: 'r' }, spec: { serviceName: 'web', address: '10.0.0.1', port: 80 } }); // prettier-ignore
  t.equal(made.status, 201, made.text);
  t.match((await send('GET', '/api/v1/services')).json, { kind: 'ServiceList', items: [{ kind: 'Service', metadata: { name: 'web' } }] }); // prettier-ignore
  t.match((await send('GET', '/api/v1/namespaces/default/services', undefined, asTable)).json, { rows: [{ cells: ['web', '10.0.0.1', '80'] }] }); // prettier-ignore
  t.equal((await send('GET', '/api/v1/namespaces/default/services/web')).status, 200);
  t.equal((await send('GET', '/api/v1/namespaces/default/services/none')).status, 404);
  t.match((await send('GET', '/api/v1/services?labelSelector=kubernetes.io/cluster-service%3Dtrue')).json, { items: [] });
  t.equal((await send('POST', '/api/v1/namespaces/default/services', {})).status, 404);
});

t.test('secret values are shown to nobody who does not ask', async (t) => {
  const { send } = server;
  const at = `${JOBS}/secret`;
  const show = { 'orch-sensitive': 'show' };
  const withPassword = (password: string, priority = 50) => ({
    apiVersion: 'orch.dev/v1',
    kind: 'Job',
    metadata: { name: 'secret' },
    spec: { priority, groups: [{ name: 'g', tasks: [{ name: 't', driver: 'docker', config: { image: 'x', auth: [{ username: 'me', password }] } }] }] }, // prettier-ignore
  });
  const password = (object: { spec: { groups: { tasks: { config: { auth: { password: string }[] } }[] }[] } }): string => object.spec.groups[0]!.tasks[0]!.config.auth[0]!.password; // prettier-ignore
  const watching = await server.watch(`${JOBS}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dsecret`);
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(withPassword('hunter2')) };
  const made = await send('POST', JOBS, { ...withPassword('hunter2'), metadata: { name: 'secret', annotations } });
  t.equal(made.status, 201, made.text);
  const asTableWith = { accept: `${asTable.accept}` };
  for (const [what, text] of [
    ['the answer', made.text],
    ['get', (await send('GET', at)).text],
    ['list', (await send('GET', JOBS)).text],
    ['table', (await send('GET', `${JOBS}?includeObject=Object`, undefined, asTableWith)).text],
    ['table of metadata', (await send('GET', JOBS, undefined, asTableWith)).text],
    ['watch', JSON.stringify(await watching.next())],
    ['a dry run', (await send('PATCH', `${at}?dryRun=All`, { spec: { priority: 51 } }, merge)).text],
    ['delete', (await send('DELETE', `${at}?dryRun=All`)).text],
  ] as const) {
    t.notMatch(text, /hunter2/, what);
    if (what !== 'table') t.match(text, /secret/, what);
  }
  watching.close();
  t.equal(password((await send('GET', at)).json), '(sensitive)');
  t.equal(password((await send('GET', at, undefined, show)).json), 'hunter2');
  t.equal(password((await send('GET', JOBS, undefined, show)).json.items.find((j: { metadata: { name: string } }) => j.metadata.name === 'secret')), 'hunter2'); // prettier-ignore
  t.equal((await send('GET', at, undefined, { 'orch-sensitive': 'maybe' })).status, 400);

  // What was shown may be sent back: the mark means what is stored.
  const seen = (await send('GET', at)).json;
  t.equal((await send('PUT', at, { ...seen, spec: { ...seen.spec, priority: 60 } })).status, 200);
  const stored = (await send('GET', at, undefined, show)).json;
  t.same([password(stored), stored.spec.priority], ['hunter2', 60]);
  t.equal((await send('PUT', at, withPassword('swordfish', 60))).status, 200);
  t.equal(password((await send('GET', at, undefined, show)).json), 'swordfish');
  const nothing = await send('POST', JOBS, { ...withPassword('(sensitive)'), metadata: { name: 'none' } });
  t.match(nothing.json, { code: 422, details: { causes: [{ field: 'spec.groups[0].tasks[0].config.auth[0].password' }] } });

  // Plans tell that it changes, and no more.
  const diff = JSON.stringify(diffJobs(withPassword('hunter2'), withPassword('swordfish')));
  t.match(diff, /auth\[0\]\[password\]/);
  t.notMatch(diff, /hunter2|swordfish/);
  t.ok(isSensitiveOption('docker', 'auth[0][password]'));
  for (const option of ['auth[0][username]', 'image', 'password', 'auth']) t.notOk(isSensitiveOption('docker', option), option);
});

t.test('a namespace goes on being emptied by the next server', async (t) => {
  const first = await startServer();
  await first.send('POST', '/api/v1/namespaces', { metadata: { name: 'half' } });
  await first.send('POST', '/apis/orch.dev/v1/namespaces/half/jobs', job('x'));
  t.equal((await first.send('DELETE', '/api/v1/namespaces/half')).status, 200);
  await first.api.close();
  const second = await startServer(first);
  t.match((await second.send('GET', '/api/v1/namespaces/half')).json, { status: { phase: 'Terminating' } });
  const held = '/apis/orch.dev/v1/namespaces/half/jobs/x';
  await until(async () => ((await second.send('GET', held)).json.metadata.deletionTimestamp === undefined ? undefined : true));
  await second.send('PATCH', held, { metadata: { finalizers: null } }, merge);
  await until(async () => ((await second.send('GET', '/api/v1/namespaces/half')).status === 404 ? true : undefined));
  await second.close();
  await first.close();
});

t.test('deletion policies', async (t) => {
  const { send } = server;
  const pools = '/apis/orch.dev/v1/nodepools';
  for (const [policy, finalizers] of [
    ['Foreground', ['foregroundDeletion']],
    ['Orphan', ['orphan']],
  ] as const) {
    await send('POST', pools, { metadata: { name: policy.toLowerCase() } });
    const answer = await send('DELETE', `${pools}/${policy.toLowerCase()}`, { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: policy }); // prettier-ignore
    t.match(answer, { status: 200, json: { kind: 'NodePool', metadata: { finalizers, deletionTimestamp: String, deletionGracePeriodSeconds: 0 } } }); // prettier-ignore
  }
  await send('POST', pools, { metadata: { name: 'by-query' } });
  t.match(await send('DELETE', `${pools}/by-query?propagationPolicy=Foreground&dryRun=All`), { json: { metadata: { finalizers: ['foregroundDeletion'] } } }); // prettier-ignore
  t.match(await send('DELETE', `${pools}/by-query?orphanDependents=true&dryRun=All`), { json: { metadata: { finalizers: ['orphan'] } } }); // prettier-ignore
  t.equal((await send('DELETE', `${pools}/by-query`, { propagationPolicy: 'Sideways' })).status, 400);
  t.match(await send('DELETE', `${pools}/by-query`), { json: { status: 'Success' } });
  t.match(await send('DELETE', `${JOBS}/scaled`, { propagationPolicy: 'Orphan' }), { status: 400, json: { message: /nothing could stop its allocations/ } }); // prettier-ignore
});

t.test('an empty OpenAPI v2 keeps old clients going', async (t) => {
  const { status, headers, text } = await server.send('GET', '/openapi/v2');
  t.same([status, text, headers['content-type']], [200, '', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf']);
});
