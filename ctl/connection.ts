import { homedir } from 'node:os';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { CommandError } from './errors.ts';

/** Where the API is and who asks. Flags come before the environment, that before the configuration file, then defaults. */
export interface Connection {
  /** Addresses of API servers; the next is tried when one cannot be reached. */
  readonly servers: readonly string[];
  readonly namespace: string;
  readonly token?: string;
}

export interface ConnectionFlags {
  readonly address?: readonly string[] | undefined;
  readonly namespace?: string | undefined;
  readonly token?: string | undefined;
  readonly context?: string | undefined;
  readonly region?: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The file of contexts: ORCH_CONFIG, or orch/config.yaml in the folder for configuration. */
export function configPath(env: Env): string {
  if (env.ORCH_CONFIG !== undefined && env.ORCH_CONFIG !== '') return env.ORCH_CONFIG;
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'orch', 'config.yaml');
}

export async function resolveConnection(flags: ConnectionFlags, env: Env): Promise<Connection> {
  if (flags.region !== undefined && flags.region !== 'global')
    throw new CommandError(`There is no region "${flags.region}": this cluster has one, "global"`);
  const context = await readContext(flags.context ?? given(env.ORCH_CONTEXT), env);
  const flag = flags.address === undefined || flags.address.length === 0 ? undefined : flags.address.join(',');
  const server = flag ?? given(env.ORCH_ADDR) ?? given(env.NOMAD_ADDR) ?? context.server ?? 'http://127.0.0.1:4646';
  const token = flags.token ?? given(env.ORCH_TOKEN) ?? given(env.NOMAD_TOKEN) ?? context.token;
  const namespace = flags.namespace ?? given(env.ORCH_NAMESPACE) ?? given(env.NOMAD_NAMESPACE) ?? context.namespace ?? 'default';
  return {
    servers: server.split(',').map((address) => checkUrl(address.trim())),
    namespace,
    ...(token !== undefined && { token }),
  };
}

const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/** `127.0.0.1:4646` is taken as http; anything that is not a web address is refused. */
function checkUrl(address: string): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`;
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new CommandError(`"${address}" is not the address of an API server; it should look like http://127.0.0.1:4646`);
  return text;
}

interface ContextEntry {
  readonly name?: unknown;
  readonly server?: unknown;
  readonly namespace?: unknown;
  readonly token?: unknown;
}

async function readContext(
  wanted: string | undefined,
  env: Env,
): Promise<{ server?: string; namespace?: string; token?: string }> {
  const path = configPath(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new CommandError(`Cannot read ${path}: ${(error as Error).message}`);
    if (wanted !== undefined) throw new CommandError(`There is no context "${wanted}": ${path} does not exist`);
    return {};
  }
  const { parse } = await import('yaml');
  let parsed: { 'current-context'?: unknown; contexts?: unknown } | null;
  try {
    parsed = parse(text) as typeof parsed;
  } catch (error) {
    throw new CommandError(`${path}: ${(error as Error).message}`);
  }
  if (parsed === null) return {};
  const contexts = (Array.isArray(parsed.contexts) ? parsed.contexts : []) as ContextEntry[];
  const name = wanted ?? parsed['current-context'];
  if (name === undefined || name === '') return {};
  const found = contexts.find((entry) => entry?.name === name);
  if (found === undefined) {
    const names = contexts.map((entry) => String(entry?.name)).join(', ');
    throw new CommandError(`${path} has no context "${String(name)}"; it has ${names === '' ? 'none' : names}`);
  }
  return Object.fromEntries(
    (['server', 'namespace', 'token'] as const).flatMap((key) => {
      const value = found[key];
      if (value === undefined || value === null) return [];
      if (typeof value !== 'string') throw new CommandError(`${path}: ${key} of context "${String(name)}" must be a text`);
      return [[key, value]];
    }),
  );
}
