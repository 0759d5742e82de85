/** Ports that cannot be had, told in terms of the settings that choose them. */
import { createServer } from 'node:net';

export interface PortSetting {
  readonly flag: string;
  /** The key within `ports { }` of a file; absent where only a flag chooses it. */
  readonly key?: string;
  readonly host: string;
  readonly port: number;
}

/** A sentence for an address in use, with free ports near it; undefined when the error is about something else. */
export async function explainPortInUse(error: unknown, settings: readonly PortSetting[]): Promise<string | undefined> {
  if (!isInUse(error)) return undefined;
  const taken: PortSetting[] = [];
  for (const setting of settings) if (!(await isFree(setting.host, setting.port))) taken.push(setting);
  if (taken.length === 0) return undefined; // it has become free in the meantime: there is nothing to advise
  const used = new Set(settings.map(({ port }) => port));
  const instead: PortSetting[] = [];
  for (const setting of taken) {
    const port = await nextFree(setting, used);
    if (port === undefined) continue;
    used.add(port);
    instead.push({ ...setting, port });
  }
  const ports = taken.map(({ host, port }) => `${host}:${port}`).join(' and ');
  const flags = instead.map(({ flag, port }) => `-${flag}=${port}`).join(' ');
  const keys = instead.flatMap(({ key, port }) => (key === undefined ? [] : [`${key} = ${port}`])).join(', ');
  return (
    `${ports} ${taken.length === 1 ? 'is' : 'are'} in use, perhaps by another agent.` +
    (flags === '' ? '' : `\nTry ${flags}${keys === '' ? '' : ` (in a file: ports, ${keys})`}.`)
  );
}

function isInUse(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' || isInUse(error.cause);
}

async function nextFree({ host, port }: PortSetting, used: ReadonlySet<number>): Promise<number | undefined> {
  for (let next = port + 1; next <= Math.min(port + 100, 65535); next++)
    if (!used.has(next) && (await isFree(host, next))) return next;
  return undefined;
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
