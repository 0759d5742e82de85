import { isReason, sleep, type Clock } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import type { AnyObject, Kind, Stored } from '../openapi/index.ts';

export interface Watched<T extends AnyObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored<T>;
}

interface Selection {
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

const retryDelays = [100, 500, 1000, 2000, 4000];

/**
 * What there is, then what changes, until the signal aborts. Streams that end are opened again from the version seen last; where that is
 * gone, everything comes again as ADDED. `from` a version only what follows is told, and that it is gone is thrown as Expired. A server
 * that cannot be reached for some seconds is an error.
 */
export async function* watchAll<T extends AnyObject>(
  client: Client,
  kind: Kind<T>,
  selection: Selection,
  { clock, signal, from }: { readonly clock: Clock; readonly signal: AbortSignal; readonly from?: string },
): AsyncGenerator<Watched<T>, void> {
  const { namespace, fieldSelector, labelSelector } = selection;
  let version = from;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const events = client.watch(kind, {
        signal,
        ...(namespace !== undefined && { namespace }),
        ...(fieldSelector !== undefined && { fieldSelector }),
        ...(labelSelector !== undefined && { labelSelector }),
        ...(version !== undefined && { resourceVersion: version }),
      });
      for await (const { type, object } of events) {
        failures = 0;
        version = object.metadata.resourceVersion;
        if (type !== 'BOOKMARK') yield { type, object };
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isReason(error, 'Expired')) {
        if (from !== undefined) throw error;
        version = undefined;
        continue;
      }
      if (!isBroken(error) || failures >= retryDelays.length) throw error;
      await sleep(clock, retryDelays[failures++]!, signal);
    }
  }
}

/** Whether the connection failed, and not what was asked for. */
const isBroken = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'ConnectionError' || typeof (error as NodeJS.ErrnoException).code === 'string');

/**
 * The states of one object: undefined while there is none, or once it is deleted. It is listed first, and watched from there on, so an
 * end is told whenever it comes. One that `mayComeLater` is waited for: that there is none yet is not told.
 */
export async function* watchOne<T extends AnyObject>(
  client: Client,
  kind: Kind<T>,
  name: string,
  namespace: string | undefined,
  options: { readonly clock: Clock; readonly signal: AbortSignal; readonly mayComeLater?: boolean },
): AsyncGenerator<Stored<T> | undefined, void> {
  const { clock, signal, mayComeLater = false } = options;
  const selection = { ...(namespace !== undefined && { namespace }), fieldSelector: `metadata.name=${name}` };
  let seen: string | undefined;
  while (!signal.aborted) {
    const list = await client.list(kind, { ...selection, signal }).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (list === undefined) return;
    const { metadata } = list;
    const [now] = list.items;
    if (now === undefined ? seen !== undefined || !mayComeLater : now.metadata.resourceVersion !== seen) {
      seen = now?.metadata.resourceVersion ?? metadata.resourceVersion;
      yield now;
    }
    try {
      for await (const { type, object } of watchAll(client, kind, selection, { clock, signal, from: metadata.resourceVersion })) {
        if (type !== 'DELETED' && object.metadata.resourceVersion === seen) continue;
        seen = object.metadata.resourceVersion;
        yield type === 'DELETED' ? undefined : object;
      }
    } catch (error) {
      // Where history is gone, a new list tells how things stand.
      if (!isReason(error, 'Expired')) throw error;
    }
  }
}

/** The first state of an object for which `done` says true. */
export async function waitFor<T extends AnyObject>(
  client: Client,
  kind: Kind<T>,
  name: string,
  namespace: string | undefined,
  options: { readonly clock: Clock; readonly signal: AbortSignal; readonly mayComeLater?: boolean },
  done: (object: Stored<T> | undefined) => boolean,
): Promise<Stored<T> | undefined> {
  for await (const object of watchOne(client, kind, name, namespace, options)) if (done(object)) return object;
  return undefined;
}
