/**
 * How the store lies on the disk: one ordered tree of bytes whose keys start with a letter.
 *
 *   k <key>              → where the live version of the key is: revision, sequence, create revision, lease
 *   l <revision><seq>    → the event of that revision: the written value, and where the version before it is
 *   h <key> 0 <revision> → an overwritten version: its sequence, create revision, lease, and the revision that ended it
 *   L <lease>            → its TTL in milliseconds
 *   K <lease><key>       → the key lives by the lease
 *   m <name>             → a number: format, revision, compacted, swept
 *
 * Worked example: put a=1 (revision 2), put a=2 (3), delete a (4).
 *   after 2:  k a → 2      l 2.0 put a=1
 *   after 3:  k a → 3      l 2.0 put a=1   l 3.0 put a=2 (before: 2.0)   h a 2 → until 3
 *   after 4:               l 2.0 put a=1   l 3.0 put a=2 (before: 2.0)   l 4.0 delete a (before: 3.0)   h a 2 → until 3   h a 3 → until 4
 *   compact 3: what ended at or before 3 goes: h a 2 and l 2.0. The log from 3 on is whole.
 *
 * A value is written once; the newest state is a scan over small records with a lookup each, a past state merges `k` and `h`,
 * a watch scans `l`. Keys hold no NUL, so `h` sorts by key, then by revision.
 */
import type { Revision } from '../store.ts';

/** The place of a version in the log. */
export interface Place {
  readonly revision: Revision;
  readonly seq: number;
}

/** A version of a key, without its value. */
export interface Head extends Place {
  readonly created: Revision;
  readonly lease: string;
}

export interface PastHead extends Head {
  /** The revision that overwrote or deleted it. */
  readonly ended: Revision;
}

export interface LogEntry extends Head {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: Buffer;
  readonly before?: Place;
}

export type MetaName = 'format' | 'revision' | 'compacted' | 'swept';

const LIVE = 0x6b; // k
const PAST = 0x68; // h
const LOG = 0x6c; // l
const LEASE = 0x4c; // L
const LEASED = 0x4b; // K
const META = 0x6d; // m

/** The smallest key that does not start with the given letter's records. */
const after = (letter: number): Buffer => Buffer.from([letter + 1]);

function textKey(letter: number, text: string, tail = 0): Buffer {
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text) + tail);
  bytes[0] = letter;
  bytes.write(text, 1);
  return bytes;
}

function writeRevision(bytes: Buffer, revision: Revision, at: number): void {
  bytes.writeUInt32BE(Math.floor(revision / 2 ** 32), at);
  bytes.writeUInt32BE(revision >>> 0, at + 4);
}

function readRevision(bytes: Buffer, at: number): Revision {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

// Live versions

export const liveKey = (key: string): Buffer => textKey(LIVE, key);
export const readLiveKey = (bytes: Buffer): string => bytes.toString('utf8', 1);

export function encodeHead(head: Head): Buffer {
  const bytes = Buffer.allocUnsafe(20 + head.lease.length);
  writeRevision(bytes, head.revision, 0);
  bytes.writeUInt32BE(head.seq, 8);
  writeRevision(bytes, head.created, 12);
  bytes.write(head.lease, 20, 'latin1');
  return bytes;
}

export function decodeHead(bytes: Buffer): Head {
  return {
    revision: readRevision(bytes, 0),
    seq: bytes.readUInt32BE(8),
    created: readRevision(bytes, 12),
    lease: bytes.toString('latin1', 20),
  };
}

// Past versions

export function pastKey(key: string, revision: Revision): Buffer {
  const bytes = textKey(PAST, key, 9);
  bytes[bytes.length - 9] = 0;
  writeRevision(bytes, revision, bytes.length - 8);
  return bytes;
}

export const pastStart = (key: string): Buffer => textKey(PAST, key);
export const pastEnd: Buffer = after(PAST);
export const readPastKey = (bytes: Buffer): string => bytes.toString('utf8', 1, bytes.length - 9);

export function encodePast(head: Head, ended: Revision): Buffer {
  const bytes = Buffer.allocUnsafe(28 + head.lease.length);
  writeRevision(bytes, ended, 0);
  encodeHead(head).copy(bytes, 8);
  return bytes;
}

export const decodePast = (bytes: Buffer): PastHead => ({ ...decodeHead(bytes.subarray(8)), ended: readRevision(bytes, 0) });

// The log

export function logKey(place: Place): Buffer {
  const bytes = Buffer.allocUnsafe(13);
  bytes[0] = LOG;
  writeRevision(bytes, place.revision, 1);
  bytes.writeUInt32BE(place.seq, 9);
  return bytes;
}

export const logEnd: Buffer = after(LOG);
export const readLogKey = (bytes: Buffer): Place => ({ revision: readRevision(bytes, 1), seq: bytes.readUInt32BE(9) });

export function encodeLog(entry: LogEntry): Buffer {
  const keyLength = Buffer.byteLength(entry.key);
  const bytes = Buffer.allocUnsafe(24 + entry.lease.length + keyLength + entry.value.length);
  bytes[0] = entry.type === 'put' ? 1 : 0;
  writeRevision(bytes, entry.created, 1);
  writeRevision(bytes, entry.before?.revision ?? 0, 9);
  bytes.writeUInt32BE(entry.before?.seq ?? 0, 17);
  bytes[21] = entry.lease.length;
  bytes.writeUInt16BE(keyLength, 22);
  bytes.write(entry.lease, 24, 'latin1');
  bytes.write(entry.key, 24 + entry.lease.length);
  entry.value.copy(bytes, 24 + entry.lease.length + keyLength);
  return bytes;
}

export function decodeLog(place: Place, bytes: Buffer): LogEntry {
  const leaseEnd = 24 + bytes[21]!;
  const keyEnd = leaseEnd + bytes.readUInt16BE(22);
  const before = readRevision(bytes, 9);
  return {
    type: bytes[0] === 1 ? 'put' : 'delete',
    ...place,
    created: readRevision(bytes, 1),
    lease: bytes.toString('latin1', 24, leaseEnd),
    key: bytes.toString('utf8', leaseEnd, keyEnd),
    value: bytes.subarray(keyEnd),
    ...(before > 0 && { before: { revision: before, seq: bytes.readUInt32BE(17) } }),
  };
}

// Leases

export const leaseKey = (lease: string): Buffer => textKey(LEASE, lease);
export const leaseStart: Buffer = Buffer.from([LEASE]);
export const leaseEnd: Buffer = after(LEASE);
export const readLeaseKey = (bytes: Buffer): string => bytes.toString('utf8', 1);

/** Every lease has an ID of this length, so that lease and key need no separator. */
export const LEASE_ID_LENGTH = 16;
export const leasedKey = (lease: string, key: string): Buffer => textKey(LEASED, lease + key);
export const leasedStart: Buffer = Buffer.from([LEASED]);
export const leasedEnd: Buffer = after(LEASED);

export function readLeasedKey(bytes: Buffer): { lease: string; key: string } {
  return { lease: bytes.toString('latin1', 1, 1 + LEASE_ID_LENGTH), key: bytes.toString('utf8', 1 + LEASE_ID_LENGTH) };
}

// Numbers

export const metaKey = (name: MetaName): Buffer => textKey(META, name);

export function encodeNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  writeRevision(bytes, value, 0);
  return bytes;
}

export const decodeNumber = (bytes: Buffer): number => readRevision(bytes, 0);
