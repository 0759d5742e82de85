import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../../base/index.ts';
import { Client, ConnectionError, type RequestOptions, type WatchEvent, type WatchOptions } from '../../../client/index.ts';
import type { Fence } from '../../../client/rest/client.ts';
import { collectionPath, type AnyObject, type Kind, type Stored } from '../../../openapi/index.ts';
import type { SimRequest, SimServer } from './server.ts';
import type { Process, World } from './world.ts';

/** What lies between processes: delays, losses and partitions. */
export class Network {
  /** The share of messages that get lost or are held up for long. */
  loss = 0;
  readonly #world: World;
  readonly #cut = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Cuts one direction. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`);
  }

  heal(): void {
    this.#cut.clear();
    this.loss = 0;
  }

  /** Brings a message over, later; in bad times much later, or not at all. */
  send(from: string, to: string, deliver: () => void): void {
    const { chance } = this.#world;
    if (this.#cut.has(`${from} ${to}`)) return;
    let delay = chance.between(0.2, 8);
    if (this.loss > 0 && chance.chance(this.loss)) {
      if (chance.chance(0.5)) return;
      delay = chance.between(1_000, 40_000);
    }
    this.#world.after(delay, deliver);
  }

  open(from: string, to: string): boolean {
    return !this.#cut.has(`${from} ${to}`);
  }
}

const TIMEOUT_MS = 30_000;

export interface SimClientOptions {
  readonly fence?: Fence;
  /** What is read instead of an object. */
  readonly lens?: ((object: AnyObject) => AnyObject) | undefined;
}

/** The client library as it is, over the simulated network instead of HTTP. */
export class SimClient extends Client {
  readonly #world: World;
  readonly #process: Process;
  readonly #network: Network;
  readonly #sim: readonly SimServer[];
  readonly #options: SimClientOptions;
  #at = 0;

  constructor(world: World, process: Process, network: Network, servers: readonly SimServer[], options: SimClientOptions = {}) {
    super({ servers: ['http://simulated'] });
    this.#world = world;
    this.#process = process;
    this.#network = network;
    this.#sim = servers;
    this.#options = options;
  }

