/**
 * The node controller, in two: `heartbeat/` says whether a node is heard and tells the scheduler of every change that may move
 * allocations; `drain/` empties a node as fast as the `migrate` blocks of its jobs allow. Both are led by one leader.
 */
export * from './drain/index.ts';
export * from './heartbeat/index.ts';
export { appendEvent } from './node-events.ts';
