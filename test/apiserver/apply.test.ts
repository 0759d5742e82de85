import equal from 'fast-deep-equal';
import t from 'tap';
import {
  apply,
  compare,
  fieldsOf,
  formatFieldPath,
  fromFieldsV1,
  intersect,
  isEmpty,
  merge,
  minus,
  NOTHING,
  pathsOf,
  readEntries,
  recordUpdate,
  restrictedTo,
  sameEntries,
  shapeOf,
  toFieldsV1,
  union,
  without,
  writeEntries,
  type Entry,
  type FieldSet,
  type Writer,
} from '../../apiserver/apply/index.ts';
import { ApiError } from '../../base/index.ts';
import { builtinKinds } from '../../apiserver/registry/kinds.ts';
import type { JsonSchema } from '../../apiserver/registry/schema.ts';

const schema: JsonSchema = {
  type: 'object',
  properties: {
    count: { type: 'integer' },
    size: { type: 'string' },
    args: { type: 'array', items: { type: 'string' } },
    tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    update: { type: 'object', properties: { parallel: { type: 'integer' }, auto: { type: 'boolean' } } },
    place: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { zone: { type: 'string' } } },
    config: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    groups: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        properties: { name: { type: 'string' }, count: { type: 'integer' }, env: { type: 'object', additionalProperties: { type: 'string' } } },
      },
    },
  },
}; // prettier-ignore
const shape = shapeOf(schema, (s) => s);
/** Why a call was refused. */
function refusal(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error instanceof ApiError ? error.reason : String(error);
  }
}
const paths = (set: FieldSet): string[] => [...pathsOf(set)].map(formatFieldPath).sort();

t.test('the fields of a value', async (t) => {
  const cases: [title: string, value: object, expected: string[]][] = [
    ['scalars', { count: 1, size: 'x' }, ['.count', '.size']],
    ['atomic lists are one', { args: ['a', 'b'] }, ['.args']],
    ['atomic objects are one', { place: { zone: 'a' } }, ['.place']],
    ['items of sets', { tags: ['a', 'b'] }, ['.tags[="a"]', '.tags[="b"]']],
    ['keys of maps', { labels: { a: 'b' } }, ['.labels.a']],
    ['declared structs are their fields', { update: { parallel: 1 } }, ['.update.parallel']],
    ['what is empty is itself', { update: {}, tags: [], labels: {} }, ['.labels', '.tags', '.update']],
    ['items with keys', { groups: [{ name: 'a', count: 1 }] }, ['.groups[name="a"]', '.groups[name="a"].count', '.groups[name="a"].name']], // prettier-ignore
    ['what is not declared', { config: { a: { b: [1] } } }, ['.config.a', '.config.a.b']],
    ['fields beyond the schema', { other: { a: 1 } }, ['.other', '.other.a']],
  ];
  for (const [title, value, expected] of cases) t.same(paths(fieldsOf(value, shape)), expected, title);
});

t.test('fieldsV1: there and back', async (t) => {
  const value = { count: 1, tags: ['a'], groups: [{ name: 'a', env: { X: 'y' } }], labels: {}, config: { a: { b: 1 } } };
  const set = fieldsOf(value, shape);
  t.same(toFieldsV1(set), {
    'f:count': {},
    'f:tags': { 'v:"a"': {} },
    'f:groups': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:env': { 'f:X': {} } } },
    'f:labels': {},
    'f:config': { 'f:a': { '.': {}, 'f:b': {} } },
  });
  t.same(paths(fromFieldsV1(toFieldsV1(set))), paths(set));
  t.same(toFieldsV1(fromFieldsV1({ 'k:{"b":1,"a":"\\u003c"}': {} })), { 'k:{"a":"<","b":1}': {} }, 'other spellings');
  for (const wrong of [1, [], { x: {} }, { 'k:{': {} }, { 'f:a': 1 }, { 'v:': {} }])
    t.equal(
      refusal(() => fromFieldsV1(wrong)),
      'BadRequest',
      JSON.stringify(wrong),
    );
  let deep: object = {};
  for (let i = 0; i < 1000; i++) deep = { 'f:a': deep };
  t.equal(
    refusal(() => fromFieldsV1(deep)),
    'BadRequest',
  );
});