  override withFence(fence: Fence): Client {
    return new SimClient(this.#world, this.#process, this.#network, this.#sim, { ...this.#options, fence });
  }

  override json<R>(method: string, path: string, options: RequestOptions = {}): Promise<R> {
    const { query = {}, body, headers, signal } = options;
    const request: SimRequest = {
      method,
      path,
      query,
      contentType: headers?.['content-type'],
      // As it is on the wire: no undefined, nothing shared.
      body: body === undefined ? undefined : JSON.parse(JSON.stringify(body)),
      fence: method === 'GET' ? undefined : this.#options.fence,
    };
    const server = this.#server();
    const me = this.#process.name;
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (fn: () => void): void =>
        this.#process.deliver(() => {
          if (settled) return;
          settled = true;
          timer.cancel();
          signal?.removeEventListener('abort', abort);
          fn();
        });
      const fail = (error: Error): void => {
        this.#at++;
        settle(() => reject(error));
      };
      const abort = (): void => settle(() => reject(signal!.reason as Error));
      const timer = this.#process.clock.after(TIMEOUT_MS, () => fail(new ApiError('Timeout', `${method} ${path}: no answer`)));
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.#network.send(me, server.name, () => {
        const back = (fn: () => void): void => this.#network.send(server.name, me, fn);
        if (!server.listening) return back(() => fail(refused('ECONNREFUSED')));
        const { process } = server;
        process.onDeath(() => back(() => fail(refused('ECONNRESET'))));
        process.deliver(() => {
          server.answer(request).then(
            (value) => process.alive && back(() => settle(() => resolve(this.#see(value) as R))),
            (error: Error) => process.alive && back(() => settle(() => reject(error))),
          );
        });
      });
    });
  }

  override stream(): Promise<IncomingMessage> {
    throw new Error('there are no streams in a simulated cluster');
  }

  override async *watch<T extends AnyObject>(kind: Kind<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>, void> {
    const { namespace, signal, opened, ...query } = options;
    const path = collectionPath(kind, namespace);
    const server = this.#server();
    const me = this.#process.name;
    const events: WatchEvent<T>[] = [];
    let failure: Error | undefined;
    let over = false;
    let wake: (() => void) | undefined;
    const notify = (): void => {
      wake?.();
      wake = undefined;
    };
    const end = (error?: Error): void => {
      failure ??= error;
      over = true;
      notify();
    };
    // A stream keeps its order; a piece of it that gets lost breaks it, which its reader may learn late or never.
    let clear = 0;
    let broken = false;
    const toReader = (deliver: () => void): void => {
      const at = Math.max(clear + 0.001, this.#world.instant + this.#world.chance.between(0.2, 8));
      clear = at;
      this.#world.after(at - this.#world.instant, () => {
        if (broken) return;
        if (this.#network.open(server.name, me)) return this.#process.deliver(deliver);
        broken = true;
        close();
        if (this.#world.chance.chance(0.7)) {
          const later = this.#world.chance.between(1_000, 30_000);
          this.#world.after(later, () => this.#process.deliver(() => end(refused('ECONNRESET'))));
        }
      });
    };
    let close: () => void = () => undefined;
    const abort = (): void => end();
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) end();
    const take = (lines: Buffer): void => {
      const parsed = parse<T>(lines);
      toReader(() => {
        events.push(...parsed);
        notify();
      });
    };
    this.#network.send(me, server.name, () => {
      if (over) return;
      if (!server.listening) return toReader(() => (this.#at++, end(refused('ECONNREFUSED'))));
      const { process } = server;
      process.onDeath(() => toReader(() => (this.#at++, end(refused('ECONNRESET')))));
      process.deliver(() => {
        server
          .watch(
            { method: 'GET', path, query },
            {
              push: take,
              bookmark: (revision) => take(Buffer.from(`${server.bookmark(path, revision)}\n`)),
              expire: (message) => toReader(() => end(new ApiError('Expired', message))),
            },
          )
          .then(
            (subscription) => {
              if (over || !process.alive) return subscription.close();
              close = subscription.close;
              toReader(() => opened?.());
              // What is there already comes in parts of lines.
              if (subscription.initial.length > 0) take(Buffer.concat(subscription.initial));
            },
            (error: Error) => toReader(() => end(error)),
          );
      });
    });
    this.#process.onDeath(() => close());
    try {
      for (;;) {
        const event = events.shift();
        if (event !== undefined)
          yield event.type === 'BOOKMARK' ? event : { ...event, object: this.#see(event.object) as Stored<T> };
        else if (over) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      if (failure !== undefined && signal?.aborted !== true) throw failure;
    } finally {
      close();
      signal?.removeEventListener('abort', abort);
    }
  }

  /** An object, or a list of objects, as this client is to see it. */
  #see(value: unknown): unknown {
    const { lens } = this.#options;
    if (lens === undefined || typeof value !== 'object' || value === null) return value;
    const { items } = value as { items?: AnyObject[] };
    return items === undefined ? lens(value as AnyObject) : { ...value, items: items.map(lens) };
  }

  #server(): SimServer {
    return this.#sim[this.#at % this.#sim.length]!;
  }
}

function refused(code: string): ConnectionError {
  return new ConnectionError('http://simulated', Object.assign(new Error(code), { code }));
}

/** The same bytes go to many readers, and are parsed for all of them at once. */
const parsed = new WeakMap<Buffer, unknown[]>();

function parse<T extends AnyObject>(lines: Buffer): WatchEvent<T>[] {
  let found = parsed.get(lines) as WatchEvent<T>[] | undefined;
  if (found === undefined) {
    found = lines
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as WatchEvent<T>);
    parsed.set(lines, found);
  }
  return found;
}
