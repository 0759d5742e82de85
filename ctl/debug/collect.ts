import { mkdir, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { sleep } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { collectionPath, NodeKind, objectPath, type Kind, type Node, type Stored } from '../../openapi/index.ts';
import { explain } from '../errors.ts';
import type { ClusterContext } from '../command.ts';
import { redact, redactLine } from './redact.ts';

/** A server to look at, by its own address. */
export interface Server {
  readonly name: string;
  readonly client: Client;
}

export interface Plan {
  readonly folder: string;
  /** Of objects, at each interval. */
  readonly kinds: readonly Kind[];
  readonly servers: readonly Server[];
  readonly nodes: readonly Stored<Node>[];
  readonly durationMs: number;
  readonly intervalMs: number;
  readonly logLevel: string;
}

/** What came of it: everything that could not be had is named, and the rest is there. */
export interface Collected {
  readonly files: readonly string[];
  readonly problems: readonly string[];
}

/** Fills the folder until the time is over or the signal aborts. */
export async function collect(context: ClusterContext, plan: Plan, signal: AbortSignal): Promise<Collected> {
  const { client, clock, program } = context;
  const files: string[] = [];
  const problems: string[] = [];
  const place = async (name: string): Promise<string> => {
    const path = join(plan.folder, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    files.push(name);
    return path;
  };
  const tryTo = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) problems.push(`${name}: ${explain(error, program).split('\n')[0]}`);
    }
  };
  const json = (name: string, from: Client, path: string): Promise<void> =>
    tryTo(name, async () => {
      const answer = await from.json<unknown>('GET', path, { signal, headers: { 'orch-sensitive': 'hide' } });
      await writeFile(await place(name), `${JSON.stringify(redact(answer), undefined, 2)}\n`, { mode: 0o600 });
    });
  const text = (name: string, from: Client, path: string): Promise<void> =>
    tryTo(name, async () => {
      const parts: Buffer[] = [];
      for await (const part of await from.stream('GET', path, { signal, headers: { accept: 'text/plain' } }))
        parts.push(part as Buffer);
      await writeFile(await place(name), Buffer.concat(parts), { mode: 0o600 });
    });
  const log = (name: string, from: Client, path: string, ending: AbortSignal): Promise<void> =>
    tryTo(name, async () => {
      const file = createWriteStream(await place(name), { mode: 0o600 });
      try {
        await followLog(from, path, plan.logLevel, file, ending);
      } finally {
        file.end();
        await once(file, 'finish');
      }
    });

  await json('cluster/version.json', client, '/version');
  await text('cluster/readyz.txt', client, '/readyz?verbose');
  await json('cluster/leases.json', client, '/apis/coordination.k8s.io/v1/leases');

  const over = new AbortController();
  const ending = AbortSignal.any([signal, over.signal]);
  const logs = [
    ...plan.servers.map((server) => log(`server/${server.name}/monitor.log`, server.client, '/logs', ending)),
    ...plan.nodes.map(({ metadata }) =>
      log(`client/${metadata.name}/monitor.log`, client, `${objectPath(NodeKind, metadata.name)}/logs`, ending),
    ),
  ];
  const until = clock.now() + plan.durationMs;
  for (let at = 0; !signal.aborted; at++) {
    const begun = clock.now();
    const turn = String(at).padStart(4, '0');
    await Promise.all([
      ...plan.kinds.map((kind) => json(`interval/${turn}/${kind.plural}.json`, client, collectionPath(kind, undefined))),
      ...plan.servers.flatMap((server) => [
        text(`server/${server.name}/${turn}-metrics.txt`, server.client, '/metrics'),
        json(`server/${server.name}/${turn}-runtime.json`, server.client, '/debug/runtime'),
      ]),
      ...plan.nodes.flatMap(({ metadata }) => [
        json(`client/${metadata.name}/${turn}-stats.json`, client, `${objectPath(NodeKind, metadata.name)}/stats`),
        json(`client/${metadata.name}/${turn}-runtime.json`, client, `${objectPath(NodeKind, metadata.name)}/runtime`),
      ]),
    ]);
    const next = begun + plan.intervalMs;
    await sleep(clock, Math.max(0, Math.min(next, until) - clock.now()), signal).catch(() => undefined);
    if (clock.now() >= until) break;
  }
  over.abort();
  await Promise.all(logs);
  return { files: files.sort(), problems };
}

/** What was said lately and what is said until the end, without what may be secret. */
async function followLog(
  client: Client,
  path: string,
  level: string,
  to: NodeJS.WritableStream,
  ending: AbortSignal,
): Promise<void> {
  let rest = '';
  try {
    const stream = await client.stream('GET', path, { query: { level, follow: true }, signal: ending });
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (!to.write(lines.map((line) => `${redactLine(line)}\n`).join(''))) await once(to, 'drain');
    }
  } catch (error) {
    if (!ending.aborted) throw error;
  }
}
