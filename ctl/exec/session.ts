import { spawnSync } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { CommandError, Interrupted } from '../errors.ts';
import type { IO } from '../io/streams.ts';
import { EscapeReader } from './escape.ts';

/**
 * One command in a task, from the first byte to its exit code. Messages are those of Nomad's API (see the agent's exec): what is
 * typed goes as `stdin`, what comes as `stdout` and `stderr` is printed, `exited` ends it. The terminal, when it was made raw, is
 * given back however that ends.
 */
export interface SessionOptions {
  readonly io: IO;
  readonly socket: WebSocket;
  /** Whether what comes on stdin is sent. */
  readonly stdin: boolean;
  /** Whether the command has a terminal of its own. */
  readonly tty: boolean;
  /** Disconnects when it is typed at the begin of a line, before a dot. */
  readonly escape: string | undefined;
  readonly signal: AbortSignal;
}

/** What waits to be sent may grow to this before stdin is read on. */
const MUCH = 256 * 1024;
/** The agent takes no message that is much larger. */
const PIECE = 64 * 1024;
/** How often the other end is asked whether it is there; who does not answer until the next time is not. */
const PULSE_MS = 10_000;

/** Runs until the command has ended; resolves to its exit code. */
export async function runSession(options: SessionOptions): Promise<number> {
  const { io, socket, tty, signal } = options;
  const undo: (() => void)[] = [];
  try {
    return await new Promise<number>((resolve, reject) => {
      const abort = (): void => reject(new Interrupted());
      signal.addEventListener('abort', abort, { once: true });
      undo.push(() => signal.removeEventListener('abort', abort), watchPulse(socket));

      let exit: Message | undefined;
      socket.on('message', (data) => {
        const message = read(data as Buffer);
        if (message?.stdout?.data !== undefined) print(socket, io.stdout, message.stdout.data);
        if (message?.stderr?.data !== undefined) print(socket, io.stderr, message.stderr.data);
        if (message?.exited === true) exit = message;
        if (exit === undefined) return;
        if (exit.error !== undefined) reject(new CommandError(`Failed to exec into task: ${exit.error}`));
        else resolve(exit.result?.exit_code ?? 1);
      });
      socket.once('close', () => reject(new CommandError(LOST)));
      socket.on('error', () => reject(new CommandError(LOST)));

      if (tty) undo.push(tellSize(socket, io));
      if (options.stdin) undo.push(sendStdin(options, reject));
      else send(socket, { stdin: { close: true } });
      socket.resume();
    });
  } finally {
    for (const one of undo) one();
    socket.terminate();
  }
}

const LOST = 'The session was cut off: the API server or the agent of the node went away, or the connection to them was lost.';

interface Message {
  readonly stdout?: { readonly data?: string };
  readonly stderr?: { readonly data?: string };
  readonly exited?: boolean;
  readonly result?: { readonly exit_code?: number };
  readonly error?: string;
}

function read(data: Buffer): Message | undefined {
  try {
    return JSON.parse(data.toString('utf8')) as Message;
  } catch {
    return undefined; // not from an agent of ours
  }
}

/** Not faster than the reader takes it. */
function print(socket: WebSocket, to: Writable, data: string): void {
  if (to.write(Buffer.from(data, 'base64'))) return;
  socket.pause();
  to.once('drain', () => socket.resume());
}

function send(socket: WebSocket, message: object, sent?: () => void): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message), () => sent?.());
}

/** Ends the connection of a machine that fell silent, where nothing else would tell. */
function watchPulse(socket: WebSocket): () => void {
  let answered = true;
  socket.on('pong', () => (answered = true));
  const timer = setInterval(() => {
    // What is held back here cannot answer either.
    if (socket.isPaused) return;
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, PULSE_MS);
  return () => clearInterval(timer);
}

/** Tells how large the terminal is, now and whenever that changes. */
function tellSize(socket: WebSocket, io: IO): () => void {
  const tell = (): void => {
    const height = io.rows?.();
    if (height !== undefined) send(socket, { tty_size: { height, width: io.columns() } });
  };
  tell();
  io.stdout.on('resize', tell);
  return () => void io.stdout.off('resize', tell);
}

/** Sends what comes on stdin; gives back what ends that. */
function sendStdin({ io, socket, tty, escape }: SessionOptions, reject: (error: Error) => void): () => void {
  const { stdin } = io;
  const raw = tty && isTerminal(stdin) ? stdin : undefined;
  const reader = new EscapeReader(raw === undefined ? undefined : escape);
  const take = (chunk: Buffer | string): void => {
    const { send: bytes, end } = reader.read(Buffer.from(chunk as Buffer));
    for (let at = 0; at < bytes.length; at += PIECE)
      send(socket, { stdin: { data: bytes.toString('base64', at, Math.min(at + PIECE, bytes.length)) } }, () => {
        if (stdin.isPaused() && socket.bufferedAmount < MUCH && listening) stdin.resume();
      });
    if (end) reject(new CommandError('\nThe session was ended.'));
    else if (socket.bufferedAmount >= MUCH) stdin.pause();
  };
  const end = (): void => send(socket, { stdin: { close: true } });
  let listening = true;
  if (raw !== undefined) makeRaw(raw);
  stdin.on('data', take).once('end', end).on('error', end);
  return () => {
    listening = false;
    stdin.off('data', take).off('end', end);
    stdin.pause();
    raw?.setRawMode(false);
  };
}

/**
 * Every key goes to the command, and what it prints comes as it is. Node's raw mode still turns each line feed of the output into a
 * line begin, which full-screen programs do not expect; leaving raw mode undoes both.
 */
function makeRaw(terminal: Terminal): void {
  terminal.setRawMode(true);
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] }); // where there is no stty, lines begin anew
}

type Terminal = Readable & { setRawMode(raw: boolean): unknown };

export const isTerminal = (stream: Readable): stream is Terminal =>
  (stream as { isTTY?: boolean }).isTTY === true && 'setRawMode' in stream;
