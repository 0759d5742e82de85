import { ApiError, describeError } from '../base/index.ts';

/** Exit codes, as documented in docs/cli. */
export const exitCodes = {
  ok: 0,
  /** Anything that failed; also a plan that would create or destroy allocations, which is no failure. */
  failed: 1,
  /** The job was submitted, but not all of it can be placed. */
  notPlaced: 2,
  /** A file is not formatted (fmt -check). */
  notFormatted: 3,
  /** No such command. */
  unknownCommand: 127,
  /** Ended by Ctrl-C. */
  interrupted: 130,
  /** A plan could not be made. */
  planFailed: 255,
} as const;

/** A failure that is told to the user as it is, on stderr. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = exitCodes.failed, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Ctrl-C where nothing was left to be said. */
export class Interrupted extends CommandError {
  constructor(message = '') {
    super(message, exitCodes.interrupted);
  }
}

/**
 * The words for a failure: what was tried, what went wrong, one cause a line where there are several, and what to do next.
 */
export function explain(error: unknown, program: string): string {
  if (error instanceof ApiError) return explainApiError(error, program);
  if (isConnectionError(error)) return explainConnection(error, program);
  if (isBrokenStream(error)) return 'The API server went away: the connection to it was lost.';
  return describeError(error);
}

function explainConnection(error: ConnectionFailure, program: string): string {
  const { server } = error;
  const text = describeError(error.cause ?? error).trim();
  if (server.startsWith('https:') && /wrong version number|packet length too long|EPROTO/.test(text))
    return `${server} does not speak https. Try ${server.replace(/^https/, 'http')}`;
  if (server.startsWith('http:') && /Parse Error|HPE_|400 Bad Request.*HTTPS|socket hang up/i.test(text))
    return `${server} does not answer in http: ${text}.\nIf it is an API server that speaks TLS, try ${server.replace(/^http/, 'https')}`;
  if (/ECONNRESET|EPIPE/.test(text)) return `The connection to the API server at ${server} was lost: ${text}.`;
  const reason = /ECONNREFUSED/.test(text) ? 'nothing listens there' : text;
  return (
    `Cannot reach the API server at ${server}: ${reason}.\n` +
    `Start one with "${program} agent -dev", or name another with -address or ORCH_ADDR.`
  );
}

/** A stream that ended in the middle: the process at the other end was stopped or killed. */
export const isBrokenStream = (error: unknown): boolean =>
  error instanceof Error &&
  (['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '') ||
    /^(aborted|terminated|socket hang up)$/.test(error.message));

/** The problems of an invalid object, one a line; the message of any other error. */
export function explainApiError(error: ApiError, program: string): string {
  const causes = error.details.causes ?? [];
  if (error.reason === 'Invalid' && causes.length > 0) {
    const lines = causes.map(({ field, message }) => `  * ${field === undefined || field === '' ? '' : `${field}: `}${message}`);
    return `${causes.length === 1 ? '1 problem' : `${causes.length} problems`}:\n${lines.join('\n')}`;
  }
  if (error.reason === 'Unauthorized') return `${error.message}\nPresent a token with -token or ORCH_TOKEN.`;
  if (error.reason === 'Forbidden') return `${error.message}\nAsk somebody who may, or use another token: "${program} -help".`;
  return error.message;
}

interface ConnectionFailure extends Error {
  readonly server: string;
}

/** By shape, not by class: the client is only loaded by commands that talk to a server. */
function isConnectionError(error: unknown): error is ConnectionFailure {
  return error instanceof Error && error.name === 'ConnectionError' && 'server' in error;
}
