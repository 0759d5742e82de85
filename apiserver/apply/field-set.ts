import { badRequest } from '../registry/errors.ts';
import { isObject, type JsonObject } from '../registry/object.ts';

/**
 * A set of fields of an object, as a tree. An element of a path is written as in `metadata.managedFields`: `f:spec` for a field,
 * `k:{"name":"web"}` for an item of a list with keys, `v:"dc1"` for an item of a set. `self` says whether the node itself is in the set.
 * Sets are values: every function gives a new one.
 */
export interface FieldSet {
  readonly self: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const NOTHING: FieldSet = { self: false, children: new Map() };
export const LEAF: FieldSet = { self: true, children: new Map() };

export const isEmpty = ({ self, children }: FieldSet): boolean => !self && children.size === 0;

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const mine = children.get(element);
    children.set(element, mine === undefined ? child : union(mine, child));
  }
  return { self: a.self || b.self, children };
}

/** What is in `a` and not in `b`. */
export function minus(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const theirs = b.children.get(element);
    const rest = theirs === undefined ? child : minus(child, theirs);
    if (!isEmpty(rest)) children.set(element, rest);
  }
  return { self: a.self && !b.self, children };
}

export function intersect(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const theirs = b.children.get(element);
    const both = theirs === undefined ? NOTHING : intersect(child, theirs);
    if (!isEmpty(both)) children.set(element, both);
  }
  return { self: a.self && b.self, children };
}

/** Every path of the set, each as its elements. */
export function* pathsOf({ self, children }: FieldSet, prefix: readonly string[] = []): Generator<readonly string[]> {
  if (self) yield prefix;
  for (const [element, child] of children) yield* pathsOf(child, [...prefix, element]);
}

/** The set as the `fieldsV1` of managedFields. */
export function toFieldsV1({ children }: FieldSet): JsonObject {
  const entries = [...children].map(([element, child]): [string, JsonObject] => {
    const inner = toFieldsV1(child);
    return [element, child.self && child.children.size > 0 ? { '.': {}, ...inner } : inner];
  });
  return Object.fromEntries(entries);
}

const MAX_DEPTH = 128;

/** Reads `fieldsV1`. Throws BadRequest for what is none. */
export function fromFieldsV1(value: unknown, depth = 0): FieldSet {
  if (!isObject(value) || depth > MAX_DEPTH) throw badRequest('metadata.managedFields: fieldsV1 must be a tree of objects');
  const children = new Map<string, FieldSet>();
  let self = false;
  for (const [element, inner] of Object.entries(value)) {
    if (element === '.') self = true;
    else {
      const child = fromFieldsV1(inner, depth + 1);
      children.set(canonical(element), child.children.size === 0 ? LEAF : child);
    }
  }
  return { self, children };
}

/** The element as this server writes it, whatever order of keys and escapes another one used. */
function canonical(element: string): string {
  const text = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'f:':
    case 'i:':
      return element;
    case 'k:': {
      const keys = parse(text);
      if (isObject(keys)) return keyElement(keys);
      break;
    }
    case 'v:': {
      const found = parse(text);
      if (found !== undefined) return valueElement(found);
    }
  }
  throw badRequest(`metadata.managedFields: ${JSON.stringify(element.slice(0, 100))} is no element of a field path`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const fieldElement = (name: string): string => `f:${name}`;
export const valueElement = (value: unknown): string => `v:${JSON.stringify(value)}`;
export const keyElement = (keys: JsonObject): string =>
  `k:${JSON.stringify(Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))))}`;

/** `.spec.groups[name="web"].count` */
export function formatFieldPath(path: readonly string[]): string {
  return path
    .map((element) => {
      const text = element.slice(2);
      switch (element.slice(0, 2)) {
        case 'k:':
          return `[${Object.entries(parse(text) as object).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`; // prettier-ignore
        case 'v:':
          return `[=${text}]`;
        case 'i:':
          return `[${text}]`;
        default:
          return `.${text}`;
      }
    })
    .join('');
}
