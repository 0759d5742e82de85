import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Allocation, Stored } from '../../openapi/index.ts';
import { openPort } from '../agent-api.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../command.ts';
import { CommandError, explain } from '../errors.ts';
import { complain, say } from '../io/streams.ts';
import { clientStatus } from '../views/lists.ts';
import { pickAllocation } from './alloc/pick.ts';

export const portForward = defineClusterCommand({
  name: 'port-forward',
  summary: "Reach an allocation's ports from this machine",
  usage: '[options] <allocation>|job/<job> [[<local>]:]<port>…',
  description:
    'A port goes by its label in the job file, or by its number. Without a local one the same number is taken; ":<port>" takes a free one. Connections go ' +
    'through the API server and the agent of the node. Of a job, each connection goes to some allocation that runs at that time.',
  examples: [
    { text: 'The port "http" of an allocation, at 8080 here', command: 'port-forward 4fef9fed 8080:http' },
    { text: 'Of a job, at any free port', command: 'port-forward job/example :db' },
  ],
  args: { min: 2, rule: 'This command takes an allocation (or job/<name>) and at least one port' },
  completes: 'allocation',
  flags: { bind: flag.string('<ip>', 'The address of this machine to listen on. Default 127.0.0.1.') },
  async run({ args: [target, ...ports], flags }, context) {
    const asked = ports.map(readPort);
    const pick = await targets(context, target!);
    const first = await pick();
    const wanted = asked.map((one) => ({ ...one, same: numberOf(first, one.remote) }));
    const host = flags.bind ?? '127.0.0.1';
    return context.interruptible(async (signal) => {
      const open: { server: Server; sockets: Set<Socket> }[] = [];
      try {
        for (const { local, remote, same } of wanted) open.push(await forward(context, { host, port: local ?? same, remote, pick }));
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          else signal.addEventListener('abort', () => resolve(), { once: true });
        });
      } finally {
        for (const { server, sockets } of open) {
          server.close();
          for (const socket of sockets) socket.destroy();
        }
      }
      return 0;
    });
  },
}); // prettier-ignore

interface Wanted {
  /** Absent: the same number. */
  readonly local: number | undefined;
  readonly remote: string;
}

/** `8080:http`, `http`, `:6379`. */
function readPort(word: string): Wanted {
  const [, local, remote] = /^(?:(\d*):)?([A-Za-z0-9_-]+)$/.exec(word) ?? [];
  if (remote === undefined || Number(local ?? 0) > 65535)
    throw new CommandError(`"${word}" is no port; it should look like http, 8080:http or :6379`);
  return { local: local === undefined ? undefined : Number(local), remote };
}

/** The number that a port goes by inside the allocation; throws when it holds no such port. */
function numberOf({ spec }: Stored<Allocation>, remote: string): number {
  const ports = spec.resources?.ports ?? [];
  const found = ports.find(({ label, to, value }) => label === remote || String(to) === remote || String(value) === remote);
  if (found !== undefined) return /^\d+$/.test(remote) ? Number(remote) : found.to || found.value;
  const held = ports.map(({ label, value, to = 0 }) => `${label} (${to || value})`).join(', ');
  throw new CommandError(`The allocation has no port "${remote}"; it has ${held === '' ? 'none' : held}`);
}

/** Which allocation a connection goes to: the one that was named, or one of the job's at that time. */
async function targets(context: ClusterContext, target: string): Promise<() => Promise<Stored<Allocation>>> {
  const pick = async (): Promise<Stored<Allocation>> => {
    const allocation = await pickAllocation(context, target, false);
    const status = clientStatus(allocation);
    if (status !== 'running') throw new CommandError(`Allocation "${allocation.metadata.name.slice(0, 8)}" is not running: it is ${status}`); // prettier-ignore
    return allocation;
  };
  const first = await pick();
  return target.includes('/') ? pick : () => Promise.resolve(first);
}

interface Forward {
  readonly host: string;
  readonly port: number;
  readonly remote: string;
  readonly pick: () => Promise<Stored<Allocation>>;
}

async function forward(
  context: ClusterContext,
  { host, port, remote, pick }: Forward,
): Promise<{ server: Server; sockets: Set<Socket> }> {
  // prettier-ignore
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    socket.on('error', () => socket.destroy());
    const connected = async (): Promise<void> => {
      const allocation = await pick();
      join(socket, await openPort(context, allocation, remote));
    };
    connected().catch((error: unknown) => {
      complain(context, error instanceof CommandError ? error.message : explain(error, context.program));
      socket.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new CommandError(`Cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host, resolve);
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  say(context, `Forwarding from ${family === 'IPv6' ? `[${address}]` : address}:${bound} -> ${remote}`);
  return { server, sockets };
}

/** What waits to be sent may grow to this before more is read. */
const MUCH = 256 * 1024;

/** Copies both ways until both have ended, or either is gone. See the agent's port-forward for the messages. */
function join(socket: Socket, peer: WebSocket): void {
  if (socket.destroyed) return peer.terminate();
  let theirEnd = false;
  peer.on('message', (data, binary) => {
    if (!binary) {
      theirEnd = true;
      return void socket.end();
    }
    if (socket.write(data as Buffer)) return;
    peer.pause();
    socket.once('drain', () => peer.resume());
  });
  peer.on('error', () => peer.terminate());
  // Cut off in the middle must not look like an end.
  peer.once('close', () => (theirEnd ? socket.end() : socket.resetAndDestroy()));
  socket.on('data', (chunk) => {
    peer.send(chunk, () => {
      if (socket.isPaused() && peer.bufferedAmount < MUCH) socket.resume();
    });
    if (peer.bufferedAmount >= MUCH) socket.pause();
  });
  socket.once('end', () => peer.readyState === peer.OPEN && peer.send('end'));
  socket.once('close', () => (theirEnd ? peer.close() : peer.terminate()));
  peer.resume();
  socket.resume();
}
