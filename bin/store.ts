/** Which store, and how it is reached: what the configuration and the flags of all commands that touch one have in common. */
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { describeError, type Clock, type Logger } from '../base/index.ts';
import type { Store } from '../apiserver/index.ts';
import type { EtcdStoreOptions } from '../apiserver/storage/etcd/index.ts';
import { flag, type FlagValues } from '../ctl/index.ts';

export interface EtcdOptions {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  /** PEM files. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** The name in the members' certificates, where it is not that of the endpoints. */
  readonly serverName?: string;
  readonly username?: string;
  readonly passwordFile?: string;
}

export const DEFAULT_PREFIX = '/orch';

/** The flags that name a cluster of etcd. */
export const etcdFlags = {
  etcdEndpoints: flag.string('<url,…>', 'The members of the etcd cluster.'),
  etcdPrefix: flag.string('<prefix>', `What the keys in etcd start with. Default ${DEFAULT_PREFIX}.`),
  etcdCaFile: flag.string('<path>', 'The certificates (PEM) of the authorities that the members of etcd are trusted by.'),
  etcdCertFile: flag.string('<path>', 'The certificate (PEM) to show to etcd.'),
  etcdKeyFile: flag.string('<path>', 'The key (PEM) of that certificate.'),
  etcdServerName: flag.string('<name>', 'The name in the certificates of etcd, where it is not that of the endpoints.'),
  etcdUsername: flag.string('<name>', 'The user of etcd to be.'),
  etcdPasswordFile: flag.string('<path>', "A file with that user's password."),
} as const;

/** The cluster that the flags name; undefined when they name none. Relative paths are those of the shell. */
export function etcdFromFlags(flags: FlagValues<typeof etcdFlags>, cwd: string): EtcdOptions | undefined {
  const { etcdEndpoints, ...more } = flags;
  const endpoints = etcdEndpoints?.split(',').filter(Boolean) ?? [];
  if (endpoints.length === 0) {
    const [without] = Object.entries(more).filter(([key, value]) => key.startsWith('etcd') && value !== undefined);
    if (without !== undefined) throw new Error(`-${dashed(without[0])} says nothing without -etcd-endpoints`);
    return undefined;
  }
  const file = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(cwd, path));
  return checkEtcd({
    endpoints,
    prefix: more.etcdPrefix,
    caFile: file(more.etcdCaFile),
    certFile: file(more.etcdCertFile),
    keyFile: file(more.etcdKeyFile),
    serverName: more.etcdServerName,
    username: more.etcdUsername,
    passwordFile: file(more.etcdPasswordFile),
  });
}

type Given<T> = { readonly [K in keyof T]: T[K] | undefined };

/** Puts in the defaults. Throws for what does not go together. */
export function checkEtcd(given: Given<Required<EtcdOptions>>): EtcdOptions {
  const { certFile, keyFile, username, passwordFile } = given;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new Error('a client certificate for etcd needs both its certificate file and its key file');
  if ((username === undefined) !== (passwordFile === undefined))
    throw new Error('a user of etcd needs both a user name and a password file');
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { prefix: DEFAULT_PREFIX, ...set } as unknown as EtcdOptions;
}

const dashed = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The one store that the flags of a command name; undefined when they name none. */
export function placeOf(
  flags: FlagValues<typeof etcdFlags> & { readonly dataDir: string | undefined },
  cwd: string,
): { readonly etcd: EtcdOptions } | { readonly path: string } | undefined {
  const etcd = etcdFromFlags(flags, cwd);
  if (etcd !== undefined && flags.dataDir !== undefined) throw new Error('give either -etcd-endpoints or -data-dir');
  if (etcd !== undefined) return { etcd };
  return flags.dataDir === undefined ? undefined : { path: storePath(resolve(cwd, flags.dataDir)) };
}

/** Where a server keeps the embedded store. */
export const storePath = (dataDir: string): string => join(dataDir, 'server', 'store');

/** Where a server keeps its file of root keys, unless it is told otherwise. */
export const keyringPath = (dataDir: string): string => join(dataDir, 'server', 'keyring.json');

interface Tools {
  readonly clock: Clock;
  readonly log: Logger;
  /** Do not make one where there is none. */
  readonly mustExist?: boolean;
}

/** The embedded store in `path`, or the one in etcd. */
export async function openStore(where: { readonly etcd: EtcdOptions } | { readonly path: string }, tools: Tools): Promise<Store> {
  const { clock, log } = { clock: tools.clock, log: tools.log.child('store') };
  if ('etcd' in where) {
    const { openEtcdStore } = await import('../apiserver/storage/etcd/index.ts');
    return openEtcdStore({ ...(await readEtcdFiles(where.etcd)), clock, log });
  }
  if (tools.mustExist === true && !existsSync(join(where.path, 'data.mdb')))
    throw new Error(`there is no store in ${where.path}`);
  const { openEmbeddedStore } = await import('../apiserver/storage/embedded/index.ts');
  return openEmbeddedStore({ path: where.path, clock, log });
}

/** With the certificates and the password. */
export async function readEtcdFiles(etcd: EtcdOptions): Promise<Omit<EtcdStoreOptions, 'clock' | 'log'>> {
  const { endpoints, prefix, serverName, username } = etcd;
  const [ca, cert, key, password] = await Promise.all([
    read('the certificates of the authorities', etcd.caFile),
    read('the certificate', etcd.certFile),
    read('the key', etcd.keyFile),
    read('the password', etcd.passwordFile),
  ]);
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(serverName !== undefined && { serverName }) };
  return {
    endpoints,
    prefix,
    ...(Object.keys(tls).length > 0 && { tls }),
    ...(username !== undefined &&
      password !== undefined && { auth: { username, password: password.toString().replace(/\r?\n$/, '') } }),
  };
}

async function read(what: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(isAbsolute(path) ? path : resolve(path));
  } catch (error) {
    throw new Error(`cannot read ${what} for etcd: ${describeError(error)}`, { cause: error });
  }
}
