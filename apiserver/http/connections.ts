import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** A connection that had a request within this time is in use: its client is about to send the next one. */
const RECENT_MS = 1_000;
/** How long to wait for the connections in use, which are told with their next answer. */
const DRAIN_MS = 1_000;

/**
 * The connections of a server, so that none is closed under a request that is on its way: what reaches a socket that was
 * just closed is answered with a reset, of which a client cannot know whether its write was carried out.
 */
export class Connections {
  /** When each had a request. */
  readonly #usedAt = new Map<Socket, number>();

  /** Of a server that does not serve yet. */
  follow(server: Server): void {
    server.on('request', ({ socket }) => {
      if (!this.#usedAt.has(socket)) socket.once('close', () => this.#usedAt.delete(socket));
      this.#usedAt.set(socket, performance.now());
    });
  }

  /** Resolves when every connection in use has been closed, which each answer asks for by now; within DRAIN_MS in any case. */
  async drained(): Promise<void> {
    const now = performance.now();
    const used = [...this.#usedAt].filter(([, at]) => now - at < RECENT_MS).map(([socket]) => socket);
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, DRAIN_MS)));
    const closed = used.map((socket) => new Promise<void>((resolve) => void socket.once('close', () => resolve())));
    await Promise.race([Promise.all(closed), enough]);
    clearTimeout(timer);
  }
}
