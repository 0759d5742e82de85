import { request as httpRequest, STATUS_CODES, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { describeError, formatDuration, type Duration } from '../../base/index.ts';
import type { Check } from '../../openapi/index.ts';
import type { Outcome } from './verdict.ts';

/** Where a check looks. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Runs a command inside the task; TaskHandle.exec. */
export type ExecInTask = (
  command: readonly string[],
  options: { timeout: Duration; signal?: AbortSignal },
) => Promise<{ exitCode: number; output: string }>;

export interface ProbeResult {
  readonly outcome: Outcome;
  readonly output: string;
}

/** As much of an answer as is kept. */
const OUTPUT_LIMIT = 4096;
const REDIRECTS = 10;

export function probeTcp(target: Target, timeout: Duration, signal: AbortSignal): Promise<ProbeResult> {
  const address = formatAddress(target);
  return new Promise((resolve) => {
    const socket = connect({ host: target.host, port: target.port });
    const settle = (outcome: Outcome, output: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve({ outcome, output });
    };
    const abort = (): void => settle('critical', `dial tcp ${address}: operation was canceled`);
    const timer = setTimeout(() => settle('critical', `dial tcp ${address}: i/o timeout`), timeout);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => settle('passing', `TCP connect ${address}: Success`));
    socket.once('error', (error) => settle('critical', describeDial(error, address)));
  });
}

export async function probeHttp(check: Check, target: Target, timeout: Duration, signal: AbortSignal): Promise<ProbeResult> {
  const method = (check.method ?? 'GET').toUpperCase();
  const scheme = check.protocol === 'https' ? 'https' : 'http';
  const first = new URL(check.path ?? '/', `${scheme}://${formatAddress(target)}`);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  let url = first;
  try {
    for (let hops = 0; ; hops++) {
      const response = await fetchOnce(check, hops === 0 || url.host === first.host ? method : 'GET', url, limit);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status >= 300 && status < 400 && location !== undefined && hops < REDIRECTS) {
        response.destroy();
        url = new URL(location, url);
        continue;
      }
      const body = await readSome(response);
      const outcome: Outcome = status >= 200 && status < 300 ? 'passing' : status === 429 ? 'warning' : 'critical';
      return {
        outcome,
        output: `HTTP ${method} ${first.href}: ${status} ${response.statusMessage || STATUS_CODES[status] || ''} Output: ${body}`,
      };
    }
  } catch (error) {
    const verb = method.charAt(0) + method.slice(1).toLowerCase();
    const why = limit.aborted
      ? signal.aborted
        ? 'operation was canceled'
        : `no answer within ${formatDuration(timeout)}`
      : describeDial(error, formatAddress(target));
    return { outcome: 'critical', output: `${verb} "${url.href}": ${why}` };
  }
}

function fetchOnce(check: Check, method: string, url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Node takes a list for some headers only (not for Host).
    const own = Object.entries(check.header ?? {}).map(
      ([name, values]) => [name, values.length === 1 ? values[0]! : values] as const,
    );
    const headers = { 'User-Agent': 'orch Health Check', Accept: 'text/plain, text/*, */*', ...Object.fromEntries(own) };
    const options = { method, headers, signal, agent: false } as const;
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, {
            ...options,
            rejectUnauthorized: check.tlsSkipVerify !== true,
            ...(check.tlsServerName ? { servername: check.tlsServerName } : {}),
          })
        : httpRequest(url, options);
    request.once('response', resolve);
    request.once('error', reject);
    request.end(method === 'GET' && check.body === undefined ? undefined : (check.body ?? ''));
  });
}

/** The beginning of a body. What follows is not waited for. */
async function readSome(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= OUTPUT_LIMIT) break;
  }
  response.destroy();
  return Buffer.concat(chunks).subarray(0, OUTPUT_LIMIT).toString('utf8');
}

/** Exit code 0 passes, 1 warns, anything else is critical. */
export async function probeScript(check: Check, exec: ExecInTask, timeout: Duration, signal: AbortSignal): Promise<ProbeResult> {
  try {
    const { exitCode, output } = await exec([check.command!, ...(check.args ?? [])], { timeout, signal });
    const outcome: Outcome = exitCode === 0 ? 'passing' : exitCode === 1 ? 'warning' : 'critical';
    return { outcome, output: output.slice(0, OUTPUT_LIMIT) };
  } catch (error) {
    return { outcome: 'critical', output: describeError(error) };
  }
}

const formatAddress = ({ host, port }: Target): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'read: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
  ENOTFOUND: 'lookup: no such host',
};

function describeDial(error: unknown, address: string): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const known = code === undefined ? undefined : reasons[code];
  return known === undefined ? describeError(error) : `dial tcp ${address}: ${known}`;
}
