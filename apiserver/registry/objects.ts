import { fieldText } from './selectors.ts';
import type { Version } from './version.ts';

/** Where an object is; its version changes, its place does not. Without a version it was deleted. */
interface Slot {
  readonly key: string;
  version: Version | undefined;
}

/**
 * The objects of a kind by key, in order when asked for, and by field once somebody has asked for that. A change costs a few map
 * operations; the order is put right by the next reader, once for all changes since the last one.
 */
export class Objects {
  readonly #byKey = new Map<string, Slot>();
  readonly #byField = new Map<string, { readonly path: readonly string[]; readonly values: Map<string, Map<string, Version>> }>();
  #slots: Slot[] = [];
  #added: Slot[] = [];
  #removed = false;
  #snapshot: readonly Version[] | undefined;

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Version | undefined {
    return this.#byKey.get(key)?.version;
  }

  set(version: Version): void {
    this.#snapshot = undefined;
    let slot = this.#byKey.get(version.key);
    this.#index(version.key, slot?.version, version);
    if (slot === undefined) {
      slot = { key: version.key, version };
      this.#byKey.set(version.key, slot);
      this.#added.push(slot);
    } else slot.version = version;
  }

  delete(key: string): void {
    const slot = this.#byKey.get(key);
    if (slot === undefined) return;
    this.#snapshot = undefined;
    this.#index(key, slot.version, undefined);
    slot.version = undefined;
    this.#byKey.delete(key);
    this.#removed = true;
  }

  clear(): void {
    this.#byKey.clear();
    this.#byField.clear();
    this.#slots = [];
    this.#added = [];
    this.#removed = false;
    this.#snapshot = undefined;
  }

  /** All objects in the order of their keys. The array is not changed later on. */
  snapshot(): readonly Version[] {
    return (this.#snapshot ??= this.#settle().map((slot) => slot.version!));
  }

  /**
   * The objects whose field has the value, in the order of their keys; undefined when there are so many that looking at all of them is
   * cheaper. The first question about a field makes its index.
   */
  where(path: readonly string[], value: string): Version[] | undefined {
    const field = path.join('.');
    let index = this.#byField.get(field);
    if (index === undefined) {
      this.#byField.set(field, (index = { path, values: new Map() }));
      for (const { version } of this.#byKey.values()) enter(index.values, fieldText(version!.object, path), version!);
    }
    const found = index.values.get(value);
    if (found === undefined) return [];
    if (found.size > 64 && found.size * 8 > this.size) return undefined;
    return [...found.values()].sort((a, b) => compareKeys(a.key, b.key));
  }

  #index(key: string, before: Version | undefined, after: Version | undefined): void {
    for (const { path, values } of this.#byField.values()) {
      if (before !== undefined) {
        const value = fieldText(before.object, path);
        const bucket = values.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) values.delete(value);
      }
      if (after !== undefined) enter(values, fieldText(after.object, path), after);
    }
  }

  #settle(): readonly Slot[] {
    if (this.#added.length > 0 || this.#removed) {
      const added = this.#added.filter((slot) => slot.version !== undefined).sort((a, b) => compareKeys(a.key, b.key));
      const old = this.#removed ? this.#slots.filter((slot) => slot.version !== undefined) : this.#slots;
      this.#slots = added.length === 0 ? old : merge(old, added);
      this.#added = [];
      this.#removed = false;
    }
    return this.#slots;
  }
}

function enter(values: Map<string, Map<string, Version>>, value: string, version: Version): void {
  let bucket = values.get(value);
  if (bucket === undefined) values.set(value, (bucket = new Map()));
  bucket.set(version.key, version);
}

function merge(a: readonly Slot[], b: readonly Slot[]): Slot[] {
  const out: Slot[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) out.push(compareKeys(a[i]!.key, b[j]!.key) < 0 ? a[i++]! : b[j++]!);
  while (i < a.length) out.push(a[i++]!);
  while (j < b.length) out.push(b[j++]!);
  return out;
}

/** The first index whose key is not below the given one. */
export function lowerBound(items: readonly Version[], key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(items[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The order of the store, which is that of UTF-8 bytes. JavaScript compares UTF-16 units, which differs where surrogates (beyond
 * U+FFFF) meet U+E000 and above; pages of a list would lose objects there.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rotate(x) - rotate(y) : x - y;
  }
  return a.length - b.length;
}

const rotate = (unit: number): number => (unit >= 0xe000 ? unit - 0x2000 : unit + 0x2000);
