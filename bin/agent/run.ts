/**
 * One agent process: the parts that its configuration enables, started in the order in which they need each other and stopped
 * in the reverse one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, type Clock } from '../../base/index.ts';
import { Client } from '../../client/index.ts';
import { controllerNames } from '../../controllers/names.ts';
import type { IO } from '../../ctl/index.ts';
import { makeDataDir } from '../data-dir.ts';
import { openLog } from '../log.ts';
import { startNodePart, startServerPart, type Part } from '../parts.ts';
import { explainPortInUse, type PortSetting } from '../ports.ts';
import { untilSignal } from '../signals.ts';
import { defaults, isLoopback, type AgentOptions } from './config.ts';

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
  const asked = options.client?.discovery?.address;
  if (asked !== undefined && !isLoopback(asked)) {
    if (!options.insecure) {
      io.stderr.write(`Error: client.discovery would answer on ${asked}: say -insecure-listen if whoever can reach it may know what runs here.\n`); // prettier-ignore
      return 1;
    }
    print(`==> WARNING: client.discovery answers on ${asked}: whoever can reach it learns which services there are.`);
  }
  print('==> Starting orch agent...');

  const temporary = options.dataDir === undefined ? mkdtempSync(join(tmpdir(), 'orch-dev-')) : undefined;
  const dataDir = options.dataDir ?? temporary!;
  makeDataDir(dataDir);
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
    for (const part of parts.reverse()) await part.close({ stopTasks: options.dev });
    io.stderr.write(`Error starting agent: ${(await explainPortInUse(error, portSettings(options))) ?? describeError(error)}\n`);
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    return 1;
  }

  print('==> orch agent configuration:\n');
  for (const [name, value] of banner(options, dataDir, version)) print(`${name.padStart(20)}: ${value}`);
  if (options.dev) for (const line of whatNext(address)) print(line);
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

/** What the agent says about itself when it has started. */
function banner(options: AgentOptions, dataDir: string, version: string): [name: string, value: string][] {
  const { advertise, addresses, ports } = options;
  const both = (hosts: { http: string; rpc: string }): string =>
    `HTTP: ${hosts.http}:${ports.http}${options.server === undefined ? '' : `; RPC: ${hosts.rpc}:${ports.rpc}`}`;
  return [
    ['Advertise Addrs', both(advertise)],
    ['Bind Addrs', both(addresses)],
    ['Client', String(options.client !== undefined)],
    ['Data Dir', dataDir],
    ['Log Level', options.logLevel.toUpperCase()],
    ['Region', `${options.region} (DC: ${options.datacenter})`],
    ['Server', String(options.server !== undefined)],
    ...(options.server === undefined ? [['Servers', options.client?.servers.join(', ') ?? ''] as [string, string]] : []),
    ['Version', version],
  ];
}

/** Who tries things out is told how to go on. */
function whatNext(address: string): string[] {
  return [
    '\n==> In another terminal, try:\n',
    ...(address === defaultAddress ? [] : [`    export ORCH_ADDR=${address}`]),
    '    orchctl job init -short',
    '    orchctl job run example.nomad',
    '    orchctl status example',
  ];
}

const defaultAddress = `http://${defaults.bindAddr}:${defaults.ports.http}`;

const portSettings = ({ addresses, ports, server }: AgentOptions): PortSetting[] => [
  { flag: 'http-port', key: 'http', host: addresses.http, port: ports.http },
  ...(server === undefined ? [] : [{ flag: 'rpc-port', key: 'rpc', host: addresses.rpc, port: ports.rpc }]),
];
