import type { IEvent, IKeyValue } from 'etcd3';
import type { KeyRange, KeyValue, Revision, StoreEvent } from '../store.ts';

/** Translates between our keys and those below the prefix. Keys that start with NUL there are the backend's own. */
export class Codec {
  readonly prefix: string;
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

  isOwn(kv: IKeyValue): boolean {
    return kv.key[this.#skip] === 0;
  }

  keyValue(kv: IKeyValue): KeyValue {
    return {
      key: kv.key.toString('utf8', this.#skip),
      value: kv.value,
      createRevision: Number(kv.create_revision),
      modRevision: Number(kv.mod_revision),
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

export const revisionOf = (event: IEvent): Revision => Number(event.kv.mod_revision);
