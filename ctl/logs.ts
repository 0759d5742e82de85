import type { IncomingMessage } from 'node:http';
import type { Allocation, Stored } from '../openapi/index.ts';
import { streamFromAgent } from './agent-api.ts';
import type { ClusterContext } from './command.ts';
import { CommandError, explain, Interrupted } from './errors.ts';
import { complain, hint, type IO } from './io/streams.ts';
import { taskTrouble } from './views/why.ts';

/** One stream of bytes that an agent has: what a task wrote, or a file. */
export interface Wanted {
  readonly verb: 'log' | 'fs/cat';
  readonly query: Record<string, string | number | boolean>;
}

/** What part of a task's output is wanted. */
export interface LogRange {
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Only so many lines of the end. */
  readonly lines?: number | undefined;
  /** Only so many bytes of the end. */
  readonly bytes?: number | undefined;
}

export function logQuery(task: string, { stderr, follow, lines, bytes }: LogRange): Wanted {
  const end = bytes !== undefined ? { origin: 'end', offset: bytes } : lines !== undefined ? { tailLines: lines } : {};
  return { verb: 'log', query: { task, type: stderr ? 'stderr' : 'stdout', follow, ...end } };
}

/** A task that never ran has written nothing: says so, and why it did not. */
export function mustHaveStarted(context: ClusterContext, allocation: Stored<Allocation>, task: string): void {
  const state = allocation.status?.tasks?.find(({ name }) => name === task);
  if (state?.startedAt !== undefined) return;
  const id = allocation.metadata.name.slice(0, 8);
  const because = state === undefined ? undefined : taskTrouble(state);
  hint(context, `${because === undefined ? '' : `${because}. `}See: ${context.program} alloc status ${id}`);
  throw new CommandError(`Error reading file: Unexpected response code: 404 (task "${task}" not started yet. No logs available)`);
}

/** Copies bytes from the agent to stdout until they end or Ctrl-C. */
export function printStream(context: ClusterContext, allocation: Stored<Allocation>, { verb, query }: Wanted): Promise<number> {
  return context.interruptible(async (signal) => {
    try {
      const response = await streamFromAgent(context, allocation, verb, query, signal);
      await copy(response, context.io);
    } catch (error) {
      if (signal.aborted) throw new Interrupted();
      throw error;
    }
    if (signal.aborted) throw new Interrupted();
    return 0;
  });
}

/** Not faster than the reader takes it. */
async function copy(from: IncomingMessage, { stdout }: IO): Promise<void> {
  for await (const chunk of from) await write(stdout, chunk as Buffer);
}

async function write(stdout: IO['stdout'], chunk: Buffer | string): Promise<void> {
  if (!stdout.write(chunk)) await new Promise<void>((resolve) => stdout.once('drain', resolve));
}

/** Copies a stream line by line, each with a text before it, so that several can be merged. */
export async function copyLines(
  context: ClusterContext,
  allocation: Stored<Allocation>,
  wanted: Wanted,
  prefix: string,
  signal: AbortSignal,
  to: IO['stdout'] = context.io.stdout,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  const response = await streamFromAgent(context, allocation, wanted.verb, wanted.query, signal);
  for await (const chunk of response) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (lines.length > 0) await write(to, lines.map((line) => `${prefix}${line}\n`).join(''));
  }
  if (rest !== '') await write(to, `${prefix}${rest}\n`);
}

/**
 * Copies what the tasks of allocations write, on both their streams, as it comes: of those there are and of those that come. Ends
 * once the signal aborts; `settled` waits until what ended tasks wrote is copied.
 */
export class LogFollower {
  readonly #context: ClusterContext;
  readonly #signal: AbortSignal;
  readonly #streams = new Map<string, Promise<void>>();

  constructor(context: ClusterContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  /** Takes note of an allocation's state. Each task is followed once, from its first byte, even if it has ended already. */
  see(allocation: Stored<Allocation>, prefixed: boolean): void {
    for (const { name, startedAt } of allocation.status?.tasks ?? []) {
      const key = `${allocation.metadata.name}/${name}`;
      if (startedAt === undefined || this.#streams.has(key)) continue;
      const prefix = prefixed ? `[${allocation.metadata.name.slice(0, 8)} ${name}] ` : '';
      this.#streams.set(key, Promise.all([this.#copy(allocation, name, prefix, false), this.#copy(allocation, name, prefix, true)]).then(() => undefined)); // prettier-ignore
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#streams.values());
  }

  async #copy(allocation: Stored<Allocation>, task: string, prefix: string, stderr: boolean): Promise<void> {
    const { io, program } = this.#context;
    try {
      await copyLines(this.#context, allocation, logQuery(task, { stderr, follow: true }), prefix, this.#signal, stderr ? io.stderr : io.stdout); // prettier-ignore
    } catch (error) {
      if (!this.#signal.aborted) complain(this.#context, `${task}: ${explain(error, program)}`);
    }
  }
}
