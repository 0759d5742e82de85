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
 * What there is, then what changes, until the signal aborts. Streams that end are opened again from the version seen last; where
 * that is gone, everything comes again as ADDED. A server that cannot be reached for some seconds is an error.
 */
export async function* watchAll<T extends AnyObject>(
  client: Client,
  kind: Kind<T>,
  selection: Selection,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<Watched<T>, void> {
  const { namespace, fieldSelector, labelSelector } = selection;
  let version: string | undefined;
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

/** The states of one object: undefined while there is none, or once it is deleted. Versions seen already are left out. */
export async function* watchOne<T extends AnyObject>(
  client: Client,
  kind: Kind<T>,
  name: string,
  namespace: string | undefined,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<Stored<T> | undefined, void> {
  let seen: string | undefined;
  for await (const { type, object } of watchAll(client, kind, { namespace, fieldSelector: `metadata.name=${name}` }, options)) {
    if (type !== 'DELETED' && object.metadata.resourceVersion === seen) continue;
    seen = object.metadata.resourceVersion;
    yield type === 'DELETED' ? undefined : object;
  }
}

/** The first state of an object for which `done` says true. */
export async function waitFor<T extends AnyObject>(
  client: Client,
  kind: Kind<T>,
  name: string,
  namespace: string | undefined,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
  done: (object: Stored<T> | undefined) => boolean,
): Promise<Stored<T> | undefined> {
  for await (const object of watchOne(client, kind, name, namespace, options)) if (done(object)) return object;
  return undefined;
}
