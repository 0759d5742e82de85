import { PassThrough, Readable, Writable } from 'node:stream';
import type { Allocation, Stored } from '../../openapi/index.ts';
import { openExec } from '../agent-api.ts';
import type { ClusterContext } from '../command.ts';
import { CommandError } from '../errors.ts';
import { runSession } from '../exec/session.ts';
import { hint } from '../io/streams.ts';

/** A task, and what can be run in it. */
export interface Remote {
  readonly allocation: Stored<Allocation>;
  readonly task: string;
  readonly path: string;
}

interface Streams {
  readonly stdin?: AsyncIterable<Buffer>;
  readonly stdout?: Writable;
}

/** Runs a command in the task; its exit code, and what it complained of. */
export async function runIn(
  context: ClusterContext,
  { allocation, task }: Remote,
  command: readonly string[],
  { stdin, stdout }: Streams,
  signal: AbortSignal,
): Promise<{ code: number; complaint: string }> {
  // prettier-ignore
  const complaints: string[] = [];
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      complaints.push(chunk.toString('utf8'));
      done();
    },
  });
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const io = { ...context.io, stdin: stdin === undefined ? Readable.from([]) : Readable.from(stdin, { objectMode: false }), stdout: stdout ?? nowhere, stderr }; // prettier-ignore
  // That a file here cannot be read ends the copy, and is what is told.
  const failed = new Promise<never>((_, reject) => io.stdin.once('error', reject));
  const socket = await openExec(context, allocation, { task, tty: false, command });
  const session = runSession({ io, socket, stdin: stdin !== undefined, tty: false, escape: undefined, signal });
  try {
    const code = await Promise.race([session, failed]);
    return { code, complaint: complaints.join('').trim() };
  } catch (error) {
    socket.terminate();
    await session.catch(() => undefined);
    throw error;
  }
}

/** The archive of something in the task, as it comes. */
export async function* download(
  context: ClusterContext,
  remote: Remote,
  folder: string,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  // prettier-ignore
  const stdout = new PassThrough();
  const command = ['tar', 'cf', '-', '-C', folder, `./${name}`];
  const done = runIn(context, remote, command, { stdout }, signal).then(
    (result) => {
      stdout.end();
      return result;
    },
    (error: unknown) => {
      stdout.end();
      throw error;
    },
  );
  done.catch(() => undefined);
  for await (const chunk of stdout as AsyncIterable<Buffer>) yield chunk;
  const { code, complaint } = await done;
  if (code !== 0) throw refused(context, remote, code, complaint);
}

export async function upload(
  context: ClusterContext,
  remote: Remote,
  folder: string,
  archive: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  // prettier-ignore
  const { code, complaint } = await runIn(context, remote, ['tar', 'xmf', '-', '-C', folder], { stdin: archive }, signal);
  if (code !== 0) throw refused(context, remote, code, complaint);
}

/** Whether a path in the task is a folder. */
export async function isFolder(context: ClusterContext, remote: Remote, path: string, signal: AbortSignal): Promise<boolean> {
  return (await runIn(context, remote, ['test', '-d', path], {}, signal)).code === 0;
}

function refused(context: ClusterContext, { allocation, task }: Remote, code: number, complaint: string): CommandError {
  const id = allocation.metadata.name.slice(0, 8);
  if (code === 126 || code === 127) {
    hint(
      context,
      `Copying needs the program "tar" in the task. Files of the allocation's folder: ${context.program} alloc fs ${id}`,
    );
    return new CommandError(`Task "${task}" of allocation "${id}" cannot run tar${complaint === '' ? '' : `: ${complaint}`}`);
  }
  return new CommandError(complaint === '' ? `tar ended with exit code ${code} in task "${task}"` : complaint);
}
