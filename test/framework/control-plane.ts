import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '../../apiserver/index.ts';
import { openEmbeddedStore } from '../../apiserver/storage/embedded/index.ts';
import { createLogger, silentLogger, systemClock, type Clock, type Logger } from '../../base/index.ts';
import { Client, Informers } from '../../client/index.ts';

/** A real apiserver on an embedded store in a folder of its own, in this process. */
export interface ControlPlane {
  readonly url: string;
  readonly client: Client;
  /** For looking at what comes about. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  close(): Promise<void>;
}

export async function startControlPlane(t: { teardown(fn: () => Promise<void> | void): void }): Promise<ControlPlane> {
  const path = mkdtempSync(join(tmpdir(), 'orch-test-'));
  const clock = systemClock;
  const log =
    process.env['ORCH_TEST_LOG'] === undefined
      ? silentLogger
      : createLogger({ write: (line) => process.stderr.write(line), level: 'debug', clock });
  const store = await openEmbeddedStore({ path, log, clock });
  const server = await startApiServer({ store, listen: [{ host: '127.0.0.1', port: 0 }], log, clock });
  const url = server.urls[0]!;
  const client = new Client({ servers: [url] });
  const informers = new Informers({ client, clock, log });
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await informers.close();
    client.close();
    await server.close();
    await store.close();
    rmSync(path, { recursive: true, force: true });
  };
  t.teardown(close);
  return { url, client, informers, clock, log, close };
}
