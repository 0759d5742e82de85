/**
 * Where the data of a prefix come from, in keys of the backend's own. A store that was restored into etcd goes on with revisions beyond
 * all that anybody has seen of it; a restore that was not finished, and a store that was moved away, are not opened by mistake.
 */
import { describeError, toTimestamp, type Clock, type Logger } from '../../../base/index.ts';
import { StoreSetAsideError, type Revision } from '../store.ts';
import { Codec } from './codec.ts';
import { Connection, type EtcdConnectionOptions } from './connection.ts';

export interface Origin {
  /** What our revisions are above those of etcd. */
  readonly base: Revision;
  /** The first revision that can be read. */
  readonly floor: Revision;
}

/** The keys below the prefix. */
const ORIGIN = '\0origin';
const UNFINISHED = '\0restoring';
const MOVED = '\0moved';

/** Throws StoreSetAsideError when the store is not to be worked on. */
export async function readOrigin(connection: Connection, codec: Codec): Promise<Origin> {
  const read = async (key: string): Promise<string | undefined> => {
    const { kvs } = await connection.repeat('range', () => connection.kv.range({ key: codec.key(key) }));
    return kvs[0]?.value.toString();
  };
  const [origin, moved] = [await read(ORIGIN), await read(MOVED)];
  if (moved !== undefined) throw new StoreSetAsideError(`the store below ${codec.prefix} was moved: ${moved}`);
  if (origin === undefined && (await read(UNFINISHED)) !== undefined)
    throw new StoreSetAsideError(`a restore of the store below ${codec.prefix} was not finished; run it again`);
  return origin === undefined ? { base: 0, floor: 0 } : (JSON.parse(origin) as Origin);
}

export interface EtcdPlace extends EtcdConnectionOptions {
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Restore {
  /** With which the store is opened meanwhile. */
  readonly origin: Origin;
  finish(): Promise<void>;
  close(): void;
}

/**
 * Makes room for a restore: fails when the prefix holds a store, takes away what an unfinished restore left, and gives what begins
 * and ends one. Until it has ended nobody can open the store.
 */
export async function beginRestore(place: EtcdPlace, first: Revision): Promise<Restore> {
  const connection = await Connection.load(place, place);
  const codec = new Codec(place.prefix);
  try {
    const unfinished = { key: codec.key(UNFINISHED) };
    const everything = codec.everything();
    const taken = await connection.repeat('range', () =>
      connection.kv.range({ ...everything, key: codec.key('\x01'), limit: 1, keys_only: true }),
    );
    const began = await connection.repeat('range', () => connection.kv.range(unfinished));
    if (taken.kvs.length > 0 && began.kvs.length === 0)
      throw new StoreSetAsideError(`there is a store below ${place.prefix} already; remove it first (etcdctl del --prefix ${place.prefix})`); // prettier-ignore
    await connection.repeat('put', () =>
      connection.kv.put({ ...unfinished, value: Buffer.from(toTimestamp(place.clock.now())) }),
    );
    const after = Buffer.concat([unfinished.key, Buffer.from([0])]);
    await connection.repeat('delete', () => connection.kv.deleteRange({ key: everything.key, range_end: unfinished.key }));
    const { header } = await connection.repeat('delete', () =>
      connection.kv.deleteRange({ key: after, range_end: everything.range_end }),
    );
    const base = Math.max(0, first - Number(header.revision));
    const origin: Origin = { base, floor: Number(header.revision) + base };
    return {
      origin,
      async finish() {
        await connection.repeat('transaction', () =>
          connection.kv.txn({
            compare: [],
            success: [
              { request_put: { key: codec.key(ORIGIN), value: Buffer.from(JSON.stringify(origin)) } },
              { request_delete_range: unfinished },
            ],
            failure: [],
          }),
        );
      },
      close: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Sets a store aside, so that no server goes on with it. `where` says where it is now. */
export async function markMoved(place: EtcdPlace, where: string): Promise<void> {
  const connection = await Connection.load(place, place);
  const codec = new Codec(place.prefix);
  const value = Buffer.from(`${where}, ${toTimestamp(place.clock.now())} (to work on it all the same, delete ${JSON.stringify(codec.prefix + MOVED)})`); // prettier-ignore
  try {
    await connection.repeat('put', () => connection.kv.put({ key: codec.key(MOVED), value }));
  } catch (error) {
    throw new Error(`the store was copied, and could not be marked as moved: ${describeError(error)}`, { cause: error });
  } finally {
    connection.close();
  }
}
