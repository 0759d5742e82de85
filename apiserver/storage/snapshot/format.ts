/**
 * A snapshot is a gzip file of lines of JSON, so that `zcat FILE | jq` reads it: a header, an item for each key in the order of the
 * keys, and a trailer that counts them and has the checksum of all lines before it. Both stores read and write the same.
 */
import { createHash } from 'node:crypto';
import { createGunzip, createGzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';
import type { LeaseId, Revision } from '../store.ts';

export interface SnapshotHeader {
  readonly format: 'orch-snapshot';
  readonly version: 1;
  /** The revision of the store that the items are the state of. */
  readonly revision: Revision;
  /** RFC 3339. */
  readonly created: string;
  /** What it was taken of. */
  readonly store: string;
}

export interface SnapshotItem {
  readonly key: string;
  readonly value: Buffer;
  readonly modRevision: Revision;
  readonly createRevision: Revision;
  /** Items with the same ID live by one lease, of so many seconds. */
  readonly lease?: { readonly id: LeaseId; readonly ttl: number };
}

export interface SnapshotSummary {
  readonly header: SnapshotHeader;
  readonly items: number;
  /** How many, and of how many bytes. */
  readonly kinds: Readonly<Record<string, { readonly count: number; readonly bytes: number }>>;
  readonly sha256: string;
}

/** The file cannot be used. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

interface Trailer {
  readonly items: number;
  readonly kinds: SnapshotSummary['kinds'];
  readonly sha256: string;
}

/** The file's bytes. What goes wrong with the items is an error of the stream. */
export function writeSnapshot(header: SnapshotHeader, items: AsyncIterable<SnapshotItem>): Readable {
  return pipeline(Readable.from(encode(header, items)), createGzip({ level: 3 }), () => undefined);
}

async function* encode(header: SnapshotHeader, items: AsyncIterable<SnapshotItem>): AsyncGenerator<Buffer> {
  const tally = new Tally();
  const line = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
  yield tally.line(line(header));
  for await (const item of items) {
    tally.item(item);
    yield tally.line(line(encodeItem(item)));
  }
  yield line(tally.trailer());
}

/** Reads a snapshot: gives each item to `take`, in order, and tells what it was once the checksum has proved right. */
export async function readSnapshot(
  file: AsyncIterable<Buffer>,
  take: (item: SnapshotItem, header: SnapshotHeader) => Promise<void> | void = () => undefined,
): Promise<SnapshotSummary> {
  const gunzip = createGunzip();
  const unpacked = pipeline(Readable.from(file), gunzip, () => undefined);
  const tally = new Tally();
  let header: SnapshotHeader | undefined;
  let trailer: Trailer | undefined;
  try {
    for await (const line of lines(unpacked)) {
      if (trailer !== undefined) throw new SnapshotError('the snapshot goes on after its end');
      const value = parse(line);
      if (header === undefined) {
        if (value['format'] !== 'orch-snapshot') throw new SnapshotError('this is not a snapshot of orch');
        if (value['version'] !== 1) throw new SnapshotError(`the snapshot has version ${String(value['version'])}; this version of orch reads version 1`); // prettier-ignore
        header = value as unknown as SnapshotHeader;
        tally.line(line);
      } else if ('sha256' in value) trailer = value as unknown as Trailer;
      else {
        const item = decodeItem(value);
        tally.item(item);
        tally.line(line);
        await take(item, header);
      }
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') throw new SnapshotError('the snapshot is cut off', { cause: error });
    if (code === 'Z_DATA_ERROR') throw new SnapshotError(header === undefined ? 'this is not a snapshot of orch' : 'the snapshot is damaged', { cause: error }); // prettier-ignore
    throw error;
  }
  if (header === undefined) throw new SnapshotError('this is not a snapshot of orch');
  if (trailer === undefined) throw new SnapshotError('the snapshot is cut off');
  const { items, kinds, sha256 } = tally.trailer();
  if (sha256 !== trailer.sha256 || items !== trailer.items)
    throw new SnapshotError('the snapshot is damaged: its checksum is not that of its content');
  return { header, items, kinds, sha256 };
}

class Tally {
  readonly #hash = createHash('sha256');
  readonly #kinds = new Map<string, { count: number; bytes: number }>();
  #items = 0;

  line(bytes: Buffer): Buffer {
    this.#hash.update(bytes);
    return bytes;
  }

  item({ key, value }: SnapshotItem): void {
    const kind = kindOf(key);
    const sum = this.#kinds.get(kind) ?? { count: 0, bytes: 0 };
    sum.count += 1;
    sum.bytes += value.length;
    this.#kinds.set(kind, sum);
    this.#items += 1;
  }

  trailer(): Trailer {
    return { items: this.#items, kinds: Object.fromEntries([...this.#kinds].sort()), sha256: this.#hash.copy().digest('hex') };
  }
}

/** `/registry/orch.dev/jobs/default/web` → `jobs.orch.dev`; what is no object is counted by its first word. */
function kindOf(key: string): string {
  const [, first, group, plural] = key.split('/');
  if (first !== 'registry' || plural === undefined) return first ?? key;
  return group === 'core' ? plural : `${plural}.${group}`;
}

function encodeItem({ key, value, modRevision, createRevision, lease }: SnapshotItem): object {
  const text = value.toString('utf8');
  const isText = Buffer.byteLength(text) === value.length && Buffer.from(text).equals(value);
  return {
    key,
    modRevision,
    createRevision,
    ...(lease && { lease }),
    ...(isText ? { value: text } : { base64: value.toString('base64') }),
  };
}

function decodeItem(line: Record<string, unknown>): SnapshotItem {
  const { key, modRevision, createRevision, lease, value, base64 } = line;
  if (typeof key !== 'string' || (typeof value !== 'string' && typeof base64 !== 'string'))
    throw new SnapshotError('the snapshot is damaged: a line of it is no item');
  return {
    key,
    modRevision: Number(modRevision),
    createRevision: Number(createRevision),
    value: typeof value === 'string' ? Buffer.from(value) : Buffer.from(base64 as string, 'base64'),
    ...(lease !== undefined && { lease: lease as { id: LeaseId; ttl: number } }),
  };
}

function parse(line: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new SnapshotError('the snapshot is damaged: a line of it is no JSON object');
}

/** Each with its line end. */
async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      const end = chunk.subarray(from, at + 1);
      yield rest.length === 0 ? end : Buffer.concat([...rest, end]);
      rest = [];
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) throw new SnapshotError('the snapshot is cut off');
}
