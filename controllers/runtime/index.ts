/** What all controllers share: the shape (`controller.ts`), the cache they read (`reader.ts`), the batches they write (`operations.ts`), and who runs them (`manager.ts`). */
export * from './conditions.ts';
export * from './controller.ts';
export * from './manager.ts';
export * from './operations.ts';
export * from './reader.ts';
