import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { AnyObject } from '../../openapi/index.ts';
import type { Context } from '../command.ts';
import { CommandError } from '../errors.ts';
import { parseOptions, problems, tell, type FileFlags } from './index.ts';
import { readSource, type Source } from './source.ts';

export interface Manifest {
  readonly object: AnyObject;
  /** Where it was read, for errors. */
  readonly source: string;
}

export interface ManifestFlags extends FileFlags {
  /** Go into folders within folders. */
  readonly recursive?: boolean;
}

const jobFiles = new Set(['.nomad', '.hcl']);
const manifestFiles = new Set(['.json', '.yaml', '.yml']);
const isTaken = (name: string): boolean => jobFiles.has(extname(name)) || manifestFiles.has(extname(name));

/**
 * Everything that files, folders, patterns (`jobs/*.nomad`), web addresses and standard input (`-`) describe, in the order of their names. All
 * of it is read before anything is returned.
 */
export async function readManifests(context: Context, paths: readonly string[], flags: ManifestFlags): Promise<Manifest[]> {
  const files = (await Promise.all(paths.map((path) => expand(context, path, flags.recursive === true)))).flat();
  const read = await Promise.all(files.map(async (path) => manifestsOf(context, await readSource(context, path, ''), flags)));
  const manifests = read.flat();
  if (manifests.length === 0) throw new CommandError(`${paths.join(', ')}: there are no job files or manifests`);
  return manifests;
}

const isUrl = (path: string): boolean => /^https?:\/\//.test(path);

async function expand({ io }: Context, path: string, recursive: boolean): Promise<string[]> {
  if (path === '-' || isUrl(path)) return [path];
  const info = await stat(resolve(io.cwd, path)).catch(() => undefined);
  if (info?.isDirectory() === true) return filesIn(io.cwd, path, recursive);
  if (info === undefined && /[*?[]/.test(path)) return matching(io.cwd, path);
  return [path];
}

async function filesIn(cwd: string, folder: string, recursive: boolean): Promise<string[]> {
  const entries = (await readdir(resolve(cwd, folder), { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return recursive && !entry.name.startsWith('.') ? filesIn(cwd, path, true) : [];
      return isTaken(entry.name) ? [path] : [];
    }),
  );
  return found.flat();
}

/** The files that a pattern in the last part of a path stands for. */
async function matching(cwd: string, pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  if (/[*?[]/.test(folder)) throw new CommandError(`${pattern}: a pattern can only stand in the last part of a path`);
  const names = await readdir(resolve(cwd, folder)).catch(() => [] as string[]);
  const wanted = new RegExp(`^${basename(pattern).replace(/[.+^${}()|\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')}$`); // prettier-ignore
  const found = names.filter((name) => wanted.test(name)).sort();
  if (found.length === 0) throw new CommandError(`${pattern}: no file matches`);
  return found.map((name) => join(folder, name));
}

async function manifestsOf(context: Context, source: Source, flags: FileFlags): Promise<Manifest[]> {
  const { parseManifests } = await import('../../jobspec/index.ts');
  const result = parseManifests(source, await parseOptions(context, source, flags));
  await tell(context, result);
  if (!result.ok) throw new CommandError(`${source.filename} cannot be used:\n${await problems(context, result.diagnostics)}`);
  return result.objects.map(({ object, range }) => {
    const where = result.objects.length > 1 ? `${source.filename}:${range.source.position(range.start).line}` : source.filename;
    const { metadata } = object as Partial<AnyObject>;
    if (metadata?.name === undefined) throw new CommandError(`${where}: the object has no metadata.name`);
    return { object: { ...object, metadata }, source: where };
  });
}
