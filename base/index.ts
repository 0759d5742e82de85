/** Small things with no opinion about orchestration. */
export * from './api-error.ts';
export * from './backoff.ts';
export * from './clock.ts';
export * from './duration.ts';
export * from './escape.ts';
export * from './id.ts';
export * from './log.ts';
export * from './log-ring.ts';
export * from './nearest.ts';
export * from './runtime.ts';
