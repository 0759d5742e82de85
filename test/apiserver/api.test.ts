import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import t from 'tap';
import { startApiServer } from '../../apiserver/index.ts';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import { derivedUuid, ManualClock, silentLogger } from '../../base/index.ts';
import { Client } from '../../client/index.ts';
import {
  AllocationKind,
  EvaluationKind,
  JobKind,
  LeaseKind,
  NodePoolKind,
  type Allocation,
  type Job,
} from '../../openapi/index.ts';
import { send, startServer, until, type Server } from './harness.ts';

const JOBS = '/apis/orch.dev/v1/namespaces/default/jobs';
const POOLS = '/apis/orch.dev/v1/nodepools';
const ALLOCATIONS = '/apis/orch.dev/v1/namespaces/default/allocations';
const merge = { 'content-type': 'application/merge-patch+json' };
const jsonPatch = { 'content-type': 'application/json-patch+json' };

const job = (name: string, spec: Job['spec'] = {}): Job => ({
  metadata: { name, namespace: 'default' },
  spec: { groups: [{ name: 'web', tasks: [{ name: 'server', driver: 'raw_exec', config: { command: '/bin/true' } }] }], ...spec },
});

const allocation = (n: number, nodeName = 'n1', more: Partial<Allocation['spec']> = {}): Allocation => ({
  metadata: { name: derivedUuid('alloc', n), namespace: 'default' },
  spec: {
    jobName: 'web',
    jobUID: 'u',
    jobVersion: 0,
    group: 'web',
    name: `web.web[${n}]`,
    index: n,
    nodeName,
    desired: 'run',
    ...more,
  },
});

/** One whose record may go at once. */
const ended = (n: number): Allocation => ({ ...allocation(n), status: { phase: 'complete' } });

const pool = (name: string, labels?: Record<string, string>) => ({
  metadata: { name, ...(labels && { labels }) },
  spec: { description: name },
});

let server: Server;
t.before(async () => {
  server = await startServer();
});

t.test('create, get, update, delete', async (t) => {
  const { client, send } = server;
  const made = await send('POST', POOLS, { metadata: { name: 'crud', labels: { a: 'b' } }, spec: { description: 'one' } });
  t.equal(made.status, 201);
  t.match(made.json, {
    apiVersion: 'orch.dev/v1',
    kind: 'NodePool',
    metadata: { name: 'crud', generation: 1, labels: { a: 'b' } },
  });
  t.match(made.json.metadata.uid, /^[0-9a-f-]{36}$/);
  t.match(made.json.metadata.creationTimestamp, /^2026-01-01T00:\d\d:\d\dZ$/);
  t.match(made.json.metadata.resourceVersion, /^\d+$/);

  const again = await send('POST', POOLS, pool('crud'));
  t.match(again, {
    status: 409,
    json: { kind: 'Status', reason: 'AlreadyExists', message: 'nodepools.orch.dev "crud" already exists' },
  });
  t.match(again.json.details, { name: 'crud', group: 'orch.dev', kind: 'nodepools' });

  const got = await send('GET', `${POOLS}/crud`);
  t.same(got.json, made.json);

  const updated = await client.update(NodePoolKind, { ...got.json, spec: { description: 'two' } });
  t.equal(updated.metadata.generation, 2);
  t.equal(updated.metadata.uid, made.json.metadata.uid);
  await t.rejects(
    client.update(NodePoolKind, { ...got.json, spec: { description: 'three' } }),
    { name: 'ApiError', reason: 'Conflict' },
    'a stale version',
  );

  const { resourceVersion: _, ...metadata } = got.json.metadata;
  const free = await client.update(NodePoolKind, { ...got.json, metadata, spec: { description: 'three' } });
  t.equal(free.spec!.description, 'three', 'without a version it is unconditional');

  const noop = await client.update(NodePoolKind, free);
  t.equal(noop.metadata.resourceVersion, free.metadata.resourceVersion, 'what changes nothing is not written');

  const labelled = await client.patch(NodePoolKind, 'crud', undefined, { metadata: { labels: { c: 'd' } } });
  t.equal(labelled.metadata.generation, 3, 'metadata is no generation');
  t.same(labelled.metadata.labels, { a: 'b', c: 'd' });

  const gone = await send('DELETE', `${POOLS}/crud`, '');
  t.match(gone, {
    status: 200,
    json: { kind: 'Status', status: 'Success', details: { name: 'crud', uid: made.json.metadata.uid } },
  });
  t.match(await send('GET', `${POOLS}/crud`), {
    status: 404,
    json: { reason: 'NotFound', message: 'nodepools.orch.dev "crud" not found' },
  });
  t.match(await send('DELETE', `${POOLS}/crud`), { status: 404 });
});

t.test('preconditions and identity', async (t) => {
  const { send, client } = server;
  const one = await client.create(NodePoolKind, pool('ident'));
  t.match(await send('PUT', `${POOLS}/ident`, { ...one, metadata: { ...one.metadata, name: 'other' } }), { status: 400 });
  t.match(await send('PUT', `${POOLS}/ident`, { ...one, kind: 'Node' }), {
    status: 400,
    json: { message: /kind of the body is "Node"/ },
  });
  t.match(await send('PUT', `${POOLS}/ident`, { ...one, metadata: { ...one.metadata, uid: 'x', resourceVersion: '' } }), {
    status: 409,
  });
  t.match(await send('POST', POOLS, { metadata: { name: 'q', resourceVersion: '5' } }), { status: 400 });
  t.match(await send('POST', JOBS, { ...job('q'), metadata: { name: 'q', namespace: 'elsewhere' } }), { status: 400 });
  t.match(await send('DELETE', `${POOLS}/ident`, { preconditions: { uid: 'x' } }), { status: 409 });
  t.match(await send('DELETE', `${POOLS}/ident`, { preconditions: { resourceVersion: '1' } }), { status: 409 });
  t.match(await send('DELETE', `${POOLS}/ident`, { propagationPolicy: 'Sideways' }), { status: 400 });
  t.match(await send('DELETE', `${POOLS}/ident`, { dryRun: ['All'] }), { status: 200 });
  await client.delete(NodePoolKind, 'ident', undefined, { preconditions: { uid: one.metadata.uid } });
});

t.test('patches', async (t) => {
  const { send, client } = server;
  await client.create(NodePoolKind, { metadata: { name: 'patch' }, spec: { description: 'x', meta: { a: '1', b: '2' } } });
  const at = `${POOLS}/patch`;
  t.match(await send('PATCH', at, { spec: { meta: { a: null, c: '3' } } }, merge), {
    status: 200,
    json: { spec: { meta: { b: '2', c: '3' } } },
  });
  const patched = await send('PATCH', at, [{ op: 'test', path: '/spec/meta/b', value: '2' }, { op: 'move', from: '/spec/meta/b', path: '/spec/meta/d' }], jsonPatch); // prettier-ignore
  t.same(patched.json.spec.meta, { c: '3', d: '2' });
  t.match(await send('PATCH', at, [{ op: 'test', path: '/spec/meta/d', value: 'no' }], jsonPatch), { status: 422, json: { message: /operation 0.*Test operation failed/ } }); // prettier-ignore
  t.match(await send('PATCH', at, [{ op: 'remove', path: '/spec/nothing/here' }], jsonPatch), { status: 422 });
  t.match(await send('PATCH', at, [{ op: 'eval', path: '/' }], jsonPatch), { status: 400 });
  t.match(await send('PATCH', at, [{ op: 'add', path: '/spec/__proto__/polluted', value: 1 }], jsonPatch), { status: 422 });
  t.match(await send('PATCH', at, '{"__proto__":{"polluted":1},"spec":{"meta":{"__proto__":"x"}}}', merge), { status: 200 });
  t.equal(({} as { polluted?: unknown }).polluted, undefined);
  t.match(await send('PATCH', at, { metadata: { resourceVersion: '1' } }, merge), { status: 409 });
  t.match(await send('PATCH', at, 'nonsense', merge), { status: 400 });
  t.match(await send('PATCH', at, '"text"', merge), { status: 400 });
  t.match(await send('PATCH', at, {}, { 'content-type': 'application/apply-patch+cbor' }), { status: 415, json: { reason: 'UnsupportedMediaType' } }); // prettier-ignore
  t.match(await send('PATCH', at, {}, { 'content-type': 'application/strategic-merge-patch+json' }), { status: 415 });
  const ns = await send('PATCH', '/api/v1/namespaces/default', { metadata: { labels: { x: 'y' } } }, { 'content-type': 'application/strategic-merge-patch+json' }); // prettier-ignore
  t.match(ns, { status: 200, json: { metadata: { labels: { x: 'y' } } } }, 'kinds that kubectl knows by heart');

  await client.create(NodePoolKind, { metadata: { name: 'race' }, spec: { meta: {} } });
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => client.patch(NodePoolKind, 'race', undefined, { spec: { meta: { [`k${i}`]: 'v' } } }))); // prettier-ignore
  const last = await client.get(NodePoolKind, 'race');
  t.equal(Object.keys(last.spec!.meta!).length, 200, 'no patch is lost in a race');
  t.ok(new Set(all.map((one) => one.metadata.resourceVersion)).size < 200, 'writers that meet share transactions');
  t.ok(
    all.every((one, i) => one.spec!.meta![`k${i}`] === 'v'),
    'and each gets the object with its change',
  );
  const guarded = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => client.update(NodePoolKind, { ...last, spec: { meta: { winner: `${i}` } } }))); // prettier-ignore
  const won = guarded.filter((one) => one.status === 'fulfilled');
  t.equal(won.length, 1, 'of those that expect the same version, one wins');
  t.same((await client.get(NodePoolKind, 'race')).spec, won[0]!.value.spec);
  const mixed = await Promise.allSettled([
    ...Array.from({ length: 20 }, (_, i) =>
      client.patch(NodePoolKind, 'race', undefined, { spec: { meta: { [`m${i}`]: 'x' } } }),
    ),
    ...Array.from({ length: 20 }, () => client.patch(NodePoolKind, 'race', undefined, { spec: { meta: 7 } })),
    client.delete(NodePoolKind, 'race'),
    ...Array.from({ length: 20 }, (_, i) =>
      client.patch(NodePoolKind, 'race', undefined, { spec: { meta: { [`n${i}`]: 'x' } } }),
    ),
  ]);
  t.ok(
    mixed.slice(20, 40).every((one) => one.status === 'rejected'),
    'a bad one does not spoil the others',
  );
  t.equal(mixed[40]!.status, 'fulfilled');
  t.equal(await client.find(NodePoolKind, 'race'), undefined);
});

