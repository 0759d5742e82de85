import { uuid } from '../../../base/index.ts';
import type { Revision } from '../store.ts';

/**
 * A lane makes a transaction apply at most once although it is sent again when its answer is lost. It is a key of this process that one
 * transaction uses at a time: each attempt compares its last revision and writes the transaction's token to it. So of all attempts
 * one can succeed, and who finds the lane moved reads there whether it was he himself.
 */
export interface Lane {
  readonly key: string;
  /** The revision that wrote it last; 0 while it does not exist. */
  revision: Revision;
}

export class Lanes {
  readonly #owner = uuid();
  readonly #free: Lane[] = [];
  #lanes = 0;
  #tokens = 0;

  take(): Lane {
    return this.#free.pop() ?? { key: `\0lane/${this.#owner}/${this.#lanes++}`, revision: 0 };
  }

  /** Only with a known outcome: a lane whose last attempt may still arrive is never used again. */
  giveBack(lane: Lane): void {
    this.#free.push(lane);
  }

  token(): Buffer {
    return Buffer.from(String(++this.#tokens));
  }
}
