import t from 'tap';
import { formatAge, negotiate } from '../../apiserver/http/representation.ts';
import { placeOf, scanJson } from '../../apiserver/http/scan-json.ts';
import { FeedIndex, jsonFormat, visible, type Change, type Feed } from '../../apiserver/registry/feeds.ts';
import { compileJsonPath } from '../../apiserver/registry/json-path.ts';
import { builtinKinds, defineApiKind } from '../../apiserver/registry/kinds.ts';
import { isLabelKey, isLabelValue, nameProblem } from '../../apiserver/registry/metadata.ts';
import type { ApiObject } from '../../apiserver/registry/object.ts';
import { jsonPatch, mergePatch, readJsonPatch } from '../../apiserver/registry/patch.ts';
import { SchemaSet } from '../../apiserver/registry/schema.ts';
import { fits, parseFieldSelector, parseLabelSelector, select } from '../../apiserver/registry/selectors.ts';
import { compareKeys, Objects } from '../../apiserver/registry/objects.ts';
import { encode, present, unstored, type Version } from '../../apiserver/registry/version.ts';

const kinds = builtinKinds();
const allocations = kinds.need('orch.dev/v1', 'Allocation');

const object = (name: string, labels: Record<string, string> = {}, spec: object = {}, namespace = 'default'): ApiObject => ({
  apiVersion: 'orch.dev/v1',
  kind: 'Allocation',
  metadata: { name, namespace, uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', labels },
  spec,
});

t.test('label selectors', async (t) => {
  const matches = (selector: string, labels: Record<string, string>): boolean => {
    const terms = parseLabelSelector(selector);
    return fits({ labels: terms, fields: [], id: '' }, object('x', labels));
  };
  const cases: [string, Record<string, string>, boolean][] = [
    ['', {}, true],
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'b' }, true],
    ['a=b', { a: 'c' }, false],
    ['a=b', {}, false],
    ['a=', { a: '' }, true],
    ['a!=b', {}, true],
    ['a!=b', { a: 'b' }, false],
    ['a in (x, y)', { a: 'y' }, true],
    ['a in (x,y)', {}, false],
    ['a notin (x)', {}, true],
    ['a notin (x)', { a: 'x' }, false],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['! a', {}, true],
    ['a=b,c in (d),!e , f', { a: 'b', c: 'd', f: '1' }, true],
    ['orch.dev/job=web', { 'orch.dev/job': 'web' }, true],
    ['in in (in)', { in: 'in' }, true],
  ];
  for (const [selector, labels, expected] of cases)
    t.equal(matches(selector, labels), expected, `${selector} on ${JSON.stringify(labels)}`);
  for (const bad of [
    'a b',
    'a in x',
    'a in (x',
    '=b',
    'a=b,',
    ',a',
    'a=b c',
    'a>1',
    '!a=b',
    'a=sp ace',
    '-a=b',
    'ain (b)',
    'a=b;c',
  ]) {
    t.throws(() => parseLabelSelector(bad), { name: 'ApiError', reason: 'BadRequest' }, bad);
  }
});

t.test('field selectors', async (t) => {
  const terms = parseFieldSelector(allocations, 'spec.nodeName=a\\,b,status.phase!=,metadata.name==x');
  t.match(terms, [
    { field: 'spec.nodeName', equal: true, value: 'a,b' },
    { field: 'status.phase', equal: false, value: '' },
    { field: 'metadata.name', equal: true, value: 'x' },
  ]);
  t.ok(
    fits({ labels: [], fields: parseFieldSelector(allocations, 'status.phase='), id: '' }, object('x')),
    'an absent field is empty',
  );
  t.throws(() => parseFieldSelector(allocations, 'spec.secret=1'), { message: /field label not supported: spec.secret/ });
  t.throws(() => parseFieldSelector(allocations, 'spec.nodeName'), { message: /is not FIELD=VALUE/ });
});