t.test('comparing', async (t) => {
  const cases: [title: string, before: object, after: object, changed: string[], removed: string[]][] = [
    ['nothing', { count: 1, args: ['a'] }, { count: 1, args: ['a'] }, [], []],
    ['a value', { count: 1 }, { count: 2 }, ['.count'], []],
    ['a new field', {}, { labels: { a: 'b' } }, ['.labels.a'], []],
    ['a lost field', { labels: { a: 'b', c: 'd' } }, { labels: { a: 'b' } }, [], ['.labels.c']],
    ['the last one', { labels: { a: 'b' } }, { labels: {} }, ['.labels'], ['.labels.a']],
    ['an item', { groups: [{ name: 'a', count: 1 }] }, { groups: [{ name: 'b', count: 1 }] }, ['.groups[name="b"]', '.groups[name="b"].count', '.groups[name="b"].name'], ['.groups[name="a"]', '.groups[name="a"].count', '.groups[name="a"].name']], // prettier-ignore
    ['the order of items is nobody’s', { groups: [{ name: 'a' }, { name: 'b' }] }, { groups: [{ name: 'b' }, { name: 'a' }] }, [], []], // prettier-ignore
    ['another form', { config: { a: 1 } }, { config: { a: { b: 1 } } }, ['.config.a', '.config.a.b'], []],
    ['back again', { config: { a: { b: 1 } } }, { config: { a: 1 } }, ['.config.a'], ['.config.a.b']],
  ];
  for (const [title, before, after, changed, removed] of cases) {
    const found = compare(before, after, shape);
    t.same([paths(found.changed), paths(found.removed)], [changed, removed], title);
  }
});

t.test('merging, taking away, restricting', async (t) => {
  const live = { count: 1, args: ['a'], tags: ['x'], groups: [{ name: 'a', count: 1 }, { name: 'b' }], labels: { a: '1' } };
  t.same(
    merge(live, { args: ['b'], tags: ['y'], groups: [{ name: 'c' }, { name: 'a', count: 2 }], labels: { b: '2' } }, shape),
    { count: 1, args: ['b'], tags: ['x', 'y'], groups: [{ name: 'a', count: 2 }, { name: 'b' }, { name: 'c' }], labels: { a: '1', b: '2' } }, // prettier-ignore
  );
  t.same(merge(live, { groups: [{ name: 'b' }, { name: 'a' }] }, shape), { ...live, groups: [{ name: 'b' }, { name: 'a', count: 1 }] }, 'all of a list: in the order given'); // prettier-ignore
  const gone = fieldsOf({ groups: [{ name: 'a' }], labels: { a: '' }, tags: ['x'] }, shape);
  t.same(without(live, gone, NOTHING, shape), { count: 1, args: ['a'], groups: [{ name: 'b' }] }, 'with what is left empty');
  const kept = fieldsOf({ groups: [{ name: 'a', count: 1 }] }, shape);
  t.same(without(live, minus(gone, kept), kept, shape), { count: 1, args: ['a'], groups: live.groups }, 'others keep the item');
  t.same(restrictedTo(live, fieldsOf({ groups: [{ count: 1, name: 'a' }], args: [] }, shape), shape), { args: ['a'], groups: [{ name: 'a', count: 1 }] }); // prettier-ignore
});

const writer = (manager: string, operation: Writer['operation'], time = '2026-01-01T00:00:00Z'): Writer => ({ manager, operation, apiVersion: 'v1', time }); // prettier-ignore

/** A little server: the state, and what one manager after another does to it. */
class World {
  live: object = {};
  entries: Entry[] = [];

  apply(manager: string, applied: object, force = false): string[] {
    const { value, entries, conflicts } = apply({ entries: this.entries, writer: writer(manager, 'Apply'), live: this.live, applied, shape }); // prettier-ignore
    if (conflicts.length > 0 && !force) return conflicts.flatMap(({ entry, fields }) => paths(fields).map((p) => `${entry.manager} ${p}`)); // prettier-ignore
    this.live = value as object;
    this.entries = entries;
    return [];
  }

  update(manager: string, after: object): void {
    this.entries = recordUpdate({ entries: this.entries, writer: writer(manager, 'Update'), before: this.live, after, said: after, shape }); // prettier-ignore
    this.live = after;
  }

  owners(): Record<string, string[]> {
    return Object.fromEntries(this.entries.map((e) => [`${e.manager} ${e.operation}`, paths(e.fields)]));
  }
}

