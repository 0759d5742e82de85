import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer, type ApiServer } from '../../apiserver/index.ts';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import type { Store } from '../../apiserver/storage/store.ts';
import { ManualClock, silentLogger, type Logger } from '../../base/index.ts';
import { Client } from '../../client/index.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what the server says is looked at field by field
  readonly json: any;
}

/** A real apiserver on a real store (its own, or that of another server), whose clock stands still until the test moves it. */
export interface Server {
  readonly url: string;
  readonly client: Client;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly api: ApiServer;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  watch(path: string, headers?: Record<string, string>): Promise<Watching>;
  close(): Promise<void>;
}

export async function startServer(
  on?: { store: Store; clock: ManualClock; keyringFile?: string },
  log: Logger = silentLogger,
): Promise<Server> {
  const path = await mkdtemp(join(tmpdir(), 'orch-api-'));
  const clock = on?.clock ?? new ManualClock();
  const store = on?.store ?? (await openEmbeddedStore({ path, log, clock }));
  const keyringFile = on?.keyringFile ?? join(path, 'keyring.json');
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const api = await startApiServer({ store, listen, log, clock, keyringFile, compactionIntervalMs: 0 });
  const url = api.urls[0]!;
  const client = new Client({ servers: [url] });
  const watches = new Set<Watching>();
  return {
    url,
    client,
    store,
    clock,
    api,
    send: (method, at, body, headers) => send(url, method, at, body, headers),
    async watch(at, headers) {
      const watching = await Watching.open(url, at, headers);
      watches.add(watching);
      return watching;
    },
    async close() {
      client.close();
      await api.close();
      if (on === undefined) await store.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}

export function send(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const bytes = body === undefined ? undefined : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const type =
      bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(bytes)) };
    const request = httpRequest(url + path, { method, headers: { ...type, ...headers } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        let json: unknown;
        try {
          json = JSON.parse(text);
        } catch {
          json = undefined;
        }
        resolve({ status: response.statusCode!, headers: response.headers, text, json });
      });
    });
    request.on('error', reject);
    request.end(bytes);
  });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
export type WatchEvent = { type: string; object: any };

/** A raw watch: its events one by one, and its end. */
export class Watching {
  readonly #events: WatchEvent[] = [];
  #rest = '';
  #ended = false;
  #wake: (() => void) | undefined;
  readonly status: number;
  readonly #destroy: () => void;

  private constructor(status: number, destroy: () => void) {
    this.status = status;
    this.#destroy = destroy;
  }

  static open(url: string, path: string, headers: Record<string, string> = {}): Promise<Watching> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(url + path, { headers }, (response) => {
        const watching = new Watching(response.statusCode!, () => request.destroy());
        response.setEncoding('utf8');
        response.on('data', (text: string) => watching.#take(text));
        response.on('close', () => watching.#end());
        response.on('error', () => watching.#end());
        resolve(watching);
      });
      request.on('error', reject);
      request.end();
    });
  }

  /** The next event; undefined when the stream has ended. */
  async next(): Promise<WatchEvent | undefined> {
    const deadline = Date.now() + 30_000;
    while (this.#events.length === 0 && !this.#ended) {
      if (Date.now() > deadline) throw new Error('no event came within 30 s');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#events.shift();
  }

  /** The next `count` events as `TYPE name`. */
  async take(count: number): Promise<string[]> {
    const out: string[] = [];
    for (let i = 0; i < count; i++) {
      const event = await this.next();
      out.push(event === undefined ? 'END' : `${event.type} ${event.object.metadata?.name ?? event.object.reason ?? ''}`.trim());
    }
    return out;
  }

  /** How many events have come that nobody took. */
  get waiting(): number {
    return this.#events.length;
  }

  close(): void {
    this.#destroy();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) if (line !== '') this.#events.push(JSON.parse(line) as WatchEvent);
    this.#wake?.();
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}

/** Waits until `check` gives something; for what no watch can tell. */
export async function until<T>(check: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come true within 30 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
