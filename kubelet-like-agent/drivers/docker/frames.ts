/** Gathers both outputs of a command from the engine's frames (`[stream, 0, 0, 0, length]`, data), up to a limit. */
export class FramedOutput {
  readonly #limit: number;
  readonly #parts: Buffer[] = [];
  #size = 0;
  #header: Buffer = Buffer.alloc(0);
  #left = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    let data = chunk;
    while (data.length > 0) {
      if (this.#left === 0) {
        const missing = 8 - this.#header.length;
        this.#header = Buffer.concat([this.#header, data.subarray(0, missing)]);
        data = data.subarray(missing);
        if (this.#header.length < 8) return;
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const part = data.subarray(0, this.#left);
      if (this.#size < this.#limit) this.#parts.push(part.subarray(0, this.#limit - this.#size));
      this.#size += part.length;
      this.#left -= part.length;
      data = data.subarray(part.length);
    }
  }

  text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }
}
