/**
 * `artifact` blocks: what a task needs is fetched before it starts, once for each allocation. It is downloaded and unpacked in a folder
 * of the agent, looked at, and then put into the task's folder, so that half of one is never seen and none of it leads outside.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { cp, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../../../base/index.ts';
import type { Artifact } from '../../../openapi/index.ts';
import type { TaskDirs } from '../../drivers/driver.ts';
import { Folder, placeInTask } from '../paths.ts';
import { ArtifactError, readSource, type Source } from './source.ts';
import { inspect, run, unpack } from './unpack.ts';

export { ArtifactError, readSource } from './source.ts';

export interface ArtifactOptions {
  readonly artifacts: readonly Artifact[];
  readonly dirs: TaskDirs;
  /** A folder of the agent on the same file system. */
  readonly work: string;
  /** Folders of the node that jobs may copy from; none by default. */
  readonly localFolders: readonly string[];
  readonly signal: AbortSignal;
}

const TIME_LIMIT = 30 * 60_000;
const REDIRECTS = 10;

/** Fetches what was not fetched yet. Throws ArtifactError, which names the artifact. */
export async function fetchArtifacts({ artifacts, dirs, work, localFolders, signal }: ArtifactOptions): Promise<void> {
  await mkdir(work, { recursive: true, mode: 0o700 });
  const done = join(work, 'fetched');
  const fetched = new Set((await readFile(done, 'utf8').catch(() => '')).split('\n'));
  for (const artifact of artifacts) {
    const key = createHash('sha256').update(JSON.stringify(artifact)).digest('hex');
    if (fetched.has(key)) continue;
    const aside = join(work, 'artifact');
    try {
      await rm(aside, { recursive: true, force: true });
      await mkdir(aside, { mode: 0o700 });
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIME_LIMIT)]);
      await place(artifact, dirs, await obtain(artifact, aside, localFolders, limit));
    } catch (error) {
      if (signal.aborted) throw new ArtifactError('the start was cancelled', { recoverable: true, cause: error });
      const recoverable = error instanceof ArtifactError ? error.recoverable : !['PathError'].includes((error as Error).name);
      throw new ArtifactError(`failed to download artifact "${artifact.source ?? ''}": ${describeError(error)}`, { recoverable });
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
    fetched.add(key);
    await writeFile(done, [...fetched].filter((line) => line !== '').join('\n'));
  }
}

/** A folder with what was asked for, looked at; `single`: it is one file of that name. */
async function obtain(artifact: Artifact, aside: string, localFolders: readonly string[], signal: AbortSignal): Promise<{ folder: string; single?: string }> {
  const source = readSource(artifact);
  const out = join(aside, 'out');
  if (source.kind === 'git') {
    await clone(source, out, localFolders, signal);
  } else {
    let file = join(aside, source.filename === 'out' ? 'file' : source.filename);
    if (source.kind === 'http') await download(source.from, artifact, file, signal);
    else file = await localFile(source.from, localFolders);
    if ((await stat(file)).isDirectory()) await cp(file, out, { recursive: true, verbatimSymlinks: true });
    else {
      await verify(file, source);
      if (source.archive === undefined || artifact.mode === 'file') {
        await mkdir(out);
        await (source.kind === 'http' ? rename(file, join(out, source.filename)) : cp(file, join(out, source.filename)));
      } else await unpack(file, source.archive, out, source.filename, signal);
    }
  }
  await inspect(out);
  const folder = source.subfolder === undefined ? out : join(out, source.subfolder);
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) throw new ArtifactError(`there is no ${source.subfolder} in it`, { recoverable: false });
  // A part that is reached by a link may be anywhere.
  if (!(await realpath(folder)).startsWith(await realpath(out))) throw new ArtifactError(`${source.subfolder} leads out of it`, { recoverable: false });
  if (!found.isDirectory()) return { folder: dirname(folder), single: basename(folder) };
  const names = await readdir(folder);
  const isSingle = source.kind !== 'git' && source.archive === undefined && names.length === 1;
  return { folder, ...((isSingle || artifact.mode === 'file') && names.length === 1 && { single: names[0]! }) };
} // prettier-ignore

/** Mode file: the destination is the file itself; else it is the folder that things are put into. */
async function place(artifact: Artifact, dirs: TaskDirs, { folder, single }: { folder: string; single?: string }): Promise<void> {
  const destination = artifact.destination || 'local/';
  if (artifact.mode === 'file' && single === undefined)
    throw new ArtifactError('mode is "file", but it is a folder', { recoverable: false });
  const { root, inside } = placeInTask(dirs, destination);
  if (artifact.mode === 'file') {
    const target = await Folder.make(root, dirname(inside));
    try {
      await move(join(folder, single!), target.path(basename(inside)));
    } finally {
      await target.close();
    }
    return;
  }
  await merge(folder, await Folder.make(root, inside));
}

