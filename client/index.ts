/**
 * Everything that talks to the apiserver does it through here. Start with `informer/informer.ts`.
 *
 * - `rest/`: typed requests, watch streams, batches
 * - `informer/`: a local cache that follows a kind
 * - `workqueue/`: which key to work on next
 * - `election/`: one leader, with a fence
 * - `events/`: what users are told about an object
 */
export * from './election/election.ts';
export * from './events/recorder.ts';
export * from './informer/informer.ts';
export * from './informer/informers.ts';
export * from './rest/batch.ts';
export * from './rest/client.ts';
export * from './rest/watch.ts';
export * from './workqueue/heap.ts';
export * from './workqueue/workqueue.ts';
