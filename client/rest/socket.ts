import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { ApiError } from '../../base/index.ts';

/** Why an API server did not make a WebSocket of a request: an ApiError where it said so itself. */
export class SocketRefused extends Error {
  override readonly name = 'SocketRefused';
}

/** Opens a WebSocket. Resolves once it is open, with nothing lost of what the server sends at once: it is paused. */
export async function openSocket(url: URL, headers: Record<string, string>, timeoutMs: number): Promise<WebSocket> {
  // Few commands talk this way; the others are not to wait for its code.
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(url, { headers, handshakeTimeout: timeoutMs, perMessageDeflate: false });
  const refused = new Promise<never>((_, reject) => {
    socket.once('unexpected-response', (_request, response: IncomingMessage) => {
      readRefusal(response).then(reject, reject);
    });
  });
  socket.once('open', () => socket.pause());
  await Promise.race([once(socket, 'open'), refused]);
  return socket;
}

async function readRefusal(response: IncomingMessage): Promise<Error> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const code = response.statusCode ?? 0;
  try {
    const status: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    if ((status as { kind?: unknown } | null)?.kind === 'Status') return ApiError.fromStatus(status, code);
  } catch {
    // Said below: no API server speaks so.
  }
  return new SocketRefused(`what answers there (${code} ${response.statusMessage}) is no API server`);
}
