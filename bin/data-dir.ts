import { mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Makes the folder that state is kept in, with its parents, and tries to write there: what is wrong is told at once and in terms of
 * the setting, not by whichever part writes first. Folders are made one by one because Node's `recursive` never comes back below
 * /proc, and says that there is no such file where a file system is read-only.
 */
export function makeDataDir(path: string): void {
  try {
    make(path);
    rmdirSync(mkdtempSync(join(path, '.write-')));
  } catch (error) {
    throw new Error(`cannot keep state in ${path}: ${reason(error)}. Name another folder with -data-dir or data_dir`);
  }
}

function make(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return;
  if (found !== undefined) throw new Error(`${path} is a file`);
  make(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its file system is full',
  ENOENT: 'no folder can be made there',
  ENOTDIR: 'a part of the path is a file',
};

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}
