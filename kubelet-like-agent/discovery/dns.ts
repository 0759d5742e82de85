import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { describeError, type Logger } from '../../base/index.ts';
import { answer, fit, reply, udpLimit, type Zone } from './answer.ts';

export interface DnsOptions {
  readonly host: string;
  /** 0: any free one, the same for both protocols. */
  readonly port: number;
  readonly zone: Zone;
  /** Resolves when the services are known, or soon enough for a resolver not to have given up. */
  readonly ready: () => Promise<void>;
  readonly log: Logger;
}

const TCP_LIMIT = 65_535;
const TCP_IDLE = 10_000;
const TCP_CONNECTIONS = 200;
const HEADER = 12;

/** The name server of a node: UDP and TCP on one port. */
export class DnsServer {
  readonly #options: DnsOptions;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();

  private constructor(options: DnsOptions) {
    this.#options = options;
    this.#udp = createSocket(isIPv6(options.host) ? 'udp6' : 'udp4');
    this.#tcp = createServer((socket) => this.#serve(socket));
    this.#tcp.maxConnections = TCP_CONNECTIONS;
  }

  static async listen(options: DnsOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    const { host } = options;
    try {
      await new Promise<void>((resolve, reject) => {
        server.#tcp.once('error', reject);
        server.#tcp.listen(options.port, host, () => resolve());
      });
      await new Promise<void>((resolve, reject) => {
        server.#udp.once('error', reject);
        server.#udp.bind(server.port, host, () => resolve());
      });
    } catch (error) {
      await server.close();
      throw error;
    }
    server.#udp.on('error', (error) => options.log.warn('name server', { error: describeError(error) }));
    server.#tcp.on('error', (error) => options.log.warn('name server', { error: describeError(error) }));
    server.#udp.on('message', (message, { address, port }) => {
      void server.#answer(message, udpLimit).then((bytes) => {
        if (bytes !== undefined) server.#send(bytes, port, address);
      });
    });
    return server;
  }

  get port(): number {
    const address = this.#tcp.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
      new Promise<void>((resolve) => {
        try {
          this.#udp.close(() => resolve());
        } catch {
          resolve(); // it was never bound
        }
      }),
    ]);
  }

  #send(bytes: Buffer, port: number, address: string): void {
    try {
      // Who asked may be gone, and so may the socket.
      this.#udp.send(bytes, port, address, () => undefined);
    } catch (error) {
      this.#options.log.debug('an answer could not be sent', { error: describeError(error) });
    }
  }

  /** Each message has its length in front; many may come over one connection. */
  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.setTimeout(TCP_IDLE, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    void this.#conversation(socket).catch(() => socket.destroy());
  }

  async #conversation(socket: Socket): Promise<void> {
    let waiting = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
        const message = waiting.subarray(2, 2 + waiting.readUInt16BE(0));
        waiting = waiting.subarray(2 + message.length);
        const bytes = await this.#answer(message, () => TCP_LIMIT);
        if (bytes === undefined) return void socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(bytes.length);
        if (!socket.write(Buffer.concat([length, bytes]))) await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve)); // prettier-ignore
      }
    }
  }

  async #answer(message: Buffer, limit: (query: Packet) => number): Promise<Buffer | undefined> {
    const { zone, ready, log } = this.#options;
    try {
      const query = read(message);
      if (query === undefined) return undefined;
      if (typeof query === 'number') return encode(reply({ type: 'query', id: query }, 'FORMERR', {}));
      await ready();
      const answered = answer(query, zone);
      return answered === undefined ? undefined : encode(fit(answered, limit(query)));
    } catch (error) {
      log.warn('a question could not be answered', { error: describeError(error) });
      return undefined;
    }
  }
}

/** The packet; its ID where it is no question that can be read; undefined where it cannot even be answered. */
function read(message: Buffer): Packet | number | undefined {
  if (message.length < HEADER || (message[2]! & 0x80) !== 0) return undefined;
  try {
    return decode(message);
  } catch {
    return message.readUInt16BE(0);
  }
}
