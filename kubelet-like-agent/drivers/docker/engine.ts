import type Docker from 'dockerode';
import { backoff, describeError, sleep, type Clock, type Duration, type Logger } from '../../../base/index.ts';

export interface EngineOptions {
  /** `unix:///var/run/docker.sock`, `tcp://host:2375`; default: DOCKER_HOST, then the usual socket. */
  readonly endpoint?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The engine cannot be reached, or does not answer. What was asked may have happened or not. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable';
}

const CALL_TIMEOUT = 60_000;
const CONNECT_TIMEOUT = 10_000;

/**
 * The connection to the engine. While anybody needs it, one stream of events tells of ended containers and, by breaking, of a
 * dead engine. Events only wake: whoever is woken asks the engine for the state, and everybody is woken after a reconnect, so
 * nothing depends on having seen every event.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #watchers = new Map<string, () => void>();
  readonly #healthWaiters = new Set<() => void>();
  #docker: Promise<Docker> | undefined;
  #holders = 0;
  #stop: AbortController | undefined;
  #connected = false;
  /** The event loop has found out whether the engine is there; before that `#connected` says nothing. */
  #settled = false;
  /** What `fingerprint` said last; `changed` compares with it. */
  #reported: boolean | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Asks the engine something, with a time limit. */
  async call<T>(
    ask: (docker: Docker, signal: AbortSignal) => Promise<T>,
    options: { timeout?: Duration; signal?: AbortSignal } = {},
  ): Promise<T> {
    const limit = AbortSignal.timeout(options.timeout ?? CALL_TIMEOUT);
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
    try {
      return await Promise.race([this.#client().then((docker) => ask(docker, signal)), rejectOnAbort(signal)]);
    } catch (cause) {
      if (statusOf(cause) !== undefined || options.signal?.aborted) throw cause;
      if (limit.aborted) throw new EngineUnreachable('docker daemon does not answer', { cause });
      if (isConnectionError(cause)) throw new EngineUnreachable('Failed to connect to docker daemon', { cause });
      throw cause;
    }
  }

  #client(): Promise<Docker> {
    // Loaded when first needed: it costs a quarter of a second, and many nodes have no Docker.
    this.#docker ??= import('dockerode').then(({ default: Client }) => new Client(connection(this.#options.endpoint)));
    return this.#docker;
  }

  /** Calls `wake` when the container may have ended, until the returned function is called. */
  watch(container: string, wake: () => void): () => void {
    this.#watchers.set(container, wake);
    const release = this.#hold();
    return () => {
      if (this.#watchers.get(container) === wake) this.#watchers.delete(container);
      release();
    };
  }

  /** Resolves when the engine is connected; never when `signal` aborts first (look at it). */
  async connected(signal: AbortSignal): Promise<void> {
    const release = this.#hold();
    while (!this.#connected && !signal.aborted) await this.#healthChange(signal);
    release();
  }

  /** Resolves when the engine's health is not what was last reported. */
  async changed(signal: AbortSignal): Promise<void> {
    const release = this.#hold();
    while (!signal.aborted && (!this.#settled || this.#reported === undefined || this.#connected === this.#reported))
      await this.#healthChange(signal);
    release();
  }

  report(healthy: boolean): void {
    this.#reported = healthy;
    // Found out before the stream of events did.
    if (healthy !== this.#connected) for (const tell of this.#healthWaiters) tell();
  }

  #healthChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#healthWaiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#healthWaiters.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #hold(): () => void {
    if (this.#holders++ === 0) {
      this.#stop = new AbortController();
      this.#settled = false;
      void this.#eventLoop(this.#stop.signal);
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      if (--this.#holders > 0) return;
      this.#connected = false;
      this.#stop?.abort();
    };
  }

  async #eventLoop(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 0; !stop.aborted; attempt++) {
      const attempted = new AbortController();
      const abort = (): void => attempted.abort();
      stop.addEventListener('abort', abort, { once: true });
      const patience = setTimeout(abort, CONNECT_TIMEOUT);
      try {
        const docker = await this.#client();
        const filters = { type: ['container'], event: ['die', 'destroy'] };
        const events = await docker.getEvents({ filters, abortSignal: attempted.signal } as Docker.GetEventsOptions);
        clearTimeout(patience);
        attempt = 0;
        this.#setConnected(true, stop);
        for (const wake of [...this.#watchers.values()]) wake();
        for await (const event of jsonLines(events)) this.#watchers.get(containerOf(event) ?? '')?.();
      } catch (error) {
        if (!stop.aborted) log.debug('no connection to the docker daemon', { error: describeError(error) });
      } finally {
        clearTimeout(patience);
        attempted.abort();
        stop.removeEventListener('abort', abort);
      }
      if (stop.aborted) return;
      this.#setConnected(false, stop);
      await sleep(clock, backoff(attempt, 100, 10_000), stop);
    }
  }

  #setConnected(connected: boolean, stop: AbortSignal): void {
    if (stop.aborted || (this.#settled && this.#connected === connected)) return;
    if (this.#connected !== connected)
      this.#options.log.info(connected ? 'connected to the docker daemon' : 'lost the docker daemon');
    this.#settled = true;
    this.#connected = connected;
    for (const tell of [...this.#healthWaiters]) tell();
  }
}

/** Not every call of dockerode heeds a signal. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new Error('aborted'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function connection(endpoint: string | undefined): Docker.DockerOptions | undefined {
  if (endpoint === undefined) return undefined;
  const url = new URL(endpoint);
  if (url.protocol === 'unix:') return { socketPath: url.pathname };
  return { host: url.hostname, port: url.port, protocol: url.protocol === 'https:' ? 'https' : 'http' };
}

/** The HTTP status of an answer that was an error. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof Error ? (error as { statusCode?: number }).statusCode : undefined;

/** What the engine said, without dockerode's preface. */
export const reasonOf = (error: unknown): string => {
  const message = (error as { json?: { message?: unknown } }).json?.message;
  return typeof message === 'string'
    ? message
    : describeError(error)
        .replace(/^\(HTTP code \d+\) [^-]*- /, '')
        .trim();
};

function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return (code !== undefined && /^(ECONN|ENOENT|EACCES|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|UND_|HPE_)/.test(code)) || /socket hang up|aborted/.test(String(error)); // prettier-ignore
}

function containerOf(event: unknown): string | undefined {
  const { id, Actor } = event as { id?: string; Actor?: { ID?: string } };
  return id ?? Actor?.ID;
}

/** The objects of a stream of JSON lines. */
export async function* jsonLines(stream: AsyncIterable<string | Buffer>): AsyncGenerator<unknown, void, undefined> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line !== '') yield JSON.parse(line) as unknown;
    }
  }
}