t.test('validation names every problem and its path', async (t) => {
  const { send } = server;
  const bad = await send('POST', JOBS, {
    metadata: { name: 'bad name', labels: { '-x': 'y', ok: 'not ok!' }, ownerReferences: [{ name: 'x' }] },
    spec: {
      groups: [{ name: 'a', count: 'two', tasks: [{ name: 't', killTimeout: 'soon' }, { name: 't' }] }, { count: 1 }],
      priority: 1.5,
    },
  });
  t.match(bad, { status: 422, json: { reason: 'Invalid', details: { kind: 'Job', name: 'bad name', group: 'orch.dev' } } });
  const fields = bad.json.details.causes.map((cause: { field: string }) => cause.field).sort();
  t.same(fields, [
    'metadata.labels',
    'metadata.labels[ok]',
    'metadata.name',
    'metadata.ownerReferences[0].apiVersion',
    'metadata.ownerReferences[0].kind',
    'metadata.ownerReferences[0].uid',
    'spec.groups[0].count',
    'spec.groups[0].tasks[0].killTimeout',
    'spec.groups[0].tasks[1]',
    'spec.groups[1].name',
    'spec.priority',
  ]);
  const message = (field: string): string =>
    bad.json.details.causes.find((cause: { field: string }) => cause.field === field).message;
  t.equal(message('spec.groups[0].count'), 'Invalid value: "two": must be of type integer');
  t.equal(
    message('spec.groups[0].tasks[0].killTimeout'),
    'Invalid value: "soon": must be a duration such as "30s", "10m" or "1h30m"',
  );
  t.equal(message('spec.groups[1].name'), 'Required value');
  t.equal(message('spec.groups[0].tasks[1]'), 'Duplicate value: {"name":"t"}');

  const evaluation = await send('POST', '/apis/orch.dev/v1/namespaces/default/evaluations', {
    metadata: { name: derivedUuid('e') },
    spec: { jobName: 'x', trigger: 'because', priority: 101 },
  });
  t.match(evaluation.json.details.causes, [
    { field: 'spec.priority', message: 'Invalid value: 101: must be <= 100' },
    {
      field: 'spec.trigger',
      reason: 'FieldValueNotSupported',
      message: /^Unsupported value: "because": supported values: "job-register"/,
    },
  ]);
  t.match(await send('POST', JOBS, { metadata: { name: 'x' } }), { status: 422, json: { details: { causes: [{ field: 'spec', reason: 'FieldValueRequired' }] } } }); // prettier-ignore
  t.match(await send('POST', POOLS, { metadata: { name: 'Upper' } }), { status: 422 });
  t.match(await send('POST', POOLS, { metadata: {} }), { status: 422, json: { message: /name or generateName is required/ } });
  t.match(await send('POST', JOBS, { ...job('x'), metadata: { name: '..' } }), { status: 422 });
  t.equal((await send('POST', JOBS, job('Weird_Name:with(parts)'))).status, 201, 'job names are freer');
});

t.test('unknown and repeated fields', async (t) => {
  const { send } = server;
  const body = { metadata: { name: 'unknown', foo: 1 }, spec: { description: 'x', cuont: 3 }, extra: true };
  const warned = await send('POST', `${POOLS}?dryRun=All`, body);
  t.equal(warned.status, 201);
  t.notOk('cuont' in warned.json.spec || 'extra' in warned.json || 'foo' in warned.json.metadata);
  t.match(warned.headers['warning'], /299 - "unknown field \\"metadata.foo\\"".*299 - "unknown field \\"spec.cuont\\""/);
  const strict = await send('POST', `${POOLS}?fieldValidation=Strict`, body);
  t.match(strict, { status: 400, json: { reason: 'BadRequest', message: 'NodePool in version "v1" cannot be handled as a NodePool: strict decoding error: unknown field "metadata.foo", unknown field "spec.cuont", unknown field "extra"' } }); // prettier-ignore
  t.notOk('warning' in (await send('POST', `${POOLS}?dryRun=All&fieldValidation=Ignore`, body)).headers);
  const twice = '{"metadata":{"name":"twice"},"spec":{"description":"a","description":"b"}}';
  t.match(await send('POST', `${POOLS}?fieldValidation=Strict`, twice), {
    status: 400,
    json: { message: /duplicate field "spec.description"/ },
  });
  t.match(await send('POST', `${POOLS}?fieldValidation=Loose`, twice), { status: 400 });
  t.match(await send('GET', `${POOLS}/unknown`), { status: 404 }, 'a dry run stores nothing');
});

t.test('malformed and oversized input', async (t) => {
  const { send, url } = server;
  t.match(await send('POST', POOLS, '{\n  "metadata": {"name" "x"}\n}'), { status: 400, json: { reason: 'BadRequest', message: 'the body is not valid JSON at line 2, column 23: expected ":", found "\\""' } }); // prettier-ignore
  t.match(await send('POST', POOLS, ''), { status: 400 });
  t.match(await send('POST', POOLS, '[1]'), { status: 400 });
  t.match(await send('POST', POOLS, '{"a":'), { status: 400, json: { message: /found the end/ } });
  t.match(await send('POST', POOLS, '{}', { 'content-type': 'text/plain' }), { status: 415 });
  t.match(await send('POST', POOLS, '{}', { 'content-type': 'application/vnd.kubernetes.protobuf' }), { status: 400 });
  t.match(await send('POST', POOLS, Buffer.alloc((3 << 20) + 1, 32)), { status: 413, json: { reason: 'RequestEntityTooLarge' } });
  const deep = `{"metadata":{"name":"deep"},"spec":{"groups":[{"name":"g","tasks":[{"name":"t","driver":"raw_exec","config":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}]}]}}`;
  t.match(await send('POST', JOBS, deep), { status: 422, json: { message: /nested deeper than 64 levels/ } });
  const yaml = 'metadata:\n  name: yaml\nspec:\n  description: from yaml\n';
  t.match(await send('POST', POOLS, yaml, { 'content-type': 'application/yaml' }), {
    status: 201,
    json: { spec: { description: 'from yaml' } },
  });
  t.match(await send('POST', POOLS, 'a: [1', { 'content-type': 'application/yaml' }), {
    status: 400,
    json: { message: /not valid YAML.*line/ },
  });
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`)].join('\n'); // prettier-ignore
  t.match(await send('POST', POOLS, bomb, { 'content-type': 'application/yaml' }), {
    status: 400,
    json: { message: /too many aliases/ },
  });

  for (const path of [
    '/nope',
    '/apis/nope/v1/jobs',
    '/apis/orch.dev/v1/nope',
    `${JOBS}/a/b/c`,
    `${JOBS}/a/nope`,
    '/api/v2',
    '/apis/orch.dev/v1/namespaces/default/nodepools',
  ]) {
    t.match(await send('GET', path), { status: 404, json: { kind: 'Status', reason: 'NotFound' } }, path);
  }
  t.match(await send('GET', `${POOLS}/%zz`), { status: 400 });
  t.match(await send('POST', `${POOLS}/x`, {}), { status: 405 });
  t.match(await send('PUT', POOLS, {}), { status: 405 });
  t.match(await send('GET', `${POOLS}?labelSelector=a%20b`), { status: 400, json: { message: /label selector/ } });
  t.match(await send('GET', `${JOBS}?fieldSelector=spec.type=x`), {
    status: 400,
    json: { message: /field label not supported: spec.type/ },
  });
  t.match(await send('GET', `${POOLS}?resourceVersion=abc`), { status: 400 });
  t.match(await send('GET', `${POOLS}?limit=-1`), { status: 400 });
  t.match(await send('GET', `${POOLS}?continue=garbage`), { status: 400 });
  t.match(await send('GET', POOLS, undefined, { accept: 'text/html' }), { status: 406 });
  t.match(await send('GET', POOLS, undefined, { origin: 'http://evil.example' }), { status: 403 });
  t.match(await send('GET', POOLS, undefined, { host: 'evil.example' }), { status: 403 });
  t.match(await send('GET', POOLS, undefined, { origin: url }), { status: 200 });

  const { port } = new URL(url);
  const raw = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
      let answer = '';
      socket.on('data', (part) => (answer += part.toString()));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
  t.match(await raw('\0\x01garbage\r\n\r\n'), /^HTTP\/1.1 400/);
  t.match(await raw(`GET ${POOLS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 4/);
  t.match(await send('GET', '/healthz'), { status: 200, text: 'ok' }, 'and it still lives');
});

