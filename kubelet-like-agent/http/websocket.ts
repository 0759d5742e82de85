/** As much of WebSocket (RFC 6455) as exec sessions and forwarded ports need: messages both ways, pings, an orderly end. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../base/index.ts';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const LARGEST = 1 << 20;
/** What waits to be sent may grow to this before whoever writes is asked to wait. */
const MUCH = 256 * 1024;

export class WebSocketPeer {
  readonly #socket: Duplex;
  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #size = 0;
  #closing = false;
  #binary = false;
  onMessage: (text: string) => void = () => undefined;
  onData: (data: Buffer) => void = () => undefined;
  /** Resolves when the connection is over, however it came to that. */
  readonly closed: Promise<void>;

  private constructor(socket: Duplex) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
  }

  /** Answers the request to upgrade. Throws ApiError when it is not one. */
  static accept(request: IncomingMessage, socket: Duplex): WebSocketPeer {
    const { upgrade, 'sec-websocket-key': key, 'sec-websocket-version': version } = request.headers;
    if (upgrade?.toLowerCase() !== 'websocket' || key === undefined)
      throw new ApiError('BadRequest', 'this needs a WebSocket connection');
    if (version !== '13') throw new ApiError('BadRequest', 'only version 13 of WebSocket is spoken here');
    const accept = createHash('sha1').update(key + MAGIC).digest('base64'); // prettier-ignore
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`); // prettier-ignore
    return new WebSocketPeer(socket);
  }

  /** From now on messages arrive; `head` is what came with the request. */
  start(head: Buffer): void {
    this.#take(head);
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Resolves when more may be sent. */
  send(text: string): Promise<void> {
    return this.#send(1, Buffer.from(text));
  }

  /** Bytes instead of a text. */
  sendData(data: Buffer): Promise<void> {
    return this.#send(2, data);
  }

  /** Takes nothing more in until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async #send(opcode: number, data: Buffer): Promise<void> {
    if (this.#closing || this.#socket.destroyed) return;
    this.#write(opcode, data);
    if (this.#socket.writableLength < MUCH) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.once('drain', done).once('close', done);
    });
  }

  close(code = 1000, reason = ''): void {
    if (this.#closing) return;
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    this.#write(8, body);
    this.#closing = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #write(opcode: number, data: Buffer): void {
    const long = data.length > 0xffff ? 10 : data.length > 125 ? 4 : 2;
    const header = Buffer.alloc(long);
    header[0] = 0x80 | opcode;
    if (long === 2) header[1] = data.length;
    else if (long === 4) {
      header[1] = 126;
      header.writeUInt16BE(data.length, 2);
    } else {
      header[1] = 127;
      header.writeBigUInt64BE(BigInt(data.length), 2);
    }
    this.#socket.write(Buffer.concat([header, data]));
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const frame = readFrame(this.#rest);
      if (frame === 'more') return;
      if (frame === 'wrong') return this.close(1002, 'the frame is not one that a client sends');
      this.#rest = this.#rest.subarray(frame.length);
      this.#frame(frame);
    }
  }

  #frame({ opcode, last, data }: Frame): void {
    switch (opcode) {
      case 8:
        return this.close();
      case 9:
        return this.#write(10, data);
      case 10:
        return;
    }
    if (opcode !== 0) this.#binary = opcode === 2;
    this.#parts.push(data);
    this.#size += data.length;
    if (this.#size > LARGEST) return this.close(1009, 'the message is too large');
    if (!last) return;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    if (this.#binary) this.onData(whole);
    else this.onMessage(whole.toString('utf8'));
  }
}

interface Frame {
  readonly opcode: number;
  readonly last: boolean;
  readonly data: Buffer;
  /** Of the whole frame. */
  readonly length: number;
}

function readFrame(bytes: Buffer): Frame | 'more' | 'wrong' {
  if (bytes.length < 2) return 'more';
  const [first, second] = [bytes[0]!, bytes[1]!];
  // Clients mask, and no extension was agreed on.
  if ((second & 0x80) === 0 || (first & 0x70) !== 0) return 'wrong';
  let size = second & 0x7f;
  let at = 2;
  if (size === 126) {
    if (bytes.length < 4) return 'more';
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return 'more';
    if (bytes.readUInt32BE(2) !== 0 || bytes.readUInt32BE(6) > LARGEST) return 'wrong';
    size = bytes.readUInt32BE(6);
    at = 10;
  }
  if (bytes.length < at + 4 + size) return 'more';
  const mask = bytes.subarray(at, at + 4);
  const data = Buffer.from(bytes.subarray(at + 4, at + 4 + size));
  for (let i = 0; i < size; i++) data[i]! ^= mask[i % 4]!;
  return { opcode: first & 0x0f, last: (first & 0x80) !== 0, data, length: at + 4 + size };
}