t.test('names and labels', async (t) => {
  t.equal(nameProblem('a.b-c.1', 'subdomain'), undefined);
  for (const bad of ['A', '-a', 'a.', 'a..b', 'a_b', '', 'x'.repeat(254)]) t.ok(nameProblem(bad, 'subdomain'), bad);
  for (const good of ['Web_1:x(y)', 'ä', 'x'.repeat(253)]) t.equal(nameProblem(good, 'segment'), undefined, good);
  for (const bad of ['a/b', 'a%b', 'a b', 'a\nb', '.', '..', '\ud800', 'x'.repeat(254)])
    t.ok(nameProblem(bad, 'segment'), JSON.stringify(bad));
  t.ok(nameProblem('a.b', 'label'));
  t.ok(isLabelKey('orch.dev/ttl') && isLabelKey('A_b.c') && isLabelValue(''));
  for (const bad of ['/a', 'a/', 'a/b/c', 'UP.dev/x', 'x'.repeat(64), '']) t.notOk(isLabelKey(bad), bad);
});

t.test('merge patches', async (t) => {
  // The table of RFC 7386, appendix A.
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of cases) {
    const before = structuredClone(target);
    t.same(mergePatch(target, patch), expected, JSON.stringify(patch));
    t.same(target, before, 'the target is untouched');
  }
  const patched = mergePatch({}, JSON.parse('{"__proto__":{"x":1}}')) as object;
  t.equal((patched as { x?: number }).x, undefined);
});

t.test('JSON patches', async (t) => {
  const target = { a: { b: [1, 2, 3] }, 'x/y': 1 };
  const operations = readJsonPatch([
    { op: 'add', path: '/a/b/-', value: 4 },
    { op: 'remove', path: '/a/b/0' },
    { op: 'copy', from: '/a/b', path: '/c' },
    { op: 'replace', path: '/x~1y', value: 2 },
    { op: 'test', path: '/c/0', value: 2 },
  ]);
  t.same(jsonPatch(target, operations), { a: { b: [2, 3, 4] }, 'x/y': 2, c: [2, 3, 4] });
  t.same(target, { a: { b: [1, 2, 3] }, 'x/y': 1 });
  const fails = (patch: unknown, code: number): void => {
    t.throws(() => jsonPatch(target, readJsonPatch(patch)), { code }, JSON.stringify(patch));
  };
  fails([{ op: 'remove', path: '/nope' }], 422);
  fails([{ op: 'replace', path: '/a/b/9', value: 1 }], 422);
  fails([{ op: 'test', path: '/a/b/0', value: 9 }], 422);
  fails([{ op: 'add', path: '/constructor/prototype/x', value: 1 }], 422);
  fails([{ op: 'add', path: 'a', value: 1 }], 400);
  fails([{ op: 'add', path: '/a' }], 400);
  fails({ op: 'add' }, 400);
});

t.test('JSON paths', async (t) => {
  const value = {
    a: {
      'b.c': [
        { type: 'X', status: 'no' },
        { type: 'Ready', status: 'yes' },
      ],
    },
  };
  t.same(compileJsonPath('.a["b.c"][0].status')(value), ['no']);
  t.same(compileJsonPath(`.a['b.c'][?(@.type=="Ready")].status`)(value), ['yes']);
  t.same(compileJsonPath('$.a["b.c"][*].type')(value), ['X', 'Ready']);
  t.same(compileJsonPath('.nothing.here')(value), []);
  t.throws(() => compileJsonPath('.a..b'), { message: /unsupported JSONPath/ });
});

t.test('schemas: what a kind of users brings takes the same path', async (t) => {
  const schema = {
    type: 'object',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        required: ['size'],
        properties: {
          size: { type: 'integer', minimum: 1 },
          mode: { type: 'string', enum: ['a', 'b'], default: 'a' },
          tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          map: {
            type: 'object',
            additionalProperties: { type: 'object', properties: { n: { type: 'integer', nullable: true } } },
          },
        },
      },
    },
  };
  const crd = { spec: { group: 'example.com', scope: 'Namespaced', names: { kind: 'Widget', plural: 'widgets' }, versions: [{ name: 'v1', selectableFields: [{ jsonPath: '.spec.mode' }] }] } }; // prettier-ignore
  const kind = defineApiKind(crd, 'v1', new SchemaSet({}), schema);
  t.match(kind, {
    resource: 'widgets.example.com',
    listKind: 'WidgetList',
    prefix: '/registry/example.com/widgets/',
    hasStatus: false,
  });
  const findings = { unknown: [] as string[], causes: [] };
  const body = {
    apiVersion: 'x',
    metadata: { any: 1 },
    spec: { size: 0, tags: ['x', 'x'], free: { deep: { er: null } }, map: { k: { n: null, m: 1 } }, odd: null },
  };
  const before = structuredClone(body);
  const clean = kind.schema.clean(body, findings);
  t.same(body, before, 'the body is untouched');
  t.same(clean['spec'], { size: 0, mode: 'a', tags: ['x', 'x'], free: { deep: { er: null } }, map: { k: { n: null } } });
  t.same(findings.unknown, ['spec.map.k.m', 'spec.odd']);
  t.match(findings.causes, [{ field: 'spec.tags[1]', reason: 'FieldValueDuplicate' }]);
  t.match(kind.schema.validate(clean), [{ field: 'spec.size', message: 'Invalid value: 0: must be >= 1' }]);
  t.match(kind.schema.validate({ spec: {} }), [{ field: 'spec.size', reason: 'FieldValueRequired' }]);
  const same = { spec: { size: 1, mode: 'b' } };
  t.equal(kind.schema.clean(same, findings), same, 'what needs no change is not copied');
});

