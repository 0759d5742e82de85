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
  /** Its height, where that is known. */
  rows?(): number | undefined;
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
    // What is made when it is first asked for takes a while, and most commands read nothing.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    interactive: process.stdout.isTTY === true,
    get canAsk() {
      return process.stdin.isTTY === true && process.stderr.isTTY === true;
    },
    columns: () => process.stdout.columns || 80,
    rows: () => process.stdout.rows || undefined,
    cwd: process.cwd(),
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
  };
}

/** Prints a line (or several) on stdout. */
export function say(context: { readonly io: IO }, text: string): void {
  context.io.stdout.write(`${printable(text)}\n`);
}

/** Prints a line (or several) on stderr. */
export function complain(context: { readonly io: IO }, text: string): void {
  context.io.stderr.write(`${printable(text)}\n`);
}

/**
 * What to do next, or why something is as it is. Only orch says these things; they go to stderr, in a form of their own, so that
 * what scripts read is what they always read. ORCH_NO_HINTS silences them.
 */
export function hint(
  context: { readonly io: IO; readonly env: Readonly<Record<string, string | undefined>> },
  text: string,
): void {
  if ((context.env.ORCH_NO_HINTS ?? '') !== '') return;
  complain(
    context,
    text
      .split('\n')
      .map((line) => `Hint: ${line}`)
      .join('\n'),
  );
}

const control = /(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/**
 * A text that does nothing to a terminal but colour it: names and messages come from a cluster, and whoever wrote them must not
 * move the cursor of whoever reads them.
 */
export const printable = (text: string): string =>
  text.replace(control, (character, color: string | undefined) => color ?? visible(character));

const anyControl = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** A text from the cluster with nothing in it that acts on a terminal, not even colours. */
export const plain = (text: string): string => text.replace(anyControl, visible);

const visible = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** Everything that comes on stdin. */
export async function readStdin(io: IO): Promise<string> {
  return (await readStdinBytes(io)).toString('utf8');
}

export async function readStdinBytes(io: IO): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of io.stdin) parts.push(Buffer.from(part as Buffer | string));
  return Buffer.concat(parts);
}
