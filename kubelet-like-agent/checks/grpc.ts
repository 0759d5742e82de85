/** The health check of gRPC (grpc.health.v1.Health/Check), spoken over HTTP/2 without a library: one call, one field each way. */
import { connect, type ClientHttp2Session, type SecureClientSessionOptions } from 'node:http2';
import { describeError, formatDuration, type Duration } from '../../base/index.ts';
import type { Check } from '../../openapi/index.ts';
import type { ProbeResult, Target } from './probe.ts';

const STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

export async function probeGrpc(check: Check, target: Target, timeout: Duration, signal: AbortSignal): Promise<ProbeResult> {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const address = `${host}:${target.port}`;
  const service = check.grpcService ?? '';
  const critical = (why: string): ProbeResult => ({ outcome: 'critical', output: `gRPC ${address}: ${why}` });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  const tls: SecureClientSessionOptions = {
    rejectUnauthorized: check.tlsSkipVerify !== true,
    ...(check.tlsServerName ? { servername: check.tlsServerName } : {}),
  };
  const session = connect(`${check.grpcUseTls ? 'https' : 'http'}://${address}`, tls);
  try {
    const { grpcStatus, grpcMessage, body } = await call(session, service, limit);
    if (grpcStatus !== '0') return critical(`error code ${grpcStatus}${grpcMessage === '' ? '' : `: ${grpcMessage}`}`);
    const status = readStatus(body);
    const output = `gRPC ${address}: ${STATUS[status] ?? status}`;
    return { outcome: status === 1 ? 'passing' : 'critical', output };
  } catch (error) {
    if (signal.aborted) return critical('operation was canceled');
    return critical(limit.aborted ? `no answer within ${formatDuration(timeout)}` : describeError(error));
  } finally {
    session.destroy();
  }
}

interface Answer {
  readonly grpcStatus: string;
  readonly grpcMessage: string;
  readonly body: Buffer;
}

/** As much of an answer as is looked at. */
const MOST = 4096;

function call(session: ClientHttp2Session, service: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    signal.addEventListener('abort', () => reject(new Error('cut off')), { once: true });
    if (signal.aborted) return reject(new Error('cut off'));
    const stream = session.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers' }); // prettier-ignore
    let [grpcStatus, grpcMessage] = ['', ''];
    let body: Buffer = Buffer.alloc(0);
    const take = (headers: Record<string, unknown>): void => {
      if (typeof headers['grpc-status'] === 'string') grpcStatus = headers['grpc-status'];
      if (typeof headers['grpc-message'] === 'string') grpcMessage = decodeURIComponent(headers['grpc-message']);
    };
    stream.once('response', (headers) => {
      if (headers[':status'] !== 200) reject(new Error(`HTTP ${headers[':status']}`));
      take(headers);
    });
    stream.once('trailers', take);
    stream.on('data', (chunk: Buffer) => {
      if (body.length < MOST) body = Buffer.concat([body, chunk]);
    });
    stream.once('error', reject);
    stream.once('close', () => resolve({ grpcStatus: grpcStatus || 'none', grpcMessage, body }));
    stream.end(frame(service));
  });
}

/** A message of one string field, with the five bytes that gRPC puts in front. */
function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const length = [];
  for (let left = name.length; ; left >>>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Field 1 of the answer; absent is 0. */
const readStatus = (body: Buffer): number => (body.length >= 7 && body[5] === 0x08 ? body[6]! : 0);
