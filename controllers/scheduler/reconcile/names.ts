/** The indexes of a group's allocations: which are taken, which come next. */
export class Indexes {
  readonly #taken: Set<number>;

  constructor(taken: Iterable<number>) {
    this.#taken = new Set(taken);
  }

  /** Takes the lowest free ones. */
  next(count: number): number[] {
    const found: number[] = [];
    for (let index = 0; found.length < count; index++) {
      if (this.#taken.has(index)) continue;
      this.#taken.add(index);
      found.push(index);
    }
    return found;
  }

  /**
   * Takes indexes for canaries: those of allocations that will be replaced first, so that a promoted canary is in its place
   * already, then any free one.
   */
  nextCanaries(count: number, existing: readonly number[], replaced: readonly number[]): number[] {
    const used = new Set(existing);
    const found = [...new Set(replaced)]
      .filter((index) => !used.has(index))
      .sort((a, b) => a - b)
      .slice(0, count);
    return [...found, ...this.next(count - found.length)];
  }
}
