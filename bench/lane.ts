import { connect, type Socket } from 'node:net';

/**
 * One keep-alive connection that sends one request at a time and reads nothing of the answer but its length: what a client costs must
 * not be what is measured.
 */
export class Lane {
  readonly #socket: Socket;
  readonly #host: string;
  #head = '';
  #left = -1;
  #size = 0;
  #done: ((size: number) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('data', (data: Buffer) => this.#take(data));
    socket.on('close', () => this.#failed?.(new Error('the server closed the connection')));
    socket.on('error', (error) => this.#failed?.(error));
  }

  static async open(url: string): Promise<Lane> {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Lane(socket, host);
  }

  /** Resolves with the size of the answer; rejects when it is no success. */
  send(method: string, path: string, body = '', type = 'application/json'): Promise<number> {
    const rest = body === '' ? '' : `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${rest}\r\n${body}`);
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    if (this.#left < 0) {
      this.#head += data.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!this.#head.startsWith('HTTP/1.1 2')) {
        this.#failed?.(new Error(this.#head));
        return;
      }
      this.#size = Number(/content-length: (\d+)/i.exec(this.#head)![1]);
      this.#left = this.#size - (this.#head.length - end - 4);
      this.#head = '';
    } else this.#left -= data.length;
    if (this.#left > 0) return;
    this.#left = -1;
    this.#done!(this.#size);
  }
}
