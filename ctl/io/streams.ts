import { fstatSync, statSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Readable, Writable } from 'node:stream';

/** Where a command reads and writes. */
export interface IO {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Writes a text to one of them in whatever way is the quickest. Where it is absent, it is written to the stream. */
  readonly print?: (to: 'stdout' | 'stderr', text: string) => void;
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

/** The streams of this process. What is made when it is first asked for takes longer than a short command. */
export function processIO(): IO {
  const stdout = new Output(1, () => process.stdout);
  const stderr = new Output(2, () => process.stderr);
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return stdout.stream();
    },
    get stderr() {
      return stderr.stream();
    },
    print: (to, text) => (to === 'stdout' ? stdout : stderr).print(text),
    get interactive() {
      return stdout.isTerminal();
    },
    get canAsk() {
      return process.stdin.isTTY === true && stderr.isTerminal();
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

/** What a pipe takes at least without anybody reading from it, so that writing to it does not block. */
const UNREAD = 16 * 1024;

/**
 * An output of this process. Node's streams for them cost six milliseconds, with all that they load. Most commands print a few
 * lines and end: those go to the file descriptor itself, and what comes after them to the stream.
 */
class Output {
  readonly #fd: number;
  readonly #open: () => NodeJS.WriteStream;
  #stream: NodeJS.WriteStream | undefined;
  #direct = UNREAD;

  constructor(fd: number, open: () => NodeJS.WriteStream) {
    this.#fd = fd;
    this.#open = open;
  }

  stream(): NodeJS.WriteStream {
    if (this.#stream !== undefined) return this.#stream;
    this.#stream = this.#open();
    // Processes that run on (`untilSignal`) have a listener of their own.
    if (this.#stream.listenerCount('error') === 0)
      this.#stream.on('error', (error: NodeJS.ErrnoException) => {
        // The reader has gone (`orchctl … | head`): there is nobody left to tell.
        if (error.code === 'EPIPE') process.exit(0);
        throw error;
      });
    return this.#stream;
  }

  print(text: string): void {
    let left = Buffer.from(text);
    this.#direct -= left.length;
    try {
      while (this.#stream === undefined && this.#direct >= 0 && left.length > 0) left = left.subarray(writeSync(this.#fd, left));
    } catch {
      // Nobody reads, or the pipe is full: the stream knows what to do.
    }
    if (left.length > 0) this.stream().write(left);
  }

  isTerminal(): boolean {
    if (this.#stream === undefined) {
      const file = fstatSync(this.#fd);
      if (!file.isCharacterDevice() || file.rdev === statSync(devNull).rdev) return false;
    }
    return this.stream().isTTY === true;
  }
}

/** Prints a line (or several) on stdout. */
export function say(context: { readonly io: IO }, text: string): void {
  print(context.io, 'stdout', `${printable(text)}\n`);
}

/** Prints a line (or several) on stderr. */
export function complain(context: { readonly io: IO }, text: string): void {
  print(context.io, 'stderr', `${printable(text)}\n`);
}

function print(io: IO, to: 'stdout' | 'stderr', text: string): void {
  if (io.print === undefined) io[to].write(text);
  else io.print(to, text);
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

/** The command to run next, and what for. */
export function hintNext(
  context: Parameters<typeof hint>[0] & { readonly program: string },
  { text, command }: { readonly text: string; readonly command: string },
): void {
  // prettier-ignore
  hint(context, `${text}: ${context.program} ${command}`);
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
