/**
 * Unpacks archives into a folder that only the agent can reach, and looks at what came out before a task gets it: nothing may lead
 * outside by a link, and nothing but files, folders and links may be there.
 */
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, readlink, symlink, type FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createInflateRaw } from 'node:zlib';
import { ArtifactError, withoutExtension, type Archive } from './source.ts';

const bad = (message: string, cause?: unknown): ArtifactError => new ArtifactError(message, { recoverable: false, cause });

export async function unpack(file: string, archive: Archive, into: string, name: string, signal: AbortSignal): Promise<void> {
  await mkdir(into, { recursive: true });
  switch (archive) {
    case 'zip':
      return unzip(file, into, signal);
    case 'gz':
      return pipeline(createReadStream(file), createGunzip(), createWriteStream(join(into, withoutExtension(name))), { signal });
    case 'xz':
    case 'bz2': {
      const program = archive === 'xz' ? 'xz' : 'bzip2';
      const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'], signal });
      const failed = new Promise<never>((_, reject) =>
        child.once('error', (cause) => reject(bad(`${program} cannot be run`, cause))),
      );
      const done = new Promise<number | null>((resolve) => child.once('close', resolve));
      const flow = Promise.all([
        pipeline(createReadStream(file), child.stdin),
        pipeline(child.stdout, createWriteStream(join(into, withoutExtension(name)))),
        done,
      ]);
      const [, , code] = await Promise.race([flow, failed]);
      if (code !== 0) throw bad(`the ${archive} data is damaged`);
      return;
    }
    default: {
      const flag = { tar: [], 'tar.gz': ['-z'], 'tar.xz': ['-J'], 'tar.bz2': ['-j'], 'tar.zst': ['--zstd'] }[archive];
      await run('tar', ['-x', ...flag, '-f', file, '-C', into, '--no-same-owner', '--no-same-permissions', '--delay-directory-restore'], signal); // prettier-ignore
    }
  }
}

/** Runs a program to its end; what it says on stderr is the reason when it fails. */
export async function run(program: string, args: readonly string[], signal: AbortSignal, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal, env: { PATH: process.env['PATH'], LC_ALL: 'C', ...env } });
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out = (out + chunk.toString()).slice(-4096)));
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4096)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) => reject(bad(`${program} cannot be run`, cause)));
    child.once('close', resolve);
  });
  if (code !== 0) throw bad(`${program}: ${errors.trim().split('\n').slice(-3).join(' ') || `exit code ${code}`}`);
  return out;
} // prettier-ignore

const MOST_ENTRIES = 200_000;

/** Throws when something in a folder would lead outside of it or is no plain thing. Bits that give rights are taken away. */
export async function inspect(root: string): Promise<void> {
  let entries = 0;
  const look = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (++entries > MOST_ENTRIES) throw bad(`the artifact has more than ${MOST_ENTRIES} files`);
      const path = join(folder, entry.name);
      const shown = relative(root, path);
      if (entry.isSymbolicLink()) {
        const target = await readlink(path);
        const way = relative(root, join(folder, target));
        if (isAbsolute(target) || way === '..' || way.startsWith(`..${sep}`)) throw bad(`${shown} is a link that leads out of the artifact`);
      } else if (entry.isDirectory()) {
        await chmod(path, 0o755);
        await look(path);
      } else if (entry.isFile()) {
        const { mode, nlink } = await lstat(path);
        // A link to something outside that was there before: nothing else is linked twice into a folder that is all ours.
        if (nlink > 1 && !(await linkedInside(root, path))) throw bad(`${shown} is a link that leads out of the artifact`);
        await chmod(path, (mode & 0o111) === 0 ? 0o644 : 0o755);
      } else throw bad(`${shown} is no file, folder or link`);
    }
  };
  await look(root);
} // prettier-ignore

async function linkedInside(root: string, path: string): Promise<boolean> {
  const wanted = await lstat(path);
  let found = 0;
  const count = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await count(join(folder, entry.name));
      else if (entry.isFile() && (await lstat(join(folder, entry.name))).ino === wanted.ino) found++;
    }
  };
  await count(root);
  return found === wanted.nlink;
}

interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly compressed: number;
  readonly size: number;
  readonly offset: number;
  /** From Unix; 0 where it was made elsewhere. */
  readonly mode: number;
}

/** A zip file by its own list of what is in it. */
async function unzip(file: string, into: string, signal: AbortSignal): Promise<void> {
  const handle = await open(file, 'r');
  try {
    for (const entry of await readDirectory(handle)) {
      signal.throwIfAborted();
      const clean = normalize(entry.name);
      if (isAbsolute(clean) || clean === '..' || clean.startsWith(`..${sep}`) || entry.name.includes('\\') || entry.name.includes('\0'))
        throw bad(`${entry.name} leads out of the archive`);
      const path = join(into, clean);
      if (entry.name.endsWith('/')) {
        await mkdir(path, { recursive: true });
        continue;
      }
      // What came before may be a link; nothing is written through one.
      await realFolder(into, dirname(clean));
      const type = entry.mode & 0o170000;
      if (type === 0o120000) {
        if (entry.size > 4096) throw bad(`${entry.name}: the link is too long`);
        await symlink((await readEntry(handle, entry)).toString(), path);
        continue;
      }
      const header = Buffer.alloc(30);
      await handle.read(header, 0, 30, entry.offset);
      const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
      const target = createWriteStream(path, { flags: 'wx', mode: (entry.mode & 0o111) === 0 ? 0o644 : 0o755 });
      if (entry.compressed === 0) {
        await new Promise<void>((resolve, reject) => target.end(resolve).once('error', reject));
        continue;
      }
      const source = createReadStream(file, { start, end: start + entry.compressed - 1 });
      if (entry.method === 8) await pipeline(source, createInflateRaw(), target, { signal });
      else if (entry.method === 0) await pipeline(source, target, { signal });
      else throw bad(`${entry.name}: compression ${entry.method} of the zip file is not known`);
    }
  } finally {
    await handle.close();
  }
} // prettier-ignore

async function realFolder(root: string, inside: string): Promise<void> {
  let at = root;
  for (const name of inside.split(sep).filter((step) => step !== '' && step !== '.')) {
    at = join(at, name);
    await mkdir(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if (!(await lstat(at)).isDirectory()) throw bad(`${inside} leads out of the archive`);
  }
}

async function readEntry(handle: FileHandle, entry: ZipEntry): Promise<Buffer> {
  const header = Buffer.alloc(30);
  await handle.read(header, 0, 30, entry.offset);
  const data = Buffer.alloc(entry.compressed);
  await handle.read(data, 0, entry.compressed, entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28));
  const { inflateRawSync } = await import('node:zlib');
  return entry.method === 8 ? inflateRawSync(data, { maxOutputLength: 4096 }) : data;
}

async function readDirectory(handle: FileHandle): Promise<ZipEntry[]> {
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, 65_557));
  await handle.read(tail, 0, tail.length, size - tail.length);
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw bad('the file is not a zip file');
  const [count, length, start] = [tail.readUInt16LE(end + 10), tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
  if (start === 0xffffffff || count === 0xffff)
    throw bad('zip files of more than 4 GB or 65,535 files are not built in orch yet');
  if (start + length > size) throw bad('the zip file is damaged');
  const list = Buffer.alloc(length);
  await handle.read(list, 0, length, start);
  const entries: ZipEntry[] = [];
  for (let at = 0; at + 46 <= length && entries.length < count;) {
    if (list.readUInt32LE(at) !== 0x02014b50) throw bad('the zip file is damaged');
    const [name, extra, comment] = [list.readUInt16LE(at + 28), list.readUInt16LE(at + 30), list.readUInt16LE(at + 32)];
    if ((list.readUInt16LE(at + 8) & 1) === 1) throw bad('the zip file is encrypted');
    entries.push({
      name: list.toString('utf8', at + 46, at + 46 + name),
      method: list.readUInt16LE(at + 10),
      compressed: list.readUInt32LE(at + 20),
      size: list.readUInt32LE(at + 24),
      offset: list.readUInt32LE(at + 42),
      mode: list[at + 5] === 3 ? list.readUInt32LE(at + 38) >>> 16 : 0,
    });
    at += 46 + name + extra + comment;
  }
  return entries;
}
