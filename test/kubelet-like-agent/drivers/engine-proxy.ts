import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { rm } from 'node:fs/promises';

/** Stands between a driver and the real engine, so that a test can take the engine away without stopping it for others. */
export interface EngineProxy {
  readonly endpoint: string;
  /** The engine dies: connections break, new ones are refused. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** Answers a request itself; false to pass it on. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
  close(): Promise<void>;
}

export async function openEngineProxy(path: string): Promise<EngineProxy> {
  const sockets = new Set<Socket>();
  const proxy: EngineProxy = {
    endpoint: `unix://${path}`,
    intercept: () => false,
    async cut() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      await rm(path, { force: true });
    },
    restore: () => new Promise((resolve) => server.listen(path, resolve)),
    async close() {
      if (server.listening) await proxy.cut();
    },
  };
  const server = createServer((incoming, response) => {
    if (proxy.intercept(incoming, response)) return;
    const { method, url, headers } = incoming;
    const outgoing = request({ socketPath: '/var/run/docker.sock', method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await proxy.restore();
  return proxy;
}
