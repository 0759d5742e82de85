/**
 * What the agent must remember across its own death: one JSON file per allocation, replaced atomically (write aside, sync,
 * rename), and one per job version that an allocation runs. Why files and not a database: allocations are independent, a
 * torn write can cost at most the newest state of one of them, people can read what the agent thinks, and an agent needs no
 * second native library for a few hundred small records.
 *
 * Killed between any two instructions, a file is either the old or the new one. What is not on disk yet is repaired by the
 * order of things: a record says `starting` before the driver is asked, and has the handle before an exit may be applied.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../base/index.ts';

interface Slot {
  value: unknown;
  /** Bumped by each save; what is on disk is at least `written`. */
  version: number;
  written: number;
  writing: Promise<void> | undefined;
  removed: boolean;
}

/** A folder of JSON values by name. */
export class JsonFolder<T> {
  readonly #dir: string;
  readonly #slots = new Map<string, Slot>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Reads all of them. One that cannot be read is set aside and reported, not fatal: the rest of the node must run. */
  async load(log: Logger): Promise<Map<string, T>> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const found = new Map<string, T>();
    for (const file of await readdir(this.#dir)) {
      const path = join(this.#dir, file);
      if (file.endsWith('.tmp')) {
        await rm(path, { force: true });
        continue;
      }
      if (!file.endsWith('.json')) continue;
      try {
        found.set(decodeURIComponent(file.slice(0, -5)), JSON.parse(await readFile(path, 'utf8')) as T);
      } catch (error) {
        log.error('unreadable state file set aside', { path, error });
        await rename(path, `${path}.unreadable`);
      }
    }
    return found;
  }

  /** Resolves when this value, or a later one of the name, is on disk. Values that were overtaken are never written. */
  async save(name: string, value: T): Promise<void> {
    const slot = this.#slots.get(name) ?? { value, version: 0, written: 0, writing: undefined, removed: false };
    this.#slots.set(name, slot);
    slot.value = value;
    const wanted = ++slot.version;
    while (slot.written < wanted && !slot.removed) {
      slot.writing ??= this.#write(name, slot).finally(() => (slot.writing = undefined));
      await slot.writing;
    }
  }

  async remove(name: string): Promise<void> {
    const slot = this.#slots.get(name);
    this.#slots.delete(name);
    if (slot !== undefined) {
      slot.removed = true;
      await slot.writing?.catch(() => undefined);
    }
    await rm(this.#path(name), { force: true });
  }

  async #write(name: string, slot: Slot): Promise<void> {
    const version = slot.version;
    const text = JSON.stringify(slot.value);
    const path = this.#path(name);
    const aside = `${path}.tmp`;
    const file = await open(aside, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    if (slot.removed) {
      await rm(aside, { force: true });
      return;
    }
    await rename(aside, path);
    slot.written = version;
  }

  #path(name: string): string {
    return join(this.#dir, `${encodeURIComponent(name)}.json`);
  }
}

/** Writes a small file atomically and durably. */
export async function writeAtomically(path: string, text: string, mode = 0o600): Promise<void> {
  const aside = `${path}.tmp`;
  const file = await open(aside, 'w', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
}