t.test('status is a subresource', async (t) => {
  const { client, send } = server;
  const made = await send('POST', JOBS, { ...job('status'), status: { phase: 'running' } });
  t.equal(made.json.status.phase, undefined, 'create drops status');
  const withStatus = await client.patch(JobKind, 'status', 'default', { status: { phase: 'running' }, spec: { priority: 70 } }, { subresource: 'status' }); // prettier-ignore
  t.equal(withStatus.status!.phase, 'running');
  t.equal(withStatus.spec.priority, made.json.spec.priority, 'a status write leaves spec alone');
  t.equal(withStatus.metadata.generation, 1);
  const withSpec = await client.patch(JobKind, 'status', 'default', { status: { phase: 'dead' }, spec: { priority: 70 } });
  t.equal(withSpec.status!.phase, 'running', 'a spec write leaves status alone');
  t.equal(withSpec.metadata.generation, 2);
  const put = await client.updateStatus(JobKind, { ...withSpec, status: { phase: 'dead', version: 3 } });
  t.match(put.status, { phase: 'dead', version: 3 });
  t.match(await send('PATCH', `${JOBS}/status/status`, { status: { phase: 'happy' } }, merge), { status: 422, json: { details: { causes: [{ field: 'status.phase' }] } } }); // prettier-ignore
  t.match(await send('GET', `${JOBS}/status/status`), { status: 200, json: { status: { phase: 'dead' } } });
  t.match(await send('GET', `${POOLS}/default/status`), { status: 404 });
});

t.test('the modify index of a job', async (t) => {
  const { client } = server;
  const made = await client.create(JobKind, job('index'));
  t.equal(String(made.status!.modifyIndex), made.metadata.resourceVersion);
  t.same(made.metadata.finalizers, ['orch.dev/job']);
  const status = await client.patch(
    JobKind,
    'index',
    'default',
    { status: { phase: 'running', modifyIndex: 1 } },
    { subresource: 'status' },
  );
  t.equal(status.status!.modifyIndex, made.status!.modifyIndex, 'kept by the server, whatever clients send');
  const labelled = await client.patch(JobKind, 'index', 'default', { metadata: { labels: { a: 'b' } } });
  t.equal(labelled.status!.modifyIndex, made.status!.modifyIndex);
  const changed = await client.patch(JobKind, 'index', 'default', { spec: { priority: 90 } });
  t.equal(String(changed.status!.modifyIndex), changed.metadata.resourceVersion);
  t.equal((await client.get(JobKind, 'index', 'default')).status!.modifyIndex, changed.status!.modifyIndex);
  const listed = (await client.list(JobKind)).items.find((item) => item.metadata.name === 'index');
  t.same(listed, changed, 'what is listed is what the write answered');
  await t.rejects(client.update(JobKind, { ...changed, metadata: { ...changed.metadata, resourceVersion: made.metadata.resourceVersion } }), { name: 'ApiError', reason: 'Conflict' }); // prettier-ignore
});

t.test('finalizers hold up a deletion', async (t) => {
  const { client, send } = server;
  await client.create(JobKind, job('final'));
  const deleted = await send('DELETE', `${JOBS}/final`);
  t.match(deleted, { status: 200, json: { kind: 'Job', metadata: { generation: 2, deletionGracePeriodSeconds: 0 } } });
  t.match(deleted.json.metadata.deletionTimestamp, /Z$/);
  const again = await send('DELETE', `${JOBS}/final`);
  t.equal(again.json.metadata.resourceVersion, deleted.json.metadata.resourceVersion);
  t.match(await send('PATCH', `${JOBS}/final`, { metadata: { finalizers: ['orch.dev/job', 'x.y/z'] } }, merge), { status: 422, json: { message: /no new finalizers/ } }); // prettier-ignore
  t.match(await send('POST', JOBS, job('final')), { status: 409 });
  const watching = await server.watch(`${JOBS}?watch=1&fieldSelector=metadata.name=final&resourceVersion=${deleted.json.metadata.resourceVersion}`); // prettier-ignore
  t.match(await send('PATCH', `${JOBS}/final`, { metadata: { finalizers: null } }, merge), { status: 200 });
  const event = await watching.next();
  t.equal(event!.type, 'DELETED');
  t.ok(Number(event!.object.metadata.resourceVersion) > Number(deleted.json.metadata.resourceVersion));
  t.match(await send('GET', `${JOBS}/final`), { status: 404 });
  watching.close();
});

