import { formatBigFloat, parseBigFloat } from './big-float.ts';
import {
  DYNAMIC, STRING, bool, friendlyName, list, map, number, object, sameType, set, string, tuple, typeOf, type Type, type Value,
} from './value.ts'; // prettier-ignore

/** Why a value cannot become another type, in the words users know: "a number is required", "list of string required". */
export class ConversionError extends Error {}

/**
 * Turns a value into one of the wanted type, or throws ConversionError. Strings, numbers and bools become each other where the text says
 * so; tuples become lists and sets; objects become maps; an object may have more attributes than the wanted type.
 */
export function convert(v: Value, want: Type): Value {
  if (want.kind === 'dynamic') return v;
  if (v.kind === 'unknown') {
    if (v.type.kind !== 'dynamic' && !convertible(v.type, want)) throw new ConversionError(mismatch(v.type, want));
    return { kind: 'unknown', type: want };
  }
  if (v.kind === 'null') return { kind: 'null', type: want };
  switch (want.kind) {
    case 'string':
      if (v.kind === 'string') return v;
      if (v.kind === 'number') return string(formatBigFloat(v.number));
      if (v.kind === 'bool') return string(v.bool ? 'true' : 'false');
      break;
    case 'number':
      if (v.kind === 'number') return v;
      if (v.kind === 'string') {
        const n = parseBigFloat(v.string);
        if (n === undefined) throw new ConversionError('a number is required');
        return number(n);
      }
      break;
    case 'bool':
      if (v.kind === 'bool') return v;
      if (v.kind === 'string') {
        if (v.string === 'true' || v.string === '1') return bool(true);
        if (v.string === 'false' || v.string === '0') return bool(false);
        throw new ConversionError(boolHint(v.string));
      }
      break;
    case 'list':
    case 'set':
      if (v.kind === 'list' || v.kind === 'set' || v.kind === 'tuple') {
        const element = want.element.kind === 'dynamic' ? commonType(v.items.map(typeOf)) : want.element;
        if (element === undefined) throw new ConversionError(`all ${want.kind} elements must have the same type`);
        const items = v.items.map((item, i) => nested(() => convert(item, element), v.kind === 'tuple' ? `element ${i}: ` : ''));
        return want.kind === 'list' ? list(element, items) : set(element, items);
      }
      break;
    case 'map':
      if (v.kind === 'map' || v.kind === 'object') {
        const element = want.element.kind === 'dynamic' ? commonType([...v.entries.values()].map(typeOf)) : want.element;
        if (element === undefined) throw new ConversionError('all map elements must have the same type');
        return map(
          element,
          [...v.entries].map(([k, e]) => [k, nested(() => convert(e, element), `element ${JSON.stringify(k)}: `)] as const),
        );
      }
      break;
    case 'tuple':
      if (v.kind === 'tuple' || v.kind === 'list') {
        if (v.items.length !== want.elements.length) throw new ConversionError('tuple required');
        return tuple(v.items.map((item, i) => nested(() => convert(item, want.elements[i]!), `element ${i}: `)));
      }
      break;
    case 'object':
      if (v.kind === 'object' || v.kind === 'map') {
        const missing = [...want.attributes.keys()].filter((k) => !v.entries.has(k) && want.optional?.has(k) !== true).sort();
        if (missing.length > 0) throw new ConversionError(missingAttributes(missing));
        return object(
          [...want.attributes].map(([k, t]) => {
            const given = v.entries.get(k);
            const fallback = want.defaults?.get(k);
            const entry = (given === undefined || given.kind === 'null') && fallback !== undefined ? fallback : given;
            const converted: Value =
              entry === undefined
                ? { kind: 'null', type: t }
                : nested(() => convert(entry, t), `attribute ${JSON.stringify(k)}: `);
            return [k, converted] as const;
          }),
        );
      }
      break;
  }
  throw new ConversionError(mismatch(typeOf(v), want));
}

function nested<T>(run: () => T, prefix: string): T {
  try {
    return run();
  } catch (err) {
    if (err instanceof ConversionError && prefix !== '') throw new ConversionError(prefix + err.message);
    throw err;
  }
}

function boolHint(text: string): string {
  const lower = text.toLowerCase();
  if (lower === 'true' || lower === 'false') return `a bool is required; to convert from string, use lowercase "${lower}"`;
  return 'a bool is required';
}

function missingAttributes(names: string[]): string {
  const quoted = names.map((n) => JSON.stringify(n));
  if (quoted.length === 1) return `attribute ${quoted[0]!} is required`;
  if (quoted.length === 2) return `attributes ${quoted[0]!} and ${quoted[1]!} are required`;
  return `attributes ${quoted.slice(0, -1).join(', ')}, and ${quoted.at(-1)!} are required`;
}

