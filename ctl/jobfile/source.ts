import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Context } from '../command.ts';
import { CommandError, exitCodes } from '../errors.ts';
import { readStdinBytes } from '../io/streams.ts';

/** A text that somebody named on the command line. */
export interface Source {
  readonly text: string;
  /** As users know it. */
  readonly filename: string;
  /** Where it is, unless it came on standard input or from elsewhere. */
  readonly path?: string;
}

const MAX_BYTES = 16 * 1024 * 1024;
const FETCH_MS = 30_000;

/** Reads a file, standard input ("-") or a URL; says in one sentence, after the prefix, why not. */
export async function readSource(context: Context, path: string, prefix = 'Error getting job struct: '): Promise<Source> {
  try {
    return await read(context, path);
  } catch (error) {
    if (error instanceof Unreadable)
      throw new CommandError(`${prefix}${error.message}`, exitCodes.failed, { cause: error.cause });
    throw error;
  }
}

class Unreadable extends Error {}

async function read({ io }: Context, path: string): Promise<Source> {
  if (path === '') throw unreadable('Error jobfile path has to be specified.');
  if (path === '-') return { text: asText(await readStdinBytes(io), 'stdin'), filename: 'stdin' };
  if (/^https?:\/\//i.test(path)) return { text: asText(await fetchBytes(path), path), filename: path };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) throw unreadable(`Cannot read ${path}: only http:// and https:// can be fetched`);
  const full = resolve(io.cwd, path);
  let bytes: Buffer;
  try {
    bytes = await readFile(full);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw unreadable(`Cannot read ${path}: ${(code !== undefined && because[code]) || (error as Error).message}`);
  }
  return { text: asText(bytes, path), filename: path, path: full };
}

const because: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder; name a file in it',
  EACCES: 'permission denied',
  ERR_FS_FILE_TOO_LARGE: 'it is too large for a job file',
};

const unreadable = (message: string): Unreadable => new Unreadable(message);

async function fetchBytes(url: string): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
    if (!response.ok) throw new Error(`the server answers ${response.status} ${response.statusText}`.trim());
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
    throw unreadable(`Error getting jobfile from "${url}": ${reason}`);
  }
}

/** The text of a file; refuses what is none, as an image or a program given by mistake. */
function asText(bytes: Buffer, name: string): string {
  if (bytes.length > MAX_BYTES) throw unreadable(`Cannot read ${name}: it is larger than 16 MB`);
  const zero = bytes.indexOf(0);
  if (zero !== -1) throw unreadable(`Cannot read ${name}: it is a binary file, not a text`);
  const text = bytes.toString('utf8');
  const odd = text.indexOf('\ufffd');
  if (odd !== -1 && !Buffer.from(text, 'utf8').equals(bytes)) {
    const line = text.slice(0, odd).split('\n').length;
    throw unreadable(`Cannot read ${name}: line ${line} is not valid UTF-8; save the file with that encoding`);
  }
  return text;
}
