import { chmod, copyFile, mkdir, open, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import { basename, join } from 'node:path';
import { CommandError } from '../errors.ts';
import { readTar, type TarEntry } from './tar.ts';

export interface Copied {
  files: number;
  bytes: number;
  /** What was left out, with the reason. */
  readonly skipped: string[];
}

/** Where a copy of something called `name` goes: into `to` where that is a folder, otherwise it is called so. */
export async function placeOf(to: string, name: string): Promise<string> {
  const info = await stat(to).catch(() => undefined);
  if (info?.isDirectory() === true) return name === '.' ? to : join(to, name);
  if (to.endsWith('/')) throw new CommandError(`There is no folder ${to}`);
  return to;
}

/** Writes what an archive holds below `asked` to `place`. Nothing is written through a link that is there already. */
export async function unpack(archive: AsyncIterable<Buffer>, asked: string, place: string): Promise<Copied> {
  const copied: Copied = { files: 0, bytes: 0, skipped: [] };
  for await (const { entry, data } of readTar(archive, asked)) {
    const path = entry.path === '' ? place : join(place, entry.path);
    switch (entry.type) {
      case 'folder':
        await mkdir(path, { recursive: true });
        break;
      case 'file':
        await writeFile(path, entry, data);
        copied.files++;
        copied.bytes += entry.size;
        break;
      case 'link':
        if (entry.hard === true) {
          // Another name of a file that came before: a copy of it, since that is all a hard link shows.
          await copyFile(entry.target === '' ? place : join(place, entry.target!), path, constants.COPYFILE_FICLONE);
          copied.files++;
        } else copied.skipped.push(`${entry.path === '' ? basename(place) : entry.path} is a link to ${entry.target}`);
    }
  }
  return copied;
}

async function writeFile(path: string, { mode }: TarEntry, data: AsyncIterable<Buffer>): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = await open(path, flags, mode & 0o755).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ELOOP') throw new CommandError(`${path} is a link, through which nothing is written`);
    throw new CommandError(`Cannot write ${path}: ${error.message}`);
  });
  try {
    for await (const chunk of data) await file.write(chunk);
  } finally {
    await file.close();
  }
  await chmod(path, mode & 0o755);
}