t.test('who owns what', async (t) => {
  const w = new World();
  t.same(w.apply('a', { count: 1, labels: { x: '1' }, groups: [{ name: 'g', count: 1 }] }), []);
  t.same(w.apply('b', { count: 1, size: 'big' }), [], 'the same value is shared');
  t.same(w.apply('b', { count: 2 }), ['a .count']);
  t.same(w.live, { count: 1, labels: { x: '1' }, groups: [{ name: 'g', count: 1 }], size: 'big' }, 'a conflict changes nothing');
  t.same(w.apply('b', { count: 2 }, true), []);
  t.same(w.live, { count: 2, labels: { x: '1' }, groups: [{ name: 'g', count: 1 }] }, 'what is applied no more is gone');
  t.same(w.owners()['b Apply'], ['.count']);
  t.notOk(w.owners()['a Apply']!.includes('.count'), 'taken by force');

  w.update('c', { ...w.live, size: 'small', groups: [{ name: 'g', count: 5 }] });
  t.same(w.owners()['c Update'], ['.groups[name="g"].count', '.size']);
  t.same(w.apply('a', { labels: { x: '1' }, groups: [{ name: 'g', count: 1 }] }), ['c .groups[name="g"].count']);
  t.same(w.apply('a', { labels: { x: '1' }, groups: [{ name: 'g' }] }), []);
  t.same((w.live as { groups: object }).groups, [{ name: 'g', count: 5 }]);
  t.same(w.apply('a', { labels: { x: '1' } }), []);
  t.same((w.live as { groups: object }).groups, [{ name: 'g', count: 5 }], 'the item stays: somebody else owns a part of it');
  w.update('d', { count: 2, size: 'small' });
  t.same(w.owners(), { 'b Apply': ['.count'], 'c Update': ['.size'] }, 'what is removed is nobody’s');
  t.same(w.apply('b', {}), []);
  t.same(w.live, { size: 'small' });
  t.same(w.owners(), { 'c Update': ['.size'] }, 'who owns nothing is forgotten');
});

t.test('many updaters are taken together', async (t) => {
  const w = new World();
  for (let i = 0; i < 30; i++) w.update(`m${i}`, { ...w.live, labels: { ...(w.live as { labels?: object }).labels, [`l${i}`]: 'x' } }); // prettier-ignore
  t.equal(w.entries.length, 10);
  t.equal(w.entries[0]!.manager, 'ancient-changes');
  const all = w.entries.reduce((sum, e) => union(sum, e.fields), NOTHING);
  t.same(paths(all), paths(fieldsOf(w.live, shape)), 'and nothing is lost');
});

t.test('entries: there and back, and what is refused', async (t) => {
  const w = new World();
  w.apply('a', { count: 1 });
  w.update('b', { count: 1, size: 'x' });
  const written = writeEntries(w.entries);
  t.match(written[0], {
    manager: 'a',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:count': {} },
  });
  t.ok(sameEntries(readEntries(JSON.parse(JSON.stringify(written))), w.entries));
  t.same(readEntries(undefined), []);
  for (const wrong of [
    'x',
    [1],
    [{}],
    [{ ...written[0], operation: 'Steal' }],
    [{ ...written[0], fieldsType: 'FieldsV2' }],
    [{ ...written[0], manager: 1 }],
  ])
    // prettier-ignore
    t.equal(refusal(() => readEntries(wrong)), 'BadRequest', JSON.stringify(wrong));
});

