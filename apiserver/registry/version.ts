import type { KeyValue, LeaseId, Revision } from '../storage/store.ts';
import type { ApiKind } from './kinds.ts';
import { isObject, type ApiObject, type JsonObject } from './object.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/**
 * One version of one object: its decoded value and its bytes, each made at most once and shared by every reader.
 *
 * What is stored lacks the resourceVersion, because it is the revision of the very write. Every stored value begins with
 * `kind.storedHead` and so the served bytes are the rest of the stored ones behind `kind.head` and `"resourceVersion":"N",`; nothing
 * is serialised anew.
 */
export class Version {
  readonly key: string;
  readonly revision: Revision;
  readonly object: ApiObject;
  readonly lease: LeaseId | undefined;
  /** About how large it is, as JSON. */
  readonly size: number;
  #bytes: Buffer | (() => Buffer);
  #lines: { [type in EventType]?: Buffer } = {};

  constructor(key: string, revision: Revision, object: ApiObject, size: number, bytes: () => Buffer, lease?: LeaseId) {
    this.key = key;
    this.revision = revision;
    this.object = object;
    this.lease = lease;
    this.size = size;
    this.#bytes = bytes;
  }

  /** The object as JSON. */
  get bytes(): Buffer {
    if (typeof this.#bytes === 'function') this.#bytes = this.#bytes();
    return this.#bytes;
  }

  /** A watch event about this version, with its line end. */
  line(type: EventType): Buffer {
    let line = this.#lines[type];
    if (line === undefined) {
      this.#lines[type] = line = Buffer.concat(this.parts(type));
      // The bytes are in the line; one copy is enough.
      this.#bytes = line.subarray(LINE_START[type].length, line.length - LINE_END.length);
    }
    return line;
  }

  /** The same in parts, for those that join it with others anyway. */
  parts(type: EventType): readonly Buffer[] {
    return [LINE_START[type], this.bytes, LINE_END];
  }

  get name(): string {
    return this.object.metadata.name;
  }

  get namespace(): string | undefined {
    return this.object.metadata.namespace;
  }
}

const LINE_START = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};
const LINE_END = Buffer.from('}\n');

/** The value to store for an object: `kind.storedHead` first, without resourceVersion. */
export function encode(kind: ApiKind, object: ApiObject): Buffer {
  const { apiVersion: _, kind: __, metadata, ...rest } = object;
  const { resourceVersion: ___, ...stored } = metadata;
  // Metadata always has a name, so head can end inside it.
  const tail = JSON.stringify(rest);
  return Buffer.from(kind.storedHead + JSON.stringify(stored).slice(1) + (tail === '{}' ? '}' : `,${tail.slice(1)}`));
}

/** Reads what is stored. Throws when it is no object of the kind. */
export function decode(kind: ApiKind, { key, value, modRevision, lease }: KeyValue): Version {
  const parsed: unknown = JSON.parse(value.toString('utf8'));
  if (!isObject(parsed) || !isObject(parsed['metadata'])) throw new Error(`${key}: not an object`);
  const object = kind.custom ? asDefinedNow(kind, parsed) : parsed;
  return present(
    kind,
    key,
    modRevision,
    object as unknown as ApiObject,
    object === parsed ? value : encode(kind, object as unknown as ApiObject),
    lease,
  );
}

/**
 * An object of a user's kind may be older than the definition, or stored as another version: it gets the version's name, loses what the
 * schema lacks and gains its defaults. What is that already is given back as it is, so that its bytes can be served.
 */
function asDefinedNow(kind: ApiKind, stored: JsonObject): JsonObject {
  const { apiVersion: _, kind: __, metadata, ...content } = stored;
  const cleaned = kind.schema.clean(content, { unknown: [], causes: [] });
  if (cleaned === content && kind.storedHead === headOf(stored)) {
    stored['apiVersion'] = kind.apiVersion;
    return stored;
  }
  return { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...cleaned };
}

const headOf = (stored: JsonObject): string =>
  `{"apiVersion":${JSON.stringify(stored['apiVersion'])},"kind":${JSON.stringify(stored['kind'])},"metadata":{`;

/** A version from an object of our own making and its stored bytes. The object is taken over. */
export function present(
  kind: ApiKind,
  key: string,
  revision: Revision,
  object: ApiObject,
  stored: Buffer,
  lease: LeaseId | undefined,
): Version {
  const resourceVersion = String(revision);
  const metadata = object.metadata as { resourceVersion?: string };
  metadata.resourceVersion = resourceVersion;
  const status = object['status'];
  // A Job whose modifyIndex is stored as 0 was changed by this very write.
  if (kind.kind === 'Job' && isObject(status) && status['modifyIndex'] === 0) {
    status['modifyIndex'] = revision;
    return new Version(key, revision, object, stored.length, () => Buffer.from(JSON.stringify(object)), lease);
  }
  return new Version(key, revision, object, stored.length, () => splice(kind, stored, resourceVersion, object), lease);
}

/** The final version of a deleted object, at the revision of its deletion. */
export function deletedVersion(kind: ApiKind, last: Version, revision: Revision): Version {
  const object: ApiObject = { ...last.object, metadata: { ...last.object.metadata, resourceVersion: String(revision) } };
  return new Version(last.key, revision, object, last.size, () => encodeServed(kind, object), last.lease);
}

/** The bytes of an object that is not (yet) stored, such as the answer to a dry run. */
export function unstored(key: string, object: ApiObject, revision: Revision): Version {
  return new Version(key, revision, object, 0, () => Buffer.from(JSON.stringify(object)));
}

function encodeServed(kind: ApiKind, object: ApiObject): Buffer {
  return splice(kind, encode(kind, object), object.metadata.resourceVersion!, object);
}

function splice(kind: ApiKind, stored: Buffer, resourceVersion: string, object: ApiObject): Buffer {
  const begin = Buffer.from(kind.storedHead);
  if (stored.length <= begin.length || stored.compare(begin, 0, begin.length, 0, begin.length) !== 0) {
    return Buffer.from(JSON.stringify(object));
  }
  const head = Buffer.from(`${kind.head}"resourceVersion":"${resourceVersion}",`);
  const out = Buffer.allocUnsafe(stored.length - begin.length + head.length);
  head.copy(out);
  stored.copy(out, head.length, begin.length);
  return out;
}
