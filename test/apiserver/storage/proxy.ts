/** A TCP proxy that loses, cuts and holds back, for tests of what a network does. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  readonly endpoint: string;
  /** Bytes that went from the server to clients so far. */
  readonly received: number;
  /** Answers vanish (requests still arrive) until `cut`. */
  loseAnswers(): void;
  /** Cuts all connections; new ones work. */
  cut(): void;
  /** Cuts all connections once so many more bytes came from the server. */
  cutAfter(bytes: number): void;
  close(): Promise<void>;
}

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let losing = false;
  let received = 0;
  let cutAt = Infinity;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      received += chunk.length;
      if (received >= cutAt) return cut();
      if (!losing && !client.write(chunk)) {
        upstream.pause();
        client.once('drain', () => upstream.resume());
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    losing = false;
    cutAt = Infinity;
    for (const socket of sockets) socket.destroy();
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    get received() {
      return received;
    },
    loseAnswers: () => void (losing = true),
    cut,
    cutAfter: (bytes) => void (cutAt = received + bytes),
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
