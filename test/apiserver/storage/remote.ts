/** A store in a process of its own, so that a test can kill it: `serveStore` there, `RemoteStore` here. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { openEmbeddedStore } from '../../../apiserver/storage/embedded/index.ts';
import { openEtcdStore } from '../../../apiserver/storage/etcd/index.ts';
import {
  CompactedError,
  FutureRevisionError,
  LeaseNotFoundError,
  StoreUnavailableError,
  type KeyRange,
  type Store,
  type WatchBatch,
  type WatchOptions,
} from '../../../apiserver/storage/store.ts';

export type Where = { readonly path: string } | { readonly endpoints: readonly string[]; readonly prefix: string };

/** What of a store is tested through here. */
export type Tested = Pick<Store, 'txn' | 'range' | 'watch' | 'revision' | 'requestProgress'> &
  Partial<Pick<Store, 'grantLease' | 'revokeLease' | 'compact'>>;

type Method = 'txn' | 'range' | 'revision' | 'requestProgress' | 'grantLease' | 'revokeLease' | 'compact';
type Request =
  | { readonly id: number; readonly method: Method; readonly args: readonly unknown[] }
  | { readonly id: number; readonly method: 'watch'; readonly range: KeyRange; readonly startRevision: number | undefined }
  | { readonly id: number; readonly method: 'unwatch' };
type Reply = { readonly id: number } & (
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'batch'; readonly batch: WatchBatch }
  | { readonly type: 'error'; readonly name: string; readonly message: string; readonly compacted: number | undefined }
);

/** The child: opens the store and serves it until it is killed. */
export async function serveStore(where: Where): Promise<void> {
  const options = { log: silentLogger, clock: systemClock };
  const store =
    'path' in where ? await openEmbeddedStore({ ...where, ...options }) : await openEtcdStore({ ...where, ...options });
  const watches = new Map<number, AbortController>();
  const send = (reply: Reply): void => void process.send!(reply);
  const failed = (id: number, error: Error): void =>
    send({
      id,
      type: 'error',
      name: error.name,
      message: error.message,
      compacted: (error as Partial<CompactedError>).compacted,
    });
  process.on('disconnect', () => process.exit(0));
  process.on('message', (request: Request) => {
    const { id } = request;
    if (request.method === 'unwatch') return watches.get(id)?.abort();
    if (request.method === 'watch') {
      const abort = new AbortController();
      watches.set(id, abort);
      const { range, startRevision } = request;
      const batches = store.watch(range, { signal: abort.signal, ...(startRevision !== undefined && { startRevision }) });
      void (async () => {
        try {
          for await (const batch of batches) send({ id, type: 'batch', batch });
        } catch (error) {
          failed(id, error as Error);
        }
      })();
      return;
    }
    const call = store[request.method] as (...args: readonly unknown[]) => Promise<unknown>;
    call.apply(store, request.args as unknown[]).then(
      (result) => send({ id, type: 'result', result }),
      (error: unknown) => failed(id, error as Error),
    );
  });
  process.send!('ready');
}

interface Pending {
  reply(reply: Reply): void;
  lost(error: Error): void;
}

export class RemoteStore implements Tested {
  readonly #program: string;
  readonly #where: Where;
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | undefined;
  /** Calls wait at it while the process is not there. */
  #gate = closedGate();
  #ids = 0;

  /** `program` calls `serveStore` when it is run with `--store WHERE`. */
  constructor(program: string, where: Where) {
    this.#program = program;
    this.#where = where;
  }

  async start(): Promise<void> {
    const child = fork(this.#program, ['--store', JSON.stringify(this.#where)], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (reply: Reply | 'ready') => {
        if (reply === 'ready') resolve();
        else this.#pending.get(reply.id)?.reply(reply);
      });
      child.on('exit', (code, signal) => reject(new Error(`the store's process ended: ${code ?? signal}`)));
    });
    await ready;
    this.#gate.open();
  }

  /** SIGKILL. What was asked and not answered fails; what is asked from now on waits for `start`. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    this.#gate = closedGate(this.#gate);
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of lost) pending.lost(new StoreUnavailableError("the store's process was killed"));
  }

  txn: Store['txn'] = (...args) => this.#call('txn', args) as ReturnType<Store['txn']>;
  range: Store['range'] = (...args) => this.#call('range', args) as ReturnType<Store['range']>;
  revision: Store['revision'] = () => this.#call('revision', []) as Promise<number>;
  requestProgress: Store['requestProgress'] = () => this.#call('requestProgress', []) as Promise<void>;
  grantLease: Store['grantLease'] = (...args) => this.#call('grantLease', args) as Promise<string>;
  revokeLease: Store['revokeLease'] = (...args) => this.#call('revokeLease', args) as Promise<void>;
  compact: Store['compact'] = (...args) => this.#call('compact', args) as Promise<void>;

  async #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    await this.#gate.opened;
    const id = this.#ids++;
    return new Promise((resolve, reject) => {
      const settle = (): void => void this.#pending.delete(id);
      this.#pending.set(id, {
        reply: (reply) => {
          settle();
          if (reply.type === 'error') reject(rebuilt(reply));
          else if (reply.type === 'result') resolve(reply.result);
        },
        lost: reject,
      });
      this.#send({ id, method, args });
    });
  }

  async *watch(range: KeyRange, { startRevision, signal }: WatchOptions = {}): AsyncGenerator<WatchBatch> {
    await this.#gate.opened;
    const id = this.#ids++;
    const batches: WatchBatch[] = [];
    let failure: Error | undefined;
    let wake = (): void => undefined;
    this.#pending.set(id, {
      reply: (reply) => {
        if (reply.type === 'batch') batches.push(reply.batch);
        else if (reply.type === 'error') failure = rebuilt(reply);
        wake();
      },
      lost: (error) => {
        failure = error;
        wake();
      },
    });
    const onAbort = (): void => wake();
    signal?.addEventListener('abort', onAbort);
    try {
      this.#send({ id, method: 'watch', range, startRevision });
      for (;;) {
        if (signal?.aborted) return;
        const batch = batches.shift();
        if (batch !== undefined) yield batch;
        else if (failure !== undefined) throw failure;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (this.#pending.delete(id) && this.#child !== undefined) this.#send({ id, method: 'unwatch' });
    }
  }

  #send(request: Request): void {
    this.#child?.send(request, (error) => {
      if (error !== null) this.#pending.get(request.id)?.lost(new StoreUnavailableError(error.message));
    });
  }
}

interface Gate {
  readonly opened: Promise<void>;
  readonly isOpen: boolean;
  open(): void;
}

/** A new one, or the one that is closed already: somebody may wait at it. */
function closedGate(gate?: Gate): Gate {
  if (gate?.isOpen === false) return gate;
  let open = (): void => undefined;
  let isOpen = false;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    opened,
    get isOpen() {
      return isOpen;
    },
    open: () => {
      isOpen = true;
      open();
    },
  };
}

function rebuilt({ name, message, compacted }: Reply & { type: 'error' }): Error {
  if (name === 'CompactedError') return new CompactedError(compacted ?? 0);
  if (name === 'FutureRevisionError') return new FutureRevisionError(0, 0);
  if (name === 'LeaseNotFoundError') return new LeaseNotFoundError(message);
  if (/^Store/.test(name)) return new StoreUnavailableError(message);
  return Object.assign(new Error(message), { name });
}