t.test('jobs are stored in their canonical form', async (t) => {
  const { client, send } = server;
  const made = await client.create(JobKind, job('canonical', { type: 'batch' }));
  t.match(made.spec, {
    priority: 50,
    nodePool: 'default',
    id: 'canonical',
    groups: [{ count: 1, tasks: [{ resources: { cpu: 100, memory: 300 } }] }],
  });
  const again = await client.update(JobKind, {
    ...job('canonical', { type: 'batch' }),
    metadata: { ...made.metadata, resourceVersion: '' },
  });
  t.equal(again.metadata.resourceVersion, made.metadata.resourceVersion, 'submitting it again changes nothing');
  t.match(await send('PATCH', `${JOBS}/canonical`, { spec: { type: 'service' } }, merge), { status: 422, json: { message: /the type of a job cannot change/ } }); // prettier-ignore
  await send('DELETE', `${JOBS}/canonical`);
  t.match(await send('PATCH', `${JOBS}/canonical`, { spec: { priority: 70 } }, merge), { status: 422, json: { message: /canonical" is being removed/ } }); // prettier-ignore
  t.match(
    await send('PATCH', `${JOBS}/canonical`, { metadata: { labels: { a: 'b' } } }, merge),
    { status: 200 },
    'all else can be changed',
  );
  const bad = await send('POST', JOBS, { metadata: { name: 'rules' }, spec: { type: 'servce', priority: 500, groups: [{ name: 'g', count: -1, tasks: [{ name: 't' }] }] } }); // prettier-ignore
  t.equal(bad.status, 422);
  const fields = bad.json.details.causes.map((cause: { field: string }) => cause.field);
  t.ok(['spec.type', 'spec.priority', 'spec.groups[0].count', 'spec.groups[0].tasks[0].driver'].every((field) => fields.includes(field)), fields.join()); // prettier-ignore

  const evaluations = '/apis/orch.dev/v1/namespaces/default/evaluations';
  const plan = (spec: Job['spec']) => ({
    metadata: { name: derivedUuid(JSON.stringify(spec)) },
    spec: { jobName: 'dry', trigger: 'job-register', dryRun: { job: spec } },
  });
  t.match(await send('POST', evaluations, plan(job('dry').spec)), {
    status: 201,
    json: { spec: { dryRun: { job: { priority: 50, id: 'dry' } } } },
  });
  const refused = await send('POST', evaluations, plan({ groups: [{ name: 'g', tasks: [{ name: 't' }] }] }));
  t.match(refused, { status: 422, json: { details: { causes: [{ field: 'spec.dryRun.job.groups[0].tasks[0].driver' }] } } });
});

t.test('job versions never change', async (t) => {
  const { send } = server;
  const at = '/apis/orch.dev/v1/namespaces/default/jobversions';
  const body = {
    metadata: { name: 'web-12345678-v0' },
    spec: { jobName: 'web', jobUID: 'u', version: 0, job: { priority: 50 } },
  };
  t.equal((await send('POST', at, body)).status, 201);
  t.match(await send('PATCH', `${at}/web-12345678-v0`, { spec: { stable: true, tag: 'good' } }, merge), { status: 200 });
  t.match(await send('PATCH', `${at}/web-12345678-v0`, { spec: { job: { priority: 51 } } }, merge), { status: 422, json: { message: /never changes/ } }); // prettier-ignore
});

t.test('namespaces', async (t) => {
  const { client, send } = server;
  t.match(await send('POST', '/apis/orch.dev/v1/namespaces/missing/jobs', { ...job('x'), metadata: { name: 'x' } }), { status: 404, json: { message: 'namespaces "missing" not found' } }); // prettier-ignore
  t.equal((await send('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })).json.status.phase, 'Active');
  await client.create(JobKind, { ...job('x'), metadata: { name: 'x', namespace: 'team' } });
  await client.create(NodePoolKind, { metadata: { name: 'no-namespace' } });
  t.match(await send('DELETE', '/api/v1/namespaces/team?dryRun=All'), {
    status: 200,
    json: { status: { phase: 'Terminating' } },
  });
  t.equal((await send('GET', '/api/v1/namespaces/team')).json.status.phase, 'Active', 'it was a dry run');
  t.equal((await send('DELETE', '/api/v1/namespaces/team', { preconditions: { uid: 'other' } })).status, 409);
  const lease = await client.create(LeaseKind, { metadata: { name: 'leader', namespace: 'default' }, spec: {} });
  await client.create(LeaseKind, { metadata: { name: 'mine', namespace: 'team' }, spec: {} });
  t.match(await send('DELETE', '/api/v1/namespaces/team'), { status: 200, json: { status: { phase: 'Terminating' }, metadata: { deletionTimestamp: String } } }); // prettier-ignore
  const refused = await send('POST', '/apis/orch.dev/v1/namespaces/team/jobs', { ...job('y'), metadata: { name: 'y' } });
  t.match(refused, { status: 403, json: { reason: 'Forbidden', details: { causes: [{ reason: 'NamespaceTerminating' }] } } });
  await until(async () =>
    (await client.find(JobKind, 'x', 'team'))?.metadata.deletionTimestamp === undefined ? undefined : true,
  );
  await until(async () => ((await client.find(LeaseKind, 'mine', 'team')) === undefined ? true : undefined));
  // The job waits for the control plane, which may still write there what it needs.
  const evaluation = {
    metadata: { name: derivedUuid('e', 1), namespace: 'team' },
    spec: { jobName: 'x', trigger: 'job-deregister' as const },
  };
  await client.withFence({ namespace: 'default', name: 'leader', uid: lease.metadata.uid }).create(EvaluationKind, evaluation);
  t.match(await send('PATCH', '/api/v1/namespaces/team', { metadata: { finalizers: null } }, merge), { status: 422 }, 'it is not forced'); // prettier-ignore
  t.equal((await send('GET', '/api/v1/namespaces/team')).status, 200);
  await client.patch(JobKind, 'x', 'team', { metadata: { finalizers: null } });
  await until(async () => ((await send('GET', '/api/v1/namespaces/team')).status === 404 ? true : undefined));
  t.equal(await client.find(EvaluationKind, evaluation.metadata.name, 'team'), undefined, 'and all of it is gone');
  t.match(await send('POST', '/apis/orch.dev/v1/namespaces/team/jobs', { ...job('x'), metadata: { name: 'x' } }), {
    status: 404,
  });
  for (const name of ['default', 'orch-system', 'orch-node-lease'])
    t.match(await send('DELETE', `/api/v1/namespaces/${name}`), { status: 403 });
  t.match(await send('GET', '/api/v1/namespaces/default/status'), { status: 200, json: { kind: 'Namespace' } });
});

t.test('names that the server makes', async (t) => {
  const made = await Promise.all(
    Array.from({ length: 20 }, () => server.send('POST', POOLS, { metadata: { generateName: 'gen-' } })),
  );
  const names = made.map(({ json }) => json.metadata.name as string);
  t.ok(names.every((name) => /^gen-[a-z0-9]{5}$/.test(name)));
  t.equal(new Set(names).size, 20);
});

t.test('lists: selectors, pages, one revision', async (t) => {
  const { client, send } = server;
  for (const [i, tier] of ['web', 'web', 'api', 'db', undefined].entries()) await client.create(NodePoolKind, pool(`sel-${i}`, { set: 'sel', ...(tier && { tier }) })); // prettier-ignore
  const names = async (labelSelector: string, more = ''): Promise<string> => {
    const { json } = await send('GET', `${POOLS}?labelSelector=${encodeURIComponent(`set=sel,${labelSelector}`)}${more}`);
    return json.items.map((item: { metadata: { name: string } }) => item.metadata.name.slice(4)).join('');
  };
  t.equal(await names('tier=web'), '01');
  t.equal(await names('tier!=web'), '234', 'also those without the key');
  t.equal(await names('tier in (api, db)'), '23');
  t.equal(await names('tier notin (api,db)'), '014');
  t.equal(await names('tier'), '0123');
  t.equal(await names('!tier'), '4');
  t.equal(await names('tier', '&fieldSelector=metadata.name%3Dsel-2'), '2');
  t.equal(await names('tier', '&fieldSelector=metadata.name!%3Dsel-2'), '013');

  const first = await send('GET', `${POOLS}?limit=2&labelSelector=set%3Dsel`);
  t.equal(first.json.items.length, 2);
  t.notOk('remainingItemCount' in first.json.metadata);
  const pages: string[] = first.json.items.map((item: { metadata: { name: string } }) => item.metadata.name);
  await client.delete(NodePoolKind, 'sel-3');
  await client.create(NodePoolKind, pool('sel-25', { set: 'sel' }));
  for (let token = first.json.metadata.continue; token !== undefined;) {
    const { json } = await send('GET', `${POOLS}?limit=2&labelSelector=set%3Dsel&continue=${token}`);
    t.equal(json.metadata.resourceVersion, first.json.metadata.resourceVersion, 'all pages are of one revision');
    pages.push(...json.items.map((item: { metadata: { name: string } }) => item.metadata.name));
    token = json.metadata.continue;
  }
  t.same(pages, ['sel-0', 'sel-1', 'sel-2', 'sel-3', 'sel-4'], 'writes in between are not seen');

  const all = (await send('GET', POOLS)).json;
  const counted = (await send('GET', `${POOLS}?limit=3`)).json;
  t.equal(counted.metadata.remainingItemCount, all.items.length - 3);
  await client.create(NodePoolKind, pool('zz-late'));
  const rest = (await send('GET', `${POOLS}?limit=1000&continue=${counted.metadata.continue}`)).json;
  t.same([...counted.items, ...rest.items], all.items);
  await server.store.compact(await server.store.revision());
  t.match(await send('GET', `${POOLS}?limit=3&continue=${counted.metadata.continue}`), {
    status: 410,
    json: { reason: 'Expired' },
  });

  const future = Number(all.metadata.resourceVersion) + 1000;
  const waiting = send('GET', `${POOLS}?resourceVersion=${future}`);
  await until(async () => ((await send('GET', '/metrics')).text.includes('request_kind="readOnly"} 2') ? true : undefined));
  server.clock.advance(3_000);
  t.match(await waiting, {
    status: 504,
    json: { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 } },
  });
  t.match(await send('GET', `${POOLS}?resourceVersion=5&resourceVersionMatch=Exact`), { status: 410 });
  t.match(await send('GET', `${POOLS}?resourceVersionMatch=Exact`), { status: 400 });
  t.match(await send('DELETE', `${POOLS}?labelSelector=set%3Dsel`), { status: 200, json: { kind: 'NodePoolList' } });
  t.equal((await send('GET', `${POOLS}?labelSelector=set%3Dsel`)).json.items.length, 0);
});

t.test('a list sees every write that was answered before', async (t) => {
  const { client } = server;
  for (let i = 0; i < 30; i++) {
    await client.create(NodePoolKind, pool(`seen-${i}`, { set: 'seen' }));
    const { items, metadata } = await client.list(NodePoolKind, { labelSelector: 'set=seen' });
    t.equal(items.length, i + 1);
    t.ok(items.every((item) => Number(item.metadata.resourceVersion) <= Number(metadata.resourceVersion)));
  }
});

t.test('watch', async (t) => {
  const { client, send } = server;
  const start = (await send('GET', POOLS)).json.metadata.resourceVersion;
  const all = await server.watch(`${POOLS}?watch=true&resourceVersion=${start}`);
  const web = await server.watch(`${POOLS}?watch=true&resourceVersion=${start}&labelSelector=tier%3Dweb`);
  const one = await server.watch(`${POOLS}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dw1`);
  await client.create(NodePoolKind, pool('w1', { tier: 'web' }));
  await client.create(NodePoolKind, pool('w2'));
  await client.patch(NodePoolKind, 'w1', undefined, { metadata: { labels: { tier: 'db' } } });
  await client.patch(NodePoolKind, 'w1', undefined, { metadata: { labels: { tier: 'web' } } });
  await client.patch(NodePoolKind, 'w1', undefined, { spec: { description: 'new' } });
  await client.delete(NodePoolKind, 'w1');
  t.same(await all.take(6), ['ADDED w1', 'ADDED w2', 'MODIFIED w1', 'MODIFIED w1', 'MODIFIED w1', 'DELETED w1']);
  const first = await web.next();
  t.equal(first!.type, 'ADDED');
  const left = await web.next();
  t.match(left, { type: 'DELETED', object: { metadata: { labels: { tier: 'web' } } } }, 'in its last fitting state');
  t.ok(Number(left!.object.metadata.resourceVersion) > Number(first!.object.metadata.resourceVersion), 'with the new version');
  t.same(await web.take(3), ['ADDED w1', 'MODIFIED w1', 'DELETED w1']);
  t.same(await one.take(5), ['ADDED w1', 'MODIFIED w1', 'MODIFIED w1', 'MODIFIED w1', 'DELETED w1']);

  const resumed = await server.watch(`${POOLS}?watch=true&resourceVersion=${left!.object.metadata.resourceVersion}`);
  t.same(await resumed.take(3), ['MODIFIED w1', 'MODIFIED w1', 'DELETED w1'], 'exclusive of the version given');

  const initial = await server.watch(`${POOLS}?watch=true`);
  const count = (await send('GET', POOLS)).json.items.length;
  t.ok(
    (await initial.take(count)).every((line) => line.startsWith('ADDED')),
    'without a version: everything there is, first',
  );
  for (const watching of [all, web, one, resumed, initial]) watching.close();
  t.match(await send('GET', `${JOBS}/x?watch=true`), { status: 404 });
});

t.test('watch: a large batch does not send its readers away', async (t) => {
  const own = await startServer();
  t.teardown(() => own.close());
  const since = (await own.send('GET', POOLS)).json.metadata.resourceVersion as string;
  const watching = await own.watch(`${POOLS}?watch=true&resourceVersion=${since}&labelSelector=large`);
  const description = 'x'.repeat(8_000);
  const operations = Array.from({ length: 1_000 }, (_, i) => ({
    operation: 'create',
    object: {
      apiVersion: 'orch.dev/v1',
      kind: 'NodePool',
      metadata: { name: `large-${i}`, labels: { large: '' } },
      spec: { description },
    },
  }));
  t.match(await own.send('POST', '/apis/orch.dev/v1/batches', { operations }), { status: 200 });
  const seen = await watching.take(operations.length);
  t.ok(
    seen.every((line) => line.startsWith('ADDED large-')),
    'eight megabytes at once, each event once',
  );
  t.equal(new Set(seen).size, operations.length);
  watching.close();
});

t.test('watch: old versions, bookmarks, timeouts', async (t) => {
  const { clock, send, client } = server;
  // A second server on the same store knows what was before it by its result only.
  const late = await startServer(server);
  t.teardown(() => late.close());
  const old = await late.watch(`${POOLS}?watch=true&resourceVersion=1`);
  t.equal(old.status, 200);
  t.match(await old.next(), { type: 'ERROR', object: { kind: 'Status', reason: 'Expired', code: 410 } });
  t.equal(await old.next(), undefined, 'and the stream is closed');
  await t.rejects(
    (async () => {
      for await (const _ of late.client.watch(NodePoolKind, { resourceVersion: '1' })) t.fail('no event');
    })(),
    { name: 'ApiError', reason: 'Expired' },
  );

  const marked = await server.watch(`${POOLS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion=${(await send('GET', POOLS)).json.metadata.resourceVersion}`); // prettier-ignore
  const plain = await server.watch(`${POOLS}?watch=true&timeoutSeconds=90&resourceVersion=0&fieldSelector=metadata.name%3Dnone`);
  const other = await client.create(EvaluationKind, { metadata: { name: derivedUuid('bm'), namespace: 'default' }, spec: { jobName: 'x', trigger: 'job-register' } }); // prettier-ignore
  clock.advance(60_000);
  const mark = await marked.next();
  t.match(mark, { type: 'BOOKMARK', object: { kind: 'NodePool', apiVersion: 'orch.dev/v1' } });
  t.ok(
    Number(mark!.object.metadata.resourceVersion) >= Number(other.metadata.resourceVersion),
    'it keeps up with changes of other kinds',
  );
  clock.advance(30_000);
  t.same(await marked.take(2), ['BOOKMARK', 'END'], 'one more before the end');
  t.equal(await plain.next(), undefined, 'without having asked: none');

  const listed = await server.watch(
    `${POOLS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`,
  );
  const count = (await send('GET', POOLS)).json.items.length;
  t.equal((await listed.take(count)).filter((line) => line.startsWith('ADDED')).length, count);
  t.match(await listed.next(), {
    type: 'BOOKMARK',
    object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  listed.close();
  t.match(await send('GET', `${POOLS}?watch=true&sendInitialEvents=true`), { status: 422 });
});

t.test('watch: every event once and in order, under concurrent writes', async (t) => {
  const { client, send } = server;
  const start = (await send('GET', ALLOCATIONS)).json.metadata.resourceVersion;
  const watches = await Promise.all([1, 2, 3].map(() => server.watch(`${ALLOCATIONS}?watch=true&resourceVersion=${start}`)));
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const { metadata } = await client.create(AllocationKind, allocation(1000 + i));
      for (let n = 0; n < 5; n++) await client.patch(AllocationKind, metadata.name, 'default', { spec: { priority: n } });
      await client.patch(AllocationKind, metadata.name, 'default', { status: { phase: 'lost' } }, { subresource: 'status' });
      await client.delete(AllocationKind, metadata.name, 'default');
    }),
  );
  for (const watching of watches) {
    const perObject = new Map<string, string[]>();
    let last = 0;
    for (let i = 0; i < 20 * 8; i++) {
      const event = (await watching.next())!;
      const version = Number(event.object.metadata.resourceVersion);
      if (version <= last) t.fail('versions rise');
      last = version;
      const name = event.object.metadata.name as string;
      perObject.set(name, [...(perObject.get(name) ?? []), `${event.type[0]}${event.object.spec.priority ?? ''}`]);
    }
    t.ok(
      [...perObject.values()].every((events) => events.join() === 'A,M0,M1,M2,M3,M4,M4,D4'),
      'one history per object',
    );
    watching.close();
  }
});

t.test('watch: a batch that was cut in the middle is resumed without a gap', async (t) => {
  const { client } = server;
  const before = (await client.list(AllocationKind)).metadata.resourceVersion;
  const { revision } = await client.batch([1, 2, 3].map((i) => ({ operation: 'create', object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...ended(2000 + i) } }))); // prettier-ignore
  const cut = await server.watch(`${ALLOCATIONS}?watch=true&resourceVersion=${before}`);
  t.equal((await cut.next())!.object.metadata.resourceVersion, revision, 'one revision for all three');
  cut.close();
  const resumed = await server.watch(`${ALLOCATIONS}?watch=true&resourceVersion=${revision}`);
  t.equal((await resumed.take(3)).length, 3, 'nobody knows how many were seen: all are sent again');
  resumed.close();
  const single = await server.watch(`${ALLOCATIONS}?watch=true&resourceVersion=${revision}&fieldSelector=metadata.name%3D${allocation(2001).metadata.name}`); // prettier-ignore
  await client.delete(AllocationKind, allocation(2001).metadata.name!, 'default');
  t.equal((await single.next())!.type, 'DELETED', 'where only one can be meant, it is not');
  single.close();
});

t.test('watch: a node sees its own allocations only', async (t) => {
  const { client } = server;
  const mine = await server.watch(
    `/apis/orch.dev/v1/allocations?watch=true&resourceVersion=0&fieldSelector=spec.nodeName%3Dmine`,
  );
  await client.create(AllocationKind, allocation(3000, 'theirs'));
  const { metadata } = await client.create(AllocationKind, allocation(3001, 'mine'));
  await client.patch(AllocationKind, metadata.name, 'default', { status: { phase: 'running' } }, { subresource: 'status' });
  await client.patch(AllocationKind, allocation(3000).metadata.name!, 'default', { spec: { nodeName: 'mine' } });
  await client.patch(AllocationKind, metadata.name, 'default', { spec: { nodeName: 'theirs' } });
  const moved = allocation(3000).metadata.name;
  t.same(await mine.take(4), [
    `ADDED ${metadata.name}`,
    `MODIFIED ${metadata.name}`,
    `ADDED ${moved}`,
    `DELETED ${metadata.name}`,
  ]);
  mine.close();
});

t.test('watch: who cannot keep up is sent away', async (t) => {
  const own = await startServer();
  t.teardown(() => own.close());
  const { client, url } = own;
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(`GET ${POOLS}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dbig HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  const ended = until(async () => ((await own.send('GET', '/metrics')).text.includes('apiserver_registered_watchers{group="orch.dev",version="v1",resource="nodepools"} 0') ? true : undefined)); // prettier-ignore
  let n = 0;
  await client.create(NodePoolKind, { metadata: { name: 'big' } });
  const filler = 'x'.repeat(1 << 20);
  const write = async (): Promise<false> => {
    await client.patch(NodePoolKind, 'big', undefined, { spec: { description: `${n++} ${filler}` } });
    own.clock.advance(1_000);
    return false;
  };
  while (!(await Promise.race([ended, write()]))) if (n > 60) break;
  t.ok(n < 60, 'its buffer is bounded');
  socket.destroy();
  await ended;
  await client.delete(NodePoolKind, 'big');
});

t.test('watch: a slow reader of a long initial list is not sent away', async (t) => {
  const own = await startServer();
  t.teardown(() => own.close());
  const filler = 'x'.repeat(1 << 20);
  for (let n = 0; n < 20; n++)
    await own.client.create(NodePoolKind, { metadata: { name: `p${n}` }, spec: { description: filler } });
  const socket = connect(Number(new URL(own.url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  let text = '';
  socket.write(`GET ${POOLS}?watch=true HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  for (let n = 0; n < 8; n++) {
    await own.client.patch(NodePoolKind, `p${n}`, undefined, { spec: { description: `${n}${filler}` } });
    own.clock.advance(1_000);
  }
  socket.on('data', (data: Buffer) => (text += data.toString('latin1').replace(/x+/g, '')));
  socket.resume();
  await until(() => ((text.match(/"MODIFIED"/g)?.length ?? 0) === 8 || text.includes('"ERROR"') ? true : undefined));
  t.notMatch(text, '"ERROR"');
  const stalled = connect(Number(new URL(own.url).port), '127.0.0.1');
  t.teardown(() => stalled.destroy());
  stalled.write(`GET ${POOLS}?watch=true HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => stalled.once('data', resolve));
  stalled.pause();
  const watchers = 'apiserver_registered_watchers{group="orch.dev",version="v1",resource="nodepools"}';
  await until(async () => {
    own.clock.advance(1_000);
    return (await own.send('GET', '/metrics')).text.includes(`${watchers} 1\n`) ? true : undefined;
  });
  t.pass('who takes nothing at all is');
});

t.test('leases: time to live, keep-alive, fence', async (t) => {
  const { client, clock, send } = server;
  const lease = (name: string, ttl = '15s') => ({
    metadata: { name, namespace: 'orch-system', annotations: { 'orch.dev/ttl': ttl } },
    spec: { holderIdentity: 'me', renewTime: new Date(clock.now()).toISOString() },
  });
  const at = '/apis/coordination.k8s.io/v1/namespaces/orch-system/leases';
  const held = await client.create(LeaseKind, lease('leader'));
  await t.rejects(client.create(LeaseKind, lease('leader')), { name: 'ApiError', reason: 'AlreadyExists' });
  const watching = await server.watch(`${at}?watch=true&resourceVersion=${held.metadata.resourceVersion}`);

  for (let i = 0; i < 4; i++) {
    clock.advance(10_000);
    const revision = await server.store.revision();
    const renewed = await client.update(LeaseKind, {
      ...held,
      spec: { ...held.spec, renewTime: new Date(clock.now()).toISOString() },
    });
    t.equal(renewed.metadata.resourceVersion, held.metadata.resourceVersion, 'a renewal is no write');
    t.equal(await server.store.revision(), revision);
  }
  const patched = await client.patch(LeaseKind, 'leader', 'orch-system', {
    spec: { renewTime: new Date(clock.now()).toISOString() },
  });
  t.equal(patched.metadata.resourceVersion, held.metadata.resourceVersion, 'by patch as well');

  const fenced = client.withFence({ namespace: 'orch-system', name: 'leader', uid: held.metadata.uid });
  const made = await fenced.create(NodePoolKind, pool('fenced'));
  t.ok(made.metadata.uid);
  await fenced.patch(NodePoolKind, 'fenced', undefined, { spec: { description: 'led' } });
  await t.rejects(client.withFence({ namespace: 'orch-system', name: 'leader', uid: 'x' }).create(NodePoolKind, pool('no')), { reason: 'Conflict', message: /fence/ }); // prettier-ignore
  t.match(await send('POST', POOLS, pool('no'), { 'orch-fence': 'nonsense' }), { status: 400 });

  clock.advance(15_000);
  t.same(await watching.take(1), ['DELETED leader'], 'it vanishes when it is not kept alive');
  await t.rejects(fenced.patch(NodePoolKind, 'fenced', undefined, { spec: { description: 'late' } }), { reason: 'Conflict', message: /fence: the lease orch-system\/leader of this leader has ended; it is gone/ }); // prettier-ignore
  await t.rejects(fenced.delete(NodePoolKind, 'fenced'), { reason: 'Conflict', message: /fence/ });
  await t.rejects(fenced.batch([{ operation: 'delete', apiVersion: 'orch.dev/v1', kind: 'NodePool', name: 'fenced' }]), { reason: 'Conflict', message: /fence/ }); // prettier-ignore
  const next = await client.create(LeaseKind, lease('leader'));
  await t.rejects(fenced.patch(NodePoolKind, 'fenced', undefined, { spec: { description: 'late' } }), { reason: 'Conflict', message: /it is held by "me" now/ }); // prettier-ignore
  await t.rejects(client.update(LeaseKind, { ...held, metadata: { ...held.metadata, resourceVersion: '' } }), { name: 'ApiError', reason: 'Conflict' }, 'renewing what another holds'); // prettier-ignore
  t.equal((await client.get(NodePoolKind, 'fenced')).spec!.description, 'led');

  await client.delete(LeaseKind, 'leader', 'orch-system', { preconditions: { uid: next.metadata.uid } });
  await t.rejects(client.update(LeaseKind, next), { name: 'ApiError', reason: 'NotFound' });
  t.match(await send('POST', at, { metadata: { name: 'x', annotations: { 'orch.dev/ttl': 'soon' } } }), { status: 422 });
  watching.close();
});

t.test('events vanish after an hour', async (t) => {
  const { clock, send } = server;
  const at = '/api/v1/namespaces/default/events';
  const event = (name: string) => ({
    metadata: { name },
    involvedObject: { kind: 'Job', name: 'web' },
    type: 'Normal',
    reason: 'Tested',
    message: 'x',
  });
  const made = await send('POST', at, event('one'));
  t.equal(made.json.metadata.annotations['orch.dev/ttl'], '1h');
  await send('POST', at, event('two'));
  const query = `${at}?fieldSelector=${encodeURIComponent('involvedObject.kind=Job,involvedObject.namespace=,reason=Tested')}`;
  t.equal((await send('GET', query)).json.items.length, 2, 'an empty value fits an absent field');
  clock.advance(3_600_000 - 1);
  t.equal((await send('GET', query)).json.items.length, 2);
  const watching = await server.watch(
    `${at}?watch=true&resourceVersion=${(await send('GET', at)).json.metadata.resourceVersion}`,
  );
  clock.advance(60_001);
  t.same((await watching.take(2)).sort(), ['DELETED one', 'DELETED two']);
  watching.close();
});

t.test('batches', async (t) => {
  const { client, send } = server;
  const api = { apiVersion: 'orch.dev/v1', namespace: 'default' };
  const create = (n: number) => ({ operation: 'create' as const, object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...allocation(n), status: { phase: 'pending' as const } } }); // prettier-ignore
  const name = (n: number): string => allocation(n).metadata.name!;
  const made = await client.batch([...[4000, 4001, 4002].map(create), { operation: 'create', object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...ended(4004) } }]); // prettier-ignore
  t.match(made.results, [{ code: 201, name: name(4000) }, { code: 201 }, { code: 201 }]);
  t.equal(new Set(made.results.map((result) => result.resourceVersion)).size, 1, 'one transaction');
  t.equal((await client.get(AllocationKind, name(4000), 'default')).status!.phase, 'pending', 'create keeps its status');

  const mixed = await client.batch([
    { operation: 'patch', kind: 'Allocation', ...api, name: name(4000), patch: { spec: { desired: 'stop' } } },
    { operation: 'patch', kind: 'Allocation', ...api, name: name(4000), subresource: 'status', patch: { phase: 'lost' } },
    {
      operation: 'patch',
      kind: 'Allocation',
      ...api,
      name: name(4001),
      subresource: 'status',
      patch: { status: { phase: 'running' } },
    },
    { operation: 'delete', kind: 'Allocation', ...api, name: name(4002) },
    { operation: 'delete', kind: 'Allocation', ...api, name: name(4004) },
    create(4003),
  ]);
  t.equal(new Set(mixed.results.slice(0, 3).map((result) => result.resourceVersion)).size, 1);
  t.match(
    await client.get(AllocationKind, name(4000), 'default'),
    { spec: { desired: 'stop' }, status: { phase: 'lost' } },
    'two patches of one object',
  );
  t.match(await client.get(AllocationKind, name(4001), 'default'), { status: { phase: 'running' } });
  t.equal(await client.find(AllocationKind, name(4004), 'default'), undefined, 'one that has ended is gone');
  const lingers = { metadata: { deletionTimestamp: /^20/, finalizers: ['orch.dev/allocation'] } };
  t.match(await client.get(AllocationKind, name(4002), 'default'), lingers, 'one that may run stays until its node has said that it ended'); // prettier-ignore
  await client.patch(AllocationKind, name(4002), 'default', { metadata: { finalizers: null } });
  t.equal(await client.find(AllocationKind, name(4002), 'default'), undefined);

  const before = await server.store.revision();
  const refuse = async (bad: unknown, expected: object): Promise<void> => {
    const answer = await send('POST', '/apis/orch.dev/v1/batches', {
      mode: 'atomic',
      operations: [create(4100), bad, create(4101)],
    });
    t.match(answer, expected);
    t.equal(await server.store.revision(), before, 'nothing is written');
  };
  await refuse({ operation: 'patch', kind: 'Allocation', ...api, name: 'none', patch: {} }, { status: 404, json: { message: /^operations\[1\]: .*not found/ } }); // prettier-ignore
  await refuse(create(4000), { status: 409, json: { reason: 'AlreadyExists' } });
  await refuse({ operation: 'patch', kind: 'Allocation', ...api, name: name(4000), resourceVersion: '1', patch: {} }, { status: 409, json: { reason: 'Conflict' } }); // prettier-ignore
  await refuse({ operation: 'delete', kind: 'Allocation', ...api, name: name(4000), uid: 'x' }, { status: 409 });
  await refuse({ operation: 'patch', kind: 'Allocation', ...api, name: name(4000), patch: { spec: { index: 'x' } } }, { status: 422, json: { details: { causes: [{ field: 'operations[1].spec.index' }] } } }); // prettier-ignore
  await refuse({ operation: 'patch', kind: 'Allocation', ...api, name: name(4000), patch: { spec: { desird: 'stop' } } }, { status: 400, json: { message: /unknown field/ } }); // prettier-ignore
  await refuse({ operation: 'create', object: { ...allocation(4102), apiVersion: 'orch.dev/v1', kind: 'Allocation', metadata: { name: name(4102), namespace: 'missing' } } }, { status: 404, json: { message: /namespaces "missing" not found/ } }); // prettier-ignore
  await refuse({ operation: 'explode' }, { status: 400 });
  await refuse(7, { status: 400 });
  t.match(await send('POST', '/apis/orch.dev/v1/batches', { mode: 'sometimes', operations: [] }), { status: 400 });
  t.match(await send('POST', '/apis/orch.dev/v1/batches', { operations: {} }), { status: 400 });

  const apart = await client.batch(
    [
      create(4200),
      create(4000),
      { operation: 'patch', kind: 'Allocation', ...api, name: name(4001), subresource: 'status', patch: { phase: 'complete' } },
      { operation: 'patch', kind: 'Allocation', ...api, name: name(4001), subresource: 'status', patch: { phase: 'sleepy' } },
      { operation: 'patch', kind: 'Nope', ...api, name: 'x', patch: {} },
    ],
    { mode: 'independent' },
  );
  t.match(apart.results, [
    { code: 201 },
    { code: 409, status: { reason: 'AlreadyExists' } },
    { code: 200 },
    { code: 422 },
    { code: 404 },
  ]);
  t.equal((await client.get(AllocationKind, name(4001), 'default')).status!.phase, 'complete');
});

t.test('batches: races, and what the store limits', async (t) => {
  const small = await startServer();
  t.after(() => small.close());
  (small.store as { limits: { operations: number; bytes: number } }).limits = { operations: 16, bytes: 64 << 20 };
  const { client } = small;
  const operations = Array.from({ length: 50 }, (_, n) => ({ operation: 'create' as const, object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...allocation(n) } })); // prettier-ignore
  const bad = [
    ...operations,
    { operation: 'delete' as const, apiVersion: 'orch.dev/v1', kind: 'Allocation', namespace: 'default', name: 'none' },
  ];
  await t.rejects(client.batch(bad), { reason: 'NotFound', message: /operations\[50\]/ });
  t.equal((await client.list(AllocationKind)).items.length, 0, 'all chunks are checked before the first is written');
  const { results } = await client.batch(operations);
  const chunks = [...new Set(results.map((result) => result.resourceVersion))];
  t.equal(chunks.length, 7, 'several transactions, in order');
  t.same(
    chunks,
    [...chunks].sort((a, b) => Number(a) - Number(b)),
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, round) =>
      client.batch(
        [1, 2, 3].map((n) => ({
          operation: 'patch' as const,
          apiVersion: 'orch.dev/v1',
          kind: 'Allocation',
          namespace: 'default',
          name: allocation(n).metadata.name!,
          subresource: 'status' as const,
          patch: { digests: { [`r${round}`]: 'x' } },
        })),
      ),
    ),
  );
  for (const n of [1, 2, 3]) t.equal(Object.keys((await client.get(AllocationKind, allocation(n).metadata.name!, 'default')).status!.digests!).length, 10); // prettier-ignore
});

t.test('batches: a plan of several transactions stops when its evaluation is not the same any more', async (t) => {
  const small = await startServer();
  t.after(() => small.close());
  const store = small.store as { -readonly [K in keyof typeof small.store]: (typeof small.store)[K] };
  store.limits = { operations: 16, bytes: 64 << 20 };
  const { client } = small;
  const name = derivedUuid('evaluation', 1);
  const made = await client.create(EvaluationKind, { metadata: { name, namespace: 'default' }, spec: { jobName: 'web', trigger: 'job-register' } }); // prettier-ignore
  const operations = [
    ...Array.from({ length: 40 }, (_, n) => ({ operation: 'create' as const, object: { apiVersion: 'orch.dev/v1', kind: 'Allocation', ...allocation(n) } })), // prettier-ignore
    {
      operation: 'patch' as const,
      apiVersion: 'orch.dev/v1',
      kind: 'Evaluation',
      namespace: 'default',
      name,
      resourceVersion: made.metadata.resourceVersion,
      subresource: 'status' as const,
      patch: { phase: 'complete' },
    },
  ];
  const txn = store.txn.bind(store);
  let allocations = 0;
  store.txn = async (compares, writes) => {
    // Somebody else takes the evaluation in hand between two transactions of the plan.
    if (writes.some(({ key }) => key.includes('/allocations/')) && ++allocations === 3)
      await client.patch(EvaluationKind, name, 'default', { status: { phase: 'cancelled' } }, { subresource: 'status' });
    return await txn(compares, writes);
  };
  await t.rejects(client.batch(operations), { reason: 'Conflict', message: /operations\[40\]/ });
  t.equal((await client.list(AllocationKind)).items.length, 16, 'two transactions had been made, and no more were');
  t.equal((await client.get(EvaluationKind, name, 'default')).status?.phase, 'cancelled');
});

t.test('the way to agents', async (t) => {
  const { client, send } = server;
  const seen: { method: string; url: string; authorization: string | undefined; fence: unknown; body: string }[] = [];
  const agent = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      seen.push({
        method: request.method!,
        url: request.url!,
        authorization: request.headers.authorization,
        fence: request.headers['orch-fence'],
        body,
      });
      if (request.url!.includes('follow')) {
        response.write('first ');
        setImmediate(() => response.end('second'));
      } else if (request.url!.endsWith('/fs/stat'))
        response.writeHead(404, { 'content-type': 'application/json' }).end('{"kind":"Status","code":404}');
      else response.end('hello');
    });
  });
  await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve));
  t.after(() => agent.close());
  const node = derivedUuid('node');
  await send('POST', '/apis/orch.dev/v1/nodes', { metadata: { name: node }, spec: { name: 'host' } });
  const { metadata } = await client.create(AllocationKind, allocation(5000, node));
  const at = `${ALLOCATIONS}/${metadata.name}`;
  t.match(await send('GET', `${at}/log?task=server`), { status: 503, json: { message: /has not said where it can be reached/ } });

  const endpoint = `/apis/orch.dev/v1/nodes/${node}/endpoint`;
  const address = `127.0.0.1:${(agent.address() as AddressInfo).port}`;
  const token = 'a-secret-token-of-the-agent';
  t.match(await send('PUT', endpoint, { address, token }), { status: 200 });
  t.match(await send('GET', endpoint), { status: 405 });
  t.match(await send('PUT', endpoint, { address: 'nonsense', token }), { status: 400 });
  t.match(await send('PUT', `/apis/orch.dev/v1/nodes/none/endpoint`, { address, token }), { status: 404 });
  t.notOk((await send('GET', '/apis/orch.dev/v1/nodes')).text.includes(token), 'it can never be read');

  t.match(await send('GET', `${at}/log?task=server&type=stdout`, undefined, { authorization: 'Bearer mine', 'orch-fence': 'a/b/c' }), { status: 200, text: 'hello', headers: { 'x-content-type-options': 'nosniff' } }); // prettier-ignore
  t.match(seen.at(-1), {
    method: 'GET',
    url: `/v1/allocations/${metadata.name}/log?task=server&type=stdout`,
    authorization: `Bearer ${token}`,
  });
  t.equal(seen.at(-1)!.fence, undefined);
  t.match(await send('GET', `${at}/log?follow=true`), { text: 'first second' });
  t.match(await send('POST', `${at}/signal`, { signal: 'SIGHUP' }), { status: 200 });
  t.match(seen.at(-1), { method: 'POST', url: `/v1/allocations/${metadata.name}/signal`, body: '{"signal":"SIGHUP"}' });
  t.match(await send('GET', `${at}/fs/stat`), { status: 404, json: { kind: 'Status' } });
  t.match(await send('GET', `/apis/orch.dev/v1/nodes/${node}/stats`), { text: 'hello' });
  t.equal(seen.at(-1)!.url, '/v1/stats');
  const before = seen.length;
  t.match(await send('GET', `${at}/toString`), { status: 404 });
  t.match(await send('GET', `${at}/fs/../../v1/stats`), { status: 404 });
  t.match(await send('POST', `${at}/log`), { status: 405 });
  t.match(await send('GET', `${ALLOCATIONS}/${derivedUuid('none')}/log`), { status: 404 });
  t.equal(seen.length, before);

  agent.on('upgrade', (request, socket, head) => {
    t.equal(request.headers.authorization, `Bearer ${token}`);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome ${head.toString()}`,
    );
    socket.on('data', (part: Buffer) => socket.end(`echo ${part.toString()}`));
  });
  const upgrade = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      let text = '';
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      socket.on('data', (part) => {
        text += part.toString();
        if (text.endsWith('welcome ')) socket.write('hello');
      });
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
  t.match(await upgrade(`${at}/exec?task=server`), /^HTTP\/1.1 101 .*welcome echo hello$/s);
  t.match(await upgrade(`${at}/log`), /^HTTP\/1.1 404 /);
  t.match(await upgrade(JOBS), /^HTTP\/1.1 404 /);
  agent.close();
  agent.closeAllConnections();
  t.match(await send('GET', `${at}/log`), { status: 503, json: { message: /cannot be reached/ } });
});

t.test('discovery, documents and health', async (t) => {
  const { send } = server;
  t.match(await send('GET', '/version'), { json: { major: '1', minor: '32', gitVersion: 'v1.32.0+orch' } });
  t.match(await send('GET', '/api'), { json: { kind: 'APIVersions', versions: ['v1'] } });
  t.match(
    (await send('GET', '/apis')).json.groups.map((group: { name: string }) => group.name),
    ['apiextensions.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'coordination.k8s.io', 'orch.dev'],
  );
  t.match(await send('GET', '/apis/orch.dev'), { json: { kind: 'APIGroup', preferredVersion: { groupVersion: 'orch.dev/v1' } } });
  const { resources } = (await send('GET', '/apis/orch.dev/v1')).json;
  t.match(
    resources.find((resource: { name: string }) => resource.name === 'jobs'),
    { kind: 'Job', namespaced: true, shortNames: ['jo'] },
  );
  t.ok(resources.some((resource: { name: string }) => resource.name === 'jobs/status'));
  const aggregated = await send('GET', '/apis', undefined, { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json' }); // prettier-ignore
  t.equal(aggregated.headers['content-type'], 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
  t.match(
    aggregated.json.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['apiextensions.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'coordination.k8s.io', 'orch.dev'],
  );

  const { paths } = (await send('GET', '/openapi/v3')).json;
  const link = paths['apis/orch.dev/v1'].serverRelativeURL as string;
  const document = await send('GET', link);
  t.match(document.headers['cache-control'], /immutable/);
  const gvk = { group: 'orch.dev', version: 'v1', kind: 'Job' };
  t.same(document.json.components.schemas['dev.orch.v1.Job']['x-kubernetes-group-version-kind'], [gvk]);
  const patch = document.json.paths['/apis/orch.dev/v1/namespaces/{namespace}/jobs/{name}'].patch;
  t.same(patch['x-kubernetes-group-version-kind'], gvk);
  t.ok(
    ['fieldValidation', 'dryRun'].every((name) =>
      patch.parameters.some((parameter: { name: string }) => parameter.name === name),
    ),
  );
  const refs = [...document.text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!);
  t.ok(
    refs.every((ref) => document.json.components.schemas[ref] !== undefined),
    'every reference leads somewhere',
  );
  t.match(await send('GET', link, undefined, { 'if-none-match': document.headers['etag'] as string }), { status: 304 });
  t.match(await send('GET', '/openapi/v2'), { status: 200, text: '' }, 'nothing, as old clients like it');

  t.match(await send('GET', '/livez'), { status: 200, text: 'ok' });
  t.match(await send('GET', '/readyz'), { status: 200, text: 'ok' });
  t.match(
    (await send('GET', '/readyz?verbose')).text,
    /\[\+\]store ok\n.*\[\+\]watch-cache\/jobs.orch.dev ok\n.*readyz check passed/s,
  );
  const metrics = (await send('GET', '/metrics')).text;
  for (const name of ['apiserver_request_total', 'apiserver_request_duration_seconds_bucket', 'apiserver_current_inflight_requests', 'apiserver_watch_events_total', 'apiserver_storage_objects{resource="jobs.orch.dev"}', 'apiserver_longrunning_requests', 'process_start_time_seconds']) t.match(metrics, name); // prettier-ignore
});

t.test('readyz says what is wrong, and history is compacted', async (t) => {
  const path = t.testdir();
  const clock = new ManualClock();
  const store = await openEmbeddedStore({ path, log: silentLogger, clock });
  const api = await startApiServer({
    store,
    listen: [{ host: '127.0.0.1', port: 0 }],
    log: silentLogger,
    clock,
    compactionIntervalMs: 300_000,
  });
  const client = new Client({ servers: api.urls });
  const first = await client.create(NodePoolKind, pool('old'));
  clock.advance(300_000);
  await until(() => Promise.resolve(true));
  await client.create(NodePoolKind, pool('new'));
  t.equal(await store.compactedRevision(), 0, 'one interval is kept');
  await until(async () => {
    clock.advance(300_000);
    return (await store.compactedRevision()) > 0 ? true : undefined;
  });
  t.ok((await store.compactedRevision()) >= Number(first.metadata.resourceVersion));
  const say = (bearable: boolean) => async () => [{ name: 'latency' as const, message: 'writes take 2s', bearable }];
  store.problems = say(true);
  t.match(await send(api.urls[0]!, 'GET', '/readyz'), { status: 200, text: /\[!\]store-latency warning: writes take 2s\n/ });
  store.problems = say(false);
  t.match(await send(api.urls[0]!, 'GET', '/readyz'), { status: 503, text: /\[-\]store-latency failed: writes take 2s\n/ });
  await store.close();
  const ready = await until(async () => {
    const answer = await send(api.urls[0]!, 'GET', '/readyz');
    return answer.status === 503 ? answer : undefined;
  });
  t.match(ready.text, /\[-\]store failed: embedded store in .*: the store is closed/);
  t.match(await send(api.urls[0]!, 'GET', POOLS), { status: 503, json: { reason: 'ServiceUnavailable' } });
  t.match(await send(api.urls[0]!, 'POST', POOLS, pool('x')), { status: 503 });
  client.close();
  await api.close();
});

t.test('tables and metadata', async (t) => {
  const { send, clock, client } = server;
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
  await client.create(JobKind, job('tabled', { type: 'service', priority: 55 }));
  clock.advance(125_000);
  const one = (await send('GET', `${JOBS}/tabled`, undefined, table)).json;
  t.match(one, { kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
  t.same(one.columnDefinitions.map((column: { name: string }) => column.name), ['Name', 'Type', 'Priority', 'Status', 'Version', 'Age', 'Description']); // prettier-ignore
  t.same(one.rows[0].cells, ['tabled', 'service', 55, null, null, '2m5s', null]);
  t.match(one.rows[0].object, { kind: 'PartialObjectMetadata', metadata: { name: 'tabled', namespace: 'default' } });
  t.match((await send('GET', `${JOBS}?includeObject=Object`, undefined, table)).json.rows[0].object, { kind: 'Job' });
  t.match((await send('GET', `${JOBS}?includeObject=None`, undefined, table)).json.rows[0].object, null);
  const watching = await server.watch(`${JOBS}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dtabled`, table);
  t.match(await watching.next(), { type: 'ADDED', object: { kind: 'Table', rows: [{ cells: ['tabled'] }] } });
  watching.close();
  const partial = await send('GET', JOBS, undefined, {
    accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  });
  t.match(partial.json, { kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata' }] });
  t.notOk('spec' in partial.json.items[0]);
});

t.test('the clients of Kubernetes', async (t) => {
  const { KubeConfig, CustomObjectsApi, CoreV1Api, CoordinationV1Api, makeInformer } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'orch', server: server.url, skipTLSVerify: true }],
    users: [{ name: 'me' }],
    contexts: [{ name: 'orch', cluster: 'orch', user: 'me' }],
    currentContext: 'orch',
  });
  const api = config.makeApiClient(CustomObjectsApi);
  const at = { group: 'orch.dev', version: 'v1', namespace: 'default', plural: 'jobs' };
  const made = (await api.createNamespacedCustomObject({
    ...at,
    body: { apiVersion: 'orch.dev/v1', kind: 'Job', ...job('k8s') },
  })) as Job;
  t.equal(made.metadata.name, 'k8s');
  const list = (): Promise<never> => api.listNamespacedCustomObject(at) as Promise<never>;
  const informer = makeInformer(config, '/apis/orch.dev/v1/namespaces/default/jobs', list);
  const events: string[] = [];
  for (const type of ['add', 'update', 'delete'] as const)
    informer.on(type, (object) => void events.push(`${type} ${object.metadata?.name}`));
  let stopping = false;
  informer.on('error', (error: unknown) => void (stopping || t.fail(`informer: ${String(error)}`)));
  await informer.start();
  await until(() => (events.includes('add k8s') ? true : undefined));
  await api.patchNamespacedCustomObject({ ...at, name: 'k8s', body: [{ op: 'add', path: '/metadata/finalizers', value: [] }] });
  await until(() => (events.includes('update k8s') ? true : undefined));
  await api.deleteNamespacedCustomObject({ ...at, name: 'k8s' });
  await until(() => (events.includes('delete k8s') ? true : undefined));
  stopping = true;
  await informer.stop();
  await t.rejects(api.getNamespacedCustomObject({ ...at, name: 'k8s' }), { code: 404 });

  // An informer of every kind that is served, as discovery tells them.
  const { resources } = (await server.send('GET', '/apis/orch.dev/v1')).json as { resources: { name: string; verbs: string[]; namespaced: boolean }[] }; // prettier-ignore
  const collections = [
    ...resources
      .filter(({ name, verbs }) => !name.includes('/') && verbs.includes('watch'))
      .map(({ name }) => `/apis/orch.dev/v1/${name}`),
    '/api/v1/namespaces',
    '/api/v1/events',
    '/apis/coordination.k8s.io/v1/leases',
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  ];
  t.ok(collections.length >= 12, collections.join());
  const seen = new Set<string>();
  const all = collections.map((path) => {
    const listAll = async () => (await server.send('GET', path)).json as never;
    const one = makeInformer(config, path, listAll);
    for (const type of ['add', 'update', 'delete'] as const) one.on(type, (object) => void seen.add(`${type} ${path} ${object.metadata?.name}`)); // prettier-ignore
    one.on('error', (error: unknown) => void (stopping || t.fail(`informer of ${path}: ${String(error)}`)));
    return { path, informer: one };
  });
  stopping = false;
  for (const one of all) await one.informer.start();
  const everywhere: [path: string, name: string, body: object][] = [
    ['/apis/orch.dev/v1/namespaces/default/jobs', 'seen', job('seen')],
    [
      '/apis/orch.dev/v1/namespaces/default/allocations',
      derivedUuid('seen', 1),
      { ...allocation(1), metadata: { name: derivedUuid('seen', 1) } },
    ],
    ['/apis/orch.dev/v1/namespaces/default/evaluations', 'seen', { spec: { jobName: 'web', trigger: 'job-register' } }],
    ['/apis/orch.dev/v1/namespaces/default/serviceregistrations', 'seen', { spec: { serviceName: 'web' } }],
    ['/apis/orch.dev/v1/nodepools', 'seen', { spec: {} }],
    ['/api/v1/namespaces', 'seen', {}],
    ['/api/v1/namespaces/default/events', 'seen', { reason: 'Seen' }],
    ['/apis/coordination.k8s.io/v1/namespaces/default/leases', 'seen', { spec: {} }],
  ];
  for (const [path, name, body] of everywhere) {
    const answer = await server.send('POST', path, { ...body, metadata: { name } });
    t.equal(answer.status, 201, `${path}: ${answer.status}`);
    await server.send('PATCH', `${path}/${name}`, { metadata: { labels: { a: 'b' }, finalizers: null } }, merge);
    await server.send('DELETE', `${path}/${name}`);
    // A live allocation stays until its agent has stopped it; there is none.
    await server.send('PATCH', `${path}/${name}`, { metadata: { finalizers: null } }, merge);
    const collection = path.replace('/namespaces/default', '');
    for (const type of ['add', 'update', 'delete'])
      await until(() => (seen.has(`${type} ${collection} ${name}`) ? true : undefined)).catch(() => t.fail(`${type} ${collection} ${name}`)); // prettier-ignore
  }
  stopping = true;
  for (const one of all) await one.informer.stop();
  const core = config.makeApiClient(CoreV1Api);
  t.ok((await core.listNamespace()).items.some((item) => item.metadata?.name === 'default'));
  await core.createNamespace({ body: { metadata: { name: 'from-k8s' } } });
  await core.deleteNamespace({ name: 'from-k8s' });
  t.ok((await config.makeApiClient(CoordinationV1Api).listNamespacedLease({ namespace: 'orch-system' })).items);
});

t.test('closing', async (t) => {
  const watching = await server.watch(`${POOLS}?watch=true&resourceVersion=0`);
  await watching.take(2);
  const before = Date.now();
  await server.close();
  while ((await watching.next()) !== undefined);
  t.ok(Date.now() - before < 5_000, 'watches end, and nothing holds it up');
  await t.rejects(new Client({ servers: [server.url] }).list(NodePoolKind), { name: 'ConnectionError' });
});