t.test('stored bytes are served bytes with the version spliced in', async (t) => {
  const one = object('x', { ä: 'ö' }, { jobName: 'web' });
  const stored = encode(allocations, one);
  t.notMatch(stored.toString(), 'resourceVersion');
  const version = present(allocations, 'k', 42, structuredClone(one), stored, undefined);
  t.same(JSON.parse(version.bytes.toString()), { ...one, metadata: { ...one.metadata, resourceVersion: '42' } });
  t.equal(version.bytes, version.bytes, 'made once');
  t.same(JSON.parse(version.line('MODIFIED').toString()), { type: 'MODIFIED', object: version.object });
});

t.test('feeds: what crosses the border of a selection', async (t) => {
  const version = (name: string, spec: object, namespace?: string): Version =>
    unstored(`/k/${name}`, object(name, {}, spec, namespace), 1);
  const change = (before: object | undefined, after: object | undefined, namespace?: string): Change => ({
    revision: 2,
    version: version('x', after ?? before!, namespace),
    deleted: after === undefined,
    previous: before === undefined ? undefined : version('x', before, namespace),
  });
  const here = { nodeName: 'a' };
  const there = { nodeName: 'b' };
  const onA = select(allocations, undefined, '', 'spec.nodeName=a');
  t.equal(visible(onA, change(undefined, here)), 'ADDED');
  t.equal(visible(onA, change(here, { ...here, index: 1 })), 'MODIFIED');
  t.equal(visible(onA, change(here, there)), 'DELETED');
  t.equal(visible(onA, change(there, here)), 'ADDED');
  t.equal(visible(onA, change(there, there)), undefined);
  t.equal(visible(onA, change(here, undefined)), 'DELETED');
  t.equal(visible(onA, change(there, undefined)), undefined);

  const index = new FeedIndex();
  const feeds = {
    all: index.feed(select(allocations), jsonFormat),
    ns: index.feed(select(allocations, 'default'), jsonFormat),
    other: index.feed(select(allocations, 'other'), jsonFormat),
    a: index.feed(onA, jsonFormat),
    aInOther: index.feed(select(allocations, 'other', '', 'spec.nodeName=a'), jsonFormat),
    b: index.feed(select(allocations, undefined, '', 'spec.nodeName=b'), jsonFormat),
    notB: index.feed(select(allocations, undefined, '', 'spec.nodeName!=b'), jsonFormat),
  };
  const concerned = (of: Change): string[] => {
    const seen: Feed[] = [];
    index.concerned(of, (feed) => seen.push(feed));
    t.equal(new Set(seen).size, seen.length, 'no feed twice');
    return Object.entries(feeds).filter(([, feed]) => seen.includes(feed)).map(([name]) => name); // prettier-ignore
  };
  t.same(concerned(change(undefined, here)), ['all', 'ns', 'a', 'notB']);
  t.same(concerned(change(here, there)), ['all', 'ns', 'a', 'b', 'notB']);
  t.same(concerned(change(undefined, here, 'other')), ['all', 'other', 'a', 'aInOther', 'notB']);
  t.equal(index.feed(select(allocations, undefined, '', 'spec.nodeName=a'), jsonFormat), feeds.a, 'equal wishes share a feed');
  for (const feed of Object.values(feeds)) index.remove(feed);
  t.equal(index.size, 0);
});

