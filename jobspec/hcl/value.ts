import { compare, formatBigFloat, fromNumber, isInteger, toNumber, type BigFloat } from './big-float.ts';

/** What kind of value something is. `dynamic` is the type of a value about which nothing is known (and of an untyped null). */
export type Type =
  | { readonly kind: 'string' | 'number' | 'bool' | 'dynamic' }
  | { readonly kind: 'list' | 'set' | 'map'; readonly element: Type }
  | { readonly kind: 'tuple'; readonly elements: readonly Type[] }
  | {
      readonly kind: 'object';
      readonly attributes: ReadonlyMap<string, Type>;
      readonly optional?: ReadonlySet<string>;
      /** What optional attributes are when they are not given; null otherwise. */ readonly defaults?: ReadonlyMap<string, Value>;
    };

/** A value and its type. `unknown` is what a failed expression yields; whatever is made of it is unknown as well. */
export type Value =
  | { readonly kind: 'null'; readonly type: Type }
  | { readonly kind: 'unknown'; readonly type: Type }
  | { readonly kind: 'string'; readonly string: string }
  | { readonly kind: 'number'; readonly number: BigFloat }
  | { readonly kind: 'bool'; readonly bool: boolean }
  | { readonly kind: 'list' | 'set'; readonly element: Type; readonly items: readonly Value[] }
  | { readonly kind: 'map'; readonly element: Type; readonly entries: ReadonlyMap<string, Value> }
  | { readonly kind: 'tuple'; readonly items: readonly Value[] }
  | { readonly kind: 'object'; readonly entries: ReadonlyMap<string, Value> };

export const STRING: Type = { kind: 'string' };
export const NUMBER: Type = { kind: 'number' };
export const BOOL: Type = { kind: 'bool' };
export const DYNAMIC: Type = { kind: 'dynamic' };

export const UNKNOWN: Value = { kind: 'unknown', type: DYNAMIC };
export const NULL: Value = { kind: 'null', type: DYNAMIC };
export const TRUE: Value = { kind: 'bool', bool: true };
export const FALSE: Value = { kind: 'bool', bool: false };

export const string = (s: string): Value => ({ kind: 'string', string: s });
export const number = (n: number | BigFloat): Value => ({ kind: 'number', number: typeof n === 'number' ? fromNumber(n) : n });
export const bool = (b: boolean): Value => (b ? TRUE : FALSE);
export const tuple = (items: readonly Value[]): Value => ({ kind: 'tuple', items });
export const list = (element: Type, items: readonly Value[]): Value => ({ kind: 'list', element, items });

/** An object or map keeps its entries sorted by key, as everything that walks it expects. */
export const object = (entries: Iterable<readonly [string, Value]>): Value => ({ kind: 'object', entries: sorted(entries) });
export const map = (element: Type, entries: Iterable<readonly [string, Value]>): Value => ({
  kind: 'map',
  element,
  entries: sorted(entries),
});

/** A set holds every value once, in a fixed order: strings by their characters, numbers by size, false before true. */
export function set(element: Type, items: readonly Value[]): Value {
  const unique: Value[] = [];
  for (const item of items) if (!unique.some((u) => equal(u, item))) unique.push(item);
  return { kind: 'set', element, items: unique.sort(order) };
}

function sorted<T>(entries: Iterable<readonly [string, T]>): Map<string, T> {
  return new Map([...new Map(entries)].sort(([a], [b]) => compareStrings(a, b)));
}

/** By code point, which is also the order of the UTF-8 bytes. */
export function compareStrings(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] !== b[i]) {
      const x = a.codePointAt(i)!;
      const y = b.codePointAt(i)!;
      return x - y;
    }
  }
  return a.length - b.length;
}

function order(a: Value, b: Value): number {
  if (a.kind === 'string' && b.kind === 'string') return compareStrings(a.string, b.string);
  if (a.kind === 'number' && b.kind === 'number') return compare(a.number, b.number);
  if (a.kind === 'bool' && b.kind === 'bool') return Number(a.bool) - Number(b.bool);
  return compareStrings(JSON.stringify(toPlain(a)), JSON.stringify(toPlain(b)));
}

