import { basename, posix, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { defineClusterCommand, flag, type ClusterContext } from '../command.ts';
import type { Remote } from '../copy/remote.ts';
import { CommandError } from '../errors.ts';
import { bytes } from '../io/amounts.ts';
import { complain, say } from '../io/streams.ts';
import { mustRun } from './alloc/exec.ts';
import { pickAllocation, pickTask } from './alloc/pick.ts';

export const cp = defineClusterCommand({
  name: 'cp',
  summary: 'Copy files and folders to and from tasks',
  usage: '[options] <allocation>:<path> <path> | <path> <allocation>:<path>',
  description:
    'Paths in a task are as the task sees them; "job/<name>:<path>" takes some running allocation of a job. What is copied into a folder that is ' +
    'there keeps its name. The task must be running and have the program "tar". Links are not copied from a task.',
  examples: [
    { text: 'A file from a task', command: 'cp 4fef9fed:/etc/redis.conf ./redis.conf' },
    { text: 'A folder into a task of several', command: 'cp -task web ./public 4fef9fed:/srv/public' },
    { text: 'From some allocation of a job', command: 'cp job/example:/data/dump.rdb .' },
  ],
  args: { min: 2, max: 2, rule: 'This command takes two arguments: <source> <destination>, of which one is <allocation>:<path>' },
  completes: 'allocation',
  flags: { task: flag.string('<name>', 'The task.', { short: 'c', also: ['container'] }) },
  async run({ args: [from, to], flags }, context) {
    const [source, destination] = [remoteOf(from!), remoteOf(to!)];
    if ((source === undefined) === (destination === undefined))
      throw new CommandError(
        source === undefined
          ? 'One of the two must be in a task: <allocation>:<path>'
          : 'Copying from one task to another is not possible: copy to this machine first',
      );
    const { target, path } = (source ?? destination)!;
    const allocation = await pickAllocation(context, target, false);
    const task = pickTask(allocation, flags.task);
    mustRun(allocation, task);
    const remote: Remote = { allocation, task, path };
    return context.interruptible((signal) =>
      source === undefined ? copyTo(context, from!, remote, signal) : copyFrom(context, remote, to!, signal),
    );
  },
});

/** `4fef9fed:/etc`; a path with a slash (or nothing) before the colon is one of this machine, unless that says what kind it is. */
export function remoteOf(word: string): { readonly target: string; readonly path: string } | undefined {
  const [, target, path] = /^((?:(?:job|jobs|alloc|allocation)\/)?[^/:]+):(.*)$/s.exec(word) ?? [];
  if (target === undefined) return undefined;
  if (path === '') throw new CommandError(`${word} names no path: "${word}." is the folder that the task is in`);
  return { target, path: path! };
}

async function copyFrom(context: ClusterContext, remote: Remote, to: string, signal: AbortSignal): Promise<void> {
  const { placeOf, unpack } = await import('../copy/local.ts');
  const { download } = await import('../copy/remote.ts');
  const wanted = posix.normalize(remote.path).replace(/(?<=.)\/$/, '');
  const name = /^(\.|\.\.|\/|.*\/\.\.)$/.test(wanted) ? '.' : posix.basename(wanted);
  const folder = name === '.' ? wanted : posix.dirname(wanted);
  const place = await placeOf(resolve(context.io.cwd, to) + (to.endsWith('/') ? '/' : ''), name);
  const { files, bytes: size, skipped } = await unpack(download(context, remote, folder, name, signal), name, place);
  for (const one of skipped) complain(context, context.style.yellow(`Left out: ${one}`));
  say(context, `Copied ${count(files)} (${bytes(size)}) to ${to}`);
}

async function copyTo(context: ClusterContext, from: string, remote: Remote, signal: AbortSignal): Promise<void> {
  const { writeTar } = await import('../copy/tar.ts');
  const { isFolder, upload } = await import('../copy/remote.ts');
  const path = resolve(context.io.cwd, from);
  if ((await stat(path).catch(() => undefined)) === undefined) throw new CommandError(`There is no ${from}`);
  const into = await isFolder(context, remote, remote.path, signal);
  if (!into && remote.path.endsWith('/')) throw new CommandError(`Task "${remote.task}" has no folder ${remote.path}`);
  const folder = into ? remote.path : posix.dirname(remote.path);
  const name = into ? basename(path) : posix.basename(remote.path);
  let files = 0;
  let size = 0;
  const archive = writeTar(path, name, (entry) => {
    if (entry.type === 'file') files++;
    size += entry.size;
  });
  await upload(context, remote, folder, archive, signal);
  say(context, `Copied ${count(files)} (${bytes(size)}) to ${remote.path}`);
}

const count = (files: number): string => (files === 1 ? '1 file' : `${files} files`);
