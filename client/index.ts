/**
 * Everything that talks to the apiserver does it through here: `rest/` (typed requests, watch streams, batches), `informer/`
 * (a local cache that follows a kind), `workqueue/` (which key to work on next) and `election/` (one leader, with a fence).
 */
export * from './rest/batch.ts';
export * from './rest/client.ts';
export * from './rest/watch.ts';
