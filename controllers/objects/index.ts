/** What is true of an API object, said once for all controllers: which allocation has ended, what an evaluation looks like. All pure. */
export * from './allocation.ts';
export * from './evaluation.ts';
export * from './explain.ts';
export * from './job.ts';
export * from './operation.ts';
