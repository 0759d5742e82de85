import type { IEvent, IKeyValue } from 'etcd3';
import type { KeyRange, KeyValue, Revision, StoreEvent } from '../store.ts';

/**
 * Translates between our keys and revisions and those of etcd. Keys lie below the prefix; those that start with NUL there are the
 * backend's own. Revisions differ by `base`, which is 0 unless the store was restored: a new cluster of etcd begins at 1, and
 * ours may never go back.
 */
export class Codec {
  readonly prefix: string;
  base: Revision = 0;
  readonly #skip: number;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.#skip = Buffer.byteLength(prefix);
  }

  key(key: string): Buffer {
    return Buffer.from(this.prefix + key);
  }

  range(range: KeyRange): { key: Buffer; range_end?: Buffer } {
    return { key: this.key(range.start || '\x01'), ...(range.end !== undefined && { range_end: this.key(range.end) }) };
  }

  /** Everything below the prefix, the backend's own keys too. */
  everything(): { key: Buffer; range_end: Buffer } {
    if (this.prefix === '') return { key: Buffer.from([0]), range_end: Buffer.from([0]) };
    const end = Buffer.from(this.prefix);
    end[end.length - 1]! += 1; // the prefix ends in ASCII
    return { key: Buffer.from(this.prefix), range_end: end };
  }

  /** Ours, of one of etcd's. */
  revision(etcds: string): Revision {
    return Number(etcds) + this.base;
  }

  /** Etcd's, of one of ours. What is not above 0 was before this cluster of etcd held the store. */
  etcds(revision: Revision): number {
    return revision - this.base;
  }

  revisionOf(event: IEvent): Revision {
    return this.revision(event.kv.mod_revision);
  }

  isOwn(kv: IKeyValue): boolean {
    return kv.key[this.#skip] === 0;
  }

  keyValue(kv: IKeyValue): KeyValue {
    return {
      key: kv.key.toString('utf8', this.#skip),
      value: kv.value,
      createRevision: this.revision(kv.create_revision),
      modRevision: this.revision(kv.mod_revision),
      ...(kv.lease !== '0' && { lease: kv.lease }),
    };
  }

  event(event: IEvent): StoreEvent {
    // proto3 gives an absent message as null
    const before = event.prev_kv as IKeyValue | null;
    const previous = before === null ? {} : { previous: this.keyValue(before) };
    const kv = this.keyValue(event.kv);
    return event.type === 'Put'
      ? { type: 'put', kv, ...previous }
      : { type: 'delete', key: kv.key, revision: kv.modRevision, ...previous };
  }
}
