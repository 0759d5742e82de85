import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** A stream of chance that follows from its seed alone (splitmix32: 32 bits of state, good enough to pick faults with). */
export class Chance {
  #state: number;

  constructor(seed: number | string) {
    this.#state = typeof seed === 'number' ? seed | 0 : hash(seed);
  }

  /** From 0 to 1, without 1. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)]!;
  }
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}

/**
 * Puts the process's own sources of chance (Math.random, random UUIDs and bytes) under a seed until the returned function is called, so
 * that code which does not take chance as a parameter behaves the same in every run of a seed.
 */
export function seedProcess(seed: number | string): () => void {
  const chance = new Chance(`process ${seed}`);
  const { randomUUID, randomBytes } = crypto;
  const { random } = Math;
  const hex = (digits: number): string => Array.from({ length: digits }, () => chance.whole(0, 15).toString(16)).join('');
  Math.random = chance.next;
  crypto.randomUUID = () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
  crypto.randomBytes = (size: number) => Buffer.from(Array.from({ length: size }, () => chance.whole(0, 255)));
  syncBuiltinESMExports();
  return () => {
    Math.random = random;
    crypto.randomUUID = randomUUID;
    crypto.randomBytes = randomBytes;
    syncBuiltinESMExports();
  };
}
