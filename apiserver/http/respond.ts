import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { ApiError, ApiStatus } from '../../base/index.ts';

const JSON_TYPE = 'application/json';

export function sendBytes(response: ServerResponse, code: number, bytes: Buffer, type = JSON_TYPE): void {
  response.writeHead(code, { 'content-type': type, 'content-length': bytes.length, 'x-content-type-options': 'nosniff' });
  response.end(bytes);
}

export function sendJson(response: ServerResponse, code: number, value: unknown, type = JSON_TYPE): void {
  sendBytes(response, code, Buffer.from(JSON.stringify(value) + '\n'), type);
}

export function sendText(response: ServerResponse, code: number, text: string, type = 'text/plain; charset=utf-8'): void {
  sendBytes(response, code, Buffer.from(text), type);
}

/** Any failure as metav1.Status. When the answer has begun there is nothing left to say: the connection is cut, so that nobody takes half for all. */
export function sendError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = error.toStatus();
  if (error.details.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(error.details.retryAfterSeconds));
  sendJson(response, error.code, status);
}

export const success = (details: NonNullable<ApiStatus['details']>): ApiStatus => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details,
});

/** `Warning: 299 - "text"`, one header each, as kubectl prints them. */
export function addWarnings(response: ServerResponse, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  // Headers are limited in size, and in their characters: line ends and tabs travel as \n and \t.
  const headers = warnings.map((text) => {
    const clean = text
      .replace(/\n/g, '\\n')
      .replace(/\t/g, '\\t')
      .replace(/[^\x20-\x7e]/g, '?')
      .slice(0, 1024);
    return `299 - "${clean.replace(/["\\]/g, '\\$&')}"`;
  });
  const before = response.getHeader('warning');
  let room = 8192;
  response.setHeader('warning', [...(Array.isArray(before) ? before : []), ...headers].filter((header) => (room -= header.length) > 0)); // prettier-ignore
}

const PIECE = 1 << 20;

/** Sends many small parts: joined into pieces, waiting where the reader is slow. */
export async function sendParts(response: ServerResponse, parts: readonly Buffer[], type = JSON_TYPE): Promise<void> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  response.writeHead(200, { 'content-type': type, 'content-length': size, 'x-content-type-options': 'nosniff' });
  if (size <= PIECE) {
    response.end(Buffer.concat(parts, size));
    return;
  }
  for (const piece of pieces(parts)) if (!response.write(piece) && !(await drained(response))) return;
  response.end();
}

/** Joins parts into buffers of about a megabyte. */
export function* pieces(parts: readonly Buffer[]): Generator<Buffer> {
  let from = 0;
  let size = 0;
  for (let i = 0; i < parts.length; i++) {
    size += parts[i]!.length;
    if (size < PIECE && i < parts.length - 1) continue;
    yield from === i ? parts[i]! : Buffer.concat(parts.slice(from, i + 1), size);
    from = i + 1;
    size = 0;
  }
}

/** Resolves when the reader has caught up; false when it is gone. */
export async function drained(response: ServerResponse): Promise<boolean> {
  if (response.destroyed || response.closed) return false;
  const stop = new AbortController();
  try {
    await Promise.race([once(response, 'drain', { signal: stop.signal }), once(response, 'close', { signal: stop.signal })]);
  } catch {
    return false;
  } finally {
    stop.abort();
  }
  return !response.destroyed && !response.closed;
}

/** Sends lines as they come, until there are no more, the reader is gone, or the server ends. */
export async function sendLines(
  response: ServerResponse,
  lines: (signal: AbortSignal) => AsyncIterable<string>,
  ending: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, ending]);
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }); // prettier-ignore
  response.flushHeaders();
  for await (const line of lines(signal)) if (!response.write(line) && !(await drained(response))) return;
  response.end();
}
