/** What all heaps of a session share: a slot is in at most one heap. */
export interface Keys {
  /** Higher comes first. */
  readonly key: Float64Array;
  /** Lower comes first among equals. */
  readonly tie: Uint32Array;
  /** Where in its heap a slot is; -1: in none. */
  readonly position: Int32Array;
}

/** A binary heap of slots whose keys may change. */
export class SlotHeap {
  readonly #keys: Keys;
  readonly #slots: number[] = [];

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  get size(): number {
    return this.#slots.length;
  }

  top(): number {
    return this.#slots[0]!;
  }

  /** Adds without order; `heapify` must follow. */
  append(slot: number): void {
    this.#keys.position[slot] = this.#slots.push(slot) - 1;
  }

  heapify(): void {
    for (let at = (this.#slots.length >> 1) - 1; at >= 0; at--) this.#down(at);
  }

  add(slot: number): void {
    this.append(slot);
    this.#up(this.#slots.length - 1);
  }

  remove(slot: number): void {
    const at = this.#keys.position[slot]!;
    const last = this.#slots.pop()!;
    this.#keys.position[slot] = -1;
    if (last === slot) return;
    this.#slots[at] = last;
    this.#keys.position[last] = at;
    this.changed(last);
  }

  /** Restores the order after the key of a slot has changed. */
  changed(slot: number): void {
    const at = this.#keys.position[slot]!;
    this.#up(at);
    this.#down(this.#keys.position[slot]!);
  }

  /** The first `count` slots in order. Looks at no more than `2 · count` of them. */
  best(count: number): number[] {
    const found: number[] = [];
    const frontier = this.#slots.length > 0 ? [0] : [];
    while (found.length < count && frontier.length > 0) {
      let next = 0;
      for (let i = 1; i < frontier.length; i++)
        if (this.#before(this.#slots[frontier[i]!]!, this.#slots[frontier[next]!]!)) next = i;
      const at = frontier.splice(next, 1)[0]!;
      found.push(this.#slots[at]!);
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < this.#slots.length) frontier.push(child);
    }
    return found;
  }

  #before(a: number, b: number): boolean {
    const { key, tie } = this.#keys;
    const difference = key[a]! - key[b]!;
    return difference > 0 || (difference === 0 && tie[a]! < tie[b]!);
  }

  #up(from: number): void {
    const slots = this.#slots;
    const { position } = this.#keys;
    const slot = slots[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = slots[parent]!;
      if (!this.#before(slot, above)) break;
      slots[at] = above;
      position[above] = at;
      at = parent;
    }
    slots[at] = slot;
    position[slot] = at;
  }

  #down(from: number): void {
    const slots = this.#slots;
    const { position } = this.#keys;
    const slot = slots[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= slots.length) break;
      if (child + 1 < slots.length && this.#before(slots[child + 1]!, slots[child]!)) child++;
      const below = slots[child]!;
      if (!this.#before(below, slot)) break;
      slots[at] = below;
      position[below] = at;
      at = child;
    }
    slots[at] = slot;
    position[slot] = at;
  }
}