/** What to say when one type cannot become another at all. */
export function mismatch(got: Type, want: Type): string {
  if (want.kind === 'object' && got.kind === 'object') {
    const missing = [...want.attributes.keys()].filter((k) => !got.attributes.has(k) && want.optional?.has(k) !== true).sort();
    if (missing.length > 0) return missingAttributes(missing);
    for (const [k, t] of want.attributes) {
      const other = got.attributes.get(k);
      if (other !== undefined && !convertible(other, t)) return `attribute ${JSON.stringify(k)}: ${mismatch(other, t)}`;
    }
  }
  if ((want.kind === 'list' || want.kind === 'set') && got.kind === 'tuple') {
    const index = got.elements.findIndex((t) => !convertible(t, want.element));
    if (index !== -1) return `element ${index}: ${mismatch(got.elements[index]!, want.element)}`;
  }
  if (want.kind === 'map' && got.kind === 'object') {
    for (const [k, t] of got.attributes)
      if (!convertible(t, want.element)) return `element ${JSON.stringify(k)}: ${mismatch(t, want.element)}`;
  }
  return `${friendlyName(want)} required`;
}

/** Whether values of one type can (perhaps, as with text that should be a number) become another. */
export function convertible(got: Type, want: Type): boolean {
  if (got.kind === 'dynamic' || want.kind === 'dynamic' || sameType(got, want)) return true;
  switch (want.kind) {
    case 'string':
      return got.kind === 'number' || got.kind === 'bool';
    case 'number':
    case 'bool':
      return got.kind === 'string';
    case 'list':
    case 'set':
      if (got.kind === 'tuple') return got.elements.every((t) => convertible(t, want.element));
      return (got.kind === 'list' || got.kind === 'set') && convertible(got.element, want.element);
    case 'map':
      if (got.kind === 'object') return [...got.attributes.values()].every((t) => convertible(t, want.element));
      return got.kind === 'map' && convertible(got.element, want.element);
    case 'tuple':
      return (
        got.kind === 'tuple' &&
        got.elements.length === want.elements.length &&
        got.elements.every((t, i) => convertible(t, want.elements[i]!))
      );
    case 'object':
      if (got.kind === 'map') return [...want.attributes.values()].every((t) => convertible(got.element, t));
      return (
        got.kind === 'object' &&
        [...want.attributes].every(([k, t]) => {
          const other = got.attributes.get(k);
          return other === undefined ? want.optional?.has(k) === true : convertible(other, t);
        })
      );
  }
}

/** The one type that all the given ones can become without loss: numbers and bools become strings, tuples of different length lists. */
export function commonType(types: readonly Type[]): Type | undefined {
  const known = types.filter((t) => t.kind !== 'dynamic');
  if (known.length === 0) return DYNAMIC;
  const first = known[0]!;
  if (known.every((t) => sameType(t, first))) return first;
  if (known.every((t) => t.kind === 'object')) return commonObject(known);
  if (known.every((t) => t.kind === 'tuple')) return commonTuple(known);
  if (known.every((t) => t.kind === 'object' || t.kind === 'map')) {
    const element = commonType(
      known.flatMap((t) => (t.kind === 'map' ? [t.element] : t.kind === 'object' ? [...t.attributes.values()] : [])),
    );
    return element && { kind: 'map', element };
  }
  if (known.every((t) => t.kind === 'tuple' || t.kind === 'list' || t.kind === 'set')) {
    const kind = known.some((t) => t.kind === 'list' || t.kind === 'tuple') ? 'list' : 'set';
    const element = commonType(
      known.flatMap((t) => (t.kind === 'tuple' ? t.elements : t.kind === 'list' || t.kind === 'set' ? [t.element] : [])),
    );
    return element && { kind, element };
  }
  const primitive = known.every((t) => t.kind === 'string' || t.kind === 'number' || t.kind === 'bool');
  if (primitive && known.some((t) => t.kind === 'string')) return STRING;
  return undefined;
}

function commonObject(types: readonly Extract<Type, { kind: 'object' }>[] | readonly Type[]): Type | undefined {
  const objects = types as readonly Extract<Type, { kind: 'object' }>[];
  const names = [...objects[0]!.attributes.keys()];
  if (objects.every((o) => o.attributes.size === names.length && names.every((n) => o.attributes.has(n)))) {
    const attributes = new Map<string, Type>();
    for (const name of names) {
      const t = commonType(objects.map((o) => o.attributes.get(name)!));
      if (t === undefined) return undefined;
      attributes.set(name, t);
    }
    return { kind: 'object', attributes };
  }
  const element = commonType(objects.flatMap((o) => [...o.attributes.values()]));
  return element && { kind: 'map', element };
}

function commonTuple(types: readonly Type[]): Type | undefined {
  const tuples = types as readonly Extract<Type, { kind: 'tuple' }>[];
  const length = tuples[0]!.elements.length;
  if (tuples.every((t) => t.elements.length === length)) {
    const elements: Type[] = [];
    for (let i = 0; i < length; i++) {
      const t = commonType(tuples.map((x) => x.elements[i]!));
      if (t === undefined) return undefined;
      elements.push(t);
    }
    return { kind: 'tuple', elements };
  }
  const element = commonType(tuples.flatMap((t) => [...t.elements]));
  return element && { kind: 'list', element };
}
