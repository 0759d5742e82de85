import { describeError, type Logger } from '../../../base/index.ts';
import { StoreFullError, StoreUnavailableError, type Revision } from '../store.ts';
import type { Latency } from '../latency.ts';
import { meta, type Change, type Disk } from './disk.ts';

/** A unit that is on the disk as a whole or not at all. */
export interface Unit {
  readonly changes: readonly Change[];
  /** The revision that it makes; absent for what makes none (leases, compaction). */
  readonly revision?: Revision;
}

interface Waiting {
  readonly unit: Unit;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Group commit: while one commit is on its way to the disk, what arrives is collected, and is the next commit, in the order it
 * came. So any number of concurrent writers share one sync.
 */
export class Committer {
  readonly #disk: Disk;
  readonly #log: Logger;
  readonly #latency: Latency;
  readonly #onCommitted: (units: readonly Unit[]) => void;
  readonly #onFailed: (error: StoreUnavailableError) => void;
  #waiting: Waiting[] = [];
  #loop: Promise<void> | undefined;

  /**
   * `onCommitted` runs before the writers are told. `onFailed` runs when a commit failed and all that was decided since is void; if it
   * was not for lack of space (StoreFullError) the disk cannot be used any more.
   */
  constructor(
    disk: Disk,
    log: Logger,
    latency: Latency,
    onCommitted: (units: readonly Unit[]) => void,
    onFailed: (error: StoreUnavailableError) => void,
  ) {
    this.#disk = disk;
    this.#log = log;
    this.#latency = latency;
    this.#onCommitted = onCommitted;
    this.#onFailed = onFailed;
  }

  /** Resolves when the unit, and with it everything that was added before, is durable. */
  add(unit: Unit): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ unit, resolve, reject });
      this.#loop ??= this.#commitLoop();
    });
  }

  /** Resolves when everything that was added so far is durable. */
  barrier(): Promise<void> {
    return this.#loop === undefined ? Promise.resolve() : this.add({ changes: [] });
  }

  async #commitLoop(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate); // lets the writers of this turn in
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#commit(batch.map(({ unit }) => unit));
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        this.#log.error('commit failed', { error: describeError(cause), writes: batch.length });
        const error =
          cause instanceof StoreFullError ? cause : new StoreUnavailableError('the embedded store could not write', { cause });
        const all = [...batch, ...this.#waiting];
        this.#waiting = [];
        this.#onFailed(error);
        for (const { reject } of all) reject(error);
      }
    }
    this.#loop = undefined;
  }

  async #commit(units: readonly Unit[]): Promise<void> {
    const revision = units.findLast((unit) => unit.revision !== undefined)?.revision;
    const changes = units.flatMap((unit) => unit.changes);
    if (revision !== undefined) changes.push(meta('revision', revision));
    if (changes.length > 0) {
      this.#disk.assertRoom(changes);
      await this.#latency.measure(() => this.#disk.commit(changes));
    }
    this.#onCommitted(units);
  }

  async close(): Promise<void> {
    await this.#loop;
  }
}
