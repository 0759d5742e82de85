import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../base/index.ts';
import type { AnyObject, Stored } from '../../openapi/index.ts';

/** A change as the server tells it. A BOOKMARK carries nothing but metadata.resourceVersion. */
export type WatchEvent<T extends AnyObject> = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: Stored<T>;
};

/** Splits a watch response into events. An ERROR event is thrown as ApiError; an unreadable line ends the watch with an error. */
export async function* readWatch<T extends AnyObject>(
  response: IncomingMessage,
  signal?: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void> {
  let rest = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.trim() === '') continue;
        const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: { code?: number } };
        if (event.type === 'ERROR') throw ApiError.fromStatus(event.object, event.object.code ?? 500);
        yield event;
      }
    }
  } catch (error) {
    if (signal?.aborted) return;
    throw error;
  } finally {
    response.destroy();
  }
}
