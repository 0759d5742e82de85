import { ArgumentError, elements, type HclFunction } from '../evaluate.ts';
import { commonType, convert } from '../convert.ts';
import {
  DYNAMIC, NULL, STRING, bool, equal, list, map, number, object, set, string, tuple, typeOf, type Type, type Value,
} from '../value.ts'; // prettier-ignore
import { define, integer, items, p, text } from './define.ts';

export const collections: Record<string, HclFunction> = {
  length: define([p.any('collection')], ([v]) => {
    if (v!.kind === 'string') return number([...v!.string].length);
    const all = elements(v!);
    if (all === undefined) throw new ArgumentError(0, 'collection must be a list, a map or a tuple');
    return number(all.length);
  }),
  element: define([p.any('list'), p.number('index')], ([l, index]) => {
    const all = items(l);
    const i = integer(index);
    if (i < 0) throw new ArgumentError(1, 'cannot use element function with a negative index');
    if (all.length === 0) throw new ArgumentError(0, 'cannot use element function with an empty list');
    return all[i % all.length]!;
  }),
  index: define([p.any('list'), p.any('value')], ([l, value]) => {
    const at = items(l).findIndex((item) => equal(item, value!));
    if (at === -1) throw new Error('item not found');
    return number(at);
  }),
  contains: define([p.any('list'), p.any('value')], ([l, value]) => {
    const all = items(l);
    return bool(all.some((item) => sameAfterConversion(item, value!)));
  }),
  coalesce: define(
    [],
    (args) => {
      const type = commonType(args.map(typeOf)) ?? DYNAMIC;
      for (const arg of args) if (arg.kind !== 'null') return convert(arg, type);
      throw new Error('no non-null arguments');
    },
    p.nullable('vals'),
  ),
  coalescelist: define(
    [],
    (args) => {
      for (const arg of args) if (items(arg).length > 0) return arg;
      throw new Error('no non-empty arguments');
    },
    p.any('vals'),
  ),
  compact: define([p.list('list', STRING)], ([l]) =>
    list(
      STRING,
      items(l).filter((item) => item.kind === 'string' && item.string !== ''),
    ),
  ),
  concat: define([], concat, p.any('seqs')),
  distinct: define([p.list('list')], ([l]) => {
    const unique: Value[] = [];
    for (const item of items(l)) if (!unique.some((u) => equal(u, item))) unique.push(item);
    return list(elementOf(l!), unique);
  }),
  flatten: define([p.any('list')], ([l]) => {
    items(l);
    return tuple(flat(l!));
  }),
  chunklist: define([p.list('list'), p.number('size')], ([l, size]) => {
    const n = integer(size);
    if (n < 0) throw new ArgumentError(1, 'the size argument must be positive');
    const all = items(l);
    const element = elementOf(l!);
    const chunks: Value[] = [];
    for (let i = 0; i < all.length; i += n === 0 ? all.length : n)
      chunks.push(list(element, all.slice(i, n === 0 ? all.length : i + n)));
    return list({ kind: 'list', element }, chunks);
  }),
  slice: define([p.any('list'), p.number('start_index'), p.number('end_index')], ([l, from, to]) => {
    const all = items(l);
    const start = integer(from);
    const end = integer(to);
    if (start < 0) throw new ArgumentError(1, 'start index must not be less than zero');
    if (end > all.length) throw new ArgumentError(2, 'end index must not be greater than the length of the list');
    if (start > end) throw new ArgumentError(1, 'start index must not be greater than end index');
    return l!.kind === 'list' ? list(l!.element, all.slice(start, end)) : tuple(all.slice(start, end));
  }),
  keys: define([p.any('inputMap')], ([m]) => {
    const names = [...entries(m!).keys()].map(string);
    return m!.kind === 'map' ? list(STRING, names) : tuple(names);
  }),
  values: define([p.any('values')], ([m]) => {
    const all = [...entries(m!).values()];
    return m!.kind === 'map' ? list(m!.element, all) : tuple(all);
  }),
  lookup: define(
    [p.any('inputMap'), p.string('key')],
    ([m, key, fallback]) => {
      const entry = entries(m!).get(text(key));
      if (entry !== undefined) return entry;
      if (fallback !== undefined) return m!.kind === 'map' ? convert(fallback, m!.element) : fallback;
      throw new Error(`the given object has no attribute ${JSON.stringify(text(key))}`);
    },
    p.nullable('default'),
  ),
  merge: define(
    [],
    (args) => {
      const out = new Map<string, Value>();
      for (const arg of args) {
        if (arg.kind === 'null') continue;
        for (const [k, v] of entries(arg)) out.set(k, v);
      }
      const types = args.filter((a) => a.kind === 'map');
      const element = types.length === args.length && args.length > 0 ? commonType([...out.values()].map(typeOf)) : undefined;
      return element === undefined ? object(out) : map(element, out);
    },
    p.nullable('maps'),
  ),
  zipmap: define([p.list('keys', STRING), p.any('values')], ([k, v]) => {
    const names = items(k);
    const all = items(v);
    if (names.length !== all.length) {
      throw new Error(`number of keys (${names.length}) does not match number of values (${all.length})`);
    }
    const pairs = names.map((name, i) => [text(name), all[i]!] as const);
    return v!.kind === 'list' ? map(v!.element, pairs) : object(pairs);
  }),
  setunion: define([p.set('first_set')], (args) => setOf(args, (sets) => sets.flat()), p.set('other_sets')),
  setintersection: define(
    [p.set('first_set')],
    (args) => setOf(args, ([first, ...rest]) => first!.filter((v) => rest.every((s) => s.some((w) => equal(v, w))))),
    p.set('other_sets'),
  ),
  setsubtract: define([p.set('a'), p.set('b')], (args) =>
    setOf(args, ([a, b]) => a!.filter((v) => !b!.some((w) => equal(v, w)))),
  ),
  setproduct: define([], setProduct, p.any('sets')),
  toset: define([p.any('v')], ([v]) => convert(v!, { kind: 'set', element: DYNAMIC })),
  tolist: define([p.any('v')], ([v]) => convert(v!, { kind: 'list', element: DYNAMIC })),
  tomap: define([p.any('v')], ([v]) => convert(v!, { kind: 'map', element: DYNAMIC })),
  tostring: define([p.nullable('v')], ([v]) => convert(v!, STRING)),
  tonumber: define([p.nullable('v')], ([v]) => convert(v!, { kind: 'number' })),
  tobool: define([p.nullable('v')], ([v]) => convert(v!, { kind: 'bool' })),
  alltrue: define([p.list('list', { kind: 'bool' })], ([l]) => bool(items(l).every((v) => v.kind === 'bool' && v.bool))),
  anytrue: define([p.list('list', { kind: 'bool' })], ([l]) => bool(items(l).some((v) => v.kind === 'bool' && v.bool))),
  one: define([p.any('list')], ([l]) => {
    const all = items(l);
    if (all.length > 1) throw new ArgumentError(0, 'must be a list, set, or tuple value with either zero or one elements');
    return all[0] ?? NULL;
  }),
};

