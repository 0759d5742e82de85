import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { ApiError } from '../../base/index.ts';
import { writeAtomically } from '../state/store.ts';

/** What was set while the agent runs; null hides what the configuration says. */
export type DynamicMeta = Readonly<Record<string, string | null>>;
type Meta = Readonly<Record<string, string>>;

/** All that a node is known by, and where it comes from. */
export interface MetaAnswer {
  readonly meta: Meta;
  readonly dynamic: DynamicMeta;
  readonly static: Meta;
}

const MAX_CHARACTERS = 64 * 1024;

/**
 * The metadata of a node: its configuration's, and over it what was set since (`node meta apply`). That is on disk before it is in force,
 * and outlives restarts of the agent.
 */
export class NodeMeta {
  readonly #path: string;
  readonly #static: Meta;
  #dynamic: DynamicMeta;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, fixed: Meta, dynamic: DynamicMeta) {
    this.#path = path;
    this.#static = fixed;
    this.#dynamic = dynamic;
  }

  static async open(dataDir: string, fixed: Meta): Promise<NodeMeta> {
    const path = join(dataDir, 'node-meta.json');
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}';
      throw error;
    });
    let dynamic: DynamicMeta;
    try {
      dynamic = parseMeta(JSON.parse(text));
    } catch (error) {
      // Jobs are placed by it, so a damaged file is for a person to look at.
      throw new Error(`${path} does not hold metadata`, { cause: error });
    }
    return new NodeMeta(path, fixed, dynamic);
  }

  /** What is in force. */
  get all(): Meta {
    return effectiveMeta(this.#static, this.#dynamic);
  }

  read(): MetaAnswer {
    return { meta: this.all, dynamic: this.#dynamic, static: this.#static };
  }

  /** One change after the other. Resolves once it is on disk and in force. */
  change(changes: DynamicMeta): Promise<void> {
    const done = this.#writing.then(async () => {
      const next = changedMeta(this.#static, this.#dynamic, changes);
      const text = JSON.stringify(next);
      if (text.length > MAX_CHARACTERS)
        throw new ApiError('RequestEntityTooLarge', `the metadata of a node may have ${MAX_CHARACTERS} characters`);
      await writeAtomically(this.#path, `${text}\n`);
      this.#dynamic = next;
    });
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

export function effectiveMeta(fixed: Meta, dynamic: DynamicMeta): Meta {
  const both = Object.entries({ ...fixed, ...dynamic });
  return Object.fromEntries(both.filter((entry): entry is [string, string] => entry[1] !== null));
}

/** What was set, after some more: null takes a key away, and stays where the configuration has the key. */
export function changedMeta(fixed: Meta, dynamic: DynamicMeta, changes: DynamicMeta): DynamicMeta {
  const next = Object.entries({ ...dynamic, ...changes });
  return Object.fromEntries(next.filter(([key, value]) => value !== null || Object.hasOwn(fixed, key)));
}

/** Keys and values as they may be set; null takes a key away. */
export function parseMeta(value: unknown): DynamicMeta {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('BadRequest', 'meta: must be an object of keys and values');
  for (const [key, one] of Object.entries(value)) {
    if (!/^[^\s{}$"'\x00-\x1f]{1,256}$/.test(key))
      throw new ApiError(
        'BadRequest',
        `meta: ${JSON.stringify(key)} is no key: 1 to 256 characters without spaces, quotes, braces or "$"`,
      );
    if (one !== null && typeof one !== 'string') throw new ApiError('BadRequest', `meta.${key}: must be a string, or null`);
  }
  return value as DynamicMeta;
}