export function typeOf(v: Value): Type {
  switch (v.kind) {
    case 'null':
    case 'unknown':
      return v.type;
    case 'string':
      return STRING;
    case 'number':
      return NUMBER;
    case 'bool':
      return BOOL;
    case 'list':
    case 'set':
    case 'map':
      return { kind: v.kind, element: v.element };
    case 'tuple':
      return { kind: 'tuple', elements: v.items.map(typeOf) };
    case 'object':
      return { kind: 'object', attributes: new Map([...v.entries].map(([k, e]) => [k, typeOf(e)])) };
  }
}

/** Whether a value, or anything in it, is unknown. */
export function isWhollyKnown(v: Value): boolean {
  switch (v.kind) {
    case 'unknown':
      return false;
    case 'list':
    case 'set':
    case 'tuple':
      return v.items.every(isWhollyKnown);
    case 'map':
    case 'object':
      return [...v.entries.values()].every(isWhollyKnown);
    case 'null':
    case 'string':
    case 'number':
    case 'bool':
      return true;
  }
}

export function sameType(a: Type, b: Type): boolean {
  switch (a.kind) {
    case 'string':
    case 'number':
    case 'bool':
    case 'dynamic':
      return a.kind === b.kind;
    case 'list':
    case 'set':
    case 'map':
      return a.kind === b.kind && sameType(a.element, b.element);
    case 'tuple':
      return (
        b.kind === 'tuple' && a.elements.length === b.elements.length && a.elements.every((t, i) => sameType(t, b.elements[i]!))
      );
    case 'object':
      return (
        b.kind === 'object' &&
        a.attributes.size === b.attributes.size &&
        [...a.attributes].every(([k, t]) => {
          const other = b.attributes.get(k);
          return other !== undefined && sameType(t, other);
        })
      );
  }
}

/** Equality as `==` has it: of the same type and the same content. */
export function equal(a: Value, b: Value): boolean {
  if (a.kind === 'null' || b.kind === 'null') return a.kind === b.kind;
  switch (a.kind) {
    case 'unknown':
      return false;
    case 'string':
      return b.kind === 'string' && a.string === b.string;
    case 'number':
      return b.kind === 'number' && compare(a.number, b.number) === 0;
    case 'bool':
      return b.kind === 'bool' && a.bool === b.bool;
    case 'list':
    case 'set':
      return a.kind === b.kind && sameType(a.element, b.element) && sameItems(a.items, b.items);
    case 'tuple':
      return b.kind === 'tuple' && sameItems(a.items, b.items);
    case 'map':
    case 'object': {
      if (a.kind !== b.kind || a.entries.size !== b.entries.size) return false;
      const other = b.entries;
      return [...a.entries].every(([k, v]) => {
        const w = other.get(k);
        return w !== undefined && equal(v, w);
      });
    }
  }
}

const sameItems = (a: readonly Value[], b: readonly Value[]): boolean =>
  a.length === b.length && a.every((v, i) => equal(v, b[i]!));

/** The name of a type in messages: "string", "list of string", "object". */
export function friendlyName(t: Type): string {
  switch (t.kind) {
    case 'dynamic':
      return 'dynamic';
    case 'list':
    case 'set':
    case 'map':
      return t.element.kind === 'dynamic' ? `${t.kind} of any single type` : `${t.kind} of ${friendlyName(t.element)}`;
    case 'string':
    case 'number':
    case 'bool':
    case 'tuple':
    case 'object':
      return t.kind;
  }
}

/** JSON-like data. Numbers that a double cannot hold exactly stay as close as it can. */
export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

export function toPlain(v: Value): Plain {
  switch (v.kind) {
    case 'null':
    case 'unknown':
      return null;
    case 'string':
      return v.string;
    case 'bool':
      return v.bool;
    case 'number': {
      const n = toNumber(v.number);
      return isInteger(v.number) || Number.isFinite(n) ? n : formatBigFloat(v.number);
    }
    case 'list':
    case 'set':
    case 'tuple':
      return v.items.map(toPlain);
    case 'map':
    case 'object':
      return Object.fromEntries([...v.entries].map(([k, e]) => [k, toPlain(e)]));
  }
}

/** The value of JSON-like data: lists become tuples, objects objects. */
export function fromPlain(p: Plain): Value {
  if (p === null) return NULL;
  if (typeof p === 'string') return string(p);
  if (typeof p === 'number') return number(p);
  if (typeof p === 'boolean') return bool(p);
  if (Array.isArray(p)) return tuple(p.map(fromPlain));
  return object(Object.entries(p).map(([k, v]) => [k, fromPlain(v)]));
}