function entries(v: Value): ReadonlyMap<string, Value> {
  if (v.kind !== 'map' && v.kind !== 'object') throw new ArgumentError(0, 'must have map or object type');
  return v.entries;
}

const elementOf = (v: Value): Type => (v.kind === 'list' || v.kind === 'set' ? v.element : DYNAMIC);

function sameAfterConversion(a: Value, b: Value): boolean {
  if (equal(a, b)) return true;
  const type = commonType([typeOf(a), typeOf(b)]);
  return type !== undefined && a.kind !== 'null' && b.kind !== 'null' && equal(convert(a, type), convert(b, type));
}

function concat(args: readonly Value[]): Value {
  if (args.length === 0) throw new Error('at least one argument is required');
  const all = args.flatMap((arg) => [...items(arg)]);
  if (args.every((arg) => arg.kind === 'list')) {
    const element = commonType(args.map((arg) => elementOf(arg)));
    if (element !== undefined)
      return list(
        element,
        all.map((v) => convert(v, element)),
      );
  }
  return tuple(all);
}

function flat(v: Value): Value[] {
  if (v.kind === 'list' || v.kind === 'set' || v.kind === 'tuple') return v.items.flatMap(flat);
  return [v];
}

function setOf(args: readonly Value[], combine: (sets: (readonly Value[])[]) => readonly Value[]): Value {
  const element = commonType(args.map(elementOf));
  if (element === undefined) throw new Error('given sets must all have compatible element types');
  return set(element, combine(args.map((arg) => items(arg).map((v) => convert(v, element)))));
}

function setProduct(args: readonly Value[]): Value {
  if (args.length < 2) throw new Error('at least two arguments are required');
  let rows: Value[][] = [[]];
  for (const arg of args) {
    rows = rows.flatMap((row) => items(arg).map((item) => [...row, item]));
    if (rows.length > 100_000) throw new Error('the product has more than 100000 elements');
  }
  const tuples = rows.map(tuple);
  const element = commonType(tuples.map(typeOf)) ?? DYNAMIC;
  return args.every((arg) => arg.kind === 'set') ? set(element, tuples) : list(element, tuples);
}
