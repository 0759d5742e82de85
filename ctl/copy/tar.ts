/**
 * As much of tar as copying to and from tasks needs. What is read comes from a task that may be hostile: only plain files and folders
 * are taken, each below the one name that was asked for; links are left out and told, so that nothing is ever written through one.
 */
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../errors.ts';

const BLOCK = 512;

export interface TarEntry {
  /** Below what was asked for: `` for that itself, `a/b` for what is in it. */
  readonly path: string;
  readonly type: 'file' | 'folder' | 'link';
  readonly mode: number;
  readonly size: number;
  /** Where a link leads: within the archive for a hard link. */
  readonly target?: string;
  readonly hard?: boolean;
}

/** Reads an archive. The data of an entry must be read (or is skipped) before the next one comes. */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  asked: string,
): AsyncGenerator<{ entry: TarEntry; data: AsyncGenerator<Buffer> }> {
  // prettier-ignore
  const bytes = new Bytes(source);
  let long: { path?: string; target?: string; size?: number } = {};
  for (;;) {
    const block = await bytes.take(BLOCK);
    if (block === undefined || block.every((byte) => byte === 0)) break;
    if (sumOf(block) !== octal(block, 148, 8)) throw new CommandError('What came is no tar archive');
    const type = String.fromCharCode(block[156]!);
    const size = type !== 'x' && type !== 'g' && long.size !== undefined ? long.size : octal(block, 124, 12);
    const data = bytes.data(size);
    if (type === 'L' || type === 'K' || type === 'x') {
      if (size > 1 << 20) throw new CommandError('A name in the archive is too long');
      const text = await allOf(data);
      if (type === 'x') long = { ...long, ...paxOf(text) };
      else if (type === 'L') long.path = text.toString('utf8').replace(/\0.*$/s, '');
      else long.target = text.toString('utf8').replace(/\0.*$/s, '');
      continue;
    }
    const prefix = textOf(block, 257, 5) === 'ustar' && block[262] === 0 ? textOf(block, 345, 155) : '';
    const name = long.path ?? [prefix, textOf(block, 0, 100)].filter(Boolean).join('/');
    const target = long.target ?? textOf(block, 157, 100);
    const path = belowOf(name, asked);
    long = {};
    const kind = /[07\0]/.test(type) ? 'file' : type === '5' ? 'folder' : /[12]/.test(type) ? 'link' : undefined;
    if (kind !== undefined) {
      const link = kind === 'link' && { target: type === '1' ? belowOf(target, asked) : target, hard: type === '1' };
      yield { entry: { path, type: kind, mode: octal(block, 100, 8) & 0o777, size, ...link }, data };
    }
    for await (const _ of data); // what nobody read
  }
  // What pads the archive is taken too, so that who writes it can end.
  while ((await bytes.take(BLOCK)) !== undefined);
}

/** A name of the archive below the one that was asked for. It must be one that a well-behaved tar writes for that. */
function belowOf(name: string, asked: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const expected = asked === '.' ? [] : [asked];
  if (name.startsWith('/') || name.includes('\0') || parts.includes('..') || expected.some((part, i) => parts[i] !== part))
    throw new CommandError(`The archive holds ${JSON.stringify(name)}, which was not asked for: nothing more of it is taken`);
  return parts.slice(expected.length).join('/');
}

/** An archive of a file or folder of this machine, with `name` as the name of that. */
export async function* writeTar(path: string, name: string, told: (entry: TarEntry) => void): AsyncGenerator<Buffer> {
  yield* entriesOf(path, name, told);
  yield Buffer.alloc(2 * BLOCK);
}

async function* entriesOf(path: string, name: string, told: (entry: TarEntry) => void): AsyncGenerator<Buffer> {
  const info = await lstat(path);
  const mode = info.mode & 0o777;
  if (info.isDirectory()) {
    yield* header({ path: `${name}/`, type: 'folder', mode, size: 0 });
    told({ path: name, type: 'folder', mode, size: 0 });
    for (const child of (await readdir(path)).sort()) yield* entriesOf(join(path, child), `${name}/${child}`, told);
  } else if (info.isSymbolicLink()) {
    yield* header({ path: name, type: 'link', mode, size: 0, target: await readlink(path) });
    told({ path: name, type: 'link', mode, size: 0 });
  } else if (info.isFile()) {
    yield* header({ path: name, type: 'file', mode, size: info.size });
    let left = info.size;
    if (left > 0)
      for await (const chunk of createReadStream(path, { end: info.size - 1 }) as AsyncIterable<Buffer>) {
        yield chunk;
        left -= chunk.length;
      }
    if (left !== 0) throw new CommandError(`${path} became shorter while it was read`);
    yield padding(info.size);
    told({ path: name, type: 'file', mode, size: info.size });
  } else throw new CommandError(`${path} is neither a file nor a folder`);
}

