import equal from 'fast-deep-equal';
import { isObject, type JsonObject } from '../registry/object.ts';
import { fieldElement, isEmpty, keyElement, LEAF, minus, NOTHING, valueElement, type FieldSet } from './field-set.ts';
import { leaf, open, type Shape } from './shape.ts';

/** A part of a value that has owners of its own. */
interface Member {
  readonly element: string;
  /** The name of a field; items of lists have none. */
  readonly name?: string;
  readonly value: unknown;
  readonly shape: Shape;
  /** Whether its being there belongs to somebody, besides what is in it: items of lists, and fields that nobody declared. */
  readonly named: boolean;
}

/** The parts of a value; undefined when it is owned as a whole. */
function membersOf(value: unknown, shape: Shape): Map<string, Member> | undefined {
  switch (shape.type) {
    case 'leaf':
      return undefined;
    case 'struct':
    case 'open':
      if (!isObject(value)) return undefined;
      return collect(
        Object.entries(value)
          .filter(([, item]) => item !== undefined)
          .map(([name, item]) => {
            const declared = shape.type === 'struct' ? shape.field(name) : undefined;
            const rest = shape.type === 'struct' ? (shape.rest ?? leaf) : open;
            return { element: fieldElement(name), name, value: item, shape: declared ?? rest, named: declared === undefined };
          }),
      );
    case 'keyed':
      if (!Array.isArray(value)) return undefined;
      return collect(
        value.map((item: unknown) => {
          const keys = Object.fromEntries(shape.keys.map((key) => [key, isObject(item) ? (item[key] ?? null) : null]));
          return { element: keyElement(keys), value: item, shape: shape.item, named: true };
        }),
      );
    case 'set':
      if (!Array.isArray(value)) return undefined;
      return collect(value.map((item: unknown) => ({ element: valueElement(item), value: item, shape: leaf, named: true })));
  }
}

const collect = (members: readonly Member[]): Map<string, Member> => new Map(members.map((member) => [member.element, member]));

/** A value from its parts. */
function assemble(members: Iterable<Member>, shape: Shape): unknown {
  const list = [...members];
  if (shape.type === 'keyed' || shape.type === 'set') return list.map(({ value }) => value);
  return Object.fromEntries(list.map(({ name, value }) => [name!, value]));
}

/** The fields that a value has. */
export function fieldsOf(value: unknown, shape: Shape): FieldSet {
  return { ...node(value, shape, false), self: false };
}

function node(value: unknown, shape: Shape, named: boolean): FieldSet {
  const members = membersOf(value, shape);
  if (members === undefined) return LEAF;
  const children = new Map([...members].map(([element, m]) => [element, node(m.value, m.shape, m.named)]));
  return { self: named || children.size === 0, children };
}

export interface Difference {
  /** What is new in the second value, or another than in the first. */
  readonly changed: FieldSet;
  /** What only the first value has. */
  readonly removed: FieldSet;
}

/** Which fields differ between two values. */
export function compare(before: unknown, after: unknown, shape: Shape): Difference {
  const { changed, removed } = differ(before, after, shape, false);
  return { changed: { ...changed, self: false }, removed: { ...removed, self: false } };
}

function differ(before: unknown, after: unknown, shape: Shape, named: boolean): Difference {
  if (before === after) return { changed: NOTHING, removed: NOTHING };
  const old = membersOf(before, shape);
  const now = membersOf(after, shape);
  if (old === undefined && now === undefined) {
    return { changed: equal(before, after) ? NOTHING : LEAF, removed: NOTHING };
  }
  if (old === undefined || now === undefined) {
    const [from, to] = [before === undefined ? NOTHING : node(before, shape, named), after === undefined ? NOTHING : node(after, shape, named)]; // prettier-ignore
    return { changed: to, removed: minus(from, to) };
  }
  const changed = new Map<string, FieldSet>();
  const removed = new Map<string, FieldSet>();
  for (const [element, member] of now) {
    const previous = old.get(element);
    if (previous === undefined) changed.set(element, node(member.value, member.shape, member.named));
    else {
      const inner = differ(previous.value, member.value, member.shape, member.named);
      if (!isEmpty(inner.changed)) changed.set(element, inner.changed);
      if (!isEmpty(inner.removed)) removed.set(element, inner.removed);
    }
  }
  for (const [element, member] of old)
    if (!now.has(element)) removed.set(element, node(member.value, member.shape, member.named));
  const [was, is] = [named || old.size === 0, named || now.size === 0];
  return { changed: { self: is && !was, children: changed }, removed: { self: was && !is, children: removed } };
}

/** The live value with what was applied put in. Lists keep their order; what is new comes last. */
export function merge(live: unknown, applied: unknown, shape: Shape): unknown {
  const old = membersOf(live, shape);
  const wanted = membersOf(applied, shape);
  if (old === undefined || wanted === undefined) return applied;
  const merged = new Map(
    [...wanted].map(([element, member]) => {
      const previous = old.get(element);
      return [element, previous === undefined ? member : { ...member, value: merge(previous.value, member.value, member.shape) }];
    }),
  );
  // Who applies all of a list says its order, too.
  const whole = [...old.keys()].every((element) => wanted.has(element));
  const order = new Set(whole ? wanted.keys() : [...old.keys(), ...wanted.keys()]);
  return assemble([...order].map((element) => merged.get(element) ?? old.get(element)!), shape); // prettier-ignore
}

/** The value without the fields in `gone`. What somebody else has a part in (`kept`) loses only the rest. */
export function without(value: unknown, gone: FieldSet, kept: FieldSet, shape: Shape): unknown {
  const members = membersOf(value, shape);
  if (members === undefined) return value;
  const left: Member[] = [];
  for (const [element, member] of members) {
    let going = gone.children.get(element) ?? NOTHING;
    const staying = kept.children.get(element) ?? NOTHING;
    if (isEmpty(going)) left.push(member);
    else if (going.self && isEmpty(staying)) continue;
    else {
      // An item that stays keeps what tells it from the others.
      if (shape.type === 'keyed') going = minus(going, keysSet(shape.keys));
      const next = without(member.value, going, staying, member.shape);
      if (!isHollow(next) || isHollow(member.value) || staying.self) left.push({ ...member, value: next });
    }
  }
  return assemble(left, shape);
}

/** The value with nothing but the fields in `owned`, and the keys that tell the items of lists apart. */
export function restrictedTo(value: unknown, owned: FieldSet, shape: Shape): unknown {
  const members = membersOf(value, shape);
  if (members === undefined) return value;
  const left: Member[] = [];
  for (const [element, member] of members) {
    const inner = owned.children.get(element);
    if (inner === undefined || isEmpty(inner)) continue;
    let next =
      membersOf(member.value, member.shape) === undefined ? member.value : restrictedTo(member.value, inner, member.shape);
    if (shape.type === 'keyed' && isObject(member.value) && isObject(next)) next = { ...pick(member.value, shape.keys), ...next };
    left.push({ ...member, value: next });
  }
  return assemble(left, shape);
}

const keysSet = (keys: readonly string[]): FieldSet => ({ self: false, children: new Map(keys.map((key) => [fieldElement(key), LEAF])) }); // prettier-ignore

const isHollow = (value: unknown): boolean =>
  (Array.isArray(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0);

const pick = (value: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(keys.flatMap((key) => (value[key] === undefined ? [] : [[key, value[key]]])));
