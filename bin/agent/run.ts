/**
 * One agent process: the parts that its configuration enables, started in the order in which they need each other and stopped
 * in the reverse one.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, type Clock } from '../../base/index.ts';
import { Client } from '../../client/index.ts';
import { controllerNames } from '../../controllers/names.ts';
import type { IO } from '../../ctl/index.ts';
import { openLog } from '../log.ts';
import { startNodePart, startServerPart, type Part } from '../parts.ts';
import { untilSignal } from '../signals.ts';
import { isLoopback, type AgentOptions } from './config.ts';

export interface AgentProcess {
  readonly io: IO;
  readonly clock: Clock;
  readonly version: string;
  /** The files that the configuration came from. */
  readonly files: readonly string[];
  /** Settings that have no effect here, and why. */
  readonly notes: readonly string[];
}

/** Runs until a signal ends it. Resolves with the exit code. */
export async function runAgent(options: AgentOptions, { io, clock, version, files, notes }: AgentProcess): Promise<number> {
  const print = (line: string): void => void io.stdout.write(`${line}\n`);
  print(files.length === 0 ? '==> No configuration files loaded' : `==> Loaded configuration from ${files.join(', ')}`);
  for (const note of notes) print(`==> Note: ${note}`);
  for (const [what, address] of Object.entries(options.addresses)) {
    if (isLoopback(address)) continue;
    if (!options.insecure) {
      io.stderr.write(
        `Error: ${what} would listen on ${address}, where everybody could reach it: TLS and tokens are not built yet.\n` +
          'Listen on a loopback address, or say -insecure-listen if the network is closed to others.\n',
      );
      return 1;
    }
    print(`==> WARNING: ${what} listens on ${address} without TLS and tokens: whoever can reach it can run programs here.`);
  }
  print('==> Starting orch agent...');

  const temporary = options.dataDir === undefined ? mkdtempSync(join(tmpdir(), 'orch-dev-')) : undefined;
  const dataDir = options.dataDir ?? temporary!;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const log = openLog(options, io, clock);
  const parts: Part[] = [];
  // From here on: what has been started when a signal comes is stopped in order, and gives away what it leads.
  const failed = new AbortController();
  const signalled = untilSignal({ reload: () => log.reopen(), giveUp: failed.signal });
  const address = `http://${options.addresses.http}:${options.ports.http}`;
  try {
    if (options.server !== undefined) {
      parts.push(
        await startServerPart({ options, server: options.server, dataDir, controllers: controllerNames, version, clock, log }),
      );
    }
    if (options.client !== undefined) {
      const servers =
        options.server !== undefined ? [address] : options.client.servers.map((s) => (s.includes('://') ? s : `http://${s}`));
      const client = new Client({ servers, spread: true, userAgent: `orch-agent/${version}` });
      parts.push(
        await startNodePart({
          options,
          node: options.client,
          dataDir,
          client,
          hasServer: options.server !== undefined,
          clock,
          log,
          version,
        }),
      );
    }
  } catch (error) {
    failed.abort();
    io.stderr.write(`Error starting agent: ${describeError(error)}\n`);
    for (const part of parts.reverse()) await part.close({ stopTasks: options.dev });
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    return 1;
  }

  print('==> orch agent configuration:\n');
  const rows: [string, string][] = [
    [
      'Advertise Addrs',
      `HTTP: ${options.advertise.http}:${options.ports.http}; RPC: ${options.advertise.rpc}:${options.ports.rpc}`,
    ],
    ['Bind Addrs', `HTTP: ${options.addresses.http}:${options.ports.http}; RPC: ${options.addresses.rpc}:${options.ports.rpc}`],
    ['Client', String(options.client !== undefined)],
    ['Data Dir', dataDir],
    ['Log Level', options.logLevel.toUpperCase()],
    ['Region', `${options.region} (DC: ${options.datacenter})`],
    ['Server', String(options.server !== undefined)],
    ['Version', version],
  ];
  for (const [name, value] of rows) print(`${name.padStart(20)}: ${value}`);
  print('\n==> orch agent started! Log data will stream in below:\n');

  const signal = await signalled;
  print(`==> Caught signal: ${signal === 'SIGINT' ? 'interrupt' : 'terminated'}`);
  const leave = signal === 'SIGINT' ? options.leaveOnInterrupt : options.leaveOnTerminate;
  if (options.dev) print('==> Stopping the tasks and the agent (once more to stop at once)');
  else if (leave) print('==> Leaving the cluster and stopping the agent');
  else print('==> Stopping the agent; its tasks run on');
  for (const part of parts.reverse()) await part.close({ stopTasks: options.dev || leave });
  if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
  print('==> orch agent stopped');
  return 0;
}
