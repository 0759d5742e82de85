export const DYNAMIC_MIN = 20_000;
export const DYNAMIC_MAX = 32_000;

/**
 * The ports of one address that are taken: a bitmap of the dynamic range, 1.5 kB once the first of it is taken, and a set of
 * those beyond it. A port may be taken twice for a while (its old holder was told to stop in the same plan that places the new
 * one); it is free when all gave it back.
 */
export class PortMap {
  #dynamic: Uint32Array | undefined;
  #others: Set<number> | undefined;
  /** By port: holders beyond the first. */
  #extra: Map<number, number> | undefined;

  has(port: number): boolean {
    if (port < DYNAMIC_MIN || port > DYNAMIC_MAX) return this.#others?.has(port) === true;
    const bit = port - DYNAMIC_MIN;
    return this.#dynamic !== undefined && (this.#dynamic[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  take(port: number): void {
    if (this.has(port)) {
      this.#extra ??= new Map();
      this.#extra.set(port, (this.#extra.get(port) ?? 0) + 1);
      return;
    }
    if (port < DYNAMIC_MIN || port > DYNAMIC_MAX) {
      (this.#others ??= new Set()).add(port);
      return;
    }
    this.#dynamic ??= new Uint32Array((DYNAMIC_MAX - DYNAMIC_MIN + 32) >>> 5);
    const bit = port - DYNAMIC_MIN;
    this.#dynamic[bit >>> 5]! |= 1 << (bit & 31);
  }

  give(port: number): void {
    const extra = this.#extra?.get(port);
    if (extra !== undefined) {
      if (extra === 1) this.#extra!.delete(port);
      else this.#extra!.set(port, extra - 1);
      return;
    }
    if (port < DYNAMIC_MIN || port > DYNAMIC_MAX) this.#others?.delete(port);
    else if (this.#dynamic !== undefined) {
      const bit = port - DYNAMIC_MIN;
      this.#dynamic[bit >>> 5]! &= ~(1 << (bit & 31));
    }
  }
}

/**
 * The first port from `start` on, around the dynamic range, that none of the maps has taken and `taken` does not hold. Starting
 * anywhere in the range keeps a port that was just given back from being handed out at once.
 */
export function firstFree(start: number, maps: readonly PortMap[], taken: readonly number[]): number | undefined {
  const range = DYNAMIC_MAX - DYNAMIC_MIN + 1;
  for (let i = 0; i < range; i++) {
    const port = DYNAMIC_MIN + ((start + i) % range);
    if (!taken.includes(port) && !maps.some((map) => map.has(port))) return port;
  }
  return undefined;
}

/** Reads ports and ranges, as in `22,80,8500-8600`; what is no port is left out. */
export function parsePorts(text: string | undefined): number[] {
  const ports: number[] = [];
  for (const part of (text ?? '').split(',')) {
    const match = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part);
    if (match === null) continue;
    const from = Number(match[1]);
    const to = Math.min(65_535, Number(match[2] ?? match[1]));
    for (let port = from; port <= to; port++) ports.push(port);
  }
  return ports;
}
