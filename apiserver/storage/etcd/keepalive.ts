import type { Clock, Duration } from '../../../base/index.ts';
import { LeaseNotFoundError, StoreUnavailableError, type LeaseId } from '../store.ts';
import type { Connection, KeepAliveStream as Stream } from './connection.ts';

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** Keep-alives of all leases over one stream; thousands of nodes must not cost a stream each. */
export class KeepAlives {
  readonly #connection: Connection;
  readonly #clock: Clock;
  #stream: Promise<Stream> | undefined;
  /** By lease, in the order they were sent: etcd answers each. */
  readonly #waiting = new Map<LeaseId, Waiting[]>();

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** Fails with LeaseNotFoundError, or with what broke the stream. */
  async send(lease: LeaseId, timeout: Duration): Promise<void> {
    const stream = await (this.#stream ??= this.#open());
    await new Promise<void>((resolve, reject) => {
      const timer = this.#clock.after(timeout, () =>
        this.#broken(stream, new StoreUnavailableError('etcd does not answer keep-alives')),
      );
      const waiting: Waiting = {
        resolve: () => (timer.cancel(), resolve()),
        reject: (error) => (timer.cancel(), reject(error)),
      };
      const queue = this.#waiting.get(lease);
      if (queue === undefined) this.#waiting.set(lease, [waiting]);
      else queue.push(waiting);
      stream.write({ ID: lease });
    });
  }

  async #open(): Promise<Stream> {
    try {
      const stream = await this.#connection.keepAlives();
      stream.on('data', ({ ID, TTL }) => {
        const queue = this.#waiting.get(ID);
        const waiting = queue?.shift();
        if (queue?.length === 0) this.#waiting.delete(ID);
        if (Number(TTL) > 0) waiting?.resolve();
        else waiting?.reject(new LeaseNotFoundError(ID));
      });
      stream.on('error', (error) => this.#broken(stream, error));
      stream.on('end', () => this.#broken(stream, new StoreUnavailableError('etcd ended the keep-alive stream')));
      return stream;
    } catch (error) {
      this.#stream = undefined;
      throw error;
    }
  }

  #broken(stream: Stream, error: Error): void {
    this.#stream = undefined;
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
    stream.cancel();
  }

  async close(): Promise<void> {
    const stream = await this.#stream?.catch(() => undefined);
    if (stream !== undefined) this.#broken(stream, new StoreUnavailableError('the store is closed'));
  }
}