t.test('the order of keys is that of the store', async (t) => {
  const keys = ['a', 'a\u0001', 'ab', 'b', 'ä', '\ue000', '\uffee', '😀', '🚀'];
  const shuffled = [...keys].reverse();
  t.same([...shuffled].sort(compareKeys), keys);
  t.same(
    [...shuffled].sort((a, b) => Buffer.from(a).compare(Buffer.from(b))),
    keys,
  );

  const objects = new Objects();
  const put = (key: string, spec: object): void => objects.set(unstored(key, object('x', {}, spec), 1));
  for (const [i, key] of shuffled.entries()) put(key, { index: i % 2 });
  const snapshot = objects.snapshot();
  t.equal(objects.snapshot(), snapshot, 'unchanged, it is the same');
  objects.delete('b');
  put('aa', { index: 1 });
  put('ä', { index: 7 });
  t.same(snapshot.map((version) => version.key), keys, 'a snapshot stays as it was'); // prettier-ignore
  const after = [...keys.filter((key) => key !== 'b'), 'aa'].sort(compareKeys);
  t.same(objects.snapshot().map((version) => version.key), after); // prettier-ignore
  t.equal(objects.size, after.length);
  const indexed = (value: string): string[] => objects.where(['spec', 'index'], value)!.map((version) => version.key);
  t.same(indexed('7'), ['ä']);
  put('ä', { index: 1 });
  put('a', { index: 7 });
  objects.delete('aa');
  t.same(indexed('7'), ['a'], 'the index follows');
  t.ok(indexed('1').includes('ä') && !indexed('1').includes('aa'));
  objects.delete('😀');
  put('😀', { index: 7 });
  t.same(indexed('7'), ['a', '😀']);
  t.same(indexed('8'), []);
});

t.test('JSON texts: where they break and what they repeat', async (t) => {
  const breaks = (text: string): string => {
    const { error } = scanJson(text);
    const place = placeOf(text, error!.offset);
    return `${place.line}:${place.column} ${error!.message}`;
  };
  t.equal(breaks('{"a" 1}'), '1:6 expected ":", found "1"');
  t.equal(breaks('{\n "a": 1,\n}'), '3:1 expected a key in double quotes, found "}"');
  t.equal(breaks('[1 2]'), '1:4 expected "," or "]", found "2"');
  t.equal(breaks('{"a": tru}'), '1:7 expected a value, found "t"');
  t.equal(breaks('{"a": "x'), '1:7 the text in double quotes does not end, or has a bad escape');
  t.equal(breaks('{} x'), '1:4 unexpected "x" after the value');
  t.equal(breaks(''), '1:1 expected a value, found the end');
  t.equal(breaks('{"a": 01}'), '1:7 expected a value, found "0"');
  for (const good of ['{}', '[]', ' [1, -2.5e3, "\\u00e4\\n", null, {"a": [[]]}] ', '"x"', '0']) {
    t.equal(scanJson(good).error, undefined, good);
    JSON.parse(good);
  }
  t.same(scanJson('{"a":{"b":1,"c":[{"d":1,"\\u0064":2}],"b":2}}').duplicates, ['a.c[0].d', 'a.b']);
  const deep = '['.repeat(200_000);
  t.ok(scanJson(deep).error, 'no nesting is too deep');
});

t.test('ages and representations', async (t) => {
  const cases: [number, string][] = [[0, '0s'], [119, '119s'], [120, '2m'], [330, '5m30s'], [720, '12m'], [10_800, '3h'], [12_000, '3h20m'], [90_000, '25h'], [180_000, '2d2h'], [864_000, '10d'], [94_608_000, '3y']]; // prettier-ignore
  for (const [seconds, text] of cases) t.equal(formatAge(seconds * 1000), text);
  t.same(negotiate(undefined, null), { type: 'json' });
  t.same(negotiate('application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'None'), {
    type: 'table',
    version: 'v1',
    include: 'None',
  });
  t.same(negotiate('application/vnd.kubernetes.protobuf,application/json', null), { type: 'json' });
  t.throws(() => negotiate('text/html', null), { name: 'ApiError', code: 406 });
});
