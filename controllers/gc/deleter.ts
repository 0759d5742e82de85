import { ApiError } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import type { AnyObject, Kind, Stored } from '../../openapi/index.ts';
import { deleteOperation } from '../runtime/index.ts';

interface Pending {
  readonly kind: Kind;
  readonly object: Stored<AnyObject>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const AT_ONCE = 500;

/** Deletes objects, if they are still as they were seen. What is asked for while a request is under way goes together in the next. */
export class Deleter {
  #waiting: Pending[] = [];
  #working = false;

  delete(kind: Kind, object: Stored<AnyObject>, write: Client, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kind, object, resolve, reject });
      if (!this.#working) void this.#deleteLoop(write, signal);
    });
  }

  async #deleteLoop(write: Client, signal: AbortSignal): Promise<void> {
    this.#working = true;
    // Everything that this turn finds to delete goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, AT_ONCE);
      try {
        const operations = batch.map(({ kind, object }) => ({
          ...deleteOperation(kind, object),
          resourceVersion: object.metadata.resourceVersion,
        }));
        const { results } = await write.batch(operations, { mode: 'independent', signal });
        batch.forEach(({ resolve, reject }, at) => {
          const { code, status } = results[at]!;
          if (code < 300 || code === 404) resolve();
          else reject(ApiError.fromStatus(status, code));
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = false;
  }
}
