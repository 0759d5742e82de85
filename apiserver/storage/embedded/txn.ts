import type { Compare, KeyValue, Revision, StoreEvent, Write } from '../store.ts';
import type { Change } from './disk.ts';
import * as records from './records.ts';
import type { Place } from './records.ts';

/** A live version with its value, and its place in the log. */
export interface Version extends KeyValue {
  readonly seq: number;
}

/** The state a transaction is decided on: everything that was written before, on the disk yet or not. */
export interface Latest {
  version(key: string): Version | undefined;
}

export type Decision =
  | { readonly type: 'refused'; readonly current: (KeyValue | undefined)[] }
  | { readonly type: 'write'; readonly written: readonly Written[] };

/** What becomes of one key. */
export interface Written {
  readonly key: string;
  /** Absent when the key is deleted. */
  readonly version?: Version;
  readonly previous?: Version;
}

/** Decides a transaction that would write `revision`. Pure. */
export function decide(compares: readonly Compare[], writes: readonly Write[], latest: Latest, revision: Revision): Decision {
  if (!compares.every(({ key, modRevision }) => (latest.version(key)?.modRevision ?? 0) === modRevision)) {
    return { type: 'refused', current: compares.map(({ key }) => keyValue(latest.version(key))) };
  }
  const written: Written[] = [];
  for (const write of writes) {
    const previous = latest.version(write.key);
    if (write.type === 'delete') {
      if (previous !== undefined) written.push({ key: write.key, previous });
      continue;
    }
    const version: Version = {
      key: write.key,
      value: write.value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      seq: written.length,
      ...(write.lease !== undefined && { lease: write.lease }),
    };
    written.push({ key: write.key, version, ...(previous && { previous }) });
  }
  return { type: 'write', written };
}

/** The records that bring a decision to the disk. */
export function changes(written: readonly Written[], revision: Revision): Change[] {
  const result: Change[] = [];
  written.forEach(({ key, version, previous }, seq) => {
    const before = previous && place(previous);
    result.push({
      key: records.logKey({ revision, seq }),
      value: records.encodeLog({
        type: version === undefined ? 'delete' : 'put',
        revision,
        seq,
        key,
        created: version?.createRevision ?? 0,
        lease: version?.lease ?? '',
        value: version?.value ?? EMPTY,
        ...(before && { before }),
      }),
    });
    result.push(
      version === undefined
        ? { key: records.liveKey(key) }
        : { key: records.liveKey(key), value: records.encodeHead(head(version)) },
    );
    if (previous !== undefined) {
      result.push({ key: records.pastKey(key, previous.modRevision), value: records.encodePast(head(previous), revision) });
    }
    if (previous?.lease !== version?.lease) {
      if (previous?.lease !== undefined) result.push({ key: records.leasedKey(previous.lease, key) });
      if (version?.lease !== undefined) result.push({ key: records.leasedKey(version.lease, key), value: EMPTY });
    }
  });
  return result;
}

/** What watchers see of it. */
export function toEvent({ key, version, previous }: Written, revision: Revision): StoreEvent {
  const before = previous && { previous: keyValue(previous) };
  return version === undefined ? { type: 'delete', key, revision, ...before } : { type: 'put', kv: keyValue(version), ...before };
}

function keyValue(version: Version): KeyValue;
function keyValue(version: Version | undefined): KeyValue | undefined;
function keyValue(version: Version | undefined): KeyValue | undefined {
  if (version === undefined) return undefined;
  const { seq: _, ...kv } = version;
  return kv;
}

const place = (version: Version): Place => ({ revision: version.modRevision, seq: version.seq });
const head = (version: Version): records.Head => ({
  ...place(version),
  created: version.createRevision,
  lease: version.lease ?? '',
});

const EMPTY = Buffer.alloc(0);
