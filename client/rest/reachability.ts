import type { Logger } from '../../base/index.ts';

/** Says once that no server can be reached, and once that one answers again, however many requests of a process meet it. */
export class Reachability {
  readonly #log: Logger | undefined;
  #failing = false;

  constructor(log: Logger | undefined) {
    this.#log = log;
  }

  answered(server: string): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#log?.info('the API server answers', { server });
  }

  failed(error: Error): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#log?.warn('no API server answers, trying on', { error });
  }
}
