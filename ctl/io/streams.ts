import type { Readable, Writable } from 'node:stream';

/** Where a command reads and writes. */
export interface IO {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether stdout is a terminal: progress is redrawn in place there, and written as plain lines elsewhere. */
  readonly interactive: boolean;
  /** Whether somebody can answer a question: stdin and stderr are a terminal. */
  readonly canAsk: boolean;
  /** The width of the terminal. */
  columns(): number;
  /** The folder that relative paths start from. */
  readonly cwd: string;
  /** Calls back at each Ctrl-C until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
}

/** The streams of this process. */
export function processIO(): IO {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // The reader has gone (`orchctl … | head`): there is nobody left to tell.
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    interactive: process.stdout.isTTY === true,
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
    columns: () => process.stdout.columns || 80,
    cwd: process.cwd(),
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
  };
}

/** Prints a line (or several) on stdout. */
export function say(context: { readonly io: IO }, text: string): void {
  context.io.stdout.write(`${text}\n`);
}

/** Prints a line (or several) on stderr. */
export function complain(context: { readonly io: IO }, text: string): void {
  context.io.stderr.write(`${text}\n`);
}

/** Everything that comes on stdin. */
export async function readStdin(io: IO): Promise<string> {
  return (await readStdinBytes(io)).toString('utf8');
}

export async function readStdinBytes(io: IO): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of io.stdin) parts.push(Buffer.from(part as Buffer | string));
  return Buffer.concat(parts);
}
