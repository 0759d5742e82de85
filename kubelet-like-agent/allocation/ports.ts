import { createServer } from 'node:net';
import type { AllocatedPort } from '../../openapi/index.ts';

/**
 * The first port that something else on the machine holds, as a sentence; undefined when all are free. The scheduler knows
 * what orch gave away, not what other programs took.
 */
export async function portInUse(ports: readonly AllocatedPort[]): Promise<string | undefined> {
  const answers = await Promise.all(ports.map(async (port) => ((await canBind(port)) ? undefined : port)));
  const taken = answers.find((port) => port !== undefined);
  if (taken === undefined) return undefined;
  return `port ${taken.value} ("${taken.label}") is already in use on ${taken.hostIP ?? 'this node'}`;
}

function canBind({ hostIP, value }: AllocatedPort): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    server.listen({ port: value, ...(hostIP !== undefined && hostIP !== '' && { host: hostIP }), exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
