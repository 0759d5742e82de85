import { randomBytes } from 'node:crypto';

/**
 * bcrypt (the `$2a$` form). Slow on purpose, as the algorithm is. The cipher's initial state is the binary digits of pi after the point,
 * which are computed rather than listed.
 */
export function bcrypt(password: string, cost: number, salt: Buffer = randomBytes(16)): string {
  const key = Buffer.concat([Buffer.from(password, 'utf8'), Buffer.from([0])]).subarray(0, 72);
  const cipher = new Blowfish(key, salt);
  const none = Buffer.alloc(16);
  for (let i = 0; i < 2 ** cost; i++) {
    cipher.expand(key, none);
    cipher.expand(salt, none);
  }
  const words = Uint32Array.from(Buffer.from('OrpheanBeholderScryDoubt').toString('hex').match(/.{8}/g)!, (h) => parseInt(h, 16));
  for (let i = 0; i < words.length; i += 2) for (let n = 0; n < 64; n++) cipher.encrypt(words, i);
  const out = Buffer.alloc(24);
  words.forEach((w, i) => out.writeUInt32BE(w, i * 4));
  return `$2a$${String(cost).padStart(2, '0')}$${encode(salt)}${encode(out.subarray(0, 23))}`;
}

const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function encode(bytes: Buffer): string {
  return bytes
    .toString('base64')
    .replace(/=+$/, '')
    .replace(/./g, (c) => ALPHABET[STANDARD.indexOf(c)]!);
}

class Blowfish {
  readonly #p: Uint32Array;
  readonly #s: Uint32Array;

  constructor(key: Buffer, salt: Buffer) {
    const digits = piDigits();
    this.#p = digits.slice(0, 18);
    this.#s = digits.slice(18, 18 + 1024);
    this.expand(key, salt);
  }

  expand(key: Buffer, salt: Buffer): void {
    const word = (from: Buffer, at: number): number =>
      ((from[at % from.length]! << 24) |
        (from[(at + 1) % from.length]! << 16) |
        (from[(at + 2) % from.length]! << 8) |
        from[(at + 3) % from.length]!) >>>
      0;
    for (let i = 0; i < 18; i++) this.#p[i] = (this.#p[i]! ^ word(key, i * 4)) >>> 0;
    const block = new Uint32Array(2);
    let at = 0;
    for (const box of [this.#p, this.#s]) {
      for (let i = 0; i < box.length; i += 2) {
        block[0] = (block[0]! ^ word(salt, at)) >>> 0;
        block[1] = (block[1]! ^ word(salt, at + 4)) >>> 0;
        at = (at + 8) % salt.length;
        this.encrypt(block, 0);
        box[i] = block[0]!;
        box[i + 1] = block[1]!;
      }
    }
  }

  encrypt(block: Uint32Array, at: number): void {
    const p = this.#p;
    const s = this.#s;
    let left = block[at]!;
    let right = block[at + 1]!;
    for (let i = 0; i < 16; i += 2) {
      left ^= p[i]!;
      right ^=
        (((s[left >>> 24]! + s[256 + ((left >>> 16) & 255)]!) ^ s[512 + ((left >>> 8) & 255)]!) + s[768 + (left & 255)]!) | 0;
      right ^= p[i + 1]!;
      left ^=
        (((s[right >>> 24]! + s[256 + ((right >>> 16) & 255)]!) ^ s[512 + ((right >>> 8) & 255)]!) + s[768 + (right & 255)]!) | 0;
    }
    block[at] = (right ^ p[17]!) >>> 0;
    block[at + 1] = (left ^ p[16]!) >>> 0;
  }
}

let cached: Uint32Array | undefined;

/** The first 1042 words of pi's fraction, by Machin's formula. */
function piDigits(): Uint32Array {
  if (cached !== undefined) return cached;
  const words = 18 + 1024;
  const bits = BigInt(words * 32 + 64);
  const one = 1n << bits;
  const arctan = (inverse: bigint): bigint => {
    let power = one / inverse;
    let sum = power;
    const square = inverse * inverse;
    for (let n = 3n, sign = -1n; power > 0n; n += 2n, sign = -sign) {
      power /= square;
      sum += (sign * power) / n;
    }
    return sum;
  };
  const pi = 4n * (4n * arctan(5n) - arctan(239n));
  const hex = ((pi - 3n * one) >> 64n).toString(16).padStart(words * 8, '0');
  cached = Uint32Array.from({ length: words }, (_, i) => parseInt(hex.slice(i * 8, i * 8 + 8), 16));
  return cached;
}
