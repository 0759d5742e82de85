/** What controllers of your own import as `orch/client`: the client, the kinds, and the little that both are built on. */
export * from './index.ts';
export * from '../openapi/index.ts';
export { ApiError, createLogger, isReason, silentLogger, systemClock, type Clock, type Logger } from '../base/index.ts';
