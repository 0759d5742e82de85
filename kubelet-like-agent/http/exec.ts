/**
 * A command in a task, by WebSocket. Messages are JSON texts, as Nomad's API has them: from the client
 * `{"stdin":{"data":"<base64>"}}`, `{"stdin":{"close":true}}`, `{"tty_size":{"height":24,"width":80}}`, `{}` to stay alive; to it
 * `{"stdout":{"data":…}}`, `{"stderr":{"data":…}}`, `{"stdout":{"close":true}}`, and at last `{"exited":true,"result":{"exit_code":0}}`.
 */
import type { Readable } from 'node:stream';
import { ApiError, describeError } from '../../base/index.ts';
import type { ExecSession, TaskHandle } from '../drivers/driver.ts';
import type { WebSocketPeer } from './websocket.ts';

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
}

/** `command` is a JSON list, or given once for each word; `action` names one that the job has (`actionOf`) instead. */
export function readExecRequest(query: URLSearchParams, actionOf: (name: string) => readonly string[]): ExecRequest {
  const action = query.get('action');
  const tty = query.get('tty') === 'true';
  if (action !== null) {
    if (query.has('command')) throw new ApiError('BadRequest', 'command: cannot be given together with an action');
    return { command: actionOf(action), tty };
  }
  const given = query.getAll('command');
  let command: unknown = given;
  if (given.length === 1 && given[0]!.startsWith('[')) {
    try {
      command = JSON.parse(given[0]!);
    } catch {
      throw new ApiError('BadRequest', 'command: must be a JSON list of strings');
    }
  }
  if (!Array.isArray(command) || command.length === 0 || !command.every((word) => typeof word === 'string'))
    throw new ApiError('BadRequest', 'command: is required, a JSON list of strings');
  return { command, tty };
}

/** Runs until the command has ended or the client is gone, which ends the command. */
export async function serveExec(peer: WebSocketPeer, handle: TaskHandle, { command, tty }: ExecRequest, head: Buffer): Promise<void> {
  let session: ExecSession;
  try {
    session = await handle.execStream(command, { tty });
  } catch (error) {
    await peer.send(JSON.stringify({ exited: true, result: { exit_code: -1 }, error: describeError(error) }));
    return peer.close(1011, describeError(error).slice(0, 100));
  }
  void peer.closed.then(() => session.kill());
  peer.onMessage = (text) => {
    const message = parse(text);
    if (message === undefined) return peer.close(1007, 'the message is not JSON');
    const { data = '' } = message.stdin ?? {};
    // Who sends faster than the command reads waits, and this process keeps no more than a pipe does.
    if (data !== '' && !session.stdin.write(Buffer.from(data, 'base64')) && !session.stdin.destroyed) peer.pause();
    if (message.stdin?.close === true) session.stdin.end();
    const { height, width } = message.tty_size ?? {};
    if (tty && isSize(height) && isSize(width)) void session.resize(height, width).catch(() => undefined);
  };
  session.stdin.on('error', () => undefined); // it reads no more
  for (const event of ['drain', 'close', 'error']) session.stdin.on(event, () => peer.resume());
  peer.start(head);
  const copy = async (name: 'stdout' | 'stderr', stream: Readable): Promise<void> => {
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) await peer.send(JSON.stringify({ [name]: { data: chunk.toString('base64') } }));
    } catch {
      // Cut off: the exit says the rest.
    }
    await peer.send(JSON.stringify({ [name]: { close: true } }));
  };
  const outputs = [copy('stdout', session.stdout), ...(session.stderr === undefined ? [] : [copy('stderr', session.stderr)])];
  const exitCode = await session.exited;
  await Promise.all(outputs);
  await peer.send(JSON.stringify({ exited: true, result: { exit_code: exitCode } }));
  peer.close();
} // prettier-ignore

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 10_000;

interface ClientMessage {
  readonly stdin?: { readonly data?: string; readonly close?: boolean };
  readonly tty_size?: { readonly height?: unknown; readonly width?: unknown };
}

function parse(text: string): ClientMessage | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { stdin } = value as ClientMessage;
    return stdin?.data !== undefined && typeof stdin.data !== 'string' ? undefined : value;
  } catch {
    return undefined;
  }
}