function* header(entry: TarEntry): Generator<Buffer> {
  const name = Buffer.from(entry.path);
  const target = Buffer.from(entry.target ?? '');
  const split = name.length <= 100 ? 0 : prefixOf(name);
  // Names that are too long for the old format go before, in the way that every tar reads.
  if (split === undefined) yield* longName('L', name);
  if (target.length > 100) yield* longName('K', target);
  const typeFlag = { file: '0', folder: '5', link: '2' }[entry.type];
  yield block(typeFlag, split === undefined ? name.subarray(0, 100) : name.subarray(split === 0 ? 0 : split + 1), {
    ...entry,
    target: target.subarray(0, 100),
    prefix: split === undefined || split === 0 ? Buffer.alloc(0) : name.subarray(0, split),
  });
}

/** Where a long name can be cut so that both parts fit. */
function prefixOf(name: Buffer): number | undefined {
  for (let at = Math.min(155, name.length - 2); at > 0; at--) if (name[at] === 0x2f && name.length - at - 1 <= 100) return at;
  return undefined;
}

function* longName(type: 'L' | 'K', name: Buffer): Generator<Buffer> {
  const data = Buffer.concat([name, Buffer.alloc(1)]);
  yield block(type, Buffer.from('././@LongLink'), { mode: 0o644, size: data.length, target: Buffer.alloc(0), prefix: Buffer.alloc(0) }); // prettier-ignore
  yield data;
  yield padding(data.length);
}

function block(
  type: string,
  name: Buffer,
  {
    mode,
    size,
    target,
    prefix,
  }: { readonly mode: number; readonly size: number; readonly target: Buffer; readonly prefix: Buffer },
): Buffer {
  // prettier-ignore
  const out = Buffer.alloc(BLOCK);
  const number = (value: number, at: number, length: number): void => {
    out.write(value.toString(8).padStart(length - 1, '0'), at);
  };
  name.copy(out, 0);
  number(mode, 100, 8);
  number(0, 108, 8);
  number(0, 116, 8);
  // Beyond 8 GiB in binary, as GNU's tar does.
  if (size < 8 ** 11) number(size, 124, 12);
  else (out.writeUInt8(0x80, 124), out.writeBigUInt64BE(BigInt(size), 128));
  number(0, 136, 12);
  out.write(type, 156);
  target.copy(out, 157);
  out.write('ustar\x0000', 257);
  prefix.copy(out, 345);
  out.write(`${sumOf(out).toString(8).padStart(6, '0')}\0 `, 148);
  return out;
}

const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);

/** The sum of a header's bytes, with blanks where the sum itself stands. */
function sumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!;
  return sum;
}

const textOf = (block: Buffer, at: number, length: number): string =>
  block.toString('utf8', at, at + length).replace(/\0.*$/s, '');

function octal(block: Buffer, at: number, length: number): number {
  if ((block[at]! & 0x80) !== 0) return Number(block.readBigUInt64BE(at + length - 8));
  return parseInt(textOf(block, at, length).trim() || '0', 8);
}

/** `25 path=a/long/name\n…` */
function paxOf(data: Buffer): { path?: string; target?: string; size?: number } {
  const out: { path?: string; target?: string; size?: number } = {};
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.toString('utf8', at, space));
    if (space < 0 || !(length > 0)) break;
    const [, key, value = ''] = /^([^=]*)=(.*)\n$/s.exec(data.toString('utf8', space + 1, at + length)) ?? [];
    if (key === 'path') out.path = value;
    else if (key === 'linkpath') out.target = value;
    else if (key === 'size') out.size = Number(value);
    at += length;
  }
  return out;
}

async function allOf(data: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of data) parts.push(part);
  return Buffer.concat(parts);
}

/** A stream of chunks, taken by the number of bytes that are needed. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    return true;
  }

  /** So many bytes; undefined at the end. */
  async take(size: number): Promise<Buffer | undefined> {
    while (this.#rest.length < size)
      if (!(await this.#more())) {
        if (this.#rest.length === 0) return undefined;
        throw new CommandError('The archive ends in the middle');
      }
    const out = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return out;
  }

  /** So many bytes in pieces, and what pads them. */
  async *data(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0;) {
      if (this.#rest.length === 0 && !(await this.#more())) throw new CommandError('The archive ends in the middle');
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
    const pad = padding(size).length;
    if (pad > 0) await this.take(pad);
  }
}
