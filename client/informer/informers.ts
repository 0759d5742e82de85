import type { Clock, Logger } from '../../base/index.ts';
import type { AnyObject, Kind } from '../../openapi/index.ts';
import type { Client } from '../rest/client.ts';
import { Informer } from './informer.ts';

/** One informer per kind, over all namespaces, shared by everything in a process that reads the kind. */
export class Informers {
  readonly #options: { readonly client: Client; readonly clock: Clock; readonly log: Logger };
  readonly #byKind = new Map<string, Informer<AnyObject>>();
  #closed = false;

  constructor(options: { client: Client; clock: Clock; log: Logger }) {
    this.#options = options;
  }

  /** The informer of the kind, started when it is first asked for. */
  of<T extends AnyObject>(kind: Kind<T>): Informer<T> {
    if (this.#closed) throw new Error('informers are closed');
    const id = idOf(kind);
    let found = this.#byKind.get(id) as Informer<T> | undefined;
    if (found === undefined) {
      found = new Informer({ ...this.#options, kind }).start();
      this.#byKind.set(id, found as unknown as Informer<AnyObject>);
    }
    return found;
  }

  /** Whether somebody follows the kind. */
  has(kind: Kind): boolean {
    return this.#byKind.has(idOf(kind));
  }

  /** Ends the informer of a kind that is served no more; asked for again, it begins anew. */
  async forget(kind: Kind): Promise<void> {
    const found = this.#byKind.get(idOf(kind));
    this.#byKind.delete(idOf(kind));
    await found?.close();
  }

  /** Resolves when every informer asked for so far has its first list. */
  async synced(): Promise<void> {
    await Promise.all([...this.#byKind.values()].map((informer) => informer.synced));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#byKind.values()].map((informer) => informer.close()));
  }
}

const idOf = (kind: Kind): string => `${kind.apiVersion}/${kind.plural}`;
