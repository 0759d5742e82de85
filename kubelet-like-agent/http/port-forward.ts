/**
 * A TCP connection to a port of an allocation, by WebSocket: binary messages are bytes of the connection, the text `end` says that
 * no more come from that side. Only ports that the allocation holds can be reached; whatever else listens on the node stays out of
 * reach.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ApiError, describeError } from '../../base/index.ts';
import type { AllocatedPort, Allocation } from '../../openapi/index.ts';
import type { WebSocketPeer } from './websocket.ts';

const CONNECT_TIMEOUT_MS = 5_000;

export interface PortTarget {
  readonly host: string;
  readonly port: number;
}

/** Where a port of the allocation is reached from its node. `wanted` is a label, the port on the node, or the one that the task listens on. */
export function portTarget({ spec, status }: Pick<Allocation, 'spec' | 'status'>, wanted: string): PortTarget {
  const ports = spec.resources?.ports ?? [];
  const found =
    ports.find(({ label }) => label === wanted) ??
    ports.find(({ to }) => String(to) === wanted) ??
    ports.find(({ value }) => String(value) === wanted);
  if (found === undefined) {
    const held = ports.map(describe).join(', ');
    throw new ApiError('NotFound', `the allocation has no port "${wanted}"; it has ${held === '' ? 'none' : held}`);
  }
  // Inside a network of its own the task is reached without the node's forwarding, which leaves out the loopback interface.
  const inside = status?.networks?.address;
  if (inside !== undefined && inside !== '' && found.task === undefined) return { host: inside, port: found.to || found.value };
  const { hostIP = '' } = found;
  return { host: hostIP === '' || hostIP === '0.0.0.0' ? '127.0.0.1' : hostIP === '::' ? '::1' : hostIP, port: found.value };
}

const describe = ({ label, value, to = 0 }: AllocatedPort): string =>
  `${label} (${value}${to > 0 && to !== value ? ` -> ${to}` : ''})`;

/** Resolves once the connection is there, so that one that is refused is refused before the WebSocket is made. */
export async function openPort({ host, port }: PortTarget): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, timeout: CONNECT_TIMEOUT_MS });
  socket.once('timeout', () => {
    if (socket.connecting) socket.destroy(new Error('no connection in time'));
  });
  try {
    await once(socket, 'connect');
  } catch (error) {
    socket.destroy();
    throw new ApiError('ServiceUnavailable', `nothing answers at ${host}:${port}: ${describeError(error)}`);
  }
  return socket.setTimeout(0).setNoDelay(true);
}

/** Copies both ways until both have ended, or either is gone. */
export async function servePort(peer: WebSocketPeer, socket: Socket, head: Buffer): Promise<void> {
  socket.on('error', () => socket.destroy());
  void peer.closed.then(() => socket.destroy());
  peer.onData = (data) => {
    if (socket.write(data)) return;
    peer.pause();
    socket.once('drain', () => peer.resume()).once('close', () => peer.resume());
  };
  peer.onMessage = (text) => {
    if (text === 'end') socket.end();
  };
  peer.start(head);
  try {
    // Ending does not destroy: the other direction may go on.
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) await peer.sendData(chunk);
    await peer.send('end');
  } catch {
    return peer.destroy(); // reset: the other end is to see that too
  }
  if (!socket.writableFinished && !socket.destroyed) await once(socket, 'close').catch(() => undefined);
  peer.close();
}
