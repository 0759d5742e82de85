import { ArgumentError, type HclFunction } from '../evaluate.ts';
import { commonType, convert } from '../convert.ts';
import {
  DYNAMIC, NULL, STRING, bool, equal, friendlyName, list, map, number, object, set, string, tuple, typeOf, type Type, type Value,
} from '../value.ts'; // prettier-ignore
import { ZERO, compare, toNumber } from '../big-float.ts';
import { decimal, define, integer, items, p, text } from './define.ts';

export const collections: Record<string, HclFunction> = {
  length: define([p.any('collection')], ([v]) => {
    // Not of texts and objects: those have strlen() and length(keys()).
    if (v!.kind !== 'list' && v!.kind !== 'set' && v!.kind !== 'tuple' && v!.kind !== 'map')
      throw new Error('collection must be a list, a map or a tuple');
    return number(v!.kind === 'map' ? v!.entries.size : v!.items.length);
  }),
  element: define([p.any('list'), p.number('index')], ([l, index]) => {
    if (compare(decimal(index), ZERO) < 0) throw new Error('cannot use element function with a negative index');
    if (l!.kind !== 'list' && l!.kind !== 'tuple') throw new Error(`cannot read elements from ${friendlyName(typeOf(l!))}`);
    const i = asIndex(index, 'index');
    if (l!.items.length === 0) throw new Error('cannot use element function with an empty list');
    return l!.items[i % l!.items.length]!;
  }),
  index: define([p.any('collection'), p.any('key')], ([collection, key]) => indexOrPosition(collection!, key!)),
  contains: define([p.any('list'), p.any('value')], ([l, value]) => {
    if (l!.kind !== 'list' && l!.kind !== 'tuple' && l!.kind !== 'set') throw new Error('argument must be list, tuple, or set');
    return bool(l!.items.some((item) => equal(item, value!)));
  }),
  coalesce: define(
    [],
    (args) => {
      const type = commonType(args.map(typeOf));
      if (type === undefined) throw new Error('all arguments must have the same type');
      for (const arg of args) if (arg.kind !== 'null') return convert(arg, type);
      throw new Error('no non-null arguments');
    },
    p.nullable('vals'),
  ),
  coalescelist: define(
    [],
    (args) => {
      if (args.length === 0) throw new Error('at least one argument is required');
      for (const arg of args)
        if (arg.kind !== 'list' && arg.kind !== 'tuple') throw new Error('coalescelist arguments must be lists or tuples');
      for (const arg of args) if (items(arg).length > 0) return arg;
      throw new Error('no non-null arguments');
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
    if (l!.kind !== 'list' && l!.kind !== 'tuple' && l!.kind !== 'set')
      throw new Error('can only flatten lists, sets and tuples');
    return tuple(flat(l!));
  }),
  chunklist: define([p.list('list'), p.number('size')], ([l, size]) => {
    const all = items(l);
    const element = elementOf(l!);
    if (all.length === 0) return list({ kind: 'list', element }, []);
    const n = asIndex(size, 'index');
    if (n < 0) throw new Error('the size argument must be positive');
    const chunks: Value[] = [];
    for (let i = 0; i < all.length; i += n === 0 ? all.length : n)
      chunks.push(list(element, all.slice(i, n === 0 ? all.length : i + n)));
    return list({ kind: 'list', element }, chunks);
  }),
  slice: define([p.any('list'), p.number('start_index'), p.number('end_index')], ([l, from, to]) => {
    if (l!.kind === 'set') {
      throw new ArgumentError(
        0,
        'cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the result is not important',
      );
    }
    if (l!.kind !== 'list' && l!.kind !== 'tuple') throw new ArgumentError(0, 'must be a list or tuple value');
    const all = l!.items;
    const [start, end] = [
      [from, 1, 'start'],
      [to, 2, 'end'],
    ].map(([v, argument, name]) => sliceIndex(v as Value, argument as number, name as string, all.length)) as [number, number];
    if (start > end) throw new ArgumentError(1, 'start index must not be greater than end index');
    return l!.kind === 'list' ? list(l!.element, all.slice(start, end)) : tuple(all.slice(start, end));
  }),
  keys: define([p.any('inputMap')], ([m]) => {
    const names = [...entries(m!).keys()].map(string);
    return m!.kind === 'map' ? list(STRING, names) : tuple(names);
  }),
  values: define([p.any('values')], ([m]) => {
    if (m!.kind !== 'map' && m!.kind !== 'object') throw new Error('values() requires a map as the first argument');
    const all = [...entries(m!).values()];
    return m!.kind === 'map' ? list(m!.element, all) : tuple(all);
  }),
  lookup: define([p.any('inputMap'), p.string('key'), p.any('default')], ([m, key, fallback]) => {
    if (m!.kind !== 'map' && m!.kind !== 'object') throw new ArgumentError(0, 'lookup() requires a map as the first argument');
    const entry = m!.entries.get(text(key));
    if (m!.kind === 'object') return entry ?? fallback!;
    let converted: Value;
    try {
      converted = convert(fallback!, m!.element);
    } catch {
      throw new ArgumentError(2, 'the default value must have the same type as the map elements');
    }
    return entry ?? converted;
  }),
  merge: define(
    [],
    (args) => {
      const out = new Map<string, Value>();
      for (const arg of args) {
        if (arg.kind === 'null') continue;
        if (arg.kind !== 'map' && arg.kind !== 'object')
          throw new Error(`arguments must be maps or objects, got ${JSON.stringify(friendlyName(typeOf(arg)))}`);
        for (const [k, v] of arg.entries) out.set(k, v);
      }
      if (args.length > 0 && args.every((arg) => arg.kind === 'null')) return NULL;
      const types = args.filter((a) => a.kind === 'map');
      const element = types.length === args.length && args.length > 0 ? commonType([...out.values()].map(typeOf)) : undefined;
      return element === undefined ? object(out) : map(element, out);
    },
    p.nullable('maps'),
  ),
  zipmap: define([p.list('keys', STRING), p.any('values')], ([k, v]) => {
    const names = items(k);
    if (v!.kind !== 'list' && v!.kind !== 'tuple') throw new Error('values argument must be a list or tuple value');
    const all = v!.items;
    const missing = names.findIndex((name) => name.kind === 'null');
    if (missing !== -1) throw new Error(`keys list has null value at index ${missing}`);
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

function asIndex(v: Value | undefined, what: string): number {
  try {
    return integer(v);
  } catch (err) {
    throw new Error(`invalid ${what}: ${err instanceof Error ? err.message : String(err)}`, { cause: err });
  }
}

function sliceIndex(v: Value, argument: number, name: string, length: number): number {
  let i: number;
  try {
    i = integer(v);
  } catch (err) {
    throw new ArgumentError(argument, `invalid ${name} index: ${err instanceof Error ? err.message : String(err)}`);
  }
  if (i < 0) throw new ArgumentError(argument, `${name} index must not be less than zero`);
  if (i > length) throw new ArgumentError(argument, `${name} index must not be greater than the length of the list`);
  return i;
}

/**
 * What is at a key, as the reference's program answers; a text that is looked for in a list gives its position, as its documentation says (there it is
 * an error).
 */
function indexOrPosition(collection: Value, key: Value): Value {
  if (collection.kind === 'map') {
    if (key.kind !== 'string') throw new Error('key for map must be string');
    const entry = collection.entries.get(key.string);
    if (entry === undefined) throw new Error('invalid index');
    return entry;
  }
  if (collection.kind !== 'list' && collection.kind !== 'tuple') throw new Error('collection must be a list, a map or a tuple');
  const { items: all } = collection;
  if (key.kind !== 'number') {
    const at = all.findIndex((item) => equal(item, key));
    if (at === -1) throw new Error(`key for ${collection.kind} must be number`);
    return number(at);
  }
  const i = collection.kind === 'tuple' ? asIndex(key, 'key for tuple') : toNumber(decimal(key));
  const item = all[i];
  if (item !== undefined) return item;
  throw new Error(collection.kind === 'tuple' ? `key must be between 0 and ${all.length} inclusive` : 'invalid index');
}

function concat(args: readonly Value[]): Value {
  if (args.length === 0) throw new Error('at least one argument is required');
  for (const [i, arg] of args.entries()) {
    if (arg.kind !== 'list' && arg.kind !== 'tuple')
      throw new ArgumentError(i, `all arguments must be lists or tuples; got ${friendlyName(typeOf(arg))}`);
  }
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
  for (const [i, arg] of args.entries()) {
    if (arg.kind !== 'list' && arg.kind !== 'tuple' && arg.kind !== 'set')
      throw new ArgumentError(i, 'a set or a list is required');
    const common = commonType(arg.items.map(typeOf));
    if (common === undefined) throw new ArgumentError(i, 'all elements must be of the same type');
    rows = rows.flatMap((row) => arg.items.map((item) => [...row, convert(item, common)]));
    if (rows.length > 100_000) throw new Error('the product has more than 100000 elements');
  }
  const tuples = rows.map(tuple);
  const element = commonType(tuples.map(typeOf)) ?? DYNAMIC;
  return args.every((arg) => arg.kind === 'set') ? set(element, tuples) : list(element, tuples);
}