/** A small generator of numbers, from a seed that is printed when something fails. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function anything(pick: (below: number) => number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const some = <T>(make: () => T): T[] => Array.from({ length: pick(3) }, make);
  if (pick(2)) out['count'] = pick(3);
  if (pick(2)) out['size'] = 'abc'[pick(3)];
  if (pick(3) === 0) out['args'] = some(() => 'xy'[pick(2)]);
  if (pick(2)) out['tags'] = [...new Set(some(() => 'pqr'[pick(3)]))];
  if (pick(2)) out['labels'] = Object.fromEntries(some(() => ['klm'[pick(3)], String(pick(2))]));
  if (pick(3) === 0) out['config'] = { a: pick(2) ? pick(2) : { b: pick(2) } };
  if (pick(2)) out['groups'] = [...new Set(some(() => 'gh'[pick(2)]))].map((name) => ({ name, ...(pick(2) && { count: pick(3) }) }));
  return Object.fromEntries(Object.entries(out).filter(([, value]) => typeof value !== 'object' || Object.keys(value as object).length > 0));
} // prettier-ignore

t.test('properties, from random values', async (t) => {
  for (let seed = 1; seed <= 1_000; seed++) {
    const pick = random(seed);
    const [a, b] = [anything(pick), anything(pick)];
    const fail = (what: string): void => void t.fail(`${what} (seed ${seed}: ${JSON.stringify(a)} ${JSON.stringify(b)})`);
    const { changed, removed } = compare(a, b, shape);
    const [fa, fb] = [fieldsOf(a, shape), fieldsOf(b, shape)];
    if (!isEmpty(minus(changed, fb)) || !isEmpty(minus(removed, fa))) fail('differences are fields of the values');
    if (!equal(paths(union(minus(fa, removed), changed)), paths(fb))) fail('the differences lead from one to the other');
    if (!equal(restrictedTo(b, fb, shape), b)) fail('all fields are all of the value');
    if (!isEmpty(minus(fb, fieldsOf(merge(a, b, shape), shape)))) fail('what is merged in is there');
    if (!isEmpty(intersect(fieldsOf(without(a, fa, NOTHING, shape), shape), fa))) fail('what is taken away is gone');
    if (!equal(toFieldsV1(fromFieldsV1(toFieldsV1(fa))), toFieldsV1(fa))) fail('fieldsV1 keeps the set');

    // Applying twice changes nothing; what one applies is there; applying nothing takes it all back.
    const w = new World();
    w.update('other', a);
    w.apply('me', b, true);
    const once = JSON.stringify([w.live, writeEntries(w.entries)]);
    if (!isEmpty(minus(fb, fieldsOf(w.live, shape)))) fail('what was applied is there');
    if (w.apply('me', b).length > 0) fail('one is not in conflict with oneself');
    if (JSON.stringify([w.live, writeEntries(w.entries)]) !== once) fail('the second apply changes nothing');
    const mine = fieldsOf(b, shape);
    const theirs = w.entries.filter((e) => e.manager === 'other').reduce((sum, e) => union(sum, e.fields), NOTHING);
    w.apply('me', {});
    const left = fieldsOf(w.live, shape);
    const lost = minus(theirs, left);
    if (!isEmpty(lost) && [...pathsOf(lost)].length > 0) fail(`others lose nothing by it: ${paths(lost).join()}`);
    const stale = intersect(minus(mine, theirs), left);
    if ([...pathsOf(stale)].some((path) => !hasBelow(theirs, path) && !isHollowIn(w.live, path))) fail(`what was mine alone is gone: ${paths(stale).join()}`); // prettier-ignore
  }
  t.pass('1,000 seeds');
});

function hasBelow(set: FieldSet, path: readonly string[]): boolean {
  let at: FieldSet | undefined = set;
  for (const element of path) at = at?.children.get(element);
  return at !== undefined;
}
const isHollowIn = (value: unknown, [first]: readonly string[]): boolean => {
  const found = (value as Record<string, unknown>)[first!.slice(2)];
  return typeof found === 'object' && found !== null && Object.keys(found).length === 0;
};

t.test('every built-in kind has a shape', async (t) => {
  for (const kind of builtinKinds().all()) {
    const { source, resolve } = kind.schema;
    t.equal(shapeOf(source, resolve).type, 'struct', kind.resource);
  }
  const job = builtinKinds().need('orch.dev/v1', 'Job');
  const spec = { spec: { groups: [{ name: 'g', count: 1, tasks: [{ name: 't', env: { A: 'b' }, config: { args: ['x'] } }] }] } };
  t.same(paths(fieldsOf(spec, shapeOf(job.schema.source, job.schema.resolve))), [
    '.spec.groups[name="g"]',
    '.spec.groups[name="g"].count',
    '.spec.groups[name="g"].name',
    '.spec.groups[name="g"].tasks[name="t"]',
    '.spec.groups[name="g"].tasks[name="t"].config.args',
    '.spec.groups[name="g"].tasks[name="t"].env.A',
    '.spec.groups[name="g"].tasks[name="t"].name',
  ]);
});