/** Moves everything into an open folder, over what is there. */
async function merge(from: string, into: Folder): Promise<void> {
  try {
    for (const entry of await readdir(from, { withFileTypes: true })) {
      const source = join(from, entry.name);
      if (entry.isDirectory()) await merge(source, await into.make(entry.name));
      else await move(source, into.path(entry.name));
    }
  } finally {
    await into.close();
  }
}

/** Secrets are on a file system of their own, to which things can only be copied. */
async function move(from: string, to: string): Promise<void> {
  await rename(from, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EXDEV') throw error;
    await rm(to, { force: true });
    await cp(from, to, { verbatimSymlinks: true, errorOnExist: true, force: false });
  });
}

async function localFile(path: string, allowed: readonly string[]): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  const folders = await Promise.all(allowed.map((folder) => realpath(folder).catch(() => folder)));
  if (real === undefined || !folders.some((folder) => real === folder || real.startsWith(`${folder}/`))) {
    const why = allowed.length === 0 ? 'this node lets no local files be copied' : `this node lets only files below ${allowed.join(', ')} be copied`; // prettier-ignore
    throw new ArtifactError(`${path}: ${why} (client option "artifact.local_folders")`, { recoverable: false });
  }
  return real;
}

async function verify(file: string, { checksum }: Source): Promise<void> {
  if (checksum === undefined) return;
  const hash = createHash(checksum.algorithm);
  await pipeline(createReadStream(file), hash);
  const found = hash.digest('hex');
  if (found !== checksum.hex)
    throw new ArtifactError(`checksums did not match: expected ${checksum.hex}, got ${found}`, { recoverable: false });
}

async function download(url: string, artifact: Artifact, into: string, signal: AbortSignal): Promise<void> {
  let at = new URL(url);
  for (let hops = 0; ; hops++) {
    const response = await ask(at, artifact, at.origin === new URL(url).origin, signal);
    const { statusCode: code = 0, headers } = response;
    if (code >= 300 && code < 400 && headers.location !== undefined) {
      response.destroy();
      if (hops === REDIRECTS) throw new ArtifactError(`more than ${REDIRECTS} redirects`, { recoverable: false });
      at = new URL(headers.location, at);
      if (!/^https?:$/.test(at.protocol)) throw new ArtifactError(`it leads to ${at.protocol}`, { recoverable: false });
      continue;
    }
    if (code !== 200) {
      response.destroy();
      throw new ArtifactError(`bad response code: ${code}`, { recoverable: code >= 500 || code === 429 || code === 408 });
    }
    return pipeline(response, createWriteStream(into, { flags: 'wx', mode: 0o600 }), { signal });
  }
}

/** Headers of the job, which may hold secrets, go to the server that it names and to nobody else. */
function ask(url: URL, { headers = {}, insecure }: Artifact, isFirst: boolean, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const own = isFirst ? headers : {};
    const options = { signal, headers: { 'user-agent': 'orch artifact', ...own } };
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, rejectUnauthorized: insecure !== true })
        : httpRequest(url, options);
    request.once('response', resolve);
    request.once('error', (cause) => reject(new ArtifactError(describeError(cause), { recoverable: true, cause })));
    request.setTimeout(60_000, () => request.destroy(new Error('the server does not answer')));
    request.end();
  });
}

async function clone(source: Source, into: string, localFolders: readonly string[], signal: AbortSignal): Promise<void> {
  const isLocal = source.from.startsWith('/') || source.from.startsWith('file://');
  const from = isLocal ? await localFile(source.from.replace(/^file:\/\//, ''), localFolders) : source.from;
  if (!isLocal && !/^(https?:\/\/|ssh:\/\/|git:\/\/|[\w.-]+@[\w.-]+:)/.test(from)) throw new ArtifactError(`"${from}" is not a repository that can be reached`, { recoverable: false }); // prettier-ignore
  // Nothing of the machine's own git settings, no questions, and no transport that runs programs.
  const env = { GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: dirname(into), GIT_ALLOW_PROTOCOL: isLocal ? 'file' : 'http:https:ssh:git', GIT_SSH_COMMAND: 'ssh -o BatchMode=yes' }; // prettier-ignore
  const git = (...args: string[]): Promise<string> => run('git', ['-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null', ...args], signal, env); // prettier-ignore
  const depth = source.depth === undefined ? [] : ['--depth', String(source.depth)];
  const tries = source.ref === undefined ? [[]] : [['--branch', source.ref]];
  try {
    await git('clone', '--quiet', ...depth, ...tries[0]!, '--', from, into);
  } catch (error) {
    if (source.ref === undefined) throw toRecoverable(error);
    // A commit is no branch: it is looked for in the whole.
    await rm(into, { recursive: true, force: true });
    await git('clone', '--quiet', '--no-checkout', '--', from, into).catch((cause: unknown) => {
      throw toRecoverable(cause);
    });
    await git('-C', into, 'checkout', '--quiet', '--detach', source.ref);
  }
  await rm(join(into, '.git'), { recursive: true, force: true });
}

/** A server that cannot be reached may be, later. */
const toRecoverable = (cause: unknown): ArtifactError => new ArtifactError(describeError(cause), { recoverable: true });
