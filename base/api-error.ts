/** The reasons of metav1.Status that orch uses, with their HTTP codes. */
export const reasonCodes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type Reason = keyof typeof reasonCodes;

export interface StatusCause {
  reason: string;
  message: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** The body of every failed request, as in Kubernetes. */
export interface ApiStatus {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code?: number;
}

/** The one error that crosses the wire; the client throws what the server threw. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: Reason;
  readonly code: number;
  readonly details: StatusDetails;

  constructor(reason: Reason, message: string, details: StatusDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.code = reasonCodes[reason];
    this.details = details;
  }

  toStatus(): ApiStatus {
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: this.message, reason: this.reason, details: this.details, code: this.code }; // prettier-ignore
  }

  /** Rebuilds the error from a response body; a body that is no Status becomes an error of the nearest reason. */
  static fromStatus(body: unknown, code: number): ApiError {
    const status = (typeof body === 'object' && body !== null ? body : {}) as Partial<ApiStatus>;
    const reason = status.reason !== undefined && status.reason in reasonCodes ? (status.reason as Reason) : reasonForCode(code);
    const message = status.message ?? (typeof body === 'string' && body !== '' ? body.trim() : `server answered ${code}`);
    return new ApiError(reason, message, status.details ?? {});
  }
}

export function isReason(error: unknown, ...reasons: Reason[]): error is ApiError {
  return error instanceof ApiError && reasons.includes(error.reason);
}

function reasonForCode(code: number): Reason {
  const found = Object.entries(reasonCodes).find(([reason, c]) => c === code && reason !== 'AlreadyExists');
  return found === undefined ? 'InternalError' : (found[0] as Reason);
}
