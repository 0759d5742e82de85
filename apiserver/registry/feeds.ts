import type { Revision } from '../storage/store.ts';
import { fieldText, fits, takesAll, type Selection } from './selectors.ts';
import type { EventType, Version } from './version.ts';

/** A change of one object, as the cache saw it. */
export interface Change {
  readonly revision: Revision;
  /** The new state; for a deletion the last state with the revision of the deletion. */
  readonly version: Version;
  readonly deleted: boolean;
  /** The state before; absent for a creation. */
  readonly previous: Version | undefined;
}

/** What one reader of a feed gets. Buffers are shared between readers: nobody changes them. */
export interface Subscriber {
  push(lines: Buffer): void;
  bookmark(revision: Revision): void;
  /** The stream cannot go on: the reader must list again. */
  expire(message: string): void;
}

/** How an event is written. One feed has one format; equal names mean equal output. */
export interface Format {
  readonly name: string;
  line(type: EventType, version: Version): Buffer;
  /** The event of an object that was there before the watch; in parts, and not kept. */
  initial(version: Version): readonly Buffer[];
}

export const jsonFormat: Format = {
  name: 'json',
  line: (type, version) => version.line(type),
  initial: (version) => version.parts('ADDED'),
};

/** The event that a selection sees of a change: crossing its border is ADDED or DELETED. Undefined: nothing. */
export function visible(selection: Selection, change: Change): EventType | undefined {
  const { version, previous, deleted } = change;
  if (takesAll(selection)) return deleted ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED';
  const before = previous !== undefined && fits(selection, previous.object);
  if (deleted) return before ? 'DELETED' : undefined;
  const after = fits(selection, version.object);
  if (after) return before ? 'MODIFIED' : 'ADDED';
  return before ? 'DELETED' : undefined;
}

/** All readers that asked for the same selection in the same format: an event is judged, written and joined once for all of them. */
export class Feed {
  readonly selection: Selection;
  readonly format: Format;
  readonly subscribers = new Set<Subscriber>();
  #pending: Buffer[] = [];

  constructor(selection: Selection, format: Format) {
    this.selection = selection;
    this.format = format;
  }

  /** Takes a change in; true when there is something to flush. */
  offer(change: Change, lastState: (change: Change) => Version): boolean {
    const type = visible(this.selection, change);
    if (type === undefined) return false;
    // An object that leaves the selection is told as deleted, in its last fitting state but with the new version.
    const version = type === 'DELETED' && !change.deleted ? lastState(change) : change.version;
    this.#pending.push(this.format.line(type, version));
    return true;
  }

  /** Sends what has gathered, in one piece. Returns the number of events. */
  flush(): number {
    const count = this.#pending.length;
    if (count === 0) return 0;
    const lines = count === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    this.#pending = [];
    for (const subscriber of this.subscribers) subscriber.push(lines);
    return count;
  }
}

/**
 * Finds the feeds that a change may concern without asking all of them. A feed with an equality on a field (spec.nodeName=x, or a
 * name) is filed under that value, one of a single namespace under the namespace; only the others see every change.
 */
export class FeedIndex {
  readonly #all = new Set<Feed>();
  readonly #byNamespace = new Map<string, Set<Feed>>();
  readonly #byField = new Map<string, { path: readonly string[]; values: Map<string, Set<Feed>> }>();
  readonly #byId = new Map<string, Feed>();

  /** The feed of a selection and format, made when there is none. */
  feed(selection: Selection, format: Format): Feed {
    const id = `${format.name} ${selection.id}`;
    let feed = this.#byId.get(id);
    if (feed === undefined) {
      feed = new Feed(selection, format);
      this.#byId.set(id, feed);
      this.#bucket(selection).add(feed);
    }
    return feed;
  }

  remove(feed: Feed): void {
    this.#byId.delete(`${feed.format.name} ${feed.selection.id}`);
    this.#bucket(feed.selection).delete(feed);
    this.#prune(feed.selection);
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): Iterable<Feed> {
    return this.#byId.values();
  }

  /** Calls `visit` once for each feed that the change may concern. */
  concerned({ version, previous }: Change, visit: (feed: Feed) => void): void {
    for (const feed of this.#all) visit(feed);
    const { namespace } = version;
    if (namespace !== undefined && this.#byNamespace.size > 0) {
      for (const feed of this.#byNamespace.get(namespace) ?? []) visit(feed);
    }
    const inScope = (feed: Feed): boolean => feed.selection.namespace === undefined || feed.selection.namespace === namespace;
    for (const { path, values } of this.#byField.values()) {
      const after = fieldText(version.object, path);
      for (const feed of values.get(after) ?? []) if (inScope(feed)) visit(feed);
      if (previous === undefined) continue;
      const before = fieldText(previous.object, path);
      if (before !== after) for (const feed of values.get(before) ?? []) if (inScope(feed)) visit(feed);
    }
  }

  #bucket(selection: Selection): Set<Feed> {
    const term = selection.fields.find((field) => field.equal);
    if (term !== undefined) {
      let field = this.#byField.get(term.field);
      if (field === undefined) this.#byField.set(term.field, (field = { path: term.path, values: new Map() }));
      return bucketOf(field.values, term.value);
    }
    return selection.namespace === undefined ? this.#all : bucketOf(this.#byNamespace, selection.namespace);
  }

  #prune(selection: Selection): void {
    const term = selection.fields.find((field) => field.equal);
    if (term !== undefined) {
      const field = this.#byField.get(term.field);
      if (field?.values.get(term.value)?.size === 0) field.values.delete(term.value);
      if (field?.values.size === 0) this.#byField.delete(term.field);
    } else if (selection.namespace !== undefined && this.#byNamespace.get(selection.namespace)?.size === 0) {
      this.#byNamespace.delete(selection.namespace);
    }
  }
}

function bucketOf(map: Map<string, Set<Feed>>, key: string): Set<Feed> {
  let bucket = map.get(key);
  if (bucket === undefined) map.set(key, (bucket = new Set()));
  return bucket;
}
