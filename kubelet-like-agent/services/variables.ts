import type { Clock, Logger } from '../../base/index.ts';
import { Informer, type Client } from '../../client/index.ts';
import { VariableKind, variableName, variablePath, type Stored, type Variable } from '../../openapi/index.ts';
import type { VariableEntry } from '../hooks/template/variables.ts';

/**
 * The variables that tasks of this node read, each followed by itself from the moment that a task reads it until none does any more: a
 * node holds no secret that none of its tasks may see.
 */
export class Variables {
  readonly #options: { readonly client: Client; readonly clock: Clock; readonly log: Logger };
  readonly #followed = new Map<string, Followed>();

  constructor({ client, clock, log }: { readonly client: Client; readonly clock: Clock; readonly log: Logger }) {
    this.#options = { client: client.withSecrets(), clock, log };
  }

  /** What one task reads. */
  reader(namespace: string): VariableReader {
    const held = new Map<string, Followed>();
    const listeners = new Set<() => void>();
    const changed = (): void => listeners.forEach((listener) => listener());
    return {
      read: (path) => {
        let followed = held.get(path);
        if (followed === undefined) {
          held.set(path, (followed = this.#follow(namespace, path)));
          followed.readers.add(changed);
        }
        return followed.read();
      },
      on: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      close: () => {
        for (const followed of held.values()) {
          followed.readers.delete(changed);
          if (followed.readers.size === 0) this.#forget(followed);
        }
        held.clear();
      },
    };
  }

  async close(): Promise<void> {
    const all = [...this.#followed.values()];
    this.#followed.clear();
    await Promise.all(all.map(({ informer }) => informer.close()));
  }

  #follow(namespace: string, path: string): Followed {
    const key = `${namespace}/${variableName(path)}`;
    let followed = this.#followed.get(key);
    if (followed !== undefined) return followed;
    const fieldSelector = `metadata.name=${variableName(path)}`;
    const informer = new Informer({ ...this.#options, kind: VariableKind, namespace, fieldSelector }).start();
    const readers = new Set<() => void>();
    // A watch tells of many changes at once; a reader is called when all of them are in.
    const changed = (): void => void setImmediate(() => [...readers].forEach((reader) => reader()));
    informer.on({ added: changed, modified: changed, deleted: changed });
    informer.synced.then(changed, () => undefined);
    followed = {
      key,
      informer,
      readers,
      read: () => {
        if (!informer.isSynced) return 'unknown';
        const [found] = informer.list();
        return found === undefined ? 'missing' : toEntry(found);
      },
    };
    this.#followed.set(key, followed);
    return followed;
  }

  #forget({ key, informer }: Followed): void {
    this.#followed.delete(key);
    informer.close().catch((error: unknown) => this.#options.log.debug('cannot end a watch', { error }));
  }
}

export interface VariableReader {
  /** A variable; unknown while the server has not been heard. */
  read(path: string): VariableEntry | 'missing' | 'unknown';
  /** Calls back soon after one of those changed that were read. */
  on(listener: () => void): () => void;
  close(): void;
}

interface Followed {
  readonly key: string;
  readonly informer: Informer<Variable>;
  readonly readers: Set<() => void>;
  readonly read: VariableReader['read'] extends (path: string) => infer R ? () => R : never;
}

const toEntry = ({ metadata, spec }: Stored<Variable>): VariableEntry => ({
  path: spec.path ?? variablePath(metadata.name),
  namespace: metadata.namespace ?? 'default',
  items: spec.items,
});
